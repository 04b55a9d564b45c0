"""The ``help`` of a session: first hints, and for a method its parameters and its docstring in the terminal's width."""

from __future__ import annotations

import inspect
import pydoc
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from smartdc.core.help_page import page
from smartdc.core.paragraph import filled, reading_width

__all__ = ["Help", "described", "wrapped"]

HOW_TO = """\
help(dc)                 all methods of a data centre, on one page
help(dc.create_machine)  the description of one method
help(machine)            the same for a machine or any other object
exit                     end the session, as Ctrl-D does

help("keywords"), help("modules") and so on show Python's own help."""

_ITEM = re.compile(r"(?:\s+\*{0,2}\w+: |\s*[-*] )")
"""The beginning of a list's entry, or of an entry of ``Args:``."""

_HEADING = re.compile(r"\s*\w+:")


class Help:
    """``help`` in a session: our own for objects of this package, and Python's for all others."""

    def __repr__(self) -> str:
        return HOW_TO

    def __call__(self, *things: Any) -> None:
        """Show the help about an object; without one, show first hints."""
        if not things:
            print(HOW_TO)  # noqa: T201 (it is the answer)
        elif (text := described(*things)) is not None:
            pydoc.pager(text)
        else:
            pydoc.help(*things)


def described(thing: Any, width: int | None = None) -> str | None:
    """Return the help about a class, a function or an object of this package; None for anything else."""
    width = reading_width(width)
    is_callable = inspect.isroutine(thing) or inspect.isclass(thing)
    home = getattr(thing if is_callable else type(thing), "__module__", None)  # methods of built-in classes have none
    if not str(home).startswith("smartdc."):
        return None
    docstring = inspect.getdoc(thing) or ""
    if not is_callable:
        return f"{thing!r}\n\n{docstring}"
    parts = [_signature(thing, width), textwrap.indent(wrapped(docstring, width - 4), "    ")]
    if inspect.isclass(thing) and type(vars(thing).get("__doc__")) is not str:
        parts.append(page(thing, "").strip())
    return "\n\n".join(parts)


def _signature(thing: Any, width: int) -> str:
    """Return the form of a call, with names and defaults; the docstring describes the types."""
    name = thing.__name__
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return str(name)
    parameters = [
        parameter.replace(annotation=parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    words = str(inspect.Signature(parameters))
    returned = signature.return_annotation
    result = f" -> {returned}" if isinstance(returned, str) and not inspect.isclass(thing) else ""
    return filled(f"{name}{words}{result}", width, rest=" " * min(len(name) + 1, 20))


def wrapped(docstring: str, width: int) -> str:
    """Return a docstring without backticks, with its paragraphs and entries wrapped again."""
    return "\n".join(
        _filled(lines, width) if lines[0].strip() else "" for lines in _paragraphs(docstring.replace("`", ""))
    )


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Yield the lines of each paragraph or entry; an empty line counts as a paragraph."""
    together: list[str] = []
    for line in text.splitlines():
        if together and _begins(line, together):
            yield together
            together = []
        together.append(line)
    if together:
        yield together


def _begins(line: str, before: list[str]) -> bool:
    """Return whether a line begins a new paragraph or entry after the lines `before`."""
    is_apart = not line.strip() or not before[-1].strip() or bool(_HEADING.fullmatch(before[0]))
    return is_apart or bool(_ITEM.match(line)) or _indent(line) < _indent(before[-1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _filled(lines: list[str], width: int) -> str:
    first = " " * _indent(lines[0])
    rest = first + ("    " if _ITEM.match(lines[0]) else "")
    return filled(" ".join(map(str.strip, lines)), width, first=first, rest=rest)
