"""A selection takes the machines that it names, and no others; options are checked before anything is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from smartdc import DataCenter, Fleet, InputError, Machine
from smartdc.emulator import Emulator
from smartdc.fleet.options import Options
from smartdc.fleet.selection import by_name

WEB = {"role": "web"}


@pytest.fixture
def dc(cloud: Emulator) -> DataCenter:
    """A client within the process, of a cloud with two web servers and a stopped database."""
    cloud.populate(2, name="web-{n}", tags=WEB)
    [machine] = cloud.populate(1, name="db-0")
    machine.state = "stopped"
    return DataCenter(**cloud.connection())


@pytest.mark.parametrize(
    ("select", "names"),
    [
        (lambda dc: dc.fleet(tags=WEB), ["web-0", "web-1"]),
        (lambda dc: dc.fleet(name="web-*"), ["web-0", "web-1"]),
        (lambda dc: dc.fleet(name="???-*"), ["web-0", "web-1"]),
        (lambda dc: dc.fleet(name="????"), ["db-0"]),
        (lambda dc: dc.fleet(search="^d"), ["db-0"]),
        (lambda dc: dc.fleet(state="stopped"), ["db-0"]),
        (lambda dc: dc.fleet(tags=WEB, tombstone=False), ["web-0", "web-1"]),
        (lambda dc: dc.fleet(state="running", fields=["name"]), ["web-0", "web-1"]),
        (lambda dc: dc.fleet(everything=True), ["db-0", "web-0", "web-1"]),
        (lambda dc: dc.fleet(docker=False), ["db-0", "web-0", "web-1"]),
        (lambda dc: dc.fleet(dc.machines(name="db-*")), ["db-0"]),
        (lambda dc: dc.fleet(dc.machine("web-1") for _ in range(2)), ["web-1"]),
    ],
)
def test_a_selection_has_the_machines_that_it_names(
    dc: DataCenter, select: Callable[[DataCenter], Fleet], names: list[str]
) -> None:
    """Filters are those of `DataCenter.machines`."""
    assert [machine.name for machine in select(dc)] == names


@pytest.mark.parametrize(
    ("given", "words"), [([None], "None is not"), ([{}], "{} is not"), ([b"web-1"], "b'web-1' is")]
)
def test_what_is_no_machine_is_refused(cloud: Emulator, dc: DataCenter, given: Any, words: str) -> None:
    """Not taken for a name or an id, and not left out."""
    with pytest.raises(InputError, match=words):
        dc.fleet(given)
    assert not cloud.trace


def test_a_machine_without_a_name_is_sorted_by_its_id(offline: DataCenter) -> None:
    """A listing of some fields may have none."""
    assert by_name(Machine(offline, data={"id": "b", "name": "a"})) == "a"
    assert by_name(Machine(offline, data={"id": "b"})) == "b"


@pytest.mark.parametrize("options", [{"expect": 2}, {"expect": "2"}, {"expect": None}, {}])
def test_the_expected_number_is_deleted(dc: DataCenter, options: dict[str, Any]) -> None:
    """``DeleteMachine``: or any number, if none is said."""
    assert len(dc.fleet(tags=WEB).delete(**options).done) == 2


@pytest.mark.parametrize("expect", ["two", 1.5, True])
def test_what_is_no_number_is_not_expected(cloud: Emulator, dc: DataCenter, expect: Any) -> None:
    """``DeleteMachine``: nothing is deleted, or even listed."""
    with pytest.raises(InputError, match="expect must be a whole number"):
        dc.fleet(tags=WEB).delete(expect=expect)
    assert not cloud.trace


# Options


@pytest.mark.parametrize(
    ("budget", "machines", "may_fail"),
    [(0, 9, 0), (3, 2, 3), ("0%", 9, 0), ("10%", 9, 0), ("10%", 10, 1), ("33%", 10, 3), ("100%", 7, 7)],
)
def test_a_share_of_the_budget_is_rounded_down(budget: int | str, machines: int, may_fail: int) -> None:
    """One failure too few is better than one too many."""
    assert Options(budget=budget).may_fail(machines) == may_fail


@pytest.mark.parametrize("options", [{"budget": True}, {"at_once": True}, {"at_once": 0}, {"budget": -1}])
def test_a_boolean_is_no_number(options: dict[str, Any]) -> None:
    """Nor is what is too small, wherever the options come from."""
    with pytest.raises(InputError, match="must be a whole number"):
        Options(**options)


@pytest.mark.parametrize(
    "act",
    [
        lambda fleet, **options: fleet.start(**options),
        lambda fleet, **options: fleet.delete(**options),
        lambda fleet, **options: fleet.resize("g1-medium", **options),
        lambda fleet, **options: fleet.add_tags(WEB, **options),
        lambda fleet, **options: fleet.create_snapshot("now", **options),
        lambda fleet, **options: fleet.rotate_snapshots(**options),
        lambda fleet, **options: fleet.replace("debian-12", losing={"data"}, **options),
        lambda fleet, **options: fleet.each(bool, **options),
        lambda fleet, **options: fleet.datacenter.create_machines(1, "n-{n}", **options),
    ],
)
def test_every_action_checks_its_options(cloud: Emulator, dc: DataCenter, act: Callable[..., object]) -> None:
    """Before anything is sent."""
    with pytest.raises(InputError, match="at_once must be a whole number above 0"):
        act(dc.fleet(tags=WEB), at_once=0)
    assert not cloud.trace


def test_what_is_allowed_is_taken() -> None:
    """Also the smallest of each."""
    options = Options(at_once=1, pause=0, budget=0, timeout=0.1, deadline=0.1)
    assert (options.at_once, options.pause, options.timeout, options.deadline) == (1, 0, 0.1, 0.1)
    assert Options(timeout=None, deadline=None, at_once=None).timeout is None


class Async:
    """An object that can be called, and then awaited."""

    async def __call__(self, machine: Machine) -> bool:
        """Check later."""
        return machine.name == ""


async def generated(machine: Machine) -> AsyncIterator[bool]:
    """Check later, again and again."""
    yield machine.name == ""


@pytest.mark.parametrize("function", [Async(), generated])
def test_objects_and_generators_that_are_async_are_refused(cloud: Emulator, dc: DataCenter, function: Any) -> None:
    """What they return is true, whatever they would find."""
    with pytest.raises(InputError, match=r"healthy must do its work when it is called, and .* is async or a generator"):
        dc.fleet(tags=WEB).start(healthy=function)
    assert not cloud.trace
