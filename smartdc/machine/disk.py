"""Add disks to a bhyve machine, resize and delete them.

The audit calls every job on a disk ``unknown``, and some other jobs too, so that its entries alone prove little. A wait
therefore looks at the disk first (`JobOnDisk`). Only if the disk shows neither the job nor its result, the wait reads
the audit: has a job failed that has finished since?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from smartdc.machine.job import HasJobs, MachinePart, way_on
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS, CreatesOnce
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, poll

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
        self._keep(self._post(data=body, repeatable=True))
        if wait:
            problem, words = f"has not resized its disk {self.id}", f"resize disk {self.id}"
            self.machine.wait_for_disk_job(partial(self._resizing, body["size"]), problem, jobs_before, timeout, words)

    @operation("DeleteMachineDisk")
    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Begin to delete the disk: ``DeleteMachineDisk``.

        The machine must be stopped; its boot disk cannot be deleted. With `wait`, it returns when the disk is gone, and
        raises `WaitFailed` if the job failed, or `WaitTimeout` after `timeout` seconds.
        """
        checked_timeout(timeout)
        jobs_before = self.machine.count_disk_jobs() if wait else 0
        self._delete()
        if wait:
            problem, words = f"has not deleted its disk {self.id}", f"delete disk {self.id}"
            self.machine.wait_for_disk_job(self._deletion, problem, jobs_before, timeout, words)

    def _resizing(self, size: int) -> JobOnDisk:
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
        if pci_slot:
            new.append(self._create_as(body, before))
        else:
            self._call("POST", "disks", data=body)
        if wait:
            self.wait_for_disk_job(creation, "has no new disk", jobs_before, timeout, "create disk")
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

    def wait_for_disk_job(
        self, observe: Callable[[], JobOnDisk], problem: str, jobs_before: int, timeout: float | None, words: str
    ) -> None:
        """Wait for the end of a job on a disk, and fetch the machine; `problem` describes the state until then.

        `observe` fetches what the disks show of the job, and `jobs_before` is `count_disk_jobs` from before the job.
        Progress calls the job `words`.
        """
        done = partial(self._is_disk_job_done, observe, problem, jobs_before)
        poll(self, done, problem, timeout=timeout, job=words, hint=way_on(AUDIT_NAME))
        self.refresh()

    def _is_disk_job_done(self, observe: Callable[[], JobOnDisk], problem: str, jobs_before: int) -> bool:
        job = observe()
        if job is JobOnDisk.NO_SIGN:
            entries = self._audit_entries(AUDIT_NAME)
            newer = entries[: len(entries) - jobs_before]
            if failure := next((entry for entry in newer if not entry.succeeded), None):
                self._raise_wait_failed(problem, failure)
        return job is JobOnDisk.DONE


def disk_size(size: Size) -> int | str:
    """Return the size of a new disk in MiB, or ``remaining``; refuse anything else."""
    if size == "remaining":
        return size
    try:
        number: int = sizes(size=size)["size"]
    except (InputError, KeyError):
        raise InputError(f"size must be a number of MiB, a text such as '10G', or 'remaining', got {size!r}") from None
    return number
