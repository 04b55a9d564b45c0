"""Restart every machine with the tag always=on when it has stopped. The script runs until
you stop it.

python react_to_changes.py
python react_to_changes.py 3600    (for an hour)

Lost connections do no harm: changes in the meantime are reported when the connection is
back. The script needs the extra `changefeed`.
"""

import sys

from smartdc import DataCenter, SmartDCError

dc = DataCenter()
seconds = float(sys.argv[1]) if sys.argv[1:] else None
with dc.changefeed(subresources="state", timeout=seconds) as feed:
    for change in feed:
        machine = change.machine
        if machine.state == "stopped" and machine.tags.get("always") == "on":
            print("starting", machine.name)
            for _ in range(2):  # if no answer came, a second start does no harm
                try:
                    machine.start()
                    break
                except SmartDCError as error:
                    print("no success:", error)
