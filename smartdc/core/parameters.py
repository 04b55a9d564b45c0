"""Give a method the parameters of a dataclass, so that a long list of them is written once.

Several methods take the same dozen filters, or the same ten fields of an address. Each list is a dataclass, and a
method that is decorated with `parameters_of` has the dataclass's parameters (names, types, defaults and order) as
its own, for type checkers, editors, ``help`` and Python itself; it is called with one object that holds them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

__all__ = ["parameters_of"]

P = ParamSpec("P")
D = TypeVar("D")
R = TypeVar("R")
S = TypeVar("S")


def parameters_of(
    dataclass: Callable[P, D],
) -> Callable[[Callable[[S, D], R]], Callable[Concatenate[S, P], R]]:
    """Make a method of one dataclass object a method of that dataclass's parameters."""

    def decorate(method: Callable[[S, D], R]) -> Callable[Concatenate[S, P], R]:
        constructor = f"{dataclass.__qualname__}.__init__()"
        name = f"{method.__qualname__}()"

        @functools.wraps(method)
        def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                parameters = dataclass(*args, **kwargs)
            except TypeError as error:
                raise TypeError(str(error).replace(constructor, name)) from None
            return method(self, parameters)

        own = inspect.signature(method)
        owner = next(iter(own.parameters.values()))
        given = inspect.signature(dataclass).parameters.values()
        wrapper.__signature__ = own.replace(parameters=[owner, *given])  # type: ignore[attr-defined]
        return wrapper

    return decorate
