"""Whatever a server answers, the client ends with a result or an error of its own, in time and within bounds."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kits.campaign import FastClock, ShortPauses, TimedDataCenter
from kits.http import Act, Line, RawServer, reply
from kits.limits import MIB, forget_peak, peak
from kits.mutation import KINDS, Mutant
from kits.thorough import Deck, amount
from kits.ways import LEAN, LONG, PUSHED_BACK, the_long_way
from smartdc import BadResponse, DataCenter, Machine, SmartDCError
from smartdc.core.field import Field
from smartdc.core.resource import Resource
from smartdc.emulator import Emulator
from smartdc.emulator.faults.answers import packed_blanks

pytest_plugins = ("kits.ways_fixtures",)

ANSWERS = amount(1_000, 10_000)
"""How many wrong answers are given on each way; 500 have every kind of them, and 200 go to every call."""
TIMEOUT = 0.25
"""Seconds that a call may take here."""
GRACE = 0.25
"""Seconds by which it may miss that: what a busy machine needs to notice."""

Ask = Callable[[DataCenter, Machine], Any]

ASKS: list[Ask] = [
    lambda dc, _: dc.machines(),
    lambda dc, _: dc.machines(limit=1),
    lambda dc, m: dc.machine(m.id),
    lambda dc, _: dc.machine("web-1"),
    lambda dc, _: dc.num_machines(),
    lambda dc, _: dc.create_machine(image="debian-12", package="g1-small", settle=4),
    lambda dc, _: dc.images(),
    lambda dc, _: dc.image("debian-12"),
    lambda dc, _: dc.packages(),
    lambda dc, _: dc.package("g1-small"),
    lambda dc, _: dc.default_package(),
    lambda dc, _: dc.networks(),
    lambda dc, _: dc.network("external"),
    lambda dc, _: dc.keys(),
    lambda dc, _: dc.account(),
    lambda dc, _: dc.datacenters(),
    lambda dc, _: dc.services(),
    lambda dc, _: dc.config(),
    lambda dc, _: dc.users(),
    lambda dc, _: dc.roles(),
    lambda dc, _: dc.policies(),
    lambda dc, _: dc.firewall_rules(),
    lambda dc, _: dc.vlans(),
    lambda dc, _: dc.volumes(),
    lambda dc, _: dc.migrations(),
    lambda _, m: m.refresh(),
    lambda _, m: m.audit(),
    lambda _, m: m.nics(),
    lambda _, m: m.snapshots(),
    lambda _, m: m.create_snapshot("monday"),
    lambda _, m: m.get_tags(),
    lambda _, m: m.get_tag("role"),
    lambda _, m: m.add_tags(role="web"),
    lambda _, m: m.delete_tag("role"),
    lambda _, m: m.get_metadata(),
    lambda _, m: m.update_metadata(a="b"),
    lambda _, m: m.delete_metadata_at_key("a"),
    lambda _, m: m.credentials(),
    lambda _, m: m.firewall_rules(),
    lambda _, m: m.reboot(wait=True, timeout=8),
    lambda _, m: m.rename("web-1", wait=True, timeout=8),
    lambda _, m: m.poll_until("running", timeout=8),
    lambda dc, m: dc.wait_for([m], "running", timeout=8),
    lambda dc, m: m.add_nic(dc.network("internal")),
    lambda dc, _: dc.network("external").ips(),
    lambda dc, _: dc.network("My-Fabric-Network").ips(),
    lambda dc, _: dc.create_user("jane", "jane@example.com", "secret123"),
    lambda dc, _: dc.create_policy("read", ["CAN getmachine"]),
    lambda dc, _: dc.create_role("reader", policies=["read"]),
    lambda dc, _: dc.create_firewall_rule("FROM any TO all vms ALLOW tcp PORT 22").disable(),
    lambda dc, _: dc.create_vlan(7, "seven"),
    lambda dc, _: dc.create_volume("shared", 10240),
    lambda dc, m: dc.create_image_from_machine(m, "mine", "1.0.0"),
    lambda _, m: m.migrate(),
    lambda dc, _: dc.update_account(city="Bergen"),
    lambda dc, _: dc.user("jane").update(city="Bergen"),
    lambda dc, _: dc.vlan(2).update(name="other"),
]


def look_at(thing: Any) -> None:
    """Read all that can be read of a result, or of the first few of many."""
    if isinstance(thing, Resource):
        assert isinstance(f"{thing!r} {thing} {hash(thing)}", str)
        for name in dir(type(thing)):
            if isinstance(getattr(type(thing), name), (Field, property)):
                getattr(thing, name)
    if isinstance(thing, (list, tuple)):
        for each in thing[:5]:
            look_at(each)


@pytest.fixture
def cloud() -> Emulator:
    """A data centre with a little of everything."""
    cloud = Emulator(clock=FastClock())
    cloud.state.settings.volumes = True
    cloud.populate(3, name="web-{n}", tags={"role": "web"}, metadata={"a": "b"})
    return cloud


@pytest.fixture
def mutant(cloud: Emulator) -> Mutant:
    """A server that can answer wrongly in ten thousand ways."""
    return Mutant(cloud, Deck(1))


@pytest.fixture
def dc(cloud: Emulator, mutant: Mutant) -> Iterator[TimedDataCenter]:
    """A client of that server."""
    with RawServer(mutant) as server:
        mutant.forget = server.requests.clear
        parts = {"clock": cloud.clock, "rng": ShortPauses(0), "timeout": TIMEOUT}
        with TimedDataCenter(**{**cloud.connection(server.url), **parts}) as client:
            yield client


@pytest.fixture(params=[LEAN, LONG])
def way(request: pytest.FixtureRequest, ways: list[str]) -> Iterator[str]:
    """The way that requests over an open connection take; afterwards it is seen whether they did."""
    if request.param == LONG:
        with the_long_way():
            yield LONG
        assert set(ways) == {LONG}
    else:
        yield LEAN
        assert PUSHED_BACK in ways


def test_mutated_answers_end_in_results_or_errors_of_ours(
    way: str,
    ways: list[str],
    dc: TimedDataCenter,
    mutant: Mutant,
    record_property: Callable[[str, object], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No answer brings out another exception, outlasts the deadline, fills the memory or spoils what comes after it."""
    chance, numbers = Deck(2), range(len(ASKS))
    caplog.set_level(logging.CRITICAL, "urllib3")
    [machine, *_] = dc.machines()
    strangers, late, told, before = [], [], 0, forget_peak()
    mutant.honest = False
    while mutant.served < ANSWERS:
        number, made = chance.deal(numbers), len(dc.took)
        try:
            look_at(ASKS[number](dc, machine))
        except SmartDCError:
            told += 1
        except Exception as error:  # noqa: BLE001  what else comes out is what is looked for
            strangers.append((number, error, mutant.last[:1000]))
        if max(dc.took[made:], default=0.0) > TIMEOUT + GRACE:
            late.append((number, mutant.last))
    assert chance.has_dealt(numbers)
    assert all(mutant.chance.has_dealt(kinds) for kinds in KINDS)
    growth, slowest = peak() - before, max(dc.took)
    figures = f"{mutant.served:,} answers to {len(dc.took):,} calls, {told:,} errors; {growth / MIB:.0f} MiB"
    record_property("figures", f"{figures}, longest call {slowest:.2f} s of {TIMEOUT:.2f}")
    late = [(number, answer) for number, answer in late if is_late_again(dc, mutant, machine, number, answer)]
    mutant.honest = True

    assert not strangers
    assert not late
    assert (LEAN in ways) == (way == LEAN)
    assert growth <= 64 * MIB
    assert {each.id for each in dc.machines()} >= {machine.id}


def is_late_again(dc: TimedDataCenter, mutant: Mutant, machine: Machine, number: int, answer: bytes) -> bool:
    """Tell whether it was the answer, and not a busy machine, that made a call late."""
    mutant.fixed, made = answer, len(dc.took)
    with contextlib.suppress(SmartDCError):
        ASKS[number](dc, machine)
    mutant.fixed = b""
    return max(dc.took[made:], default=0.0) > TIMEOUT + GRACE


# Answers that are too large


def unpacks(encoding: str, status: int = 200, *, chunked: bool = False) -> Act:
    """Answer with what is small on the wire and has 300 MiB when it is unpacked."""
    body = packed_blanks(300)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = (
        f"HTTP/1.1 {status} Yes\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\n{framing}\r\n\r\n"
    )
    data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body

    def act(line: Line) -> bool:
        line.send(head.encode() + data)
        return False

    return act


def pours(head: bytes, size: int = 300) -> Act:
    """Answer with a body of so many MiB, as long as somebody takes it."""

    def act(line: Line) -> bool:
        line.send(head + b"\r\n\r\n")
        for _ in range(size):
            try:
                line.connection.sendall(b"100000\r\n" + b" " * MIB + b"\r\n" if b"chunked" in head else b" " * MIB)
            except OSError:
                break
        return False

    return act


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json"

FLOODS: dict[str, Act] = {
    "gzip": unpacks("gzip"),
    "gzip in chunks": unpacks("gzip", chunked=True),
    "gzip under another name": unpacks("x-gzip"),
    "gzip of an error": unpacks("gzip", 503),
    "gzip without content": unpacks("gzip", 204, chunked=True),
    "length": pours(OK + b"\r\nContent-Length: %d" % (300 * MIB)),
    "no length": pours(OK),
    "chunks": pours(OK + b"\r\nTransfer-Encoding: chunked"),
    "chunks without content": pours(b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked"),
    "an error's": pours(b"HTTP/1.1 400 No\r\nContent-Type: text/plain"),
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.usefixtures("way")
def test_a_flood_adds_little_to_the_memory(flood: str, method: str) -> None:
    """300 MiB, on the wire or unpacked, end in an error of ours before they are kept."""
    acts = (reply(body=[]), FLOODS[flood], reply(body=[]))
    with RawServer(*acts) as server, DataCenter(server.url, clock=FastClock()) as dc:
        assert dc.machines() == []
        before = forget_peak()
        for _ in range(2):
            try:
                dc.request(method, "/machines")
            except SmartDCError:
                continue
        growth = peak() - before

        assert growth <= 32 * MIB
        assert dc.machines() == []


# Lists and counts without end


@pytest.mark.parametrize("limit", ["0", "1", "1000"])
def test_an_empty_page_is_the_last(limit: str) -> None:
    """A server that allows for pages of no length is not asked for ever."""
    head = [f"X-Query-Limit: {limit}", "X-Resource-Count: 0"]
    with RawServer(reply(body=[], headers=head)) as server, DataCenter(server.url) as dc:
        assert dc.machines() == []
        assert dc.num_machines() == 0


@pytest.mark.parametrize("header", ["X-Query-Limit", "X-Resource-Count"])
@pytest.mark.parametrize("number", ["abc", "-1", "\xb2", "1.5", "9" * 5000, "1, 1"])
def test_a_number_that_is_none_is_no_answer(header: str, number: str) -> None:
    """What cannot be counted with raises `BadResponse`."""
    right = {"X-Query-Limit": "1000", "X-Resource-Count": "1"}
    head = [f"{name}: {value}" for name, value in {**right, header: number}.items()]
    with RawServer(reply(body=b"", headers=head)) as server, DataCenter(server.url) as dc, pytest.raises(BadResponse):
        dc.num_machines()


# Answers about something else


def test_an_answer_about_another_machine_is_none(dc: TimedDataCenter, cloud: Emulator) -> None:
    """A machine never takes over what is said of another one."""
    [first, second, _] = dc.machines()
    with RawServer(reply(body=dict(second))) as server, DataCenter(server.url, login="demo") as other:
        mine = Machine(other, data=dict(first))
        with pytest.raises(BadResponse, match=f"asked for {first.id}, got"):
            mine.refresh()

    assert dict(mine) == dict(first)
    assert len(cloud.state.machines) == 3
