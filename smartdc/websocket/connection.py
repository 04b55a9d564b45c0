"""Keep one WebSocket going: a thread of its own reads, writes and pings, and others put in and take out messages.

All reading and writing is done by that one thread, without ever blocking: OpenSSL does not bear two threads on one
connection, and a thread that is stuck in a read cannot be ended. So nothing here lasts longer than it may.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.frames import Frame, Opcode
from websockets.protocol import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.client import ClientProtocol

__all__ = ["WebSocketConnection"]

PING_INTERVAL = 20.0
"""Seconds between two pings: the proxy in front of CloudAPI ends connections that are silent for 55."""

PONG_PATIENCE = 40.0
"""Seconds for which the answer to a ping is waited for, so that a connection without one is let go within 60."""

SEND_PATIENCE = 60.0
"""Seconds for which a server may take nothing of what is sent."""

CLOSE_PATIENCE = 3.0
"""Seconds that a server has to say goodbye."""

QUEUE = 1024
"""How many messages may wait to be taken out before no more are read."""

HOLD = 16 * 2**20
"""How large they may be together."""

SIZE = 65_536
"""How many bytes are read or written at a time."""

WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class WebSocketConnection:
    """A connection after its handshake; `events` are what came with that already."""

    _text = True
    """Whether the message that is being put together is one."""

    def __init__(self, sock: socket.socket, protocol: ClientProtocol, events: Iterable[Any]) -> None:
        self._sock, self._protocol = sock, protocol
        self._changed = threading.Condition()
        self._messages: deque[str | bytes] = deque()
        self._held = 0
        self._pieces: list[bytes] = []
        self._out = bytearray()
        self._unanswered: dict[bytes, float] = {}
        self._pings = 0
        now = time.monotonic()
        self._next_ping, self._progress, self._end = now + PING_INTERVAL, now, float("inf")
        self._over = False
        self._problem = ""
        self._waker, self._bell = socket.socketpair()
        for each in (sock, self._waker, self._bell):
            each.setblocking(False)
        self._sort(events)
        self._thread = threading.Thread(target=self._run, name="smartdc-websocket", daemon=True)
        self._thread.start()

    # From any thread

    def send(self, message: str | bytes) -> None:
        """Send a message, and return when it is on its way."""
        with self._changed:
            self._check()
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
            self._collect()
            self._wake()
            self._wait_for(lambda: not self._out, None)
            if self._out:
                raise self._closed()

    def receive(self, timeout: float | None) -> str | bytes | None:
        """Return the next message, or None when the server has closed the connection; `TimeoutError`."""
        with self._changed:
            self._wait_for(lambda: self._messages, timeout)
            if self._messages:
                if not self._has_room():
                    self._wake()
                message = self._messages.popleft()
                self._held -= len(message)
                return message
            if isinstance(self._protocol.close_exc, ConnectionClosedOK) and not self._problem:
                return None
            raise self._closed()

    def settle(self, timeout: float | None) -> None:
        """Wait until the server has read all that was sent: it answers a ping after what came before."""
        with self._changed:
            self._check()
            payload = self._ping()
            self._wake()
            self._wait_for(lambda: payload not in self._unanswered, timeout)
            self._check()

    def close(self) -> None:
        """Say goodbye, and wait for the server to do so too, but not for long."""
        with self._changed:
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._collect()
            self._end = min(self._end, time.monotonic() + CLOSE_PATIENCE)
            self._wake()
        if threading.current_thread() is not self._thread:
            # It ends within its patience, unless an interrupt has left the lock taken, which it would wait for.
            self._thread.join(2 * CLOSE_PATIENCE)

    @property
    def reason(self) -> str:
        """What the server said when it closed the connection."""
        return self._protocol.close_reason or ""

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"!")

    def _wait_for(self, condition: Callable[[], object], timeout: float | None) -> None:
        """Wait until it has come true, or the connection is over."""
        if not self._changed.wait_for(lambda: condition() or self._over, timeout):
            raise TimeoutError("timed out")

    def _check(self) -> None:
        if self._over or self._protocol.state is not State.OPEN:
            self._wait_for(lambda: False, None)
            raise self._closed()

    def _closed(self) -> ConnectionError:
        told: ConnectionClosed = self._protocol.close_exc
        return ConnectionError(self._problem or str(told))

    # From the line's own thread, and `_changed` held

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._bell, selectors.EVENT_READ)
                while time.monotonic() < self._end:
                    self._turn(selector)
        except OSError as error:
            self._problem = self._problem or str(error)
        finally:
            for each in (self._sock, self._waker, self._bell):
                each.close()
            with self._changed:
                self._protocol.receive_eof()
                self._over = True
                self._changed.notify_all()

    def _turn(self, selector: selectors.BaseSelector) -> None:
        """Wait until there is something to do, and do it."""
        with self._changed:
            wanted = (selectors.EVENT_READ if self._has_room() else 0) | (selectors.EVENT_WRITE if self._out else 0)
            pause = max(self._next_deadline() - time.monotonic(), 0.0)
        if wanted:
            selector.register(self._sock, wanted)
        selector.select(pause)
        if wanted:
            selector.unregister(self._sock)
        with self._changed:
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(SIZE)
            self._read()
            self._watch()
            self._write()
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return len(self._messages) < QUEUE and self._held < HOLD

    def _next_deadline(self) -> float:
        oldest = next(iter(self._unanswered.values()), float("inf"))
        stalled = self._progress + SEND_PATIENCE if self._out else float("inf")
        return min(self._end, self._next_ping, oldest + PONG_PATIENCE, stalled)

    def _read(self) -> None:
        with contextlib.suppress(*WAIT):
            while self._has_room():
                data = self._sock.recv(SIZE)
                if not data:
                    self._end = 0.0
                    return
                self._protocol.receive_data(data)
                self._sort(self._protocol.events_received())

    def _sort(self, events: Iterable[Any]) -> None:
        """Put messages together, and note which pings are answered."""
        for frame in events:
            if not isinstance(frame, Frame):
                continue
            data = bytes(frame.data)
            if frame.opcode is Opcode.PONG and data in self._unanswered:
                while next(iter(self._unanswered)) != data:
                    del self._unanswered[next(iter(self._unanswered))]
                del self._unanswered[data]
            if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
                self._text, self._pieces = frame.opcode is Opcode.TEXT, []
            if frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                self._pieces.append(data)
                if frame.fin:
                    whole, self._pieces = b"".join(self._pieces), []
                    message = whole.decode("utf-8", "replace") if self._text else whole
                    self._messages.append(message)
                    self._held += len(message)

    def _watch(self) -> None:
        """Ping when it is time, and see what took too long."""
        now = time.monotonic()
        if self._protocol.close_expected():
            self._end, self._next_ping = min(self._end, now + CLOSE_PATIENCE), float("inf")
        elif now >= self._next_ping and self._protocol.state is State.OPEN:
            self._ping()
        if not self._has_room():
            # Answers may wait to be read as well, which is not the server's fault.
            self._unanswered = dict.fromkeys(self._unanswered, now)
        oldest = next(iter(self._unanswered.values()), now)
        if now >= oldest + PONG_PATIENCE:
            self._give_up(f"a ping was not answered within {PONG_PATIENCE:g} s")
        if self._out and now >= self._progress + SEND_PATIENCE:
            self._give_up(f"the server has taken nothing for {SEND_PATIENCE:g} s")

    def _give_up(self, problem: str) -> None:
        self._problem, self._end = problem, 0.0

    def _ping(self) -> bytes:
        self._pings += 1
        payload, now = b"%d" % self._pings, time.monotonic()
        self._protocol.send_ping(payload)
        self._unanswered[payload], self._next_ping = now, now + PING_INTERVAL
        self._collect()
        return payload

    def _collect(self) -> None:
        """Take over what the protocol wants to be sent; the end of the stream is the server's to make."""
        if not self._out:
            self._progress = time.monotonic()
        for data in self._protocol.data_to_send():
            self._out += data

    def _write(self) -> None:
        self._collect()
        with contextlib.suppress(*WAIT):
            while self._out:
                del self._out[: self._sock.send(self._out[:SIZE])]
                self._progress = time.monotonic()
