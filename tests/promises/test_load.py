"""A client keeps its bounds: under many threads, over many calls, in other processes, and while its server is down."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kits.campaign import ShortPauses
from kits.http import Act, Clock, Line, RawServer, close, reply
from kits.limits import MIB, descriptors, join_all_but, resident
from kits.mutation import parsed, written
from kits.thorough import amount
from kits.throttle import MIXED, SharedClock, Throttled, crowded, from_processes, mixed_calls, single_resets
from smartdc import DataCenter, Machine, ServerError, TransportError
from smartdc.emulator import Emulator, Server, WallClock
from smartdc.emulator.core.settings import Throttle

THREADS, EACH = 200, amount(15, 50)
POOL = 16
"""How many connections a client has at most."""


# Many threads


@pytest.fixture
def shared() -> SharedClock:
    """Time that passes when all threads sleep."""
    return SharedClock()


@pytest.fixture
def crowd(shared: SharedClock) -> Emulator:
    """A data centre with a machine for each thread, and a throttle that all of them exceed."""
    return crowded(THREADS, Throttle(burst=30, rate=100), shared)


@pytest.fixture
def busy(crowd: Emulator) -> Iterator[RawServer]:
    """A server of it that counts connections."""

    def act(line: Line) -> bool:
        line.send(written(crowd.handle(parsed(line.request))))
        return True

    with RawServer(act) as server:
        yield server


def test_two_hundred_threads_get_their_own_answers(
    crowd: Emulator, busy: RawServer, shared: SharedClock, record_property: Callable[[str, object], None]
) -> None:
    """Thousands of mixed calls of one client under the throttle use no more connections than it may have."""
    ids = [machine.id for machine in crowd.state.machines.values()]
    began, before = time.monotonic(), descriptors()
    open_files: list[int] = []
    everybody = threading.Barrier(THREADS)

    def work(number: int) -> int:
        machine, right = Machine(dc, data={"id": ids[number], "name": f"web-{number}"}), 0
        with shared.awake():
            everybody.wait()
            for step in range(EACH):
                right += MIXED[(number + step) % len(MIXED)](dc, machine, number, step)
                if number == 0:
                    open_files.append(descriptors())
        return right

    arguments = {**crowd.connection(busy.url), "clock": shared, "rng": ShortPauses(0)}
    with DataCenter(**arguments) as dc, ThreadPoolExecutor(THREADS) as pool:
        right = sum(pool.map(work, range(THREADS)))
    asked = len(busy.requests)
    figures = f"{right:,} of {THREADS * EACH:,} right; {asked:,} requests, {busy.connections} connections"
    record_property("figures", f"{figures}, {max(open_files) - before} descriptors; {time.monotonic() - began:.0f} s")

    assert right == THREADS * EACH
    assert asked > THREADS * EACH * 1.05
    assert busy.connections <= POOL
    assert busy.most_at_once <= POOL
    assert max(open_files) - before <= 2 * POOL


# Under the throttle, whatever is lost fails the test


@pytest.fixture
def throttled(shared: SharedClock) -> Iterator[Throttled]:
    """A data centre that throttles as CloudAPI does, in time that passes when all threads sleep."""
    with Throttled(clock=shared) as site:
        yield site


def refusals(site: Throttled) -> int:
    """Count the requests that were refused."""
    return sum(entry.status == 429 for entry in site.cloud.trace)


@pytest.mark.parametrize("threads", [8, 16, 32])
def test_no_create_is_lost_to_the_throttle(throttled: Throttled, shared: SharedClock, threads: int) -> None:
    """Sixty machines are asked for, and made, once each, hardly later than the rate allows."""
    assert throttled.creates(threads, 60) == 60
    assert len(throttled.cloud.state.machines) == 61
    assert shared.monotonic() <= 1.15 * throttled.ideal(60)
    assert refusals(throttled) > 0


@pytest.mark.parametrize("threads", [4, 16, 32])
def test_no_read_is_lost_to_the_throttle(throttled: Throttled, shared: SharedClock, threads: int) -> None:
    """Nor does any fail for want of retries, or come much later than the rate allows."""
    assert throttled.accounts(threads, 400) == 400
    assert shared.monotonic() <= 1.15 * throttled.ideal(400)
    assert refusals(throttled) > 0


@pytest.mark.parametrize("processes", [2, 3])
def test_no_call_of_several_processes_is_lost_to_the_throttle(processes: int) -> None:
    """Each learns its share of the account's rate, which is more than CloudAPI's here, since time is the real one."""
    with Throttled(Throttle(burst=30, rate=60)) as throttled:
        right, _ = from_processes(throttled, processes, threads=8, count=60)

    assert right == processes * 60
    assert refusals(throttled) > 0


@pytest.mark.parametrize("clients", [2, 3])
def test_several_clients_together_keep_to_the_account_s_rate(shared: SharedClock, clients: int) -> None:
    """As processes do, each learns its share; none loses a call, and together they leave little of the rate unused."""
    count, throttle = 150 * clients, Throttle(burst=30, rate=10)
    cloud = Emulator(clock=shared)
    cloud.state.settings.throttle = throttle

    def ask(number: int) -> bool:
        with shared.awake():
            return all_of_them[number % clients].account().login == cloud.login

    with contextlib.ExitStack() as stack:
        arguments = {**cloud.connection(), "clock": shared, "timeout": 120.0}
        all_of_them = [stack.enter_context(DataCenter(**arguments)) for _ in range(clients)]
        with ThreadPoolExecutor(8 * clients) as pool:
            assert sum(pool.map(ask, range(count))) == count
    assert shared.monotonic() <= 1.15 * (count - throttle.burst) / throttle.rate


def test_mixed_calls_keep_to_the_servers_rate() -> None:
    """Of 32 threads none loses a call, and all together take hardly longer than the rate allows."""
    right, seconds, _ = mixed_calls(32, 1_600)

    # Of five questions one is answered before the throttle is asked.
    assert right == 1_600
    assert seconds <= 1.15 * (1_600 * 4 / 5 - 30) / 10


def test_a_reset_for_each_call_costs_no_call() -> None:
    """The budget that guards a server that is down is not spent by one that is up."""
    assert single_resets(100) == 100


# Many calls, and many clients


@pytest.fixture
def without_frames() -> Iterator[RawServer]:
    """A server that answers everybody with an empty list, and remembers nobody."""

    def act(line: Line) -> bool:
        server.requests.clear()
        return answer(line)

    answer = reply(body=[])
    with RawServer(act) as server:
        yield server


def test_thousands_of_calls_leave_nothing_behind(without_frames: RawServer, cloud: Emulator) -> None:
    """A client that is used for long keeps as much memory and as many descriptors as one that was just made."""
    calls = amount(5_000, 20_000)
    with DataCenter(**{**cloud.connection(without_frames.url), "clock": None}) as dc:
        for _ in range(1_000):
            dc.request("GET", "/machines")
        memory, open_files = resident(), descriptors()
        for _ in range(calls):
            dc.request("GET", "/machines")

        assert descriptors() == open_files
        assert resident() - memory < 8 * MIB * calls / 20_000
    assert without_frames.connections == 1


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "let go"])
def test_five_hundred_clients_leave_nothing_behind(cloud: Emulator, closed: bool) -> None:
    """A client that is closed, or that nobody has any more, gives back its memory, descriptors and threads."""

    def use() -> None:
        dc = DataCenter(**{**cloud.connection(server.url), "clock": None})
        dc.request("GET", "/packages")
        if closed:
            dc.close()

    with Server(Emulator(clock=WallClock(), public_key=cloud.public_key)) as server:
        for _ in range(100):
            use()
        threads = set(threading.enumerate())
        join_all_but({threading.current_thread(), *(t for t in threads if "serve_forever" in t.name)})
        memory, open_files = resident(), descriptors()
        for _ in range(500):
            use()
        growth = resident() - memory
        left = join_all_but(threads)

        assert growth < 2 * MIB
        assert not left
        assert descriptors() <= open_files


# A server that is down


def refused_port() -> str:
    """Return a URL at which nobody listens, and nobody will."""
    return "http://127.0.0.1:1"


@pytest.mark.parametrize("act", [close, reply(502), reply(503), None], ids=["close", "502", "503", "refused"])
def test_a_server_that_is_down_gets_few_requests_more(act: Act | None) -> None:
    """A hundred calls make a hundred requests, twenty more and one for every ten seconds; later ones fail at once."""
    clock, attempts = Clock(), 0
    began = clock.now
    with RawServer(act or close) as server, DataCenter(server.url if act else refused_port(), clock=clock) as dc:
        for _ in range(100):
            with pytest.raises((TransportError, ServerError)) as caught:
                dc.request("GET", "/machines")
            attempts += caught.value.attempts
        slept = len(clock.slept)
        for _ in range(10):
            with pytest.raises((TransportError, ServerError)):
                dc.request("GET", "/machines")

    assert attempts <= 120 + (clock.now - began) / 10
    assert len(server.requests) in {attempts + 10, 0}
    assert len(clock.slept) == slept


def test_recovery_is_spread() -> None:
    """Hundreds of clients that lose one server at the same time do not come back at the same time."""
    clocks, clients = [], amount(300, 1_000)
    for seed in range(clients):
        clock = Clock()
        with DataCenter(refused_port(), clock=clock, rng=random.Random(seed)) as dc, pytest.raises(TransportError):  # noqa: S311
            dc.request("GET", "/machines")
        clocks.append(clock)
    for attempt in range(4):
        moments = [sum(clock.slept[: attempt + 1]) for clock in clocks]
        width = max(moments) / 20
        crowded = Counter(int(moment / width) for moment in moments)

        assert max(crowded.values()) <= 0.15 * clients
        assert len(set(moments)) == len(moments)


def test_the_given_source_of_chance_decides(cloud: Emulator) -> None:
    """With one seed two clients pause alike, so that a run can be repeated."""
    pauses = []
    for _ in range(2):
        clock = Clock()
        parts = {**cloud.connection(refused_port()), "clock": clock, "rng": random.Random(7)}  # noqa: S311
        with DataCenter(**parts) as dc, pytest.raises(TransportError):
            dc.request("GET", "/machines")
        pauses.append(clock.slept)

    assert pauses[0] == pauses[1]
    assert len(pauses[0]) == 4


# Other processes


@pytest.fixture
def served() -> Iterator[tuple[Emulator, Server]]:
    """A data centre by the real time, with three machines, and its server."""
    cloud = Emulator(clock=WallClock())
    cloud.populate(3)
    with Server(cloud) as server:
        yield cloud, server


@pytest.fixture
def away(served: tuple[Emulator, Server], tmp_path: Path) -> Iterator[tuple[DataCenter, Path]]:
    """A client whose key is a file, and where its pickle is."""
    cloud, server = served
    key, pickled = tmp_path / "id_cloud", tmp_path / "dc.pickle"
    key.touch(0o600)
    key.write_text(str(cloud.private_key))
    with DataCenter(**{**cloud.connection(server.url), "secret": str(key)}) as dc:
        pickled.write_bytes(pickle.dumps(dc))
        yield dc, pickled


def run(script: str, *arguments: object) -> Any:
    """Run a script in another Python, and return what it printed, as JSON."""
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SPAWNED = """
import json, pickle, sys
from pathlib import Path
dc = pickle.loads(Path(sys.argv[1]).read_bytes())
print(json.dumps([machine.id for machine in dc.machines()]))
dc.close()
"""

FORKED = """
import json, os, pickle, sys
from pathlib import Path
dc = pickle.loads(Path(sys.argv[1]).read_bytes())
mine = len(dc.machines())
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.write(writer, json.dumps([len(dc.machines()) for _ in range(20)]).encode())
    os._exit(0)
ours = [len(dc.machines()) for _ in range(20)]
os.close(writer)
with os.fdopen(reader) as said:
    print(json.dumps([mine, ours, json.load(said)]))
os.waitpid(child, 0)
dc.close()
"""


def test_a_spawned_child_finds_the_key_again(away: tuple[DataCenter, Path], served: tuple[Emulator, Server]) -> None:
    """A data centre that was pickled without its key reads it from its file where it is unpickled."""
    cloud, _ = served

    assert run(SPAWNED, away[1]) == [machine.id for machine in cloud.state.machines.values()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_and_its_parent_ask_at_the_same_time(away: tuple[DataCenter, Path]) -> None:
    """Neither gets the other's answers, since the child has connections of its own."""
    assert run(FORKED, away[1]) == [3, [3] * 20, [3] * 20]
