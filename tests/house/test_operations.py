"""A run of all tests fails when an operation of CloudAPI was checked by none of them at one of the doors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from kits.cloud import sent
from kits.doors import DOORS
from kits.operations import CHECKED, CheckedOperations
from smartdc import DataCenter, NotSupported
from smartdc.emulator import Emulator
from smartdc.emulator.pipeline import routes


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing was checked yet; what other tests checked comes back afterwards, with what these did."""
    before = CHECKED.checks
    monkeypatch.setattr(CHECKED, "checks", set())
    yield
    before |= CHECKED.checks


def test_what_was_looked_up_is_checked_at_its_door(dc: DataCenter, cloud: Emulator, door: str) -> None:
    """What a test looks up in the trace counts for its door; what it only asks for does not."""
    dc.keys()
    dc.config()
    sent(cloud, "ListKeys")
    assert ("ListKeys", door) not in CHECKED.missing()
    assert ("GetConfig", door) in CHECKED.missing()


def test_what_was_never_asked_for_is_not_checked(dc: DataCenter, cloud: Emulator) -> None:
    """To look for a request that was not made fails, and counts for nothing."""
    dc.keys()
    before = set(CHECKED.checks)
    with pytest.raises(AssertionError, match="GetConfig was not asked for, only"):
        sent(cloud, "GetConfig")
    assert CHECKED.checks == before


def test_both_doors_and_all_workers_count() -> None:
    """Each operation has to be checked at each door, by whichever worker."""
    checked, names = CheckedOperations(), [route.name for route in routes.rows()]
    assert len(checked.missing()) == len(names) * len(DOORS)

    for door in DOORS:
        checked.update([name, door] for name in names if (name, door) != ("Ping", "http"))
    assert checked.missing() == [("Ping", "http")]


@pytest.mark.parametrize("operation", ["GetChangefeed", "ConnectMachineVNC", "WatchMigration"])
def test_a_websocket_opens_at_its_door(dc: DataCenter, cloud: Emulator, door: str, operation: str) -> None:
    """``GetChangefeed``, ``ConnectMachineVNC`` and ``WatchMigration`` need the HTTP door, and have a reason at the other."""
    [screen] = cloud.populate(1, image="debian-12-cloud")
    cloud.state.settings.user_migrations = True
    machine = dc.machine(screen.id)
    there = door == "http"
    with nullcontext() if there else pytest.raises(NotSupported, match="WebSockets need the HTTP door"):
        if operation == "WatchMigration":
            assert [event["type"] for event in machine.migrate().events()] == ["end"]
        else:
            (dc.changefeed() if operation == "GetChangefeed" else machine.vnc()).close()

    assert sent(cloud, operation)[0] == "GET"
    assert {asked.operation: asked.status for asked in cloud.trace}[operation] == (101 if there else 501)
