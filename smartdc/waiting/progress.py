"""Report the progress of a wait, to a function or on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from smartdc.errors import printable
from smartdc.http.tracebacks import from_signal_handler

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["Progress", "Reporter", "Reporting", "Waitable", "announcer", "reporter"]

BAR_WIDTH = 20
"""Characters of the bar on the terminal."""


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

    def __str__(self) -> str:
        if self.done:
            return f"{self.subject} {self.state} after {self.elapsed:.0f} s"
        share = min(self.elapsed / self.timeout, 1.0) if self.timeout else 0.0
        bar = "#" * round(share * BAR_WIDTH)
        return f"{self.subject} {self.state} [{bar:<{BAR_WIDTH}}] {self.elapsed:.0f} s"


Reporter = Callable[[Progress], None]

Reporting: TypeAlias = Reporter | bool | None
"""What ``progress`` may be: your own function, whether to show a line on the terminal, or None for the default."""


def reporter(progress: Reporting) -> Reporter | None:
    """Return what to call after every check: your own function, or for True a line on the terminal if there is one."""
    if callable(progress):
        return progress
    return _line if progress and _is_terminal() else None


def announcer(resource: Waitable, timeout: float | None, progress: Reporting) -> Callable[[float, bool], None]:
    """Return what a wait calls after every check, with the seconds that have passed and whether it is over."""
    report = reporter(getattr(resource.datacenter, "progress", None) if progress is None else progress)

    def announce(elapsed: float, done: bool) -> None:
        if report:
            report(Progress(resource.label, resource.state, elapsed, timeout, done))

    return announce


def _is_terminal() -> bool:
    """Return whether somebody sees the lines; a daemon may have no standard error at all, or a closed one."""
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def _line(progress: Progress) -> None:
    """Write one line over and over, and leave it when the wait is done."""
    end = "\n" if progress.done else ""
    try:
        print(f"\r\x1b[K{printable(str(progress))}", end=end, file=sys.stderr, flush=True)  # noqa: T201 (somebody asked for it)
    except (OSError, ValueError) as error:
        # A terminal that is gone meanwhile is no reason to end the wait.
        if from_signal_handler(error):
            raise
