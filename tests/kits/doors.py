"""The ways into an emulated cloud: within the process, and over HTTP to a server that outlives the tests."""

from __future__ import annotations

from collections.abc import Callable

from smartdc.emulator import Emulator, Fault
from smartdc.emulator.core.clock import Clock
from smartdc.emulator.core.message import Request, Response

DOORS = ("adapter", "http")


class SharedServer:
    """What the one server of a session serves: the emulator of the test that is running."""

    cloud: Emulator
    url: str

    @property
    def clock(self) -> Clock:
        """The clock of the emulator."""
        return self.cloud.clock

    def interrupt(self, head: Request | None = None, *, tls: bool = True) -> Fault | None:
        """Let the emulator say whether a connection ends before anything is asked."""
        return self.cloud.interrupt(head, tls=tls)

    def handle(self, request: Request, pause: Callable[[float], None] | None = None) -> Response:
        """Let the emulator answer."""
        return self.cloud.handle(request, pause)
