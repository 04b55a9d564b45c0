"""Switch on deletion protection for all machines with the tag env=production. You can run
it as often as you like.

python protect.py
"""

import sys

from smartdc import DataCenter, Machine


def protect(machine: Machine) -> None:
    """Protect a machine that is not protected yet."""
    if not machine.deletion_protection:
        machine.enable_deletion_protection(wait=True)
        print("protected", machine.name)


report = DataCenter().fleet(tags={"env": "production"}).each(protect, at_once=8, budget="100%")
print(report.summary())
for machine, reason in report.bad.items():
    print(f"{machine.name}: {reason}")
sys.exit(1 if report.bad else 0)
