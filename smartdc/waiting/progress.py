"""Report the progress of a wait, to a function on the terminal or in a notebook."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from smartdc.errors import printable
from smartdc.http import status_line
from smartdc.http.clock import Clock
from smartdc.http.tracebacks import let_pass

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["REDRAW_SECONDS", "Announcer", "Progress", "Reporter", "Reporting", "Waitable", "harmless", "reporter"]

log = logging.getLogger(__name__)

P = TypeVar("P")

BAR_WIDTH = 20
"""Characters of the bar on the terminal."""

REDRAW_SECONDS = 1.0
"""Seconds after which a line on a terminal is written again."""


class Waitable(Protocol):
    """What a wait needs from the thing that it waits for."""

    @property
    def datacenter(self) -> DataCenter:
        """The data centre, with the clock and the default of ``progress``."""

    @property
    def state(self) -> str:
        """Its state, as last seen."""

    @property
    def label(self) -> str:
        """The few words at the beginning of a progress line."""

    def describe(self) -> str:
        """Return the words at the beginning of an error."""


@dataclass(frozen=True)
class Progress:
    """One check of a wait; times are in seconds, and `done` is true for the last check."""

    subject: str
    state: str
    elapsed: float
    timeout: float | None
    done: bool
    share: float | None = None
    """The finished share, if it is known; the bar shows it, or else the share of the time that has passed."""
    job: str = field(default="", kw_only=True, compare=False)
    """The job of the subject, such as ``resize``; '' if the wait is for a state."""
    outcome: str = field(default="", kw_only=True, compare=False)
    """At the end: ``done``, ``failed``, ``interrupted``, or ``not done`` in time."""
    trouble: str = field(default="", kw_only=True, compare=False)
    """Why the last check failed, if it did (`state` has it too), or that the answer to the request was lost."""

    def __str__(self) -> str:
        return printable(self._words())  # names and states come from the server

    def _words(self) -> str:
        if self.done:
            return f"{self._ending()} after {self.elapsed:.0f} s"
        trouble = self.trouble and f", {self.trouble}"
        doing = f"{self.subject}: {self.job}{trouble}" if self.job else f"{self.subject} {self.state}"
        return f"{doing} [{self.bar()}] {self.elapsed:.0f} s"

    def _ending(self) -> str:
        if self.job:
            return f"{self.subject}: {self.job} {self.outcome}"
        return f"{self.subject} {self.state}{', interrupted' if self.outcome == 'interrupted' else ''}"

    def fitted(self, room: int) -> str:
        """Return the text; without the bar if it would not fit into `room` columns."""
        text = str(self)
        return text if len(text) <= room else text.replace(f" [{self.bar()}]", "", 1)

    def bar(self) -> str:
        """Return the bar."""
        passed = min(self.elapsed / self.timeout, 1.0) if self.timeout else 0.0
        return f"{'#' * round((passed if self.share is None else self.share) * BAR_WIDTH):<{BAR_WIDTH}}"


Reporter = Callable[[Progress], None]

Reporting: TypeAlias = Reporter | bool | None
"""Values of ``progress``: your own function, True or False for a line on the terminal, or None for the default."""


def reporter(progress: Reporting) -> Reporter | None:
    """Return the function to call after every check: your own one, or for True one that writes a line on a terminal."""
    if callable(progress):
        return harmless(progress)
    return _line if progress and status_line.is_watched() else None


def harmless(report: Callable[[P], object]) -> Callable[[P], None]:
    """Turn a progress function that may raise into one that does not, so that the wait goes on.

    The first exception is logged, by its class and its place: its text may have a secret of the user's, such as the
    address of a web hook. The function is called again: a message that could not be delivered says nothing about the
    next one, and when all is done it may have to tidy up.
    """
    name = getattr(report, "__qualname__", type(report).__qualname__)
    failed = False

    def call(progress: P) -> None:
        nonlocal failed
        try:
            report(progress)
        except Exception as error:  # noqa: BLE001 (the user's own function may raise anything)
            let_pass(error)
            if not failed:
                failed = True
                log.warning(
                    "progress: %s raised %s%s; the operation goes on", name, type(error).__name__, _place(error)
                )

    return call


def _place(error: Exception) -> str:
    """Return the place of an error in the user's function; '' if the function is not written in Python."""
    trace = error.__traceback__ and error.__traceback__.tb_next
    return f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


class Announcer:
    """Reports the progress of one wait."""

    def __init__(
        self,
        resource: Waitable,
        timeout: float | None,
        progress: Reporting,
        started: float,
        clock: Clock,
        *,
        job: str = "",
        hint: str = "",
    ) -> None:
        """Count the time since the clock's reading `started`; `job` and `hint` are those of `poll`."""
        self._resource, self._timeout, self._clock, self._job, self._hint = resource, timeout, clock, job, hint
        self._subject = resource.label if job else ""  # which a job may change
        self._report = reporter(getattr(resource.datacenter, "progress", None) if progress is None else progress)
        self._started = started

    @property
    def draws_a_line(self) -> bool:
        """Whether the progress is a line on a terminal."""
        return self._report is _line

    def announce(self, outcome: str = "", trouble: str = "") -> None:
        """Report a check, and its failure if it failed; the last check has an `outcome`."""
        if not self._report:
            return
        state = f"{self._resource.state}, {trouble}" if trouble else self._resource.state
        try:
            self._report(
                Progress(
                    self._subject or self._resource.label,
                    state,
                    self._clock.monotonic() - self._started,
                    self._timeout,
                    bool(outcome),
                    getattr(self._resource, "finished_share", None),
                    job=self._job,
                    outcome=outcome,
                    trouble=trouble,
                )
            )
        except BaseException as interrupt:
            if outcome not in {"done", "failed"}:
                self.note_interrupt(interrupt)
            raise

    def note_interrupt(self, interrupt: BaseException) -> None:
        """Add a note to an interrupt: the wait has stopped, but the job goes on."""
        seen = f"last seen: {self._resource.label} {self._resource.state}"
        news = f"{self._subject}: {self._job} goes on" if self._job else seen
        note = printable(f"{news}{self._hint and f'; {self._hint}'}")
        if note not in getattr(interrupt, "__notes__", ()):
            interrupt.add_note(note)

    def sleep(self, seconds: float, failure: Exception | None) -> None:
        """Sleep between two checks; a line on a terminal is updated meanwhile, and after a failure it says why."""
        trouble = "" if failure is None else f"last check failed: {type(failure).__name__}"
        while self.draws_a_line and seconds > REDRAW_SECONDS:
            self._clock.sleep(REDRAW_SECONDS)
            seconds -= REDRAW_SECONDS
            self.announce(trouble=trouble)
        if seconds:
            self._clock.sleep(seconds)


def _line(progress: Progress) -> None:
    """Write one line over and over, and leave it when the wait is done."""
    if progress.done:
        status_line.leave(str(progress))
    else:
        status_line.write(progress.fitted(status_line.room()))
