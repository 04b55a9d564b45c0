"""Where spans begin and end: calls and their attempts, and the waits and creates that they are part of.

Nobody looks on unless `smartdc.bridges.telemetry.instrument` puts a tracer here. It is given what a span is about, which
knows at the end of the span how it went.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

__all__ = ["Kind", "Tracer", "span", "traced", "tracer"]

P = ParamSpec("P")
T = TypeVar("T")

Kind = Literal["call", "attempt", "wait", "create"]
Tracer = Callable[[Kind, Any], AbstractContextManager[object]]

tracer: Tracer | None = None
"""What makes the spans, for the whole process."""

_NONE = nullcontext()


def span(kind: Kind, subject: Any) -> AbstractContextManager[object]:
    """Return the span of a call or an attempt, which are about a `Call`; without a tracer something that costs nothing."""
    return _NONE if tracer is None else tracer(kind, subject)


def traced(kind: Kind, subject: Callable[..., Any]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a span of every run of a function; `subject` picks from its arguments what the span is about."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            if tracer is None:
                return function(*args, **kwargs)
            with tracer(kind, subject(*args, **kwargs)):
                return function(*args, **kwargs)

        return run

    return decorate
