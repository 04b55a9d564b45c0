"""Firewall rules: making and changing them, and the machines that they are for."""

from __future__ import annotations

from typing import Any

import pytest

from kits.cloud import record, sent
from smartdc import (
    DataCenter,
    FirewallRule,
    InvalidParameters,
    Machine,
    MissingParameter,
    NotAuthorized,
    ResourceNotFound,
)
from smartdc.emulator import Emulator
from smartdc.emulator.grammar.firewall_text import read_rule
from smartdc.emulator.state import records

WEB = "FROM any TO tag role = web ALLOW tcp (port 443 AND port 80)"
WEB_AS_TOLD = 'FROM any TO tag "role" = "web" ALLOW tcp (PORT 80 AND PORT 443)'
PING = "FROM any TO all vms ALLOW icmp TYPE 8 CODE 0"


@pytest.fixture
def rule(dc: DataCenter) -> FirewallRule:
    """A rule that is not in force."""
    return dc.create_firewall_rule(WEB)


@pytest.fixture
def operators(cloud: Emulator) -> records.FirewallRuleRecord:
    """A rule of the operator's, for all machines of the data centre."""
    rule = records.FirewallRuleRecord("11111111-1111-4111-8111-111111111111", None, read_rule(PING), enabled=True)
    return cloud.state.firewall_rules.setdefault(rule.id, rule)


@pytest.fixture
def foreign(cloud: Emulator) -> records.FirewallRuleRecord:
    """A rule of another account's."""
    other = cloud.state.add_account("other")
    rule = records.FirewallRuleRecord("22222222-2222-4222-8222-222222222222", other.id, read_rule(PING), enabled=True)
    return cloud.state.firewall_rules.setdefault(rule.id, rule)


def kept(cloud: Emulator, rule: FirewallRule) -> records.FirewallRuleRecord:
    """Return what the server knows of a rule."""
    return cloud.state.firewall_rules[rule.id]


# Reading


@pytest.mark.usefixtures("foreign")
def test_firewall_rules(dc: DataCenter, cloud: Emulator, rule: FirewallRule) -> None:
    """``ListFirewallRules`` gives the account's rules, and not those of others."""
    assert dc.firewall_rules() == [rule]
    assert sent(cloud, "ListFirewallRules") == ("GET", "fwrules", {})


@pytest.mark.parametrize("form", ["id", "dict", "resource"])
def test_firewall_rule(dc: DataCenter, cloud: Emulator, rule: FirewallRule, form: str) -> None:
    """``GetFirewallRule`` gives one rule."""
    given: Any = {"id": rule.id, "dict": {"id": rule.id}, "resource": rule}[form]
    found = dc.firewall_rule(given)
    assert sent(cloud, "GetFirewallRule") == ("GET", f"fwrules/{rule.id}", {})
    assert (found, found.rule) == (rule, WEB_AS_TOLD)


def test_firewall_rule_that_is_not_there(dc: DataCenter) -> None:
    """``GetFirewallRule`` says that there is no such rule, or that its id is none."""
    with pytest.raises(ResourceNotFound, match="not found"):
        dc.firewall_rule("b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b")
    with pytest.raises(InvalidParameters, match="Invalid UUID"):
        dc.firewall_rule("web")


def test_attributes(dc: DataCenter) -> None:
    """A rule shows what CloudAPI said, and None where it said nothing."""
    told = {"id": "r-1", "rule": PING, "enabled": True, "log": False, "global": True, "description": "ping"}
    rule, bare = FirewallRule(dc, data=told), FirewallRule(dc, data={"id": "r-1"})
    assert (rule.rule, rule.enabled, rule.log, rule.is_global, rule.description) == (PING, True, False, True, "ping")
    assert [getattr(bare, name) for name in ("rule", "enabled", "log", "is_global", "description")] == [None] * 5


# Making


def test_create_firewall_rule(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateFirewallRule`` makes a rule that is not in force; its text comes back as FWAPI writes it."""
    rule = dc.create_firewall_rule(WEB)
    assert sent(cloud, "CreateFirewallRule") == ("POST", "fwrules", {"rule": WEB})
    assert (rule.rule, rule.enabled, rule.log, rule.description) == (WEB_AS_TOLD, False, False, None)
    assert str(kept(cloud, rule).rule) == WEB_AS_TOLD


def test_create_firewall_rule_with_everything(dc: DataCenter, cloud: Emulator) -> None:
    """All that ``CreateFirewallRule`` takes can be said."""
    more: dict[str, Any] = {"enabled": True, "log": True, "description": "the web"}
    rule = dc.create_firewall_rule(WEB, **more)
    assert sent(cloud, "CreateFirewallRule")[2] == {"rule": WEB, **more}
    assert {name: rule[name] for name in more} == more


def test_false_is_sent(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateFirewallRule`` gets a False that was said."""
    assert dc.create_firewall_rule(WEB, enabled=False, log=False).enabled is False
    assert sent(cloud, "CreateFirewallRule")[2] == {"rule": WEB, "enabled": False, "log": False}


def test_create_has_no_location(dc: DataCenter) -> None:
    """``CreateFirewallRule`` answers 201 without a Location."""
    _, response = dc.request("POST", "/fwrules", data={"rule": WEB})
    assert (response.status_code, response.headers.get("Location")) == (201, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FROM any TO any ALLOW tcp PORT 80", "rule does not affect VMs"),
        ("FROM foo TO all vms ALLOW tcp PORT 80", "Error at character 4: 'foo', expected: '(', 'all', 'any'"),
    ],
)
def test_create_refuses_a_text(dc: DataCenter, text: str, words: str) -> None:
    """``CreateFirewallRule`` says where a text is wrong, in an error for the field."""
    with pytest.raises(InvalidParameters) as caught:
        dc.create_firewall_rule(text)
    [error] = caught.value.errors
    assert (error["field"], error["code"], caught.value.status) == ("rule", "InvalidParameter", 422)
    assert words in error["message"]
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"enabled": "maybe"}, "enabled must be true or false"),
        ({"log": 7}, "log must be true or false"),
        ({"description": ["x"]}, "description must be a string"),
        ({"description": "x" * 256}, "description must be shorter than 255 characters"),
        ({"rule": 7}, "rule must be a string"),
    ],
)
def test_create_refuses_other_things(dc: DataCenter, wrong: dict[str, Any], words: str) -> None:
    """``CreateFirewallRule`` names the field that is wrong."""
    with pytest.raises(InvalidParameters, match=words):
        dc.request("POST", "/fwrules", data={"rule": WEB, **wrong})


def test_description_has_255_characters_at_most(dc: DataCenter) -> None:
    """``CreateFirewallRule`` takes as many, and ``UpdateFirewallRule`` not one more."""
    rule = dc.create_firewall_rule(WEB, description="x" * 255)
    assert rule.description == "x" * 255
    with pytest.raises(InvalidParameters) as caught:
        rule.update(description="x" * 256)
    assert caught.value.errors == [
        {
            "field": "description",
            "code": "InvalidParameter",
            "message": "description must be shorter than 255 characters",
        }
    ]


def test_all_faults_are_told_at_once(dc: DataCenter) -> None:
    """``CreateFirewallRule`` does not stop at the first fault."""
    with pytest.raises(InvalidParameters) as caught:
        dc.request("POST", "/fwrules", data={"rule": "x", "enabled": "x", "log": "x"})
    assert [error["field"] for error in caught.value.errors] == ["rule", "enabled", "log"]


def test_create_needs_a_rule(dc: DataCenter) -> None:
    """``CreateFirewallRule`` without a text is refused."""
    with pytest.raises(MissingParameter, match="rule is a required argument"):
        dc.request("POST", "/fwrules", data={"enabled": True})


# Changing


def test_update(cloud: Emulator, rule: FirewallRule) -> None:
    """``UpdateFirewallRule`` changes what is given, and leaves the rest."""
    assert rule.update(PING, description="ping") is rule
    assert sent(cloud, "UpdateFirewallRule") == ("POST", rule.path, {"rule": PING, "description": "ping"})
    assert (rule.rule, rule.description, rule.enabled) == (PING, "ping", False)
    assert str(kept(cloud, rule).rule) == PING


def test_update_of_flags(cloud: Emulator, rule: FirewallRule) -> None:
    """``UpdateFirewallRule`` takes the flags, and an empty description."""
    rule.update(enabled=True, log=True, description="x").update(enabled=False, description="")
    assert sent(cloud, "UpdateFirewallRule")[2] == {"enabled": False, "description": ""}
    assert (rule.enabled, rule.log, rule.description) == (False, True, None)


def test_update_refuses_a_text(cloud: Emulator, rule: FirewallRule) -> None:
    """``UpdateFirewallRule`` with a text that cannot be read changes nothing."""
    with pytest.raises(InvalidParameters, match="expected"):
        rule.update("FROM any", enabled=True)
    assert kept(cloud, rule).enabled is False


def test_enable_and_disable(cloud: Emulator, rule: FirewallRule) -> None:
    """``EnableFirewallRule`` and ``DisableFirewallRule`` put a rule into force and out of it."""
    assert rule.enable().enabled is True
    assert sent(cloud, "EnableFirewallRule") == ("POST", f"{rule.path}/enable", {})
    assert kept(cloud, rule).enabled is True
    assert rule.disable().enabled is False
    assert sent(cloud, "DisableFirewallRule") == ("POST", f"{rule.path}/disable", {})
    assert kept(cloud, rule).enabled is False


def test_delete(cloud: Emulator, rule: FirewallRule) -> None:
    """``DeleteFirewallRule`` takes a rule away."""
    rule.delete()
    assert sent(cloud, "DeleteFirewallRule") == ("DELETE", rule.path, {})
    assert cloud.state.firewall_rules == {}
    with pytest.raises(ResourceNotFound):
        rule.refresh()


@pytest.mark.parametrize("whose", ["operators", "foreign"])
@pytest.mark.parametrize("act", ["refresh", "update", "enable", "disable", "delete"])
def test_rules_of_others_are_closed(dc: DataCenter, request: pytest.FixtureRequest, whose: str, act: str) -> None:
    """``GetFirewallRule`` and all that changes a rule are refused for others' and for the operator's."""
    there = request.getfixturevalue(whose)
    with pytest.raises(NotAuthorized, match="owner does not match"):
        getattr(FirewallRule(dc, data={"id": there.id}), act)()


# Machines


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FROM any TO tag role ALLOW tcp PORT 80", ["web-1", "db-1"]),
        ("FROM any TO tag role = web ALLOW tcp PORT 80", ["web-1"]),
        ("FROM tag live = true TO any BLOCK tcp PORT 25", ["web-1"]),
        ("FROM tag rank = 2 TO any BLOCK tcp PORT 25", ["db-1"]),
        ("FROM tag role = db TO tag role = web ALLOW tcp PORT 80", ["web-1", "db-1"]),
        ("FROM all vms TO any BLOCK tcp PORT 25", ["web-1", "db-1", "bare"]),
        ("FROM any TO (vm {bare} OR tag role = db) ALLOW tcp PORT 22", ["db-1", "bare"]),
        ("FROM any TO tag nothing ALLOW tcp PORT 22", []),
    ],
)
def test_machines(dc: DataCenter, cloud: Emulator, text: str, names: list[str]) -> None:
    """``ListFirewallRuleMachines`` gives the machines that either side of a rule names by id, by tag or all together."""
    cloud.populate(1, name="web-1", tags={"role": "web", "live": True})
    cloud.populate(1, name="db-1", tags={"role": "db", "rank": 2})
    [bare] = cloud.populate(1, name="bare")
    rule = dc.create_firewall_rule(text.format(bare=bare.id))
    found = rule.machines()
    assert sent(cloud, "ListFirewallRuleMachines") == ("GET", f"{rule.path}/machines", {})
    assert [machine.name for machine in found] == names
    assert all(type(machine) is Machine and machine.datacenter is dc for machine in found)


def test_machines_are_counted(dc: DataCenter, rule: FirewallRule) -> None:
    """``ListFirewallRuleMachines`` tells in a header how many there are."""
    _, response = dc.request("GET", f"{rule.path}/machines")
    assert response.headers["x-resource-count"] == "0"


def test_machines_with_their_packages(dc: DataCenter, machine: Machine) -> None:
    """``ListFirewallRuleMachines`` tells of a machine what ``ListMachines`` does."""
    [found] = dc.create_firewall_rule(PING).machines()
    [listed] = dc.machines()
    assert (dict(found), found.package, found) == (dict(listed), "g1-small", machine)


@pytest.mark.parametrize("state", ["deleted", "failed", "provisioning"])
def test_machines_that_nothing_reaches(dc: DataCenter, cloud: Emulator, machine: Machine, state: str) -> None:
    """``ListFirewallRuleMachines`` leaves out machines that have no addresses."""
    record(cloud, machine).state = state
    assert dc.create_firewall_rule(PING).machines() == []


def test_rules_for_a_machine(
    dc: DataCenter, cloud: Emulator, machine: Machine, operators: records.FirewallRuleRecord
) -> None:
    """``ListMachineFirewallRules`` gives what is for a machine, in force or not, the operator's rules too."""
    for_all, _ = dc.create_firewall_rule(PING), dc.create_firewall_rule(WEB)
    found = machine.firewall_rules()
    assert sent(cloud, "ListMachineFirewallRules") == ("GET", f"{machine.path}/fwrules", {})
    assert {rule.id for rule in found} == {for_all.id, operators.id}
    assert [rule.is_global for rule in found if rule.id == operators.id] == [True]


def test_rules_follow_tags(machine: Machine, rule: FirewallRule) -> None:
    """``ListMachineFirewallRules`` looks at the tags as they are."""
    assert machine.firewall_rules() == []
    machine.add_tags(role="web")
    assert machine.firewall_rules() == [rule]
    assert [each.id for each in rule.machines()] == [machine.id]


def test_a_rule_listed_at_a_machine_can_be_changed(machine: Machine, cloud: Emulator, rule: FirewallRule) -> None:
    """What ``ListMachineFirewallRules`` gave stands at its own address."""
    machine.add_tags(role="web")
    [found] = machine.firewall_rules()
    found.enable()
    assert found.path == rule.path
    assert kept(cloud, rule).enabled is True
