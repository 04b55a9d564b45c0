"""Wait for many machines at once, with as few requests as possible."""

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
"""How many machines' audits are read in one check, since the throttle is for the whole account."""


class Waited(NamedTuple):
    """The result of a wait for many machines."""

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
        """Wait until every machine is in `state`, or cannot reach it any more: ``ListMachines`` at every check.

        With several states, it waits until each machine is in one of them.

        If the account has many other machines, the listing is limited to the common beginning of the names and the
        common tags of the given machines. If that takes fewer requests, each machine is fetched by itself:
        ``GetMachine``.

        It raises no error for a single machine: the result says which machines arrived, which failed and why, and which
        had not arrived after `timeout` seconds (None waits for ever). The machine objects show their last seen state.
        """
        states = checked_states("machine", state, STATES)
        given = arguments.as_list("machines", machines)
        if strange := [each for each in given if not isinstance(each, Machine)]:
            raise InputError(f"{strange[0]!r} is not a Machine, as machine(), machines() and create_machine() return")
        group = _Group(self, self._datacenter, {machine.id: machine for machine in given}, states)
        with contextlib.suppress(WaitTimeout):
            goal, hint = f"are not {either(states)}", "wait_for() continues the wait"
            poll(group, group.check, goal, interval=interval, timeout=timeout, progress=progress, hint=hint)
        return Waited(group.arrived, group.failed, list(group.waiting.values()))


class _Group:
    """A group of machines to wait for: those still waited for, and the results of the others.

    A check looks at all machines once; for most of them, the state is enough. If only the audit can tell, it is read
    for the first few machines, which then go to the end of the queue, so that each gets its turn.
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
    def finished_share(self) -> float:
        """The share of the machines that have arrived or failed."""
        return 1 - len(self.waiting) / self.total if self.total else 1.0

    @property
    def label(self) -> str:
        """The words for it in progress lines: how many have arrived."""
        return f"{len(self.arrived)} of {self.total} machines"

    def describe(self) -> str:
        """Return the words for it in errors: how many are still waited for."""
        return f"{len(self.waiting)} of {self.total} machines"

    def check(self) -> bool:
        """Check the machines once, sort out those that have arrived or failed, and return whether all have."""
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
