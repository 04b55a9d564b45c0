"""Users of the account: listing, reading, creating, changing and deleting them, and their SSH keys."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from kits.cloud import account, query, sent
from kits.rbac import give_role, public_line
from smartdc import (
    DataCenter,
    InvalidArgument,
    Key,
    MissingParameter,
    SmartDCError,
    User,
)
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state import records

PASSWORD = "correct horse 7"
FIELDS = {
    "company_name": ("companyName", "Alice & Söhne"),
    "first_name": ("firstName", "Alice"),
    "last_name": ("lastName", "Jones"),
    "address": ("address", "1 Main Street"),
    "postal_code": ("postalCode", "0123"),
    "city": ("city", "Bern"),
    "state": ("state", "BE"),
    "country": ("country", "CH"),
    "phone": ("phone", "+41 0"),
}


@pytest.fixture
def there(cloud: Emulator) -> records.UserRecord:
    """What the server knows of the user alice."""
    return cloud.state.add_user("alice", city="Oslo")


@pytest.fixture
def alice(dc: DataCenter, there: records.UserRecord) -> User:
    """The user alice."""
    return dc.user(there.id)


def test_users(dc: DataCenter, cloud: Emulator, alice: User) -> None:
    """``ListUsers`` gives every user of the account."""
    cloud.state.add_user("bob")

    users = dc.users()

    assert sent(cloud, "ListUsers") == ("GET", "users", {})
    assert [user.login for user in users] == ["alice", "bob"]
    assert users[0] == alice


@pytest.mark.parametrize("form", ["login", "id", "dict", "resource"])
def test_user(dc: DataCenter, cloud: Emulator, alice: User, form: str) -> None:
    """``GetUser`` gives a user by login, id, dict or resource."""
    given: Any = {"login": "alice", "id": alice.id, "dict": {"login": "alice"}}.get(form, alice)

    user = dc.user(given)

    method, path, _ = sent(cloud, "GetUser")
    assert (method, path) == ("GET", "users/alice" if form in {"login", "dict"} else f"users/{alice.id}")
    assert dict(user) == dict(alice)


def test_user_shows_what_the_server_has(alice: User, there: records.UserRecord) -> None:
    """After ``GetUser`` the attributes are those of the server's record."""
    assert (alice.id, alice.login, alice.email) == (there.id, "alice", "alice@example.com")
    assert (alice.city, alice.phone, alice.roles) == ("Oslo", None, None)
    assert alice.created == alice.updated == datetime.fromtimestamp(there.created, UTC)


def test_user_with_membership(dc: DataCenter, cloud: Emulator, there: records.UserRecord) -> None:
    """``GetUser`` with ``membership`` tells roles too, and the flag is sent only then: any text would set it."""
    give_role(cloud, "reader", there)
    give_role(cloud, "writer", there, default=False)

    user = dc.user("alice", membership=True)

    assert query(cloud, "GetUser") == {"membership": "true"}
    assert (user.roles, user.default_roles) == (["reader", "writer"], ["reader"])
    dc.user("alice")
    assert query(cloud, "GetUser") == {}


def test_constructor_fetches_by_login(dc: DataCenter, there: records.UserRecord) -> None:
    """A user made from a login asks for itself: ``GetUser``; from then on its id addresses it."""
    user = User(dc, "alice")

    assert (user.email, user.path) == ("alice@example.com", f"users/{there.id}")


def test_create_user(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateUser`` sends what is given, in the body, and returns the user."""
    user = dc.create_user("bob", "bob@example.com", PASSWORD, **{name: value for name, (_, value) in FIELDS.items()})

    method, path, body = sent(cloud, "CreateUser")
    assert (method, path) == ("POST", "users")
    assert body == {"login": "bob", "email": "bob@example.com", "password": PASSWORD, **dict(FIELDS.values())}
    assert account(cloud).users[user.id].profile == {"email": "bob@example.com", **dict(FIELDS.values())}
    assert (user.login, user.company_name, user.street_address) == ("bob", "Alice & Söhne", "1 Main Street")


def test_create_user_leaves_out_what_is_not_said(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateUser`` sends no field that is None."""
    dc.create_user("bob", "bob@example.com", PASSWORD)

    assert sent(cloud, "CreateUser")[2] == {"login": "bob", "email": "bob@example.com", "password": PASSWORD}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"email": "nobody"}, "email: nobody is invalid"),
        ({"login": "9lives"}, "login: 9lives is invalid"),
        ({"login": "ALICE"}, "Login is already taken"),
        ({"login": "ab"}, "login: ab is invalid"),
        ({"login": "a" * 33}, f"login: {'a' * 33} is invalid"),
        ({"password": "short1"}, "passwordTooShort"),
        ({"password": "no digits"}, "insufficientPasswordQuality"),
    ],
)
def test_create_user_tells_why_not(dc: DataCenter, alice: User, changed: dict[str, str], reason: str) -> None:
    """``CreateUser`` is refused in the server's own words."""
    given = {"login": "bob", "email": "bob@example.com", "password": PASSWORD, **changed}

    with pytest.raises(InvalidArgument, match=reason):
        dc.create_user(**given)

    assert dc.users() == [alice]


@pytest.mark.parametrize("login", ["abc", "a" * 32])
def test_create_user_takes_the_limits(dc: DataCenter, login: str) -> None:
    """``CreateUser`` takes a login of 3 to 32 characters, and a password of 7."""
    assert dc.create_user(login, "bob@example.com", "passwd7").login == login


SECRETIVE: dict[str, Callable[[DataCenter, User], object]] = {
    "CreateUser": lambda dc, _: dc.create_user("bob", "bob@example.com", PASSWORD),
    "ChangeUserPassword": lambda _, alice: alice.change_password(PASSWORD),
}


@pytest.mark.parametrize("kind", ["status", "reset"])
@pytest.mark.parametrize("operation", SECRETIVE)
def test_errors_do_not_tell_the_password(
    dc: DataCenter, alice: User, cloud: Emulator, kind: str, operation: str
) -> None:
    """What goes wrong with ``CreateUser`` and ``ChangeUserPassword`` has the password neither in its words nor frames."""
    cloud.faults.add(Fault("*", kind, times=None))

    with pytest.raises(SmartDCError) as caught:
        SECRETIVE[operation](dc, alice)

    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)][1:]
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in repr([frame.f_locals for frame in frames])


@pytest.mark.parametrize(("name", "key", "value"), [(name, *field) for name, field in FIELDS.items()], ids=FIELDS)
def test_update(alice: User, there: records.UserRecord, cloud: Emulator, name: str, key: str, value: str) -> None:
    """``UpdateUser`` sends only what is given, by id, and the user then shows it."""
    assert alice.update(**{name: value}) is alice

    assert sent(cloud, "UpdateUser") == ("POST", f"users/{there.id}", {key: value})
    assert there.profile[key] == alice[key] == value


def test_update_clears_a_field(alice: User, there: records.UserRecord) -> None:
    """An empty text takes a field away: ``UpdateUser`` differs from ``UpdateAccount`` in this."""
    alice.update(city="")

    assert "city" not in alice
    assert not there.profile["city"]


def test_update_login_and_email(alice: User, there: records.UserRecord, cloud: Emulator) -> None:
    """``UpdateUser`` renames a user, whose id stays what it was."""
    alice.update(login="alison", email="alison@example.com")

    assert sent(cloud, "UpdateUser")[2] == {"login": "alison", "email": "alison@example.com"}
    assert (there.login, alice.login, alice.email) == ("alison", "alison", "alison@example.com")


def test_update_without_an_email(alice: User) -> None:
    """``UpdateUser`` refuses to take the e-mail address away."""
    with pytest.raises(MissingParameter, match="email is required"):
        alice.update(email="")


def test_change_password(alice: User, there: records.UserRecord, cloud: Emulator) -> None:
    """``ChangeUserPassword`` sends the password with its confirmation."""
    assert alice.change_password(PASSWORD) is alice

    path = f"users/{there.id}/change_password"
    assert sent(cloud, "ChangeUserPassword") == (
        "POST",
        path,
        {"password": PASSWORD, "password_confirmation": PASSWORD},
    )
    assert len(there.passwords) == 1


def test_change_password_to_a_former_one(alice: User) -> None:
    """``ChangeUserPassword`` refuses what was used lately."""
    alice.change_password(PASSWORD)
    alice.change_password("another horse 8")

    with pytest.raises(InvalidArgument, match="passwordInHistory"):
        alice.change_password(PASSWORD)


def test_delete(alice: User, there: records.UserRecord, cloud: Emulator) -> None:
    """``DeleteUser`` removes the user."""
    alice.delete()

    assert sent(cloud, "DeleteUser") == ("DELETE", f"users/{there.id}", {})
    assert not account(cloud).users


def test_delete_with_keys_left(alice: User, cloud: Emulator) -> None:
    """``DeleteUser`` is refused as long as there are keys of the user."""
    key = alice.add_key("laptop", public_line())
    access_key = alice.create_access_key()

    with pytest.raises(InvalidArgument, match="child"):
        alice.delete()
    key.delete()
    with pytest.raises(InvalidArgument, match="child"):
        alice.delete()
    access_key.delete()
    alice.delete()

    assert not account(cloud).users


def test_add_key(alice: User, there: records.UserRecord, cloud: Emulator) -> None:
    """``CreateUserKey`` adds a public key to a user."""
    line = public_line()

    key = alice.add_key("laptop", line)

    assert sent(cloud, "CreateUserKey") == ("POST", f"users/{alice.id}/keys", {"name": "laptop", "key": line})
    assert there.keys["laptop"].public.fingerprint == key.fingerprint
    assert key.path == f"users/{alice.id}/keys/laptop"
    assert "laptop" not in account(cloud).keys


def test_add_key_with_attestation(alice: User, cloud: Emulator) -> None:
    """``CreateUserKey`` takes the certificates of the token that a key lives on."""
    alice.add_key("token", public_line(), attestation=["-----BEGIN CERTIFICATE-----"])

    assert sent(cloud, "CreateUserKey")[2]["attestation"] == ["-----BEGIN CERTIFICATE-----"]


def test_ssh_keys(alice: User, cloud: Emulator) -> None:
    """``ListUserKeys`` gives the keys of a user."""
    laptop = alice.add_key("laptop", public_line())

    assert alice.ssh_keys() == [laptop]
    assert sent(cloud, "ListUserKeys") == ("GET", f"users/{alice.id}/keys", {})


def test_key(alice: User, cloud: Emulator) -> None:
    """``GetUserKey`` gives a key of a user by its name or fingerprint."""
    laptop = alice.add_key("laptop", public_line())

    assert dict(alice.key(laptop.fingerprint)) == dict(laptop)
    assert alice.key("laptop").refresh() == laptop
    assert sent(cloud, "GetUserKey") == ("GET", f"users/{alice.id}/keys/laptop", {})


@pytest.mark.parametrize("by", ["name", "method"])
def test_delete_key(alice: User, there: records.UserRecord, cloud: Emulator, by: str) -> None:
    """``DeleteUserKey`` removes a key of a user."""
    laptop = alice.add_key("laptop", public_line())

    laptop.delete() if by == "method" else alice.delete_key("laptop")

    assert sent(cloud, "DeleteUserKey") == ("DELETE", f"users/{alice.id}/keys/laptop", {})
    assert not there.keys


def test_keys_of_account_and_user_differ(dc: DataCenter, alice: User) -> None:
    """Two keys of one name are the same only where their owner is."""
    data = {"name": "laptop"}

    assert Key(dc, data=data) != Key(alice, data=data)
    assert Key(alice, data=data) == Key(dc.user("alice"), data=data)


@pytest.mark.parametrize("sync", [True, False])
def test_sync_is_sent_only_where_it_is_wanted(dc: DataCenter, alice: User, cloud: Emulator, sync: bool) -> None:
    """``ListUserKeys`` and its like take any text for a set flag."""
    alice.add_key("laptop", public_line())
    expected = {"sync": "true"} if sync else {}

    alice.ssh_keys(sync=sync)
    alice.key("laptop", sync=sync)
    dc.keys(sync=sync)

    asked = ("ListUserKeys", "GetUserKey", "ListKeys")
    assert [query(cloud, operation) for operation in asked] == [expected] * 3


def test_a_user_is_a_mapping(alice: User, cloud: Emulator) -> None:
    """``keys()`` of a user are those of its data, so that it can be made a dict; nothing is sent."""
    before = len(cloud.trace)

    assert set(alice.keys()) == {"id", "login", "email", "city", "created", "updated"}
    assert dict(alice)["login"] == "alice"
    assert len(cloud.trace) == before
