"""Create many machines, each exactly once, even if the process is killed and runs again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from smartdc.core import arguments
from smartdc.errors import CallError, InputError, SmartDCError, WaitFailed
from smartdc.fleet.engine import Engine
from smartdc.fleet.journal import Journal, Record, Wishes
from smartdc.fleet.options import Options
from smartdc.fleet.report import MAX_NAMED, Report
from smartdc.fleet.run import Run
from smartdc.fleet.step import Call, Step, Until, Work
from smartdc.fleet.watch import common_prefix
from smartdc.machine.body import NAME, MachineDetails, Networks, NewMachine, machine_body
from smartdc.machine.create import new_token, with_token
from smartdc.machine.machine import Machine

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["NewMachines", "create_machines", "created"]

MAX_MACHINES = 100_000


@dataclass(frozen=True)
class NewMachines(Options, MachineDetails):
    """The parameters of the new machines, and the options of the run."""

    count: int
    name: str
    start: int = field(default=1, kw_only=True)
    package: str | Mapping[str, Any] | None = field(default=None, kw_only=True)
    image: str | Mapping[str, Any] | None = field(default=None, kw_only=True)
    networks: Networks | None = field(default=None, kw_only=True)
    metadata: Mapping[str, Any] | None = field(default=None, kw_only=True, repr=False)
    tags: Mapping[str, Any] | None = field(default=None, kw_only=True)
    boot_script: str | os.PathLike[str] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse invalid values, before a byte is sent."""
        super().__post_init__()
        if isinstance(self.count, bool) or not isinstance(self.count, int) or not 1 <= self.count <= MAX_MACHINES:
            raise InputError(f"count must be a whole number from 1 to {MAX_MACHINES:,}, got {self.count!r}")

    def names(self) -> list[str]:
        """Return the name of each machine."""
        start = arguments.integers(start=self.start)["start"]
        try:
            names = [self.name.format(n=number) for number in range(start, start + self.count)]
        except (LookupError, ValueError, AttributeError, TypeError, OverflowError, MemoryError):
            raise InputError(f"cannot make names of {self.name!r}; give a pattern such as 'web-{{n:02}}'") from None
        if len(set(names)) < len(names):
            raise InputError(f"the name {self.name!r} is the same for all machines; put {{n}} or {{n:02}} into it")
        if wrong := [name for name in names if not NAME.fullmatch(name)]:
            raise InputError(
                f"invalid machine name {wrong[0]!r}; expected letters, digits, '.', '_' and '-', at most 189"
            )
        return names

    def machine(self) -> NewMachine:
        """Return the parameters of each machine, without its name."""
        shared = {each.name for each in fields(NewMachine)} & {each.name for each in fields(self)}
        return NewMachine(**{**{name: getattr(self, name) for name in shared}, "name": None})


def create_machines(dc: DataCenter, new: NewMachines) -> Report:
    """Create the machines that do not exist yet, and wait until all are running."""
    names, machine = new.names(), new.machine()
    machine_body(replace(machine, name=names[0]))
    prefix = common_prefix(names)
    query = {"name": prefix} if NAME.fullmatch(prefix) else {}

    def plan() -> Record:
        there = {entry.get("name") for entry in dc.raw_machines(query)}
        if taken := [name for name in names if name in there]:
            few = ", ".join(taken[:MAX_NAMED])
            raise InputError(f"{len(taken)} of {len(names)} names are taken, such as {few}: nothing was created")
        return {"resolved": dc.resolved(machine)}

    wishes = Wishes("create", dc.account_url, names=names, **{**vars(machine), "timeout": None})
    journal = Journal(new.journal, wishes, plan)
    run = Run(dc, new, journal, Engine(dc, "create", new, new.at_once))
    try:
        body = machine_body(machine, **journal.header["resolved"])
        if not journal.is_new:
            run.known = {str(entry["id"]): entry for entry in dc.raw_machines(query)}
    except BaseException:
        journal.close()
        raise
    return run.carry_out(
        Step(name, run.whole(name, partial(created, run, name, {**body, "name": name}))) for name in names
    )


def created(run: Run, key: str, body: Mapping[str, Any], part: str = "create") -> Work:
    """Create one machine, and wait until it is running; the token in the journal shows whether it already exists."""
    past = run.journal.past(key, part)
    if past and past["now"] in ("accepted", "done"):
        machine = run.machine(past["id"], body["name"])
        if machine.get("state") is None:
            yield from run.insisted(lambda: bool(machine.look()))
    else:
        machine = yield Call(partial(_provisioned, run, key, part, body))
    if not past or past["now"] != "done":
        try:
            yield _until_running(machine)
        except WaitFailed:
            run.journal.write(key, part, "failed")
            raise
        run.journal.write(key, part, "done", id=machine.id)
    return machine


def _provisioned(run: Run, key: str, part: str, body: Mapping[str, Any]) -> Machine:
    """Send the create, or find the machine that an earlier create with the token in the journal has made."""
    dc, past = run.datacenter, run.journal.past(key, part)
    sent = past if past and past["now"] == "sent" else None
    token = str(sent["token"]) if sent else new_token()
    run.engine.permit()
    run.journal.write(key, part, "sent", token=token)
    try:
        recognise = _itself if sent else None
        machine = dc.provision(with_token(body, token), token, dc.settle, recognise, run.engine.permit)
    except SmartDCError as error:
        if not isinstance(error, CallError) or error.applied is False:
            run.journal.write(key, part, "refused")
        raise
    run.journal.write(key, part, "accepted", id=machine.id)
    return machine


def _itself(machine: Machine) -> Machine:
    return machine


def _until_running(machine: Machine) -> Until:
    """Return the wait for a provisioning machine to run."""

    def check() -> bool | None:
        return True if machine.state == "running" else None if machine.state in ("failed", "deleted") else False

    return Until(machine, check, partial(machine.has_reached, "running"), "is not running")
