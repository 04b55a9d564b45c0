"""The rules of the house, read from the source: where a module stands, what it may import, how long it may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "smartdc"

FLOORS: list[set[str]] = [
    {"clock", "dates", "errors"},
    {"forgetful", "pool", "proxy", "resolver"},
    {"addresses", "answer", "line", "location", "progress", "signing", "transport", "typed", "wire"},
    {"agent", "private_key", "resource", "retry", "search", "waiting", "websocket"},
    {"audit", "ip", "ledger", "once", "role_tag", "stateful", "upgrade"},
    {"jobs"},
    {"access_key", "account", "firewall_rule", "identity", "image", "key", "metadata", "migration"}
    | {
        "network",
        "nic",
        "package",
        "policy",
        "presign",
        "profile",
        "role",
        "service",
        "session",
        "snapshot",
        "tag",
        "vnc",
        "volume",
    }
    | {"disk", "config"},
    {"explain", "lifecycle", "wish", "user", "vlan"},
    {"machine"},
    {"changefeed", "creation", "fleet"},
    {"datacenter"},
    {"doctor"},
    {"__init__"},
    {"__main__", "shell", "tour"},
]
"""Floor by floor from the ground: a module imports only from floors below its own."""

LIMIT = 350
"""The most lines of a module."""

LAZY = {
    "identity": {"smartdc.private_key"},
    "upgrade": {"smartdc.websocket", "websocket"},
}
"""Imports that wait inside a function, each with its reason beside it."""


def modules(folder: Path = PACKAGE) -> list[Path]:
    """List the modules in one folder."""
    return sorted(folder.glob("*.py"))


def floor_of(name: str) -> int:
    """Say how high a module stands."""
    for floor, names in enumerate(FLOORS):
        if name in names:
            return floor
    pytest.fail(f"smartdc/{name}.py stands on no floor: add it to FLOORS in {Path(__file__).name}")


def runtime_imports(tree: ast.Module) -> list[tuple[str, int]]:
    """Return what a module imports when it is loaded, with the line; imports for types only are left out."""
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    return [
        (name, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in typing_only
        for name in names_in(node)
    ]


def names_in(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Name the modules that one import statement loads."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    origin = node.module or ""
    if origin == "smartdc":
        return [f"smartdc.{alias.name}" for alias in node.names]
    return [origin]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_imports_point_down(path: Path) -> None:
    """A module of the client imports only modules of the client that stand on a lower floor."""
    floor = floor_of(path.stem)
    for name, line in runtime_imports(ast.parse(path.read_text())):
        if not name.startswith("smartdc.") or name.startswith("smartdc.emulator"):
            continue
        other = name.split(".")[1]
        where = floor_of(other if (PACKAGE / f"{other}.py").exists() else "__init__")
        assert where < floor, (
            f"smartdc/{path.name}:{line} imports {name}, which stands on floor {where}, not below floor {floor}: "
            "pass the value in, go through self.datacenter, or move the module"
        )


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_the_client_does_not_know_the_emulator(path: Path) -> None:
    """Only what stands above the front door, the commands, may use the emulator."""
    if floor_of(path.stem) >= floor_of("tour"):
        return
    names = [name for name, _ in runtime_imports(ast.parse(path.read_text()))]

    assert not [name for name in names if name.startswith("smartdc.emulator")]


@pytest.mark.parametrize("path", modules(PACKAGE / "emulator"), ids=lambda path: path.stem)
def test_the_emulator_does_not_know_the_client(path: Path) -> None:
    """The emulator shares no code with what it is to judge."""
    strangers = [
        (name, line)
        for name, line in runtime_imports(ast.parse(path.read_text()))
        if name.split(".")[0] == "smartdc" and not name.startswith("smartdc.emulator")
    ]

    assert not strangers, f"smartdc/emulator/{path.name} imports the client: {strangers}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_imports_stand_at_the_top(path: Path) -> None:
    """No import hides in a function, save those that are listed."""
    tree = ast.parse(path.read_text())
    hidden = [
        name
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in names_in(node)
    ]

    assert set(hidden) <= LAZY.get(path.stem, set()), f"{path.name}: move to the top, or list it in LAZY with a reason"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_modules_are_short_and_say_what_they_are_for(path: Path) -> None:
    """A module opens with a docstring and ends before anybody gets lost in it."""
    text = path.read_text()

    assert ast.get_docstring(ast.parse(text)), f"{path.name} does not say what it is for"
    assert text.count("\n") <= LIMIT, f"{path.name} has more than {LIMIT} lines: split it by what it is about"
