"""Filter a listing by a regular expression, on this side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from smartdc.core.listing import ResourceList
from smartdc.errors import InputError

__all__ = ["search"]

M = TypeVar("M", bound=Mapping[str, Any])


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
