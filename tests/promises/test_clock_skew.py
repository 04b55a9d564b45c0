"""Clocks that differ: the server's time is taken over, at the price of one request at most."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from requests.auth import AuthBase

from kits.cloud import image_id
from smartdc import DataCenter, InvalidCredentials, InvalidHeader
from smartdc.emulator import Emulator, Fault, Server, VirtualClock
from smartdc.emulator.core.clock import START

DAY = 86_400.0
OFFSETS = [-DAY, -301.0, -299.0, 0.0, 299.0, 301.0, DAY]
"""Seconds by which the server's clock is ahead of the client's."""
LIMIT = 300.0
"""How far the clocks may differ before CloudAPI refuses."""
SUSPICIOUS = 60.0
"""From how many seconds on a 401 is put down to the clock, once."""
THREADS = 50


def client_of(cloud: Emulator, offset: float, url: str | None = None, **more: Any) -> DataCenter:
    """Make a client whose clock is `offset` seconds behind the server's."""
    return DataCenter(**{**cloud.connection(url), "clock": VirtualClock(START - offset), **more})


@pytest.fixture(params=OFFSETS, ids=lambda offset: f"{offset:+.0f}s")
def offset(request: pytest.FixtureRequest) -> float:
    """How far the server's clock is ahead of the client's, in seconds."""
    return float(request.param)


@pytest.fixture
def late(cloud: Emulator, offset: float, door: str) -> Iterator[DataCenter]:
    """A client whose clock differs from the server's."""
    if door == "adapter":
        with client_of(cloud, offset) as client:
            yield client
        return
    with Server(cloud) as server, client_of(cloud, offset, server.url) as client:
        yield client


def statuses(cloud: Emulator) -> list[int]:
    """Return how the requests so far were answered."""
    return [asked.status for asked in cloud.trace]


def refusals(offset: float) -> list[int]:
    """Return the one refusal that a difference costs, or none."""
    return [400] if abs(offset) > LIMIT else []


def test_reading(cloud: Emulator, late: DataCenter, offset: float) -> None:
    """The first call costs one request more where the clocks are too far apart, and later ones cost nothing."""
    for _ in range(3):
        assert late.account().login == "demo"
    assert statuses(cloud) == [*refusals(offset), 200, 200, 200]


def test_creating(cloud: Emulator, late: DataCenter, offset: float) -> None:
    """A POST is repeated too: CloudAPI looked at the date before anything else, so that nothing was done."""
    machine = late.create_machine(name="web-1", package="g1-small", image=image_id(cloud, "base-64-lts"))
    assert [(asked.operation, asked.status) for asked in cloud.trace] == [
        ("CreateMachine", status) for status in [*refusals(offset), 201]
    ]
    assert [there.id for there in cloud.state.machines.values()] == [machine.id]


def test_first_call_is_a_post(cloud: Emulator, late: DataCenter, offset: float) -> None:
    """What corrects the clock may be the POST itself, with its body."""
    assert late.update_account(phone="123").phone == "123"
    assert statuses(cloud) == [*refusals(offset), 200]


def test_deleting(cloud: Emulator, late: DataCenter, offset: float) -> None:
    """A DELETE is repeated, and not taken for one that was done already."""
    [there] = cloud.populate(1)
    late.request("DELETE", f"/machines/{there.id}")
    assert statuses(cloud) == [*refusals(offset), 204]


def test_signing_urls(late: DataCenter, offset: float) -> None:
    """Once a call has told the server's time, a pre-signed URL ends by that time."""
    late.account()
    now = START if refusals(offset) else START - offset
    assert f"expires={now + 60:.0f}" in late.presign("GET", "/machines", expires=60)


def test_wrong_key(cloud: Emulator, late: DataCenter, offset: float) -> None:
    """A wrong key is refused for good: where the clocks agree there is one attempt, and else the one that corrects."""
    late.authenticate("/demo/keys/emulator", Emulator(seed=1).private_key)
    with pytest.raises(InvalidCredentials):
        late.account()
    first = refusals(offset) or ([401] if abs(offset) > SUSPICIOUS else [])
    assert statuses(cloud) == [*first, 401]


def test_warning(cloud: Emulator, offset: float, caplog: pytest.LogCaptureFixture) -> None:
    """The log warns, once, since a clock that is wrong does harm elsewhere."""
    with caplog.at_level(logging.WARNING, "smartdc"), client_of(cloud, offset) as dc:
        dc.account()
        dc.account()
    warnings = [f"the server's clock differs from ours by {offset:.0f} s; signing with its time"]
    assert [record.getMessage() for record in caplog.records] == (warnings if refusals(offset) else [])


class Together(AuthBase):
    """Sign as another auth does, and let the first requests go only when that many are signed."""

    def __init__(self, auth: AuthBase, count: int) -> None:
        self._auth = auth
        self._barrier = threading.Barrier(count)
        self._waiting = count
        self._lock = threading.Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign, then wait for the others."""
        signed: requests.PreparedRequest = self._auth(request)
        with self._lock:
            self._waiting -= 1
            waits = self._waiting >= 0
        if waits:
            self._barrier.wait(timeout=60)
        return signed


def test_many_at_once(cloud: Emulator, late: DataCenter, offset: float) -> None:
    """Of fifty calls under way, all signed before the first answer, each is repeated once; later ones never are."""
    auth = late.auth
    assert auth is not None
    late.session.auth = Together(auth, THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        logins = list(pool.map(lambda _: late.account().login, range(THREADS)))
        assert logins == ["demo"] * THREADS
        assert sorted(statuses(cloud)) == sorted([*refusals(offset), 200] * THREADS)
        cloud.trace.clear()
        assert len(list(pool.map(lambda _: late.account(), range(THREADS)))) == THREADS
    assert statuses(cloud) == [200] * THREADS


def test_clock_that_is_put_right(cloud: Emulator) -> None:
    """When the server's clock is set back again, that costs one request more, and the call succeeds."""
    with client_of(cloud, DAY) as dc:
        dc.account()
        cloud.clock = cloud.state.clock = dc.clock
        cloud.trace.clear()
        dc.account()
        dc.account()
    assert statuses(cloud) == [400, 200, 200]


def refusal() -> Fault:
    """Make the server refuse the date of every ``GetAccount``."""
    message = "Authorization header invalid: clock skew of 86400s was greater than 300s"
    return Fault("GetAccount", status=400, code="InvalidHeader", message=message, times=None)


def test_server_that_contradicts_itself(cloud: Emulator) -> None:
    """A server that goes on refusing after its own time was taken is not asked again and again."""
    cloud.faults.add(refusal())
    with client_of(cloud, DAY) as dc, pytest.raises(InvalidHeader, match="clock skew"):
        dc.account()
    assert statuses(cloud) == [400, 400]


def test_small_difference_is_left_alone(cloud: Emulator) -> None:
    """A refusal is no reason to take over a clock that is all but right."""
    cloud.faults.add(refusal())
    with client_of(cloud, 30) as dc, pytest.raises(InvalidHeader):
        dc.account()
    assert statuses(cloud) == [400]


def test_server_from_beyond_all_time(cloud: Emulator) -> None:
    """A date that no clock could be wrong by is not taken over: no later call would find a date to sign."""
    cloud.faults.add(Fault("GetAccount", "clock", seconds=2e11))
    with client_of(cloud, 0) as dc:
        with pytest.raises(InvalidHeader):
            dc.account()
        assert dc.session.clock_offset == 0
        assert dc.account().login == "demo"


def test_first_call_is_a_create_whose_answer_is_lost(cloud: Emulator, late: DataCenter, offset: float) -> None:
    """What is new is told by the server's clock, also where that is found out by the create itself."""
    cloud.faults.add(Fault("CreateUser", "reset", "after", skip=len(refusals(offset))))
    assert late.create_user("joe", "joe@example.com", "secret123").login == "joe"
