"""A create is killed at every one of its requests, and a client is interrupted at every moment: nothing is lost."""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from kits.killing import AFTER, BEFORE, PATIENCE, WHILE, KillingServer, Victims
from smartdc import DataCenter, TransportError
from smartdc.emulator import Emulator, Fault, Server
from smartdc.emulator.state.transitions import AfterReads

SECRET = "the user's own secret"

SIGNALS = [signal.SIGKILL, signal.SIGTERM]
TOKENS = [None, "deploy-17"]
SCENARIOS = ["answered", "answer lost", "request lost"]


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    """The process that creates, once for all tests."""
    with Victims.born() as process:
        yield process


@dataclass
class Stage:
    """A cloud behind a server that kills, and where the victim logs to."""

    cloud: Emulator
    killer: KillingServer
    url: str
    log: Path

    def order(self, token: str | None) -> dict[str, Any]:
        """Return what the victim is to do."""
        machine = {"name": "web-1", "image": "debian-12", "package": "g1-small", "metadata": {"user-data": SECRET}}
        if token:
            machine["token"] = token
        connection = self.cloud.connection(self.url)
        secret, key_id = str(self.cloud.private_key), connection["key_id"]
        return {"url": self.url, "key_id": key_id, "secret": secret, "log": str(self.log), "machine": machine}


@contextlib.contextmanager
def stage(folder: Path, scenario: str) -> Iterator[Stage]:
    """Set up a cloud in which machines run after being looked at twice, and the answer to a create may be lost."""
    cloud = Emulator()
    cloud.transitions.policy = AfterReads(2)
    if scenario != "answered":
        cloud.faults.add(Fault("CreateMachine", "reset", "after" if scenario == "answer lost" else "before"))
    killer = KillingServer(cloud)
    with Server(killer) as server:
        yield Stage(cloud, killer, server.url, folder / "log")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How many times each moment is tried."""
    return int(request.config.getoption("kills"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_create_that_is_killed_at_any_request_is_found_again(
    victims: Victims, tmp_path: Path, rounds: int, scenario: str, record_property: Callable[[str, object], None]
) -> None:
    """``CreateMachine``: never two machines, and never one that neither log nor exception leads to."""
    histogram: Counter[tuple[str, str]] = Counter()
    for token in TOKENS:
        with stage(tmp_path, scenario) as calm:
            assert victims.run(calm.killer, calm.order(token)) == 0
            requests_of_a_create = len(calm.killer.asked)
        assert requests_of_a_create >= 4
        moments = itertools.product(range(1, requests_of_a_create + 1), (BEFORE, WHILE, AFTER), SIGNALS, range(rounds))
        for number, moment, sign, _ in moments:
            with stage(tmp_path, scenario) as set_up:
                outcome = killed(victims, set_up, token, number, moment, sign)
            histogram[sign.name, outcome] += 1
    record_property("figures", ", ".join(f"{n} x {sign} {outcome}" for (sign, outcome), n in sorted(histogram.items())))

    assert sum(histogram.values()) >= len(TOKENS) * 4 * 3 * len(SIGNALS) * rounds
    assert {outcome for _, outcome in histogram} == {"nothing made", "found by the log"}


def killed(victims: Victims, on: Stage, token: str | None, number: int, moment: str, sign: signal.Signals) -> str:
    """Kill a create, look what became of it, and go on from there; return what was found."""
    on.killer.arm(number, moment, sign)
    code = victims.run(on.killer, on.order(token))
    assert on.killer.handled.wait(PATIENCE)
    log = on.log.read_text()
    made = list(on.cloud.state.machines)
    tokens = set(re.findall(r"machines_by_token\('([\w-]+)'\)", log))
    on.cloud.faults.clear()
    on.killer.arm()

    assert code == (-signal.SIGKILL if sign is signal.SIGKILL else 143), log
    assert SECRET not in log
    assert len(made) <= 1
    assert len(tokens) <= 1
    assert tokens or not made
    if sign is signal.SIGTERM and made and "Traceback" in log:
        assert "machines_by_token" in log.partition("Traceback")[2] or "was created before" in log
    with DataCenter(**on.cloud.connection(on.url)) as dc:
        for known in tokens:
            assert [machine.id for machine in dc.machines_by_token(known)] == made
            again = dc.create_machine(name="web-1", image="debian-12", package="g1-small", token=known)
            assert list(on.cloud.state.machines) == [*made, again.id][:1]
    return "found by the log" if made else "nothing made"


# Interrupts


class Crowded(BaseAdapter):
    """Counts the calls that are under way at the same time, and holds them until as many as there may be have come."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self.inner = inner
        self.expected = 0
        self.here: list[None] = []
        self.all_here = threading.Event()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Wait for the others, if there are to be some, and send."""
        if self.expected:
            self.here.append(None)
            if len(self.here) >= self.expected:
                self.all_here.set()
            self.all_here.wait(2)
        return self.inner.send(request, **options)

    def close(self) -> None:
        """Close what sends."""
        self.inner.close()


class Interrupt(BaseException):
    """What the handler raises."""


def slots_of(dc: DataCenter, adapter: Crowded, count: int) -> int:
    """Return how many of `count` calls can be under way at the same time."""
    adapter.expected = count
    dc.timeout = 1
    threads = [threading.Thread(target=call, args=(dc,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return len(adapter.here)


def call(dc: DataCenter) -> None:
    """Make a call, which fails where no slot is left."""
    with contextlib.suppress(TransportError):
        dc.account()


# Python tells of what a destructor could not raise.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_slot_is_lost_to_interrupts(
    request: pytest.FixtureRequest, cloud: Emulator, record_property: Callable[[str, object], None]
) -> None:
    """Whatever moment a signal's exception comes at, as many calls as before can be made at the same time."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread hears signals")
    count, size = int(request.config.getoption("interrupts")), 8
    chance = random.Random(11)  # noqa: S311 (moments, not secrets)
    hits = 0

    def handler(*_: object) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGALRM, handler)
    connection = cloud.connection()
    adapter = Crowded(connection.pop("adapter"))
    began = time.monotonic()
    with DataCenter(**connection, adapter=adapter, pool_size=size) as dc:
        try:
            dc.account()
            while hits < count:
                try:
                    signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00002, 0.003))
                    # Python swallows what is raised in a destructor, so that not every signal comes out.
                    for _ in range(20):
                        dc.account()
                except Interrupt:
                    hits += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        left = slots_of(dc, adapter, size)
    record_property("figures", f"{hits:,} interrupts in {time.monotonic() - began:.0f} s, {left} of {size} slots left")

    assert left == size
