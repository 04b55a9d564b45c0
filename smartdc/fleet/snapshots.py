"""Take snapshots of machines, and delete the oldest of those that were taken so."""

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
"""The end of the name of a snapshot that rotation has taken: when, in UTC."""
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}")
FIRST_LOOK_SECONDS = 4.0


def checked_name(argument: str, name: str) -> None:
    """Refuse what is not the name of a snapshot, nor the beginning of one."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(f"{argument} must be letters, digits, '.', '_' and '-', and not empty, got {name!r}")


def snapshotted(name: str, run: Run, machine: Machine) -> Work:
    """Take a snapshot of a machine, unless the journal or the machine has it already."""
    yield from _taken(run, machine, name)
    return machine


def rotated(keep: int, prefix: str, run: Run, machine: Machine) -> Work:
    """Take a snapshot, and when it is there delete the oldest ones that were taken so, but for as many as to keep.

    Only names that are exactly the prefix and a time are its own; all others are somebody else's, whatever they begin with.
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
    """Delete a snapshot; one that is gone already is no failure."""
    with contextlib.suppress(ResourceNotFound):
        snapshot.delete()


def _taken(run: Run, machine: Machine, name: str) -> Generator[Any, Any, None]:
    """Take a snapshot once, and wait until it is there."""
    past = run.journal.past(machine.id, "snapshot")
    if past and past["now"] == "done":
        return
    snapshot: Snapshot = yield Call(partial(_asked_for, run, machine, name))
    schedule = Schedule(run.datacenter, FIRST_LOOK_SECONDS)

    def ask() -> bool:
        # One that was just asked for reads ``deleted`` until it is being taken.
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
    """Ask for a snapshot, unless it was asked for before."""
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
