"""A body is read within bounds, and what went wrong is told in the words of whoever knew."""

from __future__ import annotations

import http.client
import io
import json
import ssl
from typing import Any

import pytest
import requests
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError

from smartdc import errors
from smartdc.http.failures import Unusable, layers, nothing_sent
from smartdc.http.response import api_error, decode, read_body, transport_error

CALL = {"method": "GET", "path": "/my", "request_id": "ours", "attempts": 1}


def response(
    status: int = 200, body: Any = b"", *, method: str = "GET", length: int | None = None, **headers: str
) -> requests.Response:
    """Return a response whose body has not been read yet; dicts and lists are written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = HTTPHeaderDict({name.replace("_", "-"): value for name, value in headers.items()})
    if not isinstance(body, bytes):
        lines.setdefault("Content-Type", "application/json")
    if length is not None:
        lines["Content-Length"] = str(length)
    answer = requests.Response()
    answer.raw = HTTPResponse(io.BytesIO(data), lines, status, preload_content=False, request_method=method)
    answer.status_code = status
    answer.headers = requests.structures.CaseInsensitiveDict(lines)
    answer.request = requests.Request(method, "https://cloud.test/my").prepare()
    return answer


def failed(status: int, body: Any = b"", **headers: str) -> errors.APIError:
    """Return the error for a response."""
    answer = response(status, body, method="GET", length=None, **headers)
    read_body(answer, 10_000)
    return api_error(answer, **CALL)


# Bodies


def test_a_refused_head_says_where_its_reason_is() -> None:
    """An answer to HEAD has no body, and so no words."""
    answer = response(403, method="HEAD")
    read_body(answer, 10_000)

    assert api_error(answer, **CALL).message == "HTTP status 403; a GET would return the reason"


@pytest.mark.parametrize("length", [None, 5])
def test_a_body_is_read_whole(length: int | None) -> None:
    """With a length or without."""
    answer = response(body=b"12345", length=length)
    read_body(answer, 5)

    assert answer.content == b"12345"
    assert list(answer.iter_content(2)) == [b"12", b"34", b"5"]
    assert answer.text == "12345"


@pytest.mark.parametrize("length", [None, 6])
def test_a_body_beyond_the_limit_is_refused(length: int | None) -> None:
    """One byte too many is too many, and the connection is closed."""
    answer = response(body=b"123456", length=length)
    with pytest.raises(Unusable, match="larger than 5 bytes"):
        read_body(answer, 5)

    assert answer.raw.closed


def test_a_huge_body_is_not_read_to_its_end() -> None:
    """Of a body without a length no more is taken than the limit allows."""
    source = io.BytesIO(b"x" * 10_000_000)
    answer = response()
    answer.raw = HTTPResponse(source, {}, 200, preload_content=False)
    position: list[int] = []
    close = source.close
    source.close = lambda: (position.append(source.tell()), close())[1]  # type: ignore[method-assign,func-returns-value]
    with pytest.raises(Unusable):
        read_body(answer, 1000)

    assert position[0] <= 1001


@pytest.mark.parametrize("length", [4, 6])
def test_a_body_of_another_length_than_told_is_none(length: int) -> None:
    """Neither shorter nor longer, through any adapter."""
    with pytest.raises(http.client.IncompleteRead):
        read_body(response(body=b"12345", length=length), 100)


def test_no_body_may_be_told_a_length() -> None:
    """A HEAD is answered with the length that a GET would have."""
    answer = response(method="HEAD", length=12_345_678)
    read_body(answer, 5)

    assert answer.content == b""


def test_what_an_adapter_of_somebodys_own_has_read_is_taken() -> None:
    """Within the same limit."""
    answer = response()
    answer._content, answer.raw = b"12345", None
    read_body(answer, 5)
    assert answer.content == b"12345"
    with pytest.raises(Unusable, match="larger"):
        read_body(answer, 4)


def test_interim_answers_are_none() -> None:
    """What has a status below 200 is followed by another answer."""
    with pytest.raises(Unusable, match="unexpected status 103"):
        read_body(response(103), 5)


def test_json_that_is_nested_too_deeply_is_broken() -> None:
    """It does not end with a RecursionError."""
    answer = response(body=b"[" * 200_000, Content_Type="application/json")
    read_body(answer, 10**6)
    with pytest.raises(ValueError, match="nested"):
        decode(answer)


# Refusals


def test_cloudapis_words_are_taken() -> None:
    """Code and message are what people can search for."""
    error = failed(409, {"code": "InvalidArgument", "message": "quota exceeded"}, Request_Id="r")

    assert type(error) is errors.InvalidArgument
    assert str(error) == "GET /my: 409 InvalidArgument: quota exceeded [request ours]"


def test_the_words_on_each_field_are_added() -> None:
    """Unless the message has them already; what is no list of fields is passed over."""
    told = [
        {"field": "name", "code": "Duplicate", "message": "already taken"},
        {"field": "memory", "code": "Missing"},
        {"field": "disk"},
        {"message": "odd"},
        "text",
    ]
    error = failed(409, {"code": "ValidationFailed", "message": "already taken", "errors": told})

    assert error.message == "already taken (memory: Missing) (disk: invalid) (?: odd)"
    assert error.errors == told[:4]


@pytest.mark.parametrize("odd", [{"a": 1}, "text", 5, None, True])
def test_errors_that_are_no_list_are_no_crash(odd: Any) -> None:
    """Backends' bodies come through unchecked."""
    error = failed(409, {"code": "ValidationFailed", "message": "no", "errors": odd})

    assert error.errors == []
    assert error.data["errors"] == odd


@pytest.mark.parametrize("odd", [5, ["x"], {"a": 1}, None, False])
def test_codes_and_messages_of_odd_types_are_no_crash(odd: Any) -> None:
    """They are written as text."""
    error = failed(500, {"code": odd, "message": odd, "detail": "disk full"})

    assert type(error) is errors.ServerError
    assert error.code == (str(odd) if odd else "")
    assert (str(odd) if odd else "detail: disk full") in str(error)


@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (400, {"BadHTTPRequest": "bad request"}, {}, "BadHTTPRequest: bad request"),
        (408, {"IdleClientError": "Server waited too long"}, {}, "IdleClientError: Server waited too long"),
        (503, {"code": "ServiceUnavailable", "message": "unavailable"}, {}, "unavailable"),
        (410, {"id": "uuid", "state": "deleted"}, {}, "machine uuid was deleted"),
        (410, b'"uuid"', {"Content_Type": "application/json"}, "uuid"),
        (404, b"", {}, "HTTP status 404"),
        (404, b"", {"Content_Type": "application/json"}, "HTTP status 404"),
        (500, b"[]", {"Content_Type": "application/json"}, "HTTP status 500"),
        (500, b"{broken", {"Content_Type": "application/json"}, "{broken"),
        (500, b"\xff\xfe plain", {"Content_Type": "text/plain"}, "\ufffd\ufffd plain"),
        (
            502,
            b"<html><head><title>502</title></head>\n<body><h1>Bad  Gateway</h1></body></html>",
            {"Content_Type": "text/html"},
            "502 Bad Gateway",
        ),
        (
            301,
            b"",
            {"Location": "https://x.test"},
            "HTTP status 301 (it is at https://x.test; redirects are not followed)",
        ),
        (300, b"", {}, "HTTP status 300"),
    ],
)
def test_words_are_found_wherever_they_are(status: int, body: Any, headers: dict[str, str], words: str) -> None:
    """CloudAPI's, HAProxy's, a bare string, a page, or nothing at all."""
    assert failed(status, body, **headers).message == words


def test_a_long_page_is_cut() -> None:
    """A terminal is not flooded; `data` has more of it, and the response has the whole."""
    page = b"<p>" + b"word " * 1000 + b"</p>"
    error = failed(502, page, Content_Type="text/html")

    assert len(str(error)) < 600
    assert error.message.endswith("…")
    assert error.data[:2000] == page[:2000].decode()
    assert len(error.data) < 2100
    assert error.response is not None
    assert error.response.content == page


def test_a_redirect_has_its_location() -> None:
    """302 is an answer of CloudAPI's, with an address in it."""
    error = failed(302, {"code": "ResourceMoved", "message": "moved"}, Location="/my/machines/1/nics/2")

    assert isinstance(error, errors.Redirected)
    assert error.location == "/my/machines/1/nics/2"
    assert failed(302).location is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(("body", "shown"), [(["no", "way"], "['no', 'way']"), (17, "17"), (True, "True")], ids=repr)
def test_a_refusal_may_be_any_json(body: object, shown: str) -> None:
    """What is neither an object nor a text is shown as it is."""
    assert failed(409, body).message == shown


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_location_makes_no_redirect(status: int) -> None:
    """A refusal may have the header too, and leads nowhere."""
    error = failed(status, {"code": "Conflict", "message": "no"}, Location="/my/machines/1")

    assert "redirects are not followed" not in str(error)
    assert not hasattr(error, "location")


# Failures


def told(cause: Exception, timeout: float | None = 5.0) -> errors.CallError:
    """Return the error for a failure of the layers below."""
    return transport_error(cause, timeout, "https://cloud.test", **CALL)


POOL: Any = None


@pytest.mark.parametrize(
    ("cause", "kind", "text"),
    [
        (requests.ConnectionError("reset"), errors.TransportError, "GET /my: reset"),
        (requests.ConnectionError(), errors.TransportError, "GET /my: ConnectionError"),
        (Unusable("too large"), errors.BadResponse, "GET /my: too large"),
        (
            requests.ConnectionError(MaxRetryError(POOL, "/", NewConnectionError(POOL, "refused"))),
            errors.TransportError,
            "GET /my: https://cloud.test cannot be reached: None: refused",
        ),
        (
            requests.ConnectTimeout(MaxRetryError(POOL, "/", ConnectTimeoutError("late"))),
            errors.CallTimeout,
            "GET /my: https://cloud.test cannot be reached: no answer within 5 s (late)",
        ),
        (TimeoutError("timed out"), errors.CallTimeout, "GET /my: no answer within 5 s"),
        (requests.ReadTimeout("late"), errors.CallTimeout, "GET /my: no answer within 5 s (late)"),
        (requests.exceptions.SSLError(ssl.SSLError(1, "bad record")), errors.TLSError, "GET /my: bad record"),
    ],
)
def test_a_failure_is_told_in_the_words_of_whoever_saw_it(
    cause: Exception, kind: type[errors.CallError], text: str
) -> None:
    """The class says what kind it is, the text what is known of it, without the layers in between."""
    error = told(cause)

    assert type(error) is kind
    assert str(error) == text
    assert (error.method, error.path, error.request_id, error.attempts) == ("GET", "/my", "ours", 1)


def test_a_timeout_is_found_below_the_pools_own() -> None:
    """urllib3 tells of a time-out by an error of its own, which keeps the socket's as its cause."""
    pools = ReadTimeoutError(POOL, "/", "Read timed out.")
    pools.__cause__ = TimeoutError("timed out")

    assert type(told(requests.ConnectionError(pools))) is errors.CallTimeout
    assert str(told(pools, None)) == "GET /my: no answer in time"


def test_only_the_last_word_is_kept_as_the_cause() -> None:
    """Without the frames that it came through, which hold headers."""
    bottom = ConnectionResetError(104, "reset")
    try:
        try:
            raise bottom
        except OSError as error:
            raise requests.ConnectionError(error) from error
    except requests.ConnectionError as error:
        found = told(error)

    assert found.__cause__ is bottom
    assert (bottom.__traceback__, bottom.__context__, bottom.__cause__) == (None, None, None)
    assert told(Unusable("too large")).__cause__ is None


def test_layers_come_from_the_outside_in() -> None:
    """Causes, reasons and arguments are followed; what was being handled meanwhile is not."""
    bottom = OSError("bottom")
    bottom.__context__ = KeyError("unrelated")
    middle = MaxRetryError(POOL, "/", bottom)
    outer = requests.ConnectionError(middle)

    assert list(layers(outer)) == [outer, middle, bottom]


def test_nothing_sent_needs_proof() -> None:
    """A mark or an error that only comes from connecting."""
    marked = OSError("x")
    marked.nothing_sent = True  # type: ignore[attr-defined]

    assert nothing_sent(requests.ConnectionError(marked))
    assert nothing_sent(requests.exceptions.InvalidURL("x"))
    assert not nothing_sent(requests.ConnectionError(OSError("x")))
