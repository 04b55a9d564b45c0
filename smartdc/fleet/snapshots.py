"""Take snapshots of machines, and delete the oldest ones from earlier rotations."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from smartdc.errors import CallError, InputError, ResourceNotFound, SmartDCError, WaitFailed, WaitTimeout
from smartdc.fleet.engine import LOOK_SECONDS
from smartdc.fleet.journal import Record
from smartdc.fleet.report import OutcomeUnknown
from smartdc.fleet.run import UNDONE, Run, Schedule, server_time
from smartdc.fleet.step import Call, Pause, Until, Work
from smartdc.http.deadline import Deadline
from smartdc.machine.job import RequestedJob
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
    if past and past["now"] == "sent":
        past = yield from _received(run, machine, past)
    if not past or past["now"] in UNDONE:
        past = yield Call(partial(_asked_for, run, machine, name))
    try:
        yield _until_there(run, machine, past)
    except WaitFailed:
        run.journal.write(machine.id, "snapshot", "failed")
        raise
    run.journal.write(machine.id, "snapshot", "done", name=past["name"])


def _received(run: Run, machine: Machine, past: Record) -> Generator[Any, Any, Record | None]:
    """Return the journal's entry about a request if it was received, and None if it certainly was not.

    CloudAPI lists a snapshot only when its job is over.
    """
    settled = Deadline(float(past["at"]) + JOB_SETTLE_SECONDS - server_time(run.datacenter), run.datacenter.clock)
    while True:
        is_last = settled.passed()
        snapshots = yield Call(machine.snapshots)
        if past["name"] in [snapshot.name for snapshot in snapshots]:
            return past
        if is_last:
            return None
        try:
            yield Pause(LOOK_SECONDS)
        except WaitTimeout:
            raise OutcomeUnknown(f"unknown whether {machine.describe()} received its create_snapshot") from None


def _asked_for(run: Run, machine: Machine, name: str) -> Record:
    """Request a snapshot, and return the journal's entry about it."""
    run.engine.permit()
    at = server_time(run.datacenter)
    run.journal.write(machine.id, "snapshot", "sent", name=name, at=at)
    try:
        machine.create_snapshot(name)
    except SmartDCError as error:
        if not isinstance(error, CallError) or error.applied is False:
            run.journal.write(machine.id, "snapshot", "refused")
        raise
    return run.journal.write(machine.id, "snapshot", "accepted", name=name, at=at)


def _until_there(run: Run, machine: Machine, past: Record) -> Until:
    """Return the wait for a requested snapshot."""
    snapshot = Snapshot(machine, data={"name": past["name"]})
    job = RequestedJob("create_snapshot", float(past["at"]), None, 0)
    goal = f"has no snapshot {snapshot.name}"

    def ask() -> bool:
        if snapshot.look() in snapshot.dead_ends:
            machine.fail(f"{goal}: that is {snapshot.state}")
        if snapshot.state != "created":
            # CloudAPI reports a snapshot as ``deleted`` until its job has ended, and for ever if that has failed.
            machine.has_succeeded(job, goal)
        return snapshot.state == "created"

    return Until(machine, Schedule(run.datacenter, FIRST_LOOK_SECONDS).check, ask, goal, is_listed=False)
