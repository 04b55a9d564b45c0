"""SSH keys of the account and its users."""

from urllib.parse import quote

from smartdc.emulator.core.reply import Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.user import require_user
from smartdc.emulator.state.records import KeyRecord, Person

KEYS = "/:account/keys"
KEY = "/:account/keys/:name"
USER_KEYS = "/:account/users/:user/keys"
USER_KEY = "/:account/users/:user/keys/:name"


@operation("ListKeys", "GET", KEYS, head="HeadKeys")
@operation("ListUserKeys", "GET", USER_KEYS, head="HeadUserKeys")
def list_keys(call: Call) -> Reply:
    """Return all keys."""
    return Reply(200, [view(key) for key in owner_of(call).keys.values()])


@operation("GetKey", "GET", KEY, head="HeadKey")
@operation("GetUserKey", "GET", USER_KEY, head="HeadUserKey")
def get_key(call: Call) -> Reply:
    """Return the key with a name or MD5 fingerprint."""
    return Reply(200, view(_require(call)))


@operation("CreateKey", "POST", KEYS)
@operation("CreateUserKey", "POST", USER_KEYS)
def create_key(call: Call) -> Reply:
    """Add a key from its OpenSSH line, by default named after its comment."""
    text = call.params.get("key")
    if not text:
        raise missing_parameter("key is a required argument")
    if not isinstance(text, str):
        raise invalid_argument("key must be a String")
    if " " not in text:
        raise invalid_argument("key is invalid")
    attestation = call.params.get("attestation")
    if attestation and not _is_list_of_text(attestation):
        raise invalid_argument("attestation must be an Array of Strings")
    key = call.state.add_key(owner_of(call), text, call.text("name") or None)
    return Reply(201, view(key), location_of(call, "keys", quote(key.public.fingerprint, safe="")))


@operation("DeleteKey", "DELETE", KEY)
@operation("DeleteUserKey", "DELETE", USER_KEY)
def delete_key(call: Call) -> Reply:
    """Delete a key, even the one that signed the request."""
    del owner_of(call).keys[_require(call).name]
    return Reply(204)


def owner_of(call: Call) -> Person:
    """Return the owner of the keys: the user in the path, or else the account."""
    return require_user(call, "user") if call.text("user") else call.account


def location_of(call: Call, *names: str) -> dict[str, str]:
    """Return the Location header of a new key, with the user as named in the path."""
    user = call.text("user")
    return call.location(*(("users", user) if user else ()), *names)


def view(key: KeyRecord) -> dict[str, str]:
    """Return the JSON of a key."""
    return {"name": key.name, "fingerprint": key.public.fingerprint, "key": key.public.text}


def _require(call: Call) -> KeyRecord:
    name = call.text("name")
    key = owner_of(call).key(name)
    if not key:
        raise not_found(f"{name} does not exist")
    return key


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
