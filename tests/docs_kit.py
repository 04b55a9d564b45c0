"""What the documentation is compared with: its code blocks, and the table of operations as the code has it.

Run this file, ``python tests/docs_kit.py``, to write the table into ``docs/operations.md`` again.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import smartdc
from smartdc.emulator import app, router, routes

ROOT = Path(__file__).parent.parent
OPERATIONS = ROOT / "docs" / "operations.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = sorted((ROOT / "docs" / "reference").glob("*.md"))

ROWS = {name: (method, path, action) for name, method, path, action in routes.rows()}
"""CloudAPI's operations: name to method, path and action."""
EMULATED = {operation.name for operation in router.ROUTER.operations()} if app.NOUNS else set()
"""The operations that the emulator has; its nouns put their handlers there when they are imported."""

_BLOCK = re.compile(r"^( *)```(python|pycon)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_OPERATION = re.compile(r"``([A-Z]\w+)``")
_TABLE = re.compile(r"(?<=<!-- begin: written by tests/docs_kit.py -->\n).*?(?=<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of code on a page."""

    kind: str
    source: str
    page: Path
    line: int

    @property
    def reason(self) -> str | None:
        """Why the block is not run, as its first line says; None when it is."""
        mark = re.match(r"# Not run(?::\s*(.*))?", self.source)
        return mark and (mark[1] or "")

    @property
    def test_file(self) -> str | None:
        """The name of the file of tests that the block is, as its first line says."""
        mark = re.match(r"# (test_\w+\.py|conftest\.py)\n", self.source)
        return mark and mark[1]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of Python on a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match[2], dedent(match[3]), page, text.count("\n", 0, match.start(3)) + 1)
        for match in _BLOCK.finditer(text)
    ]


def prose(page: Path) -> str:
    """Return the text of a page without its fenced blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def public_classes() -> list[type]:
    """Return the classes that users meet: those of the front door, and the parts of this package that they are made of."""
    doors = [getattr(smartdc, name) for name in smartdc.__all__]
    classes = [thing for thing in doors if inspect.isclass(thing)]
    return list(
        dict.fromkeys(part for cls in classes for part in cls.__mro__ if part.__module__.startswith("smartdc."))
    )


def documented_classes() -> set[type]:
    """Return the classes that the reference shows with all their members."""
    found: set[type] = set()
    for page in REFERENCE:
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r"^\.\. autoclass:: (\S+)$", text, re.MULTILINE):
            module, _, name = path.rpartition(".")
            found.add(getattr(importlib.import_module(module), name))
        for path in re.findall(r"^\.\. automodule:: (\S+)$", text, re.MULTILINE):
            module = importlib.import_module(path)
            found.update(thing for thing in vars(module).values() if inspect.isclass(thing))
    return found


def calls() -> dict[str, list[str]]:
    """Return, for each operation, the Python calls whose docstrings name it."""
    found: dict[str, list[str]] = {}
    for cls in public_classes():
        if not issubclass(cls, smartdc.DataCenter | smartdc.resource.Resource) or cls.__name__.startswith("Has"):
            continue
        owner = "dc" if cls is smartdc.DataCenter else cls.__name__.lower()
        for call, text in _described(cls):
            for name in dict.fromkeys(_OPERATION.findall(text)):
                if name in ROWS and _fits(cls, name):
                    found.setdefault(name, []).append(f"{owner}.{call}")
    return {name: list(dict.fromkeys(several)) for name, several in found.items()}


def _described(cls: type) -> Iterator[tuple[str, str]]:
    """Yield the calls of a class with their docstrings, the inherited ones too; old names are left out."""
    for part in cls.__mro__:
        if not part.__module__.startswith("smartdc.") or part is smartdc.resource.Resource:
            continue
        for name, thing in vars(part).items():
            text = inspect.getdoc(thing) or ""
            if name.startswith("_") or ".. deprecated::" in text or getattr(cls, name, None) is None:
                continue
            if isinstance(thing, property):
                yield name, text
            elif callable(thing) and thing.__name__ == name:
                yield f"{name}()", text


def _fits(cls: type, name: str) -> bool:
    """Tell whether an operation that a shared half-class names is one of this owner's."""
    return "/:user/" not in ROWS[name][1] or (hasattr(smartdc, "User") and cls is not smartdc.DataCenter)


def table() -> str:
    """Return both tables of operations as the code has them."""
    known = calls()
    built = [
        f"| ``{name}`` | {_request(name)} | {_code(known[name])} | {_emulated(name)} |"
        for name in ROWS
        if name in known
    ]
    rest = [f"| ``{name}`` | {_request(name)} | {_emulated(name)} |" for name in ROWS if name not in known]
    return "\n".join(
        [
            "",
            "| operation | method and path | Python | emulated |",
            "| --- | --- | --- | --- |",
            *built,
            "",
            "## Not yet",
            "",
            "These have no method of their own yet; `dc.request(method, path)` reaches them all the same.",
            "",
            "| operation | method and path | emulated |",
            "| --- | --- | --- |",
            *rest,
            "",
            "",
        ]
    )


def _request(name: str) -> str:
    method, path, action = ROWS[name]
    return f"`{method} {path}{f'?action={action}' if action else ''}`"


def _code(several: list[str]) -> str:
    return ", ".join(f"`{call}`" for call in several)


def _emulated(name: str) -> str:
    return "yes" if name in EMULATED else ""


def written_table() -> str:
    """Return the tables of operations as the page has them."""
    match = _TABLE.search(OPERATIONS.read_text(encoding="utf-8"))
    return match[0] if match else ""


def write_table() -> None:
    """Put the tables of operations, as the code has them, into the page."""
    text = OPERATIONS.read_text(encoding="utf-8")
    OPERATIONS.write_text(_TABLE.sub(lambda _: table(), text), encoding="utf-8")


if __name__ == "__main__":
    write_table()
