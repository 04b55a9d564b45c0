"""Create a thing exactly once, over a connection that may lose the answer.

CloudAPI has no idempotency key, so a create carries a mark that its thing can be found by: a token, a name, or being
new. `create_once` looks for that mark before it sends the same create again, and the mix-in `CreatesOnce` lets a noun
use it in one line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol, TypeVar

from smartdc.core.resource import Addressable, Resource
from smartdc.errors import APIError, CallError, Conflict, DoubledCreate, SmartDCError
from smartdc.http import status_line, tracing
from smartdc.http.clock import Clock
from smartdc.waiting.progress import Progress, Reporter, reporter

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["JOB_SETTLE_SECONDS", "SETTLE_SECONDS", "CreatesOnce", "Search", "create_once", "single", "started_after"]

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

log = logging.getLogger(__name__)

PAUSES_SECONDS = (2.0, 4.0, 8.0, 15.0)
"""Pauses between two looks; the last one is repeated."""

SETTLE_SECONDS = 10.0
"""How long a thing that CloudAPI writes down at once may stay invisible after it was accepted."""

JOB_SETTLE_SECONDS = 30.0
"""How long a thing that a job makes may stay invisible after it was accepted."""

MAX_SKEW_SECONDS = 300.0
"""Seconds by which CloudAPI's clock may differ from ours: signatures with another time are refused."""


class Watcher(Protocol):
    """Who is told that an answer was lost, and what comes of looking for the thing."""

    def lost(self, error: CallError, settle: float) -> None:
        """Hear that the thing will be looked for, for up to `settle` seconds."""

    def looked(self, elapsed: float, found: bool | None, done: bool) -> None:
        """Hear of one look; `found` is None where it failed, and `elapsed` the seconds since the answer was lost."""


@dataclass
class Search:
    """Report the search for a thing whose create was not answered: in the log, on stderr if `verbose`, as progress.

    `subject` names the thing, by default by the path of the request that was to make it; `mark` says what it is looked for by.
    """

    datacenter: DataCenter
    subject: str = ""
    mark: str = ""
    settle: float | None = None

    def lost(self, error: CallError, settle: float) -> None:
        """Say at once that the answer was lost, and for how long the thing will be looked for."""
        self.subject = self.subject or (f"a new entry of {error.path}" if error.path else "something new")
        self.settle = settle
        text = f"lost the answer to the create of {self._named()}; looking for it for up to {settle:g} s: {error}"
        self._say(logging.WARNING, text)

    def looked(self, elapsed: float, found: bool | None, done: bool) -> None:
        """Report one look; the last one also says what came of it."""
        if self._report and not (done and self._is_shown()):  # the end is a line of its own below
            state = "found" if found else "not answered, looking for it"
            self._report(Progress(self.subject, state, elapsed, self.settle, done))
        if found:
            self._say(logging.INFO, f"found {self._named()} after {elapsed:.0f} s")
        elif done:
            outcome = "could not look for" if found is None else "did not find"
            self._say(logging.WARNING, f"{outcome} {self._named()} within {elapsed:.0f} s")

    @cached_property
    def _report(self) -> Reporter | None:
        """What is called after every look."""
        return reporter(getattr(self.datacenter, "progress", None))

    def _named(self) -> str:
        return f"{self.subject} ({self.mark})" if self.mark else self.subject

    def _is_shown(self) -> bool:
        """Whether somebody sees the line of progress."""
        return getattr(self.datacenter, "progress", None) is True and status_line.is_watched()

    def _say(self, level: int, text: str) -> None:
        verbose, shown = getattr(self.datacenter, "verbose", None), self._is_shown()
        # Where nothing is set up for logs, `logging` itself prints warnings: they would stand there twice.
        if log.hasHandlers() or not (verbose or shown):
            log.log(level, "%s", text)
        if verbose:
            moment = datetime.now().isoformat()  # noqa: DTZ005 (as the lines of requests have it)
            print(f"{moment}\t{text}", file=sys.stderr)  # noqa: T201 (what `verbose` is for)
        elif shown:
            status_line.clear()
            status_line.note(text)


class _Nobody:
    def lost(self, error: CallError, settle: float) -> None:
        """Ignore it."""

    def looked(self, elapsed: float, found: bool | None, done: bool) -> None:
        """Ignore it."""


NOBODY = _Nobody()


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

    Each attempt ends in one of four ways. An answer is the thing. A refusal that was surely not applied is final. A
    conflict may be with our own earlier attempt, which one look settles. And when it is unknown whether the create
    was applied, the thing is looked for, for as long as it could still turn up. Only a look that worked, after that
    time, and showed nothing, allows the second attempt, since without it the second might make a second thing. Where
    no look worked, and whenever the second attempt fails, the outcome stays unknown, whatever that attempt's error
    says of itself: the first may have been applied since the last look. The error is then raised with `applied` None.

    A request that surely never left is no matter for this function: the call itself sends it again at once.

    Args:
        send: sends the create and returns the thing.
        find: returns every thing that bears its mark.
        clock: what passes the time between two looks.
        settle: seconds for which something that was accepted may stay invisible.
        unique: whether only this create can have made what bears the mark; otherwise a conflict at the first
            attempt is about something that was there before.
        watcher: is told when an answer was lost, and of every look.
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
            except SmartDCError as error:
                # Nothing was sent this time, for want of an agent or a key; the news is what became of the first attempt.
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
    """Return what a failed attempt has made; nothing where the create may be sent again, and else raise the error."""
    # Whoever refuses a request for now may have done it all the same, and then it conflicts with itself.
    repeated = again or error.attempts > 1
    refused = isinstance(error, Conflict) or (again and error.applied is False)
    if again:
        error.applied = None
    if refused:
        return _find_after_refusal(error, find, may_be_ours=unique or repeated)
    made = _find_until_settled(error, find, clock, settle, watcher)
    if again and not made:
        raise error
    return made


def _find_after_refusal(error: CallError, find: Callable[[], list[T]], *, may_be_ours: bool) -> list[T]:
    """Did our earlier attempt win, or does somebody else own the name? Return ours, or raise the refusal."""
    made = _look(find) if may_be_ours else None
    if made:
        return made
    raise error


def _find_until_settled(
    error: CallError, find: Callable[[], list[T]], clock: Clock, settle: float, watcher: Watcher
) -> list[T]:
    """Look until something turns up, or `settle` seconds have passed; raise the error where the last look failed."""
    if error.applied is False:
        raise error
    started = clock.monotonic()
    watcher.lost(error, settle)
    for pause in chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1])):
        made = _look(find, error)
        elapsed = clock.monotonic() - started
        done = bool(made) or elapsed >= settle
        watcher.looked(elapsed, None if made is None else bool(made), done)
        if done:
            break
        clock.sleep(min(pause, settle - elapsed))
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
        """Create a thing once, and return it; when the answer is lost, it is looked for in what `listing` returns.

        `matches` tells what may be of this create. Where something else may look the same, `only_new` leaves out what
        is listed before the create is sent, which costs a listing; where things have dates, `started_after` does.
        """
        before = set(listing()) if only_new else set()

        def find() -> list[R]:
            return [thing for thing in listing() if thing not in before and matches(thing)]

        return create_once(send, find, self._clock, settle, watcher=Search(self._datacenter))
