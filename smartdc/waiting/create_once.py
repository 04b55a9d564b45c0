"""Create a thing exactly once, over a connection that may lose the answer.

CloudAPI has no idempotency key, so a create carries a mark that its thing can be found by: a token, a name, or being
new. `create_once` looks for that mark before it sends the same create again, and the mix-in `CreatesOnce` lets a noun
use it in one line.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from smartdc.core.resource import Addressable, Resource
from smartdc.errors import APIError, CallError, Conflict, DoubledCreate, SmartDCError
from smartdc.http.clock import Clock

__all__ = ["JOB_SETTLE_SECONDS", "SETTLE_SECONDS", "CreatesOnce", "create_once", "single", "started_after"]

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

INTERVAL_SECONDS = 2.0
"""Pause between two looks."""

SETTLE_SECONDS = 10.0
"""How long a thing that CloudAPI writes down at once may stay invisible after it was accepted."""

JOB_SETTLE_SECONDS = 30.0
"""How long a thing that a job makes may stay invisible after it was accepted."""

MAX_SKEW_SECONDS = 300.0
"""Seconds by which CloudAPI's clock may differ from ours: signatures with another time are refused."""


def create_once(
    send: Callable[[], T], find: Callable[[], list[T]], clock: Clock, settle: float, *, unique: bool = False
) -> T:
    """Send a create, at most twice, and return the one thing that it made.

    Each attempt ends in one of four ways. An answer is the thing. A refusal that was surely not applied is final. A
    conflict may be with our own earlier attempt, which one look settles. And when it is unknown whether the create
    was applied, the thing is looked for, for as long as it could still turn up. Only a look that worked, after that
    time, and showed nothing, allows the second attempt, since without it the second might make a second thing. Where
    no look worked, and after the second attempt, the outcome stays unknown, and the attempt's error is raised.

    Args:
        send: sends the create and returns the thing.
        find: returns every thing that bears its mark.
        clock: what passes the time between two looks.
        settle: seconds for which something that was accepted may stay invisible.
        unique: whether only this create can have made what bears the mark; otherwise a conflict at the first
            attempt is about something that was there before.
    """
    for is_last in (False, True):
        try:
            thing = send()
        except CallError as error:
            if isinstance(error, Conflict):
                made = _find_in_conflict(error, find, may_be_ours=unique or is_last, is_last=is_last)
            else:
                made = _find_until_settled(error, find, clock, settle)
            if made:
                return single(made)
            lost = error
        else:
            return single(_with_twins(thing, find)) if is_last else thing
    raise lost


def _find_in_conflict(error: Conflict, find: Callable[[], list[T]], *, may_be_ours: bool, is_last: bool) -> list[T]:
    """Did our earlier attempt win, or does somebody else own the name? Return ours, or raise the conflict."""
    if is_last:
        error.applied = None
    made = _look(find) if may_be_ours else None
    if made:
        return made
    if made is not None:
        error.applied = False
    raise error


def _find_until_settled(error: CallError, find: Callable[[], list[T]], clock: Clock, settle: float) -> list[T]:
    """Look until something turns up, or `settle` seconds have passed; raise the error where the last look failed."""
    if error.applied is False:
        raise error
    deadline = clock.monotonic() + settle
    while True:
        made = _look(find, error)
        left = deadline - clock.monotonic()
        if made or left <= 0:
            break
        clock.sleep(min(INTERVAL_SECONDS, left))
    if made is None:
        raise error
    return made


def _look(find: Callable[[], list[T]], error: CallError | None = None) -> list[T] | None:
    """Return what bears the mark; None when looking failed, for whatever reason.

    A refusal to list says nothing about the create either, and must not take the place of its error; nor must an
    agent that has gone away. But where both were redirected, everything is, and there is nothing to wait for.
    """
    try:
        return find()
    except SmartDCError as failure:
        if error and _is_redirect(error) and _is_redirect(failure):
            raise error from None
        return None


def _is_redirect(error: SmartDCError) -> bool:
    return isinstance(error, APIError) and 300 <= error.status < 400


def _with_twins(thing: T, find: Callable[[], list[T]]) -> list[T]:
    """Return what the second attempt made, and what the first one made if that has turned up too late."""
    made = _look(find) or []
    return made if thing in made else [thing, *made]


def single(things: list[T]) -> T:
    """Return the only thing; two of them are never passed over in silence."""
    if len(things) > 1:
        raise DoubledCreate(f"one create made {len(things)} of them: {', '.join(map(str, things))}", things)
    return things[0]


def started_after(clock: Clock, now: Callable[[], float]) -> Callable[[datetime | None], bool]:
    """Return a check of a thing's date: may it be of a create that starts now? `now` returns the server's time.

    One that was there before may bear the same name, and must not pass for the new one. A thing that
    has no date yet is new. The server's time is read when a date is checked, not before: it may be known only from the create's own call.
    """
    started = clock.monotonic()

    def is_new(created: datetime | None) -> bool:
        return created is None or created.timestamp() >= now() - (clock.monotonic() - started) - MAX_SKEW_SECONDS

    return is_new


class CreatesOnce(Addressable):
    """Mix-in for places where things are created that a listing shows."""

    def _create_once(
        self,
        send: Callable[[], R],
        listing: Callable[[], list[R]],
        matches: Callable[[R], bool] = lambda _: True,
        *,
        only_new: bool = False,
        settle: float = SETTLE_SECONDS,
    ) -> R:
        """Create a thing once, and return it; when the answer is lost, it is looked for in what `listing` returns.

        `matches` tells what may be of this create. Where something else may look the same, `only_new` leaves out what
        is listed before the create is sent, which costs a listing; where things have dates, `started_after` does.
        """
        before = set(listing()) if only_new else set()

        def find() -> list[R]:
            return [thing for thing in listing() if thing not in before and matches(thing)]

        return create_once(send, find, self._clock, settle)
