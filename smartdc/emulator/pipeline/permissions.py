"""Authorization: accounts may do everything on themselves, operators on all accounts, others what their roles allow.

Sub-users, and accounts on other accounts, have active roles: those that ``as-role`` names, or else those they are
default members of. The role ``administrator`` may do everything on its account. Any other role applies to resources
with its role tag; elsewhere only those of its rules apply that name resources themselves, even as ``*``.
"""

from collections.abc import Iterator
from urllib.parse import unquote

from smartdc.emulator.core.reply import ApiError, not_authorized
from smartdc.emulator.grammar.policy_rule import Rule, parse_rule
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import AccountRecord, RoleRecord

ADMINISTRATOR = "administrator"

MACHINE_ACTIONS = {"enable_firewall": "enablemachinefirewall", "disable_firewall": "disablemachinefirewall"}
"""The actions of a machine with irregular names in policies; the others are like ``stopmachine``."""

ACTIONS = {
    "GetAccountLimits": "getprovisioninglimits",
    "GetChangefeed": "changefeed",
    "UpdateMachineMetadata": "addmachinemetadata",
    "HeadMachineDisks": "listmachinedisks",
    "HeadMachineDisk": "getmachinedisk",
    "HeadNics": "listnics",
    "HeadNic": "getnic",
    "HeadFabricVLAN": "getfabricvlan",
    "HeadFabricNetwork": "getfabricnetwork",
}
"""The operations whose name in policies is not their own in lower case."""


def authorize(call: Call) -> None:
    """Refuse callers that may not do this: 403."""
    if not call.user and (call.account is call.caller or call.caller.operator):
        return
    if not manages_access(call):
        raise not_authorized(f"You do not have permission to access {call.account.login}")
    roles = _active_roles(call)
    if not _may(call, roles):
        raise not_authorized(f"You do not have permission to access {call.request.path} ({action_of(call)})")
    call.active_roles = roles


def manages_access(call: Call) -> bool:
    """Return whether role tags apply to this call: from version 7.2, if the data centre enforces them."""
    return call.settings.rbac and call.since("7.2.0")


def action_of(call: Call) -> str:
    """Return the call's action as policies name it."""
    name = call.match.operation.name
    action = call.text("action")
    if name.startswith("SetRoleTags:"):
        return "setroletags"
    if call.match.operation.path.endswith("/machines/:machine") and call.request.method == "POST":
        return MACHINE_ACTIONS.get(action, f"{action or 'undefined'}machine")
    return ACTIONS.get(name, name.lower())


def resource_of(call: Call) -> str:
    """Return the path under which the role tags of this call are stored, such as ``/demo/users/alice``.

    Paths below a machine or another resource have that resource's tags; only keys of users have their own.
    """
    account = call.text("account")
    path = call.request.path.split("/")[2:]
    whole = len(path) < 3 or (path[0] == "users" and path[2] == "keys")
    kept = 2 if len(path) == 3 or path[:1] == ["machines"] else 3
    names = [call.account.login if account == "my" else account, *(path if whole else path[:kept])]
    return unquote("/".join(["", *names]))


def tagged_roles(call: Call) -> list[RoleRecord]:
    """Return the existing roles that the call's resource is tagged with."""
    account = call.account
    tags = call.machine.role_tags if on_machine(call) else account.role_tags.get(resource_of(call), [])
    return [account.roles[tag] for tag in tags if tag in account.roles]


def on_machine(call: Call) -> bool:
    """Return whether the call is about one machine, whose record has its role tags."""
    return bool(call.found_machine) and call.request.path.split("/")[2:3] == ["machines"]


def _active_roles(call: Call) -> list[RoleRecord]:
    """Return the active roles; a requested one that the caller is not a member of is a 403."""
    member = (call.user or call.caller).id
    roles = call.account.roles.values()
    requested = call.text("as-role")
    if not requested:
        return [role for role in roles if member in role.default_members]
    mine = {role.name: role for role in roles if member in role.members}
    if not mine.keys() >= set(requested.split(",")):
        raise not_authorized(f"You do not have permission to access {call.account.login}")
    return [mine[name] for name in requested.split(",")]


def _may(call: Call, roles: list[RoleRecord]) -> bool:
    """Return whether the roles allow the call; if that depends on conditions, which are not evaluated, it is a 501."""
    if not (call.caller.approved and call.account.approved):
        return False
    if any(role.name == ADMINISTRATOR for role in roles):
        return True
    action = action_of(call)
    path = call.request.path
    tags = {role.id for role in tagged_roles(call)}
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
