"""Connections are counted and kept so that an interrupt at any moment leaves the client usable."""

from __future__ import annotations

import contextlib
import os
import queue
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kits.http import Line, RawServer, reply
from kits.interrupts import interrupt
from smartdc.http import connections
from smartdc.http.pool import Slots, Stack
from smartdc.http.session import Session
from smartdc.http.settings import Settings

WHERE = {"pool.py", "queue.py", "session.py", "threading.py", "transport.py"}
"""The files in whose midst the interrupts come: those that could hold a lock of the client."""
ENOUGH = 4_000
INTERRUPTS = int(os.environ.get("SMARTDC_INTERRUPTS", "300"))
"""How many are sent at random moments; 20,000 take minutes."""


# A socket that is forgotten amid its being made is closed by Python, which warns of that.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_the_client_usable() -> None:
    """A call after one that was interrupted gets its answer; none waits for a lock that nobody holds."""

    def work() -> None:
        with RawServer(reply(body=[1])) as server:
            session = Session(Settings(server.url, pool_size=1))
            session.request("GET", "/my")
            for count in range(1, ENOUGH):
                with contextlib.suppress(KeyboardInterrupt), interrupt(count, WHERE) as left:
                    session.request("GET", "/my")
                done.append(session._slots.free == 1 and session.request("GET", "/my")[0] == [1])
                if left[0] > 0:
                    break
            session.close()

    done: list[bool] = []
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)

    assert not thread.is_alive()
    assert all(done)
    assert 20 < len(done) < ENOUGH - 1


def test_slots_are_as_many_as_was_said() -> None:
    """When all are taken, one waits until one is given back, or until it is too late."""
    slots, first, second = Slots(2), [], []  # type: tuple[Slots, list[None], list[None]]
    assert slots.acquire(first, 0.01)
    assert slots.acquire(second, 0.01)
    assert not slots.acquire(second, 0.01)
    assert (slots.free, len(first), len(second)) == (0, 1, 1)

    slots.release(first)
    slots.release(first)

    assert (slots.free, first) == (1, [])
    assert slots.acquire(first)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
def test_interrupts_at_random_moments_cost_no_slot() -> None:
    """Hundreds of alarms that raise in the middle of calls leave all of the connections that a client may have."""
    chance = random.Random(3)  # noqa: S311 (moments, no secrets)
    before = signal.signal(signal.SIGALRM, _raise)
    interrupted = 0
    try:
        with RawServer(reply(body=[1])) as server:
            session = Session(Settings(server.url, pool_size=3))
            while interrupted < INTERRUPTS:
                try:
                    signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.003))
                    for _ in range(5):
                        session.request("GET", "/my")
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except KeyboardInterrupt:
                    interrupted += 1
            assert session._slots.free == 3
            session.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_stack_gives_what_it_was_given_last() -> None:
    """The connection that was used last is the least likely to be closed by now."""
    stack = Stack(2)
    stack.put("older")
    stack.put("newer")
    with pytest.raises(queue.Full):
        stack.put("one too many")

    assert (stack.qsize(), stack.get(), stack.get(), stack.qsize()) == (2, "newer", "older", 0)
    with pytest.raises(queue.Empty):
        stack.get()


class Kept:
    """What the stack keeps, in place of a connection."""

    def __init__(self, used_at: float) -> None:
        self.used_at = used_at
        self.closed = False

    def close(self) -> None:
        """Note it."""
        self.closed = True


def test_a_stack_shrinks_when_less_is_needed() -> None:
    """What lies at the bottom, and was not used for long, is closed, whatever is used above it."""
    stack, several = Stack(4), [Kept(1.0), Kept(2.0), Kept(3.0)]
    for item in [None, *several]:
        stack.put(item)

    stack.drop_idle(2.5)
    assert [item.closed for item in several] == [True, True, False]
    assert stack.qsize() == 1
    stack.drop_idle(9.0)
    assert (several[2].closed, stack.qsize()) == (True, 0)
    stack.drop_idle(9.0)


def open_connections(pool: Any) -> int:
    """Count the connections that a pool keeps."""
    return sum(kept is not None and not kept.is_closed for kept in pool.pool._kept)


def test_connections_of_a_busy_hour_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After many threads have called at once, one that goes on calling keeps its own connection only."""
    everybody = threading.Barrier(4)

    def act(line: Line) -> bool:
        if together.is_set():
            everybody.wait(10)
        return answer(line)

    answer, together = reply(body=[1]), threading.Event()
    with RawServer(act) as server, ThreadPoolExecutor(4) as threads:
        session = Session(Settings(server.url))
        together.set()
        assert len(list(threads.map(lambda _: session.request("GET", "/my"), range(4)))) == 4
        together.clear()
        [pool] = session.http.get_adapter(server.url)._pools.values()  # type: ignore[attr-defined]
        assert open_connections(pool) == 4
        monkeypatch.setattr(connections, "IDLE_LIMIT_SECONDS", 0.0)
        session.request("GET", "/my")

        assert open_connections(pool) == 1
        session.close()
