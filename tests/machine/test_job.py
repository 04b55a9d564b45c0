"""Jobs and their entries in the audit: which of them a wait for a state must hear of, and which entry is ours."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
import requests
import responses

from kits.cloud import network_id, record
from smartdc import DataCenter, Machine, NotAuthorized, Progress, TransportError, WaitFailed, WaitTimeout
from smartdc.core.literals import Action
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.records import MachineRecord
from smartdc.emulator.state.transitions import AfterSeconds, JobFailed
from smartdc.machine.job import is_at_work

Do = Callable[[Machine, Emulator], object]

DEEDS: dict[str, tuple[str, Do]] = {
    "start": ("stopped", lambda machine, _: machine.start()),
    "stop": ("running", lambda machine, _: machine.stop()),
    "reboot": ("running", lambda machine, _: machine.reboot()),
    "destroy": ("running", lambda machine, _: machine.delete()),
    "resize": ("running", lambda machine, _: machine.resize("g1-medium")),
    "rename": ("running", lambda machine, _: machine.rename(f"{machine.name}-new")),
    "create_snapshot": ("running", lambda machine, _: machine.create_snapshot("after")),
    "rollback_snapshot": ("stopped", lambda machine, _: machine.start_from_snapshot("before")),
    "delete_snapshot": ("running", lambda machine, _: machine.snapshot("before").delete()),
    "set_tags": ("running", lambda machine, _: machine.add_tags(role="web")),
    "replace_tags": ("running", lambda machine, _: machine.replace_tags(role="web")),
    "remove_tags": ("running", lambda machine, _: machine.delete_tag("old")),
    "set_metadata": ("running", lambda machine, _: machine.update_metadata(role="web")),
    "replace_metadata": ("running", lambda machine, _: machine.delete_all_metadata()),
    "remove_metadata": ("running", lambda machine, _: machine.delete_metadata_at_key("old")),
    "enable_deletion_protection": ("running", lambda machine, _: machine.enable_deletion_protection()),
    "disable_deletion_protection": ("running", lambda machine, _: machine.disable_deletion_protection()),
    "add_nics": ("running", lambda machine, cloud: machine.add_nic(network_id(cloud, "My-Fabric-Network"))),
    "remove_nics": ("running", lambda machine, _: machine.remove_nic(machine.nics()[0])),
}
"""What the audit calls each job, with the state that the machine has before it, and how it is requested."""


def prepared(dc: DataCenter, cloud: Emulator, name: str, action: str) -> Machine:
    """Return a machine with something of everything, in the state that the action begins in."""
    [there] = cloud.populate(1, name=name, tags={"old": "yes"}, metadata={"old": "yes"})
    machine = dc.machine(there.id)
    machine.create_snapshot("before", wait=True)
    there.deletion_protection = action == "disable_deletion_protection"
    there.state, _ = DEEDS[action]
    machine.refresh()
    return machine


def states_passed(dc: DataCenter, cloud: Emulator, action: str) -> list[str]:
    """Return the states that a machine has on the server before a job of 30 seconds, amid it, and after it."""
    before, do = DEEDS[action]
    machine = prepared(dc, cloud, "pioneer", action)
    policies = cloud.transitions.policies
    policies[action] = AfterSeconds(30)
    do(machine, cloud)
    amid = record(cloud, machine).state
    cloud.clock.sleep(30)
    after = record(cloud, machine).state
    del policies[action]
    return [before, amid, after]


def test_every_job_that_the_audit_names_is_tried_here() -> None:
    """Beside the first one of all, and the firewall's, which the audit calls ``unknown``."""
    assert {*DEEDS, "provision", "unknown", "enable_firewall", "disable_firewall"} == set(get_args(Action))


@pytest.mark.parametrize("action", DEEDS)
def test_a_failure_is_heard_where_the_job_changes_the_state(dc: DataCenter, cloud: Emulator, action: str) -> None:
    """Which jobs do is seen on the server; a wait for the state where such a one was to lead ends at once."""
    before, *later = states_passed(dc, cloud, action)
    machine = prepared(dc, cloud, "web-1", action)
    cloud.transitions.fail(action)
    DEEDS[action][1](machine, cloud)

    if set(later) == {before}:
        with pytest.raises(WaitTimeout):
            machine.poll_until("offline", timeout=20)
        return
    with pytest.raises(WaitFailed, match=rf"its {action} failed; its audit says that {action} failed at") as caught:
        machine.poll_until(later[-1], timeout=20)  # type: ignore[arg-type]
    assert caught.value.reason is not None
    assert caught.value.reason["action"] == action


@pytest.mark.parametrize("status", [404, 410])
def test_an_audit_that_is_gone_is_no_end_of_a_wait(machine: Machine, cloud: Emulator, status: int) -> None:
    """A machine may be deleted between two looks, at itself and at its audit; the next look at it decides."""
    machine.reboot()
    cloud.faults.add(Fault("MachineAudit", status=status, code="ResourceNotFound", times=1))
    machine.poll_until("running", timeout=20)

    assert cloud.trace.operations().count("MachineAudit") == 2


@pytest.mark.parametrize(("late", "ours"), [(299, True), (0, True), (-299, True), (-302, False)])
def test_without_the_servers_date_ours_must_do(
    late: float, ours: bool, odd_server: responses.RequestsMock, odd_dc: DataCenter
) -> None:
    """An entry is ours though the server's clock is behind by what signatures allow; an older one is not."""
    moment = datetime.fromtimestamp(odd_dc.clock.time() + late, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    entry: dict[str, Any] = {"success": "no", "action": "stop", "time": moment}
    odd_server.get("http://odd.test/my/machines/1", json={"id": "1", "state": "running"})
    odd_server.post("http://odd.test/my/machines/1", status=202)
    odd_server.get("http://odd.test/my/machines/1/audit", json=[entry])
    machine = Machine(odd_dc, "1")
    machine.stop()

    with pytest.raises(WaitFailed if ours else WaitTimeout):
        machine.poll_until("stopped", timeout=10)


def test_an_earlier_job_is_not_taken_for_ours(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """``RebootMachine``: an object that has never read the audit counts its entries before it asks."""
    machine.reboot(wait=True)
    fresh = dc.machine(machine.id)
    cloud.transitions.policy = AfterSeconds(30)
    began = cloud.clock.monotonic()
    fresh.reboot(wait=True)

    assert cloud.clock.monotonic() - began >= 30


@pytest.mark.parametrize("left", [0, 1, 3, 4])
def test_an_audit_that_forgets_proves_nothing(machine: Machine, cloud: Emulator, left: int) -> None:
    """``MachineAudit`` may lose old entries during a wait: those that are left are no newer for that."""
    for _ in range(5):
        machine.reboot(wait=True)
    cloud.transitions.policy = AfterSeconds(30)
    jobs = record(cloud, machine).jobs

    def forget(_: object) -> bool:
        finished = [job for job in jobs if job.finished and job.action == "reboot"]
        for job in finished[: len(finished) - left]:
            jobs.remove(job)
        return False

    cloud.faults.add(Fault("RebootMachine", where=forget))
    with pytest.raises(WaitTimeout):
        machine.reboot(wait=True, timeout=20)


@pytest.mark.parametrize("succeeded", ["yes", "no"])
def test_a_shorter_audit_has_no_entry_of_ours(
    succeeded: str, odd_server: responses.RequestsMock, odd_dc: DataCenter
) -> None:
    """``MachineAudit``: as of a data centre that has lost its newest records, or whose answer was cut."""
    entry = {"success": succeeded, "action": "reboot", "time": "2026-01-01T00:00:00.000Z"}
    odd_server.get("http://odd.test/my/machines/1", json={"id": "1", "state": "running"})
    odd_server.post("http://odd.test/my/machines/1", status=202)
    odd_server.get("http://odd.test/my/machines/1/audit", json=[entry] * 3)
    odd_server.get("http://odd.test/my/machines/1/audit", json=[entry] * 2)

    with pytest.raises(WaitTimeout, match="has not finished its reboot"):
        Machine(odd_dc, "1").reboot(wait=True, timeout=10)


def test_a_failure_names_the_machine_and_the_audits_reason(machine: Machine) -> None:
    """``MachineAudit``: as fleets call it where a step can no longer end well."""
    machine.stop(wait=True)
    with pytest.raises(WaitFailed, match=r"machine web-1 \(.*\) cannot do it"):
        machine.fail("cannot do it")


# Lost answers

RESIZE = "g1-medium"

WAITED_FOR: dict[str, tuple[str, str, Callable[[Machine], object]]] = {
    "stop": ("StopMachine", "running", lambda machine: machine.stop(wait=True)),
    "start": ("StartMachine", "stopped", lambda machine: machine.start(wait=True)),
    "reboot": ("RebootMachine", "running", lambda machine: machine.reboot(wait=True)),
    "resize": ("ResizeMachine", "running", lambda machine: machine.resize(RESIZE, wait=True)),
    "rename": ("RenameMachine", "running", lambda machine: machine.rename("web-2", wait=True)),
    "rollback_snapshot": (
        "StartMachineFromSnapshot",
        "stopped",
        lambda machine: machine.start_from_snapshot("before", wait=True),
    ),
}
"""The jobs that must not be requested twice, with their operation and the state before them."""

PROXY: dict[str, Any] = {"status": 503, "body": "<html>No server is available</html>", "headers": {"Server": "haproxy"}}
UNKNOWN: dict[str, dict[str, Any]] = {
    "reset": {"kind": "reset"},
    "proxy": {"kind": "status", **PROXY},
    "answer of another operation": {"kind": "status", "status": 200, "code": None, "body": {}},
}


def lose(cloud: Emulator, operation: str, when: str = "after", **fault: Any) -> None:
    """Lose the next answer to an operation."""
    cloud.faults.add(Fault(operation, when=when, **fault or UNKNOWN["reset"]))


@pytest.mark.parametrize("fault", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("action", WAITED_FOR)
def test_a_job_whose_answer_was_lost_is_waited_for(
    dc: DataCenter, cloud: Emulator, caplog: pytest.LogCaptureFixture, action: str, fault: dict[str, Any]
) -> None:
    """The audit has one more entry of its name: it was received, and is not requested again."""
    operation, _, do = WAITED_FOR[action]
    machine = prepared(dc, cloud, "web-1", action)
    cloud.transitions.policy = AfterSeconds(5)
    lose(cloud, operation, **fault)
    began = cloud.clock.monotonic()

    do(machine)

    assert "lost the answer" in caplog.text
    assert cloud.trace.operations().count(operation) == 1
    assert cloud.clock.monotonic() - began < 10
    entry = machine.audit()[0]
    assert (entry.action, entry.succeeded) == (action, True)
    assert dict(machine.refresh()) == dict(dc.machine(machine.id))


@pytest.mark.parametrize("action", WAITED_FOR)
def test_the_failure_of_a_job_whose_answer_was_lost_is_raised(dc: DataCenter, cloud: Emulator, action: str) -> None:
    """It was received and has failed, so that its outcome is known: the audit's reason counts, and not the connection."""
    operation, _, do = WAITED_FOR[action]
    machine = prepared(dc, cloud, "web-1", action)
    cloud.transitions.fail(action)
    lose(cloud, operation)

    with pytest.raises(WaitFailed, match=rf"did not {action}; its audit says that {action} failed at") as caught:
        do(machine)
    assert caught.value.reason is not None
    assert caught.value.reason["action"] == action


@pytest.mark.parametrize("action", WAITED_FOR)
def test_a_job_of_which_there_is_no_sign_ends_in_the_error_of_its_request(
    dc: DataCenter, cloud: Emulator, action: str
) -> None:
    """It is looked for as long as it could still appear; the error then says what was tried, and is not sent again."""
    operation, _, do = WAITED_FOR[action]
    machine = prepared(dc, cloud, "web-1", action)
    lose(cloud, operation, "before", kind="reset")
    began = cloud.clock.monotonic()

    with pytest.raises(TransportError, match=r"^POST /demo/machines/") as caught:
        do(machine)

    assert cloud.clock.monotonic() - began == dc.settle
    assert cloud.trace.operations().count(operation) == 1
    assert caught.value.applied is None
    [note] = caught.value.__notes__
    assert " may have been requested, but its audit and its state did not show it within 180 s; machine.audit()" in note


def test_earlier_jobs_and_other_jobs_are_no_sign(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """``RebootMachine``: what was in the audit before does not count, even of the same second, nor do other names."""
    machine.reboot(wait=True)
    machine.reboot(wait=True)
    lose(cloud, "RebootMachine", "before", kind="reset")
    fresh = dc.machine(machine.id)
    dc.progress = lambda _: machine.rename(f"web-{cloud.clock.monotonic():.0f}")

    with pytest.raises(TransportError):
        fresh.reboot(wait=True)


@pytest.mark.parametrize("action", ["stop", "reboot"])
def test_a_state_shows_a_job_that_takes_longer_than_the_search(dc: DataCenter, cloud: Emulator, action: str) -> None:
    """A machine that is ``stopping`` does what was asked for, though its audit will be silent for minutes."""
    operation, _, do = WAITED_FOR[action]
    machine = prepared(dc, cloud, "web-1", action)
    cloud.transitions.policies[action] = AfterSeconds(500)
    lose(cloud, operation)
    began = cloud.clock.monotonic()

    do(machine)

    assert 500 <= cloud.clock.monotonic() - began <= 502


def test_the_state_of_another_job_is_no_sign_of_one_that_changes_none(machine: Machine, cloud: Emulator) -> None:
    """``ResizeMachine``: a machine that is ``stopping`` is not being resized."""
    cloud.transitions.policy = AfterSeconds(500)
    machine.stop()
    lose(cloud, "ResizeMachine", "before", kind="reset")
    with pytest.raises(TransportError, match=r"^POST "):
        machine.resize(RESIZE, wait=True)


def test_a_long_job_that_shows_nothing_is_not_claimed_to_have_failed(machine: Machine, cloud: Emulator) -> None:
    """``ResizeMachine``: after three minutes nobody knows; the error says so, and how to see it later."""
    cloud.transitions.policy = AfterSeconds(200)
    lose(cloud, "ResizeMachine")
    with pytest.raises(TransportError) as caught:
        machine.resize(RESIZE, wait=True)
    assert caught.value.applied is None

    cloud.clock.sleep(30)
    assert machine.audit()[0].describe().startswith("resize succeeded")


@pytest.mark.parametrize("timeout", [20, 0])
def test_the_search_and_the_wait_share_the_time(machine: Machine, cloud: Emulator, timeout: int) -> None:
    """With a shorter `timeout`, the search ends then, and a wait after the search does not begin it anew."""
    cloud.transitions.policy = AfterSeconds(500)
    lose(cloud, "ResizeMachine")
    began = cloud.clock.monotonic()
    with pytest.raises(TransportError, match=r"^POST "):
        machine.resize(RESIZE, wait=True, timeout=timeout)
    assert cloud.clock.monotonic() - began == timeout


def test_a_wait_after_the_search_ends_in_time(machine: Machine, cloud: Emulator) -> None:
    """``StopMachine``: the time counts from the lost answer, also where a sign came late."""
    cloud.transitions.policies = {"resize": AfterSeconds(15), "stop": AfterSeconds(100)}
    machine.resize(RESIZE)
    lose(cloud, "StopMachine")
    began = cloud.clock.monotonic()
    with pytest.raises(WaitTimeout, match="has not finished its stop after 60 s") as caught:
        machine.stop(wait=True, timeout=60)
    [note] = caught.value.__notes__
    assert note.startswith("the answer to the request was lost: POST /demo/machines/")
    assert cloud.clock.monotonic() - began == 60


def test_a_search_that_cannot_look_says_so(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """``MachineAudit``: whoever may stop machines, and not read audits, is not told that nothing was there."""
    dc.settle = 30
    lose(cloud, "StopMachine")
    cloud.faults.add(Fault("MachineAudit", skip=1, times=None, status=403, code="NotAuthorized", message="Not yours"))

    with pytest.raises(TransportError) as caught:
        machine.stop(wait=True)

    assert not [frame for frame in traceback.extract_tb(caught.value.__traceback__) if "waiting" in frame.filename]
    [note] = caught.value.__notes__
    assert "stop may have been requested, but its audit and its state could not be read: GET " in note
    assert "403 NotAuthorized: Not yours" in note


def test_a_silent_server_does_not_prolong_the_search(cloud: Emulator) -> None:
    """``MachineAudit``: even the last look has only the few seconds that the last check of every wait has."""
    cloud.populate(1, name="web-1")
    with DataCenter(**cloud.connection()) as dc:
        machine = dc.machine("web-1")
        lose(cloud, "StopMachine")
        cloud.faults.add(Fault("MachineAudit", "stall", skip=1, times=None))
        began = cloud.clock.monotonic()
        with pytest.raises(TransportError, match=r"^POST "):
            machine.stop(wait=True, timeout=20)
        assert 20 <= cloud.clock.monotonic() - began <= 25


def test_a_look_that_failed_before_the_last_one_does_not_matter(machine: Machine, cloud: Emulator) -> None:
    """``MachineAudit``: the last look decides what the note says."""
    lose(cloud, "StopMachine", "before", kind="reset")
    cloud.faults.add(Fault("MachineAudit", skip=1, status=403, code="NotAuthorized"))
    with pytest.raises(TransportError) as caught:
        machine.stop(wait=True)
    [note] = caught.value.__notes__
    assert "its audit and its state did not show it within 180 s" in note


def test_a_failed_look_is_no_sign_of_nothing(machine: Machine, cloud: Emulator) -> None:
    """``MachineAudit``: after an outage of a minute the job is found."""
    lose(cloud, "StopMachine")
    cloud.faults.add(Fault("MachineAudit", "reset", skip=1, times=20))
    machine.stop(wait=True)
    assert machine.state == "stopped"


def test_the_log_says_that_an_answer_was_lost(
    machine: Machine, cloud: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """``StopMachine``: a WARNING at once, with the reason, and one line when it is found."""
    caplog.set_level("INFO", "smartdc.waiting")
    lose(cloud, "StopMachine")
    machine.stop(wait=True)

    lost, found = caplog.records
    assert lost.levelname == "WARNING"
    words = "web-1: lost the answer to its stop; looking for a sign of it for up to 180 s: POST /demo/machines/"
    assert lost.getMessage().startswith(words)
    assert found.getMessage() == "web-1: its stop was received, as seen after 0 s"


def test_the_progress_says_that_an_answer_was_lost(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """``ResizeMachine``: as long as there is no sign, and then the wait goes on as always."""
    lines: list[str] = []
    dc.progress = lambda now: lines.append(str(now))
    cloud.transitions.policy = AfterSeconds(5)
    lose(cloud, "ResizeMachine")
    machine.resize(RESIZE, wait=True)

    assert lines == [
        "web-1: resize, not answered, looking for it [                    ] 0 s",
        "web-1: resize, not answered, looking for it [                    ] 2 s",
        "web-1: resize done after 6 s",
    ]


def test_the_progress_ends_where_nothing_is_found(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """``ResizeMachine``: a function that has to tidy up hears of the end."""
    seen: list[Progress] = []
    dc.progress = seen.append
    lose(cloud, "ResizeMachine", "before", kind="reset")
    with pytest.raises(TransportError):
        machine.resize(RESIZE, wait=True)

    assert [now.done for now in seen[-2:]] == [False, True]
    assert str(seen[-1]) == "web-1: resize not done after 180 s"


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_search_says_where_to_look(
    machine: Machine, dc: DataCenter, cloud: Emulator, end: type[BaseException]
) -> None:
    """``StopMachine``: nobody knows by then that the job goes on; the reporter that has left is not called again."""
    seen: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        raise end

    dc.progress = interrupt
    lose(cloud, "StopMachine", "before", kind="reset")
    with pytest.raises(end) as caught:
        machine.stop(wait=True)
    [note] = caught.value.__notes__
    assert note.startswith("web-1: stop may have been requested; machine.audit() shows when it has ended, and machine.")
    assert len(seen) == 1
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert ("find_until_settled" in frames) == (end is SystemExit)


class Deaf:
    """No data centre, and no more than a machine needs: requests for jobs are lost, and the audit stays empty."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def request(self, method: str, path: str, **_: Any) -> tuple[Any, requests.Response]:
        """Note what was asked, and lose it or answer."""
        self.asked.append(f"{method} {path}")
        if method == "POST":
            raise TransportError("lost")
        return [] if path.endswith("audit") else {"id": "1", "state": "running"}, requests.Response()

    def raw_machine_data(self, machine_id: str, credentials: bool = False) -> dict[str, Any]:
        """Describe a machine."""
        self.asked.append(f"GET {machine_id}{credentials or ''}")
        return {"id": machine_id, "state": "running"}


def test_over_a_stand_in_there_is_one_look() -> None:
    """It has neither a clock nor a time to settle."""
    there = Deaf()
    with pytest.raises(TransportError, match="lost"):
        Machine(there, data={"id": "1", "state": "running"}).stop(wait=True)  # type: ignore[arg-type]
    assert there.asked == ["GET machines/1/audit", "POST machines/1", "GET machines/1/audit", "GET 1"]


@pytest.mark.parametrize("action", WAITED_FOR)
def test_without_a_wait_the_error_comes_at_once_and_says_where_to_look(
    dc: DataCenter, cloud: Emulator, action: str
) -> None:
    """Nobody has read the audit before, and so nobody could tell the job from an earlier one."""
    operation, _, _ = WAITED_FOR[action]
    machine = prepared(dc, cloud, "web-1", action)
    lose(cloud, operation)
    began = cloud.clock.monotonic()
    with pytest.raises(TransportError) as caught:
        DEEDS[action][1](machine, cloud)

    assert cloud.clock.monotonic() == began
    assert caught.value.applied is None
    [note] = caught.value.__notes__
    assert " may have been requested; machine.audit() shows when it has ended" in note


def test_a_refusal_is_raised_as_it_is(machine: Machine, cloud: Emulator) -> None:
    """``StopMachine``: what certainly was not done needs no search, and no note."""
    lose(cloud, "StopMachine", "before", status=403, code="NotAuthorized")
    began = cloud.clock.monotonic()
    with pytest.raises(NotAuthorized) as caught:
        machine.stop(wait=True)
    assert cloud.clock.monotonic() == began
    assert not hasattr(caught.value, "__notes__")


SHOWN: dict[str, tuple[str, Callable[[Machine], object], str]] = {
    "delete": ("DeleteMachine", lambda machine: machine.delete(wait=True), "its state did not show it"),
    "firewall": (
        "EnableMachineFirewall",
        lambda machine: machine.enable_firewall(wait=True),
        "its firewall_enabled did not show it within 180 s; machine.refresh().firewall_enabled shows it",
    ),
    "protection": (
        "EnableMachineDeletionProtection",
        lambda machine: machine.enable_deletion_protection(wait=True),
        "its deletion_protection did not show it",
    ),
}
"""Changes that are sent again when their answer is lost, and that the machine itself shows."""


@pytest.mark.parametrize(("operation", "do"), [case[:2] for case in SHOWN.values()], ids=SHOWN)
def test_a_change_that_the_machine_shows_is_found(
    machine: Machine, dc: DataCenter, cloud: Emulator, operation: str, do: Callable[[Machine], object]
) -> None:
    """The outage lasts longer than the request is repeated, and the change is there when it is over."""
    seen: list[Progress] = []
    dc.progress = seen.append
    cloud.transitions.policy = AfterSeconds(100)
    lose(cloud, operation)
    lose(cloud, operation, "before", kind="reset", times=None)
    do(machine)

    there = record(cloud, machine)
    assert there.state == "deleted" or there.firewall_enabled or there.deletion_protection
    assert seen[-1].outcome == "done"
    assert seen[-1].elapsed >= seen[-2].elapsed  # the time of the search counts


@pytest.mark.parametrize(("operation", "do", "words"), SHOWN.values(), ids=SHOWN)
def test_a_change_that_the_machine_does_not_show_is_unknown(
    machine: Machine, cloud: Emulator, operation: str, do: Callable[[Machine], object], words: str
) -> None:
    """The error of the request says where it was looked for."""
    lose(cloud, operation, "before", kind="reset", times=None)
    with pytest.raises(TransportError) as caught:
        do(machine)
    [note] = caught.value.__notes__
    assert words in note


def test_a_job_that_was_found_is_remembered(machine: Machine, cloud: Emulator) -> None:
    """``StopMachine``: a later wait for the state ends at once when the job fails after all."""

    def fail(_: MachineRecord) -> None:
        raise JobFailed("no heartbeat")

    cloud.transitions.policy = AfterSeconds(30)
    lose(cloud, "StopMachine")
    with pytest.raises(WaitTimeout, match="has not finished its stop after 10 s"):
        machine.stop(wait=True, timeout=10)
    record(cloud, machine).pending[0].effect = fail

    with pytest.raises(WaitFailed, match="did not become stopped: its stop failed"):
        machine.poll_until("stopped")


@pytest.mark.parametrize(
    ("state", "before", "shown"),
    [
        ("stopping", "running", True),
        ("ready", "running", True),
        ("stopping", "stopping", False),  # it was at work for somebody else
        ("stopped", "running", False),  # our knowledge may have been old
        ("unknown", "running", False),
        (None, "running", False),
    ],
)
def test_states_that_show_a_job(state: str | None, before: str, shown: bool) -> None:
    """Only a new state in which no machine stays; which of them are stable is a table of this module."""
    assert is_at_work(state, before) is shown


DELETED: dict[str, tuple[str, Callable[[Machine], object], Callable[[MachineRecord], int]]] = {
    "snapshot": (
        "DeleteMachineSnapshot",
        lambda machine: machine.snapshot("before").delete(wait=True),
        lambda there: len(there.snapshots),
    ),
    "interface": ("RemoveNic", lambda machine: machine.nics()[0].delete(wait=True), lambda there: len(there.nics)),
}
"""Deletions by jobs, and how many things are left on the server."""


@pytest.mark.parametrize("seconds", [1, 5])
@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize(("operation", "do", "left"), DELETED.values(), ids=DELETED)
def test_a_deletion_whose_answers_were_lost_is_done(
    machine: Machine,
    cloud: Emulator,
    operation: str,
    do: Callable[[Machine], object],
    left: Callable[[MachineRecord], int],
    times: int | None,
    seconds: int,
) -> None:
    """It is sent again, and the second job fails, since there is nothing left to delete: the first one counts."""
    machine.create_snapshot("before", wait=True)
    cloud.transitions.policy = AfterSeconds(seconds)
    before = left(record(cloud, machine))
    lose(cloud, operation, kind="reset", times=times)
    do(machine)

    assert left(record(cloud, machine)) == before - 1


@pytest.mark.parametrize(("operation", "do"), [case[:2] for case in DELETED.values()], ids=DELETED)
def test_a_deletion_that_failed_twice_has_failed(
    machine: Machine, cloud: Emulator, operation: str, do: Callable[[Machine], object]
) -> None:
    """``DeleteMachineSnapshot``, ``RemoveNic``: that there were two jobs does not make it a success."""
    machine.create_snapshot("before", wait=True)
    cloud.transitions.policy = AfterSeconds(1)
    for action in ("delete_snapshot", "remove_nics"):
        cloud.transitions.fail(action, times=2)
    lose(cloud, operation)
    with pytest.raises(WaitFailed, match="its audit says that "):
        do(machine)
