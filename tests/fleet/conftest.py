"""A cloud in which what is done to machines takes its time."""

from __future__ import annotations

import pytest

from smartdc.emulator import AfterSeconds, Emulator, VirtualClock


@pytest.fixture
def cloud() -> Emulator:
    """A cloud in which every job takes five seconds."""
    return Emulator(clock=VirtualClock(), transitions=AfterSeconds(5))
