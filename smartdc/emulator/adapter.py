"""The door within the process: a requests adapter that hands requests to the core without a socket.

What goes wrong on the wire comes out as the exceptions that the real adapter raises.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from http.client import RemoteDisconnected
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import ProtocolError

from .clock import Clock
from .faults import Fault
from .wire import Request, Response, merge_headers
from .wsgi import reason

PIECES = 10
"""Into how many pieces a dribbled answer falls."""


class Core(Protocol):
    """What the door needs of an emulator."""

    @property
    def clock(self) -> Clock:
        """What time it is."""

    def handle(self, request: Request, pause: Callable[[float], None] | None = None) -> Response:
        """Answer a request."""


class EmulatorAdapter(HTTPAdapter):
    """Mount this on a session, and its requests go to an emulator in this process."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.core = core

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002  the signature is requests' own
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,  # noqa: ARG002
        cert: Any = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        """Answer a prepared request; the read timeout counts, by the emulator's clock."""
        patience = _Patience(self.core.clock, timeout[1] if isinstance(timeout, tuple) else timeout)
        response = self.core.handle(read_request(request), patience.wait)
        if response.fault and response.fault.kind in _FAULTS:
            response = _FAULTS[response.fault.kind](request, response, response.fault, patience)
        if patience.exhausted:
            raise requests.ReadTimeout(f"Read timed out. (read timeout={patience.limit})", request=request)
        return self.build_response(request, self._raw(request, response))

    def _raw(self, request: requests.PreparedRequest, response: Response) -> HTTPResponse:
        fault = response.fault
        body: Any = io.BytesIO(response.body)
        if fault and fault.kind == "dribble":
            body = _Dribble(response.body, self.core.clock, fault.seconds / PIECES)
        return HTTPResponse(
            body,
            HTTPHeaderDict(response.headers),
            response.status,
            version=11,
            version_string="HTTP/1.1",
            reason=reason(response.status),
            preload_content=False,
            request_method=request.method,
            enforce_content_length=True,
        )


def read_request(prepared: requests.PreparedRequest) -> Request:
    """Return the request that a prepared one would be on the wire."""
    parts = urlsplit(str(prepared.url))
    headers = merge_headers((_text(name), _text(value)) for name, value in prepared.headers.items())
    headers.setdefault("host", parts.netloc.rpartition("@")[2])
    return Request(str(prepared.method), prepared.path_url, headers, _body(prepared.body), scheme=parts.scheme)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str | bytes):
        return body.encode() if isinstance(body, str) else body
    return b"".join(body)


class _Patience:
    """How long the client waits for an answer, and whether that is over."""

    def __init__(self, clock: Clock, limit: float | None) -> None:
        self.limit = limit
        self.exhausted = False
        self._clock = clock

    def wait(self, seconds: float) -> None:
        """Let the seconds pass, but no more than the client waits for."""
        self.exhausted = self.limit is not None and seconds >= self.limit
        self._clock.sleep(min(seconds, self.limit) if self.limit is not None else seconds)


class _Dribble(io.RawIOBase):
    """A body that comes in small pieces, each after a while."""

    def __init__(self, body: bytes, clock: Clock, seconds: float) -> None:
        self._pieces = pieces(body)
        self._piece = b""
        self._clock = clock
        self._seconds = seconds

    def read(self, size: int = -1) -> bytes:
        """Return some of the current piece, or all that is to come."""
        return self.read1(size) if size >= 0 else b"".join(iter(self.read1, b""))

    def read1(self, size: int = -1) -> bytes:
        """Return what is left of a piece, or wait for the next one."""
        if size != 0 and not self._piece:
            self._clock.sleep(self._seconds)
            self._piece = next(self._pieces, b"")
        end = len(self._piece) if size < 0 else size
        given, self._piece = self._piece[:end], self._piece[end:]
        return given


def pieces(body: bytes) -> Iterator[bytes]:
    """Yield a body in about ten pieces."""
    step = max(1, -(-len(body) // PIECES))
    for start in range(0, len(body), step):
        yield body[start : start + step]


Spoil = Callable[[requests.PreparedRequest, Response, Fault, _Patience], Response]


def _reset(request: requests.PreparedRequest, response: Response, fault: Fault, patience: _Patience) -> Response:  # noqa: ARG001
    raise _aborted(request, ConnectionResetError(104, "Connection reset by peer"))


def _close(request: requests.PreparedRequest, response: Response, fault: Fault, patience: _Patience) -> Response:  # noqa: ARG001
    raise _aborted(request, RemoteDisconnected("Remote end closed connection without response"))


def _stall(request: requests.PreparedRequest, response: Response, fault: Fault, patience: _Patience) -> Response:
    patience.wait(fault.seconds)
    return response if patience.exhausted else _close(request, response, fault, patience)


def _truncate(request: requests.PreparedRequest, response: Response, fault: Fault, patience: _Patience) -> Response:  # noqa: ARG001
    response.body = response.body[: len(response.body) // 2]
    return response


_FAULTS: dict[str, Spoil] = {"reset": _reset, "close": _close, "stall": _stall, "truncate": _truncate}


def _aborted(request: requests.PreparedRequest, cause: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(ProtocolError("Connection aborted.", cause), request=request)
