"""`Fleet`: a selection of machines, and actions on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from smartdc.core import arguments
from smartdc.core.listing import ResourceList
from smartdc.core.operation import operation
from smartdc.core.parameters import parameters_of
from smartdc.core.shown import ShownAsTable, Table, is_typed_at_a_prompt
from smartdc.errors import InputError
from smartdc.fleet.actions import Verb, called, changed_state, rebooted, resized, tagged
from smartdc.fleet.engine import Engine
from smartdc.fleet.journal import Journal, Record, Wishes
from smartdc.fleet.options import Options, check_function
from smartdc.fleet.replacement import Replacement, check_losses, replaced
from smartdc.fleet.report import Report
from smartdc.fleet.run import Run
from smartdc.fleet.selection import Selection
from smartdc.fleet.snapshots import checked_name, rotated, snapshotted
from smartdc.fleet.ssh import SSHOutputs, run_on
from smartdc.fleet.step import Work
from smartdc.fleet.watch import Watch
from smartdc.machine.machine import Machine
from smartdc.machine.ssh import DEFAULT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["Fleet"]

ONE, SEVERAL, ANY_NUMBER = 1, 8, None
"""How many machines at once: one for actions that interrupt a machine."""


@dataclass(frozen=True)
class Expecting(Options):
    """The options of actions that cannot be undone; `expect` is how many machines there must be."""

    expect: int | None = None


@dataclass(frozen=True)
class Resize(Options):
    """The options of `Fleet.resize`."""

    package: str | Mapping[str, Any]


@dataclass(frozen=True)
class Tagging(Options):
    """The options of `Fleet.add_tags`."""

    tags: Mapping[str, Any]


@dataclass(frozen=True)
class NewSnapshot(Options):
    """The options of `Fleet.create_snapshot`."""

    name: str

    def __post_init__(self) -> None:
        """Refuse an invalid name."""
        super().__post_init__()
        checked_name("name", self.name)


@dataclass(frozen=True)
class Rotation(Options):
    """The options of `Fleet.rotate_snapshots`."""

    keep: int = 7
    prefix: str = "auto-"

    def __post_init__(self) -> None:
        """Refuse options that would keep no snapshot, or could match other snapshots."""
        super().__post_init__()
        checked_name("prefix", self.prefix)
        if arguments.integers(keep=self.keep)["keep"] < 1:
            raise InputError(f"keep must be at least 1, got {self.keep}")


@dataclass(frozen=True)
class Each(Options):
    """The options of `Fleet.each`; a function that is `repeatable` may be called again with the same machine."""

    function: Callable[[Machine], object]
    repeatable: bool = False

    def __post_init__(self) -> None:
        """Refuse what would do nothing when it is called."""
        super().__post_init__()
        check_function("function", self.function)


class Fleet(ShownAsTable):
    """A selection of machines, and actions on all of them.

    Every action lists the machines again. Actions begin in the order of the machines' names, and return a `Report`. If
    more machines fail than `budget` allows, the remaining machines are not touched, and `FleetFailed` is raised.
    """

    def __init__(self, datacenter: DataCenter, selection: Selection) -> None:
        self.datacenter = datacenter
        self._selection = selection

    # What it is

    @operation("ListMachines", "GetMachine")
    def machines(self) -> ResourceList[Machine]:
        """List the selected machines as they are now, by name: ``ListMachines``."""
        return ResourceList(self._selection.machines(self.datacenter))

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.machines())

    def __len__(self) -> int:
        return len(self.machines())

    def __repr__(self) -> str:
        """Show the machines in the console; anywhere else show the selection, without a request."""
        return self.as_text() if is_typed_at_a_prompt(1) else f"<Fleet {self._selection}>"

    # IPython takes what the class that has a `__repr__` has itself.
    _repr_pretty_ = ShownAsTable._repr_pretty_

    def _table(self) -> Table | None:
        return self.machines()._table()  # noqa: SLF001 (shown as that list is)

    # What can be done

    @parameters_of(Options)
    @operation("StartMachine")
    def start(self, options: Options) -> Report:
        """Boot every machine that is not running: ``StartMachine``."""
        return self._act("start", options, ANY_NUMBER, partial(changed_state, "start"))

    @parameters_of(Options)
    @operation("StopMachine")
    def stop(self, options: Options) -> Report:
        """Stop every machine that is not stopped, one at a time: ``StopMachine``."""
        return self._act("stop", options, ONE, partial(changed_state, "stop"))

    @parameters_of(Options)
    @operation("RebootMachine", "MachineAudit")
    def reboot(self, options: Options) -> Report:
        """Stop and boot every machine, one at a time: ``RebootMachine``; the audit shows when it is done."""
        return self._act("reboot", options, ONE, rebooted)

    @parameters_of(Expecting)
    @operation("DeleteMachine")
    def delete(self, options: Expecting) -> Report:
        """Delete every machine and its disk, one at a time: ``DeleteMachine``.

        `expect` is the number of machines to delete: if a different number is selected, nothing is deleted.
        """
        return self._act("delete", options, ONE, partial(changed_state, "destroy"))

    @parameters_of(Resize)
    @operation("ResizeMachine", "GetPackage")
    def resize(self, options: Resize) -> Report:
        """Move every machine to another package, one at a time: ``ResizeMachine``.

        `package` is a name, id, dict or resource; a machine that already has it is not touched.
        """

        def resolve(_: Sequence[Machine]) -> Record:
            package = self.datacenter.package(options.package)
            return {"package": [str(package.id), str(package.name)]}

        def work(run: Run, machine: Machine) -> Work:
            return resized(run.journal.header["package"], run, machine)

        return self._act("resize", options, ONE, work, {"package": options.package}, resolve)

    @parameters_of(Tagging)
    @operation("AddMachineTags")
    def add_tags(self, options: Tagging) -> Report:
        """Add tags to every machine, and keep its other tags: ``AddMachineTags``."""
        tags = arguments.mappings(tags=options.tags)["tags"]
        if not tags:
            raise InputError("give at least one tag")
        return self._act("add_tags", options, ANY_NUMBER, partial(tagged, tags), {"tags": tags})

    @parameters_of(NewSnapshot)
    @operation("CreateMachineSnapshot")
    def create_snapshot(self, options: NewSnapshot) -> Report:
        """Take a snapshot of every machine, and wait until it exists: ``CreateMachineSnapshot``."""
        name = options.name
        return self._act("create_snapshot", options, SEVERAL, partial(snapshotted, name), {"name": name})

    @parameters_of(Rotation)
    @operation("CreateMachineSnapshot", "DeleteMachineSnapshot", "ListMachineSnapshots")
    def rotate_snapshots(self, options: Rotation) -> Report:
        """Take a snapshot of every machine, and then delete all snapshots of this method except the newest `keep`.

        ``CreateMachineSnapshot``, ``ListMachineSnapshots``, ``DeleteMachineSnapshot``. Their names are `prefix` and the
        time in UTC, such as ``auto-20260101T030000Z``. Other snapshots are never deleted. If the new snapshot cannot be
        taken, none is deleted.
        """
        keep, prefix = arguments.integers(keep=options.keep)["keep"], options.prefix
        work = partial(rotated, keep, prefix)
        return self._act("rotate_snapshots", options, SEVERAL, work, {"keep": keep, "prefix": prefix})

    @parameters_of(Replacement)
    @operation("CreateMachine", "RenameMachine", "StopMachine", "DeleteMachine", "ListNics", "GetNetworkIP")
    def replace(self, options: Replacement) -> Report:
        """Replace every machine by a new one, made from `image`, one at a time: ``CreateMachine``.

        A new machine has the old one's package (or `package`), networks, tags and metadata. When it is running and
        `healthy`, it takes the old one's name: ``RenameMachine``. The old machine stays, renamed and stopped:
        ``StopMachine``; with `delete_old` it is deleted: ``DeleteMachine``. The report has the new machines.

        Args:
            losing: the things that may be lost: ``data`` (on the disks, which is never copied), ``dataset`` (a
                delegated dataset) and ``addresses`` (reserved ones). A machine with one of them is refused if it is not
                named here.
            expect: how many machines there must be.
        """
        dc = self.datacenter
        wishes = {
            "image": options.image,
            "package": options.package,
            "losing": sorted(options.losing),
            "delete_old": options.delete_old,
        }

        def resolve(machines: Sequence[Machine]) -> Record:
            check_losses(dc, machines, options)
            package = None if options.package is None else dc.package_id(options.package)
            return {"resolved": {"image": dc.image_to_use(options.image), "package": package}}

        return self._act("replace", options, ONE, partial(replaced, options), wishes, resolve)

    @parameters_of(Each)
    def each(self, options: Each) -> Report:
        """Call a function with every machine, by default one at a time; an exception is a failure.

        With a journal, a call that was running when the process was killed is reported as unknown; it is made again
        only if the function is `repeatable`.
        """
        name = getattr(options.function, "__qualname__", type(options.function).__qualname__)
        work = partial(called, options.function, options.repeatable)
        return self._act("each", options, ONE, work, {"function": name})

    def ssh(
        self,
        command: str | Sequence[str],
        *,
        at_once: int = SEVERAL,
        user: str | None = None,
        proxy: bool = True,
        options: Sequence[str] = (),
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
    ) -> SSHOutputs:
        """Run a command in every machine with OpenSSH, `at_once` at a time, and return the output of each.

        The other arguments are those of `Machine.ssh`. If a machine cannot be reached, or its command fails, no
        exception is raised: the machine is in `failed`, and the commands in the other machines run as usual.
        """
        machines = self.machines()
        return run_on(machines, command, at_once=at_once, user=user, proxy=proxy, options=options, timeout=timeout)

    def _act(
        self,
        action: str,
        options: Options,
        at_once: int | None,
        verb: Verb,
        wishes: Mapping[str, Any] | None = None,
        resolve: Callable[[Sequence[Machine]], Record] = lambda _: {},
    ) -> Report:
        """Act on all machines: those in the journal, or those that are selected now."""
        dc = self.datacenter
        self._selection.check(dc)
        expect = getattr(options, "expect", None)
        self._selection.expect(expect)
        found: dict[str, Machine] = {}

        def plan() -> Record:
            found.update({machine.id: machine for machine in self._selection.machines(dc, options.order)})
            self._selection.expect(expect, len(found))
            return {
                "machines": {machine.id: machine.get("name") for machine in found.values()},
                **resolve([*found.values()]),
            }

        asked = Wishes(action, dc.account_url, selection=self._selection.wishes(), **(wishes or {}))
        journal = Journal(options.journal, asked, plan)
        try:
            machines = list(found.values()) if journal.is_new else _remembered(dc, journal)
        except BaseException:
            journal.close()
            raise
        run = Run(dc, options, journal, Engine(dc, action, options, options.at_once or at_once))
        return run.carry_out(run.step(machine, partial(verb, run, machine)) for machine in machines)


def _remembered(dc: DataCenter, journal: Journal) -> Sequence[Machine]:
    """Return the machines of a resumed run; those that are not done are fetched."""
    named = journal.header["machines"]
    machines = [Machine(dc, data={"id": identity, "name": name}) for identity, name in named.items()]
    Watch(dc).look([machine for machine in machines if not journal.past(machine.id, "step")])
    return machines
