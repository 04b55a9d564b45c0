"""Show the progress of a run: a line or a live table on the terminal, a line in a notebook, lines in a log file."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from smartdc.errors import printable
from smartdc.fleet.report import Report, Subject, name_of, reason_of
from smartdc.http import status_line
from smartdc.waiting.progress import REDRAW_SECONDS, Progress, harmless

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["Display", "FleetProgress", "FleetReporting"]

LINE_SECONDS = 10.0
"""Seconds between two lines in other outputs, such as a log file."""
MAX_NAMES = 3
"""How many of the running machines a line names."""
MAX_ROWS = 10
"""Rows of the live table."""


@dataclass(frozen=True)
class FleetProgress(Progress):
    """The progress of a run: `ended` of `total` machines are done or have failed; `left` is an estimate in seconds."""

    total: int = 0
    ended: int = 0
    failed: int = 0
    under_way: tuple[str, ...] = ()
    """The names of the machines that are under way."""
    left: float | None = None
    report: Report | None = None
    """The current report; it changes while the run goes on."""

    def _words(self) -> str:
        if self.done:
            return f"{self.subject}: {self.state} after {in_time(self.elapsed)}"
        more = len(self.under_way) - MAX_NAMES
        names = ", ".join(self.under_way[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
        return f"{self.numbers()}{names and f'; {names}'}"

    def numbers(self, room: float = math.inf) -> str:
        """Return the text without the names, and without the bar if there is no room for it."""
        left = "" if self.left is None else f", about {in_time(self.left)} left"
        text = f"{self.subject} [{self.bar()}] {self.state}{left}"
        return text if len(text) <= room else f"{self.subject}: {self.state}{left}"

    def fitted(self, room: int) -> str:
        """Return the text; without the names of the running machines, or the bar, if there is no room for them."""
        text = str(self)
        return text if len(text) <= room else self.numbers(room)


FleetReporting: TypeAlias = Callable[[FleetProgress], object] | Callable[[Progress], object] | bool | None
"""Values of ``progress``: your own function, True or False for the terminal, or None for the data centre's own."""


def progress_of(report: Report, *, over: bool) -> FleetProgress:
    """Return the progress of a run."""
    failed = len(report.failed) + len(report.unknown)
    done = len(report.done)
    ended, total = done + failed, report.total
    parts = [
        f"{done} of {total} done",
        f"{failed} failed" if failed else "",
        f"{len(report.untouched)} untouched" if over and report.untouched else "",
        f"{len(report.under_way)} under way" if report.under_way else "",
    ]
    # The estimate is based on the time of the machines that are done.
    left = report.seconds / ended * (total - ended) if ended and not over else None
    return FleetProgress(
        report.subject,
        ", ".join(part for part in parts if part),
        report.seconds,
        None,
        over,
        ended / total if total else 1.0,
        total,
        ended,
        failed,
        tuple(name_of(subject) for subject in report.under_way),
        left,
        report,
    )


def in_time(seconds: float) -> str:
    """Return a time in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Display:
    """Shows the progress of one run."""

    def __init__(self, report: Report, progress: FleetReporting, datacenter: DataCenter) -> None:
        """Find out how to show progress; None means the data centre's own setting."""
        wanted = getattr(datacenter, "progress", None) if progress is None else progress
        self._report = report
        self._clock = datacenter.clock
        self._shown: object = None
        self._is_live = wanted is True and status_line.is_watched()
        self._tell: Callable[[FleetProgress], object] | None = None
        if callable(wanted):
            self._tell = harmless(wanted)
        elif wanted:
            self._tell = harmless(_live() if self._is_live else _Lines(self._clock.monotonic).tell)

    def show(self, *, over: bool = False) -> None:
        """Show the progress if it has changed; for the last time when the run is `over`."""
        if self._tell is None:
            return
        now = progress_of(self._report, over=over)
        news = (now.state, over, round(now.elapsed) if self._is_live else None)
        if news != self._shown:
            self._shown = news
            self._tell(now)

    def longest_sleep(self, seconds: float) -> float:
        """Return for how long nothing need be shown; on a terminal, the time left changes every second."""
        return min(seconds, REDRAW_SECONDS) if self._is_live else seconds


class _Lines:
    """Writes a line every ten seconds if something has changed, for later readers."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic, self._next, self._failed = monotonic, 0.0, 0

    def tell(self, progress: FleetProgress) -> None:
        """Write a line, unless the last one is recent and nothing has failed since."""
        now = self._monotonic()
        if progress.done or now >= self._next or progress.failed > self._failed:
            self._next, self._failed = now + LINE_SECONDS, progress.failed
            print(printable(str(progress)), file=sys.stderr, flush=True)  # noqa: T201 (somebody asked for it)


def _line(progress: FleetProgress) -> None:
    """Overwrite one line again and again, and leave it when the run is over."""
    if progress.done:
        status_line.leave(str(progress))
    else:
        status_line.write(progress.fitted(status_line.room()))


def _live() -> Callable[[FleetProgress], object]:
    """Return a live table if `rich` is installed and there is a terminal, and a line otherwise."""
    is_terminal = sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()
    return _LiveTable().tell if is_terminal and find_spec("rich") else _line


class _LiveTable:
    """A table of the running machines below the line, drawn by `rich`."""

    def __init__(self) -> None:
        console = import_module("rich.console").Console(stderr=True)
        self._live = import_module("rich.live").Live(console=console, auto_refresh=False, transient=True)
        self._text = import_module("rich.text").Text

    def tell(self, progress: FleetProgress) -> None:
        """Draw it again; at the end only the line stays."""
        if progress.done:
            self._live.stop()
            status_line.leave(str(progress))
            return
        self._live.start()
        self._live.update(self.drawn(progress), refresh=True)

    def drawn(self, progress: FleetProgress) -> Any:
        """Return the line, and a table of the failed and the running machines."""
        report = progress.report or Report("")
        bad = [(name_of(subject), reason_of(error), "red") for subject, error in report.bad.items()]
        busy = [(name_of(subject), _state_of(subject), "yellow") for subject in report.under_way]
        grid = import_module("rich.table").Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for name, words, style in [*bad[-MAX_ROWS:], *busy[:MAX_ROWS]]:
            grid.add_row(self._text(printable(name)), self._text(printable(words), style=style))
        if (more := len(busy) - MAX_ROWS) > 0:
            grid.add_row(self._text(f"and {more} more", style="dim"))
        line = self._text(printable(progress.numbers(status_line.room())), no_wrap=True, overflow="ellipsis")
        return import_module("rich.console").Group(line, grid)


def _state_of(subject: Subject) -> str:
    """Return the state that a machine was last seen in."""
    return "asked for" if isinstance(subject, str) else str(subject.get("state") or "under way")
