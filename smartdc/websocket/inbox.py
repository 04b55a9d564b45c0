"""Assemble messages from frames, and keep a limited number of them until they are taken."""

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
"""How large the waiting messages may be together, in bytes."""


class Inbox:
    """Messages in the order in which they came: one thread adds frames, and one takes messages.

    There is no lock: `deque` is atomic, and only one of the two threads writes each counter. The parser of frames
    limits the size of a single message.
    """

    def __init__(self) -> None:
        self._messages: deque[tuple[str | bytes, int]] = deque()
        self._added = self._taken = 0
        self._partial = bytearray()
        self._is_text = True

    def add(self, frame: Frame) -> None:
        """Add a frame of a message; raise `UnicodeDecodeError` for a complete text that is not UTF-8."""
        if frame.opcode is not Opcode.CONT:
            self._is_text, self._partial = frame.opcode is Opcode.TEXT, bytearray()
        # One buffer: a list of fragments could grow without limit with empty ones.
        self._partial += frame.data
        if frame.fin:
            whole, self._partial = self._partial, bytearray()
            message = whole.decode() if self._is_text else bytes(whole)
            self._added += len(whole)
            self._messages.append((message, len(whole)))

    def has_message(self) -> bool:
        """Return whether there is a message to take."""
        return bool(self._messages)

    def is_full(self) -> bool:
        """Return whether nothing more should be read for now."""
        return len(self._messages) >= MAX_MESSAGES or self._added - self._taken >= MAX_BYTES

    def take(self) -> str | bytes:
        """Remove and return the oldest message."""
        message, size = self._messages[0]
        self._taken += size
        # Not popleft(): an interrupt right after the call would lose its result.
        del self._messages[0]
        return message
