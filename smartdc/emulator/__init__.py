"""A CloudAPI on the loopback interface, for trying things out and for tests.

    with Server(Emulator()) as server:
        print(server.url)

It refuses what CloudAPI refuses: every signature is verified, and checks, statuses, bodies and headers come in
CloudAPI's order. Nothing here imports the client, and the client imports nothing from here.
"""

from .adapter import EmulatorAdapter
from .app import Emulator
from .clock import VirtualClock, WallClock
from .faults import Fault
from .server import Server
from .transitions import AT_ONCE, AfterReads, AfterSeconds, ByScript

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
