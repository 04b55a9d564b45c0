"""Replace machines: a new machine like the old one is made, found healthy, and takes its name; the old one stays, stopped.

Nothing happens to the old machine before the new one is running and healthy. The caller must name the things that may
be lost because they are not copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smartdc.core import arguments
from smartdc.errors import APIError, InputError
from smartdc.fleet.actions import changing_state, renaming
from smartdc.fleet.creation import created
from smartdc.fleet.options import Options
from smartdc.fleet.run import Run
from smartdc.fleet.step import Work
from smartdc.http.failures import TRANSIENT_ERRORS
from smartdc.machine.body import NewMachine, machine_body
from smartdc.machine.machine import Machine

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["LOSSES", "Replacement", "check_losses", "replaced"]

LOSSES = {
    "data": "data on its disks",
    "dataset": "its delegated dataset",
    "addresses": "an address that is reserved for it",
}
"""Things that cannot be copied, by the words for `losing`."""

NOT_COPIED = ("credentials", "root_authorized_keys")
"""Metadata that CloudAPI makes itself."""


@dataclass(frozen=True)
class Replacement(Options):
    """The options of `Fleet.replace`."""

    image: str | Mapping[str, Any]
    package: str | Mapping[str, Any] | None = None
    losing: Iterable[str] = ()
    delete_old: bool = False
    expect: int | None = None

    def __post_init__(self) -> None:
        """Refuse options that would lose something that is not named, before a byte is sent."""
        super().__post_init__()
        losing = set(arguments.lists(losing=self.losing)["losing"])
        if unknown := losing - LOSSES.keys():
            raise InputError(f"losing takes {', '.join(LOSSES)}, got {', '.join(sorted(unknown))}")
        if "data" not in losing:
            raise InputError(
                "the new machine begins with an empty disk, and no data of the old one's disks is copied; "
                "give losing={'data'} if you need none of it"
            )
        if self.delete_old and self.healthy is None:
            raise InputError("delete_old needs healthy=, a function that checks whether the new machine works")


def check_losses(dc: DataCenter, machines: Iterable[Machine], options: Replacement) -> None:
    """Refuse machines with things that would be lost and are not named in `losing`, before any of them is replaced."""
    losing = set(options.losing)
    for machine in machines:
        if machine.state == "deleted":
            raise InputError(f"{machine.describe()} is deleted, and there is nothing to replace: nothing was done")
        if machine.get("delegate_dataset") and "dataset" not in losing:
            raise _refusal(machine, "dataset")
        if "addresses" not in losing and any(_is_reserved(dc, nic) for nic in machine.nics()):
            raise _refusal(machine, "addresses")
        if options.delete_old and machine.get("deletion_protection"):
            raise InputError(f"{machine.describe()} has deletion protection, and delete_old would delete it")


def _refusal(machine: Machine, loss: str) -> InputError:
    return InputError(
        f"{machine.describe()} has {LOSSES[loss]}, which is not copied: nothing was done; "
        f"give losing={{'{loss}'}} if you do not need it"
    )


def _is_reserved(dc: DataCenter, nic: Mapping[str, Any]) -> bool:
    """Return whether an address was reserved; on networks that all accounts share, none can be."""
    try:
        return bool(dc.network(nic["network"]).ip(nic["ip"]).reserved)
    except TRANSIENT_ERRORS:
        raise
    except APIError:
        return False


def replaced(options: Replacement, run: Run, old: Machine) -> Work:
    """Replace one machine; every part is in the journal, and the old machine is touched last."""
    name = str(run.journal.header["machines"][old.id])
    key = old.id
    resolved = run.journal.header["resolved"]
    body = machine_body(
        _like(old),
        image=resolved["image"],
        package=resolved["package"] or old.package or None,
        networks=old.networks or None,
    )
    new: Machine = yield from created(run, key, {**body, "name": f"{name}-new-{old.id[:8]}"})
    yield from run.healthy(key, new)
    yield from run.acted(key, renaming(old, f"{name}-old-{old.id[:8]}"), "rename old")
    yield from run.acted(key, renaming(new, name), "rename new")
    if old.state != "stopped" or run.journal.past(key, "stop"):
        yield from run.acted(key, changing_state("stop", old))
    if options.delete_old:
        yield from run.acted(key, changing_state("destroy", old))
    return new


def _like(old: Machine) -> NewMachine:
    """Return the parameters, without ids, for a machine like another one; without the token and the cloud's own tags."""
    tags = {tag: value for tag, value in old.tags.items() if not tag.startswith("triton.")}
    metadata = {key: value for key, value in (old.get("metadata") or {}).items() if key not in NOT_COPIED}
    return NewMachine(
        tags=tags,
        metadata=metadata,
        firewall_enabled=old.firewall_enabled,
        deletion_protection=old.deletion_protection or None,
        delegate_dataset=old.delegate_dataset or None,
        brand=old.brand if old.brand in ("kvm", "bhyve") else None,
    )
