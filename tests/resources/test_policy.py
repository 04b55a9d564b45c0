"""Policies: listing, reading, creating, changing and deleting them."""

from __future__ import annotations

from typing import Any

import pytest

from kits.cloud import account, sent
from smartdc import DataCenter, InputError, InvalidArgument, MissingParameter, Policy
from smartdc.emulator import Emulator

RULES = ["CAN listmachines and getmachine", "CAN rebootmachine"]


@pytest.fixture
def reading(dc: DataCenter) -> Policy:
    """The policy called reading."""
    return dc.create_policy("reading", RULES, "look, do not touch")


def test_policies(dc: DataCenter, cloud: Emulator, reading: Policy) -> None:
    """``ListPolicies`` gives every policy of the account."""
    assert dc.policies() == [reading]
    assert sent(cloud, "ListPolicies") == ("GET", "policies", {})


@pytest.mark.parametrize("form", ["name", "id", "dict", "resource"])
def test_policy(dc: DataCenter, cloud: Emulator, reading: Policy, form: str) -> None:
    """``GetPolicy`` gives a policy by name, id, dict or resource."""
    given: Any = {"name": "reading", "id": reading.id, "dict": {"name": "reading"}}.get(form, reading)

    assert dict(dc.policy(given)) == dict(reading)
    assert sent(cloud, "GetPolicy")[1].removeprefix("policies/") in {"reading", reading.id}


def test_create_policy(dc: DataCenter, cloud: Emulator) -> None:
    """``CreatePolicy`` sends name, rules and description, and returns the policy."""
    policy = dc.create_policy("reading", RULES, description="look, do not touch")

    body = {"name": "reading", "rules": RULES, "description": "look, do not touch"}
    assert sent(cloud, "CreatePolicy") == ("POST", "policies", body)
    there = account(cloud).policies[policy.id]
    assert (policy.name, policy.rules, policy.description) == (there.name, there.rules, there.description)


def test_create_policy_of_one_rule(dc: DataCenter, cloud: Emulator) -> None:
    """A single text is one rule, not one for each of its letters: ``CreatePolicy``."""
    policy = dc.create_policy("all", "CAN *")

    assert sent(cloud, "CreatePolicy")[2] == {"name": "all", "rules": ["CAN *"]}
    assert (policy.rules, policy.description) == (["CAN *"], None)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [("getmachine", "expecting CAN"), ("CAN a, b", "expecting and"), ("CAN a when size = 1", 'no type for "size"')],
)
def test_create_policy_with_what_is_no_rule(dc: DataCenter, cloud: Emulator, rule: str, reason: str) -> None:
    """``CreatePolicy`` says what is wrong with a rule."""
    with pytest.raises(InvalidArgument, match=reason):
        dc.create_policy("wrong", [*RULES, rule])

    assert not account(cloud).policies


def test_create_policy_of_a_taken_name(dc: DataCenter, reading: Policy) -> None:
    """``CreatePolicy`` refuses a name that the account has."""
    with pytest.raises(InvalidArgument, match="Name is not unique"):
        dc.create_policy("reading", "CAN *")

    assert dc.policies() == [reading]


def test_update(reading: Policy, cloud: Emulator) -> None:
    """``UpdatePolicy`` sends only what is given, and replaces all rules."""
    assert reading.update(rules="CAN *") is reading

    assert sent(cloud, "UpdatePolicy") == ("POST", reading.path, {"rules": ["CAN *"]})
    assert account(cloud).policies[reading.id].rules == reading.rules == ["CAN *"]
    assert reading.name == "reading"


def test_update_name_and_description(reading: Policy, cloud: Emulator) -> None:
    """``UpdatePolicy`` renames a policy, and an empty description takes it away."""
    reading.update(name="looking", description="")

    assert sent(cloud, "UpdatePolicy")[2] == {"name": "looking", "description": ""}
    assert (reading.name, reading.description) == ("looking", None)


def test_update_of_nothing(reading: Policy, cloud: Emulator) -> None:
    """CloudAPI would answer an empty ``UpdatePolicy`` with no policy, so it is not sent."""
    with pytest.raises(InputError, match="give a name"):
        reading.update()

    assert "UpdatePolicy" not in cloud.trace.operations()


def test_update_of_a_deleted_policy(dc: DataCenter, reading: Policy) -> None:
    """``UpdatePolicy`` of an id that nobody has is taken for an add that lacks things, and no policy comes of it."""
    twin = dc.policy(reading)
    reading.delete()

    with pytest.raises(MissingParameter, match="uuid is required"):
        twin.update(name="again", rules="CAN *")

    assert dc.policies() == []


def test_delete(dc: DataCenter, reading: Policy, cloud: Emulator) -> None:
    """``DeletePolicy`` removes a policy, also from the roles that have it."""
    role = dc.create_role("reader", policies=[reading])

    reading.delete()

    assert sent(cloud, "DeletePolicy") == ("DELETE", reading.path, {})
    assert not account(cloud).policies
    assert role.refresh().policies == []
