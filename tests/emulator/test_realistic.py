"""Realistic by default where people test: the fixture throttles and takes its time, on a clock that nobody waits for.

Sdc-cloudapi's lib/throttle.js and its sapi_manifests/cloudapi/template have the rate; lib/tags.js and lib/metadata.js
answer before the job that changes the machine.
"""

from __future__ import annotations

import pytest

from kits.emulator_signer import Asker
from smartdc import DataCenter
from smartdc.emulator import AfterSeconds, Emulator
from smartdc.emulator.__main__ import _emulator, options
from smartdc.emulator.core.settings import Throttle
from smartdc.emulator.state.transitions import SECONDS, USUAL_SECONDS


def test_fixture_throttles_and_takes_its_time(cloudapi: Emulator) -> None:
    """Jobs last, tags show late and too many requests are refused, though no time passes but the clock's own."""
    with DataCenter(**cloudapi.connection()) as dc:
        machine = dc.create_machine("web-1", "g1-small", image="base-64-lts@24.4.1", wait=True)
        assert cloudapi.clock.monotonic() >= SECONDS["provision"]
        assert machine.add_tags(role="web")["role"] == "web"
        assert "role" not in machine.get_tags()
        cloudapi.clock.sleep(USUAL_SECONDS)
        assert machine.get_tags()["role"] == "web"
    asker = Asker(cloudapi)
    statuses = [asker.get("/my/machines").status_code for _ in range(40)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_client_outlasts_the_throttle(cloudapi: Emulator) -> None:
    """The client waits for its turn on the emulator's clock."""
    with DataCenter(**cloudapi.connection()) as dc:
        for _ in range(60):
            dc.account()
    assert 429 in [entry.status for entry in cloudapi.trace]
    assert cloudapi.clock.monotonic() > 1


def test_fast_switches_it_off(cloudapi: Emulator) -> None:
    """``fast()`` ends what is under way, too."""
    asker = Asker(cloudapi)
    machine = asker.create()
    assert asker.state(machine) == "provisioning"
    cloudapi.fast()
    assert asker.state(machine) == "running"
    assert {asker.get("/my/machines").status_code for _ in range(60)} == {200}


@pytest.mark.cloudapi_fast
def test_marker_switches_it_off(cloudapi: Emulator) -> None:
    """The marker does so for a test, a class or a module."""
    assert cloudapi.state.settings.throttle is None
    assert Asker(cloudapi).state(Asker(cloudapi).create()) == "running"


def test_command_can_be_realistic() -> None:
    """``--realistic`` throttles, and takes more time for some jobs than for others."""
    realistic = _emulator(options().parse_args(["--realistic"]))
    usual = _emulator(options().parse_args([]))
    assert (realistic.state.settings.throttle, usual.state.settings.throttle) == (Throttle(30, 10), None)
    assert realistic.transitions.policies["provision"] == AfterSeconds(SECONDS["provision"])
    assert not usual.transitions.policies
