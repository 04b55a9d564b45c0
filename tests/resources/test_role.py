"""Roles: listing, reading, creating, changing and deleting them, in the form of version 9 and in that of 7 and 8."""

from __future__ import annotations

from typing import Any

import pytest

from kits.cloud import account, sent
from smartdc import DataCenter, InputError, InvalidArgument, Policy, Role, User
from smartdc.emulator import Emulator


@pytest.fixture
def alice(dc: DataCenter, cloud: Emulator) -> User:
    """The user alice."""
    return dc.user(cloud.state.add_user("alice").id)


@pytest.fixture
def bob(dc: DataCenter, cloud: Emulator) -> User:
    """The user bob."""
    return dc.user(cloud.state.add_user("bob").id)


@pytest.fixture
def reading(dc: DataCenter) -> Policy:
    """The policy called reading."""
    return dc.create_policy("reading", "CAN listmachines and getmachine")


@pytest.fixture
def reader(dc: DataCenter, alice: User, reading: Policy) -> Role:
    """The role called reader: alice's, by default."""
    return dc.create_role("reader", policies=[reading], default_members=[alice])


@pytest.fixture
def old_dc(dc: DataCenter, cloud: Emulator) -> DataCenter:
    """A client, at the same door, that asks for version 8 at most."""
    connection = cloud.connection(None if "emulator" in dc.base_url else dc.base_url)
    return DataCenter(**connection, api_version="~8||~7.3")


def test_roles(dc: DataCenter, cloud: Emulator, reader: Role) -> None:
    """``ListRoles`` gives every role of the account."""
    assert dc.roles() == [reader]
    assert sent(cloud, "ListRoles") == ("GET", "roles", {})


@pytest.mark.parametrize("form", ["name", "id", "dict", "resource"])
def test_role(dc: DataCenter, cloud: Emulator, reader: Role, form: str) -> None:
    """``GetRole`` gives a role by name, id, dict or resource."""
    given: Any = {"name": "reader", "id": reader.id, "dict": {"name": "reader"}}.get(form, reader)

    assert dict(dc.role(given)) == dict(reader)
    assert sent(cloud, "GetRole")[1].removeprefix("roles/") in {"reader", reader.id}


def test_role_shows_members_and_policies(reader: Role, alice: User, reading: Policy) -> None:
    """From version 9 on ``GetRole`` tells of members and policies as objects."""
    assert reader.members == [{"type": "subuser", "id": alice.id, "login": "alice", "default": True}]
    assert reader.policies == [{"id": reading.id, "name": "reading"}]
    assert reader.default_members is None


def test_empty_role(dc: DataCenter) -> None:
    """An empty role has an entry more than others: ``GetRole`` leaves it as before version 9."""
    role = dc.create_role("nobody")

    assert (role.members, role.policies, role.default_members) == ([], [], [])


@pytest.mark.parametrize("form", ["login", "id", "dict", "resource"])
def test_create_role_with_members(dc: DataCenter, cloud: Emulator, alice: User, form: str) -> None:
    """``CreateRole`` takes members by login, id, dict or resource, and sends objects."""
    given: Any = {"login": "alice", "id": alice.id, "dict": {"login": "alice"}}.get(form, alice)

    role = dc.create_role("reader", members=[given])

    member = sent(cloud, "CreateRole")[2]["members"][0]
    assert member.pop("type") == "subuser"
    assert member.items() <= {"id": alice.id, "login": "alice"}.items()
    assert account(cloud).roles[role.id].members == [alice.id]
    assert account(cloud).roles[role.id].default_members == []


@pytest.mark.parametrize("form", ["name", "id", "dict", "resource"])
def test_create_role_with_policies(dc: DataCenter, cloud: Emulator, reading: Policy, form: str) -> None:
    """``CreateRole`` takes policies by name, id, dict or resource, and sends objects."""
    given: Any = {"name": "reading", "id": reading.id, "dict": {"name": "reading"}}.get(form, reading)

    role = dc.create_role("reader", policies=[given])

    assert sent(cloud, "CreateRole")[2]["policies"] in ([{"id": reading.id}], [{"name": "reading"}])
    assert account(cloud).roles[role.id].policies == [reading.id]


def test_create_role_with_default_members(dc: DataCenter, cloud: Emulator, alice: User, bob: User) -> None:
    """``CreateRole`` marks default members, and makes those members who are not yet."""
    role = dc.create_role("reader", members=["alice"], default_members=[alice, "bob"])

    assert sent(cloud, "CreateRole")[2]["members"] == [
        {"type": "subuser", "login": "alice", "default": True},
        {"type": "subuser", "login": "bob", "default": True},
    ]
    assert account(cloud).roles[role.id].default_members == [alice.id, bob.id]


def test_create_role_with_another_account(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateRole`` takes whole accounts where they say that they are accounts."""
    other = cloud.state.add_account("partner")

    role = dc.create_role("reader", members=[{"type": "account", "login": "partner"}])

    assert role.members == [{"type": "account", "id": other.id, "login": "partner"}]


def test_one_member_is_no_list_of_letters(dc: DataCenter, cloud: Emulator, alice: User, reading: Policy) -> None:
    """A single text or resource is one member or policy: ``CreateRole``."""
    role = dc.create_role("reader", members="alice", policies=reading)

    assert account(cloud).roles[role.id].members == [alice.id]
    assert account(cloud).roles[role.id].policies == [reading.id]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"members": ["nobody"]}, "Invalid subuser: nobody"),
        ({"policies": ["nothing"]}, "Invalid policy: nothing"),
        ({"members": [{"type": "robot", "login": "r2"}]}, 'not supported: "robot"'),
        ({"name": "true"}, '"true" is not a valid role name'),
    ],
)
def test_create_role_tells_why_not(dc: DataCenter, cloud: Emulator, given: dict[str, Any], reason: str) -> None:
    """``CreateRole`` is refused in the server's own words."""
    with pytest.raises(InvalidArgument, match=reason):
        dc.create_role(**{"name": "reader", **given})

    assert not account(cloud).roles


def test_create_role_of_a_taken_name(dc: DataCenter, reader: Role) -> None:
    """``CreateRole`` refuses a name that the account has."""
    with pytest.raises(InvalidArgument, match="Name is not unique"):
        dc.create_role("reader")

    assert dc.roles() == [reader]


def test_administrator_has_no_policies(dc: DataCenter, reading: Policy) -> None:
    """``CreateRole`` and ``UpdateRole`` refuse policies for the role that may do everything."""
    with pytest.raises(InvalidArgument, match="Administrator role cannot have policies"):
        dc.create_role("administrator", policies=[reading])
    role = dc.create_role("administrator")
    with pytest.raises(InvalidArgument, match="Administrator role cannot have policies"):
        role.update(policies=[reading])


def test_update(reader: Role, bob: User, cloud: Emulator) -> None:
    """``UpdateRole`` sends only what is given, and replaces the list that is there."""
    assert reader.update(members=[bob]) is reader

    members = [{"type": "subuser", "id": bob.id, "login": "bob"}]
    assert sent(cloud, "UpdateRole") == ("POST", reader.path, {"members": members})
    there = account(cloud).roles[reader.id]
    assert (there.members, there.default_members, len(there.policies)) == ([bob.id], [], 1)
    assert reader.members == [{"type": "subuser", "id": bob.id, "login": "bob"}]


def test_update_name_and_policies(reader: Role, cloud: Emulator) -> None:
    """``UpdateRole`` renames a role; an empty list takes all policies away."""
    reader.update(name="looker", policies=[])

    assert sent(cloud, "UpdateRole")[2] == {"name": "looker", "policies": []}
    assert (reader.name, account(cloud).roles[reader.id].policies) == ("looker", [])


def test_update_with_what_it_has(reader: Role, cloud: Emulator) -> None:
    """The members that a role shows can be given back to it: ``UpdateRole`` then changes nothing."""
    before = dict(reader)

    reader.update(members=reader.members, policies=reader.policies)

    assert dict(reader) == before
    assert account(cloud).roles[reader.id].default_members


def test_update_of_default_members_alone(reader: Role, bob: User, cloud: Emulator) -> None:
    """``UpdateRole`` with default members alone would throw the other members out, so it is not sent."""
    with pytest.raises(InputError, match="give members"):
        reader.update(default_members=[bob])

    assert "UpdateRole" not in cloud.trace.operations()


def test_update_of_nothing(reader: Role, cloud: Emulator) -> None:
    """CloudAPI trips over an empty ``UpdateRole``, so it is not sent."""
    with pytest.raises(InputError, match="give a name"):
        reader.update()

    assert "UpdateRole" not in cloud.trace.operations()


def test_delete(reader: Role, cloud: Emulator) -> None:
    """``DeleteRole`` removes a role; it goes by id, the only thing that CloudAPI takes here."""
    reader.delete()

    assert sent(cloud, "DeleteRole") == ("DELETE", f"roles/{reader.id}", {})
    assert not account(cloud).roles


def test_members_that_were_deleted_are_not_shown(reader: Role, alice: User) -> None:
    """After ``DeleteUser`` the user is no member of its roles any more."""
    alice.delete()

    assert reader.refresh().members == []


def test_create_role_before_version_9(
    old_dc: DataCenter, cloud: Emulator, alice: User, bob: User, reading: Policy
) -> None:
    """For versions 7 and 8 ``CreateRole`` sends names, and gets names."""
    role = old_dc.create_role("reader", members=["alice", bob], policies=[reading], default_members=[bob])

    assert sent(cloud, "CreateRole")[2] == {
        "name": "reader",
        "members": ["alice", "bob"],
        "policies": ["reading"],
        "default_members": ["bob"],
    }
    there = account(cloud).roles[role.id]
    assert (there.members, there.default_members) == ([alice.id, bob.id], [bob.id])
    assert (role.members, role.default_members, role.policies) == (["alice", "bob"], ["bob"], ["reading"])


@pytest.mark.parametrize(
    ("versions", "objects"),
    [("~9||~8", True), ("*", True), (">=8", True), ("~9", True), ("~8", False), ("7.2.0", False), ("<9", False)],
)
def test_form_goes_by_the_versions(dc: DataCenter, cloud: Emulator, alice: User, versions: str, objects: bool) -> None:
    """``CreateRole`` speaks the form in which CloudAPI will read it."""
    dc.session.headers["Accept-Version"] = versions

    role = dc.create_role("reader", members=[alice])

    assert isinstance(sent(cloud, "CreateRole")[2]["members"][0], dict) is objects
    assert isinstance(role.members[0], dict) is objects


def test_default_that_is_no_boolean(dc: DataCenter, cloud: Emulator) -> None:
    """A member who is to be a default one says so with True; a text is refused before ``CreateRole``."""
    with pytest.raises(InputError, match="default must be True or False, not str"):
        dc.create_role("ops", [{"login": "bob", "default": "false"}])
    assert not cloud.trace
