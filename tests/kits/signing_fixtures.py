"""Keys and a verifier of signatures, made once a session.

A test module asks for them with ``pytest_plugins = ("kits.signing_fixtures",)``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kits.signing import KeyShelf, Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def key_of(tmp_path_factory: pytest.TempPathFactory) -> KeyShelf:
    """Keys by kind, format and whether they are encrypted."""
    return KeyShelf(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def verifier() -> Iterator[Verifier]:
    """The verifier that CloudAPI uses."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed, so that npm's http-signature cannot verify our signatures")
    script = Path(__file__).with_name("http_signature_verifier.js")
    with subprocess.Popen(
        ["node", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    ) as process:
        verifier = Verifier(process)
        greeting = verifier.hear()
        if greeting.get("version") != "1.4.0":
            reason = greeting.get("missing", f"found {greeting.get('version')}")
            pytest.skip(f"npm's http-signature 1.4.0 is needed ({reason}); set SMARTDC_NODE_MODULES to where it is")
        yield verifier
