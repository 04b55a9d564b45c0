"""The machines of one or several data centres as hosts: their names, their groups, and how ssh reaches them.

Inventories are made of these.
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
    """A machine that an inventory names."""

    name: str
    """The machine's name; where several have it, with the data centre's behind a dot, or else with the id."""
    machine: Machine
    datacenter: str
    image: Mapping[str, Any]
    """What the data centre says of its image; {} where it says nothing."""
    networks: list[str]
    """The names of its networks."""
    target: Target


@dataclass(frozen=True)
class Hosts:
    """The hosts of some data centres, and what is missing among them."""

    found: list[Host] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    """Why ssh cannot reach a machine that is therefore no host, by its name."""
    errors: Mapping[str, SmartDCError] = field(default_factory=dict)
    """The error of each data centre that did not answer, by its name."""


@dataclass(frozen=True)
class _View:
    """What one data centre has."""

    name: str
    machines: list[Machine]
    images: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, str]

    def called(self, text: str) -> Machine:
        """Return the machine of an id or a name."""
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

    `user` is whom to log in as in place of the image's user, and without `proxy` tags that name a proxy do not count.
    """
    views, errors = cloud.ask(_view)
    everything = list(_all(views))
    names = _names(everything)
    counts = Counter(names)
    found: list[Host] = []
    unreachable: dict[str, str] = {}
    for name, (view, machine) in zip(names, everything, strict=True):
        if not NAME.fullmatch(name) or counts[name] > 1:
            unreachable[repr(name)] = "its name cannot be that of a host"
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
    """Return the name of each as a host: the machine's own, with more of it where that is not enough."""
    own = Counter(str(machine.name) for _, machine in machines)
    places = Counter((str(machine.name), view.name) for view, machine in machines)
    names: list[str] = []
    for view, machine in machines:
        name = str(machine.name)
        if own[name] > 1:
            name += f".{view.name if places[name, view.name] == 1 else machine.id}"
        names.append(name)
    # A machine may be called what another one is called with its data centre.
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
    """Return a data centre's own name, which comes with the list of all, or else the first part of its host's name."""
    _, response = dc.request("GET", "datacenters")
    host = urlsplit(dc.base_url).hostname or dc.base_url
    return response.headers.get("Triton-Datacenter-Name") or host.partition(".")[0]
