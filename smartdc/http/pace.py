"""Adapt to the rate at which CloudAPI accepts calls, after it has refused one.

CloudAPI limits the rate with a bucket: each account has about 30 calls for each area of the API, and each of CloudAPI's
processes adds about 10 calls per second. When the bucket is empty, CloudAPI refuses a call with a 429, and does not say
when to try again. A refused call was not applied, so it can wait and be sent again; so can the calls after it.

No call waits until the first refusal. From then on, the calls of the area form a queue, first come, first served. They
are sent a little faster than the server accepts them. So the bucket stays empty, no part of the rate is lost, and an
occasional refusal shows that the rate is still right. While no call is refused, the rate rises, since there may be more
processes behind a proxy, or fewer other clients. After a while without calls, the bucket is full again, and the pace is
forgotten.
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
"""The rate after the first refusal, in calls per second: CloudAPI's default."""
MIN_RATE = 0.5
"""The lowest rate, in calls per second."""
OVERSHOOT = 1.05
"""How much faster calls are sent than the server accepts them, so that its bucket never fills unused."""
CALM_SECONDS, CALM_CALLS = 0.8, 3.0
"""The time, and the number of calls, without a refusal before the rate rises, and before it rises again."""
GROWTH, EXTRA_GROWTH, MAX_EXTRA = 0.25, 0.6, 2.0
"""The share by which the rate rises; a low rate rises by more than half, at most by 2 per second: so clients get equal."""
LARGEST_FALL = 0.9
"""The smallest factor of the rate after one refusal, since the measured rate is based on few calls."""
WINDOW_SECONDS = 3.0
"""The time over which the server's rate is measured; a measurement of less than a second does not count."""
IDLE_SECONDS = 3.0
"""After this time without a call, the server's bucket is full again."""
CATCH_UP_SECONDS = 0.5
"""How far calls may lag behind their slots and still catch up: threads wake up a little too late."""
LONGEST_SLEEP, SHORTEST_SLEEP = 1.0, 0.005
"""Seconds between two checks of the queue: the rate may have changed meanwhile."""

_MACHINES = re.compile(r"(?:^|/)(?:machines|fwrules)(?:/|$)")


def area_of(path: str) -> str:
    """Return the part of the API that shares one limit: machines and firewall rules, or the path's first segment."""
    return "machines" if _MACHINES.search(path) else path.lstrip("/").partition("/")[0]


class Turn:
    """A call's place in the queue, which it keeps when it is refused and must be sent again."""

    __slots__ = ("number", "paced")

    def __init__(self, number: int) -> None:
        self.number = number
        self.paced = False
        """Whether it waited for its slot: only such calls show the rate at which the server accepts calls."""


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
        """The times at which paced calls were answered and not refused."""
        self._counted_from = self._refused_at = self._grown_at = self._used_at = 0.0

    @property
    def rate(self) -> float | None:
        """The current rate in calls per second; None without a limit."""
        return self._rate

    def turn(self) -> Turn:
        """Begin a call: first come, first served."""
        return Turn(next(self._numbers))

    def wait(
        self, turn: Turn, left: Callable[[], float | None], tell: Callable[[int, float], None] | None = None
    ) -> bool:
        """Wait until the call may be sent; False if there is not enough time `left` (in seconds; None for no limit).

        Only the first call of the queue may be sent, when its slot has come; every other call sleeps until about its
        own turn and checks again. `tell` is called before each sleep with the number of calls ahead and the expected
        seconds.
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
        """Return the number of calls ahead and the seconds to wait; none if the call may be sent, which uses its slot."""
        rate = self._rate or FIRST_RATE  # there is one as long as a call is in the queue
        now, interval = self._clock.monotonic(), 1 / rate
        ahead = self._queue.index(turn.number)
        pause = self._next_slot + ahead * interval - now
        if ahead or pause > 0:
            return ahead, max(pause, SHORTEST_SLEEP)
        self._next_slot = max(self._next_slot, now - CATCH_UP_SECONDS) + interval
        self._used_at = now
        turn.paced = True
        return 0, 0.0

    def taken(self, turn: Turn) -> None:
        """Note that the server accepted the call, whatever its answer is."""
        if not turn.paced or self._rate is None:
            return
        with self._lock:
            now = self._clock.monotonic()
            self._taken.append(now)
            if self._rate and now - max(self._refused_at, self._grown_at) > max(CALM_SECONDS, CALM_CALLS / self._rate):
                self._rate += max(self._rate * GROWTH, min(self._rate * EXTRA_GROWTH, MAX_EXTRA))
                self._grown_at = now

    def refused(self, turn: Turn, pause: float | None = None) -> None:
        """Note that the server throttled the call, and the `pause` in seconds if it asked for one."""
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
        """Return how many calls per second the server has accepted recently."""
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
