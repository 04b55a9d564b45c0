"""What comes in place of an answer may be anything, of any size: it costs little time, and what is shown of it is safe."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from kits.http import Clock, RawServer, raw, reply
from kits.limits import MIB
from smartdc import APIError, BadResponse, DataCenter, Machine, SmartDCError, errors
from smartdc.fleet.progress import FleetProgress
from smartdc.http.excerpt import excerpt
from smartdc.http.response import MAX_PARSED_ERROR_BYTES, api_error
from smartdc.http.retry import Retry
from smartdc.http.session import Session
from smartdc.http.settings import Settings
from smartdc.waiting.progress import Progress

CALL = {"method": "GET", "path": "/my", "request_id": "ours", "attempts": 1}
MAX_TEXT = 4000
"""Bytes that the text of an error has at most."""
LONGEST_STOP = 0.1
"""Seconds for which no other thread may be stopped."""
ONCE = Retry(attempts=1)


def error_of(body: bytes, kind: str = "application/json", status: int = 409, **headers: str) -> APIError:
    """Return the error for a body that has been read."""
    answer = requests.Response()
    answer._content, answer.status_code = body, status
    answer.headers = requests.structures.CaseInsensitiveDict({"Content-Type": kind, **headers})
    answer.request = requests.Request("GET", "https://cloud.test/my").prepare()
    return api_error(answer, **CALL)


def texts_of(error: APIError) -> Iterator[str]:
    """Yield all that an error shows."""
    yield from (str(error), repr(error), error.message, error.code, str(error.args))
    for detail in error.errors:
        yield from map(str, [*detail.keys(), *detail.values()])
    if isinstance(error.data, str):
        yield error.data.replace("\n", "")


def is_fit(text: str) -> bool:
    """Return whether a text is short, and a terminal takes it for nothing but text."""
    return text.isprintable() and len(text.encode()) <= MAX_TEXT


# Texts

SAFE_FROM = [
    "\x00",
    "\x07",
    "\x08",
    "\r",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x7f",
    "\x9b2J",
    "\u202e",
    "\ud800",
    "\u2028",
    "\ufeff",
]


@pytest.mark.parametrize("odd", SAFE_FROM, ids=ascii)
@pytest.mark.parametrize("field", ["code", "message", "name", "errors", "request id"])
def test_no_control_character_reaches_a_terminal(odd: str, field: str) -> None:
    """Neither from the code nor the message, nor from any other part of an error that is shown."""
    text = f"before{odd}after"
    body: dict[str, Any] = {"code": "InvalidArgument", "message": "no"}
    if field == "errors":
        body["errors"] = [{"field": text, "code": text, "message": text, text: text}]
    elif field == "name":
        body = {text: text}
    elif field != "request id":
        body[field] = text
    error = error_of(json.dumps(body).encode())

    assert all(map(is_fit, texts_of(error)))
    assert field == "request id" or any("before" in shown for shown in texts_of(error))


@pytest.mark.parametrize("odd", SAFE_FROM, ids=ascii)
def test_no_control_character_comes_from_a_machine(odd: str) -> None:
    """Nor from the errors about its fields."""
    dc = DataCenter("https://cloud.test", login="demo")
    machine = Machine(
        dc, data={"id": f"a{odd}b", "name": f"a{odd}b", "state": f"a{odd}b", "created": f"a{odd}b", "metadata": 5}
    )

    assert is_fit(repr(machine))
    assert is_fit(str(machine))
    with pytest.raises(BadResponse) as caught:
        machine.created  # noqa: B018 (to look is what fails)
    assert is_fit(str(caught.value))


@pytest.mark.parametrize("odd", SAFE_FROM, ids=ascii)
def test_no_control_character_comes_from_what_a_progress_function_prints(odd: str) -> None:
    """The names and states of machines are in it."""
    dc = DataCenter("https://cloud.test", login="demo")
    machine = Machine(dc, data={"id": "17", "name": f"a{odd}b", "state": f"a{odd}b"})
    waiting = Progress(machine.label, machine.state, 1.0, 2.0, done=False)
    fleet = FleetProgress("stop", "0 of 1 done", 1.0, None, done=False, under_way=(machine.label,))
    for progress in (waiting, fleet, replace(waiting, done=True)):
        assert is_fit(str(progress))


def test_headers_are_shown_as_text_too() -> None:
    """A Location or a Request-Id may hold an escape, and be long."""
    odd = "\x1b[31m" + "x" * 60_000
    with (
        RawServer(reply(302, headers=[f"Location: {odd}", f"Request-Id: {odd}"])) as server,
        DataCenter(server.url, login="demo") as dc,
        pytest.raises(errors.Redirected) as caught,
    ):
        dc.request("GET", "/my")

    assert all(map(is_fit, [str(caught.value), str(caught.value.location), str(caught.value.request_id)]))


@pytest.mark.parametrize(
    "line",
    [b"HTTP/1.1 \x1b[2J OK", b"\x1b[2J" + b"x" * 60_000, b"HTTP/1.1 2" + b"0" * 60_000],
    ids=["escape", "no HTTP", "long"],
)
def test_what_is_no_http_is_not_repeated(line: bytes) -> None:
    """Neither by the error nor by its cause, which is printed above it."""
    with (
        RawServer(raw(line + b"\r\n\r\n")) as server,
        DataCenter(server.url, login="demo", clock=Clock(), retry=ONCE) as dc,
        pytest.raises(SmartDCError) as caught,
    ):
        dc.request("GET", "/my")

    assert is_fit(str(caught.value))
    assert is_fit(str(caught.value.__cause__))


def test_an_error_of_any_kind_is_cut() -> None:
    """Whatever the text is made of, and whoever made it."""
    for text in ["x" * 10**6, "\U0001f600" * 10**6, "\ud800" * 10**6, "a" * 3799 + "\U0001f600"]:
        assert len(str(errors.WaitFailed(text)).encode()) <= MAX_TEXT


def test_what_people_read_stays_as_it_is() -> None:
    """Texts of ours with line breaks, and words in any language."""
    for text in ["two\nlines", "naïve Größe 機械 😀", "C:\\path 'quoted'"]:
        assert str(errors.SmartDCError(text)) == text
        assert excerpt(text.replace("\n", " "), 100) == text.replace("\n", " ")


def test_an_excerpt_is_as_long_as_it_may_be() -> None:
    """With the mark of what is missing in it."""
    assert excerpt("x" * 100, 100) == "x" * 100
    assert excerpt("x" * 101, 100) == "x" * 99 + "…"


@pytest.mark.parametrize(("number", "shown"), [(2**64 - 1, 2**64 - 1), (2**64, str(2**64)), (1.5, 1.5)])
def test_numbers_in_field_errors_stay_numbers_unless_they_are_huge(number: float, shown: object) -> None:
    """A program may compare them; a number of a million digits would be a text of a million characters."""
    body = {"code": "InvalidArgument", "message": "no", "errors": [{"field": "size", "value": number}]}
    with RawServer(reply(409, body=body)) as server, pytest.raises(errors.APIError) as caught:
        Session(Settings(server.url)).request("POST", "/my")

    assert caught.value.errors == [{"field": "size", "value": shown}]


def test_what_is_shown_of_an_answer_goes_two_levels_down() -> None:
    """What is below them is only hinted at."""
    assert excerpt({"a": {"b": 1}, "c": [1, "x"]}, 100) == "{'a': {'b': 1}, 'c': [1, 'x']}"
    assert excerpt([[1, {}], [[2]]], 100) == "[[1, {}], […]]"
    assert excerpt([{"a": [1]}], 100) == "[{'a': …}]"


# Shapes

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text().map(lambda text: text * 5000)
shapes = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "code": shapes,
        "message": shapes,
        "id": shapes,
        "errors": shapes
        | st.lists(
            st.fixed_dictionaries({}, optional={"field": shapes, "code": shapes, "message": shapes, "x": shapes})
        ),
    },
)


@settings(deadline=None)
@given(body=shapes | bodies, status=st.integers(300, 599))
def test_any_shape_of_a_body_makes_an_error(body: Any, status: int) -> None:
    """Bodies of every type, with fields of every type, end in an error whose texts are fit to be shown."""
    error = error_of(json.dumps(body).encode(), status=status)

    assert error.status == status
    assert all(map(is_fit, texts_of(error)))


@settings(deadline=None)
@given(body=st.binary(max_size=5000), kind=st.sampled_from(["application/json", "text/html", "", "image/png"]))
def test_any_bytes_make_an_error(body: bytes, kind: str) -> None:
    """Also where they are no JSON, no page and no text."""
    assert all(map(is_fit, texts_of(error_of(body, kind, 502))))


# Sizes


def of_size(*parts: str) -> bytes:
    """Repeat a piece between a beginning and an end, to nearly 16 MiB."""
    first, piece, last = (part.encode() for part in parts)
    return first + piece * ((16 * MIB - 1000) // len(piece)) + last


LARGE = {
    "tags that never end": (of_size("", "<", ""), "text/html"),
    "tags": (of_size("", "<b>", ""), "text/html"),
    "blanks": (of_size("", " \n", ""), "text/plain"),
    "zeros": (of_size("", "\0", ""), "text/plain"),
    "bytes that are no text": (of_size("", "é", "").replace(b"\xc3\xa9", b"\xff\xfe"), "text/plain"),
    "escapes": (of_size('{"message": "', "\\u001b", '"}'), "application/json"),
    "surrogates": (of_size('{"message": "', "\\ud800", '"}'), "application/json"),
    "a message": (of_size('{"code": "x", "message": "', "word ", '"}'), "application/json"),
    "a code": (of_size('{"code": "', "x", '"}'), "application/json"),
    "fields": (
        of_size('{"code": "ValidationFailed", "message": "no", "errors": [', '{"field": "a", "code": "b"},', "{}]}"),
        "application/json",
    ),
    "names": (of_size("{", '"a":1,', '"b":2}'), "application/json"),
    "digits": (of_size("", "9", ""), "application/json"),
    "fractions": (of_size("0.", "9", ""), "application/json"),
    "nested lists": (of_size("", "[", ""), "application/json"),
    "nested objects": (of_size("", '{"a":', ""), "application/json"),
    "empty objects": (of_size("[", "{},", "{}]"), "application/json"),
    "numbers": (of_size("[", "1.5,", "1]"), "application/json"),
}


class Heartbeat:
    """Another thread, which wants to run all the time; `longest` is for how many seconds it could not."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def __enter__(self) -> Self:
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(0.001)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        sys.setswitchinterval(self._interval)

    def _beat(self) -> None:
        used, last = time.process_time(), time.monotonic()
        while not self._over.wait(0.002):
            now_used, now = time.process_time(), time.monotonic()
            # What other processes of a busy machine take is no stop of ours.
            self.longest = max(self.longest, min(now - last, now_used - used))
            used, last = now_used, now


def call_in_time(server: RawServer, timeout: float, method: str = "GET") -> tuple[SmartDCError, float]:
    """Return the error of a call, and the longest stop of another thread meanwhile."""
    with (
        DataCenter(server.url, login="demo", timeout=timeout, retry=ONCE) as dc,
        Heartbeat() as heart,
        pytest.raises(SmartDCError) as caught,
    ):
        dc.request(method, "/my")
    return caught.value, heart.longest


@pytest.mark.parametrize("status", [409, 503])
@pytest.mark.parametrize("name", LARGE)
def test_a_large_error_stops_nobody(name: str, status: int) -> None:
    """16 MiB of whatever would be slow to parse or to search are refused in no time, and little of them is shown."""
    body, kind = LARGE[name]
    with RawServer(reply(status, body, headers=[f"Content-Type: {kind}"])) as server:
        error, longest = call_in_time(server, 5.0)

    assert isinstance(error, APIError)
    assert error.status == status
    assert longest < LONGEST_STOP
    assert all(map(is_fit, texts_of(error)))


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_error_that_is_parsed_stops_nobody(name: str) -> None:
    """Below the limit of what is parsed nothing is slow either."""
    body, kind = LARGE[name]
    part = body[: MAX_PARSED_ERROR_BYTES - 100]
    with Heartbeat() as heart:
        error = error_of(part, kind)

    assert heart.longest < LONGEST_STOP
    assert all(map(is_fit, texts_of(error)))


def test_an_error_is_parsed_up_to_a_limit() -> None:
    """A machine that is gone is described by 256 kB at most; of more only the beginning is kept."""
    most = 256 * 1024
    fitting = json.dumps({"id": "x", "a": "y" * (most - 20)}).encode()

    assert len(fitting) == most
    assert error_of(fitting, status=410).data["id"] == "x"
    assert isinstance(error_of(fitting + b" ", status=410).data, str)


def test_few_of_the_errors_of_fields_are_kept() -> None:
    """A request has a dozen fields; thousands of errors of fields tell nobody more than ten."""
    many = [{"field": f"f{number}", "code": "Invalid", "message": "x" * 50_000} for number in range(2)]
    many += [{"field": "f"}] * 5_000
    error = error_of(json.dumps({"code": "ValidationFailed", "errors": many}).encode(), status=409)

    assert len(error.errors) == 10
    assert sum(len(str(value)) for entry in error.errors for value in entry.values()) < MAX_TEXT
