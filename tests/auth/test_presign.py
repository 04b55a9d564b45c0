"""URLs that are signed for others: checked by the emulator, which shares no code with the signer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests

from smartdc import ConfigError, DataCenter, InputError
from smartdc.emulator import Emulator, Server, VirtualClock


@pytest.fixture
def client(cloud: Emulator, dc: DataCenter) -> requests.Session:
    """Somebody without a key, at the same door as the data centre."""
    session = requests.Session()
    connection = cloud.connection()
    if dc.base_url == connection["location"]:
        session.mount(dc.base_url, connection["adapter"])
    return session


def test_anybody_may_use_the_url(dc: DataCenter, client: requests.Session) -> None:
    """A pre-signed URL works without a key, with its own query."""
    url = dc.presign("GET", "/machines", params={"limit": 5, "tag.a b": "ü/+&"})

    assert client.get(url).json() == []


def test_one_method_is_signed_for(dc: DataCenter, client: requests.Session) -> None:
    """A URL for GET cannot be used to change anything."""
    assert client.post(dc.presign("GET", "/machines")).status_code >= 400


def test_several_methods_may_be_signed_for(dc: DataCenter, client: requests.Session) -> None:
    """A URL for GET and HEAD serves both, and no third."""
    url = dc.presign(["HEAD", "get"], "/machines")

    assert [client.get(url).status_code, client.head(url).status_code] == [200, 200]
    assert client.delete(url).status_code >= 400


def test_it_ends(cloud: Emulator, dc: DataCenter, client: requests.Session) -> None:
    """After its time a URL is worth nothing."""
    url = dc.presign("GET", "/machines", expires=60)
    assert client.get(url).status_code == 200
    cloud.clock.sleep(61)

    assert "expired" in client.get(url).text


def test_it_may_end_at_a_moment(cloud: Emulator, dc: DataCenter) -> None:
    """The end may be an aware datetime, and is written in whole seconds."""
    moment = datetime.fromtimestamp(cloud.clock.time() + 60, UTC)

    assert f"expires={int(moment.timestamp())}" in dc.presign("GET", "/machines", expires=moment)


@pytest.mark.parametrize(
    ("old", "new"), [("/machines", "/packages"), ("limit=5", "limit=6"), ("expires=1", "expires=2"), ("demo", "my")]
)
def test_a_changed_url_is_refused(dc: DataCenter, client: requests.Session, old: str, new: str) -> None:
    """Path, query, end and account are covered by the signature."""
    url = dc.presign("GET", "/machines", params={"limit": 5})

    assert client.get(url.replace(old, new, 1)).status_code >= 400


@pytest.mark.parametrize("name", ["signature", "keyId", "expires", "algorithm", "method"])
def test_what_the_signature_adds_cannot_be_given(dc: DataCenter, name: str) -> None:
    """A parameter of the signature's own is refused."""
    with pytest.raises(InputError, match=name):
        dc.presign("GET", "/machines", params={name: "x"})


@pytest.mark.parametrize("method", ["TRACE", "", []])
def test_a_method_that_cloudapi_does_not_have_is_refused(dc: DataCenter, method: str | list[str]) -> None:
    """Only verbs that CloudAPI knows can be signed for."""
    with pytest.raises(InputError, match="cannot pre-sign"):
        dc.presign(method, "/machines")


def test_a_foreign_auth_cannot_sign_urls() -> None:
    """Without a key of its own a data centre says so."""
    dc = DataCenter("https://cloudapi.example.com", auth=requests.auth.HTTPBasicAuth("a", "b"))

    with pytest.raises(ConfigError, match="key of its own"):
        dc.presign("GET", "/machines")


def test_the_server_sees_the_signed_host() -> None:
    """The host is covered with its port, as it is sent."""
    cloud = Emulator(clock=VirtualClock())
    with Server(cloud) as server, DataCenter(**cloud.connection(server.url)) as dc:
        url = dc.presign("GET", "/packages")

        assert len(requests.get(url, timeout=10).json()) >= 6
