"""`HasFleets`: what a data centre offers for many machines at once."""

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
        """Select machines, to do something with all of them; nothing is sent before that.

        They are the `machines` given, or those that fit filters as `machines` takes them, such as
        ``tags={"role": "web"}``, or with `everything` all machines of the account. No filter, or one that is None or
        empty, is an `InputError`.
        """
        return Fleet(self._datacenter, Selection(machines, everything, filters))

    @without_frames
    @parameters_of(NewMachines)
    @operation("CreateMachine", "ListMachines")
    def create_machines(self, new: NewMachines) -> Report:
        """Create `count` machines, each exactly once, and wait until all run: ``CreateMachine``, ``ListMachines``.

        `name` is a pattern such as ``web-{n:02}``, in which `n` counts from `start` on. A name that is taken is an
        `InputError` before anything is created. All else is as in `create_machine` and, for keywords such as
        `journal`, in `Fleet`.
        """
        return create_machines(self._datacenter, new)
