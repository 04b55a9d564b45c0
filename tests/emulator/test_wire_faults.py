"""Faults of connections and of the bytes of answers, as a client that takes no care sees them through both doors."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from kits.emulator_signer import Asker
from smartdc.emulator import Emulator, Fault, Server
from smartdc.emulator.faults.adapter import _FAULTS as ADAPTER_FAULTS
from smartdc.emulator.faults.answers import packed_blanks
from smartdc.emulator.faults.plan import ARRIVING, CONNECTING, KINDS, ON_THE_WIRE, SPOILING
from smartdc.emulator.faults.server import _FAULTS as SERVER_FAULTS

pytest_plugins = ("kits.emulator_fixtures",)


@pytest.fixture
def secure(cloud: Emulator) -> Iterator[Server]:
    """A server that speaks TLS."""
    with Server(cloud, tls=True) as server:
        yield server


def cities(cloud: Emulator) -> str | None:
    """Return the city that the account has by now."""
    return cloud.state.accounts["demo"].profile.get("city")


def test_each_door_knows_every_kind() -> None:
    """What happens on the wire is done by both doors."""
    advice = "mark a function for it in faults/adapter.py and in faults/server.py"
    assert set(ADAPTER_FAULTS) == set(SERVER_FAULTS) == set(ON_THE_WIRE), advice


def test_the_guide_tells_of_every_kind() -> None:
    """And of none that there is not."""
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "faults.md").read_text(encoding="utf-8")
    _, *tables = guide.split("| kind | ")
    told = re.findall(r"^\| `([a-z-]+)` \|", "".join(tables), re.MULTILINE)

    assert sorted(told) == sorted(KINDS), "each kind has a row in one of the tables"


# Before a request is read


@pytest.mark.parametrize("kind", ["refused", "hangup"])
def test_connection_is_not_to_be_had(ask: Asker, kind: str) -> None:
    """As often as it was asked for; then everything is well."""
    ask.cloud.faults.add(Fault(kind=kind, times=2))

    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            ask.get("/my")
    assert ask.get("/my").status_code == 200


def test_server_may_be_away(cloud: Emulator) -> None:
    """Whoever connects is refused, kept connections are ended, and the URL stays the same."""
    with Server(cloud) as server:
        ask, url = Asker(cloud, server.url), server.url
        assert ask.get("/my").status_code == 200
        with server.away():
            with pytest.raises(requests.ConnectionError):
                ask.get("/my")
            with pytest.raises(requests.ConnectionError, match="refused"):
                ask.get("/my")
        assert server.url == url
        assert ask.get("/my").status_code == 200
        ask.session.close()


@pytest.mark.parametrize("kind", ["expired", "misnamed", "self-signed"])
def test_certificate_is_not_to_be_trusted(secure: Server, kind: str) -> None:
    """For one reason each, and only for as many connections as was asked for."""
    reason = {"expired": "expired", "misnamed": "mismatch", "self-signed": "self-signed"}[kind]
    secure.core.faults.add(Fault(kind=kind))  # type: ignore[attr-defined]

    with pytest.raises(requests.exceptions.SSLError, match=reason):
        requests.get(f"{secure.url}/--ping", timeout=5, verify=secure.ca)
    assert requests.get(f"{secure.url}/--ping", timeout=5, verify=secure.ca).status_code == 200


def test_handshake_is_cut(cloud: Emulator, secure: Server) -> None:
    """The client has begun to speak TLS, and is not answered."""
    cloud.faults.add(Fault(kind="cut-handshake"))
    context = ssl.create_default_context(cafile=secure.ca)
    plain = socket.create_connection(("127.0.0.1", secure.port), timeout=5)

    with plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.parametrize("kind", CONNECTING[2:])
def test_process_has_the_errors_of_tls_too(cloud: Emulator, kind: str) -> None:
    """A client within the process gets the exception that the real adapter raises."""
    ask = Asker(cloud)
    cloud.faults.add(Fault(kind=kind))

    with pytest.raises(requests.exceptions.SSLError):
        ask.get("/my")
    assert ask.get("/my").status_code == 200


def test_plain_server_has_no_faults_of_tls(cloud: Emulator) -> None:
    """They wait for a server that speaks it."""
    cloud.faults.add(Fault(kind="expired"))
    with Server(cloud) as server:
        assert requests.get(f"{server.url}/--ping", timeout=5).status_code == 200
    assert len(cloud.faults.pending()) == 1


def test_request_is_interrupted(ask: Asker) -> None:
    """The connection is reset when no more than the head was read, and nothing is done."""
    ask.cloud.faults.add(Fault("UpdateAccount", "interrupt"))

    with pytest.raises(requests.ConnectionError):
        ask.post("/my", {"city": "Bergen", "phone": "0" * 50_000})
    assert cities(ask.cloud) is None
    assert (ask.cloud.trace[-1].fault, ask.cloud.trace[-1].status) == ("interrupt", 0)
    assert ask.get("/my").status_code == 200


def test_other_requests_are_not_interrupted(ask: Asker) -> None:
    """The head tells what is asked for."""
    ask.cloud.faults.add(Fault("UpdateAccount", "interrupt"))

    assert ask.get("/my").status_code == 200


@pytest.mark.parametrize("kind", [*CONNECTING, *ARRIVING])
def test_what_is_not_read_cannot_take_effect(kind: str) -> None:
    """These kinds come before the change or not at all."""
    with pytest.raises(ValueError, match="ends the connection before the request is read"):
        Fault(kind=kind, when="after")


@pytest.mark.parametrize("options", [{"operation": "GetAccount"}, {"where": lambda _: True}])
def test_what_happens_to_a_connection_is_not_for_some_requests(options: dict[str, object]) -> None:
    """Nobody knows yet what will be asked for over it."""
    with pytest.raises(ValueError, match="takes neither operation nor where"):
        Fault(kind="refused", **options)  # type: ignore[arg-type]


# After the change


@pytest.mark.parametrize("kind", SPOILING)
def test_spoiled_answers_come_after_the_change(ask: Asker, kind: str) -> None:
    """The change is made, whatever becomes of the answer."""
    ask.cloud.faults.add(Fault("UpdateAccount", kind, seconds=0.05))
    with contextlib.suppress(requests.RequestException):
        ask.post("/my", {"city": "Bergen"}, timeout=2)

    assert cities(ask.cloud) == "Bergen"


@pytest.mark.parametrize("kind", ["stall-body", "long-length"])
def test_body_that_does_not_end_outlasts_the_client(ask: Asker, kind: str) -> None:
    """It waits for the rest until it has had enough."""
    ask.cloud.faults.add(Fault("GetAccount", kind))

    with pytest.raises((requests.ConnectionError, requests.Timeout)):
        ask.get("/my", timeout=0.05)


def test_short_length_cuts_the_body(ask: Asker) -> None:
    """The client has what it was promised, which is half of it."""
    whole = ask.get("/my").content
    ask.cloud.faults.add(Fault("GetAccount", "short-length"))

    assert ask.get("/my").content == whole[: len(whole) // 2]


def test_two_lengths_are_one_too_many(ask: Asker) -> None:
    """They differ."""
    ask.cloud.faults.add(Fault("GetAccount", "double-length"))

    with pytest.raises(requests.exceptions.InvalidHeader):
        ask.get("/my")


def test_garbage_among_chunks_is_an_error(ask: Asker) -> None:
    """The first chunk is right."""
    ask.cloud.faults.add(Fault("GetAccount", "chunk-garbage"))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask.get("/my")


@pytest.mark.parametrize("when", ["before", "after"])
def test_endless_answer_never_ends(ask: Asker, when: str) -> None:
    """However much is read of it, more comes."""
    ask.cloud.faults.add(Fault("UpdateAccount", "endless", when))
    with ask.post("/my", {"city": "Bergen"}, stream=True) as answer:
        read = sum(len(answer.raw.read(2**16)) for _ in range(64))

    assert read == 64 * 2**16
    assert cities(ask.cloud) == ("Bergen" if when == "after" else None)


def test_bomb_is_small_until_it_is_unpacked(ask: Asker) -> None:
    """A megabyte on the wire at most, and 300 in memory."""
    ask.cloud.faults.add(Fault("GetAccount", "bomb"))
    with ask.get("/my", stream=True) as answer:
        packed = answer.raw.read(decode_content=False)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 2**20
    assert packed == packed_blanks(300)
    assert len(gzip.decompress(packed_blanks(3))) == 3 * 2**20


def test_wrong_type_is_good_json(ask: Asker) -> None:
    """And neither a thing nor a list of things."""
    ask.cloud.faults.add(Fault("GetAccount", "wrong-type"))

    assert ask.get("/my").json() == 42


def test_redirect_may_lead_in_a_circle(ask: Asker) -> None:
    """To where the client just was."""
    ask.cloud.faults.add(Fault("GetAccount", "redirect-loop"))
    answer = ask.get("/my?x=1")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/my?x=1")


@pytest.mark.parametrize("kind", ["truncate", "stall-body", "dribble"])
def test_answer_without_a_body_is_spoiled_in_its_head(ask: Asker, kind: str) -> None:
    """A 204 that breaks off is still a 204, if that much of it came."""
    [machine] = ask.cloud.populate(1)
    ask.cloud.faults.add(Fault("DeleteMachine", kind, seconds=0.02))
    try:
        assert ask("DELETE", f"/my/machines/{machine.id}").status_code == 204
    except requests.RequestException:
        assert kind == "stall-body"

    assert [job.action for job in machine.jobs] == ["destroy"]


def test_wsgi_gives_up_where_it_cannot_spoil(cloud: Emulator) -> None:
    """A server that is not ours ends the connection in its own way."""
    cloud.faults.add(Fault("Ping", "chunk-garbage"))
    parts = urlsplit("http://localhost/--ping")
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": parts.path, "HTTP_HOST": "localhost", "wsgi.url_scheme": "http"}

    with pytest.raises(ConnectionAbortedError):
        cloud(environ, lambda *_: None)
