"""Follow the changes of machines as they happen, and through lost connections."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from smartdc.core.resource import id_of, is_uuid
from smartdc.errors import BadResponse, InputError, TransportError, WaitError, WaitTimeout
from smartdc.http import retry
from smartdc.http.clock import ending_at
from smartdc.http.transport import Deadline
from smartdc.machine.last_seen import CHANGE_DETECTORS, LastSeen
from smartdc.machine.machine import HasMachines, Machine
from smartdc.waiting.poll import DEFAULT_TIMEOUT, MIN_LAST_CHECK_SECONDS, TRANSIENT_ERRORS
from smartdc.websocket.opening import open_websocket

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter
    from smartdc.websocket.stream import WebSocket

__all__ = ["SUBRESOURCES", "Change", "Changefeed", "HasChangefeed"]

log = logging.getLogger(__name__)

SUBRESOURCES = ("alias", "customer_metadata", "destroyed", "nics", "owner_uuid", "server_uuid", "state", "tags")
"""What of a machine can be followed, in CloudAPI's words: ``alias`` is the name, ``customer_metadata`` the metadata,
``server_uuid`` the `compute_node`."""

LIST_ABOVE = 4
"""Up to how many machines are looked at one by one rather than listed with all others."""

REMEMBERED = 200
"""How many messages back a repetition is known for what it is."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """Something that became different about a machine."""

    published: datetime
    """When CloudAPI told of it, by its clock; of a `relisted` one, when it was found."""
    machine: Machine
    """The machine as it was then; a feed tells neither its package nor its DNS names: `Machine.refresh` fetches them."""
    changed: tuple[str, ...]
    """What changed, in CloudAPI's words: mostly some of `SUBRESOURCES`."""
    raw_state: str | None = None
    """The state in the words of VMAPI, such as ``shutting_down``, which knows more of them."""
    relisted: bool = False
    """Whether it happened while there was no connection, and was found by comparing the machine with what it was."""


class Changefeed(Iterator[Change]):
    """The changes of an account's machines from now on, one after the other: ``GetChangefeed``.

    It is an iterator and a context manager. When the connection is lost it is made again; what has changed meanwhile is
    found by listing the machines, and told as `Change.relisted`: `machine` then is as it is now, so that of several
    changes only the outcome is told, and a machine that came and went is not. After that a change may be told that is
    older than what was found, but the last one of a machine is always its newest.

    One thread at a time may iterate; any may `close` it.
    """

    _websocket: WebSocket | None = None

    def __init__(
        self,
        datacenter: DataCenter,
        machines: frozenset[str] | None,
        subresources: tuple[str, ...],
        timeout: float | None,
        outage: float | None,
    ) -> None:
        """Connect; see `HasChangefeed.changefeed`."""
        self.datacenter = datacenter
        self.closed = False
        self._machines, self._subresources = machines, subresources
        self._deadline, self._outage = Deadline(timeout), outage
        self._ledger = LastSeen()
        self._found: deque[Change] = deque()
        self._relisted: set[str] = set()
        self._heard: deque[tuple[Any, ...]] = deque(maxlen=REMEMBERED)
        self._losses, self._lost = 0, 0.0
        self._connect(self._deadline)
        self._found.clear()
        self._relisted.clear()

    def __next__(self) -> Change:
        """Return the next change; the iteration ends when the time is up, or the feed is closed."""
        change = self._next(self._deadline)
        if change is None:
            self.close()
            raise StopIteration
        return change

    def wait(self, timeout: float | None = DEFAULT_TIMEOUT) -> Change:
        """Return the next change, or raise `WaitTimeout` when there is none within `timeout` seconds."""
        change = self._next(Deadline(timeout))
        if change is None and self.closed:
            raise WaitError("the changefeed is closed")
        if change is None:
            raise WaitTimeout(f"nothing has changed within {timeout:g} s")
        return change

    def close(self) -> None:
        """End it: the connection is closed, and whoever waits for a change is told that there are no more."""
        self.closed = True
        if self._websocket:
            self._websocket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Show whose changes it tells, and whether it still does."""
        return f"<{type(self).__name__} of {self.datacenter!r}{', closed' if self.closed else ''}>"

    def _next(self, deadline: Deadline) -> Change | None:
        """Return the next change, or None when it is too late or the feed is closed."""
        while not self.closed:
            if self._found:
                return self._found.popleft()
            if deadline.passed():
                break
            self._hear(deadline)
        return None

    def _hear(self, deadline: Deadline) -> None:
        """Wait for a message and take in what it tells, or connect again where the connection is gone."""
        if self._websocket is None:
            self._reconnect(deadline)
            return
        try:
            message = self._websocket.receive(deadline.left())
        except TimeoutError:
            return
        except TransportError as error:
            self._lose(str(error))
            return
        if message is None:
            self._lose("the server has closed it")
        else:
            self._losses = 0
            self._take(message)

    def _take(self, message: str | bytes) -> None:
        try:
            told = json.loads(message)
            change = self._read(told)
            key = (told["published"], change.machine.id, change.raw_state, change.changed)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, BadResponse):
            log.warning("the changefeed tells something that is no change of a machine; it is passed over")
            return
        if key not in self._heard and not self._is_known(change):
            self._found.append(change)
        self._heard.append(key)
        self._ledger.note([change.machine])

    def _read(self, told: Mapping[str, Any]) -> Change:
        return Change(
            EPOCH + timedelta(milliseconds=int(told["published"])),
            Machine(self.datacenter, data={**told["resourceObject"], "id": told["changedResourceId"]}),
            tuple(told["changeKind"]["subResources"]),
            told.get("resourceState"),
        )

    def _is_known(self, change: Change) -> bool:
        """Tell whether a change was found by listing already, before the message about it came."""
        identifier = change.machine.id
        if identifier not in self._relisted:
            return False
        if CHANGE_DETECTORS.keys() >= set(change.changed) and not self._ledger.differences(change.machine):
            return True
        self._relisted.discard(identifier)
        return False

    def _lose(self, reason: str) -> None:
        """Let go of a connection that is gone."""
        if not self.closed:
            log.warning("the changefeed lost its connection (%s); connecting again", reason)
        if self._websocket:
            self._websocket.close()
        self._websocket, self._lost = None, self.datacenter.clock.monotonic()

    def _reconnect(self, deadline: Deadline) -> None:
        """Try once to connect again, after a pause; give up when the outage has lasted too long."""
        clock, left = self.datacenter.clock, deadline.left()
        pause = retry.backoff(self._losses, self.datacenter.session.rng)
        clock.sleep(pause if left is None else min(pause, left))
        if self.closed:
            return
        self._losses += 1
        try:
            self._connect(deadline)
        except TRANSIENT_ERRORS:
            if self._outage is not None and clock.monotonic() - self._lost >= self._outage:
                self.close()
                raise
        except BaseException:
            self.close()
            raise

    def _connect(self, deadline: Deadline) -> None:
        """Open a connection, say what is to be told, and find out what has changed before that."""
        clock, left, timeout = self.datacenter.clock, deadline.left(), self.datacenter.timeout
        if left is not None:
            left = max(left, MIN_LAST_CHECK_SECONDS)
            timeout = min(left, left if timeout is None else timeout)
        websocket = open_websocket(self.datacenter, "/changefeed", timeout)
        try:
            websocket.send(json.dumps(self._registration()))
            # There is no answer to this but that of a ping. From then on nothing is missed.
            websocket.settle(timeout)
            with ending_at(None if left is None else clock.monotonic() + left):
                self._compare()
        except BaseException:
            websocket.close()
            raise
        self._websocket = websocket
        if self.closed:
            websocket.close()

    def _registration(self) -> dict[str, Any]:
        wish: dict[str, Any] = {"resource": "vm", "subResources": list(self._subresources)}
        return wish if self._machines is None else {**wish, "vms": sorted(self._machines)}

    def _compare(self) -> None:
        """Look at all machines, and keep what is different about them as changes to be told."""
        now = EPOCH + timedelta(seconds=self.datacenter.session.now())
        machines = list(self._look())
        found = [Change(now, machine, self._differences(machine), relisted=True) for machine in machines]
        self._ledger.note(machines)
        self._found.extend(change for change in found if change.changed)
        self._relisted = {change.machine.id for change in self._found if change.relisted}

    def _differences(self, machine: Machine) -> tuple[str, ...]:
        return tuple(name for name in self._ledger.differences(machine) if name in self._subresources)

    def _look(self) -> Iterator[Machine]:
        """Yield the machines as they are now: those that are listed, and those that no longer are."""
        followed = self._machines
        few = followed is not None and len(followed) <= LIST_ABOVE
        listed = {} if few else {machine.id: machine for machine in self.datacenter.machines()}
        for machine in listed.values():
            if followed is None or machine.id in followed:
                yield machine
        for identifier in sorted(set(followed or ()) if few else set(self._ledger) - listed.keys()):
            machine = Machine(self.datacenter, data=self._ledger.get(identifier))
            machine.look()
            yield machine


class HasChangefeed(HasMachines):
    """What tells of the changes of its machines."""

    def changefeed(
        self,
        machines: Iterable[str | Mapping[str, Any]] | str | Mapping[str, Any] | None = None,
        subresources: Iterable[str] | str | None = None,
        *,
        timeout: float | None = None,
        outage: float | None = DEFAULT_TIMEOUT,
    ) -> Changefeed:
        """Follow the changes of machines from now on: ``GetChangefeed``, and ``ListMachines`` or ``GetMachine``.

        It is connected when it is returned, and tells of all that happens from then on. It needs the extra
        ``smartdc[changefeed]``.

        Args:
            machines: those to follow, or one: each an id, a name, a dict or a resource; None follows all.
            subresources: what to follow of them: some of `SUBRESOURCES`; None follows all.
            timeout: the seconds after which the iteration ends; None never ends it.
            outage: the most seconds that connecting again may take in vain, before the last reason for that is
                raised; None tries for ever.
        """
        parts = _checked(subresources)
        followed = None if machines is None else frozenset(self._ids(machines))
        if followed is not None and not followed:
            raise InputError("no machine would ever change: give at least one, or None for all")
        return Changefeed(self._datacenter, followed, parts, timeout, outage)

    def _ids(self, machines: Iterable[str | Mapping[str, Any]] | str | Mapping[str, Any]) -> list[str]:
        several = [machines] if isinstance(machines, (str, Mapping)) else machines
        texts = [id_of(machine) for machine in several]
        return [text.lower() if is_uuid(text) else self.machine(text).id for text in texts]


def _checked(subresources: Iterable[str] | str | None) -> tuple[str, ...]:
    """Refuse names that CloudAPI does not know: it would drop the whole registration without a word."""
    if subresources is None:
        return SUBRESOURCES
    names = tuple([subresources] if isinstance(subresources, str) else subresources)
    unknown = [name for name in names if name not in SUBRESOURCES]
    if unknown or not names:
        raise InputError(f"{unknown or 'nothing'} cannot be followed; these can: {', '.join(SUBRESOURCES)}")
    return names
