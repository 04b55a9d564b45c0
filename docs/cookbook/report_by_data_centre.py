"""Count machines and memory in all data centres for which the triton command has a profile.

python report_by_data_centre.py

All data centres are asked at the same time. One that does not answer costs at most 20
seconds, and is named at the end.
"""

import sys

from smartdc import Cloud

cloud = Cloud.from_profiles(timeout=20)
machines = cloud.machines()
print(f"{'data centre':<20} {'machines':>8} {'running':>8} {'GiB':>8}")
for name, here in machines.by_datacenter.items():
    running = sum(machine.state == "running" for machine in here)
    memory = sum(machine.memory for machine in here) / 1024
    print(f"{name:<20} {len(here):>8} {running:>8} {memory:>8.1f}")
for name, error in machines.errors.items():
    print(f"{name} did not answer: {error}", file=sys.stderr)
sys.exit(0 if machines.complete else 1)
