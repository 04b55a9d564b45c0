"""Access keys of the account and its users, for S3-compatible services; the emulator only stores them."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.reply import Reply, invalid_argument, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.key import location_of, owner_of
from smartdc.emulator.state.records import AccessKeyRecord, Person

KEYS = "/:account/accesskeys"
KEY = "/:account/accesskeys/:accesskeyid"
USER_KEYS = "/:account/users/:user/accesskeys"
USER_KEY = "/:account/users/:user/accesskeys/:accesskeyid"

MAX_DESCRIPTION = 150
STATUSES = ("Active", "Inactive")
"""What a status can be set to; newer releases let temporary keys be ``Expired`` too."""


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
    """Create an access key; 9.20 has no parameters, newer releases have a status and a description."""
    given = _given(call)
    owner = owner_of(call)
    (name, *secret) = (call.state.ids.uuid("access key").replace("-", "") for _ in range(3))
    key = AccessKeyRecord(name, "".join(secret), call.state.clock.time())
    _change(key, given)
    owner.access_keys[key.id] = key
    return Reply(201, view(key, owner), location_of(call, "accesskeys", key.id))


@operation("UpdateAccessKey", "POST", KEY)
@operation("UpdateUserAccessKey", "POST", USER_KEY)
def update_access_key(call: Call) -> Reply:
    """Change status and description of an access key, which releases after 9.20 can."""
    given = _given(call)
    key = _require(call)
    _change(key, given)
    key.updated = call.state.clock.time()
    return Reply(200, view(key, owner_of(call)))


@operation("DeleteAccessKey", "DELETE", KEY)
@operation("DeleteUserAccessKey", "DELETE", USER_KEY)
def delete_access_key(call: Call) -> Reply:
    """Delete an access key."""
    del owner_of(call).access_keys[_require(call).id]
    return Reply(204)


def view(key: AccessKeyRecord, owner: Person) -> dict[str, Any]:
    """Return the JSON of an access key, which is the whole entry of the directory."""
    shown = {
        "dn": f"accesskeyid={key.id}, uuid={owner.id}, ou=users, o=smartdc",
        "controls": [],
        "accesskeyid": key.id,
        "accesskeysecret": key.secret,
        "created": iso(key.created),
        "objectclass": "accesskey",
        "status": key.status,
        "updated": iso(key.created if key.updated is None else key.updated),
        "credentialtype": "permanent",
    }
    return shown if key.description is None else {**shown, "description": key.description}


def _given(call: Call) -> dict[str, str]:
    """Return the attributes that the request sets; invalid ones are a 409."""
    given = {name: call.params[name] for name in ("status", "description") if call.params.get(name) is not None}
    for name, value in given.items():
        if not isinstance(value, str):
            raise invalid_argument(f"{name} must be a string")
    if given.get("status", "Active") not in STATUSES:
        raise invalid_argument(f"status must be one of: {', '.join(STATUSES)}")
    if len(given.get("description", "")) > MAX_DESCRIPTION:
        raise invalid_argument(f"description must be {MAX_DESCRIPTION} characters in length or less")
    return given


def _change(key: AccessKeyRecord, given: dict[str, str]) -> None:
    key.status = given.get("status", key.status)
    key.description = given.get("description", key.description)


def _require(call: Call) -> AccessKeyRecord:
    name = call.text("accesskeyid")
    key = owner_of(call).access_keys.get(name)
    if not key:
        raise not_found(f"{name} does not exist")
    return key
