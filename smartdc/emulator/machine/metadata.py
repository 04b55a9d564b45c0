"""A machine's metadata: changes are jobs, and their answers are predictions."""

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
"""Names that CloudAPI takes for its own parameters and silently drops, as it does ``*_pw``."""

KEPT = ("administrator_pw", "root_authorized_keys")
"""Entries that remain when all are deleted."""

Value = str | int | float | bool


@operation("ListMachineMetadata", "GET", METADATA, head="HeadMachineMetadata")
def list_metadata(call: Call) -> Reply:
    """Return the metadata; with ``credentials`` including the passwords."""
    shown = dict(call.machine.metadata)
    if call.params.get("credentials"):
        shown["credentials"] = _internal(call.machine)
    return Reply(200, shown)


@operation("GetMachineMetadata", "GET", METADATUM)
def get_metadata(call: Call) -> Reply:
    """Return one string; numbers and booleans are a 404."""
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
    """Merge the parameters into the metadata; the answer predicts the result."""
    given = {key: value for key, value in call.params.items() if key not in SKIPPED and not key.endswith("_pw")}
    message = "Invalid metadatum parameters"
    if not given:
        raise validation_failed(message, "customer_metadata", "Invalid", "Invalid parameter")
    check_metadata(given, message, "customer_metadata")
    job = call.queue("set_metadata", lambda machine: machine.metadata.update(given))
    return Reply(200, {**call.machine.metadata, **given}, {"x-job-uuid": job.id})


@operation("DeleteMachineMetadata", "DELETE", METADATUM)
def delete_metadata(call: Call) -> Reply:
    """Delete one entry; three cannot be deleted."""
    key = call.text("key")
    if key in ("credentials", *KEPT):
        raise invalid_argument(f"Metadata key {key} can not be deleted")
    _require(call, key)
    call.queue("remove_metadata", lambda machine: _forget(machine.metadata, key))
    return Reply(204)


@operation("DeleteAllMachineMetadata", "DELETE", METADATA)
def delete_all_metadata(call: Call) -> Reply:
    """Delete all entries but two; CloudAPI adds the ids of machine and owner."""
    machine = call.machine
    kept = {key: machine.metadata[key] for key in KEPT if machine.metadata.get(key)}
    left = {"uuid": machine.id, "owner_uuid": machine.owner, **kept}
    lost = [key for key in machine.metadata if key not in left]
    call.queue("replace_metadata" if lost else "set_metadata", lambda machine: _replace(machine.metadata, lost, left))
    return Reply(204)


def check_metadata(given: dict[str, Any], message: str, field: str) -> None:
    """Refuse values that are not strings, numbers or booleans: 409 ValidationFailed."""
    for key, value in given.items():
        if not isinstance(value, Value):
            raise validation_failed(message, f"{field}.{key}", "Invalid", "Forbidden Data Type")


def _internal(machine: MachineRecord) -> dict[str, Any]:
    """Return the internal metadata: the passwords, and whether the machine is encrypted."""
    return stripped_credentials(machine) | ({"encrypted": True} if machine.encrypted else {})


def _require(call: Call, key: str) -> None:
    if key not in call.machine.metadata:
        raise not_found(f'metadatum "{key}" not found')


def _replace(entries: dict[str, Any], lost: list[str], left: dict[str, Any]) -> None:
    for key in lost:
        _forget(entries, key)
    entries.update(left)


def _forget(entries: dict[str, Any], key: str) -> None:
    """Remove an entry, which an earlier job may have removed already."""
    entries.pop(key, None)
