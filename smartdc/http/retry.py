"""Decide whether and when a failed attempt is tried again.

An attempt that did not succeed has one of three outcomes: the request was never delivered, it was delivered and
refused without being applied, or that is unknown. GET and HEAD may be sent again in all three, PUT and DELETE too, since
doing them twice is doing them once; POST only in the first two.
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
"""How long it takes to get back one retry without a success."""

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Retry:
    """How often, and after what pauses, a failed call is sent again: ``DataCenter(retry=Retry(attempts=3))``.

    What CloudAPI refuses for now without applying it (429, 420, a 503 that announces maintenance) counts neither as an
    attempt nor against the budget: such a call ends with its time-out only.

    Args:
        attempts: the most times that one call is sent; 1 never sends anything again.
        budget: how many retries one client may have ahead of its successes. A success gives one back, and so do ten
            seconds. It guards a server that is down: where every call fails, all calls together send at most so many
            requests more than there are calls.
        base_pause: seconds up to which the first pause is drawn at random; the limit doubles with each attempt.
        max_pause: seconds at which the limit stops doubling.
        max_retry_after: seconds beyond which a server's Retry-After is not waited for, even by a call without a
            time-out.
    """

    attempts: int = 5
    budget: int = 20
    base_pause: float = 0.5
    max_pause: float = 8.0
    max_retry_after: float = 300.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense: `InputError`."""
        for name, least in (("attempts", 1), ("budget", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
        for name in ("base_pause", "max_pause", "max_retry_after"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise InputError(f"{name} must be a non-negative number of seconds, got {value!r}")

    def pause(self, failures: int, rng: random.Random) -> float:
        """Draw the seconds to wait after so many failures: anything up to the limit, so that clients spread."""
        return rng.uniform(0, min(self.max_pause, self.base_pause * 2 ** min(failures, 30)))


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


class Budget:
    """How many more retries one client may send: spent by retries, refilled by successes and by time."""

    def __init__(self, size: float, clock: Clock) -> None:
        """Begin full."""
        self._size = size
        self._clock = clock
        self._left = size
        self._counted = clock.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Spend one retry if there is one."""
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
