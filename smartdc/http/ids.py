"""Random ids, without the module `uuid`, whose import costs more than its use."""

from __future__ import annotations

import os

__all__ = ["new_uuid"]


def new_uuid() -> str:
    """Return a random UUID (version 4)."""
    number = int.from_bytes(os.urandom(16))
    digits = f"{number & ~(0xF000 << 64) & ~(0xC000 << 48) | 0x4000 << 64 | 0x8000 << 48:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
