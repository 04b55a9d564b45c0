"""A server that says what a test tells it to say, byte by byte, and a clock and an auth for tests of the HTTP layer."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import requests
from requests.auth import AuthBase

from smartdc.http import deadline
from smartdc.http.deadline import Deadline

__all__ = ["Act", "Clock", "RawServer", "Stamp", "close", "dribble", "first_line", "header_of", "reply", "silence"]

SECRET = "very-secret-signature"
"""What `Stamp` puts into the Authorization header."""


class Clock:
    """A clock on which time passes only by sleeping; `slept` lists for how long."""

    def __init__(self, now: float = 1_767_225_600.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def time(self) -> float:
        """Return epoch seconds; the first are those of 2026-01-01."""
        return self.now

    def monotonic(self) -> float:
        """Return the same seconds."""
        return self.now

    def sleep(self, seconds: float, /) -> None:
        """Let time pass at once."""
        self.slept.append(seconds)
        self.now += seconds


class Stamp(AuthBase):
    """An auth whose signature differs from attempt to attempt and must be seen nowhere but on the wire."""

    def __init__(self) -> None:
        self.dates: list[str] = []

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign, and note the date that was signed."""
        self.dates.append(request.headers["Date"])
        request.headers["Authorization"] = f"Signature {SECRET}-{len(self.dates)}"
        return request


class Line:
    """The server's end of one connection, and the request that came in."""

    def __init__(self, connection: socket.socket, stopped: threading.Event, request: bytes = b"") -> None:
        self.connection = connection
        self.stopped = stopped
        self.request = request

    def send(self, data: bytes) -> None:
        """Send bytes; somebody who has hung up does not mind."""
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    def hung_up(self, seconds: float) -> bool:
        """Wait for the client to hang up or the test to end, at most for `seconds`."""
        self.connection.settimeout(seconds)
        try:
            return not self.connection.recv(1) or self.stopped.is_set()
        except TimeoutError:
            return self.stopped.is_set()
        except OSError:
            return True


Act = Callable[[Line], bool]
"""What a server does about one request; False ends the connection."""


def reply(
    status: int = 200, body: Any = b"", *, headers: Iterable[str] = (), length: int | None = -1, rest: bytes = b""
) -> Act:
    """Answer as CloudAPI would; a `length` of None sends none, and `rest` is what comes after the body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", *headers]
    if not any(line.lower().startswith("content-type") for line in lines):
        lines.append("Content-Type: application/json")
    if length is not None:
        lines.append(f"Content-Length: {len(data) if length == -1 else length}")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")

    def act(line: Line) -> bool:
        line.send(head + data + rest)
        return length is not None

    return act


def raw(data: bytes) -> Act:
    """Send just these bytes and end the connection."""

    def act(line: Line) -> bool:
        line.send(data)
        return False

    return act


def close(_: Line) -> bool:
    """End the connection without an answer."""
    return False


@contextlib.contextmanager
def calls_end_by(limit: Deadline) -> Iterator[None]:
    """Let no call in the block last beyond a deadline, as in the context of a wait."""
    token = deadline._AMBIENT.set(limit.earlier(deadline.ambient_deadline()))
    try:
        yield
    finally:
        deadline._AMBIENT.reset(token)


def silence(line: Line) -> bool:
    """Say nothing until the client has had enough."""
    while not line.hung_up(5.0):
        pass
    return False


def dribble(data: bytes, pause: float = 0.02) -> Act:
    """Send a byte at a time, so that no single read ever takes long."""

    def act(line: Line) -> bool:
        for byte in data:
            line.send(bytes([byte]))
            if line.hung_up(pause):
                break
        return False

    return act


class RawServer:
    """Do one act after the other, each when a whole request has come in; the last one again and again.

    `requests` holds what was asked, head and body, and `connections` how often somebody connected. With a `greeting`
    it says that, whatever the client may want, and nothing more.
    """

    def __init__(
        self, *acts: Act, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", greeting: bytes | None = None
    ) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.most_at_once = 0
        self._open = 0
        self._acts = list(acts)
        self._tls, self._greeting = tls, greeting
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family, backlog=128)
        self.port = int(self._listener.getsockname()[1])
        host = f"[{address}]" if ":" in address else address
        self.url = f"{'http' if tls is None and greeting is None else 'https'}://{host}:{self.port}"

    def __enter__(self) -> Self:
        """Begin to listen; whoever connects from now on is heard."""
        self._begin(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up on everybody."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for sock in self._sockets:
            sock.close()

    def wait_until_quiet(self) -> None:
        """Wait for the end of all connections, which their clients have to close."""
        for thread in self._threads[1:]:
            thread.join(10)
            assert not thread.is_alive(), "a connection was left open"

    def _begin(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        # Python 3.13 keeps the memory of a thread that has ended for as long as somebody keeps the thread.
        self._threads = [*(other for other in self._threads if other.is_alive()), thread]
        thread.start()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(connection)
            self._begin(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        if self._greeting is not None:
            line = Line(connection, self._stopped)
            line.send(self._greeting)
            silence(line)
        with contextlib.suppress(OSError, ssl.SSLError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._sockets.append(connection)
            while request := _request(connection):
                if not self._answer(Line(connection, self._stopped, request)):
                    break
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def _answer(self, line: Line) -> bool:
        with self._lock:
            self.requests.append(line.request)
            act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        try:
            return act(line)
        finally:
            with self._lock:
                self._open -= 1


def _request(connection: socket.socket) -> bytes:
    """Read one request, head and body; nothing when the client has hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    missing = int(header_of(data, "Content-Length") or 0) - len(body)
    while missing > 0:
        piece = connection.recv(65536)
        if not piece:
            return b""
        body, missing = body + piece, missing - len(piece)
    return head + b"\r\n\r\n" + body


def first_line(request: bytes) -> str:
    """Return the request line."""
    return request.partition(b"\r\n")[0].decode()


def header_of(request: bytes, name: str) -> str | None:
    """Return a header of a request as it came over the wire."""
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        key, _, value = line.decode("latin-1").partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None
