"""Wait for many machines at once, with as few requests as that takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from smartdc.core import arguments
from smartdc.core.literals import MachineState
from smartdc.core.operation import operation
from smartdc.errors import InputError, WaitFailed, WaitTimeout
from smartdc.fleet.watch import Watch
from smartdc.machine.action import STATES
from smartdc.machine.machine import HasMachines, Machine
from smartdc.waiting.poll import DEFAULT_TIMEOUT, poll
from smartdc.waiting.progress import Reporter
from smartdc.waiting.stateful import checked_states, either

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["Waited", "WaitsForMachines"]

AUDITS_PER_CHECK = 2
"""How many machines' audits are read in one check: the throttle is for the whole account."""


class Waited(NamedTuple):
    """What came of waiting for many machines."""

    arrived: list[Machine]
    failed: dict[Machine, WaitFailed]
    late: list[Machine]


class WaitsForMachines(HasMachines):
    """Mix-in for owners of machines that can wait for many of them at once."""

    @operation("ListMachines", "GetMachine")
    def wait_for(
        self,
        machines: Machine | Iterable[Machine],
        state: MachineState | Iterable[MachineState],
        *,
        interval: float = 2,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporter | bool | None = None,
    ) -> Waited:
        """Wait until every machine is in `state` or cannot get there any more: ``ListMachines`` at every check.

        With several states it waits until each machine is in one of them.

        Where the account has many other machines, only those are listed that have the beginning of the name and the
        tags that all these have in common, or each is fetched by itself, ``GetMachine``, if that takes fewer requests.

        Nothing is raised for a single machine: the result says who arrived, who failed and why, and who was late
        when `timeout` seconds had passed (None waits for ever). The machines show what was seen last.
        """
        states = checked_states("machine", state, STATES)
        given = arguments.as_list("machines", machines)
        if strange := [each for each in given if not isinstance(each, Machine)]:
            raise InputError(f"{strange[0]!r} is not a Machine, as machine(), machines() and create_machine() return")
        group = _Group(self, self._datacenter, {machine.id: machine for machine in given}, states)
        with contextlib.suppress(WaitTimeout):
            poll(group, group.check, f"are not {either(states)}", interval=interval, timeout=timeout, progress=progress)
        return Waited(group.arrived, group.failed, list(group.waiting.values()))


class _Group:
    """Machines that are waited for together: which still are, and what came of the others.

    A check looks at all machines once, which judges every one whose state is enough. Where only the audit can tell, it is
    read for the first few, which then go to the end of the queue, so that each gets its turn.
    """

    def __init__(
        self, owner: HasMachines, datacenter: DataCenter, waiting: dict[str, Machine], states: tuple[MachineState, ...]
    ) -> None:
        if foreign := [machine for machine in waiting.values() if machine.datacenter is not datacenter]:
            raise InputError(f"{foreign[0]!r} is in another data centre: wait for it there")
        self.datacenter, self.waiting, self.states = datacenter, waiting, states
        self.state = either(states)
        self._watch = Watch(owner)
        self.total = len(waiting)
        self.arrived: list[Machine] = []
        self.failed: dict[Machine, WaitFailed] = {}

    @property
    def share(self) -> float:
        """The share of the machines that have arrived, or have failed to."""
        return 1 - len(self.waiting) / self.total if self.total else 1.0

    @property
    def label(self) -> str:
        """How many have arrived."""
        return f"{len(self.arrived)} of {self.total} machines"

    def describe(self) -> str:
        """Return how many are still waited for."""
        return f"{len(self.waiting)} of {self.total} machines"

    def check(self) -> bool:
        """Look at the machines once, judge those that are waited for, and return whether all have been."""
        self._watch.look(list(self.waiting.values()))
        for machine in list(self.waiting.values()):
            self._judge(machine, audit=False)
        for machine in list(islice(self.waiting.values(), AUDITS_PER_CHECK)):
            self._judge(machine, audit=True)
            if machine.id in self.waiting:
                self.waiting[machine.id] = self.waiting.pop(machine.id)
        return not self.waiting

    def _judge(self, machine: Machine, *, audit: bool) -> None:
        try:
            if machine.has_reached(self.states, audit=audit):
                self.arrived.append(self.waiting.pop(machine.id))
        except WaitFailed as error:
            self.failed[self.waiting.pop(machine.id)] = error
