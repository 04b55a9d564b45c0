"""docs/architecture.md has the floors that test_architecture.py enforces."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from house.test_architecture import CLIENT_FLOORS, EMULATOR, EMULATOR_FLOORS, MAY_USE_THE_EMULATOR, PACKAGE
from kits.docs import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

CLIENT_TABLE, EMULATOR_TABLE = PAGE.partition("## The client")[2].split("## The emulator")


@pytest.mark.parametrize(
    ("table", "floors", "root"),
    [(CLIENT_TABLE, CLIENT_FLOORS, PACKAGE), (EMULATOR_TABLE, EMULATOR_FLOORS, EMULATOR)],
    ids=["client", "emulator"],
)
def test_the_page_has_the_floors_that_are_enforced(table: str, floors: tuple[str, ...], root: Path) -> None:
    """Each folder and module has a row with its floor, counted from the ground, and with the floors that it may import."""
    existing = [[part for part in floor.split() if shown(part, root)] for floor in floors]
    numbered = enumerate([parts for parts in reversed(existing) if parts], start=1)
    expected = {
        (str(number), str(shown(part, root)), below(number) + (", and the emulator" * (part in MAY_USE_THE_EMULATOR)))
        for number, parts in numbered
        for part in parts
    }

    rows = re.findall(r"^\| (\d+) \| `(\S+)` \| .+ \| (.+) \|$", table, re.MULTILINE)

    assert set(rows) == expected, "change the table in docs/architecture.md, and the drawing"


def shown(part: str, root: Path) -> str | None:
    """Return a folder or module as the page writes it; None for the front door and for what is not there yet."""
    if part == "__init__":
        return None
    return next((name for name in (f"{part}/", f"{part}.py") if (root / name).exists()), None)


def below(number: int) -> str:
    """Return the floors below one, as the page writes them."""
    return {1: "-", 2: "floor 1", 3: "floors 1 and 2"}.get(number, f"floors 1 to {number - 1}")


def test_the_drawing_shows_every_folder() -> None:
    """A folder that is added is added to the drawing."""
    drawing = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    folders = {f"{path.parent.name}/" for root in (PACKAGE, EMULATOR) for path in root.glob("*/__init__.py")}

    assert folders - {"emulator/"} <= set(re.findall(r'class="name">([^<]+)<', drawing))


def test_modules_that_the_page_names_exist() -> None:
    """Whoever follows a path from the page finds the file."""
    roots = (PACKAGE, EMULATOR, ROOT)
    paths = set(re.findall(r"`([a-z_/]+(?:\.py|\.md|/))`", PAGE)) | set(re.findall(r"`(tests/[a-z_/]+)`", PAGE))
    kinds = {"promises/", "peers/", "house/", "kits/"}

    assert [path for path in sorted(paths - kinds) if not any((root / path).exists() for root in roots)] == []
