"""Requests are carried within one deadline, over connections that are safe to use, checked by one TLS context."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import importlib.util
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from kits.http import Clock, Line, RawServer, Stamp, close, dribble, first_line, header_of, raw, reply, silence
from kits.interrupts import interrupt
from smartdc import DataCenter
from smartdc.emulator.doors.certificates import write_certificates
from smartdc.errors import BadResponse, CallTimeout, ConfigError, TLSError, TransportError
from smartdc.http import connections
from smartdc.http import tls as certificate_checks
from smartdc.http.deadline import Deadline
from smartdc.http.proxy import proxies_of
from smartdc.http.resolver import addresses_of
from smartdc.http.retry import Retry
from smartdc.http.session import Session
from smartdc.http.settings import Settings
from smartdc.http.tls import ca_bundle
from smartdc.http.transport import Transport

HASTE = 0.25
"""Seconds that a call may take here; what it is up against would take far longer."""

ENOUGH = 5.0
"""Seconds in which such a call has ended even on a machine that is busy."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of an authority and of a server's certificate by it, for 127.0.0.1, ::1 and localhost."""
    return write_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def ca(certificates: tuple[str, str]) -> str:
    """The file of the authority."""
    return certificates[0]


@pytest.fixture
def tls(certificates: tuple[str, str]) -> ssl.SSLContext:
    """What a server speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates[1])
    return context


def _then_close(act: Any) -> Any:
    def both(line: Line) -> bool:
        act(line)
        return False

    return both


def timed_out(session: Session, method: str = "GET", data: Any = None) -> CallTimeout:
    """Make a call that cannot end well, and see that it ends in time."""
    began = time.monotonic()
    with pytest.raises(CallTimeout) as caught:
        session.request(method, "/my", data=data)
    assert time.monotonic() - began < ENOUGH
    return caught.value


# The deadline


@pytest.mark.parametrize(
    "act",
    [
        silence,
        dribble(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000),
        dribble(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        dribble(HEAD + b" " * 400),
        dribble(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100),
        dribble(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000),
    ],
    ids=["says nothing", "head", "continues", "body", "chunks", "body without end"],
)
def test_a_call_ends_in_time_though_the_server_never_stops(act: Any) -> None:
    """Head and body have one deadline together, however small the pieces are in which they come."""
    with RawServer(act) as server:
        error = timed_out(Session(Settings(server.url, timeout=HASTE)))

    assert str(error) == "GET /my: no answer within 0.25 s"
    assert error.applied is None
    assert len(server.requests) == 1


def test_a_server_that_stalls_within_the_body_is_left() -> None:
    """What is missing of a body is waited for until the deadline, and no longer."""

    def half(line: Line) -> bool:
        line.send(HEAD + b"[1,")
        return silence(line)

    with RawServer(half) as server:
        timed_out(Session(Settings(server.url, timeout=HASTE)))


def test_a_tls_handshake_that_stalls_ends_in_time() -> None:
    """The handshake is part of the call; nothing was sent when it fails."""
    with RawServer(reply(), greeting=b"") as server:
        error = timed_out(Session(Settings(server.url, timeout=HASTE, verify=False)), "POST")

    assert f"{server.url} cannot be reached" in str(error)
    assert error.applied is False


def test_a_server_that_does_not_take_the_body_is_left() -> None:
    """Sending is part of the call as well."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        session = Session(Settings(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=HASTE))
        session.http.mount(session.base_url, _Narrow())
        error = timed_out(session, "PUT", "x" * 90_000)

    assert error.applied is None


class _Narrow(Transport):
    """A transport whose sockets take only little at a time."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.connection_pool_kw["socket_options"] = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024)]


@pytest.fixture
def neighbours() -> Iterator[tuple[socket.socket, int]]:
    """A listener at 127.0.0.1, and its port, at which nobody ever gets through to 127.0.0.2: the queue is full."""
    with contextlib.ExitStack() as stack:
        while True:
            living = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            dead = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                dead.bind(("127.0.0.2", living.getsockname()[1]))
                break
        dead.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(dead.getsockname())
        yield living, living.getsockname()[1]


@pytest.fixture
def unheard(neighbours: tuple[socket.socket, int]) -> int:
    """The port at which 127.0.0.2 does not answer."""
    return neighbours[1]


def test_connecting_ends_in_time(unheard: int) -> None:
    """A host that does not answer is given up at the deadline, and nothing was sent."""
    error = timed_out(Session(Settings(f"http://127.0.0.2:{unheard}", timeout=HASTE)), "POST")

    assert f"http://127.0.0.2:{unheard} cannot be reached" in str(error)
    assert error.applied is False


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses."""
    original = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any) -> Any:
        hosts = [host] if host[0].isdigit() else addresses
        return [entry for one in hosts for entry in original(one, port, *args)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_a_dead_address_leaves_time_for_the_next(
    neighbours: tuple[socket.socket, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several addresses each gets its share of the time, so that the living one is reached."""
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    threading.Thread(target=_answer_once, args=(neighbours[0],), daemon=True).start()

    assert Session(Settings(f"http://cloud.test:{neighbours[1]}", timeout=1)).request("GET", "/my")[0] == [1]


def _answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        threading.Event().wait(0.05)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]")


def test_dead_addresses_share_the_time(unheard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many addresses do not multiply the time-out."""
    resolve_to(monkeypatch, *["127.0.0.2"] * 2, "127.0.0.3")
    began = time.monotonic()
    with pytest.raises(TransportError, match=r"http://cloud.test:\d+ cannot be reached"):
        Session(Settings(f"http://cloud.test:{unheard}", timeout=HASTE)).request("POST", "/my")

    assert time.monotonic() - began < ENOUGH


def test_the_last_address_has_all_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of three gets a third, the second half of the rest, the last all of it."""
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.4")
    shares: list[float] = []

    def refuse(_: tuple[str, int], share: float, *__: Any) -> socket.socket:
        shares.append(share)
        raise ConnectionRefusedError

    monkeypatch.setattr(connections, "create_connection", refuse)
    with pytest.raises(TransportError):
        Session(Settings("http://cloud.test:1", timeout=60, retry=Retry(attempts=1))).request("GET", "/my")

    assert shares == [pytest.approx(seconds, rel=0.1) for seconds in (20, 30, 60)]


def test_the_last_moment_is_never_zero() -> None:
    """A deadline that has passed still leaves a moment, since a socket takes zero for 'do not wait at all'."""
    deadline = Deadline(1e-9)

    assert deadline.passed()
    assert deadline.left() == 0.001
    assert Deadline(None).left() is None
    assert not Deadline(None).passed()


def test_what_comes_too_late_is_not_read() -> None:
    """Bytes that are there when the time is over do not prolong it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"late")
        ours.settimeout(1e-6)
        reader = connections._DeadlineReader(ours.makefile("rb", buffering=0), ours)
        while not reader._deadline.passed():
            pass
        with reader, pytest.raises(TimeoutError):
            reader.readinto(bytearray(4))


def test_what_is_left_becomes_less() -> None:
    """Each stage and each read is given what is left then, and not what there was at first."""
    deadline = Deadline(30)
    first, began = deadline.left(), time.monotonic()
    while time.monotonic() == began:
        pass
    second = deadline.left()

    assert first is not None
    assert within(second, 29, first)


def within(seconds: Any, low: float, high: float) -> bool:
    """Tell whether there is a time-out, and between these bounds."""
    return isinstance(seconds, float) and low < seconds < high


def test_each_read_gets_only_what_is_left() -> None:
    """The time-out of a socket is cut down before it is read from."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(30)
        reader = connections._DeadlineReader(ours.makefile("rb", buffering=0), ours)
        reader._deadline = Deadline(0.05)
        with reader, pytest.raises(TimeoutError):
            reader.readinto(bytearray(4))
        assert within(ours.gettimeout(), 0, 1)


def test_connecting_uses_up_time_and_shares_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """After connecting, all that is left of the time is there for the request, and no more."""
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")
    with (
        RawServer(reply()) as server,
        contextlib.closing(connections.Connection("cloud.test", server.port, timeout=30)) as c,
    ):
        c.connect()

        assert within(c.timeout, 29, 30)
        assert within(c.sock.gettimeout(), 29, 30)


def test_connecting_and_reading_have_one_deadline() -> None:
    """What `requests` calls two time-outs runs out at one moment."""
    timeout = connections._Pool("127.0.0.1")._get_timeout(urllib3.Timeout(connect=30, read=30))

    assert within(timeout.connect_timeout, 0, 30)
    assert within(timeout.read_timeout, 0, 30)
    assert connections._Pool("127.0.0.1")._get_timeout(timeout) is timeout


def test_no_deadline_is_possible() -> None:
    """None waits for ever, at every stage."""
    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url, timeout=None))

        assert session.request("GET", "/my")[0] == [1]
        assert session.request("GET", "/my")[0] == [1]


# What is on the way


def test_a_host_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the resolver does not know is no matter of trying again."""

    def resolve(*_: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(TransportError, match=r"^GET /my: http://cloud\.test cannot be reached: .*not known$") as caught:
        Session(Settings("http://cloud.test")).request("GET", "/my")

    assert caught.value.attempts == 1
    assert isinstance(caught.value.__cause__, socket.gaierror)


def test_a_resolver_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver has no deadline, and a call has one nevertheless; nothing was sent."""
    original, done = socket.getaddrinfo, threading.Event()

    def resolve(host: str, *args: Any) -> Any:
        if host == "cloud.test" and not args[-1]:
            done.wait(30)
        return original(host, *args)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    error = timed_out(Session(Settings("http://cloud.test", timeout=HASTE)), "POST")
    done.set()

    assert "DNS lookup of cloud.test timed out" in str(error)
    assert error.applied is False


def test_a_name_is_resolved_while_the_interpreter_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.12 on no thread begins any more then, and what is deleted at the end has to be deleted."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert {"127.0.0.1", "::1"}.intersection(addresses_of("localhost", 80, 5))


def test_a_name_that_is_none_is_refused() -> None:
    """A label that is too long for DNS is no crash."""
    with pytest.raises(TransportError, match="cannot be reached"):
        Session(Settings(f"http://{'x' * 70}.test", timeout=HASTE)).request("GET", "/my")


def test_a_server_that_closes_at_once_leaves_the_outcome_open() -> None:
    """A request that was sent and not answered may have been applied, so a POST is not sent again."""
    with RawServer(close) as server, pytest.raises(TransportError) as caught:
        Session(Settings(server.url)).request("POST", "/my")

    assert caught.value.applied is None
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), "SSH-2.0"),
        (raw(b"HTTP/1.1 two hundred OK\r\n\r\n"), "two hundred"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"), "more than 100 headers"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"), "header line"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n"), "unmatching values"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), "invalid literal|IncompleteRead"),
        (_then_close(reply(body=b"[1", length=10)), r"IncompleteRead\(2 bytes read, 8 more expected\)"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "IncompleteRead"),
    ],
    ids=["no HTTP", "status", "many headers", "long header", "two lengths", "bad chunk", "short body", "short chunk"],
)
def test_whatever_is_no_answer_ends_as_our_own_error(act: Any, words: str) -> None:
    """No exception of a layer below comes through."""
    with RawServer(act) as server, pytest.raises(TransportError, match=words) as caught:
        Session(Settings(server.url)).request("POST", "/my")

    assert caught.value.applied is None
    assert len(server.requests) == 1


def test_a_body_longer_than_it_says_does_not_reach_the_next_call() -> None:
    """What is too much of one answer is never taken for the beginning of the next."""
    with RawServer(reply(body=[1], rest=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), reply(body=[2])) as server:
        session = Session(Settings(server.url))

        assert session.request("GET", "/my")[0] == [1]
        assert session.request("GET", "/my")[0] == [2]


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints", "199 Odd"])
def test_interim_answers_are_skipped(status: str) -> None:
    """The real answer follows; it must not wait in the connection for the next call. RFC 9110 wants all of them read."""
    hints = f"HTTP/1.1 {status}\r\nLink: </x>\r\n\r\n".encode() * 3
    with RawServer(reply(body=[1], rest=b""), _before(hints, reply(body=[2])), reply(body=[3])) as server:
        session = Session(Settings(server.url))

        assert [session.request("GET", "/my")[0] for _ in range(3)] == [[1], [2], [3]]
        assert len(server.requests) == 3


@pytest.mark.parametrize("opened", [True, False])
def test_a_head_that_is_cut_is_no_answer(opened: bool) -> None:
    """`http.client` would take it for a whole one without a body, and so a lost answer to a POST for a success."""
    whole = b"HTTP/1.1 202 Accepted\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
    for end in (13, 20, 23, 40, len(whole) - 3, len(whole) - 2):
        with RawServer(*[reply(body=[1])] * opened, _before(whole[:end], lambda _: False), reply(body=[3])) as server:
            session = Session(Settings(server.url))
            for _ in range(opened):
                session.request("GET", "/my")
            with pytest.raises(TransportError, match="closed in the middle of a response") as caught:
                session.request("POST", "/my")

            assert caught.value.applied is None
            assert session.request("GET", "/my")[0] == [3]
            session.close()


def _before(data: bytes, act: Any) -> Any:
    def both(line: Line) -> bool:
        line.send(data)
        return bool(act(line))

    return both


# Connections


def test_connections_are_kept() -> None:
    """One call after another takes one connection, whatever the body is like."""
    acts = [
        reply(body=[1]),
        reply(404, {"code": "ResourceNotFound", "message": "no"}),
        reply(body=b"", length=0),
        _keep(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n"),
        _keep(b"HTTP/1.1 204 No Content\r\n\r\n"),
        reply(body=[1]),
    ]
    with RawServer(*acts) as server:
        session = Session(Settings(server.url))
        for _ in acts:
            with contextlib.suppress(Exception):
                session.request("GET", "/my")

        assert len(server.requests) == len(acts)
        assert server.connections == 1


def _keep(data: bytes) -> Any:
    def act(line: Line) -> bool:
        line.send(data)
        return True

    return act


@pytest.fixture(params=["ours", "replaced"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every connection that is opened: in our pools, or in those of urllib3 where a tool has put its own class there."""
    opened: list[Any] = []
    pool: Any = connections.POOLS["http"] if request.param == "ours" else urllib3.HTTPConnectionPool
    made: Any = pool.ConnectionCls

    class Kept(made):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            opened.append(self)

    monkeypatch.setattr(pool, "ConnectionCls", Kept)
    return opened


def at_once(session: Session, calls: int) -> list[Any]:
    """Make as many calls at the same time, and return their answers."""
    with ThreadPoolExecutor(calls) as pool:
        return [pool.submit(session.request, "GET", "/my") for _ in range(calls)]


def test_as_many_connections_are_kept_as_there_may_be(opened: list[Any]) -> None:
    """Calls that go on at the same time find, the next time, the connections of the last time."""
    size = 17  # one more than by default
    together = threading.Barrier(size, timeout=ENOUGH)

    def when_all_are_there(line: Line) -> bool:
        together.wait()
        return bool(reply(body=[1])(line))

    with RawServer(when_all_are_there) as server:
        session = Session(Settings(server.url, pool_size=size))
        answers = [call.result()[0] for _ in range(3) for call in at_once(session, size)]
        session.close()

    assert answers == [[1]] * (3 * size)
    assert len(opened) == server.connections == size


def test_close_closes_every_connection_also_of_calls_under_way(opened: list[Any]) -> None:
    """Whoever keeps the client alive, by a traceback or in a variable, keeps no socket; a call under way still ends."""
    arrived, closed = threading.Barrier(3, timeout=ENOUGH), threading.Event()

    def after_closing(line: Line) -> bool:
        arrived.wait()
        if first_line(line.request) == "GET /slow HTTP/1.1":
            closed.wait(ENOUGH)
        return bool(reply(body=[1])(line))

    with RawServer(after_closing) as server, ThreadPoolExecutor(3) as pool:
        dc = DataCenter(server.url, login="demo")
        slow, *quick = [pool.submit(dc.session.request, "GET", path) for path in ("/slow", "/1", "/2")]
        assert [call.result()[0] for call in quick] == [[1], [1]]
        dc.close()
        sockets = [connection.sock for connection in opened]
        closed.set()

        assert slow.result()[0] == [1]
        assert sum(sock is not None for sock in sockets) == 1
        assert [connection.sock for connection in opened] == [None] * 3


def test_an_idle_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that CloudAPI's proxy is about to close is closed by us, before anything is sent on it."""
    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url))
        session.request("GET", "/my")
        monkeypatch.setattr(connections, "IDLE_LIMIT_SECONDS", -1.0)
        session.request("GET", "/my")

        assert server.connections == 2


def test_a_connection_closed_by_the_server_is_replaced() -> None:
    """What the server closed while nobody used it is noticed before a request is sent on it."""
    with RawServer(_then_close(reply(body=[1])), reply(body=[2])) as server:
        session = Session(Settings(server.url))
        session.request("GET", "/my")
        _wait_until_closed(session)

        assert session.request("POST", "/my")[0] == [2]
        assert server.connections == 2


def _wait_until_closed(session: Session) -> None:
    """Wait for the end of stream on the one connection that is kept."""
    pool = session.http.get_adapter(session.base_url)._pools[session.base_url].pool  # type: ignore[attr-defined]
    connection = pool.get()
    connection.sock.settimeout(ENOUGH)
    connection.sock.recv(1, socket.MSG_PEEK)
    pool.put(connection)


def test_close_closes_also_what_somebody_still_holds_on_to() -> None:
    """The traceback of a failure may hold a pool, which the manager then leaves open."""
    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url, clock=Clock()))
        session.request("GET", "/my")
        [held] = session.http.get_adapter(server.url)._pools.values()  # type: ignore[attr-defined]
        session.close()

        assert held.pool is None


def test_close_closes_and_a_later_call_connects_again() -> None:
    """A closed session is as good as new."""
    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url))
        session.request("GET", "/my")
        session.close()

        assert session.request("GET", "/my")[0] == [1]
        assert server.connections == 2


@pytest.mark.parametrize("moment", ["head", "body"])
def test_an_interrupt_leaves_no_half_used_connection(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C in the middle of an answer the rest of it is nobody's answer."""
    original = connections._DeadlineReader.readinto
    reads: list[int | None] = []

    def interrupted(self: Any, buffer: Any) -> int | None:
        if reads and moment == "body":
            raise KeyboardInterrupt
        reads.append(original(self, buffer))
        if moment == "head":
            raise KeyboardInterrupt
        return reads[-1]

    def halves(line: Line) -> bool:
        line.send(HEAD + b"[1")
        return not line.hung_up(ENOUGH)

    with RawServer(halves, reply(body=[2])) as server:
        session = Session(Settings(server.url, pool_size=1))
        monkeypatch.setattr(connections._DeadlineReader, "readinto", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.request("GET", "/my")
        monkeypatch.undo()

        assert session.request("GET", "/my")[0] == [2]
        assert server.connections == 2


# TLS


def test_the_servers_certificate_is_checked_against_the_bundle(tls: ssl.SSLContext, ca: str) -> None:
    """`verify` may be the path of a CA bundle; connections are kept as without TLS."""
    with RawServer(reply(body=[1]), tls=tls) as server:
        session = Session(Settings(server.url, verify=ca))
        session.request("GET", "/my")

        assert session.request("GET", "/my")[0] == [1]
        assert server.connections == 1


def test_the_bundle_may_be_a_path_object_or_a_folder(tls: ssl.SSLContext, ca: str, tmp_path: Path) -> None:
    """Both are what `requests` users know; a folder is searched by the hash of a name."""
    with RawServer(reply(body=[1]), tls=tls) as server:
        assert Session(Settings(server.url, verify=Path(ca))).request("GET", "/my")[0] == [1]  # type: ignore[arg-type]
        with pytest.raises(TLSError):
            Session(Settings(server.url, verify=str(tmp_path))).request("GET", "/my")


def test_a_stranger_is_refused(tls: ssl.SSLContext) -> None:
    """By default only certificates of public authorities are good; it is tried once, and nothing is sent."""
    with RawServer(reply(), tls=tls) as server, pytest.raises(TLSError, match="verify= takes the path") as caught:
        Session(Settings(server.url)).request("POST", "/my")

    assert isinstance(caught.value, requests.exceptions.SSLError)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert caught.value.applied is False
    assert caught.value.attempts == 1
    assert not server.requests


def test_a_certificate_for_another_name_is_refused(
    tls: ssl.SSLContext, ca: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority alone is not enough."""
    resolve_to(monkeypatch, "127.0.0.1")
    with RawServer(reply(), tls=tls) as server, pytest.raises(TLSError, match="Hostname mismatch"):
        Session(Settings(f"https://cloud.test:{server.port}", verify=ca)).request("GET", "/my")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verify_false_checks_nothing(tls: ssl.SSLContext) -> None:
    """It is possible to talk to a server that nobody vouches for."""
    with RawServer(reply(body=[1]), tls=tls) as server:
        assert Session(Settings(server.url, verify=False)).request("GET", "/my")[0] == [1]


def test_verify_false_warns(tls: ssl.SSLContext) -> None:
    """It is not possible to do so unawares."""
    with RawServer(reply(body=[1]), tls=tls) as server, pytest.warns(urllib3.exceptions.InsecureRequestWarning):
        Session(Settings(server.url, verify=False)).request("GET", "/my")


def test_plain_http_on_a_tls_port_is_a_tls_error(ca: str) -> None:
    """A server that answers the handshake with something else is said to do that; nothing was sent to it."""
    with RawServer(reply(), greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server, pytest.raises(TLSError) as caught:
        Session(Settings(server.url, verify=ca, clock=Clock())).request("POST", "/my")

    assert caught.value.applied is False
    assert caught.value.attempts == 5


def test_a_tls_failure_after_the_request_leaves_the_outcome_open(tls: ssl.SSLContext, ca: str) -> None:
    """Only the handshake proves that nothing was sent: later, a POST may have been applied and is not sent again."""

    def garble(line: Line) -> bool:
        with socket.socket(fileno=os.dup(line.connection.fileno())) as below:
            below.sendall(b"this is no TLS record at all, and long enough to be seen as such")
        return silence(line)

    with RawServer(garble, tls=tls) as server, pytest.raises(TLSError) as caught:
        Session(Settings(server.url, verify=ca)).request("POST", "/my")

    assert caught.value.applied is None
    assert len(server.requests) == 1


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bool | str]:
    """Each bundle for which a TLS context was made, in a process that has made none so far."""
    made: list[bool | str] = []
    original = certificate_checks._made

    def noted(bundle: bool | str) -> ssl.SSLContext:
        made.append(bundle)
        return original(bundle)

    monkeypatch.setattr(certificate_checks, "_made", noted)
    monkeypatch.setattr(certificate_checks, "_CONTEXTS", {})
    return made


def test_the_bundle_is_parsed_once(tls: ssl.SSLContext, ca: str, parsed: list[bool | str]) -> None:
    """New connections and new clients share a TLS context, which is most of their cost."""
    with RawServer(_then_close(reply(body=[1])), tls=tls) as server:
        for _ in range(2):
            with contextlib.closing(Session(Settings(server.url, verify=ca))) as session:
                session.request("GET", "/my")
                session.request("GET", "/my")

        assert server.connections == 4
    assert parsed == [ca]


def test_a_bundle_that_has_changed_is_parsed_again(ca: str, tmp_path: Path, parsed: list[bool | str]) -> None:
    """Certificates are replaced in long-running processes, too: inode, size and time of the file tell."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(Path(ca).read_text())
    first = certificate_checks.context_for(str(bundle))
    assert certificate_checks.context_for(str(bundle)) is first
    bundle.write_text(Path(ca).read_text() + "\n")

    assert certificate_checks.context_for(str(bundle)) is not first
    assert parsed == [str(bundle)] * 2


def test_no_context_is_shared_between_what_checks_and_what_does_not(ca: str) -> None:
    """Each way to check servers has a context of its own."""
    contexts = [certificate_checks.context_for(verify) for verify in (True, False, ca)]

    assert len(set(contexts)) == 3
    assert [context.verify_mode for context in contexts] == [ssl.CERT_REQUIRED, ssl.CERT_NONE, ssl.CERT_REQUIRED]
    assert [context.check_hostname for context in contexts] == [True, False, True]


def test_a_bundle_that_has_gone_is_named(tmp_path: Path) -> None:
    """A file that was there when the client was made may be missing when it connects."""
    with pytest.raises(ConfigError, match=r"cannot load the CA bundle .*gone\.pem"):
        certificate_checks.context_for(str(tmp_path / "gone.pem"))


@pytest.fixture
def client_cert(tmp_path: Path) -> tuple[str, str]:
    """The files of a client's certificate and its key; a third one, ``both.pem``, has both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "client.pem").write_bytes(certificate)
    (tmp_path / "client.key").write_bytes(secret)
    (tmp_path / "both.pem").write_bytes(certificate + secret)
    return str(tmp_path / "client.pem"), str(tmp_path / "client.key")


def test_a_client_presents_its_certificate(tls: ssl.SSLContext, ca: str, client_cert: tuple[str, str]) -> None:
    """From one file or two, also when it is set later; a client without one is refused."""
    tls.load_verify_locations(client_cert[0])
    tls.verify_mode = ssl.CERT_REQUIRED
    both = Path(client_cert[0]).with_name("both.pem")
    certs: list[Any] = [client_cert, both, str(both)]
    with RawServer(reply(body=[1]), reply(body=[2]), reply(body=[3]), tls=tls) as server:
        for number, cert in enumerate(certs, 1):
            session = Session(Settings(server.url, verify=ca, retry=Retry(attempts=1)))
            with contextlib.closing(session):
                with pytest.raises(TransportError):
                    session.request("GET", "/my")
                session.cert = cert
                assert session.request("GET", "/my")[0] == [number]


def test_a_certificate_that_cannot_be_used_is_named(client_cert: tuple[str, str], tmp_path: Path) -> None:
    """What is missing is refused at once, and what cannot be read when it is used; no passphrase is asked for."""
    odd: list[Any] = [
        "/no/such.pem",
        (*client_cert, ""),
        (client_cert[0],),
        1,
        client_cert[0].encode(),
        list(client_cert),
    ]
    for cert in odd:
        with pytest.raises(ConfigError, match="cert must be the path of a PEM file"):
            Session(Settings("https://cloud.test", cert=cert))
    texts = tuple(Path(file).read_text() for file in client_cert)
    for cert in (texts, texts[1], (client_cert[0], texts[1]), texts[1].encode()):
        with pytest.raises(ConfigError, match=r"got the text of a PEM file$"):
            Session(Settings("https://cloud.test", cert=cert))  # type: ignore[arg-type]
    key: Any = load_pem_private_key(Path(client_cert[1]).read_bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    for name, problem in (("encrypted.key", "is encrypted"), ("client.pem", "cannot load the client certificate")):
        with pytest.raises(ConfigError, match=problem):
            certificate_checks.context_for(verify=True, cert=(client_cert[0], str(tmp_path / name)))


def test_a_certificate_that_is_gone_meanwhile_hinders_no_other_change(client_cert: tuple[str, str]) -> None:
    """As a bundle: it may be in the middle of being replaced."""
    session = Session(Settings("https://cloud.test", cert=client_cert))
    Path(client_cert[0]).unlink()
    session.timeout = 5
    assert session.settings.timeout == 5


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_may_name_the_bundle(
    name: str, tls: ssl.SSLContext, ca: str, environment: pytest.MonkeyPatch
) -> None:
    """It is read when the session is made, and not again."""
    environment.setenv(name, ca)
    with RawServer(reply(body=[1]), tls=tls) as server:
        session = Session(Settings(server.url))
        environment.setenv(name, "/nowhere")

        assert session.request("GET", "/my")[0] == [1]


def test_what_is_said_counts_more_than_the_environment(
    tls: ssl.SSLContext, ca: str, environment: pytest.MonkeyPatch
) -> None:
    """Unlike with `requests`, the environment does not override `verify`."""
    environment.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with RawServer(reply(body=[1]), tls=tls) as server:
        assert Session(Settings(server.url, verify=ca)).request("GET", "/my")[0] == [1]


def test_a_bundle_is_resolved_once() -> None:
    """True is the default bundle, False none, None is 'not said'."""
    assert ca_bundle(True, {}) is True
    assert ca_bundle(None, {}) is True
    assert ca_bundle(False, {"REQUESTS_CA_BUNDLE": __file__}) is False
    assert ca_bundle(True, {"CURL_CA_BUNDLE": __file__, "REQUESTS_CA_BUNDLE": ""}) == __file__


@pytest.mark.parametrize("verify", ["/no/such/file", 1, 0, "", b"bytes", ["list"]])
def test_a_bundle_that_is_none_is_refused_at_once(verify: Any) -> None:
    """A slip such as verify='no' or verify=0 must not end with a certificate that nobody checks."""
    with pytest.raises(ConfigError, match="CA bundle"):
        Session(Settings("https://cloud.test", verify=verify))


def test_a_bundle_without_certificates_is_refused(tmp_path: Path) -> None:
    """It is said which file it is, and nothing is tried again."""
    bundle = tmp_path / "empty.pem"
    bundle.write_text("nothing")
    with pytest.raises(ConfigError, match=r"cannot load the CA bundle .*empty\.pem"):
        Session(Settings("https://127.0.0.1:1", verify=str(bundle))).request("GET", "/my")


# Proxies


def test_plain_requests_go_through_the_proxy(environment: pytest.MonkeyPatch) -> None:
    """A proxy is asked for the whole URL, with the host that is meant; the environment is read once."""
    with RawServer(reply(body=[1])) as proxy:
        environment.setenv("http_proxy", f"http://user:pass@127.0.0.1:{proxy.port}")
        session = Session(Settings("http://cloud.test"))
        environment.delenv("http_proxy")

        assert session.request("GET", "/my/machines", params={"name": "a b"})[0] == [1]
        assert session.request("GET", "/my")[0] == [1]
    assert first_line(proxy.requests[0]) == "GET http://cloud.test/my/machines?name=a%20b HTTP/1.1"
    assert header_of(proxy.requests[0], "Host") == "cloud.test"
    assert header_of(proxy.requests[0], "Proxy-Authorization") is not None
    assert proxy.connections == 1


def test_a_proxy_set_later_is_not_used(environment: pytest.MonkeyPatch) -> None:
    """What the environment said when the session was made holds for as long as it lives."""
    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url))
        environment.setenv("http_proxy", "http://127.0.0.1:1")

        assert session.request("GET", "/my")[0] == [1]


def test_no_proxy_is_honoured(environment: pytest.MonkeyPatch) -> None:
    """Hosts that the environment excepts are reached directly."""
    environment.setenv("http_proxy", "http://127.0.0.1:1")
    environment.setenv("no_proxy", "cloud.test,127.0.0.1")

    assert proxies_of("http://cloud.test") == {}
    assert proxies_of("http://elsewhere.test") == {"http": "http://127.0.0.1:1"}
    assert proxies_of("https://elsewhere.test") == {}


def test_all_proxy_is_for_every_scheme(environment: pytest.MonkeyPatch) -> None:
    """ALL_PROXY is taken where the scheme has none of its own."""
    environment.setenv("all_proxy", "http://127.0.0.1:1")

    assert proxies_of("https://cloud.test") == {"https": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    "proxy",
    [
        "http://joe:s3/cret@proxy.test:1",
        "http://joe:s3#cret@proxy.test:1",
        "http://joe:s3?cret@proxy.test:1",
        "http://joe:s3\\cret@proxy.test:1",
        "http://joe:s3[cret@proxy.test:1",
        "http://joe:s3cret@proxy.test:port",
        "http://joe:s3cret@",
        "http://",
    ],
)
def test_a_proxy_that_is_no_url_is_refused_without_its_password(environment: pytest.MonkeyPatch, proxy: str) -> None:
    """A password with a slash in it would be taken for a port, and be told in the error of every call."""
    environment.setenv("http_proxy", proxy)
    with pytest.raises(ConfigError, match="is not a URL") as failure:
        Session(Settings("http://cloud.test"))
    assert "s3" not in str(failure.value)


def test_a_proxy_without_a_scheme_speaks_http(environment: pytest.MonkeyPatch) -> None:
    """A host and a port are enough, also with a user and a password before them."""
    environment.setenv("http_proxy", "joe:s3cret@proxy.test:1")

    assert proxies_of("http://cloud.test") == {"http": "http://joe:s3cret@proxy.test:1"}


def tunnel_to(port: int) -> Any:
    """Connect the client through, and carry bytes to and fro until one side has had enough."""

    def act(line: Line) -> bool:
        line.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as far:
            there = threading.Thread(target=_pump, args=(line.connection, far), daemon=True)
            there.start()
            _pump(far, line.connection)
            there.join(ENOUGH)
        return False

    return act


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def test_tls_goes_through_the_proxys_tunnel(tls: ssl.SSLContext, ca: str, environment: pytest.MonkeyPatch) -> None:
    """The proxy sees where to, and nothing of what; the server's certificate is checked against our bundle."""
    with RawServer(reply(body=[1]), tls=tls) as server, RawServer(tunnel_to(server.port)) as proxy:
        environment.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        session = Session(Settings(f"https://localhost:{server.port}", verify=ca, auth=Stamp()))

        assert session.request("GET", "/my")[0] == [1]
        assert session.request("GET", "/my")[0] == [1]
        session.close()
    assert first_line(proxy.requests[0]).startswith(f"CONNECT localhost:{server.port} ")
    assert header_of(proxy.requests[0], "Authorization") is None
    assert len(proxy.requests) == 1


def test_a_proxy_that_speaks_tls_is_checked_against_our_bundle(
    tls: ssl.SSLContext, ca: str, environment: pytest.MonkeyPatch
) -> None:
    """One bundle vouches for the proxy and for the server behind it."""
    with RawServer(reply(body=[1])) as server, RawServer(reply(body=[2]), tls=tls) as proxy:
        environment.setenv("http_proxy", f"https://127.0.0.1:{proxy.port}")

        assert Session(Settings(server.url, verify=ca)).request("GET", "/my")[0] == [2]


def test_tls_goes_through_a_proxy_that_speaks_tls_itself(
    tls: ssl.SSLContext, ca: str, environment: pytest.MonkeyPatch
) -> None:
    """TLS within TLS: our bundle is for both, and the deadline holds for what is read through both."""
    with RawServer(reply(body=[1]), silence, tls=tls) as server, RawServer(tunnel_to(server.port), tls=tls) as proxy:
        environment.setenv("https_proxy", f"https://127.0.0.1:{proxy.port}")
        session = Session(Settings(server.url, verify=ca))

        assert session.request("GET", "/my")[0] == [1]
        with pytest.raises(CallTimeout):
            session.request("POST", "/my", timeout=HASTE)
        session.close()


def test_a_refused_tunnel_sent_nothing(environment: pytest.MonkeyPatch) -> None:
    """A proxy that wants a password is no reason to wonder whether something was created."""
    with RawServer(reply(407)) as proxy:
        environment.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(TransportError, match="Tunnel connection failed: 407") as caught:
            Session(Settings("https://cloud.test", timeout=HASTE)).request("POST", "/my")

    assert caught.value.applied is False


def test_a_tunnel_that_stalls_ends_in_time(environment: pytest.MonkeyPatch) -> None:
    """The proxy's part of the way is part of the call too."""
    with RawServer(dribble(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000)) as proxy:
        environment.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        error = timed_out(Session(Settings("https://cloud.test", timeout=HASTE)), "POST")

    assert error.applied is False


def test_a_proxy_that_closes_after_the_request_leaves_the_outcome_open(environment: pytest.MonkeyPatch) -> None:
    """What a proxy has taken it may have passed on: a POST is not sent again."""
    with RawServer(close) as proxy:
        environment.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(TransportError) as caught:
            Session(Settings("http://cloud.test")).request("POST", "/my")

    assert caught.value.applied is None
    assert len(proxy.requests) == 1


@pytest.mark.skipif(importlib.util.find_spec("socks") is not None, reason="PySocks is there, so that SOCKS works")
def test_a_socks_proxy_needs_a_package(environment: pytest.MonkeyPatch) -> None:
    """Without PySocks it is said what is missing, and nobody is reached directly instead."""
    environment.setenv("all_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(TransportError, match="SOCKS") as caught:
        Session(Settings("http://cloud.test")).request("GET", "/my")

    assert caught.value.attempts == 1


# What is sent


def test_ipv6_addresses_work() -> None:
    """The brackets of a URL stay in the Host header and go before connecting."""
    with RawServer(reply(body=[1]), address="::1") as server:
        assert Session(Settings(server.url)).request("GET", "/my")[0] == [1]
    assert header_of(server.requests[0], "Host") == f"[::1]:{server.port}"


def test_a_base_url_with_a_path_is_kept() -> None:
    """CloudAPI may live below a path of a gateway."""
    with RawServer(reply(body=[1])) as server:
        Session(Settings(f"{server.url}/cloudapi")).request("GET", "/my/machines", params={"limit": 5})
    assert first_line(server.requests[0]) == "GET /cloudapi/my/machines?limit=5 HTTP/1.1"


def test_the_bytes_of_a_body_are_those_of_its_digest() -> None:
    """Length and digest are of what is sent; there is one length and no other framing."""
    with RawServer(reply(body=[1])) as server:
        Session(Settings(server.url)).request("POST", "/my/machines", data={"name": "Bär", "memory": 0})
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == '{"name":"Bär","memory":0}'.encode()
    assert header_of(head, "Content-Type") == "application/json"
    assert header_of(head, "Content-Length") == str(len(body))
    assert header_of(head, "Content-MD5") == base64.b64encode(hashlib.md5(body).digest()).decode()  # noqa: S324
    assert head.lower().count(b"content-length") == 1
    assert header_of(head, "Transfer-Encoding") is None


@pytest.mark.parametrize(("method", "length"), [("POST", "0"), ("PUT", "0"), ("GET", None), ("DELETE", None)])
def test_a_request_without_a_body_says_so_where_a_body_could_be(method: str, length: str | None) -> None:
    """Proxies refuse a POST that does not tell the length of its body."""
    with RawServer(reply(204 if method == "DELETE" else 200)) as server:
        Session(Settings(server.url)).request(method, "/my")
    assert header_of(server.requests[0], "Content-Length") == length
    assert header_of(server.requests[0], "Content-Type") is None


def test_the_text_of_an_answer_is_read_as_utf_8() -> None:
    """JSON is, whatever its header says or a few letters look like."""
    with RawServer(reply(body='["Zoë"]'.encode())) as server:
        session = Session(Settings(server.url))
        found, response = session.request("GET", "/my")

    assert (found, response.text, response.encoding) == (["Zoë"], '["Zoë"]', "utf-8")


def test_encoded_answers_are_refused() -> None:
    """A small answer that unpacks to a huge one cannot fill the memory, since nothing is unpacked."""
    with RawServer(reply(body=gzip.compress(b"[1]"), headers=["Content-Encoding: gzip"])) as server:
        with pytest.raises(BadResponse, match="unexpected Content-Encoding: gzip") as caught:
            Session(Settings(server.url)).request("GET", "/my")
        assert caught.value.attempts == 1


def test_large_answers_are_refused_before_they_are_read() -> None:
    """A length beyond the limit is enough to know."""
    with RawServer(reply(body=b"[1]", length=10**12)) as server, pytest.raises(BadResponse, match="larger than 1,000"):
        Session(Settings(server.url, max_response=1000)).request("GET", "/my")


def test_large_answers_without_a_length_are_cut_off() -> None:
    """An answer that does not tell its length is read no further than the limit."""

    def endless(line: Line) -> bool:
        line.send(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n")
        while not line.stopped.is_set():
            try:
                line.connection.sendall(b"x" * 65536)
            except OSError:
                break
        return False

    with RawServer(endless) as server, pytest.raises(BadResponse, match="larger than 1,000"):
        Session(Settings(server.url, max_response=1000)).request("GET", "/my")
    assert len(server.requests) == 1


def test_a_transport_that_is_closed_while_others_call_stays_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks for a pool in the midst of closing does not find one that is closed, now or later."""
    looked: list[threading.Thread] = []
    close_manager = requests.adapters.HTTPAdapter.close

    def close_while_another_looks(adapter: requests.adapters.HTTPAdapter) -> None:
        request = requests.Request("GET", f"{server.url}/my").prepare()
        if not looked:  # it is mounted, and closed, for both schemes
            looked.append(threading.Thread(target=adapter.get_connection_with_tls_context, args=(request, True)))
            looked[0].start()
            looked[0].join(0.1)  # it either has what it looks for by now, or waits for the end of this
        close_manager(adapter)

    with RawServer(reply(200, b"[]")) as server:
        session = Session(Settings(server.url))
        session.request("GET", "/my")
        with monkeypatch.context() as patch:
            patch.setattr(requests.adapters.HTTPAdapter, "close", close_while_another_looks)
            session.close()
        looked[0].join(5)

        assert session.request("GET", "/my")[0] == []
        session.close()


def test_an_interrupt_amid_closing_leaves_the_transport_usable() -> None:
    """What is closed cannot be found any more, wherever the interrupt comes."""
    with RawServer(reply(200, b"[]")) as server:
        session = Session(Settings(server.url))
        for count in range(1, 200):
            session.request("GET", "/my")
            with contextlib.suppress(KeyboardInterrupt), interrupt(count, {"transport.py"}) as left:
                session.close()
            assert session.request("GET", "/my")[0] == []
            if left[0] > 0:
                break
        session.close()

        assert left[0] > 0, "closing takes more steps than that"
