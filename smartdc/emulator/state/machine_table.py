"""All machines by id, indexed so that no request gets slower as the population grows.

For each account there are three sorted lists: all its machines and the living ones, both in order of creation, and the
names of the living ones. A page is a slice of one of the first two, a name is found by bisection in the third, and so
is the range of names with a prefix. Inserting into a sorted list moves the rest of it, which for 100,000 machines costs
less than a tenth of verifying a signature; new machines are appended.

Records tell the table when an indexed attribute changes (`MachineRecord.__setattr__`), so a job or a test renames or
deletes a machine by setting the attribute.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, MutableMapping, Sequence, ValuesView
from dataclasses import dataclass, field
from itertools import count

from smartdc.emulator.state.records import MachineRecord

MAX_SORTED_SHARE = 8
"""If more than one in this many names has a prefix, machines are searched in order of creation instead, page by page."""

_Key = tuple[str, str, bool]


@dataclass(slots=True)
class _Owned:
    """The machines of one account."""

    machines: list[MachineRecord] = field(default_factory=list)
    living: list[MachineRecord] = field(default_factory=list)
    names: list[tuple[str, int, MachineRecord]] = field(default_factory=list)
    """The name, serial number and record of each living machine."""


class MachineTable(MutableMapping[str, MachineRecord]):
    """The machines by id, oldest first; do not change or keep the sequences that it returns."""

    def __init__(self) -> None:
        self._machines: dict[str, MachineRecord] = {}
        self._serials: dict[str, int] = {}
        self._next_serial = count()
        self._owners: dict[str, _Owned] = {}

    def __getitem__(self, identity: str) -> MachineRecord:
        """Return the machine with an id."""
        return self._machines[identity]

    def __setitem__(self, identity: str, machine: MachineRecord) -> None:
        """Add a machine under its id."""
        if identity in self._machines:
            del self[identity]
        self._machines[identity] = machine
        self._serials[identity] = next(self._next_serial)
        self._index(machine, _key(machine))
        machine.table = self

    def __delitem__(self, identity: str) -> None:
        """Remove a machine."""
        machine = self._machines[identity]
        machine.table = None
        self._remove_from_index(machine, _key(machine))
        del self._machines[identity], self._serials[identity]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids, oldest machine first."""
        return iter(self._machines)

    def __len__(self) -> int:
        """Return the number of machines, including deleted ones."""
        return len(self._machines)

    def values(self) -> ValuesView[MachineRecord]:
        """Return the machines, oldest first."""
        return self._machines.values()

    def change(self, machine: MachineRecord, attribute: str, value: object) -> None:
        """Set an indexed attribute of a machine."""
        before = _key(machine)
        object.__setattr__(machine, attribute, value)
        after = _key(machine)
        if before != after:
            self._remove_from_index(machine, before)
            self._index(machine, after)

    # Look-ups

    def owned_by(self, account: str) -> Sequence[MachineRecord]:
        """Return the machines of the account with this id, oldest first, including deleted ones."""
        return self._owners[account].machines if account in self._owners else ()

    def living_of(self, account: str) -> Sequence[MachineRecord]:
        """Return the living machines of the account with this id, oldest first."""
        return self._owners[account].living if account in self._owners else ()

    def has_living(self, account: str, name: str) -> bool:
        """Return whether the account with this id has a living machine of this name."""
        names = self._owners[account].names if account in self._owners else []
        place = bisect_left(names, (name,))
        return place < len(names) and names[place][0] == name

    def living_candidates(self, account: str, prefix: str) -> Sequence[MachineRecord]:
        """Return all living machines whose name has a prefix, and maybe others, oldest first."""
        if account not in self._owners:
            return ()
        owned = self._owners[account]
        start = bisect_left(owned.names, (prefix,))
        end = bisect_right(owned.names, prefix, lo=start, key=lambda entry: entry[0][: len(prefix)])
        if (end - start) * MAX_SORTED_SHARE > len(owned.living):
            return owned.living
        return [machine for _, _, machine in sorted(owned.names[start:end], key=lambda entry: entry[1])]

    # The index

    def _index(self, machine: MachineRecord, key: _Key) -> None:
        owner, name, alive = key
        owned = self._owners.setdefault(owner, _Owned())
        self._insert(owned.machines, machine)
        if alive:
            self._insert(owned.living, machine)
            insort(owned.names, (name, self._serials[machine.id], machine))

    def _remove_from_index(self, machine: MachineRecord, key: _Key) -> None:
        owner, name, alive = key
        owned = self._owners[owner]
        del owned.machines[self._place(owned.machines, machine)]
        if alive:
            del owned.living[self._place(owned.living, machine)]
            del owned.names[bisect_left(owned.names, (name, self._serials[machine.id]))]

    def _insert(self, machines: list[MachineRecord], machine: MachineRecord) -> None:
        if not machines or self._serial(machines[-1]) < self._serial(machine):
            machines.append(machine)
        else:
            machines.insert(self._place(machines, machine), machine)

    def _place(self, machines: list[MachineRecord], machine: MachineRecord) -> int:
        return bisect_left(machines, self._serial(machine), key=self._serial)

    def _serial(self, machine: MachineRecord) -> int:
        return self._serials[machine.id]


def _key(machine: MachineRecord) -> _Key:
    return machine.owner, machine.name, machine.alive
