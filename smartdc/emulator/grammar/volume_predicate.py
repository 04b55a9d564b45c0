"""Predicates on volumes, in the format of the library krill: ``{"and": [{"eq": ["name", "a"]}, {"ge": ["size", 10240]}]}``."""

import json
import operator
from collections.abc import Callable
from typing import Any

from smartdc.emulator.core.javascript import inspected, syntax_error, truthy

FIELDS = {"id": "string", "name": "string", "network": "string", "size": "number", "state": "string", "type": "string"}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
ANY_TYPE = ("eq", "ne")
"""The operators that do not need numbers."""
PAIR = 2

Predicate = dict[str, Any]


def parse(text: str) -> Predicate:
    """Parse a predicate; an invalid one is a ``ValueError`` with krill's message."""
    try:
        predicate = json.loads(text)
    except ValueError as error:
        message = f"Could not parse JSON predicate {text}: {syntax_error(text)}"
        raise ValueError(message) from error
    _check(predicate)
    return dict(predicate)


def leaves(predicate: Predicate) -> list[tuple[str, Any]]:
    """Return every field with the value that it is compared with."""
    if not predicate:
        return []
    word, operands = next(iter(predicate.items()))
    if word in COMPARE:
        return [(operands[0], operands[1])]
    return [leaf for operand in operands for leaf in leaves(operand)]


def holds(predicate: Predicate, fields: dict[str, Any]) -> bool:
    """Return whether the predicate is true for these fields; an empty one always is."""
    if not predicate:
        return True
    word, operands = next(iter(predicate.items()))
    if word in COMPARE:
        return COMPARE[word](fields[operands[0]], operands[1])
    several = (holds(operand, fields) for operand in operands)
    return all(several) if word == "and" else any(several)


def _check(predicate: Any) -> None:
    """Check the syntax of a whole predicate, and only then its fields and their types, as krill does."""
    _check_syntax(predicate)
    _check_types(predicate)


def _check_syntax(predicate: Any) -> None:
    if not isinstance(predicate, dict | list):
        raise _error(predicate, "must be an object")
    if not predicate:
        return
    if len(predicate) > 1:
        raise ValueError(f'predicate "{inspected(predicate)}": expected one key, but found {len(predicate)}')
    word, operands = next(iter(predicate.items())) if isinstance(predicate, dict) else ("0", None)
    if word in ("and", "or"):
        _check_operands(predicate, word, operands)
    elif word in COMPARE:
        _check_comparison(predicate, word, operands)
    else:
        raise _error(predicate, f'unknown operator "{word}"')


def _check_operands(predicate: Any, word: str, operands: Any) -> None:
    if not truthy(operands):
        raise _error(predicate, f'expected "{word}" in logical expression')
    if not isinstance(operands, list):
        raise _error(predicate, f'operator "{word}": expected array')
    if len(operands) < PAIR:
        raise _error(predicate, f'operator "{word}": expected at least 2 elements in array')
    for operand in operands:
        _check_syntax(operand)


def _check_comparison(predicate: Any, word: str, operands: Any) -> None:
    if not truthy(operands):
        raise _error(predicate, f'missing key "{word}"')
    if not isinstance(operands, list):
        raise _error(predicate, f'operator "{word}": expected array')
    if len(operands) != PAIR:
        raise _error(predicate, f'"{word}" array must have 2 elements')
    name, value = operands
    if not isinstance(name, str):
        raise _error(predicate, f'field "{word}" is not a string')
    if not isinstance(value, str | int | float):
        raise _error(predicate, f'field "{name}" is not a string, number, or boolean')


def _check_types(predicate: Predicate) -> None:
    if not predicate:
        return
    word, operands = next(iter(predicate.items()))
    if word in ("and", "or"):
        for operand in operands:
            _check_types(operand)
        return
    name, value = operands
    kind = "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
    if word not in ANY_TYPE and kind != "number":
        raise _error(predicate, f'operator "{word}" cannot be applied to fields of type "{kind}"')
    if name not in FIELDS:
        raise _error(predicate, f'field "{name}" is not defined')
    if kind != FIELDS[name]:
        raise _error(
            predicate, f'field "{name}" value ("{inspected(value)}") expected "{FIELDS[name]}", but got "{kind}"'
        )


def _error(predicate: Any, reason: str) -> ValueError:
    return ValueError(f"predicate {inspected(predicate)}: {reason}")
