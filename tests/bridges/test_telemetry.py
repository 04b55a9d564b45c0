"""OpenTelemetry's spans of calls, attempts, waits and creates: what they say, and what they keep to themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes, url_attributes
from opentelemetry.trace import SpanKind, StatusCode, get_tracer

from kits.cloud import image_id
from smartdc import CreateOutcomeUnknown, DataCenter, Machine, SmartDCError, WaitTimeout
from smartdc.bridges import telemetry
from smartdc.emulator import AfterReads, ByScript, Emulator, Fault

MACHINES = "/{account}/machines"
MACHINE = f"{MACHINES}/{{id}}"


class Spans(InMemorySpanExporter):
    """What was exported, in the order in which it began."""

    @property
    def all(self) -> list[ReadableSpan]:
        """Every span."""
        return sorted(self.get_finished_spans(), key=lambda span: span.start_time or 0)

    def tree(self, parent: ReadableSpan | None = None) -> list[Any]:
        """Return the spans below one, or those at the top: the name of each, with what is below it if there is anything."""
        own = parent and parent.context and parent.context.span_id
        children = [span for span in self.all if (span.parent.span_id if span.parent else None) == own]
        return [(span.name, below) if (below := self.tree(span)) else span.name for span in children]


def facts(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


@pytest.fixture
def spans() -> Iterator[Spans]:
    """The spans of what is done meanwhile."""
    exporter, provider = Spans(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.instrument(provider)
    yield exporter
    telemetry.uninstrument()


def test_a_call_has_its_attempt(dc: DataCenter, cloud: Emulator, spans: Spans) -> None:
    """The attempt is a client span by the conventions for HTTP, and the call is around it."""
    dc.packages(memory=1024, name="g1-small")
    place = urlsplit(dc.url)
    call, attempt = spans.all
    [request] = cloud.trace

    assert spans.tree() == [("CloudAPI GET /{account}/packages", ["GET /{account}/packages"])]
    assert (call.kind, attempt.kind) == (SpanKind.INTERNAL, SpanKind.CLIENT)
    assert facts(attempt) == {
        "http.request.method": "GET",
        "http.request.header.x-request-id": (request.headers["x-request-id"],),
        "http.response.header.request-id": (request.headers["x-request-id"],),
        "http.response.status_code": 200,
        "server.address": place.hostname,
        "server.port": place.port or 80,
        "url.full": f"{dc.url}packages?name=REDACTED&memory=1024",
        "url.template": "/{account}/packages",
    }
    assert facts(call) == {
        "http.request.method": "GET",
        "url.template": "/{account}/packages",
        "smartdc.request_id": request.headers["x-request-id"],
        "smartdc.attempts": 1,
    }
    assert call.status.status_code is attempt.status.status_code is StatusCode.UNSET


def test_attributes_have_the_names_of_the_conventions(dc: DataCenter, cloud: Emulator, spans: Spans) -> None:
    """What is not ours is in OpenTelemetry's own list of stable names; a template of a URL is in the one of new names."""
    cloud.faults.add(Fault("ListPackages", "status", status=503))
    dc.packages()
    modules = (error_attributes, http_attributes, server_attributes, url_attributes)
    known = {value for module in modules for name, value in vars(module).items() if name.isupper()} | {"url.template"}
    used = {name for span in spans.all for name in facts(span) if not name.startswith("smartdc.")}

    assert {re.sub(r"(?<=header)\..*", "", name) for name in used} <= known
    assert {"error.type", "http.request.resend_count", "url.full"} <= used


def test_retries_are_attempts_of_one_call(dc: DataCenter, cloud: Emulator, spans: Spans) -> None:
    """A failed attempt says how it failed, and a later one which it is; the call went well."""
    cloud.faults.add(Fault("ListPackages", "status", status=503))
    cloud.faults.add(Fault("ListPackages", "reset"))
    dc.packages()
    call, *attempts = spans.all

    errors = [(facts(span).get("error.type"), facts(span).get("http.request.resend_count")) for span in attempts]
    assert errors == [("503", None), ("TransportError", 1), (None, 2)]
    assert [span.status.status_code for span in (call, *attempts)] == [
        StatusCode.UNSET,
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    assert facts(call)["smartdc.attempts"] == 3


def test_a_call_that_fails_has_the_error(dc: DataCenter, spans: Spans) -> None:
    """By its class, without the text, which may be the server's."""
    with pytest.raises(SmartDCError):
        dc.request("GET", "/machines/b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b")
    call, attempt = spans.all

    assert (facts(call)["error.type"], facts(attempt)["error.type"]) == ("ResourceNotFound", "404")
    assert (call.status.status_code, call.status.description, call.events) == (StatusCode.ERROR, None, ())


def test_a_create_with_a_lost_answer_is_one_span(dc: DataCenter, cloud: Emulator, spans: Spans) -> None:
    """It has the attempt that was not answered and the look that found the machine."""
    image = image_id(cloud, "base-64-lts")
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    machine = dc.create_machine("web-1", package="g1-small", image=image)

    assert machine.name == "web-1"
    assert spans.tree() == [
        (
            "smartdc create",
            [(f"CloudAPI POST {MACHINES}", [f"POST {MACHINES}"]), (f"CloudAPI GET {MACHINES}", [f"GET {MACHINES}"])],
        )
    ]
    create, call, attempt, *_ = spans.all
    assert facts(create) == {"smartdc.resource.name": "web-1"}
    assert create.status.status_code is StatusCode.UNSET
    assert facts(call)["error.type"] == facts(attempt)["error.type"] == "TransportError"


def test_a_create_that_is_never_heard_of_fails(dc: DataCenter, cloud: Emulator, spans: Spans) -> None:
    """All that was tried is below one span, which says how it ended."""
    image = image_id(cloud, "base-64-lts")
    cloud.faults.add(Fault("CreateMachine", "reset", times=None))
    cloud.faults.add(Fault("ListMachines", "reset", times=None))
    with pytest.raises(CreateOutcomeUnknown):
        dc.create_machine("web-1", package="g1-small", image=image, settle=10)
    create = spans.all[0]

    assert create.name == "smartdc create"
    assert create.status.status_code is StatusCode.ERROR
    assert {span.name for span in spans.all if span.parent and span.parent == create.context} == {
        f"CloudAPI POST {MACHINES}",
        f"CloudAPI GET {MACHINES}",
    }


def test_a_wait_has_its_checks(cloud: Emulator, machine: Machine, spans: Spans) -> None:
    """It says what it was for, and in which state that is at the end."""
    cloud.transitions.policy = AfterReads(2)
    machine.stop()
    machine.poll_until("stopped")
    wait = next(span for span in spans.all if span.name == "smartdc wait")

    assert spans.tree()[1] == ("smartdc wait", [(f"CloudAPI GET {MACHINE}", [f"GET {MACHINE}"])] * 3)
    assert facts(wait) == {
        "smartdc.resource.type": "Machine",
        "smartdc.resource.id": machine.id,
        "smartdc.resource.name": "web-1",
        "smartdc.resource.state": "stopped",
    }


def test_a_wait_that_is_over_too_late_fails(cloud: Emulator, machine: Machine, spans: Spans) -> None:
    """Its error is in the span."""
    cloud.transitions.policy = ByScript()
    machine.stop()
    with pytest.raises(WaitTimeout):
        machine.poll_until("stopped", timeout=10)
    wait = next(span for span in spans.all if span.name == "smartdc wait")

    assert (facts(wait)["error.type"], facts(wait)["smartdc.resource.state"]) == ("WaitTimeout", "stopping")


def test_pages_that_are_read_at_once_are_below_the_same_span(dc: DataCenter, spans: Spans) -> None:
    """The context goes along into threads."""
    dc.info()

    assert len({span.context and span.context.trace_id for span in spans.all}) == 3  # no parent: nothing joins them
    spans.clear()
    with get_tracer("test", tracer_provider=TracerProvider()).start_as_current_span("mine") as mine:
        dc.info()
    assert {span.context and span.context.trace_id for span in spans.all} == {mine.get_span_context().trace_id}


def test_a_method_that_is_none_has_the_name_that_it_should(dc: DataCenter, spans: Spans) -> None:
    """As the conventions ask for."""
    with pytest.raises(SmartDCError):
        dc.request("BREW", "/machines")
    attempt = spans.all[-1]

    assert attempt.name == f"HTTP {MACHINES}"
    assert facts(attempt)["http.request.method"] == "_OTHER"
    assert facts(attempt)["http.request.method_original"] == "BREW"


def test_no_secret_is_in_any_span(dc: DataCenter, cloud: Emulator, spans: Spans) -> None:
    """Neither what was sent, nor what was answered, nor what was wrong with it."""
    image = image_id(cloud, "base-64-lts")
    machine = dc.create_machine(
        "web-1",
        package="g1-small",
        image=image,
        metadata={"user-data": "hush-1", "user-script": "hush-2", "credentials": {"root": "hush-3"}},
        wait=True,
    )
    machine.update_metadata({"password": "hush-4"})
    machine.get_metadata("password")
    machine.credentials()
    machine.refresh(credentials=True)
    dc.machines(tags={"secret": "hush-5"})
    dc.create_user(login="bob", email="bob@example.com", password="hush-6-password")
    with pytest.raises(SmartDCError):
        dc.create_user(login="eve", email="hush-7", password="hush-8")
    access_key = dc.create_access_key()
    dc.request("GET", "/machines", params={"x": "hush-9"})

    shown = "\n".join(span.to_json() for span in spans.all)
    assert len(spans.all) > 20
    assert "hush" not in shown
    assert str(access_key["accesskeysecret"]) not in shown
    assert "Signature" not in shown
    assert all(line not in shown for line in (cloud.private_key or "").splitlines())


def test_without_it_nothing_is_loaded() -> None:
    """Neither OpenTelemetry nor the bridge."""
    script = "import sys, smartdc; smartdc.DataCenter; print([name for name in sys.modules if 'telemetry' in name])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"
