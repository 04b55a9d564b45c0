"""What is done to all machines of a fleet, and that it is never done to others."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from smartdc import DataCenter, Fleet, InputError, Report
from smartdc.emulator import Emulator

WEB = {"role": "web"}


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> Fleet:
    """Five running machines that have a tag, beside two that do not."""
    for machine in cloud.populate(5, name="web-{n}"):
        machine.tags = dict(WEB)
    cloud.populate(2, name="db-{n}")
    return dc.fleet(tags=WEB)


def states(cloud: Emulator, prefix: str) -> set[str]:
    """Return the states that machines with such names are in."""
    return {machine.state for machine in cloud.state.machines.values() if machine.name.startswith(prefix)}


def asked(cloud: Emulator) -> list[str]:
    """List the operations that were asked for and are not listings of machines."""
    return [str(entry.operation) for entry in cloud.trace if entry.operation != "ListMachines"]


def test_machines_are_created_and_run(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: one request for each, and one listing at a look."""
    report = dc.create_machines(20, name="web-{n:02}", image="debian-12", package="g1-small", tags=WEB)

    assert [machine.name for machine in report] == [f"web-{n:02}" for n in range(1, 21)]
    assert {machine.state for machine in report} == {"running"}
    assert asked(cloud).count("CreateMachine") == 20
    assert len(cloud.trace) <= 20 + 2 + 2 + 4
    assert dc.num_machines(tags=WEB) == 20


@pytest.mark.parametrize(
    ("act", "operation", "state"),
    [
        (Fleet.stop, "StopMachine", "stopped"),
        (Fleet.reboot, "RebootMachine", "running"),
        (Fleet.delete, "DeleteMachine", "deleted"),
    ],
)
def test_what_interrupts_machines_does_so_one_by_one(
    cloud: Emulator, fleet: Fleet, act: Callable[[Fleet], Report], operation: str, state: str
) -> None:
    """``StopMachine``, ``RebootMachine``, ``DeleteMachine``: in the order of names, and only machines of the fleet."""
    report = act(fleet)

    assert [machine.name for machine in report] == [f"web-{n}" for n in range(5)]
    assert asked(cloud).count(operation) == 5
    assert states(cloud, "web") == {state}
    assert states(cloud, "db") == {"running"}
    assert cloud.clock.monotonic() >= 5 * 5


def test_what_is_so_already_is_not_asked_for(cloud: Emulator, fleet: Fleet) -> None:
    """``StartMachine``: a machine that runs is done."""
    [*fleet][1].stop(wait=True)
    before = len(asked(cloud))

    assert len(fleet.start().done) == 5
    assert asked(cloud)[before:].count("StartMachine") == 1
    assert states(cloud, "web") == {"running"}


def test_tags_are_added_to_the_others(cloud: Emulator, dc: DataCenter, fleet: Fleet) -> None:
    """``AddMachineTags``: one request for each machine, and none for others."""
    report = fleet.add_tags({"colour": "green", "level": 3})

    assert len(report.done) == 5
    assert asked(cloud) == ["AddMachineTags"] * 5
    cloud.clock.sleep(5)
    assert {str(machine.tags) for machine in dc.machines(name="web-*")} == {str({**WEB, "colour": "green", "level": 3})}
    assert {str(machine.tags) for machine in dc.machines(name="db-*")} == {"{}"}


def test_no_tags_are_no_wish(cloud: Emulator, fleet: Fleet) -> None:
    """``AddMachineTags``: nothing is sent."""
    with pytest.raises(InputError, match="give at least one tag"):
        fleet.add_tags({})
    assert not cloud.trace


def test_given_machines_are_looked_at_first(cloud: Emulator, dc: DataCenter, fleet: Fleet) -> None:
    """``StartMachine``: what a machine was like when it was listed may be long ago."""
    machines = fleet.machines()
    for there in cloud.state.machines.values():
        there.state = "stopped"

    assert [machine.state for machine in dc.fleet(machines).start()] == ["running"] * 5
    assert asked(cloud).count("StartMachine") == 5
    assert states(cloud, "db") == {"stopped"}


def test_given_machines_are_taken_once_and_in_order(dc: DataCenter, fleet: Fleet) -> None:
    """By name, or by a key of one's own."""
    machines = fleet.machines()
    given = dc.fleet([machines[3], *machines, machines[0]])
    assert [machine.name for machine in given] == [f"web-{n}" for n in range(5)]
    assert len(given) == 5

    seen: list[str] = []
    given.each(lambda machine: seen.append(machine.name), order=lambda machine: -int(machine.name[-1]))
    assert seen == ["web-4", "web-3", "web-2", "web-1", "web-0"]


@pytest.mark.parametrize(
    ("select", "shown"),
    [
        (lambda dc: dc.fleet(tags=WEB, state="running"), "the machines with tags={'role': 'web'}, state='running'"),
        (lambda dc: dc.fleet(everything=True), "all machines"),
        (lambda dc: dc.fleet(dc.machines(name="db-*")), "2 machines"),
    ],
)
def test_a_fleet_is_shown_by_what_selects_it(
    cloud: Emulator, dc: DataCenter, fleet: Fleet, select: Callable[[DataCenter], Fleet], shown: str
) -> None:
    """In a log or a debugger, which must send nothing; the console shows the machines."""
    assert len(fleet) == 5
    selected = select(dc)
    before = len(cloud.trace)
    assert repr(selected) == f"<Fleet of {shown}>"
    assert len(cloud.trace) == before


def test_a_prompt_shows_the_machines(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ListMachines``: as they are now."""
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    typed = eval(compile("repr(fleet)", "<stdin>", "eval"), {"fleet": fleet})  # noqa: S307 (as a console does)
    assert [line.split()[0] for line in typed.splitlines()] == ["name", *(f"web-{n}" for n in range(5))]


@pytest.mark.parametrize(
    ("act", "most"),
    [
        (lambda fleet, progress: fleet.start(progress=progress), 10),
        (lambda fleet, progress: fleet.create_snapshot("now", progress=progress), 8),
        (lambda fleet, progress: fleet.rotate_snapshots(progress=progress), 8),
        (lambda fleet, progress: fleet.stop(progress=progress), 1),
        (lambda fleet, progress: fleet.resize("g1-medium", progress=progress), 1),
        (lambda fleet, progress: fleet.each(bool, progress=progress), 1),
        (lambda fleet, progress: fleet.each(bool, at_once=3, progress=progress), 3),
    ],
)
def test_so_many_are_under_way(cloud: Emulator, act: Callable[..., Report], most: int) -> None:
    """By default one if it is interrupted, eight if that is hard work, and otherwise all."""
    for machine in cloud.populate(10, name="web-{n}"):
        machine.state = "stopped" if most == 10 else "running"
    seen: list[int] = []
    with DataCenter(**cloud.connection()) as dc:
        report = act(dc.fleet(name="web-*"), lambda progress: seen.append(len(progress.under_way)))
    assert len(report.done) == 10
    assert max(seen) == most
