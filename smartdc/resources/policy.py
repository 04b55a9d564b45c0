"""Manage policies: lists of rules that say what the members of roles may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from smartdc.core import arguments
from smartdc.core.cells import in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import complete_id, id_of
from smartdc.core.operation import operation
from smartdc.core.resource import Resource, listed
from smartdc.core.search import select
from smartdc.errors import InputError
from smartdc.resources.role_tag import HasRoleTags
from smartdc.waiting.create_once import CreatesOnce

__all__ = ["HasPolicies", "Policy"]


class Policy(HasRoleTags, Resource):
    """Rules such as ``CAN listmachines and getmachine``, with CloudAPI's operations in lower case."""

    __slots__ = ()

    kind = "policies"
    columns = in_columns(name="name", rules="rules", id="id", description="description")

    id = Field[str]()
    """its UUID"""
    name = Field[str]()
    """its name"""
    rules = Field[list[str]]()
    """its rules, in no particular order"""
    description = Field[str | None]()
    """what it is for"""

    @operation("UpdatePolicy")
    def update(
        self, name: str | None = None, rules: str | Iterable[str] | None = None, description: str | None = None
    ) -> Self:
        """Change the given fields and return the policy: ``UpdatePolicy``.

        `rules` replace all current rules; an empty `description` removes the current one.
        """
        changes = _body(name, rules, description)
        if not changes:
            raise InputError("give a name, rules or a description to change the policy to")
        self._change("POST", data=changes, repeatable=True)
        return self

    @operation("DeletePolicy")
    def delete(self) -> None:
        """Delete the policy, and remove it from its roles: ``DeletePolicy``."""
        self._delete()


class HasPolicies(CreatesOnce):
    """Mix-in for owners of policies."""

    @operation("ListPolicies")
    def policies(
        self, *, name: str | None = None, search: str | None = None, fields: Iterable[str] = ("name",)
    ) -> ResourceList[Policy]:
        """List the policies: ``ListPolicies``.

        `name` may contain ``*`` and ``?``, and `search` is a regular expression for `fields`; the library applies both.
        """
        return Policy.from_answers(self, select(self._list("policies"), search, fields, name=name))

    @operation("GetPolicy", "ListPolicies")
    def policy(self, identifier: str | Mapping[str, Any]) -> Policy:
        """Get a policy by its id or name: ``GetPolicy``; the beginning of an id is looked up: ``ListPolicies``."""
        name = complete_id(id_of(identifier, "id", "name"), "policy", self.policies)
        return Policy.from_answer(self, self._get("policies", name))

    @operation("CreatePolicy")
    def create_policy(self, name: str, rules: str | Iterable[str], description: str | None = None) -> Policy:
        """Create a policy with one or more rules, such as ``CAN listmachines and getmachine``: ``CreatePolicy``.

        A rule with a syntax error raises `InvalidArgument`; CloudAPI does not check that a rule's actions exist. If the
        answer is lost, the policy is looked for before the request is sent again.
        """
        body = _body(name, rules, description)
        return self._create_once(
            lambda: Policy(self, data=self._post("policies", data=body)),
            self.policies,
            lambda policy: _matches(policy, body),
        )


def _body(name: str | None, rules: str | Iterable[str] | None, description: str | None) -> dict[str, Any]:
    return {**arguments.strings(name=name, description=description), **arguments.lists(rules=rules)}


def _matches(policy: Policy, body: Mapping[str, Any]) -> bool:
    """Return whether a create with this body may have made the policy."""
    same = policy.name == body["name"] and (policy.description or "") == body.get("description", "")
    return same and sorted(map(str, listed(policy, "rules"))) == sorted(body["rules"])
