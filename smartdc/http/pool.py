"""Count and keep connections in a way that an interrupt cannot leave locked.

Semaphores and queues of the standard library are Python code around a lock. When a signal handler raises in the middle
of it, as that of Ctrl-C does, the lock may stay taken, and the next call would wait for it for ever, past its deadline.
"""

from __future__ import annotations

from collections import deque
from queue import Empty, Full, SimpleQueue
from typing import Any

from smartdc.http.tracebacks import let_pass

__all__ = ["Slots", "Stack"]


class Slots:
    """A semaphore: how many may do something at the same time."""

    def __init__(self, size: int) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._free.put(None)

    @property
    def free(self) -> int:
        """How many slots nobody has."""
        return self._free.qsize()

    def acquire(self, taken: list[None], timeout: float | None = None) -> bool:
        """Move a slot to `taken`, and return whether there was one within `timeout` seconds; None waits for ever.

        Python's signal handlers run between two steps of Python's, and never within a call into C. A slot that is
        returned by one call and noted by the next would be lost to an interrupt between them. Here one call does both:
        `list.extend` takes it from the `queue.SimpleQueue` that has the free ones. That also wakes those who wait in
        the order in which they came, so that no thread starves.
        """
        try:
            taken.extend(map(self._free.get, (True,), (timeout,)))
        except Empty:
            return False
        return True

    def release(self, taken: list[None]) -> None:
        """Give back what was taken, in one call into C; when nothing was, or it is back already, do nothing."""
        deque(map(self._free.put, map(taken.pop, range(len(taken)))), 0)


class Stack:
    """What urllib3 keeps the connections of a pool in; it never waits, as the pools of `requests` never do."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: deque[Any] = deque()

    def pop(self) -> Any:
        """Take what was put last; None where there is nothing."""
        try:
            return self._kept.pop()
        except IndexError as error:
            let_pass(error)
            return None

    def get(self, block: bool = False, timeout: float | None = None) -> Any:  # noqa: ARG002 (urllib3 passes them)
        """Take what was put last, or raise `queue.Empty`."""
        try:
            return self._kept.pop()
        except IndexError as error:
            let_pass(error)
            raise Empty from None

    def put(self, item: Any, block: bool = False) -> None:  # noqa: ARG002 (urllib3 passes it)
        """Keep a connection, or None in place of one; `queue.Full` when there are enough."""
        if len(self._kept) >= self._size:
            raise Full
        self._kept.append(item)

    def drop_idle(self, moment: float) -> None:
        """Close the connections that were used last before a `moment` of the system's clock.

        What was put last is taken first, so the others may lie below it for as long as the client lives.
        """
        if not self._kept:
            return
        try:
            while (oldest := self._kept.popleft()) is None or oldest.used_at < moment:
                if oldest is not None:
                    oldest.close()
            self._kept.appendleft(oldest)
        except IndexError as error:
            let_pass(error)

    def qsize(self) -> int:
        """Return how many there are."""
        return len(self._kept)
