"""Manage SSH public keys: of an account, or of one of its users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smartdc.once import Once
from smartdc.resource import Addressable, Field, Resource, id_of
from smartdc.signing import public_blob_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HasKeys", "Key"]

SETTLE = 10.0
"""Seconds for which a key that was accepted may not be listed yet."""


class Key(Resource):
    """A public key that may sign requests and log in to machines."""

    kind = "keys"
    key = "name"

    name = Field[str]("the label it was added under")
    fingerprint = Field[str]("its MD5 fingerprint, as colon-separated hex")
    public_key = Field[str]("the key in OpenSSH's one-line form", key="key")

    def delete(self) -> None:
        """Remove the key: ``DeleteKey``, ``DeleteUserKey``."""
        self._delete()


class HasKeys(Addressable):
    """What owns SSH keys."""

    def keys(self) -> list[Key]:
        """List the keys: ``ListKeys``, ``ListUserKeys``."""
        return [Key(self, data=entry) for entry in self._list("keys")]

    def key(self, key_id: str | Mapping[str, Any]) -> Key:
        """Get a key by its name or MD5 fingerprint: ``GetKey``, ``GetUserKey``."""
        return Key(self, data=self._get("keys", id_of(key_id, "name", "fingerprint")))

    def add_key(self, key_id: str, key: str) -> Key:
        """Add the public key `key` (OpenSSH's one-line form) as `key_id`: ``CreateKey``, ``CreateUserKey``.

        When the answer is lost, the key is looked for before it is added again. CloudAPI may need some seconds
        before it accepts signatures by a new key.
        """
        blob = public_blob_of(key)

        def send() -> Key:
            return Key(self, data=self._post("keys", data={"name": key_id, "key": key}))

        def find() -> list[Key]:
            return [known for known in self.keys() if known.name == key_id and public_blob_of(known.public_key) == blob]

        return Once(send, find, self._datacenter.clock, SETTLE).run()

    def delete_key(self, key_id: str | Mapping[str, Any]) -> None:
        """Remove a key by its name or MD5 fingerprint: ``DeleteKey``, ``DeleteUserKey``."""
        self._delete("keys", id_of(key_id, "name", "fingerprint"))
