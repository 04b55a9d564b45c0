"""The rules of the house, read from the source: which folder may import which, and how long a module may be."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "smartdc"
EMULATOR = PACKAGE / "emulator"

CLIENT_FLOORS = (
    "__main__",
    "commands",
    "bridges",
    "cloud rehearsal",
    "datacenter",
    "fleet",
    "machine",
    "resources",
    "waiting",
    "core auth websocket",
    "http",
    "errors __init__",
)
EMULATOR_FLOORS = (
    "__main__ pytest_plugin",
    "app",
    "controls environment nouns",
    "resources",
    "machine",
    "pipeline",
    "doors page",
    "faults signature state",
    "grammar",
    "core __init__",
)
"""Folders and single modules from the roof to the ground; each imports only itself and what stands below its floor."""

MAY_USE_THE_EMULATOR = {"commands", "rehearsal"}
MAX_LINES = 400

LAZY = {
    "auth/identity.py": {"smartdc.auth.private_key"},  # OpenSSL is loaded when a key is needed, not before
    "auth/signing.py": {"smartdc.auth.private_key"},  # the same
    "emulator/pipeline/upgrade.py": {"smartdc.emulator.pipeline.websocket"},  # websockets is an extra
    "websocket/opening.py": {"smartdc.websocket.handshake"},  # websockets is an extra: it may not be installed
}
"""Imports that wait inside a function."""

CLIENT_MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if EMULATOR not in path.parents]
EMULATOR_MODULES = sorted(EMULATOR.rglob("*.py"))
MODULES = [*CLIENT_MODULES, *EMULATOR_MODULES]


def name(path: Path) -> str:
    """Return a module's path within the package, which names its test."""
    return path.relative_to(PACKAGE).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """Return a module's source as a tree."""
    return ast.parse(path.read_text())


def imports(tree: ast.AST, *, at_run_time: bool = True) -> list[tuple[str, int]]:
    """List the modules that a piece of source imports, with the line; imports for types only are left out on demand."""
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = []
    for node in ast.walk(tree):
        if at_run_time and id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # ``from smartdc import x`` may name a folder, and otherwise uses the front door.
            folder = node.module in ("smartdc", "smartdc.emulator")
            found += [
                (f"{node.module}.{alias.name}" if folder else f"{node.module}", node.lineno) for alias in node.names
            ]
    return found


def floor_of(part: str, floors: tuple[str, ...]) -> int:
    """Return the floor on which a folder or a single module stands, counted from the roof."""
    for floor, parts in enumerate(floors):
        if part in parts.split():
            return floor
    pytest.fail(f"{part} stands on no floor: add it to the floors in {Path(__file__).name}")


def too_high(path: Path, root: Path, floors: tuple[str, ...]) -> list[str]:
    """List what a module imports that does not stand below it."""
    package = ".".join(["smartdc", *root.relative_to(PACKAGE).parts])
    own = path.relative_to(root).parts[0].removesuffix(".py")
    found = []
    for imported, line in imports(parsed(path)):
        inside = imported == package or imported.startswith(f"{package}.")
        part = imported.removeprefix(package).lstrip(".").split(".")[0]
        if not inside or (root == PACKAGE and part == "emulator"):
            continue
        if not part or (not (root / part).is_dir() and not (root / f"{part}.py").exists()):
            part = "__init__"
        if part != own and floor_of(part, floors) <= floor_of(own, floors):
            found.append(f"{name(path)}:{line} imports {imported}, which does not stand below {own}")
    return found


def test_imports_of_the_client_point_down() -> None:
    """A folder of the client imports only folders on floors below its own."""
    modules = [path for path in CLIENT_MODULES if name(path) != "__init__.py"]
    wrong = [line for path in modules for line in too_high(path, PACKAGE, CLIENT_FLOORS)]

    assert not wrong, "pass the value in, go through self.datacenter, or move the module"


def test_imports_of_the_emulator_point_down() -> None:
    """A folder of the emulator imports only folders on floors below its own."""
    modules = [path for path in EMULATOR_MODULES if path.name != "__init__.py"]
    wrong = [line for path in modules for line in too_high(path, EMULATOR, EMULATOR_FLOORS)]

    assert not wrong, "pass the value in, or move the function down"


def test_client_and_emulator_share_nothing() -> None:
    """The emulator is to check the client, so neither imports the other; commands start both."""
    strangers = []
    for path in MODULES:
        own = path.relative_to(PACKAGE).parts[0]
        strangers += [
            f"{name(path)}:{line} imports {imported}"
            for imported, line in imports(parsed(path))
            if imported.startswith("smartdc.")
            and imported.startswith("smartdc.emulator") != (own == "emulator")
            and own not in MAY_USE_THE_EMULATOR
        ]

    assert not strangers


def modules_imported_by(path: Path) -> set[Path]:
    """Return the modules of the package that one module loads, besides the packages above them."""
    found = set()
    for imported, _ in imports(parsed(path)):
        file = PACKAGE.parent / (imported.replace(".", "/") + ".py")
        if file.exists():
            found.add(file)
    return found


def test_no_modules_import_each_other() -> None:
    """There is no cycle among modules."""
    graph = {path: modules_imported_by(path) for path in MODULES}
    while leaves := [path for path, others in graph.items() if not others & graph.keys()]:
        for path in leaves:
            del graph[path]

    assert not graph, f"these import each other: {sorted(map(name, graph))}"


def hidden_imports(path: Path) -> set[str]:
    """Return what the functions of a module import when they are called."""
    functions = [node for node in ast.walk(parsed(path)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {imported for function in functions for imported, _ in imports(function)}


def test_imports_stand_at_the_top() -> None:
    """No import hides in a function, save those that are listed with their reason, and all of those are there."""
    hidden = {name(path): found for path in MODULES if (found := hidden_imports(path))}

    assert hidden == LAZY, "move it to the top, or list it in LAZY with its reason"


def test_modules_say_what_they_are_for() -> None:
    """A module opens with a docstring."""
    assert [name(path) for path in MODULES if not ast.get_docstring(parsed(path))] == []


def test_modules_are_short() -> None:
    """A module ends before anybody gets lost in it."""
    lines = {name(path): path.read_text().count("\n") for path in MODULES}

    assert {module: n for module, n in lines.items() if n > MAX_LINES} == {}, "split it by what it is about"
