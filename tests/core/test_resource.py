"""What every resource is: a read-only mapping over what the server said, at one address."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
import sys
import tracemalloc
import weakref
from collections.abc import Mapping
from typing import Any

import pytest
import responses

import smartdc
from smartdc import (
    Account,
    BadResponse,
    DataCenter,
    FirewallRule,
    Image,
    InputError,
    Key,
    Machine,
    Network,
    Package,
    Policy,
    Role,
    Snapshot,
    Volume,
)
from smartdc.core.field import Field
from smartdc.core.lookup import id_of
from smartdc.core.resource import Addressable, Resource

DATA: dict[str, Any] = {"id": "b-1", "name": "base", "version": "1.2", "files": [{"size": 1}], "unheard_of": {"a": 1}}
UUID = "b0d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"
NOUNS = (Account, Image, Key, Machine, Network, Package)


@pytest.fixture
def image(offline: DataCenter) -> Image:
    """An image of which the server said something that this library never heard of."""
    return Image(offline, data=DATA)


def data_of(noun: type[Resource]) -> dict[str, str]:
    """Return the least data that makes a resource."""
    return {noun.id_key: "one"}


def test_mapping(image: Image) -> None:
    """A resource is a mapping over all that the server said, known to this library or not."""
    assert isinstance(image, Mapping)
    assert dict(image) == DATA
    assert (image["unheard_of"], image.get("nothing"), image.get("nothing", 1)) == ({"a": 1}, None, 1)
    assert list(image) == list(image.keys()) == list(DATA)
    assert (len(image), "name" in image, "nothing" in image) == (len(DATA), True, False)
    with pytest.raises(KeyError):
        image["nothing"]


def test_mapping_is_read_only(image: Image) -> None:
    """Entries can neither be set nor deleted, and the error says what to do instead."""
    words = r"this Image shows what the server sent, .* call one of its methods .* or change a dict: copy\(\)"
    with pytest.raises(TypeError, match=words):
        image["name"] = "x"
    with pytest.raises(TypeError, match="cannot be changed"):
        del image["name"]


def test_copy_is_a_dict_of_its_own(image: Image) -> None:
    """What scripts did with the dicts of old they do with a copy, which is deep."""
    taken = image.copy()
    taken["files"][0]["size"] = 2
    taken["name"] = "x"
    assert (type(taken), image["files"], image.name) == (dict, [{"size": 1}], "base")


def test_union_is_a_dict(image: Image) -> None:
    """A resource and a mapping make a dict, in which the right one counts."""
    assert image | {"name": "x"} == {**DATA, "name": "x"}
    assert {"name": "x", "more": 1} | image == {**DATA, "more": 1}
    assert image | image == DATA
    with pytest.raises(TypeError):
        image | 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        1 | image  # type: ignore[operator]


def test_json(image: Image) -> None:
    """A resource is written as JSON by way of ``dict``."""
    assert json.loads(json.dumps([image], default=dict)) == [DATA]


def test_attribute_that_is_none(image: Image) -> None:
    """A misspelt attribute is an error and not None."""
    with pytest.raises(AttributeError):
        image.versoin  # type: ignore[attr-defined] # noqa: B018 (the access is what is shown)


@pytest.mark.parametrize("noun", NOUNS)
def test_attributes_are_read_only(offline: DataCenter, noun: type[Resource]) -> None:
    """No field of any noun can be set, and the error says why."""
    thing = noun(offline, data=data_of(noun))
    fields = [name for name, value in inspect.getmembers_static(noun) if isinstance(value, Field)]
    assert fields
    for name in fields:
        with pytest.raises(AttributeError, match=f"{name} is read-only"):
            setattr(thing, name, "x")


@pytest.mark.parametrize("noun", NOUNS)
def test_fields_say_what_they_are(noun: type[Resource]) -> None:
    """Every field has a documentation of its own, which ``help`` and the REPL show."""
    fields = [value for _, value in inspect.getmembers_static(noun) if isinstance(value, Field)]
    assert all(field.__doc__ and not field.__doc__.startswith("A read-only window") for field in fields)


def test_field_of_the_class_is_its_description() -> None:
    """Read off the class, a field is what describes it."""
    assert isinstance(Image.version, Field)
    assert Image.version.__doc__ == "its version"


def test_resources_line_up_in_a_table(offline: DataCenter) -> None:
    """A resource can be formatted as its text can."""
    assert f"{Package(offline, data={'id': 'p-1'}):>5}|" == "  p-1|"


def test_repr_of_a_resource_without_a_name(offline: DataCenter) -> None:
    """Where there is no name, or the name is what addresses the resource, it is shown once."""
    assert repr(Package(offline, data={"id": "p-1"})) == "<Package p-1>"
    assert repr(Package(offline, data={"id": "p-1", "name": "p-1"})) == "<Package p-1>"


def test_data_of_the_caller_stays_as_it_is(offline: DataCenter) -> None:
    """The data is copied, deeply: neither side sees what the other changes."""
    data = copy.deepcopy(DATA)
    image = Image(offline, data=data)
    data["files"][0]["size"] = 2
    assert image["files"] == [{"size": 1}]
    assert Image(offline, "other", data).id == "other"
    assert data["id"] == "b-1"


@pytest.mark.parametrize("noun", NOUNS)
def test_resource_needs_its_key(offline: DataCenter, noun: type[Resource]) -> None:
    """Data that does not say what addresses the resource is no answer of CloudAPI."""
    with pytest.raises(BadResponse, match=f"missing or invalid '{noun.id_key}' in the data of a {noun.__name__}"):
        noun(offline, data={"colour": "red"})


@pytest.mark.parametrize("key", [None, "", True, [], {}, 1.5])
def test_resource_needs_a_key_that_addresses_it(offline: DataCenter, key: object) -> None:
    """What is neither a text nor a whole number addresses nothing."""
    with pytest.raises(BadResponse, match="missing or invalid 'id' in the data of a Machine"):
        Machine(offline, data={"id": key})


def test_what_has_a_uuid_is_equal_by_it(offline: DataCenter) -> None:
    """Two resources of one class with one UUID are equal, whatever else is known of them and however they were reached."""
    elsewhere = DataCenter("http://127.0.0.1:2", login="other")
    image, same = Image(offline, data={**DATA, "id": UUID}), Image(elsewhere, data={"id": UUID.upper()})
    assert image == same
    assert hash(image) == hash(same)
    assert image != Image(offline, data={"id": UUID.replace("0", "1")})
    assert image != Network(offline, data={**DATA, "id": UUID})


def test_what_has_a_name_is_equal_by_owner_and_name(offline: DataCenter) -> None:
    """A name is good for one owner only: an account, a user, a machine."""
    elsewhere = DataCenter("http://127.0.0.1:2", login="other")
    first, second = (Machine(offline, data={"id": UUID.replace("0", digit)}) for digit in "12")
    assert Key(offline, data={"name": "laptop", "key": "k"}) == Key(offline, data={"name": "laptop"})
    assert Key(offline, data={"name": "laptop"}) not in {
        Key(offline, data={"name": "Laptop"}),
        Key(elsewhere, data={"name": "laptop"}),
    }
    assert Snapshot(first, data={"name": "s"}) == Snapshot(copy.copy(first), data={"name": "s"})
    assert Snapshot(first, data={"name": "s"}) != Snapshot(second, data={"name": "s"})


def test_equal_to_a_dict_with_the_same_data(image: Image) -> None:
    """What was a dict is equal to one, either way round, as long as nothing is missing."""
    assert image == dict(image)
    assert dict(image) == image
    assert image not in [{"id": "b-1"}, {**image, "name": "x"}, "b-1", None]


def test_hash_never_changes(odd_server: Any, odd_dc: DataCenter) -> None:
    """What was put into a set is found there, also after it was fetched again and the client has changed."""
    odd_server.get("http://odd.test/my/keys/laptop", json={"name": "laptop", "key": "k"})
    key = Key(odd_dc, data={"name": "laptop"})
    known, clients = {key}, {odd_dc}
    key.refresh()
    odd_dc.login = "other"
    assert key in known
    assert odd_dc in clients


def test_my_is_resolved_to_the_account() -> None:
    """A resource reached by ``my`` and one reached by the account's name are the same, as far as the key tells."""
    mine, named = (
        DataCenter("http://127.0.0.1:1", "/demo/keys/laptop", "unread", login=login) for login in (None, "demo")
    )
    assert (mine.url, named.url) == ("http://127.0.0.1:1/my/", "http://127.0.0.1:1/demo/")
    assert mine == named
    assert Image(mine, data=DATA) == Image(named, data=DATA)
    assert len({Image(mine, data=DATA), Image(named, data=DATA)}) == 1
    assert Image(mine, data=DATA) != Image(DataCenter("http://127.0.0.1:1", login="other"), data=DATA)


def test_canonical_url(image: Image) -> None:
    """The canonical URL is the whole one."""
    assert image.canonical_url == "http://127.0.0.1:1/demo/images/b-1"
    assert image.path == "images/b-1"


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_copy(offline: DataCenter, copier: Any) -> None:
    """A copy is equal and independent; the data centre it is in stays the same one."""
    machine = Machine(offline, data={"id": "m", "tags": {"a": 1}, "metadata": {"user-script": "s"}})
    twin = copier(machine)
    assert (twin, type(twin), twin.boot_script) == (machine, Machine, "s")
    assert twin.datacenter is offline
    twin["tags"]["a"] = 2
    assert machine.tags == {"a": 1}


def test_copy_of_a_snapshot_has_the_same_machine(offline: DataCenter) -> None:
    """A copied snapshot is of the machine that it was of."""
    machine = Machine(offline, data={"id": "m"})
    assert copy.deepcopy(Snapshot(machine, data={"name": "s"})).machine is machine


@pytest.mark.parametrize(
    ("thing", "keys", "text"),
    [
        ("a", (), "a"),
        (7, (), "7"),
        ({"id": "a"}, (), "a"),
        ({"id": "a", "name": "b"}, ("name", "id"), "b"),
        ({"id": "a", "name": None}, ("name", "id"), "a"),
        ({"name": "b"}, ("id", "name"), "b"),
    ],
)
def test_id_of(thing: object, keys: tuple[str, ...], text: str) -> None:
    """An id may be given as it is, or as a mapping that has it under one of some keys."""
    assert id_of(thing, *keys) == text


@pytest.mark.parametrize("nothing", [None, "", b"a", True, False, {}, {"name": "b"}, {"id": ""}])
def test_id_of_nothing(nothing: object) -> None:
    """What addresses nothing is refused with the reason, and not turned into a text."""
    with pytest.raises(InputError):
        id_of(nothing)


@pytest.mark.parametrize("noun", [*NOUNS, Snapshot])
def test_nouns_are_at_the_front_door(noun: type[Resource]) -> None:
    """Every noun can be imported from the package."""
    assert getattr(smartdc, noun.__name__) is noun


@pytest.mark.parametrize("method", ["machines", "images", "keys"])
@pytest.mark.parametrize("answer", [{"id": "a"}, ["a"], "a", None])
def test_answer_that_is_no_list(odd_server: Any, odd_dc: DataCenter, method: str, answer: Any) -> None:
    """A listing that is no list of objects is not CloudAPI's, and says so."""
    odd_server.get(f"http://odd.test/my/{method}", json=answer)
    with pytest.raises(BadResponse, match=f"GET /my/{method}.*the answer is not a list of JSON objects"):
        getattr(odd_dc, method)()


@pytest.mark.parametrize("answer", [[], "a", 1])
def test_answer_that_is_no_object(odd_server: Any, odd_dc: DataCenter, answer: Any) -> None:
    """A thing that is no object is not CloudAPI's, and says so."""
    odd_server.get("http://odd.test/my", json=answer)
    with pytest.raises(BadResponse, match="GET /my: the answer is not a JSON object"):
        odd_dc.account()


def test_place_without_an_address() -> None:
    """A place below a data centre says where it is, or is not finished."""
    with pytest.raises(NotImplementedError, match="Addressable"):
        Addressable().path  # noqa: B018 (the access is what is shown)


def test_what_is_nested_too_deeply_is_no_resource(offline: DataCenter) -> None:
    """JSON may be read at a depth at which Python can no longer copy it."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadResponse, match="nested too deeply"):
        Image(offline, data={"id": "b-1", "deep": deep})


@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (FirewallRule, lambda rule: rule.update(description="x")),
        (FirewallRule, lambda rule: rule.enable()),
        (Role, lambda role: role.update(name="x")),
        (Policy, lambda policy: policy.update(name="x")),
        (Volume, lambda volume: volume.update(name="x")),
        (Image, lambda image: image.update(description="x")),
    ],
)
def test_change_without_an_answer(
    odd_dc: DataCenter, odd_server: responses.RequestsMock, status: int, kind: Any, change: Any
) -> None:
    """What was changed is fetched again where CloudAPI answers with nothing, as its documentation says of some."""
    there = {"id": UUID, "name": "new", "state": "ready"}
    odd_server.post(re.compile("http://odd.test/"), status=status)
    odd_server.get(re.compile("http://odd.test/"), json=there)
    resource = kind(odd_dc, data={"id": UUID, "name": "old", "state": "ready"})
    change(resource)
    assert dict(resource) == there


# Slots and answers that are not copied


class Annotated(Machine):
    """A machine as a user may extend it, with a slot of its own and without."""

    __slots__ = ("owner",)
    owner: str


class Noted(Machine):
    """A machine with an attribute that is set when it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.note = "mine"


def all_nouns(base: type[Resource] = Resource) -> set[type[Resource]]:
    """Return every class of resources in the package."""
    found = {noun for child in base.__subclasses__() for noun in (child, *all_nouns(child))}
    return {noun for noun in found if noun.__module__.startswith("smartdc.")}


def test_every_part_of_a_resource_has_slots() -> None:
    """One mix-in without ``__slots__`` would give every object that has it a dict of its own."""
    parts = {part for noun in all_nouns() for part in noun.__mro__ if part.__module__.startswith("smartdc.")}
    assert Machine in parts
    assert [part for part in parts if "__slots__" not in vars(part)] == [], "add __slots__ = ()"


def test_attributes_of_the_user(offline: DataCenter) -> None:
    """Whoever wants to may note something on a resource, or refer to it weakly."""
    machine = Machine(offline, data={"id": "m"})
    assert vars(machine) == {}
    machine.note = 1  # type: ignore[attr-defined]
    assert vars(machine) == {"note": 1}
    assert weakref.ref(machine)() is machine


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])  # noqa: S301 (it is our own)
def test_twins_have_the_attributes_of_the_user(offline: DataCenter, twin_of: Any) -> None:
    """What was noted on a resource, in a slot or not, is on its copy and in its pickle too."""
    annotated, noted = Annotated(offline, data={"id": "a"}), Noted(offline, data={"id": "n"})
    annotated.owner = "me"
    annotated.note = "here"  # type: ignore[attr-defined]
    twin, other = twin_of(annotated), twin_of(noted)
    assert (type(twin), dict(twin), twin.owner, twin.note) == (Annotated, {"id": "a"}, "me", "here")
    assert (type(other), dict(other), other.note) == (Noted, {"id": "n"}, "mine")
    assert twin.datacenter == offline


def test_old_protocols_of_pickle(offline: DataCenter) -> None:
    """Slots are no reason to refuse one of the protocols that others still use."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        image = Image(offline, data=DATA)
        assert dict(pickle.loads(pickle.dumps(image, protocol))) == DATA  # noqa: S301 (it is our own)


def test_answers_are_not_copied(dc: DataCenter, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else holds a fresh answer, so that no resource has to copy it."""

    def refuse(*_: object) -> None:
        pytest.fail("an answer was copied")

    monkeypatch.setattr(copy, "deepcopy", refuse)
    assert dc.machines() == [dc.machine(machine.id)] == [Machine(dc, machine.id)]
    assert dc.packages()
    assert dc.networks()
    assert machine.nics()


def test_answer_without_its_key(offline: DataCenter) -> None:
    """An answer that is not copied is checked all the same."""
    for identity in ({}, {"id": ""}, {"id": None}, {"id": True}):
        with pytest.raises(BadResponse, match="missing or invalid 'id'"):
            Image.from_answer(offline, dict(identity))
    assert Image.from_answer(offline, {"id": 7}).path == "images/7"


MAX_OVERHEAD = 0.055 if sys.version_info >= (3, 14) else 0.05
"""What resources may take beyond their dicts.

From 3.14 on CPython gives every object that may have a ``__dict__`` room for its first attributes, also where the class
has slots: 24 bytes that stay empty here. And the dicts, with which it is compared, have become smaller since 3.11.
"""


def test_objects_cost_little_more_than_their_dicts(offline: DataCenter) -> None:
    """Ten thousand resources take at most 5 % more memory than what the server said of them; from 3.14 on, 5.5 %."""
    tracemalloc.start()
    try:
        entries = [
            {**{f"field {n}": f"{n}-{number}" for n in range(18)}, "id": str(number)} for number in range(10_000)
        ]
        dicts = tracemalloc.get_traced_memory()[0]
        machines = Machine.from_answers(offline, entries)
        objects = tracemalloc.get_traced_memory()[0] - dicts
    finally:
        tracemalloc.stop()
    assert len(machines) == 10_000
    assert objects <= MAX_OVERHEAD * dicts


def test_an_answer_of_another_type_says_what_was_asked(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """The error has the method, the path and the server's own id of the request."""
    odd_server.get("http://odd.test/my/packages", json={"id": 1}, headers={"Request-Id": "r-17"})
    with pytest.raises(BadResponse, match="GET /my/packages: the answer is not a list of JSON objects") as caught:
        odd_dc.packages()

    assert (caught.value.method, caught.value.path, caught.value.request_id) == ("GET", "/my/packages", "r-17")
