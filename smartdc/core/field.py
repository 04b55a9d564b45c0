"""Typed, read-only attributes that show the entries of a resource's data."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Generic, Never, NoReturn, Self, TypeVar, cast, overload

from smartdc.errors import BadResponse
from smartdc.http.tracebacks import let_pass

if TYPE_CHECKING:
    from smartdc.core.resource import Resource

__all__ = ["Field"]

T = TypeVar("T")


class _Text:
    """The ``__doc__`` of fields: the class has its docstring, and a field the text below it in its class.

    Editors show that text for the attribute, which an argument could not do; so `help` reads it from the source too.
    """

    def __init__(self, of_the_class: str) -> None:
        self._of_the_class = of_the_class

    def __get__(self, field: Field[Any] | None, owner: type) -> str:
        return self._of_the_class if field is None else field.text


class Field(Generic[T]):
    """A read-only attribute that shows one entry of a resource's data; None if the server sent none.

    The text below it describes it. `key` is the name of the entry, if it differs from the attribute's name, and `read`
    turns the entry into the value.
    """

    def __init__(self, *, key: str | None = None, read: Callable[[Any], T] | None = None) -> None:
        self._key = key or ""
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name
        self._key = self._key or name

    @property
    def text(self) -> str:
        """The text below it; '' if Python has no source."""
        return _texts_in(self._owner).get(self._name, "")

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...

    @overload
    def __get__(self, resource: Resource, owner: type) -> T: ...

    def __get__(self, resource: Resource | None, owner: type) -> T | Self:
        if resource is None:
            return self
        value: Any = resource.get(self._key)
        if self._read is None or value is None:
            return cast("T", value)
        try:
            return self._read(value)
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            let_pass(error)
            raise BadResponse(f"{resource}: cannot parse {self._key!r}: {value!r} ({error})") from None

    def __set__(self, resource: Resource, value: Never) -> NoReturn:
        raise AttributeError(f"{self._name} is read-only: it shows what the server sent")


Field.__doc__ = _Text(Field.__doc__ or "")  # type: ignore[assignment]


@cache
def _texts_in(owner: type) -> Mapping[str, str]:
    """Return the texts below the attributes of a class, by their names."""
    try:
        body = cast("ast.ClassDef", ast.parse(dedent(inspect.getsource(owner))).body[0]).body
    except (OSError, TypeError, SyntaxError):
        return {}
    return {
        ast.unparse(field.targets[0]): below.value.value
        for field, below in pairwise(body)
        if isinstance(field, ast.Assign)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
