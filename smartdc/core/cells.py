"""The cells of tables: the columns of each kind of resource, and values in a form for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import Any

from smartdc.core.display import one_line
from smartdc.errors import SmartDCError
from smartdc.http.dates import parse_date

__all__ = ["Columns", "age", "cell", "in_columns", "in_words", "mebibytes", "moment", "names_of", "size"]

Column = str | Callable[[Any], object]
Columns = Mapping[str, Column]
"""Heading to the entry that the column shows, or to a function of the resource that sends no request."""

MAX_PARTS = 20
"""Entries of a list or an object that a cell shows."""

AGES = ((365 * 86400, "y"), (7 * 86400, "w"), (86400, "d"), (3600, "h"), (60, "m"))
"""Units of an age in seconds; a unit is used from two of it on, so that rounding is never too coarse."""


def in_columns(**columns: Column) -> Columns:
    """Return columns by their headings, as a mapping that cannot be changed."""
    return MappingProxyType(columns)


def cell(thing: Any, column: Column) -> str:
    """Return the text of a resource's cell in a column; '?' if the server sent an unreadable value."""
    try:
        return in_words(thing.get(column) if isinstance(column, str) else column(thing))
    except (SmartDCError, ValueError, TypeError, RecursionError):
        return "?"


def in_words(value: object) -> str:
    """Return a value as people write it, on one line."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, Mapping):
        return _joined(value, [f"{key}={in_words(part)}" for key, part in islice(value.items(), MAX_PARTS)])
    if isinstance(value, (list, tuple)):
        return _joined(value, [in_words(part) for part in value[:MAX_PARTS]])
    return one_line(value)


def _joined(value: Any, parts: list[str]) -> str:
    return ", ".join([*parts, "…"] if len(value) > len(parts) else parts)


def age(key: str = "created") -> Callable[[Any], str | None]:
    """Return a column that shows how long ago something happened, by the server's clock."""

    def read(thing: Any) -> str | None:
        value = thing.get(key)
        # The server's clock, as far as this client knows it.
        return None if value is None else short_age(thing._now() - parse_date(value).timestamp())  # noqa: SLF001

    return read


def short_age(seconds: float) -> str:
    """Return an age in one unit, such as ``3d``."""
    for size, unit in AGES:
        if seconds >= 2 * size or (size == 60 and seconds >= size):
            return f"{seconds // size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def moment(key: str) -> Callable[[Any], datetime | None]:
    """Return a column that shows when something happened."""

    def read(thing: Any) -> datetime | None:
        value = thing.get(key)
        return None if value is None else parse_date(value)

    return read


def mebibytes(key: str, per_unit: int = 1) -> Callable[[Any], str | None]:
    """Return a column for a size in MiB, or in another unit, of which one MiB has `per_unit`."""

    def read(thing: Any) -> str | None:
        value = thing.get(key)
        return None if value is None else size(value / per_unit)

    return read


def names_of(key: str) -> Callable[[Any], list[str]]:
    """Return a column for a list of members or policies, by their names."""

    def read(thing: Any) -> list[str]:
        entries = thing.get(key) or []
        return [
            str(entry.get("name") or entry.get("login") or entry.get("id")) if isinstance(entry, dict) else str(entry)
            for entry in entries
        ]

    return read


def size(mib: float) -> str:
    """Return a size in MiB as text, in the largest fitting unit."""
    for unit, factor in (("TiB", 2**20), ("GiB", 2**10)):
        if mib >= factor:
            return f"{mib / factor:.4g} {unit}"
    return f"{mib * 1024:.4g} KiB" if 0 < mib < 1 else f"{mib:.4g} MiB"
