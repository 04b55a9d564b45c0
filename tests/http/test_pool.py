"""Connections are counted and kept so that an interrupt at any moment leaves the client usable."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from kits.http import RawServer, reply
from smartdc.http.pool import Slots, Stack
from smartdc.http.session import Session
from smartdc.http.settings import Settings

WHERE = {"pool.py", "queue.py", "threading.py", "transport.py"}
"""The files in whose midst the interrupts come: those that could hold a lock of the client."""
ENOUGH = 2_000


@contextlib.contextmanager
def interrupt(count: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt in this thread after so many steps of Python's in the files that matter."""
    left, before = [count], sys.gettrace()

    def step(frame: FrameType, event: str, _: Any) -> Any:
        if Path(frame.f_code.co_filename).name not in WHERE:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
        return step

    sys.settrace(step)
    try:
        yield left
    finally:
        sys.settrace(before)


# A socket that is forgotten amid its being made is closed by Python, which warns of that.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_the_client_usable() -> None:
    """A call after one that was interrupted gets its answer; none waits for a lock that nobody holds."""

    def work() -> None:
        with RawServer(reply(body=[1])) as server:
            session = Session(Settings(server.url, pool_size=ENOUGH))
            session.request("GET", "/my")
            for count in range(1, ENOUGH):
                with contextlib.suppress(KeyboardInterrupt), interrupt(count) as left:
                    session.request("GET", "/my")
                done.append(session.request("GET", "/my")[0] == [1])
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
    slots = Slots(2)
    assert slots.acquire(0.01)
    assert slots.acquire(0.01)
    assert not slots.acquire(0.01)

    slots.release()

    assert slots.acquire()


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
