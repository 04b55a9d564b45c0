"""The door for everybody else: a threaded HTTP/1.1 server on the loopback interface."""

import contextlib
import select
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .adapter import PIECES, Core, pieces
from .authority import write_certificates
from .faults import Fault
from .wire import Request, Response, merge_headers
from .wsgi import reason

ADDRESS = "127.0.0.1"


class Server:
    """Serve an emulator while a with-block lasts.

    Args:
        core: the emulator.
        port: 0 takes a free one.
        tls: speak HTTPS, with a certificate from an authority made for this server alone; ``ca`` is its file.

    """

    def __init__(self, core: Core, port: int = 0, *, tls: bool = False) -> None:
        self.core = core
        self.ca: str | None = None
        self._tls = tls
        self._port = port
        self._files = contextlib.ExitStack()
        self._listener: _Listener | None = None

    def __enter__(self) -> Self:
        """Begin to serve; whoever connects from now on is heard."""
        context = self._context() if self._tls else None
        self._listener = _Listener((ADDRESS, self._port), self.core, context)
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
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
        """The port that is listened on."""
        if not self._listener:
            message = "The server listens only inside its with-block."
            raise RuntimeError(message)
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """Where the server is, such as ``http://127.0.0.1:49152``."""
        return f"{'https' if self._tls else 'http'}://{ADDRESS}:{self.port}"

    def _context(self) -> ssl.SSLContext:
        folder = Path(self._files.enter_context(tempfile.TemporaryDirectory(prefix="smartdc-emulator-")))
        self.ca, chain = write_certificates(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(chain)
        return context


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], core: Core, context: ssl.SSLContext | None) -> None:
        self.core = core
        self.context = context
        self.stopped = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The inherited method asks the resolver for this machine's name, which can take seconds.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        self.connections.add(request)
        try:
            with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
                secured = self.context.wrap_socket(request, server_side=True) if self.context else request
                self.connections.add(secured)
                _Handler(secured, client_address, self)
        finally:
            self.connections.discard(request)

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
