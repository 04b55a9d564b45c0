"""Say which machines to list or count, and build the queries of ``ListMachines``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypeVar, get_args

from smartdc.core import arguments
from smartdc.core.literals import Brand, ListedState, MachineState, MachineType
from smartdc.core.search import is_pattern, select
from smartdc.core.size import Size, sizes
from smartdc.errors import InputError
from smartdc.http import request as wire

__all__ = ["MachineCount", "MachineFilters", "MachineListing", "MachineStream"]

STATES = frozenset({*get_args(ListedState), *get_args(MachineState)})
"""States; for some of them, CloudAPI itself refuses to list."""

M = TypeVar("M", bound=Mapping[str, Any])


@dataclass(frozen=True)
class MachineFilters:
    """The machines to list or count: those that match all given values. The order is the original's."""

    machine_type: MachineType | None = None
    name: str | None = None
    dataset: str | Mapping[str, Any] | None = None
    state: ListedState | None = None
    memory: Size | None = None
    tombstone: bool | int | None = None
    tags: Mapping[str, Any] | None = None
    _: KW_ONLY
    image: str | Mapping[str, Any] | None = None
    brand: Brand | None = None
    docker: bool | None = None
    type: MachineType | None = None
    package: str | Mapping[str, Any] | None = None
    search: str | None = None
    fields: Iterable[str] = ("name",)

    def query(self, image: str | None) -> dict[str, Any]:
        """Build the query of ``ListMachines``, with the id of the image: flat ``tag.`` keys, and flags true or absent.

        CloudAPI lists every name that begins with the given one, and has no patterns.
        """
        kinds = arguments.strings(machine_type=self.machine_type, type=self.type)
        name = arguments.strings(name=self.name).get("name")
        return {
            **wire.given(type=kinds.get("type", kinds.get("machine_type"))),
            **arguments.strings(name=_beginning(name), state=_known(self.state), brand=self.brand, image=image),
            **sizes(memory=self.memory),
            **arguments.booleans(docker=self.docker),
            **arguments.flags(tombstone=self.tombstone),
            **wire.flat("tag", arguments.mappings(tags=self.tags).get("tags")),
        }

    def select(self, entries: Iterable[M], package: str | None) -> list[M]:
        """Keep the machines that also match filters that CloudAPI lacks, such as the name of the package."""
        return select(entries, self.search, self.fields, name=self.name, package=package)

    @property
    def are_complete(self) -> bool:
        """Whether CloudAPI can apply all filters, so that its count is right."""
        return self.name is None and self.package is None and self.search is None


@dataclass(frozen=True)
class MachineListing(MachineFilters):
    """The machines to list, whether with their passwords, and which part of the list."""

    credentials: bool = False
    paged: bool = False
    limit: int | None = None
    offset: int | None = None

    def query(self, image: str | None) -> dict[str, Any]:
        """Build the query of ``ListMachines``, apart from `limit` and `offset`."""
        return {**super().query(image), **arguments.flags(credentials=self.credentials)}


@dataclass(frozen=True, kw_only=True)
class MachineStream(MachineFilters):
    """The machines to list page by page, whether with their passwords, the offset, and the size of a page."""

    credentials: bool = False
    limit: int | None = None
    offset: int | None = None

    def query(self, image: str | None) -> dict[str, Any]:
        """Build the query of ``ListMachines``, apart from `limit` and `offset`."""
        return {**super().query(image), **arguments.flags(credentials=self.credentials)}


@dataclass(frozen=True)
class MachineCount(MachineFilters):
    """The machines to count; the original had no `name`."""

    name: str | None = field(default=None, kw_only=True)


def _known(state: str | None) -> str | None:
    """Return a state for the filter of a list; refuse an unknown one, with a list of the valid ones."""
    if isinstance(state, str) and state not in STATES:
        expected = ", ".join(word for word in get_args(ListedState) if word != "unknown")
        raise InputError(f"unknown machine state {state!r}; expected one of {expected}")
    return state


def _beginning(name: str | None) -> str | None:
    """Return the beginning of a name or a pattern, up to its first special character."""
    if not is_pattern(name):
        return name
    return (name or "").partition("*")[0].partition("?")[0] or None
