"""Put new machines, made from another image, in the place of all machines of a role, one
after the other.

python replace_image.py web base-64-lts@24.4.1 web.journal

A new machine takes the name when a web server answers on its first address; the old one is
stopped, renamed and kept. What is on the disks of the old machines is not taken along. When
the script is killed, or has failed, run it again with the same journal: it goes on where it
stopped.
"""

import sys
from urllib.request import urlopen

from smartdc import DataCenter, Machine


def healthy(machine: Machine) -> bool:
    """Say whether the web server of a machine answers; an exception means no."""
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
