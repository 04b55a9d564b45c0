"""Show the table of operations in parts that fit any screen, when the page is read: a section for each noun, with tabs.

`docs/operations.md` holds one wide table, which tests compare with the code and which editors and GitHub show as it
is. On the site each noun has three narrow tables instead, one for each way to ask: this library, `triton` and HTTP.
They have the same rows in the same order, which `_static/operations.js` relies on when it filters.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple

import smartdc

__all__ = ["Row", "expand", "setup"]

_TABLE = re.compile(r"^\| operation .*\n\| --- .*\n((?:^\|.*\n)+)", re.MULTILINE)
_WITHOUT = "## Without a method of their own"

TITLES = {
    "accesskeys": "Access keys",
    "account": "Account",
    "datacenters": "Data centres",
    "fwrules": "Firewall rules",
    "ips": "Networks",
    "limits": "Account",
    "nics": "Network interfaces",
    "vlans": "Fabric networks",
    "volumesizes": "Volumes",
    "foreigndatacenters": "Data centres",
    "services": "Data centres",
    "change_password": "Users",
    "audit": "Machines",
    "vnc": "Machines",
    "changefeed": "Machines",
    "migrate": "Migrations",
    "migrations": "Migrations",
}
"""Headings of operations by the last word of their path that is no parameter, where that word is no heading itself."""


class Row(NamedTuple):
    """A row of the table in the source."""

    operation: str
    request: str
    since: str
    calls: str
    commands: str
    emulated: str
    differences: str

    @property
    def title(self) -> str:
        """The heading that it stands under."""
        if self.operation.startswith("``SetRoleTags"):
            return "Role tags"
        if "/fabrics/" in self.request:
            return "Fabric networks"
        words = re.findall(r"/([a-z_]+)", self.request.partition("?")[0])
        return TITLES.get(words[-1], words[-1].capitalize()) if words else "Account"


def setup(app: Any) -> dict[str, bool]:
    """Rewrite the page; Sphinx calls this."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}


def _read(_app: object, page: str, source: list[str]) -> None:
    if page == "operations":
        source[0] = expand(source[0])


def expand(text: str) -> str:
    """Return the text of the page with narrow tables in the place of wide ones."""
    first, rest = text.split(_WITHOUT)
    by_noun = _TABLE.sub(lambda match: _sections(_rows(match[1])), first)
    return by_noun + _WITHOUT + _TABLE.sub(lambda match: _tabs(_rows(match[1])), rest)


def _rows(lines: str) -> list[Row]:
    return [Row(*(cell.strip() for cell in line.strip("|").split(" |"))) for line in lines.splitlines()]


def _sections(rows: list[Row]) -> str:
    """Write a section for each noun, in CloudAPI's order."""
    order = list(dict.fromkeys(row.title for row in rows))
    by_title = groupby(sorted(rows, key=lambda row: order.index(row.title)), key=lambda row: row.title)
    return "\n".join(f"## {title}\n\n{_tabs(list(several))}" for title, several in by_title)


def _tabs(rows: list[Row]) -> str:
    ways: dict[str, Callable[[Row], str]] = {
        "smartdc": lambda row: _linked(row.calls),
        "triton": lambda row: row.commands or "-",
        "HTTP": lambda row: row.request,
    }
    tabs = "".join(
        f":::{{tab-item}} {name}\n:sync: {name.lower()}\n\n{_table(rows, way)}\n:::\n" for name, way in ways.items()
    )
    return f"::::{{tab-set}}\n:sync-group: way\n:class: operations\n\n{tabs}::::\n"


def _table(rows: list[Row], way: Callable[[Row], str]) -> str:
    lines = [f"| {row.operation}{_notes(row)} | {way(row)} |" for row in rows]
    return "\n".join(["| operation | how |", "| --- | --- |", *lines]) + "\n"


def _notes(row: Row) -> str:
    """Return what is small below the name: since when there is the operation, and what differs."""
    since = {"-": "", "newer": "after 9.20"}.get(row.since, f"since {row.since}")
    notes = f"[note {row.differences}](#differences)" if row.differences else ""
    both = ", ".join(filter(None, [since, notes]))
    return f" [{both}]{{.since}}" if both else ""


def _linked(calls: str) -> str:
    """Return calls as links to what is said about them."""
    return re.sub(r"`(\w+)\.(\w+)(\(\))?`", _link, calls)


def _link(match: re.Match[str]) -> str:
    owner = _OWNERS.get(match[1])
    text = match[0].strip("`")
    return f"{{py:obj}}`{text} <smartdc.{owner}.{match[2]}>`" if owner else match[0]


def _variable(name: str) -> str:
    return "dc" if name == "DataCenter" else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


_OWNERS = {_variable(name): name for name in smartdc.__all__ if inspect.isclass(getattr(smartdc, name))}
"""The classes that things are made of, by the names that examples give to things."""
