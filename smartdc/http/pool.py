"""Count and keep connections in a way that an interrupt cannot leave locked.

Semaphores and queues of the standard library are Python code around a lock. When a signal handler raises in the middle
of it, as that of Ctrl-C does, the lock may stay taken, and the next call would wait for it for ever, past its deadline.
"""

from __future__ import annotations

from collections import deque
from queue import Empty, Full, SimpleQueue
from typing import Any

__all__ = ["Slots", "Stack"]


class Slots:
    """A semaphore: how many may do something at the same time."""

    def __init__(self, size: int) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._free.put(None)

    def acquire(self, timeout: float | None = None) -> bool:
        """Take a slot, and return whether there was one within `timeout` seconds; None waits for ever.

        The free slots are the items of a `queue.SimpleQueue`. Its `get` is one call into C, which Python's signal
        handlers cannot interrupt halfway: either an item was taken and is returned, or it is still there. And it wakes
        those who wait in the order in which they came, so that no thread starves.
        """
        try:
            self._free.get(timeout=timeout)
        except Empty:
            return False
        return True

    def release(self) -> None:
        """Give a slot back."""
        self._free.put(None)


class Stack:
    """What urllib3 keeps the connections of a pool in; it never waits, as the pools of `requests` never do."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: deque[Any] = deque()

    def get(self, block: bool = False, timeout: float | None = None) -> Any:  # noqa: ARG002 (urllib3 passes them)
        """Take what was put last, or raise `queue.Empty`."""
        try:
            return self._kept.pop()
        except IndexError:
            raise Empty from None

    def put(self, item: Any, block: bool = False) -> None:  # noqa: ARG002 (urllib3 passes it)
        """Keep a connection, or None in place of one; `queue.Full` when there are enough."""
        if len(self._kept) >= self._size:
            raise Full
        self._kept.append(item)

    def qsize(self) -> int:
        """Return how many there are."""
        return len(self._kept)
