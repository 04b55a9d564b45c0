"""What is written for the site out of the sources of the documentation, and how a built site is checked."""

from __future__ import annotations

from pathlib import Path

import operations_page
import pytest

from kits.docs import OPERATIONS, ROOT, ROWS, calls
from kits.site import ANSWERS, Page, broken_links


@pytest.fixture(scope="module")
def expanded() -> str:
    """The page of operations as the site has it."""
    return operations_page.expand(OPERATIONS.read_text(encoding="utf-8"))


def test_each_way_to_ask_shows_every_operation(expanded: str) -> None:
    """The narrow tables have all rows of the wide one, once for each of the three tabs."""
    shown = {name: expanded.count(f"| ``{name}``") for name in ROWS}
    assert shown == dict.fromkeys(ROWS, 3), "run PYTHONPATH=tests python -m kits.docs, which writes the table again"
    assert "| operation | method and path |" not in expanded


def test_calls_are_links_to_what_is_said_about_them(expanded: str) -> None:
    """A method of a data centre, of a machine and of any other thing."""
    assert "{py:obj}`dc.create_machine() <smartdc.DataCenter.create_machine>`" in expanded
    assert "{py:obj}`firewall_rule.enable() <smartdc.FirewallRule.enable>`" in expanded
    assert expanded.count("{py:obj}`") == sum(map(len, calls().values()))


def test_pages_where_answers_are_expected_are_there() -> None:
    """A page that is renamed is renamed in the list of searches too."""
    pages = {page.relative_to(ROOT / "docs").with_suffix("").as_posix() for page in (ROOT / "docs").rglob("*.md")}

    assert {page for several in ANSWERS.values() for page in several} <= pages


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    """A page that is missing, an anchor that is missing, and none that is right."""
    there = tmp_path / "there.html"
    there.write_text('<h1 id="top-of-it">There</h1>')
    page = tmp_path / "page.html"
    page.write_text(
        '<a href="there.html#top-of-it">1</a><a href="#own" id="own">2</a><a href="https://example.com/x">3</a>'
        '<a href="gone.html">4</a><a href="there.html#gone">5</a><img src="gone.svg">'
    )
    found = {path: Page(path) for path in (page, there)}

    assert [link.partition(": ")[2] for link in broken_links(found)] == ["gone.html", "there.html#gone", "gone.svg"]


def test_a_reference_that_is_no_link_is_found(tmp_path: Path) -> None:
    """Sphinx leaves a reference to what it does not know without a link, and says nothing."""
    page = tmp_path / "page.html"
    page.write_text(
        '<a href="#"><code class="xref py">known()</code></a> <code class="xref py"><span>unknown()</span></code>'
    )

    assert Page(page).unlinked == ["unknown()"]
