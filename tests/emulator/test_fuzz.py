"""Whatever is asked, the emulator answers as an API does, and never trips over itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kits.emulator_signer import Asker
from smartdc.emulator import Emulator
from smartdc.emulator.core.message import Request
from smartdc.emulator.core.versions import parse_range
from smartdc.emulator.pipeline.router import operations

WORDS = [
    "name",
    "image",
    "dataset",
    "package",
    "networks",
    "tags",
    "metadata",
    "credentials",
    "state",
    "type",
    "docker",
    "memory",
    "limit",
    "offset",
    "tombstone",
    "action",
    "account",
    "machine",
    "brand",
    "disks",
    "affinity",
    "locality",
    "firewall_enabled",
    "default_networks",
    "volumes",
    "password",
    "key",
    "attestation",
    "tag.x",
    "metadata.x",
    "metadata.credentials",
    "triton.cmon.groups",
    "triton_cns_enabled",
    "email",
    "fabric",
    "public",
]

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["true", "remaining", "web", "*", "g1-small", "stop"]),
)
values = st.recursive(
    plain, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3))
)
parameters = st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), values, max_size=5)


@pytest.fixture(scope="module")
def ask() -> Asker:
    """A client of an emulator with a few machines."""
    cloud = Emulator()
    cloud.populate(3, name="web-{n}", tags={"x": 1}, metadata={"x": "y"})
    return Asker(cloud)


def fill(ask: Asker, path: str, choice: st.DataObject) -> str:
    """Put something into the parameters of a path: often what is there."""
    state = ask.cloud.state
    known = {
        ":account": ["my", "demo", "nobody"],
        ":machine": [*state.machines][:3],
        ":dataset": [*state.images],
        ":package": [*state.packages, "g1-small"],
        ":network": [*state.networks],
        ":tag": ["x"],
        ":key": ["x", "credentials"],
    }
    segments = [
        quote(choice.draw(st.one_of(st.sampled_from(known.get(part, ["x"])), st.text(max_size=5))), safe="")
        if part.startswith(":")
        else part
        for part in path.split("/")
    ]
    return "/".join(segments)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(operations()), st.data())
def test_signed_requests_never_break_it(
    ask: Asker, caplog: pytest.LogCaptureFixture, operation: Any, data: Any
) -> None:
    """Any operation may get any parameters, in the query and in the body."""
    _, method, path, action = operation
    query = {**data.draw(parameters), **({"action": action} if action else {})}
    body = data.draw(parameters)
    target = f"{fill(ask, path, data)}?{urlencode(query, doseq=True)}"
    if target.startswith("//"):
        return

    ask(method, target, json=body if method in ("POST", "PUT") else None)

    assert "went wrong" not in caplog.text
    assert ask.cloud.check_invariants() == []


headers = st.dictionaries(
    st.sampled_from(
        ["authorization", "date", "x-date", "accept", "accept-version", "content-type", "content-md5", "x"]
    ),
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(["application/json", "multipart/form-data; boundary=x", "~7", 'Signature keyId="/a/keys/b"']),
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "BREW"]),
    st.text(max_size=30),
    headers,
    st.binary(max_size=60),
)
def test_raw_requests_never_break_it(
    ask: Asker, caplog: pytest.LogCaptureFixture, method: str, target: str, given_headers: dict[str, str], body: bytes
) -> None:
    """Targets, headers and bodies may be anything at all."""
    request = Request(method, f"/{target}", {"host": "localhost", **given_headers}, body)

    assert 200 <= ask.cloud.handle(request).status < 600
    assert "went wrong" not in caplog.text


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("*", ["0.0.0", "9.0.0"], []),
        ("", ["9.0.0"], []),
        ("7", ["7.0.0", "7.9.9"], ["6.9.9", "8.0.0"]),
        ("7.1", ["7.1.0", "7.1.9"], ["7.2.0"]),
        ("v7.1.2", ["7.1.2"], ["7.1.3"]),
        ("=7.x", ["7.5.0"], ["8.0.0"]),
        ("~7", ["7.9.0"], ["8.0.0"]),
        ("~> 7.1", ["7.1.5"], ["7.2.0"]),
        ("~7.1.2", ["7.1.2", "7.1.9"], ["7.1.1", "7.2.0"]),
        ("^7.1", ["7.1.0", "7.9.0"], ["7.0.9", "8.0.0"]),
        (">7.1", ["7.2.0"], ["7.1.9"]),
        (">= 7.1 < 9", ["7.1.0", "8.9.9"], ["7.0.9", "9.0.0"]),
        ("<=7.1", ["7.1.9"], ["7.2.0"]),
        ("7.1 - 8", ["7.1.0", "8.9.9"], ["7.0.9", "9.0.0"]),
        ("~9||~8", ["9.0.0", "8.0.0"], ["7.0.0"]),
        ("x.y.z", [], ["7.0.0"]),
        (">x >>1", [], ["7.0.0"]),
        ("7 - z", [], ["7.0.0"]),
    ],
)
def test_ranges_are_read_as_semver_reads_them(text: str, inside: list[str], outside: list[str]) -> None:
    """What cannot be read allows nothing."""
    found = parse_range(text)

    assert all(found.allows(version) for version in inside)
    assert not any(found.allows(version) for version in outside)


def test_switches_go_by_the_whole_range() -> None:
    """A range reaches a version that it allows, and all that lie below it; one that cannot be read reaches none."""
    assert parse_range("~8").reaches("7.2.0")
    assert parse_range("~7").reaches("7.2.0")
    assert not parse_range("~7.1").reaches("7.2.0")
    assert not parse_range("nonsense").reaches("7.2.0")
