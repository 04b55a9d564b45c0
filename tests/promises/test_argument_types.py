"""An argument of a wrong type is refused by its name before a byte is sent, and never fails somewhere inside.

Every parameter of every public method that has a type which the wrong values are not of is given each of them. A
method may also take one that fits; what it does then is for other tests.
"""

from __future__ import annotations

import inspect
import math
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from smartdc import DataCenter, InputError, Machine, SmartDCError
from smartdc.core.operation import operations_of
from smartdc.core.resource import Resource
from smartdc.emulator import Emulator, VirtualClock

ID = "11111111-1111-4111-8111-111111111111"

WRONG: list[Any] = [None, 5, 1.5, math.nan, [], ["x"], [None], {}, {"x": object()}, {5: "x"}, object(), b"x", 10**400]
"""Values of every type."""

MOST_REQUESTS = 40
"""The most requests that a single call may come to."""

OF_WAITS = frozenset({"state", "timeout", "interval", "settle", "progress"})
"""Parameters that have tests of their own, in tests/waiting."""

SOUND: dict[str, Any] = {
    "method": "GET",
    "size": 10240,
    "key": "ssh-ed25519 AAAA",
    "vlan_id": 5,
    "count": 2,
    "mapping": {"a": "b"},
    "query": {},
    "filename": __file__,
}
"""Arguments for when another one is wrong; the others are texts."""


class Unbounded(BaseException):
    """A call that does not end."""


class Bounded(BaseAdapter):
    """An adapter that counts requests, and stops a call that sends too many."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self.inner, self.sent = inner, 0

    def send(self, request: PreparedRequest, *_: Any, **options: Any) -> Response:
        """Count a request and pass it on."""
        self.sent += 1
        if self.sent > MOST_REQUESTS:
            raise Unbounded
        return self.inner.send(request, **options)

    def close(self) -> None:
        """Close what it passes them on to."""
        self.inner.close()


class Trial(NamedTuple):
    """A parameter of a public method."""

    owner: type
    method: str
    parameter: inspect.Parameter

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.method}({self.parameter.name})"

    def takes(self, value: object) -> bool:
        """Tell whether a value is of the type that the parameter is declared with, as far as that is a simple one."""
        declared = str(self.parameter.annotation)
        kinds = {kind.strip().partition("[")[0] for kind in declared.split(" | ")}
        simple = {"str": str, "int": int, "bytes": bytes, "None": type(None)}
        return not kinds <= set(simple) or any(isinstance(value, simple[kind]) for kind in kinds)


class Site:
    """A cloud with a machine, whose requests are counted."""

    def __init__(self) -> None:
        self.cloud = Emulator(clock=VirtualClock())
        [record] = self.cloud.populate(1, name="web-1")
        parts = self.cloud.connection()
        self.wire = Bounded(parts.pop("adapter"))
        self.dc = DataCenter(**parts, adapter=self.wire)
        self.data = {"id": record.id, "name": "web-1", "state": "running", "tags": {}, "metadata": {}}

    def owner(self, kind: type) -> Any:
        """Return what to call the methods of."""
        if kind is DataCenter:
            return self.dc
        machine = Machine(self.dc, data=self.data)
        if kind is Machine:
            return machine
        data = {"id": ID, "name": "x", "mac": "90:b8:d0:00:00:01", "ip": "10.0.0.1", "vlan_id": 5, "accesskeyid": "x"}
        return kind(machine, data={**data, "machine": machine.id, "state": "created", "login": "x"})

    def call(self, trial: Trial, value: object) -> tuple[Exception | None, int]:
        """Call a method with a wrong argument, and return its error and how many requests were sent."""
        method = getattr(self.owner(trial.owner), trial.method)
        places, given = [], {}
        for parameter in inspect.signature(method).parameters.values():
            argument = value if parameter.name == trial.parameter.name else SOUND.get(parameter.name, "x")
            if parameter.kind is parameter.POSITIONAL_ONLY:
                places.append(argument)
            elif parameter.name == trial.parameter.name or parameter.default is parameter.empty:
                given[parameter.name] = argument
        self.wire.sent = 0
        try:
            method(*places, **given)
        except Exception as error:  # noqa: BLE001 (that is what is looked at)
            return error, self.wire.sent
        return None, self.wire.sent


def nouns(base: type[Resource] = Resource) -> Iterator[type[Resource]]:
    """Yield the kinds of resource."""
    for noun in base.__subclasses__():
        if "kind" in vars(noun) and noun.__module__.startswith("smartdc."):
            yield noun
        yield from nouns(noun)


def trials(owner: type) -> list[Trial]:
    """Return every parameter of every public method of a class that calls CloudAPI."""
    return [
        Trial(owner, name, parameter)
        for name, method in inspect.getmembers(owner, inspect.isfunction)
        if operations_of(method, owner.__name__) or name in {"request", "presign", "authenticate"}
        for parameter in list(inspect.signature(method).parameters.values())[1:]
        if parameter.kind not in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL} and parameter.name not in OF_WAITS
    ]


OWNERS: set[type] = {DataCenter, *nouns()}


@pytest.mark.parametrize("owner", sorted(OWNERS, key=repr))
def test_a_wrong_argument_is_refused_or_sent_as_it_is(owner: type) -> None:
    """Nothing but errors of ours comes out, and what is of a wrong type is not sent, and named."""
    site, problems = Site(), []
    for trial in trials(owner):
        for value in WRONG:
            error, sent = site.call(trial, value)
            refused = isinstance(error, InputError) and not sent and trial.parameter.name in str(error)
            if not (refused or trial.takes(value)) or not isinstance(error, (SmartDCError, type(None))):
                problems.append(f"{trial} {str(value)[:20]}: {sent} sent, {error!r}"[:200])
    assert not "\n".join(problems)


CALLS: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "create_snapshot": (
        lambda _, machine: machine.create_snapshot(["x"]),
        r"create_snapshot\(\): name must be a string",
    ),
    "add_key": (lambda dc, _: dc.add_key("k", 5), r"add_key\(\): key must be a string or bytes or a path, not int"),
    "presign str": (
        lambda dc, _: dc.presign("GET", "x", expires="5"),
        r"presign\(\): expires must be a number or a datetime",
    ),
    "presign nan": (lambda dc, _: dc.presign("GET", "x", expires=math.nan), "expires must be a number"),
    "presign past": (lambda dc, _: dc.presign("GET", "x", expires=-1), "expires must be a non-negative number"),
    "datacenter": (lambda dc, _: dc.datacenter(None), r"datacenter\(\): name must be a string, not NoneType"),
    "packages": (lambda dc, _: dc.packages(search=5), r"packages\(\): search must be a string"),
    "presign method": (lambda dc, _: dc.presign([None], "x"), "cannot pre-sign NONE"),
    "method": (lambda dc, _: dc.request(None, "machines"), "invalid HTTP method None"),
    "path": (lambda dc, _: dc.request("GET", None), r"request\(\): path must be a string, not NoneType"),
    "params": (
        lambda dc, _: dc.request("GET", "machines", params=["x"]),
        r"request\(\): params must be a dict, not list",
    ),
    "machines": (lambda dc, _: dc.machines(offset=[]), r"machines\(\): offset must be a whole number, not list"),
}


@pytest.mark.parametrize(("call", "words"), CALLS.values(), ids=CALLS)
def test_errors_name_the_argument(call: Callable[[Any, Any], object], words: str) -> None:
    """The text says which argument of what is wrong, and nothing is sent."""
    site = Site()
    with pytest.raises(InputError, match=words):
        call(site.dc, site.owner(Machine))
    assert site.wire.sent == 0


@pytest.mark.parametrize(
    "wrong", [{"key_id": 5}, {"secret": 5}, {"roles": 5}, {"roles": [5]}, {"user": 5}, {"login": 5}]
)
def test_a_data_centre_refuses_wrong_settings_at_once(wrong: dict[str, Any]) -> None:
    """No call has to be made to hear of it."""
    [name] = wrong
    with pytest.raises(InputError, match=name):
        DataCenter(**{"location": "cloud.example", "key_id": "/demo/keys/k", **wrong})


def test_ids_may_be_uuids() -> None:
    """What addresses a resource may be a `uuid.UUID`."""
    site = Site()
    known: Any = uuid.UUID(str(site.data["id"]))
    assert site.dc.machine(known).name == "web-1"
