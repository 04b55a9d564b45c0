"""A machine is created exactly once, and an action is done at most once: checked on the server, at both doors.

What is so with every noun is in ``test_lost_answers.py``.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest

from kits.cloud import image_id, record
from smartdc import (
    BadResponse,
    CreateOutcomeUnknown,
    DataCenter,
    InputError,
    InvalidCredentials,
    Machine,
    NameTaken,
    NotAuthorized,
    Progress,
    Redirected,
    ResourceNotFound,
    SmartDCError,
    TokenUsed,
    WaitError,
)
from smartdc.emulator import Emulator, Fault, VirtualClock
from smartdc.http.invocation import command_line

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
    assert f"create_machine(token={error.token!r}, ...)" in str(error)  # a repeat without it could make a second one
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
    """``CreateMachine``: somebody else's machine is never returned, but the error has its name and id."""
    with pytest.raises(NameTaken, match=r"there is a machine named 'web-1' already$") as caught:
        dc.create_machine(**SPEC)

    assert (caught.value.name, caught.value.machine_id) == ("web-1", machine.id)
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

    assert isinstance(caught.value.resource, Machine)
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


# Answers that are about something else


def another(cloud: Emulator, **changes: Any) -> dict[str, Any]:
    """Return what CloudAPI says of another machine of the account, with changes."""
    with DataCenter(**cloud.connection()) as dc:
        return {**dc.create_machine(name="other", image="debian-12", package="g1-small"), **changes}


@pytest.mark.parametrize("tags", [{"smartdc_token": "another-token"}, {}, None])
def test_an_answer_about_another_machine_is_a_lost_answer(
    cloud: Emulator, dc: DataCenter, tags: dict[str, str] | None
) -> None:
    """``CreateMachine``: a token or a name that is not ours says so, and the machine that was made is looked for."""
    other = another(cloud, tags=tags)
    cloud.faults.add(Fault("CreateMachine", status=201, body=other, when="after"))

    machine = dc.create_machine(**SPEC)

    assert machine.id != other["id"]
    assert machine.name == "web-1"
    assert sorted(cloud.state.machines) == sorted([other["id"], machine.id])


def test_an_answer_with_our_name_and_another_token_is_a_lost_answer(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: names are used again, tokens are not."""
    other = another(cloud, name="web-1")
    cloud.faults.add(Fault("CreateMachine", status=201, body=other, when="after"))

    assert dc.create_machine(**SPEC).id != other["id"]


@pytest.mark.parametrize("name", [[], ["web-1"], {}, {"first": "web-1"}, 1])
def test_an_answer_whose_name_is_no_text_is_a_lost_answer(cloud: Emulator, dc: DataCenter, name: Any) -> None:
    """``CreateMachine``: what cannot be a name is not ours, and the machine that was made is looked for."""
    cloud.faults.add(Fault("CreateMachine", status=201, body=another(cloud, name=name, tags={}), when="after"))

    assert dc.create_machine(**SPEC).name == "web-1"


def test_a_token_alone_finds_its_machine(cloud: Emulator, dc: DataCenter) -> None:
    """A script that only knows its token may ask again with nothing else."""
    made = dc.create_machine(**SPEC, token="order-4711")

    assert dc.create_machine(token="order-4711") == made
    assert creates(cloud) == 1


def test_where_every_request_is_redirected_nobody_waits(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: also 300 is a redirect; to look again would not help."""
    cloud.faults.add(Fault(status=300, headers={"Location": "/elsewhere"}, times=None))
    began = cloud.clock.monotonic()
    with pytest.raises(CreateOutcomeUnknown):
        dc.create_machine(
            **{
                **SPEC,
                "image": "00000000-0000-4000-8000-000000000001",
                "package": "00000000-0000-4000-8000-000000000002",
            }
        )

    assert cloud.clock.monotonic() - began < 10


def test_a_conflict_of_an_unknown_kind_may_be_with_our_own_machine(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine`` that a proxy has sent twice: the answer is a conflict with the first one."""
    body = {"code": "Conflict", "message": "in use"}
    cloud.faults.add(Fault("CreateMachine", status=409, body=body, when="after"))

    assert dc.create_machine(**SPEC).name == "web-1"
    assert creates(cloud) == 1


def test_an_answer_that_is_not_ours_and_cannot_be_resolved_names_its_request(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: the error of an unknown outcome says what was sent."""
    cloud.faults.add(Fault("CreateMachine", status=201, body=another(cloud), when="after"))
    cloud.faults.add(Fault("ListMachines", status=500, times=None))
    with pytest.raises(CreateOutcomeUnknown) as caught:
        dc.create_machine(**SPEC)

    assert caught.value.method == "POST"


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("made_before", [True, False])
def test_a_machine_without_the_token_is_never_taken_for_ours(
    cloud: Emulator, dc: DataCenter, times: int, made_before: bool
) -> None:
    """``ListMachines``: a proxy may give the list of another request, also as the first answer that a client gets."""
    other = another(cloud, tags={"role": "db"})
    if made_before:
        dc.create_machine(**SPEC, token="order-4711")
    listed: dict[str, Any] = {"status": 200, "body": [other], "headers": {"x-resource-count": "1"}}
    cloud.faults.add(Fault("ListMachines", **listed, times=times))

    with pytest.raises(CreateOutcomeUnknown, match="about another machine") if times > 1 else contextlib.nullcontext():
        assert dc.create_machine(**SPEC, token="order-4711").name == "web-1"
    cloud.faults.clear()
    assert dc.create_machine(**SPEC, token="order-4711").name == "web-1"
    assert sorted(machine.name for machine in cloud.state.machines.values()) == ["other", "web-1"]


@pytest.mark.parametrize("field", ["state", "image"])
def test_a_token_leads_to_a_machine_of_which_the_list_says_nonsense(
    cloud: Emulator, dc: DataCenter, field: str
) -> None:
    """``ListMachines``: a list cannot be the state of a machine, nor its image, and is no reason for another exception."""
    made = dc.create_machine(**SPEC, token="order-4711")
    answer = [{**made, field: ["x"]}]
    cloud.faults.add(Fault("ListMachines", status=200, body=answer, headers={"x-resource-count": "1"}))
    refused = field == "image"  # another image than the one given

    with pytest.raises(TokenUsed, match="made from image") if refused else contextlib.nullcontext():
        assert dc.create_machine(**{**SPEC, "image": made.image}, token="order-4711") == made
    assert creates(cloud) == 1


def test_an_answer_that_says_little_is_believed(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: what is missing contradicts nothing, since mocks answer with less."""
    cloud.faults.add(Fault("CreateMachine", status=201, body={"id": "17"}))

    assert dc.create_machine(**SPEC).id == "17"


def test_a_name_that_cloudapi_fills_in_is_no_contradiction(
    cloud: Emulator, dc: DataCenter, caplog: pytest.LogCaptureFixture
) -> None:
    """``CreateMachine``: the server makes another name of one with ``{{shortId}}``; that answer is not a lost one."""
    machine = dc.create_machine(**{**SPEC, "name": "web-{{shortId}}"})

    assert machine.name.startswith("web-")
    assert creates(cloud) == 1
    assert "lost the answer" not in caplog.text


GETTERS = ["machine", "image", "package", "network", "firewall_rule", "volume", "user", "role", "policy"]


@pytest.mark.parametrize("getter", GETTERS)
def test_an_answer_about_another_thing_is_refused(cloud: Emulator, dc: DataCenter, getter: str) -> None:
    """What is asked for by its UUID is that, or a `BadResponse`."""
    asked, answered = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
    cloud.faults.add(Fault(status=200, body={"id": answered, "name": "web-1"}, times=None))
    with pytest.raises(BadResponse, match=f"asked for {asked}, got '{answered}'"):
        getattr(dc, getter)(asked)


def test_what_is_asked_for_in_capitals_is_the_same(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """``GetMachine``: an id means the same in either case."""
    cloud.faults.add(Fault("GetMachine", status=200, body=dict(machine)))

    assert dc.machine(machine.id.upper()).id == machine.id


# Certainties


def test_a_machine_that_is_not_listed_is_no_taken_name(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: after a lost answer, a name that is taken by nobody who is listed may be taken by ours."""
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    cloud.faults.add(Fault("ListMachines", status=200, body=[], times=None))
    with pytest.raises(CreateOutcomeUnknown) as caught:
        dc.create_machine(**{**SPEC, "image": image_id(cloud, "debian-12")})
    cloud.faults.clear()

    assert caught.value.applied is None
    assert caught.value.token is not None
    assert [dc.create_machine(**SPEC, token=caught.value.token).id] == list(cloud.state.machines)


def test_a_machine_of_an_earlier_process_that_is_not_listed_is_no_taken_name(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: with a token of one's own, the first conflict already may be with one's own machine."""
    dc.create_machine(**SPEC, token="deploy-17")
    cloud.faults.add(Fault("ListMachines", status=200, body=[], times=None))
    with pytest.raises(CreateOutcomeUnknown) as caught:
        dc.create_machine(**{**SPEC, "image": image_id(cloud, "debian-12")}, token="deploy-17")

    assert (caught.value.token, caught.value.applied) == ("deploy-17", None)


def test_a_name_that_somebody_else_took_meanwhile_is_a_refusal(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: at the second attempt, too, the holder of the name shows whether it is ours."""
    other = another(cloud, name="web-1")
    cloud.state.machines[other["id"]].name = "web-1"
    cloud.faults.add(Fault("CreateMachine", "reset", "before"))
    with pytest.raises(NameTaken) as caught:
        dc.create_machine(**SPEC)

    assert (caught.value.machine_id, caught.value.applied) == (other["id"], False)


def test_tokens_that_begin_alike_make_names_of_their_own(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: five servers of a loop are five machines."""
    made = {dc.create_machine(image="debian-12", package="g1-small", token=f"web-server-{n}").name for n in range(5)}

    assert len(made) == len(cloud.state.machines) == 5


@pytest.mark.parametrize("state", ["failed", "deleted"])
def test_a_token_whose_machine_is_dead_says_so(cloud: Emulator, dc: DataCenter, state: str) -> None:
    """``CreateMachine``: what will never run is not handed out as if it had just been made."""
    machine = dc.create_machine(**SPEC, token="deploy-17", wait=True)
    cloud.state.machines[machine.id].state = state
    with pytest.raises(TokenUsed, match=f"which is {state}; give another token") as caught:
        dc.create_machine(**SPEC, token="deploy-17")

    assert caught.value.machine.id == machine.id
    assert creates(cloud) == 1


def test_a_token_whose_machine_has_another_image_says_so(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: an image that is given by its id is the one to be had."""
    machine = dc.create_machine(**SPEC, token="deploy-17")
    other = image_id(cloud, "base-64-lts")
    with pytest.raises(TokenUsed, match=f"which was made from image {machine.image}, not {other}") as caught:
        dc.create_machine(**{**SPEC, "image": other}, token="deploy-17")

    assert caught.value.machine.id == machine.id
    assert dc.create_machine(**{**SPEC, "image": "base-64-lts@24.4.1"}, token="deploy-17").id == machine.id


def test_a_machine_that_was_renamed_and_resized_is_still_that_of_its_token(
    cloud: Emulator, dc: DataCenter, caplog: pytest.LogCaptureFixture
) -> None:
    """``CreateMachine``: what may change in the life of a machine is only told of."""
    machine = dc.create_machine(**SPEC, token="deploy-17", wait=True)
    machine.rename("web-2", wait=True)
    machine.resize("g1-medium", wait=True)
    with caplog.at_level("INFO", "smartdc.machine"):
        assert dc.create_machine(**SPEC, token="deploy-17") == machine

    assert "has name 'web-2' now, not 'web-1'" in caplog.text
    assert "has package 'g1-medium' now, not 'g1-small'" in caplog.text
    assert len(cloud.state.machines) == 1


# Told at once


def test_the_token_is_logged_before_anything_is_sent(
    cloud: Emulator, dc: DataCenter, caplog: pytest.LogCaptureFixture
) -> None:
    """``CreateMachine``: who is killed at any moment finds the token in the log."""
    cloud.faults.add(Fault("CreateMachine", status=403, code="NotAuthorized", times=None))
    with caplog.at_level("INFO", "smartdc.machine"), pytest.raises(NotAuthorized):
        dc.create_machine(**SPEC)
    [body] = [entry.body for entry in cloud.trace if entry.operation == "CreateMachine"]

    assert f"creating machine 'web-1' with token {body['tag.smartdc_token']}" in caplog.text


def test_a_lost_answer_is_told_of_at_once(
    cloud: Emulator, dc: DataCenter, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """``CreateMachine``: a warning has name and token, ``verbose`` and progress say the same, and looks are few."""
    seen: list[Progress] = []
    dc.verbose, dc.progress = True, seen.append
    cloud.faults.add(Fault("CreateMachine", "reset", "before"))
    with caplog.at_level("WARNING", "smartdc"):
        dc.create_machine(**SPEC)
    [first, _] = [entry.body for entry in cloud.trace if entry.operation == "CreateMachine"]
    token = first["tag.smartdc_token"]

    told = f"lost the answer to the create of web-1 (token {token}); looking for it for up to 180 s"
    assert caplog.messages[0].startswith(told)
    assert caplog.messages[1] == f"did not find web-1 (token {token}) within 180 s"
    assert told in capsys.readouterr().err
    assert [(step.subject, step.timeout, step.done) for step in seen] == [("web-1", 180, n == 15) for n in range(16)]
    assert str(seen[0]).startswith("web-1 not answered, looking for it [")
    assert [step.outcome for step in seen if step.done] == ["not done"]
    assert creates(cloud, "ListMachines") <= 18


def test_how_long_a_lost_machine_is_looked_for_is_a_setting(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: the data centre's `settle` holds where the call has none of its own."""
    dc.settle = 30
    cloud.faults.add(Fault("CreateMachine", "reset", "before", times=2))
    began = cloud.clock.monotonic()
    with pytest.raises(CreateOutcomeUnknown):
        dc.create_machine(**{**SPEC, "image": image_id(cloud, "debian-12")})

    assert cloud.clock.monotonic() - began == 60
    with pytest.raises(InputError, match="settle must be a non-negative number of seconds, got -1"):
        dc.settle = -1


@pytest.mark.parametrize("door", ["adapter"])  # a server can only hang up, which may be after it has read the request
def test_what_surely_never_left_is_sent_again_at_once(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: a connection that was refused carried nothing, and there is nothing to look for."""
    cloud.faults.add(Fault(kind="refused"))
    began = cloud.clock.monotonic()
    dc.create_machine(**{**SPEC, "image": image_id(cloud, "debian-12")})

    assert cloud.clock.monotonic() - began < 2
    assert creates(cloud, "ListMachines") == 0


def test_a_401_names_the_doctor(cloud: Emulator, dc: DataCenter) -> None:
    """Whoever is refused is told of the command that finds out why."""
    cloud.faults.add(Fault(status=401, code="InvalidCredentials", message="The signature is wrong", times=None))
    with pytest.raises(InvalidCredentials, match=f"The signature is wrong; {command_line('doctor')} finds out why"):
        dc.account()


def test_what_was_found_is_told_too(cloud: Emulator, dc: DataCenter, caplog: pytest.LogCaptureFixture) -> None:
    """``CreateMachine``: who read that an answer was lost reads how it ended."""
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    with caplog.at_level("INFO", "smartdc.waiting"):
        dc.create_machine(name="web-1", image="debian-12", package="g1-small", token="deploy-42")

    assert "found web-1 (token deploy-42) after 0 s" in caplog.text


def test_an_answered_create_lists_nothing(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateKey``: what is there is of interest only where something new could be mistaken for it, or was lost."""
    cloud.trace.clear()
    dc.add_key("laptop", Emulator(seed=7).public_key)

    assert cloud.trace.operations() == ["CreateKey"]


def test_a_job_that_is_answered_with_200_was_not_accepted(cloud: Emulator, machine: Machine) -> None:
    """``StopMachine``: something in between has answered, and nobody knows what became of the request."""
    cloud.faults.add(Fault("StopMachine", status=200, body={}))
    with pytest.raises(BadResponse, match=r"POST /.*action=stop: unexpected status 200 for a job"):
        machine.stop()


@pytest.mark.parametrize("switch", ["enable_firewall", "disable_deletion_protection"])
def test_a_switch_with_a_time_out_that_is_none_is_not_thrown(cloud: Emulator, machine: Machine, switch: str) -> None:
    """What could not be waited for is refused before it is asked for."""
    cloud.trace.clear()
    with pytest.raises(InputError, match="timeout must be"):
        getattr(machine, switch)(wait=True, timeout=-1)

    assert cloud.trace.operations() == []
