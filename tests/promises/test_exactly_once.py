"""A machine is created exactly once, and an action is done at most once: checked on the server, at both doors.

What is so with every noun is in ``test_lost_answers.py``.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from kits.cloud import image_id, record
from smartdc import (
    BadResponse,
    CreateOutcomeUnknown,
    DataCenter,
    InputError,
    Machine,
    NameTaken,
    Redirected,
    ResourceNotFound,
    SmartDCError,
    WaitError,
)
from smartdc.emulator import Emulator, Fault, VirtualClock

AFTER = ("reset", "close", "truncate", "empty", "garbage", "html", "status")
BEFORE = ("reset", "close", "html", "status")
SPEC: dict[str, Any] = {"name": "web-1", "image": "debian-12", "package": "g1-small"}


def creates(cloud: Emulator, operation: str = "CreateMachine") -> int:
    """Count the requests of one operation."""
    return sum(entry.operation == operation for entry in cloud.trace)


@pytest.mark.parametrize(
    ("when", "kind", "sent"), [*(("after", kind, 1) for kind in AFTER), *(("before", kind, 2) for kind in BEFORE)]
)
def test_one_machine_whatever_happens_to_the_answer(
    cloud: Emulator, dc: DataCenter, when: str, kind: str, sent: int
) -> None:
    """``CreateMachine`` is asked for a second time only if it was surely not applied, and the machine is in hand."""
    cloud.faults.add(Fault("CreateMachine", kind, when))

    machine = dc.create_machine(**SPEC)

    assert list(cloud.state.machines) == [machine.id]
    assert creates(cloud) == sent


def test_the_second_request_is_the_same_as_the_first(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: both attempts carry one name and one token, which is what makes them one create."""
    cloud.faults.add(Fault("CreateMachine", "reset", "before"))
    dc.create_machine(image="debian-12", package="g1-small")
    first, second = [entry.body for entry in cloud.trace if entry.operation == "CreateMachine"]

    assert first == second
    assert {"name", "tag.smartdc_token"} <= set(first)


def test_an_outcome_that_stays_unknown_says_how_to_look_again(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: when nothing can be seen either, the error has the name, the token and the request's id."""
    cloud.faults.add(Fault("CreateMachine", "reset", "after", times=None))
    cloud.faults.add(Fault("ListMachines", "reset", "before", times=None))
    with pytest.raises(CreateOutcomeUnknown, match="machines_by_token") as caught:
        dc.create_machine(**SPEC)
    error = caught.value
    cloud.faults.clear()

    assert error.applied is None
    assert error.name == "web-1"
    assert error.request_id
    assert [machine.id for machine in dc.machines_by_token(error.token or "")] == list(cloud.state.machines)
    assert dc.create_machine(**SPEC, token=error.token).id in cloud.state.machines
    assert len(cloud.state.machines) == 1


def test_a_caller_s_token_gets_the_same_machine_again(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: a script that crashed and runs again goes on with the machine it had."""
    first = dc.create_machine(**SPEC, token="deploy-2026-11")

    again = dc.create_machine(**SPEC, token="deploy-2026-11")

    assert again == first
    assert creates(cloud) == 1


@pytest.mark.parametrize("token", ["", "short", "true", "1234567", "with space", "paren(", "x" * 65])
def test_a_token_that_a_filter_would_misread_is_refused(cloud: Emulator, dc: DataCenter, token: str) -> None:
    """Nothing is sent with a token that could not be looked for."""
    with pytest.raises(InputError, match="invalid token"):
        dc.create_machine(name="web-1", image=dc.images()[0], package="g1-small", token=token)

    assert creates(cloud) == 0


def test_a_taken_name_names_its_owner(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """``CreateMachine``: somebody else's machine is never returned, but the error has its id."""
    with pytest.raises(NameTaken) as caught:
        dc.create_machine(**SPEC)

    assert caught.value.machine_id == machine.id
    assert caught.value.applied is False
    assert len(cloud.state.machines) == 1


def test_an_unknown_image_is_refused_at_once(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: a plain refusal is not looked into for three minutes."""
    began = cloud.clock.monotonic()
    with pytest.raises(ResourceNotFound):
        dc.create_machine(name="web-1", image="00000000-0000-4000-8000-000000000000", package="g1-small")

    assert cloud.clock.monotonic() == began


def test_a_machine_that_was_accepted_and_could_not_be_read_back_is_found(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: CloudAPI may answer 404 for a machine that it has just accepted."""
    fault = Fault("CreateMachine", "status", "after", status=404, code="ResourceNotFound", message="VM not found")
    cloud.faults.add(fault)

    assert [dc.create_machine(**SPEC).id] == list(cloud.state.machines)


def test_a_machine_that_failed_at_once_is_found_too(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: a failed machine leaves the usual list, but it is what became of the create."""
    cloud.transitions.fail("provision")
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))

    machine = dc.create_machine(**SPEC)

    assert [machine.id] == list(cloud.state.machines)
    assert creates(cloud) == 1
    assert machine.status() == "failed"


def test_without_a_name_one_is_made_up(dc: DataCenter) -> None:
    """``CreateMachine``: a name is always sent, since it is what CloudAPI itself checks for doubles."""
    machine = dc.create_machine(image="debian-12", package="g1-small")

    assert machine.name.startswith("machine-")


@pytest.mark.parametrize("kind", ["empty", "wrong-type", "html", "redirect"])
def test_a_delete_counts_only_with_cloudapis_own_answer(cloud: Emulator, machine: Machine, kind: str) -> None:
    """``DeleteMachine``: what another than CloudAPI answers, with success or without, deletes nothing."""
    cloud.faults.add(Fault("DeleteMachine", kind, "before", times=None))
    with pytest.raises(SmartDCError) as caught:
        machine.delete()

    assert getattr(caught.value, "applied", "missing") is None
    assert record(cloud, machine).state == "running"


def test_a_delete_that_was_answered_by_another_is_sent_again(cloud: Emulator, machine: Machine) -> None:
    """``DeleteMachine``: a page that says 200 is no reason to believe that the machine is gone."""
    cloud.faults.add(Fault("DeleteMachine", "empty", "before"))

    machine.delete()

    assert record(cloud, machine).state == "deleted"


@pytest.mark.parametrize("kind", ["empty", "wrong-type"])
def test_an_action_counts_only_with_cloudapis_own_answer(cloud: Emulator, machine: Machine, kind: str) -> None:
    """``StopMachine``: CloudAPI answers that it has taken a job, and never with a plain success."""
    cloud.faults.add(Fault("StopMachine", kind, "before"))
    with pytest.raises(BadResponse, match="unexpected status 200 for a job"):
        machine.stop()

    assert creates(cloud, "StopMachine") == 1


def test_a_create_that_was_sent_elsewhere_is_looked_for(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: a redirect may come after the create was passed on, or in its place."""
    cloud.faults.add(Fault("CreateMachine", "redirect", "after"))
    first = dc.create_machine(**SPEC)
    cloud.faults.add(Fault("CreateMachine", "redirect", "before"))
    second = dc.create_machine(**{**SPEC, "name": "web-2"})

    assert list(cloud.state.machines) == [first.id, second.id]


def test_a_create_is_not_looked_for_where_everything_is_sent_elsewhere(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: a wrong URL is reported at once."""
    began = cloud.clock.monotonic()
    cloud.faults.add(Fault(kind="redirect", times=None))
    with pytest.raises(CreateOutcomeUnknown, match="redirects are not followed"):
        dc.create_machine(name="web-1", image=image_id(cloud, "debian-12"), package="g1-small")

    assert cloud.clock.monotonic() == began


def test_a_taken_name_is_reported_also_when_its_owner_is_unknown(
    cloud: Emulator, dc: DataCenter, machine: Machine
) -> None:
    """``CreateMachine``: a failure to find the other machine does not take the place of the refusal."""
    cloud.faults.add(Fault("ListMachines", "reset", times=None))
    with pytest.raises(NameTaken) as caught:
        dc.create_machine(**{**SPEC, "name": machine.name, "image": image_id(cloud, "debian-12")})

    assert caught.value.machine_id is None
    assert caught.value.applied is False


@pytest.mark.parametrize("more", [{"wait": True}, {"credentials": True}])
def test_what_fails_after_a_create_names_the_machine(cloud: Emulator, dc: DataCenter, more: dict[str, Any]) -> None:
    """``CreateMachine``: a machine that was made is in hand, also where what was to follow is refused."""
    cloud.faults.add(Fault("GetMachine", "status", times=None, status=403, code="NotAuthorized"))
    with pytest.raises(WaitError, match="was created, but then") as caught:
        dc.create_machine(**SPEC, **more)

    assert [caught.value.resource.id] == list(cloud.state.machines)


class Impatient(VirtualClock):
    """A clock that somebody who waits on it interrupts."""

    def sleep(self, seconds: float) -> None:
        """Be interrupted."""
        raise KeyboardInterrupt(seconds)


def test_an_interrupted_create_says_how_to_look(cloud: Emulator) -> None:
    """``CreateMachine``: who presses Ctrl-C while a machine is looked for learns by what to find it."""
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    cloud.faults.add(Fault("ListMachines", "reset", times=None))
    with DataCenter(**{**cloud.connection(), "clock": Impatient()}) as dc, pytest.raises(KeyboardInterrupt) as caught:
        dc.create_machine(name="web-1", image=image_id(cloud, "debian-12"), package="g1-small")
    cloud.faults.clear()
    [token] = re.findall(r"machines_by_token\('(\w+)'\)", caught.value.__notes__[0])

    with DataCenter(**cloud.connection()) as dc:
        assert [machine.id for machine in dc.machines_by_token(token)] == list(cloud.state.machines)


def test_an_interface_that_is_there_in_another_way_is_reported_at_once(cloud: Emulator, machine: Machine) -> None:
    """``AddNic``: CloudAPI's own redirect says what is there, and nothing is waited for."""
    began = cloud.clock.monotonic()
    fabric = next(network.id for network in cloud.state.networks.values() if network.fabric)
    machine.add_nic(fabric, wait=True)
    with pytest.raises(Redirected) as caught:
        machine.add_nic(fabric, primary=True)

    assert caught.value.applied is False
    assert cloud.clock.monotonic() - began < 5


def test_a_redirected_interface_that_nobody_can_look_for_leaves_the_outcome_open(
    cloud: Emulator, machine: Machine
) -> None:
    """``AddNic``: a redirect may come after the change, and a failure to look says nothing about it."""
    private = next(n.id for n in cloud.state.networks.values() if not n.public and not n.fabric)
    cloud.faults.add(Fault("AddNic", "redirect", "after", times=None))
    cloud.faults.add(Fault("ListNics", "throttled", times=None, skip=1))
    with pytest.raises(SmartDCError) as caught:
        machine.add_nic(private)

    assert getattr(caught.value, "applied", "missing") is None


@pytest.mark.parametrize("timeout", ["180", -1, float("nan"), True])
@pytest.mark.parametrize(
    "create",
    [
        lambda dc, _, timeout: dc.create_machine(image="debian-12", package="g1-small", wait=True, timeout=timeout),
        lambda dc, _, timeout: dc.create_volume("data", wait=True, timeout=timeout),
        lambda dc, m, timeout: dc.create_image_from_machine(m, "mine", "1.0.0", wait=True, timeout=timeout),
        lambda _, m, timeout: m.create_snapshot("monday", wait=True, timeout=timeout),
        lambda _, m, timeout: m.add_nic("internal", wait=True, timeout=timeout),
        lambda _, m, timeout: m.create_disk(1024, wait=True, timeout=timeout),
        lambda _, m, timeout: m.migrate(wait=True, timeout=timeout),
    ],
    ids=["machine", "volume", "image", "snapshot", "nic", "disk", "migration"],
)
def test_a_time_out_that_is_none_is_refused_before_anything_is_made(
    cloud: Emulator, dc: DataCenter, machine: Machine, create: Any, timeout: Any
) -> None:
    """What is found out too late would be left to itself."""
    cloud.state.settings.volumes = True
    before = len(cloud.trace)
    with pytest.raises(InputError, match="timeout must be"):
        create(dc, machine, timeout)
    assert {asked.method for asked in list(cloud.trace)[before:]} <= {"GET"}
