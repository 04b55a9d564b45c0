"""Deadlines: the moments by which things have to be done, each on the clock that it is measured by.

Waits, retries and whatever a caller asks for go by the clock of the `DataCenter`, which tests and rehearsals replace.
Only what is handed to a socket goes by the system's clock, since the operating system knows no other.
"""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING

from smartdc.http.clock import SystemClock

if TYPE_CHECKING:
    from smartdc.http.clock import Clock

__all__ = ["Deadline", "ambient_deadline", "ending_by"]

SYSTEM_CLOCK = SystemClock()

MIN_LEFT_SECONDS = 0.001
"""The least that `Deadline.left` returns: to a socket, 0 seconds means 'do not block' and not 'too late'."""


class Deadline:
    """A moment by which something has to be done; `seconds` from now, or never for None.

    The clock is the system's where none is given, which only suits sockets.
    """

    __slots__ = ("_clock", "_moment")

    def __init__(self, seconds: float | None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._moment = None if seconds is None else clock.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds left, at least a millisecond: whether it is too late is for `passed` to say."""
        return None if self._moment is None else max(self._moment - self._clock.monotonic(), MIN_LEFT_SECONDS)

    def for_socket(self) -> float | None:
        """Return the seconds left, as a socket takes them; `TimeoutError` when it is too late."""
        if self._moment is None:
            return None
        left = self._moment - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return max(left, MIN_LEFT_SECONDS)

    def passed(self) -> bool:
        """Return whether it is too late."""
        return self._moment is not None and self._clock.monotonic() >= self._moment

    def earlier(self, other: Deadline) -> Deadline:
        """Return the one of two deadlines that has less time left; they may be on different clocks."""
        if other._moment is None:
            return self
        left, others = self.left(), other.left()
        return self if left is not None and others is not None and left <= others else other


NEVER = Deadline(None)

_AMBIENT: ContextVar[Deadline] = ContextVar("deadline", default=NEVER)


def ending_by(deadline: Deadline) -> Context:
    """Return a context in which no call lasts beyond `deadline`: ``ending_by(deadline).run(check)``.

    This is the ambient deadline. A wait runs each check in it, because the check is a method of some resource, which
    makes calls of its own and has no parameter for the time that the wait has left. Each call takes the earlier of its
    own deadline and this one; in another such context, the earlier of both counts.

    It is a context of `contextvars` and no with-block, since a block can be left without its end when an interrupt
    comes at its very beginning, and would then end every later call of the thread.
    """
    context = copy_context()
    context.run(_AMBIENT.set, deadline.earlier(_AMBIENT.get()))
    return context


def ambient_deadline() -> Deadline:
    """Return the deadline of the context that `ending_by` has made; never, outside of any."""
    return _AMBIENT.get()
