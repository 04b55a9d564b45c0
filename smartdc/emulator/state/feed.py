"""The feed of changes: its listeners, and the messages that they get when machines change."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.state.records import MachineRecord

SUB_RESOURCES = ("alias", "customer_metadata", "destroyed", "nics", "owner_uuid", "server_uuid", "state", "tags")
"""The parts of a machine whose changes CloudAPI reports."""

RAW_STATES = {"stopping": "shutting_down", "offline": "unreachable", "deleted": "destroyed"}
"""VMAPI's names of states, where CloudAPI's differ."""


class Ear(Protocol):
    """The connection of a listener."""

    def send(self, message: str | bytes) -> None:
        """Send a message without blocking."""

    def end(self, reason: str = "") -> None:
        """Send a close frame."""

    def cut(self) -> None:
        """End the connection without a close frame."""

    def mute(self) -> None:
        """Neither read nor send anything any more."""


@dataclass(eq=False)
class Listener:
    """A connection to the feed; it gets no message before it has registered."""

    account: str
    ear: Ear
    describe: Callable[[MachineRecord], dict[str, Any]]
    registration: dict[str, Any] | None = None

    def hear(self, message: str | bytes) -> None:
        """Replace the registration; an invalid one is silently ignored, as in CloudAPI."""
        try:
            body = json.loads(message) if isinstance(message, str) else None
        except ValueError:
            return
        if isinstance(body, dict) and _is_sound(body):
            self.registration = body

    def wants(self, machine: MachineRecord, changed: list[str]) -> bool:
        """Return whether the registration includes a change."""
        body = self.registration
        if body is None or machine.owner != self.account or not set(changed) & set(body["subResources"]):
            return False
        return not _is_given(body.get("vms")) or machine.id in body["vms"]


def _is_sound(body: dict[str, Any]) -> bool:
    parts, vms = body.get("subResources"), body.get("vms")
    if body.get("resource") != "vm" or not isinstance(parts, list) or any(part not in SUB_RESOURCES for part in parts):
        return False
    if not _is_given(vms):
        return True
    return isinstance(vms, list) and all(isinstance(vm, str) and UUID.fullmatch(vm.lower()) for vm in vms)


def _is_given(vms: object) -> bool:
    """Return whether machines are given: in JavaScript an empty list is true, and then no machine matches."""
    return isinstance(vms, list | dict) or bool(vms)


class Feed:
    """All listeners of an emulator; ``machines`` are those whose changes are reported."""

    def __init__(self, machines: Mapping[str, MachineRecord], now: Callable[[], float]) -> None:
        self._machines, self._now = machines, now
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        self._published = 0

    def __len__(self) -> int:
        """Count the connections."""
        return len(self._listeners)

    @property
    def registered(self) -> int:
        """How many of the connections have registered."""
        return sum(listener.registration is not None for listener in self._listeners)

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[Listener]:
        """Report changes to a listener while the with-block lasts."""
        with self._lock:
            self._listeners.append(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.remove(listener)

    @contextlib.contextmanager
    def watch(self, machine: MachineRecord, now: float | None = None) -> Iterator[None]:
        """Publish what changes about a machine while the with-block lasts."""
        if not self._listeners or machine.id not in self._machines:
            yield
            return
        before = facts(machine)
        yield
        after = facts(machine)
        self._publish(machine, [name for name in SUB_RESOURCES if before[name] != after[name]], now)

    def announce(self, machine: MachineRecord) -> None:
        """Publish a new machine."""
        self._publish(machine, [name for name in SUB_RESOURCES if name != "destroyed"], None)

    def drop(self, how: str = "end") -> int:
        """Drop every connection, as CloudAPI does when its own feed ends, and return how many there were.

        ``how`` is ``end``, with a close frame, ``cut``, without one, or ``mute``: still connected, but dead.
        """
        dropped = list(self._listeners)
        for listener in dropped:
            {"end": listener.ear.end, "cut": listener.ear.cut, "mute": listener.ear.mute}[how]()
        return len(dropped)

    def _publish(self, machine: MachineRecord, changed: list[str], now: float | None) -> None:
        listeners = [listener for listener in list(self._listeners) if listener.wants(machine, changed)]
        if not listeners:
            return
        # No two changes may have the same time: for a client, the second would be a repetition of the first.
        self._published = max(int((self._now() if now is None else now) * 1000), self._published + 1)
        for listener in listeners:
            listener.ear.send(json.dumps(self._message(machine, changed, listener), separators=(",", ":")))

    def _message(self, machine: MachineRecord, changed: list[str], listener: Listener) -> dict[str, Any]:
        return {
            "changeKind": {"resource": "vm", "subResources": changed},
            "changedResourceId": machine.id,
            "published": str(self._published),
            "resourceState": RAW_STATES.get(machine.state, machine.state),
            "resourceObject": listener.describe(machine),
        }


def facts(machine: MachineRecord) -> dict[str, Any]:
    """Return the parts of a machine whose changes are reported, as they are now."""
    return {
        "alias": machine.name,
        "customer_metadata": dict(machine.metadata),
        "destroyed": machine.state == "deleted",
        "nics": [(nic.mac, nic.ip, nic.network, nic.primary) for nic in machine.ready_nics],
        "owner_uuid": machine.owner,
        "server_uuid": machine.compute_node,
        "state": machine.state,
        "tags": dict(machine.tags),
    }
