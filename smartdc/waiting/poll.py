"""Wait for something to come true: with a deadline, through blips, and never longer than it makes sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from smartdc.errors import BadResponse, InputError, ServerError, Throttled, TransportError, WaitTimeout
from smartdc.http.clock import Clock, ending_at

__all__ = ["DEFAULT_TIMEOUT", "TRANSIENT_ERRORS", "checked_timeout", "checked_times", "poll"]

T = TypeVar("T")

DEFAULT_TIMEOUT = 600.0
"""Seconds after which a wait gives up unless told otherwise."""

TRANSIENT_ERRORS = (TransportError, BadResponse, ServerError, Throttled)
"""What may happen between two looks without saying anything about what is waited for."""

MIN_LAST_CHECK_SECONDS = 5.0
"""Seconds that even the last look may take; a wait can be late by so many, and by no more."""

LONGEST_PAUSE = 30.0
"""Seconds to which the pauses grow while looks keep failing."""


def poll(
    look: Callable[[], T | None],
    goal: str,
    *,
    clock: Clock,
    interval: float = 2.0,
    timeout: float | None = DEFAULT_TIMEOUT,
    watch: Callable[[float, bool], None] | None = None,
) -> T:
    """Call `look` every `interval` seconds until it returns something, and return that.

    Raises `WaitTimeout`, saying what the `goal` was, when `timeout` seconds have passed (None waits for ever). What
    `look` raises ends the wait, except for failures of the connection or the server: these are looked past, with
    pauses that double while they last, and the last of them is the cause of the `WaitTimeout`. `watch` is called
    after each look with the seconds that have passed and whether the wait is over; that it hears also when an error
    or an interrupt ends the wait.
    """
    checked_times(interval=interval)
    checked_timeout(timeout)
    started = clock.monotonic()
    blip: Exception | None = None
    pause = interval
    rest: float | None = None
    while True:
        try:
            if rest is not None:
                clock.sleep(rest)
            now = clock.monotonic()
            with ending_at(None if timeout is None else max(started + timeout, now + MIN_LAST_CHECK_SECONDS)):
                found, blip, pause = look(), None, interval
        except TRANSIENT_ERRORS as error:
            found, blip, pause = None, error, min(max(pause * 2, 1.0), max(LONGEST_PAUSE, interval))
        except BaseException:
            if watch:
                watch(clock.monotonic() - started, True)
            raise
        elapsed = clock.monotonic() - started
        late = timeout is not None and elapsed >= timeout
        if watch:
            watch(elapsed, late or found is not None)
        if found is not None:
            return found
        if late:
            raise WaitTimeout(f"{goal}: not within {timeout:g} s") from blip
        rest = pause if timeout is None else min(pause, timeout - elapsed)


def checked_timeout(timeout: float | None) -> None:
    """Refuse what is no time-out; None is one that never comes."""
    if timeout is not None:
        checked_times(timeout=timeout)


def checked_times(**seconds: float) -> None:
    """Refuse what is no number of seconds, before anything is sent that would then be left to itself.

    Not-a-number is none either: a wait would never be over.
    """
    for name, value in seconds.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
            raise InputError(f"{name}={value!r}: give seconds, which are not negative")
