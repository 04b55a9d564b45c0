"""Create a thing exactly once, over a connection that may lose the answer.

CloudAPI has no idempotency key, so the thing that a create makes must have a mark by which it can be found: a token, a
name, or being new. `create_once` looks for that mark before it sends the same create again. With the mix-in
`CreatesOnce`, a noun uses it in one line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol, TypeVar

from smartdc.core.resource import Addressable, Resource
from smartdc.errors import APIError, CallError, Conflict, DoubledCreate, SmartDCError
from smartdc.http import status_line, tracing
from smartdc.http.clock import Clock
from smartdc.waiting.interrupts import is_interrupt
from smartdc.waiting.progress import REDRAW_SECONDS, Progress, Reporter, reporter

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = [
    "JOB_SETTLE_SECONDS",
    "SETTLE_SECONDS",
    "UNANSWERED",
    "CreatesOnce",
    "Search",
    "create_once",
    "find_until_settled",
    "single",
    "started_after",
]

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

log = logging.getLogger(__name__)

PAUSES_SECONDS = (2.0, 4.0, 8.0, 15.0)
"""Pauses between two searches; the last one is repeated."""

SETTLE_SECONDS = 10.0
"""How long a thing that CloudAPI stores at once may stay invisible after its create was accepted."""

JOB_SETTLE_SECONDS = 30.0
"""How long a thing that a job makes may stay invisible after its create was accepted."""

MAX_SKEW_SECONDS = 300.0
"""Maximum difference between CloudAPI's clock and ours: CloudAPI refuses signatures with another time."""


UNANSWERED = "not answered, looking for it"
"""The words for progress during a search."""


class Watcher(Protocol):
    """Is told about a lost answer, and about each search for the thing."""

    def lost(self, error: CallError, settle: float) -> None:
        """Note that the answer was lost; the search for the thing takes up to `settle` seconds."""

    def looked(self, elapsed: float, found: bool | None, done: bool) -> None:
        """Note one search; `found` is None if it failed, and `elapsed` the seconds since the answer was lost."""

    def repeated(self) -> None:
        """Note that the create is sent again."""

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Sleep between two searches."""

    def interrupted(self) -> None:
        """Note that the search was interrupted."""


@dataclass
class Search:
    """Report the search for the thing of a create whose answer was lost: in the log, on stderr if `verbose`, as progress.

    `subject` names the thing, by default by the path of the create; `mark` is the mark by which it is searched.
    """

    datacenter: DataCenter
    subject: str = ""
    mark: str = ""
    settle: float | None = None
    _elapsed: float = field(default=0.0, init=False)
    _is_telling: bool = field(default=False, init=False)

    def lost(self, error: CallError, settle: float) -> None:
        """Report at once that the answer was lost, and how long the search may take."""
        self.subject = self.subject or (f"a new entry of {error.path}" if error.path else "something new")
        self.settle = settle
        text = f"lost the answer to the create of {self._named()}; looking for it for up to {settle:g} s: {error}"
        self._say(logging.WARNING, text)

    def looked(self, elapsed: float, found: bool | None, done: bool) -> None:
        """Report one search; the last one also reports the result."""
        self._elapsed = elapsed
        if not (done and self._is_shown()):  # the result is a separate line, below
            outcome = "done" if found else "not done"
            self._tell(self._progress("found" if found else UNANSWERED, outcome if done else ""))
        if found:
            self._say(logging.INFO, f"found {self._named()} after {elapsed:.0f} s")
        elif done:
            outcome = "could not look for" if found is None else "did not find"
            self._say(logging.WARNING, f"{outcome} {self._named()} within {elapsed:.0f} s")

    def repeated(self) -> None:
        """Report that the create is sent again."""
        self._say(logging.INFO, f"sending the create of {self._named()} again; attempt 2 of 2")

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Sleep between two searches; a line on a terminal is updated meanwhile."""
        while self._is_shown() and seconds > REDRAW_SECONDS:
            clock.sleep(REDRAW_SECONDS)
            seconds -= REDRAW_SECONDS
            self._elapsed += REDRAW_SECONDS
            self._tell(self._progress())
        clock.sleep(seconds)

    def interrupted(self) -> None:
        """End the line of progress, unless it was the progress function that raised the interrupt."""
        if not self._is_telling:
            self._tell(self._progress("not answered", "interrupted"))

    def _tell(self, progress: Progress) -> None:
        if self._report:
            self._is_telling = True
            self._report(progress)
            self._is_telling = False

    def _progress(self, state: str = UNANSWERED, outcome: str = "") -> Progress:
        """Return one search as progress; the last one has an `outcome`."""
        return Progress(self.subject, state, self._elapsed, self.settle, bool(outcome), outcome=outcome)

    @cached_property
    def _report(self) -> Reporter | None:
        """The function to call after every search."""
        return reporter(getattr(self.datacenter, "progress", None))

    def _named(self) -> str:
        return f"{self.subject} ({self.mark})" if self.mark else self.subject

    def _is_shown(self) -> bool:
        """Whether the line of progress is shown."""
        return getattr(self.datacenter, "progress", None) is True and status_line.is_watched()

    def _say(self, level: int, text: str) -> None:
        verbose, shown = getattr(self.datacenter, "verbose", None), self._is_shown()
        # If nobody has configured logging, `logging` itself prints warnings: they would appear twice.
        if log.hasHandlers() or not (verbose or shown):
            log.log(level, "%s", text)
        if verbose:
            moment = datetime.now().isoformat()  # noqa: DTZ005 (as the lines of requests have it)
            print(f"{moment}\t{text}", file=sys.stderr)  # noqa: T201 (what `verbose` is for)
        elif shown:
            status_line.clear()
            status_line.note(text)


class _Nobody:
    def sleep(self, seconds: float, clock: Clock) -> None:
        """Sleep, and say nothing."""
        clock.sleep(seconds)

    def interrupted(self) -> None:
        """Ignore it."""

    def lost(self, error: CallError, settle: float) -> None:
        """Ignore it."""

    def looked(self, elapsed: float, found: bool | None, done: bool) -> None:
        """Ignore it."""

    def repeated(self) -> None:
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
    made = _look(find) if may_be_ours else None
    if made:
        return made
    raise error


def find_until_settled(
    error: CallError, find: Callable[[], list[T]], clock: Clock, settle: float, watcher: Watcher
) -> list[T]:
    """Search until something is found, or `settle` seconds have passed; raise the error if the last search failed."""
    if error.applied is False:
        raise error
    started = clock.monotonic()
    watcher.lost(error, settle)
    try:
        for pause in chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1])):
            made = _look(find, error)
            elapsed = clock.monotonic() - started
            done = bool(made) or elapsed >= settle
            watcher.looked(elapsed, None if made is None else bool(made), done)
            if done:
                break
            watcher.sleep(min(pause, settle - elapsed), clock)
    except BaseException as stop:
        if is_interrupt(stop):
            watcher.interrupted()
        raise
    if made is None:
        raise error
    return made


def _look(find: Callable[[], list[T]], error: CallError | None = None) -> list[T] | None:
    """Return the things with the mark; None if the search failed, for whatever reason.

    A refused search says nothing about the create, and its error must not replace the create's error; the same is true
    for an agent that has gone away. But if both were redirected, every request is, and waiting would not help.
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
    """Return the thing of the second attempt, and that of the first one if it has appeared too late."""
    made = _look(find) or []
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
