"""A run is killed at any of its requests and run again until it is done: nothing doubled, nothing lost, nothing twice.

Every run of the tests tries some of the moments, and with ``--thorough`` all of them, with random ones and with faults.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kits.killing import AFTER, BEFORE, WHILE, KillingServer, Victims
from kits.thorough import amount
from smartdc.emulator import AfterReads, Emulator, Fault, Server, WallClock

MAX_RUNS = 12
WEB = {"role": "web"}
IMAGE = "base-64-lts@24.4.1"
TAGGED = {"tags": WEB}
NEW = {"count": 20, "name": "web-{n:02}", "image": "debian-12", "package": "g1-small", "tags": WEB}
MAY_BE_ASKED_AGAIN = 2
"""How much more than it takes anyway a run that goes on may ask for each step that was under way, beside one listing."""


@dataclass(frozen=True)
class Deed:
    """What is killed: the call, how many machines there are before, and how many requests are under way at once."""

    call: str
    arguments: dict[str, Any]
    machines: int = 0
    under_way: int = 1

    def order(self, cloud: Emulator, url: str, folder: Path) -> dict[str, Any]:
        """Return what the victim is to do."""
        secret, key_id = str(cloud.private_key), cloud.connection(url)["key_id"]
        return {
            "url": url,
            "key_id": key_id,
            "secret": secret,
            "log": str(folder / "log"),
            "call": self.call,
            **({"fleet": TAGGED} if self.machines else {}),
            "arguments": {**self.arguments, "journal": str(folder / "journal")},
        }


CREATE = Deed("create_machines", NEW, under_way=8)
REBOOT = Deed("reboot", {}, machines=8)
REPLACE = Deed("replace", {"image": IMAGE, "losing": ["data"]}, machines=5)
DEEDS = [CREATE, REBOOT, REPLACE]


@dataclass
class Site:
    """A cloud behind a server that kills."""

    cloud: Emulator
    killer: KillingServer
    order: dict[str, Any]
    folder: Path

    def log(self) -> str:
        """Return what the victim said last."""
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    """The process whose children are killed, once for all tests."""
    with Victims.born() as process:
        yield process


@contextlib.contextmanager
def site(deed: Deed, folder: Path, faults: float = 0.0, seed: int = 0) -> Iterator[Site]:
    """Set up a cloud in which jobs end when their machine was looked at."""
    cloud = Emulator(seed=seed, clock=WallClock())
    for machine in cloud.populate(deed.machines, name="web-0{n}"):
        machine.tags = dict(WEB)
    cloud.transitions.policy = AfterReads(1)
    for when in ("before", "after"):
        if faults:
            cloud.faults.add(Fault(kind="reset", when=when, probability=faults, times=None))
    killer = KillingServer(cloud)
    (folder / "journal").unlink(missing_ok=True)
    with Server(killer) as server:
        yield Site(cloud, killer, deed.order(cloud, server.url, folder), folder)


def calm(victims: Victims, deed: Deed, folder: Path) -> int:
    """Do it without a kill, and return how many requests it takes."""
    with site(deed, folder) as on:
        assert victims.run(on.killer, on.order) == 0, on.log()
        check(deed, on.cloud)
        return len(on.killer.asked)


def check(deed: Deed, cloud: Emulator) -> None:
    """Look in the books: everything was done once, and nothing else."""
    jobs = Counter((job.machine.id, job.action) for machine in cloud.state.machines.values() for job in machine.jobs)
    there = sorted((machine.name, machine.state) for machine in cloud.state.machines.values())
    names = [f"web-{n:02}" for n in range(deed.machines)]
    if deed is CREATE:
        assert there == [(f"web-{n:02}", "running") for n in range(1, 21)]
    elif deed is REBOOT:
        assert there == [(name, "running") for name in names]
        assert sorted(jobs.items()) == [((machine, "reboot"), 1) for machine in sorted(cloud.state.machines)]
    else:
        assert [name for name, state in there if state == "running"] == names
        assert [name[:11] for name, state in there if state == "stopped"] == [f"{name}-old-" for name in names]
        assert len(there) == 2 * deed.machines
        assert set(jobs.values()) == {1}
    assert not cloud.check_invariants()


def run_until_done(victims: Victims, on: Site) -> list[int]:
    """Run it again until it is done; return how many requests each run took."""
    asked = []
    for _ in range(MAX_RUNS):
        on.killer.arm()
        code = victims.run(on.killer, on.order)
        asked.append(len(on.killer.asked))
        if code == 0 or "JournalFinished" in on.log():
            return asked
    pytest.fail(f"not done after {MAX_RUNS} runs: {on.log()}")


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.call)
def test_a_run_that_is_killed_at_any_request_is_done_once(
    victims: Victims, tmp_path: Path, deed: Deed, record_property: Callable[[str, object], None]
) -> None:
    """``CreateMachine``, ``RebootMachine``, ``RenameMachine``: before, while and after the request is applied."""
    requests = calm(victims, deed, tmp_path)
    moments = list(itertools.product(range(1, requests + 1), (BEFORE, WHILE, AFTER)))
    chosen = random.Random(16).sample(moments, amount(4, len(moments)))  # noqa: S311
    histogram: Counter[str] = Counter()
    more = 0
    for number, moment in chosen:
        with site(deed, tmp_path) as on:
            on.killer.arm(number, moment)
            assert victims.run(on.killer, on.order) == -signal.SIGKILL, on.log()
            on.killer.handled.wait(10)
            # Before the journal is begun, nothing was changed that could be gone on with.
            spent = number if (tmp_path / "journal").exists() and (tmp_path / "journal").stat().st_size else 0
            asked = run_until_done(victims, on)
            check(deed, on.cloud)
        histogram[f"done after {len(asked)} more"] += 1
        more = max(more, spent + sum(asked) - requests)
    figures = ", ".join(f"{count} {outcome}" for outcome, count in sorted(histogram.items()))
    record_property("figures", f"{figures}; at most {more} requests more than the {requests} that it takes")

    assert sum(histogram.values()) == len(chosen)
    # What was killed and is asked for again, the listing, and a look at those that are waited for.
    assert more <= deed.under_way + 2 + MAY_BE_ASKED_AGAIN * deed.under_way


@pytest.mark.parametrize("faults", [0.0, 0.05])
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.call)
def test_a_run_that_is_killed_at_random_moments_is_done_once(
    victims: Victims, tmp_path: Path, deed: Deed, faults: float, record_property: Callable[[str, object], None]
) -> None:
    """Again and again, and with answers and requests that are lost on the way."""
    histogram: Counter[int] = Counter()
    for number in range(amount(1, 20)):
        chance = random.Random(number)  # noqa: S311 (moments, not secrets)
        with site(deed, tmp_path, faults, seed=number) as on:
            for kills in itertools.count():
                on.killer.arm()
                timer = threading.Timer(chance.uniform(0.02, 0.5), kill, [on.killer]) if kills < 3 else None
                code = run_with(victims, on, timer)
                if code == 0 or "JournalFinished" in on.log():
                    break
                assert kills < MAX_RUNS, on.log()
            check(deed, on.cloud)
            histogram[kills] += 1
    record_property("figures", ", ".join(f"{count} killed {kills} times" for kills, count in sorted(histogram.items())))


def run_with(victims: Victims, on: Site, timer: threading.Timer | None) -> int:
    """Run it, and kill it when the timer says so."""
    if timer:
        timer.start()
    try:
        return victims.run(on.killer, on.order)
    finally:
        if timer:
            timer.cancel()
            timer.join()


def kill(killer: KillingServer) -> None:
    """Kill the client wherever it is."""
    if killer.known.wait(5) and not killer.over.is_set():
        with contextlib.suppress(ProcessLookupError):
            os.kill(killer.pid, signal.SIGKILL)
