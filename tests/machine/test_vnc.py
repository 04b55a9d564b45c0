"""``ConnectMachineVNC``: the screen of a machine is a stream of bytes, or there is a reason why not."""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kits.feed import PATIENCE, accept, change, in_use, nothing_is_left, triton
from kits.http import Clock as OtherClock
from kits.http import Line, RawServer, close, silence
from smartdc import (
    BadRequest,
    BadResponse,
    CallTimeout,
    DataCenter,
    InvalidVersion,
    Machine,
    MachineNotReady,
    NotSupported,
    ServerError,
    TransportError,
    VncStream,
)
from smartdc.emulator import Emulator, Server, WallClock
from smartdc.websocket import connection

GREETING = b"RFB 003.008\n"

IMAGES = {"bhyve": "debian-12-cloud", "kvm": "ubuntu-certified-22.04"}


@pytest.fixture
def door() -> str:
    """The only door that has WebSockets."""
    return "http"


@pytest.fixture(params=IMAGES)
def brand(request: pytest.FixtureRequest) -> str:
    """What hardware virtual machines run on."""
    return str(request.param)


@pytest.fixture
def virtual(dc: DataCenter, cloud: Emulator, brand: str = "bhyve") -> Machine:
    """A running machine with a screen."""
    return virtual_machine(dc, cloud, brand)


def virtual_machine(dc: DataCenter, cloud: Emulator, brand: str) -> Machine:
    """Put a machine with a screen there."""
    [there] = cloud.populate(1, name="screen-1", image=IMAGES[brand])
    return dc.machine(there.id)


@pytest.fixture
def screen(virtual: Machine) -> Iterator[VncStream]:
    """The screen of a machine, before anything was read."""
    with virtual.vnc(timeout=PATIENCE) as screen:
        yield screen


def exactly(screen: VncStream, size: int) -> bytes:
    """Read so many bytes, in whatever pieces they come."""
    return io.BufferedReader(screen, 16).read(size)


# The stream


def test_a_screen_greets(dc: DataCenter, cloud: Emulator, brand: str) -> None:
    """The server's version of the protocol comes first, on both kinds of machine that have a screen."""
    with virtual_machine(dc, cloud, brand).vnc() as screen:
        assert screen.read(100) == GREETING
    asked = next(asked for asked in cloud.trace if asked.operation == "ConnectMachineVNC")
    assert asked.status == 101
    assert asked.headers["accept-version"] == "~9||~8"
    assert "sec-websocket-protocol" not in asked.headers


def test_bytes_go_both_ways(screen: VncStream) -> None:
    """What is written arrives as it is."""
    screen.read(100)
    assert screen.write(b"\x00\xffRFB") == 5

    assert screen.read(100) == b"\x00\xffRFB"


def test_a_read_returns_what_is_there(screen: VncStream) -> None:
    """At most so many bytes, and the rest is not lost."""
    assert [screen.read(4), screen.read(0), screen.read(4), screen.read(100)] == [b"RFB ", b"", b"003.", b"008\n"]
    assert (screen.readable(), screen.writable(), screen.seekable()) == (True, True, False)


def test_exact_amounts_take_a_buffer(virtual: Machine) -> None:
    """The buffers of the standard library do what they do for files."""
    with virtual.vnc() as screen:
        reader, writer = io.BufferedReader(screen), io.BufferedWriter(screen)
        assert reader.read(len(GREETING)) == GREETING
        for number in range(100):
            writer.write(bytes([number]) * 100)
        writer.flush()

        assert reader.read(10_000) == b"".join(bytes([number]) * 100 for number in range(100))
        writer.detach()


def test_much_can_be_sent_and_read_at_the_same_time(virtual: Machine) -> None:
    """One thread reads while another one writes."""
    piece = bytes(range(256)) * 256
    with virtual.vnc(timeout=PATIENCE) as screen:
        writer = threading.Thread(target=lambda: [screen.write(piece) for _ in range(32)])
        writer.start()
        found = io.BufferedReader(screen).read(len(GREETING) + 32 * len(piece))
        writer.join(PATIENCE)

    assert found == GREETING + 32 * piece


def test_tls_bears_reading_and_writing_at_the_same_time(cloud: Emulator) -> None:
    """As many times as there are messages."""
    piece = bytes(range(256)) * 16
    with (
        Server(cloud, tls=True) as server,
        DataCenter(**cloud.connection(server.url, server.ca)) as dc,
        virtual_machine(dc, cloud, "kvm").vnc(timeout=PATIENCE) as screen,
    ):
        writer = threading.Thread(target=lambda: [screen.write(piece) for _ in range(500)])
        writer.start()
        found = io.BufferedReader(screen).read(len(GREETING) + 500 * len(piece))
        writer.join(PATIENCE)

    assert found == GREETING + 500 * piece


def test_the_stream_ends_when_the_machine_stops(screen: VncStream, virtual: Machine) -> None:
    """A machine that does not run has no screen; what was sent before is read first."""
    virtual.stop()

    assert screen.readall() == GREETING
    assert screen.read(1) == b""
    with pytest.raises(TransportError, match="the connection was lost"):
        screen.write(b"x")


def test_a_read_can_have_a_deadline(screen: VncStream) -> None:
    """After a read that was in vain the stream goes on."""
    screen.read(100)
    screen.timeout = 0.05
    with pytest.raises(CallTimeout, match=r"/vnc: no message within 0\.05 s"):
        screen.read(1)
    screen.timeout = PATIENCE
    screen.write(b"x")

    assert screen.read(1) == b"x"


def test_a_closed_stream_is_closed(virtual: Machine) -> None:
    """As a closed file is, and it may be closed twice."""
    screen = virtual.vnc()
    screen.close()
    screen.close()

    for use in (lambda: screen.read(1), lambda: screen.write(b"x")):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_nothing_is_left_behind(dc: DataCenter, virtual: Machine, cloud: Emulator) -> None:
    """Neither by a stream that was closed, nor by one that was forgotten, nor by a refusal."""
    dc.machines()
    before = in_use()
    with virtual.vnc() as screen:
        screen.read(1)
        assert in_use() > before
    assert virtual.vnc().read(1) == b"R"
    change(cloud, virtual.id, state="stopped")
    with pytest.raises(MachineNotReady):
        virtual.vnc()

    nothing_is_left(before)


# Refusals


def test_a_zone_has_no_screen(machine: Machine) -> None:
    """A refused handshake has no body, so that the reason is asked for; its stray word is CloudAPI's."""
    with pytest.raises(BadRequest) as caught:
        machine.vnc()

    assert (caught.value.status, caught.value.code) == (400, "MachineHasNoVNCError")
    assert caught.value.message == "null Instance type joyent does not support VNC connections"


def test_a_stopped_machine_has_no_screen(virtual: Machine, cloud: Emulator) -> None:
    """It must run first."""
    change(cloud, virtual.id, state="stopped")
    with pytest.raises(MachineNotReady) as caught:
        virtual.vnc()

    assert (caught.value.status, caught.value.code) == (400, "MachineStoppedError")
    assert caught.value.message == "null Cannot connect to a stopped machine"


def test_version_9_alone_has_no_screens(cloud: Emulator, virtual: Machine) -> None:
    """CloudAPI has them in version 8.4 only, which the client's own range includes."""
    url = virtual.datacenter.base_url
    with (
        DataCenter(**cloud.connection(url), api_version="~9") as dc,
        pytest.raises(InvalidVersion, match="~9 is not supported by GET"),
    ):
        Machine(dc, data=virtual).vnc()


def test_the_in_process_door_has_no_screens(cloud: Emulator) -> None:
    """There is no connection, and the answer says what to use."""
    with DataCenter(**cloud.connection()) as dc, pytest.raises(NotSupported, match=r"smartdc\.emulator\.Server"):
        virtual_machine(dc, cloud, "kvm").vnc()


# What may go wrong afterwards


@pytest.fixture
def odd_screen() -> Iterator[Callable[..., VncStream]]:
    """A function that returns the screen of a server that sends frames of one's own and then does something."""
    servers: list[RawServer] = []

    def serve(*frames: bytes, then: Any = silence) -> VncStream:
        servers.append(RawServer(accept(*frames, then=then)).__enter__())
        dc = DataCenter(servers[-1].url, login="demo", clock=OtherClock())
        return Machine(dc, data={"id": "11111111-1111-4111-8111-111111111111", "name": "odd"}).vnc(timeout=PATIENCE)

    yield serve
    for server in servers:
        server.__exit__(None, None, None)


def frame(opcode: int, data: bytes) -> bytes:
    """Return a frame as a server sends it, also one that is not allowed."""
    length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
    return bytes([0x80 | opcode]) + length + data


def goodbye(reason: str) -> bytes:
    """Return a frame that closes the connection, also one that is too long."""
    return frame(8, struct.pack("!H", 1000) + reason.encode())


def test_the_end_of_the_other_side_is_the_end(odd_screen: Callable[..., VncStream]) -> None:
    """It says so in words, which are no error."""
    with odd_screen(frame(2, b"abc"), goodbye("Remote connection closed"), then=close) as screen:
        assert screen.readall() == b"abc"


@pytest.mark.parametrize("reason", ["", "[]", "null", '{"type": "end"}'])
def test_other_words_are_no_error(odd_screen: Callable[..., VncStream], reason: str) -> None:
    """Only one form of a goodbye is CloudAPI's for an error."""
    with odd_screen(goodbye(reason), then=close) as screen:
        assert screen.read(1) == b""


@pytest.mark.parametrize(
    ("error", "words"),
    [({"message": "no such socket"}, "no such socket"), ("no", "no"), (None, "the connection failed")],
    ids=["message", "text", "nothing"],
)
def test_an_error_in_the_goodbye_is_raised(odd_screen: Callable[..., VncStream], error: Any, words: str) -> None:
    """CloudAPI finds out too late that it cannot reach the screen, and says so in JSON."""
    with (
        odd_screen(goodbye(json.dumps({"type": "error", "error": error})), then=close) as screen,
        pytest.raises(ServerError, match=f"/vnc: {words}$") as caught,
    ):
        screen.read(1)

    assert caught.value.status == 500


def test_a_goodbye_that_is_too_long_is_an_error(odd_screen: Callable[..., VncStream]) -> None:
    """CloudAPI's own reasons do not fit into a WebSocket's goodbye, so that nobody can read them."""
    reason = json.dumps({"type": "error", "error": {"message": "Failed to connect to VNC server", "more": "x" * 200}})
    with (
        odd_screen(goodbye(reason), then=close) as screen,
        pytest.raises(ServerError, match="could not connect to the screen"),
    ):
        screen.read(1)


def test_a_lost_connection_is_an_error(odd_screen: Callable[..., VncStream]) -> None:
    """Unlike a goodbye."""
    with odd_screen(frame(2, b"abc"), then=close) as screen:
        assert screen.read(3) == b"abc"
        with pytest.raises(TransportError, match="/vnc: the connection was lost"):
            screen.read(1)


def test_a_server_that_takes_nothing_is_left(
    odd_screen: Callable[..., VncStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be sent is not waited for without end, and the connection is lost."""
    monkeypatch.setattr(connection, "SEND_PATIENCE", 0.1)
    with odd_screen(then=deaf) as screen, pytest.raises(TransportError, match="the connection was lost"):
        screen.write(bytes(64 * 2**20))


def deaf(line: Line) -> bool:
    """Neither hear nor say anything, until the test is over."""
    line.stopped.wait(PATIENCE)
    return False


def test_a_long_message_is_read_as_quickly_in_small_pieces(odd_screen: Callable[..., VncStream]) -> None:
    """What is left of it is not copied at every read; that would take minutes here."""
    size = 4 * 2**20
    screen = odd_screen(struct.pack("!BBQ", 0x82, 127, size) + bytes(size))
    piece, began, read = bytearray(16), time.process_time(), 0
    while read < size:
        read += screen.readinto(piece)

    assert time.process_time() - began < 10


def test_a_text_is_no_part_of_a_screen(odd_screen: Callable[..., VncStream]) -> None:
    """RFB is bytes."""
    with (
        odd_screen(frame(1, b"hello"), then=close) as screen,
        pytest.raises(BadResponse, match="expected bytes, got a text message"),
    ):
        screen.read(1)


# Others


def test_tritons_own_client_shows_screens(tmp_path: Path) -> None:
    """What npm's ``triton instance vnc`` passes on is what the emulator sends, both ways."""
    cloud = Emulator(clock=WallClock())
    [there] = cloud.populate(1, name="screen-1", image=IMAGES["kvm"])
    with Server(cloud) as server, triton(cloud, server.url, tmp_path, "instance", "vnc", there.id) as process:
        assert process.stdout
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as viewer:
            assert viewer.recv(100) == GREETING
            viewer.sendall(GREETING)
            assert viewer.recv(100) == GREETING

    assert ("ConnectMachineVNC", 101) in [(asked.operation, asked.status) for asked in cloud.trace]
