"""Carry requests: a `requests` adapter that keeps its pool, its TLS context and every deadline.

Three things differ from the adapter that `requests` brings. The time-out of a call is for the whole answer, not for
each read, so that a server that dribbles cannot hold a caller. A connection that was idle for longer than CloudAPI's
proxy keeps it is not used again. And the CA bundle is parsed once for each client, not once for each connection.
"""

from __future__ import annotations

import http.client
import io
import os
import ssl
import time
from typing import TYPE_CHECKING, Any, cast

import certifi
from requests import Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import create_urllib3_context

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from requests import PreparedRequest
    from urllib3.connection import BaseHTTPConnection  # type: ignore[attr-defined]

__all__ = ["Transport", "ca_bundle", "proxies_of"]

IDLE_LIMIT = 45.0
"""Seconds after which an idle connection is dropped; CloudAPI's proxy closes it after 55."""


class _DeadlineReader(io.RawIOBase):
    """Read from a socket until one moment, however slowly the bytes come."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
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
    timeout: float | None

    def _new_conn(self) -> socket.socket:
        """Connect, and leave the TLS handshake only what is left of the time."""
        started = time.monotonic()
        sock = cast("socket.socket", super()._new_conn())  # type: ignore[misc]
        if self.timeout is not None:
            sock.settimeout(max(self.timeout - (time.monotonic() - started), 0.001))
        return sock


class _Connection(_Timely, HTTPConnection):  # type: ignore[misc]
    pass


class _SecureConnection(_Timely, HTTPSConnection):  # type: ignore[misc]
    pass


class _Fresh:
    """What both kinds of pool do about connections that were idle for too long."""

    def _get_conn(self, timeout: float | None = None) -> BaseHTTPConnection:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if time.monotonic() - connection.used_at > IDLE_LIMIT:
            connection.close()
        return connection

    def _put_conn(self, conn: BaseHTTPConnection | None) -> None:
        if conn is not None:
            conn.used_at = time.monotonic()
        super()._put_conn(conn)  # type: ignore[misc]


class _Pool(_Fresh, HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(_Fresh, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class Transport(HTTPAdapter):
    """Send prepared requests over at most `pool_size` kept connections for each server.

    `verify` is True, False or the path of a CA bundle, and holds for the whole life of the transport.
    """

    def __init__(self, *, verify: bool | str = True, pool_size: int = 16) -> None:
        """Open nothing yet: connections come with the first request."""
        self._verify = verify
        self._context: ssl.SSLContext | None = None
        self._pools: dict[str, Any] = {}
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager build our pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the manager of a proxy build our pools."""
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
        origin = url[: url.find("/", url.find("//") + 2)]
        pool = self._pools.get(origin)
        if pool is None:
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
            if self._context is None:
                self._context = _tls_context(self._verify)
            tls = {"ssl_context": self._context}
        return host, tls

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the pool alone: its TLS context holds everything already."""

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Wrap an answer without the encodings and cookies that CloudAPI never uses."""
        response = Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.encoding = "utf-8"
        response.raw = resp
        response.reason = resp.reason
        response.url = req.url or ""
        response.request = req
        response.connection = self
        return response

    def close(self) -> None:
        """Close every kept connection."""
        self._pools.clear()
        super().close()


def _tls_context(verify: bool | str) -> ssl.SSLContext:
    context = create_urllib3_context()
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    bundle = certifi.where() if verify is True else verify
    where = {"capath": bundle} if os.path.isdir(bundle) else {"cafile": bundle}  # noqa: PTH112
    context.load_verify_locations(**where)
    return context


def ca_bundle(verify: bool | str, environ: Mapping[str, str]) -> bool | str:
    """Resolve `verify` once: True takes the bundle that the environment names, as `requests` would."""
    if verify is not True:
        return verify
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return next((environ[name] for name in names if environ.get(name)), True)


def proxies_of(url: str) -> dict[str, str]:
    """Read the environment's proxies for `url` once, as `requests` would on every call."""
    return get_environ_proxies(url, no_proxy=None)
