"""Who may do what: an account on itself, operators on anybody, and all others by their roles.

Sub-users, and accounts on another account, have active roles: those that ``as-role`` names, or else those they are
default members of. The role ``administrator`` may do everything on its account. Any other counts for what it is tagged
on; elsewhere only those of its rules count that name their resources themselves, be it with ``*``.
"""

from collections.abc import Iterator
from urllib.parse import unquote

from smartdc.emulator.core.reply import ApiError, not_authorized
from smartdc.emulator.grammar.policy_rule import Rule, parse_rule
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import AccountRecord, RoleRecord

ADMINISTRATOR = "administrator"

MACHINE_ACTIONS = {"enable_firewall": "enablemachinefirewall", "disable_firewall": "disablemachinefirewall"}
"""The actions of a machine that policies know under names of their own; the others are like ``stopmachine``."""

ACTIONS = {
    "GetAccountLimits": "getprovisioninglimits",
    "GetChangefeed": "changefeed",
    "UpdateMachineMetadata": "addmachinemetadata",
    "HeadMachineMetadataKey": "headmachinemetadata",
    "HeadMachineDisks": "listmachinedisks",
    "HeadMachineDisk": "getmachinedisk",
    "HeadNics": "listnics",
    "HeadNic": "getnic",
    "HeadFabricVLAN": "getfabricvlan",
    "HeadFabricNetwork": "getfabricnetwork",
}
"""The operations that policies know under another name than their own in lower case."""


def authorize(call: Call) -> None:
    """Let in who may do this: 403 for anybody else."""
    if not call.user and (call.account is call.caller or call.caller.operator):
        return
    if not manages_access(call):
        raise not_authorized(f"You do not have permission to access {call.account.login}")
    roles = _active_roles(call)
    if not _may(call, roles):
        raise not_authorized(f"You do not have permission to access {call.request.path} ({action_of(call)})")
    call.active_roles = roles


def manages_access(call: Call) -> bool:
    """Say whether role tags count for this call: from version 7.2 on, where the operator has them."""
    return call.settings.rbac and call.since("7.2.0")


def action_of(call: Call) -> str:
    """Return the name by which policies know what the call does."""
    name, action = call.match.operation.name, call.text("action")
    if name.startswith("SetRoleTags:"):
        return "setroletags"
    if call.match.operation.path.endswith("/machines/:machine") and call.request.method == "POST":
        return MACHINE_ACTIONS.get(action, f"{action or 'undefined'}machine")
    return ACTIONS.get(name, name.lower())


def resource_of(call: Call) -> str:
    """Return the path that the role tags of this call are kept under, such as ``/demo/users/alice``.

    What lies below a machine or any other thing has that thing's; only the keys of users have tags of their own.
    """
    account, path = call.text("account"), call.request.path.split("/")[2:]
    whole = len(path) < 3 or (path[0] == "users" and path[2] == "keys")
    kept = 2 if len(path) == 3 or path[:1] == ["machines"] else 3
    names = [call.account.login if account == "my" else account, *(path if whole else path[:kept])]
    return unquote("/".join(["", *names]))


def tagged_roles(call: Call) -> list[RoleRecord]:
    """Return the roles on what the call is about; those that were deleted since are none."""
    account = call.account
    tags = call.machine.role_tags if on_machine(call) else account.role_tags.get(resource_of(call), [])
    return [account.roles[tag] for tag in tags if tag in account.roles]


def on_machine(call: Call) -> bool:
    """Say whether the call is about one machine, which keeps its role tags itself."""
    return bool(call.found_machine) and call.request.path.split("/")[2:3] == ["machines"]


def _active_roles(call: Call) -> list[RoleRecord]:
    """Return the roles that count; one that the caller is no member of is a 403."""
    member, roles, asked = (call.user or call.caller).id, call.account.roles.values(), call.text("as-role")
    if not asked:
        return [role for role in roles if member in role.default_members]
    mine = {role.name: role for role in roles if member in role.members}
    if not mine.keys() >= set(asked.split(",")):
        raise not_authorized(f"You do not have permission to access {call.account.login}")
    return [mine[name] for name in asked.split(",")]


def _may(call: Call, roles: list[RoleRecord]) -> bool:
    """Judge by the roles; where only conditions would decide, which nothing here evaluates, it is a 501."""
    if not (call.caller.approved and call.account.approved):
        return False
    if any(role.name == ADMINISTRATOR for role in roles):
        return True
    action, path, tags = action_of(call), call.request.path, {role.id for role in tagged_roles(call)}
    fitting = [
        rule
        for role in roles
        for rule in _rules(call.account, role)
        if (role.id in tags or rule.resources is not None) and rule.fits(action, path)
    ]
    if fitting and all(rule.conditional for rule in fitting):
        message = f"{fitting[0].text!r} has conditions, which this emulator does not evaluate"
        raise ApiError(501, "NotImplementedError", message)
    return bool(fitting)


def _rules(account: AccountRecord, role: RoleRecord) -> Iterator[Rule]:
    for policy in role.policies:
        if policy in account.policies:
            yield from map(parse_rule, account.policies[policy].rules)
