"""The ways that requests take through `smartdc.http.lean`; the fixture `ways` says which they took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from smartdc.http import lean

__all__ = ["LEAN", "LONG", "PUSHED_BACK", "the_long_way"]

LEAN = "lean"
"""The request was written and the response read here."""
PUSHED_BACK = "pushed back"
"""The request was written here, and the response read by `http.client`."""
LONG = "long"
"""All went through urllib3."""


@contextmanager
def the_long_way() -> Iterator[None]:
    """Let every request take the long way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lean, "hooked", lambda: True)
        yield
