"""Which of CloudAPI's operations the tests check at which door, collected over a run and all its workers.

A test checks an operation when it looks the request up in the trace, with `kits.cloud.sent` or `kits.cloud.query`: they
fail for what was never asked. Asking for an operation only on the way to something else does not count.
"""

from __future__ import annotations

from collections.abc import Iterable

from kits.doors import DOORS
from smartdc.emulator.pipeline import routes

Check = tuple[str, str]
"""An operation, and the door it was asked for at."""


class CheckedOperations:
    """Collects checks: `door` is that of the running test, or None where a test has no client at a door."""

    def __init__(self) -> None:
        self.door: str | None = None
        self.checks: set[Check] = set()

    def add(self, operation: str) -> None:
        """Note that the running test has looked an operation up."""
        if self.door:
            self.checks.add((operation, self.door))

    def update(self, checks: Iterable[Iterable[str]]) -> None:
        """Add what a worker has collected."""
        self.checks.update((operation, door) for operation, door in checks)

    def missing(self) -> list[Check]:
        """Return the operations, with the door, that no test has checked."""
        return [
            (route.name, door) for route in routes.rows() for door in DOORS if (route.name, door) not in self.checks
        ]


CHECKED = CheckedOperations()
"""What the tests of this process have checked."""
