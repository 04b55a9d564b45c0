"""Move all machines of a role to another package, one after the other. Stop at the first
one that does not come back.

python rolling_resize.py web g1-medium

A machine counts as back when a web server answers on its first address.
"""

import sys
from urllib.request import urlopen

from smartdc import DataCenter, Machine


def healthy(machine: Machine) -> bool:
    """Return whether the machine's web server answers; an exception means no."""
    with urlopen(f"http://{machine.primary_ip}/", timeout=5) as answer:
        return answer.status == 200


if __name__ == "__main__":
    role, package = sys.argv[1:]
    dc = DataCenter(progress=True)
    fleet = dc.fleet(tags={"role": role})
    print(fleet.resize(package, healthy=healthy, timeout=300).summary())
