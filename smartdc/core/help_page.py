"""The page that ``help`` shows for a data centre or a resource, and the names of methods in errors.

Methods are inherited from mix-ins, one for each noun, which users need not know. So an error about wrong arguments says
`DataCenter.machines()` and not `HasMachines.machines()`. ``help(dc)``, like IPython's ``dc?``, shows all methods on one
page, grouped by noun.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeVar

from smartdc.core.field import Field
from smartdc.core.paragraph import reading_width
from smartdc.http.settings import Setting

__all__ = ["INTERNAL", "known_to_users", "page"]

C = TypeVar("C", bound=type)

MIN_WIDTH = 60
"""The minimum width of the page, in columns: there are names on its left."""

INDENT = 4
"""Columns that ``help`` puts before each line of the page."""

MODULES = ("smartdc.datacenter", "smartdc.fleet", "smartdc.machine", "smartdc.resources")
"""The packages with the methods that users call."""

SECTIONS = (
    "machine", "many machines", "ssh", "audit", "image", "package", "network", "nic", "disk", "snapshot", "tag",
    "metadata", "volume", "firewall rule", "key", "account",
)  # fmt: skip
"""Titles of the most important sections, in this order; the others follow."""

LAST = ("data centre", "settings")
"""Titles of the sections that come last."""

TITLES = {
    "action": "machine",
    "create": "machine",
    "owner": "many machines",
    "wait": "many machines",
    "info": "account",
    "config": "account",
    "service": "data centre",
    "datacenter": "data centre",
}
"""Titles of sections that are not named after the module."""

INTERNAL = frozenset(
    {
        *("columns", "further", "hidden", "id_key", "kind", "from_answer", "from_answers", "machines_from"),
        *("resolved", "provision"),
        *("states", "dead_ends", "look", "fail", "take", "has_reached", "has_succeeded", "request_job"),
        *("count_entry_jobs", "wait_for_entries", "count_disk_jobs", "sending_disk_job", "wait_for_disk_job"),
    }
)
"""Names without an underscore that only other parts of this package use."""

FORMER = frozenset({"dataset", "datasets", "default_headers"})
"""Names that only old scripts use: they are not shown."""

_MARKUP = re.compile(r"(?::? ``[A-Z]\w+``.*|[`.:]+$)", re.DOTALL)
"""The part of a first sentence that only the reference needs: CloudAPI's operations at its end."""


def known_to_users(cls: C) -> C:
    """Name the methods of `cls` after it, and give its instances a page for ``help``."""
    for base in cls.__mro__[1:]:
        if base.__module__.startswith("smartdc."):
            for name, value in vars(base).items():
                _name_after(cls, base, name, value)
    cls.__doc__ = _Page(cls.__doc__)  # type: ignore[assignment]
    cls.__dir__ = _names  # type: ignore[method-assign,assignment]
    return cls


def _names(thing: object) -> list[str]:
    """Return the names that ``dir`` and Tab show."""
    return [name for name in object.__dir__(thing) if name not in INTERNAL | FORMER]


def _name_after(cls: type, base: type, name: str, value: Any) -> None:
    """Name a method that is inherited from `base` after `cls`, or after no class if another one inherits it too."""
    function = getattr(value, "__func__", value)
    while isinstance(function, FunctionType):
        shared = function.__qualname__ not in {f"{base.__name__}.{name}", f"{cls.__name__}.{name}"}
        function.__qualname__ = name if shared else f"{cls.__name__}.{name}"
        function = getattr(function, "__wrapped__", None)


class _Page:
    """The ``__doc__`` of a class: the class has its docstring, and an instance has the page."""

    def __init__(self, docstring: str | None) -> None:
        self._docstring = docstring

    def __get__(self, thing: object, cls: type) -> str | None:
        return self._docstring if thing is None else page(cls, self._docstring)


def page(cls: type, docstring: str | None) -> str:
    """Return the first sentence about a class, its fields, and its methods by noun."""
    sections = {"attributes": _attributes(cls, Field, property), **_by_noun(cls)}
    if settings := _attributes(cls, Setting):
        sections["settings"] = sections.pop("attributes") + settings
    width = max(len(name) for entries in sections.values() for name, _ in entries)
    lines = [(docstring or "").partition("\n")[0]]
    for title, entries in sections.items():
        lines += _section(title, entries, width)
    return "\n".join([*lines, "", f"help({cls.__name__}.NAME) describes one of them."])


def _section(title: str, entries: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Yield the lines of a section, if there is anything in it."""
    if entries:
        yield from ("", title)
    room = max(reading_width(), MIN_WIDTH) - INDENT
    for name, words in entries:
        begin = f"    {name:<{width}}  "
        yield from textwrap.wrap(begin + words, room, subsequent_indent=" " * len(begin)) or [begin.rstrip()]


def _attributes(cls: type, *kinds: type) -> list[tuple[str, str]]:
    found = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
    return [
        (name, _first_sentence(value.__doc__))
        for name, value in found.items()
        if isinstance(value, kinds) and _is_for_users(name)
    ]


def _by_noun(cls: type) -> dict[str, list[tuple[str, str]]]:
    """Return the methods of a class, by the noun whose module they are defined in, in the order of `SECTIONS`."""
    nouns: dict[str, list[tuple[str, str]]] = {title: [] for title in SECTIONS}
    seen = set[str]()
    # The module after which a section is named comes first in it.
    for base in sorted(cls.__mro__, key=lambda base: _module(base) in TITLES):
        module = _module(base)
        if not base.__module__.startswith(MODULES) or module == "job":
            continue
        for name, value in vars(base).items():
            method = _method(value)
            if method and _is_for_users(name) and name not in seen:
                title = TITLES.get(module, module.replace("_", " "))
                nouns.setdefault(title, []).append((f"{name}()", _first_sentence(method.__doc__)))
            seen.add(name)
    return {title: nouns[title] for title in sorted(nouns, key=LAST.__contains__)}


def _module(cls: type) -> str:
    return cls.__module__.rpartition(".")[2]


def _is_for_users(name: str) -> bool:
    return not name.startswith("_") and name not in INTERNAL | FORMER


def _method(value: Any) -> Callable[..., Any] | None:
    function = getattr(value, "__func__", value)
    return function if inspect.isfunction(function) else None


def _first_sentence(docstring: str | None) -> str:
    first = re.split(r"(?:\.\s|\n\n|;)", inspect.cleandoc(docstring or ""), maxsplit=1)[0]
    return " ".join(_MARKUP.sub("", first).replace("`", "").split())
