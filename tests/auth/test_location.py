"""Where a data centre is: URLs, hosts, names, and what is none of these."""

from __future__ import annotations

from typing import Any

import pytest

from smartdc import KNOWN_LOCATIONS, TELEFONICA_LOCATIONS, ConfigError, DataCenter

PLACES = {
    "https://cloud.example": "https://cloud.example",
    "https://cloud.example/": "https://cloud.example",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    "https://cloud.example:8443/": "https://cloud.example:8443",
    "https://cloud.example/api/cloudapi/": "https://cloud.example/api/cloudapi",
    "cloud.example": "https://cloud.example",
    "cloud.example:8443": "https://cloud.example:8443",
    "10.0.0.1": "https://10.0.0.1",
    "10.0.0.1:8443": "https://10.0.0.1:8443",
    "localhost": "https://localhost",
    "localhost:8443": "https://localhost:8443",
    "https://[::1]": "https://[::1]",
    "[::1]": "https://[::1]",
    "[2001:db8::1]:8443": "https://[2001:db8::1]:8443",
    "us-central-1": "https://us-central-1.api.mnx.io",
}
NONSENSE = [
    "us-west-1", "nowhere", "https://", "https:///path", "ftp://cloud.example", "https://cloud.example?x=1",
    "https://cloud.example#top",
    "cloud.example:port", "cloud.example:99999", "https://[::1", "::1", "cloud example", "https://cloud.example\r\nX: y",
    "clöud.example", " ",
]  # fmt: skip


@pytest.mark.parametrize(("location", "url"), PLACES.items())
def test_location(location: str, url: str) -> None:
    """A location is a URL, a host with a port or not, or a known name; HTTPS unless a URL says otherwise."""
    dc = DataCenter(location)
    assert (dc.base_url, dc.location) == (url, location)


@pytest.mark.parametrize("location", NONSENSE)
def test_nonsense(location: str) -> None:
    """What is no location is refused at once, with what would be one."""
    with pytest.raises(
        ConfigError, match=r"invalid location .*: give a URL|expected one of us-central-1, or for a host"
    ):
        DataCenter(location)


@pytest.mark.parametrize(
    "location",
    [
        "https://bob:secret@cloud.example",
        "https://:secret@cloud.example",
        "bob:secret@cloud.example:8443",
        "secret@host",
    ],
)
def test_location_with_a_user(location: str) -> None:
    """A user or a password in a URL is refused, and the error does not repeat it."""
    with pytest.raises(ConfigError, match="must not contain a user name or a password") as caught:
        DataCenter(location)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("nothing", [None, ""])
def test_none(nothing: Any) -> None:
    """Without a location, an environment or a profile the error says what to set."""
    with pytest.raises(ConfigError, match=r"no location given.*location=.*TRITON_URL.*SDC_URL.*triton profile create"):
        DataCenter(nothing)


def test_known_locations_of_ones_own() -> None:
    """Names for URLs can be given to one data centre; the dict stays the caller's, and no other client sees it."""
    mine = {"lab": "https://lab.example/", "office": "office.example:8443"}
    dc = DataCenter("lab", known_locations=mine)
    assert (dc.base_url, DataCenter("office", known_locations=mine).base_url) == (
        "https://lab.example",
        "https://office.example:8443",
    )
    dc.known_locations["new"] = "https://new.example"
    assert mine == {"lab": "https://lab.example/", "office": "office.example:8443"}
    with pytest.raises(ConfigError, match="unknown location 'lab'; expected one of us-central-1"):
        DataCenter("lab")


def test_known_locations_replace_the_usual_ones() -> None:
    """With names of one's own the usual ones are not known any more."""
    with pytest.raises(ConfigError, match="expected one of lab, office, or for a host https://us-central-1"):
        DataCenter("us-central-1", known_locations={"office": "https://office.example", "lab": "https://lab.example"})
    with pytest.raises(ConfigError, match=r"expected one of the known locations \(there are none\), or"):
        DataCenter("us-central-1", known_locations={})


def test_names_can_be_added_to_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put into `KNOWN_LOCATIONS` is known to every client that is made afterwards, and to no other."""
    before = DataCenter("https://cloud.example")
    monkeypatch.setitem(KNOWN_LOCATIONS, "lab", "https://lab.example")
    assert DataCenter("lab").base_url == "https://lab.example"
    assert "lab" not in before.known_locations
    assert TELEFONICA_LOCATIONS == {}


@pytest.mark.parametrize("location", [["https://cloud.example"], [], 7, b"cloud.example"])
def test_location_that_is_no_text(location: Any) -> None:
    """What is neither a URL nor a host nor a name is refused in words."""
    with pytest.raises(
        ConfigError, match=r"location must be a URL, a host, or one of us-central-1, not a|no location given"
    ):
        DataCenter(location)


def test_path_of_a_url_is_kept(odd_server: Any) -> None:
    """Requests go below the path of the URL, whether it ends in a slash or not."""
    odd_server.get("https://cloud.example/api/demo", json={"id": "a", "login": "demo"})
    for location in ("https://cloud.example/api", "https://cloud.example/api/"):
        with DataCenter(location, login="demo") as dc:
            assert dc.account().login == "demo"
