"""The `requests` adapter that carries calls, with its pools."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from smartdc.http import tls
from smartdc.http.connections import POOLS, Connection
from smartdc.http.deadline import Deadline
from smartdc.http.hooks import connections_replaced
from smartdc.http.light import LeanResponse, LightResponse, unfolded
from smartdc.http.settings import Headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from requests import PreparedRequest, Response

__all__ = ["Connection", "Deadline", "Headers", "Transport"]


PLAIN_POOLS = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}


class Transport(HTTPAdapter):
    """Send prepared requests over at most `pool_size` kept connections for each server.

    `verify` and `cert`, from `smartdc.http.tls`, cannot be changed later; nor can the proxies of the first
    request to a server. If a tool, such as a recorder of calls, has put its own connections into urllib3's pools, those
    pools carry the calls, with the timeouts of `requests`.
    """

    def __init__(
        self,
        *,
        verify: bool | str = True,
        cert: tuple[str, str] | None = None,
        pool_size: int = 16,
        pools: Mapping[str, type[Any]] | None = None,
    ) -> None:
        """Open no connection before the first request. `pools` are classes by scheme, in place of ours."""
        self._verify = verify
        self._cert = cert
        self._size = pool_size
        self._classes = pools or POOLS
        self._pools: dict[str, Any] = {}
        self._making = threading.RLock()  # a signal handler may close a connection that its own thread is opening
        self._plain: Transport | None = None
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager build our pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the manager of a proxy build our pools; SOCKS has its own pools, with timeouts but without a deadline."""
        if proxy.lower().startswith("socks"):
            return super().proxy_manager_for(proxy, **kwargs)
        if proxy.lower().startswith("https"):
            kwargs["proxy_ssl_context"] = self.tls_context()
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._classes
        return manager

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> Any:
        """Return the one pool for the request's server, without resolving it again for each request."""
        if self._classes is POOLS and connections_replaced():
            return self._plain_transport().get_connection_with_tls_context(request, verify, proxies, cert)
        url = request.url or ""
        origin = url[: url.find("/", len("https://"))]
        pool = self._pools.get(origin)
        if pool is None:
            with self._making:
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
        checks: Any
        host, checks = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            checks = {"ssl_context": self.tls_context()}
        return host, checks

    def tls_context(self) -> ssl.SSLContext:
        """Return the TLS context that checks servers, and presents the client's certificate."""
        return tls.context_for(self._verify, self._cert)

    def _plain_transport(self) -> Transport:
        with self._making:
            if self._plain is None:
                self._plain = Transport(verify=self._verify, cert=self._cert, pool_size=self._size, pools=PLAIN_POOLS)
            return self._plain

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the pool unchanged: its TLS context already has everything."""

    def request_url(self, request: PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """Return the target of the request line; only a proxy needs a whole URL."""
        return super().request_url(request, dict(proxies)) if proxies else request.path_url

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Wrap a response, without encodings and cookies, which CloudAPI never uses."""
        response = LightResponse()
        response.status_code = resp.status
        if type(resp) is LeanResponse:
            response.headers = Headers.of(resp.store)
        else:
            response.headers = Headers((name, unfolded(value)) for name, value in resp.headers.itermerged())
        response.raw = resp
        response.reason = resp.reason
        response.url = req.url or ""
        response.request = req
        response.connection = self
        return response

    def close(self) -> None:
        """Close every kept connection, even if the error of a failed call still refers to its pool."""
        plain, self._plain = self._plain, None
        if plain is not None:
            plain.close()
        # A closed pool that could still be found would fail every later call. So no thread looks for one meanwhile, and
        # none is closed before the manager has forgotten it, since an interrupt may come in between.
        with self._making:
            pools, self._pools = self._pools, {}
            super().close()
            for pool in pools.values():
                pool.close()
