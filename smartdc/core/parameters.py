"""Give a method the parameters of a dataclass, so that a long list of them is written once.

Several methods take the same dozen filters, or the same ten fields of an address. Each list is a dataclass, and a
method that is decorated with `parameters_of` takes the dataclass's parameters (names, types, defaults and order), for
type checkers, editors, ``help`` and Python itself. The method itself gets one object with the arguments, after their
types were checked.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Concatenate, ParamSpec, TypeVar

from smartdc.core.annotations import check_fields

__all__ = ["construct", "parameters_of"]

P = ParamSpec("P")
D = TypeVar("D")
R = TypeVar("R")
S = TypeVar("S")


def parameters_of(
    dataclass: Callable[P, D],
) -> Callable[[Callable[[S, D], R]], Callable[Concatenate[S, P], R]]:
    """Let a method that takes one dataclass object take that dataclass's parameters instead."""

    def decorate(method: Callable[[S, D], R]) -> Callable[Concatenate[S, P], R]:
        check = check_fields(dataclass, f"{method.__name__}()")

        @functools.wraps(method)
        def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            parameters = construct(dataclass, f"{_class_of(self).__name__}.{method.__name__}()", *args, **kwargs)
            check(parameters)
            return method(self, parameters)

        own = inspect.signature(method)
        owner = next(iter(own.parameters.values()))
        given = inspect.signature(dataclass).parameters.values()
        wrapper.__signature__ = own.replace(parameters=[owner, *given])  # type: ignore[attr-defined]
        return wrapper

    return decorate


def construct(dataclass: Callable[P, D], called: str, /, *args: P.args, **kwargs: P.kwargs) -> D:
    """Make a dataclass object of the arguments of a call; errors use the name `called`, such as ``Fleet.stop()``."""
    try:
        return dataclass(*args, **kwargs)
    except TypeError as error:
        # Errors must not mention the dataclass.
        words = str(error).replace(f"{dataclass.__qualname__}.__init__()", called)
        raise TypeError(words + _did_you_mean(words, list(inspect.signature(dataclass).parameters))) from None


def _class_of(owner: object) -> type:
    """Return the class that a method is called on: a class method has that itself."""
    return owner if isinstance(owner, type) else type(owner)


def _did_you_mean(words: str, names: list[str]) -> str:
    """Return a hint with a name similar to an unexpected one; Python 3.13 and later add it themselves."""
    unexpected = re.search(r"unexpected keyword argument '(\w+)'$", words)
    close = get_close_matches(unexpected[1], names, 1) if unexpected else []
    return f". Did you mean '{close[0]}'?" if close else ""
