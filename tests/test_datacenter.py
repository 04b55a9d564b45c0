"""A data centre: any request, who asks, where it is, and the others of its cloud."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from requests.adapters import HTTPAdapter

from kits.cloud import account, query, sent
from smartdc import (
    ConfigError,
    DataCenter,
    InputError,
    InvalidCredentials,
    KeyFileError,
    Machine,
    ResourceNotFound,
    __version__,
)
from smartdc.emulator import Emulator, Server


def new_key() -> tuple[str, str]:
    """Return a new private key and its public line."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_request(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """Any operation can be asked for by hand: ``GetMachine`` by method and path gives its decoded body and the answer."""
    decoded, response = dc.request("GET", f"/machines/{machine.id}")
    assert sent(cloud, "GetMachine") == ("GET", machine.path, {})
    assert decoded["name"] == "web-1"
    assert isinstance(response, requests.Response)
    assert (response.status_code, response.headers["Api-Version"][0]) == (200, "9")


def test_request_with_everything(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """A request takes headers, a body that becomes JSON, and a query in which None is left out: ``AddMachineTags``."""
    headers, params = {"Request-Id": "abc"}, {"a": True, "b": 0, "c": None, "d": "ä b", "e": ""}
    decoded, response = dc.request("post", f"{machine.path}/tags", headers, {"role": "web"}, params=params)
    assert sent(cloud, "AddMachineTags") == ("POST", f"{machine.path}/tags?a=true&b=0&d=%C3%A4%20b&e=", {"role": "web"})
    assert cloud.trace[-1].headers["request-id"] == response.headers["Request-Id"] == "abc"
    assert decoded["role"] == "web"


def test_request_of_the_account(dc: DataCenter, cloud: Emulator) -> None:
    """An empty path is the account itself: ``GetAccount``."""
    assert dc.request("GET", "")[0]["login"] == "demo"
    assert sent(cloud, "GetAccount") == ("GET", "", {})


def test_request_without_an_answer(dc: DataCenter, machine: Machine) -> None:
    """An answer without a body is None: ``StopMachine``."""
    decoded, response = dc.request("POST", machine.path, params={"action": "stop"})
    assert (decoded, response.status_code) == (None, 202)


def test_request_that_is_refused(dc: DataCenter) -> None:
    """What CloudAPI refuses is raised, and never returned as if it were data."""
    with pytest.raises(ResourceNotFound, match="GET /demo/keys/nobody: 404 ResourceNotFound: nobody does not exist"):
        dc.request("GET", "/keys/nobody")


@pytest.mark.parametrize("path", ["/", "//machines", "../machines", "/machines/../keys", "/machines//x", "/a?b=c", "/a#b", "/./a", "/a%2e%2e/..",
                                  "/%2e%2e/other", "/a\r\nX: y"])  # fmt: skip
def test_request_of_a_path_that_is_none(dc: DataCenter, cloud: Emulator, path: str) -> None:
    """A path that another hop would read differently is refused before anything is sent."""
    with pytest.raises(InputError):
        dc.request("GET", path)
    assert not cloud.trace


def test_request_of_too_much(dc: DataCenter, cloud: Emulator) -> None:
    """A body over CloudAPI's limit, or one that is no JSON, is refused before anything is sent."""
    with pytest.raises(InputError, match="CloudAPI takes at most 100,000"):
        dc.request("POST", "/keys", data={"key": "x" * 100_000})
    with pytest.raises(InputError, match="cannot be encoded as JSON"):
        dc.request("POST", "/keys", data={"key": object()})
    assert not cloud.trace


def test_url(dc: DataCenter) -> None:
    """The URL of a data centre is that of the account in it, and what follows is a path."""
    assert dc.url == f"{dc.base_url}/demo/"
    assert DataCenter("http://127.0.0.1:1").url == "http://127.0.0.1:1/my/"
    assert (
        DataCenter("http://127.0.0.1:1", login="bob@example.com/x").url == "http://127.0.0.1:1/bob%40example.com%2Fx/"
    )


@pytest.mark.parametrize("path", ["machines", "/machines"])
def test_path_with_and_without_a_slash(dc: DataCenter, machine: Machine, cloud: Emulator, path: str) -> None:
    """A path is what follows the account; a slash in front of it changes nothing."""
    decoded, _ = dc.request("GET", path, params={"limit": 1})
    assert [entry["id"] for entry in decoded] == [machine.id]
    assert cloud.trace[-1].path == "/demo/machines?limit=1"


def test_location_can_be_changed(odd_server: Any) -> None:
    """Another location leads elsewhere, with the same settings and another connection."""
    odd_server.get("https://east.example/demo/keys", json=[])
    with DataCenter("west", login="demo", known_locations={"west": "https://west.example", "east": "https://east.example"},
                    headers={"X-Team": "blue"}, timeout=5) as dc:  # fmt: skip
        dc.location = "east"
        assert dc.keys() == []
        assert (dc.location, dc.base_url, dc.timeout) == ("east", "https://east.example", 5)
    assert odd_server.calls[-1].request.headers["X-Team"] == "blue"


def test_hooks_and_adapters_of_the_users_go_along_to_another_location(odd_server: Any) -> None:
    """They count for every call from then on, wherever it goes."""
    seen: list[str] = []

    class Noting(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
            seen.append("adapter")
            return super().send(request, **options)

    odd_server.get("https://east.example/demo/keys", json=[])
    with DataCenter("https://west.example", login="demo") as dc:
        dc.session.http.hooks["response"].append(lambda answer, **_: seen.append(answer.url))
        dc.session.http.mount("https://", Noting())
        dc.location = "https://east.example"
        dc.keys()
    assert seen == ["adapter", "https://east.example/demo/keys"]


def test_location_that_is_refused_changes_nothing(offline: DataCenter) -> None:
    """What leads nowhere is refused, and the data centre stays where it was."""
    with pytest.raises(ConfigError, match="unknown location 'nowhere'"):
        offline.location = "nowhere"
    assert offline.base_url == "http://127.0.0.1:1"


def test_authenticate_without_arguments(dc: DataCenter) -> None:
    """Where there is a key already, nothing changes."""
    before = dc.auth
    dc.authenticate()
    assert dc.auth is before
    with pytest.raises(ConfigError, match="no account to sign for"):
        DataCenter("http://127.0.0.1:1").authenticate()


def test_headers_under_their_former_name(dc: DataCenter) -> None:
    """``default_headers`` and ``headers`` are the same."""
    assert dc.default_headers is dc.headers


def test_login_in_the_place_of_headers() -> None:
    """The fourth argument is for headers; who gives the login there is told so."""
    with pytest.raises(InputError, match="headers must be a dict, not a str; the account to act on goes in login="):
        DataCenter("http://127.0.0.1:1", "/demo/keys/a", "unread", "demo")  # type: ignore[arg-type]


def test_my_account(cloud: Emulator) -> None:
    """Without a login the account is ``my``, which CloudAPI takes for that of the key: ``GetAccount``."""
    with DataCenter(**{**cloud.connection(), "login": None}) as dc:
        assert dc.account().login == "demo"
    assert cloud.trace[-1].path == "/my"


def test_headers_are_sent(cloud: Emulator) -> None:
    """Headers given to a data centre go with every request, over its own where they have the same name."""
    headers = {"X-Team": "blue", "accept-version": "~8", "User-Agent": "script/1"}
    with DataCenter(**cloud.connection(), headers=headers) as dc:
        dc.keys()
    assert headers == {"X-Team": "blue", "accept-version": "~8", "User-Agent": "script/1"}
    told = cloud.trace[-1].headers
    assert (told["x-team"], told["accept-version"], told["user-agent"]) == ("blue", "~8", "script/1")


def test_headers_of_its_own(dc: DataCenter, cloud: Emulator) -> None:
    """Every request says what answers it can read, and who wrote it."""
    dc.account()
    told = cloud.trace[-1].headers
    assert (told["accept"], told["accept-encoding"]) == ("application/json", "identity")
    assert told["user-agent"] == f"smartdc/{__version__}"


def test_settings_may_be_changed_later(dc: DataCenter, cloud: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """What is set on a data centre, also by adding a header, counts from the next call on."""
    dc.headers["X-Team"] = "blue"
    dc.verbose = True
    dc.keys()
    assert cloud.trace[-1].headers["x-team"] == "blue"
    assert "\tGET\t" in capsys.readouterr().err

    dc.headers = {**dc.headers, "X-Team": "red"}
    dc.verify, dc.timeout, dc.verbose = False, 7, None
    dc.keys()
    assert cloud.trace[-1].headers["x-team"] == "red"
    assert (dc.session.verify, dc.session.timeout, capsys.readouterr().err) == (False, 7, "")

    dc.auth = None
    with pytest.raises(InvalidCredentials):
        dc.keys()


SETTINGS: dict[str, Any] = {
    "timeout": 5,
    "verify": False,
    "headers": {"Accept": "application/json"},
    "auth": None,
    "verbose": False,
    "login": "other",
    "progress": True,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_change_keeps_the_one_session(name: str) -> None:
    """The clock's offset, the retries that are left and the way to the server are those of before."""
    with DataCenter("http://127.0.0.1:1") as dc:
        dc.session.clock_offset = 3600.0
        assert dc.session.budget.take()
        session, budget = dc.session, dc.session.budget
        setattr(dc, name, SETTINGS[name])
        assert getattr(dc, name) == SETTINGS[name]
        assert dc.session is session
        assert (session.clock_offset, session.budget) == (3600.0, budget)


def test_a_setting_of_the_session_is_one_of_the_data_centre() -> None:
    """There is one place for each setting."""
    dc = DataCenter("http://127.0.0.1:1", timeout=7)
    dc.session.timeout = 5
    dc.verbose = True
    assert (dc.timeout, dc.session.timeout, dc.session.verbose) == (5, 5, True)


def test_headers_that_are_set_are_not_shared() -> None:
    """To give one data centre the headers of another is to copy them."""
    one, other = DataCenter("http://127.0.0.1:1"), DataCenter("http://127.0.0.1:2")
    other.headers = one.headers
    other.headers["X-Team"] = "blue"
    assert "X-Team" not in one.headers


def test_size_of_the_pool() -> None:
    """As many requests at the same time as were asked for; sixteen unless given otherwise."""
    assert DataCenter("http://127.0.0.1:1").settings.pool_size == 16
    adapter = DataCenter("http://127.0.0.1:1", pool_size=32).session.http.get_adapter("http://127.0.0.1:1")
    assert adapter._pool_maxsize == 32  # type: ignore[attr-defined]


def test_another_data_centre_of_a_subclass() -> None:
    """A subclass may have arguments and attributes of its own, and its data centres are of that class, too."""

    class Lab(DataCenter):
        def __init__(self, team: str) -> None:
            super().__init__("http://127.0.0.1:1", headers={"X-Team": team})
            self.team = team

    other = Lab("blue").datacenter("https://west.example")
    assert (type(other), other.team, other.headers["X-Team"]) == (Lab, "blue", "blue")
    assert other.session is not Lab("blue").session


def test_version_is_asked_for(cloud: Emulator) -> None:
    """Requests say which versions of CloudAPI will do, and the range can be chosen."""
    with DataCenter(**cloud.connection()) as dc, DataCenter(**cloud.connection(), api_version="~7.2") as old:
        dc.keys()
        old.keys()
    assert [asked.headers["accept-version"] for asked in cloud.trace] == ["~9||~8", "~7.2"]


def test_authenticate(dc: DataCenter, cloud: Emulator) -> None:
    """From then on requests are signed with another key."""
    private, public = new_key()
    dc.add_key("laptop", public)
    dc.authenticate("/demo/keys/laptop", private)
    del account(cloud).keys[next(iter(account(cloud).keys))]
    assert dc.key("laptop").name == "laptop"


def test_authenticate_finds_the_key(dc: DataCenter, cloud: Emulator) -> None:
    """Without a secret the key is looked for in ``~/.ssh``, by its fingerprint."""
    folder = Path("~/.ssh").expanduser()
    folder.mkdir(mode=0o700)
    (folder / "id_cloud").write_text(str(cloud.private_key))
    (folder / "id_cloud").chmod(0o600)
    dc.authenticate(cloud.key_id)
    assert dc.account().login == "demo"


def test_authenticate_with_a_key_that_is_unknown(dc: DataCenter) -> None:
    """A key that the account does not have is refused by the server."""
    dc.authenticate("/demo/keys/laptop", new_key()[0])
    with pytest.raises(InvalidCredentials):
        dc.account()


def test_nothing_is_read_or_sent_before_a_call(cloud: Emulator, tmp_path: Path) -> None:
    """The key's file is opened when something is asked for, not by the constructor."""
    connection = {**cloud.connection(), "secret": str(tmp_path / "id_later")}
    with DataCenter(**connection) as dc:
        assert not cloud.trace
        with pytest.raises(KeyFileError, match="id_later"):
            dc.account()
        (tmp_path / "id_later").write_text(str(cloud.private_key))
        (tmp_path / "id_later").chmod(0o600)
        assert dc.account().login == "demo"


def test_datacenters(dc: DataCenter, cloud: Emulator) -> None:
    """``ListDatacenters`` gives URLs by name; this client remembers them, and no other does."""
    other = DataCenter("http://127.0.0.1:1")
    cloud.state.settings.elsewhere = {"east": "https://east.example"}
    found = dc.datacenters()
    assert sent(cloud, "ListDatacenters") == ("GET", "datacenters", {})
    assert found == {"emulator-1": dc.base_url, "east": "https://east.example"}
    assert dc.known_locations["east"] == "https://east.example"
    assert "east" not in other.known_locations
    assert "east" not in DataCenter("http://127.0.0.1:1").known_locations


@pytest.fixture
def east() -> Iterator[Server]:
    """Another data centre of the cloud, that knows the same account and key."""
    with Server(Emulator()) as server:
        yield server


def test_datacenter(cloud: Emulator, east: Server) -> None:
    """``GetDatacenter`` tells where a data centre is, and the one that is returned is asked with the same identity."""
    cloud.state.settings.elsewhere = {"east": east.url}
    with Server(cloud) as server, DataCenter(**cloud.connection(server.url)) as dc:
        other = dc.datacenter("east")
        assert sent(cloud, "GetDatacenter") == ("GET", "datacenters/east", {})
        assert (other.base_url, other.login, other.auth) == (east.url, "demo", dc.auth)
        assert other.account().login == "demo"
        assert len(cloud.trace) == 1
        assert dc.datacenter("east") == other
        assert len(cloud.trace) == 1
        other.close()


@pytest.mark.parametrize("place", ["https://west.example", "west.example:8443", "[::1]:8443", "us-central-1"])
def test_datacenter_that_needs_no_asking(dc: DataCenter, cloud: Emulator, place: str) -> None:
    """A URL, a host or a known name is not asked for."""
    assert dc.datacenter(place).base_url == DataCenter(place).base_url
    assert not cloud.trace


def test_datacenter_keeps_class_and_settings(cloud: Emulator) -> None:
    """Another data centre is of the same class, with the same headers, versions and time-out, and shares nothing."""

    class Mine(DataCenter):
        API_VERSION = "~8"

    with Mine(**cloud.connection(), headers={"X-Team": "blue"}, timeout=7, roles=["reader"]) as dc:
        other = dc.datacenter("https://west.example")
    assert type(other) is Mine
    assert (other.headers, other.timeout, other.active_roles) == (dc.headers, 7, ["reader"])
    assert (other.headers["Accept-Version"], other.session.timeout) == ("~8", 7)
    other.headers["X-Team"] = "red"
    other.active_roles.append("writer")
    other.known_locations["lab"] = "https://lab.example"
    assert "lab" not in dc.known_locations
    assert (dc.headers["X-Team"], dc.active_roles) == ("blue", ["reader"])


def test_datacenter_elsewhere(dc: DataCenter, cloud: Emulator) -> None:
    """``GetDatacenter`` is a redirect, and the place that it leads to is not asked."""
    cloud.state.settings.elsewhere = {"east": "https://east.example"}

    assert dc.datacenter("east").base_url == "https://east.example"
    assert sent(cloud, "GetDatacenter") == ("GET", "datacenters/east", {})
    assert [asked.status for asked in cloud.trace] == [302]


def test_datacenter_that_is_not_there(dc: DataCenter) -> None:
    """``GetDatacenter`` says that there is no such data centre."""
    with pytest.raises(ResourceNotFound, match="nowhere is not an available datacenter"):
        dc.datacenter("nowhere")


def test_datacenter_that_the_server_does_not_locate(odd_server: Any, odd_dc: DataCenter) -> None:
    """A ``GetDatacenter`` that does not say where is an error, and no data centre at nowhere."""
    odd_server.get("http://odd.test/my/datacenters/east", json={})
    with pytest.raises(ConfigError, match="does not say where the data centre 'east' is"):
        odd_dc.datacenter("east")


def test_verbose(cloud: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``verbose`` each request is a line on stderr, without anything secret in it."""
    with DataCenter(**cloud.connection(), verbose=True) as dc:
        dc.packages(name="g1-small")
    line = capsys.readouterr().err
    assert line.endswith("\tGET\thttp://cloudapi.emulator/demo/packages?name=g1-small\n")
    assert line.count("\n") == 1


def test_roles(cloud: Emulator) -> None:
    """Roles are taken on with every request, except where CloudAPI would take them for data: ``AddMachineTags``."""
    [there] = cloud.populate(1)
    with DataCenter(**cloud.connection(), roles=["reader", "writer"]) as dc:
        machine = dc.machine(there.id)
        machine.add_tags(role="web")
    assert query(cloud, "GetMachine") == {"as-role": "reader,writer"}
    assert sent(cloud, "AddMachineTags")[1] == f"{machine.path}/tags"


def test_role_may_be_a_single_one() -> None:
    """A single role need not be put in a list."""
    assert DataCenter("http://127.0.0.1:1", roles="reader").active_roles == ["reader"]


def test_key_belongs_to_the_login_unless_it_says_otherwise() -> None:
    """A fingerprint alone is of a key of the account that is acted on; a key id in path form says whose key it is."""
    md5 = "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"
    assert repr(DataCenter("http://127.0.0.1:1", md5, login="demo").auth) == f"<Identity /demo/keys/{md5}>"
    assert (
        repr(DataCenter("http://127.0.0.1:1", f"/bob/keys/{md5}", login="demo").auth) == f"<Identity /bob/keys/{md5}>"
    )
    with pytest.raises(ConfigError, match="no account to sign for"):
        DataCenter("http://127.0.0.1:1", md5)


def test_threads_may_share_a_data_centre(dc: DataCenter, cloud: Emulator) -> None:
    """Calls from several threads do not get into each other's way."""
    ids = [machine.id for machine in cloud.populate(40)]
    with ThreadPoolExecutor(8) as pool:
        assert [machine.id for machine in pool.map(dc.machine, ids)] == ids


def test_close_is_not_the_end(dc: DataCenter) -> None:
    """After ``close`` a call opens new connections."""
    dc.close()
    assert dc.account().login == "demo"


def test_equality() -> None:
    """Data centres are equal when they are one account at one place; comparing sends nothing."""
    here = DataCenter("http://127.0.0.1:1/", login="demo")
    assert here == DataCenter("http://127.0.0.1:1", login="demo", headers={"X-Team": "blue"})
    assert hash(here) == hash(DataCenter("http://127.0.0.1:1", login="demo"))
    assert here != DataCenter("http://127.0.0.1:1", login="other")
    assert here != DataCenter("http://127.0.0.1:2", login="demo")
    assert here != here.url


def test_repr() -> None:
    """A data centre is shown by who and where."""
    dc = DataCenter("us-central-1", "/demo/keys/laptop", "unread")
    assert repr(dc) == "<DataCenter demo@https://us-central-1.api.mnx.io>"
    assert str(dc) == "<DataCenter: demo@us-central-1>"
    assert repr(DataCenter("cloud.example")) == "<DataCenter https://cloud.example>"


def test_repr_of_a_users() -> None:
    """A sub-user is shown behind its account."""
    jills = DataCenter("us-central-1", "/demo/users/jill/keys/laptop", "unread")
    assert repr(jills) == "<DataCenter demo/jill@https://us-central-1.api.mnx.io>"
