"""A machine's metadata: changes are jobs, and answers to them are predictions."""

from typing import Any

from smartdc.emulator.core.reply import Reply, invalid_argument, not_found, validation_failed
from smartdc.emulator.machine.machine import MACHINE
from smartdc.emulator.machine.view import stripped_credentials
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import MachineRecord

METADATA = f"{MACHINE}/metadata"
METADATUM = f"{MACHINE}/metadata/:key"

SKIPPED = frozenset({"account", "machine", "uuid", "owner_uuid", "credentials", "image"})
"""Names that CloudAPI takes for parameters of its own and drops without a word; so it does with ``*_pw``."""

KEPT = ("administrator_pw", "root_authorized_keys")
"""Entries that survive the deletion of everything."""

Value = str | int | float | bool


@operation("ListMachineMetadata", "GET", METADATA, head="HeadMachineMetadata")
def list_metadata(call: Call) -> Reply:
    """Return the metadata; with ``credentials`` the passwords too."""
    shown = dict(call.machine.metadata)
    if call.params.get("credentials"):
        shown["credentials"] = _internal(call.machine)
    return Reply(200, shown)


@operation("GetMachineMetadata", "GET", METADATUM, head="HeadMachineMetadataKey")
def get_metadata(call: Call) -> Reply:
    """Return one text; a number or a boolean counts as not there."""
    key = call.text("key")
    if key == "credentials":
        return Reply(200, _internal(call.machine))
    _require(call, key)
    value = call.machine.metadata[key]
    if not isinstance(value, str):
        raise not_found(f"{key} is not metadata")
    return Reply(200, value)


@operation("UpdateMachineMetadata", "POST", METADATA)
def update_metadata(call: Call) -> Reply:
    """Merge the parameters into the metadata; the answer shows what it will be."""
    given = {key: value for key, value in call.params.items() if key not in SKIPPED and not key.endswith("_pw")}
    message = "Invalid metadatum parameters"
    if not given:
        raise validation_failed(message, "customer_metadata", "Invalid", "Invalid parameter")
    check_metadata(given, message, "customer_metadata")
    job = call.queue("set_metadata", lambda machine: machine.metadata.update(given))
    return Reply(200, {**call.machine.metadata, **given}, {"x-job-uuid": job.id})


@operation("DeleteMachineMetadata", "DELETE", METADATUM)
def delete_metadata(call: Call) -> Reply:
    """Delete one entry; three are not to be deleted."""
    key = call.text("key")
    if key in ("credentials", *KEPT):
        raise invalid_argument(f"Metadata key {key} can not be deleted")
    _require(call, key)
    call.queue("remove_metadata", lambda machine: _forget(machine.metadata, key))
    return Reply(204)


@operation("DeleteAllMachineMetadata", "DELETE", METADATA)
def delete_all_metadata(call: Call) -> Reply:
    """Delete all but two entries; CloudAPI leaves the ids of machine and owner behind."""
    machine = call.machine
    kept = {key: machine.metadata[key] for key in KEPT if machine.metadata.get(key)}
    left = {"uuid": machine.id, "owner_uuid": machine.owner, **kept}
    lost = [key for key in machine.metadata if key not in left]
    call.queue("replace_metadata" if lost else "set_metadata", lambda machine: _replace(machine.metadata, lost, left))
    return Reply(204)


def check_metadata(given: dict[str, Any], message: str, field: str) -> None:
    """Refuse values that are neither text, number nor boolean: 409 ValidationFailed."""
    for key, value in given.items():
        if not isinstance(value, Value):
            raise validation_failed(message, f"{field}.{key}", "Invalid", "Forbidden Data Type")


def _internal(machine: MachineRecord) -> dict[str, Any]:
    """Return what machines are not shown of themselves: the passwords, and whether they are encrypted."""
    return stripped_credentials(machine) | ({"encrypted": True} if machine.encrypted else {})


def _require(call: Call, key: str) -> None:
    if key not in call.machine.metadata:
        raise not_found(f'metadatum "{key}" not found')


def _replace(entries: dict[str, Any], lost: list[str], left: dict[str, Any]) -> None:
    for key in lost:
        _forget(entries, key)
    entries.update(left)


def _forget(entries: dict[str, Any], key: str) -> None:
    """Drop an entry, which an earlier job may have dropped already."""
    entries.pop(key, None)
