"""Deadlines: moments by which an operation must end, each on its own clock.

Waits, retries and callers' timeouts use the clock of the `DataCenter`, which tests can replace. Only timeouts of
sockets use the system's clock, since the operating system has no other.
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
"""The minimum result of `Deadline.left`: for a socket, 0 seconds means 'do not block' and not 'too late'."""


class Deadline:
    """A moment by which something has to be done: `seconds` from now, or never for None.

    The default is the system's clock, which is right only for sockets.
    """

    __slots__ = ("_clock", "_moment")

    def __init__(self, seconds: float | None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._moment = None if seconds is None else clock.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds left, at least a millisecond; use `passed` to check whether it is too late."""
        return None if self._moment is None else max(self._moment - self._clock.monotonic(), MIN_LEFT_SECONDS)

    def for_socket(self) -> float | None:
        """Return the seconds left, for a socket; raise `TimeoutError` if it is too late."""
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

    This is the ambient deadline. A wait runs each check in it, because the check is a method of some resource: it makes
    its own calls, and has no parameter for the time that the wait has left. Each call takes the earlier one of its own
    deadline and this one; if contexts are nested, the earliest deadline counts.

    It is a context of `contextvars`, not a with-block: an interrupt at the very beginning of a block can prevent its
    end from running, and the deadline would then apply to every later call of the thread.
    """
    context = copy_context()
    context.run(_AMBIENT.set, deadline.earlier(_AMBIENT.get()))
    return context


def ambient_deadline() -> Deadline:
    """Return the deadline of the context from `ending_by`; outside of such a context, one that never comes."""
    return _AMBIENT.get()
