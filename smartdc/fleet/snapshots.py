"""Take snapshots of machines, and delete the oldest ones from earlier rotations."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from smartdc.errors import CallError, InputError, ResourceNotFound, SmartDCError, WaitFailed
from smartdc.fleet.run import UNDONE, Run, Schedule, server_time
from smartdc.fleet.step import Call, Until, Work
from smartdc.machine.machine import Machine
from smartdc.machine.snapshot import Snapshot

__all__ = ["checked_name", "rotated", "snapshotted"]

STAMP = "%Y%m%dT%H%M%SZ"
STAMPED = r"[0-9]{8}T[0-9]{6}Z"
"""The end of the name of a snapshot from a rotation: its time in UTC."""
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}")
FIRST_LOOK_SECONDS = 4.0


def checked_name(argument: str, name: str) -> None:
    """Refuse a text that cannot be the name of a snapshot, or the beginning of one."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(f"{argument} must be letters, digits, '.', '_' and '-', and not empty, got {name!r}")


def snapshotted(name: str, run: Run, machine: Machine) -> Work:
    """Take a snapshot of a machine, unless the journal or the machine already has it."""
    yield from _taken(run, machine, name)
    return machine


def rotated(keep: int, prefix: str, run: Run, machine: Machine) -> Work:
    """Take a snapshot, and when it exists, delete all snapshots of earlier rotations except the newest `keep`.

    Only names that are exactly the prefix and a time belong to rotations; all others are never deleted, whatever their
    beginning is.
    """
    past = run.journal.past(machine.id, "snapshot")
    moment = datetime.fromtimestamp(server_time(run.datacenter), UTC)
    is_begun = past is not None and past["now"] not in UNDONE
    yield from _taken(run, machine, str(past["name"]) if past and is_begun else f"{prefix}{moment:{STAMP}}")
    own = re.compile(re.escape(prefix) + STAMPED)
    snapshots = yield Call(machine.snapshots)
    there = sorted(each.name for each in snapshots if own.fullmatch(each.name) and each.state == "created")
    for snapshot in snapshots:
        if snapshot.name in there[:-keep]:
            yield Call(partial(_deleted, snapshot))
    return machine


def _deleted(snapshot: Snapshot) -> None:
    """Delete a snapshot; if it is already gone, that is not a failure."""
    with contextlib.suppress(ResourceNotFound):
        snapshot.delete()


def _taken(run: Run, machine: Machine, name: str) -> Generator[Any, Any, None]:
    """Take a snapshot once, and wait until it exists."""
    past = run.journal.past(machine.id, "snapshot")
    if past and past["now"] == "done":
        return
    if machine.state == "deleted":
        # CloudAPI accepts even that.
        raise WaitFailed(f"{machine.describe()} is deleted: no snapshot can be taken", resource=machine)
    snapshot: Snapshot = yield Call(partial(_asked_for, run, machine, name))
    schedule = Schedule(run.datacenter, FIRST_LOOK_SECONDS)

    def ask() -> bool:
        # CloudAPI reports a new snapshot as ``deleted`` until its job begins.
        if snapshot.look() in snapshot.dead_ends:
            machine.fail(f"has no snapshot {name}: that is {snapshot.state}")
        return snapshot.state == "created"

    try:
        if snapshot.state != "created":
            yield Until(machine, schedule.check, ask, f"has no snapshot {name}", is_listed=False)
    except WaitFailed:
        run.journal.write(machine.id, "snapshot", "failed", name=name)
        raise
    run.journal.write(machine.id, "snapshot", "done", name=name)


def _asked_for(run: Run, machine: Machine, name: str) -> Snapshot:
    """Request a snapshot, unless it was already requested."""
    past = run.journal.past(machine.id, "snapshot")
    if past and past["now"] not in UNDONE:
        for snapshot in machine.snapshots():
            if snapshot.name == name:
                return snapshot
        if past["now"] == "accepted":
            return Snapshot(machine, data={"name": name, "state": "queued"})
    run.engine.permit()
    run.journal.write(machine.id, "snapshot", "sent", name=name)
    try:
        snapshot = machine.create_snapshot(name)
    except SmartDCError as error:
        if not isinstance(error, CallError) or error.applied is False:
            run.journal.write(machine.id, "snapshot", "refused", name=name)
        raise
    run.journal.write(machine.id, "snapshot", "accepted", name=name)
    return snapshot
