"""The mark on a method that names CloudAPI's operations that it uses, and enforces its annotations."""

from collections.abc import Callable
from typing import Any, TypeVar

from smartdc.core.annotations import checked

F = TypeVar("F", bound=Callable[..., Any])


def operation(*names: str, **of_owners: str) -> Callable[[F], F]:
    """Mark a method with CloudAPI's operations, and make it refuse arguments of a wrong type: `InputError`.

    Args:
        names: the operations that it uses.
        of_owners: for methods that several classes inherit: class name to the operations (separated by spaces) that it
            uses there instead.

    """

    def mark(function: F) -> F:
        method = checked(function)
        vars(method)["__operations__"] = (names, of_owners)
        return method

    return mark


def operations_of(method: object, owner: str) -> tuple[str, ...]:
    """Return the operations that a method, or the getter of a property, uses in a class of that name."""
    function = getattr(method, "fget", None) or getattr(method, "__func__", method)
    mark: tuple[tuple[str, ...], dict[str, str]] = getattr(function, "__operations__", ((), {}))
    names, of_owners = mark
    return tuple(of_owners[owner].split()) if owner in of_owners else names
