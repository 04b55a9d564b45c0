"""The engine goes on with every step as soon as it may, with at most eight requests at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from smartdc import DataCenter, Machine, Report
from smartdc.emulator import Emulator, VirtualClock
from smartdc.fleet import engine
from smartdc.fleet.engine import CALLS_AT_ONCE, Engine, Interrupted
from smartdc.fleet.options import Options
from smartdc.fleet.step import Call, Pause, Step, Until, Work

PATIENCE = 5.0
"""Real seconds after which a test gives up."""


@pytest.fixture
def dc(cloud: Emulator) -> DataCenter:
    """A client within the process."""
    return DataCenter(**cloud.connection())


class Crowd:
    """Counts who is in it at the same time; everybody waits until it is full, or for a moment."""

    def __init__(self, size: int) -> None:
        self.size, self.now, self.most = size, 0, 0
        self._lock, self._full = threading.Lock(), threading.Event()

    def join(self) -> bool:
        """Come, wait and go."""
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            is_full = self.now == self.size
        if is_full:
            threading.Event().wait(0.05)  # one too many would come now
            self._full.set()
        came = self._full.wait(PATIENCE)
        with self._lock:
            self.now -= 1
        return came


def run(dc: DataCenter, works: list[Callable[[Machine], Work]], at_once: int | None = None, **options: Any) -> Report:
    """Carry out one step for each work."""
    machines = [Machine(dc, data={"id": str(n), "name": f"web-{n}", "state": "running"}) for n in range(len(works))]
    steps = [Step(machine, work(machine)) for machine, work in zip(machines, works, strict=True)]
    return Engine(dc, "test", Options(**options), at_once).run(steps)


def names(report: Report) -> list[str]:
    """Return the names of the machines that are done."""
    return [machine.name for machine in report]


def test_eight_requests_run_at_the_same_time_at_every_part(dc: DataCenter) -> None:
    """Also where twenty steps go on at the same moment."""
    crowd = Crowd(CALLS_AT_ONCE)

    def work(machine: Machine) -> Work:
        yield Pause(1)
        assert (yield Call(crowd.join))
        return machine

    assert len(run(dc, [work] * 20).done) == 20
    assert crowd.most == CALLS_AT_ONCE


def test_steps_whose_request_would_wait_are_not_begun(dc: DataCenter) -> None:
    """An interrupt leaves their machines untouched."""
    crowd = Crowd(CALLS_AT_ONCE)
    begun: list[str] = []
    early: list[int] = []

    def call() -> tuple[str, bool]:
        crowd.join()
        early.append(len(begun))
        thread = threading.current_thread()
        return thread.name, thread.daemon

    def work(machine: Machine) -> Work:
        begun.append(machine.name)
        assert (yield Call(call)) == ("smartdc-fleet", True)
        return machine

    assert len(run(dc, [work] * 20).done) == 20
    assert early[0] == CALLS_AT_ONCE


def test_twenty_functions_of_the_user_run_at_the_same_time(dc: DataCenter) -> None:
    """They are no requests."""
    crowd = Crowd(20)

    def work(machine: Machine) -> Work:
        assert (yield Call(crowd.join, foreign=True))
        return machine

    assert len(run(dc, [work] * 20).done) == 20


def test_a_function_of_the_user_does_not_wait_for_requests(dc: DataCenter) -> None:
    """Eight of them may take long."""
    called = threading.Event()

    def checked(machine: Machine) -> Work:
        yield Pause(0)
        yield Call(called.set, foreign=True)
        return machine

    def slow(machine: Machine) -> Work:
        assert (yield Call(lambda: called.wait(PATIENCE)))
        return machine

    assert len(run(dc, [checked, *[slow] * CALLS_AT_ONCE]).done) == 1 + CALLS_AT_ONCE


def test_it_sleeps_while_calls_run(dc: DataCenter, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not go round and round until they have returned."""
    rounds: list[None] = []
    hear = Engine._hear

    def heard(self: Engine) -> None:
        rounds.append(None)
        hear(self)

    monkeypatch.setattr(Engine, "_hear", heard)

    def work(machine: Machine) -> Work:
        yield Call(lambda: threading.Event().wait(0.2))
        return machine

    assert len(run(dc, [work] * 3).done) == 3
    assert len(rounds) < 20


def test_what_an_ask_finds_is_found_once(cloud: Emulator, dc: DataCenter, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes longer than the time between two looks is not asked again meanwhile."""
    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 0.01)
    crowd = Crowd(2)
    asked: list[float] = []

    def ask() -> bool:
        asked.append(cloud.clock.monotonic())
        crowd.now += 1
        crowd.most = max(crowd.most, crowd.now)
        cloud.clock.sleep(3)
        threading.Event().wait(0.1)
        crowd.now -= 1
        return len(asked) == 2

    def work(machine: Machine) -> Work:
        yield Until(machine, lambda: None, ask, "is not there", is_listed=False)
        return machine

    assert names(run(dc, [work])) == ["web-0"]
    assert len(asked) == 2
    assert crowd.most == 1
    assert not cloud.trace


@pytest.mark.parametrize("calls", [1, 2])
def test_while_requests_are_sent_it_does_not_look_early(
    cloud: Emulator, dc: DataCenter, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Half a second after the last answer is soon enough, and the throttle is spared."""
    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 0.01)
    checked: list[float] = []

    def check() -> bool:
        checked.append(cloud.clock.monotonic())
        return True

    def waiting(machine: Machine) -> Work:
        yield Until(machine, check, lambda: False, "is not there", is_listed=False)
        return machine

    def calling(machine: Machine) -> Work:
        for _ in range(calls - 1):
            yield Call(lambda: None)
        yield Call(slow)
        return machine

    def slow() -> None:
        cloud.clock.sleep(1)
        threading.Event().wait(0.1)

    cloud.clock.sleep(1)
    assert len(run(dc, [waiting, calling]).done) == 2
    assert checked == [2.5]


def test_what_is_not_listed_is_checked_without_a_request(cloud: Emulator, dc: DataCenter) -> None:
    """Every two seconds."""
    checked: list[float] = []

    def check() -> bool:
        checked.append(cloud.clock.monotonic())
        return len(checked) == 3

    def work(machine: Machine) -> Work:
        yield Until(machine, check, lambda: False, "is not there", is_listed=False)
        return machine

    cloud.clock.sleep(1)
    assert names(run(dc, [work])) == ["web-0"]
    assert checked == [3, 5, 7]
    assert not cloud.trace


def test_results_and_errors_reach_their_steps(dc: DataCenter) -> None:
    """Each its own; what a step catches is no failure."""
    got: list[object] = []

    def fails() -> None:
        raise LookupError("nothing there")

    def work(machine: Machine) -> Work:
        got.append((yield Call(lambda: machine.name)))
        try:
            yield Call(fails)
        except LookupError as error:
            got.append(str(error))
        return machine

    assert names(run(dc, [work, work], at_once=1)) == ["web-0", "web-1"]
    assert got == ["web-0", "nothing there", "web-1", "nothing there"]


def test_pauses_run_side_by_side(cloud: Emulator, dc: DataCenter) -> None:
    """The time is that of the longest."""
    ended: list[tuple[str, float]] = []

    def pausing(seconds: float) -> Callable[[Machine], Work]:
        def work(machine: Machine) -> Work:
            yield Pause(seconds)
            ended.append((machine.name, cloud.clock.monotonic()))
            return machine

        return work

    assert names(run(dc, [pausing(5), pausing(2.5), pausing(-1)])) == ["web-0", "web-1", "web-2"]
    assert ended == [("web-2", 0), ("web-1", 2.5), ("web-0", 5)]


@pytest.mark.parametrize(("at_once", "pause", "starts"), [(1, 2, [0, 3, 6]), (2, 2, [0, 0, 3]), (None, 2, [0, 0, 0])])
def test_the_pause_is_from_an_end_to_a_beginning(
    cloud: Emulator, dc: DataCenter, at_once: int | None, pause: float, starts: list[float]
) -> None:
    """Each step takes one second."""
    began: list[float] = []

    def work(machine: Machine) -> Work:
        began.append(cloud.clock.monotonic())
        yield Pause(1)
        return machine

    run(dc, [work] * 3, at_once, pause=pause)
    assert began == starts
    assert cloud.clock.monotonic() == starts[-1] + 1


def test_nothing_is_permitted_after_the_run(dc: DataCenter) -> None:
    """It was before; what is late says why it was not sent."""
    permitted: list[object] = []

    def work(machine: Machine) -> Work:
        permitted.append((yield Call(late.permit)))
        return machine

    late = Engine(dc, "test", Options(), None)
    machine = Machine(dc, data={"id": "1", "name": "web-1"})
    assert names(late.run([Step(machine, work(machine))])) == ["web-1"]
    assert permitted == [None]
    with pytest.raises(Interrupted, match=r"^test: not sent, since the run was interrupted$"):
        late.permit()


def test_nothing_is_tried_while_nothing_may_be_begun(
    cloud: Emulator, dc: DataCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When too many have failed, it sleeps until the others end."""

    def fails(machine: Machine) -> Work:
        yield Pause(1)
        raise LookupError(machine.name)

    def work(machine: Machine) -> Work:
        yield Pause(10)
        return machine

    monotonic, read = cloud.clock.monotonic, 0

    def counted() -> float:
        nonlocal read
        read += 1
        assert read < 1_000, "it does not sleep"
        return monotonic()

    monkeypatch.setattr(cloud.clock, "monotonic", counted)
    report = run(dc, [fails, work, work], at_once=2)
    assert (len(report.done), len(report.failed), len(report.untouched)) == (1, 1, 1)


def test_no_steps_are_done_at_once(dc: DataCenter) -> None:
    """And there is nothing to say."""
    assert run(dc, []).summary() == "test of 0 machines: nothing to do, in 0 s"
    assert isinstance(dc.clock, VirtualClock)
