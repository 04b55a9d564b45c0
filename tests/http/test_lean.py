"""Whatever is asked and answered, the lean way and the long way come to the same end; and it is said which was taken."""

from __future__ import annotations

import contextlib
import http.client
import logging
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
import requests
from requests.auth import AuthBase
from urllib3.exceptions import ProtocolError
from urllib3.util import SKIP_HEADER

from kits.http import Act, Clock, Line, RawServer, close, dribble, first_line, raw, reply, silence
from kits.interrupts import interrupt
from kits.ways import LEAN, LONG, PUSHED_BACK
from smartdc.emulator.doors.certificates import write_certificates
from smartdc.errors import CallTimeout, SmartDCError, TransportError
from smartdc.http import connections, lean
from smartdc.http.deadline import Deadline
from smartdc.http.light import LeanResponse
from smartdc.http.request import default_headers
from smartdc.http.session import Session
from smartdc.http.settings import Settings

pytest_plugins = ("kits.ways_fixtures",)

HASTE = 0.25
ENOUGH = 5.0


def settings(server: RawServer, **more: Any) -> Settings:
    """Return what sends requests with all the headers that a `DataCenter` sends."""
    return Settings(server.url, headers={**default_headers("~9"), **more.pop("headers", {})}, **more)


def dice() -> Random:
    """Return the same random numbers every time."""
    return Random(1)  # noqa: S311 (spreads retries)


def keep(data: bytes) -> Act:
    """Send just these bytes and stay."""

    def act(line: Line) -> bool:
        line.send(data)
        return True

    return act


def first(data: bytes, act: Act) -> Act:
    """Send some bytes at once, and then do something else."""

    def both(line: Line) -> bool:
        line.send(data)
        return act(line)

    return both


def pieces(*parts: bytes) -> Act:
    """Send bytes in pieces that arrive one by one."""

    def act(line: Line) -> bool:
        line.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            line.send(part)
            threading.Event().wait(0.01)
        return True

    return act


def head(*lines: str, status: str = "200 OK", body: bytes = b"[2]") -> bytes:
    """Return a response with a body of the right length."""
    told = (*lines, "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join([f"HTTP/1.1 {status}", *told, "", ""]).encode("latin-1") + body


def reset(line: Line) -> bool:
    """End the connection as a crash does."""
    line.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.connection.close()
    return False


class End(NamedTuple):
    """How a call ended, as far as a caller can see it."""

    result: Any
    error: tuple[type, str, bool | None, int] | None
    response: tuple[Any, ...] | None


def end_of(session: Session, method: str, **call: Any) -> End:
    """Make a call and describe how it ends."""
    try:
        result, response = session.request(method, "/my", headers={"X-Request-Id": "1"}, **call)
    except SmartDCError as error:
        text = re.sub(r"\[request .*\]", "", str(error).replace(session.base_url, "SERVER"))
        answer = getattr(error, "response", None)
        facts = (type(error), text, error.applied, error.attempts)  # type: ignore[attr-defined]
        return End(None, facts, facts_of(answer) if answer is not None else None)
    return End(result, None, facts_of(response))


def facts_of(response: requests.Response) -> tuple[Any, ...]:
    """Return what a response shows, apart from the object that urllib3 made of it."""
    return (
        response.status_code,
        response.reason,
        list(response.headers.items()),
        response.content,
        response.text,
        response.encoding,
        len(response.cookies),
        response.history,
        response.raw.version,
        sorted(response.request.headers),
        response.is_redirect,
    )


class Course(NamedTuple):
    """A call over a connection that was open, and one after it."""

    way: str
    end: End
    after: Any
    requests: int


def course(act: Act, method: str, ways: list[str], **call: Any) -> Course:
    """Open a connection, let the server do `act` about a call, and make another call."""
    with (
        RawServer(reply(body=[1]), act, reply(body=[3])) as server,
        contextlib.closing(
            Session(settings(server, clock=Clock(), rng=dice(), timeout=HASTE if act in SLOW else ENOUGH))
        ) as session,
    ):
        session.request("GET", "/my")
        ways.clear()
        end = end_of(session, method, **call)
        way = ways[0]
        return Course(way, end, session.request("GET", "/my")[0], len(server.requests))


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BARE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"

RESPONSES: dict[str, tuple[Act, str]] = {
    "plain": (reply(body=[2]), LEAN),
    "created": (reply(201, {"id": 1}), LEAN),
    "error": (reply(404, {"code": "ResourceNotFound", "message": "no"}), LEAN),
    "error with fields": (reply(409, {"code": "InvalidArgument", "message": "no", "errors": [{"field": "x"}]}), LEAN),
    "redirect": (reply(302, headers=["Location: /elsewhere"]), LEAN),
    "server error": (reply(500, {"code": "InternalError", "message": "oops"}), LEAN),
    "text": (reply(body=b"hello", headers=["Content-Type: text/plain"]), LEAN),
    "empty body": (reply(body=b""), LEAN),
    "no content": (keep(NO_CONTENT), LEAN),
    "no content with a length": (keep(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), LEAN),
    "no content, with content": (keep(b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n[2]"), LEAN),
    "not modified": (keep(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), LEAN),
    "no reason": (keep(head(status="200")), LEAN),
    "empty reason": (keep(head(status="200 ")), LEAN),
    "reason with blanks": (keep(head(status="200  all is  well ")), LEAN),
    "reason in Latin-1": (keep(head(status="200 \xe4h")), LEAN),
    "same header twice": (keep(head("X-A: 1", "x-a: 2", "X-A:")), LEAN),
    "blanks around values": (keep(head("X-A: \t 1 \t", "X-B:", "X-C:2")), LEAN),
    "Latin-1 in a value": (keep(head("X-A: \xe4\xff")), LEAN),
    "cookies": (keep(head("Set-Cookie: a=1", "Set-Cookie: b=2; Path=/")), LEAN),
    "keep-alive": (keep(head("Connection: Keep-Alive")), LEAN),
    "head in pieces": (pieces(*(head()[i : i + 9] for i in range(0, len(head()), 9))), LEAN),
    "body in pieces": (pieces(BARE_HEAD, b"[2]", b" " * 397), LEAN),
    "body that just fits": (reply(body=b"[" + b" " * (lean.MAX_BODY - 2) + b"]"), LEAN),
    "wrong digest": (keep(head("Content-MD5: AAAA")), LEAN),
    "broken JSON": (reply(body=b"[2"), LEAN),
    "compressed": (keep(head("Content-Encoding: gzip")), LEAN),
    "more than it says": (keep(head() + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[9]"), LEAN),
    "large body": (reply(body=b"[" + b" " * lean.MAX_BODY + b"]"), PUSHED_BACK),
    "many headers": (keep(head(*(f"X-{n}: {n}" for n in range(90)))), PUSHED_BACK),
    "too many headers": (keep(head(*(f"X-{n}: {n}" for n in range(200)))), PUSHED_BACK),
    "long head": (keep(head("X-A: " + "y" * 30_000)), PUSHED_BACK),
    "too long a header": (keep(head("X-A: " + "y" * 70_000)), PUSHED_BACK),
    "chunked": (keep(CHUNKED + b"1\r\n[\r\n2\r\n2]\r\n0\r\n\r\n"), PUSHED_BACK),
    "chunked with a trailer": (keep(CHUNKED + b"3\r\n[2]\r\n0\r\nX-A: 1\r\n\r\n"), PUSHED_BACK),
    "chunked and with a length": (
        keep(head("Transfer-Encoding: chunked", body=b"3\r\n[2]\r\n0\r\n\r\n")),
        PUSHED_BACK,
    ),
    "bad chunk": (raw(CHUNKED + b"xyz\r\n"), PUSHED_BACK),
    "short chunk": (raw(CHUNKED + b"5\r\nab"), PUSHED_BACK),
    "no length": (raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[2]"), PUSHED_BACK),
    "connection: close": (raw(head("Connection: close")), PUSHED_BACK),
    "connection: close, in capitals": (raw(head("Connection: X, CLOSE")), PUSHED_BACK),
    "HTTP/1.0": (raw(head().replace(b"HTTP/1.1", b"HTTP/1.0")), PUSHED_BACK),
    "HTTP/2": (keep(head().replace(b"HTTP/1.1", b"HTTP/2.0")), PUSHED_BACK),
    "continue": (keep(b"HTTP/1.1 100 Continue\r\n\r\n" + head()), PUSHED_BACK),
    "early hints": (keep(b"HTTP/1.1 103 Early Hints\r\n\r\n" + head()), PUSHED_BACK),
    "upgrade": (keep(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), PUSHED_BACK),
    "status 600": (keep(head(status="600 Odd")), PUSHED_BACK),
    "status 99": (keep(head(status="99 Odd")), PUSHED_BACK),
    "status in words": (keep(head(status="two hundred OK")), PUSHED_BACK),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), PUSHED_BACK),
    "not HTTP, with an end": (raw(b"hello\r\n\r\n"), PUSHED_BACK),
    "same length twice": (keep(head("Content-Length: 3")), PUSHED_BACK),
    "two lengths": (keep(head("Content-Length: 4")), PUSHED_BACK),
    "length with a sign": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n[2]"), PUSHED_BACK),
    "negative length": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n[2]"), PUSHED_BACK),
    "length in other digits": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n[2]"), PUSHED_BACK),
    "length with a blank behind": (keep(b"HTTP/1.1 200 OK\r\nContent-Length: 3 \r\n\r\n[2]"), PUSHED_BACK),
    "huge length": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1" + b"0" * 20 + b"\r\n\r\n[2]"), PUSHED_BACK),
    "folded header": (keep(head("X-A: 1", " 2")), PUSHED_BACK),
    "line without a colon": (raw(head("X-A")), PUSHED_BACK),
    "blank before the colon": (raw(head("X-A : 1")), PUSHED_BACK),
    "header without a name": (keep(head(": 1")), PUSHED_BACK),
    "bare line feeds": (keep(head().replace(b"\r\n", b"\n")), PUSHED_BACK),
    "a bare line feed": (keep(head("X-A: 1\nX-B: 2")), PUSHED_BACK),
    "a bare carriage return": (keep(head("X-A: 1\rX-B: 2")), PUSHED_BACK),
    "NUL": (keep(head("X-A: 1\0")), PUSHED_BACK),
    "not HTTP, and no end": (first(b"SSH-2.0-OpenSSH_9.9\r\n", silence), PUSHED_BACK),
    "continue, and then bare line feeds": (keep(CONTINUE + head().replace(b"\r\n", b"\n")), PUSHED_BACK),
    "half a head": (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), PUSHED_BACK),
    "half a body": (raw(head()[:-1]), LEAN),
    "nothing": (close, LEAN),
    "reset": (reset, LEAN),
    "silence": (silence, LEAN),
    "head that dribbles": (dribble(b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 1000), LEAN),
    "body that dribbles": (first(BARE_HEAD, dribble(b" " * 400)), LEAN),
    "continues that dribble": (first(CONTINUE, dribble(CONTINUE * 100)), PUSHED_BACK),
    "chunks that dribble": (first(CHUNKED, dribble(b"1\r\nx\r\n" * 100)), PUSHED_BACK),
    "endless body that dribbles": (first(b"HTTP/1.1 200 OK\r\n\r\n", dribble(b"x" * 1000)), PUSHED_BACK),
}
"""What a server may do about a request, and the way that it then takes."""

EXPENSIVE = {name for name in RESPONSES if "dribble" in name} | {"silence"}
SLOW = {act for name, (act, _) in RESPONSES.items() if "dribble" in name or name == "silence"}


@pytest.mark.parametrize(
    ("kind", "method"),
    # One method is enough for what takes time.
    [(kind, method) for kind in RESPONSES for method in ("GET", "POST") if method == "POST" or kind not in EXPENSIVE],
)
def test_both_ways_end_alike(kind: str, method: str, ways: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Result, error, headers and the next call are the same, whichever way a response of this kind was read."""
    act, way = RESPONSES[kind]
    ours = course(act, method, ways)
    monkeypatch.setattr(lean, "hooked", lambda: True)
    theirs = course(act, method, ways)

    if method == "POST":
        assert ours.way == way
    assert theirs.way == LONG
    assert ours.end == theirs.end
    assert ours.after == theirs.after == [3]
    assert ours.requests == theirs.requests


@pytest.mark.parametrize(
    ("data", "way"),
    [
        (BARE_HEAD, LEAN),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n", LEAN),
        (b"HTTP/1.1 200 OK\r\nX-Resource-Count: 3\r\n\r\n", LEAN),
        (NO_CONTENT, LEAN),
        (CHUNKED, PUSHED_BACK),
    ],
    ids=["length", "error", "no length", "no content", "chunked"],
)
def test_a_head_ends_alike_both_ways(data: bytes, way: str, ways: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers a HEAD has no body, whatever its headers say."""
    ours = course(keep(data), "HEAD", ways)
    monkeypatch.setattr(lean, "hooked", lambda: True)

    assert ours.way == way
    assert ours._replace(way=LONG) == course(keep(data), "HEAD", ways)


class Auth(AuthBase):
    """An auth of somebody else, which sets or removes one header."""

    def __init__(self, name: Any, value: Any) -> None:
        self.name = name
        self.value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header, or remove it for None."""
        if self.value is None:
            request.headers.pop(self.name, None)
        else:
            request.headers[self.name] = self.value
        return request


AUTHS: dict[str, tuple[Auth, str]] = {
    "plain": (Auth("Authorization", "Basic abc"), LEAN),
    "a host": (Auth("Host", "cloud.test"), LEAN),
    "Latin-1": (Auth("X-A", "\xe4"), LEAN),
    "tab": (Auth("X-A", "1\t2"), LEAN),
    "empty": (Auth("X-A", ""), LEAN),
    "bytes": (Auth("X-A", b"1"), LONG),
    "number": (Auth("X-A", 1), LONG),
    "not Latin-1": (Auth("X-A", "\u20ac"), LONG),
    "line break": (Auth("X-A", "1\r\nX-B: 2"), LONG),
    "line feed": (Auth("X-A", "1\nX-B: 2"), LONG),
    "carriage return": (Auth("X-A", "1\rX-B: 2"), LONG),
    "folded": (Auth("X-A", "1\r\n 2"), LONG),
    "name with a blank": (Auth("X A", "1"), LONG),
    "name with a colon": (Auth("X:A", "1"), LONG),
    "name with a line break": (Auth("X\r\nA", "1"), LONG),
    "empty name": (Auth("", "1"), LONG),
    "no user agent": (Auth("User-Agent", None), LONG),
    "no encoding": (Auth("Accept-Encoding", None), LONG),
    "skipped user agent": (Auth("User-Agent", SKIP_HEADER), LONG),
    "name of bytes": (Auth(b"X-A", "1"), LONG),
}
"""What an auth may do to a request, and the way that it then takes."""


def asked(
    ways: list[str], method: str, path: str = "/my", data: Any = None, **more: Any
) -> tuple[str, Any, list[bytes]]:
    """Make a call over an open connection and return its way, its end, and what the server was sent."""
    more.setdefault("auth", None)
    with (
        RawServer(reply(body=[1]), reply(204)) as server,
        contextlib.closing(Session(settings(server, clock=Clock(), rng=dice(), timeout=ENOUGH))) as session,
    ):
        session.request("GET", "/my")
        ways.clear()
        session.auth = more["auth"]
        end: Any
        try:
            end = session.request(method, path, data=data, headers={"X-Request-Id": "1"})[0]
        except SmartDCError as error:
            end = type(error), str(error), error.applied  # type: ignore[attr-defined]
        sent = [request.replace(str(server.port).encode(), b"PORT") for request in server.requests[1:]]
        return ways[0], end, sent


@pytest.mark.parametrize("kind", AUTHS)
def test_whatever_an_auth_does_is_sent_or_refused_alike(
    kind: str, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes on the wire are the same both ways, and what `http.client` refuses is not sent."""
    auth, way = AUTHS[kind]
    ours = asked(ways, "GET", auth=auth)
    monkeypatch.setattr(lean, "hooked", lambda: True)
    theirs = asked(ways, "GET", auth=auth)

    assert ours[0] == way
    assert theirs[0] == LONG
    assert ours[1:] == theirs[1:]


def test_an_auth_that_frames_a_request_takes_the_long_way(ways: list[str]) -> None:
    """Where a request ends is then urllib3's matter."""
    assert asked(ways, "GET", auth=Auth("Transfer-Encoding", "chunked"))[0] == LONG


@pytest.mark.parametrize(
    ("method", "path", "data", "way"),
    [
        ("GET", "/my", None, LEAN),
        ("HEAD", "/my", None, LEAN),
        ("DELETE", "/my/machines/a%20b", None, LEAN),
        ("POST", "/my", None, LEAN),
        ("PUT", "/my", None, LEAN),
        ("POST", "/my", {"name": "B\xe4r"}, LEAN),
        ("PUT", "/my", "x" * 90_000, LEAN),
        ("DELETE", "/my", {"a": 1}, LEAN),
        ("GET", "/my", {"a": 1}, LEAN),
        ("PATCH", "/my", None, LONG),
        ("OPTIONS", "/my", None, LONG),
        ("GET", "/my/a%2fb", None, LONG),
        ("GET", "/my/[a]", None, LONG),
        ("GET", "/my/a%", None, LONG),
        ("GET", "/my/\xe4", None, LONG),
    ],
)
def test_requests_are_written_alike(
    method: str, path: str, data: Any, way: str, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes on the wire are the same both ways, for every method, with a body and without."""
    ours = asked(ways, method, path, data)
    monkeypatch.setattr(lean, "hooked", lambda: True)
    theirs = asked(ways, method, path, data)

    assert ours[0] == way
    assert theirs[0] == LONG
    assert ours[1:] == theirs[1:]
    assert len(ours[2]) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_host_is_the_same_both_ways(address: str, ways: list[str]) -> None:
    """Where nobody signs the host, it is sent as `http.client` would."""
    with RawServer(reply(body=[1]), address=address) as server:
        session = Session(settings(server))
        session.request("GET", "/my", headers={"X-Request-Id": "1", "Date": "now"})
        session.request("GET", "/my", headers={"X-Request-Id": "1", "Date": "now"})
        session.close()

    assert ways == [LONG, LEAN]
    assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://cloud.test", "cloud.test"),
        ("http://cloud.test:80", "cloud.test"),
        ("https://cloud.test:443", "cloud.test"),
        ("https://cloud.test:80", "cloud.test:80"),
        ("http://cloud.test.:8080", "cloud.test:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_the_host_has_a_port_where_it_is_not_the_usual_one(url: str, host: str) -> None:
    """The usual port of http and https is left out."""
    session = Session(Settings(url))
    pool: Any = session.http.get_adapter(url).get_connection_with_tls_context(  # type: ignore[attr-defined]
        requests.Request("GET", f"{url}/my").prepare(), True
    )

    assert pool._host() == host


def test_the_first_request_of_a_connection_takes_the_long_way(ways: list[str]) -> None:
    """Connecting is urllib3's; what comes after it over the same connection is ours."""
    with RawServer(reply(body=[1])) as server:
        session = Session(settings(server))
        for _ in range(3):
            session.request("GET", "/my")
        session.close()

    assert ways == [LONG, LEAN, LEAN]
    assert server.connections == 1


@pytest.fixture
def tls(tmp_path: Path) -> tuple[str, ssl.SSLContext]:
    """The file of an authority, and what a server with a certificate of it speaks TLS with."""
    ca, certificate = write_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return ca, context


@pytest.mark.parametrize(
    ("act", "way"),
    [
        (reply(body=[2]), LEAN),
        (reply(body=b"[" + b" " * 60_000 + b"]"), LEAN),
        (keep(CHUNKED + b"3\r\n[2]\r\n0\r\n\r\n"), PUSHED_BACK),
        (raw(head("Connection: close")), PUSHED_BACK),
    ],
    ids=["plain", "long", "chunked", "close"],
)
def test_tls_takes_the_same_ways(act: Act, way: str, tls: tuple[str, ssl.SSLContext], ways: list[str]) -> None:
    """A connection that has its TLS is used like any other, for large requests too."""
    with RawServer(reply(body=[1]), act, reply(body=[3]), tls=tls[1]) as server:
        session = Session(settings(server, verify=tls[0]))
        session.request("GET", "/my")
        session.request("PUT", "/my", data="x" * 90_000)

        assert session.request("GET", "/my")[0] == [3]
        session.close()
    assert ways[1] == way
    assert server.requests[1].endswith(b'"' + b"x" * 90_000 + b'"')


def test_a_proxy_is_urllib3s_matter(ways: list[str], environment: pytest.MonkeyPatch) -> None:
    """Through a proxy every request takes the long way."""
    with RawServer(reply(body=[1])) as proxy:
        environment.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        session = Session(Settings("http://cloud.test", headers=default_headers("~9")))
        session.request("GET", "/my")
        session.request("GET", "/my")
        session.close()

    assert ways == [LONG, LONG]
    assert first_line(proxy.requests[1]) == "GET http://cloud.test/my HTTP/1.1"


# The deadline


def test_no_deadline_is_possible(ways: list[str]) -> None:
    """A call may wait for ever."""
    with RawServer(reply(body=[1])) as server:
        session = Session(settings(server, timeout=None))
        session.request("GET", "/my")

        assert session.request("GET", "/my")[0] == [1]
        session.close()
    assert ways == [LONG, LEAN]


def test_a_server_that_does_not_take_the_body_is_left(ways: list[str]) -> None:
    """Sending keeps to the deadline as well, and the request may have been applied."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        session = Session(
            Settings(f"http://127.0.0.1:{listener.getsockname()[1]}", headers=default_headers("~9"), timeout=ENOUGH)
        )
        stack.callback(session.close)
        threading.Thread(target=answer_once, args=(listener, stack), daemon=True).start()
        session.request("GET", "/my")
        narrow(session)
        began = time.monotonic()
        with pytest.raises(CallTimeout) as caught:
            session.request("PUT", "/my", data="x" * 90_000, timeout=HASTE)

    assert time.monotonic() - began < ENOUGH
    assert caught.value.applied is None
    assert ways[-1] == LEAN


def answer_once(listener: socket.socket, stack: contextlib.ExitStack) -> None:
    """Answer the first request, and read nothing of the next."""
    connection, _ = listener.accept()
    stack.callback(connection.close)
    connection.recv(65536)
    connection.sendall(head())


def narrow(session: Session) -> None:
    """Let the system take only little at a time from the kept connection."""
    pool: Any = next(iter(session.http.get_adapter(session.base_url)._pools.values()))  # type: ignore[attr-defined]
    kept = pool._get_conn()
    kept.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024)
    pool._put_conn(kept)


def test_what_comes_too_late_is_not_read() -> None:
    """Bytes that are there when the time is over do not prolong it, nor is anything sent then."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"late")
        over = Deadline(-1)
        with pytest.raises(TimeoutError):
            lean._receive(ours, 4, over)
        with pytest.raises(TimeoutError):
            lean._send(ours, b"late", over)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


# Connections


class Wire(NamedTuple):
    """A pool with one connection that is open, and the server's end of it."""

    pool: Any
    kept: Any
    server: socket.socket


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A connection over a pair of sockets, which keeps what one end sent before it was closed."""
    ours, theirs = socket.socketpair()
    pool = connections._Pool("127.0.0.1", 80, maxsize=1)
    kept: Any = pool._new_conn()
    kept.sock = ours
    pool._get_conn()
    pool._put_conn(kept)
    with ours, theirs:
        yield Wire(pool, kept, theirs)


def get(pool: Any, method: str = "GET") -> Any:
    """Send a request over a pool as the adapter of `requests` does."""
    headers = requests.structures.CaseInsensitiveDict({**default_headers("~9"), "Content-Length": "0"})
    return pool.urlopen(
        method, "/my", None, headers, preload_content=False, timeout=connections._Timeout(ENOUGH), redirect=False
    )


def hang_up_before_reading(wire: Wire, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server answer and close its end before the request is sent."""
    send = lean._send

    def refused(*args: Any) -> bool:
        if answer:
            wire.server.sendall(answer)
        wire.server.close()
        return send(*args)

    monkeypatch.setattr(lean, "_send", refused)


@pytest.mark.parametrize("lines", [(), ("Connection: close",)], ids=["plain", "pushed back"])
def test_an_answer_to_a_request_that_was_not_read_counts(
    lines: tuple[str, ...], wire: Wire, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may refuse and stop reading: sending fails, and its answer is there nevertheless."""
    hang_up_before_reading(wire, head(*lines, status="413 Too Large"), monkeypatch)
    response = get(wire.pool)

    assert response.status == 413
    assert response.read() == b"[2]"
    response.release_conn()
    assert ways == [PUSHED_BACK if lines else LEAN]
    assert wire.kept.sock is None
    assert wire.pool._get_conn().sock is None


def test_a_server_that_stops_reading_without_a_word_is_an_error(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody knows what became of the request."""
    hang_up_before_reading(wire, b"", monkeypatch)
    with pytest.raises(ProtocolError, match=r"without response|reset by peer"):
        get(wire.pool)
    assert wire.kept.sock is None


def test_a_connection_with_bytes_left_over_is_closed(wire: Wire, ways: list[str]) -> None:
    """What comes after a response is never taken for the next one."""
    threading.Thread(target=answer, args=(wire.server, head() + b"HTTP/1.1 200 OK\r\n"), daemon=True).start()
    assert get(wire.pool).read() == b"[2]"

    assert ways == [LEAN]
    assert wire.kept.sock is None
    assert wire.pool.pool.qsize() == 1


def answer(sock: socket.socket, data: bytes) -> None:
    """Answer one request."""
    sock.recv(65536)
    sock.sendall(data)


def test_a_connection_is_put_back_once(wire: Wire) -> None:
    """After a response, a response that is read later, or an error, the pool has as many places as before."""
    for data in (head(), CHUNKED + b"3\r\n[2]\r\n0\r\n\r\n"):
        threading.Thread(target=answer, args=(wire.server, data), daemon=True).start()
        response = get(wire.pool)
        assert response.read() == b"[2]"
        response.release_conn()
        response.close()
        assert list(wire.pool.pool._kept) == [wire.kept]
    threading.Thread(target=answer, args=(wire.server, b"HTTP/1.1 nothing\r\n\r\n"), daemon=True).start()
    with pytest.raises(ProtocolError):
        get(wire.pool)
    assert list(wire.pool.pool._kept) == [None]


WHERE = {"lean.py", "connections.py", "connectionpool.py"}


def echo(line: Line) -> bool:
    """Answer with the number in the path, so that an answer to another request shows."""
    number = first_line(line.request).split()[1].rpartition("/")[2]
    return reply(body=int(number))(line)


def echo_chunked(line: Line) -> bool:
    """Do the same in chunks, which take the long way back."""
    number = first_line(line.request).split()[1].rpartition("/")[2].encode()
    line.send(CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(number), number))
    return True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("act", "way"), [(echo, LEAN), (echo_chunked, PUSHED_BACK)], ids=["plain", "pushed back"])
def test_an_interrupt_at_any_moment_leaves_no_answer_behind(act: Act, way: str, ways: list[str]) -> None:
    """After Ctrl-C at any step of an exchange, the next call gets its own answer, and no connection is kept twice."""
    counts = iter(range(1, 3000))
    with RawServer(act) as server:
        session = Session(settings(server, pool_size=1))
        session.request("GET", "/my/0")
        for count in counts:
            session.request("GET", "/my/1")
            ways.clear()
            with contextlib.suppress(KeyboardInterrupt), interrupt(count, WHERE) as left:
                session.request("GET", "/my/2")
            assert session.request("GET", "/my/3")[0] == 3
            adapter: Any = session.http.get_adapter(session.base_url)
            kept = [c for c in next(iter(adapter._pools.values())).pool._kept if c is not None]
            assert len(kept) <= 1
            if left[0] > 0:
                break
        session.close()
    assert ways[0] == way
    assert 100 < count < 2999


# What the lean response offers


def test_a_lean_response_reads_like_urllib3s() -> None:
    """All at once, in parts, or as a stream; and it may be closed at any time."""
    store = {"x-a": ("X-A", "1")}
    whole, parts, stream = (LeanResponse(200, "OK", store, b"abcdef") for _ in range(3))

    assert (whole.length_remaining, whole.read(), whole.read(), whole.length_remaining) == (6, b"abcdef", b"", 0)
    assert (parts.read(4), parts.length_remaining, parts.read(4)) == (b"abcd", 2, b"ef")
    assert list(stream.stream(4)) == [b"abcd", b"ef"]
    assert whole.headers["x-A"] == "1"
    whole.close()
    whole.release_conn()


def test_a_response_can_be_streamed_by_requests_after_the_call(ways: list[str]) -> None:
    """`requests` finds the content where it looks for it."""
    with RawServer(reply(body=[1])) as server, contextlib.closing(Session(settings(server))) as session:
        session.request("GET", "/my")
        _, response = session.request("GET", "/my")

        assert b"".join(response.iter_content(2)) == b"[1]"
        assert response.json() == [1]
        assert list(response.iter_lines()) == [b"[1]"]
        assert not response.cookies
        response.close()
    assert ways == [LONG, LEAN]


# Who looks on


def test_the_debug_log_of_urllib3_is_written_where_it_is_read(
    ways: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever switches on urllib3's log for debugging reads a line for each request."""
    with RawServer(reply(body=[1])) as server, contextlib.closing(Session(settings(server))) as session:
        session.request("GET", "/my")
        with caplog.at_level(logging.DEBUG, "urllib3"):
            session.request("GET", "/my")

    assert ways == [LONG, LONG]
    assert '"GET /my HTTP/1.1" 200' in caplog.text


def test_the_debug_level_of_http_client_counts(
    ways: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever sets it sees what is sent."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with RawServer(reply(body=[1])) as server, contextlib.closing(Session(settings(server))) as session:
        session.request("GET", "/my")
        session.request("GET", "/my")

    assert ways == [LONG, LONG]
    assert capsys.readouterr().out.count("send: b'GET /my") == 2


def test_audit_hooks_hear_of_every_request() -> None:
    """Python's own event is raised on the lean way too."""
    heard: list[bytes] = []
    listening = [True]

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if listening and event == "http.client.send":
            heard.append(args[1])

    sys.addaudithook(hear)
    with RawServer(reply(body=[1])) as server, contextlib.closing(Session(settings(server))) as session:
        session.request("GET", "/my")
        session.request("GET", "/my")
    listening.clear()

    assert heard == server.requests


def test_a_stranger_in_the_place_of_a_socket_takes_the_long_way(wire: Wire) -> None:
    """TLS within TLS, and what mocks put there, have only what `http.client` uses."""

    class Odd(socket.socket):
        pass

    with Odd(fileno=wire.kept.sock.detach()) as odd:
        wire.kept.sock = odd
        threading.Thread(target=answer, args=(wire.server, head()), daemon=True).start()
        response = get(wire.pool)

        assert not isinstance(response, LeanResponse)
        assert response.read() == b"[2]"


def test_a_failure_is_an_error_of_this_library(ways: list[str]) -> None:
    """The innermost reason is kept as the cause, without the frames that hold the signature."""
    with RawServer(reply(body=[1]), close) as server, contextlib.closing(Session(settings(server))) as session:
        session.request("GET", "/my")
        with pytest.raises(TransportError, match="without response") as caught:
            session.request("POST", "/my")

    assert ways == [LONG, LEAN]
    assert isinstance(caught.value.__cause__, http.client.RemoteDisconnected)
    assert caught.value.__cause__.__traceback__ is None
