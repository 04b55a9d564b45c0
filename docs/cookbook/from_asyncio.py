"""Send several requests at the same time from a program that uses asyncio.

python from_asyncio.py

The library is synchronous, but threads may share a DataCenter. So each call runs in a
thread (asyncio.to_thread), and the event loop stays free for everything else. A change of
many machines is also one call, that of a fleet.
"""

import asyncio
import sys

from smartdc import DataCenter


async def main() -> int:
    """Print three numbers, reboot the machines of a role, and return the exit status."""
    dc = DataCenter()
    machines, images, networks = await asyncio.gather(
        asyncio.to_thread(dc.machines, tags={"role": "web"}, state="running"),
        asyncio.to_thread(dc.images),
        asyncio.to_thread(dc.networks),
    )
    print(len(machines), "machines,", len(images), "images,", len(networks), "networks")

    reboot = dc.fleet(machines).reboot
    report = await asyncio.to_thread(reboot, at_once=8, budget="100%")
    print(report.summary())
    for machine, reason in report.bad.items():
        print(f"{machine.name}: {reason}")
    return 1 if report.bad else 0


sys.exit(asyncio.run(main()))
