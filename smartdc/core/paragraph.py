"""Running text for a terminal: as wide as the terminal is, but no wider than is pleasant to read."""

from __future__ import annotations

import shutil
import textwrap

__all__ = ["filled", "reading_width", "tell"]

MAX_WIDTH = 100
"""The maximum width of a text, in columns."""

MIN_WIDTH = 20
"""The minimum width, in columns, even if a terminal claims to have fewer."""


def reading_width(columns: int | None = None) -> int:
    """Return the width of a text in a terminal of so many columns; None means the terminal's own."""
    return max(min(MAX_WIDTH, shutil.get_terminal_size().columns if columns is None else columns), MIN_WIDTH)


def filled(text: str, width: int | None = None, *, first: str = "", rest: str = "") -> str:
    """Return a paragraph wrapped to `width`, by default `reading_width`; `first` and `rest` begin its lines.

    No word is broken, so that paths, fingerprints and calls can be copied.
    """
    return textwrap.fill(
        text,
        reading_width() if width is None else width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def tell(text: str, column: int = 0) -> None:
    """Print each line of a text immediately; if it is wrapped, it continues in `column`."""
    for line in text.splitlines():
        print(filled(line, rest=" " * column), flush=True)  # noqa: T201 (a person is waiting for it)
