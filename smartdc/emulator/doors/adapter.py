"""The in-process door: a requests adapter that passes requests to the core without a socket.

Faults on the wire become the exceptions that the real adapter raises.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import InvalidHeader

from smartdc.emulator.core.clock import Clock
from smartdc.emulator.core.message import Request, Response, merge_headers
from smartdc.emulator.doors.wsgi import reason
from smartdc.emulator.faults.adapter import AdapterFaultContext, ReadTimeout, corrupt, fail_at_once
from smartdc.emulator.faults.plan import Fault


class Core(Protocol):
    """The part of an emulator that a door uses."""

    @property
    def clock(self) -> Clock:
        """The emulator's clock."""

    def interrupt(self, head: Request | None = None, *, tls: bool = True) -> Fault | None:
        """Return the fault that ends a connection before a whole request is read; without a head it is a new connection."""

    def handle(self, request: Request, pause: Callable[[float], None] | None = None) -> Response:
        """Answer a request."""


class EmulatorAdapter(HTTPAdapter):
    """A transport adapter that answers a session's requests by an emulator in this process."""

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
        """Answer a prepared request; the read timeout is measured on the emulator's clock."""
        parsed = read_request(request)
        if fault := self.core.interrupt() or self.core.interrupt(parsed):
            fail_at_once(request, fault)
        read_timeout = ReadTimeout(self.core.clock, timeout[1] if isinstance(timeout, tuple) else timeout)
        response = self.core.handle(parsed, read_timeout.wait)
        body: io.IOBase = io.BytesIO(response.body)
        if response.fault:
            body = corrupt(AdapterFaultContext(request, response, response.fault, read_timeout))
        if read_timeout.exhausted:
            raise requests.ReadTimeout(f"Read timed out. (read timeout={read_timeout.limit})", request=request)
        answer = self.build_response(request, _raw(request, response, body))
        # The client checks more in a server's answers than in those of a mock, and the emulator is like a server.
        vars(answer.raw)["is_a_server"] = True
        return answer


def _raw(request: requests.PreparedRequest, response: Response, body: io.IOBase) -> HTTPResponse:
    try:
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
    except InvalidHeader as error:
        raise requests.exceptions.InvalidHeader(error, request=request) from error


def read_request(prepared: requests.PreparedRequest) -> Request:
    """Return a prepared request as the emulator's request."""
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
