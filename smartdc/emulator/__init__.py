"""An emulated CloudAPI on the loopback interface, for trying things out and for tests.

    with Server(Emulator()) as server:
        print(server.url)

It refuses what CloudAPI refuses: every signature is verified, and checks come in CloudAPI's order, with its statuses,
bodies and headers. Nothing here imports the client, and the client imports nothing from here.

Names are loaded on first use: pytest imports this package in every project where it is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartdc.emulator.app import Emulator
    from smartdc.emulator.core.clock import VirtualClock, WallClock
    from smartdc.emulator.doors.adapter import EmulatorAdapter
    from smartdc.emulator.doors.server import Server
    from smartdc.emulator.faults.plan import Fault
    from smartdc.emulator.state.transitions import AT_ONCE, AfterReads, AfterSeconds, ByScript

__all__ = [
    "AT_ONCE",
    "AfterReads",
    "AfterSeconds",
    "ByScript",
    "Emulator",
    "EmulatorAdapter",
    "Fault",
    "Server",
    "VirtualClock",
    "WallClock",
]

_HOMES = {
    "AT_ONCE": "state.transitions",
    "AfterReads": "state.transitions",
    "AfterSeconds": "state.transitions",
    "ByScript": "state.transitions",
    "Emulator": "app",
    "EmulatorAdapter": "doors.adapter",
    "Fault": "faults.plan",
    "Server": "doors.server",
    "VirtualClock": "core.clock",
    "WallClock": "core.clock",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"the emulator has no {name!r}")
    return getattr(import_module(f"smartdc.emulator.{_HOMES[name]}"), name)
