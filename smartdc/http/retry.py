"""Decide what a failed attempt means, and whether and when to try again.

An attempt that did not succeed has one of three outcomes: the request was never delivered, it was delivered and
refused without being applied, or nobody knows. GET and HEAD may be sent again in all three, PUT and DELETE too, since
doing them twice is doing them once; POST only in the first two.
"""

from __future__ import annotations

import enum
import socket
import ssl
import threading
from typing import TYPE_CHECKING

from requests.exceptions import InvalidSchema, InvalidURL

from smartdc.http.dates import parse_http_date
from smartdc.http.response import Unusable, layers, nothing_sent

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

__all__ = ["Budget", "Outcome", "backoff", "may_retry", "outcome_of_error", "outcome_of_status", "retry_after"]

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
BASE, CAP = 0.5, 8.0


LONGEST_PAUSE = 300.0
"""Seconds beyond which a server's Retry-After is not waited for, even by a call without a deadline."""

MAINTENANCE = "This Triton data center is being upgraded"
"""CloudAPI's words for its maintenance mode, where the operator gave no others."""


class Outcome(enum.Enum):
    """What is known about a request that was not answered with success."""

    FINAL = "it was refused, and will be again"
    NEVER_DELIVERED = "the request never reached CloudAPI"
    CLOCK = "CloudAPI refused it because the clocks differ; signed with its time it may succeed"
    REFUSED = "CloudAPI refused it for now and applied nothing"
    UNKNOWN = "it may or may not have been applied"
    UNUSABLE = "the same, and asking again would bring the same useless answer"


def outcome_of_error(error: Exception) -> Outcome:
    """Judge a request that got no usable answer."""
    if isinstance(error, Unusable):
        return Outcome.UNKNOWN if error.damaged else Outcome.UNUSABLE
    *_, reason = layers(error)
    unknown_host = isinstance(reason, socket.gaierror) and reason.errno == socket.EAI_NONAME
    if unknown_host or isinstance(reason, ssl.SSLCertVerificationError):
        return Outcome.FINAL
    if isinstance(error, (InvalidSchema, InvalidURL)):
        return Outcome.FINAL
    return Outcome.NEVER_DELIVERED if nothing_sent(error) else Outcome.UNKNOWN


def outcome_of_status(status: int, headers: Mapping[str, str], message: str) -> Outcome:
    """Judge an error answer.

    A redirect may come from something in between, after it has passed the request on. A 503 by which CloudAPI
    announces maintenance refuses a request before anything is done. Any other may hide what was accepted: the proxy
    in front gives one for its own time-out, without a Request-Id and CloudAPI's Server header, and CloudAPI passes on
    what its backends say, when it looks at what it has just made for instance.
    """
    if 300 <= status < 400:
        return Outcome.UNUSABLE
    if status in {420, 429}:
        return Outcome.REFUSED
    own = "Request-Id" in headers and headers.get("Server", "").startswith("cloudapi")
    if status == 503 and own and ("Retry-After" in headers or MAINTENANCE in message):
        return Outcome.REFUSED
    if status in {501, 505, 507}:
        return Outcome.FINAL
    return Outcome.UNKNOWN if status == 408 or status >= 500 else Outcome.FINAL


def may_retry(outcome: Outcome, *, repeatable: bool) -> bool:
    """Tell whether a request with this outcome can be sent again without doing anything twice."""
    if outcome is Outcome.UNKNOWN:
        return repeatable
    return outcome in {Outcome.NEVER_DELIVERED, Outcome.CLOCK, Outcome.REFUSED}


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read Retry-After, as seconds or as a date, as seconds from `now`; None when it says nothing."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
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
