"""The door for everybody else: a threaded HTTP/1.1 server on the loopback interface."""

import contextlib
import logging
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .adapter import PIECES, Core, pieces
from .authority import write_certificates
from .faults import Fault
from .wire import Request, Response, merge_headers
from .wsgi import reason

log = logging.getLogger("smartdc.emulator")

ADDRESS = "127.0.0.1"
MAX_LINE = 65_536
MAX_BODY = 16 * 1024 * 1024
"""More than this is not even read; CloudAPI's own limit is far below and answered by the core."""


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
        self._listener = _Listener((ADDRESS, self._port), self.core)
        if self._tls:
            self._listener.context = self._context()
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
            raise RuntimeError("The server listens only inside its with-block.")
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

    def __init__(self, address: tuple[str, int], core: Core) -> None:
        self.core = core
        self.context: ssl.SSLContext | None = None
        self.stopped = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The inherited method asks the resolver for this machine's name, which can take seconds.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
            connection = self.context.wrap_socket(request, server_side=True) if self.context else request
            self.connections.add(connection)
            try:
                _Handler(connection, client_address, self)
            finally:
                self.connections.discard(connection)
                connection.close()

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

    def handle_one_request(self) -> None:
        """Read a request, let the core answer it, and do to the answer what a fault says."""
        self.raw_requestline = self.rfile.readline(MAX_LINE + 1)
        if not self.raw_requestline or not self._parse():
            self.close_connection = True
            return
        try:
            body = self._read_body()
        except ValueError:
            self._refuse(400)
            return
        request = Request(
            self.command,
            self.requestline.split()[1],
            merge_headers(self.headers.items()),
            body,
            self.client_address[0],
            "https" if self.server.context else "http",
        )
        response = self.server.core.handle(request, self._pause)
        if response.fault:
            _FAULTS[response.fault.kind](self, response, response.fault)
        else:
            self.send(response)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the names are inherited
        """Write to the log, and not to stderr."""
        log.debug(format, *args)

    def send(self, response: Response) -> None:
        """Write a response in one piece."""
        self.wfile.write(self.head(response) + response.body)

    def head(self, response: Response) -> bytes:
        """Return status line and headers as they go over the wire."""
        if ("Connection", "close") in response.headers:
            self.close_connection = True
        lines = [f"HTTP/1.1 {response.status} {reason(response.status)}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def wait_for_end(self, seconds: float) -> None:
        """Wait for the seconds, or until the client or the server ends the connection."""
        with contextlib.suppress(OSError):
            self.connection.settimeout(seconds)
            self.connection.recv(1)

    def _pause(self, seconds: float) -> None:
        self.server.stopped.wait(seconds)

    def _parse(self) -> bool:
        if len(self.raw_requestline) > MAX_LINE:
            self.requestline, self.request_version, self.command = "", "", ""
            self.send_error(414)
            return False
        return self.parse_request()

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._chunks())
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= MAX_BODY:
            raise ValueError(length)
        return self.rfile.read(length)

    def _chunks(self) -> Iterator[bytes]:
        total = 0
        while size := int(self.rfile.readline(MAX_LINE).partition(b";")[0], 16):
            total += size
            if size < 0 or total > MAX_BODY:
                raise ValueError(size)
            yield self.rfile.read(size)
            self.rfile.readline(MAX_LINE)
        while self.rfile.readline(MAX_LINE).strip():
            pass

    def _refuse(self, status: int) -> None:
        self.close_connection = True
        self.send_error(status)


def _reset(handler: _Handler, response: Response, fault: Fault) -> None:  # noqa: ARG001
    """Make the coming close a reset: with no time to linger, the kernel sends RST in the place of FIN."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def _close(handler: _Handler, response: Response, fault: Fault) -> None:  # noqa: ARG001
    handler.close_connection = True


def _stall(handler: _Handler, response: Response, fault: Fault) -> None:  # noqa: ARG001
    handler.wait_for_end(fault.seconds)
    handler.close_connection = True


def _truncate(handler: _Handler, response: Response, fault: Fault) -> None:  # noqa: ARG001
    handler.wfile.write(handler.head(response) + response.body[: len(response.body) // 2])
    handler.close_connection = True


def _dribble(handler: _Handler, response: Response, fault: Fault) -> None:
    handler.wfile.write(handler.head(response))
    for piece in pieces(response.body):
        handler.server.stopped.wait(fault.seconds / PIECES)
        handler.wfile.write(piece)


_FAULTS: dict[str, Callable[[_Handler, Response, Fault], None]] = {
    "reset": _reset,
    "close": _close,
    "stall": _stall,
    "truncate": _truncate,
    "dribble": _dribble,
}
