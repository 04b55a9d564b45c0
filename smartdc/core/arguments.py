"""Check the types of arguments before a byte is sent, and leave out those that were not given.

CloudAPI treats a string such as "false" in three ways: some operations take it as true, some refuse it, and some ignore
it silently. So each function here takes arguments by their names, and returns those that are not None. An argument of
another type is an `InputError`, which names it but does not repeat its value, which may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from smartdc.errors import InputError

__all__ = [
    "as_list",
    "booleans",
    "dicts",
    "entry",
    "flags",
    "integers",
    "is_digits",
    "json_text",
    "lists",
    "mappings",
    "strings",
]


def strings(**values: object) -> dict[str, Any]:
    """Take strings."""
    return {name: _checked(name, value, isinstance(value, str), "a string") for name, value in _given(values)}


def integers(**values: object) -> dict[str, Any]:
    """Take whole numbers, but not True and False; digits in a string, as from settings or a command line, count too."""
    numbers = {name: int(value) if is_digits(value) else value for name, value in _given(values)}
    return {name: _checked(name, value, _is_whole(value), "a whole number") for name, value in numbers.items()}


def booleans(**values: object) -> dict[str, Any]:
    """Take True and False; both are sent."""
    return {name: _checked(name, value, isinstance(value, bool), "True or False") for name, value in _given(values)}


def flags(**values: object) -> dict[str, Any]:
    """Take True and False for parameters that CloudAPI reads as true whenever they are present: False is left out.

    Numbers are accepted too, since ``tombstone`` was a number of minutes in the past.
    """
    return {
        name: True
        for name, value in values.items()
        if value is not None and _checked(name, value, isinstance(value, int), "True or False")
    }


def lists(**values: object) -> dict[str, Any]:
    """Take lists of strings; a single string is a list of one."""
    return {name: _list(name, value) for name, value in _given(values)}


def dicts(**values: object) -> dict[str, Any]:
    """Take mappings with any content."""
    return {name: dict(_checked(name, value, isinstance(value, Mapping), "a dict")) for name, value in _given(values)}


def mappings(**values: object) -> dict[str, Any]:
    """Take mappings from strings to strings, numbers and booleans."""
    return {name: _mapping(name, entries) for name, entries in dicts(**values).items()}


def entry(of: str, thing: object) -> dict[str, Any]:
    """Take one entry of a list of mappings whose keys are strings."""
    taken = dict(_checked(f"each of {of}", thing, isinstance(thing, Mapping), "a dict"))
    for key in taken:
        _checked(f"each key of {of}", key, isinstance(key, str), "a string")
    return taken


def json_text(name: str, value: object) -> str:
    """Return a mapping as JSON; a string is already JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(dict(_checked(name, value, isinstance(value, Mapping), "a string or a dict")))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{name} cannot be encoded as JSON: {error}") from None


def as_list(name: str, things: Any) -> list[Any]:
    """Return one thing or several as a list; a string or a dict is one thing, although it is iterable."""
    if isinstance(things, (str, Mapping)):
        return [things]
    return list(_checked(name, things, isinstance(things, Iterable) and not isinstance(things, bytes), "a list"))


def _given(values: Mapping[str, object]) -> Iterable[tuple[str, Any]]:
    return ((name, value) for name, value in values.items() if value is not None)


def is_digits(value: object) -> bool:
    """Return whether a value is a string of digits, as from settings or a command line."""
    return isinstance(value, str) and len(value) < 19 and value.isascii() and value.isdigit()


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _checked(name: str, value: Any, right: bool, wanted: str) -> Any:
    if not right:
        raise InputError(f"{name} must be {wanted}, not {type(value).__name__}")
    return value


def _list(name: str, value: Any) -> list[str]:
    items = as_list(name, value)
    return [_checked(f"each of {name}", item, isinstance(item, str), "a string") for item in items]


def _mapping(name: str, entries: dict[str, Any]) -> dict[str, Any]:
    for key, entry in entries.items():
        _checked(f"each key of {name}", key, isinstance(key, str), "a string")
        _checked(f"{name}[{key!r}]", entry, isinstance(entry, (str, int, float)), "a string, number or boolean")
    return entries
