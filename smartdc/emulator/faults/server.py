"""What goes wrong at the server's door: faults that are done to a connection or to the bytes of an answer."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from smartdc.emulator.core.message import PIECES, Response, pieces
from smartdc.emulator.faults.plan import Fault

BLANKS = b" " * 65_536


class Line(Protocol):
    """What a fault needs of a connection with a request on it."""

    connection: socket.socket
    close_connection: bool
    wfile: Any

    @property
    def stopped(self) -> threading.Event:
        """Whether the server is to end."""

    def head(self, response: Response) -> bytes:
        """Return status line and headers as they go over the wire."""


def reset_at_close(connection: socket.socket) -> None:
    """Make the coming close a reset: with no time to linger, the kernel sends RST in the place of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut_handshake(connection: socket.socket) -> None:
    """Hear the client's first words about TLS, and say none."""
    connection.recv(1)
    connection.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class Trouble:
    """An answer that is to be spoiled, and the connection it would go out on."""

    line: Line
    response: Response
    fault: Fault

    def send(self, *parts: bytes) -> None:
        """Write something on the connection."""
        self.line.wfile.write(b"".join(parts))

    def send_framed(self, *framing: tuple[str, str]) -> None:
        """Send the answer with these headers in place of the right length."""
        headers = [pair for pair in self.response.headers if pair[0] != "Content-Length"]
        self.response.headers = [*headers, *framing]
        self.send(self.head(), self.response.body)

    def send_half(self) -> None:
        """Send the head and half the body, or half the head where there is no body."""
        head, body = self.head(), self.response.body
        self.send(head + body[: len(body) // 2] if body else head[: len(head) // 2])

    def head(self) -> bytes:
        """Return status line and headers as they go over the wire."""
        return self.line.head(self.response)

    def wait(self) -> None:
        """Wait for the seconds, or until the client or the server ends the connection, and end it."""
        with contextlib.suppress(OSError):
            self.line.connection.settimeout(self.fault.seconds)
            self.line.connection.recv(1)
        self.end()

    def end(self) -> None:
        """Take no further request from the connection."""
        self.line.close_connection = True


def spoil(line: Line, response: Response, fault: Fault) -> None:
    """Do to an answer what a fault says."""
    _FAULTS[fault.kind](Trouble(line, response, fault))


def _reset(trouble: Trouble) -> None:
    reset_at_close(trouble.line.connection)
    trouble.end()


def _close(trouble: Trouble) -> None:
    trouble.end()


def _stall(trouble: Trouble) -> None:
    trouble.wait()


def _stall_body(trouble: Trouble) -> None:
    trouble.send_half()
    trouble.wait()


def _truncate(trouble: Trouble) -> None:
    trouble.send_half()
    trouble.end()


def _dribble(trouble: Trouble) -> None:
    head, body = trouble.head(), trouble.response.body
    trouble.send(head if body else b"")
    for piece in pieces(body or head):
        trouble.line.stopped.wait(trouble.fault.seconds / PIECES)
        trouble.send(piece)


def _short_length(trouble: Trouble) -> None:
    """Leave the rest on the connection, which goes on as if nothing had happened."""
    trouble.send_framed(("Content-Length", str(len(trouble.response.body) // 2)))


def _long_length(trouble: Trouble) -> None:
    trouble.send_framed(("Content-Length", str(len(trouble.response.body) + 100)))
    trouble.wait()


def _double_length(trouble: Trouble) -> None:
    length = len(trouble.response.body)
    trouble.send_framed(("Content-Length", str(length)), ("Content-Length", str(length + 7)))


def _chunk_garbage(trouble: Trouble) -> None:
    """Send a first chunk that is right, and a second one whose length is none."""
    body = trouble.response.body
    half = body[: len(body) // 2]
    trouble.response.body = b"%x\r\n%b\r\nwhat?\r\n%b\r\n0\r\n\r\n" % (len(half), half, body)
    trouble.send_framed(("Transfer-Encoding", "chunked"))


def _endless(trouble: Trouble) -> None:
    trouble.response = Response(200, [("Content-Type", "application/json"), ("Connection", "close")])
    trouble.send(trouble.head())
    while not trouble.line.stopped.is_set():
        trouble.send(BLANKS)


_FAULTS: dict[str, Callable[[Trouble], None]] = {
    "reset": _reset,
    "close": _close,
    "stall": _stall,
    "stall-body": _stall_body,
    "truncate": _truncate,
    "dribble": _dribble,
    "short-length": _short_length,
    "long-length": _long_length,
    "double-length": _double_length,
    "chunk-garbage": _chunk_garbage,
    "endless": _endless,
}
