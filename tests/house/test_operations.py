"""No operation of CloudAPI is without a test of its own.

The test modules are read and not run. A test counts for an operation when its fixtures lead to the ``door`` of all
tests, so that it runs at both doors, and when it checks by the operation's name: as a string in an ``assert``, as an
argument of ``sent`` or ``query``, which fail for what was never asked, or in the parametrization of a test that itself
looks at the trace. Comments, imports, docstrings and faults to be made count for nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import pytest

from smartdc import DataCenter, NotSupported
from smartdc.emulator import Emulator
from smartdc.emulator.pipeline import routes

TESTS = Path(__file__).parents[1]
ASKING = {"sent", "query"}
"""The functions of ``kits.cloud`` that look an operation up in the trace."""

Functions = dict[str, ast.FunctionDef]
Scope = dict[str, ast.AST]


def functions(tree: ast.Module) -> Functions:
    """Return the functions of a module, its fixtures among them."""
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def assigned(tree: ast.Module) -> Scope:
    """Return what the names of a module stand for, as far as that is written down in it."""
    found: Scope = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            found |= dict.fromkeys(names, node.value)
    return found


def fixtures_of(function: ast.FunctionDef) -> set[str]:
    """Return the fixtures that a function takes, or that are used for it."""
    named = {each.arg for each in [*function.args.args, *function.args.kwonlyargs]}
    used = [each for each in function.decorator_list if "usefixtures" in ast.unparse(each)]
    return named | {text for each in used for text in texts(each)}


def meets_both_doors(function: ast.FunctionDef, known: Functions) -> bool:
    """Say whether a function's fixtures, or theirs in turn, lead to a ``door`` that is one after the other."""
    others = [known[name] for name in fixtures_of(function) if name in known and known[name] is not function]
    return (function.name == "door" and "params=DOORS" in ast.unparse(function.decorator_list[0])) or any(
        meets_both_doors(each, known) for each in others
    )


def texts(*nodes: ast.AST) -> Iterator[str]:
    """Yield every string below these nodes."""
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


def asks(node: ast.AST) -> bool:
    """Say whether this is a call that looks something up in the trace."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKING


def checked(function: ast.FunctionDef, scope: Scope) -> Iterator[str]:
    """Yield the strings that a test checks by."""
    inside = list(ast.walk(function))
    yield from texts(*(node for node in inside if isinstance(node, ast.Assert) or asks(node)))
    if any(asks(node) or (isinstance(node, ast.Attribute) and node.attr == "trace") for node in inside):
        for decorator in function.decorator_list:
            whole = spelled_out(decorator, scope)
            if any("parametrize" in ast.unparse(each) for each in whole):
                yield from texts(*whole)


def spelled_out(node: ast.AST, scope: Scope) -> list[ast.AST]:
    """Return a node, what the names in it stand for, and what the names in that do."""
    whole = [node]
    for each in whole:
        names = {name.id for name in ast.walk(each) if isinstance(name, ast.Name)}
        whole += [scope[name] for name in names if name in scope and scope[name] not in whole]
    return whole


@cache
def checked_at_both_doors() -> dict[str, list[str]]:
    """Return the tests at both doors by the strings that they check by."""
    shared = functions(ast.parse((TESTS / "conftest.py").read_text()))
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        known, scope = shared | functions(tree), assigned(tree)
        for name, function in functions(tree).items():
            if name.startswith("test_") and meets_both_doors(function, known):
                for text in checked(function, scope):
                    found.setdefault(text, []).append(f"{path.name}::{name}")
    return found


@pytest.mark.parametrize("operation", [route.name for route in routes.rows()])
def test_every_operation_is_tested_at_both_doors(operation: str) -> None:
    """At least one test asks for the operation through each door, and checks by its name that it did."""
    assert checked_at_both_doors().get(operation), (
        f'write a test with the fixture dc that has sent(cloud, "{operation}"), and checks what became of it'
    )


def test_a_name_without_a_check_counts_for_nothing() -> None:
    """Comments, imports, docstrings, faults and a door of one's own are no checks."""
    module = ast.parse(
        '''
from facts import CreateKey
@fixture
def door(): return "http"
@mark.parametrize("name", ["CreateKey"])
def test_key(dc, name):  # CreateKey
    """``CreateKey`` adds a key."""
    cloud.faults.add(Fault("CreateKey", "reset"))
    assert dc.keys()
'''
    )
    known = functions(ast.parse((TESTS / "conftest.py").read_text()))

    assert "CreateKey" not in checked(functions(module)["test_key"], assigned(module))
    assert meets_both_doors(functions(module)["test_key"], known)
    assert not meets_both_doors(functions(module)["test_key"], known | functions(module))


@pytest.mark.parametrize("operation", ["GetChangefeed", "ConnectMachineVNC"])
def test_a_websocket_opens_at_its_door(dc: DataCenter, cloud: Emulator, door: str, operation: str) -> None:
    """``GetChangefeed`` and ``ConnectMachineVNC`` need the HTTP door, and are refused with a reason at the other."""
    [screen] = cloud.populate(1, image="debian-12-cloud")
    there = door == "http"
    with nullcontext() if there else pytest.raises(NotSupported, match="WebSockets need the HTTP door"):
        (dc.changefeed() if operation == "GetChangefeed" else dc.machine(screen.id).vnc()).close()

    assert {asked.operation: asked.status for asked in cloud.trace}[operation] == (101 if there else 501)
