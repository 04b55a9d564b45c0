"""Build the bodies of requests about machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from smartdc.core import arguments
from smartdc.core.literals import Brand
from smartdc.errors import InputError
from smartdc.http import request as wire
from smartdc.machine.disk import disk_size
from smartdc.machine.metadata import BOOT_SCRIPT, boot_script_from, checked_key
from smartdc.waiting.poll import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    import os

    from smartdc.datacenter import DataCenter

__all__ = [
    "NAME",
    "MachineDetails",
    "Networks",
    "NewMachine",
    "NewMachineAt",
    "Volumes",
    "disk_spec",
    "locality_spec",
    "machine_body",
    "mounts",
]

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,188}")
"""Valid names of machines (without ``{{shortId}}``, which CloudAPI replaces)."""


Networks = str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]]
Volumes = Mapping[str, Any] | Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class MachineDetails:
    """Parameters of a create that the original did not have."""

    _: KW_ONLY
    default_networks: Iterable[str] | None = None
    affinity: Iterable[str] | None = None
    locality: Mapping[str, Any] | None = None
    brand: Brand | None = None
    firewall_enabled: bool | None = None
    deletion_protection: bool | None = None
    delegate_dataset: bool | None = None
    allow_shared_images: bool | None = None
    encrypted: bool | None = None
    volumes: Volumes | None = None
    disks: Iterable[Mapping[str, Any]] | None = None
    bootrom: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class NewMachine(MachineDetails):
    """The parameters of a create; `DataCenter.create_machine` describes them. Their order is the original's."""

    name: str | None = None
    package: str | Mapping[str, Any] | None = None
    dataset: str | Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = field(default=None, repr=False)
    tags: Mapping[str, Any] | None = None
    boot_script: str | os.PathLike[str] | None = None
    credentials: bool = False
    image: str | Mapping[str, Any] | None = None
    networks: Networks | None = None
    _: KW_ONLY
    token: str | None = None
    settle: float | None = None
    wait: bool = False
    timeout: float | None = DEFAULT_TIMEOUT


@dataclass(frozen=True)
class Place:
    """The data centre of a create."""

    datacenter: DataCenter


# The fields of a dataclass's last base class come first.
@dataclass(frozen=True)
class NewMachineAt(NewMachine, Place):
    """The data centre and the parameters of a create."""

    def without_place(self) -> dict[str, Any]:
        """Return the parameters of `DataCenter.create_machine`."""
        return {name: value for name, value in vars(self).items() if name != "datacenter"}


def machine_body(new: NewMachine, **resolved: Any) -> dict[str, Any]:
    """Build the body of ``CreateMachine``: flat ``metadata.`` and ``tag.`` keys, and ids for resources.

    `resolved` are the entries that may need a request to CloudAPI, such as the id of the image.
    """
    return wire.given(
        **arguments.strings(name=_checked_name(new.name)),
        **wire.flat("metadata", _metadata(new)),
        **wire.flat("tag", wire.checked_entries(arguments.dicts(tags=new.tags).get("tags", {}), (), "tag")),
        **arguments.lists(affinity=new.affinity, default_networks=new.default_networks),
        **arguments.strings(brand=new.brand, bootrom=new.bootrom, password=new.password),
        **arguments.booleans(
            firewall_enabled=new.firewall_enabled,
            deletion_protection=new.deletion_protection,
            delegate_dataset=new.delegate_dataset,
            allow_shared_images=new.allow_shared_images,
            encrypted=new.encrypted,
        ),
        **resolved,
    )


def _checked_name(name: str | None) -> str | None:
    if name is not None and not NAME.fullmatch(name.replace("{{shortId}}", "x" * 8)):
        raise InputError(f"invalid machine name {name!r}; expected letters, digits, '.', '_' and '-', at most 189")
    return name


def _metadata(new: NewMachine) -> dict[str, Any]:
    """Return the metadata, including the boot script and the passwords."""
    given = arguments.dicts(metadata=new.metadata).get("metadata", {})
    entries = wire.checked_entries(_with_passwords(given), (), "metadata entry")
    for key in entries:
        checked_key(key)
    if new.boot_script is not None:
        entries[BOOT_SCRIPT] = boot_script_from(new.boot_script)
    return entries


def _with_passwords(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Encode passwords by login as JSON, the form that CloudAPI expects in the metadata."""
    if not isinstance(metadata.get("credentials"), Mapping):
        return metadata
    return {**metadata, "credentials": arguments.json_text("credentials", metadata["credentials"])}


def mounts(volumes: Volumes) -> list[dict[str, Any]]:
    """Return a dict for each volume to mount; `volumes` maps mountpoints to volumes, or has CloudAPI's own form."""
    if isinstance(volumes, Mapping) and "mountpoint" not in volumes:
        mounted = [{"name": volume, "mountpoint": place} for place, volume in volumes.items()]
    else:
        mounted = [arguments.entry("volumes", each) for each in arguments.as_list("volumes", volumes)]
    for each in mounted:
        place = each.get("mountpoint")
        if not each.get("name") or not isinstance(place, str) or not place.startswith("/"):
            raise InputError(
                f"each of volumes needs a name and a mountpoint that starts with '/', got mountpoint {place!r}"
            )
        arguments.strings(mode=each.get("mode"), type=each.get("type"))
    return mounted


def disk_spec(disk: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    """Build the description of a disk: sizes become numbers of MiB, or ``remaining``."""
    rest = {key: value for key, value in disk.items() if key not in {"boot", "block_size", "size"}}
    return wire.given(
        **{**rest, "image": image},
        **arguments.booleans(boot=disk.get("boot")),
        **arguments.integers(block_size=disk.get("block_size")),
        size=disk_size(disk["size"]) if "size" in disk else None,
    )


def locality_spec(locality: Mapping[str, Any], machine_id: Callable[[Any], str]) -> dict[str, Any]:
    """Build a locality: the machines to be near to and far from; `machine_id` returns the id of each."""
    arguments.dicts(locality=locality)
    return {
        **locality,
        **{
            key: [machine_id(machine) for machine in arguments.as_list(key, locality[key])]
            for key in ("near", "far")
            if locality.get(key) is not None
        },
        **arguments.booleans(strict=locality.get("strict")),
    }
