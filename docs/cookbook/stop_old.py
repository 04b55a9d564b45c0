"""Stop the machines that have a tag and are older than a number of days. Without --really,
the script only prints which machines these are.

python stop_old.py temporary 14
python stop_old.py temporary 14 --really
"""

import argparse
import sys
from datetime import UTC, datetime, timedelta

from smartdc import DataCenter

parser = argparse.ArgumentParser(description="Stop the machines that have a tag and are old.")
parser.add_argument("tag", help="machines with this tag, whatever its value")
parser.add_argument("days", type=float, help="machines older than this")
parser.add_argument("--really", action="store_true", help="stop them, not only list them")
options = parser.parse_args()

dc = DataCenter(progress=True)
limit = datetime.now(UTC) - timedelta(days=options.days)
old = [
    machine
    for machine in dc.machines(state="running")
    if options.tag in machine.tags and machine.created < limit
]
for machine in sorted(old, key=lambda machine: machine.created):
    print(
        "stopping" if options.really else "would stop",
        machine.name,
        f"of {machine.created:%Y-%m-%d}",
    )
if options.really:
    report = dc.fleet(old).stop(at_once=8, budget="10%")
    print(report.summary())
    for machine, reason in report.bad.items():
        print(f"{machine.name}: {reason}")
    sys.exit(1 if report.bad else 0)
