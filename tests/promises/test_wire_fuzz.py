"""Whatever text is put into a request, the server reads exactly that text at exactly that place, or nothing is sent."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kits.http import RawServer, first_line, reply
from kits.thorough import each, examples
from smartdc import DataCenter, InputError, Machine, SmartDCError
from smartdc.core.search import is_pattern
from smartdc.emulator import Emulator, VirtualClock
from smartdc.emulator.pipeline.decode import parse_query
from smartdc.emulator.pipeline.router import ROUTER
from smartdc.emulator.pipeline.trace import TraceEntry

ID = "11111111-1111-4111-8111-111111111111"
MACHINE = {"account": "demo", "machine": ID}

NASTY = [".", "..", "...", "", " ", "a/b", "../x", "%2e%2e", "%2F", "%00", "a?b=c", "a#b", "a&b=c", "a+b", "a;b", "a=b"]
NASTY += [
    "\x00",
    "a\r\nHost: x",
    "\n",
    "\x7f",
    "\x85",
    "\u2028",
    "\ud800",
    "é",
    "日本",
    "a[b]",
    "a[]",
    "[",
    "\\..\\",
    "//",
    "~",
]
NASTY += [
    "machine",
    "account",
    "uuid",
    "owner_uuid",
    "image",
    "credentials",
    "x_pw",
    "signature",
    "keyId",
    "action",
    "true",
    "*",
]

texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.text("./%\\?#&=+;[]a ", max_size=6),
)
values = st.one_of(texts, st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.booleans())

many = examples(300, 2_300)


class Wire:
    """A client, and an emulator that writes down all it is asked for, also where it refuses it for want of a key."""

    def __init__(self, **keys: None) -> None:
        self.cloud = Emulator(clock=VirtualClock())
        self.dc = DataCenter(**{**self.cloud.connection(), **keys})
        self.machine = Machine(self.dc, data={"id": ID, "name": "web-1", "state": "running", "tags": {}})

    def heard(self, ask: Callable[[Wire], Any], operation: str | None = None) -> TraceEntry | None:
        """Return what the server read of a request; none when it was refused before a byte of it was sent."""
        del self.cloud.trace[:]
        refused = False
        try:
            ask(self)
        except InputError:
            refused = True
        except SmartDCError:
            pass
        asked = next((a for a in self.cloud.trace if operation in {None, a.operation}), None)
        assert (asked is None) is refused
        return asked


@pytest.fixture(scope="module")
def wire() -> Wire:
    """A client that is refused everything, which takes the least time."""
    return Wire(key_id=None, secret=None)


@pytest.fixture(scope="module")
def signing() -> Wire:
    """A client with a key."""
    return Wire()


def route(asked: TraceEntry) -> tuple[str | None, dict[str, str]]:
    """Return the operation and the decoded parameters of a path."""
    match = ROUTER.find(asked.method, asked.path)
    return asked.operation, match.params


def is_clean(path: str) -> bool:
    """Tell whether every hop on the way leaves a path as it is."""
    plain = path.partition("?")[0]
    return plain.isascii() and plain.isprintable() and " " not in plain and posixpath.normpath(plain) == plain


class Place(NamedTuple):
    """A place in a path where a text goes."""

    operation: str
    parameter: str
    ask: Callable[[Wire, str], Any]
    rest: Mapping[str, str] = MappingProxyType({"account": "demo"})


PLACES = [
    Place("GetMachine", "machine", lambda w, t: w.dc.raw_machine_data(t)),
    Place("GetMachineTag", "tag", lambda w, t: w.machine.get_tag(t), MACHINE),
    Place("DeleteMachineTag", "tag", lambda w, t: w.machine.delete_tag(t), MACHINE),
    Place("GetMachineMetadata", "key", lambda w, t: w.machine.get_metadata(t), MACHINE),
    Place("DeleteMachineMetadata", "key", lambda w, t: w.machine.delete_metadata_at_key(t), MACHINE),
    Place("GetMachineSnapshot", "name", lambda w, t: w.machine.raw_snapshot_data(t), MACHINE),
    Place("StartMachineFromSnapshot", "name", lambda w, t: w.machine.start_from_snapshot(t), MACHINE),
    Place("GetKey", "name", lambda w, t: w.dc.key(t)),
    Place("DeleteKey", "name", lambda w, t: w.dc.delete_key(t)),
    Place("GetUser", "uuid", lambda w, t: w.dc.user(t)),
    Place("GetRole", "role", lambda w, t: w.dc.role(t)),
    Place("GetPolicy", "policy", lambda w, t: w.dc.policy(t)),
    Place("GetFirewallRule", "id", lambda w, t: w.dc.firewall_rule(t)),
]


@many
@given(st.sampled_from(PLACES), texts)
@each([*product(PLACES, NASTY)])
def test_a_text_in_a_path_stays_in_its_segment(wire: Wire, place: Place, text: str) -> None:
    """It is read as the parameter of its own operation, below the same things, and no hop changes the path."""
    asked = wire.heard(lambda w: place.ask(w, text))

    if asked:
        assert route(asked) == (place.operation, {**place.rest, place.parameter: text})
        assert is_clean(asked.path)


@many
@given(st.dictionaries(texts, st.one_of(values, st.lists(values, min_size=2, max_size=3)), min_size=1, max_size=3))
@each([({text: text},) for text in NASTY])
def test_a_query_is_read_as_it_was_given(wire: Wire, params: dict[str, Any]) -> None:
    """Names and values arrive as they are, and no more of them than there were."""
    asked = wire.heard(lambda w: w.dc.request("GET", "/machines", params=params))

    if asked:
        assert asked.query == {name: written(value) for name, value in params.items()}
        assert is_clean(asked.path)
        assert asked.operation == "ListMachines"


def written(value: Any) -> Any:
    """Write a value, or several, as they stand in a query."""
    if isinstance(value, list):
        return [written(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return f"{value + 0:.0f}"
    return str(value).lower() if isinstance(value, bool) else str(value)


FILTERS: list[Callable[[Wire, Any], Any]] = [
    lambda w, t: w.dc.machines(name=t),
    lambda w, t: w.dc.machines(state=t),
    lambda w, t: w.dc.machines(brand=t),
    lambda w, t: w.dc.machines(tags={"role": t}),
    lambda w, t: w.dc.machines(tags={t: "web"}),
    lambda w, t: w.dc.volumes(name=t),
    lambda w, t: w.dc.volumes(state=t),
]


@many
@given(st.sampled_from(FILTERS), texts)
@each([*product(FILTERS, NASTY)])
def test_a_filter_is_read_as_it_was_given(wire: Wire, filtered: Callable[[Wire, str], Any], text: str) -> None:
    """A filter that was cut short, or that named another parameter, would find what was not meant."""
    asked = wire.heard(lambda w: filtered(w, text))

    if asked:
        told = {**asked.query}
        assert told.pop("limit", "1000") == "1000"
        assert told.pop("offset", "0") == "0"
        if is_pattern(text) and told.keys() <= {"name"} and text not in told.values():
            # The server is asked for what is literal in a pattern, and the rest is matched here.
            assert len(told) <= 1
            assert all(value.removeprefix("~") in text for value in told.values())
            return
        assert len(told) == 1
        [(name, value)] = told.items()
        assert text in {value, name.removeprefix("tag.")}
        assert {value, name.removeprefix("tag.")} & {text, "web", "role"} >= {text}


header_names = st.one_of(texts, st.text("abcXYZ-_0", min_size=1, max_size=8))
header_values = st.one_of(texts, st.text(st.characters(max_codepoint=255), max_size=20))
OWN = {"date", "host", "authorization", "accept", "accept-encoding", "accept-version", "user-agent", "connection"}
OWN |= {"x-request-id", "content-type", "content-md5", "content-length", "transfer-encoding"}


@many
@given(header_names, header_values)
@each([*product(NASTY, ["x"]), *product(["x-a"], NASTY)])
def test_a_header_is_read_as_it_was_given(wire: Wire, name: str, value: str) -> None:
    """It is one header, of that name and with that value, and changes no other."""
    if name.lower() in OWN:
        return
    plain = wire.heard(lambda w: w.dc.request("GET", "/machines"))
    asked = wire.heard(lambda w: w.dc.request("GET", "/machines", headers={name: value}))

    if asked and plain:
        extra = {key: told for key, told in asked.headers.items() if key not in OWN}
        assert extra == {name.lower(): value}
        assert value == value.strip(" \t")
        assert set(asked.headers) == {*plain.headers, name.lower()}


entries = st.dictionaries(texts, values, min_size=1, max_size=3)
WRITES: list[tuple[str, Callable[[Wire, dict[str, Any]], Any], str]] = [
    ("AddMachineTags", lambda w, e: w.machine.add_tags(e), ""),
    ("ReplaceMachineTags", lambda w, e: w.machine.replace_tags(e), ""),
    ("UpdateMachineMetadata", lambda w, e: w.machine.update_metadata(e), ""),
    ("CreateMachine", lambda w, e: w.dc.create_machine("web-1", tags=e, package="p", image=ID), "tag."),
    ("CreateMachine", lambda w, e: w.dc.create_machine("web-1", metadata=e, package="p", image=ID), "metadata."),
]


@many
@given(st.sampled_from(WRITES), entries)
@each([(write, {text: text}) for write, text in product(WRITES, NASTY)])
def test_tags_and_metadata_are_read_as_they_were_given(wire: Wire, write: Any, given_entries: dict[str, Any]) -> None:
    """Keys and values arrive as they are, with their types, and address nothing but the machine of the path."""
    operation, ask, prefix = write
    asked = wire.heard(lambda w: ask(w, given_entries), operation)

    if asked:
        body = {k: v for k, v in asked.body.items() if k not in {"name", "package", "image", "tag.smartdc_token"}}
        assert (body if prefix else asked.body) == {prefix + key: value for key, value in given_entries.items()}
        assert {k: type(v) for k, v in body.items()} == {prefix + k: type(v) for k, v in given_entries.items()}
        assert asked.operation == operation


NAMES: list[tuple[str, str, Callable[[Wire, str], Any]]] = [
    ("CreateMachine", "name", lambda w, t: w.dc.create_machine(t, package="p", image=ID)),
    ("CreateMachineSnapshot", "name", lambda w, t: w.machine.create_snapshot(t)),
    ("CreateKey", "name", lambda w, t: w.dc.add_key(t, w.cloud.public_key)),
    ("CreateFirewallRule", "rule", lambda w, t: w.dc.create_firewall_rule(t)),
    ("CreateVolume", "name", lambda w, t: w.dc.create_volume(t, size=1024)),
    ("CreatePolicy", "name", lambda w, t: w.dc.create_policy(t, ["CAN getmachine"])),
]


@many
@given(st.sampled_from(NAMES), texts)
@each([*product(NAMES, NASTY)])
def test_a_name_is_read_as_it_was_given(signing: Wire, place: Any, text: str) -> None:
    """What a new thing is to be called arrives as it is."""
    operation, parameter, ask = place
    asked = signing.heard(lambda w: ask(w, text), operation)

    if asked:
        assert asked.body[parameter] == text


@many
@given(texts)
@each([*product(NASTY)])
def test_a_new_name_is_read_as_it_was_given(wire: Wire, text: str) -> None:
    """``RenameMachine`` has it in the query, beside the action."""
    asked = wire.heard(lambda w: w.machine.rename(text))

    if asked:
        assert asked.query == {"action": "rename", "name": text}
        assert asked.operation == "RenameMachine"


@pytest.fixture(scope="module")
def cloud() -> Emulator:
    """A data centre with two machines, whose server takes what is well signed."""
    cloud = Emulator(clock=VirtualClock())
    cloud.populate(2, name="web-{n}")
    return cloud


@pytest.fixture(scope="module")
def dc(cloud: Emulator) -> DataCenter:
    """A client of it."""
    return DataCenter(**cloud.connection())


@many
@given(st.booleans(), texts, values)
@each([*product([True, False], NASTY, ["x"])])
def test_a_tag_or_entry_is_set_at_its_machine_or_refused(
    cloud: Emulator, dc: DataCenter, tag: bool, key: str, value: Any
) -> None:
    """No name makes CloudAPI write to another machine, write something else, or drop what it was given in silence."""
    for machine in cloud.state.machines.values():
        machine.tags, machine.metadata = {}, {}
    first, second = cloud.state.machines.values()
    mine = Machine(dc, data={"id": first.id})
    try:
        write = mine.add_tags if tag else mine.update_metadata
        write({key: value})
        done = {key: value}
    except SmartDCError:
        done = {}
    cloud.transitions.settle()

    assert (first.tags, first.metadata) == ((done, {}) if tag else ({}, done))
    assert (second.tags, second.metadata) == ({}, {})


@many
@given(texts, st.dictionaries(texts, texts, max_size=2), st.text("abc", min_size=1, max_size=3), header_values)
@each([(text, {text: text}, "a", "b") for text in NASTY])
@each([("b", {}, "a", text) for text in NASTY])
def test_the_bytes_on_the_wire_are_those_the_server_was_meant_to_read(
    listener: RawServer, stranger: DataCenter, segment: str, params: dict[str, str], name: str, value: str
) -> None:
    """A plain socket sees one request line, of the method, the segment and the query that were asked for."""
    del listener.requests[:]
    try:
        path = f"/machines/{ID}/tags"
        Machine(stranger, data={"id": ID})._call("GET", "tags", segment, params=params, headers={f"X-{name}": value})
    except InputError:
        assert not listener.requests
        return
    [request] = listener.requests
    method, target, version = first_line(request).split(" ")
    raw, _, query = target.partition("?")

    assert (method, version) == ("GET", "HTTP/1.1")
    assert unquote(raw.removeprefix(f"/demo{path}/"), errors="strict") == segment
    assert parse_query(query) == params
    assert f"\r\nX-{name}: {value}\r\n".encode("latin-1") in request
    assert request.count(b"\r\n\r\n") == 1


@pytest.fixture(scope="module")
def listener() -> Any:
    """A server that answers everybody with an empty object."""
    with RawServer(reply(body={})) as server:
        yield server


@pytest.fixture(scope="module")
def stranger(listener: RawServer) -> Any:
    """A client of it, without a key."""
    with DataCenter(listener.url, login="demo") as client:
        yield client
