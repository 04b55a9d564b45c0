"""What passes between a door and the core: a request as it came, and a response as it should go."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from smartdc.emulator.faults.plan import Fault

IN_PROCESS_HOST = "cloudapi.emulator"
"""The host that the in-process door answers to."""


PIECES = 10
"""Into how many pieces a dribbled answer falls."""


@dataclass(slots=True)
class Request:
    """A request; ``target`` is the raw path with its query, header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    remote: str = "127.0.0.1"
    scheme: str = "http"
    upgradable: bool = False
    """Whether the door can make a WebSocket of the connection."""

    @property
    def path(self) -> str:
        """The raw path, without the query."""
        return self.target.partition("?")[0]

    @property
    def host(self) -> str:
        """The Host header as it came, port included."""
        return self.headers.get("host", "")


@dataclass(slots=True)
class Response:
    """A response; ``fault`` is something the door must do to it on the wire.

    ``upgrade`` takes the connection over until it returns: after a 101 or the head of a stream, or with a status of 0
    before any answer.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    fault: "Fault | None" = field(default=None, repr=False)
    upgrade: "Callable[[socket.socket], None] | None" = field(default=None, repr=False)
    phrase: str = ""
    """The words of the status line, where they are not the usual ones."""


def merge_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name, repeated ones joined as Node joins them."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        merged[key] = f"{merged[key]}, {value}" if key in merged else value
    return merged


def pieces(body: bytes) -> Iterator[bytes]:
    """Yield a body in about ten pieces."""
    step = max(1, -(-len(body) // PIECES))
    for start in range(0, len(body), step):
        yield body[start : start + step]
