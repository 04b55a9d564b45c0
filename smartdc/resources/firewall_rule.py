"""Control which traffic reaches the account's machines, and which leaves them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from smartdc.core import arguments
from smartdc.core.cells import in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import complete_id, id_of
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable, Resource
from smartdc.core.search import select
from smartdc.resources.role_tag import HasRoleTags
from smartdc.waiting.create_once import CreatesOnce

if TYPE_CHECKING:
    from smartdc.machine.machine import Machine

__all__ = ["CreatesFirewallRules", "FirewallRule", "HasFirewallRules"]

_WORD = re.compile(r"[\w.:/]+")
_FILLERS = frozenset({"or", "and", "port", "ports", "type", "all", "1", "65535", "priority", "0"})
"""Words that CloudAPI adds, drops, or replaces with each other."""


class FirewallRule(HasRoleTags, Resource):
    """A rule of the firewall; it applies to machines whose `firewall_enabled` is on."""

    __slots__ = ()

    kind = "fwrules"
    columns = in_columns(
        rule="rule",
        enabled="enabled",
        log="log",
        is_global="global",
        id="id",
        description="description",
    )

    id = Field[str]()
    """its UUID"""
    rule = Field[str]()
    """its text, in CloudAPI's form: sorted, quoted, with keywords in capital letters"""
    enabled = Field[bool]()
    """whether it is active"""
    log = Field[bool]()
    """whether connections that it allows are logged"""
    description = Field[str | None]()
    """what it is for"""
    is_global = Field[bool | None](key="global")
    """whether it is a rule of the operator, for every machine of the data centre"""

    @operation("UpdateFirewallRule")
    def update(
        self,
        rule: str | None = None,
        *,
        enabled: bool | None = None,
        log: bool | None = None,
        description: str | None = None,
    ) -> Self:
        """Change the given fields and return the rule: ``UpdateFirewallRule``.

        A text with a syntax error raises `InvalidParameters`, which names the place of the error.
        """
        self._change("POST", data=_body(rule, enabled, log, description), repeatable=True)
        return self

    @operation("EnableFirewallRule")
    def enable(self) -> Self:
        """Activate the rule and return it: ``EnableFirewallRule``."""
        self._change("POST", "enable", repeatable=True)
        return self

    @operation("DisableFirewallRule")
    def disable(self) -> Self:
        """Deactivate the rule and return it: ``DisableFirewallRule``."""
        self._change("POST", "disable", repeatable=True)
        return self

    @operation("DeleteFirewallRule")
    def delete(self) -> None:
        """Delete the rule: ``DeleteFirewallRule``."""
        self._delete()

    @operation("ListFirewallRuleMachines")
    def machines(self) -> ResourceList[Machine]:
        """List the machines to which the rule applies: ``ListFirewallRuleMachines``."""
        return self.datacenter.machines_from(self._list("machines"))

    def _summary(self) -> list[str]:
        return [repr(self.rule), "enabled" if self.enabled else "disabled", self.id]


class HasFirewallRules(Addressable):
    """Mix-in for an account or a machine, to which firewall rules apply."""

    __slots__ = ()

    @operation("ListFirewallRules", Machine="ListMachineFirewallRules")
    def firewall_rules(
        self, *, search: str | None = None, fields: Iterable[str] = ("rule", "description")
    ) -> ResourceList[FirewallRule]:
        """List the firewall rules: ``ListFirewallRules``, ``ListMachineFirewallRules``.

        A machine's list has enabled and disabled rules, including those of the operator. `search` is a regular
        expression for `fields`; the library applies it.
        """
        return FirewallRule.from_answers(self._datacenter, select(self._list("fwrules"), search, fields))


class CreatesFirewallRules(HasFirewallRules, CreatesOnce):
    """Mix-in for owners of firewall rules."""

    @operation("GetFirewallRule", "ListFirewallRules")
    def firewall_rule(self, identifier: str | Mapping[str, Any]) -> FirewallRule:
        """Get a firewall rule by its id, or the beginning of its id: ``GetFirewallRule``, ``ListFirewallRules``."""
        identity = complete_id(id_of(identifier), "firewall rule", self.firewall_rules)
        return FirewallRule.from_answer(self, self._get("fwrules", identity))

    @operation("ListFirewallRules", "CreateFirewallRule")
    def create_firewall_rule(
        self,
        rule: str,
        *,
        enabled: bool | None = None,
        log: bool | None = None,
        description: str | None = None,
    ) -> FirewallRule:
        """Create a firewall rule and return it: ``ListFirewallRules``, ``CreateFirewallRule``.

        A rule is active only if it is `enabled`. If the answer is lost, the rule is looked for among the new ones
        before the request is sent again.

        Args:
            rule: ``FROM <targets> TO <targets> ALLOW|BLOCK <protocol> <ports>``; a text with a syntax error raises
                `InvalidParameters`, which names the place of the error.
            enabled: whether it is active.
            log: whether connections that it allows are logged.
            description: what it is for; at most 255 characters.
        """
        body = _body(rule, enabled, log, description)
        return self._create_once(
            lambda: FirewallRule(self, data=self._post("fwrules", data=body)),
            self.firewall_rules,
            lambda known: matches(known, body),
            only_new=True,
        )


def _body(rule: str | None, enabled: bool | None, log: bool | None, description: str | None) -> dict[str, Any]:
    return {**arguments.strings(rule=rule, description=description), **arguments.booleans(enabled=enabled, log=log)}


def matches(rule: FirewallRule, body: Mapping[str, Any]) -> bool:
    """Return whether a create with this body may have made the rule."""
    reported = (gist(str(rule.rule)), rule.enabled, rule.log, rule.description or "")
    return reported == (
        gist(body["rule"]),
        body.get("enabled", False),
        body.get("log", False),
        body.get("description", ""),
    )


def gist(text: str) -> frozenset[str]:
    """Return the words of a rule that stay the same when CloudAPI rewrites it."""
    return frozenset(_WORD.findall(text.replace("\\", "").casefold())) - _FILLERS
