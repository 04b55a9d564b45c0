"""Replace all machines of a role, one after the other, with new ones made from another
image.

python replace_image.py web base-64-lts@24.4.1 web.journal

When a web server answers on the first address of a new machine, the new machine takes the
name of the old one. The old one is renamed, stopped and kept. The data on its disks is not
copied. If the script is killed or fails, run it again with the same journal: it continues
where it stopped.
"""

import sys
from urllib.request import urlopen

from smartdc import DataCenter, Machine


def healthy(machine: Machine) -> bool:
    """Return whether the machine's web server answers; an exception means no."""
    with urlopen(f"http://{machine.primary_ip}/", timeout=5) as answer:
        return answer.status == 200


if __name__ == "__main__":
    role, image, journal = sys.argv[1:]
    dc = DataCenter(progress=True)
    fleet = dc.fleet(tags={"role": role})
    report = fleet.replace(
        image, losing={"data"}, healthy=healthy, timeout=600, journal=journal
    )
    print(report.summary())
    for machine in report:
        print(machine.name, machine.primary_ip)
