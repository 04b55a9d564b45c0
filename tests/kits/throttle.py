"""Work under CloudAPI's throttle, from many threads and processes, of which nothing may be lost."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from kits.campaign import FastClock
from smartdc import DataCenter, Machine, ResourceNotFound
from smartdc.emulator import Emulator, Fault, Server, WallClock
from smartdc.emulator.core.settings import Throttle

__all__ = ["MIXED", "SharedClock", "Throttled", "from_processes", "mixed_calls", "single_resets"]

T = TypeVar("T")

CLOUDAPIS = Throttle(burst=30, rate=10)
"""CloudAPI's own default, by which 60 creates take three seconds, and 400 calls 37."""
START = 1_767_225_600.0


class SharedClock:
    """Time for several threads that passes only when all of them sleep, and then up to the first that wakes."""

    def __init__(self) -> None:
        self._now = 0.0
        self._awake = 0
        self._lock = threading.Lock()
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return START + self._now

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self._now

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Take part: while a thread is in here and not asleep, time stands still."""
        with self._lock:
            self._awake += 1
        try:
            yield
        finally:
            self._fall_asleep()

    def sleep(self, seconds: float, /) -> None:
        """Wait until the others have slept as long, too."""
        wake = threading.Event()
        with self._lock:
            heapq.heappush(self._sleepers, (self._now + max(seconds, 0.0), next(self._numbers), wake))
        self._fall_asleep()
        wake.wait()

    def _fall_asleep(self) -> None:
        """Let time pass when nobody is awake, and wake whoever comes first."""
        with self._lock:
            self._awake -= 1
            if self._awake or not self._sleepers:
                return
            self._now, _, wake = heapq.heappop(self._sleepers)
            self._awake = 1
            wake.set()


class Throttled:
    """A data centre behind HTTP that throttles, and a client of it that threads share.

    Without a clock for several threads they go by the real time.
    """

    def __init__(self, throttle: Throttle = CLOUDAPIS, clock: SharedClock | None = None) -> None:
        self.throttle = throttle
        self.clock = clock
        self.cloud = Emulator(clock=clock or WallClock())
        self.cloud.state.settings.throttle = throttle
        self.server = Server(self.cloud)

    def __enter__(self) -> Self:
        """Open the door."""
        self.server.__enter__()
        parts = {**self.cloud.connection(self.server.url), "timeout": 120.0}
        self.client = DataCenter(**(parts if self.clock is None else {**parts, "clock": self.clock}))
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.client.close()
        self.server.__exit__(None, None, None)

    def creates(self, threads: int, count: int) -> int:
        """Create machines, and return how many there are; any failure is raised."""
        [pattern] = self.cloud.populate(1)
        image, package = pattern.image, pattern.package
        made = self._each(threads, count, lambda n: self.client.create_machine(f"w-{n}", image=image, package=package))
        return len({machine.id for machine in made} & set(self.cloud.state.machines))

    def accounts(self, threads: int, count: int) -> int:
        """Ask for the account so often, and return how many answers were right."""
        return sum(self._each(threads, count, lambda _: self.client.account().login == self.cloud.login))

    def _each(self, threads: int, count: int, call: Callable[[int], T]) -> list[T]:
        """Call a function with each number from several threads, and return the results."""

        def awake(number: int) -> T:
            with self.clock.awake() if self.clock else contextlib.nullcontext():
                return call(number)

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(awake, range(count)))

    def ideal(self, calls: int) -> float:
        """Return the seconds that so many calls of one area take at least."""
        return (calls - self.throttle.burst) / self.throttle.rate


PROCESS = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from smartdc import DataCenter
url, login, key_id, key, threads, count = json.loads(sys.stdin.readline())
with DataCenter(url, key_id=key_id, secret=key, login=login, timeout=120.0) as dc, ThreadPoolExecutor(threads) as pool:
    dc.datacenters()
    print("ready", flush=True)
    sys.stdin.readline()
    print(sum(pool.map(lambda _: dc.account().login == login, range(count))), flush=True)
"""


def from_processes(site: Throttled, processes: int, threads: int, count: int) -> tuple[int, float]:
    """Ask for the account from several processes at once; return how many answers were right, and the seconds."""
    root = str(Path(__file__).parents[2])
    where = [site.server.url, site.cloud.login, site.cloud.key_id, str(site.cloud.private_key), threads, count]
    with contextlib.ExitStack() as stack:
        running = []
        for _ in range(processes):
            child = subprocess.Popen(
                [sys.executable, "-c", PROCESS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": root},
            )
            running.append(stack.enter_context(child))
            _tell(child, json.dumps(where))
        assert [_said(child) for child in running] == ["ready"] * processes
        began = time.monotonic()
        for child in running:
            _tell(child, "go")
        right = sum(int(_said(child) or 0) for child in running)
        return right, time.monotonic() - began


def _tell(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


def _said(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline().strip()


def single_resets(count: int) -> int:
    """Ask so often, with one reset each time, and return how many answers were right."""
    clock = FastClock()
    cloud, right = Emulator(clock=clock), 0
    with Server(cloud) as server, DataCenter(**{**cloud.connection(server.url), "clock": clock}) as dc:
        for _ in range(count):
            cloud.faults.add(Fault("GetAccount", "reset", times=1))
            right += dc.account().login == cloud.login
        # Each of them met its fault: there were two requests for each answer.
        assert len(cloud.trace) == 2 * count
    return right


def absent(number: int, step: int) -> str:
    """Return the id of a machine that nobody has, different for each question."""
    return f"{number:08x}-0000-4000-8000-{step:012x}"


def missing(dc: DataCenter, number: int, step: int) -> bool:
    """Ask for a machine that is not there, and tell whether the refusal is about that one."""
    try:
        dc.machine(absent(number, step))
    except ResourceNotFound as error:
        return absent(number, step) in error.path
    return False


MIXED: list[Callable[[DataCenter, Machine, int, int], bool]] = [
    lambda dc, m, n, _: dc.raw_machine_data(m.id)["name"] == f"web-{n}",
    lambda dc, m, n, _: [found.id for found in dc.machines(tags={"worker": f"w{n}"})] == [m.id],
    lambda _, m, n, step: m.add_tags(step=f"{n}-{step}") == {"worker": f"w{n}", "step": f"{n}-{step}"},
    lambda _, m, n, __: m.get_metadata("worker") == f"w{n}",
    lambda dc, _, n, step: missing(dc, n, step),
]
"""Questions whose answers no other thread's question has."""


def crowded(count: int, throttle: Throttle, clock: Any) -> Emulator:
    """Return a data centre with so many machines, each with a tag and metadata of its own."""
    cloud = Emulator(clock=clock)
    cloud.state.settings.throttle = throttle
    for number, machine in enumerate(cloud.populate(count, name="web-{n}")):
        machine.tags, machine.metadata = {"worker": f"w{number}"}, {"worker": f"w{number}"}
    return cloud


def mixed_calls(threads: int, calls: int, throttle: Throttle = CLOUDAPIS) -> tuple[int, float, int]:
    """Ask mixed questions through the throttle, in virtual time; any failure is raised.

    Return how many answers were right, how many virtual seconds that took, and how many requests there were.
    """
    clock = SharedClock()
    cloud = crowded(threads, throttle, clock)
    ids = [machine.id for machine in cloud.state.machines.values()]
    barrier = threading.Barrier(threads)

    def work(number: int) -> int:
        machine = Machine(dc, data={"id": ids[number], "name": f"web-{number}"})
        with clock.awake():
            barrier.wait()
            return sum(
                MIXED[(number + step) % len(MIXED)](dc, machine, number, step) for step in range(calls // threads)
            )

    with DataCenter(**{**cloud.connection(), "clock": clock}) as dc, ThreadPoolExecutor(threads) as pool:
        right = sum(pool.map(work, range(threads)))
    return right, clock.monotonic(), len(cloud.trace)
