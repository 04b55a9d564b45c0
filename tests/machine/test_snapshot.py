"""Snapshots of a machine: taking, listing, deleting them, and going back to one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

import smartdc.machine.machine
from kits.cloud import image_id, record, sent
from smartdc import (
    Conflict,
    DataCenter,
    InputError,
    Machine,
    MachineNotReady,
    Snapshot,
    WaitFailed,
    WaitTimeout,
)
from smartdc.core.listing import ResourceList
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.transitions import AfterSeconds

DATA = {
    "name": "before",
    "state": "created",
    "size": 28672,
    "created": "2026-01-01T00:00:00.000Z",
    "updated": "2026-01-01T00:00:00.000Z",
}


@pytest.fixture
def snapshot(machine: Machine, cloud: Emulator) -> Snapshot:
    """A finished snapshot of the machine, called before."""
    machine.create_snapshot("before")
    record(cloud, machine)
    return machine.snapshot("before")


def names(cloud: Emulator, machine: Machine) -> list[str]:
    """Return the names of the snapshots that the server has of a machine."""
    return [snapshot.name for snapshot in record(cloud, machine).snapshots]


def test_create_snapshot(machine: Machine, cloud: Emulator) -> None:
    """``CreateMachineSnapshot`` begins to take a snapshot, which lacks its dates at first."""
    snapshot = machine.create_snapshot("before")
    assert sent(cloud, "CreateMachineSnapshot") == ("POST", f"{machine.path}/snapshots", {"name": "before"})
    assert (snapshot.name, snapshot.state, snapshot.created, snapshot.size) == ("before", "queued", None, None)
    assert names(cloud, machine) == ["before"]


@pytest.mark.parametrize("nothing", ["", None, {}])
def test_create_snapshot_without_a_name(machine: Machine, cloud: Emulator, nothing: Any) -> None:
    """A name is always sent with ``CreateMachineSnapshot``: two without one could be the same."""
    before = len(cloud.trace)
    with pytest.raises(InputError):
        machine.create_snapshot(nothing)
    assert len(cloud.trace) == before


def test_create_snapshot_of_a_young_machine(machine: Machine, cloud: Emulator) -> None:
    """``CreateMachineSnapshot`` is refused while the machine is being provisioned."""
    record(cloud, machine).state = "provisioning"
    with pytest.raises(MachineNotReady):
        machine.create_snapshot("before")


def test_create_snapshot_of_a_kvm_machine(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateMachineSnapshot`` says which machines cannot be snapshotted."""
    machine = dc.create_machine("vm", "k1-small", image=image_id(cloud, "ubuntu-certified-22.04"), wait=True)
    with pytest.raises(Conflict, match="brand"):
        machine.create_snapshot("before")


def test_snapshots(machine: Machine, cloud: Emulator) -> None:
    """``ListMachineSnapshots`` gives all snapshots, each with its machine."""
    for name in ("before", "after"):
        machine.create_snapshot(name)
    found = machine.snapshots()
    assert sent(cloud, "ListMachineSnapshots") == ("GET", f"{machine.path}/snapshots", {})
    assert [snapshot.name for snapshot in found] == ["before", "after"]
    assert {snapshot.state for snapshot in found} == {"created"}
    assert all(snapshot.machine is machine for snapshot in found)


def test_no_snapshots(machine: Machine) -> None:
    """``ListMachineSnapshots`` gives an empty list where there are none."""
    assert machine.snapshots() == []


@pytest.mark.parametrize("form", ["name", "dict", "resource"])
def test_snapshot_by_name(machine: Machine, snapshot: Snapshot, cloud: Emulator, form: str) -> None:
    """``GetMachineSnapshot`` gives one snapshot."""
    given: Any = {"name": "before", "dict": {"name": "before"}, "resource": snapshot}[form]
    assert machine.snapshot(given) == snapshot
    assert sent(cloud, "GetMachineSnapshot") == ("GET", f"{machine.path}/snapshots/before", {})


def test_raw_snapshot_data(machine: Machine, snapshot: Snapshot, cloud: Emulator) -> None:
    """``GetMachineSnapshot`` can be had as a plain dict, as the server sent it."""
    raw = machine.raw_snapshot_data("before")
    assert sent(cloud, "GetMachineSnapshot") == ("GET", f"{machine.path}/snapshots/before", {})
    assert (type(raw), raw) == (dict, dict(snapshot))


def test_constructor_fetches_by_name(machine: Machine, snapshot: Snapshot, cloud: Emulator) -> None:
    """A snapshot made from a name asks for itself: ``GetMachineSnapshot``."""
    before = len(cloud.trace)
    assert Snapshot(machine, "before").created == snapshot.created
    assert cloud.trace.operations()[before:] == ["GetMachineSnapshot"]


def test_constructor_takes_data(machine: Machine, cloud: Emulator) -> None:
    """A snapshot made from data sends nothing, and leaves the caller's dict as it was."""
    before, data = len(cloud.trace), dict(DATA)
    snapshot = Snapshot(machine, data=data)
    assert (snapshot.name, snapshot.state, snapshot.size) == ("before", "created", 28672)
    assert snapshot.created == snapshot.updated == datetime(2026, 1, 1, tzinfo=UTC)
    assert (data, len(cloud.trace)) == (DATA, before)


def test_constructor_takes_name_and_data(machine: Machine) -> None:
    """Where both are given the name counts."""
    assert Snapshot(machine, "other", DATA).name == "other"


def test_constructor_needs_something(machine: Machine) -> None:
    """Neither name nor data is refused."""
    with pytest.raises(InputError, match="needs 'name'"):
        Snapshot(machine)


@pytest.mark.parametrize("attribute", ["name", "state", "size", "created", "updated", "machine", "path"])
def test_attribute_is_read_only(snapshot: Snapshot, attribute: str) -> None:
    """No attribute can be set."""
    with pytest.raises(AttributeError):
        setattr(snapshot, attribute, "x")


def test_path_is_below_the_machine(snapshot: Snapshot, machine: Machine) -> None:
    """A snapshot's address is below that of its machine, with its name quoted."""
    assert snapshot.path == f"{machine.path}/snapshots/before"
    assert Snapshot(machine, data={"name": "a b/c"}).path == f"{machine.path}/snapshots/a%20b%2Fc"
    assert (snapshot.machine, snapshot.datacenter) == (machine, machine.datacenter)


def test_status(machine: Machine, cloud: Emulator) -> None:
    """``GetMachineSnapshot`` tells the state of this moment; a young one reads ``deleted`` for a while."""
    cloud.transitions.policy = AfterSeconds(30)
    snapshot = machine.create_snapshot("before")
    assert snapshot.status() == "deleted"
    assert sent(cloud, "GetMachineSnapshot") == ("GET", snapshot.path, {})
    cloud.clock.sleep(30)
    assert snapshot.status() == snapshot.state == "created"


def test_refresh(machine: Machine, cloud: Emulator) -> None:
    """``GetMachineSnapshot`` brings what has changed, and the snapshot returns itself."""
    snapshot = machine.create_snapshot("before")
    assert snapshot.refresh() is snapshot
    assert sent(cloud, "GetMachineSnapshot") == ("GET", snapshot.path, {})
    assert snapshot.created is not None


def test_delete(snapshot: Snapshot, cloud: Emulator) -> None:
    """``DeleteMachineSnapshot`` deletes the snapshot."""
    snapshot.delete()
    assert sent(cloud, "DeleteMachineSnapshot") == ("DELETE", snapshot.path, {})
    assert names(cloud, snapshot.machine) == []


def test_start(snapshot: Snapshot, machine: Machine, cloud: Emulator) -> None:
    """``StartMachineFromSnapshot`` rolls back, boots, and returns the machine."""
    machine.create_snapshot("after")
    record(cloud, machine).state = "stopped"
    assert snapshot.start() is machine
    assert sent(cloud, "StartMachineFromSnapshot") == ("POST", snapshot.path, {})
    assert names(cloud, machine) == ["before"]
    assert record(cloud, machine).state == "running"


@pytest.mark.parametrize("form", ["name", "dict", "resource"])
def test_start_from_snapshot(machine: Machine, snapshot: Snapshot, cloud: Emulator, form: str) -> None:
    """``StartMachineFromSnapshot`` is a method of the machine too, and returns it."""
    record(cloud, machine).state = "stopped"
    given: Any = {"name": "before", "dict": {"name": "before"}, "resource": snapshot}[form]
    assert machine.start_from_snapshot(given) is machine
    assert sent(cloud, "StartMachineFromSnapshot") == ("POST", snapshot.path, {})
    assert machine.status() == "running"


def test_start_from_a_snapshot_that_is_not_there(machine: Machine, cloud: Emulator) -> None:
    """``StartMachineFromSnapshot`` is accepted all the same, and who waits learns that it failed."""
    assert machine.start_from_snapshot("before") is machine
    cloud.transitions.settle()
    with pytest.raises(WaitFailed, match="rollback_snapshot"):
        machine.start_from_snapshot("before", wait=True)


def test_wait_for_a_new_snapshot(machine: Machine, cloud: Emulator) -> None:
    """With ``wait`` the snapshot is returned when it is there, though it reads ``deleted`` before."""
    cloud.transitions.policy = AfterSeconds(30)
    snapshot = machine.create_snapshot("before", wait=True)
    assert (snapshot.state, cloud.clock.monotonic()) == ("created", 30)
    assert snapshot.created is not None


def test_wait_for_a_snapshot_that_fails(machine: Machine, cloud: Emulator) -> None:
    """With ``wait`` a snapshot that is not taken ends the wait at once, with what the ``MachineAudit`` says."""
    cloud.transitions.fail("create_snapshot")
    with pytest.raises(WaitFailed, match=r"create_snapshot failed at") as caught:
        machine.create_snapshot("before", wait=True)
    assert caught.value.reason is not None
    assert cloud.clock.monotonic() < 5


def test_wait_for_the_end_of_a_snapshot(snapshot: Snapshot, cloud: Emulator) -> None:
    """A snapshot can be waited for until it is ``deleted``."""
    cloud.transitions.policy = AfterSeconds(30)
    snapshot.delete()
    snapshot.poll_until("deleted", 10)
    assert (snapshot.state, cloud.clock.monotonic()) == ("deleted", 30)


def test_delete_and_wait(snapshot: Snapshot, cloud: Emulator) -> None:
    """With ``wait`` it returns when the snapshot is gone."""
    cloud.transitions.policy = AfterSeconds(30)
    snapshot.delete(wait=True)
    assert (snapshot.state, cloud.clock.monotonic()) == ("deleted", 30)


def test_delete_that_fails(snapshot: Snapshot, cloud: Emulator) -> None:
    """With ``wait`` a snapshot that stays ends the wait at once, with what the ``MachineAudit`` says."""
    cloud.transitions.fail("delete_snapshot")
    with pytest.raises(WaitFailed, match=r"delete_snapshot failed at"):
        snapshot.delete(wait=True)
    assert cloud.clock.monotonic() < 5
    assert names(cloud, snapshot.machine) == ["before"]


def test_wait_ends_with_the_timeout(machine: Machine, cloud: Emulator) -> None:
    """A snapshot that takes too long costs the time-out and no more, and the error brings what was waited for."""
    cloud.transitions.policy = AfterSeconds(300)
    with pytest.raises(WaitTimeout, match="has not finished its create_snapshot after 20 s") as caught:
        machine.create_snapshot("before", wait=True, timeout=20)
    assert caught.value.resource is machine
    snapshot = Snapshot(machine, "before")
    with pytest.raises(WaitTimeout, match="snapshot before of web-1 is not created after 20 s") as caught:
        snapshot.poll_until("created", timeout=20)
    assert caught.value.resource is snapshot
    assert cloud.clock.monotonic() == 40


def test_snapshot_that_failed_ends_the_wait(machine: Machine, snapshot: Snapshot, cloud: Emulator) -> None:
    """A snapshot whose last job failed will not get any better."""
    machine.create_snapshot("before")
    with pytest.raises(WaitFailed, match="snapshot before of web-1 cannot become created: it is failed"):
        snapshot.poll_until("created")
    assert cloud.clock.monotonic() == 0


def test_wait_for_the_second_of_its_kind(machine: Machine, snapshot: Snapshot, cloud: Emulator) -> None:
    """With ``wait`` the end of an earlier snapshot is not taken for that of this one."""
    cloud.transitions.policy = AfterSeconds(30)
    cloud.transitions.fail("create_snapshot")
    with pytest.raises(WaitFailed, match="create_snapshot failed at"):
        machine.create_snapshot("after", wait=True)
    assert names(cloud, machine) == [snapshot.name]


@pytest.mark.parametrize("state", ["gone", "Created", ""])
def test_state_that_is_none(snapshot: Snapshot, state: Any) -> None:
    """A state that no snapshot is ever in is refused, with those there are."""
    with pytest.raises(InputError, match="expected one of queued, running, created, failed, canceled, deleted"):
        snapshot.poll_until(state)


def test_way_back_returns_at_once(snapshot: Snapshot, machine: Machine, cloud: Emulator) -> None:
    """Without ``wait`` neither way back waits for its job."""
    cloud.transitions.policy = AfterSeconds(30)
    snapshot.start()
    machine.start_from_snapshot("before")
    assert (cloud.clock.monotonic(), len(record(cloud, machine).pending)) == (0, 2)


def test_wait_for_the_way_back(snapshot: Snapshot, machine: Machine, cloud: Emulator) -> None:
    """With ``wait`` the machine is returned when it is rolled back and runs."""
    record(cloud, machine).state = "stopped"
    cloud.transitions.policy = AfterSeconds(30)
    assert snapshot.start(wait=True).state == "running"
    assert cloud.clock.monotonic() >= 30


def test_way_back_that_fails(snapshot: Snapshot, cloud: Emulator) -> None:
    """With ``wait`` a roll-back that fails is an error with what the ``MachineAudit`` says."""
    cloud.transitions.fail("rollback_snapshot")
    with pytest.raises(WaitFailed, match="rollback_snapshot failed at"):
        snapshot.start(wait=True)


def test_lost_answer_is_not_taken_for_an_older_snapshot(machine: Machine, snapshot: Snapshot, cloud: Emulator) -> None:
    """A snapshot of last week is not taken for the one of ``CreateMachineSnapshot`` that was never made."""
    cloud.clock.sleep(7 * 86_400)
    cloud.faults.add(Fault("CreateMachineSnapshot", kind="reset", when="before"))
    made = machine.create_snapshot(snapshot.name)
    assert (made.state, made.created) == ("queued", None)
    assert cloud.trace.operations().count("CreateMachineSnapshot") == 3


def test_snapshot_is_where_it_was() -> None:
    """The class can still be imported from ``smartdc.machine.machine``."""
    assert smartdc.machine.machine.Snapshot is Snapshot


def test_a_size_is_the_same_in_a_list_and_alone(machine: Machine) -> None:
    """In the unit that people say it in."""
    snapshot = Snapshot(machine, data={"name": "fresh", "state": "created", "size": 28672})

    assert "28 KiB" in ResourceList([snapshot]).as_text(width=80)
    assert re.search(r"^size +28 KiB$", snapshot.as_text(width=80), re.MULTILINE)
