"""Show resources and lists as tables to people: in notebooks, in IPython, through `rich`, and in the console's echo.

A resource shows its fields, one per line; a list shows its resources, in the columns that their class declares.
Everywhere else (logs, tests, debuggers), the ``repr`` of a resource is one short line, and that of a list is the usual
one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, cast

from smartdc.core.cells import Columns, cell
from smartdc.core.display import fitted, html_table, text_table
from smartdc.core.field import Field
from smartdc.core.help_page import known_to_users

__all__ = ["ShownAsTable", "ShowsFields", "Table", "is_typed_at_a_prompt"]

MAX_LINES = 1000
"""Rows of a table that a terminal shows."""


class Table(NamedTuple):
    """The table to show; without headings, the first cell of each row is its heading."""

    headings: Sequence[str]
    rows: Callable[[int], Iterable[Sequence[str]]]
    """Returns the first rows, as many as its argument says."""
    total: int


class ShownAsTable:
    """Mix-in for objects that are shown as a table."""

    __slots__ = ()

    def _table(self) -> Table | None:
        """Return the table to show, or None to show the ``repr`` instead."""
        raise NotImplementedError(type(self).__name__)

    def as_text(self, width: int | None = None) -> str:
        """Return the table as text for a terminal of `width` columns; the default is the terminal's own width."""
        table = self._table()
        if table is None:
            return repr(self)
        lines = text_table(table.headings, table.rows(MAX_LINES), width=width)
        return f"{lines}\n{_rest(table)}" if table.total > MAX_LINES else lines

    def _repr_html_(self) -> str | None:
        """Return the table for a notebook."""
        table = self._table()
        return None if table is None else html_table(table.headings, table.rows(100), count=table.total)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Show the table in IPython, or one line inside another object."""
        printer.text(self.as_text() if len(printer.stack) < 2 else repr(self))

    def __rich_console__(self, _console: Any, options: Any) -> Iterator[Any]:
        """Show the table through `rich`, which the caller has loaded."""
        table = self._table()
        if table is None:
            yield import_module("rich.text").Text(repr(self))
            return
        text = import_module("rich.text").Text
        shown = import_module("rich.table").Table(
            box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=bool(table.headings)
        )
        head, *lines = fitted(table.headings or ("", ""), table.rows(MAX_LINES), options.max_width)
        for number, heading in enumerate(head):
            shown.add_column(text(heading), style="" if table.headings or number else "bold", no_wrap=True)
        for line in lines:
            shown.add_row(*(text(part, style=STYLES.get(part, "")) for part in line))
        yield shown
        if table.total > MAX_LINES:
            yield text(_rest(table))


STYLES = {
    **dict.fromkeys(("running", "active", "ready", "created", "successful"), "green"),
    **dict.fromkeys(("failed", "aborted", "canceled"), "red"),
    **dict.fromkeys(("stopped", "disabled", "deleted"), "dim"),
    **dict.fromkeys(("provisioning", "stopping", "creating", "queued", "paused"), "yellow"),
}
"""The colours of states, on terminals with colours."""


class ShowsFields(ShownAsTable):
    """Mix-in for resources: the fields that they show, and the columns in which lists show them."""

    __slots__ = ()

    columns: ClassVar[Columns] = {"name": "name", "state": "state", "id": "id"}
    """The columns of a list of these resources, the most important first."""
    hidden: ClassVar[frozenset[str]] = frozenset()
    """Fields that a resource does not show: secrets, and second names of shown fields."""
    further: ClassVar[Columns] = {}
    """What it shows in addition to its fields, or in place of one."""

    def __init_subclass__(cls) -> None:
        """Let ``help`` and errors use the name of a noun; a class without a `kind` is a mix-in."""
        if "kind" in vars(cls):
            known_to_users(cls)

    def _ipython_key_completions_(self) -> list[str]:
        """Complete ``machine["`` in IPython."""
        return list(cast("Iterable[str]", self))

    def _table(self) -> Table:
        fields = {name: attrgetter(name) for name in _fields(type(self)) if name not in self.hidden}
        values = ((name, cell(self, column)) for name, column in {**fields, **self.further}.items())
        rows = [row for row in values if row[1] != "-"]
        return Table((), lambda most: rows[:most], len(rows))


def _fields(cls: type) -> list[str]:
    """Return the names of the fields of a class, those of its own first."""
    found = {name: None for base in cls.__mro__ for name, value in vars(base).items() if isinstance(value, Field)}
    return list(found)


def is_typed_at_a_prompt(depth: int) -> bool:
    """Return whether code typed into a console has just called the function that is `depth` frames up.

    That is the echo of an expression, or a `print` of it. A function that was typed earlier, a logger, a debugger or a
    script does not count: their code has a name, or a file.
    """
    if not hasattr(sys, "ps1"):
        return False
    code = sys._getframe(depth + 1).f_code  # noqa: SLF001 (CPython's, and PyPy's; nothing else knows the caller)
    return code.co_name == "<module>" and code.co_filename.startswith("<")


def _rest(table: Table) -> str:
    return f"{MAX_LINES:,} of {table.total:,} rows"
