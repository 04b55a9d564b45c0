"""Build the bodies and queries of requests about machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from smartdc.core import arguments
from smartdc.core.resource import id_of
from smartdc.errors import InputError
from smartdc.http import request as wire
from smartdc.machine.disk import disk_size
from smartdc.machine.metadata import BOOT_SCRIPT, boot_script_from, checked_key

if TYPE_CHECKING:
    import os

__all__ = [
    "NAME",
    "MachineCount",
    "MachineFilters",
    "MachineListing",
    "disk_spec",
    "locality_spec",
    "machine_body",
    "mounts",
]

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,188}")
"""What CloudAPI takes as a machine's name (without the ``{{shortId}}`` that it fills in)."""


def machine_body(
    *,
    name: str | None,
    package: str | Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    tags: Mapping[str, Any] | None,
    boot_script: str | os.PathLike[str] | None,
    **rest: Any,
) -> dict[str, Any]:
    """Build the body of ``CreateMachine``: flat ``metadata.`` and ``tag.`` keys, ids for resources."""
    arguments.strings(name=name)
    arguments.dicts(metadata=metadata, tags=tags)
    if name is not None and not NAME.fullmatch(name.replace("{{shortId}}", "x" * 8)):
        raise InputError(f"invalid machine name {name!r}; expected letters, digits, '.', '_' and '-', at most 189")
    entries = wire.checked_entries(_with_passwords(metadata or {}), (), "metadata entry")
    for key in entries:
        checked_key(key)
    if boot_script is not None:
        entries[BOOT_SCRIPT] = boot_script_from(boot_script)
    return wire.given(
        name=name,
        package=None if package is None else id_of(package, "id", "name"),
        **wire.flat("metadata", entries),
        **wire.flat("tag", wire.checked_entries(tags or {}, (), "tag")),
        **rest,
    )


def _with_passwords(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Encode passwords by login as JSON, as CloudAPI takes them within the metadata."""
    if not isinstance(metadata.get("credentials"), Mapping):
        return metadata
    return {**metadata, "credentials": json.dumps(dict(metadata["credentials"]))}


def mounts(volumes: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a dict for each volume to mount; they may be given by mountpoint, or as CloudAPI takes them."""
    if isinstance(volumes, Mapping) and "mountpoint" not in volumes:
        mounted = [{"name": volume, "mountpoint": place} for place, volume in volumes.items()]
    else:
        mounted = [arguments.dicts(volume=each)["volume"] for each in arguments.as_list("volumes", volumes)]
    for each in mounted:
        place = each.get("mountpoint")
        if not each.get("name") or not isinstance(place, str) or not place.startswith("/"):
            raise InputError(
                f"each of volumes needs a name and a mountpoint that starts with '/', got mountpoint {place!r}"
            )
        arguments.strings(mode=each.get("mode"), type=each.get("type"))
    return mounted


def disk_spec(disk: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    """Build the description of a disk: sizes are numbers of MiB, or ``remaining``."""
    rest = {key: value for key, value in disk.items() if key not in {"boot", "block_size", "size"}}
    return wire.given(
        **{**rest, "image": image},
        **arguments.booleans(boot=disk.get("boot")),
        **arguments.integers(block_size=disk.get("block_size")),
        size=disk_size(disk["size"]) if "size" in disk else None,
    )


def locality_spec(locality: Mapping[str, Any]) -> dict[str, Any]:
    """Build a locality: which machines to be near to and far from, by ids, dicts or resources."""
    arguments.dicts(locality=locality)
    return {
        **locality,
        **{
            key: [id_of(machine) for machine in arguments.as_list(key, locality[key])]
            for key in ("near", "far")
            if locality.get(key) is not None
        },
        **arguments.booleans(strict=locality.get("strict")),
    }


@dataclass(frozen=True)
class MachineFilters:
    """Which machines to list or count: those that equal what is given. The order is the original's."""

    machine_type: str | None = None
    name: str | None = None
    dataset: str | Mapping[str, Any] | None = None
    state: str | None = None
    memory: int | None = None
    tombstone: bool | int | None = None
    tags: Mapping[str, Any] | None = None
    _: KW_ONLY
    image: str | Mapping[str, Any] | None = None
    brand: str | None = None
    docker: bool | None = None

    def query(self, image: str | None) -> dict[str, Any]:
        """Build the query of ``ListMachines``, with the id of the image: flat ``tag.`` keys, and flags true or absent."""
        kind = arguments.strings(machine_type=self.machine_type).get("machine_type")
        return {
            **wire.given(type=kind),
            **arguments.strings(name=self.name, state=self.state, brand=self.brand, image=image),
            **arguments.integers(memory=self.memory),
            **arguments.booleans(docker=self.docker),
            **arguments.flags(tombstone=self.tombstone),
            **wire.flat("tag", arguments.mappings(tags=self.tags).get("tags")),
        }


@dataclass(frozen=True)
class MachineListing(MachineFilters):
    """Which machines to list, whether with their passwords, and which part of the list."""

    credentials: bool = False
    paged: bool = False
    limit: int | None = None
    offset: int | None = None

    def query(self, image: str | None) -> dict[str, Any]:
        """Build the query of ``ListMachines``, apart from `limit` and `offset`."""
        return {**super().query(image), **arguments.flags(credentials=self.credentials)}


@dataclass(frozen=True)
class MachineCount(MachineFilters):
    """Which machines to count; in the original a name could not be given."""

    name: str | None = field(default=None, kw_only=True)
