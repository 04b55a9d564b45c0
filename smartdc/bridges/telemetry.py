"""Spans for OpenTelemetry: ``smartdc.bridges.telemetry.instrument()``.

Each attempt is a client span, according to the semantic conventions for HTTP. Its parent is the span of the call, which
has all attempts. The call's parent is the span of the wait or the create to which the call belongs. A span has ids,
names, paths and statuses, and no other data of requests and answers: no bodies, no headers except the id of the
request, and only harmless parts of a query.

This module needs ``opentelemetry-api``, which is in the extra ``otel``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider

from smartdc import __version__
from smartdc.http import tracing
from smartdc.http.call import Call
from smartdc.waiting.lost_answer import Watcher
from smartdc.waiting.progress import Waitable

__all__ = ["instrument", "uninstrument"]

WORDS = frozenset(
    """accesskeys addrole audit changefeed clone config datacenters default disks export fabrics firewall_rules fwrules
    images ips keys limits machines metadata migrate migrations my networks nics packages policies roles services
    share snapshots tags unshare users vlans vnc volumes volumesizes""".split()  # noqa: SIM905 (a column of words would say no more)
)
"""The fixed segments of CloudAPI's paths; all others are ids and names."""

HARMLESS = frozenset(
    """action affinity brand credentials docker history limit memory offset os owner package public state sync tombstone
    type version""".split()  # noqa: SIM905
)
"""Parameters of a query whose values are shown; they do not include tags, names and signatures."""

METHODS = frozenset(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """Make spans for all calls of this process from now on.

    They go to `tracer_provider`; the default is OpenTelemetry's global one.
    """
    tracing.tracer = _Spans(trace.get_tracer("smartdc", __version__, tracer_provider))


def uninstrument() -> None:
    """Make no more spans."""
    tracing.tracer = None


class _Spans:
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._kinds: dict[tracing.Kind, Callable[[Any], AbstractContextManager[object]]] = {
            "call": self._call,
            "attempt": self._attempt,
            "wait": self._wait,
            "create": self._create,
        }

    def __call__(self, kind: tracing.Kind, subject: Any) -> AbstractContextManager[object]:
        return self._kinds[kind](subject)

    @contextmanager
    def _span(self, name: str, attributes: dict[str, Any], kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
        """Begin a span, and end it with the class of the error, if there is one, but not its text, which may be the server's."""
        known = {key: value for key, value in attributes.items() if value is not None}
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=known, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                _fail(span, type(error).__name__)
                raise

    @contextmanager
    def _call(self, call: Call) -> Iterator[None]:
        attributes = {"http.request.method": _method(call), "url.template": _template(call.path)}
        with self._span(f"CloudAPI {_name(call)}", {**attributes, "smartdc.request_id": call.request_id}) as span:
            try:
                yield
            finally:
                span.set_attribute("smartdc.attempts", call.attempts)

    @contextmanager
    def _attempt(self, call: Call) -> Iterator[None]:
        with self._span(_name(call), _request_attributes(call), SpanKind.CLIENT) as span:
            yield
            status = None
            if call.response is not None:  # which is not the same as true: it is false after an error
                status = call.response.status_code
                span.set_attribute("http.response.status_code", status)
                if request_id := call.response.headers.get("Request-Id"):
                    span.set_attribute("http.response.header.request-id", [request_id])
            if call.failure:
                _fail(span, str(status) if status and status >= 400 else call.failure)

    @contextmanager
    def _wait(self, resource: Waitable) -> Iterator[None]:
        attributes = {
            "smartdc.resource.type": type(resource).__name__.strip("_"),
            "smartdc.resource.id": getattr(resource, "id", None),
            "smartdc.resource.name": resource.label,
        }
        with self._span("smartdc wait", attributes) as span:
            try:
                yield
            finally:
                span.set_attribute("smartdc.resource.state", resource.state)

    @contextmanager
    def _create(self, watcher: Watcher) -> Iterator[None]:
        with self._span("smartdc create", {"smartdc.resource.name": getattr(watcher, "subject", None) or None}):
            yield


def _fail(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


def _request_attributes(call: Call) -> dict[str, Any]:
    """Return the attributes of an attempt that are known before it is sent."""
    url = urlsplit(call.url)
    return {
        "http.request.method": _method(call),
        "http.request.method_original": None if call.method in METHODS else call.method,
        "http.request.resend_count": call.attempts - 1 or None,
        "http.request.header.x-request-id": [call.request_id],
        "server.address": url.hostname,
        "server.port": url.port or (443 if url.scheme == "https" else 80),
        "url.full": f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}{_query(url.query)}",
        "url.template": _template(call.path),
    }


def _query(query: str) -> str:
    """Return a query in which all values are hidden, except harmless ones."""
    parts = [part.partition("=") for part in query.split("&")] if query else []
    shown = [f"{name}={value if name in HARMLESS else 'REDACTED'}" for name, _, value in parts]
    return f"?{'&'.join(shown)}" if shown else ""


def _method(call: Call) -> str:
    return call.method if call.method in METHODS else "_OTHER"


def _name(call: Call) -> str:
    return f"{call.method if call.method in METHODS else 'HTTP'} {_template(call.path)}"


def _template(path: str) -> str:
    """Return a path without ids and names, such as ``/{account}/machines/{id}``: there are as few paths as operations."""
    _, account, *rest = path.split("/") if path.startswith("/") else ("", *path.split("/"))
    first = account if account.startswith("--") else "{account}"
    return "/".join(["", first, *(segment if segment in WORDS else "{id}" for segment in rest if segment)])
