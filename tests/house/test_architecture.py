"""The rules of the house, read from the source: which folder may import which, and how long a module may be."""

from __future__ import annotations

import ast
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
    "websocket/opening.py": {"smartdc.websocket.handshake", "websockets"},  # an extra: it may not be installed
}
"""Imports that wait inside a function."""

CLIENT_MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if EMULATOR not in path.parents]
EMULATOR_MODULES = sorted(EMULATOR.rglob("*.py"))
MODULES = [*CLIENT_MODULES, *EMULATOR_MODULES]


def name(path: Path) -> str:
    """Return a module's path within the package, which names its test."""
    return path.relative_to(PACKAGE).as_posix()


def is_module(dotted: str) -> bool:
    """Say whether a dotted name is a module or folder of the package."""
    path = PACKAGE.parent / dotted.replace(".", "/")
    return path.is_dir() or path.with_name(f"{path.name}.py").exists()


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
    for imported, line in imports(ast.parse(path.read_text())):
        inside = imported == package or imported.startswith(f"{package}.")
        part = imported.removeprefix(package).lstrip(".").split(".")[0]
        if not inside or (root == PACKAGE and part == "emulator"):
            continue
        if not part or (not (root / part).is_dir() and not (root / f"{part}.py").exists()):
            part = "__init__"
        if part != own and floor_of(part, floors) <= floor_of(own, floors):
            found.append(f"{name(path)}:{line} imports {imported}, which does not stand below {own}")
    return found


@pytest.mark.parametrize("path", CLIENT_MODULES, ids=name)
def test_imports_of_the_client_point_down(path: Path) -> None:
    """A folder of the client imports only folders on floors below its own."""
    wrong = too_high(path, PACKAGE, CLIENT_FLOORS) if name(path) != "__init__.py" else []

    assert not wrong, "pass the value in, go through self.datacenter, or move the module"


@pytest.mark.parametrize("path", EMULATOR_MODULES, ids=name)
def test_imports_of_the_emulator_point_down(path: Path) -> None:
    """A folder of the emulator imports only folders on floors below its own."""
    wrong = too_high(path, EMULATOR, EMULATOR_FLOORS) if path.name != "__init__.py" else []

    assert not wrong, "pass the value in, or move the function down"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_client_and_emulator_share_nothing(path: Path) -> None:
    """The emulator is to check the client, so neither imports the other; commands start both."""
    own = path.relative_to(PACKAGE).parts[0]
    in_emulator = own == "emulator"
    strangers = [
        (imported, line)
        for imported, line in imports(ast.parse(path.read_text()))
        if imported.startswith("smartdc.") and imported.startswith("smartdc.emulator") != in_emulator
    ]

    assert in_emulator or own in MAY_USE_THE_EMULATOR or not strangers, "the client imports the emulator"
    assert not in_emulator or not strangers, "the emulator imports the client"


def modules_imported_by(path: Path) -> set[Path]:
    """Return the modules of the package that one module loads, besides the packages above them."""
    found = set()
    for imported, _ in imports(ast.parse(path.read_text())):
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


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_stand_at_the_top(path: Path) -> None:
    """No import hides in a function, save those that are listed with their reason."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    hidden = {imported for function in functions for imported, _ in imports(function)}

    assert hidden <= LAZY.get(name(path), set()), "move it to the top, or list it in LAZY with its reason"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_are_short_and_say_what_they_are_for(path: Path) -> None:
    """A module opens with a docstring and ends before anybody gets lost in it."""
    text = path.read_text()

    assert ast.get_docstring(ast.parse(text)), "say what the module is for"
    assert text.count("\n") <= MAX_LINES, f"more than {MAX_LINES} lines: split it by what it is about"
