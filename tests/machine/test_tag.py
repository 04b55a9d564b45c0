"""Tags: setting, reading, replacing and deleting them; their values keep their types."""

from __future__ import annotations

from typing import Any

import pytest

from kits.cloud import record, sent
from smartdc import DataCenter, InputError, Machine, ResourceNotFound, ValidationFailed
from smartdc.emulator import Emulator

TYPED: dict[str, Any] = {"role": "web", "rank": 0, "load": 0.5, "live": False, "big": True, "void": "", "no.1": "ä b"}


@pytest.fixture
def tagged(machine: Machine, cloud: Emulator) -> Machine:
    """The machine, with a tag of every type."""
    record(cloud, machine).tags = dict(TYPED)
    return machine.refresh()


def test_get_tags(tagged: Machine, cloud: Emulator) -> None:
    """``ListMachineTags`` gives all tags, and the machine shows them from then on."""
    assert tagged.get_tags() == TYPED
    assert sent(cloud, "ListMachineTags") == ("GET", f"{tagged.path}/tags", {})
    assert tagged.tags == TYPED


@pytest.mark.parametrize(("name", "value"), TYPED.items())
def test_get_tag(tagged: Machine, cloud: Emulator, name: str, value: object) -> None:
    """``GetMachineTag`` gives one value, of the type that it has."""
    found = tagged.get_tag(name)
    assert (found, type(found)) == (value, type(value))
    assert sent(cloud, "GetMachineTag") == ("GET", f"{tagged.path}/tags/{name}", {})


def test_get_tag_asks_for_plain_text(tagged: Machine, cloud: Emulator) -> None:
    """``GetMachineTag`` is asked for the bare value; a string needs no second request."""
    tagged.get_tag("role")
    assert cloud.trace[-1].operation == "GetMachineTag"
    assert cloud.trace[-1].headers["accept"] == "text/plain"


def test_add_tags(tagged: Machine, cloud: Emulator) -> None:
    """``AddMachineTags`` sets some tags beside the others, and returns all."""
    everything = tagged.add_tags(role="db", zone=3)
    assert sent(cloud, "AddMachineTags") == ("POST", f"{tagged.path}/tags", {"role": "db", "zone": 3})
    assert everything == tagged.tags == {**TYPED, "role": "db", "zone": 3}
    assert record(cloud, tagged).tags == everything


def test_add_tags_of_any_name(machine: Machine, cloud: Emulator) -> None:
    """Names that are no identifiers, or that Python uses itself, go in a mapping; both ways can be mixed."""
    machine.add_tags({"self": 1, "mapping": 2, "triton.cns.services": "web", "a b": True}, role="web")
    expected = {"self": 1, "mapping": 2, "triton.cns.services": "web", "a b": True, "role": "web"}
    assert sent(cloud, "AddMachineTags")[2] == expected
    assert record(cloud, machine).tags == expected


@pytest.mark.parametrize("value", ["web", "", 0, 7, 0.25, True, False])
def test_values_keep_their_types(machine: Machine, cloud: Emulator, value: Any) -> None:
    """What is set by ``AddMachineTags`` is read back by ``ListMachineTags`` as it was."""
    assert machine.add_tags(tag=value) == machine.get_tags() == {"tag": value}
    assert type(machine.get_tags()["tag"]) is type(value)
    assert type(record(cloud, machine).tags["tag"]) is type(value)


def test_replace_tags(tagged: Machine, cloud: Emulator) -> None:
    """``ReplaceMachineTags`` sets some tags in place of all others."""
    assert tagged.replace_tags({"a-b": 1}, role="db") == {"a-b": 1, "role": "db"}
    assert sent(cloud, "ReplaceMachineTags") == ("PUT", f"{tagged.path}/tags", {"a-b": 1, "role": "db"})
    assert record(cloud, tagged).tags == tagged.tags == {"a-b": 1, "role": "db"}


def test_delete_tag(tagged: Machine, cloud: Emulator) -> None:
    """``DeleteMachineTag`` deletes one tag."""
    tagged.delete_tag("role")
    assert sent(cloud, "DeleteMachineTag") == ("DELETE", f"{tagged.path}/tags/role", {})
    assert "role" not in record(cloud, tagged).tags
    assert "role" not in tagged.tags
    assert len(record(cloud, tagged).tags) == len(TYPED) - 1


def test_delete_tag_that_is_not_there(machine: Machine) -> None:
    """``DeleteMachineTag`` says that there is no such tag."""
    with pytest.raises(ResourceNotFound, match='tag "role" not found'):
        machine.delete_tag("role")


def test_delete_all_tags(tagged: Machine, cloud: Emulator) -> None:
    """``DeleteMachineTags`` deletes every tag."""
    tagged.delete_all_tags()
    assert sent(cloud, "DeleteMachineTags") == ("DELETE", f"{tagged.path}/tags", {})
    assert record(cloud, tagged).tags == tagged.tags == {}


@pytest.mark.parametrize(
    ("name", "escaped"),
    [("a/b", "a%2Fb"), ("a?b", "a%3Fb"), ("a#b", "a%23b"), ("a%2fb", "a%252fb"), ("ä b", "%C3%A4%20b"), ("a.b", "a.b")],
)
def test_names_are_quoted_in_the_path(machine: Machine, cloud: Emulator, name: str, escaped: str) -> None:
    """``GetMachineTag`` and ``DeleteMachineTag`` reach tags of any name, and no other resource."""
    machine.add_tags({name: "value"})
    assert machine.get_tag(name) == "value"
    assert sent(cloud, "GetMachineTag")[1] == f"{machine.path}/tags/{escaped}"
    machine.delete_tag(name)
    assert sent(cloud, "DeleteMachineTag")[1] == f"{machine.path}/tags/{escaped}"
    assert record(cloud, machine).tags == {}


@pytest.mark.parametrize("method", ["get_tag", "delete_tag"])
@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\0b"])
def test_name_that_would_address_something_else(machine: Machine, cloud: Emulator, method: str, name: str) -> None:
    """A name that another hop would resolve or cut is refused before anything is sent."""
    before = len(cloud.trace)
    with pytest.raises(InputError):
        getattr(machine, method)(name)
    assert len(cloud.trace) == before


@pytest.mark.parametrize("method", ["add_tags", "replace_tags"])
@pytest.mark.parametrize(
    "tags",
    [
        {}, {"": "x"}, {"..": "x"}, {"machine": "x"}, {"account": "x"}, {"uuid": "x"}, {"owner_uuid": "x"},
        {"context": "x"}, {"image": "x"}, {"origin": "x"}, {"package": "x"}, {"dataset": "x"},
        {"role": None}, {"role": ["web"]}, {"role": {"a": 1}}, {"role": b"web"},
    ],
    ids=str,
)  # fmt: skip
def test_tags_that_would_be_lost(machine: Machine, cloud: Emulator, method: str, tags: dict[str, Any]) -> None:
    """Names that CloudAPI would take for its own, and values that it does not take, are refused before the request."""
    before = len(cloud.trace)
    with pytest.raises(InputError):
        getattr(machine, method)(tags)
    assert len(cloud.trace) == before


def test_tags_that_cloudapi_refuses(machine: Machine) -> None:
    """What ``AddMachineTags`` says of a tag is in the error."""
    with pytest.raises(ValidationFailed, match="Unrecognized special triton tag") as caught:
        machine.add_tags({"triton.unheard.of": "x"})
    assert caught.value.errors[0]["field"] == "tags"


def test_returned_tags_are_a_copy(machine: Machine) -> None:
    """Changing what was returned changes nothing that the machine shows."""
    machine.add_tags(role="web").clear()
    machine.get_tags().clear()
    assert machine.tags == {"role": "web"}


def test_tags_are_read_only(tagged: Machine) -> None:
    """Who changes `tags` means to change the machine, and is told what to call."""
    with pytest.raises(TypeError, match=r"cannot be changed: call add_tags\(\)"):
        tagged.tags["x"] = 1
    assert tagged.tags == TYPED


@pytest.fixture
def made(dc: DataCenter) -> Machine:
    """A machine that was created with a token."""
    return dc.create_machine(
        name="made", package="g1-nano", image="base-64-lts@24.4.1", tags={"role": "web"}, token="deploy-42"
    )


def test_token_is_no_tag_of_the_user(made: Machine) -> None:
    """The tag by which a create is recognised shows as `token`, and in the server's answer, which is kept whole."""
    assert made.get_tags() == made.tags == {"role": "web"}
    assert made.add_tags(zone=3) == made.tags == {"role": "web", "zone": 3}
    assert made.token == "deploy-42"
    assert made["tags"] == {"role": "web", "zone": 3, "smartdc_token": "deploy-42"}


def test_no_token(tagged: Machine) -> None:
    """A machine that others made has none."""
    assert tagged.token is None


@pytest.mark.parametrize("known", [True, False])
def test_replaced_tags_keep_the_token(made: Machine, dc: DataCenter, cloud: Emulator, known: bool) -> None:
    """``ReplaceMachineTags`` leaves the token where it is, also where nothing was known of the tags."""
    machine = made if known else Machine(dc, data={"id": made.id})
    assert machine.replace_tags(role="db") == machine.tags == {"role": "db"}
    assert sent(cloud, "ReplaceMachineTags")[2] == {"role": "db", "smartdc_token": "deploy-42"}
    assert [found.id for found in dc.machines_by_token("deploy-42")] == [made.id]


@pytest.mark.parametrize("change", ["add_tags", "replace_tags"])
def test_token_cannot_be_overwritten(made: Machine, cloud: Emulator, change: str) -> None:
    """A machine that bears the token of another would be taken for it."""
    cloud.trace.clear()
    with pytest.raises(InputError, match=r"'smartdc_token'.*token="):
        getattr(made, change)(smartdc_token="another", role="db")

    assert cloud.trace.operations() == []


def test_token_goes_with_all_tags(made: Machine, dc: DataCenter) -> None:
    """``DeleteMachineTags`` deletes the token too, so that nothing is found by it any more."""
    made.delete_all_tags()
    assert (made.token, dc.machines_by_token("deploy-42")) == (None, [])
