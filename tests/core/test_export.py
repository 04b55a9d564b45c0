"""Resources as plain data: dicts, JSON, and in order."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import smartdc
from smartdc import AccessKey, DataCenter, Machine, Package
from smartdc.emulator import Emulator

SECRETS = {
    "user-script": "#!/bin/sh",
    "user-data": "token: abc",
    "cloud-init:user-data": "token: abc",
    "password": "abc",
    "API_KEY": "abc",
    "db.Secret": "abc",
}


@pytest.fixture
def secretive(machine: Machine) -> Machine:
    """A machine whose metadata has what is secret, and one thing that is not."""
    machine.update_metadata({**SECRETS, "colour": "blue"})
    return machine.refresh(credentials=True)


def test_to_dict(dc: DataCenter) -> None:
    """It is the server's answer, unknown entries too, and belongs to the caller."""
    [image] = dc.images("minimal-64-lts")
    data = image.to_dict()
    assert type(data) is dict
    assert data == dict(image)
    data["files"].clear()
    assert image.files


def test_secrets_are_left_out(secretive: Machine) -> None:
    """What no ``repr`` and no pickle shows is not in it by default; ``dict`` and `copy` have everything."""
    assert secretive.to_dict()["metadata"] == {"colour": "blue"}
    assert json.loads(smartdc.to_json(secretive))["metadata"] == {"colour": "blue"}
    everything = secretive.to_dict(secrets=True)
    assert everything == dict(secretive) == secretive.copy()
    assert SECRETS.items() <= everything["metadata"].items()
    assert json.loads(smartdc.to_json([secretive], secrets=True)) == [everything]


def test_the_secret_of_an_access_key(dc: DataCenter) -> None:
    """It is shown by the key itself, and by `to_dict` when that is asked for it."""
    key = dc.create_access_key()
    assert "accesskeysecret" not in key.to_dict()
    assert key.to_dict(secrets=True)["accesskeysecret"] == key.secret
    assert str(key.secret) not in smartdc.to_json([key])


def test_to_json(dc: DataCenter, cloud: Emulator) -> None:
    """A list, an iterator and what holds resources become JSON that people can read."""
    cloud.populate(3)
    machines = dc.machines()
    assert json.loads(smartdc.to_json(machines)) == [machine.to_dict() for machine in machines]
    assert smartdc.to_json(dc.iter_machines()) == smartdc.to_json(machines)
    assert (
        json.loads(smartdc.to_json({"first": machines[0], "tags": machines[0].tags}))["first"]["id"] == machines[0].id
    )
    assert "\n" not in smartdc.to_json(machines, indent=None)
    assert "é" in smartdc.to_json({"name": "é"})


def test_as_dict_for_json(machine: Machine) -> None:
    """It is the `default` of the standard library's function, which then writes times too."""
    text = json.dumps({"web": machine, "made": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}, default=smartdc.as_dict)
    assert json.loads(text) == {"web": machine.to_dict(), "made": "2026-01-02T03:04:05Z"}


@pytest.mark.parametrize("thing", [object(), b"bytes", 1j])
def test_what_is_no_data(thing: object) -> None:
    """It is refused as `json.dumps` refuses it."""
    with pytest.raises(TypeError, match="is not JSON serializable"):
        smartdc.to_json([thing])


def test_machines_sort_by_name(offline: DataCenter) -> None:
    """By name, and those of one name by id."""
    data: list[dict[str, Any]] = [
        {"id": "3", "name": "web-1"},
        {"id": "1", "name": "web-1"},
        {"id": "2", "name": "db-1"},
    ]
    machines = [Machine(offline, data=entry) for entry in data]
    assert [machine.id for machine in sorted(machines)] == ["2", "1", "3"]
    assert max(machines).id == "3"


def test_users_sort_by_login(dc: DataCenter) -> None:
    """What has no name is sorted by what it is called instead."""
    for login in ("zoe", "bob"):
        dc.create_user(login, f"{login}@example.com", "secret123")
    assert [user.login for user in sorted(dc.users())] == ["bob", "zoe"]


def test_things_of_two_kinds_have_no_order(offline: DataCenter) -> None:
    """A machine is neither less nor more than a package or a text."""
    machine, package = Machine(offline, data={"id": "1"}), Package(offline, data={"id": "1", "name": "g1"})
    for other in (package, AccessKey(offline, data={"accesskeyid": "1"}), "1"):
        with pytest.raises(TypeError, match="not supported between"):
            sorted([machine, other])
