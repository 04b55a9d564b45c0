"""The beginning and the end of spans: for calls and their attempts, and for the waits and creates around them.

There are no spans unless `smartdc.bridges.telemetry.instrument` puts a tracer here. The tracer gets the subject of a
span; at the end of the span, the subject has its result.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

__all__ = ["Kind", "Tracer", "span", "tracer"]

Kind = Literal["call", "attempt", "wait", "create"]
Tracer = Callable[[Kind, Any], AbstractContextManager[object]]

tracer: Tracer | None = None
"""Makes the spans, for the whole process."""

_NONE = nullcontext()


def span(kind: Kind, subject: Any) -> AbstractContextManager[object]:
    """Return a span for `subject`, such as a `Call`; without a tracer, a context that does nothing."""
    return _NONE if tracer is None else tracer(kind, subject)
