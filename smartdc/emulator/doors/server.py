"""The network door: a threaded HTTP/1.1 server on the loopback interface."""

import contextlib
import errno
import io
import logging
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from smartdc.emulator.core.message import Request, Response, merge_headers
from smartdc.emulator.doors.adapter import Core
from smartdc.emulator.doors.certificates import write_certificates
from smartdc.emulator.doors.reading import MAX_LINE, Reader, read_body, split_target
from smartdc.emulator.doors.wsgi import reason
from smartdc.emulator.faults.plan import CERTIFICATES
from smartdc.emulator.faults.server import corrupt, cut_handshake, reset_at_close

log = logging.getLogger("smartdc.emulator")

ADDRESS = "127.0.0.1"
NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
MAX_CONNECTIONS = 1000
"""How many connections are served at the same time by default."""
IDLE_SECONDS = 55.0
"""Real seconds for which a connection may be silent by default, as CloudAPI's proxy allows."""
MAX_IDLE_SECONDS = 1e6
"""About 11 days; the operating system accepts at most 24 days."""
RETRY_SECONDS = 0.05
"""Real seconds until the next attempt, after no connection could be accepted for lack of descriptors or memory."""


class Server:
    """Serve an emulator over HTTP while a with-block lasts.

    Args:
        core: the emulator.
        port: the port to listen on; 0 for a free one.
        tls: serve HTTPS, with a certificate authority made for this server; ``ca`` is its file.
        max_connections: how many connections are served at the same time; more of them wait.
        idle: real seconds after which a connection without a request, or with only a part of one, is closed.

    """

    def __init__(
        self,
        core: Core,
        port: int = 0,
        *,
        tls: bool = False,
        max_connections: int = MAX_CONNECTIONS,
        idle: float = IDLE_SECONDS,
    ) -> None:
        if max_connections < 1 or not idle > 0:
            raise ValueError("max_connections must be at least 1, and idle more than 0 seconds")
        self.core = core
        self._limits = _Limits(max_connections, min(idle, MAX_IDLE_SECONDS))
        self.ca: str | None = None
        self._tls = tls
        self._port = port
        self._files = contextlib.ExitStack()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._listener: _Listener | None = None

    def __enter__(self) -> Self:
        """Start to serve; connections are accepted from now on."""
        self._listener = _Listener((ADDRESS, self._port), self.core, self._contexts, self._limits)
        if self._tls:
            self._contexts.update(self._tls_contexts())
        self._listener.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and close every connection."""
        if self._listener:
            self._listener.stop()
        self._listener = None
        self._files.close()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        if not self._listener:
            raise RuntimeError("the server listens only inside its with-block")
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """The URL of the server, such as ``http://127.0.0.1:49152``."""
        return f"{'https' if self._tls else 'http'}://{ADDRESS}:{self.port}"

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Close all connections, and refuse new ones while a with-block lasts."""
        port = self.port
        if self._listener:
            self._listener.stop()
        # The socket is bound, so no other process gets the port, but does not listen, so connections are refused.
        self._listener = _Listener((ADDRESS, port), self.core, self._contexts, self._limits)
        try:
            yield
        finally:
            self._listener.begin()

    def _tls_contexts(self) -> dict[str, ssl.SSLContext]:
        """Return the TLS contexts: the valid one under an empty name, and those of the faults of certificates."""
        folder = Path(self._files.enter_context(tempfile.TemporaryDirectory(prefix="smartdc-emulator-")))
        self.ca, chain = write_certificates(folder)
        return {"": _context(chain), **{kind: _context(str(folder / f"{kind}.pem")) for kind in CERTIFICATES}}


def _context(chain: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain)
    return context


class _Limits(NamedTuple):
    connections: int
    idle: float


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(
        self, address: tuple[str, int], core: Core, contexts: Mapping[str, ssl.SSLContext], limits: _Limits
    ) -> None:
        self.core = core
        self.idle = limits.idle
        self._room = threading.Semaphore(limits.connections)
        self.contexts = contexts
        """The TLS contexts by kind of fault, the valid one under an empty name; empty without TLS."""
        self.stopped = threading.Event()
        self.connections: set[socket.socket] = set()
        self.is_full = False
        """Whether the last connection could not be accepted for lack of descriptors or memory."""
        super().__init__(address, _Handler, bind_and_activate=False)
        try:
            self.server_bind()
        except OSError:
            self.server_close()
            raise

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The inherited method asks the resolver for this computer's name, which can take seconds.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, as soon as there is room for one more; the next ones wait to be accepted."""
        while not self._room.acquire(timeout=RETRY_SECONDS):
            if self.stopped.is_set():
                self.shutdown_request(request)
                return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError), self._registered(request):
            connection = self._wrapped(request)
            if connection:
                with self._registered(connection):
                    self._serve(connection, client_address)

    def _serve(self, connection: socket.socket, client_address: Any) -> None:
        try:
            _Handler(connection, client_address, self)
        except (ConnectionError, TimeoutError, ssl.SSLError):
            raise
        except Exception:  # noqa: BLE001  the log has the reason before the client sees the connection end
            self.handle_error(connection, client_address)

    @contextlib.contextmanager
    def _registered(self, connection: socket.socket) -> Iterator[None]:
        """Register a connection, to be closed when the server stops, and close it after use."""
        self.connections.add(connection)
        try:
            yield
        finally:
            self.connections.discard(connection)
            connection.close()

    def _wrapped(self, request: socket.socket) -> socket.socket | None:
        """Return the connection, wrapped in TLS if enabled; None if a fault ends it."""
        request.settimeout(self.idle)  # for the handshake
        fault = self.core.interrupt(tls=bool(self.contexts))
        kind = fault.kind if fault else ""
        if kind in ("refused", "hangup"):
            reset_at_close(request)
            return None
        if kind == "cut-handshake":
            cut_handshake(request)
            return None
        return self.contexts[kind].wrap_socket(request, server_side=True) if self.contexts else request

    def get_request(self) -> tuple[Any, Any]:
        try:
            accepted = super().get_request()
        except OSError as error:
            if error.errno in NO_ROOM:
                # The inherited loop tries again immediately, and would keep a processor busy until then.
                self.stopped.wait(RETRY_SECONDS)
                if not self.is_full:
                    log.warning("cannot accept a connection for now: %s", error.strerror)
                self.is_full = True
            raise
        self.is_full = False
        return accepted

    def begin(self) -> None:
        self.server_activate()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the names are inherited
        log.error("a connection went wrong", exc_info=True)  # noqa: LOG014  called while the error is handled

    def stop(self) -> None:
        self.stopped.set()
        self.shutdown()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self._reader = Reader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Read a request, have the core answer it, and send the response, corrupted by a fault if there is one."""
        self._reader.allow(self.server.idle)
        self.raw_requestline = self.rfile.readline(MAX_LINE + 1)
        self._reader.allow(self.server.idle)
        if not self.raw_requestline or not self._parse():
            self.close_connection = True
            return
        request = self._request()
        if self.server.core.interrupt(request):
            reset_at_close(self.connection)
            self.close_connection = True
            return
        try:
            request.body = read_body(self.headers, self.rfile)
        except ValueError:
            self._refuse(400)
            return
        self.connection.settimeout(self.server.idle)
        response = self.server.core.handle(request, self._pause)
        if response.fault:
            corrupt(self, response, response.fault)
        else:
            if response.status:
                self.send(response)
            if response.upgrade:
                self.close_connection = True
                self.connection.settimeout(None)
                response.upgrade(self.connection)

    def _request(self) -> Request:
        """Return the request without its body; the host of a whole URL replaces the Host header, by RFC 9112."""
        target, host = split_target(self.requestline.split()[1])
        headers = merge_headers(self.headers.items())
        if host is not None:
            headers["host"] = host
        scheme = "https" if self.server.contexts else "http"
        return Request(self.command, target, headers, remote=self.client_address[0], scheme=scheme, upgradable=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the names are inherited
        """Write to the log instead of stderr."""
        log.debug(format, *args)

    def send(self, response: Response) -> None:
        """Send a response in one write."""
        self.wfile.write(self.head(response) + response.body)

    def head(self, response: Response) -> bytes:
        """Return the status line and headers as bytes."""
        if ("Connection", "close") in response.headers:
            self.close_connection = True
        lines = [f"HTTP/1.1 {response.status} {response.phrase or reason(response.status)}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    @property
    def stopped(self) -> threading.Event:
        """Set when the server shuts down."""
        return self.server.stopped

    def _pause(self, seconds: float) -> None:
        self.server.stopped.wait(seconds)

    def _parse(self) -> bool:
        if len(self.raw_requestline) > MAX_LINE:
            self.requestline = ""
            self.request_version = ""
            self.command = ""
            self.send_error(414)
            return False
        return self.parse_request()

    def _refuse(self, status: int) -> None:
        self.close_connection = True
        self.send_error(status)
