"""Wait for many machines at once, with one listing for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from smartdc.core import arguments
from smartdc.errors import InputError, WaitFailed, WaitTimeout
from smartdc.machine.action import known
from smartdc.machine.machine import HasMachines, Machine
from smartdc.waiting.poll import DEFAULT_TIMEOUT, poll
from smartdc.waiting.progress import Progress, Reporter, reporter

__all__ = ["Waited", "WaitsForMachines"]

AUDITS = 2
"""How many machines' audits are read at one look: the throttle is for the whole account."""


class Waited(NamedTuple):
    """What came of waiting for many machines."""

    arrived: list[Machine]
    failed: dict[Machine, WaitFailed]
    late: list[Machine]


class WaitsForMachines(HasMachines):
    """What can watch all its machines."""

    def wait_for(
        self,
        machines: Machine | Iterable[Machine],
        state: str,
        *,
        interval: float = 2,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporter | bool | None = None,
    ) -> Waited:
        """Wait until every machine is in `state` or cannot get there any more: ``ListMachines`` at every look.

        Nothing is raised for a single machine: the result says who arrived, who failed and why, and who was late
        when `timeout` seconds had passed (None waits for ever). The machines show what was seen last.
        """
        known(state)
        named = arguments.as_list("machines", machines)
        if strange := [each for each in named if not isinstance(each, Machine)]:
            raise InputError(f"{strange[0]!r} is no Machine, such as machine(), machines() and create_machine() return")
        watch = _Watch(self, {machine.id: machine for machine in named}, state)
        datacenter = self._datacenter
        report = reporter(datacenter.progress if progress is None else progress)

        def tell(elapsed: float, done: bool) -> None:
            if report:
                total = len(watch.waiting) + len(watch.arrived) + len(watch.failed)
                report(Progress(f"{len(watch.arrived)} of {total} machines", state, elapsed, timeout, done))

        try:
            poll(watch.look, f"not {state}", clock=datacenter.clock, interval=interval, timeout=timeout, watch=tell)
        except WaitTimeout:
            return Waited(watch.arrived, watch.failed, list(watch.waiting.values()))
        return Waited(watch.arrived, watch.failed, [])


class _Watch:
    """Who is still waited for, and what came of the others."""

    def __init__(self, owner: HasMachines, waiting: dict[str, Machine], state: str) -> None:
        foreign = [m for m in waiting.values() if m.datacenter is not owner._datacenter]  # noqa: SLF001
        if foreign:
            raise InputError(f"{foreign[0]!r} is in another data centre: wait for it there")
        self.owner, self.waiting, self.state = owner, waiting, state
        self.arrived: list[Machine] = []
        self.failed: dict[Machine, WaitFailed] = {}

    def look(self) -> bool | None:
        """List the machines once, and judge those that are waited for."""
        listed = {machine.id: machine for machine in self.owner.machines()} if self.waiting else {}
        for machine in list(self.waiting.values()):
            machine._look(listed.get(machine.id))  # noqa: SLF001 (a watch is part of the wait)
            self._judge(machine, audit=False)
        for machine in list(islice(self.waiting.values(), AUDITS)):
            self._judge(machine, audit=True)
            self._to_the_end(machine)
        return None if self.waiting else True

    def _judge(self, machine: Machine, *, audit: bool) -> None:
        try:
            if machine._judge(self.state, audit=audit):  # noqa: SLF001 (as above)
                self.arrived.append(self.waiting.pop(machine.id))
        except WaitFailed as error:
            self.failed[self.waiting.pop(machine.id)] = error

    def _to_the_end(self, machine: Machine) -> None:
        """Let the audits of all be read in turn."""
        if machine.id in self.waiting:
            self.waiting[machine.id] = self.waiting.pop(machine.id)
