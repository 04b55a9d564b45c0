"""What is done to all machines of a fleet, and that it is never done to others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smartdc import DataCenter, Fleet, Report
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
