"""The ways into the emulator other than a signed request: controls, raw HTTP, WSGI, pytest and the command line."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from kits.emulator_signer import Asker, Signer, private_key, public_line, refusal
from kits.feed import eventually
from kits.limits import no_descriptor_left
from kits.thorough import amount
from smartdc.emulator import Emulator, Fault, Server, VirtualClock, WallClock
from smartdc.emulator.__main__ import main
from smartdc.emulator.core import clock
from smartdc.emulator.core.settings import Throttle
from smartdc.emulator.doors import certificates as authority
from smartdc.emulator.doors import wsgi
from smartdc.emulator.doors.adapter import read_request
from smartdc.emulator.doors.server import ADDRESS
from smartdc.emulator.faults.server import reset_at_close

pytest_plugins = ["pytester"]


@pytest.fixture
def ask(cloud: Emulator) -> Asker:
    """A client within the process."""
    return Asker(cloud)


# Controls


@pytest.fixture
def control(cloud: Emulator) -> Iterator[Any]:
    """A function that works the controls of a server."""
    with Server(cloud) as server:

        def ask(method: str, name: str, body: Any = None) -> requests.Response:
            headers = {"X-Emulator-Token": cloud.token}
            return requests.request(method, f"{server.url}/--emulator/{name}", json=body, headers=headers, timeout=5)

        yield ask


def test_controls_need_the_token(ask: Asker) -> None:
    """A signature is no substitute, and what is refused leaves no trace."""
    for headers in ({}, {"X-Emulator-Token": "x"}, {"X-Emulator-Token": "é".encode("latin-1")}):
        answer = ask.post("/--emulator/reset", headers=headers)
        assert refusal(answer) == (403, "NotAuthorized")
    assert ask.cloud.trace == []


def test_controls_refuse_foreign_hosts(ask: Asker) -> None:
    """The token does not help there."""
    headers = {"X-Emulator-Token": ask.cloud.token, "Host": "example.com"}

    assert ask.post("/--emulator/reset", headers=headers).status_code == 421


def test_control_resets(cloud: Emulator, control: Any) -> None:
    """Everything is gone."""
    cloud.populate(1)

    assert control("POST", "reset").status_code == 200
    assert cloud.state.machines == {}


def test_control_moves_the_clock(cloud: Emulator, control: Any) -> None:
    """By seconds."""
    assert control("POST", "clock", {"seconds": 60}).json() == {"time": cloud.clock.time()}
    assert cloud.clock.monotonic() == 60


class Sundial:
    """A clock of somebody else's making."""

    def time(self) -> float:
        """Show the time."""
        return clock.START

    monotonic = time

    def sleep(self, seconds: float) -> None:
        """Stand still."""


def test_control_cannot_move_any_clock(ask: Asker) -> None:
    """A clock may have no advance."""
    ask.cloud.clock = Sundial()

    answer = ask.post("/--emulator/clock", {"seconds": 60}, headers={"X-Emulator-Token": ask.cloud.token})
    assert refusal(answer) == (409, "InvalidArgument")
    assert "cannot be advanced" in answer.json()["message"]


def test_control_plans_faults(cloud: Emulator, control: Any) -> None:
    """They are added, listed and cleared."""
    added = control("POST", "faults", {"operation": "GetAccount", "kind": "reset", "times": 2}).json()

    assert added["when"] == "before"
    assert control("GET", "faults").json() == [added]
    control("DELETE", "faults")
    assert cloud.faults.pending() == []


@pytest.mark.parametrize("body", [{"kind": "fire"}, {"colour": "red"}, {"where": "x"}, [1], 7])
def test_control_refuses_what_it_does_not_know(control: Any, body: Any) -> None:
    """With words that say what is wrong."""
    assert refusal(control("POST", "faults", body)) == (409, "InvalidArgument")


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("clock", {"seconds": 1e300}, "no date can show 1e+300 seconds"),
        ("clock", {"seconds": "1"}, "seconds must be of type float, got '1'"),
        ("populate", {"count": -1}, "cannot create -1 machines"),
        ("populate", {"count": 10**30}, "machines: there are addresses for "),
        ("populate", {"count": 1, "state": "flying"}, "'flying'; states are running, stopped"),
        ("populate", {"count": 1, "name": ["web"]}, "name must be of type str, got ['web']"),
        ("populate", {"count": 1, "account": "partner"}, "got 'partner'"),
        ("transitions", {"seconds": [5]}, "seconds must be of type float | None"),
        ("faults", {"times": "2"}, "times must be of type int | None"),
    ],
)
def test_control_refuses_what_it_cannot_use(cloud: Emulator, control: Any, name: str, body: Any, words: str) -> None:
    """Before any of it is done, so that nothing fails later for it."""
    answer = control("POST", name, body)

    assert refusal(answer) == (409, "InvalidArgument")
    assert words in answer.json()["message"]
    assert not cloud.state.machines
    assert Asker(cloud).get("/my").status_code == 200


def test_control_sets_transitions(cloud: Emulator, control: Any) -> None:
    """For all actions or for one, and releases or fails jobs."""
    machine = cloud.populate(1)[0]
    ask = Asker(cloud)
    control("POST", "transitions", {"script": True})
    ask.act(machine.id, "stop")
    assert ask.state(machine.id) == "stopping"
    assert control("POST", "release", {"action": "stop"}).json() == {"released": 1}
    assert ask.state(machine.id) == "stopped"

    control("POST", "transitions", {"reads": 1, "action": "start"})
    control("POST", "fail", {"action": "start"})
    ask.act(machine.id, "start")
    assert [ask.audit(machine.id)[0] for _ in range(2)] == [("stop", "yes"), ("start", "no")]
    control("POST", "transitions", {"seconds": 5})
    ask.act(machine.id, "start")
    control("POST", "transitions", {})
    cloud.transitions.policies.clear()
    assert ask.audit(machine.id)[0] == ("start", "yes")


def test_control_populates_and_counts(cloud: Emulator, control: Any) -> None:
    """Counts and violations of invariants come back as JSON."""
    identities = control("POST", "populate", {"count": 3, "tags": {"a": 1}}).json()

    assert set(identities) == set(cloud.state.machines)
    assert control("GET", "summary").json()["machines"] == {"running": 3}
    assert control("GET", "invariants").json() == []


def test_control_switches(cloud: Emulator, control: Any) -> None:
    """Whoever tests in another language is the operator too."""
    told = control("POST", "settings", {"volumes": True, "throttle": {"burst": 1, "rate": 2}}).json()

    assert cloud.state.settings.volumes
    assert cloud.state.settings.throttle == Throttle(burst=1, rate=2)
    assert told == control("GET", "settings").json()
    assert (told["volumes"], told["rbac"], told["throttle"]) == (True, True, {"burst": 1, "rate": 2})
    control("POST", "settings", {"throttle": None})
    assert cloud.state.settings.throttle is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"volumes": True, "moon": 1}, "unknown setting moon; expected one of allow_multiple_public_networks, "),
        ({"fabrics": False, "volumes": "false"}, "volumes must be of type bool, got 'false'"),
        ({"manta_url": True}, "manta_url must be of type str | None, got True"),
        ({"fabrics": False, "throttle": {"speed": 1}}, "speed"),
        ({"fabrics": False, "throttle": {"burst": "x"}}, "burst must be of type int, got 'x'"),
        ({"limits": [5]}, "limits must be of type list[dict"),
        ({"limits": [{"by": "ram"}]}, "the value of a limit must be of type int"),
    ],
)
def test_control_switches_only_what_is_there(cloud: Emulator, control: Any, body: Any, words: str) -> None:
    """What is wrong is refused, and changes nothing."""
    before = replace(cloud.state.settings)
    answer = control("POST", "settings", body)

    assert refusal(answer) == (409, "InvalidArgument")
    assert words in answer.json()["message"]
    assert cloud.state.settings == before


def test_control_shows_the_trace(cloud: Emulator, control: Any) -> None:
    """Controls themselves are not in it."""
    Asker(cloud).get("/my")

    assert [asked["operation"] for asked in control("GET", "trace").json()] == ["GetAccount"]


def test_unknown_control_is_a_404(control: Any) -> None:
    """The answer lists those that there are."""
    answer = control("GET", "nothing")

    assert refusal(answer) == (404, "ResourceNotFound")
    assert "POST reset" in answer.json()["message"]


# Clocks


def test_virtual_clock_moves_on_demand() -> None:
    """It never runs back."""
    held = VirtualClock(100.0)
    held.sleep(5)

    assert (held.time(), held.monotonic()) == (105.0, 5.0)
    with pytest.raises(ValueError, match="cannot run backwards"):
        held.advance(-1)


def test_wall_clock_can_be_wrong() -> None:
    """By an offset that can grow."""
    wall, wrong = WallClock(), WallClock(offset=1000)
    wrong.advance(1000)
    before = wall.monotonic()
    wall.sleep(0)

    assert 1999 < wrong.time() - wall.time() < 2001
    assert wall.monotonic() >= before


@pytest.mark.parametrize(
    "text", ["Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 UTC", "2026-01-01T00:00:00Z", "2026-01-01"]
)
def test_dates_are_read_in_several_forms(text: str) -> None:
    """As JavaScript reads them."""
    assert clock.parse_date(text) == clock.START


# Raw HTTP


def talk(server: Server, text: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(text)
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno == errno.ENOTCONN:  # the server has dropped it already
                raise ConnectionResetError from error
            raise
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_chunked_body_is_read(cloud: Emulator) -> None:
    """Chunks may have extensions, and trailers follow them."""
    ask = Asker(cloud)
    ask.session.auth = Signer(cloud, names="(request-target) date")
    with Server(cloud) as server:
        ask.url = server.url
        answer = ask("POST", "/my", data=iter([b'{"city"', b':"Oslo"}']), headers={"Content-Type": "application/json"})
        head = b"POST /--ping HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = talk(server, head + b"2;x=y\r\n{}\r\n0\r\nTrailer: z\r\n\r\n")
        ask.session.close()

    assert answer.json()["city"] == "Oslo"
    assert raw.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"nonsense\r\n\r\n", b" 400 "),
        (b"GET /" + b"x" * 65_521 + b" HTTP/1.1\r\n\r\n", b" 414 "),
        (b"GET /" + b"x" * 65_520 + b" HTTP/1.1\r\n\r\n", b" 421 "),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\n{}", b" 400 "),
        (b"GET / HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}", b" 400 "),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{}", b" 400 "),
        (b"GET / HTTP/1.1\r\n\r\n", b" 421 "),
        (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", b" 405 "),
    ],
)
def test_bad_http_is_refused(cloud: Emulator, text: bytes, status: bytes) -> None:
    """And the connection closed where it makes no sense any more."""
    with Server(cloud) as server:
        assert status in talk(server, text)


def test_target_may_be_a_whole_url(cloud: Emulator) -> None:
    """As a proxy gets it; the URL's host counts as the Host header, so a foreign one is refused."""
    text = "GET {}/--ping?x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Server(cloud) as server:
        own = talk(server, text.format(server.url).encode())
        foreign = talk(server, text.format("http://example.com").encode())
        bare = talk(server, f"OPTIONS HTTP://{ADDRESS}?x HTTP/1.1\r\n\r\n".encode())

    assert own.startswith(b"HTTP/1.1 200 ")
    assert foreign.startswith(b"HTTP/1.1 421 ")
    assert b" 405 " in bare
    assert [entry.path for entry in cloud.trace] == ["/--ping?x", "/?x"]


@pytest.mark.parametrize("half", [b"", b"GET /--pi", b"GET /--ping HTTP/1.1\r\nHost: lo", b"PUT /my HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"])  # fmt: skip
def test_half_a_request_is_dropped_in_time(cloud: Emulator, half: bytes) -> None:
    """Also when a byte comes now and then: the whole request has one deadline."""
    with Server(cloud, idle=0.1) as server, socket.create_connection((ADDRESS, server.port), timeout=5) as client:
        client.sendall(half)
        dropped = threading.Event()

        def dribble() -> None:
            with contextlib.suppress(OSError):
                while half and not dropped.wait(0.03):
                    client.sendall(b"x")

        thread = threading.Thread(target=dribble)
        thread.start()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""
        dropped.set()
        thread.join()


def test_half_a_tls_handshake_is_dropped_in_time(cloud: Emulator) -> None:
    """Whoever opens a connection and says nothing holds no thread for long."""
    with Server(cloud, tls=True, idle=0.1) as server, socket.create_connection((ADDRESS, server.port), 5) as client:
        assert client.recv(100) == b""


def test_connections_above_the_limit_wait(cloud: Emulator) -> None:
    """They are served as soon as another one ends, and not before."""
    ping = b"GET /--ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Server(cloud, max_connections=1) as server:
        first, second = (socket.create_connection((ADDRESS, server.port), timeout=5) for _ in range(2))
        first.sendall(ping)
        assert first.recv(100).startswith(b"HTTP/1.1 200 ")
        second.sendall(ping)
        second.settimeout(0.1)
        with pytest.raises(TimeoutError):
            second.recv(100)
        second.settimeout(5)
        first.close()
        assert second.recv(100).startswith(b"HTTP/1.1 200 ")
        second.close()


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_may_be_silent_for_ever(cloud: Emulator, *, tls: bool) -> None:
    """As far as the operating system can count."""
    with Server(cloud, tls=tls, idle=float("inf")) as server:
        assert requests.get(f"{server.url}/--ping", verify=server.ca or True, timeout=5).status_code == 200


@pytest.mark.parametrize("limits", [{"max_connections": 0}, {"idle": 0.0}, {"idle": float("nan")}])
def test_server_needs_room_and_time(cloud: Emulator, limits: dict[str, Any]) -> None:
    """Without them it would answer nobody."""
    with pytest.raises(ValueError, match="max_connections must be at least 1"):
        Server(cloud, **limits)


def test_dropped_connections_take_no_room(cloud: Emulator) -> None:
    """Ten thousand of them, most with half a request, leave a server with room for four that answers."""
    with Server(cloud, max_connections=4) as server:
        for number in range(amount(500, 10_000)):
            with socket.create_connection((ADDRESS, server.port), timeout=5) as client:
                client.sendall(b"GET /--ping HTTP/1.1\r\nHost: localhost\r\n\r\n"[: number % 48])
                if number % 2:
                    reset_at_close(client)
        assert talk(server, b"GET /--ping HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_full_server_stops_at_once(cloud: Emulator) -> None:
    """Whether its connections are silent, or still wait for room."""
    with Server(cloud, max_connections=1) as server:
        waiting = [socket.create_connection((ADDRESS, server.port), timeout=5) for _ in range(3)]
        began = time.monotonic()
    assert time.monotonic() - began < 2
    for client in waiting:
        client.close()


def test_every_connection_is_closed_at_the_end(cloud: Emulator) -> None:
    """A client that waits for an answer, or for its next idea, is not left waiting."""
    cloud.faults.add(Fault("Ping", "stall", times=None))
    with contextlib.ExitStack() as clients:
        with Server(cloud) as server:
            there = (ADDRESS, server.port)
            waiting = [clients.enter_context(socket.create_connection(there, timeout=5)) for _ in range(2)]
            waiting[0].sendall(b"GET /--ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
            eventually(lambda: len(cloud.trace) == 1)
            eventually(lambda: server._listener is not None and len(server._listener.connections) == 2)
        assert [client.recv(1) for client in waiting] == [b"", b""]


def test_silent_connection_is_closed_quietly(cloud: Emulator) -> None:
    """Somebody may connect and say nothing."""
    with Server(cloud) as server:
        assert talk(server, b"") == b""


def test_too_many_open_files_do_not_end_it(cloud: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Who connects meanwhile is served when there is room again, and the log says why that took a while."""
    with Server(cloud) as server, socket.socket() as client:
        client.settimeout(5)
        with no_descriptor_left():
            client.connect(("127.0.0.1", server.port))
            eventually(lambda: "cannot accept a connection for now: Too many open files" in caplog.text)
        client.sendall(b"GET /--ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


class Broken(Emulator):
    """A core with a bug."""

    def handle(self, request: Any, pause: Any = None) -> Any:
        """Trip."""
        raise LookupError(request.target, pause)


def test_server_survives_its_core(caplog: pytest.LogCaptureFixture) -> None:
    """A bug costs one connection, and is told to the log."""
    with Server(Broken()) as server:
        for _ in range(2):
            assert talk(server, b"GET / HTTP/1.1\r\n\r\n") == b""

    assert caplog.text.count("a connection went wrong") == 2


def test_server_that_never_began_can_end(cloud: Emulator) -> None:
    """There is nothing to close."""
    Server(cloud).__exit__(None, None, None)


def test_plain_http_to_a_tls_port_is_dropped(cloud: Emulator) -> None:
    """The next client is served all the same."""
    with Server(cloud, tls=True) as server:
        with pytest.raises(ConnectionError):
            talk(server, b"GET / HTTP/1.1\r\n\r\n")
        assert requests.get(f"{server.url}/--ping", verify=server.ca, timeout=5).status_code == 200


def test_private_files_are_nobody_elses(tmp_path: Path) -> None:
    """They are never there with more rights, and never written over."""
    path = tmp_path / "key"
    authority.write_private(path, b"x")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        authority.write_private(path, b"y")


# The adapter


@pytest.mark.parametrize(
    ("body", "expected"),
    [(None, b""), ("é", "é".encode()), (b"x", b"x"), (io.BytesIO(b"x"), b"x"), (iter([b"x", b"y"]), b"xy")],
)
def test_adapter_reads_any_body(body: Any, expected: bytes) -> None:
    """Whatever requests would send."""
    prepared = requests.Request("POST", "http://u:p@cloudapi.emulator:80/my?x=1", data=body).prepare()
    request = read_request(prepared)

    assert (request.body, request.target, request.host) == (expected, "/my?x=1", "cloudapi.emulator:80")


def test_adapter_joins_repeated_headers() -> None:
    """Bytes are as good as text."""
    prepared = requests.Request("GET", "http://cloudapi.emulator/my").prepare()
    prepared.headers = {"A": "1", "a": b"2"}  # type: ignore[assignment]

    assert read_request(prepared).headers["a"] == "1, 2"


# WSGI


def environ(path: str, **more: Any) -> dict[str, Any]:
    """Return a WSGI environment of a GET."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "HTTP_HOST": "localhost",
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
        "wsgi.input": io.BytesIO(b""),
        "wsgi.url_scheme": "http",
        **more,
    }


def call(cloud: Emulator, **environment: Any) -> tuple[str, dict[str, str], bytes]:
    """Return status, headers and body of a WSGI call."""
    seen: list[Any] = []
    body = b"".join(cloud.wsgi(environment, lambda status, headers: seen.extend([status, dict(headers)])))
    return seen[0], seen[1], body


def test_wsgi_answers(cloud: Emulator) -> None:
    """Without the headers that belong to the connection."""
    status, headers, body = call(cloud, **environ("/--ping"))

    assert (status, json.loads(body)["ping"]) == ("200 OK", "pong")
    assert "Connection" not in headers


def test_wsgi_takes_the_raw_target_where_it_is_told(cloud: Emulator) -> None:
    """Otherwise it is put together again."""
    call(cloud, **environ("/a b/ü".encode().decode("latin-1"), QUERY_STRING="x=1"))
    call(cloud, **environ("/a/b", RAW_URI="/a%2Fb"))

    assert [asked.path for asked in cloud.trace] == ["/a%20b/%C3%BC?x=1", "/a%2Fb"]


def test_wsgi_reads_a_body(cloud: Emulator) -> None:
    """As long as it says."""
    more = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "14"}
    call(cloud, **environ("/my", **{**more, "wsgi.input": io.BytesIO(b'{"city":"Oslo"} and more')}))

    assert cloud.trace[0].headers["content-length"] == "14"


@pytest.mark.parametrize("kind", ["reset", "close", "stall"])
def test_wsgi_gives_up_where_it_cannot_do_the_fault(cloud: Emulator, kind: str) -> None:
    """The server above closes the connection."""
    cloud.faults.add(Fault("Ping", kind))

    with pytest.raises(ConnectionAbortedError):
        call(cloud, **environ("/--ping"))


def test_wsgi_truncates(cloud: Emulator) -> None:
    """Half of what the length promises."""
    cloud.faults.add(Fault("Ping", "truncate"))
    _, headers, body = call(cloud, **environ("/--ping"))

    assert len(body) == int(headers["Content-Length"]) // 2


def test_reasons_are_known_or_unknown() -> None:
    """A status of one's own making has a reason too."""
    assert (wsgi.reason(404), wsgi.reason(599)) == ("Not Found", "Unknown")


# pytest


def test_fixtures_come_fresh(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has an empty emulator, and a server behind it where one is asked for."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        import requests

        def test_first(cloudapi):
            cloudapi.populate(3)

        def test_second(cloudapi, cloudapi_server):
            assert cloudapi.state.machines == {}
            assert requests.get(cloudapi_server.url + "/--ping", timeout=5).json()["ping"] == "pong"
            assert cloudapi.trace.operations() == ["Ping"]
            assert "clock" in cloudapi.connection(cloudapi_server.url)
        """
    )

    pytester.runpytest_inprocess("-p", "smartdc.emulator.pytest_plugin").assert_outcomes(passed=2)


def test_plugin_is_no_burden() -> None:
    """Every run of pytest loads it, also where nobody wants an emulator."""
    code = "import smartdc.emulator.pytest_plugin, sys; print({'smartdc.datacenter', 'requests', 'cryptography'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_clock_of_the_fixtures_can_be_replaced(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixture of the same name does it."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(
        """
        import pytest
        from smartdc.emulator import WallClock

        @pytest.fixture(scope="session")
        def cloudapi_clock():
            return WallClock()
        """
    )
    pytester.makepyfile("def test_it(cloudapi): assert 'clock' not in cloudapi.connection()")

    pytester.runpytest_inprocess("-p", "smartdc.emulator.pytest_plugin").assert_outcomes(passed=1)


# The command line


def exports(text: str) -> dict[str, str]:
    """Return the variables that shell lines export."""
    return dict(re.findall(r"(?:export |(?<= ))([A-Z_]+)=(\S+)", text))


def stopped() -> threading.Event:
    """Return an event that has happened."""
    event = threading.Event()
    event.set()
    return event


def test_command_prints_what_clients_need(capsys: pytest.CaptureFixture[str]) -> None:
    """Where, who, with which key, and how to hand that to an agent; the key's file is gone afterwards."""
    assert main(["--login", "me & you", "--seed", "3"], stopped()) == 0

    text = capsys.readouterr().out
    given = exports(text)
    assert given["TRITON_URL"].startswith("http://127.0.0.1:")
    assert shlex.split(text.splitlines()[2])[1] == "TRITON_ACCOUNT=me & you"
    assert given["TRITON_KEY_ID"] == Emulator(3).key_id.rpartition("/")[2]
    assert f"ssh-add {given['TRITON_KEY_MATERIAL']}" in text
    assert not Path(given["TRITON_KEY_MATERIAL"]).exists()
    [token] = re.findall("X-Emulator-Token: (.*)", text)
    assert f"# Page for browsers: {given['TRITON_URL']}/--emulator/#{token}\n" in text


def test_command_speaks_tls(capsys: pytest.CaptureFixture[str]) -> None:
    """And says where its authority's certificate is."""
    assert main(["--tls"], stopped()) == 0

    given = exports(capsys.readouterr().out)
    assert given["TRITON_URL"].startswith("https://")
    assert given["NODE_EXTRA_CA_CERTS"] == given["REQUESTS_CA_BUNDLE"]


def test_command_takes_your_own_key(capsys: pytest.CaptureFixture[str], tmp_path: Path, cloud: Emulator) -> None:
    """Then there is none to write."""
    path = tmp_path / "id.pub"
    path.write_text(public_line(private_key(cloud)))
    assert main(["--public-key", str(path)], stopped()) == 0

    assert "TRITON_KEY_MATERIAL" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "no key", "ssh-rsa AAAA"])
def test_command_refuses_a_bad_key(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str | None) -> None:
    """With a word on stderr and status 2."""
    path = tmp_path / "id.pub"
    if content is not None:
        path.write_text(content)

    assert main(["--public-key", str(path)], stopped()) == 2
    assert capsys.readouterr().err.startswith("smartdc.emulator: ")


def test_command_refuses_a_port_in_use(capsys: pytest.CaptureFixture[str], cloud: Emulator) -> None:
    """With a word on stderr and status 2."""
    with Server(cloud) as server:
        assert main(["--port", str(server.port), "--tls"], stopped()) == 2

    assert "in use" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_command_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    """By SIGTERM, Ctrl-C or a closed terminal it ends cleanly, and leaves no file behind."""
    command = [sys.executable, "-m", "smartdc.emulator"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "# Serving until Ctrl-C.\n")
        given = exports("".join(lines))
        assert stat.S_IMODE(Path(given["TRITON_KEY_MATERIAL"]).stat().st_mode) == 0o600
        assert requests.get(f"{given['TRITON_URL']}/--ping", timeout=5).json()["ping"] == "pong"
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)

    assert (process.returncode, errors) == (0, "")
    assert not Path(given["TRITON_KEY_MATERIAL"]).parent.exists()


@contextlib.contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command, and say what it has printed."""
    command = [sys.executable, "-m", "smartdc.emulator", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout
            yield (
                process,
                "".join(itertools.takewhile(lambda line: line != "# Serving until Ctrl-C.\n", process.stdout)),
            )
        finally:
            process.kill()


def test_command_ends_in_time_whatever_it_does() -> None:
    """SIGTERM ends it within two seconds, though calls stall, clients say half of a request, and others wait for room."""
    with serving("--max-connections", "3") as (process, said), contextlib.ExitStack() as clients:
        url, token = exports(said)["TRITON_URL"], re.findall("X-Emulator-Token: (.*)", said)[0]
        fault = {"operation": "Ping", "kind": "stall", "times": None}
        requests.post(f"{url}/--emulator/faults", json=fault, headers={"X-Emulator-Token": token}, timeout=5)
        address = ADDRESS, int(url.rpartition(":")[2])
        for text in (b"GET /--ping HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /--pi", b"", b"", b""):
            client = clients.enter_context(socket.create_connection(address, timeout=5))
            client.sendall(text)
        process.terminate()

        assert process.wait(timeout=2) == 0


def test_command_takes_its_limits_as_options() -> None:
    """How many connections it serves, and for how long it waits for a request."""
    with serving("--max-connections", "1", "--idle", "0.2") as (_, said):
        address = ADDRESS, int(exports(said)["TRITON_URL"].rpartition(":")[2])
        with socket.create_connection(address, timeout=5) as silent, socket.create_connection(address, 5) as waiting:
            waiting.sendall(b"GET /--ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert silent.recv(100) == b""
            assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("options", [["--max-connections", "0"], ["--idle", "0"], ["--idle", "nan"]])
def test_command_refuses_limits_that_serve_nobody(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With the usual word on stderr."""
    with pytest.raises(SystemExit, match="2"):
        main(options, stopped())
    assert "invalid" in capsys.readouterr().err


def test_errors_of_the_library_are_reported_without_its_frames(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing test of a user shows the user's line and the reason; ``--full-trace`` shows what lies between."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        from smartdc import DataCenter

        def test_it(cloudapi):
            DataCenter(**cloudapi.connection()).machine("nope")
        """
    )
    plugin = ("-p", "smartdc.emulator.pytest_plugin")
    short = pytester.runpytest_inprocess(*plugin).stdout.str()
    full = pytester.runpytest_inprocess(*plugin, "--full-trace").stdout.str()

    assert '.machine("nope")' in short
    assert "no machine named 'nope'" in short
    assert "machine.py" not in short
    assert "machine.py" in full
