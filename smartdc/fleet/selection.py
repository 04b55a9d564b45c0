"""The selection of a fleet's machines: never all of them by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

from smartdc.core import arguments
from smartdc.core.parameters import construct
from smartdc.core.search import search
from smartdc.errors import InputError
from smartdc.fleet.watch import Watch
from smartdc.machine.filters import MachineFilters
from smartdc.machine.machine import Machine

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["Selection", "by_name"]

SHORTEST_NAMES = [{"name": letter} for letter in ascii_letters + digits]
"""A search that matches each of these matches every name."""


def by_name(machine: Machine) -> str:
    """Return the default sort key of machines."""
    return str(machine.get("name") or machine)


class Selection:
    """The machines that match filters, given machines, or all machines of the account.

    A filter that is None or empty would select every machine, which is never the intention of a filter.
    """

    def __init__(self, machines: Iterable[Machine] | None, everything: bool, filters: Mapping[str, Any]) -> None:
        if machines is not None and (filters or everything):
            raise InputError("give machines, or filters, or everything=True: one of them")
        if everything and filters:
            raise InputError(f"everything=True takes no filter, got {', '.join(filters)}")
        self._given = None if machines is None else _checked(machines)
        self._filters = _without_blanks(filters)
        self._everything = everything
        if not (self._given or self._filters or everything):
            raise InputError("select machines by a filter such as tags={'role': 'web'}; everything=True means them all")

    def check(self, dc: DataCenter) -> None:
        """Refuse machines of another data centre, before anything is sent."""
        if foreign := [machine for machine in self._given or () if machine.datacenter is not dc]:
            raise InputError(f"{foreign[0]!r} is in another data centre: use a fleet of that data centre")

    def expect(self, wanted: int | None, found: int | None = None) -> None:
        """Refuse to continue if the number of machines is not the expected one."""
        wanted = arguments.integers(expect=wanted).get("expect")
        count = found if found is not None or self._given is None else len(self._given)
        if wanted is not None and count is not None and wanted != count:
            raise InputError(f"expected {wanted} machines, but {count} are selected: nothing was done")

    def machines(self, dc: DataCenter, order: Callable[[Machine], Any] | None = None) -> list[Machine]:
        """Return the machines as they are now, in order: by name, or by the sort key `order`."""
        if self._given is None:
            found: list[Machine] = dc.machines(**self._filters)
        else:
            found = self._given
            Watch(dc).look(found)
        return sorted(found, key=order or by_name)

    def wishes(self) -> dict[str, Any]:
        """Return the values that identify the same selection in a later run."""
        given = None if self._given is None else sorted(machine.id for machine in self._given)
        return {"machines": given, "everything": self._everything, "filters": self._filters}

    def __str__(self) -> str:
        if self._given is not None:
            return f"of {len(self._given)} machines"
        words = ", ".join(f"{name}={value!r}" for name, value in self._filters.items())
        return f"of the machines with {words}" if words else "of all machines"


def _checked(machines: Iterable[Machine]) -> list[Machine]:
    """Return the machines, each once."""
    given = arguments.as_list("machines", machines)
    if strange := [each for each in given if not isinstance(each, Machine)]:
        raise InputError(f"{strange[0]!r} is not a Machine, as machine(), machines() and create_machine() return")
    if not given:
        raise InputError("no machines are given; an empty list selects nothing")
    return list(dict.fromkeys(given))


def _without_blanks(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Check the filters and return them; refuse those that are None, empty or unknown."""
    if filters:
        construct(MachineFilters, "fleet()", **filters)
    for name, value in filters.items():
        if isinstance(value, Mapping):
            _check_parts(name, value)
        _check_not_blank(name, value)
    if filters and not any(_leaves_some_out(name, value) for name, value in filters.items()):
        raise InputError("that selects every machine; use everything=True if you mean all of them")
    if filters.get("tombstone"):
        raise InputError("tombstone=True selects deleted machines, on which no action is possible")
    return dict(filters)


def _check_parts(name: str, value: Mapping[str, Any]) -> None:
    if "" in value:
        raise InputError(f"{name} has an empty name, which would select every machine")
    for key, part in value.items():
        _check_not_blank(f"{name}[{key!r}]", part)


def _check_not_blank(name: str, value: object) -> None:
    if value is None or value in ("", {}, [], ()):
        said = "None" if value is None else "empty"
        raise InputError(f"{name} is {said}, which would select every machine")


def _leaves_some_out(name: str, value: object) -> bool:
    """Return whether a filter excludes some machines."""
    if name == "search" and isinstance(value, str):
        return len(search(SHORTEST_NAMES, value, ["name"])) < len(SHORTEST_NAMES)
    if name in ("name", "package") and isinstance(value, str):
        return "*" not in value or not set(value) <= set("*?")
    return name != "fields" and (name != "tombstone" or bool(value))
