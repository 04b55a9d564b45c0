"""Speak WebSocket: what begins as a signed request, and goes on as messages in both directions.

Only `smartdc.websocket.opening` imports this module, when it is needed: the package `websockets` is an extra.
"""

from __future__ import annotations

import logging
import os
import weakref
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import requests
from requests.utils import get_auth_from_url, select_proxy
from urllib3.util import make_headers
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.uri import parse_uri

from smartdc.errors import CallTimeout, ConfigError, TransportError
from smartdc.http.response import Unusable
from smartdc.http.transport import Connection, Deadline, Headers, Transport
from smartdc.websocket.connection import SIZE, WebSocketConnection

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping

    from websockets.http11 import Response

    from smartdc.http.session import Session

__all__ = ["Handshake", "WebSocket"]

PORTS = {"http": 80, "https": 443}


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """A logger that leaves out what the library tells at DEBUG: signatures, and what machines are given."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the name is inherited)
        return level > logging.DEBUG and super().isEnabledFor(level)


class Handshake:
    """The way from a session's signed request to a WebSocket."""

    websocket: WebSocket | None = None
    """What came of it."""

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
        """Let somebody's own adapter answer for itself."""
        request.headers.update({"Connection": "Upgrade", "Upgrade": "websocket"})
        return _refused(self._session.transmit(request, timeout))


class WebSocket:
    """A WebSocket that is open, until `close`, or until whoever has it forgets it."""

    def __init__(self, line: WebSocketConnection, path: str) -> None:
        self._line, self._path = line, path
        self._end = weakref.finalize(self, _close, line, os.getpid())

    def send(self, message: str | bytes) -> None:
        """Send a text or bytes as one message."""
        try:
            self._line.send(message)
        except ConnectionError as error:
            raise self._lost(error) from None

    def receive(self, timeout: float | None) -> str | bytes | None:
        """Return the next message, or None when the server has closed the connection.

        Raises `CallTimeout` when there is none within `timeout` seconds, and `TransportError` when the connection is
        lost.
        """
        try:
            return self._line.receive(timeout)
        except TimeoutError:
            raise self._late(f"nothing came within {timeout:g} s") from None
        except ConnectionError as error:
            raise self._lost(error) from None

    def settle(self, timeout: float | None) -> None:
        """Wait until the server has read all that was sent."""
        try:
            self._line.settle(timeout)
        except TimeoutError:
            raise self._late(f"a ping was not answered within {timeout:g} s") from None
        except ConnectionError as error:
            raise self._lost(error) from None

    @property
    def reason(self) -> str:
        """What the server said when it closed the connection."""
        return self._line.reason

    def close(self) -> None:
        """Say goodbye and close the connection; it may be closed already."""
        self._end()

    def _late(self, words: str) -> CallTimeout:
        return CallTimeout(f"GET {self._path}: {words}", method="GET", path=self._path)

    def _lost(self, error: ConnectionError) -> TransportError:
        words = f"GET {self._path}: the connection was lost: {error}"
        return TransportError(words, method="GET", path=self._path)


def _close(line: WebSocketConnection, pid: int) -> None:
    """Close a connection, but not that of a parent process."""
    if os.getpid() == pid:
        line.close()


def _websocket_url(url: str) -> str:
    return "ws" + url[len("http") :]


def _dial(url: str, deadline: Deadline, proxies: Mapping[str, str]) -> socket.socket:
    """Connect to where a URL leads, through the tunnel of a proxy if there is one."""
    parts, proxy = urlsplit(url), select_proxy(url, dict(proxies))
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    if not proxy:
        return _open(Connection(host, port, timeout=deadline.left()))
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if via.scheme != "http":
        raise ConfigError(f"WebSockets can go through proxies that speak http, and not {via.scheme}")
    connection = Connection(str(via.hostname), via.port or PORTS["http"], timeout=deadline.left())
    name, password = get_auth_from_url(proxy)
    connection.set_tunnel(host, port, make_headers(proxy_basic_auth=f"{name}:{password}") if name else None)
    return _open(connection)


def _open(connection: Connection) -> socket.socket:
    connection.connect()
    return cast("socket.socket", connection.sock)


def _secured(sock: socket.socket, context: ssl.SSLContext, url: str, deadline: Deadline) -> socket.socket:
    """Begin to speak TLS; a failure closes the connection."""
    sock.settimeout(deadline.left())
    return context.wrap_socket(sock, server_hostname=urlsplit(url).hostname)


def _ask(sock: socket.socket, protocol: ClientProtocol, request: requests.PreparedRequest, deadline: Deadline) -> None:
    """Send the handshake, with the headers of the request, and its Host rather than that of the library."""
    handshake = protocol.connect()
    for name, value in request.headers.items():
        if name.lower() == "host":
            del handshake.headers[name]
        if name not in handshake.headers:
            handshake.headers[name] = str(value)
    protocol.send_request(handshake)
    # An error keeps the frames that it comes from, and these would keep the signature.
    del handshake
    sock.settimeout(deadline.left())
    sock.sendall(b"".join(protocol.data_to_send()))


def _answer(sock: socket.socket, protocol: ClientProtocol, deadline: Deadline) -> list[Any]:
    """Return the whole answer, and what came with it."""
    while True:
        if deadline.passed():
            raise TimeoutError("timed out")
        sock.settimeout(deadline.left())
        data = sock.recv(SIZE)
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        events: list[Any] = protocol.events_received()
        if events or protocol.handshake_exc is not None or not data:
            return events


def _refusal(error: Exception) -> Response:
    """Return the answer that made a handshake fail, or raise what says that there is none to be used."""
    if isinstance(error, InvalidStatus):
        return error.response
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        raise RemoteDisconnected("the connection was closed before there was a whole answer") from None
    raise Unusable(f"the answer to the handshake is none: {error}") from None


def _refused(response: requests.Response) -> requests.Response:
    """Return an answer that is a refusal; one of another kind is no answer."""
    if response.status_code < 300:
        raise Unusable(
            "the answer is no WebSocket, as if it had not been asked for: a proxy or adapter may be the reason"
        )
    return response


def _response(answer: Response, request: requests.PreparedRequest) -> requests.Response:
    """Return the answer to a handshake as `requests` would."""
    response = requests.Response()
    response.request, response.url, response.encoding = request, request.url or "", "utf-8"
    response.status_code, response.reason = answer.status_code, answer.reason_phrase
    response.headers = Headers(answer.headers.raw_items())
    response._content = bytes(answer.body or b"")  # noqa: SLF001 (what .content keeps)
    return response
