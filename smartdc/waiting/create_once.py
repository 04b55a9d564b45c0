"""Create a thing exactly once, over a connection that may lose the answer.

CloudAPI has no idempotency key, so the thing that a create makes must have a mark by which it can be found: a token, a
name, or being new. `create_once` looks for that mark before it sends the same create again. With the mix-in
`CreatesOnce`, a noun uses it in one line.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from smartdc.core.resource import Addressable, Resource
from smartdc.errors import CallError, Conflict, DoubledCreate, SmartDCError
from smartdc.http import tracing
from smartdc.http.clock import Clock
from smartdc.waiting.lost_answer import NOBODY, Search, Watcher, find_until_settled, look_once

__all__ = [
    "JOB_SETTLE_SECONDS",
    "MAX_SKEW_SECONDS",
    "SETTLE_SECONDS",
    "CreatesOnce",
    "create_once",
    "single",
    "started_after",
]

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

SETTLE_SECONDS = 10.0
"""How long a thing that CloudAPI stores at once may stay invisible after its create was accepted."""

JOB_SETTLE_SECONDS = 30.0
"""How long a thing that a job makes may stay invisible after its create was accepted."""

MAX_SKEW_SECONDS = 300.0
"""Maximum difference between CloudAPI's clock and ours: CloudAPI refuses signatures with another time."""


def create_once(
    send: Callable[[], T],
    find: Callable[[], list[T]],
    clock: Clock,
    settle: float,
    *,
    unique: bool = False,
    watcher: Watcher = NOBODY,
) -> T:
    """Send a create, at most twice, and return the one thing that it made.

    Each attempt ends in one of four ways:

    1. An answer: it is the thing.
    2. A refusal that was certainly not applied: it is final.
    3. A conflict: it may be with our own earlier attempt, so one search decides.
    4. An unknown outcome: the function searches for the thing, for as long as it could still appear. The second attempt
       is allowed only if a search after that time worked and found nothing; otherwise it might make a second thing.

    If no search worked, or if the second attempt fails, the outcome stays unknown, whatever the second error says: the
    first create may have been applied since the last search. The error is then raised with `applied` None.

    This function never sees a request that certainly was not sent: the call itself sends it again at once.

    Args:
        send: sends the create and returns the thing.
        find: returns every thing with its mark.
        clock: sleeps between two searches.
        settle: seconds for which an accepted thing may stay invisible.
        unique: whether only this create can have made a thing with the mark; otherwise a conflict at the first attempt
            is about a thing that existed before.
        watcher: is told about a lost answer, and about every search.
    """
    lost: CallError | None = None
    with tracing.span("create", watcher):
        while True:
            try:
                thing = send()
            except CallError as error:
                made = _after_failure(error, find, clock, settle, watcher, unique=unique, again=lost is not None)
                if made:
                    return single(made)
                lost = error
                watcher.repeated()
            except SmartDCError as error:
                # Nothing was sent this time, since an agent or a key was missing; what matters is the first attempt's outcome.
                if lost:
                    raise lost from error
                raise
            else:
                return single(_with_twins(thing, find)) if lost else thing


def _after_failure(
    error: CallError,
    find: Callable[[], list[T]],
    clock: Clock,
    settle: float,
    watcher: Watcher,
    *,
    unique: bool,
    again: bool,
) -> list[T]:
    """Return the things that a failed attempt has made; none if the create may be sent again; or raise the error."""
    # A server that throttles a request may have applied it all the same; a retry then conflicts with it.
    repeated = again or error.attempts > 1
    refused = isinstance(error, Conflict) or (again and error.applied is False)
    if again:
        error.applied = None
    if refused:
        return _find_after_refusal(error, find, may_be_ours=unique or repeated)
    made = find_until_settled(error, find, clock, settle, watcher)
    if again and not made:
        raise error
    return made


def _find_after_refusal(error: CallError, find: Callable[[], list[T]], *, may_be_ours: bool) -> list[T]:
    """Did our earlier attempt win, or does somebody else own the name? Return ours, or raise the refusal."""
    made = look_once(find) if may_be_ours else None
    if made:
        return made
    raise error


def _with_twins(thing: T, find: Callable[[], list[T]]) -> list[T]:
    """Return the thing of the second attempt, and that of the first one if it has appeared too late."""
    made = look_once(find) or []
    return made if thing in made else [thing, *made]


def single(things: list[T]) -> T:
    """Return the only thing; raise `DoubledCreate` if there are two."""
    if len(things) > 1:
        raise DoubledCreate(f"one create made {len(things)} of them: {', '.join(map(str, things))}", things)
    return things[0]


def started_after(clock: Clock, now: Callable[[], float]) -> Callable[[datetime | None], bool]:
    """Return a check of a thing's date: can it come from a create that starts now? `now` returns the server's time.

    An older thing of the same name must not count as the new one. A thing without a date is new. The server's time is
    read only when a date is checked: it may be unknown before the create's own call.
    """
    started = clock.monotonic()

    def is_new(created: datetime | None) -> bool:
        return created is None or created.timestamp() >= now() - (clock.monotonic() - started) - MAX_SKEW_SECONDS

    return is_new


class CreatesOnce(Addressable):
    """Mix-in for places whose new things can be found in a listing."""

    __slots__ = ()

    def _create_once(
        self,
        send: Callable[[], R],
        listing: Callable[[], list[R]],
        matches: Callable[[R], bool] = lambda _: True,
        *,
        only_new: bool = False,
        settle: float = SETTLE_SECONDS,
    ) -> R:
        """Create a thing once, and return it; if the answer is lost, look for it among the things of `listing`.

        `matches` tells whether a thing may come from this create. If older things may look the same, `only_new`
        excludes all things listed before the create, which costs one more listing; for things with dates, use
        `started_after`.
        """
        before = set(listing()) if only_new else set()

        def find() -> list[R]:
            return [thing for thing in listing() if thing not in before and matches(thing)]

        return create_once(send, find, self._clock, settle, watcher=Search(self._datacenter))
