"""Take snapshots of a machine's disk, and go back to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
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
from smartdc.machine.job import HasJobs, MachinePart
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS, CreatesOnce, started_after
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout
from smartdc.waiting.stateful import Stateful

if TYPE_CHECKING:
    from smartdc.machine.machine import Machine

__all__ = ["HasSnapshots", "Snapshot"]


class Snapshot(MachinePart, Stateful[SnapshotState]):
    """The disk of a machine as it was at one moment.

    One that was just created may lack its dates and size, and may for a while read ``deleted``.
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
    """bytes that it holds on to"""
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
        """Return its name and its machine's, as errors name it."""
        return f"snapshot {self.name} of {self.machine.name}"

    @operation("DeleteMachineSnapshot")
    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Begin to delete the snapshot: ``DeleteMachineSnapshot``.

        With `wait` it returns when the snapshot is gone, and raises `WaitFailed` (with what the audit says) when that
        failed or `WaitTimeout` after `timeout` seconds.
        """
        below = ("snapshots", self.name)
        self.machine.request_job("delete_snapshot", *below, method="DELETE", wait=wait, timeout=timeout)
        if wait:
            self.poll_until("deleted", timeout=timeout)

    @operation("StartMachineFromSnapshot")
    def start(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Machine:
        """Roll the machine back to the snapshot, boot it, and return the machine: ``StartMachineFromSnapshot``.

        What it returns is the machine, not the snapshot, whatever the documentation of ``py-smartdc`` says. Snapshots taken later are lost. `wait` and `timeout` are those of `Machine.start_from_snapshot`.
        """
        return self.machine.start_from_snapshot(self.name, wait=wait, timeout=timeout)

    def _summary(self) -> list[str]:
        return [repr(self.name), str(self.state), "of", repr(self.machine.name)]


class HasSnapshots(CreatesOnce, HasJobs):
    """Mix-in for owners of snapshots."""

    __slots__ = ()

    @operation("GetMachineSnapshot")
    def raw_snapshot_data(self, name: str | Mapping[str, Any]) -> SnapshotData:
        """Return what the server says of one snapshot: ``GetMachineSnapshot``."""
        return cast("SnapshotData", self._get("snapshots", id_of(name, "name")))

    @operation("ListMachineSnapshots")
    def snapshots(
        self, *, name: str | None = None, search: str | None = None, fields: Iterable[str] = ("name",)
    ) -> ResourceList[Snapshot]:
        """List the snapshots: ``ListMachineSnapshots``.

        `name` may hold ``*`` and ``?``, and `search` is a regular expression tried on `fields`: both on this side.
        """
        return Snapshot.from_answers(self, select(self._list("snapshots"), search, fields, name=name))

    @operation("GetMachineSnapshot")
    def snapshot(self, name: str | Mapping[str, Any]) -> Snapshot:
        """Get a snapshot: ``GetMachineSnapshot``."""
        return Snapshot.from_answer(self, self._get("snapshots", id_of(name, "name")))

    @operation("CreateMachineSnapshot")
    def create_snapshot(self, name: str, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Snapshot:
        """Begin to take a snapshot and return it, still ``queued``: ``CreateMachineSnapshot``.

        When the answer is lost, the snapshot is looked for by its name before it is asked for again. With `wait` it
        is returned when it is ``created``, or `WaitFailed` (with what the audit says) or `WaitTimeout` is raised.
        """
        checked_timeout(timeout)
        before = len(self._audit_entries("create_snapshot")) if wait else 0
        body = {"name": id_of(name, "name")}
        is_new = started_after(self._clock, self._now)
        snapshot = self._create_once(
            lambda: Snapshot(self, body["name"], data=self._post("snapshots", data=body)),
            self.snapshots,
            lambda snapshot: snapshot.name == body["name"] and is_new(snapshot.created),
            settle=JOB_SETTLE_SECONDS,
        )
        if wait:
            self._wait_for_audit("create_snapshot", before, timeout)
            snapshot.poll_until("created", timeout=timeout)
        return snapshot

    @operation("StartMachineFromSnapshot")
    def start_from_snapshot(
        self, name: str | Mapping[str, Any], *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT
    ) -> Self:
        """Roll back to a snapshot, boot, and return the machine: ``StartMachineFromSnapshot``.

        Snapshots taken later are lost. With `wait` it returns when that is done, and raises `WaitFailed` when it
        failed or `WaitTimeout` after `timeout` seconds.
        """
        self.request_job("rollback_snapshot", "snapshots", id_of(name, "name"), wait=wait, timeout=timeout)
        return self
