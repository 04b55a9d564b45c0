"""Access keys of the account and of its users: listing, reading, creating and deleting them, and keeping their secrets."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from kits.cloud import account, query, sent
from smartdc import AccessKey, DataCenter, InvalidArgument, MethodNotAllowed, User
from smartdc.emulator import Emulator
from smartdc.emulator.state import records

Owner = DataCenter | User


@pytest.fixture(params=["account", "user"])
def whose(request: pytest.FixtureRequest) -> str:
    """The kind of owner: the account, or a user."""
    return str(request.param)


@pytest.fixture
def owner(dc: DataCenter, cloud: Emulator, whose: str) -> Owner:
    """What has access keys."""
    return dc.user(cloud.state.add_user("alice").id) if whose == "user" else dc


@pytest.fixture
def there(cloud: Emulator, owner: Owner, whose: str) -> records.Person:
    """What the server knows of the owner."""
    return account(cloud).users[str(owner)] if whose == "user" else account(cloud)


@pytest.fixture
def key(owner: Owner) -> AccessKey:
    """An access key."""
    return owner.create_access_key()


@pytest.mark.parametrize(
    ("whose", "operation"), [("account", "CreateAccessKey"), ("user", "CreateUserAccessKey")], indirect=["whose"]
)
def test_create_access_key(owner: Owner, there: records.Person, cloud: Emulator, operation: str) -> None:
    """``CreateAccessKey`` and ``CreateUserAccessKey`` say nothing and return id and secret."""
    key = owner.create_access_key()

    assert sent(cloud, operation) == ("POST", f"{owner.path}/accesskeys".removeprefix("/"), {})
    made = there.access_keys[key.id]
    assert (key.secret, key.status) == (made.secret, "Active")
    assert (len(key.id), len(made.secret)) == (32, 64)
    assert key.created == datetime.fromtimestamp(made.created, UTC)


@pytest.mark.parametrize(
    ("whose", "operation"), [("account", "ListAccessKeys"), ("user", "ListUserAccessKeys")], indirect=["whose"]
)
def test_access_keys(owner: Owner, key: AccessKey, cloud: Emulator, operation: str) -> None:
    """``ListAccessKeys`` and ``ListUserAccessKeys`` give every access key, secrets included."""
    keys = owner.access_keys()

    assert sent(cloud, operation) == ("GET", f"{owner.path}/accesskeys".removeprefix("/"), {})
    assert [dict(each) for each in keys] == [dict(key)]


@pytest.mark.parametrize("form", ["id", "dict", "resource"])
@pytest.mark.parametrize(
    ("whose", "operation"), [("account", "GetAccessKey"), ("user", "GetUserAccessKey")], indirect=["whose"]
)
def test_access_key(owner: Owner, key: AccessKey, cloud: Emulator, operation: str, form: str) -> None:
    """``GetAccessKey`` and ``GetUserAccessKey`` give an access key by its id, secret included."""
    given: Any = {"id": key.id, "dict": {"accesskeyid": key.id}}.get(form, key)

    assert dict(owner.access_key(given)) == dict(key)
    assert sent(cloud, operation) == ("GET", key.path, {})


@pytest.mark.parametrize(
    ("whose", "operation"), [("account", "DeleteAccessKey"), ("user", "DeleteUserAccessKey")], indirect=["whose"]
)
def test_delete(owner: Owner, there: records.Person, key: AccessKey, cloud: Emulator, operation: str) -> None:
    """``DeleteAccessKey`` and ``DeleteUserAccessKey`` remove an access key."""
    key.delete()

    assert sent(cloud, operation) == ("DELETE", f"{owner.path}/accesskeys/{key.id}".removeprefix("/"), {})
    assert not there.access_keys


@pytest.mark.parametrize(
    ("whose", "operations"),
    [("account", ("ListAccessKeys", "GetAccessKey")), ("user", ("ListUserAccessKeys", "GetUserAccessKey"))],
    indirect=["whose"],
)
def test_sync_is_sent_only_where_it_is_wanted(
    owner: Owner, key: AccessKey, cloud: Emulator, operations: tuple[str, str]
) -> None:
    """``ListAccessKeys``, ``GetAccessKey`` and their like take any text for a set flag."""
    owner.access_keys(sync=True)
    assert query(cloud, operations[0]) == {"sync": "true"}
    owner.access_key(key.id, sync=True)
    assert query(cloud, operations[1]) == {"sync": "true"}
    owner.access_keys()
    assert query(cloud, operations[0]) == {}


def test_secret_is_not_shown(dc: DataCenter) -> None:
    """Neither ``repr`` nor ``str`` of an access key tell its secret."""
    key = dc.create_access_key()

    assert (repr(key), str(key)) == (f"<AccessKey {key.id}>", key.id)


def test_secret_is_not_pickled(key: AccessKey, offline: DataCenter) -> None:
    """A pickled access key leaves its secret behind, while the one that was pickled keeps it."""
    key._parent = offline
    pickled = pickle.dumps(key)

    assert key.secret
    assert key.secret.encode() not in pickled
    twin = pickle.loads(pickled)  # noqa: S301 (it is our own)
    assert (twin, twin.id, twin.secret) == (key, key.id, None)


def test_copy_keeps_the_secret(key: AccessKey) -> None:
    """A copy within the process is the same access key, secret included."""
    assert copy.copy(key).secret == copy.deepcopy(key).secret == key.secret


def test_refresh_brings_the_secret(owner: Owner, key: AccessKey) -> None:
    """``GetAccessKey`` and ``GetUserAccessKey`` tell the secret of an access key of which only the id is known."""
    assert AccessKey(owner, key.id).secret == key.secret


# Newer than CloudAPI 9.20


@pytest.mark.parametrize(
    ("whose", "operation"), [("account", "UpdateAccessKey"), ("user", "UpdateUserAccessKey")], indirect=["whose"]
)
def test_update(key: AccessKey, there: records.Person, cloud: Emulator, operation: str) -> None:
    """``UpdateAccessKey`` and ``UpdateUserAccessKey`` change status and description, as node-triton 7.18 has it.

    Its lib/cloudapi2.js (updateAccessKey) sends a POST with the two; monitor-reef's apis/cloudapi-api/src/types/key.rs
    has the fields.
    """
    secret = key.secret
    cloud.clock.sleep(60)
    assert key.update(status="Inactive", description="backups") is key

    body = {"status": "Inactive", "description": "backups"}
    assert sent(cloud, operation) == ("POST", key.path, body)
    assert (there.access_keys[key.id].status, there.access_keys[key.id].description) == ("Inactive", "backups")
    assert (key.status, key.description, key.credential_type) == ("Inactive", "backups", "permanent")
    assert key.updated is not None
    assert (key.updated - key.created).total_seconds() == 60
    assert (key.secret, key.expiration) == (secret, None)


def test_create_with_a_description(owner: Owner, cloud: Emulator, whose: str) -> None:
    """``CreateAccessKey`` and ``CreateUserAccessKey`` take what node-triton 7.18 gives them (lib/cloudapi2.js)."""
    key = owner.create_access_key(status="Inactive", description="backups")

    operation = "CreateUserAccessKey" if whose == "user" else "CreateAccessKey"
    assert sent(cloud, operation)[2] == {"status": "Inactive", "description": "backups"}
    assert (key.status, key.description, key.updated) == ("Inactive", "backups", key.created)


@pytest.mark.parametrize("status", ["Expired", "inactive"])
def test_status_that_is_none(key: AccessKey, status: Any) -> None:
    """``UpdateAccessKey`` and ``UpdateUserAccessKey`` refuse what a key cannot be set to."""
    with pytest.raises(InvalidArgument, match="status must be one of: Active, Inactive"):
        key.update(status=status)


def test_description_has_150_characters_at_most(key: AccessKey) -> None:
    """``UpdateAccessKey`` and ``UpdateUserAccessKey`` refuse one more as sdc-ufds's schema/accesskey.js does."""
    assert key.update(description="x" * 150).description == "x" * 150
    with pytest.raises(InvalidArgument, match="description must be 150 characters in length or less"):
        key.update(description="x" * 151)


def test_update_where_it_is_not_known(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """CloudAPI 9.20 has no ``UpdateAccessKey``: sdc-cloudapi's lib/endpoints/accesskeys.js mounts no POST by id."""
    refusal = {"code": "MethodNotAllowedError", "message": "POST is not allowed"}
    odd_server.post("http://odd.test/my/accesskeys/a", json=refusal, status=405)
    with pytest.raises(MethodNotAllowed):
        AccessKey(odd_dc, data={"accesskeyid": "a"}).update(status="Inactive")


@pytest.mark.parametrize("status", [200, 204])
def test_update_without_an_answer(odd_dc: DataCenter, odd_server: responses.RequestsMock, status: int) -> None:
    """``UpdateAccessKey`` fetches the key when the answer has nothing in it."""
    odd_server.post("http://odd.test/my/accesskeys/a", status=status)
    odd_server.get("http://odd.test/my/accesskeys/a", json={"accesskeyid": "a", "status": "Inactive"})
    assert AccessKey(odd_dc, data={"accesskeyid": "a"}).update(status="Inactive").status == "Inactive"
