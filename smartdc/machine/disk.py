"""Add disks to a bhyve machine, resize and delete them.

The audit calls every job on a disk ``unknown``, and some other jobs too, so that its entries alone prove little. A wait
therefore looks at the disk first (`JobOnDisk`). Only if the disk shows neither the job nor its result, the wait reads
the audit: has a job failed that has finished since?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, cast

from smartdc.core import arguments
from smartdc.core.cells import in_columns, mebibytes
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import Action, DiskState
from smartdc.core.lookup import complete_id, id_of
from smartdc.core.operation import operation
from smartdc.core.size import Size, sizes
from smartdc.errors import InputError, ResourceNotFound
from smartdc.machine.audit import AuditEntry
from smartdc.machine.job import HasJobs, MachinePart, newer_than, way_on
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS, CreatesOnce
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, poll
from smartdc.waiting.sending import Sending

__all__ = ["Disk", "HasDisks", "disk_size"]

AUDIT_NAME: Action = "unknown"
"""The audit's name of every job on a disk."""

PENDING = frozenset({"creating", "resizing", "deleting"})
"""States of a disk during a job."""


class JobOnDisk(Enum):
    """What the disks show of a job: it is done, it is running, or there is no sign of it."""

    DONE = auto()
    AT_WORK = auto()
    NO_SIGN = auto()


@dataclass(frozen=True)
class DiskJob:
    """A job on a disk, and how to follow it.

    Progress calls it `words`, and `problem` describes the machine until it is done. `observe` fetches what the disks
    show of it, and `jobs_before` is `HasDisks.count_disk_jobs` from before its request.
    """

    words: str
    problem: str
    observe: Callable[[], JobOnDisk]
    jobs_before: int
    timeout: float | None


class Disk(MachinePart):
    """A disk of a bhyve machine."""

    __slots__ = ()

    kind = "disks"
    columns = in_columns(id="id", state="state", size=mebibytes("size"), boot="boot", slot="pci_slot")

    further = in_columns(size=mebibytes("size"))

    id = Field[str]()
    """its UUID"""
    pci_slot = Field[str]()
    """its PCI slot: bus, device and function, such as ``0:4:1``"""
    size = Field[int]()
    """its size in MiB"""
    block_size = Field[int | None]()
    """the size of its blocks in bytes"""
    boot = Field[bool]()
    """whether the machine boots from it"""
    state = Field[DiskState]()
    """``creating``, ``resizing`` or ``deleting`` during a job; at all other times the machine's state"""

    def __init__(
        self,
        machine: HasJobs,
        disk_id: str | Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(machine, disk_id, data)

    @operation("GetMachineDisk")
    def status(self) -> DiskState:
        """Fetch the disk again and return its state: ``GetMachineDisk``."""
        self.refresh()
        return cast("DiskState", self._string("state"))

    @operation("ResizeMachineDisk")
    def resize(
        self,
        size: Size,
        *,
        dangerous_allow_shrink: bool | None = None,
        wait: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> None:
        """Begin to make the disk `size` MiB large: ``ResizeMachineDisk``.

        `size` may be a text such as ``20G``. The machine must be stopped. A smaller disk loses the data beyond its new
        end, so shrinking is refused without `dangerous_allow_shrink`. With `wait`, it returns when the job is done, and
        raises `WaitFailed` if it failed, or `WaitTimeout` after `timeout` seconds.
        """
        body = {**sizes(size=size), **arguments.booleans(dangerous_allow_shrink=dangerous_allow_shrink)}
        checked_timeout(timeout)
        jobs_before = self.machine.count_disk_jobs() if wait else 0
        job = DiskJob(
            f"resize disk {self.id}",
            f"has not resized its disk {self.id}",
            partial(self._resizing, body.get("size")),
            jobs_before,
            timeout,
        )
        with self.machine.sending_disk_job(job, wait=wait) as sending:
            self._keep(self._post(data=body, repeatable=True))
        if wait:
            self.machine.wait_for_disk_job(job, sending.since)

    @operation("DeleteMachineDisk")
    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Begin to delete the disk: ``DeleteMachineDisk``.

        The machine must be stopped; its boot disk cannot be deleted. With `wait`, it returns when the disk is gone, and
        raises `WaitFailed` if the job failed, or `WaitTimeout` after `timeout` seconds.
        """
        checked_timeout(timeout)
        jobs_before = self.machine.count_disk_jobs() if wait else 0
        words, problem = f"delete disk {self.id}", f"has not deleted its disk {self.id}"
        job = DiskJob(words, problem, self._deletion, jobs_before, timeout)
        with self.machine.sending_disk_job(job, wait=wait) as sending:
            self._delete()
        if wait:
            self.machine.wait_for_disk_job(job, sending.since)

    def _resizing(self, size: int | None) -> JobOnDisk:
        if self.status() in PENDING:
            return JobOnDisk.AT_WORK
        return JobOnDisk.DONE if self.size == size else JobOnDisk.NO_SIGN

    def _deletion(self) -> JobOnDisk:
        try:
            return JobOnDisk.AT_WORK if self.status() in PENDING else JobOnDisk.NO_SIGN
        except ResourceNotFound:
            return JobOnDisk.DONE

    @property
    def is_pending(self) -> bool:
        """Whether a job on it was running, as last seen."""
        return self._string("state") in PENDING

    def _summary(self) -> list[str]:
        return [str(self.pci_slot), f"{self.size} MiB", self.id]


class HasDisks(CreatesOnce, HasJobs):
    """Mix-in for owners of disks."""

    __slots__ = ()

    @operation("ListMachineDisks")
    def disks(self) -> ResourceList[Disk]:
        """List the disks: ``ListMachineDisks``; only bhyve machines have any."""
        return Disk.from_answers(self, self._list("disks"))

    @operation("HeadMachineDisks")
    def num_disks(self) -> int:
        """Count the disks that `disks` would list: ``HeadMachineDisks``."""
        return self._count("disks")

    @operation("GetMachineDisk", "ListMachineDisks")
    def get_disk(self, disk_id: str | Mapping[str, Any]) -> Disk:
        """Get a disk by its id, or the beginning of its id: ``GetMachineDisk``, ``ListMachineDisks``.

        A disk that is still being created can only be listed, by `disks`.
        """
        return Disk.from_answer(self, self._get("disks", complete_id(id_of(disk_id), "disk", self.disks)))

    @operation("CreateMachineDisk")
    def create_disk(
        self,
        size: Size,
        pci_slot: str | None = None,
        *,
        wait: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Disk:
        """Begin to add a disk of `size` MiB, or ``"remaining"``, and return it: ``CreateMachineDisk``.

        `size` may be a text such as ``20G``. The machine must be stopped and of brand bhyve, and its package must have
        flexible disks. With a `pci_slot`, such as ``0:4:1``, the returned disk is ``creating``; if the answer is lost,
        the disk is looked for before the create is sent again. Without a slot, CloudAPI chooses one, and does not say
        which disk it creates: so this method then returns, as with `wait`, when a new disk has appeared. Raises
        `WaitFailed` if the job failed, and `WaitTimeout` after `timeout` seconds.
        """
        checked_timeout(timeout)
        body = {"size": disk_size(size), **arguments.strings(pci_slot=pci_slot or None)}
        before = {disk.id for disk in self.disks()}
        new: list[Disk] = []

        def creation() -> JobOnDisk:
            there = [disk for disk in self.disks() if disk.id not in before and pci_slot in (None, disk.pci_slot)]
            new[:] = sorted(there, key=lambda disk: disk.is_pending)
            if not new:
                return JobOnDisk.NO_SIGN
            return JobOnDisk.AT_WORK if new[0].is_pending else JobOnDisk.DONE

        wait = wait or not pci_slot
        jobs_before = self.count_disk_jobs() if wait else 0
        job = DiskJob("create disk", "has no new disk", creation, jobs_before, timeout)
        with self.sending_disk_job(job, wait=not pci_slot) as sending:
            if pci_slot:
                new.append(self._create_as(body, before))
            else:
                self._call("POST", "disks", data=body)
        if wait:
            self.wait_for_disk_job(job, sending.since)
        return new[0]

    def _create_as(self, body: Mapping[str, Any], before: set[str]) -> Disk:
        """Create a disk in a slot, by which it can be found."""

        def matches(disk: Disk) -> bool:
            same = disk.pci_slot == body["pci_slot"] and body["size"] in ("remaining", disk.size)
            return same and disk.id not in before

        return self._create_once(
            lambda: Disk(self, data=self._post("disks", data=body)),
            self.disks,
            matches,
            settle=JOB_SETTLE_SECONDS,
        )

    def count_disk_jobs(self) -> int:
        """Return the number of finished jobs in the audit that may have been on disks."""
        return len(self._audit_entries(AUDIT_NAME))

    def sending_disk_job(self, job: DiskJob, *, wait: bool) -> Sending:
        """Return the block in which a job on a disk is requested; with `wait`, a lost answer is looked up."""
        sign = partial(self._is_disk_job_received, job) if wait else None
        hint, shown_by = "machine.disks() shows it", "its disks and its audit"
        return Sending(self, job.words, hint, sign=sign, shown_by=shown_by, timeout=job.timeout)

    def wait_for_disk_job(self, job: DiskJob, since: float | None = None) -> None:
        """Wait for the end of a job on a disk, and fetch the machine; `since` is that of `poll`."""
        done, hint = partial(self._is_disk_job_done, job), way_on(AUDIT_NAME)
        poll(self, done, job.problem, timeout=job.timeout, job=job.words, hint=hint, since=since)
        self.refresh()

    def _is_disk_job_received(self, job: DiskJob) -> bool:
        return job.observe() is not JobOnDisk.NO_SIGN or self._failed_disk_job(job) is not None

    def _is_disk_job_done(self, job: DiskJob) -> bool:
        shown = job.observe()
        if shown is JobOnDisk.NO_SIGN and (failure := self._failed_disk_job(job)):
            self._raise_wait_failed(job.problem, failure)
        return shown is JobOnDisk.DONE

    def _failed_disk_job(self, job: DiskJob) -> AuditEntry | None:
        """Return the audit's entry of a job that has failed since this one was requested."""
        newer = newer_than(job.jobs_before, self._audit_entries(AUDIT_NAME))
        return next((entry for entry in newer if not entry.succeeded), None)


def disk_size(size: Size) -> int | str:
    """Return the size of a new disk in MiB, or ``remaining``; refuse anything else."""
    if size == "remaining":
        return size
    try:
        number: int = sizes(size=size)["size"]
    except (InputError, KeyError):
        raise InputError(f"size must be a number of MiB, a text such as '10G', or 'remaining', got {size!r}") from None
    return number
