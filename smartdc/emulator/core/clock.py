"""The one clock of an emulator: it dates records, answers, the skew check and the ends of jobs."""

import threading
import time
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Protocol

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


class Clock(Protocol):
    """What the emulator and its clients ask of a clock; all values are seconds."""

    def time(self) -> float:
        """Return the seconds since the epoch."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def sleep(self, seconds: float) -> None:
        """Let the seconds pass."""


class VirtualClock:
    """A clock that stands still until somebody moves it, so that no test waits."""

    def __init__(self, start: float = START) -> None:
        self.start = start
        self._passed = 0.0
        self._lock = threading.Lock()

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return self.start + self._passed

    def monotonic(self) -> float:
        """Return the seconds since this clock was made."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Move on by the seconds and return at once."""
        self.advance(seconds)

    def rewind(self) -> None:
        """Go back to the start."""
        with self._lock:
            self._passed = 0.0

    def advance(self, seconds: float) -> None:
        """Move on by the seconds; a negative number is a ``ValueError``."""
        if seconds < 0:
            raise ValueError(f"A clock cannot run backwards: {seconds} seconds.")
        with self._lock:
            self._passed += seconds


class WallClock:
    """The real time, plus an offset that makes this side's clock wrong on purpose."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def time(self) -> float:
        """Return the seconds since the epoch, offset added."""
        return time.time() + self.offset

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for the seconds to pass."""
        time.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Add the seconds to the offset."""
        self.offset += seconds


def iso(seconds: float) -> str:
    """Write a time as CloudAPI does: ``2026-01-01T00:00:00.000Z``."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def http_date(seconds: float) -> str:
    """Write a time as HTTP does: ``Thu, 01 Jan 2026 00:00:00 GMT``."""
    return formatdate(seconds, usegmt=True)


def parse_date(text: str) -> float | None:
    """Read an HTTP or ISO date; None stands for what JavaScript calls an invalid date."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None
