"""Pickles of data centres, machines and errors: they work elsewhere, and hold no secret."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kits.cloud import record
from smartdc import DataCenter, Image, KeyFileError, Machine, ResourceNotFound, Snapshot, WaitFailed
from smartdc.emulator import Emulator, Server

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
        dc.session.clock = cloud.clock
        dc.account()
        twin = revived(dc)
    assert (twin, type(twin), twin.url) == (dc, DataCenter, dc.url)
    assert (twin.headers["X-Team"], twin.active_roles, twin.timeout) == ("blue", ["reader"], 7)
    twin.session.clock = cloud.clock
    assert twin.account().login == "demo"
    twin.close()


def test_data_centre_leaves_the_text_of_its_key_behind(cloud: Emulator, server: Server) -> None:
    """The text of a key is in no pickle: it has to be found again, and the error says so."""
    with DataCenter(**cloud.connection(server.url)) as dc:
        dc.account()
        assert not holds(dc, str(cloud.private_key))
        twin = revived(dc)
    with pytest.raises(KeyFileError, match=r"ssh"):
        twin.account()


def test_data_centre_leaves_the_key_of_the_environment_behind(
    cloud: Emulator, server: Server, environment: pytest.MonkeyPatch
) -> None:
    """The text of a key that came from the environment is in no pickle either."""
    environment.setenv("TRITON_KEY_MATERIAL", str(cloud.private_key))
    environment.setenv("TRITON_KEY_ID", cloud.key_id)
    with DataCenter(server.url) as dc:
        assert not holds(dc, str(cloud.private_key))


def test_data_centre_leaves_the_passphrase_behind(key_file: str) -> None:
    """A passphrase is in no pickle."""
    dc = DataCenter("http://127.0.0.1:1", "/demo/keys/laptop", key_file, passphrase="pass phrase")
    assert not holds(dc, "pass phrase")


@pytest.fixture
def secretive(machine: Machine, cloud: Emulator) -> Machine:
    """The machine, with a boot script, user data and passwords that are known here."""
    there = record(cloud, machine)
    there.metadata = {
        "motd": "hi",
        "user-script": "#!/bin/sh",
        "user-data": "top secret",
        "administrator_pw": "top secret",
    }
    there.credentials = {"root_pw": "top secret"}
    return machine.refresh(credentials=True)


def test_machine_leaves_its_secrets_behind(secretive: Machine) -> None:
    """Passwords, the boot script and user data are in no pickle of a machine; all else is."""
    assert secretive.credentials() == {"root": "top secret"}
    assert not any(holds(secretive, secret) for secret in SECRETS)
    assert not any(holds(secretive.refresh(), secret) for secret in SECRETS)
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


def test_error_leaves_live_things_behind(secretive: Machine, cloud: Emulator) -> None:
    """The error of a wait can be pickled, without the machine and with its reason."""
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


def test_other_resources(dc: DataCenter) -> None:
    """Every resource can be pickled with its data centre."""
    image = dc.images()[0]
    twin = revived(image)
    assert (twin, dict(twin), type(twin)) == (image, dict(image), Image)
    assert twin.datacenter == dc


@pytest.mark.parametrize("metadata", ["#!/bin/sh top secret", ["top secret"], 7, None, True])
def test_machine_with_malformed_metadata(dc: DataCenter, metadata: Any) -> None:
    """What is no metadata cannot be told from a secret, and stays behind."""
    machine = Machine(dc, data={"id": "17", "name": "web-1", "metadata": metadata})
    twin = revived(machine)

    assert (twin, twin["metadata"]) == (machine, {})
    assert not any(holds(machine, secret) for secret in SECRETS)
