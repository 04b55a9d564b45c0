"""The clocks of an emulator, for records, answers, the check of clock skew and the ends of jobs."""

import threading
import time
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Protocol

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
END = 253_402_300_800.0  # 10000-01-01T00:00:00Z, the first time that no date can show


class Clock(Protocol):
    """The interface of a clock; all values are seconds."""

    def time(self) -> float:
        """Return the seconds since the epoch."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait for seconds to pass."""


class VirtualClock:
    """A clock that stands still until it is advanced or slept on, so that tests never wait."""

    def __init__(self, start: float = START) -> None:
        self.start = start
        self._passed = 0.0
        self._lock = threading.Lock()

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return self.start + self._passed

    def monotonic(self) -> float:
        """Return the seconds that have passed on this clock."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Advance by seconds and return at once."""
        self.advance(seconds)

    def rewind(self) -> None:
        """Go back to the start."""
        with self._lock:
            self._passed = 0.0

    def advance(self, seconds: float) -> None:
        """Advance by seconds; a negative number, or more than dates can show, is a ``ValueError``."""
        if seconds < 0:
            raise ValueError(f"a clock cannot run backwards, got {seconds} seconds")
        _check_end(self.time() + seconds)
        with self._lock:
            self._passed += seconds


class WallClock:
    """The system's clock plus an offset in seconds, to emulate a wrong clock."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def time(self) -> float:
        """Return the seconds since the epoch, plus the offset."""
        return time.time() + self.offset

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for seconds of real time."""
        time.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Add the seconds to the offset; more than dates can show is a ``ValueError``."""
        _check_end(self.time() + seconds)
        self.offset += seconds


def _check_end(seconds: float) -> None:
    if not 0 <= seconds < END:
        raise ValueError(f"no date can show {seconds:g} seconds after 1970")


def iso(seconds: float) -> str:
    """Write a time as CloudAPI does: ``2026-01-01T00:00:00.000Z``."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def http_date(seconds: float) -> str:
    """Write a time as HTTP does: ``Thu, 01 Jan 2026 00:00:00 GMT``."""
    return formatdate(seconds, usegmt=True)


def parse_date(text: str) -> float | None:
    """Parse an HTTP or ISO date into seconds since the epoch; None for what JavaScript calls an invalid date."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None
