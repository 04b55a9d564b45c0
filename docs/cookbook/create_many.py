"""Create twenty machines in parallel, each exactly once, and print their addresses.

python create_many.py web.journal

The journal is a file. If the script is killed, run it again with the same journal: it
continues where it stopped, and no machine is created twice. When all machines exist, the
journal has ended: the script says so and creates nothing.
"""

import sys

from smartdc import DataCenter

dc = DataCenter(progress=True)
report = dc.create_machines(
    20,
    name="web-{n:02}",
    image="base-64-lts@24.4.1",
    package="g1-small",
    tags={"role": "web"},
    journal=sys.argv[1],
)
for machine in report.done:
    print(machine.name, machine.primary_ip)
