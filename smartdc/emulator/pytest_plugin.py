"""Fixtures for tests against an emulator, available in pytest wherever the library is installed.

``cloudapi`` is an emulator, reset for each test, and ``cloudapi_server`` is its HTTP server. Each worker of pytest-xdist
has its own. Override ``cloudapi_clock`` to test with the wall clock.

Every run of pytest imports this module, even in projects that never use its fixtures. So the emulator and cryptography,
which are slow to import, are imported by the first fixture that needs them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

from smartdc import emulator

if TYPE_CHECKING:
    from smartdc.emulator import Emulator, Server
    from smartdc.emulator.core.clock import Clock

PACKAGE = str(Path(__file__).parents[1])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "cloudapi_fast: the fixture cloudapi does not throttle, and its jobs end at the next request"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> None:
    """Hide this package's frames in tracebacks of its own errors, whose text suffices; ``--full-trace`` shows them."""
    errors = sys.modules.get("smartdc.errors")
    if not errors or not call.excinfo or item.config.option.fulltrace:
        return
    link: TracebackType | None = call.excinfo.tb if call.excinfo.errisinstance(errors.SmartDCError) else None
    while link and link.tb_next:
        if link.tb_next.tb_frame.f_code.co_filename.startswith(PACKAGE):
            link.tb_next = link.tb_next.tb_next
        else:
            link = link.tb_next


@pytest.fixture(scope="session")
def cloudapi_clock() -> "Clock":
    """The emulator's clock, which stands still until a test, or a waiting client, advances it."""
    return emulator.VirtualClock()


@pytest.fixture(scope="session")
def _cloudapi_session(cloudapi_clock: "Clock") -> "Emulator":
    return emulator.Emulator(clock=cloudapi_clock)


@pytest.fixture(scope="session")
def _cloudapi_listener(_cloudapi_session: "Emulator") -> "Iterator[Server]":
    with emulator.Server(_cloudapi_session) as server:
        yield server


@pytest.fixture
def cloudapi(_cloudapi_session: "Emulator", request: pytest.FixtureRequest) -> "Emulator":
    """An emulator without machines, reset for each test, which throttles and takes time like a data centre.

    The time is that of its own clock, on which clients of ``connection()`` wait. The marker ``cloudapi_fast``, or
    a call of ``cloudapi.fast()``, switches this off.
    """
    _cloudapi_session.reset()
    if not request.node.get_closest_marker("cloudapi_fast"):
        _cloudapi_session.realistic()
    return _cloudapi_session


@pytest.fixture
def cloudapi_server(cloudapi: "Emulator", _cloudapi_listener: "Server") -> "Server":  # noqa: ARG001
    """The server of ``cloudapi``, for clients that need a ``url``."""
    return _cloudapi_listener
