"""A call is signed, sent, judged and decoded, and ends with an answer or with one of our errors."""

from __future__ import annotations

import json
import logging
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from responses import RequestsMock

from kits.http import SECRET, Clock, RawServer, Stamp, calls_end_by, close, header_of, reply
from smartdc import errors
from smartdc.http.deadline import Deadline
from smartdc.http.request import md5_of
from smartdc.http.session import Session
from smartdc.http.settings import Settings

URL = "https://cloud.test"
REFUSAL = {
    "code": "InvalidHeader",
    "message": "Authorization header invalid: clock skew of 3600s was greater than 300s",
}


@pytest.fixture
def clock() -> Clock:
    """A clock on which only sleeping takes time."""
    return Clock()


@pytest.fixture
def auth() -> Stamp:
    """An auth whose signatures can be told apart."""
    return Stamp()


@pytest.fixture
def session(clock: Clock, auth: Stamp) -> Session:
    """A session to a cloud that only `answers` knows."""
    rng = random.Random(1)  # noqa: S311 (spreads retries)
    return Session(Settings(URL, clock=clock, auth=auth, rng=rng, headers={"Accept": "application/json"}))


@pytest.fixture
def answers() -> Iterator[RequestsMock]:
    """What the cloud answers, one after the other."""
    with RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def asked(answers: RequestsMock) -> list[requests.PreparedRequest]:
    """Return the requests that were sent."""
    return [call.request for call in answers.calls]


# Answers


def test_json_is_decoded(session: Session, answers: RequestsMock) -> None:
    """The decoded answer comes with the response, whose content can still be read in all ways."""
    answers.get(f"{URL}/my/machines", json=[{"id": 1}], headers={"x-resource-count": "1"})
    found, response = session.request("GET", "/my/machines")

    assert found == [{"id": 1}]
    assert response.headers["X-Resource-Count"] == "1"
    assert response.json() == found
    assert b"".join(response.iter_content(3)) == response.content


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        (b'{"a": "\xc3\xa4"}', "application/json; charset=utf-8", {"a": "ä"}),
        (b"[]", "Application/JSON", []),
        (b"null", "application/json", None),
        (b"", "application/json", None),
        (b"plain \xff", "text/plain", "plain \ufffd"),
        (b"<html>hello</html>", "text/html", "<html>hello</html>"),
        (b"<html>hello</html>", None, "<html>hello</html>"),
    ],
    ids=["charset", "capitals", "null", "empty", "text", "page", "no type"],
)
def test_an_answer_is_taken_for_what_it_says_it_is(
    body: bytes, kind: str | None, value: Any, session: Session, answers: RequestsMock
) -> None:
    """JSON is decoded, all else is text, and nothing is nothing."""
    answers.get(f"{URL}/my", body=body, content_type=kind)

    assert session.request("GET", "/my")[0] == value


@pytest.mark.parametrize("body", [b"{", b"[1", b"[] []", b"<html></html>", b"\xff\xfe\xff", b"[" * 100_000], ids=repr)
def test_broken_json_is_a_bad_response(body: bytes, session: Session, answers: RequestsMock) -> None:
    """It is asked for again, since it may have been cut off; the error is ours."""
    answers.get(f"{URL}/my", body=body, content_type="application/json")
    with pytest.raises(errors.BadResponse, match="GET /my: invalid JSON in the response") as caught:
        session.request("GET", "/my")

    assert caught.value.attempts == len(asked(answers)) == 5
    assert caught.value.applied is None


def test_broken_json_after_a_post_is_not_asked_for_again(session: Session, answers: RequestsMock) -> None:
    """The answer to a create is worth less than the create."""
    answers.post(f"{URL}/my/machines", body=b"{", content_type="application/json", status=201)
    with pytest.raises(errors.BadResponse) as caught:
        session.request("POST", "/my/machines")

    assert len(asked(answers)) == 1
    assert caught.value.applied is None


def test_a_damaged_answer_is_asked_for_again(session: Session, answers: RequestsMock) -> None:
    """CloudAPI sends a digest of its answers, which is checked."""
    answers.get(f"{URL}/my", json=[1], headers={"Content-MD5": "XrY7u+Ae7tCTyyK7j1rNww=="})
    answers.get(f"{URL}/my", json=[1], headers={"Content-MD5": md5_of(b"[1]")})

    assert session.request("GET", "/my")[0] == [1]
    assert len(asked(answers)) == 2


def test_a_damaged_answer_is_no_answer(session: Session, answers: RequestsMock) -> None:
    """What does not fit its digest is not handed out; whether a POST was applied is then open."""
    answers.post(f"{URL}/my", json=[1], headers={"Content-MD5": "?"})
    with pytest.raises(errors.BadResponse, match="does not match its Content-MD5") as caught:
        session.request("POST", "/my")

    assert caught.value.applied is None


def test_a_head_has_no_body_to_check(session: Session, answers: RequestsMock) -> None:
    """Its headers tell of a body that does not come."""
    headers = {"Content-MD5": "XrY7u+Ae7tCTyyK7j1rNww==", "Content-Encoding": "gzip", "x-resource-count": "7"}
    answers.head(f"{URL}/my/machines", headers=headers)
    found, response = session.request("HEAD", "/my/machines")

    assert found is None
    assert response.headers["x-resource-count"] == "7"


@pytest.mark.parametrize("encoding", ["gzip", "br, gzip", "unheard-of"])
def test_an_encoded_answer_is_refused(encoding: str, session: Session, answers: RequestsMock) -> None:
    """Nothing is unpacked, and nothing asked for twice."""
    answers.get(f"{URL}/my", body=b"[1]", headers={"Content-Encoding": encoding})
    with pytest.raises(errors.BadResponse, match=f"unexpected Content-Encoding: {encoding}"):
        session.request("GET", "/my")

    assert len(asked(answers)) == 1


def test_an_answer_that_cannot_be_used_leaves_the_outcome_open(session: Session, answers: RequestsMock) -> None:
    """What was created remains created, though nobody can read what it is."""
    answers.post(f"{URL}/my", status=201, body=b"x", headers={"Content-Encoding": "gzip"})
    with pytest.raises(errors.BadResponse) as caught:
        session.request("POST", "/my")

    assert caught.value.applied is None


def test_identity_is_no_encoding(session: Session, answers: RequestsMock) -> None:
    """Some servers say so where they might be silent."""
    answers.get(f"{URL}/my", json=[1], headers={"Content-Encoding": "Identity"})

    assert session.request("GET", "/my")[0] == [1]


def test_a_refusal_has_everything_that_is_known(session: Session, answers: RequestsMock) -> None:
    """What was asked, how it ended, the server's words and the operator's handle."""
    body = {"code": "InvalidArgument", "message": "too big", "errors": [{"field": "memory", "message": "above 10"}]}
    answers.post(f"{URL}/my/machines", json=body, status=409, headers={"Request-Id": "theirs"})
    with pytest.raises(errors.InvalidArgument) as caught:
        session.request("POST", "/my/machines", data={})
    error = caught.value

    assert str(error) == ("POST /my/machines: 409 InvalidArgument: too big (memory: above 10) [request theirs]")
    assert (error.method, error.path, error.status, error.code) == ("POST", "/my/machines", 409, "InvalidArgument")
    assert (error.request_id, error.attempts, error.applied, error.data) == ("theirs", 1, False, body)
    assert error.response is not None
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_delete_is_answered_with_nothing() -> None:
    """Another success than CloudAPI's 204 comes from something in between, which proves nothing."""
    with RawServer(*[reply(200, b"<html>Welcome</html>")] * 5) as server:
        session = Session(Settings(server.url, clock=Clock()))
        with pytest.raises(errors.BadResponse, match="unexpected status 200; CloudAPI answers a DELETE with") as caught:
            session.request("DELETE", "/my")

    assert caught.value.applied is None


# Requests


def test_headers_add_up(session: Session, answers: RequestsMock) -> None:
    """Those of the session go with every request; those of a call with that one, and they count more."""
    answers.get(f"{URL}/my", json=[])
    session.request("GET", "/my", headers={"accept": "text/plain", "X-More": "1", "X-Unsaid": None})  # type: ignore[dict-item]
    session.request("GET", "/my")
    first, second = asked(answers)

    assert (first.headers["Accept"], first.headers["X-More"]) == ("text/plain", "1")
    assert "X-Unsaid" not in first.headers
    assert second.headers["Accept"] == "application/json"
    assert "X-More" not in second.headers


@pytest.mark.parametrize(
    "headers", [{"X": "a\r\nY: b"}, {"X\n": "a"}, {"X": "\u20ac"}, {"": "a"}, {"X": 1}, {"Content-Length": "5"}]
)
def test_headers_that_cannot_be_sent_are_refused(headers: Any, session: Session, answers: RequestsMock) -> None:
    """Nothing is sent, and neither a second header nor a second request can be slipped in."""
    with pytest.raises(errors.InputError, match="header"):
        session.request("GET", "/my", headers=headers)
    with pytest.raises(errors.InputError, match="header"):
        Session(Settings(URL, headers=headers))
    assert not asked(answers)


@pytest.mark.parametrize("method", ["", "GET /", "G\r\nT", "GÄT"])
def test_a_method_that_is_none_is_refused(method: str, session: Session, answers: RequestsMock) -> None:
    """Nothing is sent."""
    with pytest.raises(errors.InputError, match="invalid HTTP method"):
        session.request(method, "/my")
    assert not asked(answers)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e9, (3, 5), "5"])
def test_a_timeout_that_is_none_is_refused(timeout: Any, session: Session) -> None:
    """A time-out is some seconds; to wait for ever has to be said with None."""
    with pytest.raises(errors.InputError, match="timeout must be None or a number of seconds"):
        session.request("GET", "/my", timeout=timeout)
    with pytest.raises(errors.InputError, match="timeout must be None or a number of seconds"):
        Session(Settings(URL, timeout=timeout))


class Rebuilding(Stamp):
    """An auth that returns another request, as some of other libraries do."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request of its own, whose headers are those of `requests`."""
        own = requests.PreparedRequest()
        own.prepare(request.method, request.url, headers=dict(request.headers))
        return super().__call__(own)


def test_an_auth_may_return_another_request(answers: RequestsMock) -> None:
    """It is the one that is sent; the one that is kept has no signature."""
    answers.get(f"{URL}/my", json=[])
    _, response = Session(Settings(URL, auth=Rebuilding())).request("GET", "/my")

    assert SECRET in asked(answers)[0].headers["Authorization"]
    assert "Authorization" not in response.request.headers
    assert response.request.headers["X-Request-Id"] == asked(answers)[0].headers["X-Request-Id"]


def test_every_attempt_is_signed_anew(session: Session, auth: Stamp, answers: RequestsMock, clock: Clock) -> None:
    """Date and signature are fresh, and one Request-Id goes with all attempts of a call."""
    sent: list[dict[str, str]] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        sent.append(dict(request.headers))
        return (503, {}, "") if len(sent) < 3 else (200, {}, "")

    answers.add_callback(responses.GET, f"{URL}/my", answer)
    session.request("GET", "/my")
    session.request("GET", "/my")

    assert [headers["Authorization"] for headers in sent] == [f"Signature {SECRET}-{n}" for n in (1, 2, 3, 4)]
    assert [headers["Date"] for headers in sent] == auth.dates
    assert auth.dates[0] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert auth.dates[2] == formatdate(clock.now, usegmt=True) != auth.dates[0]
    ids = [headers["X-Request-Id"] for headers in sent]
    assert len(set(ids)) == 2
    assert ids[0] == ids[1] == ids[2] != ids[3]


def test_an_error_names_our_request_id_where_the_server_names_none(session: Session, answers: RequestsMock) -> None:
    """It is what the operator can look for."""
    answers.get(f"{URL}/my", status=404)
    with pytest.raises(errors.ResourceNotFound) as caught:
        session.request("GET", "/my")

    assert caught.value.request_id == asked(answers)[0].headers["X-Request-Id"]


def test_no_auth_signs_nothing(answers: RequestsMock) -> None:
    """What needs no credentials is asked without, and ~/.netrc is not read."""
    netrc = Path(os.environ["HOME"], ".netrc")
    netrc.write_text("machine cloud.test login somebody password secret\n")
    netrc.chmod(0o600)
    answers.get(f"{URL}/my", json=[])
    Session(Settings(URL)).request("GET", "/my")

    assert "Authorization" not in asked(answers)[0].headers


def test_netrc_does_not_replace_the_signature() -> None:
    """`requests` would let a ~/.netrc win over a signature that is in the headers, and send it with a call of one's own."""
    netrc = Path(os.environ["HOME"], ".netrc")
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    with RawServer(reply(body=[])) as server:
        session = Session(Settings(server.url, auth=Stamp()))
        session.request("GET", "/my")
        session.http.get(f"{server.url}/other")

    assert [header_of(request, "Authorization") for request in server.requests] == [f"Signature {SECRET}-1", None]


def test_cookies_are_neither_kept_nor_sent() -> None:
    """CloudAPI has none, and a proxy's are not for us."""
    with RawServer(reply(body=[], headers=["Set-Cookie: a=b; Path=/"])) as server:
        session = Session(Settings(server.url))
        _, response = session.request("GET", "/my")
        session.request("GET", "/my")

    assert not response.cookies
    assert not session.http.cookies
    assert header_of(server.requests[1], "Cookie") is None


# Redirects


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", [f"{URL}/other", "https://elsewhere.test/my", "/my", f"{URL}/my"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirects_are_not_followed(
    status: int, where: str, method: str, session: Session, answers: RequestsMock
) -> None:
    """Neither to the same host, nor to another, nor in a circle: the signature is for one address only."""
    answers.add(method, f"{URL}/my", status=status, headers={"Location": where})
    with pytest.raises(errors.APIError, match=re.escape(f"it is at {where}; redirects are not followed")) as caught:
        session.request(method, "/my")

    assert caught.value.status == status
    assert caught.value.applied is None
    assert len(asked(answers)) == 1


def test_only_cloudapis_redirect_has_a_class_of_its_own(session: Session, answers: RequestsMock) -> None:
    """302 is how CloudAPI says where a thing is; the others come from what stands in front of it."""
    answers.get(f"{URL}/my", status=302, headers={"Location": "/there"}, json={"code": "ResourceMoved", "message": "m"})
    with pytest.raises(errors.Redirected) as caught:
        session.request("GET", "/my")

    assert caught.value.location == "/there"


# The clock


def server_time(answers: RequestsMock, clock: Clock, ahead: float, status: int = 400) -> list[str]:
    """Let the cloud's clock be ahead of ours, and refuse what is more than 300 s off; return the dates seen."""
    seen: list[str] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        seen.append(request.headers["Date"])
        now = clock.now + ahead
        good = formatdate(now, usegmt=True) == seen[-1]
        return (200, {}, "") if good else (status, {"Date": formatdate(now, usegmt=True)}, json.dumps(REFUSAL))

    answers.add_callback(responses.POST, f"{URL}/my", answer)
    return seen


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_wrong_clock_is_corrected_once_for_all_calls(
    status: int, ahead: float, session: Session, answers: RequestsMock, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The server's time is taken over at the first refusal, without waiting; later calls are right at once."""
    seen = server_time(answers, clock, ahead, status)
    session.request("POST", "/my")
    session.request("POST", "/my")

    assert len(seen) == 3
    assert not clock.slept
    assert session.now() == clock.now + ahead
    assert caplog.messages == [f"the server's clock differs from ours by {ahead:.0f} s; signing with its time"]


def test_a_call_corrects_the_clock_only_once(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """A server whose clock runs away is not run after."""
    ahead = iter(range(3600, 40_000, 3600))

    def answer(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        return 400, {"Date": formatdate(clock.now + next(ahead), usegmt=True)}, json.dumps(REFUSAL)

    answers.add_callback(responses.GET, f"{URL}/my", answer)
    with pytest.raises(errors.BadRequest) as caught:
        session.request("GET", "/my")

    assert caught.value.attempts == len(asked(answers)) == 2


def test_a_correction_that_has_become_wrong_is_taken_back(
    session: Session, answers: RequestsMock, clock: Clock
) -> None:
    """When our own clock has been set right meanwhile, the server's time is learnt anew."""
    session.clock_offset = 3600.0
    server_time(answers, clock, 0.0)
    session.request("POST", "/my")

    assert session.clock_offset == 0.0


@pytest.mark.parametrize("date", [0.0, 59.0, -59.0, None])
@pytest.mark.parametrize("status", [400, 401])
def test_a_right_clock_is_left_alone(
    date: float | None, status: int, session: Session, answers: RequestsMock, clock: Clock
) -> None:
    """A refusal that the clock does not explain is final; HAProxy's answers have no date at all."""
    headers = {} if date is None else {"Date": formatdate(clock.now + date, usegmt=True)}
    answers.get(f"{URL}/my", status=status, headers=headers, json={"code": "X", "message": "no"})
    with pytest.raises((errors.BadRequest, errors.InvalidCredentials)):
        session.request("GET", "/my")

    assert len(asked(answers)) == 1
    assert session.clock_offset == 0.0


def test_a_slow_answer_is_no_wrong_clock(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """What counts is when the answer came, not when the request was sent."""

    def answer(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        clock.now += 100
        return 400, {"Date": formatdate(clock.now, usegmt=True)}, "{}"

    answers.add_callback(responses.GET, f"{URL}/my", answer)
    with pytest.raises(errors.BadRequest):
        session.request("GET", "/my", timeout=1000)

    assert len(asked(answers)) == 1


def test_other_refusals_do_not_touch_the_clock(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """A 404 of a server with a strange clock is a 404."""
    answers.get(f"{URL}/my", status=404, headers={"Date": formatdate(clock.now + 9999, usegmt=True)})
    with pytest.raises(errors.ResourceNotFound):
        session.request("GET", "/my")

    assert session.clock_offset == 0.0


def test_a_request_that_another_thread_overtook_is_signed_again(
    session: Session, answers: RequestsMock, clock: Clock
) -> None:
    """Of many requests under way with the wrong time each is repeated, though the first has corrected the clock."""
    server = clock.now + 3600
    dates: list[str] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        dates.append(request.headers["Date"])
        if len(dates) > 1:
            return 200, {}, ""
        session.clock_offset = 3600.0
        return 400, {"Date": formatdate(server, usegmt=True)}, json.dumps(REFUSAL)

    answers.add_callback(responses.GET, f"{URL}/my", answer)
    session.request("GET", "/my")

    assert dates[1] == formatdate(server, usegmt=True)


def test_a_call_ends_with_what_it_is_part_of(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """Whoever makes calls until some moment is not held beyond it by one of them."""
    answers.get(f"{URL}/my", body=requests.ReadTimeout("timed out"))
    with calls_end_by(Deadline(2.5, clock)), pytest.raises(errors.CallTimeout, match=r"within 2\.5 s"):
        session.request("GET", "/my")
    assert clock.now <= 1_767_225_602.5
    with calls_end_by(Deadline(250, clock)), pytest.raises(errors.CallTimeout, match="within 60 s"):
        session.request("GET", "/my")


# Secrets


def test_the_signature_does_not_outlive_the_request(session: Session, answers: RequestsMock) -> None:
    """Neither the response nor an error keeps it."""
    answers.get(f"{URL}/my", json=[])
    _, response = session.request("GET", "/my")
    answers.get(f"{URL}/no", status=404)
    with pytest.raises(errors.ResourceNotFound) as caught:
        session.request("GET", "/no")

    assert "Authorization" not in response.request.headers
    assert caught.value.request is not None
    assert "Authorization" not in caught.value.request.headers


def everything_of(error: BaseException) -> str:
    """Write down all that a debugger or a crash reporter would show of an error: text, attributes, locals."""
    shown = []
    for link in (error, error.__cause__, None if error.__suppress_context__ else error.__context__):
        if link is not None:
            shown += [repr(link), repr(vars(link)), *map(repr, link.args)]
            frames = [
                frame for frame, _ in traceback.walk_tb(link.__traceback__) if frame.f_code.co_name[:5] != "test_"
            ]
            shown += [repr(value) for frame in frames for value in frame.f_locals.values()]
    return "\n".join(shown)


def test_a_failed_request_leaves_no_signature_in_its_traceback() -> None:
    """The frames of the layers below, whose locals have the headers, are let go."""
    with RawServer(close) as server, pytest.raises(errors.TransportError) as caught:
        Session(Settings(server.url, auth=Stamp())).request("POST", "/my")

    assert SECRET in server.requests[0].decode()
    assert SECRET not in everything_of(caught.value)
    assert type(caught.value.__cause__).__name__ == "RemoteDisconnected"


def ring(*_: object) -> None:
    """End a call as a time limit of the program does."""
    raise TimeoutError("the program's own")


class Stopped(requests.adapters.HTTPAdapter):
    """A connection on which a signal arrives while the request is under way."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        """Receive the signal once the request is signed."""
        assert SECRET in request.headers["Authorization"]
        signal.raise_signal(signal.SIGALRM)
        raise AssertionError("no handler has run")


@pytest.mark.parametrize("handler", [signal.default_int_handler, ring], ids=["interrupt", "alarm"])
def test_a_request_that_a_signal_ended_keeps_no_signature(handler: Callable[..., object]) -> None:
    """What an error report shows of the frames has the request without it."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises((KeyboardInterrupt, TimeoutError)) as caught:
            Session(Settings(URL, auth=Stamp(), adapter=Stopped())).request("GET", "/my")
    finally:
        signal.signal(signal.SIGALRM, before)
    values = [value for frame, _ in traceback.walk_tb(caught.value.__traceback__) for value in frame.f_locals.values()]
    kept = [value for value in values if isinstance(value, requests.PreparedRequest)]

    assert kept
    assert [name for request in kept for name in request.headers if name == "Authorization"] == []


def test_logs_tell_what_was_done_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, with the logs of all layers, neither the signature nor the query or the body appear in ours."""
    caplog.set_level(logging.DEBUG)
    with RawServer(reply(503), reply(body=[])) as server:
        session = Session(Settings(server.url, auth=Stamp(), clock=Clock()))
        session.request("PUT", "/my", params={"q": "hush"}, data={"password": "hush"})

    assert SECRET not in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("smartdc")]
    retries = [text for text in ours if "attempt 2 in" in text]
    ours = [text for text in ours if text not in retries]
    request_id = header_of(server.requests[0], "X-Request-Id")
    assert ours == [f"PUT /my: {status} (request {request_id}, attempt {n})" for n, status in ((1, 503), (2, 200))]
    assert len(retries) == 1
    assert "hush" not in "".join(ours)


def test_verbose_prints_a_line_for_each_request(answers: RequestsMock, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, as the original library did: when, how and where."""
    answers.get(f"{URL}/my/machines", json=[])
    Session(Settings(URL, verbose=True, auth=Stamp())).request("GET", "/my/machines", params={"limit": 5})
    out, err = capsys.readouterr()

    assert out == ""
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT[\d:.]+\tGET\t{URL}/my/machines\?limit=5\n", err)


def test_it_is_silent_by_default(session: Session, answers: RequestsMock, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed unless it was asked for."""
    answers.get(f"{URL}/my", json=[])
    session.request("GET", "/my")

    assert capsys.readouterr() == ("", "")


# Other people's tools


def test_other_libraries_may_stand_in_for_the_network(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some, such as requests-mock, put an adapter of their own into every session of `requests`."""

    class Canned(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
            response = requests.Response()
            response.status_code, response._content, response.request = 200, b"[1]", request
            response.headers["Content-Type"] = "application/json"
            return response

    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: Canned())

    assert session.request("GET", "/my")[0] == [1]


def test_an_adapter_may_be_given() -> None:
    """It carries the requests in place of ours, and gets a plain number as time-out."""
    timeouts: list[Any] = []

    class Slow(requests.adapters.HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> Any:
            timeouts.append(kwargs["timeout"])
            return super().send(*args, **kwargs)

    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url, adapter=Slow(), timeout=30))

        assert session.request("GET", "/my")[0] == [1]
        assert 0 < timeouts[0] <= 30
        session.close()


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError("boom"),
        requests.exceptions.ChunkedEncodingError("boom"),
        requests.exceptions.InvalidHeader("boom"),
        requests.exceptions.RetryError("boom"),
        OSError("boom"),
        ValueError("boom"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "boom"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_whatever_an_adapter_raises_ends_as_our_own_error(
    failure: Exception, session: Session, answers: RequestsMock
) -> None:
    """A failure of unknown meaning may have happened after the request was applied."""
    answers.post(f"{URL}/my", body=failure)
    with pytest.raises(errors.TransportError, match=r"^POST /my: .*boom") as caught:
        session.request("POST", "/my")

    assert caught.value.applied is None


def test_a_read_timeout_of_an_adapter_is_a_call_timeout(session: Session, answers: RequestsMock) -> None:
    """Also where it is not ours, it counts as the call's."""
    answers.post(f"{URL}/my", body=requests.ReadTimeout("too slow"))
    with pytest.raises(errors.CallTimeout, match=r"no answer within 60 s \(too slow\)"):
        session.request("POST", "/my")


def test_an_auth_that_fails_is_heard(answers: RequestsMock) -> None:
    """What the signer says is the caller's to know, and is no matter of trying again."""

    def refuse(_: requests.PreparedRequest) -> requests.PreparedRequest:
        raise errors.AgentError("locked")

    auth: Callable[..., Any] = refuse
    with pytest.raises(errors.AgentError, match="locked"):
        Session(Settings(URL, auth=auth)).request("GET", "/my")  # type: ignore[arg-type]
    assert not asked(answers)


def test_a_post_that_was_not_signed_in_time_is_not_sent(answers: RequestsMock) -> None:
    """Who is slow to type a passphrase is told that nothing was done: the answer would come too late."""

    def slow(request: requests.PreparedRequest) -> requests.PreparedRequest:
        threading.Event().wait(0.03)
        return request

    auth: Callable[..., Any] = slow
    session = Session(Settings(URL, auth=auth, timeout=0.02))  # type: ignore[arg-type]
    with pytest.raises(
        errors.CallTimeout, match=r"^POST /my: not sent within 0\.02 s, since it was not signed"
    ) as caught:
        session.request("POST", "/my")

    assert caught.value.applied is False
    assert not asked(answers)


def test_nobody_waits_for_cryptography_before_signing() -> None:
    """Importing it takes as long as all the rest, so that it comes with the first signature."""
    code = (
        "import sys, smartdc; print([name for name in sys.modules if name.split('.')[0] in {'cryptography', 'bcrypt'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("seconds", [1e12, math.inf])
def test_a_wait_may_have_more_time_than_a_socket_can(seconds: float) -> None:
    """What the operating system cannot count to is no reason to give up a call."""
    with RawServer(reply(body=[1])) as server, calls_end_by(Deadline(seconds)):
        assert Session(Settings(server.url, timeout=None)).request("GET", "/my")[0] == [1]
