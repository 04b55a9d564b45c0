"""Whatever becomes of a machine, the report says so once: done, failed, unknown, under way or untouched."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from kits.campaign import FastClock
from smartdc import (
    CreateOutcomeUnknown,
    DataCenter,
    Fleet,
    FleetFailed,
    FleetProgress,
    Machine,
    OutcomeUnknown,
    WaitTimeout,
)
from smartdc.emulator import AfterSeconds, ByScript, Emulator, Fault
from smartdc.emulator.state.records import Job
from smartdc.fleet import engine
from smartdc.fleet.report import name_of
from smartdc.fleet.watch import Watch

NEW: dict[str, Any] = {"image": "debian-12", "package": "g1-small"}


@pytest.fixture
def dc(cloud: Emulator) -> DataCenter:
    """A client within the process: over HTTP the reports are the same."""
    return DataCenter(**cloud.connection())


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> Fleet:
    """Three running machines, one second after the clock was started."""
    cloud.populate(3, name="web-{n}")
    cloud.clock.sleep(1)
    return dc.fleet(name="web-*")


@dataclass(frozen=True)
class Slow:
    """A job of web-1 takes twelve seconds, and any other five."""

    def due(self, job: Job, now: float) -> float | None:
        """Return when it has ended."""
        return AfterSeconds(12 if job.machine.name == "web-1" else 5).due(job, now)


# Done


def test_machines_are_in_their_order(fleet: Fleet) -> None:
    """However long each of them takes."""
    asked: list[str] = []

    def healthy(machine: Machine) -> bool:
        asked.append(machine.name)
        return asked.count(machine.name) > {"web-0": 3, "web-1": 1, "web-2": 2}[machine.name]

    ended: list[list[str]] = []
    report = fleet.start(
        healthy=healthy, progress=lambda progress: ended.append([machine.name for machine in progress.report])
    )
    assert [machine.name for machine in report] == ["web-0", "web-1", "web-2"]
    assert ended[1:3] == [["web-1"], ["web-1", "web-2"]]


def test_the_report_knows_how_long_it_took(fleet: Fleet) -> None:
    """In seconds since the call, not since the machines were listed."""
    assert fleet.stop().seconds == 18
    assert fleet.start().seconds == 6.5


def test_a_run_that_is_interrupted_says_what_is_under_way(
    cloud: Emulator, dc: DataCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``CreateMachine``: the machines that exist already, and not only their names."""
    cloud.transitions.policy = ByScript()
    sleep = cloud.clock.sleep

    def interrupted(seconds: float) -> None:
        sleep(seconds)
        if cloud.clock.monotonic() > 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(cloud.clock, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        dc.create_machines(3, "web-{n}", **NEW, at_once=2)
    report = stop.value.report  # type: ignore[attr-defined]
    assert [type(subject) for subject in report.under_way] == [Machine] * 2
    assert report.untouched == ["web-3"]
    assert 10 < report.seconds < 13


# Failed


def test_a_new_machine_is_known_by_its_name_until_it_exists(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: then the report has the machine, also if it does not run in time."""
    cloud.transitions.policies["provision"] = ByScript()
    seen: list[list[type]] = []

    def tell(progress: FleetProgress) -> None:
        assert progress.report
        seen.append([type(subject) for subject in progress.report.under_way])

    report = dc.create_machines(2, "web-{n}", **NEW, timeout=10, at_once=1, check=False, progress=tell)
    [(subject, reason)] = report.failed.items()
    assert isinstance(subject, Machine)
    assert (name_of(subject), subject.state, type(reason)) == ("web-1", "provisioning", WaitTimeout)
    assert report.untouched == ["web-2"]
    assert seen[0] == [str]


def test_a_create_that_is_refused_is_known_by_its_name(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: there is no machine."""
    cloud.faults.add(Fault("CreateMachine", status=409, code="QuotaExceeded"))
    report = dc.create_machines(2, "web-{n}", **NEW, at_once=1, check=False)
    assert (list(report.failed), report.untouched) == (["web-1"], ["web-2"])


def test_a_machine_that_stops_when_its_time_is_over_has_failed(
    cloud: Emulator, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``ListMachines``: what a look shows of it that was begun in time does not count any more."""
    cloud.transitions.policies["stop"] = Slow()
    look, over = Watch.look, threading.Event()

    def slow(self: Watch, machines: Sequence[Machine]) -> None:
        if cloud.clock.monotonic() == 11:
            cloud.clock.sleep(3)
            over.wait(0.1)
        look(self, machines)

    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(Watch, "look", slow)
    report = fleet.stop(at_once=2, timeout=11, check=False, budget=1)
    assert [machine.name for machine in report] == ["web-0", "web-2"]
    assert [(name_of(machine), type(reason)) for machine, reason in report.failed.items()] == [("web-1", WaitTimeout)]


@pytest.mark.parametrize(("operation", "limit"), [("StopMachine", "timeout"), ("ListMachines", "deadline")])
def test_a_request_without_an_answer_ends_with_the_time(
    cloud: Emulator, fleet: Fleet, operation: str, limit: str
) -> None:
    """``StopMachine``, ``ListMachines``: no call lasts longer than the machine, or the whole run, may take."""
    begun = 1 if operation == "StopMachine" else 4
    cloud.faults.add(Fault(operation, "stall", where=lambda _: len(cloud.trace) >= begun, times=None))
    limits: dict[str, Any] = {limit: 20}
    report = fleet.stop(at_once=3, check=False, **limits)
    reasons = [str(reason) for reason in (*report.failed.values(), *report.unknown.values())]
    expected = "received its stop" if operation == "StopMachine" else "is not stopped after 20 s"
    assert [reason for reason in reasons if reason.endswith(expected)]
    assert not [reason for reason in reasons if "function" in reason]
    assert cloud.clock.monotonic() == pytest.approx(21, abs=1)


# Unknown


def test_a_create_of_which_nothing_is_known_is_unknown(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: there may be a machine; the error says how to find it."""
    cloud.faults.add(Fault("CreateMachine", "reset", "after", times=None))
    cloud.faults.add(Fault("ListMachines", where=lambda _: "CreateMachine" in cloud.trace.operations(), times=None))
    with pytest.raises(FleetFailed, match="create of 2 machines: 1 unknown, 1 untouched") as error:
        dc.create_machines(2, "web-{n}", **NEW, at_once=1)
    [(subject, reason)] = error.value.report.unknown.items()
    assert (subject, type(reason)) == ("web-1", CreateOutcomeUnknown)


def test_a_function_that_does_not_return_is_unknown() -> None:
    """It may do its work yet; the machines after it have their turn."""
    clock, never = FastClock(), threading.Event()
    cloud = Emulator(clock=clock)
    cloud.populate(3, name="web-{n}")
    seen: list[str] = []

    def visit(machine: Machine) -> None:
        seen.append(machine.name)
        if machine.name == "web-1":
            never.wait()

    try:
        report = DataCenter(**cloud.connection()).fleet(name="web-*").each(visit, timeout=0.2, budget=1)
    finally:
        never.set()
    assert [machine.name for machine in report] == ["web-0", "web-2"]
    [(machine, reason)] = report.unknown.items()
    assert (name_of(machine), str(reason)) == ("web-1", "its function has not returned after 0 s")
    assert isinstance(reason, OutcomeUnknown)
    assert not report.failed
