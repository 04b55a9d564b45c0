"""Machines, and all that belongs to one.

`Machine` and `Snapshot` are loaded when they are first asked for: every module below needs this one, and they need
every module below.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartdc.machine.machine import Machine
    from smartdc.machine.snapshot import Snapshot

__all__ = ["Machine", "Snapshot"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{name.lower()}"), name)
