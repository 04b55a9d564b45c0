"""Keep secrets out of tracebacks: a failed function leaves no arguments in the traceback.

A traceback keeps the local variables of its frames, and debuggers and crash reporters show them. So functions that get
keys, passphrases, passwords or user data, or have signatures in variables, drop these frames when they fail with an
error that explains itself. After any other exception, which a signal handler may raise at any moment, they empty the
frames.
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
    """Make `function` raise its own errors without their frames, and other exceptions without the frames' variables."""

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
    """Drop or empty the frames of an error and of its causes, up to one that existed before."""
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
            # A bug, or an exception of other code: its origin must stay visible.
            traceback.clear_frames(link.__traceback__)
        links += [link.__cause__, link.__context__]


def from_signal_handler(error: BaseException) -> bool:
    """Return whether a signal handler of the program raised `error`, such as the alarm of the program's own time limit.

    A handler runs wherever the main thread is at that moment, so its `TimeoutError` looks like one of the network. The
    traceback shows the difference: it contains a frame of the handler.
    """
    handlers = set(_handlers())
    frames = traceback.walk_tb(error.__traceback__)
    return bool(handlers) and any(frame.f_code in handlers for frame, _ in frames)


def let_pass(error: BaseException) -> None:
    """Raise an error again if a signal handler of the program has raised it.

    Code that takes a `ValueError` for a problem of an answer calls this first: the error may be the program's own.
    """
    if from_signal_handler(error):
        raise error


SIGNALS = tuple(signal.valid_signals())


def _handlers() -> Iterator[CodeType]:
    """Yield the code of every signal handler written in Python."""
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
