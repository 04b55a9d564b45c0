"""Carry requests: a `requests` adapter that keeps its pool, its TLS context and every deadline.

Three things differ from the adapter that `requests` brings. The time-out of a call is one deadline for connecting,
sending and the whole answer, so that a server that dribbles, or has many dead addresses, cannot hold a caller. A
connection that was idle for longer than CloudAPI's proxy keeps it is not used again. And the CA bundle is parsed once
for each client, not once for each connection.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import ssl
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import certifi
from requests import Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import Timeout, create_urllib3_context
from urllib3.util.connection import create_connection

from smartdc.errors import ConfigError
from smartdc.http.pool import Stack
from smartdc.http.resolver import addresses_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest
    from urllib3.connection import BaseHTTPConnection  # type: ignore[attr-defined]

__all__ = ["Connection", "Deadline", "Headers", "Transport", "ca_bundle"]

IDLE_LIMIT = 45.0
"""Seconds after which an idle connection is dropped; CloudAPI's proxy closes it after 55."""


class Deadline:
    """A moment by which something has to be done; None is never."""

    __slots__ = ("_moment",)

    def __init__(self, seconds: float | None) -> None:
        self._moment = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds left, and never less than a moment: the attempt itself finds out."""
        return None if self._moment is None else max(self._moment - time.monotonic(), 0.001)

    def passed(self) -> bool:
        """Tell whether it is too late."""
        return self._moment is not None and time.monotonic() >= self._moment


class _Timeout(Timeout):
    """One deadline for what urllib3 has two time-outs for."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(total=seconds)
        self._deadline = Deadline(seconds)

    @property
    def read_timeout(self) -> float | None:
        return self._deadline.left()

    connect_timeout = read_timeout


class Headers(CaseInsensitiveDict[str]):
    """Headers that are copied at once: every request is copied twice on its way."""

    def copy(self) -> Headers:
        """Return the same headers in a new dict."""
        twin = Headers.__new__(Headers)
        twin._store = self._store.copy()  # type: ignore[attr-defined] # noqa: SLF001 (of the same class)
        return twin


class _DeadlineReader(io.RawIOBase):
    """Read from a socket until one moment, however slowly the bytes come."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        self._deadline = Deadline(sock.gettimeout())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline.passed():
            raise TimeoutError("timed out")
        self._sock.settimeout(self._deadline.left())
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """An answer whose head and body together keep the socket's time-out."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _Timely:
    """What both kinds of connection do about time."""

    response_class = _DeadlineResponse
    used_at = 0.0
    host: str
    port: int
    timeout: float | None
    source_address: tuple[str, int] | None
    socket_options: Any

    def connect(self) -> None:
        """Connect, TLS and a proxy's tunnel included; mark a failure, since nothing of the request was sent yet."""
        deadline = Deadline(self.timeout)
        try:
            super().connect()  # type: ignore[misc]
        except Exception as error:
            error.nothing_sent = True  # type: ignore[attr-defined]
            raise
        self.timeout = deadline.left()

    def _new_conn(self) -> socket.socket:
        """Try the host's addresses one after the other, and leave each its share of the time."""
        deadline = Deadline(self.timeout)
        addresses = self._addresses(deadline)
        while True:
            address, left = addresses.pop(0), deadline.left()
            share = None if left is None else left / (len(addresses) + 1)
            try:
                sock = create_connection((address, self.port), share, self.source_address, self.socket_options)
            except OSError as error:
                if not addresses:
                    raise self._unreachable(error) from error
                continue
            sys.audit("http.client.connect", self, self.host, self.port)
            sock.settimeout(deadline.left())
            return sock

    def _addresses(self, deadline: Deadline) -> list[str]:
        name = self._dns_host.strip("[]")  # type: ignore[attr-defined]
        try:
            return addresses_of(name, self.port, deadline.left())
        except (socket.gaierror, UnicodeError) as error:
            reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, cast("Any", self), reason) from error
        except TimeoutError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> ConnectTimeoutError | NewConnectionError:
        kind = ConnectTimeoutError if isinstance(error, TimeoutError) else NewConnectionError
        return kind(cast("Any", self), f"Failed to establish a new connection: {error}")


class Connection(_Timely, HTTPConnection):  # type: ignore[misc]
    """A connection without TLS, which comes about within its time-out or not at all."""


class _SecureConnection(_Timely, HTTPSConnection):  # type: ignore[misc]
    pass


class _Fresh:
    """What both kinds of pool do about deadlines, and about connections that were idle for too long."""

    QueueCls: Any = Stack

    def _get_timeout(self, timeout: Any) -> Timeout:
        """Take the time-outs of `requests`, which are one number, for a deadline that begins now."""
        return timeout if isinstance(timeout, _Timeout) else _Timeout(timeout.read_timeout)

    def _get_conn(self, timeout: float | None = None) -> BaseHTTPConnection:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if not connection.is_closed and time.monotonic() - connection.used_at > IDLE_LIMIT:
            connection.close()
        return connection

    def _put_conn(self, conn: BaseHTTPConnection | None) -> None:
        if conn is not None:
            conn.used_at = time.monotonic()
        super()._put_conn(conn)  # type: ignore[misc]


class _Pool(_Fresh, HTTPConnectionPool):
    ConnectionCls = Connection


class _SecurePool(_Fresh, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class Transport(HTTPAdapter):
    """Send prepared requests over at most `pool_size` kept connections for each server.

    `verify` is True, False or the path of a CA bundle, and holds for the whole life of the transport; so do the
    proxies of the first request to a server.
    """

    def __init__(self, *, verify: bool | str = True, pool_size: int = 16) -> None:
        """Open nothing yet: connections come with the first request."""
        self._verify = verify
        self._context: ssl.SSLContext | None = None
        self._pools: dict[str, Any] = {}
        self._making = threading.Lock()
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager build our pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the manager of a proxy build our pools; SOCKS has its own, which keep time-outs but no deadline."""
        if proxy.lower().startswith("socks"):
            return super().proxy_manager_for(proxy, **kwargs)
        if proxy.lower().startswith("https"):
            kwargs["proxy_ssl_context"] = self._tls()
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> Any:
        """Return the one pool for the request's server, without working it out again for each request."""
        url = request.url or ""
        origin = url[: url.find("/", len("https://"))]
        pool = self._pools.get(origin)
        if pool is None:
            with self._making:
                pool = super().get_connection_with_tls_context(request, verify, dict(proxies or {}), cert)
                self._pools[origin] = pool
        return pool

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Give every pool for TLS this transport's own context."""
        host: Any
        tls: Any
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            tls = {"ssl_context": self._tls()}
        return host, tls

    def _tls(self) -> ssl.SSLContext:
        """Return the one context; whoever asks holds the lock, so that it is made once."""
        if self._context is None:
            self._context = _tls_context(self._verify)
        return self._context

    def tls_context(self) -> ssl.SSLContext:
        """Return the context by which servers are checked."""
        with self._making:
            return self._tls()

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the pool alone: its TLS context holds everything already."""

    def request_url(self, request: PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """Return the target of the request line, which only a proxy wants to be a whole URL."""
        return super().request_url(request, dict(proxies)) if proxies else request.path_url

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Wrap an answer without the encodings and cookies that CloudAPI never uses."""
        response = Response()
        response.status_code = resp.status
        response.headers = Headers(resp.headers.itermerged())
        response.encoding = "utf-8"
        response.raw = resp
        response.reason = resp.reason
        response.url = req.url or ""
        response.request = req
        response.connection = self
        return response

    def close(self) -> None:
        """Close every kept connection, also where the failure of a call still holds on to its pool."""
        pools, self._pools = self._pools, {}
        for pool in list(pools.values()):
            pool.close()
        super().close()


def _tls_context(verify: bool | str) -> ssl.SSLContext:
    context = create_urllib3_context()
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    bundle = certifi.where() if verify is True else verify
    where = {"capath": bundle} if os.path.isdir(bundle) else {"cafile": bundle}  # noqa: PTH112
    try:
        context.load_verify_locations(**where)
    except OSError as error:
        raise ConfigError(f"the CA bundle {bundle} cannot be used: {error}") from None
    return context


def ca_bundle(verify: bool | str | os.PathLike[str] | None, environ: Mapping[str, str]) -> bool | str:
    """Resolve `verify` once: True takes the bundle that the environment names, if it names one.

    Raises `ConfigError` when it is neither a boolean nor the path of a file or folder.
    """
    if verify is False:
        return False
    if verify is True or verify is None:
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
        verify = next((environ[name] for name in names if environ.get(name)), None)
        if verify is None:
            return True
    if not isinstance(verify, (str, os.PathLike)) or not os.path.exists(verify):  # noqa: PTH110
        raise ConfigError(f"verify={verify!r} is no CA bundle: give True, False or the path of a file or folder")
    return os.fspath(verify)
