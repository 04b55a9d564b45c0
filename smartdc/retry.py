"""Decide what a failed attempt means, and whether and when to try again.

An attempt that did not succeed has one of three outcomes: the request was never delivered, it was delivered and
refused without being applied, or nobody knows. GET and HEAD may be sent again in all three, PUT and DELETE too, since
doing them twice is doing them once; POST only in the first two.
"""

from __future__ import annotations

import enum
import ssl
import threading
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from smartdc.answer import innermost
from smartdc.dates import parse_http_date

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

__all__ = ["Budget", "Outcome", "backoff", "may_retry", "outcome_of_error", "outcome_of_status", "retry_after"]

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
BASE, CAP = 0.5, 8.0


class Outcome(enum.Enum):
    """What is known about a request that was not answered with success."""

    FINAL = "an answer that will not change by asking again"
    NEVER_DELIVERED = "the request never reached CloudAPI"
    CLOCK = "CloudAPI refused it because the clocks differ; signed with its time it may succeed"
    REFUSED = "CloudAPI refused it for now and applied nothing"
    UNKNOWN = "it may or may not have been applied"


def outcome_of_error(error: Exception) -> Outcome:
    """Judge a request that got no whole answer."""
    reason = innermost(error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Outcome.FINAL
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return Outcome.UNKNOWN
    early = (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError)
    late = (NewConnectionError, NameResolutionError, ConnectTimeoutError)
    never = isinstance(error, early) or isinstance(reason, late)
    return Outcome.NEVER_DELIVERED if never else Outcome.UNKNOWN


def outcome_of_status(status: int, headers: Mapping[str, str]) -> Outcome:
    """Judge an error answer.

    A 503 by CloudAPI itself is its maintenance mode, which refuses before anything is done; one by the proxy in
    front of it may hide a time-out of an accepted request. Only CloudAPI's own carries its Server and Request-Id.
    """
    if status in {420, 429}:
        return Outcome.REFUSED
    if status == 503 and "Request-Id" in headers and headers.get("Server", "").startswith("cloudapi"):
        return Outcome.REFUSED
    return Outcome.UNKNOWN if status in {408, 500, 502, 503, 504} else Outcome.FINAL


def may_retry(outcome: Outcome, *, repeatable: bool) -> bool:
    """Tell whether a request with this outcome can be sent again without doing anything twice."""
    if outcome is Outcome.UNKNOWN:
        return repeatable
    return outcome is not Outcome.FINAL


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read Retry-After, as seconds or as a date, as seconds from `now`; None when it says nothing."""
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    moment = parse_http_date(text)
    return None if moment is None else max(moment - now, 0.0)


def backoff(attempt: int, rng: random.Random) -> float:
    """Draw the pause before attempt `attempt` + 1: anything up to a limit that doubles, so that clients spread."""
    return rng.uniform(0, min(CAP, BASE * 2**attempt))


class Budget:
    """How many more retries one client may send: spent by retries, slowly refilled by successes."""

    def __init__(self, size: float = 20.0, refill: float = 0.5) -> None:
        """Begin full."""
        self._size, self._refill, self._left = size, refill, size
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
