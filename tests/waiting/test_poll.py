"""The one loop that waits: how often it looks, when it ends, and what it looks past."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from smartdc import (
    BadResponse,
    CallTimeout,
    InputError,
    InvalidCredentials,
    ResourceNotFound,
    ServerError,
    ServiceUnavailable,
    Throttled,
    TransportError,
    WaitTimeout,
)
from smartdc.emulator import VirtualClock
from smartdc.waiting.poll import poll

Look = Callable[[], Any]


class Interrupted(VirtualClock):
    """A clock that somebody interrupts as soon as time has to pass."""

    def sleep(self, seconds: float) -> None:  # noqa: ARG002 (nothing passes)
        """Be interrupted."""
        raise KeyboardInterrupt


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that moves only when somebody sleeps on it."""
    return VirtualClock()


def looks(outcomes: Iterable[object]) -> Look:
    """Return what gives one outcome after the other, and raises those that are errors."""
    rest = iter(outcomes)

    def look() -> object:
        outcome = next(rest)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return look


def test_first_look_comes_at_once(clock: VirtualClock) -> None:
    """What is there already is returned without any sleep."""
    assert poll(looks(["there"]), "goal", clock=clock) == "there"
    assert clock.monotonic() == 0


@pytest.mark.parametrize(
    ("options", "seconds"), [({}, 6), ({"interval": 5}, 15), ({"interval": 0.5}, 1.5), ({"interval": 0}, 0)]
)
def test_interval(clock: VirtualClock, options: dict[str, Any], seconds: float) -> None:
    """Between two looks lies one interval, of two seconds unless told otherwise."""
    assert poll(looks([None, None, None, "there"]), "goal", clock=clock, **options) == "there"
    assert clock.monotonic() == seconds


@pytest.mark.parametrize("found", [0, False, "", [], ()])
def test_only_none_means_not_yet(clock: VirtualClock, found: object) -> None:
    """A look that returns something ends the wait, also when that something is false."""
    assert poll(looks([None, found]), "goal", clock=clock) is found


def test_deadline(clock: VirtualClock) -> None:
    """The last look is exactly at the deadline, and the error says what was waited for."""
    with pytest.raises(WaitTimeout, match=r"^machine web-1 is not running: not within 7 s$"):
        poll(looks([None] * 5), "machine web-1 is not running", clock=clock, timeout=7)
    assert clock.monotonic() == 7


def test_last_look_counts(clock: VirtualClock) -> None:
    """What turns up at the deadline is in time."""
    assert poll(looks([None, None, "there"]), "goal", clock=clock, timeout=4) == "there"


def test_no_time_at_all(clock: VirtualClock) -> None:
    """A time-out of zero leaves one look."""
    assert poll(looks(["there"]), "goal", clock=clock, timeout=0) == "there"
    with pytest.raises(WaitTimeout, match="not within 0 s"):
        poll(looks([None]), "goal", clock=clock, timeout=0)


def test_ten_minutes_by_default(clock: VirtualClock) -> None:
    """A wait without a time-out of its own ends all the same."""
    with pytest.raises(WaitTimeout, match="not within 600 s"):
        poll(lambda: None, "goal", clock=clock)
    assert clock.monotonic() == 600


def test_for_ever(clock: VirtualClock) -> None:
    """Without a deadline the wait lasts as long as it takes."""
    assert poll(looks([*[None] * 5000, "there"]), "goal", clock=clock, timeout=None) == "there"
    assert clock.monotonic() == 10_000


@pytest.mark.parametrize("blip", [TransportError, CallTimeout, BadResponse, ServerError, ServiceUnavailable, Throttled])
def test_blips_are_looked_past(clock: VirtualClock, blip: type[Exception]) -> None:
    """Failures of the connection or the server say nothing about what is waited for."""
    assert poll(looks([None, blip("oops"), blip("again"), "there"]), "goal", clock=clock) == "there"


def test_pauses_grow_while_looks_fail(clock: VirtualClock) -> None:
    """A server in trouble is asked less and less often, at least every 30 seconds, and then as before."""
    moments = []
    fail = ServerError("oops")
    look = looks([fail, fail, fail, fail, fail, fail, None, None, "there"])

    def watched() -> object:
        moments.append(clock.monotonic())
        return look()

    poll(watched, "goal", clock=clock)
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert pauses == [4, 8, 16, 30, 30, 30, 2, 2]


def test_pauses_grow_from_a_second_on(clock: VirtualClock) -> None:
    """Without an interval too, a server in trouble is left alone for a while."""
    poll(looks([ServerError("oops"), ServerError("oops"), "there"]), "goal", clock=clock, interval=0)
    assert clock.monotonic() == 1 + 2


def test_last_blip_is_the_cause(clock: VirtualClock) -> None:
    """Where the wait ends with a failure, the time-out says which; one that was followed by an answer is forgotten."""
    with pytest.raises(WaitTimeout) as caught:
        poll(looks([None, ServerError("first"), ServerError("last")]), "goal", clock=clock, timeout=4)
    assert str(caught.value.__cause__) == "last"
    with pytest.raises(WaitTimeout) as caught:
        poll(looks([ServerError("first"), None]), "goal", clock=clock, timeout=2)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("error", [ResourceNotFound, InvalidCredentials, InputError, KeyError, KeyboardInterrupt])
def test_other_errors_end_the_wait(clock: VirtualClock, error: type[BaseException]) -> None:
    """What is no blip is for the caller."""

    def look() -> None:
        raise error("oops")

    with pytest.raises(error):
        poll(look, "goal", clock=clock)
    assert clock.monotonic() == 0


@pytest.mark.parametrize("options", [{"interval": -1}, {"timeout": -0.1}, {"timeout": math.nan}, {"timeout": "600"}])
def test_what_is_no_time_is_refused(clock: VirtualClock, options: dict[str, Any]) -> None:
    """A negative interval or time-out is a mistake, and is said to be one; with not-a-number no wait would end."""
    with pytest.raises(InputError, match=r"^(interval|timeout)=.*: give seconds, which are not negative$"):
        poll(looks(["there"]), "goal", clock=clock, **options)


def test_watch_sees_every_look(clock: VirtualClock) -> None:
    """Whoever watches is told after each look how long it took, and which was the last."""
    seen: list[tuple[float, bool]] = []
    poll(looks([None, ServerError("oops"), "there"]), "goal", clock=clock, watch=lambda *look: seen.append(look))
    assert seen == [(0, False), (2, False), (6, True)]


@pytest.mark.parametrize("end", [InputError("no"), KeyboardInterrupt()])
def test_watch_sees_every_end(clock: VirtualClock, end: BaseException) -> None:
    """Whoever watches is told that the wait is over also when an error or an interrupt ended it."""
    seen: list[tuple[float, bool]] = []
    with pytest.raises(type(end)):
        poll(looks([None, end]), "goal", clock=clock, watch=lambda *look: seen.append(look))
    assert seen == [(0, False), (2, True)]


def test_watch_sees_an_interrupted_pause() -> None:
    """An interrupt between two looks is told as well."""
    seen: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        poll(looks([None]), "goal", clock=Interrupted(), watch=lambda _, over: seen.append(over))
    assert seen == [False, True]


def test_what_a_watcher_raises_ends_the_wait(clock: VirtualClock) -> None:
    """A watcher that raises is not told of that."""
    seen: list[bool] = []

    def watch(_: float, over: bool) -> None:
        seen.append(over)
        raise InputError("enough")

    with pytest.raises(InputError, match="enough"):
        poll(looks([None]), "goal", clock=clock, watch=watch)
    assert seen == [False]
