"""`ResourceList`, what a method that lists returns: a list that shows itself as a table where people look."""

from __future__ import annotations

from typing import Any, Self, SupportsIndex, TypeVar, overload

__all__ = ["ResourceList"]

T = TypeVar("T")


class ResourceList(list[T]):
    """A list of resources, which is a list in every way; its slices, copies and sums are of its class too."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return type(self)(found) if isinstance(index, slice) else found

    def __add__(self, other: list[Any]) -> Any:
        return type(self)(super().__add__(other)) if isinstance(other, list) else NotImplemented

    def __radd__(self, other: list[Any]) -> Any:
        return type(self)([*other, *self]) if isinstance(other, list) else NotImplemented

    def __mul__(self, times: SupportsIndex) -> Self:
        return type(self)(super().__mul__(times))

    __rmul__ = __mul__

    def copy(self) -> Self:
        """Return a list of the same things."""
        return type(self)(self)
