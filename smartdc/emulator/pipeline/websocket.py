"""One WebSocket after its handshake.

The connection's own thread does all reading and writing; other threads queue their actions, and wake it. They may hold
the lock of the transitions meanwhile, for which `tick` waits, so neither queueing nor waking may block.
"""

import contextlib
import queue
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

TICK = 0.02
"""Seconds between two calls of `tick`, in which machines may change."""

LAST_WAIT = 2.0
"""The most seconds that the client may take to answer a close frame."""

Message = str | bytes


class WebSocket:
    """A connection that was upgraded; it is closed at the end of its with-block."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._protocol = ServerProtocol(state=State.OPEN, max_size=None)
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._waker, self._bell = socket.socketpair()
        self._waker.setblocking(False)
        self._fragments: list[bytes] = []
        self._opcode = Opcode.TEXT
        self._deadline = float("inf")
        self._broken = self._deaf = False

    def __enter__(self) -> Self:
        """Return the WebSocket itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what the WebSocket has opened itself, but not the connection."""
        self._waker.close()
        self._bell.close()

    # From any thread

    def send(self, message: Message) -> None:
        """Queue a text or bytes to be sent."""
        text = isinstance(message, str)
        data = message.encode() if isinstance(message, str) else message
        self._later(lambda: (self._protocol.send_text if text else self._protocol.send_binary)(data))

    def end(self, reason: str = "") -> None:
        """Send a close frame, after what is queued."""
        self._later(lambda: self._end(reason))

    def cut(self) -> None:
        """End the connection without a close frame."""
        self._later(self._cut)

    def mute(self) -> None:
        """Neither read nor send anything any more, as if the network were gone."""
        self._deaf = True

    def _later(self, act: Callable[[], None]) -> None:
        self._queue.put(act)
        with contextlib.suppress(OSError):
            self._waker.send(b"!")

    # From the connection's own thread

    def run(self, hear: Callable[[Message], None], tick: Callable[[], None]) -> None:
        """Pass messages to ``hear`` until the connection ends; ``tick`` is called at short intervals until then."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while not self._broken and time.monotonic() < self._deadline:
                ready = {key.fileobj for key, _ in selector.select(TICK)}
                if self._bell in ready:
                    self._bell.recv(1024)
                tick()
                try:
                    self._step(self._connection in ready, hear)
                except OSError:
                    return

    def _step(self, readable: bool, hear: Callable[[Message], None]) -> None:
        if self._deaf:
            self._broken = readable and not self._connection.recv(65_536)
            return
        with contextlib.suppress(queue.Empty, InvalidState):
            while True:
                self._queue.get_nowait()()
        self._flush()
        if readable:
            data = self._connection.recv(65_536)
            if not data:
                self._broken = True
                return
            self._protocol.receive_data(data)
            for message in self._messages():
                hear(message)
            self._flush()

    def _messages(self) -> Iterator[Message]:
        """Yield whole messages; pings and closes have been answered already."""
        events: list[Any] = self._protocol.events_received()
        for frame in events:
            if not isinstance(frame, Frame) or frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            if frame.opcode is not Opcode.CONT:
                self._opcode, self._fragments = frame.opcode, []
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                whole = b"".join(self._fragments)
                yield whole.decode("utf-8", "replace") if self._opcode is Opcode.TEXT else whole

    def _flush(self) -> None:
        pieces = self._protocol.data_to_send()
        # In one write: each of several small writes would wait for the acknowledgement of the one before.
        if data := b"".join(pieces):
            self._connection.sendall(data)
        if b"" in pieces:
            self._broken = True

    def _end(self, reason: str) -> None:
        self._protocol.send_close(1000, reason)
        self._deadline = time.monotonic() + LAST_WAIT

    def _cut(self) -> None:
        self._broken = True
