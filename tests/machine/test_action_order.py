"""Waiting after several things were asked for: which of them counts, and which state proves what."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kits.cloud import record
from smartdc import DataCenter, Machine, WaitFailed
from smartdc.emulator import Emulator
from smartdc.emulator.state.transitions import AfterSeconds

ROUND_TRIPS: dict[str, Callable[[Machine], object]] = {
    "reboot": lambda machine: machine.reboot(),
    "rollback_snapshot": lambda machine: machine.start_from_snapshot("before"),
}
each_round_trip = pytest.mark.parametrize("action", ROUND_TRIPS)


@pytest.fixture
def busy(machine: Machine, cloud: Emulator) -> Machine:
    """The machine, with a snapshot, and with a job that keeps every other one waiting for 30 seconds."""
    machine.create_snapshot("before", wait=True)
    cloud.transitions.policy = AfterSeconds(30)
    machine.add_tags(role="web")
    return machine


@each_round_trip
def test_way_there_and_back(busy: Machine, cloud: Emulator, action: str) -> None:
    """A machine that ends in the state it began in has not arrived before the ``MachineAudit`` says so."""
    ROUND_TRIPS[action](busy)
    busy.poll_until("running")
    assert (busy.state, cloud.clock.monotonic()) == ("running", 60)
    assert busy.audit()[0].action == action


@each_round_trip
def test_way_there_and_back_that_failed(busy: Machine, cloud: Emulator, action: str) -> None:
    """That the state is right again does not hide that the action failed."""
    cloud.transitions.fail(action)
    ROUND_TRIPS[action](busy)
    with pytest.raises(WaitFailed, match=rf"its {action} failed \(the audit: {action}, success no"):
        busy.poll_until("running")


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
def test_failed_action_in_a_resting_state(machine: Machine, cloud: Emulator, state: str) -> None:
    """In a state that a machine does not leave by itself, a failed start will not lead out of it."""
    record(cloud, machine).state = state
    machine.refresh().start()
    with pytest.raises(WaitFailed, match=f"stays {state}: its start failed"):
        machine.poll_while(state)


@pytest.mark.parametrize("state", ["running", "stopping", "stopped", "failed", "deleted"])
def test_no_way_back_to_provisioning(machine: Machine, cloud: Emulator, state: str) -> None:
    """A machine is provisioned once."""
    record(cloud, machine).state = state
    with pytest.raises(WaitFailed, match=f"cannot become provisioning: it is {state}"):
        machine.poll_until("provisioning")


@pytest.mark.parametrize("goal", ["running", "stopped", "ready", "offline", "failed"])
def test_no_way_back_from_deleted(machine: Machine, cloud: Emulator, goal: str) -> None:
    """A deleted machine becomes nothing else."""
    record(cloud, machine).state = "deleted"
    with pytest.raises(WaitFailed, match=f"cannot become {goal}: it is deleted"):
        machine.poll_until(goal)


@pytest.mark.parametrize(("method", "state"), [("poll_until", "stopped"), ("poll_while", "running")])
def test_every_two_seconds(machine: Machine, cloud: Emulator, method: str, state: str) -> None:
    """Both waits look every two seconds unless told otherwise."""
    cloud.transitions.policies["set_tags"] = AfterSeconds(10)
    machine.add_tags(role="web")
    machine.stop()
    before = cloud.trace.operations().count("GetMachine")
    getattr(machine, method)(state)
    assert cloud.trace.operations().count("GetMachine") - before == 6
