"""Faults of the HTTP server: what they do to a connection or to the bytes of a response."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from smartdc.emulator.core.message import PIECES, Response, pieces
from smartdc.emulator.faults.plan import Fault, implements

BLANKS = b" " * 65_536


class ServerConnection(Protocol):
    """The part of a request handler that a fault works on."""

    connection: socket.socket
    close_connection: bool
    wfile: Any

    @property
    def stopped(self) -> threading.Event:
        """Set when the server shuts down."""

    def head(self, response: Response) -> bytes:
        """Return the status line and headers as bytes."""


def reset_at_close(connection: socket.socket) -> None:
    """Turn the next close into a reset: with a linger time of zero the kernel sends RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut_handshake(connection: socket.socket) -> None:
    """Read the start of the client's TLS handshake, and close without an answer."""
    connection.recv(1)
    connection.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class ServerFaultContext:
    """A response to corrupt, and the connection it is sent on."""

    wire: ServerConnection
    response: Response
    fault: Fault

    def send(self, *parts: bytes) -> None:
        """Write to the connection."""
        self.wire.wfile.write(b"".join(parts))

    def send_framed(self, *framing: tuple[str, str]) -> None:
        """Send the response with these headers instead of the correct Content-Length."""
        headers = [pair for pair in self.response.headers if pair[0] != "Content-Length"]
        self.response.headers = [*headers, *framing]
        self.send(self.head(), self.response.body)

    def send_half(self) -> None:
        """Send the head and half of the body, or half of the head if there is no body."""
        head = self.head()
        body = self.response.body
        self.send(head + body[: len(body) // 2] if body else head[: len(head) // 2])

    def head(self) -> bytes:
        """Return the status line and headers as bytes."""
        return self.wire.head(self.response)

    def wait(self) -> None:
        """Wait for the fault's seconds, or until either side closes the connection, and close it."""
        with contextlib.suppress(OSError):
            self.wire.connection.settimeout(self.fault.seconds)
            self.wire.connection.recv(1)
        self.end()

    def end(self) -> None:
        """Close the connection after this request."""
        self.wire.close_connection = True


_FAULTS: dict[str, Callable[[ServerFaultContext], None]] = {}
"""What this door does for each kind of fault on the wire."""


def corrupt(wire: ServerConnection, response: Response, fault: Fault) -> None:
    """Send the response as the fault corrupts it."""
    _FAULTS[fault.kind](ServerFaultContext(wire, response, fault))


@implements(_FAULTS, "reset")
def _reset(context: ServerFaultContext) -> None:
    reset_at_close(context.wire.connection)
    context.end()


@implements(_FAULTS, "close")
def _close(context: ServerFaultContext) -> None:
    context.end()


@implements(_FAULTS, "stall")
def _stall(context: ServerFaultContext) -> None:
    context.wait()


@implements(_FAULTS, "stall-body")
def _stall_body(context: ServerFaultContext) -> None:
    context.send_half()
    context.wait()


@implements(_FAULTS, "truncate")
def _truncate(context: ServerFaultContext) -> None:
    context.send_half()
    context.end()


@implements(_FAULTS, "dribble")
def _dribble(context: ServerFaultContext) -> None:
    head = context.head()
    body = context.response.body
    context.send(head if body else b"")
    for piece in pieces(body or head):
        context.wire.stopped.wait(context.fault.seconds / PIECES)
        context.send(piece)


@implements(_FAULTS, "short-length")
def _short_length(context: ServerFaultContext) -> None:
    """Leave the rest of the body on the connection, which stays open."""
    context.send_framed(("Content-Length", str(len(context.response.body) // 2)))


@implements(_FAULTS, "long-length")
def _long_length(context: ServerFaultContext) -> None:
    context.send_framed(("Content-Length", str(len(context.response.body) + 100)))
    context.wait()


@implements(_FAULTS, "double-length")
def _double_length(context: ServerFaultContext) -> None:
    length = len(context.response.body)
    context.send_framed(("Content-Length", str(length)), ("Content-Length", str(length + 7)))


@implements(_FAULTS, "chunk-garbage")
def _chunk_garbage(context: ServerFaultContext) -> None:
    """Send a valid first chunk, and a second one whose length is not a number."""
    body = context.response.body
    half = body[: len(body) // 2]
    context.response.body = b"%x\r\n%b\r\nwhat?\r\n%b\r\n0\r\n\r\n" % (len(half), half, body)
    context.send_framed(("Transfer-Encoding", "chunked"))


@implements(_FAULTS, "endless")
def _endless(context: ServerFaultContext) -> None:
    context.response = Response(200, [("Content-Type", "application/json"), ("Connection", "close")])
    context.send(context.head())
    while not context.wire.stopped.is_set():
        context.send(BLANKS)
