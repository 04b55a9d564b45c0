"""Look for the result of a request whose answer was lost, and report the search.

A request may have been received although no answer came. What it makes or changes can be seen later, but perhaps not at
once: so it is looked for again and again, as long as it could still appear.
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

from smartdc.errors import APIError, CallError, SmartDCError
from smartdc.http import status_line
from smartdc.http.clock import Clock
from smartdc.waiting.interrupts import is_interrupt
from smartdc.waiting.progress import REDRAW_SECONDS, Progress, Reporter, reporter

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["NOBODY", "UNANSWERED", "Search", "Watcher", "find_until_settled", "look_once"]

T = TypeVar("T")

log = logging.getLogger(__name__)

PAUSES_SECONDS = (2.0, 4.0, 8.0, 15.0)
"""Pauses between two searches; the last one is repeated."""

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
            made = look_once(find, error)
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


def look_once(find: Callable[[], list[T]], error: CallError | None = None) -> list[T] | None:
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
