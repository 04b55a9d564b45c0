"""Firewall rules: the account's own, and the operator's global ones."""

from typing import Any

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.reply import ApiError, Reply, missing_parameter, not_found
from smartdc.emulator.grammar.firewall_text import Rule, read_rule
from smartdc.emulator.grammar.firewall_tokens import RuleError
from smartdc.emulator.machine.machine import MACHINE, tag_text
from smartdc.emulator.machine.view import view as machine_view
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import FirewallRuleRecord, MachineRecord

RULES = "/:account/fwrules"
RULE = f"{RULES}/:id"

MAX_DESCRIPTION = 255
BOOLEANS = {"true": True, "True": True, "false": False, "False": False}
UNREACHABLE = ("deleted", "failed", "provisioning")
"""States in which a machine has no addresses, so that no rule applies."""


@operation("ListFirewallRules", "GET", RULES, head="HeadFirewallRules")
def list_rules(call: Call) -> Reply:
    """Return the account's rules, without the operator's."""
    return Reply(200, [view(rule) for rule in call.state.firewall_rules.values() if rule.owner == call.account.id])


@operation("GetFirewallRule", "GET", RULE, head="HeadFirewallRule")
def get_rule(call: Call) -> Reply:
    """Return one rule."""
    return Reply(200, view(_require_own(call)))


@operation("CreateFirewallRule", "POST", RULES)
def create_rule(call: Call) -> Reply:
    """Create a rule, disabled by default; the answer has its normalized text."""
    params = call.params
    if not params.get("rule"):
        raise missing_parameter("rule is a required argument")
    given = {
        "rule": params["rule"],
        "enabled": params.get("enabled") or False,
        "log": params.get("log") or False,
        "description": params.get("description") or "",
    }
    rule = FirewallRuleRecord(call.state.ids.uuid("firewall rule"), call.account.id, **_checked(given))
    call.state.firewall_rules[rule.id] = rule
    return Reply(201, view(rule))


@operation("UpdateFirewallRule", "POST", RULE)
def update_rule(call: Call) -> Reply:
    """Change the given fields of a rule."""
    rule = _require_own(call)
    names = ("rule", "enabled", "log", "description")
    return _changed(rule, {name: call.params[name] for name in names if name in call.params})


@operation("EnableFirewallRule", "POST", f"{RULE}/enable")
def enable_rule(call: Call) -> Reply:
    """Enable a rule."""
    return _changed(_require_own(call), {"enabled": True})


@operation("DisableFirewallRule", "POST", f"{RULE}/disable")
def disable_rule(call: Call) -> Reply:
    """Disable a rule."""
    return _changed(_require_own(call), {"enabled": False})


@operation("DeleteFirewallRule", "DELETE", RULE)
def delete_rule(call: Call) -> Reply:
    """Delete a rule."""
    del call.state.firewall_rules[_require_own(call).id]
    return Reply(204)


@operation("ListMachineFirewallRules", "GET", f"{MACHINE}/fwrules", head="HeadMachineFirewallRules")
def list_machine_rules(call: Call) -> Reply:
    """Return the rules that concern a machine, the account's and the operator's, enabled or not."""
    rules = call.state.firewall_rules.values()
    known = [rule for rule in rules if rule.owner in (None, call.account.id)]
    return Reply(200, [view(rule) for rule in known if _concerns(rule.rule, call.machine)])


@operation("ListFirewallRuleMachines", "GET", f"{RULE}/machines", head="HeadFirewallRuleMachines")
def list_rule_machines(call: Call) -> Reply:
    """Return the account's machines that a rule concerns."""
    rule = _require(call)
    mine = [machine for machine in call.state.machines_of(call.account) if machine.state not in UNREACHABLE]
    machines = [machine for machine in mine if _concerns(rule.rule, machine)]
    for machine in machines:
        call.transitions.read(machine)
    shown = [machine_view(machine, call, alone=False) for machine in machines]
    return Reply(200, shown, {"x-resource-count": str(len(shown))})


def view(rule: FirewallRuleRecord) -> dict[str, Any]:
    """Return the JSON of a rule."""
    shown: dict[str, Any] = {"id": rule.id, "rule": str(rule.rule), "enabled": rule.enabled, "log": rule.log}
    if rule.owner is None:
        shown["global"] = True
    return {**shown, "description": rule.description} if rule.description else shown


def _changed(rule: FirewallRuleRecord, changes: dict[str, Any]) -> Reply:
    for name, value in _checked(changes).items():
        setattr(rule, name, value)
    return Reply(200, view(rule))


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the given fields, parsed; all mistakes are reported in one 422 InvalidParameters."""
    errors = []
    checked = dict(given)
    if "rule" in given:
        try:
            checked["rule"] = read_rule(given["rule"])
        except RuleError as error:
            errors.append(("rule", str(error)))
    for name in ("enabled", "log"):
        if name in given:
            checked[name] = BOOLEANS.get(str(given[name]))
    errors += [(name, f"{name} must be true or false") for name in ("enabled", "log") if checked.get(name, 0) is None]
    description = given.get("description", "")
    if not isinstance(description, str):
        errors.append(("description", "description must be a string"))
    elif len(description) > MAX_DESCRIPTION:
        errors.append(("description", f"description must be shorter than {MAX_DESCRIPTION} characters"))
    if errors:
        raise _invalid(*errors)
    return checked


def _require_own(call: Call) -> FirewallRuleRecord:
    """Return a rule of the account; the operator's and others' are a 403."""
    rule = _require(call)
    if rule.owner is None:
        raise _forbidden()
    return rule


def _require(call: Call) -> FirewallRuleRecord:
    if not UUID.fullmatch(call.text("id")):
        raise _invalid(("uuid", "Invalid UUID"))
    rule = call.state.firewall_rules.get(call.text("id"))
    if not rule:
        raise not_found("Rule not found")
    if rule.owner not in (None, call.account.id):
        raise _forbidden()
    return rule


def _concerns(rule: Rule, machine: MachineRecord) -> bool:
    return rule.concerns(machine.id, {name: tag_text(value) for name, value in machine.tags.items()})


def _invalid(*faults: tuple[str, str]) -> ApiError:
    errors = [{"field": field, "code": "InvalidParameter", "message": message} for field, message in faults]
    return ApiError(422, "InvalidParameters", "Invalid parameters", errors)


def _forbidden() -> ApiError:
    error = {"field": "owner_uuid", "code": "InvalidParameter", "message": "owner_uuid does not match"}
    return ApiError(403, "Forbidden", "owner does not match", [error])
