"""Jobs and their entries in the audit: which of them a wait for a state must hear of, and which entry is ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
import responses

from kits.cloud import network_id, record
from smartdc import DataCenter, Machine, WaitFailed, WaitTimeout
from smartdc.core.literals import Action
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.transitions import AfterSeconds

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


def test_a_failure_names_the_machine_and_the_audits_reason(machine: Machine) -> None:
    """``MachineAudit``: as fleets call it where a step can no longer end well."""
    machine.stop(wait=True)
    with pytest.raises(WaitFailed, match=r"machine web-1 \(.*\) cannot do it"):
        machine.fail("cannot do it")
