"""A create is done once, whatever becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pytest

from smartdc import errors
from smartdc.emulator import VirtualClock
from smartdc.waiting.create_once import create_once


class Store:
    """A server that makes things and loses answers as it is told to."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.things: list[str] = []
        self.sent = 0
        self.blind = False

    def send(self) -> str:
        """Do what the script says next: make a thing or not, and answer or not."""
        self.sent += 1
        step = self.script.pop(0) if self.script else "made"
        if step in {"made", "made, unanswered"}:
            self.things.append(f"thing {self.sent}")
        if step == "conflict":
            raise refused(errors.Conflict)
        if step == "refused":
            raise refused(errors.NotAuthorized)
        if step.endswith("unanswered"):
            raise errors.TransportError("the answer is lost")
        return self.things[-1]

    def find(self) -> list[str]:
        """Return what was made, if anything can be seen."""
        if self.blind:
            raise errors.TransportError("nothing can be seen")
        return list(self.things)


def refused(kind: type[errors.APIError]) -> errors.APIError:
    """Make the error of a request that surely changed nothing."""
    error = kind("no")
    error.applied = False
    return error


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that moves only when somebody sleeps on it."""
    return VirtualClock()


Run = Callable[..., str]


@pytest.fixture
def run(clock: VirtualClock) -> Run:
    """Create something in a store."""
    return lambda store, **choice: create_once(store.send, store.find, clock, 180.0, **choice)


def test_an_answered_create_is_sent_once(run: Run) -> None:
    """Where nothing goes wrong, nothing is looked for."""
    store = Store("made")
    store.blind = True

    assert (run(store), store.sent) == ("thing 1", 1)


def test_what_was_made_without_an_answer_is_found(run: Run, clock: VirtualClock) -> None:
    """A lost answer costs a look, not a second thing."""
    store = Store("made, unanswered")
    began = clock.monotonic()

    assert (run(store), store.sent, clock.monotonic() - began) == ("thing 1", 1, 0)


def test_a_create_is_sent_again_only_when_it_could_not_turn_up_any_more(run: Run, clock: VirtualClock) -> None:
    """A request that vanished is repeated after the time in which it might still have been applied."""
    store = Store("unanswered")
    began = clock.monotonic()

    assert (run(store), store.sent) == ("thing 2", 2)
    assert clock.monotonic() - began == 180


def test_a_thing_that_turns_up_late_is_waited_for(clock: VirtualClock) -> None:
    """What is invisible for a minute after it was accepted is found, and not made again."""
    store = Store("unanswered")
    began = clock.monotonic()

    def find() -> list[str]:
        return ["late"] if clock.monotonic() - began >= 60 else []

    assert (create_once(store.send, find, clock, 180.0), store.sent) == ("late", 1)


def test_a_lost_second_answer_is_looked_for_too(run: Run) -> None:
    """The second attempt is as careful as the first."""
    store = Store("unanswered", "made, unanswered")

    assert (run(store), store.sent) == ("thing 2", 2)


def test_a_second_answer_counts_though_nothing_is_listed_yet(clock: VirtualClock) -> None:
    """What was made at the second attempt is returned, also where lists do not show it at once."""
    store = Store("unanswered")

    assert create_once(store.send, list, clock, 180.0) == "thing 2"


def test_nothing_is_sent_a_third_time(run: Run) -> None:
    """When the second attempt vanishes too, its error comes out."""
    store = Store("unanswered", "unanswered")
    with pytest.raises(errors.TransportError, match="lost"):
        run(store)

    assert (store.sent, store.things) == (2, [])


def test_nothing_is_sent_again_while_nobody_can_look(run: Run) -> None:
    """Without a look at what is there, a second create might be a second thing."""
    store = Store("made, unanswered")
    store.blind = True
    with pytest.raises(errors.TransportError, match="lost"):
        run(store)

    assert store.sent == 1


@pytest.mark.parametrize(
    "kind", [errors.NotAuthorized, errors.ResourceNotFound, errors.Redirected, errors.InvalidHeader]
)
def test_a_refusal_to_list_does_not_hide_what_became_of_the_create(
    clock: VirtualClock, kind: type[errors.APIError]
) -> None:
    """Who may create and not list hears of the create, whose outcome is unknown, and not of the list."""
    store = Store("made, unanswered")

    def find() -> list[str]:
        raise refused(kind)

    with pytest.raises(errors.TransportError, match="lost") as caught:
        create_once(store.send, find, clock, 180.0)

    assert caught.value.applied is None
    assert store.sent == 1


def test_a_refusal_is_final(run: Run) -> None:
    """What surely was not applied is not looked for."""
    store = Store("refused")
    with pytest.raises(errors.NotAuthorized):
        run(store)

    assert store.sent == 1


def test_a_refused_second_attempt_is_final(run: Run) -> None:
    """A refusal is one at the second attempt as well."""
    store = Store("unanswered", "refused")
    with pytest.raises(errors.NotAuthorized):
        run(store)


def test_a_conflict_is_about_somebody_else(run: Run) -> None:
    """A name that was taken before is not taken for ours."""
    store = Store("conflict")
    store.things.append("another")
    with pytest.raises(errors.Conflict):
        run(store)


def test_a_conflict_with_our_own_mark_is_our_own_thing(run: Run) -> None:
    """Where only we can have set the mark, a conflict means that an earlier attempt was applied."""
    store = Store("conflict")
    store.things.append("ours")

    assert run(store, unique=True) == "ours"


def test_a_conflict_at_the_second_attempt_may_be_the_first(clock: VirtualClock) -> None:
    """A first attempt that was applied after the last look makes the second one a conflict."""
    store = Store("unanswered", "conflict")
    seen: list[str] = []

    def find() -> list[str]:
        return seen if store.sent == 2 else []

    seen.append("the first")

    assert create_once(store.send, find, clock, 10.0) == "the first"


def test_a_conflict_that_nobody_can_look_into_leaves_the_outcome_open(clock: VirtualClock) -> None:
    """The name at the second attempt may be taken by the first, as long as that cannot be seen."""
    store = Store("unanswered", "conflict")

    def find() -> list[str]:
        if store.sent == 2:
            raise errors.TransportError("nothing can be seen")
        return []

    with pytest.raises(errors.Conflict) as caught:
        create_once(store.send, find, clock, 10.0)

    assert caught.value.applied is None


@pytest.mark.parametrize("second", ["conflict", "refused"])
def test_a_refused_second_attempt_says_nothing_about_the_first(run: Run, clock: VirtualClock, second: str) -> None:
    """What the first attempt made may not be listed yet, and may be the very reason for the refusal."""
    store = Store("unanswered", second)
    began = clock.monotonic()
    with pytest.raises(errors.APIError) as caught:
        run(store)

    assert caught.value.applied is None
    assert clock.monotonic() - began == 180


def test_a_thing_of_the_first_attempt_is_found_after_a_refused_second_one(clock: VirtualClock) -> None:
    """A refusal of the second attempt leads to one more look."""
    store = Store("unanswered", "refused")

    assert create_once(store.send, lambda: ["late"] if store.sent == 2 else [], clock, 10.0) == "late"


def test_a_second_attempt_that_cannot_be_signed_leaves_the_outcome_open(clock: VirtualClock) -> None:
    """An agent that goes away meanwhile is no news of the first attempt."""
    attempts: list[int] = []

    def send() -> str:
        attempts.append(1)
        raise errors.AgentError("gone") if len(attempts) == 2 else errors.TransportError("the answer is lost")

    with pytest.raises(errors.TransportError, match="lost") as caught:
        create_once(send, list, clock, 10.0)

    assert isinstance(caught.value.__cause__, errors.AgentError)
    assert caught.value.applied is None


def test_a_create_that_cannot_be_signed_is_not_sent_again(clock: VirtualClock) -> None:
    """Without an agent or a key nothing was sent, and nothing is looked for."""
    attempts: list[int] = []

    def send() -> str:
        assert not attempts
        attempts.append(1)
        raise errors.AgentError("gone")

    with pytest.raises(errors.AgentError):
        create_once(send, list, clock, 10.0)


@pytest.mark.parametrize(("status", "looks_on"), [(302, False), (399, False), (400, True)])
def test_only_where_everything_is_redirected_there_is_nothing_to_wait_for(
    clock: VirtualClock, status: int, looks_on: bool
) -> None:
    """The same error of the create and of the look says that nobody can look only where both lead elsewhere."""
    error = errors.APIError("no")
    error.status, error.applied = status, None
    began = clock.monotonic()

    def fail() -> NoReturn:
        raise error

    with pytest.raises(errors.APIError):
        create_once(fail, fail, clock, 10.0)

    assert (clock.monotonic() > began) is looks_on


def test_looks_back_off(clock: VirtualClock) -> None:
    """A lost answer costs a dozen looks, not ninety: pauses grow to fifteen seconds, and the last look is on time."""
    began, looks = clock.monotonic(), list[float]()

    def find() -> list[str]:
        looks.append(clock.monotonic() - began)
        return []

    create_once(Store("unanswered").send, find, clock, 60.0)

    assert looks == [0, 2, 6, 14, 29, 44, 59, 60, 60]


def test_an_agent_that_is_gone_does_not_hide_what_became_of_the_create(clock: VirtualClock) -> None:
    """What cannot be signed cannot be looked for, and the create is the news."""
    store = Store("made, unanswered")

    def find() -> list[str]:
        raise errors.AgentError("the agent is gone")

    with pytest.raises(errors.TransportError, match="lost"):
        create_once(store.send, find, clock, 180.0)


def test_a_double_is_never_silent(clock: VirtualClock) -> None:
    """Two things of one create are both named."""
    store = Store("unanswered", "made")

    def find() -> list[str]:
        return ["thing 1", "thing 2"] if store.sent == 2 else []

    with pytest.raises(errors.DoubledCreate, match="thing 1, thing 2") as caught:
        create_once(store.send, find, clock, 10.0)

    assert caught.value.things == ["thing 1", "thing 2"]


def test_a_double_of_which_one_is_not_listed_yet_is_not_silent(clock: VirtualClock) -> None:
    """The first thing, which turned up too late, does not hide the one that was answered with."""
    store = Store("unanswered", "made")

    def find() -> list[str]:
        return ["thing 1"] if store.sent == 2 else []

    with pytest.raises(errors.DoubledCreate) as caught:
        create_once(store.send, find, clock, 10.0)

    assert caught.value.things == ["thing 2", "thing 1"]


def test_a_create_that_cannot_be_checked_afterwards_is_trusted(clock: VirtualClock) -> None:
    """An answered second attempt counts, even if the look after it fails."""
    store = Store("unanswered", "made")

    def find() -> list[str]:
        if store.sent == 2:
            raise errors.TransportError("blind")
        return []

    assert create_once(store.send, find, clock, 10.0) == "thing 2"
