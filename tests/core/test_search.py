"""Filtering a listing on this side: by a regular expression, and by patterns."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest

from smartdc import InputError
from smartdc.core.search import search, select

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


def test_patterns_find_what_they_say() -> None:
    """Every pattern of up to four of these characters, against every such name, as the plainest translation has it."""
    texts = ["".join(letters) for length in range(5) for letters in itertools.product("ab\n", repeat=length)]
    for length in range(5):
        for letters in itertools.product("*?ab", repeat=length):
            pattern = "".join(letters)
            plain = re.compile(pattern.replace("*", ".*").replace("?", "."), re.DOTALL)
            fitting = [thing["name"] for thing in select([{"name": text} for text in texts], name=pattern)]
            assert fitting == [text for text in texts if plain.fullmatch(text)], pattern


@pytest.mark.parametrize("name", ["a[b", "[ab]", "a.b", "a\\b", "A"])
def test_patterns_have_two_wildcards(name: str) -> None:
    """All else stands for itself, capitals included."""
    things = [{"name": each} for each in ("a[b", "[ab]", "a.b", "a\\b", "A", "a")]
    assert select(things, name=name) == [{"name": name}]
    assert select(things, name=f"*{name}") == [{"name": name}]


def test_a_pattern_with_many_stars_takes_no_longer() -> None:
    """A name that nearly fits is not tried in every way in which it could."""
    started = time.process_time()
    assert select([{"name": "a" * 1000}], name="*a*a*a*b") == []
    assert select([{"name": "a" * 10_000}], name="*a*a*a*a*a*?b") == []
    assert time.process_time() - started < 5
