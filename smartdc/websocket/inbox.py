"""Put messages together from frames, and hold them, within bounds, until they are taken."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from websockets.frames import Opcode

if TYPE_CHECKING:
    from websockets.frames import Frame

__all__ = ["DATA_OPCODES", "Inbox"]

DATA_OPCODES = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

MAX_MESSAGES = 1024
"""How many messages may wait to be taken before no more are read."""

MAX_BYTES = 16 * 2**20
"""How large they may be together."""


class Inbox:
    """Messages in the order in which they came: one thread adds frames, and one takes messages.

    There is no lock: `deque` is atomic, and each counter is written by one of the two threads only. The size of a
    single message is bounded by the parser of frames.
    """

    def __init__(self) -> None:
        self._messages: deque[tuple[str | bytes, int]] = deque()
        self._added = self._taken = 0
        self._partial = bytearray()
        self._is_text = True

    def add(self, frame: Frame) -> None:
        """Take in a frame of a message; raises `UnicodeDecodeError` for a whole text that is not UTF-8."""
        if frame.opcode is not Opcode.CONT:
            self._is_text, self._partial = frame.opcode is Opcode.TEXT, bytearray()
        # Into one buffer: a list of fragments would grow without bound by empty ones.
        self._partial += frame.data
        if frame.fin:
            whole, self._partial = self._partial, bytearray()
            message = whole.decode() if self._is_text else bytes(whole)
            self._added += len(whole)
            self._messages.append((message, len(whole)))

    def has_message(self) -> bool:
        """Tell whether there is a message to be taken."""
        return bool(self._messages)

    def is_full(self) -> bool:
        """Tell whether nothing more should be read for now."""
        return len(self._messages) >= MAX_MESSAGES or self._added - self._taken >= MAX_BYTES

    def take(self) -> str | bytes:
        """Remove and return the oldest message."""
        message, size = self._messages[0]
        self._taken += size
        # Not popleft(): an interrupt can come right after a call, and would lose what that returned.
        del self._messages[0]
        return message
