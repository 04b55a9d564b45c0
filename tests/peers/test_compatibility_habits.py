"""What py-smartdc 0.2 did wrong is done right (continued): waits, side effects, transport and signing."""

from __future__ import annotations

import io
import sys
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from requests.auth import AuthBase, HTTPBasicAuth

from kits.cloud import account, record, sent
from smartdc import (
    CallTimeout,
    ConfigError,
    DataCenter,
    InputError,
    InvalidCredentials,
    KeyFileError,
    Machine,
    Snapshot,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import Emulator, Fault, Server
from smartdc.emulator.state.transitions import AfterSeconds

WEB = {"id": "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b", "name": "web-1"}


# Waiting


def test_d30_waits_end(machine: Machine, cloud: Emulator) -> None:
    """A wait ends with its time, and at once where the state cannot be reached any more."""
    with pytest.raises(WaitTimeout):
        machine.poll_until("stopped")
    assert cloud.clock.monotonic() == 600
    record(cloud, machine).state = "failed"
    with pytest.raises(WaitFailed):
        machine.poll_until("stopped")
    assert cloud.clock.monotonic() == 600


def test_d31_deletion_can_be_waited_for(machine: Machine) -> None:
    """The 410 of a deleted machine is what such a wait is for."""
    machine.delete()
    machine.poll_until("deleted")
    assert machine.state == "deleted"


def test_d32_wait_does_not_end_before_the_action_shows(machine: Machine, cloud: Emulator) -> None:
    """A stop that has not begun is waited for."""
    cloud.transitions.policy = AfterSeconds(30)
    machine.add_tags(role="web")
    machine.stop()
    machine.poll_while("stopping")
    assert machine.state == "stopped"


# Surprise side effects


def test_d33_comparing_is_silent(dc: DataCenter, cloud: Emulator) -> None:
    """Comparing data centres sends nothing, warns of nothing, changes nothing; they can be in sets."""
    other = DataCenter("http://127.0.0.1:1", login="demo")
    before = dc.login
    assert dc != other
    assert len({dc, other, dc.datacenter(dc.base_url)}) == 2
    assert (dc.login, cloud.trace) == (before, [])


def test_d34_attributes_send_nothing(dc: DataCenter, cloud: Emulator) -> None:
    """No attribute is fetched behind one's back, but for the addresses, which say so, while there are none."""
    machine = Machine(dc, data={**WEB, "ips": ["198.18.0.5"]})
    for name in dir(Machine):
        if not name.startswith("_") and not callable(getattr(Machine, name)):
            getattr(machine, name)
    assert (repr(machine), str(machine), cloud.trace) == (repr(machine), machine.id, [])


def test_d35_asking_for_the_account_changes_no_url(dc: DataCenter) -> None:
    """The login stays what it was."""
    before = dc.url
    assert dc.me().login == "demo"
    assert dc.url == before


def test_d36_dicts_of_the_caller_stay_whole(offline: DataCenter) -> None:
    """Nothing is taken out of data that was passed in."""
    data: dict[str, Any] = {**WEB, "metadata": {"user-script": "s", "credentials": {"root": "p"}}}
    machine = Machine(offline, data=data)
    assert data == {**WEB, "metadata": {"user-script": "s", "credentials": {"root": "p"}}}
    snapshot = {"name": "before"}
    Snapshot(machine, data=snapshot)
    assert snapshot == {"name": "before"}


def test_d37_input_is_checked_by_errors(dc: DataCenter) -> None:
    """A wrong name is an error of its own, also when Python runs without its assertions."""
    with pytest.raises(InputError, match="invalid machine name") as caught:
        dc.create_machine(name="a b")
    assert isinstance(caught.value, ValueError)


def test_d38_what_is_equal_has_the_same_hash(offline: DataCenter) -> None:
    """Machines of any id, and snapshots, can be compared and put in sets."""
    odd = Machine(offline, data={"id": "not a UUID"})
    assert len({odd, Machine(offline, data={"id": "not a UUID"}), Machine(offline, data=WEB)}) == 2
    assert odd == {"id": "not a UUID"}
    one, same, other = (Snapshot(odd, data={"name": name}) for name in ("a", "a", "b"))
    assert len({one, same, other}) == 2


def test_d39_names_may_be_anything(machine: Machine, cloud: Emulator) -> None:
    """Tags and metadata take names that are no identifiers, and ``self``."""
    machine.add_tags({"self": "x", "a-b": 1}, role="web")
    machine.update_metadata({"self": "x", "a-b": 1}, motd="hi")
    there = record(cloud, machine)
    assert there.tags == {"self": "x", "a-b": 1, "role": "web"}
    assert there.metadata == {"self": "x", "a-b": 1, "motd": "hi"}


# Transport and signing


def test_d40_connections_are_kept(cloud: Emulator) -> None:
    """Call after call goes over one connection."""
    with Server(cloud) as server, DataCenter(**cloud.connection(server.url)) as dc:
        for _ in range(5):
            dc.account()
        assert server._listener is not None
        assert len(server._listener.connections) == 1


def test_d40_calls_end(cloud: Emulator) -> None:
    """A server that never answers costs the time-out and no more."""
    cloud.faults.add(Fault(kind="stall", times=None))
    with DataCenter(**cloud.connection(), timeout=7) as dc, pytest.raises(CallTimeout, match="within 7 s"):
        dc.account()
    assert cloud.clock.monotonic() <= 8


def test_d40_safe_calls_are_tried_again(dc: DataCenter, cloud: Emulator) -> None:
    """One reset is nothing that a script has to know of."""
    cloud.faults.add(Fault(kind="reset"))
    assert dc.account().login == "demo"
    assert cloud.trace.operations() == ["GetAccount", "GetAccount"]


def test_d41_refused_signature_is_an_error_of_its_own(dc: DataCenter, cloud: Emulator) -> None:
    """A 401 is raised at once, and no other key is tried."""
    account(cloud).keys.clear()
    with pytest.raises(InvalidCredentials):
        dc.account()
    assert len(cloud.trace) == 1


@pytest.mark.parametrize("text", ["", "no key at all", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_d42_key_that_cannot_be_read_is_an_error_and_no_prompt(
    cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The file is read at the first call; what is no key is said to be none, and nobody is asked for anything."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    (tmp_path / "id_bad").write_text(text)
    (tmp_path / "id_bad").chmod(0o600)
    connection = {**cloud.connection(), "secret": str(tmp_path / "id_bad")}
    with DataCenter(**connection) as dc, pytest.raises(KeyFileError, match="id_bad"):
        dc.account()
    assert not cloud.trace


def test_d43_date_is_that_of_the_clock(dc: DataCenter, cloud: Emulator, environment: pytest.MonkeyPatch) -> None:
    """Requests are dated by the epoch, whatever the local zone and its summer time are."""
    environment.setenv("TZ", "Europe/Zurich")
    cloud.clock.sleep(1_792_890_600 - cloud.clock.time())  # 2026-10-25 02:30 in Zurich, for the second time
    dc.account()
    assert parsedate_to_datetime(cloud.trace[-1].headers["date"]).timestamp() == cloud.clock.time()


def test_d44_nothing_is_asked_that_is_no_more(dc: DataCenter, cloud: Emulator) -> None:
    """Datasets are images, and without a location there is no data centre."""
    with pytest.warns(DeprecationWarning, match="images"):
        dc.datasets()
    assert sent(cloud, "ListImages")[1] == "images"
    with pytest.raises(ConfigError, match="no location given"):
        DataCenter(key_id="/demo/keys/laptop")


class Stranger(AuthBase):
    """A way to sign that this library knows nothing of."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign."""
        request.headers["Authorization"] = "Stranger Bob"
        return request


@pytest.mark.parametrize("auth", [Stranger(), HTTPBasicAuth("bob", "secret")])
def test_d45_any_auth_will_do(odd_server: Any, auth: AuthBase) -> None:
    """Whatever `requests` takes as auth is taken, and its refusal is an ordinary 401."""
    odd_server.get("http://odd.test/my", status=401, json={"code": "InvalidCredentials", "message": "no"})
    with DataCenter("http://odd.test", auth=auth) as dc, pytest.raises(InvalidCredentials):
        dc.account()
    assert len(odd_server.calls) == 1


def test_d46_comment_of_a_key_may_be_any_text(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateKey`` takes a public key with letters beyond ASCII."""
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    dc.add_key("läptop", f"{public} bob@läptop")
    assert account(cloud).keys["läptop"].public.text.endswith("bob@läptop")


def test_d47_null_matches_nothing(odd_server: Any, odd_dc: DataCenter) -> None:
    """A field that is null is passed over by a search."""
    odd_server.get("http://odd.test/my/networks", json=[{"id": "1", "name": None}, {"id": "2", "name": "lan"}])
    assert [network.id for network in odd_dc.networks("lan|None")] == ["2"]


def test_d48_names_of_packages_are_exact(dc: DataCenter) -> None:
    """``packages`` takes a name; a regular expression is ``search``."""
    assert dc.packages("g1-.+") == []
    assert len(dc.packages(search="g1-.+")) == 5
