"""This library does what py-smartdc 0.2.0 did, step by step, but for the differences that the guide tells.

What came of the steps with the original is in ``original_0_2_0.json``; ``record_original.py`` makes that again.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import smartdc
from peers.original_cloud import SCRIPTS, play, recorded
from peers.original_differences import DIFFERENCES, UNSEEN, Difference, expected

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "coming-from-py-smartdc.md"
STEPS = [(script, name) for script, steps in SCRIPTS.items() for name, _ in steps]
LIMITS = {"machine": 13, "datacenter": 16}
"""How many differences may be allowed in each script."""


RECORDED = recorded()
METHODS = [(cls, method) for cls, methods in RECORDED["signatures"].items() for method in methods]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What comes of the scripts with this library, in a process of its own."""
    return play(sys.executable, ROOT, tmp_path_factory.mktemp("original"))


@pytest.fixture
def ours(played: dict[str, Any]) -> dict[str, Any]:
    """What comes of all steps with this library."""
    return dict(played["scripts"])


@pytest.fixture
def theirs() -> dict[str, Any]:
    """What came of all steps with the original."""
    return dict(RECORDED["scripts"])


@pytest.mark.parametrize(("cls", "method"), [each for each in METHODS if each != ("DataCenter", "api")])
def test_parameters(cls: str, method: str, played: dict[str, Any]) -> None:
    """Every method of the original but `api` is there, and takes at the same places what it took."""
    names = RECORDED["signatures"][cls][method]
    assert played["signatures"][cls][method][: len(names)] == names


@pytest.mark.parametrize(("cls", "method"), [each for each in METHODS if each != ("DataCenter", "api")])
def test_parameters_of_today_may_be_left_out(cls: str, method: str) -> None:
    """What a method takes by position beyond that has a default."""
    parameters = inspect.signature(getattr(getattr(smartdc, cls), method)).parameters.values()
    by_position = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD and each.name != "self"]
    later = by_position[len(RECORDED["signatures"][cls][method]) :]
    assert [each.name for each in later if each.default is each.empty] == []


def calls_of(name: str) -> list[ast.Call]:
    """Return all calls of a function, a method or a class in the scripts."""
    sources = (source for steps in SCRIPTS.values() for _, source in steps)
    calls = (node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [call for call in calls if name in {getattr(call.func, "attr", None), getattr(call.func, "id", None)}]


@pytest.mark.parametrize(("cls", "method"), METHODS)
def test_scripts_visit(cls: str, method: str) -> None:
    """The scripts call every method of the original, with every parameter by its position and by its name."""
    parameters = RECORDED["signatures"][cls][method]
    calls = calls_of(cls if method == "__init__" else method)
    by_name = {keyword.arg for call in calls for keyword in call.keywords}
    assert max(len(call.args) for call in calls) >= len(parameters)
    assert [name for name in parameters if name not in by_name] == []


@pytest.mark.parametrize(("script", "name"), STEPS, ids=[name for _, name in STEPS])
def test_step(script: str, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Value, exception, warnings and requests are those of the original, or differ as the table allows."""
    assert with_pages_in_order(ours[script][name]) == expected(name, theirs[script][name])


def with_pages_in_order(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome in which the pages of one list stand in order: ours are read four at a time."""
    sent = outcome.get("sent", [])
    pages = len({request.partition("?")[0] for request in sent}) == 1 and all("limit=" in request for request in sent)
    return {**outcome, "sent": sorted(sent)} if pages else outcome


def test_record_has_every_step(theirs: dict[str, Any]) -> None:
    """What is compared is what was recorded: neither more nor less."""
    assert {script: set(steps) for script, steps in theirs.items()} == {
        script: {name for name, _ in steps} for script, steps in SCRIPTS.items()
    }
    assert len({name for _, name in STEPS}) == len(STEPS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_table_is_short(script: str) -> None:
    """Few differences are allowed, and each step has one at most."""
    names = {name for name, _ in SCRIPTS[script]}
    assert sum(bool(names & set(difference.steps)) for difference in DIFFERENCES) <= LIMITS[script]
    several = Counter(name for difference in DIFFERENCES for name in difference.steps)
    assert set(several.values()) == {1}


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.then)
def test_difference_is_one(difference: Difference, theirs: dict[str, Any]) -> None:
    """A difference that there is no more leaves the table, and each has a reason."""
    known = {name: outcome for steps in theirs.values() for name, outcome in steps.items()}
    assert difference.reason
    for name in difference.steps:
        assert expected(name, known[name]) != known[name]


def guide_rows() -> dict[str, list[str]]:
    """Return the rows of the guide's table, by their first cell."""
    rows = re.findall(r"^\| (.+) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [row.split(" | ") for row in rows if not row.startswith(("---", "then |"))]
    return {row[0]: row[1:] for row in cells}


def test_guide_tells_every_difference() -> None:
    """The guide has a row for each difference, with what is so now and the line to write, and no other rows."""
    rows = guide_rows()
    assert set(rows) == {difference.then for difference in DIFFERENCES} | set(UNSEEN)
    assert all(len(row) == 2 and all(row) for row in rows.values())
    assert [then for then, (_, line) in rows.items() if "`" not in line and line != "nothing"] == []
