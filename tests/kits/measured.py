"""Which tests count for the coverage: not those that repeat what others do, which tracing makes twice as slow."""

from __future__ import annotations

import os

import pytest
from coverage import Coverage

UNMEASURED = (
    "tests/promises/",
    "tests/peers/",
    "tests/house/",
    "tests/commands/test_guide.py",
    "tests/fleet/test_dask.py",
    "tests/fleet/test_kills.py",
)
IN_CHILDREN = "COVERAGE_PROCESS_START"
"""The variable by which measuring begins in other processes."""


class Measure:
    """Pauses the measurement, if there is one, for the tests that do not count."""

    def __init__(self, coverage: Coverage | None) -> None:
        self._coverage = coverage
        self._configuration = os.environ.get(IN_CHILDREN, "")
        self._paused = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Pause or go on before a test."""
        unmeasured = item.nodeid.startswith(UNMEASURED)
        if self._coverage is None or unmeasured == self._paused:
            return
        if unmeasured:
            self._coverage.stop()
            os.environ.pop(IN_CHILDREN, None)
        else:
            self._coverage.start()
            os.environ[IN_CHILDREN] = self._configuration
        self._paused = unmeasured
