"""Affinity rules such as ``role!=~database``: which machines a new machine must, or must not, share a server with."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol

from smartdc.emulator.core.javascript import written
from smartdc.emulator.core.reply import ApiError, invalid_argument

KEY = r"/^[a-z_][a-z0-9\-_.]+$/i"
VALUE = r"/^[-a-z0-9:_\s.*/()?+[\]\\^$|]+$/i"
"""The patterns as CloudAPI writes them in its messages."""

_KEY = re.compile(r"[a-z_][a-z0-9_.-]+", re.IGNORECASE)
_VALUE = re.compile(r"[-a-z0-9:_\s.*/()?+\[\]\\^$|]+", re.IGNORECASE)
_INSTANCE = ("instance", "container", "machine")
"""The keys that stand for the machine itself: its name, its id, or the beginning of its id."""


class Neighbour(Protocol):
    """What a rule reads of a machine."""

    id: str
    name: str
    tags: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AffinityRule:
    """A parsed rule; a soft one is a preference."""

    key: str
    is_equal: bool
    value: str
    is_soft: bool

    def holds(self, here: Iterable[Neighbour]) -> bool:
        """Return whether a node with these machines follows the rule; no node is near a machine that does not exist."""
        return any(self._is_about(machine) for machine in here) == self.is_equal

    def _is_about(self, machine: Neighbour) -> bool:
        if self.key in _INSTANCE:
            return machine.id.startswith(self.value) or self._matches(machine.name) or self._matches(machine.id)
        return self.key in machine.tags and self._matches(written(machine.tags[self.key]))

    def _matches(self, text: str) -> bool:
        if len(self.value) > 2 and self.value.startswith("/") and self.value.endswith("/"):
            try:
                return re.search(self.value[1:-1], text) is not None
            except re.error:
                return False
        return fnmatchcase(text, self.value) if "*" in self.value else text == self.value


def check_affinity(rules: object) -> list[AffinityRule]:
    """Return the parsed rules; invalid ones are a 409 InvalidArgument. A string counts as a list of one."""
    if not rules:
        return []
    parsed = []
    for rule in rules if isinstance(rules, list) else [rules]:
        if not isinstance(rule, str):
            # An assertion of CloudAPI's own fails here.
            raise ApiError(500, None, "opts.affinity ([string]) is required")
        parsed.append(_parse(rule))
    return parsed


def _parse(rule: str) -> AffinityRule:
    operator = next((sign for sign in ("==", "!=") if sign in rule), None)
    if not operator:
        raise invalid_argument(
            f'could not find operator in affinity rule: expected one of "==", "!=": {json.dumps(rule)}'
        )
    key, _, rest = rule.partition(operator)
    value = rest.removeprefix("~")
    for part, text, pattern, shown in (("key", key, _KEY, KEY), ("value", value, _VALUE, VALUE)):
        if not pattern.fullmatch(text):
            raise invalid_argument(
                f"invalid {part} in affinity rule: {json.dumps(rule)}: {json.dumps(text)} does not match {shown}"
            )
    return AffinityRule(key, operator == "==", value, rest.startswith("~"))
