"""Rotation deletes what it has taken itself, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartdc import DataCenter, Fleet, FleetFailed, InputError
from smartdc.emulator import Emulator, Fault

OTHERS = {
    "auto-before-upgrade",
    "auto-20250101",
    "auto-20250101T030000Z.bak",
    "my-auto-20250101T030000Z",
    "auto-20250101t030000z",
    "20250101T030000Z",
    "automatic",
}


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> Fleet:
    """Two machines; the first has snapshots that somebody took by hand."""
    first, _ = cloud.populate(2, name="db-{n}")
    machine = dc.machine(first.id)
    for name in OTHERS:
        machine.create_snapshot(name, wait=True)
    return dc.fleet([machine, dc.machine("db-1")])


def snapshots(fleet: Fleet, name: str) -> list[str]:
    """Return the names of the snapshots of a machine."""
    machine = fleet.datacenter.machine(name)
    return sorted(snapshot.name for snapshot in machine.snapshots() if snapshot.state == "created")


def test_a_number_may_be_a_text(fleet: Fleet) -> None:
    """``DeleteMachineSnapshot``: as a command line or the environment have it, everywhere in this library."""
    for _ in range(3):
        fleet.rotate_snapshots(keep="2")  # type: ignore[arg-type]
        fleet.datacenter.clock.sleep(60)
    assert len([name for name in snapshots(fleet, "db-1") if name.startswith("auto-2")]) == 2


def test_a_machine_that_is_deleted_gets_none(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachineSnapshot``: CloudAPI accepts the request, and no snapshot would ever be there."""
    [there] = cloud.populate(1, name="gone")
    machine = dc.machine(there.id)
    machine.delete(wait=True)
    report = dc.fleet([machine]).create_snapshot("late", check=False)

    assert "is deleted: no snapshot can be taken" in str(report.failed[machine])
    assert "CreateMachineSnapshot" not in cloud.trace.operations()


def test_every_machine_gets_a_snapshot(fleet: Fleet) -> None:
    """``CreateMachineSnapshot``: it is there when the report is."""
    assert len(fleet.create_snapshot("before-upgrade").done) == 2
    assert "before-upgrade" in snapshots(fleet, "db-0")
    assert "before-upgrade" in snapshots(fleet, "db-1")


def test_the_oldest_of_its_own_are_deleted(cloud: Emulator, fleet: Fleet) -> None:
    """``DeleteMachineSnapshot``: as many stay as are to be kept, and all that others have taken."""
    for _ in range(5):
        fleet.rotate_snapshots(keep=3)
        cloud.clock.sleep(86_400)

    kept = ["auto-20260103", "auto-20260104", "auto-20260105"]
    assert [name[:13] for name in snapshots(fleet, "db-1")] == kept
    assert {*snapshots(fleet, "db-0")} == OTHERS | {*snapshots(fleet, "db-0")} - OTHERS
    assert [name[:13] for name in snapshots(fleet, "db-0") if name not in OTHERS] == kept


def test_nothing_is_deleted_where_the_new_one_fails(cloud: Emulator, fleet: Fleet) -> None:
    """``CreateMachineSnapshot``: the last that there is stays until there is a better one."""
    fleet.rotate_snapshots(keep=1)
    cloud.clock.sleep(86_400)
    before = snapshots(fleet, "db-0")
    cloud.transitions.fail("create_snapshot", times=2)

    with pytest.raises(FleetFailed, match="has no snapshot auto-20260102T"):
        fleet.rotate_snapshots(keep=1)
    assert snapshots(fleet, "db-0") == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": 0}, "keep must be at least 1"),
        ({"keep": True}, "keep must be a whole number"),
        ({"prefix": ""}, "prefix must be letters"),
        ({"prefix": "../"}, "prefix must be letters"),
    ],
)
def test_a_rotation_that_keeps_nothing_is_refused(
    cloud: Emulator, fleet: Fleet, options: dict[str, int], words: str
) -> None:
    """Before a byte is sent."""
    before = len(cloud.trace)
    with pytest.raises(InputError, match=words):
        fleet.rotate_snapshots(**options)  # type: ignore[arg-type]
    assert len(cloud.trace) == before


@pytest.mark.parametrize("name", ["", "../x", "x" * 101, "-x", "a b", 5, None])
def test_a_name_that_no_snapshot_can_have_is_refused(cloud: Emulator, fleet: Fleet, name: str) -> None:
    """``CreateMachineSnapshot``: before a byte is sent."""
    before = len(cloud.trace)
    with pytest.raises(InputError, match=r"name must be letters, digits, '\.', '_' and '-', and not empty"):
        fleet.create_snapshot(name)
    assert len(cloud.trace) == before


def test_seven_are_kept_where_nothing_else_is_said(cloud: Emulator, fleet: Fleet) -> None:
    """``DeleteMachineSnapshot``: a week of daily ones."""
    for _ in range(8):
        fleet.rotate_snapshots()
        cloud.clock.sleep(86_400)
    assert [name[:13] for name in snapshots(fleet, "db-1")] == [f"auto-202601{day:02}" for day in range(2, 9)]


def test_a_snapshot_that_somebody_else_deletes_is_no_failure(cloud: Emulator, fleet: Fleet) -> None:
    """``DeleteMachineSnapshot``: gone is gone; what is forbidden is a failure."""
    fleet.rotate_snapshots(keep=1)
    cloud.clock.sleep(86_400)
    cloud.faults.add(Fault("DeleteMachineSnapshot", status=404, code="ResourceNotFound"))
    assert len(fleet.rotate_snapshots(keep=1).done) == 2

    cloud.clock.sleep(86_400)
    cloud.faults.add(Fault("DeleteMachineSnapshot", status=403, code="NotAuthorized"))
    with pytest.raises(FleetFailed, match="NotAuthorized"):
        fleet.rotate_snapshots(keep=1, at_once=1)


def test_a_snapshot_that_failed_is_taken_again(cloud: Emulator, fleet: Fleet, tmp_path: Path) -> None:
    """``MachineAudit`` shows the failure soon; the next one has a name of its own, also after one that was refused."""
    cloud.transitions.fail("create_snapshot")
    with pytest.raises(FleetFailed, match=r"has no snapshot auto-20260101T\d+Z: its create_snapshot failed") as error:
        fleet.rotate_snapshots(journal=tmp_path / "journal", at_once=1)
    assert error.value.report.seconds < 20
    cloud.clock.sleep(86_400)
    cloud.faults.add(Fault("CreateMachineSnapshot", status=409, code="InvalidArgument"))
    with pytest.raises(FleetFailed, match="InvalidArgument"):
        fleet.rotate_snapshots(journal=tmp_path / "journal", at_once=1)
    cloud.clock.sleep(86_400)

    assert len(fleet.rotate_snapshots(journal=tmp_path / "journal").done) == 2
    assert [name[:13] for name in snapshots(fleet, "db-0") if name not in OTHERS] == ["auto-20260103"]
