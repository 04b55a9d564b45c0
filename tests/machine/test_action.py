"""Actions on a machine: what is asked for, what becomes of it, and waiting for the outcome with ``wait=True``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kits.cloud import package_id, record, sent
from smartdc import (
    DataCenter,
    DeletionProtected,
    Gone,
    InputError,
    InvalidArgument,
    Machine,
    MachineNotReady,
    NameTaken,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.transitions import AfterSeconds, ByScript


@dataclass(frozen=True)
class Action:
    """A method, the request that it sends, and what the machine is before and after."""

    method: str
    operation: str
    sent: str
    before: tuple[str, Any]
    after: tuple[str, Any]
    audited: str
    arguments: tuple[str, ...] = ()
    verb: str = "POST"

    def __str__(self) -> str:
        return self.method

    def on(self, machine: Machine, **options: Any) -> None:
        """Do it."""
        getattr(machine, self.method)(*self.arguments, **options)

    def prepared(self, cloud: Emulator, machine: Machine) -> None:
        """Make the machine on the server what it has to be before."""
        setattr(record(cloud, machine), *self.before)


JOBS = (
    Action("stop", "StopMachine", "?action=stop", ("state", "running"), ("state", "stopped"), "stop"),
    Action("start", "StartMachine", "?action=start", ("state", "stopped"), ("state", "running"), "start"),
    Action("reboot", "RebootMachine", "?action=reboot", ("state", "running"), ("state", "running"), "reboot"),
    Action("resize", "ResizeMachine", "?action=resize&package=g1-medium", ("memory", 1024), ("memory", 4096), "resize",
           ("g1-medium",)),
    Action("rename", "RenameMachine", "?action=rename&name=web-2", ("name", "web-1"), ("name", "web-2"), "rename",
           ("web-2",)),
)  # fmt: skip
SWITCHES = (
    Action("enable_firewall", "EnableMachineFirewall", "?action=enable_firewall",
           ("firewall_enabled", False), ("firewall_enabled", True), "unknown"),
    Action("disable_firewall", "DisableMachineFirewall", "?action=disable_firewall",
           ("firewall_enabled", True), ("firewall_enabled", False), "unknown"),
    Action("enable_deletion_protection", "EnableMachineDeletionProtection", "?action=enable_deletion_protection",
           ("deletion_protection", False), ("deletion_protection", True), "enable_deletion_protection"),
    Action("disable_deletion_protection", "DisableMachineDeletionProtection", "?action=disable_deletion_protection",
           ("deletion_protection", True), ("deletion_protection", False), "disable_deletion_protection"),
)  # fmt: skip
DELETE = Action("delete", "DeleteMachine", "", ("state", "running"), ("state", "deleted"), "destroy", verb="DELETE")
ACTIONS = (*JOBS, *SWITCHES, DELETE)

each_action = pytest.mark.parametrize("action", ACTIONS, ids=str)
each_named_job = pytest.mark.parametrize("action", [*JOBS, *SWITCHES[2:]], ids=str)


@each_action
def test_action_is_asked_for(machine: Machine, cloud: Emulator, action: Action) -> None:
    """``StopMachine`` and its kin are one request, and return before the job is done."""
    action.prepared(cloud, machine)
    cloud.transitions.policy = ByScript()
    before = len(cloud.trace)
    action.on(machine)
    assert cloud.trace.operations()[before:] == [action.operation]
    assert sent(cloud, action.operation) == (action.verb, machine.path + action.sent, {})
    assert [job.action for job in record(cloud, machine).pending] == [action.audited]


@each_action
def test_action_takes_effect(machine: Machine, cloud: Emulator, action: Action) -> None:
    """When its job is done, the machine on the server is what ``StopMachine`` and its kin make of it."""
    action.prepared(cloud, machine)
    action.on(machine)
    attribute, value = action.after
    assert getattr(record(cloud, machine), attribute) == value


@each_action
def test_wait_returns_when_the_action_is_done(machine: Machine, cloud: Emulator, action: Action) -> None:
    """With ``wait`` the method returns when the job is over, and the machine here is as it is there."""
    action.prepared(cloud, machine)
    cloud.transitions.policy = AfterSeconds(30)
    action.on(machine, wait=True)
    assert 30 <= cloud.clock.monotonic() < 33
    attribute, value = action.after
    assert machine[attribute] == value
    assert getattr(record(cloud, machine), attribute) == value


@each_action
def test_wait_ends_with_the_timeout(machine: Machine, cloud: Emulator, action: Action) -> None:
    """With ``wait`` a job that does not end costs the time-out and no more; the error names and brings the machine."""
    action.prepared(cloud, machine)
    cloud.transitions.policy = ByScript()
    with pytest.raises(WaitTimeout, match=r"web-1.*after 20 s") as caught:
        action.on(machine, wait=True, timeout=20)
    assert caught.value.resource is machine
    assert 20 <= cloud.clock.monotonic() < 21


@each_named_job
def test_wait_says_that_the_action_failed(machine: Machine, cloud: Emulator, action: Action) -> None:
    """With ``wait`` a job that fails is an error as soon as the audit tells, and the audit's entry is its reason."""
    action.prepared(cloud, machine)
    cloud.transitions.policy = AfterSeconds(30)
    cloud.transitions.fail(action.audited)
    with pytest.raises(WaitFailed, match=rf"web-1.*did not {action}.*{action.audited} failed at") as caught:
        action.on(machine, wait=True)
    assert caught.value.reason is not None
    assert (caught.value.reason["action"], caught.value.reason["success"]) == (action.audited, "no")
    assert 30 <= cloud.clock.monotonic() < 35


@pytest.mark.parametrize("action", SWITCHES[:2], ids=str)
def test_wait_for_a_setting_that_the_audit_does_not_name(machine: Machine, cloud: Emulator, action: Action) -> None:
    """The audit calls jobs of the firewall unknown: ``wait`` cannot tell that one failed, and ends with the time."""
    action.prepared(cloud, machine)
    cloud.transitions.fail("unknown")
    with pytest.raises(WaitTimeout, match=rf"does not have firewall_enabled={action.after[1]} after 60 s"):
        action.on(machine, wait=True, timeout=60)


@pytest.mark.parametrize("action", SWITCHES, ids=str)
def test_setting_that_is_so_already(machine: Machine, cloud: Emulator, action: Action) -> None:
    """With ``wait`` a setting that is no change returns at once: CloudAPI makes no job of it."""
    setattr(record(cloud, machine), *action.after)
    action.on(machine, wait=True)
    assert cloud.clock.monotonic() == 0
    assert record(cloud, machine).jobs == []


def test_reboot_waits_for_the_audit_and_not_for_the_state(machine: Machine, cloud: Emulator) -> None:
    """After ``RebootMachine`` the state says nothing: the ``MachineAudit`` tells when it is done."""
    cloud.transitions.policies["set_tags"] = AfterSeconds(60)
    machine.add_tags(role="web")
    machine.reboot(wait=True)
    assert [entry.action for entry in machine.audit()] == ["reboot", "set_tags"]
    assert cloud.clock.monotonic() >= 60


def test_wait_for_the_second_of_its_kind(machine: Machine, cloud: Emulator) -> None:
    """With ``wait`` the end of an earlier job of the same kind is not taken for that of this one."""
    cloud.transitions.policy = AfterSeconds(30)
    machine.rename("web-2", wait=True)
    machine.rename("web-3", wait=True)
    assert (machine.name, record(cloud, machine).name) == ("web-3", "web-3")
    assert cloud.clock.monotonic() >= 60


@pytest.mark.parametrize("form", ["id", "dict", "resource"])
def test_resize_takes_a_package_in_every_form(machine: Machine, dc: DataCenter, cloud: Emulator, form: str) -> None:
    """``ResizeMachine`` gets the package's name or id."""
    identity = package_id(cloud, "g1-large")
    given: Any = {"id": identity, "dict": {"id": identity}, "resource": dc.package("g1-large")}[form]
    machine.resize(given, wait=True)
    assert sent(cloud, "ResizeMachine")[1] == f"{machine.path}?action=resize&package={identity}"
    assert (record(cloud, machine).package, machine.package) == (identity, "g1-large")


def test_resize_takes_a_dict_with_a_name(machine: Machine, cloud: Emulator) -> None:
    """Where a dict has no id, ``ResizeMachine`` gets the name in it."""
    machine.resize({"name": "g1-large"})
    assert sent(cloud, "ResizeMachine")[1] == f"{machine.path}?action=resize&package=g1-large"
    assert record(cloud, machine).memory == 8192


def test_start_of_a_running_machine(machine: Machine, cloud: Emulator) -> None:
    """CloudAPI accepts ``StartMachine`` of a running machine; that it failed is found in the audit."""
    machine.start()
    assert cloud.trace[-1].status == 202
    with pytest.raises(WaitFailed, match="did not start"):
        machine.start(wait=True)


def test_delete_of_a_deleted_machine(machine: Machine) -> None:
    """A second ``DeleteMachine`` raises ``Gone``."""
    machine.delete(wait=True)
    with pytest.raises(Gone):
        machine.delete()


def test_delete_of_a_protected_machine(machine: Machine, cloud: Emulator) -> None:
    """``DeleteMachine`` is refused while the deletion protection is on, and the machine stays."""
    machine.enable_deletion_protection(wait=True)
    with pytest.raises(DeletionProtected, match="deletion_protection"):
        machine.delete(wait=True)
    assert record(cloud, machine).alive


def test_action_on_a_young_machine(machine: Machine, cloud: Emulator) -> None:
    """``StopMachine`` and its kin are refused while the machine is being provisioned."""
    record(cloud, machine).state = "provisioning"
    with pytest.raises(MachineNotReady, match="has not been provisioned"):
        machine.stop()


@pytest.mark.parametrize(
    ("method", "state", "words"),
    [
        ("stop", "stopped", r"did not stop \(it was stopped already\); its audit says that stop failed at"),
        ("start", "running", r"did not start \(it was running already\); its audit says that start failed at"),
        ("reboot", "stopped", r"did not reboot \(it was stopped\); its audit says that reboot failed at"),
    ],
)
def test_what_cannot_work_fails_with_the_reason(
    machine: Machine, cloud: Emulator, method: str, state: str, words: str
) -> None:
    """CloudAPI accepts a stop of what does not run, and its ``MachineAudit`` gives no reason: the state before does."""
    record(cloud, machine).state = state
    with pytest.raises(WaitFailed, match=words):
        getattr(machine.refresh(), method)(wait=True)


def test_a_wait_for_what_cannot_work_gives_the_reason(machine: Machine, cloud: Emulator) -> None:
    """Whoever waits later learns the same."""
    record(cloud, machine).state = "stopped"
    machine.refresh().reboot()
    with pytest.raises(WaitFailed, match=r"its reboot failed \(it was stopped\); its audit says"):
        machine.poll_until("running")


def test_rename_to_a_name_that_is_taken(machine: Machine, cloud: Emulator) -> None:
    """``RenameMachine`` is refused where the name belongs to another machine."""
    cloud.populate(1, name="web-2")
    with pytest.raises(NameTaken, match=r"; there is a machine named 'web-2' already$") as caught:
        machine.rename("web-2")
    assert caught.value.name == "web-2"
    assert record(cloud, machine).name == "web-1"


def test_resize_to_a_package_that_is_none(machine: Machine) -> None:
    """``ResizeMachine`` says that there is no such package."""
    with pytest.raises(InvalidArgument, match=r"huge is not a valid package \[request \S+\]$"):
        machine.resize("huge")


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, TimeoutError])
def test_an_interrupted_request_says_that_it_may_have_been_made(
    machine: Machine, dc: DataCenter, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    """Ctrl-C, or a program's handler of SIGTERM or SIGALRM: the exception says what is not known, and where to look."""

    def interrupt(*_: object, **__: object) -> None:
        raise end

    monkeypatch.setattr(dc, "request", interrupt)
    audit = "machine.audit() shows when it has ended"
    requests = {
        f"stop may have been requested; {audit}, and machine.poll_until('stopped') waits for that": machine.stop,
        f"reboot may have been requested; {audit}": machine.reboot,
        "enable firewall may have been requested; machine.refresh().firewall_enabled shows it": machine.enable_firewall,
        "delete may have been requested; machine.refresh() shows whether it is gone": machine.delete,
    }
    for note, request in requests.items():
        with pytest.raises(end) as caught:
            request()
        assert caught.value.__notes__ == [f"web-1: {note}"]


def test_a_mistyped_package_is_guessed(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """Where no package is called so, ``ListPackages`` tells which are called almost so; a failure of that tells nothing."""
    guess = r"g1-smal is not a valid package .*; did you mean 'g1-small'"
    with pytest.raises(InvalidArgument, match=guess):
        machine.resize("g1-smal")
    with pytest.raises(InvalidArgument, match=guess):
        dc.create_machine("web-2", image="debian-12", package="g1-smal")
    cloud.faults.add(Fault("ListPackages", status=403, code="NotAuthorized"))
    with pytest.raises(InvalidArgument, match=r"g1-smal is not a valid package \[request \S+\]$"):
        machine.resize("g1-smal")


@pytest.mark.parametrize(("method", "nothing"), [("resize", ""), ("resize", None), ("resize", {}), ("rename", "")])
def test_action_without_its_argument_is_refused(machine: Machine, cloud: Emulator, method: str, nothing: Any) -> None:
    """An empty name or package is refused before anything is sent."""
    before = len(cloud.trace)
    with pytest.raises(InputError):
        getattr(machine, method)(nothing)
    assert len(cloud.trace) == before
