"""Send several requests at the same time from a program that uses asyncio.

python from_asyncio.py

The library is synchronous, but threads may share a DataCenter. So each call runs in a
thread (asyncio.to_thread), and the event loop stays free for everything else.
"""

import asyncio

from smartdc import DataCenter, SmartDCError


async def main() -> None:
    """Print three numbers, then reboot the machines of a role, all at the same time."""
    dc = DataCenter()
    machines, images, networks = await asyncio.gather(
        asyncio.to_thread(dc.machines, tags={"role": "web"}),
        asyncio.to_thread(dc.images),
        asyncio.to_thread(dc.networks),
    )
    print(len(machines), "machines,", len(images), "images,", len(networks), "networks")

    reboots = (asyncio.to_thread(machine.reboot, wait=True) for machine in machines)
    outcomes = await asyncio.gather(*reboots, return_exceptions=True)
    for machine, outcome in zip(machines, outcomes, strict=True):
        if isinstance(outcome, SmartDCError):
            print(machine.name, "did not reboot:", outcome)
        else:
            print(machine.name, "has rebooted")


asyncio.run(main())
