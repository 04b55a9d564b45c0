"""Where spans begin and end: calls and their attempts, and the waits and creates that they are part of.

Nobody looks on unless `smartdc.bridges.telemetry.instrument` puts a tracer here. It is given what a span is about, which
knows at the end of the span how it went.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

__all__ = ["Kind", "Tracer", "span", "tracer"]

Kind = Literal["call", "attempt", "wait", "create"]
Tracer = Callable[[Kind, Any], AbstractContextManager[object]]

tracer: Tracer | None = None
"""What makes the spans, for the whole process."""

_NONE = nullcontext()


def span(kind: Kind, subject: Any) -> AbstractContextManager[object]:
    """Return the span of what is about `subject`, such as a `Call`; without a tracer something that costs nothing."""
    return _NONE if tracer is None else tracer(kind, subject)
