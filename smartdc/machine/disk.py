"""Add disks to a bhyve machine, resize and delete them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from smartdc.core import arguments
from smartdc.core.resource import Field, Resource, id_of
from smartdc.errors import InputError, ResourceNotFound
from smartdc.machine.job import HasJobs
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS, CreatesOnce
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout

if TYPE_CHECKING:
    from smartdc.machine.machine import Machine

__all__ = ["Disk", "HasDisks", "disk_size"]

AUDITED = "unknown"
"""What the audit calls every job on a disk."""

PENDING = frozenset({"creating", "resizing", "deleting"})
"""States of a disk while a job is at work on it."""


class Disk(Resource):
    """A disk of a bhyve machine."""

    kind = "disks"

    id = Field[str]("its UUID")
    pci_slot = Field[str]("where it is plugged in: bus, device and function, such as ``0:4:1``")
    size = Field[int]("its size in MiB")
    block_size = Field[int | None]("the size of its blocks in bytes")
    boot = Field[bool]("whether the machine boots from it")
    state = Field[str](
        "``creating``, ``resizing`` or ``deleting`` during a job; at all other times the machine's state"
    )

    def __init__(
        self,
        machine: Machine,
        disk_id: str | Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(machine, disk_id, data)

    @property
    def machine(self) -> Machine:
        """The machine that it is of."""
        return cast("Machine", self._parent)

    def status(self) -> str:
        """Fetch the disk again and return its state: ``GetMachineDisk``."""
        return self.refresh().state

    def resize(
        self,
        size: int,
        *,
        dangerous_allow_shrink: bool | None = None,
        wait: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> None:
        """Begin to make the disk `size` MiB large: ``ResizeMachineDisk``.

        The machine must be stopped. To make a disk smaller is to lose what is beyond its new end, and is refused
        without `dangerous_allow_shrink`. With `wait` it returns when that is done, and raises `WaitFailed` when it
        failed or `WaitTimeout` after `timeout` seconds.
        """
        body = {**arguments.integers(size=size), **arguments.booleans(dangerous_allow_shrink=dangerous_allow_shrink)}

        def ask() -> None:
            self._keep(self._post(data=body, repeatable=True))

        def resized() -> bool | None:
            return False if self.status() in PENDING else self.size == size or None

        self._change(ask, resized, f"has not resized its disk {self.id}", wait, timeout)

    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Begin to delete the disk: ``DeleteMachineDisk``.

        The machine must be stopped, and its boot disk stays. With `wait` it returns when the disk is gone, and raises
        `WaitFailed` when that failed or `WaitTimeout` after `timeout` seconds.
        """
        self._change(self._delete, self._gone, f"has not deleted its disk {self.id}", wait, timeout)

    def _change(
        self,
        ask: Callable[[], None],
        reached: Callable[[], bool | None],
        problem: str,
        wait: bool,
        timeout: float | None,
    ) -> None:
        self.machine._change_disks(ask, reached, problem, wait=wait, timeout=timeout)  # noqa: SLF001 (its own machine)

    def _gone(self) -> bool | None:
        try:
            return False if self.status() in PENDING else None
        except ResourceNotFound:
            return True

    def _summary(self) -> list[str]:
        return [str(self.pci_slot), f"{self.size} MiB", self.id]


class HasDisks(CreatesOnce, HasJobs):
    """Mix-in for owners of disks."""

    def disks(self) -> list[Disk]:
        """List the disks: ``ListMachineDisks``; only bhyve machines have any."""
        return [Disk(cast("Machine", self), data=entry) for entry in self._list("disks")]

    def num_disks(self) -> int:
        """Count the disks that `disks` would list: ``HeadMachineDisks``."""
        return self._count("disks")

    def get_disk(self, disk_id: str | Mapping[str, Any]) -> Disk:
        """Get a disk by its id: ``GetMachineDisk``. One that is still being created is only listed, by `disks`."""
        return Disk(cast("Machine", self), data=self._get("disks", id_of(disk_id)))

    def create_disk(
        self,
        size: int | str,
        pci_slot: str | None = None,
        *,
        wait: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Disk:
        """Begin to add a disk of `size` MiB, or ``"remaining"``, and return it: ``CreateMachineDisk``.

        The machine must be stopped, of brand bhyve, and its package one with flexible disks. With a `pci_slot`, such
        as ``0:4:1``, the disk is returned ``creating``, and looked for in case the answer is lost before it is asked
        for again. Without one CloudAPI chooses, and does not tell which disk it makes: so this returns, as with
        `wait`, when there is a new disk. Raises `WaitFailed` when there will be none, and `WaitTimeout` after
        `timeout` seconds.
        """
        checked_timeout(timeout)
        body = {"size": disk_size(size), **arguments.strings(pci_slot=pci_slot or None)}
        before = {disk.id for disk in self.disks()}
        made: list[Disk] = []

        def ask() -> None:
            if pci_slot:
                made.append(self._create_as(body, before))
            else:
                self._call("POST", "disks", data=body)

        def there() -> Disk | bool | None:
            new = [disk for disk in self.disks() if disk.id not in before and pci_slot in {None, disk.pci_slot}]
            return next((disk for disk in new if disk.state not in PENDING), False if new else None)

        done: Disk | None = self._change_disks(
            ask, there, "has no new disk", wait=wait or not pci_slot, timeout=timeout
        )
        return done or made[0]

    def _create_as(self, body: Mapping[str, Any], before: set[str]) -> Disk:
        """Ask for a disk in a slot, which is what it can be found by."""

        def matches(disk: Disk) -> bool:
            same = disk.pci_slot == body["pci_slot"] and body["size"] in {disk.size, "remaining"}
            return same and disk.id not in before

        return self._create_once(
            lambda: Disk(cast("Machine", self), data=self._post("disks", data=body)),
            self.disks,
            matches,
            settle=JOB_SETTLE_SECONDS,
        )

    def _change_disks(
        self,
        ask: Callable[[], None],
        reached: Callable[[], Any],
        problem: str,
        *,
        wait: bool,
        timeout: float | None,
    ) -> Any:
        """Ask for a job on a disk and, where that is wanted, wait for its end.

        `reached` returns what is there then, False while the job is seen at work, and None when only the audit can
        tell whether it failed.
        """
        before = len(self._audit_entries(AUDITED)) if wait else 0
        ask()
        if not wait:
            return None

        def look() -> Any:
            found = reached()
            if found is not None:
                return found or None
            entries = self._audit_entries(AUDITED)
            newer = entries[: len(entries) - before]
            if failure := next((entry for entry in newer if not entry.succeeded), None):
                self._raise_wait_failed(problem, failure)
            return None

        found = self._poll(look, problem, timeout=timeout)
        self.refresh()
        return found


def disk_size(size: int | str) -> int | str:
    """Refuse what is no size of a new disk."""
    if size != "remaining" and (isinstance(size, bool) or not isinstance(size, int)):
        raise InputError(f"a size is a number of MiB or 'remaining', not {size!r}")
    return size
