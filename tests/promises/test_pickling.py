"""Pickles of data centres, machines and errors: they work elsewhere, and hold no secret."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from kits.cloud import record
from smartdc import DataCenter, Image, Machine, ResourceNotFound, Snapshot, WaitFailed
from smartdc.auth.agent import AgentKey
from smartdc.emulator import Emulator, Server, VirtualClock

SECRETS = ("top secret", "#!/bin/sh", "pass phrase")


@pytest.fixture
def server(cloud: Emulator) -> Iterator[Server]:
    """The cloud behind HTTP, since what is pickled leaves the process."""
    with Server(cloud) as server:
        yield server


@pytest.fixture
def key_file(cloud: Emulator, tmp_path: Path) -> str:
    """The file of the private key."""
    path = tmp_path / "id_cloud"
    path.write_text(str(cloud.private_key))
    path.chmod(0o600)
    return str(path)


def revived(thing: Any) -> Any:
    """Return a thing as it comes out of its pickle."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 (it is our own)


def holds(thing: object, text: str) -> bool:
    """Tell whether any line of a text is in the pickle of a thing."""
    pickled = pickle.dumps(thing)
    return any(line.encode() in pickled for line in text.splitlines() if line)


def test_data_centre_with_a_path_works_elsewhere(cloud: Emulator, server: Server, key_file: str) -> None:
    """A key that was named by its path is read again where the data centre is unpickled."""
    connection = {**cloud.connection(server.url), "secret": key_file, "timeout": 7, "clock": None}
    with DataCenter(**connection, headers={"X-Team": "blue"}, roles=["reader"]) as dc:
        twin = revived(dc)
    assert (twin, type(twin), twin.url) == (dc, DataCenter, dc.url)
    assert (twin.headers["X-Team"], twin.active_roles, twin.timeout) == ("blue", ["reader"], 7)
    twin.session.clock = cloud.clock
    assert twin.account().login == "demo"
    twin.close()


class Foreign(AuthBase):
    """Somebody else's auth."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign nothing."""
        return request


FOREIGN = Foreign()


PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "the text of a key": (
        {"secret": Emulator().private_key},
        "the path of the key's file as secret=, or use the ssh-agent",
    ),
    "auth": ({"auth": FOREIGN}, r"auth= is not pickled.*give key_id="),
    "adapter": (
        {"adapter": HTTPAdapter()},
        "its adapter= belongs to this process; make the DataCenter in the other process",
    ),
    "clock": (
        {"clock": VirtualClock()},
        "its clock= belongs to this process; make the DataCenter in the other process",
    ),
}
"""What cannot come along in a pickle, and what the refusal says to do."""


@pytest.mark.parametrize(("parts", "words"), PARTS.values(), ids=PARTS)
def test_data_centre_that_would_not_work_elsewhere_is_not_pickled(parts: dict[str, Any], words: str) -> None:
    """It is refused where it is pickled, and not where it is first used; its machines likewise."""
    dc = DataCenter("http://127.0.0.1:1", "/demo/keys/laptop", **parts)
    for thing in (dc, Machine(dc, data={"id": "17"})):
        with pytest.raises(TypeError, match=words):
            pickle.dumps(thing)


def test_data_centre_with_the_key_of_the_environment_is_not_pickled(
    cloud: Emulator, environment: pytest.MonkeyPatch
) -> None:
    """The text of a key that came from the environment is in no pickle either."""
    environment.setenv("TRITON_KEY_MATERIAL", str(cloud.private_key))
    environment.setenv("TRITON_KEY_ID", cloud.key_id)
    dc = DataCenter("http://127.0.0.1:1")
    with pytest.raises(TypeError, match="its key was given as text"):
        pickle.dumps(dc)


def test_data_centre_whose_key_is_in_an_agent_is_pickled_with_its_name() -> None:
    """A key of an agent holds no secret."""
    key = AgentKey(b"blob", "me@here", "/tmp/agent", 5)  # noqa: S108 (nothing is there)
    twin = revived(DataCenter("http://127.0.0.1:1", "/demo/keys/laptop", key))

    assert twin.auth.uses(key) is False
    assert twin.auth.__getstate__()["_secret"] == key


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy])
def test_a_copy_keeps_all_that_a_call_needs(dc: DataCenter, twin_of: Callable[[DataCenter], DataCenter]) -> None:
    """Key, auth, adapter and clock are the same; connections, headers and settings are its own."""
    dc.session.headers["X-Team"] = "blue"
    dc.note = ["mine"]  # type: ignore[attr-defined]
    with twin_of(dc) as twin:
        assert twin.account().login == dc.account().login == "demo"
        assert (twin.auth, twin.clock, twin.settings.adapter) == (dc.auth, dc.clock, dc.settings.adapter)
        assert twin.session is not dc.session
        twin.headers["X-Team"] = "red"
        twin.timeout = 5
        twin.known_locations["here"] = "http://here"

    assert (dc.headers["X-Team"], dc.timeout) == ("blue", 60)
    assert "here" not in dc.known_locations
    assert (twin.note is dc.note) is (twin_of is copy.copy)  # type: ignore[attr-defined]


def test_a_copy_with_a_foreign_auth_keeps_it() -> None:
    """An auth of others is shared, also where the copy is a deep one."""
    dc = DataCenter("http://127.0.0.1:1", auth=FOREIGN)

    assert copy.copy(dc).auth is copy.deepcopy(dc).auth is FOREIGN


def test_data_centre_leaves_the_passphrase_behind(key_file: str) -> None:
    """A passphrase is in no pickle."""
    dc = DataCenter("http://127.0.0.1:1", "/demo/keys/laptop", key_file, passphrase="pass phrase")
    assert not holds(dc, "pass phrase")


@pytest.fixture
def secretive(machine: Machine, cloud: Emulator, offline: DataCenter) -> Machine:
    """The machine, with a boot script, user data and passwords that are known here, and with a client that can be pickled."""
    there = record(cloud, machine)
    there.metadata = {
        "motd": "hi",
        "user-script": "#!/bin/sh",
        "user-data": "top secret",
        "administrator_pw": "top secret",
    }
    there.credentials = {"root_pw": "top secret"}
    machine.refresh(credentials=True)
    machine._parent = offline
    return machine


def test_machine_leaves_its_secrets_behind(secretive: Machine) -> None:
    """Passwords, the boot script and user data are in no pickle of a machine; all else is."""
    assert secretive.credentials() == {"root": "top secret"}
    assert not any(holds(secretive, secret) for secret in SECRETS)
    twin = revived(secretive)
    assert (twin, twin.name, twin.ips, twin.state) == (secretive, "web-1", secretive.ips, "running")
    assert twin.metadata == {"motd": "hi"}
    assert twin.boot_script is None
    assert secretive.boot_script == "#!/bin/sh"


def test_snapshot_leaves_the_secrets_of_its_machine_behind(secretive: Machine) -> None:
    """The machine of a pickled snapshot has no secrets either."""
    snapshot = Snapshot(secretive, data={"name": "before"})
    assert not any(holds(snapshot, secret) for secret in SECRETS)
    assert revived(snapshot) == snapshot


def test_error_leaves_live_things_behind(secretive: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """The error of a wait can be pickled, without the machine and with its reason."""
    secretive._parent = dc
    cloud.transitions.fail("stop")
    with pytest.raises(WaitFailed) as caught:
        secretive.stop(wait=True)
    twin = revived(caught.value)
    assert (type(twin), str(twin), twin.reason) == (WaitFailed, str(caught.value), caught.value.reason)
    assert not any(holds(caught.value, secret) for secret in SECRETS)


def test_error_of_the_server(dc: DataCenter) -> None:
    """An error of CloudAPI keeps its status, code, words and request id."""
    with pytest.raises(ResourceNotFound) as caught:
        dc.key("nobody")
    twin = revived(caught.value)
    assert (str(twin), twin.status, twin.code) == (str(caught.value), 404, "ResourceNotFound")
    assert twin.request_id == caught.value.request_id


def test_other_resources(dc: DataCenter, offline: DataCenter) -> None:
    """Every resource can be pickled with its data centre."""
    image = Image(offline, data=dc.images()[0])
    twin = revived(image)
    assert (twin, dict(twin), type(twin)) == (image, dict(image), Image)
    assert twin.datacenter == offline


@pytest.mark.parametrize("metadata", ["#!/bin/sh top secret", ["top secret"], 7, None, True])
def test_machine_with_malformed_metadata(offline: DataCenter, metadata: Any) -> None:
    """What is no metadata cannot be told from a secret, and stays behind."""
    machine = Machine(offline, data={"id": "17", "name": "web-1", "metadata": metadata})
    twin = revived(machine)

    assert (twin, twin["metadata"]) == (machine, {})
    assert not any(holds(machine, secret) for secret in SECRETS)
