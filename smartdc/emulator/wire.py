"""What passes between a door and the core: a request as it came, and a response as it should go."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .faults import Fault

IN_PROCESS_HOST = "cloudapi.emulator"
"""The host that the in-process door answers to."""


@dataclass(slots=True)
class Request:
    """A request; ``target`` is the raw path with its query, header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    remote: str = "127.0.0.1"
    scheme: str = "http"

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
    """A response; ``fault`` is something the door must do to it on the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    fault: "Fault | None" = field(default=None, repr=False)


def merge_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name, repeated ones joined as Node joins them."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        merged[key] = f"{merged[key]}, {value}" if key in merged else value
    return merged
