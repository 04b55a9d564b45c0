"""Roles: which users and accounts may do what policies allow.

Since version 9 members and policies are objects, before that lists of names. The caller's version range decides, both
for requests and for answers.
"""

from typing import Any

from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.permissions import ADMINISTRATOR
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.policy import GONE
from smartdc.emulator.resources.role_body import read_role_body, writes_names
from smartdc.emulator.state.records import AccountRecord, RoleRecord

ROLES = "/:account/roles"
ROLE = "/:account/roles/:role"


@operation("ListRoles", "GET", ROLES, head="HeadRoles")
def list_roles(call: Call) -> Reply:
    """Return all roles."""
    return Reply(200, [view(role, call) for role in call.account.roles.values()])


@operation("GetRole", "GET", ROLE, head="HeadRole")
def get_role(call: Call) -> Reply:
    """Return the role with a name or id."""
    return Reply(200, view(_require(call), call))


@operation("CreateRole", "POST", ROLES)
def create_role(call: Call) -> Reply:
    """Create a role; its name must be unique within the account."""
    given = read_role_body(call)
    if not given.get("name"):
        raise missing_parameter("Request is missing required parameter: name")
    _check_name(call.account, given["name"])
    role = RoleRecord(call.state.ids.uuid("role"), **given)
    call.account.roles[role.id] = role
    return Reply(201, view(role, call), call.location("roles", role.id))


@operation("UpdateRole", "POST", ROLE)
def update_role(call: Call) -> Reply:
    """Change the given fields; lists are replaced as a whole."""
    given = read_role_body(call)
    role = _require(call)
    if role.name == ADMINISTRATOR and "policies" in given:
        raise invalid_argument("Administrator role cannot have policies")
    if not given:
        # CloudAPI fails on an update that changes nothing.
        raise ApiError(500, "InternalError", "Internal Error")
    _check_name(call.account, given.get("name"), role)
    for name, value in given.items():
        setattr(role, name, value)
    return Reply(200, view(role, call))


@operation("DeleteRole", "DELETE", ROLE)
def delete_role(call: Call) -> Reply:
    """Delete a role, by its id only."""
    if not call.account.roles.pop(call.text("role"), None):
        raise not_found(GONE)
    return Reply(204)


def view(role: RoleRecord, call: Call) -> dict[str, Any]:
    """Return the role's JSON for the caller's versions; a role without members and policies is the same in all."""
    shown: dict[str, Any] = {"name": role.name, "id": role.id}
    policies = [call.account.policies[id_] for id_ in role.policies if id_ in call.account.policies]
    members = _people(call, role.members)
    if not (role.members or role.policies):
        return {**shown, "members": [], "default_members": [], "policies": []}
    if writes_names(call):
        return {**shown, **_names(role, members), "policies": [policy.name for policy in policies]}
    for member in members:
        if member["id"] in role.default_members:
            member["default"] = True
    return {**shown, "policies": [{"id": policy.id, "name": policy.name} for policy in policies], "members": members}


def _names(role: RoleRecord, members: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the logins of the users among the members, as versions before 9 write them."""
    users = [member for member in members if member["type"] == "subuser"]
    return {
        "members": [user["login"] for user in users],
        "default_members": [user["login"] for user in users if user["id"] in role.default_members],
    }


def _people(call: Call, ids: list[str]) -> list[dict[str, Any]]:
    """Return the members that still exist, users first."""
    users = [("subuser", call.account.users.get(id_)) for id_ in ids]
    accounts = [("account", call.state.account(id_)) for id_ in ids]
    return [{"id": member.id, "login": member.login, "type": kind} for kind, member in (*users, *accounts) if member]


def _require(call: Call) -> RoleRecord:
    name = call.text("role")
    roles = call.account.roles
    role = roles.get(name) or next((role for role in roles.values() if role.name == name), None)
    if not role:
        raise not_found(f"{name} does not exist")
    return role


def _check_name(account: AccountRecord, name: str | None, but: RoleRecord | None = None) -> None:
    if any(role.name == name and role is not but for role in account.roles.values()):
        raise invalid_argument("Name is not unique")
