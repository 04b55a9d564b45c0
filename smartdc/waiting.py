"""Wait for something to come true: with a deadline, through blips, and never longer than it makes sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from smartdc.clock import Clock
from smartdc.errors import BadResponse, InputError, ServerError, Throttled, TransportError, WaitTimeout

__all__ = ["DEFAULT_TIMEOUT", "poll"]

T = TypeVar("T")

DEFAULT_TIMEOUT = 600.0
"""Seconds after which a wait gives up unless told otherwise."""

BLIPS = (TransportError, BadResponse, ServerError, Throttled)
"""What may happen between two polls without saying anything about what is waited for."""


def poll(look: Callable[[], T | None], goal: str, *, clock: Clock, interval: float, timeout: float | None) -> T:
    """Call `look` every `interval` seconds until it returns something, and return that.

    Raises `WaitTimeout`, saying what the `goal` was, when `timeout` seconds have passed (None waits for ever). What
    `look` raises ends the wait, except for failures of the connection or the server, which are looked past; the last
    of those is the cause of the `WaitTimeout`.
    """
    if interval < 0 or (timeout is not None and timeout < 0):
        raise InputError("an interval or timeout is not negative")
    deadline = None if timeout is None else clock.monotonic() + timeout
    blip: Exception | None = None
    while True:
        try:
            found = look()
        except BLIPS as error:
            found, blip = None, error
        else:
            blip = None
        if found is not None:
            return found
        left = interval if deadline is None else deadline - clock.monotonic()
        if left <= 0:
            raise WaitTimeout(f"{goal}: not within {timeout:g} s") from blip
        clock.sleep(min(interval, left))
