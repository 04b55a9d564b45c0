"""What ``help`` shows in a session, as wide as the terminal."""

from __future__ import annotations

import re

import pytest

import smartdc
from smartdc import DataCenter
from smartdc.commands.help import Help, described, wrapped


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_method_fits_the_terminal(offline: DataCenter, width: int) -> None:
    """Signature and docstring are filled anew, and what stands in backticks is bare."""
    text = described(offline.create_machine, width) or ""

    assert text.startswith("create_machine(name=None,")
    assert re.search(r"^        wait: \w", text, re.MULTILINE)
    assert "`" not in text
    assert max(map(len, text.splitlines())) <= width
    assert " -> Machine\n" in text


@pytest.mark.parametrize("name", smartdc.__all__)
def test_everything_fits_the_terminal(name: str) -> None:
    """Whatever can be imported, but for addresses that are too long for a line."""
    thing = getattr(smartdc, name)
    text = described(thing, 80) if callable(thing) else ""

    assert [line for line in (text or "").splitlines() if len(line) > 80] == []


def test_paragraphs_and_entries_are_kept_apart() -> None:
    """Lines of a paragraph are joined, and those of a list are not."""
    docstring = "First\nparagraph.\n\nArgs:\n    name: its\n        name.\n    other: 1\n- a\n- b\n  c"

    assert wrapped(docstring, 80).splitlines() == [
        "First paragraph.", "", "Args:", "    name: its name.", "    other: 1", "- a", "- b c",
    ]  # fmt: skip


def test_a_thing_shows_its_page(offline: DataCenter) -> None:
    """As Python's own `help` does."""
    text = described(offline) or ""

    assert text.startswith(repr(offline))
    assert "create_machine()" in text


def test_no_terminal_is_too_narrow(offline: DataCenter) -> None:
    """Some claim to have no more than a few columns."""
    assert described(offline.machines, 2) == described(offline.machines, 20)


def test_the_rest_is_pythons(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not this package's."""
    Help()(len)

    assert described(len) is None
    assert described([].append) is None
    assert described(str.join) is None
    assert "Return the number of items in a container." in capsys.readouterr().out
