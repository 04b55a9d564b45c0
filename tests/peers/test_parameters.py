"""Every parameter that CloudAPI takes can be given, and arrives under its name, in its place and of its type.

`peers.parameter_facts` has the table, and `peers.parameter_calls` calls that fill it. A parameter that is in one of them alone
fails here, and so does one that the emulator reads and the table lacks, an argument of a method that no call gives, or
that takes what it should not, and a method with arguments for which neither has anything.
"""

from __future__ import annotations

import contextlib
import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from kits.docs import ROWS, owners
from kits.doors import SharedServer
from peers.node_twins import MACHINE_TWINS, Twin
from peers.node_twins_account import ACCOUNT_TWINS
from peers.node_world import World, arrange
from peers.parameter_calls import CALLS
from peers.parameter_facts import FACTS, LEFT_OUT
from peers.parameter_reads import Reads, record_reads
from smartdc import DataCenter, InputError, InvalidCredentials
from smartdc.core.operation import operations_of
from smartdc.emulator import AT_ONCE, Emulator
from smartdc.emulator.pipeline.trace import TraceEntry

OURS = frozenset({"wait", "timeout", "interval", "paged", "search", "fields", "token", "settle", "auth_token"})
"""Arguments that say how to call and not what to ask for, and two that become a tag and a header."""
ELSEWHERE = {
    "create_machine": {"credentials", "dataset"},
    "machines": {"dataset", "type", "package"},
    "num_machines": {"dataset", "type", "package", "name"},
    "get_metadata": {"key"},
    "keys": {"name"},
    "ssh_keys": {"name"},
    "networks": {"name"},
    "users": {"login"},
    "roles": {"name"},
    "policies": {"name"},
    "vlans": {"name"},
    "snapshots": {"name"},
}
"""Arguments that make a method ask for another operation, are another name of one that is given, or a filter of ours."""
ADDRESSES = frozenset(
    {"key_id", "identifier", "machine_id", "machine", "image", "network", "default_network", "package", "boot_script"}
    | {"filename", "mapping", "collection", "owner"}
)
"""Arguments that are looked up, or are no parameter by themselves: what is wrong with them is told without their name."""
OWN_NAMES = frozenset({"UpdateMachineMetadata", "AddMachineTags", "ReplaceMachineTags"})
"""Operations of which every parameter is an entry that the caller names."""
WRONG = {bool: "false", int: "1 kB", str: b"x", list: 5, tuple: 5, dict: 5}
"""What nobody should get away with, by the type of what is right."""
MAY_BE_BYTES = frozenset({("CreateKey", "key"), ("CreateUserKey", "key")})
"""Strings that are taken as bytes too."""


@pytest.fixture
def world(dc: DataCenter, cloud: Emulator, door: str, shared_server: SharedServer) -> World:
    """A cloud with one thing or two of every kind, whose jobs end at once."""
    cloud.transitions.policy = AT_ONCE
    with DataCenter(**cloud.connection()) as within:  # the shortest way
        arrange(cloud, within)
    return World(dc, cloud, cloud.connection(shared_server.url if door == "http" else None))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """The names of the parameters that the emulator reads during the test."""
    return record_reads(monkeypatch)


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("operation", FACTS)
def test_parameters(operation: str, on: bool, world: World, cloud: Emulator, reads: Reads) -> None:
    """All that the table has arrives, and nothing else, and the server takes it; a flag that is False does not arrive."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for ask in CALLS[operation]:
        call = ask(world, on)
        cloud.trace.clear()
        with contextlib.suppress(InvalidCredentials):
            call()
        for asked in asked_of(cloud, operation):
            for name, kind in arrived(asked, on=on):
                seen[name].add(kind)
    assert seen == as_seen(FACTS[operation], on=on)
    assert not without_facts(reads)


@pytest.mark.parametrize("door", ["adapter"])
@pytest.mark.parametrize("operation", FACTS)
def test_every_argument_is_given(operation: str, world: World) -> None:
    """The calls of an operation give every argument of its methods, so that a new one has to come into the table."""
    given: defaultdict[str, set[str]] = defaultdict(set)
    wanted: dict[str, set[str]] = {}
    for ask in CALLS[operation]:
        call = ask(world, True)
        method = call.func.__name__
        wanted[method] = set(inspect.signature(call.func).parameters) - OURS - ELSEWHERE.get(method, set())
        given[method] |= set(bound(call).arguments)
    missing = {method: arguments - given[method] for method, arguments in wanted.items()}
    assert not any(missing.values()), missing


@pytest.mark.parametrize("door", ["adapter"])
@pytest.mark.parametrize("operation", FACTS)
def test_wrong_type(operation: str, world: World, cloud: Emulator) -> None:
    """An argument of a wrong type is refused, and named, before the operation is asked for."""
    for ask in CALLS[operation]:
        call = ask(world, True)
        cloud.trace.clear()
        for name, right in dict(bound(call).arguments).items():
            if name in OURS or name in entries_of(call) or not isinstance(right, (*WRONG, Mapping)):
                continue
            wrong = bound(call)
            wrong.arguments[name] = next((WRONG[kind] for kind in WRONG if isinstance(right, kind)), b"x")
            if (operation, name) in MAY_BE_BYTES:
                wrong.arguments[name] = 7
            words = None if name in ADDRESSES else name
            with pytest.raises((InputError, TypeError), match=words):
                call.func(*wrong.args, **wrong.kwargs)
        assert not asked_of(cloud, operation)


@pytest.mark.parametrize("twin", [*MACHINE_TWINS, *ACCOUNT_TWINS], ids=str)
def test_nothing_else(twin: Twin, world: World, cloud: Emulator, reads: Reads) -> None:
    """What other calls send is in the table too, and operations that are not there are asked for without anything."""
    twin.ours(world)
    for asked in cloud.trace:
        assert {name for name, _ in arrived(asked, on=True)} <= {*FACTS.get(asked.operation or "", ()), "as-role"}
    assert not without_facts(reads)


def test_the_table() -> None:
    """The table is of CloudAPI's operations, has calls for each, and what is left out is not in it."""
    assert CALLS.keys() == FACTS.keys(), "parameter_calls.py and parameter_facts.py must have the same operations"
    assert FACTS.keys() | {operation for operation, _ in LEFT_OUT} <= ROWS.keys()
    assert not {(operation, name) for operation, facts in FACTS.items() for name in facts} & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("owner", owners(), ids=lambda owner: owner.__name__)
def test_no_method_is_left_out(owner: type) -> None:
    """A method with more arguments than its operations have places for in their paths is in the table."""
    for name, method in inspect.getmembers(owner, inspect.isfunction):
        operations = operations_of(method, owner.__name__)
        arguments = inspect.signature(method).parameters.keys() - {"self"} - OURS - ELSEWHERE.get(name, set())
        if operations and not FACTS.keys() & set(operations):
            most = max(places_below(owner, ROWS[operation].path) for operation in operations)
            advice = f"add {operations[0]} to parameter_facts.py and parameter_calls.py, for {sorted(arguments)}"
            assert len(arguments) <= most, advice


def places_below(owner: type, path: str) -> int:
    """Count the parameters in a path that follow those of the thing that the method belongs to."""
    below = path if owner is DataCenter else path.partition(f"/{getattr(owner, 'kind', '')}/")[2]
    return max(below.count(":") - 1, 0)


def without_facts(reads: Reads) -> list[tuple[str, str]]:
    """Return what the emulator read, and the table has neither among the facts nor among what is left out."""
    known = {(operation, name) for operation, facts in FACTS.items() for name in facts} | LEFT_OUT.keys()
    return [(operation, name) for operation, names in reads.items() for name in names if (operation, name) not in known]


def bound(call: partial[Any]) -> inspect.BoundArguments:
    """Return the arguments of a call, by their names."""
    return inspect.signature(call.func).bind(*call.args, **call.keywords)


def entries_of(call: partial[Any]) -> set[str]:
    """Return what a method calls the entries that one gives as arguments."""
    arguments = inspect.signature(call.func).parameters.values()
    return {argument.name for argument in arguments if argument.kind is argument.VAR_KEYWORD}


def asked_of(cloud: Emulator, operation: str) -> list[TraceEntry]:
    """Return what arrived for an operation."""
    return [asked for asked in cloud.trace if asked.operation == operation]


def arrived(asked: TraceEntry, *, on: bool) -> Iterator[tuple[str, str]]:
    """Yield each parameter that arrived, with its place and type."""
    assert asked.status < 400 or asked.status == 401, asked
    for place, values in (("query", asked.query), ("body", asked.body)):
        for name, value in values.items():
            prefix, dot, _ = name.partition(".")
            known = "<key>" if asked.operation in OWN_NAMES else f"{prefix}.<key>" if dot else name
            yield known, f"{place} {kind_of(value, place, on=on)}"


def kind_of(value: object, place: str, *, on: bool) -> str:
    """Name the type of a value; in a query all are texts."""
    if place == "query":
        assert isinstance(value, str)
        return "truth" if value == str(on).lower() else "number" if value.isdecimal() else "text"
    kinds = {str: "text", bool: "other truth", int: "number", float: "number", list: "list", dict: "object"}
    return "truth" if value is on else kinds[type(value)]


def as_seen(facts: Mapping[str, frozenset[str]], *, on: bool) -> dict[str, set[str]]:
    """Return the table as it can be seen from the server: a flag is a truth that is never False."""
    shown = {name: {kind.replace("flag", "truth") for kind in kinds} for name, kinds in facts.items()}
    return {name: kinds for name, kinds in shown.items() if on or facts[name] != {"query flag"}}
