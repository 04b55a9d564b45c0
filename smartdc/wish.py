"""Write down what machine is wanted, or which ones, the way CloudAPI takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from smartdc import wire
from smartdc.errors import InputError
from smartdc.metadata import BOOT_SCRIPT, boot_script_from, checked_key
from smartdc.resource import id_of

if TYPE_CHECKING:
    import os

__all__ = ["NAME", "machine_filters", "machine_wish"]

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,188}")
"""What CloudAPI takes as a machine's name (without the ``{{shortId}}`` that it fills in)."""


def machine_wish(
    *,
    name: str | None,
    package: str | Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    tags: Mapping[str, Any] | None,
    boot_script: str | os.PathLike[str] | None,
    **rest: Any,
) -> dict[str, Any]:
    """Build the body of ``CreateMachine``: flat ``metadata.`` and ``tag.`` keys, ids for resources."""
    if name is not None and not NAME.fullmatch(name.replace("{{shortId}}", "x" * 8)):
        raise InputError(f"{name!r} is no name for a machine: letters, digits, '.', '_' and '-', at most 189")
    entries = wire.checked_entries(metadata or {}, (), "metadata entry")
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


def machine_filters(
    *,
    tags: Mapping[str, Any] | None,
    tombstone: Any,
    credentials: bool,
    **rest: Any,
) -> dict[str, Any]:
    """Build the query of ``ListMachines``: flat ``tag.`` keys, and flags that are true or absent.

    CloudAPI takes every text for a flag as true, "false" included.
    """
    return wire.given(
        tombstone=True if tombstone else None,
        credentials=True if credentials else None,
        **wire.flat("tag", tags),
        **rest,
    )
