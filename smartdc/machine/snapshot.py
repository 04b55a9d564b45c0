"""Take snapshots of a machine's disk, and roll back to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

from smartdc.core.answers import SnapshotData
from smartdc.core.cells import age, in_columns, mebibytes
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import SnapshotState
from smartdc.core.lookup import id_of
from smartdc.core.operation import operation
from smartdc.core.search import select
from smartdc.http.dates import parse_date
from smartdc.machine.job import HasJobs, MachinePart, RequestedJob, way_on
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS, CreatesOnce, started_after
from smartdc.waiting.interrupts import noting_interrupts
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, poll
from smartdc.waiting.stateful import Stateful

if TYPE_CHECKING:
    from smartdc.machine.machine import Machine

__all__ = ["HasSnapshots", "Snapshot"]


class Snapshot(MachinePart, Stateful[SnapshotState]):
    """The state of a machine's disk at one moment.

    A new snapshot may lack its dates and size, and CloudAPI may report it as ``deleted`` for a while.
    """

    __slots__ = ()

    kind = "snapshots"
    id_key = "name"
    columns = in_columns(name="name", state="state", age=age(), size=mebibytes("size", 2**20))
    further = in_columns(size=mebibytes("size", 2**20))
    states = ("queued", "running", "created", "failed", "canceled")
    dead_ends = frozenset({"failed", "canceled"})

    name = Field[str]()
    """its name"""
    state = Field[SnapshotState]()
    """``queued``, ``running``, ``created``, ``failed``, ``canceled`` or ``deleted``"""
    size = Field[int | None]()
    """the disk space that it occupies, in bytes"""
    created = Field[datetime | None](read=parse_date)
    """when it was taken"""
    updated = Field[datetime | None](read=parse_date)
    """the same as `created`"""

    def __init__(
        self,
        machine: HasSnapshots,
        name: str | Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        if data is None and name is not None:
            data = machine.raw_snapshot_data(name)
        super().__init__(machine, name, data)

    @operation("GetMachineSnapshot")
    def refresh(self) -> Self:
        """Fetch the snapshot again and return it: ``GetMachineSnapshot``."""
        return self._keep(self.machine.raw_snapshot_data(self.name))

    @operation("GetMachineSnapshot")
    def status(self) -> SnapshotState:
        """Fetch the snapshot again and return its state: ``GetMachineSnapshot``."""
        return super().status()

    def describe(self) -> str:
        """Return the words for it in errors: its name and its machine's name."""
        return f"snapshot {self.name} of {self.machine.name}"

    @operation("DeleteMachineSnapshot")
    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Begin to delete the snapshot: ``DeleteMachineSnapshot``.

        With `wait`, it returns when the snapshot is gone, and raises `WaitFailed` (with the audit's reason) if the job
        failed, or `WaitTimeout` after `timeout` seconds.
        """
        below, words = ("snapshots", self.name), f"delete snapshot {self.name!r}"
        self.machine.request_job("delete_snapshot", *below, method="DELETE", wait=wait, timeout=timeout, words=words)
        if wait:
            self.poll_until("deleted", timeout=timeout, progress=False)

    @operation("StartMachineFromSnapshot")
    def start(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Machine:
        """Roll the machine back to the snapshot, boot it, and return the machine: ``StartMachineFromSnapshot``.

        It returns the machine, not the snapshot; the documentation of ``py-smartdc`` is wrong here. Snapshots taken
        later are lost. `wait` and `timeout` are those of `Machine.start_from_snapshot`.
        """
        return self.machine.start_from_snapshot(self.name, wait=wait, timeout=timeout)

    def _summary(self) -> list[str]:
        return [repr(self.name), str(self.state), "of", repr(self.machine.name)]


class HasSnapshots(CreatesOnce, HasJobs):
    """Mix-in for owners of snapshots."""

    __slots__ = ()

    @operation("GetMachineSnapshot")
    def raw_snapshot_data(self, name: str | Mapping[str, Any]) -> SnapshotData:
        """Return the server's data of one snapshot: ``GetMachineSnapshot``."""
        return cast("SnapshotData", self._get("snapshots", id_of(name, "name")))

    @operation("ListMachineSnapshots")
    def snapshots(
        self, *, name: str | None = None, search: str | None = None, fields: Iterable[str] = ("name",)
    ) -> ResourceList[Snapshot]:
        """List the snapshots: ``ListMachineSnapshots``.

        `name` may contain ``*`` and ``?``, and `search` is a regular expression that is matched with `fields`; the
        library applies both.
        """
        return Snapshot.from_answers(self, select(self._list("snapshots"), search, fields, name=name))

    @operation("GetMachineSnapshot")
    def snapshot(self, name: str | Mapping[str, Any]) -> Snapshot:
        """Get a snapshot: ``GetMachineSnapshot``."""
        return Snapshot.from_answer(self, self._get("snapshots", id_of(name, "name")))

    @operation("CreateMachineSnapshot")
    def create_snapshot(self, name: str, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Snapshot:
        """Begin to take a snapshot and return it, still ``queued``: ``CreateMachineSnapshot``.

        If the answer is lost, the snapshot is looked for by its name before the request is sent again. With `wait`, it
        returns when the snapshot is ``created``, or raises `WaitFailed` (with the audit's reason) or `WaitTimeout`.
        """
        checked_timeout(timeout)
        before = len(self._audit_entries("create_snapshot")) if wait else 0
        body = {"name": id_of(name, "name")}
        is_new = started_after(self._clock, self._now)
        words = f"create snapshot {body['name']!r}"
        with noting_interrupts(f"{self.label}: {words} may have been requested; machine.snapshots() shows it"):
            snapshot = self._create_once(
                lambda: Snapshot(self, body["name"], data=self._post("snapshots", data=body)),
                self.snapshots,
                lambda snapshot: snapshot.name == body["name"] and is_new(snapshot.created),
                settle=JOB_SETTLE_SECONDS,
            )
        if wait:
            finished = partial(self._has_finished, RequestedJob("create_snapshot", self._now(), self.state, before))
            goal = "has not finished its create_snapshot"
            poll(self, finished, goal, timeout=timeout, job=words, hint=way_on("create_snapshot"))
            snapshot.poll_until("created", timeout=timeout, progress=False)
        return snapshot

    @operation("StartMachineFromSnapshot")
    def start_from_snapshot(
        self, name: str | Mapping[str, Any], *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT
    ) -> Self:
        """Roll back to a snapshot, boot, and return the machine: ``StartMachineFromSnapshot``.

        Snapshots taken later are lost. With `wait`, it returns when the job is done, and raises `WaitFailed` if it
        failed, or `WaitTimeout` after `timeout` seconds.
        """
        below = ("snapshots", id_of(name, "name"))
        words = f"roll back to snapshot {below[1]!r}"
        self.request_job("rollback_snapshot", *below, wait=wait, timeout=timeout, words=words)
        return self
