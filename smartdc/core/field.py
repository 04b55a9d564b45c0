"""Typed, read-only windows onto the entries of a resource's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Never, NoReturn, Self, TypeVar, cast, overload

from smartdc.errors import BadResponse
from smartdc.http.tracebacks import let_pass

if TYPE_CHECKING:
    from smartdc.core.resource import Resource

__all__ = ["Field"]

T = TypeVar("T")


class Field(Generic[T]):
    """A read-only window onto one entry of a resource's data; None where the server sent none.

    `doc` says what it is, `key` names the entry where it differs from the attribute, and `read` turns the entry
    into the value.
    """

    def __init__(self, doc: str, *, key: str | None = None, read: Callable[[Any], T] | None = None) -> None:
        self.__doc__ = doc
        self._key = key or ""
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._key = self._key or name

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
