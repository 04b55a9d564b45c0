"""Exchange a plain request and a plain response over a kept connection, without the layers in between.

`requests` and its adapter carry every call as usual. Only `urlopen` of the pools is replaced, which takes three
quarters of a call's own time. Over a connection that urllib3 has opened before, the request is sent in one piece, and
the head of the response is split, instead of parsed by the email package. Connecting, DNS, TLS and proxies stay with
urllib3.

Everything that is not plain takes the long way, through urllib3 and `http.client`. A request takes it from the start if
it goes through a proxy or over a new connection, or has a header that `http.client` would refuse. A response changes to
it in the middle: the bytes that were read are pushed back, and `http.client` reads the response from its first byte. So
only the long way handles unusual cases, and both ways end with the same errors.

If a tool observes the long way, every call takes it: see `smartdc.http.hooks`.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Any, cast

from requests.structures import CaseInsensitiveDict
from urllib3._collections import HTTPHeaderDict
from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError
from urllib3.response import HTTPResponse
from urllib3.util import SKIP_HEADER, Timeout, wait_for_read

from smartdc.http.deadline import Deadline
from smartdc.http.hooks import hooked
from smartdc.http.light import LeanResponse
from smartdc.http.settings import Headers

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LeanPool"]

MAX_HEAD = 2**14
"""Maximum size of a head that is split here; a longer one takes the long way, which has its own limits."""
MAX_HEADERS = 50
"""Maximum number of headers that are split here; a head with more takes the long way."""
MAX_BODY = 2**16
"""Maximum size of a body that is read at once; a longer one takes the long way, which has its own limit."""

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]++|%[0-9A-F]{2})*")
"""Targets that urllib3 sends unchanged."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})
"""Methods for which `http.client` sends no Content-Length if there is no body."""
_ABSENT = ("", "")
_STOPPED_READING = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})

_SOCKETS = (socket.socket, ssl.SSLSocket)


class LeanPool:
    """Mix-in for urllib3's pools that exchange plain requests and responses themselves."""

    host: str
    port: int | None
    scheme: str
    proxy: Any

    _newest_kept: Callable[[], Any]
    """Takes the last used connection out of the pool; None if no connection may be used again."""
    _host_header = ""

    def urlopen(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> Any:
        """Send a request and return its response, as urllib3 does."""
        request = None if hooked() else self._plain_request(method, url, body, headers, options)
        kept = None if request is None else self._open_connection()
        if request is None or kept is None:
            return super().urlopen(method, url, body, headers, **options)  # type: ignore[misc]
        return self._exchange(kept, request, method, url, Deadline(options["timeout"].read_timeout))

    def _exchange(self, kept: Any, request: bytes, method: str, url: str, deadline: Deadline) -> Any:
        """Send `request` over an open connection and return its response.

        The connection ends in one of three ways: it is put back, a response that is not yet read keeps it, or it is
        closed. Two flags decide this; they are set only after success, so that an exception or an interrupt at any
        place closes the connection. A closed connection is never put back: an object that still refers to it could
        otherwise close it during the next call.
        """
        reusable = taken = False
        response: Any
        try:
            sys.audit("http.client.send", kept, request)
            stopped = _send(kept.sock, request, deadline)
            received = _receive_head(kept.sock, deadline)
            plain = _plain_response(kept.sock, received, method, deadline)
            if plain is None:
                response = self._long_way(kept, received, method, deadline, close=stopped)
                taken = True
                return response
            response, whole = plain
            reusable = whole and not stopped
        except TimeoutError as error:
            raise ReadTimeoutError(cast("Any", self), url, "Read timed out.") from error
        except ssl.SSLError as error:
            raise SSLError(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise ProtocolError("Connection aborted.", error) from error
        else:
            return response
        finally:
            if not taken:
                if not reusable:
                    kept.close()
                self._put_conn(kept if reusable else None)  # type: ignore[attr-defined]

    def _open_connection(self) -> Any:
        """Take an open connection; None if there is none, or if a tool observes calls."""
        kept = self._newest_kept()
        if kept is None:
            return None
        if type(kept.sock) in _SOCKETS and not kept.debuglevel and not wait_for_read(kept.sock, 0.0):
            return kept
        self._put_conn(kept)  # type: ignore[attr-defined]
        return None

    def _plain_request(
        self, method: str, target: str, body: Any, headers: Any, options: dict[str, Any]
    ) -> bytes | None:
        """Write a request as `http.client` does; None if `http.client` would write it differently, or refuse it."""
        if (
            self.proxy is not None
            or not (type(headers) is Headers or isinstance(headers, CaseInsensitiveDict))
            or not (body is None or type(body) is bytes)
            or not isinstance(options.get("timeout"), Timeout)
            or options.get("preload_content", True)
            or options.get("redirect", True)
            or options.get("chunked", False)
            or not _TARGET.fullmatch(target)
        ):
            return None
        store: dict[str, tuple[str, Any]] = headers._store  # type: ignore[union-attr] # noqa: SLF001 (lower-case names to both)
        if not _is_complete(store, method, body):
            return None
        lines = [f"{method} {target} HTTP/1.1"]
        if "host" not in store:
            lines.append(f"Host: {self._host()}")
        head = _joined(lines, store)
        return head + body if head and body else head

    def _host(self) -> str:
        """Return the Host header that `http.client` would send."""
        if not self._host_header:
            name = self.host.strip("[]").partition("%")[0].rstrip(".")
            name = f"[{name}]" if ":" in name else name
            usual = self.port in {None, {"http": 80, "https": 443}[self.scheme]}
            self._host_header = name if usual else f"{name}:{self.port}"
        return self._host_header

    def _long_way(self, kept: Any, received: bytes, method: str, deadline: Deadline, *, close: bool) -> HTTPResponse:
        """Let `http.client` and urllib3 read a response from its first byte; `received` are the bytes so far."""
        kept.sock.settimeout(deadline.left())
        parsed = kept.response_class(kept.sock, method=method, received=received)
        try:
            parsed.begin()
        except BaseException:
            parsed.close()
            raise
        if parsed.will_close or close:
            kept.close()  # as in `http.client`: the socket itself stays open until the response is read
        return HTTPResponse(
            body=parsed,
            headers=HTTPHeaderDict(parsed.msg.items()),
            status=parsed.status,
            version=parsed.version,
            reason=parsed.reason,
            preload_content=False,
            decode_content=False,
            original_response=parsed,
            connection=kept,
            pool=cast("Any", self),
            request_method=method,
        )


def _is_complete(store: dict[str, tuple[str, Any]], method: str, body: bytes | None) -> bool:
    """Return whether urllib3 would add no header except Host."""
    if "accept-encoding" not in store or "user-agent" not in store or "transfer-encoding" in store:
        return False
    return method in _METHODS and ("content-length" in store or (method in _WITHOUT_BODY and not body))


def _joined(lines: list[str], store: dict[str, tuple[str, Any]]) -> bytes | None:
    """Append headers to the first lines of a head and encode it; None if `http.client` would refuse or fold one.

    Headers may come from any `auth`, so each is checked: one with a line break in it would become two. If a name is
    well-formed in lower case, it is also well-formed as written, or it cannot be encoded.
    """
    if not all(map(_KEYS.__contains__, store)) and not all(map(_key_of, [name for name, _ in store.values()])):
        return None
    try:
        lines += map(": ".join, store.values())
    except TypeError:  # bytes
        return None
    head = "\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count("\n") != breaks or head.count("\r") != breaks or SKIP_HEADER in head:
        return None
    try:
        return f"{head}\r\n\r\n".encode("latin-1")
    except UnicodeEncodeError:
        return None


_KEYS: dict[str, str] = {}
"""Well-formed names of headers, and the same in lower case; it soon has all of CloudAPI's."""
MAX_KEYS = 1000


def _key_of(name: Any) -> str | None:
    """Return the name of a header in lower case, or None for an invalid name."""
    if type(name) is not str or not _NAME.fullmatch(name):
        return None
    key = name.lower()
    if len(_KEYS) < MAX_KEYS:
        _KEYS[name] = _KEYS[key] = key
    return key


def _send(sock: socket.socket, request: bytes, deadline: Deadline) -> bool:
    """Send a whole request within the deadline, and return whether the server has stopped reading it.

    In that case the server may already have sent a response, which can still be read.
    """
    left = memoryview(request)
    try:
        while left:
            sock.settimeout(deadline.for_socket())
            left = left[sock.send(left) :]
    except OSError as error:
        if error.errno in _STOPPED_READING:
            return True
        raise
    return False


def _receive(sock: socket.socket, size: int, deadline: Deadline) -> bytes:
    sock.settimeout(deadline.for_socket())
    return sock.recv(size)


def _receive_head(sock: socket.socket, deadline: Deadline) -> bytes:
    """Receive until there is a whole head, or it cannot become a plain one, or the bytes end; return the bytes."""
    received = _receive(sock, MAX_HEAD, deadline)
    if not received:
        raise http.client.RemoteDisconnected("Remote end closed connection without response")
    while _is_beginning(received):
        more = _receive(sock, MAX_HEAD, deadline)
        if not more:
            break
        received += more
    return received


def _is_beginning(received: bytes) -> bool:
    """Return whether this is the beginning of a head that may still become a plain one."""
    if b"\n\r\n" in received or b"\n\n" in received or len(received) >= MAX_HEAD:
        return False
    return b"\n" not in received or _STATUS.match(received) is not None


def _plain_response(
    sock: socket.socket, received: bytes, method: str, deadline: Deadline
) -> tuple[LeanResponse, bool] | None:
    """Return the response, and whether nothing came after it; None for one that is not plain.

    A plain response has HTTP/1.1, a status from 200 to 599, well-formed headers, a connection that stays open, and a
    body whose length is in exactly one Content-Length. For any other response no further bytes are read here; the long
    way reads them.
    """
    end = received.find(b"\r\n\r\n")
    first = _STATUS.match(received)
    if end < 0 or first is None:
        return None
    store = _split(received[first.end() : end + 2].decode("latin-1"))
    if store is None or "transfer-encoding" in store or "close" in store.get("connection", _ABSENT)[1].lower():
        return None
    status = int(first[1])
    size = _body_size(status, method, store)
    if size is None or size > MAX_BODY:
        return None
    body = received[end + 4 :]
    # Bytes after a response belong to no request: the next call on the connection would take them for its response.
    reusable = len(body) <= size
    if len(body) < size:
        body = _rest(sock, body, size, deadline)
    reason = (first[2] or b"").decode("latin-1").strip()
    return LeanResponse(status, reason, store, body[:size]), reusable


def _split(head: str) -> dict[str, tuple[str, str]] | None:
    """Split a head into headers; None for one with folded, nameless or too many lines.

    Like `http.client`, it keeps blanks at the end of a value, and the first of several spellings of a name.
    """
    lines = head.split("\r\n")
    lines.pop()
    if len(lines) > MAX_HEADERS or head.count("\n") != len(lines) or head.count("\r") != len(lines) or "\0" in head:
        return None
    store: dict[str, tuple[str, str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        key = _KEYS.get(name) or _key_of(name)
        if not colon or key is None:
            return None
        value = value.lstrip(" \t")
        if key in store:
            name, before = store[key]
            value = f"{before}, {value}"
        store[key] = (name, value)
    return store


def _body_size(status: int, method: str, store: dict[str, tuple[str, str]]) -> int | None:
    """Return the length of a body; None if the response does not give it in the usual way."""
    if status in {204, 304} or method == "HEAD":
        return 0
    length = store.get("content-length", _ABSENT)[1]
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None


def _rest(sock: socket.socket, body: bytes, size: int, deadline: Deadline) -> bytes:
    """Read the missing rest of a body."""
    parts = [body]
    missing = size - len(body)
    while missing:
        part = _receive(sock, missing, deadline)
        if not part:
            raise http.client.IncompleteRead(b"".join(parts), missing)
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
