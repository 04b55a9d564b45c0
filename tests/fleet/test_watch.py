"""Many machines are looked at with few requests, also where the account has thousands of others."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from smartdc import DataCenter, Machine, Progress
from smartdc.core.paging import requests_for
from smartdc.emulator import Emulator, VirtualClock
from smartdc.emulator.state.records import MachineRecord
from smartdc.fleet.watch import Watch, in_common

OTHERS = 5_000


class Schedule(VirtualClock):
    """A clock on which machines become ready at their time."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: list[tuple[float, MachineRecord]] = []

    def advance(self, seconds: float) -> None:
        """Let time pass, and with it what was to happen."""
        super().advance(seconds)
        for moment, machine in self.ready:
            if moment <= self.monotonic() and machine.state == "provisioning":
                machine.state = "running"


@pytest.fixture
def clock() -> Schedule:
    """The clock of the cloud."""
    return Schedule()


@pytest.fixture
def cloud(clock: Schedule) -> Emulator:
    """A cloud on that clock."""
    return Emulator(clock=clock)


def fill(cloud: Emulator) -> None:
    """Add half of the others; those that are waited for are between both halves."""
    cloud.populate(OTHERS // 2, name="other-{n}", tags={"role": "other"})


def asked(cloud: Emulator) -> list[str | None]:
    """Return the operations of all requests."""
    return cloud.trace.operations()


def as_machines(dc: DataCenter, records: list[MachineRecord]) -> list[Machine]:
    """Return machines of the client, as they were created."""
    return [
        Machine(dc, data={"id": each.id, "name": each.name, "state": each.state, "tags": dict(each.tags)})
        for each in records
    ]


@pytest.mark.parametrize(("name", "tags"), [("web-{n}", {}), ("{n}-web", {"group": "blue"})], ids=["by name", "by tag"])
def test_two_hundred_of_five_thousand(
    dc: DataCenter, cloud: Emulator, clock: Schedule, name: str, tags: dict[str, Any]
) -> None:
    """``ListMachines``: 200 machines that become ready within 30 s take at most 17 requests, and are seen within 1.2 s."""
    fill(cloud)
    there = cloud.populate(200, name=name, tags=tags, state="provisioning")
    fill(cloud)
    rng, started = random.Random(1), clock.monotonic()  # noqa: S311 (it makes a schedule)
    clock.ready = [(started + rng.uniform(0, 30), machine) for machine in there]
    looks: list[Progress] = []

    waited = dc.wait_for(as_machines(dc, there), "running", progress=looks.append)

    assert (len(waited.arrived), waited.failed, waited.late) == (200, {}, [])
    assert len(asked(cloud)) <= 17
    arrived = [int(look.subject.split()[0]) for look in looks]
    seen = sum(
        look.elapsed * (now - before) for look, now, before in zip(looks, arrived, [0, *arrived[:-1]], strict=True)
    )
    assert (seen - sum(moment - started for moment, _ in clock.ready)) / 200 <= 1.2


def test_machines_with_nothing_in_common_are_looked_at_on_their_page(
    dc: DataCenter, cloud: Emulator, clock: Schedule
) -> None:
    """``ListMachines``: once it is known where they are in a long list, only that page is read."""
    fill(cloud)
    there = [cloud.populate(1, name=f"{letter}-machine", state="provisioning")[0] for letter in "abcdefghijklmnop"]
    fill(cloud)
    clock.ready = [(clock.monotonic() + 20, machine) for machine in there]

    waited = dc.wait_for(as_machines(dc, there), "running")

    assert len(waited.arrived) == len(there)
    assert set(asked(cloud)) == {"ListMachines"}
    assert len(asked(cloud)) == requests_for(OTHERS + len(there)) + 10


def test_few_machines_are_asked_for_singly(dc: DataCenter, cloud: Emulator, clock: Schedule) -> None:
    """``GetMachine``: three requests are fewer than the nine of a long list, whose first page shows how long it is."""
    fill(cloud)
    there = [cloud.populate(1, name=f"{letter}-machine", state="provisioning")[0] for letter in "abc"]
    clock.ready = [(clock.monotonic() + 4, machine) for machine in there]

    assert len(dc.wait_for(as_machines(dc, there), "running").arrived) == 3

    assert asked(cloud) == ["ListMachines", *["GetMachine"] * 9]


def test_one_machine_is_asked_for_itself(dc: DataCenter, cloud: Emulator, clock: Schedule) -> None:
    """``GetMachine``: no list is needed for one machine."""
    there = cloud.populate(1, name="web", state="provisioning")
    clock.ready = [(clock.monotonic() + 4, there[0])]

    assert len(dc.wait_for(as_machines(dc, there), "running").arrived) == 1

    assert asked(cloud) == ["GetMachine"] * 3


@pytest.mark.parametrize(
    "change",
    [
        lambda machine: setattr(machine, "name", "another"),
        lambda machine: machine.tags.clear(),
        lambda machine: setattr(machine, "state", "deleted"),
    ],
    ids=["renamed", "tags removed", "deleted"],
)
def test_what_is_not_common_any_more_is_asked_for(
    dc: DataCenter, cloud: Emulator, change: Callable[[MachineRecord], None]
) -> None:
    """``GetMachine``: a machine that somebody renames meanwhile is not taken for one that is gone."""
    there = cloud.populate(20, name="web-{n}", tags={"group": "blue"})
    machines, watch = as_machines(dc, there), Watch(dc)
    watch.look(machines)
    change(there[3])

    watch.look(machines)

    assert asked(cloud) == ["ListMachines", "ListMachines", "GetMachine"]
    assert machines[3].state == there[3].state
    assert machines[3].name == there[3].name


def side_by_side(dc: DataCenter, cloud: Emulator) -> tuple[list[MachineRecord], list[Machine], Watch]:
    """Return sixteen machines that are next to each other in a long list, and a watch that has found their page."""
    fill(cloud)
    there = [cloud.populate(1, name=f"{letter}-machine")[0] for letter in "abcdefghijklmnop"]
    fill(cloud)
    machines, watch = as_machines(dc, there), Watch(dc)
    watch.look(machines)
    return there, machines, watch


def test_a_page_that_has_moved_is_looked_for_again(dc: DataCenter, cloud: Emulator) -> None:
    """``ListMachines``: the place of the machines in a list is an expectation, and no promise."""
    there, machines, watch = side_by_side(dc, cloud)
    watch.look(machines)
    before = len(asked(cloud))
    others = [each for each in cloud.state.machines.values() if each.name.startswith("other")]
    for machine in others[:1500]:
        machine.state = "deleted"
    for machine in there:
        machine.state = "stopped"

    watch.look(machines)

    assert {machine.state for machine in machines} == {"stopped"}
    assert asked(cloud)[before:] == ["ListMachines"] * (1 + requests_for(OTHERS - 1500))


def test_a_page_that_no_longer_has_them_all_is_given_up(dc: DataCenter, cloud: Emulator) -> None:
    """``ListMachines``: machines that are now far apart are looked for in the whole list, without that page."""
    there, machines, watch = side_by_side(dc, cloud)
    for machine in there[:15]:
        cloud.state.machines[machine.id] = cloud.state.machines.pop(machine.id)
    watch.look(machines)
    before = len(asked(cloud))

    watch.look(machines)

    assert asked(cloud)[before:] == ["ListMachines"] * requests_for(OTHERS + 16)


@pytest.mark.parametrize(
    ("machines", "query"),
    [
        ([], {}),
        ([{"name": "web-1"}, {"name": "web-20"}], {"name": "web-"}),
        ([{"name": "web-1"}], {"name": "web-1"}),
        ([{"name": "web-1"}, {"name": "db-1"}], {}),
        ([{"name": "web-1"}, {}], {}),
        ([{"tags": {"a": "b", "c": "d"}}, {"tags": {"a": "b", "c": "e"}}], {"tag.a": "b"}),
        ([{"tags": {"a": "*", "b": 1, "c": True, "d/": "x", "triton.cns.services": "web", "e": "x y"}}], {}),
        ([{"tags": {"a": "b"}}, {"tags": None}], {}),
        ([{"tags": {"a": ["b"]}}, {"tags": "b"}], {}),
    ],
)
def test_what_machines_have_in_common(
    offline: DataCenter, machines: list[dict[str, Any]], query: dict[str, Any]
) -> None:
    """Only what CloudAPI filters by as it stands counts: the beginning of names, and plain tags."""
    assert in_common([Machine(offline, data={"id": str(n), **data}) for n, data in enumerate(machines)]) == query


@pytest.mark.parametrize(("count", "number"), [(0, 1), (999, 1), (1000, 5), (4959, 5), (4960, 9), (5000, 9), (8919, 9)])
def test_requests_of_a_list(count: int, number: int) -> None:
    """What a list costs is known from its length."""
    assert requests_for(count) == number
