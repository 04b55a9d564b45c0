"""Access keys of the account and its users, for S3-compatible services; the emulator only stores them."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.reply import Reply, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.key import location_of, owner_of
from smartdc.emulator.state.records import AccessKeyRecord, Person

KEYS = "/:account/accesskeys"
KEY = "/:account/accesskeys/:accesskeyid"
USER_KEYS = "/:account/users/:user/accesskeys"
USER_KEY = "/:account/users/:user/accesskeys/:accesskeyid"


@operation("ListAccessKeys", "GET", KEYS, head="HeadAccessKeys")
@operation("ListUserAccessKeys", "GET", USER_KEYS, head="HeadUserAccessKeys")
def list_access_keys(call: Call) -> Reply:
    """Return all access keys, including secrets."""
    owner = owner_of(call)
    return Reply(200, [view(key, owner) for key in owner.access_keys.values()])


@operation("GetAccessKey", "GET", KEY, head="HeadAccessKey")
@operation("GetUserAccessKey", "GET", USER_KEY, head="HeadUserAccessKey")
def get_access_key(call: Call) -> Reply:
    """Return an access key, including its secret."""
    return Reply(200, view(_require(call), owner_of(call)))


@operation("CreateAccessKey", "POST", KEYS)
@operation("CreateUserAccessKey", "POST", USER_KEYS)
def create_access_key(call: Call) -> Reply:
    """Create an access key, which has no parameters."""
    owner = owner_of(call)
    (name, *secret) = (call.state.ids.uuid("access key").replace("-", "") for _ in range(3))
    key = AccessKeyRecord(name, "".join(secret), call.state.clock.time())
    owner.access_keys[key.id] = key
    return Reply(201, view(key, owner), location_of(call, "accesskeys", key.id))


@operation("DeleteAccessKey", "DELETE", KEY)
@operation("DeleteUserAccessKey", "DELETE", USER_KEY)
def delete_access_key(call: Call) -> Reply:
    """Delete an access key."""
    del owner_of(call).access_keys[_require(call).id]
    return Reply(204)


def view(key: AccessKeyRecord, owner: Person) -> dict[str, Any]:
    """Return the JSON of an access key, which is the whole entry of the directory."""
    return {
        "dn": f"accesskeyid={key.id}, uuid={owner.id}, ou=users, o=smartdc",
        "controls": [],
        "accesskeyid": key.id,
        "accesskeysecret": key.secret,
        "created": iso(key.created),
        "objectclass": "accesskey",
        "status": "Active",
    }


def _require(call: Call) -> AccessKeyRecord:
    name = call.text("accesskeyid")
    key = owner_of(call).access_keys.get(name)
    if not key:
        raise not_found(f"{name} does not exist")
    return key
