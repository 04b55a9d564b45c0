"""`Cloud`: several data centres as one, asked at the same time.

If a data centre does not answer, the lists still have the resources of the others, and keep the error of that one.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from copy import deepcopy
from itertools import islice
from threading import Thread
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from smartdc.auth.profile import HOW_TO, profiles
from smartdc.core import arguments
from smartdc.core.cells import Columns, cell
from smartdc.core.display import one_line
from smartdc.core.listing import ResourceList
from smartdc.core.resource import Resource
from smartdc.core.shown import Table
from smartdc.datacenter import DataCenter
from smartdc.errors import ConfigError, InputError, SmartDCError, printable
from smartdc.fleet.cloud_fleet import CloudFleet
from smartdc.http.deadline import Deadline, ending_by

__all__ = ["Cloud", "CloudList"]

log = logging.getLogger(__name__)

MADE_OF = "a Cloud is made of DataCenter objects by name"

T = TypeVar("T")
R = TypeVar("R", bound=Resource)
P = ParamSpec("P")


class CloudList(ResourceList[R], Generic[R]):
    """The resources of several data centres: those of the first, then those of the second and so on.

    Its table shows the data centre of each resource, and which data centres are missing; so do the tables of its
    slices and sums.

    A public image or package has the same UUID in every data centre, so its copies are equal: tell them apart by the
    keys of `by_key`.
    """

    def __init__(self, found: Mapping[str, list[R]], errors: Mapping[str, SmartDCError]) -> None:
        super().__init__(resource for resources in found.values() for resource in resources)
        self._homes = [(name, resources[0].datacenter if resources else None) for name, resources in found.items()]
        self.errors = dict(errors)
        """The error of each data centre that did not answer, by its name."""

    @property
    def by_datacenter(self) -> dict[str, list[R]]:
        """The list of each data centre that answered, by its name."""
        found: dict[str, list[R]] = {name: ResourceList() for name, _ in self._homes}
        for name, resource in zip(self._names(), self, strict=True):
            found.setdefault(name, ResourceList()).append(resource)
        return found

    @property
    def complete(self) -> bool:
        """Whether every data centre has answered."""
        return not self.errors

    @property
    def by_key(self) -> dict[tuple[str, str], R]:
        """The resources by their data centre's name and their id, or their name if they have no id."""
        return {
            (name, str(resource[resource.id_key])): resource for name, resource in zip(self._names(), self, strict=True)
        }

    def __add__(self, other: list[Any]) -> Any:
        if not isinstance(other, list):
            return NotImplemented
        total = self.copy()
        total += other
        return total

    def __iadd__(self, other: Iterable[R]) -> Self:  # type: ignore[misc, override]  # as typeshed's list has it
        self.extend(other)
        return self

    def extend(self, resources: Iterable[R]) -> None:
        """Add resources at the end; those of another `CloudList` keep their data centres, and add its errors."""
        super().extend(resources)
        if isinstance(resources, CloudList):
            self._homes = [*dict.fromkeys([*self._homes, *resources._homes])]  # noqa: SLF001 (of the same class)
            self.errors |= resources.errors

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._like([deepcopy(resource, memo) for resource in self])  # they keep their data centres

    def _like(self, things: list[R]) -> Self:
        made = type(self)({}, self.errors)
        made._homes = list(self._homes)  # noqa: SLF001 (of the same class)
        list.extend(made, things)
        return made

    def _names(self) -> list[str]:
        """Return the name of each resource's data centre; it is unknown for a resource that was inserted by hand."""
        names = {id(datacenter): name for name, datacenter in self._homes if datacenter is not None}
        return [names.get(id(getattr(resource, "datacenter", None)), "?") for resource in self]

    def _table(self) -> Table | None:
        """Return the table of all lists, and a row for each data centre that did not answer."""
        columns: Columns = getattr(self[0], "columns", {}) if self else {"error": ""}

        def rows(_: int) -> Iterator[list[str]]:
            for name, error in self.errors.items():
                yield [name, f"no answer: {one_line(error)}", *[""] * (len(columns) - 1)]
            for name, resource in zip(self._names(), self, strict=True):
                yield [name, *(cell(resource, column) for column in columns.values())]

        total = len(self) + len(self.errors)
        return Table(["data centre", *columns], lambda most: islice(rows(most), most), total) if total else None


def _everywhere(method: Callable[Concatenate[DataCenter, P], list[R]]) -> Callable[Concatenate[Cloud, P], CloudList[R]]:
    """Turn a listing method of `DataCenter` into one of `Cloud`, with the same parameters."""

    @functools.wraps(method)
    def listing(self: Cloud, /, *args: P.args, **kwargs: P.kwargs) -> CloudList[R]:
        found, errors = self.ask(lambda dc: getattr(dc, method.__name__)(*args, **kwargs))
        return CloudList(found, errors)

    return listing


class Cloud(Mapping[str, DataCenter]):
    """Several data centres as one: a mapping from their names to `DataCenter` objects, with their listings.

    Each listing takes the same parameters as the method of `DataCenter`. All data centres are asked at the same time,
    each within its own ``timeout``. If one does not answer, a WARNING is logged, and the list has its error in
    ``errors``; if none answers, the error of the first one is raised.

    Args:
        datacenters: the data centres by names of your choice.
    """

    def __init__(self, datacenters: Mapping[str, DataCenter]) -> None:
        if not isinstance(datacenters, Mapping):
            raise InputError(f"{MADE_OF}, got {type(datacenters).__name__}")
        self._datacenters = dict(datacenters)
        if not self._datacenters:
            raise InputError("a Cloud needs at least one data centre")
        if strange := [each for each in self._datacenters.values() if not isinstance(each, DataCenter)]:
            raise InputError(f"{MADE_OF}, got {type(strange[0]).__name__}")
        if unnamed := [name for name in self._datacenters if not isinstance(name, str)]:
            raise InputError(f"{MADE_OF}, but a name is a string, not {type(unnamed[0]).__name__}")

    @classmethod
    def from_profiles(cls, names: str | Iterable[str] | None = None, **settings: Any) -> Self:
        """Make a cloud of the profiles of the ``triton`` command, and of the environment variables if they are set (``env``).

        Profiles of the same account in the same data centre count once, under the name of the first one.

        Args:
            names: use only these profiles, or this one.
            settings: further settings of every `DataCenter`, such as ``timeout``.
        """
        chosen = [profile.name for profile in profiles()] if names is None else arguments.lists(names=names)["names"]
        if not chosen:
            raise ConfigError(f"there are no profiles: {HOW_TO}")
        found: dict[str, DataCenter] = {}
        for name in chosen:
            datacenter = DataCenter(profile=name, **settings)
            if datacenter in found.values():
                log.info("profile %s is left out: another one has the same account and data centre", name)
            else:
                found[name] = datacenter
        return cls(found)

    @classmethod
    def everywhere(cls, dc: DataCenter) -> Self:
        """Make a cloud of all data centres that `dc` lists, with its account, key and settings: ``ListDatacenters``."""
        urls = dc.datacenters()
        return cls({name: dc if url.rstrip("/") == dc.base_url else dc.datacenter(name) for name, url in urls.items()})

    machines = _everywhere(DataCenter.machines)
    images = _everywhere(DataCenter.images)
    packages = _everywhere(DataCenter.packages)
    networks = _everywhere(DataCenter.networks)
    vlans = _everywhere(DataCenter.vlans)
    volumes = _everywhere(DataCenter.volumes)
    migrations = _everywhere(DataCenter.migrations)
    firewall_rules = _everywhere(DataCenter.firewall_rules)
    ssh_keys = _everywhere(DataCenter.ssh_keys)
    access_keys = _everywhere(DataCenter.access_keys)
    users = _everywhere(DataCenter.users)
    roles = _everywhere(DataCenter.roles)
    policies = _everywhere(DataCenter.policies)

    def fleet(self, *, partial: bool = False, everything: bool = False, **filters: Any) -> CloudFleet:
        """Select machines in all data centres, for a later action on all of them; this sends no request yet.

        `everything` and the filters are those of `DataCenter.fleet`. If a data centre does not answer, no machine is
        changed anywhere; with `partial`, the action goes on in the data centres that answer.
        """
        fleets = {name: dc.fleet(everything=everything, **filters) for name, dc in self.items()}
        return CloudFleet(fleets, lambda: self.machines(**filters), partial=partial)

    def ask(self, function: Callable[[DataCenter], T]) -> tuple[dict[str, T], dict[str, SmartDCError]]:
        """Call a function with every data centre, at the same time; return its results and the errors, by name.

        It takes as long as the slowest data centre; one that hangs ends at its ``timeout``. Only a `SmartDCError`
        counts as "no answer"; any other exception is raised, and so is an `InputError`, which is the caller's mistake.
        """
        values: dict[str, T] = {}
        raised: dict[str, BaseException] = {}

        def run(name: str, dc: DataCenter) -> None:
            try:
                values[name] = ending_by(Deadline(dc.timeout, dc.clock)).run(function, dc)
            except BaseException as error:  # noqa: BLE001 (raised in the thread that asked)
                raised[name] = error

        # After an interrupt, the other threads end by their deadlines; they do not keep the process alive.
        threads = [
            Thread(target=copy_context().run, args=(run, name, dc), name=f"smartdc-{name}", daemon=True)
            for name, dc in self._datacenters.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {name: values[name] for name in self if name in values}, self._errors(raised)

    def _errors(self, raised: Mapping[str, BaseException]) -> dict[str, SmartDCError]:
        """Return the errors in the order of the data centres; raise one if none answered, or if the function is to blame."""
        errors: dict[str, SmartDCError] = {}
        for name in self:
            error = raised.get(name)
            if isinstance(error, SmartDCError) and not isinstance(error, InputError):
                log.warning("no result from the data centre %s: %s", name, error)
                errors[name] = error
            elif error:
                raise error
        if len(errors) == len(self):
            first = errors[next(iter(self))]
            first.add_note(f"None of the data centres {self._all_names()} has answered.")
            raise first
        return errors

    def name_of(self, resource: Resource) -> str:
        """Return the name of the data centre that a resource of this cloud is in."""
        for name, dc in self._datacenters.items():
            if dc is getattr(resource, "datacenter", None):
                return name
        raise InputError(f"{resource!r} is in none of the data centres {', '.join(self)}")

    def close(self) -> None:
        """Close the connections to all data centres; a later call opens new ones."""
        for dc in self._datacenters.values():
            dc.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, name: str) -> DataCenter:
        try:
            return self._datacenters[name]
        except KeyError:
            raise KeyError(f"no data centre {name!r} in a Cloud of {self._all_names()}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._datacenters)

    def __len__(self) -> int:
        return len(self._datacenters)

    def __repr__(self) -> str:
        """Show the names of the data centres."""
        return f"<{type(self).__name__} {self._all_names()}>"

    def _all_names(self) -> str:
        return printable(", ".join(self))
