"""Waiting for a state with ``poll_until`` and ``poll_while``: deadlines, dead ends, failed actions, blips.

After several actions it also matters which of them counts, and which state proves what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import responses

from kits.cloud import record
from smartdc import (
    DataCenter,
    Disk,
    InputError,
    Machine,
    Migration,
    Snapshot,
    Volume,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.transitions import AfterReads, AfterSeconds

ROUND_TRIPS: dict[str, Callable[[Machine], object]] = {
    "reboot": lambda machine: machine.reboot(),
    "rollback_snapshot": lambda machine: machine.start_from_snapshot("before"),
}
each_round_trip = pytest.mark.parametrize("action", ROUND_TRIPS)


def polls(cloud: Emulator) -> int:
    """Return how often ``GetMachine`` was asked for."""
    return cloud.trace.operations().count("GetMachine")


@pytest.fixture
def slow(cloud: Emulator) -> Emulator:
    """The cloud, where every job takes 30 seconds."""
    cloud.transitions.policy = AfterSeconds(30)
    return cloud


@pytest.fixture
def stopped(machine: Machine, cloud: Emulator) -> Machine:
    """The machine, stopped."""
    record(cloud, machine).state = "stopped"
    machine.refresh()
    return machine


@pytest.fixture
def busy(machine: Machine, slow: Emulator) -> Machine:
    """The machine, with a job that keeps every other one waiting for 30 seconds."""
    record(slow, machine)
    machine.add_tags(role="web")
    return machine


@pytest.fixture
def busy_with_snapshot(machine: Machine, cloud: Emulator) -> Machine:
    """The machine, with a snapshot, and with a job that keeps every other one waiting for 30 seconds."""
    machine.create_snapshot("before", wait=True)
    cloud.transitions.policy = AfterSeconds(30)
    machine.add_tags(role="web")
    return machine


@pytest.mark.parametrize(("arguments", "looks"), [((), 16), ((10,), 4)], ids=["by default", "every 10 s"])
@pytest.mark.parametrize(("method", "state"), [("poll_until", "stopped"), ("poll_while", "stopping")])
def test_looks(
    machine: Machine, slow: Emulator, method: str, state: str, arguments: tuple[float, ...], looks: int
) -> None:
    """``GetMachine`` is sent every two seconds until the state is there, or left; the interval is the second argument."""
    machine.stop()
    before = polls(slow)
    getattr(machine, method)(state, *arguments)
    assert (machine.state, slow.clock.monotonic()) == ("stopped", 30)
    assert polls(slow) - before == looks


def test_poll_until_what_is_so_already(machine: Machine, cloud: Emulator) -> None:
    """One ``GetMachine`` is enough where the state is there, and no time passes."""
    before = polls(cloud)
    machine.poll_until("running")
    assert (polls(cloud) - before, cloud.clock.monotonic()) == (1, 0)


def test_poll_until_by_reads(machine: Machine, cloud: Emulator) -> None:
    """A job that ends after some reads of the machine is waited for like any other."""
    cloud.transitions.policy = AfterReads(5)
    machine.stop()
    machine.poll_until("stopped")
    assert record(cloud, machine).state == "stopped"


@pytest.mark.parametrize(("method", "state"), [("poll_until", "stopped"), ("poll_while", "running")])
@pytest.mark.parametrize(("options", "seconds"), [({"timeout": 25}, 25), ({}, 600), ({"timeout": 0}, 0)])
def test_deadline(
    machine: Machine, cloud: Emulator, method: str, state: str, options: dict[str, Any], seconds: int
) -> None:
    """A wait ends with its time-out, which is ten minutes by default, and brings the machine as last seen."""
    with pytest.raises(WaitTimeout, match=rf"web-1 .*{machine.id}.*after {seconds} s") as caught:
        getattr(machine, method)(state, **options)
    assert cloud.clock.monotonic() == seconds
    assert caught.value.resource is machine
    assert isinstance(caught.value, TimeoutError)


def test_no_deadline(machine: Machine, cloud: Emulator) -> None:
    """With ``timeout=None`` a wait goes on for as long as it takes."""
    cloud.transitions.policy = AfterSeconds(7200)
    machine.stop()
    machine.poll_until("stopped", interval=60, timeout=None)
    assert cloud.clock.monotonic() == 7200


@pytest.mark.parametrize("method", ["poll_until", "poll_while"])
@pytest.mark.parametrize("state", ["Running", "gone", "", "started"])
def test_state_that_is_none(machine: Machine, cloud: Emulator, method: str, state: str) -> None:
    """A state that no machine is ever in is refused, with those there are, before anything is sent."""
    before = len(cloud.trace)
    every = "provisioning, ready, running, stopping, stopped, offline, deleted, failed, unknown"
    with pytest.raises(InputError, match=f"unknown machine state {state!r}; expected one of {every}$"):
        getattr(machine, method)(state)
    assert len(cloud.trace) == before


def test_machine_that_failed_ends_the_wait(dc: DataCenter, slow: Emulator) -> None:
    """A failed machine will not run: the wait ends at once, with what the ``MachineAudit`` says."""
    slow.transitions.fail("provision")
    machine = dc.create_machine(name="web-1", image=dc.images()[0], package="g1-small")
    with pytest.raises(
        WaitFailed, match=r"web-1 .*cannot become running: it is failed.*its audit says that provision failed at"
    ) as caught:
        machine.poll_until("running")
    assert caught.value.reason == machine.audit()[0]
    assert caught.value.resource is machine
    assert slow.clock.monotonic() == 30


def test_failure_can_be_waited_for(dc: DataCenter, slow: Emulator) -> None:
    """``failed`` is a state like any other, and from there a machine can still become ``deleted``."""
    slow.transitions.fail("provision")
    machine = dc.create_machine(name="web-1", image=dc.images()[0], package="g1-small")
    machine.poll_until("failed")
    machine.delete(wait=True)
    assert (machine.state, slow.clock.monotonic()) == ("deleted", 60)


def test_machine_that_is_deleted_ends_the_wait(machine: Machine, dc: DataCenter, slow: Emulator) -> None:
    """A machine that somebody deletes will not stop any more; the ``MachineAudit`` says who did it and when."""
    dc.machine(machine.id).delete()
    with pytest.raises(WaitFailed, match=r"cannot become stopped: it is deleted.*destroy succeeded at") as caught:
        machine.poll_until("stopped")
    assert caught.value.reason is not None
    assert caught.value.reason["action"] == "destroy"
    assert slow.clock.monotonic() == 30


def test_machine_without_an_audit_ends_the_wait(machine: Machine, cloud: Emulator) -> None:
    """Where the ``MachineAudit`` cannot be had, the wait ends without a reason."""
    record(cloud, machine).state = "failed"
    cloud.faults.add(Fault("MachineAudit", status=404, code="ResourceNotFound", message="VM not found", times=None))
    with pytest.raises(
        WaitFailed, match=r"it is failed; its audit gives no reason; machine\.audit\(\) may have one later"
    ) as caught:
        machine.poll_until("running")
    assert caught.value.reason is None


def test_failed_start_is_found_in_the_audit(stopped: Machine, slow: Emulator) -> None:
    """CloudAPI accepts a start that then fails: the machine stays stopped, and the ``MachineAudit`` tells."""
    slow.transitions.fail("start")
    stopped.start()
    with pytest.raises(WaitFailed, match=r"did not become running: its start failed.*start failed at") as caught:
        stopped.poll_until("running")
    assert caught.value.reason == stopped.audit()[0]
    assert slow.clock.monotonic() == 30


def test_failure_of_an_earlier_action_is_no_reason(stopped: Machine, slow: Emulator) -> None:
    """A start that failed does not end the wait for a second one, asked for in the same second."""
    slow.transitions.fail("start")
    stopped.start()
    with pytest.raises(WaitFailed):
        stopped.poll_until("running")
    stopped.start()
    stopped.poll_until("running")
    assert record(slow, stopped).state == "running"


def test_a_410_that_says_nothing_of_the_machine_is_its_end_too(machine: Machine, cloud: Emulator) -> None:
    """As a proxy may shorten it, or a server answer for what is long gone."""
    cloud.faults.add(Fault("GetMachine", "status", status=410, code="ResourceNotFound", times=None))
    machine.poll_until("deleted", timeout=5)
    assert machine["state"] == "deleted"


@pytest.mark.parametrize("purged", [False, True], ids=["410", "404"])
@pytest.mark.parametrize(("method", "state"), [("poll_until", "deleted"), ("poll_while", "running")])
def test_deleted(machine: Machine, slow: Emulator, method: str, state: str, purged: bool) -> None:
    """A wait for the end of a machine ends with it, whether CloudAPI still knows the machine (410) or not (404)."""
    machine.delete()
    if purged:
        slow.clock.sleep(30)
        del slow.state.machines[machine.id]
    getattr(machine, method)(state)
    assert machine.state == "deleted"
    assert (slow.clock.monotonic(), slow.trace[-1].status) == (30, 404 if purged else 410)


def test_deleted_by_somebody_else(machine: Machine, cloud: Emulator) -> None:
    """A machine that CloudAPI does not know any more (404) is deleted, and no wait for another state goes on."""
    del cloud.state.machines[machine.id]
    with pytest.raises(WaitFailed, match="it is deleted"):
        machine.poll_until("stopped")
    machine.poll_until("deleted")
    assert machine.state == "deleted"


def test_poll_while(dc: DataCenter, slow: Emulator) -> None:
    """``GetMachine`` is asked for until the machine has left the state."""
    machine = dc.create_machine(name="web-1", image=dc.images()[0], package="g1-small")
    machine.poll_while("provisioning")
    assert (machine.state, slow.clock.monotonic()) == ("running", 30)


@pytest.mark.parametrize("state", ["running", "stopping"])
def test_poll_while_of_an_action_that_does_not_show_yet(busy: Machine, slow: Emulator, state: Any) -> None:
    """A stop that waits behind another job counts as begun: the wait is not over before it is done."""
    busy.stop()
    assert busy.status() == "running"
    busy.poll_while(state)
    assert busy.state == {"running": "stopping", "stopping": "stopped"}[state]
    assert slow.clock.monotonic() == {"running": 30, "stopping": 60}[state]


def test_poll_while_of_an_action_that_was_over_at_once(machine: Machine, cloud: Emulator) -> None:
    """A reboot that nobody saw is over: the ``MachineAudit`` tells, though the state is what it was."""
    machine.reboot()
    machine.poll_while("ready")
    assert (machine.state, cloud.clock.monotonic()) == ("running", 0)


TRANSIENT_ERRORS: dict[str, Fault] = {
    "500": Fault("GetMachine", status=500, times=12),
    "503": Fault("GetMachine", kind="unavailable", times=12),
    "502 in HTML": Fault("GetMachine", kind="html", times=12),
    "maintenance": Fault("GetMachine", kind="maintenance", times=3),
    "throttled": Fault("GetMachine", kind="throttled", times=12),
    "reset": Fault("GetMachine", kind="reset", times=12),
    "close": Fault("GetMachine", kind="close", times=12),
    "after the answer": Fault("GetMachine", kind="reset", when="after", times=12),
}


@pytest.mark.parametrize("blip", TRANSIENT_ERRORS.values(), ids=TRANSIENT_ERRORS)
@pytest.mark.parametrize("method", ["poll_until", "poll_while"])
def test_blips_are_looked_past(machine: Machine, slow: Emulator, method: str, blip: Fault) -> None:
    """What goes wrong between two polls, longer than one call tries again, does not end the wait."""
    slow.transitions.policy = AfterSeconds(300)
    machine.stop()
    slow.faults.add(blip)
    getattr(machine, method)("stopped" if method == "poll_until" else "stopping")
    assert machine.state == "stopped"
    assert slow.faults.pending() == []


def test_blips_in_the_audit_are_looked_past(machine: Machine, slow: Emulator) -> None:
    """What goes wrong with ``MachineAudit`` does not end the wait either."""
    slow.transitions.policy = AfterSeconds(300)
    machine.reboot()
    slow.faults.add(Fault("MachineAudit", kind="reset", times=12))
    machine.reboot(wait=True)
    assert slow.faults.pending() == []


@pytest.mark.parametrize("method", ["poll_until", "poll_while"])
def test_deadline_of_a_silent_server(cloud: Emulator, method: str) -> None:
    """A server that does not answer cannot hold up a wait for longer than its time-out and a few seconds."""
    [record] = cloud.populate(1, name="web-1")
    with DataCenter(**cloud.connection()) as dc:
        machine = dc.machine(record.id)
        cloud.faults.add(Fault("GetMachine", kind="stall", times=None))
        with pytest.raises(WaitTimeout, match="after 20 s"):
            getattr(machine, method)("stopped" if method == "poll_until" else "running", timeout=20)
    assert cloud.clock.monotonic() <= 26


def test_older_failure_is_not_ours_where_no_answer_has_a_date(
    odd_server: responses.RequestsMock, odd_dc: DataCenter
) -> None:
    """What failed years ago says nothing about what was just asked for, also without the server's Date."""
    old = {"success": "no", "action": "stop", "time": "2020-01-01T00:00:00.000Z"}
    odd_server.get("http://odd.test/my/machines/1", json={"id": "1", "state": "running"})
    odd_server.post("http://odd.test/my/machines/1", status=202)
    odd_server.get("http://odd.test/my/machines/1/audit", json=[old])
    machine = Machine(odd_dc, "1")
    machine.stop()
    with pytest.raises(WaitTimeout):
        machine.poll_until("stopped", timeout=10)


@each_round_trip
def test_way_there_and_back(busy_with_snapshot: Machine, cloud: Emulator, action: str) -> None:
    """A machine that ends in the state it began in has not arrived before the ``MachineAudit`` says so."""
    ROUND_TRIPS[action](busy_with_snapshot)
    busy_with_snapshot.poll_until("running")
    assert (busy_with_snapshot.state, cloud.clock.monotonic()) == ("running", 60)
    assert busy_with_snapshot.audit()[0].action == action


@each_round_trip
def test_way_there_and_back_that_failed(busy_with_snapshot: Machine, cloud: Emulator, action: str) -> None:
    """That the state is right again does not hide that the action failed."""
    cloud.transitions.fail(action)
    ROUND_TRIPS[action](busy_with_snapshot)
    with pytest.raises(WaitFailed, match=rf"its {action} failed; its audit says that {action} failed at"):
        busy_with_snapshot.poll_until("running")


def test_deletion_that_failed(machine: Machine, cloud: Emulator) -> None:
    """A machine that could not be deleted ends the wait for that."""
    cloud.transitions.fail("destroy")
    with pytest.raises(WaitFailed, match="did not become deleted: its destroy failed"):
        machine.delete(wait=True)
    assert cloud.clock.monotonic() < 5


def test_earlier_failure_is_not_forgotten(machine: Machine, cloud: Emulator) -> None:
    """A setting that was asked for after a stop does not hide that the stop failed."""
    cloud.transitions.fail("stop")
    machine.stop()
    machine.enable_deletion_protection()
    with pytest.raises(WaitFailed, match="did not become stopped: its stop failed"):
        machine.poll_until("stopped")


def test_failure_of_long_ago_is_no_reason(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """A start that somebody tried before is told from ours by the server's clock."""
    cloud.transitions.fail("start")
    record(cloud, machine).state = "stopped"
    dc.machine(machine.id).start()
    record(cloud, machine)
    cloud.clock.sleep(60)
    cloud.transitions.policy = AfterSeconds(30)
    machine.start()
    machine.poll_until("running")
    assert [entry.succeeded for entry in machine.audit()] == [True, False]


@pytest.mark.parametrize("setting", ["enable_firewall", "enable_deletion_protection"])
def test_setting_holds_up_no_wait(machine: Machine, cloud: Emulator, setting: str) -> None:
    """A setting changes no state: a machine that is not in the state is not waited for."""
    getattr(machine, setting)(wait=True)
    machine.poll_while("stopping")
    assert cloud.clock.monotonic() == 0


def test_rename_that_failed_is_no_reason(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """What does not change the state does not end a wait for one, though it fails."""
    cloud.transitions.fail("rename")
    machine.rename("web-2")
    cloud.transitions.policy = AfterSeconds(30)
    somebody = dc.machine(machine.id)
    somebody.add_tags(role="web")
    somebody.stop()
    machine.poll_until("stopped")
    assert record(cloud, machine).name == "web-1"


@pytest.mark.parametrize("state", ["running", "offline", "failed"])
def test_failed_action_in_a_stable_state(machine: Machine, slow: Emulator, state: Any) -> None:
    """In a state that a machine does not leave by itself, a failed start will not lead out of it."""
    record(slow, machine).state = state
    machine.refresh().start()
    with pytest.raises(WaitFailed, match=rf"stays {state}: its start failed.*start failed at"):
        machine.poll_while(state)
    assert slow.clock.monotonic() == 30


@pytest.mark.parametrize("state", ["running", "stopping", "stopped", "failed", "deleted"])
def test_no_way_back_to_provisioning(machine: Machine, cloud: Emulator, state: str) -> None:
    """A machine is provisioned once."""
    record(cloud, machine).state = state
    with pytest.raises(WaitFailed, match=f"cannot become provisioning: it is {state}"):
        machine.poll_until("provisioning")


@pytest.mark.parametrize("goal", ["running", "stopped", "ready", "offline", "failed"])
def test_no_way_back_from_deleted(machine: Machine, cloud: Emulator, goal: Any) -> None:
    """A deleted machine becomes nothing else."""
    record(cloud, machine).state = "deleted"
    with pytest.raises(WaitFailed, match=f"cannot become {goal}: it is deleted"):
        machine.poll_until(goal)


DEEDS: dict[str, Callable[[Machine, Any], object]] = {
    "delete": lambda machine, seconds: machine.delete(wait=True, timeout=seconds),
    "stop": lambda machine, seconds: machine.stop(wait=True, timeout=seconds),
    "enable_firewall": lambda machine, seconds: machine.enable_firewall(wait=True, timeout=seconds),
    "disable_firewall": lambda machine, seconds: machine.disable_firewall(wait=True, timeout=seconds),
    "enable_deletion_protection": lambda machine, seconds: machine.enable_deletion_protection(
        wait=True, timeout=seconds
    ),
    "disable_deletion_protection": lambda machine, seconds: machine.disable_deletion_protection(
        wait=True, timeout=seconds
    ),
    "resize a disk": lambda machine, seconds: Disk(machine, data={"id": "d"}).resize(10, wait=True, timeout=seconds),
    "delete a disk": lambda machine, seconds: Disk(machine, data={"id": "d"}).delete(wait=True, timeout=seconds),
    "delete a volume": lambda machine, seconds: Volume(machine.datacenter, data={"id": "v"}).delete(
        wait=True, timeout=seconds
    ),
    "delete a snapshot": lambda machine, seconds: Snapshot(machine, data={"name": "s"}).delete(
        wait=True, timeout=seconds
    ),
    **{
        f"{phase} a migration": lambda machine, seconds, phase=phase: getattr(  # type: ignore[misc]
            Migration(machine.datacenter, data={"machine": machine.id}), phase
        )(wait=True, timeout=seconds)
        for phase in ("sync", "switch", "pause", "abort")
    },
    "watch a migration": lambda machine, seconds: next(
        Migration(machine.datacenter, data={"machine": machine.id}).watch(timeout=seconds)
    ),
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
@pytest.mark.parametrize("seconds", [-1, float("nan"), "60"])
def test_a_bad_timeout_is_refused_before_anything_is_sent(
    machine: Machine, cloud: Emulator, deed: Callable[[Machine, Any], object], seconds: Any
) -> None:
    """Otherwise the machine would be deleted, or changed, and the error would be about the time-out."""
    before = len(cloud.trace)
    with pytest.raises(InputError, match="timeout"):
        deed(machine, seconds)
    assert len(cloud.trace) == before
