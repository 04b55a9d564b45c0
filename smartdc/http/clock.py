"""Clocks: this library reads the time and sleeps only through them."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "corrected_offset"]

MIN_CORRECTED_SKEW_SECONDS = 60.0
"""The minimum difference at which we trust the server's clock instead of our own."""
MAX_PLAUSIBLE_SKEW_SECONDS = 1e10
"""Largest plausible clock difference, about 317 years; anything above is a bogus Date header."""


class Clock(Protocol):
    """The interface of a clock; give your own clock to a `DataCenter` to control the time."""

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


def corrected_offset(server: float | None, clock: Clock, offset: float) -> float | None:
    """Return the difference of the server's time from `clock`, if it explains why the server refused a request.

    The request was signed with `offset`. If the new difference is less than a minute from that, it explains nothing,
    and the result is None.
    """
    if server is None:
        return None
    found = server - clock.time()
    return found if MIN_CORRECTED_SKEW_SECONDS < abs(found - offset) < MAX_PLAUSIBLE_SKEW_SECONDS else None
