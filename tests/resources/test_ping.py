"""What CloudAPI says of itself without a signature, and the data centres of other clouds."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses

from kits.cloud import sent
from smartdc import CallTimeout, DataCenter, InvalidCredentials, NotAuthorized, TransportError
from smartdc.emulator import Emulator, Fault

TOKEN = {"keyid": "/app/keys/k", "data": "x", "version": "0.1.0", "hash": "y"}
FOREIGN = [{"name": "east", "url": "https://east.example", "token": "t"}]


def test_ping(dc: DataCenter, cloud: Emulator) -> None:
    """``Ping`` is answered to anybody: nothing is signed."""
    answer = dc.ping()
    assert answer == {"ping": "pong", "cloudapi": {"versions": dc.versions()[::-1]}}
    assert sent(cloud, "Ping") == ("GET", "/--ping", {})
    assert cloud.trace[0].account is None


def test_versions(dc: DataCenter) -> None:
    """``Ping`` tells the versions of the API, the newest first."""
    assert dc.versions() == ["9.0.0", "8.0.0", "7.3.0", "7.2.0", "7.1.0", "7.0.0"]


def test_ping_needs_no_key(cloud: Emulator) -> None:
    """``Ping`` works for who has no key at all."""
    connection = {
        name: value for name, value in cloud.connection().items() if name not in {"key_id", "secret", "login"}
    }
    with DataCenter(**connection) as dc:
        assert dc.ping()["ping"] == "pong"


def test_ping_in_time(cloud: Emulator) -> None:
    """``Ping`` takes a time-out of its own."""
    cloud.faults.add(Fault("Ping", kind="stall", when="before", times=None))
    with DataCenter(**cloud.connection()) as dc, pytest.raises(CallTimeout, match="within 5 s"):
        dc.ping(timeout=5)


def test_ping_of_nobody() -> None:
    """Where nothing listens, ``Ping`` says so."""
    with DataCenter("http://127.0.0.1:1", timeout=0.2) as dc, pytest.raises(TransportError):
        dc.ping()


def test_versions_of_an_older_server(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """Where ``Ping`` tells no versions, there are none."""
    odd_server.get("http://odd.test/--ping", json={"ping": "pong"})
    assert odd_dc.versions() == []


def test_foreign_datacenters(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """``ListForeignDatacenters`` takes the application's token, as a dict or as JSON."""
    odd_server.get("http://odd.test/my/foreigndatacenters", json=FOREIGN)
    assert odd_dc.foreign_datacenters(TOKEN) == odd_dc.foreign_datacenters(json.dumps(TOKEN)) == FOREIGN
    assert [json.loads(call.request.headers["X-Auth-Token"]) for call in odd_server.calls] == [TOKEN, TOKEN]


def test_add_foreign_datacenter(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """``AddForeignDatacenter`` sends name, URL and token of a data centre."""
    odd_server.post("http://odd.test/my/foreigndatacenters", json=FOREIGN)
    assert odd_dc.add_foreign_datacenter("east", "https://east.example", "t", auth_token=TOKEN) == FOREIGN
    request: Any = odd_server.calls[0].request
    assert json.loads(request.body) == FOREIGN[0]
    assert json.loads(request.headers["X-Auth-Token"]) == TOKEN


def test_token_that_nobody_knows(dc: DataCenter, cloud: Emulator) -> None:
    """``ListForeignDatacenters`` is refused for a token that CloudAPI cannot read."""
    with pytest.raises(InvalidCredentials, match="token provided is not authorized"):
        dc.foreign_datacenters(TOKEN)
    assert "x-auth-token" not in cloud.trace[-1].headers


@pytest.mark.parametrize(("operation", "method"), [("ListForeignDatacenters", "GET"), ("AddForeignDatacenter", "POST")])
def test_no_token(dc: DataCenter, cloud: Emulator, operation: str, method: str) -> None:
    """``ListForeignDatacenters`` and ``AddForeignDatacenter`` are refused without a token."""
    with pytest.raises(NotAuthorized, match="auth token delegated authorization"):
        dc.request(method, "/foreigndatacenters")
    assert sent(cloud, operation) == (method, "foreigndatacenters", {})
