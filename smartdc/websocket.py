"""Speak WebSocket: what begins as a signed request, and goes on as messages in both directions.

Only `smartdc.upgrade` imports this module, when it is needed: the package `websockets` is an extra.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import weakref
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import requests
from requests.utils import get_auth_from_url, select_proxy
from urllib3.util import make_headers
from websockets.client import ClientProtocol
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidMessage,
    InvalidStatus,
    WebSocketException,
)
from websockets.sync.client import connect
from websockets.uri import parse_uri

from smartdc.answer import Unusable
from smartdc.errors import CallTimeout, ConfigError, TransportError
from smartdc.transport import Connection, Deadline, Headers, Transport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from websockets.http11 import Response
    from websockets.sync.client import ClientConnection

    from smartdc.session import Session

__all__ = ["Handshake", "WebSocket"]

PING_INTERVAL = 20.0
"""Seconds between two pings: the proxy in front of CloudAPI ends connections that are silent for 55."""

PONG_PATIENCE = 35.0
"""Seconds for which the answer to a ping is waited for, so that a connection without one is let go within 60."""

SEND_PATIENCE = 60.0
"""Seconds for which a server may refuse to take what is sent."""

CLOSE_PATIENCE = 3.0
"""Seconds that a server has to say goodbye."""

QUEUE = 1024
"""How many messages may wait to be read before the server has to wait too."""

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
        self.host = ClientProtocol(parse_uri(_websocket_url(session.base_url))).connect().headers["Host"]
        """The Host header as it will be sent, and so has to be signed."""

    def attempt(self, request: requests.PreparedRequest, timeout: float | None) -> requests.Response:
        """Send a request as a handshake, and return the answer, which may be a refusal."""
        url, deadline = request.url or "", Deadline(timeout)
        adapter = self._session.http.get_adapter(url)
        if not isinstance(adapter, Transport):
            return self._without_socket(request, timeout)
        sock = _dial(url, deadline, self._session.proxies)
        tls = adapter.tls_context() if url.startswith("https") else None
        stack = contextlib.ExitStack()
        try:
            connection = stack.enter_context(self._connect(url, sock, tls, request, deadline))
        except OSError:
            raise  # among these are errors of TLS, which are ValueErrors as well
        except (WebSocketException, ValueError) as error:
            return _refused(_response(_refusal(error), request))
        except BaseException:
            sock.close()
            raise
        self.websocket = WebSocket(connection, stack, request.path_url)
        return _response(connection.response, request)

    def _connect(
        self,
        url: str,
        sock: socket.socket,
        tls: ssl.SSLContext | None,
        request: requests.PreparedRequest,
        deadline: Deadline,
    ) -> ClientConnection:
        signed = {name: value for name, value in request.headers.items() if name != "Host"}
        try:
            return connect(
                _websocket_url(url),
                sock=sock,
                ssl=tls,
                compression=None,  # CloudAPI knows no extensions and, on the changefeed, no subprotocols
                additional_headers=signed,
                user_agent_header=None,
                proxy=None,
                open_timeout=deadline.left(),
                ping_interval=PING_INTERVAL,
                ping_timeout=PONG_PATIENCE,
                close_timeout=CLOSE_PATIENCE,
                max_size=self._session.max_response,
                max_queue=QUEUE,
                logger=_Discreet(logging.getLogger(__name__), {}),
            )
        finally:
            # An error keeps the frames that it comes from, and these would keep the signature.
            signed.clear()

    def _without_socket(self, request: requests.PreparedRequest, timeout: float | None) -> requests.Response:
        """Let somebody's own adapter answer for itself."""
        request.headers.update({"Connection": "Upgrade", "Upgrade": "websocket"})
        return _refused(self._session.transmit(request, timeout))


class WebSocket:
    """A WebSocket that is open, until `close`, or until whoever has it forgets it."""

    reason = ""
    """What the server said when it closed the connection."""

    def __init__(self, connection: ClientConnection, stack: contextlib.ExitStack, path: str) -> None:
        self._connection, self._path = connection, path
        if connection.request:
            connection.request.headers.pop("Authorization", None)
        self._end = weakref.finalize(self, _close, stack, os.getpid())

    def send(self, message: str | bytes) -> None:
        """Send a text or bytes as one message."""
        try:
            self._connection.send(message)
        except ConnectionClosed as error:
            raise self._lost(error) from None

    def receive(self, timeout: float | None) -> str | bytes | None:
        """Return the next message, or None when the server has closed the connection.

        Raises `CallTimeout` when there is none within `timeout` seconds, and `TransportError` when the connection is
        lost.
        """
        try:
            return self._connection.recv(timeout)
        except TimeoutError:
            raise self._late(f"nothing came within {timeout:g} s") from None
        except ConnectionClosedOK:
            self.reason = self._connection.close_reason or ""
            return None
        except ConnectionClosed as error:
            raise self._lost(error) from None

    def settle(self, timeout: float | None) -> None:
        """Wait until the server has read all that was sent: it answers a ping after what came before."""
        deadline = Deadline(timeout)
        try:
            pong = self._connection.ping(ack_on_close=True)
        except ConnectionClosed as error:
            raise self._lost(error) from None
        if not pong.wait(deadline.left()):
            raise self._late(f"a ping was not answered within {timeout:g} s")
        if self._connection.close_code is not None:
            raise self._lost(self._connection.protocol.close_exc)

    def close(self) -> None:
        """Say goodbye and close the connection; it may be closed already."""
        self._end()

    def _late(self, words: str) -> CallTimeout:
        return CallTimeout(f"GET {self._path}: {words}", method="GET", path=self._path)

    def _lost(self, error: ConnectionClosed) -> TransportError:
        words = f"GET {self._path}: the connection was lost: {error}"
        return TransportError(words, method="GET", path=self._path)


def _close(stack: contextlib.ExitStack, pid: int) -> None:
    """Close a connection, but not that of a parent process."""
    if os.getpid() == pid:
        stack.close()


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
    sock = cast(socket.socket, connection.sock)
    sock.settimeout(None)
    if os.name == "posix":
        # Or else one who does not read holds up whoever sends, and the pings too.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", *_split(SEND_PATIENCE)))
    return sock


def _split(seconds: float) -> tuple[int, int]:
    """Return seconds and microseconds."""
    return int(seconds), round(seconds % 1 * 1_000_000)


def _refusal(error: Exception) -> Response:
    """Return the answer that made a handshake fail, or raise what says that there is none to be used."""
    # A redirect is refused by another error, which comes from the first one.
    for layer in (error, error.__cause__, error.__context__):
        if isinstance(layer, InvalidStatus):
            return layer.response
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


def _response(answer: Response | None, request: requests.PreparedRequest) -> requests.Response:
    """Return the answer to a handshake as `requests` would."""
    response = requests.Response()
    response.request, response.url, response.encoding = request, request.url or "", "utf-8"
    response._content = b""  # noqa: SLF001 (what .content keeps)
    if answer:
        response.status_code, response.reason = answer.status_code, answer.reason_phrase
        response.headers = Headers(answer.headers.raw_items())
        response._content = bytes(answer.body or b"")  # noqa: SLF001
    return response
