"""Check values that arrived as JSON against type annotations."""

from collections.abc import Callable, Mapping
from inspect import get_annotations
from types import UnionType
from typing import Any, get_args, get_origin


def check_types(target: Callable[..., object], given: object) -> None:
    """Raise a ``TypeError`` unless all entries of an object have the types that a function or a class annotates.

    Names without an annotation are left to the call itself, which refuses them.
    """
    if not isinstance(given, dict):
        raise TypeError(f"expected an object, got {given!r}")
    hints = get_annotations(target)
    for name, value in given.items():
        if name in hints and not fits(value, hints[name]):
            hint = hints[name]
            wanted = hint.__name__ if type(hint) is type else hint
            raise TypeError(f"{name} must be of type {wanted}, got {value!r}")


def fits(value: object, hint: Any) -> bool:
    """Return whether a value is of an annotated type; a boolean is not a number, and an integer is also a float."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return any(fits(value, part) for part in parts)
    if origin is list:
        return isinstance(value, list) and all(fits(entry, parts[0]) for entry in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(fits(entry, parts[1]) for entry in value.values())
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint
