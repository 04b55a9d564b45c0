"""Noun by noun: what is created is created once, and what is changed is changed, also when answers are lost.

What is true of machines alone is in ``test_exactly_once.py``; the loop itself is tested in ``waiting/test_create_once.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kits.cloud import account, image_id
from kits.docs import ROWS
from kits.rbac import public_line
from smartdc import Conflict, DataCenter, InvalidArgument, Machine, PreconditionFailed, SmartDCError
from smartdc.core.resource import Resource
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.records import MachineRecord, PolicyRecord, VlanRecord

FABRIC = "My-Fabric-Network"
PASSWORD = "correct horse 7"
KEY, OTHER_KEY = public_line(), public_line()
WEB_RULE = "FROM any TO tag role = web ALLOW tcp (port 443 AND port 80)"
UDP_RULE = "from all vms to any block udp ports 1-65535 priority 0"
SUBNET: dict[str, Any] = {
    "subnet": "10.50.1.0/24",
    "provision_start_ip": "10.50.1.5",
    "provision_end_ip": "10.50.1.250",
}
DAY = 86_400
ELSEWHERE = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def cloud(cloud: Emulator) -> Emulator:
    """The cloud, with volumes, migrations and all that things are created of, or are changed."""
    state = cloud.state
    state.settings.volumes = state.settings.user_migrations = True
    state.settings.manta_url = "https://manta.test"
    state.add_user("alice")
    state.vlans[account(cloud).id, 7] = VlanRecord(account(cloud).id, 7, "seven")
    account(cloud).policies[ELSEWHERE] = PolicyRecord(ELSEWHERE, "all", ["CAN *"])
    state.add_pool("pool", "10.99.0.0/29", "10.99.1.0/29")
    cloud.populate(1, name="web-1")
    cloud.populate(1, name="idle", state="stopped")
    [guarded] = cloud.populate(1, name="guarded", tags={"role": "web"})
    guarded.firewall_enabled = guarded.deletion_protection = True
    [bhyve] = cloud.populate(1, name="db-1", image="debian-12-cloud", package="b1-small", state="stopped")
    bhyve.disks, bhyve.flexible = bhyve.disks[:1], True
    mine, lent = (state.images[image_id(cloud, name)] for name in ("debian-12", "base-64-lts"))
    mine.owner, mine.public = account(cloud).id, False
    lent.owner, lent.public, lent.acl = state.add_account("other").id, False, [account(cloud).id]
    state.images_elsewhere["emulator-2"] = {ELSEWHERE: replace(mine, id=ELSEWHERE, name="away")}
    return cloud


class Create(NamedTuple):
    """A call that creates something.

    `kept` returns what addresses all such things on the server, and `shows` is what the new one says of itself.
    """

    operation: str
    create: Callable[[DataCenter], Resource]
    kept: Callable[[Emulator], Iterable[object]]
    shows: Mapping[str, object] = {}


def there(cloud: Emulator, name: str) -> MachineRecord:
    """Return what the server knows of a machine."""
    return next(machine for machine in cloud.state.machines.values() if machine.name == name)


def snapshots(cloud: Emulator) -> list[str]:
    """Return the names of the snapshots of web-1."""
    return [snapshot.name for snapshot in there(cloud, "web-1").snapshots]


def nics(cloud: Emulator) -> list[str]:
    """Return the MAC addresses of the interfaces of web-1."""
    return [nic.mac for nic in there(cloud, "web-1").nics]


def disks(cloud: Emulator) -> list[str]:
    """Return the ids of the disks of db-1."""
    return [disk["id"] for disk in there(cloud, "db-1").disks]


def create_old_role(dc: DataCenter) -> Resource:
    """Create a role with a client that asks for version 8 at most."""
    dc.session.headers["Accept-Version"] = "~8||~7.3"
    return dc.create_role("reader", members=[dc.user("alice")])


CREATES = {
    "machine": Create(
        "CreateMachine",
        lambda dc: dc.create_machine("new", image="debian-12", package="g1-small"),
        lambda cloud: cloud.state.machines,
    ),
    "snapshot": Create("CreateMachineSnapshot", lambda dc: dc.machine("web-1").create_snapshot("monday"), snapshots),
    "snapshot, with a wait": Create(
        "CreateMachineSnapshot",
        lambda dc: dc.machine("web-1").create_snapshot("monday", wait=True),
        snapshots,
        {"state": "created"},
    ),
    "disk": Create(
        "CreateMachineDisk", lambda dc: dc.machine("db-1").create_disk(1024, "0:5:0"), disks, {"pci_slot": "0:5:0"}
    ),
    "disk, with a wait": Create(
        "CreateMachineDisk",
        lambda dc: dc.machine("db-1").create_disk(1024, "0:5:0", wait=True),
        disks,
        {"pci_slot": "0:5:0", "size": 1024},
    ),
    "interface": Create(
        "AddNic", lambda dc: dc.machine("web-1").add_nic(FABRIC, wait=True), nics, {"state": "running"}
    ),
    "interface in a pool": Create(
        "AddNic", lambda dc: dc.machine("web-1").add_nic("pool", wait=True), nics, {"state": "running"}
    ),
    "migration": Create(
        "Migrate",
        lambda dc: dc.machine("web-1").migrate(wait=True),
        lambda cloud: cloud.state.migrations,
        {"state": "paused", "automatic": False},
    ),
    "automatic migration": Create(
        "Migrate",
        lambda dc: dc.machine("web-1").migrate(automatic=True, wait=True),
        lambda cloud: cloud.state.migrations,
        {"state": "successful", "automatic": True},
    ),
    "image of a machine": Create(
        "CreateImageFromMachine",
        lambda dc: dc.machine("idle").create_image("web", "1.0.0", wait=True),
        lambda cloud: cloud.state.images,
        {"state": "active"},
    ),
    "clone": Create("CloneImage", lambda dc: dc.image("base-64-lts@24.4.1").clone(), lambda cloud: cloud.state.images),
    "imported image": Create(
        "ImportImageFromDatacenter",
        lambda dc: dc.import_image("emulator-2", ELSEWHERE),
        lambda cloud: cloud.state.images,
        {"name": "away"},
    ),
    "key": Create(
        "CreateKey",
        lambda dc: dc.add_key("laptop", KEY),
        lambda cloud: account(cloud).keys,
        {"name": "laptop", "public_key": KEY},
    ),
    "key of a user": Create(
        "CreateUserKey",
        lambda dc: dc.user("alice").add_key("laptop", KEY),
        lambda cloud: next(iter(account(cloud).users.values())).keys,
        {"name": "laptop", "public_key": KEY},
    ),
    "user": Create(
        "CreateUser",
        lambda dc: dc.create_user("bob", "bob@example.com", PASSWORD, city="Oslo"),
        lambda cloud: account(cloud).users,
    ),
    "policy": Create(
        "CreatePolicy", lambda dc: dc.create_policy("reading", "CAN getmachine"), lambda cloud: account(cloud).policies
    ),
    "role": Create(
        "CreateRole",
        lambda dc: dc.create_role("reader", members=["alice"], policies=["all"]),
        lambda cloud: account(cloud).roles,
    ),
    "role before version 9": Create(
        "CreateRole", create_old_role, lambda cloud: account(cloud).roles, {"members": ["alice"]}
    ),
    "VLAN": Create(
        "CreateFabricVLAN",
        lambda dc: dc.create_vlan(100, "web", description="the web"),
        lambda cloud: [number for _, number in cloud.state.vlans],
        {"name": "web"},
    ),
    "fabric network": Create(
        "CreateFabricNetwork",
        lambda dc: dc.vlan(7).create_network("web-net", **SUBNET),
        lambda cloud: cloud.state.networks,
    ),
    "firewall rule": Create(
        "CreateFirewallRule", lambda dc: dc.create_firewall_rule(WEB_RULE), lambda cloud: cloud.state.firewall_rules
    ),
    "firewall rule that is written otherwise": Create(
        "CreateFirewallRule",
        lambda dc: dc.create_firewall_rule(UDP_RULE, enabled=True),
        lambda cloud: cloud.state.firewall_rules,
        {"enabled": True},
    ),
    "volume": Create(
        "CreateVolume",
        lambda dc: dc.create_volume("data", 10_240, tags={"a": "b"}),
        lambda cloud: cloud.state.volumes,
    ),
    "volume without a name": Create(
        "CreateVolume", lambda dc: dc.create_volume(tags={"a": "b"}), lambda cloud: cloud.state.volumes
    ),
}

LOST: dict[str, tuple[list[tuple[str, str]], int]] = {
    "before": ([("reset", "before")], 2),
    "after": ([("reset", "after")], 1),
    "before, and then after": ([("reset", "before"), ("status", "after")], 2),
}
"""Which answers are lost, and how often the create is sent in the end."""


def kept(cloud: Emulator, case: Create) -> list[object]:
    """Return what addresses all things of a kind on the server, when every job that is due has ended."""
    cloud.transitions.settle()
    return list(case.kept(cloud))


@pytest.mark.parametrize(("faults", "sent"), LOST.values(), ids=LOST)
@pytest.mark.parametrize("case", CREATES.values(), ids=CREATES)
def test_a_lost_answer_costs_no_second_thing(
    dc: DataCenter,
    cloud: Emulator,
    case: Create,
    faults: list[tuple[str, str]],
    sent: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was made is in hand, and nothing else was made; it is asked for again only if it was surely not made.

    Each lost answer is told of at once.
    """
    before = kept(cloud, case)
    caplog.set_level("INFO", "smartdc.waiting")
    for kind, when in faults:
        cloud.faults.add(Fault(case.operation, kind, when))

    made = case.create(dc)

    assert kept(cloud, case) == [*before, made[made.id_key]]
    assert cloud.trace.operations().count(case.operation) == sent
    assert {name: getattr(made, name) for name in case.shows} == case.shows
    assert caplog.text.count("lost the answer to the create of ") == len(faults)
    assert len(re.findall("INFO .* sending the create of .* again; attempt 2 of 2", caplog.text)) == sent - 1


class Rival(NamedTuple):
    """Something that is there before one of `CREATES` makes what looks like it, or ends in the `error`."""

    create: str
    rival: Callable[[DataCenter], Resource]
    error: type[SmartDCError] | None = None
    words: str | None = None
    age: float = 0


RIVALS = {
    "disk of the same size and slot": Rival("disk, with a wait", CREATES["disk, with a wait"].create, Conflict),
    "interface in the same pool": Rival("interface in a pool", CREATES["interface in a pool"].create),
    "migration that waits for its end": Rival(
        "migration", CREATES["automatic migration"].create, PreconditionFailed, "use migration finalize"
    ),
    "image of the same name and version": Rival("image of a machine", CREATES["image of a machine"].create),
    "another key of the same name": Rival("key", lambda dc: dc.add_key("laptop", OTHER_KEY), InvalidArgument),
    "user with another address": Rival(
        "user", lambda dc: dc.create_user("bob", "bobby@example.com", PASSWORD, city="Oslo"), InvalidArgument
    ),
    "user of earlier, with another password": Rival("user", CREATES["user"].create, InvalidArgument, age=400),
    "policy with other rules": Rival(
        "policy", lambda dc: dc.create_policy("reading", "CAN *"), InvalidArgument, "Name is not unique"
    ),
    "role without members": Rival(
        "role", lambda dc: dc.create_role("reader", policies=["all"]), InvalidArgument, "Name is not unique"
    ),
    "role without policies": Rival(
        "role", lambda dc: dc.create_role("reader", ["alice"]), InvalidArgument, "Name is not unique"
    ),
    "VLAN with another description": Rival(
        "VLAN", lambda dc: dc.create_vlan(100, "web"), InvalidArgument, "VLAN ID is already in use"
    ),
    "network of other addresses": Rival(
        "fabric network",
        lambda dc: dc.vlan(7).create_network("web-net", **{**SUBNET, "provision_end_ip": "10.50.1.99"}),
        InvalidArgument,
    ),
    "firewall rule of the same text": Rival("firewall rule", CREATES["firewall rule"].create),
    "volume of another size": Rival(
        "volume", lambda dc: dc.create_volume("data", 20_480, tags={"a": "b"}), Conflict, "data already exists"
    ),
    "volume of earlier": Rival("volume", CREATES["volume"].create, Conflict, "data already exists", age=DAY),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("case", RIVALS.values(), ids=RIVALS)
def test_what_was_there_is_not_taken_for_the_new_one(dc: DataCenter, cloud: Emulator, case: Rival, when: str) -> None:
    """When the answer is lost, only what this create can have made is returned."""
    create = CREATES[case.create]
    case.rival(dc)
    before = kept(cloud, create)
    cloud.clock.sleep(case.age)
    cloud.faults.add(Fault(create.operation, "reset", when))

    if case.error:
        with pytest.raises(case.error, match=case.words):
            create.create(dc)
        assert kept(cloud, create) == before
    else:
        made = create.create(dc)
        assert kept(cloud, create) == [*before, made[made.id_key]]


# What may be sent twice, and what may not


class Change(NamedTuple):
    """A change that may be made twice, and an entry of what was changed that then has a value."""

    of: Callable[[DataCenter], Any]
    change: Callable[[Any], object]
    entry: str
    value: object


def web(dc: DataCenter) -> Machine:
    """Return web-1, a machine that runs."""
    return dc.machine("web-1")


def guarded(dc: DataCenter) -> Machine:
    """Return a machine that has a tag, and a firewall and the deletion protection on."""
    return dc.machine("guarded")


TWICE_IS_ONCE = {
    "UpdateAccount": Change(lambda dc: dc.account(), lambda me: me.datacenter.update_account(city="X"), "city", "X"),
    "UpdateUser": Change(lambda dc: dc.user("alice"), lambda user: user.update(city="Rome"), "city", "Rome"),
    "UpdateAccessKey": Change(
        lambda dc: dc.create_access_key(), lambda key: key.update(status="Inactive"), "status", "Inactive"
    ),
    "UpdateUserAccessKey": Change(
        lambda dc: dc.user("alice").create_access_key(), lambda key: key.update(status="Inactive"), "status", "Inactive"
    ),
    "UpdateRole": Change(lambda dc: dc.create_role("x"), lambda role: role.update(name="y"), "name", "y"),
    "UpdatePolicy": Change(lambda dc: dc.policy("all"), lambda policy: policy.update(name="other"), "name", "other"),
    "UpdateFabricVLAN": Change(lambda dc: dc.vlan(7), lambda vlan: vlan.update(name="www"), "name", "www"),
    "UpdateFabricNetwork": Change(lambda dc: dc.network(FABRIC), lambda net: net.update(name="net"), "name", "net"),
    "UpdateVolume": Change(
        lambda dc: dc.create_volume("data", 10_240, wait=True), lambda volume: volume.rename("data-2"), "name", "data-2"
    ),
    "UpdateNetworkIP": Change(
        lambda dc: dc.network(FABRIC).ip("192.168.128.77"), lambda ip: ip.update(reserved=True), "reserved", True
    ),
    "UpdateFirewallRule": Change(
        lambda dc: dc.create_firewall_rule(WEB_RULE), lambda rule: rule.update(log=True), "log", True
    ),
    "EnableFirewallRule": Change(
        lambda dc: dc.create_firewall_rule(WEB_RULE), lambda rule: rule.enable(), "enabled", True
    ),
    "DisableFirewallRule": Change(
        lambda dc: dc.create_firewall_rule(WEB_RULE, enabled=True), lambda rule: rule.disable(), "enabled", False
    ),
    "UpdateImage": Change(lambda dc: dc.image("debian-12"), lambda image: image.update(name="x"), "name", "x"),
    "AddMachineTags": Change(guarded, lambda machine: machine.add_tags(a=1), "tags", {"role": "web", "a": 1}),
    "ReplaceMachineTags": Change(guarded, lambda machine: machine.replace_tags(a=1), "tags", {"a": 1}),
    "DeleteMachineTag": Change(guarded, lambda machine: machine.delete_tag("role"), "tags", {}),
    "DeleteMachineTags": Change(guarded, Machine.delete_all_tags, "tags", {}),
    "UpdateMachineMetadata": Change(web, lambda machine: machine.update_metadata(a="b"), "metadata", {"a": "b"}),
    "set_boot_script": Change(
        web, lambda machine: machine.set_boot_script(__file__), "metadata", {"user-script": Path(__file__).read_text()}
    ),
    "EnableMachineFirewall": Change(web, Machine.enable_firewall, "firewall_enabled", True),
    "DisableMachineFirewall": Change(guarded, Machine.disable_firewall, "firewall_enabled", False),
    "EnableMachineDeletionProtection": Change(web, Machine.enable_deletion_protection, "deletion_protection", True),
    "DisableMachineDeletionProtection": Change(
        guarded, Machine.disable_deletion_protection, "deletion_protection", False
    ),
    "ResizeMachineDisk": Change(
        lambda dc: dc.machine("db-1").create_disk(1024, wait=True),
        lambda disk: disk.resize(20_480, wait=True),
        "size",
        20_480,
    ),
    "DeleteMachine": Change(web, Machine.delete, "state", "deleted"),
}


@pytest.mark.parametrize("operation", TWICE_IS_ONCE)
def test_a_change_that_may_be_made_twice_is_sent_again(dc: DataCenter, cloud: Emulator, operation: str) -> None:
    """What twice is the same as once is asked for again when its answer is lost, and then it is so."""
    case = TWICE_IS_ONCE[operation]
    thing = case.of(dc)
    operation = {"set_boot_script": "UpdateMachineMetadata"}.get(operation, operation)
    cloud.faults.add(Fault(operation, "reset", "after"))

    case.change(thing)

    assert cloud.trace.operations().count(operation) == 2
    assert thing.refresh()[case.entry] == case.value


ASKED_AGAIN: dict[str, Callable[[DataCenter], object]] = {
    "ExportImage": lambda dc: dc.image("debian-12").export("/demo/stor"),
    "Migrate:watch": lambda dc: dc.machine("web-1").migrate().raw_watch(),
}
"""What writes the same again or only waits, and returns something else than the thing."""


@pytest.mark.parametrize("operation", ASKED_AGAIN)
def test_a_wait_or_a_write_of_the_same_is_sent_again(dc: DataCenter, cloud: Emulator, operation: str) -> None:
    """The second answer is as good as the first one."""
    cloud.faults.add(Fault(operation, "reset", "after"))

    assert ASKED_AGAIN[operation](dc)

    assert cloud.trace.operations().count(operation) == 2


def test_a_name_that_somebody_else_has_is_refused_though_the_request_was_sent_twice(
    dc: DataCenter, cloud: Emulator
) -> None:
    """``UpdateVolume``: only a conflict with our own first request is none."""
    volume = dc.create_volume("data", 10_240, wait=True)
    dc.create_volume("other", 10_240, wait=True)
    cloud.faults.add(Fault("UpdateVolume", "reset", "before"))

    with pytest.raises(Conflict):
        volume.rename("other")
    assert volume.refresh().name == "data"


REFUSED_AND_DONE: dict[str, Any] = {
    "headers": {"Retry-After": "0"},
    "status": 503,
    "code": "ServiceUnavailableError",
    "message": "This Triton data center is being upgraded",
}


@pytest.mark.parametrize("name", ["key", "snapshot"])
def test_what_maintenance_has_refused_and_yet_done_is_found(dc: DataCenter, cloud: Emulator, name: str) -> None:
    """The conflict of a request that went out twice may be with itself: the thing is looked for before it is refused."""
    case = CREATES[name]
    before = set(case.kept(cloud))
    cloud.faults.add(Fault(case.operation, "status", "after", **REFUSED_AND_DONE))

    made = case.create(dc)

    assert cloud.trace.operations().count(case.operation) == 2
    assert [made["name"]] == [getattr(thing, "name", thing) for thing in case.kept(cloud) if thing not in before]


NEVER_TWICE: dict[str, Callable[[DataCenter], object]] = {
    "StopMachine": lambda dc: dc.machine("web-1").stop(),
    "StartMachine": lambda dc: dc.machine("idle").start(),
    "RebootMachine": lambda dc: dc.machine("web-1").reboot(),
    "ResizeMachine": lambda dc: dc.machine("web-1").resize("g1-medium"),
    "RenameMachine": lambda dc: dc.machine("web-1").rename("web-2"),
    "StartMachineFromSnapshot": lambda dc: dc.machine("web-1").start_from_snapshot("sunday"),
    "CreateAccessKey": lambda dc: dc.create_access_key(),
    "CreateUserAccessKey": lambda dc: dc.user("alice").create_access_key(),
    "ChangeUserPassword": lambda dc: dc.user("alice").change_password(PASSWORD),
}


@pytest.mark.parametrize("kind", ["reset", "status"])
@pytest.mark.parametrize("operation", NEVER_TWICE)
def test_what_may_be_another_thing_the_second_time_is_sent_once(
    dc: DataCenter, cloud: Emulator, operation: str, kind: str
) -> None:
    """Where nothing tells one from another, the error of a lost answer says that nobody knows if it was done."""
    cloud.faults.add(Fault(operation, kind, "after"))

    with pytest.raises(SmartDCError) as caught:
        NEVER_TWICE[operation](dc)

    assert getattr(caught.value, "applied", "missing") is None
    assert cloud.trace.operations().count(operation) == 1


def test_every_operation_is_here() -> None:
    """Of each operation that is a POST it is known what becomes of it when its answer is lost; the others may be repeated."""
    here = (
        {case.operation for case in CREATES.values()} | TWICE_IS_ONCE.keys() | ASKED_AGAIN.keys() | NEVER_TWICE.keys()
    )
    posts = {name for name, route in ROWS.items() if route.method == "POST"}
    never_done = {"AddForeignDatacenter"}  # the emulator refuses it: nobody has the other cloud's token

    assert posts - here == never_done, "add it to CREATES, TWICE_IS_ONCE, ASKED_AGAIN or NEVER_TWICE"


def test_a_lost_create_of_what_has_no_name_is_told_by_its_place(
    cloud: Emulator, dc: DataCenter, caplog: pytest.LogCaptureFixture
) -> None:
    """``CreateFirewallRule``: the warning says where the new entry is looked for."""
    cloud.faults.add(Fault("CreateFirewallRule", "reset", "after"))
    dc.create_firewall_rule(WEB_RULE)

    assert "lost the answer to the create of a new entry of /demo/fwrules; looking for it for up to " in caplog.text
