"""Print the jobs of all machines that failed in the last days, and who requested them, from
the audit logs.

python failed_jobs.py 1

The script sends one request for each machine.
"""

import sys
from datetime import UTC, datetime, timedelta

from smartdc import DataCenter

since = datetime.now(UTC) - timedelta(days=float(sys.argv[1]))
for machine in DataCenter().iter_machines():
    for entry in machine.audit():
        if not entry.succeeded and entry.time > since:
            print(f"{machine.name}: {entry.describe()}")
