"""Roles: who may do what policies say.

Version 9 has members and policies as objects, earlier ones as lists of names; the caller's versions decide, for what
is given and for what is answered.
"""

from typing import Any

from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.permissions import ADMINISTRATOR
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.policy import GONE
from smartdc.emulator.resources.role_body import read_wish, writes_names
from smartdc.emulator.state.records import AccountRecord, RoleRecord

ROLES = "/:account/roles"
ROLE = "/:account/roles/:role"


@operation("ListRoles", "GET", ROLES, head="HeadRoles")
def list_roles(call: Call) -> Reply:
    """Return all roles."""
    return Reply(200, [view(role, call) for role in call.account.roles.values()])


@operation("GetRole", "GET", ROLE, head="HeadRole")
def get_role(call: Call) -> Reply:
    """Return the role of a name or id."""
    return Reply(200, view(_require(call), call))


@operation("CreateRole", "POST", ROLES)
def create_role(call: Call) -> Reply:
    """Create a role; its name is free once for each account."""
    wish = read_wish(call)
    if not wish.get("name"):
        raise missing_parameter("Request is missing required parameter: name")
    _check_name(call.account, wish["name"])
    role = RoleRecord(call.state.ids.uuid("role"), **wish)
    call.account.roles[role.id] = role
    return Reply(201, view(role, call), call.location("roles", role.id))


@operation("UpdateRole", "POST", ROLE)
def update_role(call: Call) -> Reply:
    """Change what is given, each list as a whole."""
    wish = read_wish(call)
    role = _require(call)
    if role.name == ADMINISTRATOR and "policies" in wish:
        raise invalid_argument("Administrator role cannot have policies")
    if not wish:
        # CloudAPI trips over a change of nothing.
        raise ApiError(500, "InternalError", "Internal Error")
    _check_name(call.account, wish.get("name"), role)
    for name, value in wish.items():
        setattr(role, name, value)
    return Reply(200, view(role, call))


@operation("DeleteRole", "DELETE", ROLE)
def delete_role(call: Call) -> Reply:
    """Delete a role. Only the id finds it."""
    if not call.account.roles.pop(call.text("role"), None):
        raise not_found(GONE)
    return Reply(204)


def view(role: RoleRecord, call: Call) -> dict[str, Any]:
    """Return the role as CloudAPI writes it for the caller's versions; an empty one looks the same in all of them."""
    shown: dict[str, Any] = {"name": role.name, "id": role.id}
    policies = [call.account.policies[id_] for id_ in role.policies if id_ in call.account.policies]
    if not (role.members or role.policies):
        return {**shown, "members": [], "default_members": [], "policies": []}
    members = _people(call, role.members)
    if writes_names(call):
        users = [member for member in members if member["type"] == "subuser"]
        return {
            **shown,
            "members": [user["login"] for user in users],
            "default_members": [user["login"] for user in users if user["id"] in role.default_members],
            "policies": [policy.name for policy in policies],
        }
    for member in members:
        if member["id"] in role.default_members:
            member["default"] = True
    return {**shown, "policies": [{"id": policy.id, "name": policy.name} for policy in policies], "members": members}


def _people(call: Call, ids: list[str]) -> list[dict[str, Any]]:
    """Return the members that are still there, users first."""
    users = [("subuser", call.account.users.get(id_)) for id_ in ids]
    accounts = [("account", call.state.account(id_)) for id_ in ids]
    return [{"id": member.id, "login": member.login, "type": kind} for kind, member in (*users, *accounts) if member]


def _require(call: Call) -> RoleRecord:
    name, roles = call.text("role"), call.account.roles
    role = roles.get(name) or next((role for role in roles.values() if role.name == name), None)
    if not role:
        raise not_found(f"{name} does not exist")
    return role


def _check_name(account: AccountRecord, name: str | None, but: RoleRecord | None = None) -> None:
    if any(role.name == name and role is not but for role in account.roles.values()):
        raise invalid_argument("Name is not unique")
