"""The `requests` adapter that carries calls: it keeps its pools and its one TLS context.

The CA bundle is parsed once for each client, not once for each connection.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from requests import Response
from requests.adapters import HTTPAdapter

from smartdc.http import tls
from smartdc.http.connections import POOLS, Connection
from smartdc.http.deadline import Deadline
from smartdc.http.settings import Headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from requests import PreparedRequest

__all__ = ["Connection", "Deadline", "Headers", "Transport"]


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
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the manager of a proxy build our pools; SOCKS has its own, which keep timeouts but no deadline."""
        if proxy.lower().startswith("socks"):
            return super().proxy_manager_for(proxy, **kwargs)
        if proxy.lower().startswith("https"):
            kwargs["proxy_ssl_context"] = self._tls()
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> Any:
        """Return the one pool for the request's server, without resolving it again for each request."""
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
        checks: Any
        host, checks = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            checks = {"ssl_context": self._tls()}
        return host, checks

    def _tls(self) -> ssl.SSLContext:
        """Return the one context; the caller holds the lock, so that it is made once."""
        if self._context is None:
            self._context = tls.context_for(self._verify)
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
        """Wrap a response without the encodings and cookies that CloudAPI never uses."""
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
