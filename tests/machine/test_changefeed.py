"""``GetChangefeed``: changes are told as they happen, once, and none that lasts is missed while there is no connection."""

from __future__ import annotations

import itertools
import json
import random
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kits.cloud import record
from kits.feed import PATIENCE, change, eventually, triton
from kits.interrupts import signal_after
from kits.signals import is_client
from smartdc import (
    Change,
    Changefeed,
    DataCenter,
    InputError,
    InvalidCredentials,
    Machine,
    ServiceUnavailable,
    WaitError,
    WaitTimeout,
)
from smartdc.emulator import AfterSeconds, ByScript, Emulator, Fault, Server, WallClock
from smartdc.machine.changefeed import SUBRESOURCES
from smartdc.machine.last_seen import MAX_UNLISTED, LastSeen
from smartdc.websocket import heartbeat, inbox

HASTE = 0.05
"""Seconds to wait for what is not to come."""


@pytest.fixture
def door() -> str:
    """The only door that has WebSockets."""
    return "http"


@pytest.fixture
def changes(dc: DataCenter, machine: Machine) -> Iterator[Changefeed]:
    """The changes of the cloud's machines from now on; there is one, web-1."""
    with dc.changefeed() as changes:
        assert machine.id
        yield changes


def gist(change: Change) -> tuple[str, str, tuple[str, ...], bool]:
    """Return the name and the state of the machine, what changed, and whether it was found by listing."""
    return change.machine.name, change.machine.state, change.changed, change.relisted


def told(changes: Changefeed, count: int = 1) -> list[tuple[str, str, tuple[str, ...], bool]]:
    """Return the gist of the next changes."""
    return [gist(changes.wait(PATIENCE)) for _ in range(count)]


def silent(changes: Changefeed) -> bool:
    """Tell whether nothing more is told."""
    with pytest.raises(WaitTimeout, match=r"no machine has changed within 0\.05 s"):
        changes.wait(HASTE)
    return True


def drop(cloud: Emulator, how: str = "end") -> None:
    """Drop all connections of the feed, and wait until they are gone, unless they only seem to live."""
    cloud.changefeed.drop(how)
    if how != "mute":
        eventually(lambda: not len(cloud.changefeed))


# What is told


def test_a_stop_is_told_as_it_happens(changes: Changefeed, machine: Machine) -> None:
    """Each state is told, in CloudAPI's words on the machine and in those of VMAPI beside it."""
    machine.stop()
    stopping, stopped = (changes.wait(PATIENCE) for _ in range(2))

    assert gist(stopping) == ("web-1", "stopping", ("state",), False)
    assert gist(stopped) == ("web-1", "stopped", ("state",), False)
    assert (stopping.raw_state, stopped.raw_state) == ("shutting_down", "stopped")
    assert stopping.machine == machine


def test_a_change_says_when(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """Times are aware and in UTC, and no two are the same."""
    cloud.clock.sleep(90)
    machine.stop()
    first, second = (changes.wait(PATIENCE).published for _ in range(2))

    assert first.tzinfo is UTC
    assert (first - datetime.fromtimestamp(cloud.clock.time(), UTC)).total_seconds() == pytest.approx(0)
    assert 0 < (second - first).total_seconds() < 1


@pytest.mark.parametrize(
    ("act", "changed"),
    [
        (lambda machine: machine.rename("web-2"), ("alias",)),
        (lambda machine: machine.add_tags(role="db"), ("tags",)),
        (lambda machine: machine.update_metadata(colour="red"), ("customer_metadata",)),
        (lambda machine: machine.delete(), ("destroyed", "state")),
    ],
    ids=["rename", "tags", "metadata", "delete"],
)
def test_what_changes_is_named(
    changes: Changefeed, machine: Machine, act: Callable[[Machine], object], changed: tuple[str, ...]
) -> None:
    """The names are CloudAPI's, and the machine shows what became of it."""
    act(machine)
    change = changes.wait(PATIENCE)

    assert change.changed == changed
    assert change.machine.state in {"running", "deleted"}


def test_a_new_interface_is_told(changes: Changefeed, machine: Machine, dc: DataCenter) -> None:
    """The machine reboots meanwhile, and then has its address."""
    network = next(network for network in dc.networks() if network.id not in machine.networks)
    nic = machine.add_nic(network)
    ready, done = (changes.wait(PATIENCE) for _ in range(2))

    assert gist(ready)[1:3] == ("ready", ("state",))
    assert gist(done)[1:3] == ("running", ("nics", "state"))
    assert nic.ip in done.machine.ips


def test_a_new_machine_is_told(changes: Changefeed, dc: DataCenter, cloud: Emulator) -> None:
    """It appears with all that it has, and then runs."""
    cloud.transitions.policies["provision"] = ByScript()
    dc.create_machine(name="web-2", image="base-64-lts@24.4.1", package="g1-small")
    appeared = changes.wait(PATIENCE)
    cloud.transitions.release()

    assert gist(appeared)[:2] == ("web-2", "provisioning")
    assert set(appeared.changed) == set(SUBRESOURCES) - {"destroyed"}
    assert told(changes) == [("web-2", "running", ("nics", "state"), False)]


def test_a_move_to_another_server_is_told(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """``server_uuid`` is what CloudAPI calls the server that a machine is on."""
    change(cloud, machine.id, compute_node="elsewhere")
    moved = changes.wait(PATIENCE)

    assert (moved.changed, moved.machine.compute_node) == (("server_uuid",), "elsewhere")


def test_what_was_before_is_not_told(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """A feed begins when it is connected."""
    change(cloud, machine.id, name="web-2")
    with dc.changefeed() as changes:
        assert silent(changes)


def test_what_happens_right_after_connecting_is_told(dc: DataCenter, machine: Machine) -> None:
    """The registration counts when the feed is returned, so that nothing falls between the two."""
    for _ in range(20):
        with dc.changefeed(subresources="alias") as changes:
            machine.rename("web-2")
            assert changes.wait(PATIENCE).changed == ("alias",)
        machine.rename("web-1")


def test_what_happens_while_connecting_is_told(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """Between the registration and the first listing too, which shows it already."""
    before_listing(cloud, lambda: change(cloud, machine.id, name="web-2"))
    with dc.changefeed() as changes:
        assert told(changes) == [("web-2", "running", ("alias",), False)]
        assert silent(changes)


def test_other_accounts_are_not_told(changes: Changefeed, cloud: Emulator) -> None:
    """Each account hears of its own machines."""
    cloud.populate(1, account=cloud.state.add_account("other"))

    assert silent(changes)


def test_hidden_machines_are_not_told(changes: Changefeed, cloud: Emulator, dc: DataCenter) -> None:
    """What makes a volume is a machine too, but none of the account's."""
    cloud.state.settings.volumes = True
    dc.create_volume(name="data", size=10240)

    assert silent(changes)


@pytest.mark.parametrize("form", ["id", "capitals", "dict", "resource", "name", "alone"])
def test_some_machines_can_be_followed(cloud: Emulator, dc: DataCenter, machine: Machine, form: str) -> None:
    """They are given in any of the usual forms."""
    [other] = cloud.populate(1, name="db-1")
    wanted: Any = {
        "id": [machine.id],
        "capitals": [machine.id.upper()],
        "dict": [dict(machine)],
        "resource": {machine},
        "name": ["web-1"],
        "alone": machine,
    }[form]
    with dc.changefeed(wanted) as changes:
        change(cloud, other.id, name="db-2")
        change(cloud, machine.id, name="web-2")

        assert told(changes) == [("web-2", "running", ("alias",), False)]


def test_some_changes_can_be_followed(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """What else changed at the same time is named as well."""
    with dc.changefeed(subresources=["tags"]) as changes:
        change(cloud, machine.id, name="web-2")
        change(cloud, machine.id, tags={"a": 1}, state="stopped")

        assert changes.wait(PATIENCE).changed == ("state", "tags")


@pytest.mark.parametrize("names", [["state", "colour"], "states", [], ""])
def test_unknown_names_are_refused_before_anything_is_sent(cloud: Emulator, dc: DataCenter, names: Any) -> None:
    """CloudAPI would take no notice of such a registration, and say nothing about it."""
    with pytest.raises(InputError, match="subresources must be some of alias, customer_metadata"):
        dc.changefeed(subresources=names)

    assert cloud.trace == []


def test_no_machines_are_refused(cloud: Emulator, dc: DataCenter) -> None:
    """A feed that could never tell anything is a mistake."""
    with pytest.raises(InputError, match="give at least one, or None for all"):
        dc.changefeed([])

    assert cloud.trace == []


@pytest.mark.parametrize("name", ["timeout", "outage"])
@pytest.mark.parametrize("seconds", [-1, float("nan"), "60"])
def test_a_bad_time_is_refused_before_anything_is_sent(
    cloud: Emulator, dc: DataCenter, name: str, seconds: Any
) -> None:
    """A feed that ends at once, or never, is none."""
    with pytest.raises(InputError, match=f"{name} must be"):
        dc.changefeed(**{name: seconds})
    assert len(cloud.trace) == 0


def test_two_feeds_are_told_of_what_each_wants(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """Connections do not mind each other."""
    with dc.changefeed(subresources="tags") as tags, dc.changefeed(subresources="alias") as names:
        change(cloud, machine.id, name="web-2")
        change(cloud, machine.id, tags={"a": 1})

        assert cloud.changefeed.registered == 2
        assert told(tags)[0][2] == ("tags",)
        assert told(names)[0][2] == ("alias",)
        assert silent(tags)


def test_what_is_told_twice_is_reported_once(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """CloudAPI repeats itself, and not only at once."""
    change(cloud, machine.id, name="web-2")
    change(cloud, machine.id, name="web-3")
    again = [told_to(machine, name, published) for name, published in [("web-2", 1), ("web-3", 2)]]
    for message in [*again, *again]:
        say(cloud, json.dumps(message))

    assert [name for name, *_ in told(changes, 4)] == ["web-2", "web-3", "web-2", "web-3"]
    assert silent(changes)


def told_to(machine: Machine, name: str, published: int) -> dict[str, Any]:
    """Return a message as CloudAPI writes it."""
    return {
        "published": str(published),
        "changedResourceId": machine.id,
        "changeKind": {"resource": "vm", "subResources": ["alias"]},
        "resourceState": "running",
        "resourceObject": {**machine, "name": name},
    }


def say(cloud: Emulator, message: str | bytes) -> None:
    """Say anything to all listeners."""
    for listener in cloud.changefeed._listeners:
        listener.ear.send(message)


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[]",
        '"text"',
        b"\xff",
        "{}",
        '{"published": "soon", "changedResourceId": "x", "changeKind": {"subResources": []}, "resourceObject": {}}',
        '{"published": "1", "changedResourceId": "x", "changeKind": [], "resourceState": "", "resourceObject": {}}',
        "[" * 100_000,
        '{"published": "1", "changedResourceId": null, "changeKind": {"subResources": []}, "resourceObject": {}}',
        '{"published": "9e99", "changedResourceId": "x", "changeKind": {"subResources": []}, "resourceObject": {}}',
    ],
    ids=range(10),
)
def test_what_is_no_change_is_passed_over(
    changes: Changefeed, cloud: Emulator, machine: Machine, caplog: pytest.LogCaptureFixture, message: str | bytes
) -> None:
    """A log says so, and the feed goes on."""
    say(cloud, message)
    change(cloud, machine.id, name="web-2")

    assert told(changes) == [("web-2", "running", ("alias",), False)]
    assert "not a change of a machine; it is ignored" in caplog.text


def test_no_exception_of_a_handler_is_taken_for_a_message_that_is_no_change(
    changes: Changefeed, machine: Machine
) -> None:
    """At whatever moment of reading a message a signal comes, what its handler raises comes out."""
    message = json.dumps(told_to(machine, "web-2", 1))
    for count in itertools.count(1):
        came = False
        try:
            with signal_after(count, is_client, signal.SIGALRM, KeyError) as left:
                changes._take(message)
        except KeyError:
            came = True
        if left[0] > 0:
            break
        assert came, count
    assert count > 100


def test_what_an_unreadable_message_may_have_told_is_found_soon(
    changes: Changefeed, cloud: Emulator, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machines are listed again, though nothing more is said."""
    monkeypatch.setattr("smartdc.machine.changefeed.RECHECK_SECONDS", 0.05)
    first = changes._websocket
    record(cloud, machine).name = "web-2"
    say(cloud, "{")

    assert told(changes) == [("web-2", "running", ("alias",), True)]
    assert first is not None
    assert first is not changes._websocket
    first._connection._thread.join(PATIENCE)
    assert not first._connection._thread.is_alive()  # a connection that is not used any more is no longer open


# Iterating


def test_iteration_ends_when_the_time_is_up(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """What was told until then was yielded, and the connection is closed."""
    with dc.changefeed(timeout=0.3) as changes:
        change(cloud, machine.id, name="web-2")

        assert [change.machine.name for change in changes] == ["web-2"]
        assert changes.closed
    eventually(lambda: not len(cloud.changefeed))


def test_waiting_has_a_time_of_its_own(
    changes: Changefeed, cloud: Emulator, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """After a wait that was in vain the feed goes on, over the same connection."""
    websocket = changes._websocket
    assert silent(changes)
    change(cloud, machine.id, name="web-2")

    assert changes.wait(PATIENCE).machine.name == "web-2"
    assert changes._websocket is websocket
    assert "lost its connection" not in caplog.text


def is_feed(path: str) -> bool | None:
    """Tell the code of the feed from that of the tests; None for what it calls."""
    return True if path.endswith("machine/changefeed.py") else None if "/tests/" not in path else False


def test_an_interrupt_at_any_step_loses_no_change(changes: Changefeed, machine: Machine) -> None:
    """Whoever waits again after Ctrl-C gets it."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread hears signals")
    hits = 0
    for step in range(1, 100):
        both = [Change(datetime.now(UTC), machine, (part,)) for part in ("state", "tags")]
        changes._found.extend(both)
        seen: list[Change] = []
        try:
            with signal_after(step, is_feed, signal.SIGINT, KeyboardInterrupt):
                seen.append(changes.wait(PATIENCE))
        except KeyboardInterrupt:
            hits += 1
        seen += [changes.wait(PATIENCE) for _ in range(len(changes._found))]
        assert seen == both, step
    assert hits > 10


def test_a_feed_ends_with_its_block(dc: DataCenter) -> None:
    """Nobody has to close it by hand."""
    with dc.changefeed() as changes:
        assert not changes.closed
    assert changes.closed


def test_a_closed_feed_tells_no_more(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """It may be closed twice, and shows it."""
    change(cloud, machine.id, name="web-2")
    changes.close()
    changes.close()

    assert list(changes) == []
    assert repr(changes).endswith(", closed>")
    with pytest.raises(WaitError, match="the changefeed is closed"):
        changes.wait()


def test_another_thread_may_close_a_feed(changes: Changefeed) -> None:
    """Whoever waits for a change is told at once that there are no more."""
    threading.Timer(0.05, changes.close).start()

    assert list(changes) == []


def test_a_feed_that_is_closed_while_it_connects_again_ends(changes: Changefeed, cloud: Emulator) -> None:
    """The connection that was just made is closed too."""
    before_listing(cloud, changes.close)
    drop(cloud)
    with pytest.raises(WaitError, match="the changefeed is closed"):
        changes.wait(PATIENCE)

    eventually(lambda: not len(cloud.changefeed))


def before_listing(cloud: Emulator, act: Callable[[], object]) -> None:
    """Have something happen when the next listing is asked for, before it is answered."""

    def happen(_: object) -> bool:
        fault.times = 0
        act()
        return False

    fault = cloud.faults.add(Fault("ListMachines", where=happen))


# Lost connections


@pytest.mark.parametrize("how", ["end", "cut"])
def test_a_lost_connection_is_made_again(
    changes: Changefeed, cloud: Emulator, machine: Machine, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """What happened meanwhile is found by listing, and what happens afterwards is told as before."""
    drop(cloud, how)
    change(cloud, machine.id, name="web-2")
    assert told(changes) == [("web-2", "running", ("alias",), True)]
    change(cloud, machine.id, name="web-3")

    assert told(changes) == [("web-3", "running", ("alias",), False)]
    assert caplog.text.count("the changefeed lost its connection") == 1


def test_a_connection_that_is_dead_is_made_again(
    dc: DataCenter, cloud: Emulator, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not answer pings any more is not there any more, though nobody said so."""
    monkeypatch.setattr(heartbeat, "PING_INTERVAL", 0.02)
    monkeypatch.setattr(heartbeat, "PONG_PATIENCE", 0.3)
    with dc.changefeed() as changes:
        drop(cloud, "mute")
        change(cloud, machine.id, name="web-2")

        assert told(changes) == [("web-2", "running", ("alias",), True)]


def test_a_busy_program_is_no_dead_server(
    dc: DataCenter, cloud: Emulator, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that nobody takes are left with the server, and so are its answers to pings."""
    monkeypatch.setattr(heartbeat, "PING_INTERVAL", 0.02)
    monkeypatch.setattr(heartbeat, "PONG_PATIENCE", 1.5)
    monkeypatch.setattr(inbox, "MAX_MESSAGES", 2)
    with dc.changefeed() as changes:
        for number in range(500):
            change(cloud, machine.id, name=f"web-{number}", metadata={"long": "x" * 5_000})
        threading.Event().wait(1.6)

        assert [name for name, *_ in told(changes, 500)] == [f"web-{number}" for number in range(500)]
        assert cloud.trace.operations().count("GetChangefeed") == 1


def test_pings_keep_the_proxy_awake_and_find_the_dead_within_a_minute() -> None:
    """CloudAPI's proxy ends what is silent for 55 seconds."""
    assert heartbeat.PING_INTERVAL <= 25
    assert heartbeat.PING_INTERVAL + heartbeat.PONG_PATIENCE <= 60


def test_a_deletion_that_was_missed_is_found(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """The machine is told as it was when CloudAPI deleted it."""
    drop(cloud)
    machine.delete(wait=True)
    change = changes.wait(PATIENCE)

    assert gist(change) == ("web-1", "deleted", ("destroyed", "state"), True)
    assert change.machine == machine
    assert change.raw_state is None
    assert silent(changes)


@pytest.mark.parametrize("field", ["mac", "ip", "primary"])
def test_an_interface_that_has_changed_meanwhile_is_found(
    changes: Changefeed, cloud: Emulator, machine: Machine, field: str
) -> None:
    """By its address, its hardware address, and whether it is the primary one."""
    [nic, *_] = cloud.state.machines[machine.id].nics
    drop(cloud)
    setattr(nic, field, {"mac": "90:b8:d0:00:00:01", "ip": "10.99.99.99", "primary": not nic.primary}[field])

    assert told(changes) == [("web-1", "running", ("nics",), True)]


def test_a_machine_that_is_forgotten_altogether_is_deleted(
    changes: Changefeed, cloud: Emulator, machine: Machine
) -> None:
    """When nobody knows it any more, it is told as it was last seen."""
    drop(cloud)
    del cloud.state.machines[machine.id]

    assert told(changes) == [("web-1", "deleted", ("destroyed", "state"), True)]


def test_a_failure_that_was_missed_is_found_once(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """Listings leave failed machines out, which makes them no deleted ones."""
    drop(cloud)
    change(cloud, machine.id, state="failed")
    assert told(changes) == [("web-1", "failed", ("state",), True)]
    drop(cloud)

    assert silent(changes)


def test_a_machine_that_was_made_meanwhile_is_found(changes: Changefeed, cloud: Emulator) -> None:
    """All of it is new."""
    drop(cloud)
    cloud.populate(1, name="web-2")
    change = changes.wait(PATIENCE)

    assert gist(change)[:2] == ("web-2", "running")
    assert set(change.changed) == set(SUBRESOURCES) - {"destroyed", "owner_uuid"}
    assert change.relisted


def test_a_change_that_was_missed_is_dated_by_the_server(
    changes: Changefeed, cloud: Emulator, machine: Machine
) -> None:
    """It happened some time before."""
    drop(cloud)
    cloud.clock.sleep(3600)
    change(cloud, machine.id, name="web-2")

    assert changes.wait(PATIENCE).published.timestamp() == pytest.approx(cloud.clock.time(), abs=60)


def test_what_was_told_is_not_found_again(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """A listing is compared with what the feed has told."""
    change(cloud, machine.id, name="web-2")
    told(changes)
    drop(cloud)

    assert silent(changes)


class Longest(random.Random):
    """Chance that always takes the longest pause."""

    def uniform(self, a: float, b: float) -> float:
        """Return the upper limit."""
        return max(a, b)


def test_pauses_grow_until_something_is_told(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """A server that drops every connection at once is asked less and less often, and never less than in 8 seconds."""

    def lose(changes: Changefeed) -> float:
        before = cloud.clock.monotonic()
        drop(cloud)
        change(cloud, machine.id, name=f"web-{before}")
        assert told(changes)[0][3]
        return cloud.clock.monotonic() - before

    with DataCenter(**cloud.connection(dc.base_url), rng=Longest()) as other, other.changefeed() as changes:
        assert [lose(changes) for _ in range(6)] == [0.5, 1, 2, 4, 8, 8]
        change(cloud, machine.id, name="web-2")
        told(changes)
        assert lose(changes) == 0.5


def test_only_what_was_asked_for_is_found(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """A listing shows more than the feed would have told."""
    [other] = cloud.populate(1, name="db-1")
    with dc.changefeed([machine], ["tags", "alias"]) as changes:
        drop(cloud)
        change(cloud, other.id, name="db-2")
        change(cloud, machine.id, state="stopped", tags={"a": 1})

        assert told(changes) == [("web-1", "stopped", ("tags",), True)]
        assert silent(changes)


@pytest.mark.parametrize(("count", "operation"), [(1, "GetMachine"), (5, "ListMachines")])
def test_few_machines_are_looked_at_one_by_one(cloud: Emulator, dc: DataCenter, count: int, operation: str) -> None:
    """Who follows one machine of thousands does not list them all."""
    followed = [machine.id for machine in cloud.populate(count)]
    with dc.changefeed(followed) as changes:
        assert cloud.trace.operations() == ["GetChangefeed", operation]
        drop(cloud)
        change(cloud, followed[0], state="deleted")

        assert changes.wait(PATIENCE).machine.state == "deleted"
        drop(cloud)
        assert silent(changes)


def test_what_listing_and_message_both_tell_is_told_once(
    changes: Changefeed, cloud: Emulator, machine: Machine
) -> None:
    """A change between the registration and the listing is in both."""
    drop(cloud)
    before_listing(cloud, lambda: change(cloud, machine.id, name="web-2"))
    assert told(changes) == [("web-2", "running", ("alias",), True)]
    assert silent(changes)
    change(cloud, machine.id, name="web-3")

    assert told(changes) == [("web-3", "running", ("alias",), False)]


def test_the_newest_state_is_told_last(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """Of two changes around the listing the older one may be told after what was found, but never the last word."""

    def twice() -> None:
        change(cloud, machine.id, name="web-2")
        change(cloud, machine.id, name="web-3")

    drop(cloud)
    before_listing(cloud, twice)

    assert [name for name, *_ in told(changes, 3)] == ["web-3", "web-2", "web-3"]
    assert silent(changes)


def test_a_message_of_everything_that_a_listing_shows_is_a_repetition(
    changes: Changefeed, cloud: Emulator, machine: Machine
) -> None:
    """After a listing, also a message that names all of it at once tells nothing new."""
    drop(cloud)
    change(cloud, machine.id, name="web-2")
    told(changes)
    message = told_to(machine, "web-2", 1)
    message["changeKind"]["subResources"] = [name for name in SUBRESOURCES if name != "owner_uuid"]
    say(cloud, json.dumps(message))
    change(cloud, machine.id, name="web-3")

    assert told(changes) == [("web-3", "running", ("alias",), False)]


def test_a_change_that_nothing_shows_is_told(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """After a listing too, a message that names what no listing shows is no repetition."""
    drop(cloud)
    change(cloud, machine.id, name="web-2")
    told(changes)
    message = told_to(machine, "web-2", 1)
    message["changeKind"]["subResources"] = ["owner_uuid"]
    say(cloud, json.dumps(message))

    assert told(changes) == [("web-2", "running", ("owner_uuid",), False)]


def test_a_machine_in_your_hands_is_yours(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """What is done to the machine of a change does not change what the feed knows."""
    change(cloud, machine.id, name="web-2")
    known = changes.wait(PATIENCE).machine
    drop(cloud)
    change(cloud, machine.id, name="web-3")
    known.refresh()

    assert told(changes) == [("web-3", "running", ("alias",), True)]


def test_connecting_again_is_tried_again(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """Pauses grow meanwhile, on the clock of the data centre."""
    drop(cloud)
    cloud.faults.add(Fault("GetChangefeed", "status", status=500, times=12))
    cloud.faults.add(Fault("ListMachines", "status", status=500, times=6))
    change(cloud, machine.id, name="web-2")

    assert gist(changes.wait(120)) == ("web-2", "running", ("alias",), True)
    assert 3 < cloud.clock.monotonic() < 120
    eventually(lambda: len(cloud.changefeed) == 1)


def test_an_outage_has_an_end(dc: DataCenter, cloud: Emulator) -> None:
    """What the last attempt brought is raised, and the feed is closed."""
    with dc.changefeed(outage=60) as changes:
        drop(cloud)
        cloud.faults.add(Fault("GetChangefeed", "unavailable", times=None))
        with pytest.raises(ServiceUnavailable):
            next(changes)

        assert 60 <= cloud.clock.monotonic() < 120
        assert changes.closed


def test_the_time_of_an_iteration_holds_in_an_outage_too(dc: DataCenter, cloud: Emulator) -> None:
    """It ends as it would without one."""
    with dc.changefeed(timeout=0.3, outage=None) as changes:
        drop(cloud)
        cloud.faults.add(Fault("GetChangefeed", "unavailable", times=None))

        assert list(changes) == []


def test_a_wait_in_an_outage_ends_by_the_clock_of_the_data_centre(changes: Changefeed, cloud: Emulator) -> None:
    """Pauses and time-outs are measured by the same clock, so that they can be compared."""
    drop(cloud)
    cloud.faults.add(Fault("GetChangefeed", "unavailable", times=None))
    with pytest.raises(WaitTimeout, match="no machine has changed within 60 s") as caught:
        changes.wait(60)
    assert caught.value.resource is changes

    assert 60 <= cloud.clock.monotonic() < 70


def test_a_refusal_ends_an_outage_at_once(changes: Changefeed, cloud: Emulator) -> None:
    """A key that was deleted meanwhile does not come back."""
    drop(cloud)
    cloud.state.accounts[cloud.login].keys.clear()
    with pytest.raises(InvalidCredentials):
        next(changes)

    assert changes.closed


# Others


def test_tritons_own_client_hears_of_changes(tmp_path: Path) -> None:
    """What npm's ``triton changefeed`` prints is what the emulator tells."""
    cloud = Emulator(clock=WallClock(), transitions=AfterSeconds(0.05))
    [there] = cloud.populate(1, name="web-1")
    with (
        Server(cloud) as server,
        triton(cloud, server.url, tmp_path, "changefeed", "--json", f"--instances={there.id}") as process,
    ):
        eventually(lambda: cloud.changefeed.registered)
        change(cloud, there.id, tags={"role": "db"})
        assert process.stdout
        message = json.loads(process.stdout.readline())
        cloud.changefeed.drop()

        assert process.wait(PATIENCE) == 0
    assert message["changeKind"] == {"resource": "vm", "subResources": ["tags"]}
    assert (message["changedResourceId"], message["resourceState"]) == (there.id, "running")
    assert message["resourceObject"]["tags"] == {"role": "db"}


def test_jobs_are_told_of_though_nobody_asks() -> None:
    """On the real clock a job ends by itself, and its end is told then."""
    cloud = Emulator(clock=WallClock(), transitions=AfterSeconds(0.05))
    [there] = cloud.populate(1, name="web-1")
    with (
        Server(cloud) as server,
        DataCenter(**cloud.connection(server.url)) as dc,
        dc.changefeed(there.id) as changes,
    ):
        dc.machine(there.id).stop()
        stopping, stopped = (changes.wait(PATIENCE) for _ in range(2))

    assert (stopping.machine.state, stopped.machine.state) == ("stopping", "stopped")
    assert (stopped.published - stopping.published).total_seconds() == pytest.approx(0.05, abs=0.002)


def test_a_server_that_makes_machines_up_takes_no_memory() -> None:
    """Machines that no list has shown are remembered in some number; those that one has are never forgotten for them."""
    ledger = LastSeen()
    ledger.renew([{"id": str(number), "state": "running"} for number in range(20_000)])
    for number in range(15_000):
        ledger.note([{"id": f"new {number}", "state": "running"}])

    assert len(list(ledger)) == 20_000 + MAX_UNLISTED
    assert ledger.differences({"id": "0", "state": "running"}) == []
    ledger.renew([{"id": "0", "state": "running"}, {"id": "1", "state": "deleted"}])
    assert list(ledger) == ["0"]


@pytest.mark.parametrize("nics", [None, "none", 5, [None], ["one"]])
def test_interfaces_that_nobody_can_read_are_none(nics: object) -> None:
    """Whatever a server says of a machine's interfaces does not end the comparison."""
    ledger = LastSeen()
    ledger.note([{"id": "1", "nics": []}])
    assert ledger.differences({"id": "1", "nics": nics}) == []
