"""Run a command over SSH on every running machine of a role, eight at a time, and print what each said.

python run_everywhere.py web uptime

The program ssh must be able to log in without a question, as with a key in the ssh-agent.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from smartdc import DataCenter, Machine

role, *command = sys.argv[1:]


def run(machine: Machine) -> subprocess.CompletedProcess[str]:
    """Run the command on a machine; one that cannot be reached fails within 10 seconds."""
    options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    line = ["ssh", *options, f"root@{machine.primary_ip}", *command]
    return subprocess.run(line, check=False, capture_output=True, text=True, timeout=300)


machines = DataCenter().machines(tags={"role": role}, state="running")
with ThreadPoolExecutor(8) as threads:
    results = dict(zip(machines, threads.map(run, machines), strict=True))
for machine, result in results.items():
    print(f"{machine.name} ({result.returncode}): {(result.stdout or result.stderr).strip()}")
sys.exit(max((result.returncode for result in results.values()), default=0))
