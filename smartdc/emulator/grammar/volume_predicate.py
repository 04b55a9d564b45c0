"""Predicates on volumes, in the format of the library krill: ``{"and": [{"eq": ["name", "a"]}, {"ge": ["size", 10240]}]}``."""

import json
import operator
from collections.abc import Callable
from typing import Any

FIELDS: dict[str, type] = {"id": str, "name": str, "network": str, "size": int, "state": str, "type": str}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
STRINGS = ("eq", "ne")
"""The operators for strings."""

Predicate = dict[str, Any]


def parse(text: str) -> Predicate:
    """Parse a predicate; an invalid one is a ``ValueError`` with krill's message."""
    try:
        predicate = json.loads(text)
    except ValueError as error:
        message = f"Could not parse JSON predicate {text}: {error}"
        raise ValueError(message) from error
    _check(predicate)
    return dict(predicate)


def leaves(predicate: Predicate) -> list[tuple[str, Any]]:
    """Return every field with the value that it is compared with."""
    if not predicate:
        return []
    (word, operands), *_ = predicate.items()
    if word in COMPARE:
        return [(operands[0], operands[1])]
    return [leaf for operand in operands for leaf in leaves(operand)]


def holds(predicate: Predicate, fields: dict[str, Any]) -> bool:
    """Return whether the predicate is true for these fields; an empty one always is."""
    if not predicate:
        return True
    (word, operands), *_ = predicate.items()
    if word in COMPARE:
        return COMPARE[word](fields[operands[0]], operands[1])
    several = (holds(operand, fields) for operand in operands)
    return all(several) if word == "and" else any(several)


def _check(predicate: Any) -> None:
    if not isinstance(predicate, dict):
        raise ValueError("predicate must be an object")  # noqa: TRY004  the caller reports its message
    if not predicate:
        return
    if len(predicate) > 1:
        raise ValueError("expected only one key in predicate")
    [(word, operands)] = predicate.items()
    if word in ("and", "or"):
        if not isinstance(operands, list) or len(operands) < 2:
            raise ValueError(f"predicate: {word} needs two or more operands")
        for operand in operands:
            _check(operand)
    elif word in COMPARE:
        _check_comparison(word, operands)
    else:
        raise ValueError(f'predicate: unknown operator "{word}"')


def _check_comparison(word: str, operands: Any) -> None:
    if not isinstance(operands, list) or len(operands) != 2:
        raise ValueError(f"predicate: {word} needs a field and a value")
    name, value = operands
    kind = FIELDS.get(name) if isinstance(name, str) else None
    if not kind:
        raise ValueError(f'predicate: unknown field "{name}"')
    if type(value) is not kind:
        raise ValueError(f'predicate: the value of "{name}" has the wrong type')
    if kind is str and word not in STRINGS:
        raise ValueError(f'predicate: operator "{word}" does not apply to "{name}"')
