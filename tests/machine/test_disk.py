"""Disks of a bhyve machine: adding, resizing and deleting them while it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kits.cloud import image_id, record, sent
from smartdc import (
    BadResponse,
    Conflict,
    DataCenter,
    Disk,
    InputError,
    InvalidArgument,
    Machine,
    MissingParameter,
    ResourceNotFound,
    TransportError,
    ValidationFailed,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import AfterSeconds, ByScript, Emulator, Fault

BOOT, DATA = 10_240, 20_480
SPACE = 51_200
"""MiB: the disks that the machine has at first, and what its package has for all of them."""
LEFT = SPACE - BOOT - DATA


def made(dc: DataCenter, cloud: Emulator, package: str = "b1-small") -> Machine:
    """Make a stopped bhyve machine; a flexible package gets a boot disk and a data disk that leave space for more."""
    disks = [{"size": BOOT}, {"size": DATA}] if package == "b1-small" else None
    machine = dc.create_machine("db-1", package, image=image_id(cloud, "debian-12-cloud"), disks=disks, wait=True)
    record(cloud, machine).state = "stopped"
    return machine.refresh()


@pytest.fixture
def machine(dc: DataCenter, cloud: Emulator) -> Machine:
    """A stopped bhyve machine called db-1 with two disks and space for more."""
    return made(dc, cloud)


@pytest.fixture
def disk(machine: Machine) -> Disk:
    """The data disk of the machine."""
    return machine.disks()[1]


def sizes(cloud: Emulator, machine: Machine) -> dict[str, int]:
    """Return the sizes of the disks that the server knows, by their slots."""
    return {disk["pci_slot"]: disk["size"] for disk in record(cloud, machine).disks}


def test_disks(machine: Machine, cloud: Emulator) -> None:
    """``ListMachineDisks`` gives all disks, in the state of their machine."""
    boot, data = machine.disks()
    assert sent(cloud, "ListMachineDisks") == ("GET", f"{machine.path}/disks", {})
    assert (boot.pci_slot, boot.size, boot.boot, boot.state) == ("0:4:0", BOOT, True, "stopped")
    assert (data.pci_slot, data.size, data.boot, data.block_size) == ("0:4:1", DATA, False, 4096)
    assert data.machine is machine


def test_num_disks(machine: Machine, cloud: Emulator) -> None:
    """``HeadMachineDisks`` counts them."""
    assert machine.num_disks() == 2
    assert sent(cloud, "HeadMachineDisks") == ("HEAD", f"{machine.path}/disks", {})


def test_raw_disks_stay_with_the_machine(machine: Machine) -> None:
    """``GetMachine`` tells of the disks too, without their slots, and under the same ids."""
    assert [disk["id"] for disk in machine["disks"]] == [disk.id for disk in machine.disks()]
    assert "pci_slot" not in machine["disks"][0]


def test_machine_without_disks(dc: DataCenter, cloud: Emulator) -> None:
    """``ListMachineDisks`` gives an empty list for a container."""
    [there] = cloud.populate(1)
    assert dc.machine(there.id).disks() == []


@pytest.mark.parametrize("form", ["id", "dict", "resource"])
def test_get_disk(machine: Machine, disk: Disk, cloud: Emulator, form: str) -> None:
    """``GetMachineDisk`` gives one disk."""
    given: Any = {"id": disk.id, "dict": {"id": disk.id}, "resource": disk}[form]
    assert machine.get_disk(given) == disk
    assert sent(cloud, "GetMachineDisk") == ("GET", f"{machine.path}/disks/{disk.id}", {})


def test_create_disk_in_a_slot(machine: Machine, cloud: Emulator) -> None:
    """``CreateMachineDisk`` with a slot returns at once; its id is the one that the disk will have."""
    cloud.transitions.policy = ByScript()
    disk = machine.create_disk(1024, "0:5:0")
    assert sent(cloud, "CreateMachineDisk") == ("POST", f"{machine.path}/disks", {"size": 1024, "pci_slot": "0:5:0"})
    assert (disk.pci_slot, disk.size, disk.state) == ("0:5:0", 1024, "creating")
    assert [each.state for each in machine.disks()] == ["stopped", "stopped", "creating"]
    with pytest.raises(ResourceNotFound):
        disk.refresh()
    cloud.transitions.release()
    assert disk.status() == "stopped"
    assert sizes(cloud, machine)["0:5:0"] == 1024


def test_create_disk_in_a_slot_and_wait(machine: Machine, cloud: Emulator) -> None:
    """With ``wait`` the disk of ``CreateMachineDisk`` can be used, and the machine knows of it."""
    cloud.transitions.policy = AfterSeconds(30)
    assert machine.create_disk(1024, "0:5:0", wait=True).state == "stopped"
    assert 30 <= cloud.clock.monotonic() < 33
    assert machine.free_space == SPACE - BOOT - DATA - 1024


def test_create_disk_without_a_slot(machine: Machine, cloud: Emulator) -> None:
    """CloudAPI does not say which disk ``CreateMachineDisk`` makes: the new one is waited for."""
    cloud.transitions.policy = AfterSeconds(30)
    disk = machine.create_disk(1024)
    assert sent(cloud, "CreateMachineDisk") == ("POST", f"{machine.path}/disks", {"size": 1024})
    assert (disk.pci_slot, disk.size, disk.state) == ("0:4:2", 1024, "stopped")
    assert 30 <= cloud.clock.monotonic() < 33


def test_create_disk_of_what_remains(machine: Machine, cloud: Emulator) -> None:
    """``CreateMachineDisk`` can take all the space that is left."""
    assert machine.create_disk("remaining").size == SPACE - BOOT - DATA
    with pytest.raises(ValidationFailed, match="greater than zero"):
        machine.create_disk("remaining")
    assert sum(sizes(cloud, machine).values()) == SPACE


@pytest.mark.parametrize("slot", [None, "0:5:0"])
def test_create_disk_that_fails(machine: Machine, cloud: Emulator, slot: str | None) -> None:
    """With ``wait`` the audit's entry is the reason when the job of ``CreateMachineDisk`` fails."""
    cloud.transitions.policy = AfterSeconds(30)
    cloud.transitions.fail("unknown")
    with pytest.raises(WaitFailed, match=r"db-1.*has no new disk") as caught:
        machine.create_disk(1024, slot, wait=True)
    assert caught.value.reason is not None
    assert caught.value.reason["success"] == "no"
    assert len(sizes(cloud, machine)) == 2


@pytest.mark.parametrize("slot", [None, "0:5:0"])
def test_older_failures_are_not_the_disks(machine: Machine, cloud: Emulator, slot: str | None) -> None:
    """A job of that name in the audit which had failed before ``CreateMachineDisk`` does not end the wait."""
    cloud.transitions.fail("unknown")
    machine.enable_firewall()
    assert [entry.succeeded for entry in machine.audit() if entry.action == "unknown"] == [False]
    cloud.transitions.policy = AfterSeconds(5)
    assert machine.create_disk(1024, slot, wait=True).size == 1024


def test_failures_of_others_are_not_the_disks(machine: Machine, cloud: Emulator) -> None:
    """A job of that name in the audit which fails while ``CreateMachineDisk`` is seen at work does not end the wait."""
    cloud.transitions.policy = AfterSeconds(5)
    cloud.transitions.fail("unknown")
    machine.enable_firewall()
    assert machine.create_disk(1024, "0:5:0", wait=True).size == 1024


@pytest.mark.parametrize("size", ["all", "", "1024GB"])
def test_create_disk_of_no_size(machine: Machine, cloud: Emulator, size: str) -> None:
    """A size that is neither a number nor ``remaining`` is refused before anything is sent."""
    before = len(cloud.trace)
    with pytest.raises(InputError, match="number of MiB"):
        machine.create_disk(size)
    assert len(cloud.trace) == before


def test_create_disk_waits_no_longer_than_that(machine: Machine, cloud: Emulator) -> None:
    """A job of ``CreateMachineDisk`` that does not end costs the time-out and no more."""
    cloud.transitions.policy = ByScript()
    with pytest.raises(WaitTimeout, match=r"db-1.*has no new disk.*after 20 s"):
        machine.create_disk(1024, timeout=20)
    assert 20 <= cloud.clock.monotonic() < 21


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({}, MissingParameter, "size must be specified"),
        ({"size": "big"}, InvalidArgument, "size must be a number"),
        ({"size": [1]}, InvalidArgument, "size must be a number"),
        ({"size": 1024, "pci_slot": "0:4"}, InvalidArgument, "pci_slot has wrong format"),
        ({"size": 1024, "pci_slot": "0:4:1"}, ValidationFailed, "Already in use"),
        ({"size": 1024, "pci_slot": "0:6:0"}, ValidationFailed, "Reserved device ID"),
        ({"size": 1024, "pci_slot": "256:5:0"}, ValidationFailed, "Not a valid value"),
        ({"size": 1024, "pci_slot": "0:32:0"}, ValidationFailed, "Not a valid value"),
        ({"size": LEFT + 1}, Conflict, "does not have sufficient free disk"),
        ({"size": -1}, ValidationFailed, "greater than zero"),
        ({"size": 0.5}, ValidationFailed, "greater than zero"),
    ],
)
def test_create_disk_is_refused(
    dc: DataCenter, machine: Machine, cloud: Emulator, body: dict[str, Any], error: type[Conflict], words: str
) -> None:
    """``CreateMachineDisk`` says what is wrong with a disk, and makes none."""
    with pytest.raises(error, match=words):
        dc.request("POST", f"{machine.path}/disks", data=body)
    assert len(sizes(cloud, machine)) == 2


@pytest.mark.parametrize(("size", "slot"), [(LEFT, None), (LEFT, "255:29:7"), (1, "0:5:0")])
def test_create_disk_takes_the_limits(machine: Machine, cloud: Emulator, size: int, slot: str | None) -> None:
    """``CreateMachineDisk`` takes all of the space, and the highest numbers of a slot."""
    machine.create_disk(size, pci_slot=slot, wait=True)
    assert sizes(cloud, machine)[slot or "0:4:2"] == size


def test_a_machine_has_eight_disks_at_most(machine: Machine, cloud: Emulator) -> None:
    """``CreateMachineDisk`` is refused for one more."""
    for _ in range(6):
        machine.create_disk(100)
    with pytest.raises(InvalidArgument, match="maximum of 8 disks"):
        machine.create_disk(100)
    assert len(sizes(cloud, machine)) == 8


def test_two_disks_for_one_slot(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """``CreateMachineDisk`` takes a second one while the first is being made; its job fails."""
    cloud.transitions.policy = ByScript()
    for size in (1024, 2048):
        dc.request("POST", f"{machine.path}/disks", data={"size": size, "pci_slot": "0:5:0"})
    cloud.transitions.release()
    cloud.transitions.release()
    assert sizes(cloud, machine)["0:5:0"] == 1024
    assert [entry.succeeded for entry in machine.audit()[:2]] == [False, True]


@pytest.mark.parametrize("state", [["creating"], {}, 1])
def test_a_disk_whose_state_is_no_text(disk: Disk, cloud: Emulator, state: Any) -> None:
    """``GetMachineDisk``: a state that nobody can read is an error that says so."""
    cloud.faults.add(Fault("GetMachineDisk", status=200, body={**disk, "state": state}))

    with pytest.raises(BadResponse, match="'state' must be a string"):
        disk.status()


def test_create_disk_of_another_brand(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateMachineDisk`` is refused for all but bhyve, where CloudAPI itself would never answer."""
    [there] = cloud.populate(1, state="stopped")
    with pytest.raises(InvalidArgument, match="only for BHYVE"):
        dc.machine(there.id).create_disk(1024)


def test_disks_of_another_brand(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """``ResizeMachineDisk`` and ``DeleteMachineDisk`` are refused for all but bhyve too, in VMAPI's words."""
    disk = machine.disks()[1]
    record(cloud, machine).brand = "kvm"
    with pytest.raises(Conflict, match="Can only resize disks on bhyve"):
        dc.request("POST", disk.path, data={"size": 2048})
    with pytest.raises(Conflict, match="Can only delete disks on bhyve"):
        dc.request("DELETE", disk.path)


def test_disks_of_a_machine_in_the_making(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """``CreateMachineDisk`` finds that it does not stand still before VMAPI is asked."""
    record(cloud, machine).state = "provisioning"
    with pytest.raises(InvalidArgument, match="VM must be stopped"):
        dc.request("POST", f"{machine.path}/disks", data={"size": 1024})


def test_machine_whose_package_is_not_flexible(dc: DataCenter, cloud: Emulator) -> None:
    """Without a flexible package ``CreateMachineDisk``, ``ResizeMachineDisk`` and ``DeleteMachineDisk`` are refused."""
    machine = made(dc, cloud, "b1-fixed")
    disk = machine.disks()[1]
    with pytest.raises(InvalidArgument, match="flexible_disk_size"):
        machine.create_disk("remaining")
    for change in (lambda: machine.create_disk(1024), lambda: disk.resize(200_000), disk.delete):
        with pytest.raises(Conflict, match="flexible disk sizing") as caught:
            change()
        assert caught.value.code == "VmWithoutFlexibleDiskSize"


@pytest.mark.parametrize("state", ["running", "provisioning"])
def test_machine_that_is_not_stopped(machine: Machine, disk: Disk, cloud: Emulator, state: str) -> None:
    """``CreateMachineDisk``, ``ResizeMachineDisk`` and ``DeleteMachineDisk`` are refused unless the machine is stopped."""
    record(cloud, machine).state = state
    for change in (lambda: machine.create_disk(1024), lambda: disk.resize(30_000), disk.delete):
        with pytest.raises(Conflict, match=r"must be stopped|has not been provisioned"):
            change()


def test_resize(machine: Machine, disk: Disk, cloud: Emulator) -> None:
    """``ResizeMachineDisk`` begins to resize a disk, which keeps its old size meanwhile."""
    cloud.transitions.policy = ByScript()
    disk.resize(30_000)
    assert sent(cloud, "ResizeMachineDisk") == ("POST", disk.path, {"size": 30_000})
    assert (disk.size, disk.state, machine.disks()[1].state) == (DATA, "resizing", "resizing")
    cloud.transitions.release()
    assert sizes(cloud, machine)["0:4:1"] == 30_000


def test_resize_and_wait(machine: Machine, disk: Disk, cloud: Emulator) -> None:
    """With ``wait`` the disk has its new size when ``ResizeMachineDisk`` returns."""
    cloud.transitions.policy = AfterSeconds(30)
    disk.resize(30_000, wait=True)
    assert (disk.size, disk.state) == (30_000, "stopped")
    assert machine.free_space == SPACE - BOOT - 30_000
    assert 30 <= cloud.clock.monotonic() < 33


def test_shrink(machine: Machine, disk: Disk, cloud: Emulator) -> None:
    """``ResizeMachineDisk`` makes a disk smaller only for who says so."""
    with pytest.raises(ValidationFailed, match="dangerous"):
        disk.resize(1024)
    disk.resize(1024, dangerous_allow_shrink=True, wait=True)
    assert sent(cloud, "ResizeMachineDisk") == ("POST", disk.path, {"size": 1024, "dangerous_allow_shrink": True})
    assert sizes(cloud, machine)["0:4:1"] == 1024


def test_resize_that_fails(machine: Machine, disk: Disk, cloud: Emulator) -> None:
    """With ``wait`` the audit's entry is the reason when the job of ``ResizeMachineDisk`` fails."""
    cloud.transitions.fail("unknown")
    with pytest.raises(WaitFailed, match=f"has not resized its disk {disk.id}"):
        disk.resize(30_000, wait=True)
    assert sizes(cloud, machine)["0:4:1"] == DATA


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({}, MissingParameter, "size must be specified"),
        ({"size": "remaining"}, InvalidArgument, "size must be a number"),
        ({"size": 30_000, "dangerous_allow_shrink": "true"}, InvalidArgument, "must be a boolean"),
        ({"size": DATA + LEFT + 1}, Conflict, "does not have sufficient free disk"),
    ],
)
def test_resize_is_refused(dc: DataCenter, disk: Disk, body: dict[str, Any], error: type[Conflict], words: str) -> None:
    """``ResizeMachineDisk`` says what is wrong with a size."""
    with pytest.raises(error, match=words):
        dc.request("POST", disk.path, data=body)


@pytest.mark.parametrize("size", [DATA, DATA + LEFT])
def test_resize_takes_the_limits(disk: Disk, machine: Machine, cloud: Emulator, size: int) -> None:
    """``ResizeMachineDisk`` takes all of the space, and the size that the disk has."""
    disk.resize(size, wait=True)
    assert sizes(cloud, machine)["0:4:1"] == size


def test_two_resizes_that_do_not_fit(machine: Machine, disk: Disk, cloud: Emulator) -> None:
    """``ResizeMachineDisk`` looks at the space of the moment; the job that finds too little fails."""
    cloud.transitions.policy = ByScript()
    for each in machine.disks():
        each.resize(each.size + 15_000)
    cloud.transitions.release()
    cloud.transitions.release()
    assert sizes(cloud, machine) == {"0:4:0": BOOT + 15_000, "0:4:1": DATA}
    assert disk.status() == "stopped"


def test_delete(machine: Machine, disk: Disk, cloud: Emulator) -> None:
    """``DeleteMachineDisk`` begins to delete a disk."""
    cloud.transitions.policy = ByScript()
    disk.delete()
    assert sent(cloud, "DeleteMachineDisk") == ("DELETE", disk.path, {})
    assert disk.status() == "deleting"
    cloud.transitions.release()
    assert sizes(cloud, machine) == {"0:4:0": BOOT}


def test_delete_and_wait(machine: Machine, disk: Disk, cloud: Emulator) -> None:
    """With ``wait`` the disk is gone when ``DeleteMachineDisk`` returns, and its space is free."""
    cloud.transitions.policy = AfterSeconds(30)
    disk.delete(wait=True)
    assert machine.free_space == SPACE - BOOT
    assert sizes(cloud, machine) == {"0:4:0": BOOT}


def test_delete_that_fails(disk: Disk, cloud: Emulator) -> None:
    """With ``wait`` the audit's entry is the reason when the job of ``DeleteMachineDisk`` fails."""
    cloud.transitions.fail("unknown")
    with pytest.raises(WaitFailed, match="has not deleted its disk"):
        disk.delete(wait=True)
    assert disk.status() == "stopped"


def test_boot_disk_stays(machine: Machine, cloud: Emulator) -> None:
    """``DeleteMachineDisk`` is refused for the disk that the machine boots from."""
    with pytest.raises(ValidationFailed, match="Cannot remove boot disk"):
        machine.disks()[0].delete()
    assert sizes(cloud, machine)["0:4:0"] == BOOT


LOST: dict[str, tuple[str, Callable[[Machine], object], dict[str, int]]] = {
    "create": (
        "CreateMachineDisk",
        lambda machine: machine.create_disk(1024),
        {"0:4:0": BOOT, "0:4:1": DATA, "0:4:2": 1024},
    ),
    "resize": (
        "ResizeMachineDisk",
        lambda machine: machine.disks()[1].resize(30_000, wait=True),
        {"0:4:0": BOOT, "0:4:1": 30_000},
    ),
    "delete": ("DeleteMachineDisk", lambda machine: machine.disks()[1].delete(wait=True), {"0:4:0": BOOT}),
}
"""Jobs on disks, with their operation and the disks when they are done."""


def lose_answers(cloud: Emulator, operation: str) -> None:
    """Let one request arrive, and lose its answer and whatever is sent afterwards."""
    cloud.faults.add(Fault(operation, "reset", "after"))
    cloud.faults.add(Fault(operation, "reset", "before", times=None))


@pytest.mark.parametrize(("operation", "do", "disks"), LOST.values(), ids=LOST)
def test_a_job_whose_answers_were_lost_is_seen_on_the_disks(
    machine: Machine,
    cloud: Emulator,
    operation: str,
    do: Callable[[Machine], object],
    disks: dict[str, int],
) -> None:
    """The disks show it, most of them at once, and a new one when it is there; its create is not sent again."""
    cloud.transitions.policy = AfterSeconds(5 if operation == "CreateMachineDisk" else 500)
    lose_answers(cloud, operation)
    do(machine)

    assert sizes(cloud, machine) == disks
    assert (cloud.trace.operations().count(operation) == 1) == (operation == "CreateMachineDisk")


@pytest.mark.parametrize(("operation", "do"), [case[:2] for case in LOST.values()], ids=LOST)
def test_the_failure_of_a_job_whose_answers_were_lost(
    machine: Machine, cloud: Emulator, operation: str, do: Callable[[Machine], object]
) -> None:
    """The audit has its entry: it was received, and has failed."""
    cloud.transitions.fail("unknown")
    lose_answers(cloud, operation)
    with pytest.raises(WaitFailed, match="its audit says that unknown failed"):
        do(machine)


@pytest.mark.parametrize(("operation", "do"), [case[:2] for case in LOST.values()], ids=LOST)
def test_a_job_that_no_disk_shows(
    machine: Machine, cloud: Emulator, operation: str, do: Callable[[Machine], object]
) -> None:
    """If neither the disks nor the audit show it, the request's own error is raised, and says where it was looked for."""
    cloud.faults.add(Fault(operation, "reset", "before", times=None))
    with pytest.raises(TransportError) as caught:
        do(machine)

    assert caught.value.applied is None
    [note] = caught.value.__notes__
    assert ", but its disks and its audit did not show it within 180 s; machine.disks() shows it" in note
