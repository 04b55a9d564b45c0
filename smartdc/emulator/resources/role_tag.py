"""Role tags: the roles with access to a resource, which are set on it, shown with it, and removed with it."""

import logging
import re
from typing import Any

from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.permissions import manages_access, on_machine, resource_of, tagged_roles
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import AccountRecord, RoleRecord

log = logging.getLogger("smartdc.emulator")

HEADER = "role-tag"

COLLECTIONS = (
    *("users", "roles", "policies", "keys", "machines", "images"),
    *("packages", "networks", "fwrules", "datacenters", "services"),
)
"""Collections that can be tagged as a whole and item by item."""

OPERATIONS = re.compile(
    "(Get|Head|List|Create|Update|Delete)"
    "(Account|(User)?(Access)?Keys?|Users?|Roles?|Polic(y|ies)|Images?|ImageFromMachine|Packages?|Networks?|Machines?"
    "|FirewallRules?|Datacenters?|Services)"
)
"""Operations that show, set or remove role tags along the way."""


@operation("SetRoleTags:ReplaceAccountRoleTags", "PUT", "/:account")
@operation("SetRoleTags:ReplaceResourcesRoleTags", "PUT", "/:account/:resource_name")
@operation("SetRoleTags:ReplaceUserKeysResourcesRoleTags", "PUT", "/:account/users/:user/:resource_name")
@operation("SetRoleTags:ReplaceResourceRoleTags", "PUT", "/:account/:resource_name/:resource_id")
@operation("SetRoleTags:ReplaceMachineRoleTags", "PUT", "/:account/machines/:machine")
@operation("SetRoleTags:ReplaceUserKeysResourceRoleTags", "PUT", "/:account/users/:user/keys/:resource_id")
def set_role_tags(call: Call) -> Reply:
    """Set the role tags of a path; only its machine or user must exist."""
    kind = call.text("resource_name")
    user = call.text("resource_id")
    if kind == "users" and user and not call.account.user(user):
        raise not_found(f"{user} does not exist")
    if not manages_access(call):
        # CloudAPI would never answer.
        raise invalid_argument("Role tags need version 7.2.0 or later, and a data centre that uses them")
    if kind and kind not in COLLECTIONS:
        raise not_found(f"{kind} is not a valid resource")
    roles = _requested_roles(call, call.params.get(HEADER), tagged_roles(call))
    if roles is not None:
        _store(call, resource_of(call), roles)
    return Reply(200, {"name": resource_of(call), HEADER: [role.name for role in roles or []]})


def follow_role_tags(call: Call, name: str, reply: Reply) -> None:
    """Show the role tags of what an operation read, set those of what it created, or remove those of what it deleted."""
    if not OPERATIONS.fullmatch(name) or not manages_access(call):
        return
    if call.reading:
        if roles := tagged_roles(call):
            reply.headers[HEADER] = ",".join(role.name for role in roles)
    elif reply.status == 204:
        call.account.role_tags.pop(resource_of(call), None)
    elif HEADER in call.request.headers or call.active_roles is not None:
        _tag_result(call, reply.body if reply.status == 201 else {})


def _tag_result(call: Call, created: dict[str, Any]) -> None:
    """Tag what a call created or changed with the roles of its header, or else the caller's; unknown names are only logged."""
    new = next((created[key] for key in ("id", "fingerprint", "accesskeyid") if key in created), None)
    try:
        roles = _requested_roles(call, call.params.get(HEADER), [] if new else tagged_roles(call))
    except ApiError as error:
        log.warning("no role tags were set: %s", error)
        return
    if roles and new and new in call.state.machines:
        call.state.machines[new].role_tags = [role.id for role in roles]
    elif roles:
        _store(call, f"{resource_of(call)}/{new}" if new else resource_of(call), roles)


def _requested_roles(call: Call, given: Any, existing: list[RoleRecord]) -> list[RoleRecord] | None:
    """Return the roles in the parameter or header, or else the existing ones, or else the caller's."""
    header = call.request.headers.get(HEADER)
    if given not in (None, "", False, 0):
        return _roles(call.account, given if isinstance(given, list) else [given])
    return _roles(call.account, header.split(",")) if header else existing or call.active_roles


def _roles(account: AccountRecord, names: list[Any]) -> list[RoleRecord]:
    """Return the roles with these names; an unknown one is a 409."""
    known = {role.name: role for role in account.roles.values()}
    names = list(dict.fromkeys(map(str, names)))
    if missing := [name for name in names if name not in known]:
        raise invalid_argument(f"Role(s) {', '.join(missing)} not found")
    return [known[name] for name in names]


def _store(call: Call, resource: str, roles: list[RoleRecord]) -> None:
    tags = [role.id for role in roles]
    if on_machine(call):
        call.machine.role_tags = tags
    else:
        call.account.role_tags[resource] = tags
