"""Manage SSH public keys: of an account, or of one of its users."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from smartdc.auth.ssh_key import public_blob_of, public_line
from smartdc.core import arguments
from smartdc.core.cells import in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import id_of
from smartdc.core.operation import operation
from smartdc.core.resource import Resource
from smartdc.core.search import select
from smartdc.http.tracebacks import without_frames
from smartdc.resources.role_tag import HasRoleTags
from smartdc.waiting.create_once import CreatesOnce

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["HasKeys", "HasSSHKeys", "Key"]


class Key(HasRoleTags, Resource):
    """A public key; its owner may sign requests and log in to machines."""

    __slots__ = ()

    kind = "keys"
    columns = in_columns(name="name", fingerprint="fingerprint", attested="attested")
    id_key = "name"

    name = Field[str]()
    """its name"""
    fingerprint = Field[str]()
    """its MD5 fingerprint, as colon-separated hex"""
    public_key = Field[str](key="key")
    """the key in OpenSSH's one-line form"""
    attested = Field[bool | None]()
    """True if an attestation proves that it is on a hardware token; otherwise None"""
    multifactor = Field[list[str] | None]()
    """what an attested key requires in addition: ``pin``, ``touch``"""

    @operation("DeleteKey", "DeleteUserKey")
    def delete(self) -> None:
        """Remove the key: ``DeleteKey``, ``DeleteUserKey``."""
        self._delete()


class HasSSHKeys(CreatesOnce):
    """Mix-in for owners of SSH keys."""

    __slots__ = ()

    @operation("ListKeys", User="ListUserKeys")
    def ssh_keys(
        self,
        *,
        sync: bool = False,
        name: str | None = None,
        search: str | None = None,
        fields: Iterable[str] = ("name",),
    ) -> ResourceList[Key]:
        """List the SSH keys: ``ListKeys``, ``ListUserKeys``. With `sync`, CloudAPI reads its directory, not its cache.

        `name` may contain ``*`` and ``?``, and `search` is a regular expression for `fields`; the library applies both.
        """
        found = self._list("keys", params=arguments.flags(sync=sync))
        return Key.from_answers(self, select(found, search, fields, name=name))

    @operation("GetKey", User="GetUserKey")
    def key(self, key_id: str | Mapping[str, Any], *, sync: bool = False) -> Key:
        """Get a key by its name or MD5 fingerprint: ``GetKey``, ``GetUserKey``."""
        name = id_of(key_id, "name", "fingerprint")
        return Key.from_answer(self, self._get("keys", name, params=arguments.flags(sync=sync)))

    @without_frames
    @operation("CreateKey", User="CreateUserKey")
    def add_key(
        self,
        key_id: str | os.PathLike[str],
        key: str | bytes | os.PathLike[str] | None = None,
        *,
        attestation: Sequence[str] | None = None,
    ) -> Key:
        """Add a public key: ``CreateKey``, ``CreateUserKey``; ``add_key("laptop", "~/.ssh/id_ed25519.pub")``.

        If the answer is lost, the key is looked for before the request is sent again. CloudAPI may need some seconds
        before it accepts signatures by a new key. A private key is refused before anything is sent.

        Args:
            key_id: the name of the key. Without it, CloudAPI takes the comment in the key as its name.
            key: the key in OpenSSH's one-line form, as text or bytes, or the path of its file.
            attestation: for a key on a hardware token, the token's certificates for the key, in PEM.
        """
        name, source = (None, key_id) if key is None else (key_id, key)
        line = public_line(source)
        body = {**arguments.strings(name=name, key=line), **arguments.lists(attestation=attestation)}
        blob = public_blob_of(line)
        return self._create_once(
            lambda: Key(self, data=self._post("keys", data=body)),
            self.ssh_keys,
            lambda known: name in {None, known.name} and public_blob_of(known.public_key) == blob,
        )

    @operation("DeleteKey", User="DeleteUserKey")
    def delete_key(self, key_id: str | Mapping[str, Any]) -> None:
        """Remove a key by its name or MD5 fingerprint: ``DeleteKey``, ``DeleteUserKey``."""
        self._delete("keys", id_of(key_id, "name", "fingerprint"))


class HasKeys(HasSSHKeys):
    """Mix-in for owners of SSH keys that are not mappings, so that ``keys`` can list them."""

    @operation("ListKeys")
    def keys(
        self,
        *,
        sync: bool = False,
        name: str | None = None,
        search: str | None = None,
        fields: Iterable[str] = ("name",),
    ) -> ResourceList[Key]:
        """List the SSH keys, as `ssh_keys` with the same arguments: ``ListKeys``."""
        return self.ssh_keys(sync=sync, name=name, search=search, fields=fields)
