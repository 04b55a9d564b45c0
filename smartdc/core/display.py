"""Show things to people: tables in the terminal and in notebooks.

Nothing here sends a request: a cell shows the server's last answer, or a question mark if a value is unreadable. Every
text is printable, and escaped in HTML. The most important column of a table comes first.
"""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterable, Sequence
from itertools import islice
from unicodedata import combining, east_asian_width

from smartdc.errors import printable

__all__ = ["fitted", "html_table", "one_line", "text_table"]

GAP = "  "
"""The gap between two columns."""

MIN_WIDTH = 20
"""A column is not cut to less than this width as long as another column can be left out."""

_ID = re.compile(r"([0-9a-f]{8})-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

HTML_STYLE = """<style>
.smartdc table { border-collapse: collapse; color: inherit; background: none; font-variant-numeric: tabular-nums; }
.smartdc tr, .smartdc tbody tr:nth-child(n) { background: none; }
.smartdc th, .smartdc td { text-align: left !important; vertical-align: top; padding: 0.3em 1.2em 0.3em 0; border: 0; color: inherit;
  background: none; white-space: pre; max-width: 40em; overflow: hidden; text-overflow: ellipsis;
  border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.smartdc thead th { font-weight: 600; border-bottom-color: color-mix(in srgb, currentColor 50%, transparent); }
.smartdc p { opacity: 0.7; margin: 0.5em 0; }
</style>"""
"""The table uses the page's colours, and lines in a shade of its text, so that it is readable in any theme.

Notebooks align the text of tables to the right, by a more specific selector: hence the ``!important``.
"""


def text_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, width: int | None = None) -> str:
    """Return a table for a terminal of `width` columns; None takes the terminal's own.

    Without headings, the table has no heading line. If the table is too wide, ids are shortened to their first digits;
    if that is not enough, the widest columns are cut; and then the last columns are left out.
    """
    cells = fitted(headings, rows, shutil.get_terminal_size().columns if width is None else width)
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        GAP.join(cell + " " * (most - _width(cell)) for cell, most in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def fitted(headings: Sequence[str], rows: Iterable[Sequence[object]], room: int) -> list[tuple[str, ...]]:
    """Return the heading and the rows of a table as texts, with as many columns as fit into `room`."""
    lines = (headings, *rows) if headings else rows
    columns = [*zip(*([one_line(cell) for cell in row] for row in lines), strict=True)]
    if _total(columns) > room:
        columns = [tuple(_ID.sub(r"\1", cell) for cell in column) for column in columns]
    while len(columns) > 1 and _total(columns, MIN_WIDTH) > room:
        columns.pop()
    widths = [max(map(_width, column)) for column in columns]
    room -= len(GAP) * (len(widths) - 1)
    while sum(widths) > max(room, 1):
        widths[widths.index(max(widths))] -= 1
    cut = [[_cut(cell, most) for cell in column] for column, most in zip(columns, widths, strict=True)]
    return [*zip(*cut, strict=True)]


def html_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, limit: int = 100, count: int | None = None
) -> str:
    """Return a table for a notebook, of the first `limit` of `count` rows; None counts them. The colours are the page's.

    Without headings the first cell of each row is its heading.
    """
    rows = iter(rows)
    shown = [[html.escape(one_line(cell)) for cell in row] for row in islice(rows, limit)]
    count = len(shown) + sum(1 for _ in rows) if count is None else count
    head = "".join(f"<th>{html.escape(one_line(heading))}</th>" for heading in headings)
    head = f"<thead><tr>{head}</tr></thead>\n" if headings else ""
    body = "\n".join(_html_row(row, "td" if headings else "th") for row in shown)
    rest = f"\n<p>{len(shown)} of {count:,} rows</p>" if count > len(shown) else ""
    return f'<div class="smartdc">{HTML_STYLE}\n<table>\n{head}<tbody>\n{body}\n</tbody>\n</table>{rest}\n</div>'


def _html_row(cells: Sequence[str], first: str) -> str:
    begin, *others = cells
    return f"<tr><{first}>{begin}</{first}>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>"


def one_line(cell: object) -> str:
    """Return a cell's text on one line, without characters that would move a terminal's cursor."""
    return printable(str(cell)).replace("\n", "\\n")


def _total(columns: Sequence[Sequence[str]], most: int | None = None) -> int:
    """Return the width of a table, whose columns are cut to `most`."""
    widths = [max(map(_width, column)) for column in columns]
    return sum(widths if most is None else (min(width, most) for width in widths)) + len(GAP) * (len(widths) - 1)


def _width(text: str) -> int:
    """Return the width of a text in columns of a terminal."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def _width_of(character: str) -> int:
    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    while _width(text) > width - 1:
        text = text[:-1]
    return f"{text}…"
