"""Count and keep connections in a way that an interrupt cannot leave locked.

Semaphores and queues of the standard library are Python code around a lock. If a signal handler raises in the middle of
that code, as the handler of Ctrl-C does, the lock may stay taken. The next call would then wait for it for ever, past
its deadline.
"""

from __future__ import annotations

from collections import deque
from queue import Empty, Full, SimpleQueue
from typing import Any

from smartdc.http.tracebacks import let_pass

__all__ = ["Slots", "Stack"]


class Slots:
    """A semaphore: it limits how many threads do something at the same time."""

    def __init__(self, size: int) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._free.put(None)

    @property
    def free(self) -> int:
        """How many slots are free."""
        return self._free.qsize()

    def acquire(self, taken: list[None], timeout: float | None = None) -> bool:
        """Move a slot to `taken`, and return whether there was one within `timeout` seconds; None waits for ever.

        Signal handlers run between two steps of Python code, and never within a call into C. If one call returned a
        slot and the next one stored it, an interrupt between them would lose the slot. Here one call does both:
        `list.extend` takes the slot from the `queue.SimpleQueue` of free slots. The queue also wakes waiting threads in
        the order in which they came, so that no thread starves.
        """
        try:
            taken.extend(map(self._free.get, (True,), (timeout,)))
        except Empty:
            return False
        return True

    def release(self, taken: list[None]) -> None:
        """Give back the taken slot, in one call into C; do nothing if none was taken, or if it is already back."""
        deque(map(self._free.put, map(taken.pop, range(len(taken)))), 0)


class Stack:
    """The container of a urllib3 pool's connections; it never waits, like the pools of `requests`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: deque[Any] = deque()

    def pop(self) -> Any:
        """Take the connection that was put last; None if there is none."""
        try:
            return self._kept.pop()
        except IndexError as error:
            let_pass(error)
            return None

    def get(self, block: bool = False, timeout: float | None = None) -> Any:  # noqa: ARG002 (urllib3 passes them)
        """Take the connection that was put last, or raise `queue.Empty`."""
        try:
            return self._kept.pop()
        except IndexError as error:
            let_pass(error)
            raise Empty from None

    def put(self, item: Any, block: bool = False) -> None:  # noqa: ARG002 (urllib3 passes it)
        """Keep a connection, or None in its place; raise `queue.Full` if there are enough."""
        if len(self._kept) >= self._size:
            raise Full
        self._kept.append(item)

    def drop_idle(self, moment: float) -> None:
        """Close the connections that were used last before a `moment` of the system's clock.

        The last connection is taken first, so older ones could stay below it for as long as the client lives.
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
