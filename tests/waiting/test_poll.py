"""The one loop that waits: how often it checks, when it ends, what it looks past, and whom it reports to."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from smartdc import (
    BadResponse,
    CallTimeout,
    DataCenter,
    InputError,
    InvalidCredentials,
    Machine,
    NotAuthorized,
    Progress,
    ResourceNotFound,
    ServerError,
    ServiceUnavailable,
    Throttled,
    TransportError,
    WaitTimeout,
)
from smartdc.emulator import VirtualClock
from smartdc.waiting.poll import poll

Check = Callable[[], Any]


class Interrupted(VirtualClock):
    """A clock that somebody interrupts as soon as time has to pass."""

    def sleep(self, seconds: float) -> None:  # noqa: ARG002 (nothing passes)
        """Be interrupted."""
        raise KeyboardInterrupt


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that moves only when somebody sleeps on it."""
    return VirtualClock()


@pytest.fixture
def resource(clock: VirtualClock) -> Machine:
    """What is waited for: a machine on that clock, of which nothing is fetched."""
    return machine_on(clock)


def machine_on(clock: VirtualClock) -> Machine:
    """Return a machine without a server."""
    dc = DataCenter("http://127.0.0.1:1", login="demo", clock=clock)
    return Machine(dc, data={"id": "1", "name": "web-1", "state": "stopping"})


def checks(outcomes: Iterable[object]) -> Check:
    """Return what gives one outcome after the other, and raises those that are errors."""
    rest = iter(outcomes)

    def check() -> object:
        outcome = next(rest)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return check


def test_first_look_comes_at_once(resource: Machine, clock: VirtualClock) -> None:
    """What is there already is returned without any sleep."""
    assert poll(resource, checks(["there"]), "is not there") == "there"
    assert clock.monotonic() == 0


@pytest.mark.parametrize(
    ("options", "seconds"), [({}, 6), ({"interval": 5}, 15), ({"interval": 0.5}, 1.5), ({"interval": 0}, 0)]
)
def test_interval(resource: Machine, clock: VirtualClock, options: dict[str, Any], seconds: float) -> None:
    """Between two looks lies one interval, of two seconds unless told otherwise."""
    assert poll(resource, checks([None, None, None, "there"]), "is not there", **options) == "there"
    assert clock.monotonic() == seconds


@pytest.mark.parametrize("nothing", [None, 0, False, "", [], ()])
def test_nothing_means_not_yet(resource: Machine, clock: VirtualClock, nothing: object) -> None:
    """A check that returns what is not true is repeated."""
    assert poll(resource, checks([nothing, "there"]), "is not there") == "there"
    assert clock.monotonic() == 2


def test_deadline(resource: Machine, clock: VirtualClock) -> None:
    """The last check is exactly at the deadline, and the error has the resource and says what was waited for."""
    with pytest.raises(WaitTimeout, match=r"^machine web-1 \(1\) is not running after 7 s$") as caught:
        poll(resource, checks([None] * 5), "is not running", timeout=7)
    assert caught.value.resource is resource
    assert clock.monotonic() == 7


def test_last_look_counts(resource: Machine) -> None:
    """What turns up at the deadline is in time."""
    assert poll(resource, checks([None, None, "there"]), "is not there", timeout=4) == "there"


def test_no_time_at_all(resource: Machine) -> None:
    """A time-out of zero leaves one check."""
    assert poll(resource, checks(["there"]), "is not there", timeout=0) == "there"
    with pytest.raises(WaitTimeout, match="after 0 s"):
        poll(resource, checks([None]), "is not there", timeout=0)


def test_ten_minutes_by_default(resource: Machine, clock: VirtualClock) -> None:
    """A wait without a time-out of its own ends all the same."""
    with pytest.raises(WaitTimeout, match="after 600 s"):
        poll(resource, lambda: None, "is not there")
    assert clock.monotonic() == 600


def test_for_ever(resource: Machine, clock: VirtualClock) -> None:
    """Without a deadline the wait lasts as long as it takes."""
    assert poll(resource, checks([*[None] * 5000, "there"]), "is not there", timeout=None) == "there"
    assert clock.monotonic() == 10_000


@pytest.mark.parametrize("blip", [TransportError, CallTimeout, BadResponse, ServerError, ServiceUnavailable, Throttled])
def test_blips_are_looked_past(resource: Machine, blip: type[Exception]) -> None:
    """Failures of the connection or the server say nothing about what is waited for."""
    assert poll(resource, checks([None, blip("oops"), blip("again"), "there"]), "is not there") == "there"


def test_pauses_grow_while_looks_fail(resource: Machine, clock: VirtualClock) -> None:
    """A server in trouble is asked less and less often, at least every 30 seconds, and then as before."""
    moments = []
    fail = ServerError("oops")
    check = checks([fail, fail, fail, fail, fail, fail, None, None, "there"])

    def watched() -> object:
        moments.append(clock.monotonic())
        return check()

    poll(resource, watched, "is not there")
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert pauses == [4, 8, 16, 30, 30, 30, 2, 2]


def test_pauses_grow_from_a_second_on(resource: Machine, clock: VirtualClock) -> None:
    """Without an interval too, a server in trouble is left alone for a while."""
    poll(resource, checks([ServerError("oops"), ServerError("oops"), "there"]), "is not there", interval=0)
    assert clock.monotonic() == 1 + 2


def test_last_blip_is_the_cause(resource: Machine) -> None:
    """Where the wait ends with a failure, the time-out says which; one that was followed by an answer is forgotten."""
    with pytest.raises(WaitTimeout) as caught:
        poll(resource, checks([None, ServerError("first"), ServerError("last")]), "is not there", timeout=4)
    assert str(caught.value.__cause__) == "last"
    with pytest.raises(WaitTimeout) as caught:
        poll(resource, checks([ServerError("first"), None]), "is not there", timeout=2)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "error", [ResourceNotFound, InvalidCredentials, NotAuthorized, InputError, KeyError, KeyboardInterrupt]
)
def test_other_errors_end_the_wait(resource: Machine, clock: VirtualClock, error: type[BaseException]) -> None:
    """What is no blip is for the caller."""

    def check() -> None:
        raise error("oops")

    with pytest.raises(error):
        poll(resource, check, "is not there")
    assert clock.monotonic() == 0


@pytest.mark.parametrize("options", [{"interval": -1}, {"timeout": -0.1}, {"timeout": math.nan}, {"timeout": "600"}])
def test_what_is_no_time_is_refused(resource: Machine, options: dict[str, Any]) -> None:
    """A negative interval or time-out is a mistake, and is said to be one; with not-a-number no wait would end."""
    with pytest.raises(InputError, match=r"^(interval|timeout) must be a non-negative number of seconds, got "):
        poll(resource, checks(["there"]), "is not there", **options)


def test_progress_of_every_check(resource: Machine) -> None:
    """After each check the state, the time and whether it was the last are reported."""
    seen: list[Progress] = []
    poll(resource, checks([None, ServerError("oops"), "there"]), "is not there", timeout=60, progress=seen.append)
    assert seen == [
        Progress("web-1", "stopping", 0, 60, done=False),
        Progress("web-1", "stopping", 2, 60, done=False),
        Progress("web-1", "stopping", 6, 60, done=True),
    ]


@pytest.mark.parametrize(("own", "expected"), [({}, 1), ({"progress": None}, 1), ({"progress": False}, 0)])
def test_progress_of_the_data_centre(resource: Machine, own: dict[str, Any], expected: int) -> None:
    """A wait without a setting of its own has the data centre's."""
    seen: list[Progress] = []
    resource.datacenter.progress = seen.append
    poll(resource, checks(["there"]), "is not there", **own)
    assert len(seen) == expected


@pytest.mark.parametrize("end", [InputError("no"), KeyboardInterrupt()])
def test_progress_of_every_end(resource: Machine, end: BaseException) -> None:
    """That the wait is over is reported also when an error or an interrupt ended it."""
    seen: list[Progress] = []
    with pytest.raises(type(end)):
        poll(resource, checks([None, end]), "is not there", progress=seen.append)
    assert [(look.elapsed, look.done) for look in seen] == [(0, False), (2, True)]


def test_progress_of_an_interrupted_pause() -> None:
    """An interrupt between two checks is reported as well."""
    seen: list[Progress] = []
    with pytest.raises(KeyboardInterrupt):
        poll(machine_on(Interrupted()), checks([None]), "is not there", progress=seen.append)
    assert [look.done for look in seen] == [False, True]


def test_what_a_reporter_raises_does_not_end_the_wait(resource: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, by its class, and the reporter still hears of the end."""
    seen: list[bool] = []

    def report(progress: Progress) -> None:
        seen.append(progress.done)
        raise InputError("https://hooks.example.com/secret")

    found = poll(resource, checks([None, None, "there"]), "is not there", progress=report)

    assert (found, seen) == ("there", [False, False, True])
    (logged,) = caplog.records
    assert logged.levelname == "WARNING"
    assert logged.getMessage().startswith(
        "progress: test_what_a_reporter_raises_does_not_end_the_wait.<locals>.report "
    )
    assert re.search(r" raised InputError at test_poll\.py:\d+; ", logged.getMessage())
    assert "secret" not in caplog.text


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_reporter_ends_the_wait(resource: Machine, end: type[BaseException]) -> None:
    """Whoever looks on may leave."""

    def report(_: Progress) -> None:
        raise end

    with pytest.raises(end):
        poll(resource, checks([None]), "is not there", progress=report)
