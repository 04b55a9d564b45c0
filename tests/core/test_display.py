"""Tables for the terminal and for notebooks."""

from __future__ import annotations

import pytest

from smartdc.core.display import html_table, text_table

HEADINGS = ("name", "state", "package")
ROWS = [("web-1", "running", "g1-small"), ("a-very-long-name-of-a-machine", "stopped", "g1-large")]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """A table that fits is shown whole."""
    assert text_table(HEADINGS, ROWS, width=80).splitlines() == [
        "name                           state    package",
        "web-1                          running  g1-small",
        "a-very-long-name-of-a-machine  stopped  g1-large",
    ]


def test_the_widest_column_is_cut_first() -> None:
    """Where a table is a little too wide, only its widest column is cut."""
    assert text_table(HEADINGS, ROWS, width=42).splitlines() == [
        "name                     state    package",
        "web-1                    running  g1-small",
        "a-very-long-name-of-a-…  stopped  g1-large",
    ]


def test_ids_are_shortened_before_anything_is_cut() -> None:
    """The first digits of an id are enough to go on with, and it is shown whole where there is room."""
    uuid = "b0b3f0a4-5b0c-4e5a-9f1e-0123456789ab"

    assert text_table(["name", "id"], [["web-1", uuid]], width=80).splitlines()[1] == f"web-1  {uuid}"
    assert text_table(["name", "id"], [["web-1", uuid]], width=40).splitlines()[1] == "web-1  b0b3f0a4"


def test_wide_characters_stay_in_their_columns() -> None:
    """A terminal gives some characters two columns, and none to those that combine with others."""
    lines = text_table(["a", "b"], [["日本", 1], ["e\u0301", 2]], width=80).splitlines()

    assert lines == ["a     b", "日本  1", "e\u0301     2"]


@pytest.mark.parametrize("width", [1, 8, 17, 18, 26, 27, 35, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """The last columns are left out where cutting does not help; one is always left."""
    lines = text_table(HEADINGS, ROWS, width=width).splitlines()

    assert max(map(len, lines)) <= width
    assert all(line for line in lines)


def test_a_cell_cannot_move_the_cursor() -> None:
    """Control characters and line breaks are written as escapes."""
    assert text_table(["a"], [["x\x1b[2J\ny\u202e"]], width=80).splitlines()[1] == "x\\x1b[2J\\ny\\u202e"


def test_html_escapes_every_text() -> None:
    """No heading or cell becomes markup."""
    page = html_table(["<a>"], [['<script>"&\x07']])

    assert "<th>&lt;a&gt;</th>" in page
    assert "<td>&lt;script&gt;&quot;&amp;\\x07</td>" in page


def test_html_counts_the_rows_that_it_leaves_out() -> None:
    """A notebook shows so many rows, and how many there are."""
    page = html_table(["n"], [[n] for n in range(1234)], limit=100)

    assert page.count("<td>") == 100
    assert "100 of 1,234 rows" in page
