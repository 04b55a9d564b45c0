"""A machine: what it shows, what it fetches, and what it is equal to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from kits.cloud import image_id, query, record, sent
from smartdc import DataCenter, Gone, InputError, Machine
from smartdc.emulator import Emulator

ID = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"
TOLD: dict[str, Any] = {
    "id": ID,
    "name": "db-1",
    "type": "virtualmachine",
    "brand": "bhyve",
    "state": "stopped",
    "image": "7b5981c4-1889-11ee-b4a6-2bfb0f2e3f6a",
    "package": "b1-small",
    "memory": 2048,
    "disk": 51200,
    "ips": ["198.18.0.5", "10.88.0.5"],
    "networks": ["net-1", "net-2"],
    "primaryIp": "198.18.0.5",
    "nics": [{"mac": "90:b8:d0:00:00:01", "primary": True}],
    "disks": [{"size": 10240, "boot": True}],
    "firewall_enabled": False,
    "deletion_protection": True,
    "compute_node": "node-1",
    "docker": False,
    "dns_names": ["db-1.inst.example"],
    "free_space": 0,
    "flexible": True,
    "encrypted": True,
    "delegate_dataset": False,
    "metadata": {"motd": "hello", "user-script": "#!/bin/sh", "credentials": {"root": "secret"}},
    "tags": {"role": "db", "rank": 1, "live": True},
    "created": "2026-01-01T02:00:00.250+02:00",
    "updated": "2026-01-02T00:00:00.000Z",
    "invented_tomorrow": [1, 2],
}
SHOWN: dict[str, Any] = {
    **{
        name: value
        for name, value in TOLD.items()
        if name not in {"primaryIp", "metadata", "nics", "disks", "invented_tomorrow"}
    },
    "dataset": TOLD["image"],
    "primary_ip": "198.18.0.5",
    "public_ips": ["198.18.0.5"],
    "private_ips": ["10.88.0.5"],
    "metadata": {"motd": "hello"},
    "boot_script": "#!/bin/sh",
    "created": datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC),
    "updated": datetime(2026, 1, 2, tzinfo=UTC),
    "path": f"machines/{ID}",
}


@pytest.fixture
def told(offline: DataCenter) -> Machine:
    """A machine of which everything is known."""
    return Machine(offline, data=TOLD)


@pytest.mark.parametrize(("attribute", "value"), SHOWN.items())
def test_attribute_shows_what_the_server_said(told: Machine, attribute: str, value: object) -> None:
    """Every attribute shows its entry of the data, and reading it sends nothing."""
    assert getattr(told, attribute) == value


@pytest.mark.parametrize("attribute", [*SHOWN, "datacenter"])
def test_attribute_is_read_only(told: Machine, attribute: str) -> None:
    """No attribute can be set: what is true is on the server."""
    with pytest.raises(AttributeError):
        setattr(told, attribute, "x")


OPTIONAL = sorted(set(SHOWN) - {"id", "ips", "public_ips", "private_ips", "metadata", "tags", "path"})


@pytest.mark.parametrize("attribute", OPTIONAL)
def test_attribute_is_none_when_the_server_did_not_say(offline: DataCenter, attribute: str) -> None:
    """What is missing in the data is None, dates included."""
    assert getattr(Machine(offline, data={"id": ID}), attribute) is None


def test_metadata_and_tags_are_empty_when_the_server_did_not_say(offline: DataCenter) -> None:
    """Metadata and tags are always dicts."""
    bare = Machine(offline, data={"id": ID})
    assert (bare.metadata, bare.tags) == ({}, {})


def test_machine_shows_what_the_server_has(dc: DataCenter, cloud: Emulator) -> None:
    """After ``CreateMachine`` and ``GetMachine`` the attributes are those of the server's record."""
    machine = dc.create_machine("web-1", "g1-small", image=image_id(cloud, "base-64-lts"), wait=True)
    there = record(cloud, machine)
    assert (machine.id, machine.name, machine.state) == (there.id, "web-1", "running")
    assert (machine.brand, machine.type, machine.image) == (there.brand, "smartmachine", there.image)
    assert (machine.package, machine.memory, machine.disk) == ("g1-small", there.memory, there.disk)
    assert machine.ips == [nic.ip for nic in there.nics]
    assert machine.networks == [nic.network for nic in there.nics]
    assert machine.primary_ip == next(nic.ip for nic in there.nics if nic.primary)
    assert (machine.compute_node, machine.firewall_enabled) == (there.compute_node, False)
    assert machine.created == datetime.fromtimestamp(there.created, UTC)


def test_constructor_fetches_by_id(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """A machine made from an id asks for itself: ``GetMachine``."""
    twin = Machine(dc, machine.id)
    assert sent(cloud, "GetMachine") == ("GET", f"machines/{machine.id}", {})
    assert (twin.name, twin.datacenter) == ("web-1", dc)


def test_constructor_fetches_passwords_too(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """With ``credentials`` the passwords come with the first ``GetMachine``, and no second one is needed."""
    record(cloud, machine).credentials = {"root_pw": "secret"}
    twin = Machine(dc, machine.id, credentials=True)
    assert query(cloud, "GetMachine") == {"credentials": "true"}
    before = len(cloud.trace)
    assert twin.credentials() == {"root": "secret"}
    assert len(cloud.trace) == before


def test_constructor_takes_data(dc: DataCenter, cloud: Emulator) -> None:
    """A machine made from data sends nothing, and leaves the caller's dict as it was."""
    data = {"id": ID, "name": "web-9", "metadata": {"user-script": "s", "credentials": {"root": "p"}}}
    assert Machine(dc, data=data).boot_script == "s"
    assert data == {"id": ID, "name": "web-9", "metadata": {"user-script": "s", "credentials": {"root": "p"}}}
    assert not cloud.trace


def test_constructor_takes_a_machine_for_its_id(dc: DataCenter, machine: Machine) -> None:
    """A machine can be given where an id is wanted; the new one fetches itself."""
    assert Machine(dc, machine).id == machine.id


def test_constructor_needs_something(dc: DataCenter, cloud: Emulator) -> None:
    """Neither id nor data is refused before anything is sent."""
    with pytest.raises(InputError, match="needs 'id'"):
        Machine(dc)
    assert not cloud.trace


def test_create_in_datacenter(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateMachine`` is also a class method of the machine."""
    machine = Machine.create_in_datacenter(dc, name="web-2", image=image_id(cloud, "base-64-lts"), package="g1-nano")
    method, path, body = sent(cloud, "CreateMachine")
    assert (method, path, body["name"]) == ("POST", "machines", "web-2")
    assert record(cloud, machine).name == "web-2"


def test_ips_are_fetched_while_there_are_none(dc: DataCenter, cloud: Emulator) -> None:
    """``GetMachine`` is sent again as long as the list of addresses is empty, and not after."""
    cloud.populate(1)
    young = Machine(dc, data={"id": next(iter(cloud.state.machines)), "ips": []})
    assert (young.ips, len(cloud.trace)) == (["198.18.0.5"], 1)
    assert (young.public_ips, young.private_ips, len(cloud.trace)) == (["198.18.0.5"], [], 1)


def test_ips_can_be_changed_by_nobody(told: Machine) -> None:
    """The list of addresses is a copy."""
    told.ips.clear()
    assert told.ips == TOLD["ips"]


def test_refresh(machine: Machine, cloud: Emulator) -> None:
    """``GetMachine`` brings what has changed, and the machine returns itself."""
    record(cloud, machine).tags["role"] = "web"
    assert machine.refresh() is machine
    assert sent(cloud, "GetMachine") == ("GET", machine.path, {})
    assert machine.tags == {"role": "web"}


def test_refresh_of_a_deleted_machine_is_no_error(machine: Machine, cloud: Emulator) -> None:
    """The 410 of ``GetMachine`` carries the machine: its state then is ``deleted``."""
    record(cloud, machine).state = "deleted"
    assert machine.refresh().state == "deleted"
    assert cloud.trace[-1].status == 410


@pytest.mark.parametrize("body", [ID, {"id": "another"}, {"code": "Gone"}])
def test_refresh_of_a_machine_that_was_deleted_long_ago(odd_server: Any, odd_dc: DataCenter, body: Any) -> None:
    """A 410 that does not bring this machine is an error, and no new data."""
    machine = Machine(odd_dc, data={"id": ID, "state": "running"})
    odd_server.get(f"http://odd.test/my/machines/{ID}", status=410, json=body)
    with pytest.raises(Gone):
        machine.refresh()
    assert machine.state == "running"


def test_status(machine: Machine, cloud: Emulator) -> None:
    """``GetMachine`` tells the state of this moment."""
    record(cloud, machine).state = "stopped"
    assert machine.state == "running"
    assert machine.status() == "stopped"
    assert sent(cloud, "GetMachine") == ("GET", machine.path, {})


def test_credentials_are_fetched_once(machine: Machine, cloud: Emulator) -> None:
    """``GetMachine`` with ``credentials`` is sent when the passwords are wanted for the first time."""
    record(cloud, machine).credentials = {"root_pw": "secret", "admin_pw": "other"}
    assert machine.credentials() == {"root": "secret", "admin": "other"}
    assert sent(cloud, "GetMachine") == ("GET", f"{machine.path}?credentials=true", {})
    before = len(cloud.trace)
    assert machine.credentials() == {"root": "secret", "admin": "other"}
    assert len(cloud.trace) == before
    assert "credentials" not in machine.metadata


def test_credentials_that_were_changed_replace_the_old(machine: Machine, cloud: Emulator) -> None:
    """Passwords are what the last ``GetMachine`` said, not all that were ever seen."""
    record(cloud, machine).credentials = {"root_pw": "old", "admin_pw": "old"}
    machine.credentials()
    record(cloud, machine).credentials = {"root_pw": "new"}
    machine.refresh(credentials=True)
    assert machine.credentials() == {"root": "new"}


@pytest.mark.parametrize("then", ["refresh", "status", "get_metadata", "delete_all_metadata", "delete_boot_script"])
def test_credentials_stay_known(machine: Machine, cloud: Emulator, then: str) -> None:
    """Whatever is fetched without them, passwords stay known, and nowhere else than in `credentials`."""
    record(cloud, machine).credentials = {"root_pw": "secret"}
    record(cloud, machine).metadata["user-script"] = "#!/bin/sh"
    machine.credentials()
    getattr(machine, then)()
    before = len(cloud.trace)
    assert machine.credentials() == {"root": "secret"}
    assert len(cloud.trace) == before
    assert "secret" not in f"{machine.metadata}{machine!r}{machine}"


class StandIn:
    """No data centre: it has what the machines of old asked of one, and no more."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.states = ["stopping", "stopped"]

    def raw_machine_data(self, machine_id: str, credentials: bool = False) -> dict[str, Any]:
        """Describe a machine that is about to stop."""
        self.asked.append((machine_id, credentials))
        return {"id": machine_id, "name": "stub", "state": self.states.pop(0), "tags": {}}

    def request(self, method: str, path: str, **more: Any) -> tuple[Any, requests.Response]:
        """Note what was asked, and answer as a stub does."""
        self.asked.append((method, path, more))
        answer = requests.Response()
        answer.status_code = 200
        return {"name": "before", "state": "created"}, answer


def test_machine_over_a_stand_in() -> None:
    """Tests of scripts put something of their own in the place of a data centre; the machine asks no more of it."""
    there = StandIn()
    machine = Machine(there, ID)  # type: ignore[arg-type]
    machine.stop()
    machine.poll_until("stopped", interval=0)
    machine.add_tags(role="web")
    assert machine.create_snapshot("before").refresh().state == "created"
    assert machine.path == f"machines/{ID}"
    assert there.asked == [
        (ID, False),
        ("POST", f"machines/{ID}", {"params": {"action": "stop"}}),
        (ID, False),
        ("POST", f"machines/{ID}/tags", {"data": {"role": "web"}, "repeatable": True}),
        ("POST", f"machines/{ID}/snapshots", {"data": {"name": "before"}}),
        ("GET", f"machines/{ID}/snapshots/before", {}),
    ]


def test_equal_to_a_dict_with_its_id(told: Machine) -> None:
    """A machine equals a dict that has its id, and no other."""
    assert told == {"id": ID}
    assert {"id": ID, "name": "whatever"} == told  # noqa: SIM300 (the other way round is what is shown)
    assert told != {"id": "another"}
    assert told != ID


def test_equal_however_it_was_reached(told: Machine) -> None:
    """A machine has one id everywhere: the way to it does not count."""
    assert told == Machine(DataCenter("http://127.0.0.1:2", login="other"), data=TOLD)


def test_text_is_the_id(told: Machine) -> None:
    """``str`` of a machine is its id, so that it can be put into a URL or a log."""
    assert str(told) == ID
