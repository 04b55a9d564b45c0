"""What type checkers, and so editors, know of the library: types that say much, and mistakes that are found.

mypy reads `typical_expressions.py` with everything else of this project; pyright, which editors have built in, reads it here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from peers.node_kit import program

ROOT = Path(__file__).parents[2]
EXPRESSIONS = Path(__file__).with_name("typical_expressions.py")
STRICT = {
    "typeCheckingMode": "strict",
    "enableTypeIgnoreComments": False,
    "reportUnnecessaryTypeIgnoreComment": "error",
    "extraPaths": [str(ROOT)],
}
"""The comments for mypy do not count, and one for pyright that is not needed is an error."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of somebody who uses the library, with the expressions in it."""
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(STRICT))
    shutil.copy(EXPRESSIONS, tmp_path)
    return tmp_path


def pyright(folder: Path) -> list[tuple[str, int]]:
    """Return the rules that pyright finds broken in a folder, and the lines."""
    script = program("pyright", "index.js")
    command = ["node", str(script), "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"] > 0, result.stdout
    return [
        (found.get("rule") or found["message"], found["range"]["start"]["line"] + 1)
        for found in report["generalDiagnostics"]
    ]


def test_pyright_agrees(folder: Path) -> None:
    """Every type is what the file says, and every mistake in it is found, under the rule that its comment names."""
    assert pyright(folder) == []


def test_mypy_reads_the_file() -> None:
    """It is among what mypy reads, which calls every comment an error that is one too many."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["strict"]
    assert any(EXPRESSIONS.is_relative_to(ROOT / place) for place in settings["files"])


def test_how_many() -> None:
    """There are more than forty expressions, and more than a dozen mistakes, marked for both checkers."""
    lines = EXPRESSIONS.read_text().splitlines()
    assert sum("assert_type(" in line for line in lines) > 40
    marked = [line for line in lines if "ignore[" in line]
    assert len(marked) > 12
    assert all("# type: ignore[" in line and "# pyright: ignore[" in line for line in marked)
