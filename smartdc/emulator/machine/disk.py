"""Disks of bhyve machines: created, resized and deleted by jobs while the machine is stopped."""

import re
from dataclasses import dataclass
from typing import Any

from smartdc.emulator.core.reply import (
    ApiError,
    Reply,
    invalid_argument,
    missing_parameter,
    not_found,
    validation_failed,
)
from smartdc.emulator.machine.disks import MAX_DISKS, disk_id
from smartdc.emulator.machine.machine import MACHINE
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import MachineRecord
from smartdc.emulator.state.transitions import JobFailed

DISKS = f"{MACHINE}/disks"
DISK = f"{DISKS}/:disk"
SLOT = re.compile(r"[0-9]{1,3}:[0-9]{1,2}:[0-7]")
LAST_BUS, LAST_DEVICE, RESERVED_DEVICES = 255, 31, (0, 6, 30, 31)


@dataclass(frozen=True, slots=True)
class DiskJob:
    """The effect of a job on a disk; ``task`` is the disk's state while the job runs."""

    task: str
    slot: str | None
    size: int = 0

    def __call__(self, machine: MachineRecord) -> None:
        """Apply the effect to the machine."""
        {"creating": self._create, "resizing": self._resize, "deleting": self._delete}[self.task](machine)

    def _create(self, machine: MachineRecord) -> None:
        slot = self.slot or _free_slot(machine)
        if _in_slot(machine, slot) or self.size > _space(machine):
            raise JobFailed(f"no space for another disk in {slot}")
        machine.disks.append({"size": self.size, "block_size": 4096, "id": disk_id(machine.id, slot), "pci_slot": slot})

    def _resize(self, machine: MachineRecord) -> None:
        disk = _in_slot(machine, self.slot)
        if not disk or self.size - disk["size"] > _space(machine):
            raise JobFailed(f"the disk in {self.slot} cannot have {self.size} MiB")
        disk["size"] = self.size

    def _delete(self, machine: MachineRecord) -> None:
        machine.disks = [disk for disk in machine.disks if disk["pci_slot"] != self.slot]


@operation("CreateMachineDisk", "POST", DISKS)
def create_disk(call: Call) -> Reply:
    """Queue a new disk; without a requested slot its id is not known yet, and the answer is empty.

    For brands other than bhyve CloudAPI never answers; the emulator does. CloudAPI's check of block sizes, which fails
    on every boot disk, is left out.
    """
    if call.machine.brand != "bhyve":
        raise invalid_argument("Disk Creation is supported only for BHYVE VMs")
    size, slot = _check_new(call)
    call.queue("unknown", DiskJob("creating", slot, size))
    if not slot:
        return Reply(202)
    made = _creating_view(call.machine, slot, size)
    return Reply(200, made, call.location("machines", call.machine.id, "disks", made["id"]))


@operation("ListMachineDisks", "GET", DISKS, head="HeadMachineDisks")
def list_disks(call: Call) -> Reply:
    """Return the disks, and those being created whose slot is known."""
    machine = call.machine
    shown = [view(disk, machine) for disk in machine.disks]
    if shown:
        creating = {job.slot: job for job in _pending(machine) if job.task == "creating" and job.slot}
        shown += [
            _creating_view(machine, slot, job.size)
            for slot, job in creating.items()
            if slot and not _in_slot(machine, slot)
        ]
    return Reply(200, shown, {"x-resource-count": str(len(shown))})


@operation("GetMachineDisk", "GET", DISK, head="HeadMachineDisk")
def get_disk(call: Call) -> Reply:
    """Return one disk; one that is being created is a 404."""
    return Reply(200, view(_require(call), call.machine))


@operation("ResizeMachineDisk", "POST", DISK)
def resize_disk(call: Call) -> Reply:
    """Queue a resize; the answer has the old size."""
    disk = _require(call)
    _check_stopped(call)
    size = _size(call)
    shrink = call.params.get("dangerous_allow_shrink")
    if not (shrink is None or isinstance(shrink, bool)):
        raise invalid_argument("dangerous_allow_shrink must be a boolean")
    _check_flexible(call, "resize")
    if disk["size"] > size and not shrink:
        raise _invalid("size", "Reducing disk size is a dangerous operation")
    if size - disk["size"] > _space(call.machine):
        raise _no_space()
    call.queue("unknown", DiskJob("resizing", disk["pci_slot"], size))
    return Reply(200, {**view(disk, call.machine), "state": "resizing"})


@operation("DeleteMachineDisk", "DELETE", DISK)
def delete_disk(call: Call) -> Reply:
    """Queue the deletion of a disk; the boot disk cannot be deleted."""
    disk = _require(call)
    _check_stopped(call)
    if disk.get("boot"):
        raise _invalid("slot", "Cannot remove boot disk")
    _check_flexible(call, "delete")
    call.queue("unknown", DiskJob("deleting", disk["pci_slot"]))
    return Reply(204)


def view(disk: dict[str, Any], machine: MachineRecord) -> dict[str, Any]:
    """Return the JSON of a disk, whose state is the machine's unless a job changes the disk."""
    tasks = {job.slot: job.task for job in reversed(_pending(machine)) if job.task != "creating"}
    return {
        "id": disk["id"],
        "pci_slot": disk["pci_slot"],
        "size": disk["size"],
        "block_size": disk["block_size"],
        "boot": bool(disk.get("boot")),
        "state": tasks.get(disk["pci_slot"], machine.state),
    }


def _creating_view(machine: MachineRecord, slot: str, size: int) -> dict[str, Any]:
    return {"id": disk_id(machine.id, slot), "pci_slot": slot, "size": size, "boot": False, "state": "creating"}


def _pending(machine: MachineRecord) -> list[DiskJob]:
    return [job.effect for job in machine.pending if isinstance(job.effect, DiskJob)]


def _require(call: Call) -> dict[str, Any]:
    name = call.text("disk")
    for disk in call.machine.disks:
        if name in (disk["id"], disk_id(call.machine.id, disk["pci_slot"])):
            return disk
    raise not_found("disk not found")


def _in_slot(machine: MachineRecord, slot: str | None) -> dict[str, Any] | None:
    return next((disk for disk in machine.disks if disk["pci_slot"] == slot), None)


def _free_slot(machine: MachineRecord) -> str:
    return next(slot for slot in (f"0:4:{place}" for place in range(MAX_DISKS + 1)) if not _in_slot(machine, slot))


def _space(machine: MachineRecord) -> int:
    return machine.disk - sum(int(disk["size"]) for disk in machine.disks)


def _check_new(call: Call) -> tuple[int, str | None]:
    """Return size and slot of a new disk, after CloudAPI's checks and then VMAPI's."""
    machine = call.machine
    slot = call.params.get("pci_slot")
    _check_stopped(call)
    remaining = call.params.get("size") == "remaining"
    size = 0 if remaining else _size(call)
    if slot is not None and not SLOT.fullmatch(str(slot)):
        raise invalid_argument("pci_slot has wrong format")
    if len(machine.disks) >= MAX_DISKS:
        raise invalid_argument(f"A maximum of {MAX_DISKS} disks per VM are supported")
    if remaining and not machine.flexible:
        raise invalid_argument("remaining is only supported for VMs created with flexible_disk_size packages")
    if slot:
        _check_slot(machine, slot)
    _check_flexible(call, "create")
    size = _space(machine) if remaining else size
    if size > _space(machine):
        raise _no_space()
    if size <= 0:
        raise _invalid("size", "Must be greater than zero")
    return size, slot


def _check_slot(machine: MachineRecord, slot: str) -> None:
    """Refuse a slot that is in use, or not for disks."""
    bus, device, _ = map(int, slot.split(":"))
    message = "Invalid VM update parameters"
    if bus > LAST_BUS or device > LAST_DEVICE:
        raise validation_failed(message, "pci_slot", "Invalid", "Not a valid value")
    if device in RESERVED_DEVICES:
        raise validation_failed(message, "pci_slot", "Invalid", "Reserved device ID")
    if _in_slot(machine, slot):
        raise _invalid("pci_slot", "Already in use")


def _check_stopped(call: Call) -> None:
    if call.machine.state != "stopped":
        raise invalid_argument("VM must be stopped")


def _check_flexible(call: Call, verb: str) -> None:
    if call.machine.brand != "bhyve":
        raise ApiError(409, "BrandNotSupported", f"Can only {verb} disks on bhyve VMs")
    if not call.machine.flexible:
        raise ApiError(409, "VmWithoutFlexibleDiskSize", "VM does not have flexible disk sizing enabled")


def _size(call: Call) -> int:
    given = call.params.get("size")
    if not given:
        raise missing_parameter("size must be specified")
    try:
        return int(float(given))
    except (TypeError, ValueError, OverflowError) as error:
        raise invalid_argument("size must be a number") from error


def _no_space() -> ApiError:
    return ApiError(409, "InsufficientDiskSpace", "VM does not have sufficient free disk")


def _invalid(field: str, reason: str) -> ApiError:
    return validation_failed("Invalid Parameters", field, "Invalid", reason)
