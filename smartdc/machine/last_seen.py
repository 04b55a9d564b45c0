"""Remember machines as they were last seen, and find their differences now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

__all__ = ["CHANGE_DETECTORS", "LastSeen"]

Data = Mapping[str, Any]


def _nics(machine: Data) -> list[tuple[str, str, bool]]:
    nics = machine.get("nics")
    sound = [nic for nic in nics if isinstance(nic, Mapping)] if isinstance(nics, list) else []
    return sorted((str(nic.get("mac")), str(nic.get("ip")), bool(nic.get("primary"))) for nic in sound)


CHANGE_DETECTORS: dict[str, Callable[[Data], Any]] = {
    "alias": lambda machine: machine.get("name"),
    "customer_metadata": lambda machine: machine.get("metadata"),
    "destroyed": lambda machine: machine.get("state") == "deleted",
    "nics": _nics,
    "server_uuid": lambda machine: machine.get("compute_node"),
    "state": lambda machine: machine.get("state"),
    "tags": lambda machine: machine.get("tags"),
}
"""CloudAPI's names for parts that can change, each with the value that shows it; no value shows ``owner_uuid``."""


MAX_UNLISTED = 10_000
"""How many machines are remembered that appeared only in messages, and in no list."""


class LastSeen:
    """Machines by id, each as it was last seen; deleted ones are forgotten.

    The listed machines limit the memory, no matter how many machines messages mention: a machine for which there is no
    room is not remembered, and the next comparison with a list reports it once more.
    """

    def __init__(self) -> None:
        self._seen: dict[str, Data] = {}
        self._room = MAX_UNLISTED

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def get(self, identifier: str) -> Data:
        """Return a machine as it was last seen, or only its id."""
        return self._seen.get(identifier, {"id": identifier})

    def differences(self, machine: Data) -> list[str]:
        """Name the differences of a machine since it was last seen; all names if it never was."""
        before = self._seen.get(machine["id"])
        if before is not None:
            return [name for name, value in CHANGE_DETECTORS.items() if value(before) != value(machine)]
        return [] if machine.get("state") == "deleted" else [name for name in CHANGE_DETECTORS if name != "destroyed"]

    def renew(self, machines: Iterable[Data]) -> None:
        """Remember these machines as they are now, and no others."""
        self._seen = {machine["id"]: dict(machine) for machine in machines if machine.get("state") != "deleted"}
        self._room = len(self._seen) + MAX_UNLISTED

    def note(self, machines: Iterable[Data]) -> None:
        """Remember machines as they are now."""
        for machine in machines:
            if machine.get("state") == "deleted":
                self._seen.pop(machine["id"], None)
            elif machine["id"] in self._seen or len(self._seen) < self._room:
                self._seen[machine["id"]] = dict(machine)
