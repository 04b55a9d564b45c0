"""The screen of a hardware virtual machine: a byte stream that carries the VNC protocol."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from smartdc.core.operation import operation
from smartdc.core.resource import Resource
from smartdc.errors import BadResponse, ServerError, TransportError
from smartdc.http.tracebacks import let_pass
from smartdc.machine.vnc_port import VncPort
from smartdc.websocket.opening import open_websocket

if TYPE_CHECKING:
    from smartdc.websocket.stream import WebSocket

__all__ = ["HasVnc", "VncStream"]

TOO_LONG = "control frame too long"
"""The error for a close frame that is longer than WebSocket allows: CloudAPI sends one if it fails after the handshake."""


class VncStream(io.RawIOBase):
    """The bytes of a VNC connection (RFB, RFC 6143), in both directions.

    It is a raw binary stream like those of `io`: `read` waits for data, returns at most the requested number of bytes,
    and returns no bytes at the end of the stream. For exact amounts, wrap it in an `io.BufferedReader`. One thread may
    read while another writes. An interrupt loses no bytes.
    """

    def __init__(self, websocket: WebSocket, path: str, timeout: float | None = None) -> None:
        super().__init__()
        self.timeout = timeout
        """Seconds that a read or a write may take before it raises `CallTimeout`; None waits while the connection lives.

        A write that takes longer also ends the connection, since it is unknown how much of it has arrived.
        """
        self._websocket, self._path = websocket, path
        self._left: str | bytes | memoryview | None = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read available bytes into a buffer, and return their number."""
        self._check_open()
        room = memoryview(buffer).cast("B")
        while room and not self._left:
            # Stored at once, and cut only after the copy: an interrupt in between loses nothing.
            self._left = self._receive()
            if self._left is None:
                self._raise_problem()
                return 0
        data = self._left or b""
        if isinstance(data, str):
            self._left = b""
            raise BadResponse(f"GET {self._path}: expected bytes, got a text message", method="GET", path=self._path)
        # A view, since the rest of a long message must not be copied at every read.
        view = memoryview(data)
        size = min(len(view), len(room))
        room[:size] = view[:size]
        self._left = view[size:]
        return size

    def write(self, data: Any, /) -> int:
        """Send all bytes."""
        self._check_open()
        sent = bytes(data)
        self._websocket.send(sent, self.timeout)
        return len(sent)

    def close(self) -> None:
        """Close the connection."""
        if not self.closed:
            self._websocket.close()
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _receive(self) -> str | bytes | None:
        """Return the next message, or None when the server has closed the connection."""
        try:
            return self._websocket.receive(self.timeout)
        except TransportError as error:
            if TOO_LONG in str(error):
                raise self._failure("CloudAPI could not connect to the screen of the machine") from None
            raise

    def _raise_problem(self) -> None:
        """Raise the error for which CloudAPI closed the connection, if there is one."""
        if words := _problem(self._websocket.reason):
            raise self._failure(words)

    def _failure(self, words: str) -> ServerError:
        error = ServerError(f"GET {self._path}: {words}", method="GET", path=self._path)
        error.status = 500
        return error


def _problem(reason: str) -> str | None:
    """Return the error in the reason of a close frame, if the reason is JSON; None if there is none."""
    try:
        report = json.loads(reason)
    except (ValueError, RecursionError) as error:
        let_pass(error)
        return None
    if not isinstance(report, dict) or report.get("type") != "error":
        return None
    problem = report.get("error")
    return str((problem.get("message") if isinstance(problem, dict) else problem) or "the connection failed")


class HasVnc(Resource):
    """Mix-in for owners of a screen."""

    __slots__ = ()

    @operation("ConnectMachineVNC")
    def vnc(self, *, timeout: float | None = None) -> VncStream:
        """Connect to the machine's screen, and return the stream that carries the VNC protocol: ``ConnectMachineVNC``.

        Only running ``bhyve`` and ``kvm`` machines have a screen: other brands raise `BadRequest`, and machines that
        are not running raise `MachineNotReady`. `timeout` is the time in seconds that a read or a write may take; None
        waits while the connection lives. It needs the extra ``smartdc[changefeed]``.
        """
        path = f"/{self.path}/vnc"
        return VncStream(open_websocket(self.datacenter, path, self.datacenter.timeout), path, timeout)

    def vnc_port(self, port: int = 0) -> VncPort:
        """Open a port on 127.0.0.1 through which VNC clients reach the machine's screen, until it is closed.

        ``with machine.vnc_port() as screen: print(screen.address)``. `port` 0 takes a free port. Each client gets its
        own connection. The method opens and closes one connection at once, so that the errors of `vnc` are raised here.
        Everybody on this computer can connect.
        """
        self.vnc().close()
        return VncPort(self.vnc, str(self.get("name")), port)
