"""What the documentation is compared with: its code blocks, and the table of operations as the code has it.

``PYTHONPATH=tests python -m kits.docs`` writes the table into ``docs/operations.md`` again. (Run as a file it would find
``kits/http.py`` in the place of the standard library's ``http``.)
"""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import smartdc
from peers.node_twins import MACHINE_TWINS
from peers.node_twins_account import ACCOUNT_TWINS
from smartdc.core.help_page import INTERNAL
from smartdc.core.operation import operations_of
from smartdc.core.resource import Resource
from smartdc.emulator import app
from smartdc.emulator.pipeline import router, routes

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = sorted((ROOT / "docs" / "reference").rglob("*.md"))

ROWS = {route.name: route for route in routes.rows()}
"""CloudAPI's operations by name."""
EMULATED = {operation.name for operation in router.ROUTER.operations()} if app.NOUNS else set()
"""The operations that the emulator has; its nouns put their handlers there when they are imported."""

_BLOCK = re.compile(r"^( *)```(python|pycon)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_OPERATION = re.compile(r"``([A-Z][\w:*]+)``")
_DIFFERENCE = re.compile(r"^(\d+)\. ((?:``[A-Z][\w:*]+``(?:, | and )?)+): ", re.MULTILINE)
_TABLE = re.compile(r"(?<=<!-- begin: written by tests/kits/docs.py -->\n).*?(?=<!-- end -->)", re.DOTALL)

_COMMAND_WORDS = re.compile(r"(?:(?!second|ops|reads)[a-z][a-z-]*(?: |$))+")
_TELLING_OPTIONS = ("--snapshot", "--all")
"""Options without which a command of `triton` does something else."""

_HEAD = [
    "| operation | method and path | since | Python | triton | emulated | differences |",
    "| --- | --- | --- | --- | --- | --- | --- |",
]
_WITHOUT_METHODS = """\
## Without a method of their own

An operation whose name begins with `Head` returns the headers of its `Get` or `List` counterpart, without a body.
It needs no method of its own, since its counterpart returns the same headers and more.
Counting is the exception: `num_machines()`, `num_nics()` and `num_disks()` call such operations.
To call another one, use `dc.request`: it returns None and the `requests.Response` with the headers, and raises `ResourceNotFound` for a 404.

The first three operations redirect browsers to the documentation of CloudAPI; programs do not need them.
They raise `Redirected`, whose attribute `location` is the new URL.""".splitlines()


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


def requests_on(page: Path) -> list[str]:
    """Return the request lines of the account `demo` that a page shows by themselves."""
    return re.findall(r"^((?:GET|HEAD|POST|PUT|DELETE) /demo/\S*)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def prose(page: Path) -> str:
    """Return the text of a page without its fenced blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def code(page: Path) -> str:
    """Return the fenced blocks of code of a page, without directives such as ``toctree``."""
    return "\n".join(match[0] for match in _FENCED.finditer(page.read_text(encoding="utf-8")) if "```{" not in match[0])


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
        whole = re.findall(r"^<!-- members of (\S+) by noun -->$", text, re.MULTILINE)
        for path in [*whole, *re.findall(r"^\.\. autoclass:: (\S+)$", text, re.MULTILINE)]:
            module, _, name = path.rpartition(".")
            found.add(getattr(importlib.import_module(module), name))
        for path in re.findall(r"^\.\. automodule:: (\S+)$", text, re.MULTILINE):
            module = importlib.import_module(path)
            found.update(thing for thing in vars(module).values() if inspect.isclass(thing))
    return found


def calls() -> dict[str, list[str]]:
    """Return, for each operation, the Python calls that are marked with it."""
    found: dict[str, dict[str, None]] = {}
    for owner in owners():
        for call, names in _marked(owner):
            for name in names:
                found.setdefault(name, {})[f"{_variable(owner)}.{call}"] = None
    return {name: list(several) for name, several in found.items()}


def owners() -> list[type]:
    """Return the classes that things are made of, rather than what those inherit."""
    things = (smartdc.DataCenter, Resource)
    named = [getattr(smartdc, name) for name in smartdc.__all__]
    return [thing for thing in named if inspect.isclass(thing) and issubclass(thing, things)]


def _marked(owner: type) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each call of a class under its own name, and the operations that it is marked with."""
    for part in owner.__mro__:
        for name, thing in vars(part).items():
            names = () if name in INTERNAL else operations_of(thing, owner.__name__)
            if names and isinstance(thing, property):
                yield name, names
            elif names and thing.__name__ == name:
                yield f"{name}()", names


def _variable(owner: type) -> str:
    """Name a thing as examples do."""
    return "dc" if owner is smartdc.DataCenter else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", owner.__name__).lower()


def triton_commands() -> dict[str, list[str]]:
    """Return, for each operation, the commands of `triton` that tests have seen to send the same as this library."""
    found: dict[str, dict[str, None]] = {}
    for twin in (*MACHINE_TWINS, *ACCOUNT_TWINS):
        if isinstance(twin.theirs, str) and not twin.theirs.startswith("-"):
            found.setdefault(twin.operation, {})[_command(twin.theirs)] = None
    return {name: list(several) for name, several in found.items()}


def _command(line: str) -> str:
    """Return the words of a command that say what it does, without what it is done to."""
    words = _COMMAND_WORDS.match(line)
    options = [word.partition("=")[0] for word in line.split() if word.startswith(_TELLING_OPTIONS)]
    if line.startswith("rbac"):
        options += re.findall(r" (-[ad])(?= )", line)
    return " ".join(["triton", *(words[0].split() if words else []), *options])


def differences() -> dict[str, list[str]]:
    """Return the numbers that the page gives to differences, by the operations that these name; a star is any text."""
    found: dict[str, list[str]] = {}
    for number, several in _DIFFERENCE.findall(OPERATIONS.read_text(encoding="utf-8")):
        for pattern in _OPERATION.findall(several):
            for name in fnmatch.filter(ROWS, pattern) or [pattern]:
                found.setdefault(name, []).append(number)
    return found


def table() -> str:
    """Return both tables of operations: those with methods, and those that need none."""
    known, commands, numbers = calls(), triton_commands(), differences()
    rows = {
        name: _row(name, known.get(name) or [_request_call(name)], commands.get(name, []), numbers.get(name, []))
        for name in ROWS
    }
    built = [row for name, row in rows.items() if name in known]
    rest = [row for name, row in rows.items() if name not in known]
    return "\n".join(["", *_HEAD, *built, "", *_WITHOUT_METHODS, "", *_HEAD, *rest, "", ""])


def _row(name: str, several: list[str], commands: list[str], numbers: list[str]) -> str:
    route = ROWS[name]
    request = f"{route.method} {route.path}{f'?action={route.action}' if route.action else ''}"
    emulated = "yes" if name in EMULATED else "no"
    cells = [f"``{name}``", f"`{request}`", route.since or "-", _code(several), _code(commands), emulated]
    return f"| {' | '.join(cells)} | {', '.join(numbers)} |"


def _request_call(name: str) -> str:
    """Return the call that reaches an operation without a method of its own."""
    route = ROWS[name]
    if not route.path.startswith("/:account"):
        return f'dc.unsigned().request("{route.method}", "{route.path.rstrip("*")}")'
    below = re.sub(r":(\w+)", r"{\1}", route.path.removeprefix("/:account"))
    return f'dc.request("{route.method}", {"f" * ("{" in below)}"{below}")'


def _code(several: list[str]) -> str:
    return ", ".join(f"`{call}`" for call in several)


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
