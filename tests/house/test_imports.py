"""An import costs next to nothing: what nobody has asked for yet is not loaded."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import smartdc

STUB = Path(smartdc.__file__).with_suffix(".pyi")

UNUSED = {"argparse", "cryptography", "email.parser", "gettext", "platform", "readline", "uuid", "websockets"}
"""Modules that a client does not need until it opens a key, or at all; `requests` loads email.parser itself."""


def loaded(code: str) -> set[str]:
    """Return the modules that a new process has loaded after some code, and had not before."""
    script = f"import sys; before = set(sys.modules); {code}; after = set(sys.modules); import json; "
    script += "print(json.dumps(sorted(after - before)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_the_package_alone_loads_nothing() -> None:
    """``import smartdc`` opens the front door, and nobody comes out yet."""
    assert loaded("import importlib, smartdc") <= {"smartdc", "importlib", "importlib._bootstrap", "warnings"} | loaded(
        "import importlib"
    )


def test_a_name_brings_only_what_it_needs() -> None:
    """An error is one module, and not the client."""
    assert {name for name in loaded("from smartdc import NotAuthorized") if name.startswith("smartdc")} == {
        "smartdc",
        "smartdc.errors",
    }


def test_a_client_loads_no_more_than_it_uses() -> None:
    """No command line, no ids, no cryptography before there is a key."""
    new = loaded("from smartdc import DataCenter") - loaded("import requests")

    assert "smartdc.datacenter" in new
    assert not {name for name in new if name.split(".")[0] in UNUSED or name in UNUSED}
    assert not {name for name in new if name.startswith(("smartdc.emulator", "smartdc.commands"))}


def test_type_checkers_see_the_same_names() -> None:
    """The stub of the package imports every name from the module that it is loaded from, and exports it."""
    stub = ast.parse(STUB.read_text(encoding="utf-8"))
    froms = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    found = {alias.name: import_module(str(node.module)) for node in froms for alias in node.names}
    [exported] = [ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign)]

    assert {*found, "__version__"} == set(smartdc.__all__), "import each name in smartdc/__init__.pyi"
    assert set(exported) == set(smartdc.__all__), "export each name in __all__ of smartdc/__init__.pyi"
    assert all(getattr(module, name) is getattr(smartdc, name) for name, module in found.items())
