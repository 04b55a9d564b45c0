"""How pytest-xdist hands tests out to its workers: a function at a time, and whole files that share something slow."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

STORIES = (
    "tests/peers/test_node_triton.py",
    "tests/peers/test_node_smartdc.py",
    "tests/peers/test_same_requests.py",
    "tests/peers/test_original.py",
    "tests/peers/test_profiles.py",
    "tests/peers/test_node_ssh.py",
    "tests/emulator/test_page.py",
    "tests/commands/test_guide.py",
    "tests/commands/test_notebook.py",
)
"""Files whose tests share a fixture that takes long: every worker that got one of the tests would make it anew."""
LONG = "tests/promises/"
"""Where single tests take long."""


class ScopeScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hand out functions with all their parameters, but `STORIES` whole.

    ``--dist loadgroup`` is meant for this, but pytest-xdist 3.8 marks groups in a way that pytest 9.2 does not know.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        return file if file in STORIES else f"{file}::{name.partition('[')[0]}"


def put_longest_first(items: list[pytest.Item]) -> None:
    """Sort tests so that no worker begins with something long when the others are about to end."""
    items.sort(key=lambda item: (not item.nodeid.startswith(STORIES), not item.nodeid.startswith(LONG)))
