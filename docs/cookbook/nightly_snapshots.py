"""Take a snapshot of every machine with the tag backup=daily, and keep the newest seven of
each. Run it from cron.

python nightly_snapshots.py

The script deletes only snapshots that it took itself, and only when the new one exists.
"""

import sys

from smartdc import DataCenter

dc = DataCenter()
report = dc.fleet(tags={"backup": "daily"}).rotate_snapshots(
    keep=7, prefix="nightly-", check=False
)
print(report.summary())
for machine, reason in report.bad.items():
    print(f"{machine.name}: {reason}")
sys.exit(1 if report.bad else 0)
