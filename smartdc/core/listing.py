"""`ResourceList`, the result of a method that lists: a list that is shown to people as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self, SupportsIndex, TypeVar, overload

from smartdc.core.cells import Columns, cell
from smartdc.core.shown import ShownAsTable, Table, is_typed_at_a_prompt

__all__ = ["ResourceList"]

T = TypeVar("T")


class ResourceList(ShownAsTable, list[T]):
    """A list of resources; it works like any list, and its slices, copies and sums are of the same class.

    Notebooks, IPython and the echo of Python's console show it as a table.
    """

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return self._like(found) if isinstance(index, slice) else found

    def __add__(self, other: list[Any]) -> Any:
        return self._like(super().__add__(other)) if isinstance(other, list) else NotImplemented

    def __radd__(self, other: list[Any]) -> Any:
        return self._like([*other, *self]) if isinstance(other, list) else NotImplemented

    def __mul__(self, times: SupportsIndex) -> Self:
        return self._like(super().__mul__(times))

    __rmul__ = __mul__

    def copy(self) -> Self:
        """Return a list of the same things."""
        return self._like(self)

    def _like(self, things: list[T]) -> Self:
        """Return a list of this class with other things."""
        return type(self)(things)

    def __repr__(self) -> str:
        """Show the table in the console, and a plain list anywhere else."""
        return self.as_text() if is_typed_at_a_prompt(1) and self._table() else super().__repr__()

    # IPython takes what the class that has a `__repr__` has itself.
    _repr_pretty_ = ShownAsTable._repr_pretty_

    def _table(self) -> Table | None:
        """Return the table of things of one kind; None for an empty or a mixed list."""
        columns: Columns = getattr(self[0], "columns", {}) if self else {}
        if not columns or any(type(thing) is not type(self[0]) for thing in self):
            return None

        def rows(most: int) -> Iterator[list[str]]:
            return ([cell(thing, column) for column in columns.values()] for thing in self[:most])

        return Table(list(columns), rows, len(self))
