"""A notebook, executed by a kernel: tables, progress and errors as people see them there."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

EXECUTE = """
import json, sys
import nbformat
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(source) for source in json.load(sys.stdin)]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, allow_errors=True, timeout=60, kernel_name="python3").execute()
json.dump([cell.outputs for cell in notebook.cells], sys.stdout)
"""

CELLS = [
    """%load_ext smartdc
from smartdc import DataCenter
from smartdc.emulator import AfterSeconds, Emulator, WallClock
cloud = Emulator(clock=WallClock(), transitions=AfterSeconds(0.3))
dc = DataCenter(**cloud.connection(), progress=True)
cloud.populate(120)
machine = dc.machine("machine-1")""",
    "dc.machines()",
    "machine",
    "machine.stop(); machine.poll_until('stopped', 0.2)",
    "dc.machine('nope')",
    "machine.resiz",
    "dc.info()",
]


@pytest.fixture(scope="session")
def outputs() -> list[list[dict[str, Any]]]:
    """What each cell has put out, from one kernel."""
    pytest.importorskip("nbclient", reason="the notebook needs nbclient and ipykernel")
    ended = subprocess.run(
        [sys.executable, "-c", EXECUTE],
        input=json.dumps(CELLS),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(ended.stdout)  # type: ignore[no-any-return]


def test_a_list_is_a_table(outputs: list[list[dict[str, Any]]]) -> None:
    """Its HTML has a hundred rows and says how many there are."""
    [table] = outputs[1]

    assert "<th>primary_ip</th>" in table["data"]["text/html"]
    assert "<td>machine-99</td>" in table["data"]["text/html"]
    assert "100 of 120 rows" in table["data"]["text/html"]
    assert table["data"]["text/plain"].startswith("name")


def test_a_machine_shows_its_fields(outputs: list[list[dict[str, Any]]]) -> None:
    """Each has a line of the table."""
    [table] = outputs[2]

    assert "<th>state</th><td>running</td>" in table["data"]["text/html"]


def test_a_wait_is_one_line(outputs: list[list[dict[str, Any]]]) -> None:
    """It is written over while the wait goes on, and what stays is how it ended."""
    [line] = outputs[3]

    assert line["output_type"] == "display_data"
    assert line["data"]["text/plain"].startswith("machine-1 stopped after")


def test_errors_are_short(outputs: list[list[dict[str, Any]]]) -> None:
    """No frames of ours, and a guess."""
    [missing], [mistyped] = outputs[4], outputs[5]

    assert (missing["ename"], missing["evalue"]) == ("ResourceNotFound", "no machine named 'nope'")
    assert "machine.py" not in "".join(missing["traceback"])
    assert "Did you mean: 'resize'?" in "".join(mistyped["traceback"])


def test_an_account_is_a_table(outputs: list[list[dict[str, Any]]]) -> None:
    """At a glance."""
    [table] = outputs[6]

    assert "<td>120 (119 running, 1 stopped)</td>" in table["data"]["text/html"]
