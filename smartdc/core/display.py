"""Show things to people: tables in the terminal and in notebooks.

Nothing here sends anything: a cell shows what the server last said, and what cannot be read is a question mark. Every
text is printable, and escaped where it becomes HTML. The columns of a table stand in the order of their importance.
"""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterable, Sequence

from smartdc.errors import printable

__all__ = ["html_table", "text_table"]

GAP = "  "
"""What stands between two columns."""

MIN_WIDTH = 8
"""Characters below which no column is cut: the first digits of an id."""

HTML_STYLE = """<style>
.smartdc table { border-collapse: collapse; color: inherit; background: none; font-variant-numeric: tabular-nums; }
.smartdc th, .smartdc td { text-align: left; padding: 0.3em 0.9em; border: 0; color: inherit; background: none;
  white-space: pre; border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.smartdc th { font-weight: 600; border-bottom-color: color-mix(in srgb, currentColor 45%, transparent); }
.smartdc p { opacity: 0.7; margin: 0.4em 0.9em; }
</style>"""


def text_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, width: int | None = None) -> str:
    """Return a table for a terminal of `width` columns; None takes the terminal's own.

    Where the table is wider, its widest columns are cut, and where that does not help, the last columns left out.
    """
    cells = [[_one_line(heading) for heading in headings], *([_one_line(cell) for cell in row] for row in rows)]
    room = shutil.get_terminal_size().columns if width is None else width
    widths = _fitting([max(map(len, column)) for column in zip(*cells, strict=True)], room)
    return "\n".join(
        GAP.join(f"{_cut(cell, most):<{most}}" for cell, most in zip(row, widths, strict=False)).rstrip()
        for row in cells
    )


def html_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, limit: int = 100) -> str:
    """Return a table for a notebook, of the first `limit` rows; the colours are the page's."""
    cells = [[_escaped(cell) for cell in row] for row in rows]
    head = "".join(f"<th>{_escaped(heading)}</th>" for heading in headings)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in cells[:limit])
    rest = f"\n<p>{limit} of {len(cells):,} rows</p>" if len(cells) > limit else ""
    return (
        f'<div class="smartdc">{HTML_STYLE}\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>{rest}\n</div>"
    )


def _one_line(cell: object) -> str:
    """Return a cell's text on one line, without what would move a terminal's cursor."""
    return printable(str(cell)).replace("\n", "\\n")


def _escaped(cell: object) -> str:
    return html.escape(_one_line(cell))


def _fitting(widths: list[int], room: int) -> list[int]:
    """Return the widths of the columns that fit into `room`: the widest are cut first, then the last left out."""
    while len(widths) > 1 and sum(min(width, MIN_WIDTH) + len(GAP) for width in widths) - len(GAP) > room:
        widths = widths[:-1]
    room -= len(GAP) * (len(widths) - 1)
    widths = [*widths]
    while sum(widths) > room and max(widths) > MIN_WIDTH:
        widths[widths.index(max(widths))] -= 1
    return widths


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
