"""Find the thing that people mean by an id, the beginning of an id, a name, a dict or a resource.

CloudAPI addresses most things only by their whole ids, and many names are not unique. So a method sends an id as it is,
and looks up anything else in a listing. In the listing, an exact name wins over the beginning of an id. A text that
fits several things is refused, since only the caller knows which one is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from smartdc.errors import InputError, ResourceNotFound

__all__ = ["MAX_DIGITS", "complete_id", "did_you_mean", "find", "id_of", "is_short_id", "is_uuid", "not_found", "only"]

M = TypeVar("M", bound=Mapping[str, Any])

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SHORT_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]*", re.IGNORECASE)

_TOO_SHORT_ID = re.compile(r"[0-9a-f]{3,7}", re.IGNORECASE)
"""Texts that a person may mean as the beginning of an id, but that this library takes as a name."""

MIN_DIGITS = 8
"""The minimum number of hexadecimal digits for the beginning of an id."""

MAX_DIGITS = 32
"""Hexadecimal digits of a whole id."""

CANDIDATES = 10
"""How many of the fitting things an error shows; it counts the others."""

NEAR_NAMES = 3
"""How many similar names an error shows."""


def id_of(thing: object, *keys: str) -> str:
    """Return the identifier of `thing`: a string is one already; a dict or resource has it under one of `keys`."""
    if type(thing) is str and thing:
        return thing
    keys = keys or ("id",)
    if isinstance(thing, Mapping):
        found = next((thing[key] for key in keys if thing.get(key)), None)
        if found is None:
            raise InputError(f"missing {' or '.join(map(repr, keys))} in the given {type(thing).__name__}")
        return str(found)
    is_text = isinstance(thing, (str, int)) and not isinstance(thing, bool) and thing != ""
    if not is_text and type(thing).__name__ not in ("UUID", "IPv4Address", "IPv6Address"):  # without importing them
        raise InputError(f"expected an id, a dict with {keys[0]!r}, or a resource, got {thing!r}")
    return str(thing)


def is_uuid(text: str) -> bool:
    """Return True for an id, and False for a name."""
    return _UUID.fullmatch(text) is not None


def is_short_id(text: str) -> bool:
    """Return whether a text may be the beginning of an id: 8 digits or more, with or without dashes, but not all digits."""
    return not is_uuid(text) and _SHORT_ID.fullmatch(text) is not None and len(_digits(text)) <= MAX_DIGITS


def find(
    text: str,
    kind: str,
    listing: Iterable[M],
    *,
    everything: Callable[[], Iterable[M]] | None = None,
    key: str = "name",
) -> M:
    """Return the only thing that `text` means: the one of that name, or else the one whose id begins with it.

    `listing` has at least all things of that name, under `key`; if it may lack others, `everything` lists all things.
    No such thing raises `ResourceNotFound`; several raise an `InputError` that lists them.
    """
    listed = list(listing)
    if named := [thing for thing in listed if thing.get(key) == text]:
        return only(named, text, kind)
    if is_short_id(text):
        known = listed if everything is None else everything()
        if begun := [thing for thing in known if _digits(str(thing.get("id"))).startswith(_digits(text))]:
            return only(begun, text, kind, f"have an id that begins with {text!r}; give more digits")
    raise not_found(text, kind, [str(thing.get(key)) for thing in listed])


def complete_id(text: str, kind: str, listing: Callable[[], Iterable[Mapping[str, Any]]], *, key: str = "name") -> str:
    """Return a whole id or a name, which CloudAPI accepts; only the beginning of an id has to be looked up."""
    if not is_short_id(text):
        return text
    found = find(text, kind, listing(), key=key)
    return text if found.get(key) == text else str(found["id"])


def only(things: list[M], text: str, kind: str, problem: str = "") -> M:
    """Return the only thing that `text` means; none raises `ResourceNotFound`, several raise an `InputError`."""
    if not things:
        raise not_found(text, kind)
    if len(things) > 1:
        shown = ", ".join(map(repr, things[:CANDIDATES]))
        rest = f" and {len(things) - CANDIDATES} more" if len(things) > CANDIDATES else ""
        problem = problem or f"are named {text!r}; give the id"
        raise InputError(f"{len(things)} {kind}s {problem} of one of {shown}{rest}")
    return things[0]


def not_found(text: str, kind: str, names: Iterable[str] = ()) -> ResourceNotFound:
    """Return the error for a name that does not exist, with similar ones among `names`."""
    hint = did_you_mean(text, names)
    if _TOO_SHORT_ID.fullmatch(text):
        hint += f" (an id may be shortened to its first {MIN_DIGITS} digits, and no further)"
    error = ResourceNotFound(f"no {kind} named {text!r}{hint}")
    error.status = 404
    error.code = "ResourceNotFound"
    return error


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """Return the question at the end of an error if there are names similar to `text`, or ''."""
    near = get_close_matches(text, dict.fromkeys(names), NEAR_NAMES)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _digits(identifier: str) -> str:
    return identifier.replace("-", "").lower()
