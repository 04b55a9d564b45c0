"""How many functions of the library a call passes on its way to `requests`: what a reader has to follow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

import smartdc
from smartdc import Machine
from smartdc.emulator import AfterSeconds, Emulator

PACKAGE = Path(smartdc.__file__).parent

Depths = dict[str, int]


@pytest.fixture
def depths(monkeypatch: pytest.MonkeyPatch) -> Depths:
    """The frames of the library above ``requests.Session.send``, the most for each method and end of the path."""
    seen: Depths = {}
    send = requests.Session.send

    def counted(session: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        frame, depth = sys._getframe(1), 0
        while frame.f_back is not None:
            depth += PACKAGE in Path(frame.f_code.co_filename).parents
            frame = frame.f_back
        last = request.path_url.partition("?")[0].rpartition("/")[2]
        name = f"{request.method} {last if last == 'audit' else 'machine'}"
        seen[name] = max(seen.get(name, 0), depth)
        return send(session, request, **kwargs)

    monkeypatch.setattr(requests.Session, "send", counted)
    return seen


WAITS: dict[str, tuple[Callable[[Machine], None], Depths]] = {
    "stop": (lambda machine: machine.stop(wait=True), {"POST machine": 9, "GET audit": 13, "GET machine": 14}),
    "poll_until": (lambda machine: machine.poll_until("running"), {"GET machine": 14}),
}


@pytest.mark.parametrize(("wait", "bounds"), WAITS.values(), ids=WAITS)
def test_depth(
    machine: Machine, cloud: Emulator, depths: Depths, wait: Callable[[Machine], None], bounds: Depths
) -> None:
    """No request of a wait is further down than the bound, which only ever sinks."""
    cloud.transitions.policy = AfterSeconds(5)
    depths.clear()
    wait(machine)
    assert depths.keys() == bounds.keys()
    assert {name: depth for name, depth in depths.items() if depth > bounds[name]} == {}
