"""Policies: rules about what may be done, used by roles."""

import json
from contextlib import suppress
from typing import Any

from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.grammar.policy_rule import parse_rule
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import AccountRecord, PolicyRecord

POLICIES = "/:account/policies"
POLICY = "/:account/policies/:policy"
CHANGEABLE = ("name", "rules", "description")

GONE = "The resource you requested does not exist"


@operation("ListPolicies", "GET", POLICIES, head="HeadPolicies")
def list_policies(call: Call) -> Reply:
    """Return all policies."""
    return Reply(200, [view(policy) for policy in call.account.policies.values()])


@operation("GetPolicy", "GET", POLICY, head="HeadPolicy")
def get_policy(call: Call) -> Reply:
    """Return the policy with a name or id."""
    name = call.text("policy")
    found = named(call.account, name)
    if not found:
        raise not_found(f"{name} does not exist")
    return Reply(200, view(found))


@operation("CreatePolicy", "POST", POLICIES)
def create_policy(call: Call) -> Reply:
    """Create a policy; its name must be unique within the account."""
    if missing := [f"{name} is required" for name in ("name", "rules") if not call.params.get(name)]:
        raise missing_parameter(f"Request is missing required parameters: {', '.join(missing)}")
    rules = _rules(call)
    _check_name(call.account, call.text("name"))
    policy = PolicyRecord(call.state.ids.uuid("policy"), call.text("name"), rules, call.text("description") or None)
    call.account.policies[policy.id] = policy
    return Reply(201, view(policy), call.location("policies", policy.id))


@operation("UpdatePolicy", "POST", POLICY)
def update_policy(call: Call) -> Reply:
    """Change the given fields of a policy, by its id only; an empty description removes it.

    With an unknown id CloudAPI tries to add a policy, and its directory reports the attributes that only a create sets
    as missing. Without any change the answer is empty.
    """
    given: dict[str, Any] = {name: call.params[name] for name in CHANGEABLE if name in call.params}
    rules = _rules(call) if given.get("rules") else None
    policy = call.account.policies.get(call.text("policy"))
    if not policy:
        raise _unknown(call, given)
    if not (given.get("name") or rules or "description" in given):
        return Reply(200, {})
    if given.get("name"):
        _check_name(call.account, call.text("name"), policy)
        policy.name = call.text("name")
    policy.rules = rules or policy.rules
    if "description" in given:
        policy.description = call.text("description") or None
    return Reply(200, view(policy))


@operation("DeletePolicy", "DELETE", POLICY)
def delete_policy(call: Call) -> Reply:
    """Delete a policy, by its id only, and remove it from its roles."""
    account = call.account
    policy = account.policies.pop(call.text("policy"), None)
    if not policy:
        raise not_found(GONE)
    for role in account.roles.values():
        role.policies = [other for other in role.policies if other != policy.id]
    return Reply(204)


def named(account: AccountRecord, name: str) -> PolicyRecord | None:
    """Return the policy with a name or id; None if there is none."""
    policies = account.policies
    return policies.get(name) or next((policy for policy in policies.values() if policy.name == name), None)


def as_texts(value: Any) -> list[str]:
    """Return the strings of a parameter that may be a list, one string, or JSON in a string."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    return list(map(str, value if isinstance(value, list) else [value]))


def view(policy: PolicyRecord) -> dict[str, Any]:
    """Return the JSON of a policy."""
    shown: dict[str, Any] = {"name": policy.name, "id": policy.id, "rules": policy.rules}
    return {**shown, "description": policy.description} if policy.description else shown


def _rules(call: Call) -> list[str]:
    """Return the rules; invalid and repeated ones are a 409."""
    rules = as_texts(call.params["rules"])
    if mistakes := [mistake for rule in rules if (mistake := _mistake(rule))]:
        raise invalid_argument(", ".join(mistakes))
    for rule in rules:
        if rules.count(rule) > 1:
            raise invalid_argument(f"{rule} is not unique")
    return rules


def _mistake(rule: str) -> str | None:
    try:
        parse_rule(rule)
    except ValueError as error:
        return str(error)
    return None


def _unknown(call: Call, given: dict[str, Any]) -> ApiError:
    if named(call.account, call.text("policy")):
        return not_found(GONE)
    stored = {"rules": "rule"}
    there = {stored.get(name, name) for name, value in given.items() if value}
    missing = [f"{name} is required" for name in ("name", "account", "uuid", "rule") if name not in there]
    return missing_parameter("Request is missing a required parameter (" + "\n".join(missing) + ")")


def _check_name(account: AccountRecord, name: str, but: PolicyRecord | None = None) -> None:
    if any(policy.name == name and policy is not but for policy in account.policies.values()):
        raise invalid_argument("Name is not unique")
