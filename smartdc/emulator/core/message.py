"""Requests and responses as they pass between a door and the core."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from smartdc.emulator.faults.plan import Fault

IN_PROCESS_HOST = "cloudapi.emulator"
"""The host name of the in-process adapter."""

PIECES = 10
"""The number of pieces of a dribbled response."""


@dataclass(slots=True)
class Request:
    """A request; ``target`` is the raw path with its query, header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    remote: str = "127.0.0.1"
    scheme: str = "http"
    upgradable: bool = False
    """Whether the door can upgrade the connection to a WebSocket."""

    @property
    def path(self) -> str:
        """The raw path, without the query."""
        return self.target.partition("?")[0]

    @property
    def host(self) -> str:
        """The Host header as received, including a port."""
        return self.headers.get("host", "")


@dataclass(slots=True)
class Response:
    """A response; ``fault`` is what the door must do to it on the wire.

    ``upgrade`` takes over the connection until it returns: after a 101 or the head of a stream, or instead of any
    response if the status is 0.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    fault: "Fault | None" = field(default=None, repr=False)
    upgrade: "Callable[[socket.socket], None] | None" = field(default=None, repr=False)
    phrase: str = ""
    """The reason phrase, if it is not the usual one."""


SINGLE = frozenset(
    [
        "age",
        "authorization",
        "content-length",
        "content-type",
        "etag",
        "expires",
        "from",
        "host",
        "if-modified-since",
        "if-unmodified-since",
        "last-modified",
        "location",
        "max-forwards",
        "proxy-authorization",
        "referer",
        "retry-after",
        "user-agent",
    ]
)
"""The headers of which Node takes the first and drops all others."""


def merge_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name; repeated ones are joined or dropped as Node does."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        if key in SINGLE and key in merged:
            continue
        merged[key] = f"{merged[key]}, {value}" if key in merged else value
    return merged


def pieces(body: bytes) -> Iterator[bytes]:
    """Yield a body in about ten pieces."""
    step = max(1, -(-len(body) // PIECES))
    for start in range(0, len(body), step):
        yield body[start : start + step]
