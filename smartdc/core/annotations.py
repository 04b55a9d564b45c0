"""Refuse arguments that do not fit the annotations of a method, before it does anything.

Editors and type checkers read the annotations of a method; `checked` also enforces them at run time. An argument that
does not fit is an `InputError`, which names the argument and its type, but not its value, which may be a secret.

Only the types of CloudAPI's parameters are checked here. If an argument may also have another type, such as a type
alias, the method checks it. Four kinds are checked elsewhere: switches by Python or by `smartdc.core.arguments`, ids by
`id_of`, and seconds and states by the functions that wait. The methods that polls call have no other arguments, so
polls do not become slower.
"""

from __future__ import annotations

import ast
import datetime as dt
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar, cast

from smartdc.core.arguments import is_digits
from smartdc.errors import InputError

__all__ = ["check_fields", "checked"]

F = TypeVar("F", bound=Callable[..., Any])

CHECKED_BY_WAITS = frozenset({"interval", "timeout", "settle", "state", "progress"})
"""Parameters that `poll` and its functions check."""


class Kind(NamedTuple):
    """One kind of value: its name in errors, and a test of a value."""

    words: str
    fits: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or is_digits(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value  # noqa: PLR0124 (not-a-number is none)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, bytes)


KINDS = {
    "None": Kind("None", lambda value: value is None),
    "str": Kind("a string", lambda value: isinstance(value, str)),
    "bytes": Kind("bytes", lambda value: isinstance(value, bytes)),
    "int": Kind("a whole number", _is_whole),
    "float": Kind("a number", _is_number),
    "datetime": Kind("a datetime", lambda value: isinstance(value, dt.datetime)),
    "PathLike": Kind("a path", lambda value: isinstance(value, os.PathLike)),
    "Callable": Kind("a function", callable),
    **dict.fromkeys(("Mapping", "dict"), Kind("a dict", lambda value: isinstance(value, Mapping))),
    **dict.fromkeys(("Iterable", "Sequence", "list"), Kind("a list", _is_list)),
}
"""Kinds by the names that annotations have for them."""

ID = {KINDS["str"], KINDS["Mapping"], KINDS["None"]}
"""The kinds of value that identify a resource, or none."""


class Check(NamedTuple):
    """The kinds of value that a parameter takes."""

    operation: str
    name: str
    kinds: tuple[Kind, ...]

    def __call__(self, value: Any) -> None:
        """Raise `InputError` for a value that is of none of these kinds."""
        for kind in self.kinds:
            if kind.fits(value):
                return
        wanted = " or ".join(dict.fromkeys(kind.words for kind in self.kinds if kind.words != "None"))
        found = repr(value) if isinstance(value, float) else type(value).__name__
        raise InputError(f"{self.operation}: {self.name} must be {wanted}, not {found}")


def checked(function: F) -> F:
    """Make a method refuse arguments that do not fit its annotations: `InputError`."""
    code, annotations = function.__code__, function.__annotations__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    called = f"{function.__name__}()"
    by_name = {name: check for name in names if (check := _check_of(called, name, annotations.get(name)))}
    if not by_name:
        return function
    by_place = [by_name.get(name) for name in names[: code.co_argcount]]

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for check, value in zip(by_place, args, strict=False):
            if check:
                check(value)
        for name, value in kwargs.items():
            if name in by_name:
                by_name[name](value)
        return function(*args, **kwargs)

    return cast("F", wrapper)


def check_fields(dataclass: Any, operation: str) -> Callable[[object], None]:
    """Return a check of a dataclass's fields by their annotations; the fields are the parameters of `operation`."""
    checks = [check for field in fields(dataclass) if (check := _check_of(operation, field.name, field.type))]

    def check_all(filled: object) -> None:
        for check in checks:
            check(getattr(filled, check.name))

    return check_all


def _check_of(operation: str, name: str, annotation: object) -> Check | None:
    """Return the check of a parameter; None if its annotation does not name all its types."""
    if name in CHECKED_BY_WAITS or not isinstance(annotation, str):
        return None
    kinds = _kinds_of(annotation)
    return Check(operation, name, kinds) if kinds else None


@functools.cache
def _kinds_of(annotation: str) -> tuple[Kind, ...]:
    """Return the kinds of value that an annotation allows; none for ids, or if one of them is not in the table."""
    kinds = [_kind_of(part) for part in _parts(ast.parse(annotation, mode="eval").body)]
    known = tuple(kind for kind in kinds if kind)
    return () if len(known) < len(kinds) or {*known, KINDS["None"]} == ID else known


def _parts(annotation: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of a union."""
    if isinstance(annotation, ast.BinOp):
        yield from _parts(annotation.left)
        yield from _parts(annotation.right)
    else:
        yield annotation


def _kind_of(annotation: ast.expr) -> Kind | None:
    """Return the kind of value that an annotation means; None if it is not in the table."""
    whole = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    name = whole.attr if isinstance(whole, ast.Attribute) else ast.unparse(whole)
    return KINDS.get(name)
