"""Affinity rules such as ``role!=~database``; only their syntax is checked, since there is one compute node."""

import json
import re

from smartdc.emulator.core.reply import ApiError, invalid_argument

KEY = r"/^[a-z_][a-z0-9\-_.]+$/i"
VALUE = r"/^[-a-z0-9:_\s.*/()?+[\]\\^$|]+$/i"
"""The patterns as CloudAPI writes them in its messages."""

_KEY = re.compile(r"[a-z_][a-z0-9_.-]+", re.IGNORECASE)
_VALUE = re.compile(r"[-a-z0-9:_\s.*/()?+\[\]\\^$|]+", re.IGNORECASE)


def check_affinity(rules: object) -> None:
    """Refuse invalid rules: 409 InvalidArgument; a string counts as a list of one."""
    if not rules:
        return
    for rule in rules if isinstance(rules, list) else [rules]:
        if not isinstance(rule, str):
            # An assertion of CloudAPI's own fails here.
            raise ApiError(500, None, "opts.affinity ([string]) is required")
        _check_rule(rule)


def _check_rule(rule: str) -> None:
    operator = next((sign for sign in ("==", "!=") if sign in rule), None)
    if not operator:
        raise invalid_argument(
            f'could not find operator in affinity rule: expected one of "==", "!=": {json.dumps(rule)}'
        )
    key, _, value = rule.partition(operator)
    value = value.removeprefix("~")
    for part, text, pattern, shown in (("key", key, _KEY, KEY), ("value", value, _VALUE, VALUE)):
        if not pattern.fullmatch(text):
            raise invalid_argument(
                f"invalid {part} in affinity rule: {json.dumps(rule)}: {json.dumps(text)} does not match {shown}"
            )
