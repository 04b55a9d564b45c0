"""A server, or something in between, that breaks every rule: deadlines hold, memory is bounded, nothing final is missed."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from kits.doors import SharedServer
from kits.feed import PATIENCE, accept, change, eventually, in_use, nothing_is_left
from kits.http import Clock, Line, RawServer, close, dribble, reply
from kits.websocket_attacker import BINARY, CLOSE, PING, PONG, TEXT, Flood, Spoil, SpoilingProxy, frame
from smartdc import (
    BadResponse,
    CallTimeout,
    Change,
    Changefeed,
    DataCenter,
    Machine,
    TransportError,
    VncStream,
    WaitTimeout,
)
from smartdc.emulator import Emulator, Fault
from smartdc.machine import changefeed
from smartdc.websocket import connection, heartbeat, inbox
from smartdc.websocket.connection import ConnectionLost, TimedOut, WebSocketConnection

MAX_MESSAGE = 2**20
"""How large a message may be in these tests."""

HASTE = 0.05
"""Seconds to wait for what is not to come."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for an attacker to answer a close frame."""
    monkeypatch.setattr(connection, "CLOSE_PATIENCE", HASTE)


class Ends:
    """The two ends of a WebSocket after its handshake."""

    def __init__(self) -> None:
        self.server, client = socket.socketpair()
        protocol = ClientProtocol(parse_uri("ws://server.test/"), state=State.OPEN, max_size=MAX_MESSAGE)
        self.client = WebSocketConnection(client, protocol, [])

    def is_over(self) -> bool:
        """Tell whether the client's thread has ended and its sockets are closed."""
        return not self.client._thread.is_alive() and self.client._sock.fileno() == -1


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends; the client's is closed in time, whatever the test did to it."""
    ends = Ends()
    yield ends
    began = time.monotonic()
    ends.client.close()
    assert time.monotonic() - began < PATIENCE
    eventually(ends.is_over)
    ends.server.close()


# What breaks the protocol


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x", reserved=1),
        frame(TEXT, b"x", reserved=4),
        frame(3, b"x"),
        frame(15),
        frame(TEXT, b"abcd", mask=b"\1\2\3\4"),
        frame(PING, bytes(126)),
        frame(PING, fin=False),
        frame(0, b"continues nothing"),
        frame(TEXT, b"begun", fin=False) + frame(TEXT, b"and begun anew"),
        frame(BINARY, length=2**63),
        frame(BINARY, length=MAX_MESSAGE + 1),
        (frame(BINARY, bytes(MAX_MESSAGE // 2), fin=False) + frame(0, bytes(MAX_MESSAGE // 2 + 1))),
        frame(TEXT, b"\xff\xfe"),
        frame(TEXT, b"\xe2\x82", fin=False) + frame(0, b"x"),
        frame(CLOSE, b"\3"),
        frame(CLOSE, struct.pack("!H", 1005)),
        frame(CLOSE, struct.pack("!H", 1000) + b"\xff"),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100,
    ],
    ids=[
        "reserved bit 3",
        "reserved bit 1",
        "reserved data opcode",
        "reserved control opcode",
        "masked",
        "ping too long",
        "ping in fragments",
        "continuation of nothing",
        "message within a message",
        "length of 2**63",
        "message too large",
        "fragments too large",
        "text that is not UTF-8",
        "fragments that are not UTF-8",
        "close code cut short",
        "close code that is not allowed",
        "close reason that is not UTF-8",
        "HTTP",
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(ends: Ends, data: bytes) -> None:
    """What came before is still received; the end is an error, and comes in time."""
    ends.server.sendall(frame(BINARY, b"before") + data)

    assert ends.client.receive(PATIENCE) == b"before"
    with pytest.raises(ConnectionLost):
        ends.client.receive(PATIENCE)
    eventually(ends.is_over)


def test_a_character_may_be_split_between_fragments(ends: Ends) -> None:
    """Text is checked as a whole."""
    euro = "€".encode()
    ends.server.sendall(frame(TEXT, euro[:1], fin=False) + frame(PING) + frame(0, euro[1:]))

    assert ends.client.receive(PATIENCE) == "€"


def test_control_characters_of_the_server_reach_nobody(
    attacked: Callable[..., tuple[DataCenter, RawServer]],
) -> None:
    """The reason of a close frame becomes part of an error, which a terminal shows."""
    reason = struct.pack("!H", 1011) + "\x1b[2Jgone\u202e\r\n".encode()
    dc, _ = attacked(accept(frame(CLOSE, reason), then=close))
    with screen(dc) as stream, pytest.raises(TransportError, match="gone") as caught:
        stream.read(1)

    assert all(letter.isprintable() for letter in str(caught.value))


# What never ends

ENDLESS = {
    "pings": frame(PING, bytes(125)) * 500,
    "pongs": frame(PONG, bytes(125)) * 500,
    "empty fragments": frame(0, fin=False) * 5_000,
    "messages": frame(BINARY, bytes(1000)) * 60,
    "empty messages": frame(BINARY) * 5_000,
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_flood_holds_up_no_deadline(ends: Ends, kind: str) -> None:
    """Neither that of a message which does not come, nor that of sending, nor of closing; and it ends the flood."""
    ends.server.sendall(frame(BINARY, b"begun", fin=False) if "fragments" in kind else b"")
    with Flood(ends.server, [ENDLESS[kind]]) as flood:
        eventually(lambda: flood.sent > 50_000)
        for act in (ends.client.settle, ends.client.receive):
            began = time.monotonic()
            with contextlib.suppress(TimedOut):
                act(HASTE)
            assert time.monotonic() - began < PATIENCE / 2
        began = time.monotonic()
        ends.client.close()
        assert time.monotonic() - began < PATIENCE / 2
        eventually(ends.is_over)


@pytest.mark.parametrize("kind", ["pings", "messages", "empty messages"])
def test_what_a_flood_leaves_to_be_done_is_bounded(ends: Ends, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes no pongs, or whose messages nobody takes, is not read on."""
    monkeypatch.setattr(inbox, "MAX_BYTES", MAX_MESSAGE)
    with Flood(ends.server, [ENDLESS[kind]]) as flood:
        before = -1
        while flood.sent != before:
            before = flood.sent
            threading.Event().wait(0.1)
        waiting = ends.client._inbox._added - ends.client._inbox._taken

        assert 0 < flood.sent < 4 * MAX_MESSAGE
        assert waiting < 2 * MAX_MESSAGE
        assert len(ends.client._out) < MAX_MESSAGE


def test_a_message_of_empty_fragments_takes_no_memory() -> None:
    """However many they are, and though it never ends."""
    box, empty = inbox.Inbox(), Frame(Opcode.CONT, b"", fin=False)
    box.add(Frame(Opcode.BINARY, b"x", fin=False))
    tracemalloc.start()
    try:
        for _ in range(100_000):
            box.add(empty)
        ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, inbox.__file__)])
    finally:
        tracemalloc.stop()

    assert sum(trace.size for trace in ours.traces) < 50_000


@pytest.mark.parametrize(
    "data",
    [b"\x82", frame(BINARY, b"half", length=100), frame(BINARY, b"never", fin=False), frame(TEXT, length=MAX_MESSAGE)],
    ids=["half a head", "half a frame", "half a message", "only a head"],
)
def test_half_of_something_is_not_waited_for_beyond_the_deadline(ends: Ends, data: bytes) -> None:
    """And it is not lost: when the rest comes, there is a message."""
    ends.server.sendall(data)
    with pytest.raises(TimedOut):
        ends.client.receive(HASTE)


def test_a_message_that_dribbles_is_not_waited_for_beyond_the_deadline(ends: Ends) -> None:
    """However often a byte comes; the whole message is received in the end."""
    message = frame(TEXT, b"slow") + frame(BINARY, bytes(40))
    dribbling = threading.Thread(target=drip, args=(ends.server, message))
    dribbling.start()
    with pytest.raises(TimedOut):
        ends.client.receive(0.01)

    assert ends.client.receive(PATIENCE) == "slow"
    assert ends.client.receive(PATIENCE) == bytes(40)
    dribbling.join(PATIENCE)


def drip(sock: socket.socket, data: bytes) -> None:
    """Send a byte at a time."""
    for byte in data:
        threading.Event().wait(0.005)
        sock.sendall(bytes([byte]))


# What takes nothing, and says nothing


def test_a_message_that_nobody_takes_has_a_deadline(ends: Ends) -> None:
    """Afterwards the connection is over: half a message cannot be withdrawn."""
    with pytest.raises(TimedOut):
        ends.client.send(bytes(2**24), HASTE)

    eventually(ends.is_over)
    with pytest.raises(ConnectionLost):
        ends.client.send(b"x", PATIENCE)


def test_a_server_that_takes_nothing_is_left_in_the_end(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the caller has no deadline of its own."""
    monkeypatch.setattr(connection, "SEND_PATIENCE", HASTE)
    with pytest.raises(ConnectionLost, match=r"the server has taken nothing for 0\.05 s"):
        ends.client.send(bytes(2**24), None)
    eventually(ends.is_over)


def test_a_message_that_is_taken_byte_by_byte_has_a_deadline(ends: Ends) -> None:
    """Progress is not enough."""
    taking = threading.Thread(target=lambda: [ends.server.recv(1000) for _ in range(100)])
    taking.start()
    with pytest.raises(TimedOut):
        ends.client.send(bytes(2**24), HASTE)
    taking.join(PATIENCE)


@pytest.fixture
def fast_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute is a moment."""
    monkeypatch.setattr(heartbeat, "PONG_PATIENCE", HASTE)
    monkeypatch.setattr(heartbeat, "PING_INTERVAL", HASTE)


@pytest.mark.usefixtures("fast_heart")
@pytest.mark.parametrize(
    "noise",
    [b"", frame(BINARY, b"noise"), frame(PONG, b"7"), frame(PONG, bytes(125)), frame(PONG, b"9" * 125)],
    ids=["silence", "messages", "pong of no ping", "pong of zeros", "pong of a large number"],
)
def test_a_server_that_answers_no_ping_is_dead(noise: bytes) -> None:
    """Whatever else it sends, answers to pings that were never sent included."""
    ends = Ends()

    def receive() -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(BrokenPipeError):
                ends.server.sendall(noise)
            with contextlib.suppress(TimedOut):
                ends.client.receive(0.01)

    with ends.server, pytest.raises(ConnectionLost, match="a ping was not answered within"):
        receive()
    eventually(ends.is_over)


def test_pings_that_stay_unanswered_while_nobody_receives_take_no_memory() -> None:
    """A program may be busy for days."""
    beat = heartbeat.Heartbeat(0.0)
    for second in range(0, 1_000_000, 20):
        beat.ping(second)
        beat.excuse(second)

    assert not beat.is_dead(1_000_000)
    assert beat.is_dead(1_000_100)
    beat.pong(b"50000", 1_000_001)
    assert not beat.is_dead(1_000_100)


@pytest.mark.parametrize("answer", [b"", frame(CLOSE), frame(BINARY, b"more")], ids=["nothing", "close", "more"])
def test_closing_has_a_deadline(ends: Ends, answer: bytes) -> None:
    """Whether the server answers the close frame and leaves the connection open, or does not even answer it."""
    ends.server.sendall(answer)
    ends.client.close()

    eventually(ends.is_over)


def test_a_close_frame_without_an_end_is_the_end(ends: Ends) -> None:
    """The server says that it closes, and then keeps the connection and sends on."""
    ends.server.sendall(frame(BINARY, b"last") + frame(CLOSE, struct.pack("!H", 1000)))
    with Flood(ends.server, [b"\0" * 1000]):
        assert ends.client.receive(PATIENCE) == b"last"
        assert ends.client.receive(PATIENCE) is None
        eventually(ends.is_over)


# Interrupts


def interrupted(act: Callable[[], object], seconds: float) -> bool:
    """Do something, interrupt it after so many seconds if it lasts that long, and tell whether that was so."""
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            act()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    return False


@pytest.fixture
def interrupts() -> Iterator[Callable[..., bool]]:
    """A function that interrupts another after some seconds, as Ctrl-C would."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread can be interrupted by a signal")
    before = signal.signal(signal.SIGALRM, interrupt)
    yield interrupted
    signal.signal(signal.SIGALRM, before)


def test_interrupts_lose_no_message(ends: Ends, interrupts: Callable[..., bool]) -> None:
    """At whatever moment they come, all messages are received, once, and in order."""
    count = 3_000
    found: list[str | bytes | None] = []
    chance = random.Random(1)  # noqa: S311

    def send() -> None:
        for number in range(count):
            ends.server.sendall(frame(TEXT, b"%d" % number))
            if number % 50 == 0:
                threading.Event().wait(0.001)

    def receive() -> None:
        while len(found) < count:
            found.append(ends.client.receive(PATIENCE))

    sending = threading.Thread(target=send)
    sending.start()
    hits = 0
    while len(found) < count:
        hits += interrupts(receive, chance.uniform(0.00002, 0.001))
    sending.join(PATIENCE)

    assert found == [str(number) for number in range(count)]
    assert hits > 20


def test_interrupts_leave_whole_frames(ends: Ends, interrupts: Callable[..., bool]) -> None:
    """What was being sent is sent, and what is sent after it is understood."""
    chance, data, size = random.Random(1), bytearray(), 300_000  # noqa: S311

    def take() -> None:
        while len(data) < 201 * (size + 14) and (piece := ends.server.recv(2**20)):
            data.extend(piece)

    taking = threading.Thread(target=take, daemon=True)
    taking.start()
    hits = 0
    for number in range(200):  # how many come in time depends on what else the machine does
        hits += interrupts(lambda: ends.client.send(bytes(size), PATIENCE), chance.uniform(0.00002, 0.002))
        if number >= 49 and hits > 10:
            break
    ends.client.send(bytes(size), PATIENCE)

    eventually(lambda: data and not len(data) % (size + 14))
    assert hits > 10
    assert all(data[at : at + 2] == b"\x82\xff" for at in range(0, len(data), size + 14))
    ends.client.close()
    taking.join(PATIENCE)


def test_interrupts_lose_no_byte_of_a_screen(
    attacked: Callable[..., tuple[DataCenter, RawServer]], interrupts: Callable[..., bool]
) -> None:
    """A stream with a hole would be worth nothing."""
    count, chance, found = 2_000, random.Random(1), bytearray()  # noqa: S311
    whole = b"".join(struct.pack("!I", number) for number in range(count))
    dc, _ = attacked(accept(*(frame(BINARY, whole[at : at + 8]) for at in range(0, len(whole), 8)), then=deaf))
    room = bytearray(3)

    def read() -> None:
        while len(found) < len(whole):
            found.extend(room[: stream.readinto(room)])

    with screen(dc) as stream:
        hits = 0
        while len(found) < len(whole):
            hits += interrupts(read, chance.uniform(0.00002, 0.001))

    assert found == whole
    assert hits > 10


def test_interrupts_lose_no_change(
    cloud: Emulator, shared_server: SharedServer, interrupts: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever iterates again after Ctrl-C gets them all, in order, and at most the interrupted one twice."""
    shared_server.cloud, chance, count = cloud, random.Random(1), 400  # noqa: S311
    monkeypatch.setattr(inbox, "MAX_MESSAGES", 5)
    [there] = cloud.populate(1, name="web-0")
    seen: list[Change] = []

    def work() -> None:
        for number in range(1, count + 1):
            change(cloud, there.id, name=f"web-{number}")
            threading.Event().wait(0.001)

    def is_over() -> bool:
        return bool(seen) and seen[-1].machine.name == f"web-{count}"

    def follow() -> None:
        while not is_over():
            # Nothing is read of the change first: an interrupt amid that would lose it here, and not in the feed.
            seen.append(changes.wait(PATIENCE))

    with DataCenter(**cloud.connection(shared_server.url)) as dc, dc.changefeed() as changes:
        working = threading.Thread(target=work)
        working.start()
        hits, end = 0, time.monotonic() + 3 * PATIENCE
        while not is_over():
            hits += interrupts(follow, chance.uniform(0.0001, 0.02))
            assert time.monotonic() < end
        working.join(PATIENCE)

    names = [each.machine.name for each in seen]
    assert hits > 5
    assert list(dict.fromkeys(names)) == [f"web-{number}" for number in range(1, count + 1)]
    assert len(names) <= count + hits


def test_an_alarm_of_the_callers_own_is_not_ours(cloud: Emulator, shared_server: SharedServer) -> None:
    """A TimeoutError that a signal handler raises is neither a lost connection nor the end of the time."""
    shared_server.cloud = cloud

    def alarm(*_: object) -> None:
        raise TimeoutError("the caller's own")

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread can be interrupted by a signal")
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        with DataCenter(**cloud.connection(shared_server.url)) as dc, dc.changefeed() as changes:
            signal.setitimer(signal.ITIMER_REAL, HASTE)
            with pytest.raises(TimeoutError, match="the caller's own"):
                changes.wait(PATIENCE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# The handshake


@pytest.fixture
def attacked() -> Iterator[Callable[..., tuple[DataCenter, RawServer]]]:
    """A function that returns a data centre whose server does one act after the other."""
    servers: list[RawServer] = []

    def serve(*acts: Any, **settings: Any) -> tuple[DataCenter, RawServer]:
        servers.append(RawServer(*acts).__enter__())
        return DataCenter(servers[-1].url, login="demo", **{"clock": Clock(), **settings}), servers[-1]

    yield serve
    for server in servers:
        server.__exit__(None, None, None)


def screen(dc: DataCenter, timeout: float = PATIENCE) -> VncStream:
    """Return the screen of some machine."""
    return Machine(dc, data={"id": "11111111-1111-4111-8111-111111111111", "name": "odd"}).vnc(timeout=timeout)


def deaf(line: Line) -> bool:
    """Neither hear nor say anything, until the test is over."""
    line.stopped.wait(PATIENCE)
    return False


def flood(data: bytes) -> Any:
    """Send the same again and again, until the client has had enough."""

    def act(line: Line) -> bool:
        with Flood(line.connection, [data]) as flood:
            while flood._thread.is_alive() and not line.stopped.is_set():
                flood._thread.join(0.02)
        return False

    return act


@pytest.mark.parametrize(
    "act",
    [
        dribble(b"HTTP/1.1 101 Switching Protocols\r\nX-Slow: " + b"x" * 4000, pause=0.005),
        dribble(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4000\r\n\r\n" + b"x" * 4000, pause=0.005),
        flood(b"HTTP/1.1 101 Switching Protocols\r\n" + b"X-More: y\r\n" * 1_000_000),
        flood(b"HTTP/1.1 101 " + b"x" * 1_000_000),
        flood(b"HTTP/1.1 403 Forbidden\r\n\r\n" + b"x" * 100_000),
        flood(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000),
    ],
    ids=["dribbled head", "dribbled refusal", "headers", "line", "body", "chunks"],
)
def test_a_handshake_that_never_ends_has_a_deadline(attacked: Callable[..., Any], act: Any) -> None:
    """It fails in time, and leaves nothing behind."""
    dc, _ = attacked(act, timeout=0.25)
    began = time.monotonic()
    with pytest.raises((TransportError, BadResponse)):
        dc.changefeed()

    assert time.monotonic() - began < PATIENCE


def test_a_feed_whose_server_floods_it_connects_in_time(attacked: Callable[..., Any]) -> None:
    """Or fails in time: the answer to its ping never comes."""
    before = in_use()
    dc, server = attacked(accept(then=flood(frame(PING, bytes(125)) * 500)), timeout=0.25)
    with pytest.raises(CallTimeout, match="a ping was not answered"):
        dc.changefeed()
    server.__exit__(None, None, None)

    nothing_is_left(before)


def test_a_screen_has_deadlines_in_a_flood(attacked: Callable[..., Any]) -> None:
    """Reading and writing end in time though the server sends without end and takes nothing."""
    dc, _ = attacked(accept(then=flood(frame(PING, bytes(125)) * 500)))
    with screen(dc, HASTE) as stream:
        with pytest.raises(CallTimeout, match=r"no message within 0\.05 s"):
            stream.read(1)
        with pytest.raises(CallTimeout, match=r"did not take a message within 0\.05 s"):
            stream.write(bytes(2**24))
        stream.timeout = PATIENCE
        with pytest.raises(TransportError, match="the connection was lost"):
            stream.write(b"x")


# The changefeed behind something that breaks


@pytest.fixture
def proxy(shared_server: SharedServer, cloud: Emulator) -> Iterator[SpoilingProxy]:
    """What is between the client and the cloud."""
    shared_server.cloud = cloud
    with SpoilingProxy(int(shared_server.url.rpartition(":")[2])) as proxy:
        yield proxy


def followed(changes: Changefeed, cloud: Emulator, last: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Follow the changes until each machine was last reported as it is, or nothing more comes."""
    actual = {machine.id: (machine.name, machine.state) for machine in cloud.state.machines.values()}
    with contextlib.suppress(WaitTimeout):
        while last != actual:
            found = changes.wait(PATIENCE).machine
            last[found.id] = (found.name, found.state)
    return last


SPOILED: dict[str, Spoil] = {
    "cut before": lambda _: None,
    "cut in the head": lambda whole: whole[:1],
    "cut in the middle": lambda whole: whole[: len(whole) // 2],
    "reserved bit": lambda whole: bytes([whole[0] | 0x40]) + whole[1:],
    "reserved opcode": lambda whole: bytes([0x83]) + whole[1:],
    "masked": lambda whole: whole[:1] + bytes([whole[1] | 0x80]) + whole[2:],
    "not UTF-8": lambda whole: frame(TEXT, b"\xff" * len(whole)),
    "not JSON": lambda whole: frame(TEXT, b"{" * len(whole)),
    "not a change": lambda whole: frame(TEXT, json.dumps({"x": "y" * len(whole)}).encode()),
    "bytes": lambda whole: frame(BINARY, bytes(len(whole))),
    "empty messages": lambda whole: frame(TEXT) * len(whole),
    "twice": lambda whole: whole + whole,
    "too large": lambda whole: frame(TEXT, whole, length=2**40),
    "an end": lambda whole: frame(CLOSE, struct.pack("!H", 1000)) + whole,
    "in fragments": lambda whole: b"".join(
        frame(TEXT if at == 4 else 0, whole[at : at + 1], fin=at == len(whole) - 1) for at in range(4, len(whole))
    ),
}
"""What may become of a frame with a change, of more than 125 bytes."""


@pytest.mark.parametrize("kind", SPOILED)
def test_the_last_state_is_reported_whatever_became_of_the_message(
    cloud: Emulator, proxy: SpoilingProxy, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change whose message was spoiled is found by comparing the machines."""
    monkeypatch.setattr(changefeed, "RECHECK_SECONDS", HASTE)
    [there] = cloud.populate(1, name="web-1")
    spoiled: list[bytes] = []

    def spoil(whole: bytes) -> bytes | None:
        if spoiled or whole[0] & 15 != TEXT:
            return whole
        spoiled.append(whole)
        return SPOILED[kind](whole)

    with DataCenter(**cloud.connection(proxy.url)) as dc, dc.changefeed() as changes:
        proxy.spoil = spoil
        change(cloud, there.id, state="failed", name="web-2")

        assert followed(changes, cloud, {}) == {there.id: ("web-2", "failed")}
    assert spoiled


@pytest.mark.parametrize("seed", range(6))
def test_no_last_state_is_missed_behind_a_proxy_that_breaks_at_random(
    cloud: Emulator, proxy: SpoilingProxy, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third message is spoiled and some requests fail, while machines change, appear and go."""
    chance = random.Random(seed)  # noqa: S311
    monkeypatch.setattr(changefeed, "RECHECK_SECONDS", HASTE)
    machines = [machine.id for machine in cloud.populate(8)]
    cloud.faults.add(Fault("ListMachines", "reset", times=3, where=lambda _: chance.random() < 0.3))
    cloud.faults.add(Fault("GetChangefeed", "close", times=3, where=lambda _: chance.random() < 0.3))
    last = {machine.id: (machine.name, machine.state) for machine in cloud.state.machines.values()}

    def spoil(whole: bytes) -> bytes | None:
        if whole[0] & 15 != TEXT or chance.random() > 0.3:
            return whole
        return SPOILED[chance.choice(sorted(SPOILED))](whole)

    def work() -> None:
        for number in range(120):
            state = chance.choice(["running", "stopped", "failed"])
            change(cloud, chance.choice(machines), name=f"web-{number}", state=state)
            threading.Event().wait(0.002)
        change(cloud, machines[0], state="deleted")
        proxy.spoil = bytes

    with DataCenter(**cloud.connection(proxy.url)) as dc, dc.changefeed(outage=None) as changes:
        proxy.spoil = spoil
        working = threading.Thread(target=work)
        working.start()
        while working.is_alive():
            with contextlib.suppress(WaitTimeout):
                found = changes.wait(HASTE).machine
                last[found.id] = (found.name, found.state)
        working.join(PATIENCE)
        actual = {machine.id: (machine.name, machine.state) for machine in cloud.state.machines.values()}

        assert followed(changes, cloud, last) == actual
    assert proxy.connections > 1


def test_a_quiet_feed_survives_a_proxy_that_cuts_the_silent(
    shared_server: SharedServer, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pings are traffic; 55 seconds are 0.3 here."""
    shared_server.cloud = cloud
    monkeypatch.setattr(heartbeat, "PING_INTERVAL", 0.02)
    [there] = cloud.populate(1, name="web-1")
    with (
        SpoilingProxy(int(shared_server.url.rpartition(":")[2]), idle=0.3) as proxy,
        DataCenter(**cloud.connection(proxy.url)) as dc,
        dc.changefeed() as changes,
    ):
        with pytest.raises(WaitTimeout):
            changes.wait(0.6)
        change(cloud, there.id, name="web-2")
        found = changes.wait(PATIENCE)

        assert (found.machine.name, found.relisted, proxy.connections) == ("web-2", False, 1)


def test_a_proxy_that_cuts_all_the_same_hides_nothing(
    shared_server: SharedServer, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pings do not count, the feed connects again, and finds what has changed."""
    shared_server.cloud = cloud
    monkeypatch.setattr(heartbeat, "PING_INTERVAL", 60)
    [there] = cloud.populate(1, name="web-1")
    with (
        SpoilingProxy(int(shared_server.url.rpartition(":")[2]), idle=0.05) as proxy,
        DataCenter(**cloud.connection(proxy.url)) as dc,
        dc.changefeed() as changes,
    ):
        for number in range(5):
            eventually(partial(cuts_exceed, proxy, number))
            change(cloud, there.id, name=f"other-{number}")

            assert changes.wait(PATIENCE).machine.name == f"other-{number}"
        assert proxy.connections > 1


def cuts_exceed(proxy: SpoilingProxy, number: int) -> bool:
    """Tell whether a proxy has cut more connections than so many."""
    return proxy.cut > number


def test_a_server_that_reports_without_end_holds_up_no_time_out(attacked: Callable[..., Any]) -> None:
    """The iteration of a feed ends when its time is up, and the feed remembers a bounded number of messages."""
    message = {
        "published": "1",
        "changedResourceId": "11111111-1111-4111-8111-111111111111",
        "changeKind": {"resource": "vm", "subResources": ["alias"]},
        "resourceState": "running",
        "resourceObject": {"id": "11111111-1111-4111-8111-111111111111", "name": "web-1", "state": "running"},
    }
    endless = flood(frame(TEXT, json.dumps(message).encode()) * 50)

    def answer(line: Line) -> bool:
        data = b""
        while data[-7:-5] != b"\x89\x81":  # the ping after the registration
            data += line.connection.recv(65_536)
        line.send(frame(PONG, b"1"))
        return bool(endless(line))

    clock = Ticking()
    dc, _ = attacked(accept(then=answer), reply(body=[], headers=["X-Resource-Count: 0"]), clock=clock)
    with dc.changefeed(timeout=0.3) as changes:
        assert len(list(changes)) <= 1
        assert len(changes._heard) <= changefeed.REMEMBERED


class Ticking(Clock):
    """The system's clock, except that sleeping takes no time."""

    def monotonic(self) -> float:
        """Return the system's seconds and those slept."""
        return time.monotonic() + sum(self.slept)
