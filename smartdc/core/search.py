"""Filter a listing in the client: by patterns such as ``web-*``, and by a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from smartdc.core import arguments
from smartdc.core.listing import ResourceList
from smartdc.errors import InputError

__all__ = ["is_pattern", "literal_part", "search", "select"]

M = TypeVar("M", bound=Mapping[str, Any])

_WILDCARDS = re.compile(r"[*?]")


def select(
    things: Iterable[M], pattern: str | None = None, fields: Iterable[str] = (), /, **patterns: str | None
) -> ResourceList[M]:
    """Keep the things whose entries match `patterns`, each for the entry of its name, and in which `search` finds `pattern`.

    In the patterns, ``*`` stands for any characters and ``?`` for one. None matches all.
    """
    found = list(things)
    for name, wanted in arguments.strings(**patterns).items():
        fits = _compiled(wanted)
        found = [thing for thing in found if fits.fullmatch(str(thing.get(name) or ""))]
    return search(found, pattern, fields)


def search(things: Iterable[M], pattern: str | None, fields: Iterable[str]) -> ResourceList[M]:
    """Keep the things in which `pattern`, ignoring case, is found in one of `fields`; no pattern keeps all."""
    if pattern is None:
        return ResourceList(things)
    try:
        matcher = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise InputError(f"invalid regular expression {pattern!r}: {error}") from None
    names = [fields] if isinstance(fields, str) else list(fields)
    return ResourceList(thing for thing in things if any(matcher.search(str(thing.get(name) or "")) for name in names))


def is_pattern(text: str | None) -> bool:
    """Return whether a name is a pattern, which may match several names."""
    return isinstance(text, str) and _WILDCARDS.search(text) is not None


def literal_part(pattern: str) -> str:
    """Return the longest part of a pattern without special characters."""
    return max(_WILDCARDS.split(pattern), key=len)


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for a pattern; its time grows with the text, but not with the number of stars.

    The pieces between stars are searched one after the other. The first place where a piece is found leaves the most
    text for the later pieces, so that the piece is never searched again: the group is atomic.
    """
    first, *rest = [re.escape(piece).replace(r"\?", ".") for piece in pattern.split("*")]
    between = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    return re.compile(f"{first}{between}.*{rest[-1]}" if rest else first, re.DOTALL)
