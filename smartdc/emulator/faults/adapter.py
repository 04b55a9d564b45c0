"""What goes wrong at the door within the process: the exceptions and bodies that the real adapter would bring."""

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
from smartdc.emulator.faults.plan import CERTIFICATES, Fault

REASONS = {
    "expired": "certificate has expired",
    "misnamed": "Hostname mismatch, certificate is not valid for 'cloudapi.emulator'.",
    "self-signed": "self-signed certificate",
}


class Patience:
    """How long the client waits for an answer, and whether that is over."""

    def __init__(self, clock: Clock, limit: float | None) -> None:
        self.limit = limit
        self.exhausted = False
        self.clock = clock

    def wait(self, seconds: float) -> None:
        """Let the seconds pass, but no more than the client waits for."""
        self.exhausted = self.limit is not None and seconds >= self.limit
        self.clock.sleep(min(seconds, self.limit) if self.limit is not None else seconds)


class _Broken(io.RawIOBase):
    """A body that breaks off; what then happens may be an exception, or only the end."""

    def __init__(self, content: bytes, end: Callable[[], None]) -> None:
        self._content = io.BytesIO(content)
        self._end = end

    def read(self, size: int = -1) -> bytes:
        """Return some of the body, or come to the end."""
        given = self._content.read(size)
        if size < 0 or (size > 0 and not given):
            self._end()
        return given

    read1 = read


class _Dribble(io.RawIOBase):
    """A body that comes in small pieces, each after a while."""

    def __init__(self, body: bytes, clock: Clock, seconds: float) -> None:
        self._pieces = pieces(body)
        self._piece = b""
        self._clock = clock
        self._seconds = seconds

    def read(self, size: int = -1) -> bytes:
        """Return some of the current piece, or all that is to come."""
        return self.read1(size) if size >= 0 else b"".join(iter(self.read1, b""))

    def read1(self, size: int = -1) -> bytes:
        """Return what is left of a piece, or wait for the next one."""
        if size != 0 and not self._piece:
            self._clock.sleep(self._seconds)
            self._piece = next(self._pieces, b"")
        end = len(self._piece) if size < 0 else size
        given, self._piece = self._piece[:end], self._piece[end:]
        return given


class _Endless(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        """Return as many blanks as are asked for; all of them are more than there is room for."""
        if size < 0:
            raise MemoryError("The body never ends.")
        return b" " * size

    read1 = read


def fail_at_once(request: requests.PreparedRequest, fault: Fault) -> None:
    """Fail as the real adapter does where the server cannot be reached, or goes before it has read the request."""
    if fault.kind == "refused":
        words = "Failed to establish a new connection: [Errno 111] Connection refused"
        reason = NewConnectionError(HTTPConnection(IN_PROCESS_HOST), words)
        raise requests.ConnectionError(_gave_up(request, reason), request=request)
    if fault.kind in CERTIFICATES:
        error = ssl.SSLCertVerificationError(1, f"certificate verify failed: {REASONS[fault.kind]}")
        raise requests.exceptions.SSLError(_gave_up(request, SSLError(error)), request=request)
    if fault.kind == "cut-handshake":
        end = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
        raise requests.exceptions.SSLError(_gave_up(request, SSLError(end)), request=request)
    raise _aborted(request, ConnectionResetError(104, "Connection reset by peer"))


@dataclass(slots=True)
class Trouble:
    """An answer that is to be spoiled, and who waits for it."""

    request: requests.PreparedRequest
    response: Response
    fault: Fault
    patience: Patience

    def wait(self) -> None:
        """Wait until the server ends the connection, or the client has had enough."""
        self.patience.wait(self.fault.seconds)

    def wait_for_more(self) -> None:
        """Wait for the rest of a body, which does not come."""
        self.wait()
        if self.patience.exhausted:
            raise TimeoutError("timed out")

    def half(self) -> bytes:
        """Return half of the body."""
        return self.response.body[: len(self.response.body) // 2]

    def frame(self, *framing: tuple[str, str]) -> None:
        """Put these headers in place of the right length."""
        self.response.headers = [pair for pair in self.response.headers if pair[0] != "Content-Length"] + [*framing]


def spoil(trouble: Trouble) -> io.IOBase:
    """Do to an answer what its fault says, and return the body as it can be read; or fail."""
    return _FAULTS[trouble.fault.kind](trouble)


def _reset(trouble: Trouble) -> io.IOBase:
    raise _aborted(trouble.request, ConnectionResetError(104, "Connection reset by peer"))


def _close(trouble: Trouble) -> io.IOBase:
    raise _aborted(trouble.request, RemoteDisconnected("Remote end closed connection without response"))


def _stall(trouble: Trouble) -> io.IOBase:
    trouble.wait()
    return io.BytesIO() if trouble.patience.exhausted else _close(trouble)


def _stall_body(trouble: Trouble) -> io.IOBase:
    if not trouble.response.body:
        return _stall(trouble)
    return _Broken(trouble.half(), trouble.wait_for_more)


def _truncate(trouble: Trouble) -> io.IOBase:
    if not trouble.response.body:
        trouble.response.headers = trouble.response.headers[: len(trouble.response.headers) // 2]
    return io.BytesIO(trouble.half())


def _dribble(trouble: Trouble) -> io.IOBase:
    return _Dribble(trouble.response.body, trouble.patience.clock, trouble.fault.seconds / PIECES)


def _short_length(trouble: Trouble) -> io.IOBase:
    half = trouble.half()
    trouble.frame(("Content-Length", str(len(half))))
    return io.BytesIO(half)


def _long_length(trouble: Trouble) -> io.IOBase:
    trouble.frame(("Content-Length", str(len(trouble.response.body) + 100)))
    return _Broken(trouble.response.body, trouble.wait_for_more)


def _double_length(trouble: Trouble) -> io.IOBase:
    length = len(trouble.response.body)
    trouble.frame(("Content-Length", str(length)), ("Content-Length", str(length + 7)))
    return io.BytesIO(trouble.response.body)


def _chunk_garbage(trouble: Trouble) -> io.IOBase:
    half = trouble.half()
    trouble.frame()

    def end() -> None:
        raise IncompleteRead(half)

    return _Broken(half, end)


def _endless(trouble: Trouble) -> io.IOBase:
    trouble.response.status, trouble.response.headers = 200, [("Content-Type", "application/json")]
    return _Endless()


_FAULTS: dict[str, Callable[[Trouble], io.IOBase]] = {
    "reset": _reset,
    "close": _close,
    "stall": _stall,
    "stall-body": _stall_body,
    "truncate": _truncate,
    "dribble": _dribble,
    "short-length": _short_length,
    "long-length": _long_length,
    "double-length": _double_length,
    "chunk-garbage": _chunk_garbage,
    "endless": _endless,
}


def _gave_up(request: requests.PreparedRequest, reason: Exception) -> MaxRetryError:
    return MaxRetryError(HTTPConnectionPool(IN_PROCESS_HOST), str(request.url), reason)


def _aborted(request: requests.PreparedRequest, cause: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(ProtocolError("Connection aborted.", cause), request=request)
