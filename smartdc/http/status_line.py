"""One status line for people, on a terminal or in a notebook, which is overwritten again and again.

The bars of waits and the messages about retries share it: each text replaces the one before; a text that must stay gets
its own line. If standard error is neither a terminal nor a notebook, nothing is written.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event, Thread
from typing import Any

from smartdc.errors import printable
from smartdc.http.ids import new_uuid
from smartdc.http.tracebacks import let_pass

__all__ = ["NOTICEABLE_SECONDS", "clear", "is_watched", "leave", "note", "room", "ticking", "watching", "write"]

NOTICEABLE_SECONDS = 2.0
"""The longest silence when a person may be watching."""

watching: ContextVar[bool] = ContextVar("watching", default=False)
"""Whether the calls of this context are part of a wait with visible progress."""

MIN_ROOM = 20
"""The minimum width, in columns, even if a terminal claims to have fewer."""

UNKNOWN_SIZE = os.terminal_size((80, 24))

_ID = re.compile(r"([0-9a-f]{8})-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

_ERASE = "\r\x1b[K"

_displayed: list[str] = []
"""The id of the notebook output that is overwritten, if there is one."""


def is_watched() -> bool:
    """Return whether the line is visible to a person; a daemon may have no standard error at all, or a closed one."""
    return _is_notebook() or (sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty())


def write(text: str) -> None:
    """Write the line in place of the previous one; if it does not fit, ids are shortened, and its end is cut."""
    if _is_notebook():
        _display(text)
    else:
        _print(f"{_ERASE}{_fitted(printable(text))}")


def room() -> int:
    """Return the maximum width of the line: a longer line would wrap, and could not be overwritten."""
    try:
        here = os.get_terminal_size(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError) as error:
        let_pass(error)
        here = UNKNOWN_SIZE
    if not here.columns:  # as in a container whose terminal nobody has told its size
        here = UNKNOWN_SIZE
    return max(shutil.get_terminal_size(here).columns - 1, MIN_ROOM)


def leave(text: str) -> None:
    """Write the line for the last time: the next output goes below it."""
    if _is_notebook():
        _display(text)
        _displayed.clear()
    else:
        _print(f"{_ERASE}{printable(text)}\n")


def clear() -> None:
    """Make the line empty."""
    if not _is_notebook():
        _print(_ERASE)
    elif _displayed:
        leave("")


def note(text: str) -> None:
    """Write a text that stays, above the line."""
    _print(f"{printable(text)}\n" if _is_notebook() else f"{_ERASE}{printable(text)}\n")


@contextmanager
def ticking(tell: Callable[[float], None]) -> Iterator[None]:
    """Call `tell` every two seconds from another thread, with the seconds that have passed."""
    over = Event()

    def tick() -> None:
        seconds = NOTICEABLE_SECONDS
        while not over.wait(NOTICEABLE_SECONDS):
            tell(seconds)
            seconds += NOTICEABLE_SECONDS

    thread = Thread(target=tick, name="smartdc-ticking", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _fitted(text: str) -> str:
    most = room()
    if len(text) > most:
        text = _ID.sub(r"\1", text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _is_notebook() -> bool:
    """Return whether standard error is a notebook's, which has no movable cursor."""
    return type(sys.stderr).__module__.startswith("ipykernel.")


def _display(text: str) -> None:
    display: Any = sys.modules["IPython.display"]
    show = {"text/plain": printable(text)}
    if _displayed:
        display.update_display(show, raw=True, display_id=_displayed[0])
    else:
        _displayed.append(new_uuid())
        display.display(show, raw=True, display_id=_displayed[0])


def _print(text: str) -> None:
    try:
        print(text, end="", file=sys.stderr, flush=True)  # noqa: T201 (somebody asked for it)
    except (OSError, ValueError) as error:
        # A terminal that has gone away must not end the running operation.
        let_pass(error)
