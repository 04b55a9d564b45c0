"""Keep secrets out of tracebacks: the arguments of a function do not stay behind in the traceback of its failure.

A traceback keeps the local variables of its frames, and debuggers and crash reporters show them. So functions that are
given keys, passphrases, passwords or user data, or hold signatures on their way, drop these frames when they fail with
an error that explains itself, and empty them when anything else ends them: a signal handler may raise what it likes,
at any moment.
"""

from __future__ import annotations

import functools
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, ParamSpec, TypeVar

from smartdc.errors import SmartDCError

__all__ = ["from_signal_handler", "let_pass", "without_frames"]

P = ParamSpec("P")
T = TypeVar("T")

FAILURES = (SmartDCError, Warning, KeyboardInterrupt)
"""Errors that explain themselves without frames."""


def without_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Make `function` raise its errors without the frames that they come from, and all else without their variables."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        handled = None
        try:
            handled = sys.exception()
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 (it is raised again)
            failure = error
        del args, kwargs
        _forget(failure, handled)
        raise failure

    return wrapper


def _forget(error: BaseException | None, handled: BaseException | None) -> None:
    """Drop or empty the frames of an error and of those that led to it, up to one that was there before."""
    links, seen = [error], {id(handled), id(None)}
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        if isinstance(link, FAILURES):
            link.__traceback__ = None
            if link.__suppress_context__ or isinstance(link, KeyboardInterrupt):
                link.__context__ = None
        else:
            # A mistake, or somebody else's exception: where it came from is worth knowing.
            traceback.clear_frames(link.__traceback__)
        links += [link.__cause__, link.__context__]


def from_signal_handler(error: BaseException) -> bool:
    """Return whether a signal handler of the program raised `error`, such as the alarm of a time limit of its own.

    A handler runs wherever the main thread happens to be, so its `TimeoutError` looks like one of the network. What
    tells them apart is the traceback, which has a frame of the handler in it.
    """
    handlers = set(_handlers())
    frames = traceback.walk_tb(error.__traceback__)
    return bool(handlers) and any(frame.f_code in handlers for frame, _ in frames)


def let_pass(error: BaseException) -> None:
    """Raise an error again that a signal handler of the program has raised.

    Whoever takes a `ValueError` for what it says about an answer asks this first: it may be the program's own.
    """
    if from_signal_handler(error):
        raise error


SIGNALS = tuple(signal.valid_signals())


def _handlers() -> Iterator[CodeType]:
    """Yield the code of every signal handler that is written in Python."""
    for number in SIGNALS:
        if code := _code_of(signal.getsignal(number)):
            yield code


def _code_of(handler: Any) -> CodeType | None:
    while isinstance(handler, functools.partial):
        handler = handler.func
    if not callable(handler):
        return None
    function = handler if hasattr(handler, "__code__") or hasattr(handler, "__func__") else type(handler).__call__
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code if isinstance(code, CodeType) else None
