"""Whoever hooks into HTTP is served: mocks, recorders and tracers see every call, without a switch."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
import responses
import urllib3
import vcr  # type: ignore[import-untyped]
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kits.cloud import image_id, package_id
from kits.http import RawServer, Stamp, dribble, header_of, reply
from smartdc import BadResponse, CallTimeout, DataCenter, ResourceNotFound
from smartdc.emulator import Emulator
from smartdc.emulator.doors.server import Server
from smartdc.http import hooks
from smartdc.http.light import LeanResponse

URL = "https://cloud.test"
MACHINE = "3d51f2d5-46f2-4da5-bb04-3238f2f64768"


@pytest.fixture
def nowhere() -> Iterator[DataCenter]:
    """A client of a place that does not exist."""
    with DataCenter(URL, auth=Stamp()) as dc:
        yield dc


def is_lean(response: requests.Response) -> bool:
    """Tell which way a response came."""
    return isinstance(response.raw, LeanResponse)


# Mocks


@responses.activate
def test_responses_keeps_the_request_that_was_sent(nowhere: DataCenter) -> None:
    """Its call has the signature; the response and the errors, which may be kept, have a copy without it."""
    responses.get(f"{URL}/my/machines/{MACHINE}", json={"id": MACHINE}, status=200)
    responses.get(f"{URL}/my/keys/nobody", json={"code": "ResourceNotFound", "message": "no"}, status=404)
    _, response = nowhere.request("GET", f"/machines/{MACHINE}")
    with pytest.raises(ResourceNotFound) as caught:
        nowhere.key("nobody")

    assert [call.request.headers["Authorization"][:9] for call in responses.calls] == ["Signature"] * 2
    assert "Authorization" not in response.request.headers
    assert caught.value.request is not None
    assert caught.value.response is not None
    assert "Authorization" not in caught.value.request.headers
    assert "Authorization" not in caught.value.response.request.headers
    assert response.request.headers["X-Request-Id"] == responses.calls[0].request.headers["X-Request-Id"]


@responses.activate
@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_of_a_mocked_delete_counts(nowhere: DataCenter, status: int) -> None:
    """Whoever writes a test need not know that CloudAPI answers with 204."""
    responses.delete(f"{URL}/my/keys/laptop", status=status)
    nowhere.delete_key("laptop")

    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_of_a_mocked_action_counts(nowhere: DataCenter, status: int) -> None:
    """Nor that it accepts an action with 202."""
    responses.get(f"{URL}/my/machines/{MACHINE}", json={"id": MACHINE, "state": "running"})
    responses.post(f"{URL}/my/machines/{MACHINE}", status=status)
    nowhere.machine(MACHINE).stop()

    assert len(responses.calls) == 2


def test_a_delete_that_a_server_answers_otherwise_is_not_believed() -> None:
    """What counts for mocks does not count on the wire, whichever way the response came."""
    with RawServer(reply(body=[1])) as server, DataCenter(server.url, auth=Stamp(), timeout=1) as dc:
        dc.request("GET", "/keys")
        with pytest.raises(BadResponse, match="unexpected status 200"):
            dc.delete_key("laptop")


def test_requests_mock_intercepts(nowhere: DataCenter) -> None:
    """Its `json=` sends no Content-Type: what parses as JSON is JSON."""
    with requests_mock.Mocker() as mock:
        mock.get(f"{URL}/my/machines/{MACHINE}", json={"id": MACHINE, "name": "web-1"})
        mock.get(f"{URL}/my/machines/{MACHINE}/tags/role", text="web")
        mock.delete(f"{URL}/my/keys/laptop", json={})
        machine = nowhere.machine(MACHINE)
        nowhere.delete_key("laptop")

        assert machine.name == "web-1"
        assert machine.get_tag("role") == "web"
        assert mock.request_history[0].headers["Authorization"].startswith("Signature ")


# Recorders


@pytest.fixture(params=[False, True], ids=["http", "https"])
def server(cloud: Emulator, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of the emulated cloud."""
    with Server(cloud, tls=request.param) as server:
        yield server


def test_vcr_records_and_replays(cloud: Emulator, server: Server, tmp_path: Path) -> None:
    """A cassette holds each call, a create with a token of its own too, and a replay reaches no server."""
    recorder = vcr.VCR(record_mode="once", filter_headers=["authorization"], match_on=("method", "path"))
    package, image = package_id(cloud, "g1-small"), image_id(cloud, "base-64-lts")
    plays = []

    def run() -> list[Any]:
        with DataCenter(**cloud.connection(server.url, server.ca)) as dc:
            dc.request("GET", "")  # a connection is open before anybody records
            with recorder.use_cassette(str(tmp_path / "cassette.yaml")) as cassette:
                machine = dc.create_machine("web-1", package, image=image, token="of-my-own", tags={"role": "web"})
                machine.refresh()
                plays.append(cassette.play_count)
            dc.request("GET", "")
            return [machine.id, machine.name, machine["tags"]["smartdc_token"], machine.tags]

    recorded = run()
    asked = len(cloud.trace)
    assert run() == recorded
    assert len(cloud.trace) == asked + 2
    assert plays[0] == 0
    assert plays[1] >= 2
    assert recorded[2] == "of-my-own"


def test_after_a_recorder_the_lean_way_is_taken_again(tmp_path: Path) -> None:
    """What urllib3's own pools are needed for ends with the cassette."""
    with RawServer(reply(body=[1])) as server, DataCenter(server.url, auth=Stamp()) as dc:
        ways = [is_lean(dc.request("GET", "/keys")[1]) for _ in range(2)]
        with vcr.use_cassette(str(tmp_path / "cassette.yaml"), record_mode="all"):
            ways += [is_lean(dc.request("GET", "/keys")[1]) for _ in range(2)]
        ways += [is_lean(dc.request("GET", "/keys")[1])]

    assert ways == [False, True, False, False, True]


# Tracers


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What OpenTelemetry's instrumentation of urllib3 has seen."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    URLLib3Instrumentor().instrument(tracer_provider=provider)
    yield exporter
    URLLib3Instrumentor().uninstrument()


def test_opentelemetry_sees_every_call(spans: InMemorySpanExporter) -> None:
    """Over a new connection and over one that is kept, there is a span, and the server gets its context."""
    with RawServer(reply(body=[1])) as server, DataCenter(server.url, auth=Stamp()) as dc:
        ways = [is_lean(dc.request("GET", "/keys")[1]) for _ in range(3)]

    assert ways == [False] * 3
    assert [dict(span.attributes or {})["http.status_code"] for span in spans.get_finished_spans()] == [200] * 3
    assert all(header_of(request, "traceparent") for request in server.requests)


def test_the_deadline_holds_while_a_tracer_looks_on(spans: InMemorySpanExporter) -> None:
    """A call that is traced goes over the same connections."""
    stalls = dribble(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000)
    with RawServer(reply(body=[1]), stalls) as server, DataCenter(server.url, auth=Stamp()) as dc:
        dc.request("GET", "/keys")
        with pytest.raises(CallTimeout):
            dc.request("POST", "/keys", timeout=0.25)
    assert len(spans.get_finished_spans()) == 2


SENTRY = """
import json, sys
{before}
from smartdc import DataCenter
from smartdc.http import hooks
{after}
from requests.auth import HTTPBasicAuth
dc = DataCenter(sys.argv[1], auth=HTTPBasicAuth("a", "b"))
with sentry_sdk.start_transaction(name="script"):
    for _ in range(3):
        dc.request("GET", "/keys")
sentry_sdk.flush()
print(json.dumps([hooks.hooked(), events]))
"""

INIT = """
import sentry_sdk
from sentry_sdk.transport import Transport
events = []
class Kept(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            events.append([span["op"] for span in (item.payload.json or {}).get("spans", [])])
sentry_sdk.init("http://key@127.0.0.1:1/1", traces_sample_rate=1.0, transport=Kept)
"""


@pytest.mark.parametrize("first", [True, False], ids=["before smartdc", "after smartdc"])
def test_sentry_sees_every_call(first: bool) -> None:
    """It stays for the rest of a process, so it has one of its own; it may begin before or after our import."""
    script = SENTRY.format(before=INIT if first else "", after="" if first else INIT)
    with RawServer(reply(body=[1])) as server:
        done = subprocess.run(
            [sys.executable, "-c", script, server.url], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 0, done.stderr
    is_hooked, events = json.loads(done.stdout)
    assert is_hooked
    assert events == [["http.client"] * 3]
    assert all(header_of(request, "sentry-trace") for request in server.requests)


# How it is noticed


def test_nobody_hooks_by_default() -> None:
    """In a test that looks at nothing, calls are lean."""
    assert not hooks.hooked()
    assert not hooks.connections_replaced()


@pytest.mark.parametrize(
    ("owner", "name"),
    [(owner, name) for owner, names in hooks._HOOKS for name in names],
    ids=lambda part: str(part)[-30:],
)
def test_a_function_that_is_replaced_is_noticed(owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every function that a call passes on the long way can be hooked."""
    monkeypatch.setattr(owner, name, lambda *_: None)
    assert hooks.hooked()
    monkeypatch.undo()
    assert not hooks.hooked()


def test_what_was_hooked_before_is_not_taken_for_the_librarys_own() -> None:
    """A function counts as its owner's if it was defined in the same module, whatever it says of itself."""

    @functools.wraps(urllib3.HTTPConnectionPool.urlopen)
    def wrapped() -> None: ...

    assert hooks._own(urllib3.HTTPConnectionPool, wrapped) is None
    assert hooks._own(urllib3.HTTPConnectionPool, urllib3.HTTPConnectionPool.urlopen) is not None
