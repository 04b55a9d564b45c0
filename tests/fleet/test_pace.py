"""A run sends its requests at the right moments: soon enough to notice what is done, and not more of them than needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from smartdc import (
    DataCenter,
    Fleet,
    FleetFailed,
    InvalidArgument,
    Machine,
    OutcomeUnknown,
    Report,
    SmartDCError,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import AfterSeconds, ByScript, Emulator, Fault
from smartdc.emulator.core.message import Request
from smartdc.fleet import engine
from smartdc.fleet.run import server_time
from smartdc.fleet.watch import Watch

WEB = {"role": "web"}
Diary = Callable[[], list[str]]


@pytest.fixture
def dc(cloud: Emulator) -> DataCenter:
    """A client within the process: over HTTP the requests are the same."""
    return DataCenter(**cloud.connection())


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> Fleet:
    """Two running machines, one second after the clock was started."""
    cloud.populate(2, name="web-{n}")
    cloud.clock.sleep(1)
    return dc.fleet(name="web-*")


@pytest.fixture
def one(fleet: Fleet) -> Fleet:
    """The first of the two machines, of which a second is known."""
    return fleet.datacenter.fleet(name="web-0")


@pytest.fixture
def diary(cloud: Emulator) -> Diary:
    """Return a function that lists the time and the operation of every request."""
    times: list[float] = []

    def note(_: Request) -> bool:
        times.append(cloud.clock.monotonic())
        return False

    cloud.faults.add(Fault(where=note, times=None))

    def listed() -> list[str]:
        return [f"{time:g} {operation}" for time, operation in zip(times, cloud.trace.operations(), strict=True)]

    return listed


def failing_until(cloud: Emulator, operation: str, seconds: float) -> None:
    """Let an operation fail for a while, more often than a call is repeated."""
    cloud.faults.add(Fault(operation, where=lambda _: cloud.clock.monotonic() < seconds, times=None))


# Looking


def test_a_machine_is_looked_at_every_two_seconds(fleet: Fleet, diary: Diary) -> None:
    """``StopMachine``: the next machine follows when the one before it is seen stopped."""
    fleet.stop()
    assert diary() == [
        "1 ListMachines",
        *["1 StopMachine", "3 GetMachine", "5 GetMachine", "7 GetMachine"],
        *["7 StopMachine", "9 GetMachine", "11 GetMachine", "13 GetMachine"],
    ]


def test_after_the_last_request_it_looks_soon(fleet: Fleet, diary: Diary) -> None:
    """``StopMachine``: half a second later, since nothing else is to be done; `pause` is kept to the second."""
    fleet.stop(pause=1)
    assert diary() == [
        "1 ListMachines",
        *["1 StopMachine", "3 GetMachine", "5 GetMachine", "7 GetMachine"],
        *["8 StopMachine", "8.5 GetMachine", "10.5 GetMachine", "12.5 GetMachine", "14.5 GetMachine"],
    ]


def test_all_that_are_waited_for_are_looked_at_together(fleet: Fleet, diary: Diary) -> None:
    """``ListMachines``: one listing at a look."""
    fleet.stop(at_once=2)
    assert diary() == [
        "1 ListMachines",
        *["1 StopMachine", "1 StopMachine"],
        *["1.5 ListMachines", "3.5 ListMachines", "5.5 ListMachines", "7.5 ListMachines"],
    ]


def test_the_audit_is_read_when_a_reboot_has_changed_the_machine(one: Fleet, diary: Diary) -> None:
    """``MachineAudit``: the state of a machine that has rebooted is the same as before."""
    one.reboot()
    assert diary() == [
        *["1 ListMachines", "1 RebootMachine"],
        *["1.5 GetMachine", "3.5 GetMachine", "5.5 GetMachine", "7.5 GetMachine", "7.5 MachineAudit"],
    ]


@pytest.mark.parametrize("act", [Fleet.stop, Fleet.reboot])
def test_the_audit_of_a_long_job_is_read_less_and_less_often(
    cloud: Emulator, one: Fleet, diary: Diary, act: Callable[..., object]
) -> None:
    """``MachineAudit``: after 16 seconds, and then after twice as many again."""
    cloud.transitions.policy = ByScript()
    with pytest.raises(FleetFailed, match=r"WaitTimeout: machine web-0 .* after 120 s"):
        act(one, timeout=120)
    assert [entry for entry in diary() if "Audit" in entry] == [
        "17.5 MachineAudit",
        "49.5 MachineAudit",
        "113.5 MachineAudit",
    ]
    assert cloud.clock.monotonic() == 121


@pytest.mark.parametrize("tagging", [ByScript(), AfterSeconds(3)], ids=["before it", "begun before it"])
def test_the_audit_is_not_read_while_a_reboot_is_under_way(
    cloud: Emulator, dc: DataCenter, one: Fleet, diary: Diary, tagging: ByScript | AfterSeconds
) -> None:
    """``MachineAudit``: neither while it waits for another job, nor because of the end of that."""
    cloud.transitions.policies.update(set_tags=tagging, reboot=ByScript())
    dc.machine("web-0").add_tags(WEB)
    one.reboot(timeout=50, check=False)
    assert [entry for entry in diary() if "Audit" in entry] == ["17.5 MachineAudit", "49.5 MachineAudit"]


def test_an_earlier_reboot_is_another_one(cloud: Emulator, one: Fleet) -> None:
    """``MachineAudit``: what is in the audit already is older than the request."""
    one.reboot()
    cloud.clock.sleep(10)
    cloud.transitions.policy = ByScript()
    with pytest.raises(FleetFailed, match="has not rebooted after 20 s"):
        one.reboot(timeout=20)


def test_a_snapshot_is_looked_at_less_and_less_often(cloud: Emulator, one: Fleet, diary: Diary) -> None:
    """``GetMachineSnapshot``: after 4 seconds, and then after twice as many again."""
    cloud.transitions.policy = ByScript()
    with pytest.raises(FleetFailed, match=r"WaitTimeout: machine web-0 .* has no snapshot before after 60 s"):
        one.create_snapshot("before", timeout=60)
    assert [entry for entry in diary() if "GetMachine" in entry] == [
        "5.5 GetMachineSnapshot", "13.5 GetMachineSnapshot", "29.5 GetMachineSnapshot",
    ]  # fmt: skip


@pytest.mark.parametrize(("operation", "act"), [("GetMachine", Fleet.stop), ("MachineAudit", Fleet.reboot)])
def test_a_look_that_fails_is_repeated(
    cloud: Emulator, one: Fleet, operation: str, act: Callable[[Fleet], list[Machine]]
) -> None:
    """``GetMachine``, ``MachineAudit``: an error of the server says nothing about the machine."""
    failing_until(cloud, operation, 40)
    assert [machine.name for machine in act(one)] == ["web-0"]
    assert 40 <= cloud.clock.monotonic() < 120


def test_an_audit_that_cannot_be_read_says_nothing_of_what_was_lost(cloud: Emulator, one: Fleet) -> None:
    """``RebootMachine``: only an audit that was read shows that it is to be sent again."""
    cloud.faults.add(Fault("RebootMachine", "reset", "after"))
    failing_until(cloud, "MachineAudit", 300)
    assert len(one.reboot().done) == 1
    assert cloud.trace.operations().count("RebootMachine") == 1
    assert 300 <= cloud.clock.monotonic() < 360


@pytest.mark.parametrize(("operation", "act"), [("GetMachine", Fleet.stop), ("MachineAudit", Fleet.reboot)])
def test_a_look_that_is_refused_is_a_failure(
    cloud: Emulator, one: Fleet, operation: str, act: Callable[..., object]
) -> None:
    """``GetMachine``, ``MachineAudit``: what is forbidden stays so."""
    cloud.faults.add(Fault(operation, status=403, code="NotAuthorized", times=None))
    with pytest.raises(FleetFailed, match="web-0: NotAuthorized: "):
        act(one)
    assert cloud.clock.monotonic() < 10


def test_a_look_that_takes_long_is_waited_for(cloud: Emulator, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ListMachines``: there is no second one meanwhile."""
    look, over = Watch.look, threading.Event()
    looking, most = 0, 0

    def slow(self: Watch, machines: Sequence[Machine]) -> None:
        nonlocal looking, most
        looking += 1
        most = max(most, looking)
        cloud.clock.sleep(3)
        over.wait(0.1)
        look(self, machines)
        looking -= 1

    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(Watch, "look", slow)
    assert len(fleet.stop(at_once=2).done) == 2
    assert most == 1


# Calling


@pytest.mark.parametrize("machines", [8, 20])
def test_eight_requests_run_at_the_same_time(
    cloud: Emulator, dc: DataCenter, monkeypatch: pytest.MonkeyPatch, machines: int
) -> None:
    """``AddMachineTags``: no fewer, and no more, since the throttle is for the whole account."""
    cloud.populate(machines, name="web-{n}")
    lock, full = threading.Lock(), threading.Event()
    now, most = 0, 0

    def add_tags(_: Machine, tags: dict[str, str]) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            is_full = now == 8
        if is_full:
            threading.Event().wait(0.05)  # a ninth would come now
            full.set()
        assert tags == WEB
        assert full.wait(5)
        with lock:
            now -= 1

    monkeypatch.setattr(Machine, "add_tags", add_tags)
    assert len(dc.fleet(name="web-*").add_tags(WEB).done) == machines
    assert most == 8


# Health


def test_health_is_asked_for_every_two_seconds(cloud: Emulator, one: Fleet) -> None:
    """The first time at once, until it is true; with `timeout` passed, the machine has failed."""
    asked: list[float] = []

    def healthy(_: Machine) -> bool:
        asked.append(cloud.clock.monotonic())
        return len(asked) == 4

    one.start(healthy=healthy)
    assert asked == [1, 3, 5, 7]

    with pytest.raises(FleetFailed, match=r"is running, but not healthy in time: the last check said no$"):
        one.start(healthy=lambda _: False, timeout=5)
    assert cloud.clock.monotonic() == 12


# Requests that are lost or refused


@pytest.mark.parametrize(
    ("act", "when", "requests"),
    [
        (
            Fleet.stop,
            "before",
            "1 StopMachine, 31 GetMachine, 31 MachineAudit, 31 StopMachine, 33 GetMachine, 35 GetMachine, 37 GetMachine",
        ),
        (Fleet.stop, "after", "1 StopMachine, 31 GetMachine"),
        (
            Fleet.reboot,
            "before",
            (
                "1 RebootMachine, 1 MachineAudit, 181 GetMachine, 181 MachineAudit, "
                "181 RebootMachine, 183 GetMachine, 185 GetMachine, 187 GetMachine, 187 MachineAudit"
            ),
        ),
        (Fleet.reboot, "after", "1 RebootMachine, 1 MachineAudit, 181 GetMachine, 181 MachineAudit"),
    ],
)
def test_what_was_lost_is_sent_again_when_it_would_be_visible(
    cloud: Emulator, one: Fleet, diary: Diary, act: Callable[..., object], when: str, requests: str
) -> None:
    """``StopMachine``, ``RebootMachine``: after 30 seconds, or as `settle` says if it must not be done twice."""
    cloud.faults.add(Fault(requests.partition(",")[0].split()[1], "reset", when))
    act(one)
    assert ", ".join(diary()) == f"1 ListMachines, {requests}"


def test_a_short_settle_counts_for_all(cloud: Emulator, diary: Diary) -> None:
    """``StopMachine``: the data centre's own limit is never exceeded."""
    cloud.populate(1, name="web-{n}")
    cloud.clock.sleep(1)
    cloud.faults.add(Fault("StopMachine", "reset", "before"))
    DataCenter(**cloud.connection(), settle=10).fleet(name="web-*").stop()
    assert [entry for entry in diary() if entry.endswith("StopMachine")] == ["1 StopMachine", "11 StopMachine"]


def test_a_refused_request_is_sent_again_at_once(cloud: Emulator, one: Fleet, tmp_path: Path) -> None:
    """``StopMachine``: the journal says that it did nothing, and only one look is needed."""
    cloud.faults.add(Fault("StopMachine", status=409, code="InvalidArgument"))
    with pytest.raises(FleetFailed, match="web-0: InvalidArgument: "):
        one.stop(journal=tmp_path / "journal")
    assert cloud.trace.operations() == ["ListMachines", "StopMachine"]
    one.stop(journal=tmp_path / "journal")
    assert cloud.trace.operations()[2:5] == ["GetMachine", "GetMachine", "StopMachine"]
    assert cloud.clock.monotonic() == 7.5


@pytest.mark.parametrize(("action", "operation", "done"), [("stop", "StopMachine", 1), ("reboot", "RebootMachine", 0)])
def test_a_request_that_is_refused_when_it_is_repeated_may_have_been_applied(
    cloud: Emulator, one: Fleet, action: str, operation: str, done: int
) -> None:
    """``StopMachine``, ``RebootMachine``: the state shows it; where none does, the refusal counts."""
    cloud.faults.add(Fault(operation, "reset", "before"))
    cloud.faults.add(Fault(operation, status=409, code="InvalidArgument", where=stopping(cloud)))
    report: Report = getattr(one, action)(check=False)
    assert len(report.done) == done
    assert [type(reason) for reason in report.failed.values()] == [InvalidArgument] * (1 - done)


def stopping(cloud: Emulator) -> Callable[[Request], bool]:
    """Return a condition that is always true, and stops the machine web-0."""

    def stop(_: Request) -> bool:
        [there] = [machine for machine in cloud.state.machines.values() if machine.name == "web-0"]
        there.state = "stopped"
        return True

    return stop


def test_a_request_that_could_not_be_made_is_made_again_at_once(
    cloud: Emulator, one: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``StopMachine``: an agent that is gone, for instance, has signed nothing."""

    def request_job(*_: object, **__: object) -> None:
        raise SmartDCError("the agent is gone")

    monkeypatch.setattr(Machine, "request_job", request_job)
    with pytest.raises(FleetFailed, match="web-0: SmartDCError: the agent is gone"):
        one.stop(journal=tmp_path / "journal")
    monkeypatch.undo()
    one.stop(journal=tmp_path / "journal")
    assert cloud.clock.monotonic() == 7.5


def test_a_failed_action_is_requested_again_at_once(cloud: Emulator, one: Fleet, tmp_path: Path) -> None:
    """``RebootMachine``: the journal says that it did nothing, also where no state could show it."""
    cloud.transitions.fail("reboot")
    with pytest.raises(FleetFailed, match="its reboot failed") as error:
        one.reboot(journal=tmp_path / "journal")
    assert [type(reason) for reason in error.value.report.failed.values()] == [WaitFailed]
    before, failed = len(cloud.trace), cloud.clock.monotonic()
    one.reboot(journal=tmp_path / "journal")
    assert cloud.trace.operations()[before:][:2] == ["GetMachine", "RebootMachine"]
    assert cloud.clock.monotonic() <= failed + 7


def test_what_cannot_be_looked_up_in_time_is_unknown(cloud: Emulator, one: Fleet) -> None:
    """``RebootMachine``: neither done nor failed, and the note says which request it was."""
    cloud.faults.add(Fault("RebootMachine", "reset", "before"))
    with pytest.raises(FleetFailed) as error:
        one.reboot(timeout=60)
    [reason] = error.value.report.unknown.values()
    assert isinstance(reason, OutcomeUnknown)
    assert str(reason).startswith("unknown whether machine web-0 (")
    assert str(reason).endswith(") received its reboot")
    assert cloud.clock.monotonic() == 61


# What others do meanwhile


def test_a_change_of_another_kind_is_no_reason_to_read_the_audit(
    cloud: Emulator, one: Fleet, dc: DataCenter, diary: Diary
) -> None:
    """``StopMachine``: only its state shows that a machine is stopped."""
    cloud.transitions.policies.update(set_tags=AfterSeconds(3), rename=ByScript())
    machine = dc.machine("web-0")
    machine.add_tags(WEB)
    machine.rename("web-9")  # keeps the stop waiting
    with pytest.raises(FleetFailed, match="is not stopped after 15 s"):
        one.stop(timeout=15)
    assert not [entry for entry in diary() if "Audit" in entry]


def test_a_machine_that_was_started_again_is_not_stopped(cloud: Emulator, one: Fleet) -> None:
    """``StopMachine``: that the job was done, as the audit says, is not enough."""
    cloud.faults.add(Fault("GetMachine", where=starting(cloud), times=None))
    with pytest.raises(FleetFailed, match=r"WaitTimeout: machine web-0 .* is not stopped after 60 s"):
        one.stop(timeout=60)
    assert "MachineAudit" in cloud.trace.operations()


def starting(cloud: Emulator) -> Callable[[Request], bool]:
    """Return a condition that is never true, and starts the machine web-0 if it is stopped."""

    def start(_: Request) -> bool:
        cloud.transitions.settle()
        [there] = [machine for machine in cloud.state.machines.values() if machine.name == "web-0"]
        if there.state == "stopped":
            there.state = "running"
        return False

    return start


# Dead ends


@pytest.mark.parametrize("state", ["failed", "deleted"])
def test_a_machine_that_is_lost_has_failed_at_once(cloud: Emulator, one: Fleet, state: str) -> None:
    """``StopMachine``: the time of a machine that can never stop is not waited for."""
    cloud.transitions.policy = ByScript()
    [there] = [machine for machine in cloud.state.machines.values() if machine.name == "web-0"]

    def lost(_: Request) -> bool:
        if cloud.clock.monotonic() > 4:
            there.state = state
        return False

    cloud.faults.add(Fault("GetMachine", where=lost, times=None))
    with pytest.raises(FleetFailed, match=f"cannot do its stop: it is {state}"):
        one.stop()
    assert cloud.clock.monotonic() < 10


def test_a_failed_machine_can_be_deleted(cloud: Emulator, dc: DataCenter, one: Fleet) -> None:
    """``DeleteMachine``: that it has failed is often why."""
    machines = one.machines()
    cloud.state.machines[machines[0].id].state = "failed"
    assert [machine.state for machine in dc.fleet(machines).delete()] == ["deleted"]


def test_a_machine_that_somebody_else_deletes_is_deleted(cloud: Emulator, one: Fleet) -> None:
    """``DeleteMachine``: that it is gone already is no failure."""

    def gone(_: Request) -> bool:
        [there] = [machine for machine in cloud.state.machines.values() if machine.name == "web-0"]
        there.state = "deleted"
        return True

    cloud.faults.add(Fault("DeleteMachine", status=410, code="ResourceNotFound", where=gone))
    assert [machine.state for machine in one.delete()] == ["deleted"]


def test_a_machine_that_is_on_its_way_is_not_asked_about(dc: DataCenter, monkeypatch: pytest.MonkeyPatch) -> None:
    """``CreateMachine``: the listing shows all that there is to know."""
    asked: list[Machine] = []
    monkeypatch.setattr(Machine, "has_reached", lambda machine, _: asked.append(machine))
    assert len(dc.create_machines(2, "web-{n}", image="debian-12", package="g1-small").done) == 2
    assert not asked


def test_a_machine_that_fails_to_start_has_failed_at_once(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: it would be waited for in vain."""
    cloud.transitions.fail("provision")
    with pytest.raises(FleetFailed, match="cannot become running: it is failed") as error:
        dc.create_machines(2, "web-{n}", image="debian-12", package="g1-small", at_once=1)
    [reason] = error.value.report.failed.values()
    assert isinstance(reason, WaitFailed)
    assert cloud.clock.monotonic() < 10


# The end


def test_a_snapshot_that_fails_is_noticed_at_the_first_look(cloud: Emulator, one: Fleet) -> None:
    """``MachineAudit``: CloudAPI calls such a snapshot deleted, as it does while the job runs."""
    cloud.transitions.policy = AfterSeconds(2)
    cloud.transitions.fail("create_snapshot")
    with pytest.raises(FleetFailed, match="has no snapshot now: its create_snapshot failed; its audit says that"):
        one.create_snapshot("now")
    assert cloud.clock.monotonic() == 5.5


def test_machines_that_no_time_is_left_for_are_gone_on_with(fleet: Fleet, tmp_path: Path) -> None:
    """`deadline` ends the run, and not its journal."""
    with pytest.raises(FleetFailed, match="stop of 2 machines: 1 done, 1 untouched, in ") as error:
        fleet.stop(deadline=6.5, pause=1, journal=tmp_path / "journal")
    assert "the same call continues from here (journal " in str(error.value)
    assert [machine.name for machine in fleet.stop(journal=tmp_path / "journal")] == ["web-0", "web-1"]


def test_a_machine_that_is_late_at_the_deadline_has_failed(cloud: Emulator, fleet: Fleet) -> None:
    """`deadline` is also the end of what is under way."""
    with pytest.raises(FleetFailed) as error:
        fleet.stop(deadline=4, timeout=5)
    assert [type(reason) for reason in error.value.report.failed.values()] == [WaitTimeout]
    assert cloud.clock.monotonic() == 5


@pytest.mark.parametrize("heard", [None, "once upon a time"])
def test_without_a_date_of_the_server_our_clock_counts(offline: DataCenter, heard: str | None) -> None:
    """Nothing was heard of it yet, or nothing that anybody understands."""
    offline.session.last_date = (heard, 0.0) if heard else None
    assert server_time(offline) == pytest.approx(offline.session.now(), abs=5)


def test_the_clock_of_the_server_goes_on(offline: DataCenter) -> None:
    """The last date that was heard of it, and the time since."""
    offline.session.last_date = "Thu, 01 Jan 2026 00:00:10 GMT", offline.clock.monotonic() - 100
    assert server_time(offline) == pytest.approx(1_767_225_600 + 110, abs=5)
