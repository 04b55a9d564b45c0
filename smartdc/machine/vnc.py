"""See the screen of a hardware virtual machine: a byte stream in which VNC is spoken."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from smartdc.core.resource import Resource
from smartdc.errors import BadResponse, ServerError, TransportError
from smartdc.websocket.opening import open_websocket

if TYPE_CHECKING:
    from smartdc.websocket.stream import WebSocket

__all__ = ["HasVnc", "VncStream"]

TOO_LONG = "control frame too long"
"""How a goodbye is refused that is longer than WebSocket allows: that of CloudAPI is, when it failed after the handshake."""


class VncStream(io.RawIOBase):
    """The bytes of a VNC connection (RFB, RFC 6143), in both directions.

    It is a raw binary stream as those of `io`: `read` waits until there is something and returns at most so many bytes,
    and none when the other side has ended. For exact amounts wrap it in an `io.BufferedReader`. One thread may read
    while another writes.
    """

    def __init__(self, websocket: WebSocket, path: str, timeout: float | None = None) -> None:
        super().__init__()
        self.timeout = timeout
        """The most seconds that a read waits, before it raises `CallTimeout`; None waits while the connection lives."""
        self._websocket, self._path = websocket, path
        self._left = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what is there, at most as much as fits in, and return how much that was."""
        self._check_open()
        room = memoryview(buffer).cast("B")
        while room and not self._left:
            message = self._receive()
            if message is None:
                return 0
            self._left = message
        given, self._left = self._left[: len(room)], self._left[len(room) :]
        room[: len(given)] = given
        return len(given)

    def write(self, data: Any, /) -> int:
        """Send bytes, all of them."""
        self._check_open()
        sent = bytes(data)
        self._websocket.send(sent)
        return len(sent)

    def close(self) -> None:
        """End the connection."""
        if not self.closed:
            self._websocket.close()
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _receive(self) -> bytes | None:
        """Return the bytes of the next message, or None when the other side has ended."""
        try:
            message = self._websocket.receive(self.timeout)
        except TransportError as error:
            if TOO_LONG in str(error):
                raise self._failure("CloudAPI found no way to the screen of the machine") from None
            raise
        if isinstance(message, str):
            raise BadResponse(f"GET {self._path}: VNC is bytes, and a text came", method="GET", path=self._path)
        if message is None and (words := _problem(self._websocket.reason)):
            raise self._failure(words)
        return message

    def _failure(self, words: str) -> ServerError:
        error = ServerError(f"GET {self._path}: {words}", method="GET", path=self._path)
        error.status = 500
        return error


def _problem(reason: str) -> str | None:
    """Return what went wrong, if that is what CloudAPI closed the connection for: then the reason is JSON."""
    try:
        told = json.loads(reason)
    except ValueError:
        return None
    if not isinstance(told, dict) or told.get("type") != "error":
        return None
    error = told.get("error")
    return str((error.get("message") if isinstance(error, dict) else error) or "the connection failed")


class HasVnc(Resource):
    """What has a screen."""

    def vnc(self, *, timeout: float | None = None) -> VncStream:
        """Connect to the machine's screen, and return the stream in which VNC is spoken: ``ConnectMachineVNC``.

        Only ``bhyve`` and ``kvm`` machines have one, while they run: `BadRequest` or `MachineNotReady` is raised for
        others. `timeout` is the most seconds that a read waits; None waits while the connection lives. It needs the
        extra ``smartdc[changefeed]``.
        """
        path = f"{self.path}/vnc"
        return VncStream(open_websocket(self.datacenter, path, self.datacenter.timeout), path, timeout)
