"""The handshake of a WebSocket: a session's signed request for an upgrade, and its answer.

Only `smartdc.websocket.opening` imports this module, and only if it is needed: the package `websockets` is an extra.
"""

from __future__ import annotations

import logging
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import requests
from requests.utils import get_auth_from_url, select_proxy
from urllib3.util import make_headers
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.uri import parse_uri

from smartdc.errors import ConfigError
from smartdc.http.deadline import Deadline
from smartdc.http.response import Unusable
from smartdc.http.transport import Connection, Headers, Transport
from smartdc.websocket.connection import PIECE_BYTES, WebSocketConnection
from smartdc.websocket.stream import WebSocket

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping

    from websockets.http11 import Response

    from smartdc.http.session import Session

__all__ = ["Handshake"]

PORTS = {"http": 80, "https": 443}


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """A logger that drops the DEBUG lines of `websockets`, which have signatures and the contents of messages."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the name is inherited)
        return level > logging.DEBUG and super().isEnabledFor(level)


class Handshake:
    """Attempts to turn a session's signed request into a WebSocket."""

    websocket: WebSocket | None = None
    """The WebSocket, once an attempt has succeeded."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def attempt(self, request: requests.PreparedRequest, timeout: float | None) -> requests.Response:
        """Send a request as a handshake, and return the answer, which may be a refusal."""
        url, deadline = request.url or "", Deadline(timeout)
        adapter = self._session.http.get_adapter(url)
        if not isinstance(adapter, Transport):
            return self._without_socket(request, timeout)
        protocol = ClientProtocol(
            parse_uri(_websocket_url(url)),
            max_size=self._session.max_response,
            logger=_Discreet(logging.getLogger(__name__), {}),
        )
        sock = _dial(url, deadline, self._session.proxies)
        try:
            if url.startswith("https"):
                sock = _secured(sock, adapter.tls_context(), url, deadline)
            _ask(sock, protocol, request, deadline)
            events = _answer(sock, protocol, deadline)
            if protocol.handshake_exc is not None:
                return _refused(_response(_refusal(protocol.handshake_exc), request))
            self.websocket = WebSocket(WebSocketConnection(sock, protocol, events[1:]), request.path_url)
            return _response(events[0], request)
        finally:
            if self.websocket is None:
                sock.close()

    def _without_socket(self, request: requests.PreparedRequest, timeout: float | None) -> requests.Response:
        """Send the request through the caller's own adapter, which has no socket."""
        request.headers.update({"Connection": "Upgrade", "Upgrade": "websocket"})
        return _refused(self._session.transmit(request, timeout))


def _websocket_url(url: str) -> str:
    return "ws" + url[len("http") :]


def _dial(url: str, deadline: Deadline, proxies: Mapping[str, str]) -> socket.socket:
    """Connect to the server of a URL, through the tunnel of a proxy if there is one."""
    parts, proxy = urlsplit(url), select_proxy(url, dict(proxies))
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    if not proxy:
        return _open(Connection(host, port, timeout=deadline.left()))
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if via.scheme != "http":
        raise ConfigError(f"WebSockets work only through http:// proxies, not through {via.scheme}://")
    connection = Connection(str(via.hostname), via.port or PORTS["http"], timeout=deadline.left())
    name, password = get_auth_from_url(proxy)
    connection.set_tunnel(host, port, make_headers(proxy_basic_auth=f"{name}:{password}") if name else None)
    return _open(connection)


def _open(connection: Connection) -> socket.socket:
    connection.connect()
    return cast("socket.socket", connection.sock)


def _secured(sock: socket.socket, context: ssl.SSLContext, url: str, deadline: Deadline) -> socket.socket:
    """Start TLS; a failure closes the connection."""
    sock.settimeout(deadline.left())
    return context.wrap_socket(sock, server_hostname=urlsplit(url).hostname)


def _ask(sock: socket.socket, protocol: ClientProtocol, request: requests.PreparedRequest, deadline: Deadline) -> None:
    """Send the handshake with the headers of the request, including its Host in place of the library's."""
    handshake = protocol.connect()
    for name, value in request.headers.items():
        if name.lower() == "host":
            del handshake.headers[name]
        if name not in handshake.headers:
            handshake.headers[name] = str(value)
    protocol.send_request(handshake)
    # An error keeps its frames, and these would keep the signature.
    del handshake
    sock.settimeout(deadline.left())
    sock.sendall(b"".join(protocol.data_to_send()))


def _answer(sock: socket.socket, protocol: ClientProtocol, deadline: Deadline) -> list[Any]:
    """Read the whole answer; return it with the frames that arrived together with it."""
    while True:
        if deadline.passed():
            raise TimeoutError("timed out")
        sock.settimeout(deadline.left())
        data = sock.recv(PIECE_BYTES)
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        events: list[Any] = protocol.events_received()
        if events or protocol.handshake_exc is not None or not data:
            return events


def _refusal(error: Exception) -> Response:
    """Return the answer that refused the handshake; raise an error with the reason if there is no usable answer."""
    if isinstance(error, InvalidStatus):
        return error.response
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        raise RemoteDisconnected("the connection was closed before there was a whole answer") from None
    raise Unusable(f"invalid answer to the WebSocket handshake: {error}") from None


def _refused(response: requests.Response) -> requests.Response:
    """Return an answer that is a refusal; raise an error for a success without an upgrade."""
    if response.status_code < 300:
        raise Unusable(
            "the server answered without opening a WebSocket; a proxy or an adapter may have dropped the upgrade"
        )
    return response


def _response(answer: Response, request: requests.PreparedRequest) -> requests.Response:
    """Return the answer to a handshake in the form of `requests`."""
    response = requests.Response()
    response.request, response.url, response.encoding = request, request.url or "", "utf-8"
    response.status_code, response.reason = answer.status_code, answer.reason_phrase
    response.headers = Headers(answer.headers.raw_items())
    response._content = bytes(answer.body or b"")  # noqa: SLF001 (what .content keeps)
    return response
