"""Tell people how a wait is getting on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Reporter", "reporter"]

WIDTH = 20


@dataclass(frozen=True)
class Progress:
    """One look at what is waited for; times are in seconds, and `done` tells that it was the last look."""

    subject: str
    state: str
    elapsed: float
    timeout: float | None
    done: bool

    def __str__(self) -> str:
        if self.done:
            return f"{self.subject} {self.state} after {self.elapsed:.0f} s"
        share = min(self.elapsed / self.timeout, 1.0) if self.timeout else 0.0
        bar = "#" * round(share * WIDTH)
        return f"{self.subject} {self.state} [{bar:<{WIDTH}}] {self.elapsed:.0f} s"


Reporter = Callable[[Progress], None]


def reporter(progress: Reporter | bool | None) -> Reporter | None:
    """Return what to call at every look: your own function, or for True a line on the terminal if there is one."""
    if callable(progress):
        return progress
    return _line if progress and _is_terminal() else None


def _is_terminal() -> bool:
    """Tell whether somebody sees the lines; a daemon may have no standard error at all, or a closed one."""
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def _line(progress: Progress) -> None:
    """Write one line over and over, and leave it when the wait is done."""
    end = "\n" if progress.done else ""
    # A terminal that is gone meanwhile is no reason to end the wait.
    with contextlib.suppress(OSError, ValueError):
        print(f"\r\x1b[K{progress}", end=end, file=sys.stderr, flush=True)  # noqa: T201 (somebody asked for it)
