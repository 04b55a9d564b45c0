"""Decide whether and when a failed attempt is tried again.

A failed attempt has one of three outcomes: the request was never delivered; it was delivered and refused without being
applied; or the outcome is unknown. GET and HEAD may be sent again in all three cases, and so may PUT and DELETE, since
sending them twice has the same effect as once. POST may be sent again only in the first two.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartdc.errors import InputError
from smartdc.http.dates import parse_http_date
from smartdc.http.failures import Outcome

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from smartdc.http.clock import Clock

__all__ = ["Budget", "Retry", "may_retry", "retry_after"]

SECONDS_PER_RETRY = 10.0
"""The time after which the budget gets back one retry without a success."""

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Retry:
    """How often, and after which pauses, a failed call is sent again: ``DataCenter(retry=Retry(attempts=3))``.

    Requests that CloudAPI refuses for the moment without applying them (429, 420, a 503 for maintenance) do not count,
    as an attempt or against the budget: they are sent again until the call's time is up.

    Args:
        attempts: how many times one call is sent at most; 1 means no retries.
        budget: how many retries one client can use; every success gives one back, and so do every ten seconds. It
            protects a server that is down: if every call fails, all calls together send at most so many additional
            requests.
        base_pause: the maximum of the first pause in seconds; the pause is random, and its maximum doubles with each
            attempt.
        max_pause: the value in seconds at which the maximum stops doubling.
        max_retry_after: the longest Retry-After of a server, in seconds, for which a call waits, even if the call has
            no timeout.
    """

    attempts: int = 5
    budget: int = 20
    base_pause: float = 0.5
    max_pause: float = 8.0
    max_retry_after: float = 300.0

    def __post_init__(self) -> None:
        """Refuse invalid values: `InputError`."""
        for name, least in (("attempts", 1), ("budget", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
        for name in ("base_pause", "max_pause", "max_retry_after"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise InputError(f"{name} must be a non-negative number of seconds, got {value!r}")

    def pause(self, failures: int, rng: random.Random) -> float:
        """Return random seconds to wait after so many failures, up to the maximum, so that clients spread."""
        return rng.uniform(0, min(self.max_pause, self.base_pause * 2 ** min(failures, 30)))


def may_retry(outcome: Outcome, *, repeatable: bool) -> bool:
    """Return whether a request with this outcome can be sent again without a double effect."""
    if outcome is Outcome.UNKNOWN:
        return repeatable
    return outcome in {Outcome.NEVER_DELIVERED, Outcome.CLOCK, Outcome.REFUSED}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Parse Retry-After, a number of seconds or a date, as seconds from `now`; None if it is missing or invalid."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = parse_http_date(text)
    return None if moment is None else max(moment - now, 0.0)


class Budget:
    """How many more retries one client may send: a retry uses one up; successes and time give them back."""

    def __init__(self, size: float, clock: Clock) -> None:
        """Begin with a full budget."""
        self._size = size
        self._clock = clock
        self._left = size
        self._counted = clock.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Use up one retry if there is one."""
        with self._lock:
            now = self._clock.monotonic()
            self._left = min(self._size, self._left + (now - self._counted) / SECONDS_PER_RETRY)
            self._counted = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def succeeded(self) -> None:
        """Give one retry back."""
        if self._left < self._size:
            with self._lock:
                self._left = min(self._size, self._left + 1)
