"""Keep one WebSocket alive: one thread reads, writes and pings; other threads give it messages and take messages from it.

`websockets` has its own client with threads and a keep-alive, `websockets.sync.client`. It is not used because, as of
17.4, it does not keep our promises:

- `send` blocks without a deadline, and holds the lock that its keep-alive and `close` need: if a server reads nothing,
  all three hang for ever. So does `close` under a flood of pings.
- Its queue counts frames, not bytes: 16 messages of 16 MiB are 256 MiB, and one more waits.
- While its queue is full, it reads nothing, not even pongs, and then thinks that the server is dead: a program that is
  busy for a while loses the connection.
- An interrupt in `send` leaves half a frame on the wire, and the connection open; an interrupt in `recv` loses
  fragments.
- It reads and writes TLS from two threads at once, which OpenSSL does not allow.

So this module uses only its protocol parser, which does no I/O.

How the loop works: its thread owns the socket, the parser, the heartbeat and all data that is not yet written, and
never blocks on any of them. It waits in `select` until it can read or write, or another thread wakes it through a pipe,
or the next deadline comes. In each turn it reads one piece, no matter how fast a server sends. It shares with other
threads only two deques (orders go in, messages come out) and flags that only one side writes. So there is no lock that
a slow server, an interrupt or a finalizer could leave taken. Each waiting thread has its own queue, on which the loop
wakes it after each turn. So a caller's deadline holds whatever the server does, and the loop ends by itself if the
server stalls.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosedOK
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State

from smartdc.http.tracebacks import let_pass
from smartdc.websocket.heartbeat import PONG_PATIENCE, Heartbeat
from smartdc.websocket.inbox import DATA_OPCODES, Inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from websockets.client import ClientProtocol

__all__ = ["PIECE_BYTES", "ConnectionLost", "TimedOut", "WebSocketConnection"]

SEND_PATIENCE = 60.0
"""Seconds for which a server may read nothing of the data sent to it."""

CLOSE_PATIENCE = 3.0
"""Seconds that a server has to answer a close frame and end the connection."""

PIECE_BYTES = 65_536
"""How many bytes are read or written at a time."""

MAX_PONG_BYTES = 65_536
"""If more bytes of pongs than this wait to be written, nothing more is read."""

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TimedOut(TimeoutError):
    """The caller's timeout passed; it is not a `TimeoutError`, since an alarm of the caller's program may raise that too."""


class ConnectionLost(ConnectionError):
    """The connection is over, although the server has not closed it properly."""


class _Order:
    """An order of another thread to send a message or a ping; it is done when the message is written or the ping answered."""

    __slots__ = ("done", "message", "ping")

    def __init__(self, message: str | bytes | None) -> None:
        self.message, self.ping, self.done = message, 0, False


class WebSocketConnection:
    """A connection after its handshake; `events` are those that arrived with the handshake."""

    def __init__(self, sock: socket.socket, protocol: ClientProtocol, events: Iterable[Any]) -> None:
        self._sock, self._protocol = sock, protocol
        now = time.monotonic()
        self._inbox, self._heartbeat = Inbox(), Heartbeat(now)
        self._orders: deque[_Order] = deque()
        self._unwritten: deque[_Order] = deque()
        self._unanswered: deque[_Order] = deque()
        self._out, self._pong_bytes, self._progress = bytearray(), 0, now
        self._end = math.inf
        self._has_more = False
        self._closing = self._abandoned = self._over = False
        self._problem = ""
        self._waiters: list[SimpleQueue[None]] = []
        self._waker, self._bell = socket.socketpair()
        for each in (sock, self._waker, self._bell):
            each.setblocking(False)
        self._sort(events)
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="smartdc-websocket", daemon=True)
        self._thread.start()

    # From any thread

    def send(self, message: str | bytes, timeout: float | None) -> None:
        """Send a message, and return when it is on its way.

        `TimedOut` ends the connection, since a half-sent message cannot be taken back.
        """
        try:
            self._carry_out(_Order(message), timeout)
        except TimedOut:
            self._abandoned = True
            self._wake()
            raise

    def settle(self, timeout: float | None) -> None:
        """Wait until the server has read all sent messages: it answers a ping only after them."""
        self._carry_out(_Order(None), timeout)

    def receive(self, timeout: float | None) -> str | bytes | None:
        """Return the next message, or None when the server has closed the connection.

        One thread at a time may receive. An interrupt loses no message.
        """
        if not self._inbox.is_full():
            # The loop may have stopped reading, and can go on since the last message was taken.
            self._wake()
        self._wait_for(self._inbox.has_message, timeout)
        if self._inbox.has_message():
            return self._inbox.take()
        if isinstance(self._protocol.close_exc, ConnectionClosedOK) and not self._problem:
            return None
        raise self._lost()

    def close(self, *, wait: bool = True) -> None:
        """Send a close frame; the connection ends when the server has answered it, or after `CLOSE_PATIENCE` seconds."""
        if os.getpid() != self._pid:
            # A forked child does not touch its parent's connection.
            return
        self._closing = True
        self._wake()
        if wait and threading.current_thread() is not self._thread:
            self._thread.join(2 * CLOSE_PATIENCE)

    @property
    def reason(self) -> str:
        """The server's reason for closing the connection."""
        return self._protocol.close_reason or ""

    def _carry_out(self, order: _Order, timeout: float | None) -> None:
        self._orders.append(order)
        self._wake()
        self._wait_for(lambda: order.done, timeout)
        if not order.done:
            raise self._lost()

    def _wait_for(self, condition: Callable[[], bool], timeout: float | None) -> None:
        """Wait until the condition is true, or the connection is over."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        # Not a Condition or an Event: an interrupt at the wrong moment leaves their lock taken.
        waiter: SimpleQueue[None] = SimpleQueue()
        try:
            self._waiters.append(waiter)
            while not (condition() or self._over):
                left = min(end - time.monotonic(), threading.TIMEOUT_MAX)
                if left <= 0:
                    raise TimedOut
                with contextlib.suppress(Empty):
                    waiter.get(timeout=left)
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        try:
            self._waker.send(b"!")
        except OSError as error:
            # A full pipe wakes as well, and a closed one has nobody to wake.
            let_pass(error)

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(self._problem or str(self._protocol.close_exc))

    # From the connection's own thread

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._bell, selectors.EVENT_READ)
                while time.monotonic() < self._end and not self._abandoned:
                    self._turn(selector)
        except (OSError, ValueError) as error:
            # ValueError: the socket was closed by somebody else.
            self._problem = self._problem or str(error)
        finally:
            for each in (self._sock, self._waker, self._bell):
                each.close()
            self._protocol.receive_eof()
            self._over = True
            self._notify()

    def _turn(self, selector: selectors.BaseSelector) -> None:
        """Wait until there is something to do, and do a bounded amount of it."""
        self._select(selector)
        self._take_orders()
        self._read()
        self._watch(time.monotonic())
        self._write()
        self._finish_orders()
        self._notify()

    def _select(self, selector: selectors.BaseSelector) -> None:
        may_read = self._may_read()
        wanted = (selectors.EVENT_READ if may_read else 0) | (selectors.EVENT_WRITE if self._out else 0)
        # TLS may hold more than the last piece, which select() does not see.
        pause = 0.0 if self._has_more and may_read else max(self._next_deadline() - time.monotonic(), 0.0)
        if wanted:
            selector.register(self._sock, wanted)
        selector.select(None if pause == math.inf else pause)
        if wanted:
            selector.unregister(self._sock)
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(PIECE_BYTES)

    def _may_read(self) -> bool:
        return (self._closing or not self._inbox.is_full()) and self._pong_bytes < MAX_PONG_BYTES

    def _next_deadline(self) -> float:
        stalled = self._progress + SEND_PATIENCE if self._out else math.inf
        return min(self._end, self._heartbeat.next_moment, stalled)

    def _take_orders(self) -> None:
        """Give the orders of other threads to the protocol; an order that can no longer be sent stays undone."""
        while self._orders and self._protocol.state is State.OPEN:
            order = self._orders.popleft()
            if order.message is None:
                self._ping()
                order.ping = self._heartbeat.sent
                self._unanswered.append(order)
                continue
            if isinstance(order.message, str):
                self._protocol.send_text(order.message.encode())
            else:
                self._protocol.send_binary(order.message)
            self._unwritten.append(order)
        if self._closing:
            self._end = min(self._end, time.monotonic() + CLOSE_PATIENCE)
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(CloseCode.NORMAL_CLOSURE)

    def _finish_orders(self) -> None:
        if not self._out:
            self._pong_bytes = 0
            while self._unwritten:
                self._unwritten.popleft().done = True
        while self._unanswered and self._unanswered[0].ping <= self._heartbeat.answered:
            self._unanswered.popleft().done = True

    def _notify(self) -> None:
        for waiter in tuple(self._waiters):
            if waiter.empty():
                waiter.put(None)

    def _read(self) -> None:
        """Read one piece only, so that a server that sends without end does not block the rest of the loop."""
        self._has_more = False
        if not self._may_read():
            return
        with contextlib.suppress(*WOULD_BLOCK):
            data = self._sock.recv(PIECE_BYTES)
            if not data:
                self._end = -math.inf
                return
            self._has_more = True
            self._protocol.receive_data(data)
            self._sort(self._protocol.events_received())

    def _sort(self, events: Iterable[Any]) -> None:
        """Assemble messages, and note the answered pings and the answers that are due."""
        for frame in events:
            if not isinstance(frame, Frame):
                continue
            if frame.opcode is Opcode.PONG:
                self._heartbeat.pong(bytes(frame.data), time.monotonic())
            elif frame.opcode is Opcode.PING:
                self._pong_bytes += len(frame.data) + 6
            elif frame.opcode in DATA_OPCODES and not self._closing:
                try:
                    self._inbox.add(frame)
                except UnicodeDecodeError:
                    self._problem = "a text message is not valid UTF-8"
                    self._protocol.fail(CloseCode.INVALID_DATA)
                    return

    def _watch(self, now: float) -> None:
        """Ping when it is time, and give up if the server misses a deadline."""
        if self._protocol.close_expected():
            self._end = min(self._end, now + CLOSE_PATIENCE)
            self._heartbeat.stop()
        elif self._heartbeat.is_due(now) and self._protocol.state is State.OPEN:
            self._ping()
        if self._inbox.is_full():
            # Answers may wait to be read as well, which is not the server's fault.
            self._heartbeat.excuse(now)
        if self._heartbeat.is_dead(now):
            self._give_up(f"a ping was not answered within {PONG_PATIENCE:g} s")
        if self._out and now >= self._progress + SEND_PATIENCE:
            self._give_up(f"the server has taken nothing for {SEND_PATIENCE:g} s")

    def _give_up(self, problem: str) -> None:
        self._problem, self._end = problem, -math.inf

    def _ping(self) -> None:
        self._protocol.send_ping(self._heartbeat.ping(time.monotonic()))

    def _write(self) -> None:
        """Write as much as the socket accepts; the server ends the stream."""
        if not self._out:
            self._progress = time.monotonic()
        for data in self._protocol.data_to_send():
            self._out += data
        with contextlib.suppress(*WOULD_BLOCK):
            while self._out:
                del self._out[: self._sock.send(self._out[:PIECE_BYTES])]
                self._progress = time.monotonic()
