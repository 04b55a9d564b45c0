"""A deadline is one moment on one clock, and the earliest of those that apply to a call ends it."""

from __future__ import annotations

import contextlib

import pytest
from responses import RequestsMock

from kits.http import Clock, calls_end_by
from kits.interrupts import interrupt
from smartdc.errors import CallTimeout
from smartdc.http.deadline import Deadline, ambient_deadline, ending_by
from smartdc.http.session import Session
from smartdc.http.settings import Settings

URL = "https://cloud.test"


@pytest.fixture
def clock() -> Clock:
    """A clock on which only sleeping takes time."""
    return Clock()


def test_it_goes_by_its_clock(clock: Clock) -> None:
    """What is left becomes less as that clock goes, and not as the system's does."""
    deadline = Deadline(10, clock)
    assert (deadline.left(), deadline.passed()) == (10, False)
    clock.sleep(9)
    assert (deadline.left(), deadline.passed()) == (1, False)
    clock.sleep(1)
    assert (deadline.left(), deadline.passed()) == (0.001, True)


def test_none_is_never(clock: Clock) -> None:
    """Without seconds there is no end."""
    deadline = Deadline(None, clock)
    clock.sleep(1e9)
    assert (deadline.left(), deadline.passed()) == (None, False)


def test_the_earlier_one(clock: Clock) -> None:
    """The one with less time left counts, from whichever side it is asked, and never is the latest of all."""
    soon, late, never = Deadline(1, clock), Deadline(5, clock), Deadline(None, clock)
    assert soon.earlier(late) is late.earlier(soon) is soon
    assert never.earlier(late) is late.earlier(never) is late
    assert never.earlier(never) is never


def test_the_earlier_one_of_two_clocks(clock: Clock) -> None:
    """Deadlines on clocks that have nothing in common are compared by what is left."""
    other = Clock()
    other.sleep(1e6)
    soon, late = Deadline(1, other), Deadline(5, clock)
    assert soon.earlier(late) is late.earlier(soon) is soon


def test_the_ambient_one_ends_with_its_block(clock: Clock) -> None:
    """It holds in its block only, also when that ends by an error."""
    assert ambient_deadline().left() is None
    with contextlib.suppress(KeyError), calls_end_by(Deadline(5, clock)):
        assert ambient_deadline().left() == 5
        raise KeyError
    assert ambient_deadline().left() is None


def test_an_inner_one_cannot_put_off_the_outer(clock: Clock) -> None:
    """In a block within another the earlier deadline counts, whichever that is."""
    with calls_end_by(Deadline(5, clock)):
        with calls_end_by(Deadline(None, clock)):
            assert ambient_deadline().left() == 5
        with calls_end_by(Deadline(2, clock)):
            assert ambient_deadline().left() == 2
        assert ambient_deadline().left() == 5


@pytest.mark.parametrize(("ambient", "own"), [(3, 60), (60, 3), (3, None)])
def test_a_call_takes_the_earlier_of_its_own_and_the_ambient(clock: Clock, ambient: float, own: float | None) -> None:
    """A call that is tried again and again stops when the first of both has passed."""
    session = Session(Settings(URL, clock=clock, timeout=own))
    with RequestsMock() as mock:
        mock.get(f"{URL}/my", body=TimeoutError("timed out"))
        with calls_end_by(Deadline(ambient, clock)), pytest.raises(CallTimeout, match="no answer within 3 s"):
            session.request("GET", "/my")


def test_a_context_ends_the_calls_in_it_and_no_other() -> None:
    """The earlier of two counts inside, and outside there is none, however the function ends."""
    clock = Clock()
    outer, inner = Deadline(5, clock), Deadline(50, clock)

    def fail() -> None:
        assert ending_by(inner).run(ambient_deadline) is outer
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ending_by(outer).run(fail)
    assert ambient_deadline().left() is None


def test_no_interrupt_leaves_a_deadline_behind() -> None:
    """Wherever it comes, later calls of the thread have their own time."""
    clock = Clock()
    for step in range(1, 60):
        with contextlib.suppress(KeyboardInterrupt), interrupt(step, {"deadline.py"}):
            ending_by(Deadline(5, clock)).run(ambient_deadline)
        assert ambient_deadline().left() is None
