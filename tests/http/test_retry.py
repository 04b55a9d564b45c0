"""What is known of a failed attempt decides whether it may be repeated; backoff, Retry-After and budget decide when."""

from __future__ import annotations

import itertools
import logging
import math
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import FrozenInstanceError
from email.utils import formatdate
from typing import Any

import pytest
import requests
import responses
from responses import RequestsMock
from urllib3.exceptions import ClosedPoolError, NewConnectionError, ProxyError
from urllib3.exceptions import SSLError as PoolSSLError

from kits.http import Clock
from kits.interrupts import interrupt
from smartdc import DataCenter, errors
from smartdc.http.failures import Damaged, Outcome, Unusable, failure_of, outcome_of_status
from smartdc.http.retry import Budget, Retry, may_retry, retry_after
from smartdc.http.session import Session
from smartdc.http.settings import Settings

URL = "https://cloud.test"
OWN = {"Server": "cloudapi/9.20.0", "Request-Id": "r"}
METHODS = ["GET", "HEAD", "PUT", "DELETE", "POST"]


class Highest(random.Random):
    """A random source that always draws the most."""

    def uniform(self, a: float, b: float) -> float:
        """Return the upper end."""
        return max(a, b)


@pytest.fixture
def clock() -> Clock:
    """A clock on which only sleeping takes time."""
    return Clock()


@pytest.fixture
def session(clock: Clock) -> Session:
    """A session whose pauses are as long as they can be."""
    return Session(Settings(URL, clock=clock, rng=Highest()))


@pytest.fixture
def answers() -> Iterator[RequestsMock]:
    """What the cloud answers, one after the other, and the last one again and again."""
    with RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


NEVER = requests.ConnectionError(NewConnectionError(None, "refused"))  # type: ignore[arg-type]
LOST = requests.ConnectionError("reset by peer")


def fail(answers: RequestsMock, method: str, how: Any) -> None:
    """Let the next request fail: by an exception, or with a status and headers."""
    if isinstance(how, Exception):
        answers.add(method, f"{URL}/my", body=how)
    else:
        status, headers = how
        answers.add(method, f"{URL}/my", status=status, headers=headers)


# Which attempts may be repeated


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "how", [NEVER, (429, {}), (420, {}), (503, {**OWN, "Retry-After": "0"})], ids=["never", "429", "420", "maintenance"]
)
def test_what_was_not_applied_is_repeated_whatever_it_is(
    method: str, how: Any, session: Session, answers: RequestsMock
) -> None:
    """Never delivered, throttled or refused for maintenance: even a create is safe to send again."""
    fail(answers, method, how)
    answers.add(method, f"{URL}/my", status=204)
    _, response = session.request(method, "/my")

    assert response.status_code == 204
    assert len(answers.calls) == 2


UNKNOWN = [
    LOST,
    requests.ReadTimeout("late"),
    (500, OWN),
    (500, {**OWN, "Retry-After": "0"}),
    (502, {**OWN, "Retry-After": "0"}),
    (502, {}),
    (503, {}),
    (503, OWN),
    (504, {}),
    (408, {}),
    (499, {}),
    (524, {}),
]


@pytest.mark.parametrize("how", UNKNOWN, ids=lambda how: how[0] if isinstance(how, tuple) else type(how).__name__)
@pytest.mark.parametrize("method", METHODS)
def test_what_may_have_been_applied_is_repeated_only_where_twice_is_once(
    method: str, how: Any, session: Session, answers: RequestsMock
) -> None:
    """A POST ends here, and its error says that nobody knows."""
    fail(answers, method, how)
    answers.add(method, f"{URL}/my", status=204)
    if method != "POST":
        session.request(method, "/my")
        assert len(answers.calls) == 2
        return
    with pytest.raises(errors.CallError) as caught:
        session.request(method, "/my")
    assert caught.value.applied is None
    assert len(answers.calls) == 1


def test_a_post_that_is_said_to_be_repeatable_is_repeated(session: Session, answers: RequestsMock) -> None:
    """Some posts do the same when they are done twice."""
    fail(answers, "POST", LOST)
    answers.post(f"{URL}/my", json={})
    session.request("POST", "/my", repeatable=True)

    assert len(answers.calls) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 501, 505, 507])
@pytest.mark.parametrize("method", METHODS)
def test_what_was_refused_for_good_is_not_repeated(
    method: str, status: int, session: Session, answers: RequestsMock
) -> None:
    """The same question would get the same answer; nothing was applied."""
    answers.add(method, f"{URL}/my", status=status)
    with pytest.raises(errors.APIError) as caught:
        session.request(method, "/my")

    assert caught.value.applied is False
    assert len(answers.calls) == 1


def test_an_error_remembers_that_an_earlier_attempt_may_have_been_applied(
    session: Session, answers: RequestsMock
) -> None:
    """A refusal after a lost answer does not prove that nothing was done."""
    fail(answers, "PUT", LOST)
    fail(answers, "PUT", (409, {}))
    with pytest.raises(errors.Conflict) as caught:
        session.request("PUT", "/my")

    assert caught.value.applied is None
    assert caught.value.attempts == 2


def test_a_refusal_after_a_lost_delete_is_no_success(session: Session, answers: RequestsMock) -> None:
    """Only "gone" proves that the first attempt has deleted it."""
    fail(answers, "DELETE", LOST)
    fail(answers, "DELETE", (409, {}))
    with pytest.raises(errors.Conflict) as caught:
        session.request("DELETE", "/my")

    assert caught.value.applied is None


@pytest.mark.parametrize("gone", [404, 410])
@pytest.mark.parametrize("how", [LOST, (500, OWN)], ids=["lost", "500"])
def test_gone_after_a_lost_delete_is_done(gone: int, how: Any, session: Session, answers: RequestsMock) -> None:
    """It was the first attempt that deleted it."""
    fail(answers, "DELETE", how)
    fail(answers, "DELETE", (gone, {}))
    found, response = session.request("DELETE", "/my")

    assert found is None
    assert response.status_code == gone


@pytest.mark.parametrize("how", [NEVER, (429, {})], ids=["never", "429"])
def test_gone_after_a_delete_that_was_not_applied_is_gone(how: Any, session: Session, answers: RequestsMock) -> None:
    """If no earlier attempt can have deleted it, it was not there."""
    fail(answers, "DELETE", how)
    fail(answers, "DELETE", (404, {}))
    with pytest.raises(errors.ResourceNotFound):
        session.request("DELETE", "/my")


def test_gone_after_a_lost_get_is_gone(session: Session, answers: RequestsMock) -> None:
    """Only a delete is done when its object is not there."""
    fail(answers, "GET", LOST)
    fail(answers, "GET", (404, {}))
    with pytest.raises(errors.ResourceNotFound):
        session.request("GET", "/my")


# What a failure means


@pytest.mark.parametrize(
    ("headers", "message", "outcome"),
    [
        ({**OWN, "Retry-After": "Thu, 01 Jan 2026 01:00:00 GMT"}, "back soon", Outcome.REFUSED),
        (OWN, "This Triton data center is being upgraded", Outcome.REFUSED),
        ({"Retry-After": "5"}, "CloudAPI service is currently unavailable", Outcome.UNKNOWN),
        ({}, "CloudAPI service is currently unavailable", Outcome.UNKNOWN),
        ({"Server": "cloudapi/9", "Retry-After": "5"}, "", Outcome.UNKNOWN),
        ({"Request-Id": "r", "Server": "nginx", "Retry-After": "5"}, "", Outcome.UNKNOWN),
        (OWN, "VMAPI is not available", Outcome.UNKNOWN),
    ],
)
def test_only_maintenance_is_a_503_that_applied_nothing(
    headers: dict[str, str], message: str, outcome: Outcome
) -> None:
    """HAProxy's may hide a time-out, and CloudAPI's own may come from a backend after the machine was made."""
    assert outcome_of_status(503, requests.structures.CaseInsensitiveDict(headers), message) is outcome


def wrapped(kind: type[requests.RequestException], inner: Exception) -> Exception:
    """Wrap a failure as `requests` does."""
    return kind(inner)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NEVER, Outcome.NEVER_DELIVERED),
        (requests.ConnectTimeout("late"), Outcome.NEVER_DELIVERED),
        (requests.ConnectionError(ClosedPoolError(None, "closed")), Outcome.NEVER_DELIVERED),  # type: ignore[arg-type]
        (LOST, Outcome.UNKNOWN),
        (requests.exceptions.ProxyError(ProxyError("p", OSError("closed"))), Outcome.UNKNOWN),
        (requests.exceptions.SSLError(PoolSSLError(ssl.SSLEOFError(8, "EOF"))), Outcome.UNKNOWN),
        (requests.exceptions.SSLError(PoolSSLError(ssl.SSLCertVerificationError(1, "who?"))), Outcome.FINAL),
        (requests.ConnectionError(socket.gaierror(socket.EAI_NONAME, "who?")), Outcome.FINAL),
        (requests.ConnectionError(socket.gaierror(socket.EAI_AGAIN, "later")), Outcome.UNKNOWN),
        (requests.exceptions.InvalidProxyURL("bad"), Outcome.FINAL),
        (requests.exceptions.InvalidSchema("bad"), Outcome.FINAL),
        (requests.exceptions.InvalidHeader("bad"), Outcome.UNKNOWN),
        (Unusable("too large"), Outcome.UNUSABLE),
        (Damaged("damaged"), Outcome.UNKNOWN),
        (ValueError("odd"), Outcome.UNKNOWN),
    ],
)
def test_only_certain_knowledge_counts(error: Exception, outcome: Outcome) -> None:
    """Whatever is not proved to have failed before sending may have been applied, TLS and proxy errors included."""
    assert failure_of(error).outcome is outcome


def test_a_mark_of_the_transport_proves_that_nothing_was_sent() -> None:
    """It is found however deep the error was wrapped; what the caller was handling at the time is none of it."""
    marked = ssl.SSLEOFError(8, "EOF")
    marked.nothing_sent = True  # type: ignore[attr-defined]
    unrelated = OSError("reset")
    unrelated.__context__ = marked

    assert failure_of(wrapped(requests.exceptions.SSLError, PoolSSLError(marked))).outcome is Outcome.NEVER_DELIVERED
    assert failure_of(wrapped(requests.ConnectionError, unrelated)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("repeatable", [True, False])
def test_every_outcome_has_its_rule(outcome: Outcome, *, repeatable: bool) -> None:
    """Repeatable requests are repeated unless that is useless, the others only if nothing was applied."""
    useless = {Outcome.FINAL, Outcome.UNUSABLE}
    expected = outcome not in useless and (repeatable or outcome is not Outcome.UNKNOWN)

    assert may_retry(outcome, repeatable=repeatable) is expected


# When


def test_pauses_double_up_to_a_limit(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """After five attempts it is enough, and the error says how many there were."""
    answers.get(f"{URL}/my", status=502)
    with pytest.raises(errors.ServerError) as caught:
        session.request("GET", "/my")

    assert clock.slept == [1, 2, 4, 8]
    assert caught.value.attempts == 5


def test_pauses_are_drawn_at_random() -> None:
    """Anything between nothing and the limit, so that clients that failed together do not come back together."""
    rng = random.Random(7)  # noqa: S311 (spreads retries)
    drawn = [Retry().pause(2, rng) for _ in range(1000)]

    assert 0 <= min(drawn) < 0.1
    assert 1.9 < max(drawn) <= 2
    assert Retry().pause(30, Highest()) == 8


@pytest.mark.parametrize("how", ["7", "date"])
def test_retry_after_is_waited_for(how: str, session: Session, answers: RequestsMock, clock: Clock) -> None:
    """As seconds or as a date, which counts by the server's clock."""
    session.clock_offset = 50.0
    text = formatdate(clock.now + 57, usegmt=True) if how == "date" else how
    answers.post(f"{URL}/my", status=429, headers={"Retry-After": text})
    answers.post(f"{URL}/my", json={})
    session.request("POST", "/my")

    assert sum(clock.slept) == pytest.approx(7, abs=0.1)


def test_retry_after_does_not_shorten_a_pause(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """The longer of the two counts."""
    answers.get(f"{URL}/my", status=503, headers={**OWN, "Retry-After": "0"})
    answers.get(f"{URL}/my", json={})
    session.request("GET", "/my")

    assert clock.slept == [1]


@pytest.mark.parametrize(("timeout", "pause"), [(60.0, 3600), (60.0, 60), (None, 3600), (None, 300)])
def test_a_retry_after_beyond_the_time_ends_the_call(
    timeout: float | None, pause: int, answers: RequestsMock, clock: Clock
) -> None:
    """Neither a call with a deadline nor one without is held for an hour by a server's word; all of its time is none."""
    answers.get(f"{URL}/my", status=429, headers={"Retry-After": str(pause)})
    with pytest.raises(errors.Throttled) as caught:
        Session(Settings(URL, clock=clock, timeout=timeout)).request("GET", "/my")

    assert clock.slept == []
    assert caught.value.attempts == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0),
        ("Thu, 01 Jan 2026 00:02:00", 120.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("٣", None),
        ("9" * 400, float("inf")),
    ],
)
def test_retry_after_is_read_with_care(text: str, seconds: float | None) -> None:
    """What is no number and no date says nothing, and is no crash."""
    assert retry_after({"Retry-After": text}, 1_767_225_600.0) == seconds


def test_no_retry_after_says_nothing() -> None:
    """CloudAPI's throttle sends none."""
    assert retry_after({}, 0.0) is None


def test_no_pause_goes_beyond_the_deadline(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """Each leaves half of the time for the attempts after it: a long pause must not end a call that has time."""
    answers.get(f"{URL}/my", status=502)
    with pytest.raises(errors.ServerError) as caught:
        session.request("GET", "/my", timeout=3.0)

    assert clock.slept == [1, 1, 0.5, 0.25]
    assert caught.value.attempts == 5


def test_an_attempt_that_took_all_the_time_is_the_last(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """The deadline holds for all attempts together."""

    def slow(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        clock.now += 61
        return 502, {}, ""

    answers.add_callback(responses.GET, f"{URL}/my", slow)
    with pytest.raises(errors.ServerError):
        session.request("GET", "/my")

    assert len(answers.calls) == 1


def test_a_wrong_clock_found_too_late_is_not_tried_again(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """Not even the attempt that costs no pause is made after the deadline."""

    def slow(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        clock.now += 61
        return 400, {"Date": formatdate(clock.now + 3600, usegmt=True)}, ""

    answers.add_callback(responses.GET, f"{URL}/my", slow)
    with pytest.raises(errors.BadRequest):
        session.request("GET", "/my")

    assert len(answers.calls) == 1


def test_a_call_that_comes_too_late_is_still_attempted(answers: RequestsMock, clock: Clock) -> None:
    """If signing took all the time, the attempt itself finds out."""

    def slow(request: requests.PreparedRequest) -> requests.PreparedRequest:
        clock.now += 61
        return request

    answers.get(f"{URL}/my", json=[1])
    auth: Any = slow

    assert Session(Settings(URL, clock=clock, auth=auth)).request("GET", "/my")[0] == [1]


def test_a_client_has_a_budget_of_retries(session: Session, answers: RequestsMock, clock: Clock) -> None:
    """When a cloud is down, many calls do not multiply by five: after 20 retries each call has one attempt."""
    answers.get(f"{URL}/my", status=502)
    for _ in range(100):
        with pytest.raises(errors.ServerError):
            session.request("GET", "/my")
    by_time = int(sum(clock.slept) / 10)

    assert len(answers.calls) == 100 + len(clock.slept)
    assert 20 <= len(clock.slept) <= 20 + by_time


@pytest.mark.parametrize("how", [(429, {}), (420, {}), (503, {**OWN, "Retry-After": "0"})], ids=["429", "420", "503"])
def test_a_refusal_costs_neither_attempts_nor_budget(how: Any, session: Session, answers: RequestsMock) -> None:
    """What CloudAPI refuses for now is sent again for as long as there is time."""
    for _ in range(7):
        fail(answers, "POST", how)
    answers.post(f"{URL}/my", json={"done": True})
    found, _ = session.request("POST", "/my")

    assert found == {"done": True}
    assert len(answers.calls) == 8
    assert [session.budget.take() for _ in range(21)] == [True] * 20 + [False]


@pytest.mark.parametrize("how", [(429, {}), (503, {**OWN, "Retry-After": "0"})], ids=["429", "503"])
def test_a_refusal_without_end_ends_with_the_time(how: Any, answers: RequestsMock, clock: Clock) -> None:
    """The error is the server's own, and says that nothing was done."""
    status, headers = how
    answers.post(f"{URL}/my", status=status, headers=headers)
    began = clock.now
    with pytest.raises((errors.Throttled, errors.ServiceUnavailable)) as caught:
        Session(Settings(URL, clock=clock, timeout=30.0)).request("POST", "/my")

    assert caught.value.applied is False
    assert caught.value.attempts > 5
    assert 15 < clock.now - began <= 30.1


def test_a_call_that_never_left_the_queue_says_so(answers: RequestsMock, clock: Clock) -> None:
    """It spent its time behind a pause that the server asked another call for."""
    session = Session(Settings(URL, clock=clock, timeout=5.0))
    session.paces.of("/my").refused(session.paces.of("/my").turn(), 60.0)
    with pytest.raises(errors.CallTimeout, match=r"POST /my: not sent within 5 s, since CloudAPI throttles") as caught:
        session.request("POST", "/my")

    assert (caught.value.applied, caught.value.attempts, len(answers.calls)) == (False, 0, 0)


def test_retries_are_logged_one_line_each(
    session: Session, answers: RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason, the pause and the attempt that follows."""
    caplog.set_level(logging.INFO, "smartdc")
    answers.get(f"{URL}/my", status=502)
    answers.get(f"{URL}/my", status=429)
    answers.get(f"{URL}/my", status=429, headers={"Retry-After": "7"})
    answers.get(f"{URL}/my", json=[])
    session.request("GET", "/my")
    [first, second, third, *_] = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]

    assert first.startswith("GET /my: 502; attempt 2 in 1.0 s (request ")
    assert second.startswith("GET /my: 429; attempt 3 in 0.0 s (request ")
    assert third.startswith("GET /my: 429; attempt 4 in 7.0 s (request ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", 0),
        ("attempts", True),
        ("attempts", 1.5),
        ("budget", -1),
        ("max_pause", -1),
        ("base_pause", math.nan),
    ],
)
def test_nonsense_is_no_retry_setting(name: str, value: Any) -> None:
    """It is refused by its name before anything is sent."""
    with pytest.raises(errors.InputError, match=rf"{name} must be"):
        Retry(**{name: value})


def test_no_pauses_are_a_setting() -> None:
    """As tests of users want it."""
    assert Retry(base_pause=0, max_pause=0, max_retry_after=0).pause(3, Highest()) == 0


def test_no_retries_at_all_is_a_setting(answers: RequestsMock, clock: Clock) -> None:
    """With an empty budget the first failure is the last."""
    answers.get(f"{URL}/my", status=502)
    with pytest.raises(errors.ServerError) as caught:
        Session(Settings(URL, clock=clock, retry=Retry(budget=0))).request("GET", "/my")

    assert caught.value.attempts == 1


def test_how_often_to_retry_is_a_setting(answers: RequestsMock, clock: Clock) -> None:
    """Whoever wants no retries says so."""
    answers.get(f"{URL}/my", status=502)
    with pytest.raises(errors.ServerError) as caught:
        Session(Settings(URL, clock=clock, retry=Retry(attempts=1))).request("GET", "/my")

    assert caught.value.attempts == 1
    with pytest.raises(errors.InputError, match="retry must be a Retry"):
        DataCenter(URL, login="demo", retry=3)  # type: ignore[arg-type]


def test_success_earns_retries(session: Session, answers: RequestsMock) -> None:
    """A good call pays for one retry."""
    while session.budget.take():
        pass
    answers.get(f"{URL}/ok", json=[])
    session.request("GET", "/ok")

    assert session.budget.take()
    assert not session.budget.take()


def test_time_earns_retries(session: Session, clock: Clock) -> None:
    """One in ten seconds."""
    while session.budget.take():
        pass
    clock.now += 10

    assert session.budget.take()
    assert not session.budget.take()


def test_a_budget_does_not_grow_beyond_its_size() -> None:
    """A long good time does not save up for a storm of retries."""
    budget = Budget(2.0, Clock())
    for _ in range(100):
        budget.succeeded()

    assert [budget.take() for _ in range(3)] == [True, True, False]


class TellingLock:
    """A lock that tells when somebody has to wait for it."""

    def __init__(self, waits: threading.Event) -> None:
        self._lock, self._waits = threading.Lock(), waits

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._waits.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.mark.parametrize("left", [0, 1, 2, 3])
@pytest.mark.parametrize("first", [Budget.take, Budget.succeeded], ids=["take", "succeeded"])
@pytest.mark.parametrize("second", [Budget.take, Budget.succeeded], ids=["take", "succeeded"])
def test_threads_share_a_budget_without_losing_count(
    first: Callable[[Budget], bool | None], second: Callable[[Budget], bool | None], left: int
) -> None:
    """At whatever step of one thread another comes in, the sum is as if one came after the other."""

    def budget() -> Budget:
        made = Budget(3, Clock())
        for _ in range(3 - left):
            made.take()
        return made

    def outcome(made: Budget, answers: Iterable[object]) -> tuple[set[object], int]:
        return set(answers), sum(made.take() for _ in range(4))

    one_by_one = [
        outcome(made := budget(), [one(made), other(made)]) for one, other in ((first, second), (second, first))
    ]
    for count in itertools.count(1):
        shared, arrived = budget(), threading.Event()
        answers: list[object] = []
        shared._lock = TellingLock(arrived)  # type: ignore[assignment]

        def come_in(shared: Budget, arrived: threading.Event, answers: list[object]) -> None:
            answers.append(second(shared))
            arrived.set()

        other = threading.Thread(target=come_in, args=(shared, arrived, answers))

        def let_in(other: threading.Thread = other, arrived: threading.Event = arrived) -> None:
            other.start()
            arrived.wait(10)

        with interrupt(count, {"retry.py"}, let_in) as steps:
            answers.append(first(shared))
        if steps[0] > 0:
            break
        other.join(10)
        assert outcome(shared, answers) in one_by_one

    assert count > 5, "there were no steps to come in between"


def test_the_longest_pause_is_longer_than_any_backoff() -> None:
    """A call without a deadline is not ended by its own backoff."""
    assert Retry().max_retry_after > Retry().max_pause


def test_a_policy_cannot_be_changed() -> None:
    """Data centres may share one, so that none changes it for the others."""
    with pytest.raises(FrozenInstanceError):
        Retry().attempts = 3  # type: ignore[misc]
