"""The pace keeps to the rate at which the server takes calls, and to nothing until it refuses one."""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
from collections.abc import Callable

import pytest

from kits.interrupts import signal_after
from smartdc.emulator import VirtualClock
from smartdc.http.pace import FIRST_RATE, IDLE_SECONDS, OVERSHOOT, Pace, Paces, area_of


class TokenBucket:
    """CloudAPI's throttle, on the same clock."""

    def __init__(self, clock: VirtualClock, burst: float = 30, rate: float = 10) -> None:
        self.clock, self.burst, self.rate = clock, burst, rate
        self.tokens, self.counted = burst, clock.monotonic()
        self.refused = 0

    def takes(self) -> bool:
        """Take a token if there is one."""
        now = self.clock.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.counted) * self.rate)
        self.counted = now
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        return True


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that passes only when somebody sleeps."""
    return VirtualClock()


@pytest.fixture
def pace(clock: VirtualClock) -> Pace:
    """A pace that nothing limits yet."""
    return Pace(clock)


def for_ever() -> None:
    """Have no deadline."""


def within(clock: VirtualClock, seconds: float) -> Callable[[], float]:
    """Return what tells how much is left of some seconds from now."""
    end = clock.monotonic() + seconds
    return lambda: end - clock.monotonic()


def call(pace: Pace, bucket: TokenBucket) -> None:
    """Make one call, however often it is refused."""
    turn = pace.turn()
    while pace.wait(turn, for_ever):
        if bucket.takes():
            pace.taken(turn)
            return
        pace.refused(turn)


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("", ""),
        ("/", ""),
        ("/machines", "machines"),
        ("/machines/abc/tags/machines", "machines"),
        ("/fwrules/abc", "machines"),
        ("/machines/abc/fwrules", "machines"),
        ("/fwrules/abc/machines", "machines"),
        ("/images", "images"),
        ("/images/machines-of-mine", "images"),
        ("/users/abc/keys", "users"),
    ],
)
def test_areas_are_those_of_the_server(path: str, area: str) -> None:
    """Machines and firewall rules share a limit, and every other first segment has its own."""
    assert area_of(path) == area


def test_areas_have_paces_of_their_own(clock: VirtualClock) -> None:
    """What is refused in one area says nothing of another."""
    paces = Paces(clock)

    assert paces.of("/machines/a") is paces.of("/fwrules")
    assert paces.of("/machines/a") is not paces.of("/images")


def test_nothing_waits_before_the_first_refusal(pace: Pace, clock: VirtualClock) -> None:
    """A thousand calls go out at once."""
    assert all(pace.wait(pace.turn(), for_ever) for _ in range(1000))
    assert (pace.rate, clock.monotonic()) == (None, 0)


@pytest.mark.parametrize("rate", [1, 10, 40])
def test_calls_take_as_long_as_the_server_needs(pace: Pace, clock: VirtualClock, rate: float) -> None:
    """After the burst, a thousand calls take hardly longer than the server's rate allows, with few refusals."""
    bucket = TokenBucket(clock, burst=30, rate=rate)
    for _ in range(1000):
        call(pace, bucket)

    assert clock.monotonic() < 1.15 * 970 / rate
    assert bucket.refused < 500


def test_refusal_sets_the_documented_rate(pace: Pace, clock: VirtualClock) -> None:
    """The first guess is what CloudAPI's documentation says."""
    pace.refused(pace.turn())

    assert pace.rate == FIRST_RATE * OVERSHOOT
    assert pace.wait(pace.turn(), for_ever)
    assert clock.monotonic() == pytest.approx(1 / pace.rate, abs=0.01)


def test_calls_that_did_not_wait_for_a_slot_do_not_lower_the_rate(pace: Pace, clock: VirtualClock) -> None:
    """Threads that sent at once before the first refusal are all refused, which says nothing of the rate."""
    turns = [pace.turn() for _ in range(16)]
    assert all(pace.wait(turn, for_ever) for turn in turns)
    for turn in turns:
        pace.refused(turn)
        clock.sleep(0.5)

    assert pace.rate == FIRST_RATE * OVERSHOOT


def test_calls_that_did_not_wait_for_a_slot_do_not_raise_what_is_measured(pace: Pace, clock: VirtualClock) -> None:
    """Answers to what was sent before the first refusal come late, and say nothing of the rate."""
    early = [pace.turn() for _ in range(100)]
    assert all(pace.wait(turn, for_ever) for turn in early)
    pace.refused(pace.turn())
    clock.advance(2)
    for turn in early:
        pace.taken(turn)
    late = pace.turn()
    assert pace.wait(late, for_ever)
    pace.refused(late)

    assert pace.rate is not None
    assert pace.rate < FIRST_RATE


def test_pause_that_the_server_asks_for_is_kept(pace: Pace, clock: VirtualClock) -> None:
    """A Retry-After holds for the whole area."""
    pace.refused(pace.turn(), 7.0)

    assert pace.wait(pace.turn(), for_ever)
    assert clock.monotonic() >= 7


def test_refused_call_goes_before_those_that_came_later(pace: Pace) -> None:
    """First come, first served, also after a refusal."""
    first, second = pace.turn(), pace.turn()
    pace.refused(first)
    order: list[str] = []

    def go(name: str) -> None:
        assert pace.wait(first if name == "first" else second, for_ever)
        order.append(name)

    pace._queue.append(-1)  # somebody is ahead until both wait, the later one first
    threads = [threading.Thread(target=go, args=(name,)) for name in ("second", "first")]
    for waiting, thread in enumerate(threads, 2):
        thread.start()
        while len(pace._queue) < waiting:
            pass
    pace._queue.remove(-1)
    for thread in threads:
        thread.join()

    assert order == ["first", "second"]


def test_time_in_the_queue_ends_with_the_deadline(pace: Pace, clock: VirtualClock) -> None:
    """A call whose time is up leaves the queue and is not sent."""
    pace.refused(pace.turn(), 60.0)

    assert not pace.wait(pace.turn(), within(clock, 5))
    assert clock.monotonic() == pytest.approx(5, abs=0.02)
    assert pace.wait(pace.turn(), for_ever)


def test_waiting_is_told(pace: Pace) -> None:
    """Whoever waits hears how many are ahead, and for how long."""
    told: list[tuple[int, float]] = []
    pace.refused(pace.turn(), 3.0)
    pace.wait(pace.turn(), for_ever, lambda ahead, seconds: told.append((ahead, seconds)))

    [(ahead, seconds), *_] = told
    assert ahead == 0
    assert seconds == pytest.approx(3.0)


def test_those_ahead_are_counted_in_what_is_told(pace: Pace, clock: VirtualClock) -> None:
    """The third of three waits for two slots more than the first."""
    pace.refused(pace.turn(), 3.0)
    rate = pace.rate
    assert rate is not None
    told: list[tuple[int, float]] = []

    def tell(ahead: int, seconds: float) -> None:
        told.append((ahead, seconds))
        raise KeyboardInterrupt

    first, second, third = (pace.turn() for _ in range(3))
    began = clock.monotonic()
    pace._queue += [first.number, second.number]  # as if two threads waited
    with pytest.raises(KeyboardInterrupt):
        pace.wait(third, for_ever, tell)

    [(ahead, seconds)] = told
    assert ahead == 2
    assert seconds == pytest.approx(3 + 2 / rate)
    assert clock.monotonic() == began


def test_interrupt_leaves_the_queue(pace: Pace, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What raises while a call waits takes it out of the way of the others."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    pace.refused(pace.turn())
    with monkeypatch.context() as patch:
        patch.setattr(clock, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pace.wait(pace.turn(), for_ever)

    assert pace.wait(pace.turn(), for_ever)


def test_a_signal_at_any_step_leaves_the_queue(clock: VirtualClock) -> None:
    """Who is interrupted, wherever Python runs the handler, holds up nobody who comes after."""
    for count in itertools.count(1):
        pace = Pace(clock)
        pace.refused(pace.turn(), 0.1)
        amid = signal_after(count, is_pace, signal.SIGALRM, InterruptedError)
        with contextlib.suppress(InterruptedError), amid as left:
            pace.wait(pace.turn(), within(clock, 5))
        assert pace.wait(pace.turn(), within(clock, 5)), count
        if left[0] > 0:
            break
    assert count > 50


def is_pace(path: str) -> bool | None:
    """Tell the code of the pace from that of the tests; None for what it calls."""
    return True if path.endswith("http/pace.py") else None if "/tests/" not in path else False


@pytest.mark.parametrize("seconds", [IDLE_SECONDS, IDLE_SECONDS + 1])
def test_pace_is_forgotten_when_nobody_calls(pace: Pace, clock: VirtualClock, seconds: float) -> None:
    """After some quiet seconds, and not before, the server's bucket is full again."""
    pace.refused(pace.turn())
    clock.advance(seconds)

    assert pace.wait(pace.turn(), for_ever)
    assert (pace.rate is None) is (seconds > IDLE_SECONDS)


def test_the_first_second_measures_nothing(pace: Pace, clock: VirtualClock) -> None:
    """A call that waited for its slot and is refused at once leaves the rate as it is."""
    pace.refused(pace.turn())
    turn = pace.turn()
    assert pace.wait(turn, for_ever)
    pace.refused(turn)

    assert clock.monotonic() < 1
    assert pace.rate == FIRST_RATE * OVERSHOOT


def test_pace_rises_while_nothing_is_refused(pace: Pace, clock: VirtualClock) -> None:
    """There may be more processes behind a proxy than one."""
    pace.refused(pace.turn())
    for _ in range(200):
        turn = pace.turn()
        assert pace.wait(turn, for_ever)
        pace.taken(turn)

    assert pace.rate is not None
    assert pace.rate > 4 * FIRST_RATE
    assert clock.monotonic() < 10


def test_server_that_takes_nothing_is_asked_ever_less(pace: Pace, clock: VirtualClock) -> None:
    """A call that is refused for a minute is sent a bounded number of times."""
    turn, left, sent = pace.turn(), within(clock, 60), 0
    while pace.wait(turn, left):
        sent += 1
        pace.refused(turn)

    assert 20 < sent < 120
