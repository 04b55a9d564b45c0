"""Faults on demand, through both doors: what the client sees, and whether the change was made."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from kits.emulator_signer import Asker, refusal
from smartdc.emulator import Emulator, Fault, Server
from smartdc.emulator.faults.plan import CONNECTING, KINDS

pytest_plugins = ("kits.emulator_fixtures",)


def cities(cloud: Emulator) -> str | None:
    """Return the city that the account has by now."""
    return cloud.state.accounts["demo"].profile.get("city")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("kind", "cause"), [("reset", "reset by peer"), ("close", "without response")])
def test_connection_ends_without_an_answer(ask: Asker, kind: str, cause: str, when: str) -> None:
    """By RST or by FIN, and before or after the change is made."""
    ask.cloud.faults.add(Fault("UpdateAccount", kind, when))

    with pytest.raises(requests.ConnectionError, match=cause):
        ask.post("/my", {"city": "Bergen"})
    assert cities(ask.cloud) == ("Bergen" if when == "after" else None)
    assert ask.get("/my").status_code == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_stall_outlasts_the_clients_patience(ask: Asker, when: str) -> None:
    """The client gives up; the change is made or not, as was asked."""
    ask.cloud.faults.add(Fault("UpdateAccount", "stall", when, seconds=60))

    with pytest.raises(requests.ReadTimeout):
        ask.post("/my", {"city": "Bergen"}, timeout=0.05)
    assert cities(ask.cloud) == ("Bergen" if when == "after" else None)


def test_stall_ends_with_the_connection(ask: Asker) -> None:
    """A patient client sees it closed."""
    ask.cloud.faults.add(Fault("GetAccount", "stall", seconds=0.01))

    with pytest.raises(requests.ConnectionError):
        ask.get("/my", timeout=(5, 5))


def test_stall_without_a_timeout_takes_its_time(inside: Asker) -> None:
    """The virtual clock shows how long."""
    inside.cloud.faults.add(Fault("GetAccount", "stall"))

    with pytest.raises(requests.ConnectionError):
        inside.get("/my")
    assert inside.cloud.clock.monotonic() == 3600


def test_truncated_answer_breaks_off(ask: Asker) -> None:
    """Half the body comes, under the length of all of it."""
    ask.cloud.faults.add(Fault("GetAccount", "truncate"))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask.get("/my")
    assert ask.get("/my").status_code == 200


def test_dribbled_answer_is_whole(ask: Asker) -> None:
    """It comes in pieces."""
    expected = ask.get("/my").json()
    ask.cloud.faults.add(Fault("GetAccount", "dribble", seconds=0.01))

    assert ask.get("/my").json() == expected


def test_dribble_takes_its_time(inside: Asker) -> None:
    """A tenth of it before each piece, by the emulator's clock."""
    inside.cloud.faults.add(Fault("GetAccount", "dribble", seconds=10))
    answer = inside.get("/my", stream=True)

    assert answer.raw.read(4)
    assert 1 <= inside.cloud.clock.monotonic() < 10
    assert answer.raw.read()
    assert inside.cloud.clock.monotonic() >= 10


@pytest.mark.parametrize("when", ["before", "after"])
def test_delay_only_takes_time(ask: Asker, when: str) -> None:
    """The answer is right, and late."""
    ask.cloud.faults.add(Fault("UpdateAccount", "delay", when, seconds=0.01))

    assert ask.post("/my", {"city": "Bergen"}).json()["city"] == "Bergen"


def test_delay_may_outlast_the_client(ask: Asker) -> None:
    """The change is made although nobody waits for the answer any more."""
    ask.cloud.faults.add(Fault("UpdateAccount", "delay", "before", seconds=0.1))

    with pytest.raises(requests.ReadTimeout):
        ask.post("/my", {"city": "Bergen"}, timeout=0.02)
    ask.session.close()
    assert ask.get("/my").status_code == 200
    while cities(ask.cloud) is None:
        ask.get("/my")


@pytest.mark.parametrize("when", ["before", "after"])
def test_status_can_be_any(ask: Asker, when: str) -> None:
    """With a code and a message, and all of CloudAPI's headers."""
    ask.cloud.faults.add(Fault("UpdateAccount", "status", when, status=420, code="RequestThrottled", message="No"))
    answer = ask.post("/my", {"city": "Bergen"})

    assert (answer.status_code, answer.json()) == (420, {"code": "RequestThrottled", "message": "No"})
    assert answer.headers["Server"].startswith("cloudapi/")
    assert "Request-Id" in answer.headers
    assert cities(ask.cloud) == ("Bergen" if when == "after" else None)


def test_body_and_headers_can_be_any(inside: Asker) -> None:
    """A status that has no name in the books will do."""
    inside.cloud.faults.add(Fault(status=599, body=["x"], headers={"Retry-After": "7"}))
    answer = inside.get("/my")

    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (599, ["x"], "7")
    assert answer.reason == "Unknown"


def test_throttled_request_is_a_429(inside: Asker) -> None:
    """As CloudAPI sends it, without Retry-After unless that is asked for."""
    inside.cloud.faults.add(Fault("GetAccount", "throttled"))

    assert refusal(inside.get("/my")) == (429, "TooManyRequestsError")


def test_maintenance_says_when_it_ends(inside: Asker) -> None:
    """With a date, and with the headers that tell it from the proxy's answer."""
    inside.cloud.faults.add(Fault("GetAccount", "maintenance", seconds=90))
    answer = inside.get("/my")

    assert refusal(answer) == (503, "ServiceUnavailableError")
    assert answer.headers["Retry-After"] == "Thu, 01 Jan 2026 00:01:30 GMT"
    assert "Request-Id" in answer.headers


def test_proxys_503_is_its_own(ask: Asker) -> None:
    """It has neither Date nor anything of CloudAPI's, and ends the connection."""
    ask.cloud.faults.add(Fault("UpdateAccount", "unavailable", "after"))
    answer = ask.post("/my", {"city": "Bergen"})

    assert refusal(answer) == (503, "ServiceUnavailable")
    assert set(answer.headers) == {"Content-Type", "Content-Length", "Cache-Control", "Connection"}
    assert cities(ask.cloud) == "Bergen"


def test_html_is_no_json(inside: Asker) -> None:
    """Something in between may answer for itself."""
    inside.cloud.faults.add(Fault("GetAccount", "html"))
    answer = inside.get("/my")

    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")


def test_garbage_is_no_json_either(inside: Asker) -> None:
    """Although it says so."""
    inside.cloud.faults.add(Fault("GetAccount", "garbage"))
    answer = inside.get("/my")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_empty_answer_has_a_good_status(inside: Asker) -> None:
    """And nothing else."""
    inside.cloud.faults.add(Fault("GetAccount", "empty"))
    answer = inside.get("/my")

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("kind", ["garbage", "unavailable", "html", "status"])
def test_head_has_no_body_in_any_case(ask: Asker, kind: str) -> None:
    """What the proxy says is not said to a HEAD."""
    ask.cloud.faults.add(Fault("HeadAccount", kind))

    assert ask("HEAD", "/my").content == b""
    assert ask.get("/my").status_code == 200


def test_redirect_leads_elsewhere(inside: Asker) -> None:
    """To a place of one's choice."""
    inside.cloud.faults.add(Fault("GetAccount", "redirect"))
    inside.cloud.faults.add(Fault("GetAccount", "redirect", headers={"Location": "https://x.invalid/"}))

    assert [inside.get("/my").headers["Location"] for _ in range(2)] == [
        "https://elsewhere.invalid/",
        "https://x.invalid/",
    ]


def test_wrong_clock_refuses_what_was_right(ask: Asker) -> None:
    """Its Date tells how wrong it is, and a request by that time is good."""
    ask.cloud.faults.add(Fault("GetAccount", "clock", seconds=3600, times=2))
    answer = ask.get("/my")

    assert refusal(answer) == (400, "InvalidHeader")
    assert "clock skew of 3600s" in answer.json()["message"]
    assert ask.get("/my", headers={"Date": answer.headers["Date"]}).status_code == 200
    assert ask.get("/my").status_code == 200


# When a fault happens


def test_a_fault_shows_what_is_particular_about_it() -> None:
    """As one would write it."""
    assert repr(Fault("CreateMachine", "reset")) == "Fault(operation='CreateMachine', kind='reset', when='before')"
    assert repr(Fault(body=None, headers={"a": "b"}, times=None)) == (
        "Fault(when='before', times=None, body=None, headers={'a': 'b'})"
    )


def test_fault_happens_to_its_operation(inside: Asker) -> None:
    """An action counts as an operation of its own, wherever its name stands."""
    machine = inside.create()
    inside.cloud.faults.add(Fault("StopMachine"))

    assert inside.act(machine, "reboot").status_code == 202
    assert inside.post(f"/my/machines/{machine}", {"action": "stop"}).status_code == 500
    assert inside.act(machine, "stop").status_code == 202


def test_fault_may_happen_to_anything(inside: Asker) -> None:
    """Even to a path that is none, and before anybody looks at the signature."""
    inside.cloud.faults.add(Fault(status=500, times=2))
    inside.session.auth = None

    assert [inside.get("/a/b/c/d").status_code, inside.get("/my").status_code, inside.get("/my").status_code] == [
        500,
        500,
        401,
    ]


def test_fault_is_counted(inside: Asker) -> None:
    """So many times, after so many requests, or for ever."""
    inside.cloud.faults.add(Fault("GetAccount", times=2, skip=1))
    assert [inside.get("/my").status_code for _ in range(4)] == [200, 500, 500, 200]
    assert inside.cloud.faults.pending() == []

    inside.cloud.faults.add(Fault("GetAccount", times=None))
    assert [inside.get("/my").status_code for _ in range(4)] == [500] * 4
    assert len(inside.cloud.faults.pending()) == 1
    inside.cloud.faults.clear()
    assert inside.get("/my").status_code == 200


def test_faults_come_in_order(inside: Asker) -> None:
    """The first that fits happens."""
    for status in (500, 502):
        inside.cloud.faults.add(Fault("GetAccount", status=status))

    assert [inside.get("/my").status_code for _ in range(3)] == [500, 502, 200]


def test_fault_may_depend_on_the_request(inside: Asker) -> None:
    """A test of one's own decides."""
    inside.cloud.faults.add(Fault(where=lambda request: "limit" in request.target, times=None))

    assert inside.get("/my/machines").status_code == 200
    assert inside.get("/my/machines?limit=1").status_code == 500


def test_chance_comes_from_the_seed() -> None:
    """The same seed gives the same bad luck."""

    def luck(seed: int) -> list[int]:
        ask = Asker(Emulator(seed))
        ask.cloud.faults.add(Fault(probability=0.5, times=None))
        return [ask.get("/--ping").status_code for _ in range(40)]

    assert luck(1) == luck(1)
    assert set(luck(1)) == {200, 500}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "fire"}, "unknown kind of fault 'fire'"),
        ({"when": "meanwhile"}, "when must be 'before' or 'after', got 'meanwhile'"),
        ({"kind": "truncate", "when": "before"}, "so when must be 'after'"),
    ],
)
def test_impossible_fault_is_refused(options: dict[str, Any], words: str) -> None:
    """With words that say why."""
    with pytest.raises(ValueError, match=words):
        Fault(**options)


def test_trace_names_the_fault(inside: Asker) -> None:
    """A request that nobody answered has status 0, and is told all the same."""
    inside.cloud.faults.add(Fault("UpdateAccount", "reset"))
    with pytest.raises(requests.ConnectionError):
        inside.post("/my", {"city": "Bergen"})

    asked = inside.cloud.trace[-1]
    assert (asked.operation, asked.status, asked.fault, asked.body) == ("UpdateAccount", 0, "reset", {"city": "Bergen"})


@pytest.mark.parametrize("kind", KINDS)
def test_server_goes_on_after_any_fault(cloud: Emulator, kind: str) -> None:
    """Whatever happens to one connection leaves the others alone."""
    with Server(cloud) as server:
        cloud.faults.add(Fault("*" if kind in CONNECTING else "Ping", kind, seconds=0.01))
        parts = urlsplit(server.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=5)
        try:
            connection.request("GET", "/--ping")
            connection.getresponse().read(100_000)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        assert requests.get(f"{server.url}/--ping", timeout=5).status_code == 200


def test_server_stops_in_the_middle_of_a_stall(cloud: Emulator) -> None:
    """Closing does not wait for the fault to end."""
    cloud.faults.add(Fault("Ping", "stall"))
    with Server(cloud) as server:
        parts = urlsplit(server.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        connection.request("GET", "/--ping")
        while not cloud.trace:
            requests.get(f"{server.url}/docs", timeout=5, allow_redirects=False)
    with pytest.raises((OSError, http.client.HTTPException)):
        connection.getresponse()
    connection.close()
