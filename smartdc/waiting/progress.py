"""Report the progress of a wait, to a function on the terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from smartdc.http import status_line
from smartdc.http.clock import Clock

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["Announcer", "Progress", "Reporter", "Reporting", "Waitable", "reporter"]

BAR_WIDTH = 20
"""Characters of the bar on the terminal."""

REDRAW_SECONDS = 1.0
"""Seconds after which a line that somebody looks at is written again."""


class Waitable(Protocol):
    """What a wait asks of the thing that is waited for."""

    @property
    def datacenter(self) -> DataCenter:
        """The data centre, which has the clock and the default of ``progress``."""

    @property
    def state(self) -> str:
        """The state in which it was last seen."""

    @property
    def label(self) -> str:
        """The few words that a line of progress begins with."""

    def describe(self) -> str:
        """Return the words that an error begins with."""


@dataclass(frozen=True)
class Progress:
    """One check of a wait; times are in seconds, and `done` is true for the last check."""

    subject: str
    state: str
    elapsed: float
    timeout: float | None
    done: bool
    share: float | None = None
    """The share of what is waited for that has come, where that is known; the bar shows it, and else that of the time."""
    job: str = field(default="", kw_only=True, compare=False)
    """What is done to the subject, such as ``resize``, where a job is waited for and not a state."""
    outcome: str = field(default="", kw_only=True, compare=False)
    """At the end: ``done``, ``failed``, ``interrupted``, or ``not done`` in time."""
    trouble: str = field(default="", kw_only=True, compare=False)
    """Why the last check failed, if it did; it stands in `state` too."""

    def __str__(self) -> str:
        if self.done:
            return f"{self._ending()} after {self.elapsed:.0f} s"
        trouble = self.trouble and f", {self.trouble}"
        doing = f"{self.subject}: {self.job}{trouble}" if self.job else f"{self.subject} {self.state}"
        return f"{doing} [{self.bar()}] {self.elapsed:.0f} s"

    def _ending(self) -> str:
        if self.job:
            return f"{self.subject}: {self.job} {self.outcome}"
        return f"{self.subject} {self.state}{', interrupted' if self.outcome == 'interrupted' else ''}"

    def bar(self) -> str:
        """Return the bar."""
        passed = min(self.elapsed / self.timeout, 1.0) if self.timeout else 0.0
        return f"{'#' * round((passed if self.share is None else self.share) * BAR_WIDTH):<{BAR_WIDTH}}"


Reporter = Callable[[Progress], None]

Reporting: TypeAlias = Reporter | bool | None
"""What ``progress`` may be: your own function, whether to show a line on the terminal, or None for the default."""


def reporter(progress: Reporting) -> Reporter | None:
    """Return what to call after every check: your own function, or for True a line where somebody looks."""
    if callable(progress):
        return progress
    return _line if progress and status_line.is_watched() else None


class Announcer:
    """What a wait tells whoever asked for its progress."""

    def __init__(
        self, resource: Waitable, timeout: float | None, progress: Reporting, clock: Clock, job: str = ""
    ) -> None:
        """Begin to count the time."""
        self._resource, self._timeout, self._clock, self._job = resource, timeout, clock, job
        self._subject = resource.label if job else ""  # which a job may change
        self._report = reporter(getattr(resource.datacenter, "progress", None) if progress is None else progress)
        self._started = clock.monotonic()

    @property
    def draws_a_line(self) -> bool:
        """Whether somebody looks at a line of ours."""
        return self._report is _line

    def announce(self, outcome: str = "", trouble: str = "") -> None:
        """Report a check, with the trouble that it had, or the last one with what came of the wait."""
        if self._report:
            state = f"{self._resource.state}, {trouble}" if trouble else self._resource.state
            self._report(
                Progress(
                    self._subject or self._resource.label,
                    state,
                    self._clock.monotonic() - self._started,
                    self._timeout,
                    bool(outcome),
                    getattr(self._resource, "share", None),
                    job=self._job,
                    outcome=outcome,
                    trouble=trouble,
                )
            )

    def note_interrupt(self, interrupt: BaseException, hint: str) -> None:
        """Note in an interrupt what it leaves behind: whoever stops to wait does not stop what was asked for."""
        seen = f"last seen: {self._resource.label} {self._resource.state}"
        news = f"{self._subject}: {self._job} goes on" if self._job else seen
        interrupt.add_note(f"{news}{hint and f'; {hint}'}")

    def sleep(self, seconds: float, failure: Exception | None) -> None:
        """Sleep between two checks; a line that somebody looks at goes on meanwhile, and says why after a failure."""
        trouble = "" if failure is None else f"last check failed: {type(failure).__name__}"
        while self.draws_a_line and seconds > REDRAW_SECONDS:
            self._clock.sleep(REDRAW_SECONDS)
            seconds -= REDRAW_SECONDS
            self.announce(trouble=trouble)
        self._clock.sleep(seconds)


def _line(progress: Progress) -> None:
    """Write one line over and over, and leave it when the wait is done."""
    (status_line.leave if progress.done else status_line.write)(str(progress))
