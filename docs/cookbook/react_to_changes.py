"""Start every machine with the tag always=on again when it has stopped. It runs until you
stop it.

python react_to_changes.py
python react_to_changes.py 3600    (for an hour)

Lost connections are no problem: what happened meanwhile is reported when the connection is
back. The extra `changefeed` is needed.
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
            for _ in range(2):  # where no answer came, a second start does no harm
                try:
                    machine.start()
                    break
                except SmartDCError as error:
                    print("no success:", error)
