"""Give roles access to things: role tags on one thing, on a whole collection, or on the account itself.

A sub-user may do what the policies of its active roles say, but only on things that are tagged with these roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import requests

from smartdc.core import arguments
from smartdc.core.lookup import id_of
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable

__all__ = ["HasRoleTags", "HasTaggedCollections"]

HEADER = "role-tag"

Roles = str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]]
"""One role or several, each by its name or as a `Role`."""


class HasRoleTags(Addressable):
    """Mix-in for things that can be tagged with roles."""

    __slots__ = ()

    def role_tags(self) -> list[str]:
        """Return the names of its role tags; every ``Get`` of the thing returns them."""
        return _tags_in(self._call("GET")[1])

    @operation(
        "SetRoleTags:ReplaceResourceRoleTags",
        Account="SetRoleTags:ReplaceAccountRoleTags",
        DataCenter="SetRoleTags:ReplaceAccountRoleTags",
        Key="SetRoleTags:ReplaceResourceRoleTags SetRoleTags:ReplaceUserKeysResourceRoleTags",
        Machine="SetRoleTags:ReplaceMachineRoleTags",
        User="",
    )
    def set_role_tags(self, roles: Roles) -> list[str]:
        """Replace its role tags with these roles, and return their names: ``SetRoleTags``.

        An empty list removes all role tags.
        """
        return _names(self._put(data=_tags(roles)))


class HasTaggedCollections(Addressable):
    """Mix-in for owners of collections; the role tags of a collection say who may list it and create things in it."""

    __slots__ = ()

    def role_tags_of(self, collection: str) -> list[str]:
        """Return the names of the role tags of a collection such as ``machines``."""
        return _tags_in(self._call("GET", collection, params={"limit": 1})[1])

    @operation("SetRoleTags:ReplaceResourcesRoleTags", User="SetRoleTags:ReplaceUserKeysResourcesRoleTags")
    def set_role_tags_of(self, collection: str, roles: Roles) -> list[str]:
        """Replace the role tags of a collection with these roles, and return their names: ``SetRoleTags``.

        The collections of an account are ``machines``, ``users``, ``roles``, ``packages``, ``images``, ``policies``,
        ``keys``, ``datacenters``, ``fwrules``, ``networks`` and ``services``; a user has only ``keys``.
        """
        return _names(self._put(collection, data=_tags(roles)))


def _tags(roles: Roles) -> dict[str, list[str]]:
    return {HEADER: [id_of(role, "name") for role in arguments.as_list("roles", roles)]}


def _names(answer: Mapping[str, Any]) -> list[str]:
    return list(answer.get(HEADER) or ())


def _tags_in(response: requests.Response) -> list[str]:
    return [name.strip() for name in response.headers.get(HEADER, "").split(",") if name.strip()]
