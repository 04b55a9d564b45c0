"""Keep to the rate at which CloudAPI takes calls, once it has refused one.

CloudAPI gives each account a bucket of about 30 calls for each area, filled with about 10 a second by each of its
processes, and refuses what finds it empty: 429, without a word on when to come back. A refused call was not applied,
so it can wait and be sent again, and so can all that would be refused next.

Nothing waits until the first refusal. From then on calls of the area queue, first come first served, and go out a
little faster than the server is seen to take them: so its bucket stays empty, nothing of the rate is lost, and a
refusal now and then tells that the rate is still right. While nothing is refused the rate rises, since there may be
more processes behind a proxy, or fewer clients beside this one. When nobody has called for a while the bucket is full
again, and the pace is forgotten.
"""

from __future__ import annotations

import itertools
import re
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartdc.http.clock import Clock

__all__ = ["Pace", "Paces", "Turn", "area_of"]

FIRST_RATE = 10.0
"""Calls a second that are tried after the first refusal: CloudAPI's default."""
MIN_RATE = 0.5
"""Calls a second below which the pace never falls."""
OVERSHOOT = 1.05
"""How much faster than the server takes them calls are sent, so that its bucket never fills unused."""
CALM_SECONDS, CALM_CALLS = 0.8, 3.0
"""How long, and for how many calls, nothing must be refused before the rate rises, and again before it rises further."""
GROWTH, EXTRA_GROWTH, MAX_EXTRA = 0.25, 0.6, 2.0
"""The share by which it rises; by half, but at most two calls a second, where it is low: so clients become equal."""
LARGEST_FALL = 0.9
"""What is left of the rate after one refusal, at least: how much the server took is counted over few calls."""
WINDOW_SECONDS = 3.0
"""The time over which it is counted what the server takes; a shorter one is not believed below a second."""
IDLE_SECONDS = 3.0
"""After so long without a call the server's bucket is full again."""
CATCH_UP_SECONDS = 0.5
"""How far calls may lag behind their slots and still catch up: a thread wakes later than it asked for."""
LONGEST_SLEEP, SHORTEST_SLEEP = 1.0, 0.005
"""Seconds between two looks at the queue: the rate may have changed meanwhile."""

_MACHINES = re.compile(r"(?:^|/)(?:machines|fwrules)(?:/|$)")


def area_of(path: str) -> str:
    """Return the part of the API that shares one limit: machines and firewall rules, or the path's first segment."""
    return "machines" if _MACHINES.search(path) else path.lstrip("/").partition("/")[0]


class Turn:
    """A call's place in the queue, which it keeps when it is refused and comes back."""

    __slots__ = ("number", "paced")

    def __init__(self, number: int) -> None:
        self.number = number
        self.paced = False
        """Whether it waited for its slot: only such calls tell the rate at which the server takes them."""


class Pace:
    """The queue of one area, shared by the threads of one client."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._rate: float | None = None
        self._queue: list[int] = []
        self._next_slot = 0.0
        self._taken: deque[float] = deque()
        """When paced calls were answered with something else than a refusal."""
        self._counted_from = self._refused_at = self._grown_at = self._used_at = 0.0

    @property
    def rate(self) -> float | None:
        """Calls a second that go out; None while nothing limits them."""
        return self._rate

    def turn(self) -> Turn:
        """Begin a call: who comes first goes first."""
        return Turn(next(self._numbers))

    def wait(
        self, turn: Turn, left: Callable[[], float | None], tell: Callable[[int, float], None] | None = None
    ) -> bool:
        """Wait until the call may go out; False when there is no time `left` (seconds, None for ever) before that.

        Only the head of the queue may go, when its slot has come; everybody else sleeps until about its own turn and
        looks again. `tell` is called before each sleep with how many are ahead and the seconds that this will take.
        """
        if self._rate is None:
            return True
        try:
            with self._lock:
                if not self._queue and self._clock.monotonic() - self._used_at > IDLE_SECONDS:
                    self._rate = None
                    return True
                insort(self._queue, turn.number)
            while True:
                with self._lock:
                    ahead, pause = self._look(turn)
                if pause <= 0:
                    return True
                remaining = left()
                if remaining is not None and remaining <= 0:
                    return False
                if tell:
                    tell(ahead, pause)
                limit = LONGEST_SLEEP if remaining is None else min(LONGEST_SLEEP, remaining)
                self._clock.sleep(min(max(pause, SHORTEST_SLEEP), limit))
        finally:
            # Without the lock: what a signal's handler raises while that is waited for would leave the number there.
            if turn.number in self._queue:
                self._queue.remove(turn.number)

    def _look(self, turn: Turn) -> tuple[int, float]:
        """Return how many are ahead and the seconds to wait; none when the call goes out, which takes its slot."""
        if self._rate is None:
            return 0, 0.0
        now, interval = self._clock.monotonic(), 1 / self._rate
        ahead = self._queue.index(turn.number)
        pause = self._next_slot + ahead * interval - now
        if ahead or pause > 0:
            return ahead, max(pause, SHORTEST_SLEEP)
        self._next_slot = max(self._next_slot, now - CATCH_UP_SECONDS) + interval
        self._used_at = now
        turn.paced = True
        return 0, 0.0

    def taken(self, turn: Turn) -> None:
        """Note that the server took the call, whatever it then said of it."""
        if not turn.paced or self._rate is None:
            return
        with self._lock:
            now = self._clock.monotonic()
            self._taken.append(now)
            if self._rate and now - max(self._refused_at, self._grown_at) > max(CALM_SECONDS, CALM_CALLS / self._rate):
                self._rate += max(self._rate * GROWTH, min(self._rate * EXTRA_GROWTH, MAX_EXTRA))
                self._grown_at = now

    def refused(self, turn: Turn, pause: float | None = None) -> None:
        """Note that the server refused the call for now, and asked for a `pause` in seconds if it said so."""
        with self._lock:
            now = self._clock.monotonic()
            if self._rate is None:
                self._rate = FIRST_RATE * OVERSHOOT
                self._counted_from = now
                self._taken.clear()
            elif turn.paced:
                self._rate = max(MIN_RATE, self._measured(now) * OVERSHOOT, self._rate * LARGEST_FALL)
            self._refused_at = self._used_at = now
            self._next_slot = max(self._next_slot, now + max(1 / self._rate, pause or 0.0))

    def _measured(self, now: float) -> float:
        """Return how many calls a second the server took lately."""
        rate = self._rate or FIRST_RATE
        seconds = min(now - self._counted_from, WINDOW_SECONDS)
        if seconds < 1:
            return rate / OVERSHOOT
        while self._taken and self._taken[0] < now - seconds:
            self._taken.popleft()
        return len(self._taken) / seconds


class Paces:
    """The paces of one client, one for each area."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_area: dict[str, Pace] = {}

    def of(self, path: str) -> Pace:
        """Return the pace of the area that a path is in."""
        area = area_of(path)
        pace = self._by_area.get(area)
        if pace is None:
            with self._lock:
                pace = self._by_area.setdefault(area, Pace(self._clock))
        return pace
