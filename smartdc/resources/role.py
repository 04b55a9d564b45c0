"""Manage roles, which connect users with policies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from smartdc.core import arguments
from smartdc.core.cells import in_columns, names_of
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import complete_id, id_of, is_uuid
from smartdc.core.operation import operation
from smartdc.core.resource import Resource, listed
from smartdc.core.search import select
from smartdc.errors import InputError
from smartdc.http import request as wire
from smartdc.resources.role_tag import HasRoleTags
from smartdc.waiting.create_once import CreatesOnce

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["HasRoles", "Role"]

_OLD_VERSION = re.compile(r"\s*[~^=v]*\s*[0-8](\.[\dx*]+)*\s*|\s*<\s*9(\.0)*\s*")

Names = Iterable[str | Mapping[str, Any]]
"""Logins, names or ids, or the dicts or resources that have them."""


class Role(HasRoleTags, Resource):
    """A set of policies with members, who may do what the policies say.

    From version 9 of CloudAPI on, members and policies are dicts; in earlier versions they are strings. The
    `api_version` of the `DataCenter` selects the form; the default is dicts.
    """

    __slots__ = ()

    kind = "roles"
    columns = in_columns(name="name", policies=names_of("policies"), members=names_of("members"), id="id")

    id = Field[str]()
    """its UUID"""
    name = Field[str]()
    """its name; ``administrator`` may do everything and has no policies"""
    members = Field[list[Any]]()
    """its members: dicts with ``type`` (``subuser`` or ``account``), ``id``, ``login``, and ``default`` for those in whose
    requests the role is always active; before version 9 only logins"""
    default_members = Field[list[str] | None]()
    """before version 9, the logins of the members in whose requests it is always active"""
    policies = Field[list[Any]]()
    """its policies: dicts with ``id`` and ``name``; before version 9 only names"""

    @operation("UpdateRole")
    def update(
        self,
        name: str | None = None,
        members: Names | None = None,
        policies: Names | None = None,
        default_members: Names | None = None,
    ) -> Self:
        """Change the given fields and return the role: ``UpdateRole``.

        Each list replaces the current one. `default_members` can be given only together with `members`, as in
        `DataCenter.create_role`.
        """
        if default_members is not None and members is None:
            raise InputError("give members with default_members: CloudAPI replaces both together")
        changes = _body(self.datacenter, name, members, policies, default_members)
        if not changes:
            raise InputError("give a name, members or policies to change the role to")
        self._change("POST", data=changes, repeatable=True)
        return self

    @operation("DeleteRole")
    def delete(self) -> None:
        """Delete the role: ``DeleteRole``."""
        self._delete()


class HasRoles(CreatesOnce):
    """Mix-in for owners of roles."""

    @operation("ListRoles")
    def roles(
        self, *, name: str | None = None, search: str | None = None, fields: Iterable[str] = ("name",)
    ) -> ResourceList[Role]:
        """List the roles: ``ListRoles``.

        `name` may contain ``*`` and ``?``, and `search` is a regular expression for `fields`; the library applies both.
        """
        return Role.from_answers(self, select(self._list("roles"), search, fields, name=name))

    @operation("GetRole", "ListRoles")
    def role(self, identifier: str | Mapping[str, Any]) -> Role:
        """Get a role by its id or name: ``GetRole``; the beginning of an id is looked up: ``ListRoles``."""
        name = complete_id(id_of(identifier, "id", "name"), "role", self.roles)
        return Role.from_answer(self, self._get("roles", name))

    @operation("CreateRole")
    def create_role(
        self,
        name: str,
        members: Names | None = None,
        policies: Names | None = None,
        default_members: Names | None = None,
    ) -> Role:
        """Create a role: ``CreateRole``.

        If the answer is lost, the role is looked for before the request is sent again.

        Args:
            name: its name.
            members: users, by login or id; another account is a dict of ``type`` ``account`` and ``login`` or ``id``.
            policies: policies, by name or id.
            default_members: the members in whose requests it is always active; those that are not among `members`
                become members too.
        """
        body = _body(self._datacenter, name, members, policies, default_members)
        return self._create_once(
            lambda: Role(self, data=self._post("roles", data=body)), self.roles, lambda role: _matches(role, body)
        )


def _body(
    datacenter: DataCenter,
    name: str | None,
    members: Names | None,
    policies: Names | None,
    default_members: Names | None,
) -> dict[str, Any]:
    """Return the body in the form for the requested API versions."""
    if _writes_names(datacenter.session.headers.get("Accept-Version", "")):
        return wire.given(
            **arguments.strings(name=name),
            members=_names("members", members, "login"),
            policies=_names("policies", policies, "name"),
            default_members=_names("default_members", default_members, "login"),
        )
    nobody = members is None and default_members is None
    people = None if nobody else _members(datacenter, members or (), default_members or ())
    return wire.given(
        **arguments.strings(name=name),
        members=people,
        policies=None
        if policies is None
        else [_policy(datacenter, each) for each in arguments.as_list("policies", policies)],
    )


def _writes_names(versions: str) -> bool:
    """Return whether all versions of a range are older than 9; only the usual forms of ranges are recognised."""
    return all(_OLD_VERSION.fullmatch(part) for part in versions.split("||"))


def _names(name: str, things: Names | None, key: str) -> list[str] | None:
    return None if things is None else [id_of(thing, key) for thing in arguments.as_list(name, things)]


def _members(datacenter: DataCenter, members: Names, defaults: Names) -> list[dict[str, Any]]:
    found = [_member(datacenter, each) for each in arguments.as_list("members", members)]
    for wanted in [_member(datacenter, each) for each in arguments.as_list("default_members", defaults)]:
        twin = next((member for member in found if _same(member, wanted)), wanted)
        twin["default"] = True
        if twin is wanted:
            found.append(wanted)
    return found


def _member(datacenter: DataCenter, thing: str | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(thing, Mapping):
        name = complete_id(id_of(thing), "user", datacenter.users, key="login")
        return {"type": "subuser", "id" if is_uuid(name) else "login": name}
    id_of(thing, "id", "login")
    given = {key: thing[key] for key in ("type", "id", "login") if thing.get(key)}
    return {"type": "subuser", **given, **arguments.flags(default=thing.get("default"))}


def _policy(datacenter: DataCenter, thing: str | Mapping[str, Any]) -> dict[str, str]:
    name = complete_id(id_of(thing, "id", "name"), "policy", datacenter.policies)
    return {"id" if is_uuid(name) else "name": name}


def _matches(role: Role, body: Mapping[str, Any]) -> bool:
    """Return whether a create with this body may have made the role."""
    lists = ((listed(role, key), body.get(key) or []) for key in ("members", "policies"))
    return role.name == body["name"] and all(
        len(reported) == len(given) and all(any(_same(one, other) for one in reported) for other in given)
        for reported, given in lists
    )


def _same(one: Any, other: Any) -> bool:
    """Return whether two references are to the same member or policy."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return bool(one == other)
    alike = any(one.get(key) and one.get(key) == other.get(key) for key in ("id", "login", "name"))
    return alike and one.get("type") == other.get("type")
