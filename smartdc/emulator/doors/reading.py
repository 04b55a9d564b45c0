"""Read a request from a connection: in time, and strictly, so that no two servers see different requests in its bytes."""

import io
import re
import socket
import time
from collections.abc import Iterator
from email.message import Message
from typing import Any

MAX_LINE = 65_536
MAX_BODY = 16 * 1024 * 1024
"""The largest body that is read, in bytes; CloudAPI's own limit is far lower, and checked by the core."""

_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")


class Reader(io.RawIOBase):
    """Read from a connection until a deadline, no matter how slowly the bytes arrive."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = 0.0

    def allow(self, seconds: float) -> None:
        """Let the next bytes take so many seconds, all together."""
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at least a byte; `TimeoutError` after the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def split_target(target: str) -> tuple[str, str | None]:
    """Return the path and query of a request's target, and its host if it is a whole URL, as a proxy gets it."""
    absolute = _ABSOLUTE.fullmatch(target)
    if not absolute:
        return target, None
    host, path = absolute.groups()
    return path if path.startswith("/") else f"/{path}", host


def read_body(headers: Message, file: io.BufferedIOBase) -> bytes:
    """Return the body of a request; ValueError if its end is not given once and clearly, or does not come."""
    codings, lengths = headers.get_all("Transfer-Encoding", []), set(headers.get_all("Content-Length", []))
    if codings:
        if lengths or [coding.strip().lower() for coding in codings] != ["chunked"]:
            raise ValueError(codings)
        return b"".join(_chunks(file))
    if not lengths:
        return b""
    (text,) = lengths
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return _exactly(int(text), file)


def _exactly(length: int, file: io.BufferedIOBase) -> bytes:
    body = file.read(length) if length <= MAX_BODY else b""
    if len(body) < length:
        raise ValueError(length)
    return body


def _chunks(file: io.BufferedIOBase) -> Iterator[bytes]:
    left = MAX_BODY
    while size := _size(file.readline(MAX_LINE)):
        left -= size
        if left < 0:
            raise ValueError(size)
        yield _exactly(size, file)
        if file.readline(MAX_LINE) not in {b"\r\n", b"\n"}:
            raise ValueError(size)
    while file.readline(MAX_LINE).strip():
        pass


def _size(line: bytes) -> int:
    text = line.partition(b";")[0].strip()
    if not _HEX.fullmatch(text):
        raise ValueError(line)
    return int(text, 16)
