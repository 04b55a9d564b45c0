"""Decide whether and when a failed attempt is tried again.

An attempt that did not succeed has one of three outcomes: the request was never delivered, it was delivered and
refused without being applied, or that is unknown. GET and HEAD may be sent again in all three, PUT and DELETE too, since
doing them twice is doing them once; POST only in the first two.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from smartdc.http.dates import parse_http_date
from smartdc.http.failures import Outcome

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

__all__ = ["Budget", "backoff", "may_retry", "retry_after"]

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})

MAX_ATTEMPTS = 5

BASE_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 8.0

MAX_RETRY_AFTER_SECONDS = 300.0
"""Seconds beyond which a server's Retry-After is not waited for, even by a call without a deadline."""


def may_retry(outcome: Outcome, *, repeatable: bool) -> bool:
    """Return whether a request with this outcome can be sent again without doing anything twice."""
    if outcome is Outcome.UNKNOWN:
        return repeatable
    return outcome in {Outcome.NEVER_DELIVERED, Outcome.CLOCK, Outcome.REFUSED}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Parse Retry-After, a number of seconds or a date, as seconds from `now`; None when it is missing or neither."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = parse_http_date(text)
    return None if moment is None else max(moment - now, 0.0)


def backoff(attempt: int, rng: random.Random) -> float:
    """Draw the pause before attempt `attempt` + 1: anything up to a limit that doubles, so that clients spread."""
    return rng.uniform(0, min(MAX_PAUSE_SECONDS, BASE_PAUSE_SECONDS * 2**attempt))


class Budget:
    """How many more retries one client may send: spent by retries, slowly refilled by successes."""

    def __init__(self, size: float = 20.0, refill: float = 0.5) -> None:
        """Begin full."""
        self._size = size
        self._refill = refill
        self._left = size
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Spend one retry if there is one."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def succeeded(self) -> None:
        """Refill a little."""
        with self._lock:
            self._left = min(self._size, self._left + self._refill)
