"""A rolling action goes on only while machines come back healthy, and can be stopped at any moment."""

from __future__ import annotations

import itertools
import re
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kits.campaign import FastClock
from smartdc import (
    DataCenter,
    Fleet,
    FleetFailed,
    FleetProgress,
    InputError,
    Machine,
    OutcomeUnknown,
    Report,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import AfterSeconds, ByScript, Emulator, Fault
from smartdc.fleet.journal import Journal, Record
from smartdc.fleet.report import name_of

WEB = {"role": "web"}


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> Fleet:
    """Twenty running machines."""
    for machine in cloud.populate(20, name="web-{n}"):
        machine.tags = dict(WEB)
    return dc.fleet(tags=WEB)


def count(cloud: Emulator, operation: str) -> int:
    """Count the requests for an operation."""
    return sum(entry.operation == operation for entry in cloud.trace)


def number(machine: Machine) -> int:
    """Return the number in a machine's name."""
    return int(machine.name.removeprefix("web-"))


def test_a_rolling_resize_ends_when_the_budget_is_spent(cloud: Emulator, fleet: Fleet) -> None:
    """``ResizeMachine``: the third machine that is not healthy ends it, and the report names all."""

    def healthy(machine: Machine) -> bool:
        if number(machine) == 7:
            raise ConnectionRefusedError(f"no answer from {machine.name}")
        return number(machine) not in (3, 12)

    with pytest.raises(FleetFailed) as error:
        fleet.resize("g1-medium", healthy=healthy, timeout=60, budget=2, order=number)

    report = error.value.report
    assert {name_of(machine) for machine in report.failed} == {"web-3", "web-7", "web-12"}
    assert [machine.name for machine in report] == [f"web-{n}" for n in (0, 1, 2, 4, 5, 6, 8, 9, 10, 11)]
    assert len(report.untouched) == 7
    assert count(cloud, "ResizeMachine") == 13
    assert {type(reason) for reason in report.failed.values()} == {WaitTimeout}
    assert str(error.value).startswith("resize of 20 machines: 10 done, 3 failed, 7 untouched, in ")
    assert "web-7: WaitTimeout: machine web-7 (" in str(error.value)
    assert "the last check raised ConnectionRefusedError: no answer from web-7" in str(error.value)
    assert str(report).splitlines()[2].startswith("web-3    failed     WaitTimeout: machine web-3")


@pytest.mark.parametrize(("budget", "failures"), [(0, 1), (1, 2), ("10%", 3), ("0%", 1)])
def test_a_budget_is_a_number_or_a_share(cloud: Emulator, fleet: Fleet, budget: int | str, failures: int) -> None:
    """``StopMachine``: nothing is begun after one failure too many."""
    cloud.faults.add(Fault("StopMachine", status=409, code="InvalidArgument", times=None))

    report = fleet.stop(budget=budget, check=False)

    assert len(report.failed) == count(cloud, "StopMachine") == failures
    assert len(report.untouched) == 20 - failures


def test_failures_within_the_budget_raise_nothing(cloud: Emulator, fleet: Fleet) -> None:
    """``StopMachine``: a job that fails is known by the audit's reason."""
    cloud.transitions.fail("stop", times=2)
    report = fleet.stop(budget=2)

    assert len(report.done) == 18
    assert [type(reason) for reason in report.failed.values()] == [WaitFailed] * 2
    assert "its stop failed; its audit says that stop failed at" in str(next(iter(report.failed.values())))


def test_a_pause_is_kept_between_machines(cloud: Emulator, fleet: Fleet) -> None:
    """``RebootMachine``: the next one is not begun before."""
    fleet.reboot(pause=60)

    times = [job.queued for machine in cloud.state.machines.values() for job in machine.jobs]
    assert min(later - earlier for earlier, later in itertools.pairwise(sorted(times))) >= 60


def test_so_many_at_once_and_no_more(cloud: Emulator, fleet: Fleet) -> None:
    """``StopMachine``: the fourth is asked for when the first is back."""
    seen: list[FleetProgress] = []

    fleet.stop(at_once=3, progress=seen.append)
    assert max(len(progress.under_way) for progress in seen) == 3
    assert count(cloud, "StopMachine") == 20


def test_a_machine_that_does_not_come_back_has_its_time(cloud: Emulator, fleet: Fleet) -> None:
    """`timeout` is for each machine, and says what was waited for."""
    cloud.transitions.policies["stop"] = ByScript()
    with pytest.raises(FleetFailed, match=r"web-0: WaitTimeout: machine web-0 \(.*\) is not stopped after 30 s"):
        fleet.stop(timeout=30)
    assert 30 <= cloud.clock.monotonic() <= 35


def test_the_whole_has_its_time(cloud: Emulator, fleet: Fleet) -> None:
    """`deadline` leaves alone what would come later, and pauses do not outlast it."""
    with pytest.raises(FleetFailed) as error:
        fleet.stop(deadline=100, pause=40)

    report = error.value.report
    assert len(report.done) == 3
    assert len(report.untouched) == 17
    assert 95 <= cloud.clock.monotonic() <= 101


# Interrupts


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="only the main thread hears signals"
)
def test_an_interrupt_says_how_things_stand(
    cloud: Emulator, fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C waits for nothing, asks for nothing more, and carries the report; the journal goes on from there."""
    cloud.transitions.policies["stop"] = ByScript()

    sleep = cloud.clock.sleep

    def interrupted(seconds: float) -> None:
        sleep(seconds)
        if count(cloud, "StopMachine") == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cloud.clock, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        fleet.stop(at_once=3, journal=tmp_path / "journal")
    monkeypatch.undo()

    report = stop.value.report  # type: ignore[attr-defined]
    assert isinstance(report, Report)
    assert not report.done
    [note] = stop.value.__notes__
    assert re.fullmatch(
        r"stop of 20 machines: 3 under way, 17 untouched, in \d+ s; "
        r"the same call continues from here \(journal /.*/journal\)",
        note,
    )
    assert [name_of(machine) for machine in report.under_way] == ["web-0", "web-1", "web-10"]
    assert len(report.untouched) == 17

    cloud.transitions.policies.clear()
    assert len(fleet.stop(at_once=20, journal=tmp_path / "journal").done) == 20
    assert count(cloud, "StopMachine") == 20


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="only the main thread hears signals"
)
def test_a_time_limit_of_the_program_is_no_failure_of_a_machine(
    cloud: Emulator, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a signal handler raises ends the run, wherever it comes, and carries the report."""

    def limit(*_: object) -> None:
        raise TimeoutError("the program's own")

    def alarmed(self: Journal, step: str, part: str, now: str, **facts: Any) -> Record:
        if now == "done" and count(cloud, "StopMachine") == 3:
            signal.raise_signal(signal.SIGALRM)
        return write(self, step, part, now, **facts)

    before, write = signal.signal(signal.SIGALRM, limit), Journal.write
    monkeypatch.setattr(Journal, "write", alarmed)
    try:
        with pytest.raises(TimeoutError, match="the program's own") as stop:
            fleet.stop(budget=20)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(stop.value.report.done) == 2  # type: ignore[attr-defined]
    assert not stop.value.report.failed  # type: ignore[attr-defined]


# Functions of the user


def test_a_function_is_called_with_each(fleet: Fleet) -> None:
    """What it raises is a failure of that machine alone."""
    seen = []

    def visit(machine: Machine) -> None:
        seen.append(machine.name)
        if machine.name == "web-2":
            raise ValueError("not this one")

    report = fleet.each(visit, budget=1, order=number)
    assert seen == [f"web-{n}" for n in range(20)]
    assert {name_of(machine): str(reason) for machine, reason in report.failed.items()} == {"web-2": "not this one"}


class Silent(Exception):
    """An error that fails when it is asked for its text."""

    def __str__(self) -> str:
        raise ZeroDivisionError


def test_an_error_without_a_text_is_known_by_its_class(fleet: Fleet) -> None:
    """That `str` raises is the failure of that machine alone, and the report can be shown."""

    def visit(machine: Machine) -> None:
        if machine.name in ("web-2", "web-3"):
            raise Silent

    with pytest.raises(FleetFailed, match=r"; web-2: Silent; web-3: Silent$") as error:
        fleet.each(visit, budget=1, order=number)
    report = error.value.report
    assert len(report.done) == 2
    assert ("web-2", "failed", "Silent") in report.rows()
    assert "Silent" in str(report)


def test_a_check_of_health_may_raise_an_error_without_a_text(fleet: Fleet) -> None:
    """It is a no, and the class says why."""

    def healthy(_: Machine) -> bool:
        raise Silent

    with pytest.raises(FleetFailed, match="not healthy in time: the last check raised Silent"):
        fleet.start(healthy=healthy, timeout=10)


async def checked(_: Machine) -> bool:
    """Check later, if somebody awaits it."""
    return True


def generated(_: Machine) -> Iterator[bool]:
    """Check later, if somebody asks for it."""
    yield False


@pytest.mark.parametrize("function", [checked, generated, partial(checked)])
def test_a_function_that_does_its_work_later_is_refused(cloud: Emulator, fleet: Fleet, function: Any) -> None:
    """What it returns counts as true: every machine would be healthy, and each be done, before a byte is sent."""
    with pytest.raises(InputError, match=r"healthy must do its work when it is called, and .* is async or a generator"):
        fleet.reboot(healthy=function)
    with pytest.raises(InputError, match="function must do its work when it is called"):
        fleet.each(function)
    assert not cloud.trace


def test_what_nobody_awaits_is_no_answer(cloud: Emulator, fleet: Fleet) -> None:
    """``RebootMachine``: a function can call an async one, and forget to run it."""
    with pytest.raises(
        FleetFailed, match="not healthy in time: the last check raised TypeError: it returned a coroutine"
    ):
        fleet.reboot(healthy=lambda machine: checked(machine), timeout=30)  # noqa: PLW0108 (it hides the other)
    assert count(cloud, "RebootMachine") == 1
    with pytest.raises(FleetFailed, match="web-0: TypeError: it returned a coroutine, which nobody awaits"):
        fleet.each(lambda machine: checked(machine))  # noqa: PLW0108 (the same)


def test_a_failure_is_that_of_the_machine_it_was_called_with(dc: DataCenter, fleet: Fleet) -> None:
    """Also where the function has waited for another one, which all of them need."""
    needed = dc.machine("web-0")

    def visit(machine: Machine) -> None:
        if machine.name != "web-0":
            raise WaitTimeout("is not there", resource=needed)

    report = fleet.each(visit, budget=19, order=number)
    assert [name_of(machine) for machine in report.failed] == [f"web-{n}" for n in range(1, 20)]


def test_a_function_that_was_not_heard_of_is_not_called_again(fleet: Fleet, tmp_path: Path) -> None:
    """Only whoever wrote it knows whether it may be."""
    journal = tmp_path / "journal"
    seen = []

    def visit(machine: Machine) -> None:
        seen.append(machine.name)
        if machine.name == "web-1" and seen.count("web-1") == 1:
            raise KeyboardInterrupt

    def run(**options: bool) -> Report:
        return fleet.each(visit, journal=journal, order=number, check=False, **options)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        run()
    report = run()
    assert {name_of(machine) for machine in report.unknown} == {"web-1"}
    assert all(isinstance(reason, OutcomeUnknown) for reason in report.unknown.values())
    assert seen == ["web-0", "web-1"]

    assert len(run(repeatable=True).done) == 20
    assert seen == ["web-0", "web-1", *(f"web-{n}" for n in range(1, 20))]


def test_functions_that_hang_hold_up_nobody() -> None:
    """They are left to themselves when the time of their machine is over, however many they are."""
    clock, never = FastClock(), threading.Event()
    cloud = Emulator(clock=clock)
    cloud.populate(12, name="web-{n}")

    def healthy(machine: Machine) -> bool:
        return number(machine) > 9 or never.wait()

    try:
        report = (
            DataCenter(**cloud.connection())
            .fleet(everything=True)
            .start(healthy=healthy, timeout=0.2, budget=10, order=number)
        )
    finally:
        never.set()
    assert [machine.name for machine in report] == ["web-10", "web-11"]
    assert "not healthy in time: the first check has not returned" in str(next(iter(report.failed.values())))


def test_what_is_no_function_is_refused(cloud: Emulator, fleet: Fleet) -> None:
    """Before a byte is sent."""
    with pytest.raises(InputError, match="function must be a function, not str"):
        fleet.each("reboot")  # type: ignore[arg-type]
    assert not cloud.trace


# Waiting


@pytest.mark.parametrize("others", [0, 5_000])
def test_creates_are_waited_for_with_one_listing_at_a_look(cloud: Emulator, dc: DataCenter, others: int) -> None:
    """``ListMachines``: 200 machines that take 30 s, also where there are thousands of others."""
    cloud.populate(others, name="other-{n}")
    cloud.transitions.policy = AfterSeconds(30)

    assert len(dc.create_machines(200, "w-{n}", image="debian-12", package="g1-small", tags=WEB).done) == 200
    assert count(cloud, "CreateMachine") == 200
    assert count(cloud, "ListMachines") <= 1 + 17
    assert count(cloud, "GetMachine") == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("act", "operation"),
    [
        (lambda fleet: fleet.reboot(), "RebootMachine"),
        (lambda fleet: fleet.stop(), "StopMachine"),
        (lambda fleet: fleet.resize("g1-medium"), "ResizeMachine"),
        (lambda fleet: fleet.delete(), "DeleteMachine"),
    ],
)
def test_what_was_not_answered_is_looked_up(
    cloud: Emulator, fleet: Fleet, act: Callable[[Fleet], Report], operation: str, when: str
) -> None:
    """The request or its answer is lost: it is done once, whichever it was."""
    cloud.faults.add(Fault(operation, "reset", when, times=2))
    report = act(fleet)

    assert len(report.done) == 20
    jobs = [job.action for machine in cloud.state.machines.values() for job in machine.jobs]
    assert len(jobs) == 20


def test_what_is_never_answered_ends_as_a_failure(cloud: Emulator, fleet: Fleet) -> None:
    """``StopMachine``: a request that is lost again and again was not applied, as the audit shows each time."""
    cloud.faults.add(Fault("StopMachine", "reset", "before", times=None))
    with pytest.raises(FleetFailed, match="stop of 20 machines: 1 failed, 19 untouched") as caught:
        fleet.stop()
    assert count(cloud, "StopMachine") == 3
    [error] = caught.value.report.failed.values()
    assert (getattr(error, "applied", None), getattr(error, "__notes__", None)) == (False, [])
