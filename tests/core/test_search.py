"""Filtering a listing by a regular expression, on this side."""

from __future__ import annotations

from typing import Any

import pytest

from smartdc import InputError
from smartdc.core.search import search

THINGS: list[dict[str, Any]] = [
    {"name": "base-64-lts", "description": "Build tools"},
    {"name": "debian-12", "description": None},
    {"name": "Ubuntu", "size": 64},
]


def found(pattern: str | None, *fields: str) -> list[str]:
    """Return the names of the things that match."""
    return [thing["name"] for thing in search(THINGS, pattern, fields)]


@pytest.mark.parametrize(
    ("pattern", "fields", "names"),
    [
        (None, ["name"], ["base-64-lts", "debian-12", "Ubuntu"]),
        ("64", ["name"], ["base-64-lts"]),
        ("ubuntu", ["name"], ["Ubuntu"]),
        ("^(base|debian)-", ["name"], ["base-64-lts", "debian-12"]),
        ("tools|ubuntu", ["name", "description"], ["base-64-lts", "Ubuntu"]),
        ("64", ["name", "size"], ["base-64-lts", "Ubuntu"]),
        ("None", ["description"], []),
        (".", ["no such field"], []),
        ("", [], []),
    ],
)
def test_search(pattern: str | None, fields: list[str], names: list[str]) -> None:
    """A thing is kept when the pattern, ignoring case, is found in one of the fields; empty fields match nothing."""
    assert found(pattern, *fields) == names


def test_one_field_may_be_a_text() -> None:
    """A single field need not be put in a list."""
    assert search(THINGS, "debian", "name") == [THINGS[1]]


def test_pattern_that_is_none() -> None:
    """A pattern that cannot be compiled is refused, and the error says why."""
    with pytest.raises(InputError, match=r"invalid regular expression 'base\(': missing \)"):
        found("base(", "name")
