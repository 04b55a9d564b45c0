"""The lowest versions that CI installs are the lowest that pyproject.toml allows."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_lowest_versions_are_those_that_are_promised() -> None:
    """Every dependency of users' has a floor, and CI tests with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [project["optional-dependencies"][name] for name in ("changefeed", "rich", "otel")]
    asked = [*project["dependencies"], *itertools.chain(*extras)]
    floors = {re.split(r"[\[>]", each)[0]: each.partition(">=")[2] for each in asked}
    lines = [line for line in (ROOT / ".ci/lowest.txt").read_text().splitlines() if not line.startswith("#")]
    lowest = dict(line.split("==") for line in lines)

    assert lowest.keys() == floors.keys()
    for name, floor in floors.items():
        assert lowest[name].removesuffix(".0") == floor.removesuffix(".0")
