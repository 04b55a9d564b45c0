"""Take snapshots of machines, and delete the oldest ones from earlier rotations."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from smartdc.errors import CallError, InputError, ResourceNotFound, SmartDCError, WaitFailed, WaitTimeout
from smartdc.fleet.engine import LOOK_SECONDS
from smartdc.fleet.journal import Record
from smartdc.fleet.report import OutcomeUnknown
from smartdc.fleet.run import UNDONE, Run, Schedule, server_time
from smartdc.fleet.step import Call, Pause, Until, Work
from smartdc.http.deadline import Deadline
from smartdc.machine.machine import Machine
from smartdc.machine.snapshot import Snapshot
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS

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
    name = str(past["name"]) if past and past["now"] not in UNDONE else f"{prefix}{moment:{STAMP}}"
    yield from _taken(run, machine, name)
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
    snapshot: Snapshot | None = None
    if past and past["now"] == "accepted":
        snapshot = Snapshot(machine, data={"name": name, "state": "queued"})
    elif past and past["now"] == "sent":
        snapshot = yield from _found(run, machine, name, past)
    if snapshot is None:
        snapshot = yield Call(partial(_asked_for, run, machine, name))
    yield from _until_there(run, machine, snapshot)


def _until_there(run: Run, machine: Machine, snapshot: Snapshot) -> Generator[Any, Any, None]:
    """Wait until a requested snapshot exists."""
    goal = f"has no snapshot {snapshot.name}"
    schedule = Schedule(run.datacenter, FIRST_LOOK_SECONDS)

    def ask() -> bool:
        # CloudAPI reports a new snapshot as ``deleted`` until its job begins.
        if snapshot.look() in snapshot.dead_ends:
            machine.fail(f"{goal}: that is {snapshot.state}")
        return snapshot.state == "created"

    try:
        if snapshot.state != "created":
            yield Until(machine, schedule.check, ask, goal, is_listed=False)
    except WaitFailed:
        run.journal.write(machine.id, "snapshot", "failed")
        raise
    run.journal.write(machine.id, "snapshot", "done", name=snapshot.name)


def _found(run: Run, machine: Machine, name: str, past: Record) -> Generator[Any, Any, Snapshot | None]:
    """Return the snapshot of an earlier request; None if it certainly made none.

    CloudAPI lists a snapshot only when its job is over.
    """
    settled = Deadline(float(past["at"]) + JOB_SETTLE_SECONDS - server_time(run.datacenter), run.datacenter.clock)
    while True:
        is_settled = settled.passed()
        for snapshot in (yield Call(machine.snapshots)):
            if snapshot.name == name:
                return cast("Snapshot", snapshot)
        if is_settled:
            return None
        try:
            yield Pause(LOOK_SECONDS)
        except WaitTimeout:
            raise OutcomeUnknown(f"unknown whether {machine.describe()} received its create_snapshot") from None


def _asked_for(run: Run, machine: Machine, name: str) -> Snapshot:
    """Request a snapshot."""
    run.engine.permit()
    run.journal.write(machine.id, "snapshot", "sent", name=name, at=server_time(run.datacenter))
    try:
        snapshot = machine.create_snapshot(name)
    except SmartDCError as error:
        if not isinstance(error, CallError) or error.applied is False:
            run.journal.write(machine.id, "snapshot", "refused")
        raise
    run.journal.write(machine.id, "snapshot", "accepted", name=name)
    return snapshot
