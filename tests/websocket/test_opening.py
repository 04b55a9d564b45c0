"""A WebSocket begins as a signed request, is refused with the reasons of one, and leaves nothing behind when it ends."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from requests.adapters import HTTPAdapter

from kits.doors import SharedServer
from kits.feed import PATIENCE, accept, change, eventually, in_use, nothing_is_left
from kits.http import Clock as OtherClock
from kits.http import Line, RawServer, close, first_line, header_of, raw, reply, silence
from smartdc import (
    BadResponse,
    CallTimeout,
    Changefeed,
    ConfigError,
    DataCenter,
    InvalidCredentials,
    InvalidVersion,
    Machine,
    NotAuthorized,
    NotSupported,
    Redirected,
    SmartDCError,
    TLSError,
    TransportError,
    WaitTimeout,
)
from smartdc.emulator import Emulator, Fault, Server
from smartdc.http.proxy import proxies_of
from smartdc.websocket import connection, handshake
from smartdc.websocket.opening import open_websocket


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


def names(changes: Changefeed, count: int = 1) -> list[str]:
    """Return the names of the machines of the next changes."""
    return [changes.wait(PATIENCE).machine.name for _ in range(count)]


# The handshake


def test_the_handshake_is_a_signed_request(changes: Changefeed, cloud: Emulator) -> None:
    """It brings what any call brings, and offers neither subprotocols nor extensions."""
    asked = next(asked for asked in cloud.trace if asked.operation == "GetChangefeed")

    assert (asked.method, asked.path, asked.status) == ("GET", "/demo/changefeed", 101)
    assert {"date", "host", "accept-version", "user-agent", "x-request-id"} <= asked.headers.keys()
    assert asked.headers["accept-version"] == "~9||~8"
    assert (asked.headers["upgrade"], asked.headers["sec-websocket-version"]) == ("websocket", "13")
    assert not {"sec-websocket-protocol", "sec-websocket-extensions"} & asked.headers.keys()
    assert repr(changes).startswith("<Changefeed of <DataCenter demo@http://127.0.0.1:")


def test_roles_are_taken_on(cloud: Emulator, shared_server: SharedServer) -> None:
    """They are part of the address that is signed."""
    shared_server.cloud = cloud
    with DataCenter(**cloud.connection(shared_server.url), roles=["administrator"]) as dc, dc.changefeed():
        asked = next(asked for asked in cloud.trace if asked.operation == "GetChangefeed")

    assert asked.path == "/demo/changefeed?as-role=administrator"


@pytest.fixture
def refused(cloud: Emulator, dc: DataCenter) -> Callable[..., BaseException]:
    """A function that connects and returns what is raised."""

    def connect(kind: type[Exception], **settings: Any) -> BaseException:
        arguments = {**cloud.connection(dc.base_url), **settings}
        with DataCenter(**arguments) as other, pytest.raises(kind) as caught:
            other.changefeed()
        assert len(cloud.changefeed) == 0
        return caught.value

    return connect


def test_a_wrong_key_is_refused_with_the_reason(cloud: Emulator, refused: Callable[..., Any]) -> None:
    """A refused handshake has no body, so that the reason is asked for."""
    other = Emulator(1)
    error = refused(InvalidCredentials, secret=other.private_key, key_id=other.key_id)

    assert (error.status, error.code) == (401, "InvalidCredentials")
    assert error.message == "Invalid authorization credentials supplied"
    assert [(asked.operation, asked.status) for asked in cloud.trace] == [("GetChangefeed", 401)] * 2


def test_a_wrong_version_is_refused_with_the_reason(refused: Callable[..., Any]) -> None:
    """It is the same class as anywhere."""
    error = refused(InvalidVersion, api_version="~6.5")

    assert "~6.5 is not supported by GET /demo/changefeed" in str(error)


def test_another_account_is_refused_with_the_reason(cloud: Emulator, refused: Callable[..., Any]) -> None:
    """Nobody hears of machines of others."""
    cloud.state.add_account("other")
    error = refused(NotAuthorized, login="other", key_id=cloud.key_id)

    assert "You do not have permission to access /other/changefeed (changefeed)" in str(error)


def test_a_reason_that_is_gone_is_not_made_up(cloud: Emulator, dc: DataCenter) -> None:
    """When the same request without a WebSocket is answered otherwise, that is no reason."""
    cloud.faults.add(Fault("GetChangefeed", "status", status=403, code="NotAuthorized"))
    with pytest.raises(NotAuthorized) as caught:
        dc.changefeed()

    assert caught.value.message == "HTTP status 403"


def test_a_wrong_clock_is_set_right(cloud: Emulator, shared_server: SharedServer) -> None:
    """The answer has no body, but it has a Date."""
    shared_server.cloud = cloud
    arguments = {**cloud.connection(shared_server.url), "clock": OtherClock(cloud.clock.time() - 3600)}
    with DataCenter(**arguments) as dc, dc.changefeed():
        assert [asked.status for asked in cloud.trace if asked.operation == "GetChangefeed"] == [400, 101]


def test_a_reason_that_cannot_be_asked_for_is_not_waited_for(offered: Callable[..., Any]) -> None:
    """The refusal itself counts for more than why nobody tells its reason."""
    dc, server = offered(raw(b"HTTP/1.1 403 Connection Not Upgraded\r\nConnection: close\r\n\r\n"), close)
    with pytest.raises(NotAuthorized):
        dc.changefeed()

    assert len(server.requests) > 1


@pytest.mark.parametrize("kind", ["reset", "close", "throttled", "maintenance", "unavailable", "html", "status"])
def test_a_handshake_that_fails_is_tried_again(cloud: Emulator, dc: DataCenter, kind: str) -> None:
    """A handshake does nothing, so that it may be sent twice."""
    cloud.faults.add(Fault("GetChangefeed", kind, seconds=1))
    with dc.changefeed():
        assert cloud.trace.operations()[:2] == ["GetChangefeed"] * 2


@pytest.fixture
def offered() -> Iterator[Callable[..., Any]]:
    """A function that connects to a server with an act of its own, and returns the data centre and the server."""
    servers: list[RawServer] = []

    def serve(*acts: Any, **settings: Any) -> tuple[DataCenter, RawServer]:
        servers.append(RawServer(*acts).__enter__())
        arguments = {"login": "demo", "clock": OtherClock(), "rng": random.Random(1), **settings}  # noqa: S311
        return DataCenter(servers[-1].url, **arguments), servers[-1]

    yield serve
    for server in servers:
        server.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (reply(200, []), BadResponse, "the server answered without opening a WebSocket"),
        (raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), BadResponse, "invalid answer to the WebSocket handshake"),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), BadResponse, "invalid answer to the WebSocket handshake"),
        (reply(302, headers=["Location: http://elsewhere.test/"]), Redirected, "redirects are not followed"),
        (close, TransportError, "the connection was closed before there was a whole answer"),
        (raw(b"HTTP/1.1 101 Swi"), TransportError, "the connection was closed before there was a whole answer"),
        (reply(501, {"code": "NotImplemented", "message": "no feeds here"}), NotSupported, "no feeds here"),
    ],
    ids=["no upgrade", "no handshake", "no HTTP", "redirect", "hangs up", "half an answer", "not there"],
)
def test_other_answers_are_errors_of_ours(
    offered: Callable[..., Any], act: Any, kind: type[Exception], words: str
) -> None:
    """What has nothing to do with CloudAPI is told from what has."""
    dc, server = offered(act)
    with pytest.raises(kind, match=words):
        dc.changefeed()

    assert first_line(server.requests[0]) == "GET /demo/changefeed HTTP/1.1"


def test_a_handshake_has_a_deadline(offered: Callable[..., Any]) -> None:
    """A server that says nothing does not hold up anybody."""
    dc, _ = offered(silence, timeout=0.25)
    began = time.monotonic()
    with pytest.raises(CallTimeout, match=r"no answer within 0\.25 s"):
        dc.changefeed()

    assert time.monotonic() - began < PATIENCE


def test_a_tls_handshake_has_the_same_deadline() -> None:
    """It is part of the handshake."""
    with (
        RawServer(reply(), greeting=b"") as server,
        DataCenter(server.url, login="demo", verify=False, timeout=0.25, clock=OtherClock()) as dc,
        pytest.raises(CallTimeout),
    ):
        dc.changefeed()


def test_a_quiet_feed_outlives_the_time_that_a_call_may_take(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """The deadline is that of the handshake."""
    with DataCenter(**cloud.connection(dc.base_url), timeout=0.2) as other, other.changefeed() as changes:
        with pytest.raises(WaitTimeout):
            changes.wait(0.3)
        change(cloud, machine.id, name="web-2")

        assert names(changes) == ["web-2"]
        assert cloud.trace.operations().count("GetChangefeed") == 1


def test_a_server_that_does_not_read_is_no_feed(offered: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake that nobody follows up is found out by the ping that goes with the registration."""
    monkeypatch.setattr(connection, "CLOSE_PATIENCE", 0.05)
    dc, _ = offered(accept(then=deaf), timeout=0.25)
    with pytest.raises(CallTimeout, match=r"a ping was not answered within 0\.25 s"):
        dc.changefeed()


def deaf(line: Line) -> bool:
    """Neither hear nor say anything, until the test is over."""
    line.stopped.wait(PATIENCE)
    return False


def test_a_host_without_a_server_cannot_be_reached() -> None:
    """The error is that of any call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        DataCenter(f"http://127.0.0.1:{port}", login="demo", clock=OtherClock()) as dc,
        pytest.raises(TransportError, match=f"http://127.0.0.1:{port} cannot be reached") as caught,
    ):
        dc.changefeed()

    assert caught.value.applied is False


@pytest.mark.parametrize("kind", ["proxy", "proxy with a password"])
def test_the_proxy_of_the_environment_is_used(
    cloud: Emulator, shared_server: SharedServer, environment: pytest.MonkeyPatch, kind: str
) -> None:
    """It is asked for a tunnel, in which the handshake is sent; it sees no signature."""
    shared_server.cloud = cloud
    port = int(shared_server.url.rpartition(":")[2])
    with RawServer(tunnel_to(port)) as proxy:
        user = "user:pass@" if "password" in kind else ""
        with DataCenter(**cloud.connection(shared_server.url)) as direct:
            environment.setenv("http_proxy", f"http://{user}127.0.0.1:{proxy.port}")
            direct.session.proxies = proxies_of(shared_server.url)
            open_websocket(direct, "/changefeed", PATIENCE).close()
    request = proxy.requests[0]

    assert first_line(request).startswith(f"CONNECT 127.0.0.1:{port} ")
    assert (header_of(request, "Proxy-Authorization") is not None) == bool(user)
    assert header_of(request, "Authorization") is None


def tunnel_to(port: int) -> Any:
    """Connect the client through, and carry bytes to and fro until one side has had enough."""

    def act(line: Line) -> bool:
        line.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as far:
            there = threading.Thread(target=pump, args=(line.connection, far), daemon=True)
            there.start()
            pump(far, line.connection)
            there.join(PATIENCE)
        return False

    return act


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Carry bytes from one socket to another until there are no more."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def test_a_proxy_that_refuses_is_told(environment: pytest.MonkeyPatch) -> None:
    """As for any other call."""
    with RawServer(reply(407)) as proxy:
        environment.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        with (
            DataCenter("http://cloud.test", login="demo", clock=OtherClock()) as dc,
            pytest.raises(TransportError, match="Tunnel connection failed: 407"),
        ):
            dc.changefeed()


@pytest.mark.parametrize("proxy", ["https://user:secret@127.0.0.1:1", "socks5h://user:secret@127.0.0.1:1"])
def test_other_proxies_are_refused(environment: pytest.MonkeyPatch, proxy: str) -> None:
    """The text says so, and keeps the password to itself."""
    environment.setenv("http_proxy", proxy)
    with (
        DataCenter("http://cloud.test", login="demo") as dc,
        pytest.raises(ConfigError, match="work only through http:// proxies") as caught,
    ):
        dc.changefeed()

    assert "secret" not in str(caught.value)


@pytest.fixture
def secure(cloud: Emulator) -> Iterator[Server]:
    """A server that speaks TLS, with an authority of its own."""
    with Server(cloud, tls=True) as server:
        yield server


def test_tls_is_checked_as_for_any_call(cloud: Emulator, secure: Server) -> None:
    """By the bundle of the data centre, and messages of any length come through."""
    [there] = cloud.populate(1, metadata={"long": "x" * 90_000})
    with DataCenter(**cloud.connection(secure.url, secure.ca)) as dc, dc.changefeed() as changes:
        for number in range(20):
            change(cloud, there.id, name=f"web-{number}")

        assert names(changes, 20) == [f"web-{number}" for number in range(20)]


def test_tls_without_trust_is_refused(cloud: Emulator, secure: Server) -> None:
    """An authority that nobody knows vouches for nothing."""
    with DataCenter(**cloud.connection(secure.url)) as dc, pytest.raises(TLSError, match="verify= takes the path"):
        dc.changefeed()

    assert cloud.trace == []


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_tls_can_go_unchecked(cloud: Emulator, secure: Server) -> None:
    """If somebody says so."""
    settings = {**cloud.connection(secure.url), "verify": False}
    with DataCenter(**settings) as dc, dc.changefeed():
        assert len(cloud.changefeed) == 1


def test_the_in_process_door_has_no_feed(cloud: Emulator) -> None:
    """There is no connection, and the answer says what to use."""
    with DataCenter(**cloud.connection()) as dc, pytest.raises(NotSupported, match=r"smartdc\.emulator\.Server"):
        dc.changefeed()


def test_an_adapter_of_ones_own_has_no_feed() -> None:
    """What answers as if nothing had been asked is no WebSocket."""
    with (
        RawServer(reply(body=[])) as server,
        DataCenter(server.url, login="demo", adapter=HTTPAdapter()) as dc,
        pytest.raises(BadResponse, match="the server answered without opening a WebSocket"),
    ):
        dc.changefeed()


# What is left behind


def test_nothing_is_left_behind(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """Neither by a feed that was closed, nor by connections that were lost, nor by refusals."""
    dc.machines()
    before = in_use()
    with dc.changefeed() as changes:
        cloud.changefeed.drop("cut")
        eventually(lambda: not len(cloud.changefeed))
        change(cloud, machine.id, name="web-2")
        assert names(changes) == ["web-2"]
        assert in_use() > before
    cloud.faults.add(Fault("GetChangefeed", "status", status=403))
    with pytest.raises(NotAuthorized):
        dc.changefeed()

    nothing_is_left(before)


def test_a_feed_that_is_forgotten_leaves_nothing_behind(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """Whoever leaves a loop need not close what it ran over."""
    dc.machines()
    before = in_use()

    def change_once_somebody_listens() -> None:
        eventually(lambda: cloud.changefeed.registered)
        change(cloud, machine.id, name="web-2")

    changing = threading.Thread(target=change_once_somebody_listens)
    changing.start()
    for found in dc.changefeed(timeout=PATIENCE):
        assert found.machine.name == "web-2"
        break

    changing.join()
    nothing_is_left(before)


def test_a_feed_that_nobody_closed_does_not_hold_up_the_end(
    cloud: Emulator, shared_server: SharedServer, tmp_path: Path
) -> None:
    """A program that ends says goodbye for it."""
    shared_server.cloud = cloud
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(str(cloud.private_key))
    code = f"""
from smartdc import DataCenter
class Clock:
    def time(self):
        return {cloud.clock.time()}
    monotonic = time
    def sleep(self, seconds):
        raise AssertionError(seconds)
feed = DataCenter({shared_server.url!r}, {cloud.key_id!r}, {str(key)!r}, login="demo", clock=Clock()).changefeed()
print("connected")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("connected\n", "", 0)
    eventually(lambda: not len(cloud.changefeed))


def test_a_forked_child_leaves_the_feed_alone(changes: Changefeed, cloud: Emulator, machine: Machine) -> None:
    """What ends in a child is not the parent's."""
    child = os.fork()
    if child == 0:
        changes.close()
        os._exit(0)
    os.waitpid(child, 0)
    change(cloud, machine.id, name="web-2")
    found = changes.wait(PATIENCE)

    assert (found.machine.name, found.relisted) == ("web-2", False)


def test_signatures_are_told_to_no_log(dc: DataCenter, cloud: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Nor is what machines are given, though the library for WebSockets would tell both at DEBUG."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "smartdc.websocket.handshake")
    [there] = cloud.populate(1, metadata={"user-data": "hush"})
    with dc.changefeed() as changes:
        change(cloud, there.id, name="web-2")
        change_told = changes.wait(PATIENCE)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]

    assert change_told.machine["metadata"] == {"user-data": "hush"}
    assert any("GET /demo/changefeed: 101" in text for text in ours)
    assert not [text for text in ours if 'signature="' in text or "hush" in text]


@pytest.mark.parametrize("act", [reply(body=[]), silence, close, raw(b"SSH-2.0\r\n"), accept(then=close)], ids=range(5))
def test_signatures_stay_out_of_errors(offered: Callable[..., Any], cloud: Emulator, act: Any) -> None:
    """No frame that a debugger would show of a failed handshake holds one."""
    connection = {**cloud.connection(), "adapter": None, "timeout": 0.25}
    dc, server = offered(act, **{name: value for name, value in connection.items() if name != "location"})
    with pytest.raises(SmartDCError) as caught:
        dc.changefeed()
    chain: list[BaseException] = [caught.value]
    for error in chain:
        chain += [other for other in (error.__cause__, error.__context__) if other and other not in chain]
    frames = [frame for error in chain for frame, _ in traceback.walk_tb(error.__traceback__)]
    shown = [repr(value) for frame in frames for value in frame.f_locals.values() if value is not server]

    assert b'signature="' in server.requests[0]
    assert not [text for text in shown if 'signature="' in text]


def test_an_interrupt_shows_no_signature(dc: DataCenter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it leave a connection behind."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = in_use()
    monkeypatch.setattr(handshake, "_answer", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        dc.changefeed()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]

    assert not [frame for frame in frames if 'signature="' in repr(frame.f_locals)]
    nothing_is_left(before)


def test_a_closed_websocket_is_closed(cloud: Emulator, dc: DataCenter) -> None:
    """Whatever is wanted of it."""
    ended = open_websocket(dc, "/changefeed", PATIENCE)
    ended.close()

    with pytest.raises(TransportError, match="the connection was lost"):
        ended.settle(1)
    with pytest.raises(TransportError, match="the connection was lost"):
        ended.send("x", 1)
    assert ended.receive(1) is None
    eventually(lambda: not len(cloud.changefeed))


# The extra


def test_without_the_library_there_is_no_feed(dc: DataCenter, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said before anything is sent."""
    monkeypatch.delitem(sys.modules, "smartdc.websocket.handshake")
    monkeypatch.setitem(sys.modules, "websockets.client", None)
    with pytest.raises(ConfigError, match=r"pip install 'websockets>=15'"):
        dc.changefeed()


def test_the_library_is_imported_only_when_it_is_needed() -> None:
    """Neither the client nor the emulator take it along for those who need no WebSocket."""
    code = "import sys, smartdc, smartdc.emulator; smartdc.emulator.Emulator(); print('websockets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
