"""Clocks: through them alone this library reads the time or sleeps."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the library asks of a clock; give your own to a `DataCenter` to make time pass as you like."""

    def time(self) -> float:
        """Return the seconds since 1970-01-01T00:00:00Z."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""

    def sleep(self, seconds: float, /) -> None:
        """Let `seconds` pass."""


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        """Return the wall clock's epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return the system's monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Block this thread for `seconds`."""
        time.sleep(seconds)
