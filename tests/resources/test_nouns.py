"""What is the same with every noun: how it is shown, how it is fetched again, and what addresses none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kits.cloud import account, image_id, sent
from kits.rbac import public_line
from smartdc import (
    Account,
    DataCenter,
    Disk,
    FirewallRule,
    Image,
    InputError,
    Key,
    Machine,
    Migration,
    Network,
    NetworkIP,
    Nic,
    Package,
    Policy,
    ResourceNotFound,
    Role,
    Snapshot,
    User,
    Vlan,
    Volume,
)
from smartdc.core.resource import Resource
from smartdc.emulator import Emulator

UNKNOWN = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"
FABRIC = "My-Fabric-Network"

REPRS: dict[str, Callable[[DataCenter, Machine], Resource]] = {
    "<Account demo>": lambda dc, _: Account(dc, data={"id": "a", "login": "demo", "email": "x"}),
    "<FirewallRule 'FROM any ...' disabled r-1>": lambda dc, _: FirewallRule(
        dc, data={"id": "r-1", "rule": "FROM any ...", "enabled": False}
    ),
    "<Image base@1.2 i-1>": lambda dc, _: Image(dc, data={"id": "i-1", "name": "base", "version": "1.2"}),
    "<NetworkIP 10.0.0.5>": lambda dc, _: NetworkIP(Network(dc, data={"id": "n-1"}), data={"ip": "10.0.0.5"}),
    "<Key laptop>": lambda dc, _: Key(dc, data={"name": "laptop"}),
    "<Network 'internal' n-1>": lambda dc, _: Network(dc, data={"id": "n-1", "name": "internal"}),
    "<Package 'g1-small' p-1>": lambda dc, _: Package(dc, data={"id": "p-1", "name": "g1-small"}),
    "<Policy 'reading' p-1>": lambda dc, _: Policy(dc, data={"id": "p-1", "name": "reading"}),
    "<Role 'reader' r-1>": lambda dc, _: Role(dc, data={"id": "r-1", "name": "reader"}),
    "<User 'alice' u-1>": lambda dc, _: User(dc, data={"id": "u-1", "login": "alice"}),
    "<Vlan 100 'web'>": lambda dc, _: Vlan(dc, data={"vlan_id": 100, "name": "web"}),
    "<Volume 'data' ready v-1>": lambda dc, _: Volume(dc, data={"id": "v-1", "name": "data", "state": "ready"}),
    "<Migration sync paused of m-1>": lambda dc, _: Migration(
        dc, data={"machine": "m-1", "phase": "sync", "state": "paused"}
    ),
    "<Machine 'web-1' running m-1>": lambda _, machine: machine,
    "<Snapshot 'before' created of 'web-1'>": lambda _, machine: Snapshot(
        machine, data={"name": "before", "state": "created"}
    ),
    "<Disk 0:4:1 1024 MiB d-1>": lambda _, machine: Disk(
        machine, data={"id": "d-1", "pci_slot": "0:4:1", "size": 1024}
    ),
    "<Nic 90:b8:d0:00:00:01 10.0.0.5 running>": lambda _, machine: Nic(
        machine, data={"mac": "90:b8:d0:00:00:01", "ip": "10.0.0.5", "state": "running"}
    ),
}


@pytest.mark.parametrize("shown", REPRS)
def test_repr(offline: DataCenter, shown: str) -> None:
    """A session shows what tells one thing from another, and its text is what addresses it."""
    thing = REPRS[shown](offline, Machine(offline, data={"id": "m-1", "name": "web-1", "state": "running"}))
    assert repr(thing) == shown
    assert str(thing) == ("demo" if isinstance(thing, Account) else str(thing[thing.id_key]))


REFRESHED: dict[str, tuple[Callable[[DataCenter], Any], Callable[[Any], object], str, object]] = {
    "GetAccount": (lambda dc: dc.account(), lambda me: me.datacenter.update_account(city="Rome"), "city", "Rome"),
    "GetUser": (lambda dc: dc.user("alice"), lambda user: user.update(city="Rome"), "city", "Rome"),
    "GetRole": (lambda dc: dc.role("reader"), lambda role: role.update(name="looker"), "name", "looker"),
    "GetPolicy": (lambda dc: dc.policy("reading"), lambda policy: policy.update(rules="CAN *"), "rules", ["CAN *"]),
    "GetKey": (lambda dc: dc.key("laptop"), lambda _: None, "name", "laptop"),
    "GetFirewallRule": (lambda dc: dc.firewall_rules()[0], lambda rule: rule.enable(), "enabled", True),
    "GetImage": (lambda dc: dc.images(public=False)[0], lambda image: image.update(name="mine"), "name", "mine"),
    "GetNetwork": (lambda dc: dc.network("external"), lambda _: None, "name", "external"),
    "GetPackage": (lambda dc: dc.package("g1-small"), lambda _: None, "name", "g1-small"),
    "GetNetworkIP": (
        lambda dc: NetworkIP(dc.network(FABRIC), "192.168.128.77"),
        lambda ip: ip.update(reserved=True),
        "reserved",
        True,
    ),
    "GetFabricVLAN": (lambda dc: dc.vlan(2), lambda vlan: vlan.update(name="www"), "name", "www"),
}


@pytest.fixture
def furnished(dc: DataCenter, cloud: Emulator) -> DataCenter:
    """A client of a cloud that has one of everything."""
    cloud.state.add_user("alice")
    dc.create_policy("reading", "CAN getmachine")
    dc.create_role("reader")
    dc.add_key("laptop", public_line())
    dc.create_firewall_rule("FROM any TO all vms ALLOW icmp TYPE 8 CODE 0")
    image = cloud.state.images[image_id(cloud, "debian-12")]
    image.owner, image.public = account(cloud).id, False
    return dc


@pytest.mark.parametrize("operation", REFRESHED)
def test_refresh(furnished: DataCenter, cloud: Emulator, operation: str) -> None:
    """A thing asks for itself, shows what has changed since, and returns itself."""
    get, change, entry, value = REFRESHED[operation]
    thing = get(furnished)
    change(get(furnished))
    before = len(cloud.trace)

    assert thing.refresh() is thing
    assert cloud.trace.operations()[before:] == [operation]
    assert sent(cloud, operation) == ("GET", thing.path, {})
    assert thing[entry] == value


ABSENT: dict[str, tuple[Callable[[DataCenter], object], str]] = {
    "GetImage": (lambda dc: dc.image(UNKNOWN), r"image .* not found"),
    "GetNetwork": (lambda dc: dc.network(UNKNOWN), "not found"),
    "GetFabricVLAN": (lambda dc: dc.vlan(77), "vlan not found"),
    "GetFabricNetwork": (lambda dc: dc.vlan(2).network(UNKNOWN), "network not found"),
    "ListFabricNetworks": (lambda dc: Vlan(dc, data={"vlan_id": 77}).networks(), "vlan not found"),
    "ListNetworkIPs": (lambda dc: Network(dc, data={"id": UNKNOWN}).ips(), f"{UNKNOWN} not found"),
    "GetKey": (lambda dc: dc.key("nobody"), "nobody does not exist"),
    "GetPackage": (lambda dc: dc.package("huge"), "huge not found"),
    "GetPolicy": (lambda dc: dc.policy("nothing"), "nothing does not exist"),
    "GetRole": (lambda dc: dc.role("nothing"), "nothing does not exist"),
    "GetUser": (lambda dc: dc.user("nobody"), "nobody does not exist"),
    "GetAccessKey": (lambda dc: dc.access_key("abc"), "abc does not exist"),
    "GetUserAccessKey": (lambda dc: dc.user("alice").access_key("abc"), "abc does not exist"),
    "GetMachine": (lambda dc: Machine(dc, UNKNOWN), "VM not found"),
    "ListMachineFirewallRules": (lambda dc: Machine(dc, data={"id": UNKNOWN}).firewall_rules(), "VM not found"),
    "GetMachineSnapshot": (lambda dc: dc.machine("web-1").snapshot("before"), "does not exist"),
    "GetMachineTag": (lambda dc: dc.machine("web-1").get_tag("role"), 'tag "role" not found'),
    "GetNic": (lambda dc: dc.machine("web-1").nic("90:b8:d0:00:00:00"), "nic not found"),
    "RemoveNic": (lambda dc: dc.machine("web-1").remove_nic("90:b8:d0:00:00:00"), "nic not found"),
    "GetMachineDisk": (lambda dc: dc.machine("db-1").get_disk(UNKNOWN), "disk not found"),
}


@pytest.mark.parametrize("operation", ABSENT)
def test_what_is_not_there(dc: DataCenter, cloud: Emulator, operation: str) -> None:
    """CloudAPI says that there is no such thing, in its own words."""
    cloud.state.add_user("alice")
    cloud.populate(1, name="web-1")
    cloud.populate(1, name="db-1", image="debian-12-cloud", package="b1-small", state="stopped")
    get, words = ABSENT[operation]
    with pytest.raises(ResourceNotFound, match=words):
        get(dc)
    assert cloud.trace[-1].operation == operation


@pytest.mark.parametrize("nothing", ["", None, {}, {"colour": "red"}, ".."])
@pytest.mark.parametrize("get", ["key", "package", "policy", "role", "user"])
def test_what_addresses_nothing(dc: DataCenter, cloud: Emulator, get: str, nothing: Any) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(InputError):
        getattr(dc, get)(nothing)
    assert not cloud.trace
