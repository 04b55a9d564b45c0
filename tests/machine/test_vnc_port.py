"""A port of this computer leads VNC clients to a machine's screen, and nowhere when it is closed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from kits.feed import eventually
from kits.limits import no_descriptor_left
from smartdc import BadRequest, DataCenter, InputError, Machine, VncPort, VncStream
from smartdc.emulator import Emulator

GREETING = b"RFB 003.008\n"


@pytest.fixture
def door() -> str:
    """The only door that has WebSockets."""
    return "http"


@pytest.fixture
def virtual(dc: DataCenter, cloud: Emulator) -> Machine:
    """A running machine with a screen."""
    [there] = cloud.populate(1, name="screen-1", image="debian-12-cloud")
    return dc.machine(there.id)


@pytest.fixture
def port(virtual: Machine) -> Iterator[VncPort]:
    """A port that leads to the screen."""
    with virtual.vnc_port() as port:
        yield port


def viewer(port: VncPort) -> socket.socket:
    """Return the connection of a client."""
    return socket.create_connection(("127.0.0.1", port.port), 20)


def read(client: socket.socket, size: int) -> bytes:
    """Read so many bytes, or all until the end."""
    with client.makefile("rb") as file:
        return file.read(size)


def test_bytes_go_both_ways(port: VncPort) -> None:
    """The emulator greets, and echoes what it is sent; several clients do not disturb each other."""
    with viewer(port) as first, viewer(port) as second:
        for client, data in ((first, b"1" * 100_000), (second, b"2" * 100_000)):
            assert read(client, 12) == GREETING
            client.sendall(data)
            assert read(client, len(data)) == data


def test_it_listens_on_this_computer_only(port: VncPort) -> None:
    """What it shows can be given to a client."""
    assert port.address == f"127.0.0.1::{port.port}"
    assert repr(port) == f"<VncPort screen-1 vnc://127.0.0.1:{port.port}>"


def test_closing_ends_every_connection(virtual: Machine) -> None:
    """No thread is left, and nobody is let in any more."""
    with virtual.vnc_port() as port, viewer(port) as client:
        assert read(client, 12) == GREETING
        port.close()
        assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            viewer(port)

    assert not [thread for thread in threading.enumerate() if thread.name == "smartdc-vnc"]
    assert repr(port) == "<VncPort screen-1 closed>"


def test_a_client_may_leave_and_come_back(port: VncPort) -> None:
    """The port stays open."""
    for _ in range(3):
        with viewer(port) as client:
            assert read(client, 12) == GREETING


def test_too_many_open_files_do_not_close_it(virtual: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """Who connects meanwhile is let in when there is room again."""
    others_leave = threading.Event()

    def connect() -> VncStream:
        others_leave.wait(20)
        return virtual.vnc()

    # The system has kept a descriptor for the first of them.
    with VncPort(connect, "screen-1") as port, socket.socket() as first, socket.socket() as second:
        with no_descriptor_left():
            for client in (first, second):
                client.settimeout(20)
                client.connect(("127.0.0.1", port.port))
            eventually(lambda: "no connection to the screen of screen-1 for now: [Errno 24]" in caplog.text)
        others_leave.set()
        assert read(second, 12) == GREETING


def test_it_can_be_closed_while_too_many_files_are_open(virtual: Machine) -> None:
    """Closing needs no descriptor, and waits for nobody."""
    port = virtual.vnc_port()
    with no_descriptor_left():
        port.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "smartdc-vnc"]


def test_a_machine_without_a_screen_is_refused_at_once(dc: DataCenter, cloud: Emulator) -> None:
    """Before any client connects."""
    [there] = cloud.populate(1, name="zone-1")
    with pytest.raises(BadRequest):
        dc.machine(there.id).vnc_port()


def test_a_screen_that_is_gone_hangs_up(port: VncPort, virtual: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """The client sees the end, and the log says why."""
    virtual.stop(wait=True)
    with viewer(port) as client:
        assert client.recv(1) == b""

    assert "no connection to the screen of screen-1" in caplog.text


@pytest.mark.parametrize("number", [-1, 65536, True])
def test_a_port_that_there_cannot_be_is_refused(virtual: Machine, number: int) -> None:
    """Before anything is opened."""
    with pytest.raises(InputError, match="port must be"):
        virtual.vnc_port(number)
