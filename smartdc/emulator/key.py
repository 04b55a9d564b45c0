"""The SSH keys of the account."""

from urllib.parse import quote

from .call import Call
from .records import Key
from .reply import Reply, invalid_argument, missing_parameter, not_found
from .router import operation

KEYS = "/:account/keys"
KEY = "/:account/keys/:name"


@operation("ListKeys", "GET", KEYS, head="HeadKeys")
def list_keys(call: Call) -> Reply:
    """Return all keys."""
    return Reply(200, [view(key) for key in call.account.keys.values()])


@operation("GetKey", "GET", KEY, head="HeadKey")
def get_key(call: Call) -> Reply:
    """Return the key of a name or an MD5 fingerprint."""
    return Reply(200, view(_require(call)))


@operation("CreateKey", "POST", KEYS)
def create_key(call: Call) -> Reply:
    """Add a key from its OpenSSH line; the name is its comment unless said otherwise."""
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
    key = call.state.add_key(call.account, text, call.text("name") or None)
    return Reply(201, view(key), call.location("keys", quote(key.public.fingerprint, safe="")))


@operation("DeleteKey", "DELETE", KEY)
def delete_key(call: Call) -> Reply:
    """Delete a key, even the one that signed this."""
    del call.account.keys[_require(call).name]
    return Reply(204)


def view(key: Key) -> dict[str, str]:
    """Return the key as CloudAPI writes it."""
    return {"name": key.name, "fingerprint": key.public.fingerprint, "key": key.public.text}


def _require(call: Call) -> Key:
    name = call.text("name")
    key = call.account.key(name)
    if not key:
        raise not_found(f"{name} does not exist")
    return key


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
