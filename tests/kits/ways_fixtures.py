"""A fixture that says which way requests took."""

from __future__ import annotations

from typing import Any

import pytest

from kits.ways import LEAN, LONG, PUSHED_BACK
from smartdc.http import lean


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The way that each request took."""
    taken: list[str] = []
    urlopen, exchange, long_way = lean.LeanPool.urlopen, lean.LeanPool._exchange, lean.LeanPool._long_way

    def asked(*args: Any, **kwargs: Any) -> Any:
        taken.append(LONG)
        return urlopen(*args, **kwargs)

    def exchanged(*args: Any, **kwargs: Any) -> Any:
        taken[-1] = LEAN
        return exchange(*args, **kwargs)

    def handed_over(*args: Any, **kwargs: Any) -> Any:
        taken[-1] = PUSHED_BACK
        return long_way(*args, **kwargs)

    monkeypatch.setattr(lean.LeanPool, "urlopen", asked)
    monkeypatch.setattr(lean.LeanPool, "_exchange", exchanged)
    monkeypatch.setattr(lean.LeanPool, "_long_way", handed_over)
    return taken
