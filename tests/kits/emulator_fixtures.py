"""Fixtures of tests that ask the emulator by hand, at each of its doors.

A test module asks for them with ``pytest_plugins = ("kits.emulator_fixtures",)``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kits.emulator_signer import Asker
from smartdc.emulator import Emulator, Server


@pytest.fixture(params=["process", "server"])
def ask(request: pytest.FixtureRequest, cloud: Emulator) -> Iterator[Asker]:
    """A client at each of the two doors."""
    if request.param == "process":
        yield Asker(cloud)
        return
    with Server(cloud) as server:
        asker = Asker(cloud, server.url)
        yield asker
        asker.session.close()


@pytest.fixture
def inside(cloud: Emulator) -> Asker:
    """A client within the process, for what no door can change."""
    return Asker(cloud)
