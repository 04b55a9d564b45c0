"""urllib3's connections and pools, with deadlines.

The timeout of a call is one deadline for connecting, sending and the whole response. So a server that sends very
slowly, or has many dead addresses, cannot block a caller. A connection is not used again if it was idle for longer than
CloudAPI's proxy keeps idle connections.
"""

from __future__ import annotations

import http.client
import io
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import Timeout
from urllib3.util.connection import create_connection

from smartdc.http.deadline import Deadline
from smartdc.http.lean import LeanPool
from smartdc.http.pool import Stack
from smartdc.http.resolver import addresses_of
from smartdc.http.tracebacks import from_signal_handler

if TYPE_CHECKING:
    from urllib3.connection import BaseHTTPConnection  # type: ignore[attr-defined]

__all__ = ["POOLS", "Connection"]

INTERIM = frozenset(range(100, 200)) - {http.client.SWITCHING_PROTOCOLS}
"""Statuses of responses that precede the real one."""
IDLE_LIMIT_SECONDS = 45.0
"""After this time an idle connection is dropped; CloudAPI's proxy closes it after 55 s."""


class _Timeout(Timeout):
    """One deadline in place of urllib3's two timeouts."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(total=seconds)
        self._deadline = Deadline(seconds)

    @property
    def read_timeout(self) -> float | None:
        return self._deadline.left()

    connect_timeout = read_timeout


class _DeadlineReader(io.RawIOBase):
    """Read from a socket until a deadline, no matter how slowly the bytes arrive.

    A socket's timeout limits the wait for the next bytes, not for all bytes: a server that sends one byte per second
    could keep a reader for ever. So this object is between the socket and the buffered reader from which `http.client`
    takes head and body; before each `recv`, it sets the socket's timeout to the time that is left. When the response
    begins, the socket's timeout is the rest of the call's time: this is the deadline. Bytes that were `received` before
    come first.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, received: bytes = b"") -> None:
        self._raw, self._sock = raw, sock
        self._received = received
        self._deadline = Deadline(sock.gettimeout())
        self.ended = False
        """Whether the server has sent all that it will send."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._received:
            size = min(len(buffer), len(self._received))
            buffer[:size] = self._received[:size]
            self._received = self._received[size:]
            return size
        if self._deadline.passed():
            raise TimeoutError("timed out")
        self._sock.settimeout(self._deadline.left())
        read = cast("int | None", self._raw.readinto(buffer))
        self.ended = read == 0
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """A response whose head and body together end within the socket's timeout, and whose head is whole."""

    is_own = True
    """The response came over a connection of this library, and not from a mock or a recording."""

    def __init__(self, sock: socket.socket, *args: Any, received: bytes = b"", **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._reader = _DeadlineReader(self.fp.detach(), sock, received)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read the head; `http.client` takes one that is cut for a whole one, and so a lost answer for a success."""
        super().begin()
        if self._reader.ended:
            raise http.client.RemoteDisconnected("the connection was closed in the middle of a response")

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status line; `http.client` skips interim responses with status 100 only."""
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, http.client.CONTINUE if status in INTERIM else status, reason


class _WithDeadline:
    """Mix-in for both kinds of connection: one deadline for connecting, TLS and the response."""

    response_class = _DeadlineResponse
    used_at = 0.0
    host: str
    port: int
    timeout: float | None
    source_address: tuple[str, int] | None
    socket_options: Any

    def connect(self) -> None:
        """Connect, including TLS and a proxy's tunnel; mark a failure, since nothing of the request was sent yet."""
        deadline = Deadline(self.timeout)
        try:
            super().connect()  # type: ignore[misc]
        except Exception as error:
            error.nothing_sent = True  # type: ignore[attr-defined]
            raise
        self.timeout = deadline.left()

    def _new_conn(self) -> socket.socket:
        """Try the host's addresses one after the other, each with a share of the time.

        Of three addresses, the first gets a third of the remaining time, the second half of the rest, and the last all
        of the rest. So a dead address cannot use up the time of the others.
        """
        deadline = Deadline(self.timeout)
        addresses = self._addresses(deadline)
        while True:
            address = addresses.pop(0)
            left = deadline.left()
            share = None if left is None else left / (len(addresses) + 1)
            try:
                sock = create_connection((address, self.port), share, self.source_address, self.socket_options)
            except OSError as error:
                if not addresses or from_signal_handler(error):
                    raise self._unreachable(error) from error
                continue
            sys.audit("http.client.connect", self, self.host, self.port)
            sock.settimeout(deadline.left())
            return sock

    def _addresses(self, deadline: Deadline) -> list[str]:
        name = self._dns_host.strip("[]")  # type: ignore[attr-defined]
        try:
            return addresses_of(name, self.port, deadline.left())
        except (socket.gaierror, UnicodeError) as error:
            reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, cast("Any", self), reason) from error
        except TimeoutError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> ConnectTimeoutError | NewConnectionError:
        kind = ConnectTimeoutError if isinstance(error, TimeoutError) else NewConnectionError
        return kind(cast("Any", self), f"Failed to establish a new connection: {error}")


class Connection(_WithDeadline, HTTPConnection):  # type: ignore[misc]
    """A connection without TLS that is established within its timeout, or fails."""


class _SecureConnection(_WithDeadline, HTTPSConnection):  # type: ignore[misc]
    pass


class _WithoutIdle:
    """Mix-in for both kinds of pool: deadlines, and no use of connections that were idle for too long."""

    QueueCls: Any = Stack
    pool: Stack | None

    def _get_timeout(self, timeout: Any) -> Timeout:
        """Turn the timeout of `requests`, which is one number here, into a deadline that begins now."""
        return timeout if isinstance(timeout, _Timeout) else _Timeout(timeout.read_timeout)

    def _get_conn(self, timeout: float | None = None) -> BaseHTTPConnection:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if not connection.is_closed and time.monotonic() - connection.used_at > IDLE_LIMIT_SECONDS:
            connection.close()
        return connection

    def _newest_kept(self) -> Any:
        kept = self.pool
        connection = None if kept is None else kept.pop()
        if connection is None or time.monotonic() - connection.used_at <= IDLE_LIMIT_SECONDS:
            return connection
        connection.close()
        return None

    def _put_conn(self, conn: BaseHTTPConnection | None) -> None:
        if conn is not None:
            conn.used_at = time.monotonic()
            kept = self.pool  # None once the pool was closed, which another thread may do at any moment
            if kept is not None:
                kept.drop_idle(conn.used_at - IDLE_LIMIT_SECONDS)
        super()._put_conn(conn)  # type: ignore[misc]


class _Pool(LeanPool, _WithoutIdle, HTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = Connection


class _SecurePool(LeanPool, _WithoutIdle, HTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}
