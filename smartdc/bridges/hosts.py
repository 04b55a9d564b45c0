"""The machines of one or several data centres as hosts: their names, their groups, and how ssh reaches them.

Inventories consist of these hosts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from smartdc.cloud import Cloud
from smartdc.core.lookup import find, is_uuid, only
from smartdc.core.paging import at_once
from smartdc.datacenter import DataCenter
from smartdc.errors import InputError, ResourceNotFound, SmartDCError
from smartdc.machine.body import NAME
from smartdc.machine.machine import Machine
from smartdc.machine.ssh_target import Target, find_target

__all__ = ["Host", "Hosts", "hosts_of"]


@dataclass(frozen=True)
class Host:
    """A machine in an inventory."""

    name: str
    """The machine's name; if several machines have it, followed by a dot and the data centre's name, or the id."""
    machine: Machine
    datacenter: str
    image: Mapping[str, Any]
    """The data of its image; {} if there is none."""
    networks: list[str]
    """The names of its networks."""
    target: Target


@dataclass(frozen=True)
class Hosts:
    """The hosts of some data centres, and the missing ones."""

    found: list[Host] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    """The machines that ssh cannot reach, which are no hosts: name to reason."""
    errors: Mapping[str, SmartDCError] = field(default_factory=dict)
    """The error of each data centre that did not answer, by its name."""


@dataclass(frozen=True)
class _View:
    """The data of one data centre."""

    name: str
    machines: list[Machine]
    images: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, str]

    def called(self, text: str) -> Machine:
        """Return the machine with an id or a name."""
        try:
            if not is_uuid(text):
                return find(text, "machine", self.machines)
            return only([machine for machine in self.machines if machine.id == text.lower()], text, "machine")
        except ResourceNotFound:
            raise InputError(f"there is no machine {text!r} to connect through") from None

    def image_tags(self, image: str) -> Mapping[str, Any]:
        """Return the tags of an image."""
        return self.images.get(image, {}).get("tags") or {}


def hosts_of(cloud: Cloud, *, user: str | None = None, proxy: bool = True) -> Hosts:
    """Return the machines of all data centres as hosts; four requests to each, at the same time.

    `user` is the user to log in as, in place of the image's user. Without `proxy`, tags that name a proxy are ignored.
    """
    views, errors = cloud.ask(_view)
    everything = list(_all(views))
    names = _names(everything)
    counts = Counter(names)
    found: list[Host] = []
    unreachable: dict[str, str] = {}
    for name, (view, machine) in zip(names, everything, strict=True):
        if not NAME.fullmatch(name) or counts[name] > 1:
            unreachable[repr(name)] = "its name is not valid as the name of a host"
            continue
        try:
            target = find_target(
                machine, image_tags=view.image_tags, machine_called=view.called, user=user, proxy=proxy
            )
        except InputError as error:
            unreachable[name] = str(error)
            continue
        networks = [view.networks.get(network, network) for network in machine.networks or []]
        found.append(Host(name, machine, view.name, view.images.get(str(machine.image), {}), networks, target))
    return Hosts(sorted(found, key=lambda host: host.name), unreachable, errors)


def _names(machines: list[tuple[_View, Machine]]) -> list[str]:
    """Return the host name of each machine: the machine's own name, with an addition if it is not unique."""
    own = Counter(str(machine.name) for _, machine in machines)
    places = Counter((str(machine.name), view.name) for view, machine in machines)
    names: list[str] = []
    for view, machine in machines:
        name = str(machine.name)
        if own[name] > 1:
            name += f".{view.name if places[name, view.name] == 1 else machine.id}"
        names.append(name)
    # One machine's own name may be the same as another one's name with its data centre.
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{machine.name}.{machine.id}"
        for name, (_, machine) in zip(names, machines, strict=True)
    ]


def _all(views: Mapping[str, _View]) -> Iterator[tuple[_View, Machine]]:
    for view in views.values():
        for machine in view.machines:
            yield view, machine


def _view(dc: DataCenter) -> _View:
    reads: list[Callable[[], Any]] = [
        dc.machines,
        partial(dc.images, state="all"),
        dc.networks,
        partial(_name_of, dc),
    ]
    machines, images, networks, name = at_once(reads)
    return _View(
        name, machines, {image.id: image for image in images}, {network.id: str(network.name) for network in networks}
    )


def _name_of(dc: DataCenter) -> str:
    """Return a data centre's own name from the list of all data centres, or else the first part of its host's name."""
    _, response = dc.request("GET", "datacenters")
    host = urlsplit(dc.base_url).hostname or dc.base_url
    return response.headers.get("Triton-Datacenter-Name") or host.partition(".")[0]
