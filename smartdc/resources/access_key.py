"""Manage access keys: for S3-style services, not for CloudAPI itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Self

from smartdc.core import arguments
from smartdc.core.cells import age, in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import KeyStatus
from smartdc.core.lookup import MAX_DIGITS, id_of, is_short_id, only
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable, Resource
from smartdc.http.dates import parse_date

__all__ = ["AccessKey", "HasAccessKeys"]

SECRET = "accesskeysecret"  # noqa: S105 (the name of an entry)


class AccessKey(Resource):
    """A pair of an id and a secret; its pickle has no secret, and `refresh` fetches the secret again."""

    __slots__ = ()

    kind = "accesskeys"
    columns = in_columns(id="accesskeyid", status="status", age=age(), description="description")
    hidden = frozenset({"secret"})
    id_key = "accesskeyid"

    id = Field[str](key="accesskeyid")
    """its id, 32 hexadecimal digits"""
    secret = Field[str | None](key=SECRET)
    """its secret"""
    status = Field[KeyStatus]()
    """``Active``, ``Inactive`` or ``Expired``; in CloudAPI 9.20 always ``Active``"""
    description = Field[str | None]()
    """what it is for, if CloudAPI is newer than 9.20"""
    credential_type = Field[Literal["permanent", "temporary"] | None](key="credentialtype")
    """``permanent`` or ``temporary``, if CloudAPI is newer than 9.20"""
    created = Field[datetime](read=parse_date)
    """when it was created"""
    updated = Field[datetime | None](read=parse_date)
    """when it was changed, if CloudAPI is newer than 9.20"""
    expiration = Field[datetime | None](read=parse_date)
    """when a temporary one expires, if CloudAPI is newer than 9.20"""

    @operation("UpdateAccessKey", "UpdateUserAccessKey")
    def update(self, *, status: Literal["Active", "Inactive"] | None = None, description: str | None = None) -> Self:
        """Change the access key and return it: ``UpdateAccessKey``, ``UpdateUserAccessKey``.

        This needs a release of CloudAPI after 9.20; 9.20 itself answers `MethodNotAllowed`.

        Args:
            status: ``Active``, or ``Inactive`` to have the key refused.
            description: what it is for.
        """
        body = arguments.strings(status=status, description=description)
        secret = {name: value for name, value in self._data.items() if name == SECRET}
        self._change("POST", data=body, repeatable=True)
        self._data = {**secret, **self._data}
        return self

    @operation("DeleteAccessKey", "DeleteUserAccessKey")
    def delete(self) -> None:
        """Delete the access key: ``DeleteAccessKey``, ``DeleteUserAccessKey``."""
        self._delete()

    def _without_secrets(self) -> dict[str, Any]:
        return {name: value for name, value in self._data.items() if name != SECRET}


class HasAccessKeys(Addressable):
    """Mix-in for owners of access keys."""

    __slots__ = ()

    @operation("ListAccessKeys", User="ListUserAccessKeys")
    def access_keys(self, *, sync: bool = False) -> ResourceList[AccessKey]:
        """List the access keys with their secrets: ``ListAccessKeys``, ``ListUserAccessKeys``.

        With `sync`, CloudAPI reads its directory instead of its cache.
        """
        entries = self._list("accesskeys", params=arguments.flags(sync=sync))
        return AccessKey.from_answers(self, entries)

    @operation("GetAccessKey", "ListAccessKeys", User="GetUserAccessKey ListUserAccessKeys")
    def access_key(self, key_id: str | Mapping[str, Any], *, sync: bool = False) -> AccessKey:
        """Get an access key with its secret by its id: ``GetAccessKey``, ``GetUserAccessKey``.

        The beginning of an id is looked up: ``ListAccessKeys``, ``ListUserAccessKeys``.
        """
        name = self._access_key_id(id_of(key_id, "accesskeyid"))
        return AccessKey.from_answer(self, self._get("accesskeys", name, params=arguments.flags(sync=sync)))

    def _access_key_id(self, text: str) -> str:
        """Return a whole id, which has the length of a UUID without dashes."""
        if not is_short_id(text) or len(text) >= MAX_DIGITS:
            return text
        begun = [key for key in self.access_keys() if key.id.startswith(text.lower())]
        return only(begun, text, "access key", f"have an id that begins with {text!r}; give more digits").id

    @operation("CreateAccessKey", User="CreateUserAccessKey")
    def create_access_key(
        self, *, status: Literal["Active", "Inactive"] | None = None, description: str | None = None
    ) -> AccessKey:
        """Create an access key: ``CreateAccessKey``, ``CreateUserAccessKey``.

        CloudAPI 9.20 ignores `status` and `description`; see `AccessKey.update`. Newer releases return the secret only
        here, so that `refresh` and `access_keys` do not have it.

        A new access key has no mark by which it can be found: if the answer is lost, look through `access_keys` before
        you try again.
        """
        return AccessKey(
            self, data=self._post("accesskeys", data=arguments.strings(status=status, description=description))
        )
