"""Wait until a condition is true: with a deadline, through outages, and not longer than makes sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from smartdc.errors import InputError, WaitFailed, WaitTimeout
from smartdc.http import status_line, tracing
from smartdc.http.clock import Clock, SystemClock
from smartdc.http.deadline import Deadline, ending_by
from smartdc.http.failures import TRANSIENT_ERRORS
from smartdc.waiting.interrupts import is_interrupt
from smartdc.waiting.progress import Announcer, Reporting, Waitable

if TYPE_CHECKING:
    from smartdc.core.resource import Resource

__all__ = ["DEFAULT_TIMEOUT", "checked_timeout", "checked_times", "poll"]

T = TypeVar("T")

DEFAULT_TIMEOUT = 600.0
"""The default timeout of a wait."""

MIN_LAST_CHECK_SECONDS = 5.0
"""Seconds that even the last check may take; a wait can exceed its timeout by no more than this."""

MAX_SECONDS = 1e15
"""The largest number of seconds that clocks can count, some thirty million years."""

LONGEST_PAUSE = 30.0
"""The longest pause, in seconds, while checks keep failing."""


def poll(
    resource: Waitable,
    check: Callable[[], T | None],
    goal: str,
    *,
    interval: float = 2.0,
    timeout: float | None = DEFAULT_TIMEOUT,
    progress: Reporting = None,
    job: str = "",
    hint: str = "",
    since: float | None = None,
) -> T:
    """Call `check` every `interval` seconds until its result is true, and return the result.

    Raises `WaitTimeout` with the `resource` when `timeout` seconds have passed (None waits for ever); its text names
    the resource and the `goal` that was missed, such as "is not running". An error of `check` ends the wait, except for
    `TRANSIENT_ERRORS`: the last of them is the cause of the `WaitTimeout`. `progress` is as in `reporter`; None means
    the data centre's own. If the wait is for a `job`, such as "resize", progress and the note of an interrupt name the
    job and not the state; `hint` says how to continue the wait after an interrupt. The time counts from the clock's
    reading `since`, by default from now.
    """
    # A round of the loop is a pause, a check and a report. The first check comes at once and the last one exactly at
    # the deadline, because the pause before it is cut short. Each check has until the deadline, and at least
    # MIN_LAST_CHECK_SECONDS, so that a silent server cannot prolong the wait. A transient failure counts as "not yet"
    # and doubles the pause; the next answer makes the pause what it was. Every end is reported exactly once: an error
    # or an interrupt below, everything else after the check; an interrupt of the reporter itself is not reported to it.
    checked_times(interval=interval)
    checked_timeout(timeout)
    # A stand-in for a data centre need not have a clock.
    clock = getattr(resource.datacenter, "clock", None) or SystemClock()
    started = clock.monotonic() if since is None else since
    announcer = Announcer(resource, timeout, progress, started, clock, job=job, hint=hint)
    limit = float("inf") if timeout is None else timeout
    found: T | None = None
    failure: Exception | None = None
    pause, rest = interval, 0.0
    with tracing.span("wait", resource):
        while True:
            try:
                announcer.sleep(rest, failure)
                context = ending_by(_deadline_of_check(started, timeout, clock))
                context.run(status_line.watching.set, announcer.draws_a_line)
                found, failure, pause = context.run(check), None, interval
            except TRANSIENT_ERRORS as error:
                failure, pause = error, min(max(pause * 2, 1.0), max(LONGEST_PAUSE, interval))
            except KeyboardInterrupt as stop:
                _report_end(announcer, stop)
                raise stop.with_traceback(None) from None  # the place within the pause is random
            except BaseException as error:
                _report_end(announcer, error)
                raise
            elapsed = clock.monotonic() - started
            if found:
                announcer.announce("done")
                return found
            if elapsed >= limit:
                announcer.announce("not done")
                text = f"{resource.describe()} {goal} after {limit:g} s"
                raise WaitTimeout(text, resource=cast("Resource", resource)) from failure
            announcer.announce("")
            rest = min(pause, limit - elapsed)


def _report_end(announcer: Announcer, error: BaseException) -> None:
    """Report an error or an interrupt that ends a wait."""
    announcer.announce("failed" if isinstance(error, WaitFailed) else "interrupted")
    if is_interrupt(error):
        announcer.note_interrupt(error)


def _deadline_of_check(started: float, timeout: float | None, clock: Clock) -> Deadline:
    if timeout is None:
        return Deadline(None, clock)
    return Deadline(max(started + timeout - clock.monotonic(), MIN_LAST_CHECK_SECONDS), clock)


def checked_timeout(timeout: float | None) -> None:
    """Refuse an invalid timeout (`InputError`); None means no limit."""
    if timeout is not None:
        checked_times(timeout=timeout)


def checked_times(**seconds: float) -> None:
    """Refuse an invalid number of seconds before any request is sent, since nobody would wait for its result.

    Not-a-number is refused too: such a wait would never end.
    """
    for name, value in seconds.items():
        known = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not known or not (0 <= value <= MAX_SECONDS or value == float("inf")):
            raise InputError(f"{name} must be a non-negative number of seconds, got {value!r}")
