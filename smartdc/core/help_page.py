"""The page that ``help`` shows for a data centre or a resource, and the names of methods in errors.

Methods are inherited from mix-ins, one for each noun, which users need not know. So an error about wrong arguments says
`DataCenter.machines()` and not `HasMachines.machines()`. ``help(dc)``, like IPython's ``dc?``, shows all methods on one
page, grouped by noun.
"""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeVar

from smartdc.core.field import Field

__all__ = ["known_to_users"]

C = TypeVar("C", bound=type)

MAX_WIDTH = 100
"""The maximum width of the page, in columns."""

INDENT = 4
"""Columns that ``help`` puts before each line of the page."""

NOUNS = ("smartdc.datacenter", "smartdc.fleet", "smartdc.machine", "smartdc.resources")
"""The packages with the methods that users call."""

_MARKUP = re.compile(r"(?::? ``[A-Z]\w+``.*|[`.:]+$)", re.DOTALL)
"""The part of a first sentence that only the reference needs: CloudAPI's operations at its end."""


def known_to_users(cls: C) -> C:
    """Name the methods of `cls` after it, and give its instances a page for ``help``."""
    for base in cls.__mro__[1:]:
        if base.__module__.startswith("smartdc."):
            for name, value in vars(base).items():
                _name_after(cls, base, name, value)
    cls.__doc__ = _Page(cls.__doc__)  # type: ignore[assignment]
    return cls


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
    lines = [(docstring or "").partition("\n")[0], *_section("attributes", _fields(cls))]
    for noun, methods in _by_noun(cls).items():
        lines += _section(noun, methods)
    return "\n".join([*lines, "", f"help({cls.__name__}.NAME) says all about one of them."])


def _section(title: str, entries: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of a section, if there is anything in it."""
    if entries:
        yield from ("", title)
    room = min(MAX_WIDTH, max(shutil.get_terminal_size().columns, 60)) - INDENT - 36
    for name, words in entries:
        yield f"    {name:<30}  {words if len(words) <= room else words[: room - 1] + '…'}"


def _fields(cls: type) -> list[tuple[str, str]]:
    found = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
    return [
        (name, _first_sentence(value.__doc__))
        for name, value in found.items()
        if isinstance(value, (Field, property)) and not name.startswith("_")
    ]


def _by_noun(cls: type) -> dict[str, list[tuple[str, str]]]:
    """Return the methods of a class, by the noun whose module they are defined in, its own first."""
    nouns: dict[str, list[tuple[str, str]]] = {}
    seen = set[str]()
    for base in cls.__mro__:
        if not base.__module__.startswith(NOUNS) or base.__module__.endswith(".job"):
            continue
        for name, value in vars(base).items():
            method = _method(value)
            if method and not name.startswith("_") and name not in seen:
                noun = base.__module__.rpartition(".")[2].replace("_", " ")
                nouns.setdefault(noun, []).append((f"{name}()", _first_sentence(method.__doc__)))
            seen.add(name)
    return nouns


def _method(value: Any) -> Callable[..., Any] | None:
    function = getattr(value, "__func__", value)
    return function if inspect.isfunction(function) else None


def _first_sentence(docstring: str | None) -> str:
    first = re.split(r"(?:\.\s|\n\n|;)", inspect.cleandoc(docstring or ""), maxsplit=1)[0]
    return " ".join(_MARKUP.sub("", first).replace("`", "").split())
