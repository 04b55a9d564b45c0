"""Faults of the in-process adapter: the exceptions and bodies that the real adapter would produce."""

import io
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http.client import IncompleteRead, RemoteDisconnected

import requests
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, SSLError

from smartdc.emulator.core.clock import Clock
from smartdc.emulator.core.message import IN_PROCESS_HOST, PIECES, Response, pieces
from smartdc.emulator.faults.plan import CERTIFICATES, Fault, implements

REASONS = {
    "expired": "certificate has expired",
    "misnamed": "Hostname mismatch, certificate is not valid for 'cloudapi.emulator'.",
    "self-signed": "self-signed certificate",
}


class ReadTimeout:
    """The client's read timeout, measured on the emulator's clock; ``limit`` in seconds, None for no limit."""

    def __init__(self, clock: Clock, limit: float | None) -> None:
        self.limit = limit
        self.exhausted = False
        self.clock = clock

    def wait(self, seconds: float) -> None:
        """Let seconds pass, at most up to the limit."""
        self.exhausted = self.limit is not None and seconds >= self.limit
        self.clock.sleep(min(seconds, self.limit) if self.limit is not None else seconds)


class _BrokenBody(io.RawIOBase):
    """A body that stops early; ``end`` is called there, and may raise."""

    def __init__(self, content: bytes, end: Callable[[], None]) -> None:
        self._content = io.BytesIO(content)
        self._end = end

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; at the end of the content call ``end``."""
        given = self._content.read(size)
        if size < 0 or (size > 0 and not given):
            self._end()
        return given

    read1 = read


class _DribbledBody(io.RawIOBase):
    """A body that arrives in small pieces, each after a delay."""

    def __init__(self, body: bytes, clock: Clock, seconds: float) -> None:
        self._pieces = pieces(body)
        self._piece = b""
        self._clock = clock
        self._seconds = seconds

    def read(self, size: int = -1) -> bytes:
        """Return bytes of the current piece; without a size, everything."""
        return self.read1(size) if size >= 0 else b"".join(iter(self.read1, b""))

    def read1(self, size: int = -1) -> bytes:
        """Return the rest of the current piece, or wait for the next one."""
        if size != 0 and not self._piece:
            self._clock.sleep(self._seconds)
            self._piece = next(self._pieces, b"")
        end = len(self._piece) if size < 0 else size
        given = self._piece[:end]
        self._piece = self._piece[end:]
        return given


class _EndlessBody(io.RawIOBase):
    """A body of blanks without an end."""

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` blanks; reading everything at once is a ``MemoryError``."""
        if size < 0:
            raise MemoryError("The body never ends.")
        return b" " * size

    read1 = read


def fail_at_once(request: requests.PreparedRequest, fault: Fault) -> None:
    """Raise what the real adapter raises when it cannot connect, or the connection ends before the request is read."""
    if fault.kind == "refused":
        words = "Failed to establish a new connection: [Errno 111] Connection refused"
        reason = NewConnectionError(HTTPConnection(IN_PROCESS_HOST), words)
        raise requests.ConnectionError(_max_retries(request, reason), request=request)
    if fault.kind in CERTIFICATES:
        error = ssl.SSLCertVerificationError(1, f"certificate verify failed: {REASONS[fault.kind]}")
        raise requests.exceptions.SSLError(_max_retries(request, SSLError(error)), request=request)
    if fault.kind == "cut-handshake":
        end = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
        raise requests.exceptions.SSLError(_max_retries(request, SSLError(end)), request=request)
    raise _aborted(request, ConnectionResetError(104, "Connection reset by peer"))


@dataclass(slots=True)
class AdapterFaultContext:
    """A response to corrupt, the request it answers and the client's read timeout."""

    request: requests.PreparedRequest
    response: Response
    fault: Fault
    timeout: ReadTimeout

    def wait(self) -> None:
        """Wait until the server closes the connection or the read times out."""
        self.timeout.wait(self.fault.seconds)

    def wait_for_more(self) -> None:
        """Wait for the rest of a body that never arrives."""
        self.wait()
        if self.timeout.exhausted:
            raise TimeoutError("timed out")

    def half(self) -> bytes:
        """Return half of the body."""
        return self.response.body[: len(self.response.body) // 2]

    def frame(self, *framing: tuple[str, str]) -> None:
        """Send these headers instead of the correct Content-Length."""
        self.response.headers = [pair for pair in self.response.headers if pair[0] != "Content-Length"] + [*framing]


_FAULTS: dict[str, Callable[[AdapterFaultContext], io.IOBase]] = {}
"""What this door does for each kind of fault on the wire."""


def corrupt(context: AdapterFaultContext) -> io.IOBase:
    """Corrupt a response as its fault says, and return the readable body; or raise what the client would see."""
    return _FAULTS[context.fault.kind](context)


@implements(_FAULTS, "reset")
def _reset(context: AdapterFaultContext) -> io.IOBase:
    raise _aborted(context.request, ConnectionResetError(104, "Connection reset by peer"))


@implements(_FAULTS, "close")
def _close(context: AdapterFaultContext) -> io.IOBase:
    raise _aborted(context.request, RemoteDisconnected("Remote end closed connection without response"))


@implements(_FAULTS, "stall")
def _stall(context: AdapterFaultContext) -> io.IOBase:
    context.wait()
    return io.BytesIO() if context.timeout.exhausted else _close(context)


@implements(_FAULTS, "stall-body")
def _stall_body(context: AdapterFaultContext) -> io.IOBase:
    if not context.response.body:
        return _stall(context)
    return _BrokenBody(context.half(), context.wait_for_more)


@implements(_FAULTS, "truncate")
def _truncate(context: AdapterFaultContext) -> io.IOBase:
    if not context.response.body:
        context.response.headers = context.response.headers[: len(context.response.headers) // 2]
    return io.BytesIO(context.half())


@implements(_FAULTS, "dribble")
def _dribble(context: AdapterFaultContext) -> io.IOBase:
    return _DribbledBody(context.response.body, context.timeout.clock, context.fault.seconds / PIECES)


@implements(_FAULTS, "short-length")
def _short_length(context: AdapterFaultContext) -> io.IOBase:
    half = context.half()
    context.frame(("Content-Length", str(len(half))))
    return io.BytesIO(half)


@implements(_FAULTS, "long-length")
def _long_length(context: AdapterFaultContext) -> io.IOBase:
    context.frame(("Content-Length", str(len(context.response.body) + 100)))
    return _BrokenBody(context.response.body, context.wait_for_more)


@implements(_FAULTS, "double-length")
def _double_length(context: AdapterFaultContext) -> io.IOBase:
    length = len(context.response.body)
    context.frame(("Content-Length", str(length)), ("Content-Length", str(length + 7)))
    return io.BytesIO(context.response.body)


@implements(_FAULTS, "chunk-garbage")
def _chunk_garbage(context: AdapterFaultContext) -> io.IOBase:
    half = context.half()
    context.frame()

    def end() -> None:
        raise IncompleteRead(half)

    return _BrokenBody(half, end)


@implements(_FAULTS, "endless")
def _endless(context: AdapterFaultContext) -> io.IOBase:
    context.response.status = 200
    context.response.headers = [("Content-Type", "application/json")]
    return _EndlessBody()


def _max_retries(request: requests.PreparedRequest, reason: Exception) -> MaxRetryError:
    return MaxRetryError(HTTPConnectionPool(IN_PROCESS_HOST), str(request.url), reason)


def _aborted(request: requests.PreparedRequest, cause: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(ProtocolError("Connection aborted.", cause), request=request)
