"""A dict that refuses to be changed."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from smartdc.core.read_only import ReadOnlyDict

ENTRIES = {"a": 1, "b": [2]}
CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "set": lambda entries: entries.__setitem__("a", 2),
    "delete": lambda entries: entries.__delitem__("a"),
    "update": lambda entries: entries.update(a=2),
    "union": lambda entries: entries.__ior__({"a": 2}),
    "setdefault": lambda entries: entries.setdefault("c", 2),
    "pop": lambda entries: entries.pop("a"),
    "popitem": lambda entries: entries.popitem(),
    "clear": lambda entries: entries.clear(),
}


@pytest.fixture
def entries() -> dict[str, Any]:
    """A read-only dict."""
    return ReadOnlyDict(ENTRIES, "call change()")


@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_refused(entries: dict[str, Any], change: str) -> None:
    """Whatever changes a dict is an error, which says what to call instead."""
    with pytest.raises(TypeError, match=r"cannot be changed: call change\(\), or change a copy\(\)"):
        CHANGES[change](entries)
    assert entries == ENTRIES


def test_reading_is_that_of_a_dict(entries: dict[str, Any]) -> None:
    """It is equal to a dict, is written as one, and makes one."""
    assert (entries, json.loads(json.dumps(entries)), repr(entries)) == (ENTRIES, ENTRIES, repr(ENTRIES))
    assert entries | {"a": 2} == {**ENTRIES, "a": 2}


def revived(entries: dict[str, Any]) -> Any:
    """Return what comes out of a pickle."""
    return pickle.loads(pickle.dumps(entries))  # noqa: S301 (it is our own)


@pytest.mark.parametrize("copier", [dict, dict.copy, copy.copy, copy.deepcopy, revived])
def test_copies_can_be_changed(entries: dict[str, Any], copier: Any) -> None:
    """Copies and pickles are dicts as all others are."""
    twin = copier(entries)
    twin["a"] = 2
    assert (type(twin), twin["a"], entries["a"]) == (dict, 2, 1)
