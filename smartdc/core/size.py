"""Read sizes as people write them, such as ``10G``; CloudAPI's own unit is MiB."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from smartdc.core import arguments
from smartdc.errors import InputError

__all__ = ["Size", "sizes"]

Size = int | str
"""A number of MiB, or a text such as ``512M``, ``10G``, ``1.5T`` or ``10GiB``."""

_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([MGT])(?:iB)?", re.IGNORECASE | re.ASCII)
_MIB_BY_UNIT = {"M": 1, "G": 1024, "T": 1024**2}


def sizes(**values: object) -> dict[str, Any]:
    """Take sizes by their names, and return those that were given as whole numbers of MiB.

    Digits alone are MiB. Powers of ten (``GB``), and sizes that are not a whole number of MiB, are refused.
    """
    return arguments.integers(**{name: _number(name, value) for name, value in values.items()})


def _number(name: str, value: object) -> object:
    if not isinstance(value, str) or value.isdecimal():
        return value
    match = _SIZE.fullmatch(value.strip())
    if not match:
        raise InputError(f"{name} must be a number of MiB, or a size such as '512M', '10G' or '1.5T', got {value!r}")
    size = Decimal(match[1]) * _MIB_BY_UNIT[match[2].upper()]
    if size != int(size):
        raise InputError(f"{name} must be a whole number of MiB, and {value!r} is {size.normalize():f}")
    return int(size)
