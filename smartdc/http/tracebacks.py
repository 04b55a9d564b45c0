"""Keep secrets out of tracebacks: the arguments of a function do not stay behind in the traceback of its failure.

A traceback keeps the local variables of its frames, and debuggers and crash reporters show them. So functions that are
given keys, passphrases, passwords or user data, or hold signatures on their way, drop these frames when they fail.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from smartdc.errors import SmartDCError

__all__ = ["without_frames"]

P = ParamSpec("P")
T = TypeVar("T")

FAILURES = (SmartDCError, Warning, KeyboardInterrupt)
"""Errors that explain themselves without frames; anything else is a bug, which needs them."""


def without_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Make `function` raise its errors without the frames that they come from."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        handled = sys.exception()
        try:
            return function(*args, **kwargs)
        except FAILURES as error:
            failure = error
        del args, kwargs
        _forget(failure, handled)
        raise failure

    return wrapper


def _forget(error: BaseException | None, handled: BaseException | None) -> None:
    """Drop the frames of an error and of those that led to it, up to one that was there before."""
    while isinstance(error, FAILURES) and error is not handled:
        error.__traceback__ = None
        if error.__suppress_context__ or isinstance(error, KeyboardInterrupt):
            error.__context__ = None
        error = error.__cause__ or error.__context__
