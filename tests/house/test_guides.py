"""Guides list all that the code has."""

from __future__ import annotations

import re

import pytest

from kits.docs import ROOT
from smartdc.emulator.faults.plan import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_guide_on_faults_lists_every_kind(kind: str) -> None:
    """Whoever looks for a fault finds it in a table of the guide."""
    guide = (ROOT / "docs" / "guides" / "faults.md").read_text(encoding="utf-8")

    assert re.search(rf"^\| `{kind}` \| .+ \|$", guide, re.MULTILINE), f"add a row for {kind} to docs/guides/faults.md"
