"""Machines and their parts.

`Machine` and `Snapshot` are loaded at their first use: every module in this folder imports this one, and `Machine` and
`Snapshot` import every module in this folder.
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
