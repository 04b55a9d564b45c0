"""Fail if the account uses more memory than allowed, and show who uses most. This is a
check for monitoring.

python quota.py 64

The argument is in GiB. The tag owner says to whom a machine belongs. The exit status is 0,
or 2 if the account uses too much.
"""

import sys
from collections import Counter

from smartdc import DataCenter

limit = float(sys.argv[1])
used: Counter[str] = Counter()
for machine in DataCenter().machines(state="running"):
    used[str(machine.tags.get("owner", "nobody"))] += machine.memory

total = sum(used.values()) / 1024
print(f"{total:.1f} GiB of {limit:g} GiB")
for owner, memory in used.most_common(5):
    print(f"  {owner}: {memory / 1024:.1f} GiB")
sys.exit(2 if total > limit else 0)
