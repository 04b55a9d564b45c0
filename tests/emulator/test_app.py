"""The emulator as a whole: its doors, the order of its checks, its answers' headers, its trace and its invariants."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from kits.emulator_signer import Asker, Signer, refusal
from smartdc import emulator
from smartdc.emulator import Emulator, Server
from smartdc.emulator.core.message import Request
from smartdc.emulator.core.reply import Reply
from smartdc.emulator.core.settings import Throttle
from smartdc.emulator.pipeline.router import ROUTER, operations
from smartdc.emulator.signature.throwaway_key import throwaway_key

pytest_plugins = ("kits.emulator_fixtures",)

FULL = ("Server", "Api-Version", "Request-Id", "Response-Time")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


# What the package offers


def test_front_door_is_a_sorted_list() -> None:
    """Everything that is offered is there, and listed in order."""
    assert emulator.__all__ == sorted(emulator.__all__)
    assert all(hasattr(emulator, name) for name in emulator.__all__)


def test_operations_are_those_with_a_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of routes says what is supported, HEAD twins and actions included."""
    monkeypatch.setattr(ROUTER.find("GET", "/my/packages").operation, "handler", None)
    supported = operations()

    assert ("StopMachine", "POST", "/:account/machines/:machine", "stop") in supported
    assert ("HeadMachines", "HEAD", "/:account/machines", None) in supported
    assert "ListPackages" not in [name for name, *_ in supported]


def test_handler_on_a_route_cloudapi_lacks_is_refused() -> None:
    """A slip in a name, a method or a path cannot add a route."""
    with pytest.raises(ValueError, match="CloudAPI has no ListMachines POST /:account/machines"):
        ROUTER.handle("ListMachines", "POST", "/:account/machines", None, Reply)


def test_emulator_shows_no_key(cloud: Emulator) -> None:
    """Its repr names the account."""
    assert repr(cloud) == "<Emulator of account 'demo', seed 0>"


def test_own_public_key_leaves_no_secret() -> None:
    """Whoever brings a key gets no other."""
    _, line = throwaway_key(7)
    cloud = Emulator(public_key=line, login="me")

    assert "secret" not in cloud.connection()
    assert cloud.key_id.startswith("/me/keys/")


def test_connection_hands_over_clock_and_adapter() -> None:
    """A client needs the clock when it is virtual, and the adapter when there is no server."""
    virtual, wall = Emulator(), Emulator(clock=emulator.WallClock())

    assert virtual.connection()["clock"] is virtual.clock
    assert "clock" not in wall.connection()
    assert "adapter" not in wall.connection("http://127.0.0.1:1")
    assert wall.connection("https://127.0.0.1:1", "ca.pem")["verify"] == "ca.pem"


# Both doors


def test_machine_lives_and_dies(ask: Asker) -> None:
    """A machine is created, listed, stopped, deleted and remembered."""
    machine = ask.create(name="web")

    assert ask.state(machine) == "running"
    assert [each["name"] for each in ask.get("/my/machines").json()] == ["web"]
    assert ask.act(machine, "stop").status_code == 202
    assert ask.state(machine) == "stopped"
    assert ask("DELETE", f"/my/machines/{machine}").status_code == 204
    gone = ask.get(f"/my/machines/{machine}")
    assert (gone.status_code, gone.json()["state"], gone.json()["id"]) == (410, "deleted", machine)
    assert ask.get("/my/machines").json() == []


def test_doors_give_the_same_answers() -> None:
    """Status, headers and bytes do not depend on the way in."""
    paths = ["/my", "/my/images", "/my/machines?limit=1001", "/nobody", "/my/x", "/a/b/c/d", "/--ping", "/docs/x"]
    results = []
    for through_server in (False, True):
        cloud = Emulator(3)
        cloud.populate(3)
        with Server(cloud) as server:
            ask = Asker(cloud, server.url if through_server else None)
            ask.session.auth = Signer(cloud, names="(request-target) date")
            answers = [ask(method, path) for path in paths for method in ("GET", "HEAD")]
            results.append([(each.status_code, dict(each.headers), each.content) for each in answers])
            ask.session.close()

    assert results[0] == results[1]


def test_head_is_a_get_without_a_body(ask: Asker) -> None:
    """A HEAD has the status and the headers of its GET."""
    ask.create()
    get, head = ask.get("/my/machines"), ask("HEAD", "/my/machines")

    assert head.content == b""
    for name in ("Content-Length", "Content-MD5", "x-resource-count", "x-query-limit"):
        assert head.headers[name] == get.headers[name]


def test_connection_is_kept_alive(cloud: Emulator) -> None:
    """A server's connection serves many requests, with and without bodies."""
    with Server(cloud) as server:
        ask = Asker(cloud, server.url)
        machine = ask.create()
        ask("DELETE", f"/my/machines/{machine}")
        ask("HEAD", "/my")
        ask.get("/my/nowhere/at/all")
        adapter = ask.session.get_adapter(server.url)
        assert isinstance(adapter, HTTPAdapter)
        pools = adapter.poolmanager.pools
        connections = [pools[key].num_connections for key in pools.keys()]  # noqa: SIM118  no iterator otherwise
        ask.session.close()

    assert connections == [1]


def test_server_listens_only_in_its_block(cloud: Emulator) -> None:
    """Before and after, there is no port to ask for."""
    server = Server(cloud)
    with pytest.raises(RuntimeError, match="with-block"):
        _ = server.url
    with server:
        url = server.url
        assert requests.get(f"{url}/--ping", timeout=5).status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/--ping", timeout=5)


def test_tls_has_an_authority_of_its_own(cloud: Emulator) -> None:
    """Its certificate holds for the loopback interface, for those who trust its authority."""
    with Server(cloud, tls=True) as server:
        ask = Asker(cloud, server.url)
        ask.session.verify = server.ca
        assert ask.get("/my/datacenters").json()["emulator-1"] == server.url
        ask.session.verify = True
        ask.session.close()
        with pytest.raises(requests.exceptions.SSLError):
            ask.get("/my")


# Order of evaluation and sets of headers


def test_unknown_path_of_up_to_three_segments_is_a_405(inside: Asker) -> None:
    """The routes for role tags take any path that short, so that it is only the method that is wrong."""
    for path in ("/a/b", "/a/b/c", "/my/fabrics/default"):
        answer = inside.get(path)
        assert refusal(answer) == (405, "MethodNotAllowedError")
        assert answer.headers["Allow"] == "PUT"
    assert inside("DELETE", "/my/machines").headers["Allow"] == "GET, HEAD, POST"
    assert inside("HEAD", "/my/datacenters").status_code == 405


def test_longer_unknown_path_is_a_404(inside: Asker) -> None:
    """The message repeats the path that was asked for."""
    answer = inside.get("/a/b/c/d?x=1")

    assert refusal(answer) == (404, "ResourceNotFound")
    assert answer.json()["message"] == "/a/b/c/d does not exist"


def test_path_that_cannot_be_decoded_is_refused(inside: Asker) -> None:
    """Bytes that are no UTF-8 are a 400."""
    answer = inside.cloud.handle(Request("GET", "/my/keys/%ff", {"host": "localhost"}))

    assert answer.status == 400
    assert json.loads(answer.body) == {"code": "BadRequestError", "message": "URI malformed"}


def test_slash_inside_a_segment_stays_there(inside: Asker) -> None:
    """Segments are decoded after the path is split."""
    machine = inside.create(**{"tag.a/b": "c"})

    assert inside.get(f"/my/machines/{machine}/tags/a%2Fb").json() == "c"


def test_segment_may_be_empty(inside: Asker) -> None:
    """A slash at the end names a machine without a name."""
    assert inside.get("/my/machines/").json()["message"] == "VM not found"


def test_slashes_in_a_row_count_as_one(inside: Asker) -> None:
    """CloudAPI's patterns take one or more."""
    assert inside.get("/my//packages").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/my/x/y/z", {}, 404),
        ("POST", "/my/packages", {}, 405),
        ("GET", "/my", {"headers": {"Accept-Version": "~6.5"}}, 400),
        ("GET", "/my", {"headers": {"Accept": "image/png"}}, 406),
        ("GET", "/my", {"headers": {"Date": "Thu, 01 Jan 2015 00:00:00 GMT"}}, 400),
        ("POST", "/my", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ("POST", "/my", {"data": b'{"x": NaN}', "headers": {"Content-Type": "application/json"}}, 400),
        ("POST", "/my", {"json": {"x": "y" * 100_000}}, 413),
        ("POST", "/my/keys", {"data": {"key": "x"}}, 415),
    ],
)
def test_early_answer_has_few_headers(
    inside: Asker, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    """Whatever is refused before the body is read tells neither version nor request id."""
    answer = inside(method, path, **options)

    assert answer.status_code == status
    assert {"Content-Type", "Content-Length", "Date", "Connection"} <= set(answer.headers)
    assert not set(FULL) & set(answer.headers)
    assert "Content-MD5" not in answer.headers


def test_later_answer_has_all_headers(inside: Asker) -> None:
    """From the signature on, errors carry what good answers carry."""
    inside.session.auth = None
    answer = inside.get("/my")

    assert answer.status_code == 401
    assert set(FULL) <= set(answer.headers)
    assert answer.headers["Server"] == "cloudapi/9.20.0"
    assert answer.headers["Api-Version"] == "9.0.0"
    digest = base64.b64encode(hashlib.md5(answer.content, usedforsecurity=False).digest()).decode()
    assert answer.headers["Content-MD5"] == digest


def test_no_answer_invites_a_web_page(inside: Asker) -> None:
    """CloudAPI's Access-Control headers are left out."""
    answer = inside.get("/my", headers={"Origin": "https://example.com"})

    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_empty_answers_are_empty(inside: Asker) -> None:
    """A 202 has no type, and a 204 no length either."""
    machine = inside.create()
    stopped, deleted = inside.act(machine, "stop"), inside("DELETE", f"/my/machines/{machine}")

    assert (stopped.content, stopped.headers.get("Content-Type")) == (b"", None)
    assert not [name for name in deleted.headers if name.startswith("Content-")]


def test_request_id_is_adopted(inside: Asker) -> None:
    """A client's own id comes back, under either name."""
    assert inside.get("/my", headers={"Request-Id": "mine"}).headers["Request-Id"] == "mine"
    assert inside.get("/my", headers={"X-Request-Id": "mine"}).headers["Request-Id"] == "mine"


def test_response_time_is_the_clocks(inside: Asker) -> None:
    """Milliseconds that passed on the emulator's clock."""
    assert inside.get("/my").headers["Response-Time"] == "0"


def test_closing_client_is_answered_in_kind(inside: Asker) -> None:
    """The connection ends when the client says so."""
    assert inside.get("/my", headers={"Connection": "close"}).headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("asked", "status"),
    [("~9", 200), ("~9||~8", 200), ("*", 200), ("7.1.0", 200), ("~7.1", 200), (">=7 <8", 200), ("nonsense", 400)],
)
def test_version_range_is_matched(inside: Asker, asked: str, status: int) -> None:
    """Any range that holds a served version is good, under both names of the header."""
    assert inside.get("/my", headers={"Accept-Version": asked}).status_code == status
    assert inside.get("/my", headers={"X-Api-Version": asked}).status_code == status


def test_version_that_no_route_has_is_named(inside: Asker) -> None:
    """The message repeats range, method and path."""
    answer = inside.get("/my?x=1", headers={"Accept-Version": "~6.5"})

    assert refusal(answer) == (400, "InvalidVersion")
    assert answer.json()["message"] == "~6.5 is not supported by GET /my"


def test_api_version_header_is_ignored(inside: Asker) -> None:
    """It is an answer's header, whatever the documentation says."""
    assert inside.get("/my", headers={"Api-Version": "~6.5"}).status_code == 200


def test_route_may_have_fewer_versions(inside: Asker) -> None:
    """NICs came with 7.2, and VNC is there in 8.4 alone."""
    nics, vnc = f"/my/machines/{UNKNOWN}/nics", f"/my/machines/{UNKNOWN}/vnc"

    assert refusal(inside.get(nics, headers={"Accept-Version": "~7.1"})) == (400, "InvalidVersion")
    assert refusal(inside.get(vnc, headers={"Accept-Version": "~9"})) == (400, "InvalidVersion")
    assert inside.get(vnc, headers={"Accept-Version": "~9||~8"}).status_code == 404


def test_typed_route_skips_the_version(inside: Asker) -> None:
    """CreateKey is chosen by the type of its body, and so takes any version."""
    answer = inside.post("/my/keys", {}, headers={"Accept-Version": "~6.5"})

    assert refusal(answer) == (409, "MissingParameter")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/plain", "text/plain"),
        ("text/*;q=0.5, application/json;q=0.4", "text/plain"),
        ("application/json;q=0, */*", "text/plain"),
        ("application/octet-stream", "application/octet-stream"),
        ("application/json;q=high, text/plain;q=0.1", "text/plain"),
    ],
)
def test_type_of_the_answer_is_negotiated(inside: Asker, accept: str, kind: str) -> None:
    """JSON comes first; text and bytes are there for those who ask."""
    assert inside.get("/my", headers={"Accept": accept}).headers["Content-Type"] == kind


def test_plain_text_is_bare(inside: Asker) -> None:
    """As text, a string has no quotes and an error is its message."""
    machine = inside.create(**{"tag.role": "www"})
    headers = {"Accept": "text/plain"}

    assert inside.get(f"/my/machines/{machine}/tags/role", headers=headers).text == "www"
    assert inside.get(f"/my/machines/{UNKNOWN}", headers=headers).text == "VM not found"


def test_missing_machine_comes_before_permission(inside: Asker) -> None:
    """What is not there is a 404 even in an account one may not use, and in a read-only data centre."""
    inside.cloud.state.add_account("other")
    inside.cloud.state.settings.read_only = True

    assert inside.post(f"/other/machines/{UNKNOWN}?action=stop").status_code == 404
    assert inside.post("/other/machines").status_code == 403
    assert inside.post("/my/machines").status_code == 503


def test_signature_comes_before_support(inside: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the emulator does not have is told by name, but only to those who signed."""
    monkeypatch.setattr(ROUTER.find("GET", "/my/packages").operation, "handler", None)
    answer = inside.get("/my/packages")
    assert refusal(answer) == (501, "NotImplementedError")
    assert "ListPackages" in answer.json()["message"]

    inside.session.auth = None
    assert inside.get("/my/packages").status_code == 401


def test_body_beats_path_and_path_beats_query(inside: Asker) -> None:
    """A parameter of the body re-addresses the call; one of the query does not."""
    first, second = inside.create(name="a"), inside.create(name="b")

    inside.post(f"/my/machines/{first}?action=stop", {"machine": second})
    assert (inside.state(first), inside.state(second)) == ("running", "stopped")
    assert inside.get(f"/my/machines/{first}?machine={second}").json()["id"] == first


def test_parameters_may_come_as_a_form(inside: Asker) -> None:
    """A form and a form with parts are as good as JSON."""
    inside("POST", "/my", data={"city": "Bergen"})
    assert inside.get("/my").json()["city"] == "Bergen"

    inside("POST", "/my", files={"city": (None, "Oslo"), "phone": ("file.txt", "1")})
    assert inside.get("/my").json()["city"] == "Oslo"
    assert "phone" not in inside.get("/my").json()


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "application/xml"])
def test_body_of_another_type_is_not_read(inside: Asker, kind: str | None) -> None:
    """What CloudAPI does not parse has no effect."""
    answer = inside("POST", "/my", data=b'{"city": "Bergen"}', headers={"Content-Type": kind} if kind else {})

    assert answer.status_code == 200
    assert "city" not in answer.json()


def test_query_can_be_nested(inside: Asker) -> None:
    """Brackets make dicts and lists, a repeated name makes a list, and a clash is dropped."""
    inside.get("/my?a[b]=1&a[c]=2&l[]=1&l[]=2&r=1&r=2&s=1&s[x]=2&[=3")

    expected = {"a": {"b": "1", "c": "2"}, "l": ["1", "2"], "r": ["1", "2"], "s": "1", "[": "3"}
    assert inside.cloud.trace[-1].query == expected


def test_image_parameter_counts_everywhere(inside: Asker) -> None:
    """A UUID that no image has is a 404, even on a path that has nothing to do with images."""
    assert refusal(inside.get(f"/my?image={UNKNOWN}")) == (404, "ResourceNotFound")
    assert refusal(inside.get(f"/my?package={UNKNOWN}")) == (404, "ResourceNotFound")


# Without credentials


def test_ping_needs_no_credentials(ask: Asker) -> None:
    """It lists the versions, and names the data centre."""
    ask.session.auth = None
    answer = ask.get("/--ping")

    versions = ["7.0.0", "7.1.0", "7.2.0", "7.3.0", "8.0.0", "9.0.0"]
    assert answer.json() == {"ping": "pong", "cloudapi": {"versions": versions}}
    assert answer.headers["Triton-Datacenter-Name"] == "emulator-1"


def test_ping_refuses_bad_credentials(inside: Asker) -> None:
    """Whoever signs must sign well."""
    inside.session.auth = None
    assert inside.get("/--ping", headers={"Authorization": "Signature x"}).status_code == 400


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/cloudapi", "/favicon.ico"])
def test_browsers_are_sent_to_the_documentation(inside: Asker, path: str) -> None:
    """These paths redirect, for anybody."""
    inside.session.auth = None
    answer = inside.get(path)

    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["Location"].startswith("http://apidocs.tritondatacenter.com/")


# Who may ask at all


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]", "[::1]:80", "cloudapi.emulator"]
)
def test_own_host_names_are_answered(inside: Asker, host: str) -> None:
    """The port does not matter."""
    assert inside.get("/my", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "", "localhost:80.example.com"])
def test_foreign_host_is_refused(ask: Asker, host: str) -> None:
    """A name that leads here by a trick of DNS gets nothing."""
    answer = ask.get("/my", headers={"Host": host})

    assert refusal(answer) == (421, "MisdirectedRequestError")


def test_body_has_a_hundred_thousand_bytes_at_most(inside: Asker) -> None:
    """And not one less."""
    frame = len('{"x": ""}')
    for size, refused in ((100_000, False), (100_001, True)):
        data = f'{{"x": "{"y" * (size - frame)}"}}'.encode()
        answer = inside("POST", "/my", data=data, headers={"Content-Type": "application/json"})
        assert (answer.status_code == 413) is refused


# Throttle and maintenance


def test_throttle_is_a_bucket_per_area(inside: Asker) -> None:
    """After the burst comes a 429 without Retry-After; time fills the bucket, and other areas have their own."""
    inside.cloud.state.settings.throttle = Throttle(burst=2, rate=10)
    path = "/my/machines"

    assert [inside.get(path).status_code for _ in range(3)] == [200, 200, 429]
    answer = inside.get(path)
    assert refusal(answer) == (429, "TooManyRequestsError")
    assert answer.json()["message"] == "You have exceeded your request rate of 10 r/s."
    assert "Retry-After" not in answer.headers
    assert inside.get("/my/packages").status_code == inside.get("/my").status_code == 200
    inside.cloud.clock.sleep(0.1)
    assert [inside.get(path).status_code for _ in range(2)] == [200, 429]
    inside.cloud.clock.sleep(60)
    assert [inside.get(path).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("path", ["fwrules", "machines/{machine}/snapshots", "machines/{machine}/fwrules"])
def test_firewall_rules_and_what_is_below_machines_share_a_bucket(inside: Asker, path: str) -> None:
    """Whichever is asked for, the burst of the machines is used up."""
    machine = inside.create(name="web")
    inside.cloud.state.settings.throttle = Throttle(burst=1, rate=10)

    assert inside.get("/my/machines").status_code == 200
    assert inside.get(f"/my/{path.format(machine=machine)}").status_code == 429


def test_operators_are_not_throttled(inside: Asker) -> None:
    """The limit is for customers."""
    inside.cloud.state.settings.throttle = Throttle(burst=1)
    inside.cloud.state.accounts["demo"].operator = True

    assert [inside.get("/my").status_code for _ in range(3)] == [200] * 3


def test_read_only_data_centre_still_reads(inside: Asker) -> None:
    """What writes gets a 503 that may say when it is over."""
    settings = inside.cloud.state.settings
    settings.read_only = True
    answer = inside.post("/my", {"city": "Bergen"})

    assert refusal(answer) == (503, "ServiceUnavailableError")
    assert "Retry-After" not in answer.headers
    settings.maintenance_ends = inside.cloud.clock.time() + 60
    assert inside.post("/my").headers["Retry-After"] == "Thu, 01 Jan 2026 00:01:00 GMT"
    assert inside.get("/my").status_code == 200


# Trace, seed, reset, invariants


def test_trace_tells_what_was_asked(inside: Asker) -> None:
    """Operation, target, query, body, status and account, also of what was refused early."""
    machine = inside.create(name="web")
    inside.act(machine, "stop")
    inside.get("/my/machines?limit=5")
    inside.get("/a/b/c/d")
    inside.post("/my", {"city": "x"}, headers={"Accept-Version": "~6"})
    inside("POST", "/my", data=b"{", headers={"Content-Type": "application/json"})

    trace = inside.cloud.trace
    assert trace.operations() == [
        "CreateMachine",
        "StopMachine",
        "ListMachines",
        None,
        "UpdateAccount",
        "UpdateAccount",
    ]
    assert trace[0].body["name"] == "web"
    assert (trace[0].status, trace[0].account, trace[0].fault) == (201, "demo", None)
    assert trace[1].path == f"/my/machines/{machine}?action=stop"
    assert trace[2].query == {"limit": "5"}
    assert (trace[4].status, trace[4].body) == (400, {"city": "x"})
    assert trace[5].body == {}


def test_long_trace_loses_its_older_half(inside: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that runs for days does not fill the memory."""
    monkeypatch.setattr("smartdc.emulator.pipeline.trace.MAX_ENTRIES", 4)
    for _ in range(5):
        inside.get("/my")

    assert len(inside.cloud.trace) == 3


def run(seed: int) -> list[tuple[int, dict[str, str], bytes]]:
    """Do a number of things with an emulator and return all that it answered."""
    cloud = Emulator(seed)
    ask = Asker(cloud)
    machine = ask.create(name="web")
    paths = ["/my", "/my/keys", "/my/machines", f"/my/machines/{machine}/audit", "/my/x"]
    answers = [ask.act(machine, "stop"), *(ask.get(path) for path in paths), ask.post("/my/machines")]
    return [(answer.status_code, dict(answer.headers), answer.content) for answer in answers]


def test_seeded_run_repeats_to_the_byte() -> None:
    """The same seed gives the same ids, addresses, keys and times; another gives others."""
    assert run(1) == run(1)
    assert run(1) != run(2)


def test_number_of_requests_does_not_change_ids(cloud: Emulator) -> None:
    """Each kind of id is a stream of its own."""
    ask = Asker(cloud)
    first = ask.create()
    cloud.reset()
    ask.get("/my")
    ask.get("/my")

    assert ask.create() == first


def test_reset_forgets_everything(inside: Asker) -> None:
    """State, jobs, faults, settings and trace are new; the key still opens."""
    cloud = inside.cloud
    cloud.faults.add(emulator.Fault("GetAccount"))
    cloud.state.settings.read_only = True
    cloud.transitions.policy = emulator.ByScript()
    cloud.populate(3)

    cloud.reset()

    assert inside.get("/my").status_code == 200
    assert inside.create() in cloud.state.machines
    assert inside.cloud.trace.operations() == ["GetAccount", "CreateMachine"]
    assert inside.get("/my/machines").json()[0]["state"] == "running"


def test_populate_needs_no_requests(inside: Asker) -> None:
    """Machines are put there in bulk, with names, tags and states of one's choice."""
    other = inside.cloud.state.add_account("other")
    inside.cloud.populate(2, name="web-{n}", tags={"role": "www"}, metadata={"a": 1}, state="stopped")
    inside.cloud.populate(1, image="debian-12", package="g1-nano", account=other)

    listed = inside.get("/my/machines").json()
    assert [(each["name"], each["state"], each["tags"]) for each in listed] == [
        ("web-0", "stopped", {"role": "www"}),
        ("web-1", "stopped", {"role": "www"}),
    ]
    assert inside.cloud.check_invariants() == []
    with pytest.raises(ValueError, match="no active image 'nothing'"):
        inside.cloud.populate(1, image="nothing")


def test_parallel_creates_keep_the_books_right(cloud: Emulator) -> None:
    """Twenty threads get their machines, each with its own name, address and MAC."""
    with Server(cloud) as server:

        def create(number: int) -> list[int]:
            ask = Asker(cloud, server.url)
            image = cloud.state.image_named("base-64-lts")
            assert image
            names = [f"own-{number}-{place}" for place in range(4)] + ["shared"]
            bodies = [{"image": image.id, "package": "g1-nano", "name": name} for name in names]
            statuses = [ask.post("/my/machines", body).status_code for body in bodies]
            ask.session.close()
            return statuses

        with ThreadPoolExecutor(20) as pool:
            statuses = [status for row in pool.map(create, range(20)) for status in row]

    assert sorted(statuses) == [201] * 81 + [409] * 19
    assert cloud.check_invariants() == []
    assert cloud.summary()["addresses"] == 2 * 81


def test_violated_invariants_are_reported(cloud: Emulator) -> None:
    """A lost address, a double name and a double MAC are found."""
    first, second = cloud.populate(2)
    first.name, first.nics[0].mac = second.name, second.nics[0].mac
    cloud.state.release(second.nics)

    assert len(cloud.check_invariants()) == 3


def test_bug_of_the_emulator_is_a_500(inside: Asker, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """A handler that breaks answers as CloudAPI does, and tells the log."""
    monkeypatch.setattr(ROUTER.find("GET", "/my").operation, "handler", len)

    answer = inside.get("/my")

    assert (answer.status_code, answer.json()) == (500, {"code": "InternalError", "message": "Internal Error"})
    assert "GET /my went wrong" in caplog.text
