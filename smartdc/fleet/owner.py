"""`HasFleets`: the methods of a data centre for many machines at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from smartdc.core.operation import operation
from smartdc.core.parameters import parameters_of
from smartdc.fleet.creation import NewMachines, create_machines
from smartdc.fleet.fleet import Fleet
from smartdc.fleet.report import Report
from smartdc.fleet.selection import Selection
from smartdc.fleet.wait import WaitsForMachines
from smartdc.http.tracebacks import without_frames
from smartdc.machine.create import CreatesMachines
from smartdc.machine.machine import Machine

__all__ = ["HasFleets"]


class HasFleets(CreatesMachines, WaitsForMachines):
    """Mix-in for owners of machines that can be created, waited for and changed many at once."""

    def fleet(self, machines: Iterable[Machine] | None = None, /, *, everything: bool = False, **filters: Any) -> Fleet:
        """Select machines for a later action on all of them; this sends no request yet.

        Give the machines, or filters of `DataCenter.machines` such as ``tags={"role": "web"}``, or `everything` for all
        machines of the account. Without a filter, or with a filter that is None or empty, it raises `InputError`.
        """
        return Fleet(self._datacenter, Selection(machines, everything, filters))

    @without_frames
    @parameters_of(NewMachines)
    @operation("CreateMachine", "ListMachines")
    def create_machines(self, new: NewMachines) -> Report:
        """Create `count` machines, each exactly once, and wait until all are running: ``CreateMachine``, ``ListMachines``.

        `name` is a pattern such as ``web-{n:02}``, in which `n` counts from `start` on. If a name is taken, it raises
        `InputError` before anything is created. All other arguments are those of `create_machine`; keywords such as
        `journal` are those of `Fleet`.
        """
        return create_machines(self._datacenter, new)
