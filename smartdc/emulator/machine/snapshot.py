"""Snapshots: created, rolled back to and deleted by jobs; of a new snapshot only the job's state is known."""

from datetime import UTC, datetime
from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, not_found
from smartdc.emulator.machine.action import refuse_unallocated
from smartdc.emulator.machine.machine import MACHINE
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import Job, MachineRecord, SnapshotRecord
from smartdc.emulator.state.transitions import JobFailed

SNAPSHOTS = f"{MACHINE}/snapshots"
SNAPSHOT = f"{MACHINE}/snapshots/:name"


@operation("CreateMachineSnapshot", "POST", SNAPSHOTS)
def create_snapshot(call: Call) -> Reply:
    """Queue a snapshot, by default named after the time; the answer has no dates."""
    now = datetime.fromtimestamp(call.state.clock.time(), UTC)
    name = call.text("name") or now.strftime("%Y%m%dT%H%M%SZ")
    if call.machine.brand == "bhyve" and not call.settings.bhyve_snapshots:
        raise invalid_argument("Snapshots of bhyve VMs are not allowed")
    _check_brand(call, "create_snapshot")
    call.queue("create_snapshot", lambda machine: _take(machine, name), snapshot=name)
    return Reply(201, {"name": name, "state": "queued"})


@operation("StartMachineFromSnapshot", "POST", SNAPSHOT)
def start_from_snapshot(call: Call) -> Reply:
    """Queue a rollback, which boots the machine and deletes later snapshots.

    Whether the snapshot exists is not checked: without it the job stops the machine and fails.
    """
    name = call.text("name")
    _check_brand(call, "rollback_snapshot")
    call.queue("rollback_snapshot", lambda machine: _roll_back(machine, name), snapshot=name)
    return Reply(202)


@operation("ListMachineSnapshots", "GET", SNAPSHOTS, head="HeadMachineSnapshots")
def list_snapshots(call: Call) -> Reply:
    """Return the existing snapshots, each with the state of its job."""
    states = {job.snapshot: job.execution for job in reversed(call.machine.jobs) if job.snapshot}
    return Reply(200, [view(snapshot, states.get(snapshot.name)) for snapshot in call.machine.snapshots])


@operation("GetMachineSnapshot", "GET", SNAPSHOT, head="HeadMachineSnapshot")
def get_snapshot(call: Call) -> Reply:
    """Return one snapshot; it is found by its jobs, and is ``deleted`` until the first one has ended."""
    name = call.text("name")
    job = _newest_job(call.machine, name)
    if not job:
        raise not_found("Snapshot does not exist")
    found = _find(call.machine, name)
    return Reply(200, view(found, job.execution) if found else {"name": name, "state": "deleted"})


@operation("DeleteMachineSnapshot", "DELETE", SNAPSHOT)
def delete_snapshot(call: Call) -> Reply:
    """Queue the deletion of a snapshot."""
    name = call.text("name")
    if not _find(call.machine, name):
        raise not_found(f"{name} not found")
    _check_brand(call, "delete_snapshot")
    call.queue("delete_snapshot", lambda machine: _drop(machine, name), snapshot=name)
    return Reply(204)


def view(snapshot: SnapshotRecord, execution: str | None) -> dict[str, Any]:
    """Return the JSON of a snapshot, without a state if it has no job."""
    shown: dict[str, Any] = {"name": snapshot.name}
    if execution:
        shown["state"] = "created" if execution == "succeeded" else execution
    created = iso(snapshot.created)
    return {**shown, "size": snapshot.size, "created": created, "updated": created}


def _check_brand(call: Call, action: str) -> None:
    refuse_unallocated(call, action)
    words = "snapshots are not supported for VMs"
    if call.machine.brand == "kvm":
        raise ApiError(409, "BrandNotSupported", f'{words} of brand "kvm"')
    if call.machine.delegate_dataset:
        raise ApiError(409, "BrandNotSupported", f"{words} with delegated datasets")


def _find(machine: MachineRecord, name: str) -> SnapshotRecord | None:
    return next((snapshot for snapshot in machine.snapshots if snapshot.name == name), None)


def _newest_job(machine: MachineRecord, name: str) -> Job | None:
    return next((job for job in reversed(machine.jobs) if job.snapshot == name), None)


def _take(machine: MachineRecord, name: str) -> None:
    if _find(machine, name):
        raise JobFailed(f"snapshot {name} exists")
    machine.snapshots.append(SnapshotRecord(name, machine.updated))


def _roll_back(machine: MachineRecord, name: str) -> None:
    names = [snapshot.name for snapshot in machine.snapshots]
    if name not in names:
        machine.state = "stopped"
        raise JobFailed(f"snapshot {name} is gone")
    del machine.snapshots[names.index(name) + 1 :]
    machine.state = "running"


def _drop(machine: MachineRecord, name: str) -> None:
    machine.snapshots = [snapshot for snapshot in machine.snapshots if snapshot.name != name]
