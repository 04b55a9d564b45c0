"""Role tags: on things, on collections and on the account; and what they are good for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kits.cloud import account, image_id, record, sent
from kits.rbac import as_user, give_role, open_to, public_line
from smartdc import DataCenter, InvalidArgument, Machine, NotAuthorized, ResourceNotFound
from smartdc.emulator import Emulator
from smartdc.emulator.state.records import RoleRecord, UserRecord
from smartdc.resources.role_tag import HasRoleTags

ACCOUNT, THING = "SetRoleTags:ReplaceAccountRoleTags", "SetRoleTags:ReplaceResourceRoleTags"
USER_KEY, MACHINE = "SetRoleTags:ReplaceUserKeysResourceRoleTags", "SetRoleTags:ReplaceMachineRoleTags"

THINGS: dict[str, tuple[str, str, Callable[[DataCenter], Any]]] = {
    "account": (ACCOUNT, "GetAccount", lambda dc: dc.account()),
    "key": (THING, "GetKey", lambda dc: dc.keys()[0]),
    "user": (THING, "GetUser", lambda dc: dc.user("alice")),
    "user's key": (USER_KEY, "GetUserKey", lambda dc: dc.user("alice").add_key("laptop", public_line())),
    "role": (THING, "GetRole", lambda dc: dc.role("reader")),
    "policy": (THING, "GetPolicy", lambda dc: dc.policies()[0]),
    "image": (THING, "GetImage", lambda dc: dc.images()[0]),
    "package": (THING, "GetPackage", lambda dc: dc.packages()[0]),
    "network": (THING, "GetNetwork", lambda dc: dc.networks()[0]),
    "machine": (MACHINE, "GetMachine", lambda dc: dc.machines()[0]),
    "firewall rule": (
        THING,
        "GetFirewallRule",
        lambda dc: dc.create_firewall_rule("FROM any TO all vms ALLOW tcp PORT 22"),
    ),
}
"""What can be tagged, with the operation that does it and the one that shows it."""

COLLECTIONS = [
    "machines",
    "users",
    "roles",
    "packages",
    "images",
    "policies",
    "keys",
    "datacenters",
    "fwrules",
    "networks",
    "services",
]


@pytest.fixture
def alice(cloud: Emulator) -> UserRecord:
    """The user alice, as the server knows her."""
    return cloud.state.add_user("alice")


@pytest.fixture
def reader(cloud: Emulator, alice: UserRecord) -> RoleRecord:
    """The role called reader, which is alice's by default and lets her do everything that it is tagged on."""
    return give_role(cloud, "reader", alice)


@pytest.fixture
def writer(cloud: Emulator, alice: UserRecord) -> RoleRecord:
    """The role called writer, which is alice's where she asks for it."""
    return give_role(cloud, "writer", alice, default=False)


@pytest.fixture
def thing(dc: DataCenter, machine: Machine, reader: RoleRecord, writer: RoleRecord, request: Any) -> HasRoleTags:  # noqa: ARG001
    """One of the things."""
    made: HasRoleTags = THINGS[request.param][2](dc)
    return made


@pytest.mark.parametrize(
    ("thing", "operation", "shown"), [(name, *row[:2]) for name, row in THINGS.items()], indirect=["thing"]
)
def test_role_tags_of_a_thing(thing: HasRoleTags, cloud: Emulator, operation: str, shown: str) -> None:
    """``SetRoleTags`` on a thing is seen by whatever shows the thing."""
    assert thing.role_tags() == []

    assert thing.set_role_tags(["reader", "writer"]) == ["reader", "writer"]

    assert sent(cloud, operation) == ("PUT", thing.path, {"role-tag": ["reader", "writer"]})
    assert thing.role_tags() == ["reader", "writer"]
    assert sent(cloud, shown)[0] == "GET"


@pytest.mark.parametrize("thing", THINGS, indirect=True)
def test_role_tags_are_replaced_and_cleared(thing: HasRoleTags) -> None:
    """``SetRoleTags`` sets all tags at once, and an empty list takes them off."""
    thing.set_role_tags(["reader", "writer"])

    assert thing.set_role_tags("writer") == thing.role_tags() == ["writer"]
    assert thing.set_role_tags([]) == thing.role_tags() == []


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_role_tags_of_a_collection(dc: DataCenter, cloud: Emulator, reader: RoleRecord, collection: str) -> None:
    """``SetRoleTags`` on a whole collection is seen by whatever lists it."""
    assert dc.role_tags_of(collection) == []

    assert dc.set_role_tags_of(collection, ["reader"]) == ["reader"]

    assert sent(cloud, "SetRoleTags:ReplaceResourcesRoleTags")[:2] == ("PUT", f"{collection}")
    assert account(cloud).role_tags == {f"/demo/{collection}": [reader.id]}
    assert dc.role_tags_of(collection) == ["reader"]
    assert dc.role_tags() == []


def test_role_tags_of_the_account(dc: DataCenter, cloud: Emulator, reader: RoleRecord) -> None:
    """``SetRoleTags`` on the account itself is what the data centre has."""
    assert dc.set_role_tags(["reader"]) == dc.role_tags() == dc.account().role_tags() == ["reader"]

    assert sent(cloud, "SetRoleTags:ReplaceAccountRoleTags") == ("PUT", "", {"role-tag": ["reader"]})
    assert account(cloud).role_tags == {"/demo": [reader.id]}


def test_role_tags_of_the_keys_of_a_user(dc: DataCenter, cloud: Emulator, reader: RoleRecord) -> None:
    """``SetRoleTags`` on the keys of a user is apart from that on the user."""
    user = dc.user("alice")

    assert user.set_role_tags_of("keys", ["reader"]) == user.role_tags_of("keys") == ["reader"]

    assert sent(cloud, "SetRoleTags:ReplaceUserKeysResourcesRoleTags")[:2] == ("PUT", f"{user.path}/keys")
    assert account(cloud).role_tags == {f"/demo/{user.path}/keys": [reader.id]}
    assert user.role_tags() == []


@pytest.mark.parametrize("form", ["name", "dict", "resource", "list"])
def test_roles_in_every_form(dc: DataCenter, reader: RoleRecord, form: str) -> None:
    """``SetRoleTags`` takes one role or several, by name, dict or resource, and sends names."""
    role = dc.role(reader.id)
    given: Any = {"name": "reader", "dict": {"name": "reader"}, "resource": role, "list": [role]}[form]

    assert dc.set_role_tags_of("users", given) == ["reader"]


def test_role_that_is_not_there(dc: DataCenter, machine: Machine) -> None:
    """``SetRoleTags`` names the roles that nobody has."""
    with pytest.raises(InvalidArgument, match=r"Role\(s\) nobody, nothing not found"):
        machine.set_role_tags(["nobody", "nothing"])
    with pytest.raises(InvalidArgument, match="not found"):
        dc.set_role_tags("nobody")


def test_collection_that_cannot_be_tagged(dc: DataCenter, reader: RoleRecord) -> None:
    """``SetRoleTags`` refuses what is no collection."""
    with pytest.raises(ResourceNotFound, match="volumes is not a valid resource"):
        dc.set_role_tags_of("volumes", reader.name)


def test_machine_keeps_its_tags(machine: Machine, cloud: Emulator, reader: RoleRecord) -> None:
    """``SetRoleTags`` on a machine is kept with the machine."""
    machine.set_role_tags("reader")

    assert record(cloud, machine).role_tags == [reader.id]
    assert account(cloud).role_tags == {}


def test_deleting_a_thing_drops_its_tags(dc: DataCenter, cloud: Emulator, reader: RoleRecord) -> None:
    """After ``DeletePolicy`` nothing is left of its tags."""
    policy = dc.create_policy("short-lived", "CAN *")
    policy.set_role_tags(reader.name)
    assert account(cloud).role_tags

    policy.delete()

    assert account(cloud).role_tags == {}


def test_user_sees_what_its_role_is_tagged_on(
    cloud: Emulator, dc: DataCenter, alice: UserRecord, reader: RoleRecord, machine: Machine
) -> None:
    """A user that signs with its own key gets at a machine only after ``SetRoleTags``."""
    with as_user(cloud, dc, alice) as hers:
        with pytest.raises(NotAuthorized, match=r"permission to access /demo/machines/.* \(getmachine\)"):
            hers.machine(machine.id)

        machine.set_role_tags(reader.name)

        assert hers.machine(machine.id) == machine


@pytest.mark.usefixtures("reader")
def test_user_takes_on_a_role(cloud: Emulator, dc: DataCenter, alice: UserRecord, writer: RoleRecord) -> None:
    """Roles that are asked for count in place of the default ones: ``ListUsers`` with ``as-role``."""
    open_to(cloud, "/users", writer)
    with as_user(cloud, dc, alice) as hers, as_user(cloud, dc, alice, roles="writer") as as_writer:
        with pytest.raises(NotAuthorized):
            hers.users()

        assert [user.login for user in as_writer.users()] == ["alice"]

    assert cloud.trace[-1].query == {"as-role": "writer"}


def test_what_a_user_makes_is_tagged_with_its_roles(
    cloud: Emulator, dc: DataCenter, alice: UserRecord, reader: RoleRecord
) -> None:
    """After ``CreateMachine`` by a user, its active roles are on the machine."""
    open_to(cloud, "/machines", reader)
    open_to(cloud, "/images", reader)
    with as_user(cloud, dc, alice) as hers:
        machine = hers.create_machine("web-2", "g1-nano", image=image_id(cloud, "base-64-lts"))

    assert dc.machine(machine.id).role_tags() == ["reader"]
