"""Check the documentation as it was built: ``PYTHONPATH=tests python -m kits.site docs/_build/html``.

Every local link must lead to a page and to an anchor that are there, every call on the page of operations must be a
link, and of the first three pages that a search finds one must be among those where people expect the answer.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["broken_links", "main", "unanswered", "unlinked_calls"]

ANSWERS = {
    "async": ("cookbook/asyncio", "cookbook/parallel", "guides/many-workers"),
    "mock": ("guides/testing", "guides/emulator", "guides/faults"),
    "parallel": ("cookbook/parallel", "guides/fleets", "guides/many-workers"),
    "password": ("guides/authentication", "guides/security", "guides/ssh"),
    "retry": ("guides/reliability", "guides/errors", "guides/configuration"),
    "ssh": ("guides/ssh", "reference/machine/ssh", "cookbook/ssh"),
    "throttle": ("guides/reliability", "guides/errors", "guides/configuration"),
    "timeout": ("guides/configuration", "guides/waiting", "guides/reliability"),
    "token": ("guides/reliability", "guides/authentication", "guides/security"),
    "wait_for": ("guides/waiting", "reference/datacenter", "reference/machine/machine"),
}
"""What people search for, and the pages where somebody who had not seen any results expected the answer."""

FIRST = 3
"""How many of the pages that are found people look at."""

_SCRIPT = Path(__file__).parent / "site_search.js"
_LINKS = {"a": "href", "link": "href", "img": "src", "script": "src"}


class Page(HTMLParser):
    """The links and the anchors of a page, and the references to code that lead nowhere."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.anchors: set[str] = {"", "top"}
        self.unlinked: list[str] = []
        self._open_links = 0
        self._is_unlinked = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element links to, and its anchor."""
        given = {name: value or "" for name, value in attrs}
        if target := given.get(_LINKS.get(tag, "")):
            self.links.append(target)
        self.anchors.update(value for name, value in given.items() if name in {"id", "name"})
        self._open_links += tag == "a"
        if tag == "code":
            self._is_unlinked = "xref" in given.get("class", "").split() and not self._open_links

    def handle_endtag(self, tag: str) -> None:
        """Leave a link, or a piece of code."""
        self._open_links -= tag == "a"
        self._is_unlinked = self._is_unlinked and tag != "code"

    def handle_data(self, data: str) -> None:
        """Note a reference without a link."""
        if self._is_unlinked and data.strip():
            self.unlinked.append(data)
            self._is_unlinked = False


def pages(site: Path) -> dict[Path, Page]:
    """Read all pages of a site."""
    return {path: Page(path) for path in sorted(site.resolve().rglob("*.html"))}


def broken_links(found: dict[Path, Page]) -> Iterator[str]:
    """Yield every link within the site that leads nowhere."""
    for page in found.values():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme or target.netloc:
                continue
            path = (page.path.parent / unquote(target.path)).resolve() if target.path else page.path
            anchors = found[path].anchors if path in found else None
            if not path.is_file() or (anchors is not None and unquote(target.fragment) not in anchors):
                yield f"{page.path.name}: {link}"


def unlinked_calls(page: Page) -> list[str]:
    """Return the references to code on a page that are no links."""
    return sorted(set(page.unlinked))


def unanswered(site: Path) -> Iterator[str]:
    """Yield every search whose answer is not among the first pages that are found."""
    command = ["node", str(_SCRIPT), str(site), *ANSWERS]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    for (word, answers), line in zip(ANSWERS.items(), lines, strict=True):
        names = [name for name, _ in json.loads(line)][:FIRST]
        if not {*answers} & {*names}:
            yield f"a search for {word!r} finds {names}, and none of {answers}"


def main(site: Path) -> int:
    """Print what is wrong with a site, and return the exit status."""
    found = pages(site)
    calls = unlinked_calls(found[site.resolve() / "operations.html"])
    wrong = [f"broken link: {link}" for link in broken_links(found)]
    wrong += [f"no link on the page of operations: {call}" for call in calls]
    wrong += unanswered(site) if shutil.which("node") else []
    links = sum(len(page.links) for page in found.values())
    right = f"{len(found)} pages with {links} links are right, and {len(ANSWERS)} searches find what answers them"
    sys.stdout.write("\n".join(wrong or [right]) + "\n")
    return 1 if wrong or not links else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
