"""Many machines are waited for with one listing at a look."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from smartdc import DataCenter, InputError, Machine, Progress
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.transitions import AfterSeconds


@pytest.fixture
def machines(dc: DataCenter) -> list[Machine]:
    """Five machines that are still provisioning."""
    return [dc.create_machine(name=f"web-{n}", image="debian-12", package="g1-small") for n in range(5)]


def listings(cloud: Emulator) -> int:
    """Count the listings of machines."""
    return sum(entry.operation == "ListMachines" for entry in cloud.trace)


def test_all_arrive_with_one_listing_at_a_look(cloud: Emulator, dc: DataCenter, machines: list[Machine]) -> None:
    """``ListMachines``: the number of requests does not depend on the number of machines."""
    before = len(cloud.trace)

    waited = dc.wait_for(machines, "running")

    assert {machine.name for machine in waited.arrived} == {f"web-{n}" for n in range(5)}
    assert (waited.failed, waited.late) == ({}, [])
    assert all(machine.state == "running" for machine in machines)
    assert len(cloud.trace) - before == listings(cloud) == 4


def test_who_fails_is_named_with_the_reason(dc: DataCenter, machines: list[Machine]) -> None:
    """``MachineAudit``: one machine's failed action does not hold up or hide the others."""
    dc.wait_for(machines, "running")
    for machine in machines[1:]:
        machine.stop()
    machines[0].start()

    waited = dc.wait_for(machines, "stopped", timeout=60)

    assert [machine.name for machine in waited.failed] == ["web-0"]
    assert "its start failed" in str(waited.failed[machines[0]])
    assert len(waited.arrived) == 4


def test_a_deleted_machine_has_failed(dc: DataCenter, machines: list[Machine]) -> None:
    """``GetMachine``: a machine that is not listed any more is asked for itself."""
    dc.wait_for(machines, "running")
    machines[2].delete(wait=True)

    waited = dc.wait_for(machines, "running")

    assert list(waited.failed) == [machines[2]]
    assert machines[2].state == "deleted"


@pytest.mark.parametrize("status", [404, 410])
def test_a_machine_that_goes_while_it_is_looked_at_fails_alone(
    cloud: Emulator, dc: DataCenter, machines: list[Machine], status: int
) -> None:
    """One that is listed, and whose audit is gone a moment later, does not end the wait for the others."""
    dc.wait_for(machines, "running")
    for machine in machines:
        machine.reboot()
    cloud.faults.add(Fault("MachineAudit", status=status, code="ResourceNotFound"))
    assert len(dc.wait_for(machines, "running").arrived) == len(machines)


def test_two_audits_are_read_at_a_look_in_turn(cloud: Emulator, dc: DataCenter, machines: list[Machine]) -> None:
    """``MachineAudit``: where it alone can tell, every machine's is read in its turn, and the throttle is spared."""
    dc.wait_for(machines, "running")
    cloud.transitions.policy = AfterSeconds(10)
    for machine in machines:
        machine.add_tags(role="web")  # keeps the reboot waiting
        machine.reboot()
    before = len(cloud.trace)

    dc.wait_for(machines, "running", timeout=9)
    looks: list[list[str]] = []
    for entry in cloud.trace[before:]:
        if entry.operation == "ListMachines":
            looks.append([])
        elif entry.operation == "MachineAudit":
            looks[-1].append(next(machine.name for machine in machines if machine.id in entry.path))

    turns = itertools.cycle(machine.name for machine in machines)
    assert looks == [[next(turns), next(turns)] for _ in looks]
    assert len(looks) == 6


def test_machines_can_be_waited_for_until_they_are_gone(dc: DataCenter, machines: list[Machine]) -> None:
    """``DeleteMachine``: deleted is a state that is arrived at."""
    dc.wait_for(machines, "running")
    for machine in machines:
        machine.delete()

    assert len(dc.wait_for(machines, "deleted").arrived) == 5


def test_who_is_late_is_named(dc: DataCenter, machines: list[Machine]) -> None:
    """Nothing is raised when the time is up: the result says who was not there."""
    waited = dc.wait_for(machines, "stopped", timeout=20)

    assert len(waited.late) == 5


def test_waiting_for_nobody_sends_nothing(cloud: Emulator, dc: DataCenter) -> None:
    """An empty list has arrived already."""
    assert dc.wait_for([], "running").arrived == []
    assert len(cloud.trace) == 0


def test_a_state_that_does_not_exist_is_refused(dc: DataCenter) -> None:
    """A misspelt state would only be waited for in vain."""
    with pytest.raises(InputError, match="runing"):
        dc.wait_for([], "runing")  # type: ignore[arg-type]


def test_one_machine_is_a_fleet_too(dc: DataCenter, machines: list[Machine]) -> None:
    """It need not be put into a list."""
    assert dc.wait_for(machines[0], "running").arrived == machines[:1]


@pytest.mark.parametrize("given", [["6a1dd8a5-22a9-4b0f-8f4b-4d1d4a1a5f5b"], "web-1", [""], 5, {}, [None]])
def test_what_is_no_machine_is_refused(dc: DataCenter, cloud: Emulator, given: Any) -> None:
    """A wait is for machines, and not for their ids or names; nothing is sent."""
    with pytest.raises(InputError, match=r"is not a Machine|must be a list"):
        dc.wait_for(given, "running")
    assert len(cloud.trace) == 0


def test_machines_of_another_data_centre_are_refused(cloud: Emulator, machines: list[Machine]) -> None:
    """One listing cannot tell of two data centres."""
    with DataCenter(**cloud.connection()) as other, pytest.raises(InputError, match="another data centre"):
        other.wait_for(machines, "running")


def test_the_interval_is_kept(cloud: Emulator, dc: DataCenter, machines: list[Machine]) -> None:
    """``ListMachines``: at once, and every `interval` seconds."""
    began = cloud.clock.monotonic()
    waited = dc.wait_for(machines, "stopped", interval=7, timeout=20)
    assert len(waited.late) == 5
    assert cloud.clock.monotonic() - began == 20
    assert listings(cloud) == 4


def test_an_interrupted_wait_says_how_to_go_on(
    cloud: Emulator, dc: DataCenter, machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how many machines had arrived."""

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cloud.clock, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        dc.wait_for(machines, "running")
    assert stop.value.__notes__ == ["last seen: 0 of 5 machines running; wait_for() continues the wait"]


def test_the_share_of_nobody_is_all(dc: DataCenter) -> None:
    """What is empty has arrived."""
    seen: list[Progress] = []
    dc.wait_for([], "running", progress=seen.append)
    assert [(progress.share, progress.done) for progress in seen[-1:]] == [(1.0, True)]


def test_progress_tells_how_many_have_arrived(dc: DataCenter, machines: list[Machine]) -> None:
    """Every look is told, the last one as such."""
    seen: list[Progress] = []

    dc.wait_for(machines, "running", progress=seen.append)

    assert str(seen[0]) == "0 of 5 machines running [                    ] 0 s"
    assert str(seen[-1]) == "5 of 5 machines running after 6 s"
    assert (seen[0].done, seen[-1].done) == (False, True)
