"""Random ids, without the module `uuid`, whose import costs more than its use."""

from __future__ import annotations

import os

__all__ = ["new_uuid"]


def new_uuid() -> str:
    """Return a random UUID (version 4)."""
    digits = os.urandom(15).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:18]}-{digits[18:]}"
