"""Fixtures for tests against an emulator; pytest finds them as soon as the library is installed.

``cloudapi`` is an emulator that is fresh for each test, ``cloudapi_server`` the URL at which it listens. Each worker
of pytest-xdist has its own. Override ``cloudapi_clock`` to test by the wall clock.

Every run of pytest loads this module, most of them for projects that never use a fixture of it. So what takes time to
import, the emulator with cryptography, is loaded by the first fixture that needs it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from smartdc import emulator

if TYPE_CHECKING:
    from smartdc.emulator import Emulator, Server
    from smartdc.emulator.core.clock import Clock


@pytest.fixture(scope="session")
def cloudapi_clock() -> "Clock":
    """The clock of the emulator: one that stands still until a test, or a client that waits, moves it."""
    return emulator.VirtualClock()


@pytest.fixture(scope="session")
def _cloudapi_session(cloudapi_clock: "Clock") -> "Emulator":
    return emulator.Emulator(clock=cloudapi_clock)


@pytest.fixture(scope="session")
def _cloudapi_listener(_cloudapi_session: "Emulator") -> "Iterator[Server]":
    with emulator.Server(_cloudapi_session) as server:
        yield server


@pytest.fixture
def cloudapi(_cloudapi_session: "Emulator") -> "Emulator":
    """An emulator with nothing in it."""
    _cloudapi_session.reset()
    return _cloudapi_session


@pytest.fixture
def cloudapi_server(cloudapi: "Emulator", _cloudapi_listener: "Server") -> "Server":  # noqa: ARG001
    """The server behind ``cloudapi``, for clients that need a ``url``."""
    return _cloudapi_listener
