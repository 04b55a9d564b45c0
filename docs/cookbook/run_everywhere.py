"""Run a command over SSH on every running machine of a role, eight at a time, and print
the output of each.

python run_everywhere.py web uptime

The program ssh must be able to log in without asking: with a key in the ssh-agent, and to
known hosts.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from smartdc import DataCenter, Machine, SmartDCError

role, *command = sys.argv[1:]


def run(machine: Machine) -> tuple[int, str]:
    """Run the command on a machine, and return its exit status and its output."""
    try:
        done = machine.ssh(command, timeout=300)
    except SmartDCError as error:  # ssh could not connect, or could not log in
        return 255, str(error)
    return done.returncode, (done.stdout or done.stderr).strip()


machines = DataCenter().machines(tags={"role": role}, state="running")
with ThreadPoolExecutor(8) as threads:
    results = list(threads.map(run, machines))
for machine, (status, said) in zip(machines, results, strict=True):
    print(f"{machine.name} ({status}): {said}")
sys.exit(max((status for status, _ in results), default=0))
