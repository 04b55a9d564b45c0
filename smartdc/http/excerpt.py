"""Shorten a server's text for messages: its beginning, in one line, without tags."""

from __future__ import annotations

import itertools
import re
from typing import Any

from smartdc.errors import printable

__all__ = ["MAX_SHOWN_BYTES", "excerpt", "first_items", "without_tags"]

MAX_SHOWN_BYTES = 2048
"""The length of the part of an answer that is searched for words to show."""
MAX_ITEMS = 5
"""How many parts of a list or an object are shown."""
MAX_KEY = 64
"""How many characters of an object's name are shown."""

_TAG = re.compile(r"<[^<>]*>")


def excerpt(value: object, limit: int) -> str:
    """Return a value as one printable line of at most `limit` characters."""
    text = value if isinstance(value, str) else _written(value)
    line = printable(" ".join(text[:MAX_SHOWN_BYTES].split()), MAX_SHOWN_BYTES)
    return line if len(line) <= limit and len(text) <= MAX_SHOWN_BYTES else line[: limit - 1] + "…"


def without_tags(page: str) -> str:
    """Return the words of a page."""
    return _TAG.sub(" ", page[:MAX_SHOWN_BYTES])


def first_items(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the entries of an object that are shown."""
    return [(excerpt(key, MAX_KEY), item) for key, item in itertools.islice(value.items(), MAX_ITEMS)]


def _written(value: object, depth: int = 2) -> str:
    """Write a value as Python does, but only the beginning of a large one."""
    if isinstance(value, str):
        return repr(value[:MAX_SHOWN_BYTES])
    if isinstance(value, int):
        return str(value) if value.bit_length() < 1000 else "(a large number)"
    if not isinstance(value, dict | list) or not value:
        return str(value)
    if not depth:
        return "…"
    more = ", …" if len(value) > MAX_ITEMS else ""
    if isinstance(value, list):
        return f"[{', '.join(_written(item, depth - 1) for item in value[:MAX_ITEMS])}{more}]"
    shown = (f"{key!r}: {_written(item, depth - 1)}" for key, item in first_items(value))
    return f"{{{', '.join(shown)}{more}}}"
