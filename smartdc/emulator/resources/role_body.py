"""The body of CreateRole and UpdateRole: read in either form, checked as CloudAPI does, and resolved to ids."""

import json
from collections.abc import Iterator
from typing import Any

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.reply import invalid_argument
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.permissions import ADMINISTRATOR
from smartdc.emulator.resources.policy import as_texts
from smartdc.emulator.resources.policy import named as policy_named
from smartdc.emulator.state.records import AccountRecord

Reference = dict[str, Any]
"""A reference to a policy, by ``id`` or ``name``, or to a member, by ``type`` and ``id`` or ``login``."""


def writes_names(call: Call) -> bool:
    """Return whether all of the caller's versions are older than 9.0.0, which replaced names by objects."""
    return call.range.is_below("9.0.0")


def read_role_body(call: Call) -> dict[str, Any]:
    """Return ``name``, ``members``, ``default_members`` and ``policies``, as far as they are given, the lists as ids.

    Members come together with default members, since both are replaced together. All mistakes are reported in one
    409, in CloudAPI's order: the name, members, and policies.
    """
    given = _names(call) if writes_names(call) else _objects(call)
    name = given.get("name")
    members = [(_member_id(call, member), member) for member in given.get("members", ())]
    policies = [(_policy_id(call.account, policy), policy) for policy in given.get("policies", ())]
    if mistakes := [*_member_mistakes(name, members), *_policy_mistakes(name, policies, given)]:
        raise invalid_argument(", ".join(mistakes))
    fields = {"name": name} if name else {}
    if "members" in given:
        fields["members"] = _unique(call, "uuid", [id_ for id_, _ in members])
        fields["default_members"] = [id_ for id_, member in members if member.get("default")]
    if "policies" in given:
        fields["policies"] = _unique(call, "policy-uuid", [id_ for id_, _ in policies])
    return fields


def _member_mistakes(name: Any, members: list[tuple[str | None, Reference]]) -> Iterator[str]:
    if name == "true":
        yield '"true" is not a valid role name'
    yield from (_invalid(member["type"], member) for id_, member in members if not id_)


def _policy_mistakes(name: Any, policies: list[tuple[str | None, Reference]], given: dict[str, Any]) -> Iterator[str]:
    if name == ADMINISTRATOR and "policies" in given:
        yield "Administrator role cannot have policies"
    yield from (_invalid("policy", policy) for id_, policy in policies if not id_)


def _unique(call: Call, attribute: str, ids: list[Any]) -> list[Any]:
    for id_ in ids:
        if ids.count(id_) > 1:
            raise invalid_argument(f"{attribute}={id_}, uuid={call.account.id}, ou=users, o=smartdc is not unique")
    return ids


# Version 9


def _objects(call: Call) -> dict[str, Any]:
    given = {name: call.params[name] for name in ("name", "policies", "members") if _is_given(call, name)}
    if not isinstance(given.get("name", ""), str):
        raise invalid_argument('Role "name" must be a string')
    for policy in _list_of_objects(given, "policies"):
        _check_policy(policy)
    for member in _list_of_objects(given, "members"):
        _check_member(member)
    return given


def _list_of_objects(given: dict[str, Any], name: str) -> list[Reference]:
    value = given.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise invalid_argument(f'Role "{name}" must be an array of objects')
    return value


def _check_policy(policy: Reference) -> None:
    for name, value in policy.items():
        if name == "id":
            _check_uuid("Policy", value)
        elif name != "name":
            raise invalid_argument(f'Policy references may only contain "name" or "id" properties, not "{name}"')
        elif not isinstance(value, str):
            raise invalid_argument('Policy "name" property must be a string')


def _check_member(member: Reference) -> None:
    kind = member.get("type")
    if not isinstance(kind, str):
        raise invalid_argument('Role "member" references must have a string "type" property')
    if kind not in ("subuser", "account"):
        raise invalid_argument(f'Member "type" is not supported: "{kind}"')
    for name, value in member.items():
        if name == "id":
            _check_uuid("Member", value)
        elif name == "login" and not isinstance(value, str):
            raise invalid_argument('Member "login" property must be a string')
        elif name == "default" and not isinstance(value, bool):
            raise invalid_argument('Member "default" property must be a boolean')
        elif name not in ("type", "login", "default"):
            only = 'Member references may only contain "type", "login", "id", or "default" properties'
            raise invalid_argument(f'{only}, not "{name}"')


def _check_uuid(what: str, value: Any) -> None:
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise invalid_argument(f'{what} "id" property must be a string UUID')


# Before version 9


def _names(call: Call) -> dict[str, Any]:
    given: dict[str, Any] = {"name": call.text("name")} if _is_given(call, "name") else {}
    defaults = _list_of_names(call, "default_members") or []
    if _is_given(call, "members") or _is_given(call, "default_members"):
        logins = dict.fromkeys([*(_list_of_names(call, "members") or []), *defaults])
        given["members"] = [{"type": "subuser", "login": name, "default": name in defaults} for name in logins]
    policies = _list_of_names(call, "policies")
    if policies is not None:
        given["policies"] = [{"name": name} for name in policies if policies[0]]
    return given


def _list_of_names(call: Call, name: str) -> list[str] | None:
    """Return a list of names; a list within a list stands for itself."""
    if not _is_given(call, name):
        return None
    value = call.params[name]
    return as_texts(value[0] if isinstance(value, list) and value and isinstance(value[0], list) else value)


# Both


def _is_given(call: Call, name: str) -> bool:
    """Return whether a parameter is given: an empty list is, an empty string is not."""
    return call.params.get(name) not in (None, "", 0, False)


def _member_id(call: Call, member: Reference) -> str | None:
    """Return the id of a member, found by its id or else by its login."""
    name = member.get("id") or member.get("login") or ""
    found = call.state.account(name) if member["type"] == "account" else call.account.user(name)
    return found.id if found else None


def _policy_id(account: AccountRecord, policy: Reference) -> str | None:
    """Return the id of a policy, found by its name or else by its id."""
    found = policy_named(account, policy.get("name") or "") or account.policies.get(policy.get("id") or "")
    return found.id if found else None


def _invalid(kind: str, reference: Reference) -> str:
    name = reference.get("id") or reference.get("login") or reference.get("name")
    return f"Invalid {kind}: {name or json.dumps(reference)}"
