"""Show what fleets cost under CloudAPI's throttle, in ratios to the least time that the server's rate allows.

    python tests/benchmarks/fleet.py [--machines 200]

The emulator throttles as CloudAPI does by default, 30 calls at once and then 10 a second, over HTTP, by the real time,
and each answer takes 0.3 s; its jobs take no time. The least time is that of one request for each machine and a
listing every two seconds.
A call that fails ends the script.
"""

# ruff: noqa: T201 (a script prints what it has found out)

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kits.throttle import Throttled
from smartdc.emulator import Fault

LATENCY_SECONDS = 0.3
LOOK_SECONDS = 2.0
ROLE = {"role": "web"}


def measure(what: str, site: Throttled, machines: int, act: Callable[[], int]) -> None:
    """Do something once, and print one line, the ratio in it."""
    site.cloud.faults.add(Fault(kind="delay", seconds=LATENCY_SECONDS, times=None))
    before = len(site.cloud.trace)
    began = time.monotonic()
    done = act()
    seconds = time.monotonic() - began
    entries = site.cloud.trace[before:]
    refused = sum(entry.status == 429 for entry in entries)
    # Listings go out while the least time passes, and are paid for by it.
    least = site.ideal(machines) / (1 - 1 / LOOK_SECONDS / site.throttle.rate)
    print(
        f"{what:<46} {done:>4} of {machines}   {seconds / least:.2f} of the ideal"
        f"   ({len(entries) - refused} requests, {refused} times 429)",
        flush=True,
    )
    assert done == machines


def main() -> None:
    """Measure everything once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=200)
    count = parser.parse_args().machines
    with Throttled() as site:
        dc = site.client

        def create() -> int:
            dc.create_machines(count, name="web-{n:03}", image="debian-12", package="g1-small", tags=ROLE)
            return len(site.cloud.state.machines)

        measure("create_machines", site, count, create)
        measure("fleet.stop(at_once=50)", site, count, lambda: len(dc.fleet(tags=ROLE).stop(at_once=50).done))
    with Throttled() as site:
        dc = site.client
        image = dc.images(name="debian-12")[0].id

        def one(number: int) -> str:
            return dc.create_machine(f"w-{number}", image=image, package="g1-small").id

        def threads() -> int:
            with ThreadPoolExecutor(20) as pool:
                return len({*pool.map(one, range(count))} & {*site.cloud.state.machines})

        measure("create_machine from 20 threads", site, count, threads)


if __name__ == "__main__":
    main()
