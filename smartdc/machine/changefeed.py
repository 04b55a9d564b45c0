"""Follow the changes of machines as they happen, also when connections are lost.

All deadlines here use the data centre's clock; only the WebSocket itself waits by the system's clock. If the caller has
given another clock, the two differ: then a wait for a message that ends without one has used up all of its time.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, get_args

from smartdc.core import arguments
from smartdc.core.literals import Subresource
from smartdc.core.operation import operation
from smartdc.errors import BadResponse, CallTimeout, InputError, SmartDCError, TransportError, WaitError, WaitTimeout
from smartdc.http.deadline import Deadline, ending_by
from smartdc.http.failures import TRANSIENT_ERRORS
from smartdc.http.tracebacks import let_pass
from smartdc.machine.last_seen import CHANGE_DETECTORS, LastSeen
from smartdc.machine.machine import HasMachines, Machine
from smartdc.waiting.poll import DEFAULT_TIMEOUT, MIN_LAST_CHECK_SECONDS, checked_timeout, checked_times
from smartdc.websocket.opening import open_websocket

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter
    from smartdc.websocket.stream import WebSocket

__all__ = ["SUBRESOURCES", "Change", "Changefeed", "HasChangefeed"]

log = logging.getLogger(__name__)

SUBRESOURCES: tuple[Subresource, ...] = get_args(Subresource)
"""The parts of a machine that can be followed, by CloudAPI's names: ``alias`` is the name, ``customer_metadata`` the
metadata, ``server_uuid`` the `compute_node`."""

LIST_ABOVE = 4
"""If more machines than this are followed, all machines are listed, instead of fetching each of them."""

REMEMBERED = 200
"""How many of the last messages are remembered, to recognise a repetition."""

RECHECK_SECONDS = 5.0
"""Seconds from an unreadable message to a comparison of all machines: it may have been about any of them."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """A change of a machine."""

    published: datetime
    """When CloudAPI reported it, by CloudAPI's clock; for a `relisted` change, when it was found."""
    machine: Machine
    """The machine as it was then, without its package and its DNS names: `Machine.refresh` fetches them."""
    changed: tuple[str, ...]
    """What changed, by CloudAPI's names: mostly some of `SUBRESOURCES`."""
    raw_state: str | None = None
    """The state by VMAPI's name, such as ``shutting_down``; VMAPI has more states than CloudAPI."""
    relisted: bool = False
    """Whether it happened without a connection, and was found by comparing the machine with its last known state."""


class Changefeed(Iterator[Change]):
    """The changes of an account's machines from now on, one after the other: ``GetChangefeed``.

    It is an iterator and a context manager. When the connection is lost, the feed reconnects and lists the machines; it
    reports the changes that it missed as `Change.relisted`. `Change.machine` is then the machine as it is now: of
    several changes only the result is reported, and a machine that came and went meanwhile is not reported. After that
    an older change may follow, but the last report about a machine always has its newest state.

    One thread at a time may iterate; any thread may `close` it. An interrupt loses no change: iterate again to
    continue.
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
        self._clock = datacenter.clock
        self._deadline, self._outage = self._within(timeout), outage
        self._last_seen = LastSeen()
        self._message: str | bytes | None = None
        self._recheck = self._outage_end = self._within(None)
        self._found: deque[Change] = deque()
        self._relisted: set[str] = set()
        self._heard: deque[tuple[Any, ...]] = deque(maxlen=REMEMBERED)
        self._losses = 0
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
        change = self._next(self._within(timeout))
        if change is None and self.closed:
            raise WaitError("the changefeed is closed")
        if change is None:
            raise WaitTimeout(f"no machine has changed within {timeout:g} s", resource=self)
        return change

    def close(self) -> None:
        """Close the connection, and end an iteration that waits for a change."""
        self.closed = True
        if self._websocket:
            self._websocket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Show the data centre, and whether the feed is closed."""
        return f"<{type(self).__name__} of {self.datacenter!r}{', closed' if self.closed else ''}>"

    def _next(self, deadline: Deadline) -> Change | None:
        """Return the next change, or None when the time is up or the feed is closed."""
        while not self.closed:
            if self._found:
                change = self._found[0]
                # Not popleft(): an interrupt right after the call would lose its result.
                del self._found[0]
                return change
            if deadline.passed() or not self._hear(deadline):
                break
        return None

    def _hear(self, deadline: Deadline) -> bool:
        """Receive the next message, or reconnect if the connection is lost; return False when the time is up."""
        websocket = self._websocket
        if websocket is None:
            self._reconnect(deadline)
            return True
        if self._message is None:
            earlier = deadline.earlier(self._recheck)
            try:
                # Kept until it has been processed, so that an interrupt does not lose it.
                self._message = websocket.receive(earlier.left())
            except CallTimeout:
                if earlier is deadline:
                    return False
                self._lose("a message could not be read")
                return True
            except TransportError as error:
                self._lose(str(error))
                return True
        if self._message is None:
            self._lose("the server has closed it")
        else:
            self._take(self._message)
            self._message = None
        return True

    def _take(self, message: str | bytes) -> None:
        try:
            report = json.loads(message)
            change = self._read(report)
            key = (report["published"], change.machine.id, change.raw_state, change.changed)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, BadResponse) as error:
            let_pass(error)
            log.warning("the changefeed sent a message that is not a change of a machine; it is ignored")
            self._recheck = self._recheck.earlier(self._within(RECHECK_SECONDS))
            return
        self._losses = 0
        if key not in self._heard and not self._is_known(change):
            self._found.append(change)
        self._heard.append(key)
        self._last_seen.note([change.machine])

    def _read(self, report: Mapping[str, Any]) -> Change:
        return Change(
            EPOCH + timedelta(milliseconds=int(report["published"])),
            Machine.from_answer(self.datacenter, {**report["resourceObject"], "id": report["changedResourceId"]}),
            tuple(report["changeKind"]["subResources"]),
            report.get("resourceState"),
        )

    def _is_known(self, change: Change) -> bool:
        """Return whether a listing has found the change already, before its message arrived."""
        identifier = change.machine.id
        if identifier not in self._relisted:
            return False
        if CHANGE_DETECTORS.keys() >= set(change.changed) and not self._last_seen.differences(change.machine):
            return True
        self._relisted.discard(identifier)
        return False

    def _lose(self, reason: str) -> None:
        """Drop a connection that is lost or unreliable."""
        if not self.closed:
            log.warning("the changefeed lost its connection (%s); reconnecting", reason)
        websocket, self._websocket = self._websocket, None
        self._outage_end, self._recheck = self._within(self._outage), self._within(None)
        if websocket:
            websocket.abandon()

    def _reconnect(self, deadline: Deadline) -> None:
        """Try once to reconnect, after a pause; give up when the outage has lasted too long, or on a refusal."""
        session = self.datacenter.session
        pause, left = session.settings.retry.pause(self._losses, session.rng), deadline.left()
        self._clock.sleep(pause if left is None else min(pause, left))
        if self.closed:
            return
        self._losses += 1
        try:
            self._connect(deadline)
        except TRANSIENT_ERRORS:
            if self._outage_end.passed():
                self.close()
                raise
        except SmartDCError:
            self.close()
            raise

    def _connect(self, deadline: Deadline) -> None:
        """Open a connection, register for changes, and find the changes from before that."""
        left = deadline.left()
        last = self._within(None if left is None else max(left, MIN_LAST_CHECK_SECONDS))
        earlier = last.earlier(self._within(self.datacenter.timeout))
        websocket = open_websocket(self.datacenter, "/changefeed", earlier.left())
        try:
            websocket.send(json.dumps(self._registration()), earlier.left())
            # CloudAPI does not answer a registration, but a ping after it. After the pong no change is missed.
            websocket.settle(earlier.left())
            ending_by(last).run(self._compare)
        except BaseException:
            websocket.abandon()
            raise
        self._websocket = websocket
        if self.closed:
            websocket.close()

    def _within(self, seconds: float | None) -> Deadline:
        return Deadline(seconds, self._clock)

    def _registration(self) -> dict[str, Any]:
        body: dict[str, Any] = {"resource": "vm", "subResources": list(self._subresources)}
        return body if self._machines is None else {**body, "vms": sorted(self._machines)}

    def _compare(self) -> None:
        """Fetch all machines, and keep their differences as changes to report."""
        now = EPOCH + timedelta(seconds=self.datacenter.session.now())
        machines = list(self._look())
        found = [Change(now, machine, self._differences(machine), relisted=True) for machine in machines]
        # Stored last: if an interrupt comes in between, a change is reported twice rather than never.
        self._found.extend(change for change in found if change.changed)
        self._relisted = {change.machine.id for change in self._found if change.relisted}
        self._last_seen.renew(machines)

    def _differences(self, machine: Machine) -> tuple[str, ...]:
        return tuple(name for name in self._last_seen.differences(machine) if name in self._subresources)

    def _look(self) -> Iterator[Machine]:
        """Yield the machines as they are now, including known ones that are no longer listed."""
        followed = self._machines
        few = followed is not None and len(followed) <= LIST_ABOVE
        listed = {} if few else {machine.id: machine for machine in self.datacenter.machines()}
        for machine in listed.values():
            if followed is None or machine.id in followed:
                yield machine
        for identifier in sorted(set(followed or ()) if few else set(self._last_seen) - listed.keys()):
            machine = Machine(self.datacenter, data=self._last_seen.get(identifier))
            machine.look()  # it may be gone, which is no error here
            yield machine


class HasChangefeed(HasMachines):
    """Mix-in for owners of a changefeed."""

    @operation("GetChangefeed", "ListMachines", "GetMachine")
    def changefeed(
        self,
        machines: Iterable[str | Mapping[str, Any]] | str | Mapping[str, Any] | None = None,
        subresources: Iterable[Subresource] | Subresource | None = None,
        *,
        timeout: float | None = None,
        outage: float | None = DEFAULT_TIMEOUT,
    ) -> Changefeed:
        """Follow the changes of machines from now on: ``GetChangefeed``, and ``ListMachines`` or ``GetMachine``.

        The returned feed is connected, and reports all changes from then on. It needs the extra
        ``smartdc[changefeed]``.

        Args:
            machines: one or more machines to follow, each an id, a name, a dict or a resource; None follows all.
            subresources: the parts to follow: some of `SUBRESOURCES`; None follows all.
            timeout: the seconds after which the iteration ends; None never ends it.
            outage: the seconds for which reconnecting may fail, before the last failure is raised; None tries for ever.
        """
        checked_timeout(timeout)
        if outage is not None:
            checked_times(outage=outage)
        parts = _checked(subresources)
        followed = None if machines is None else frozenset(self._ids(machines))
        if followed is not None and not followed:
            raise InputError("machines must not be empty: give at least one, or None for all")
        return Changefeed(self._datacenter, followed, parts, timeout, outage)

    def _ids(self, machines: Iterable[str | Mapping[str, Any]] | str | Mapping[str, Any]) -> list[str]:
        several = [machines] if isinstance(machines, (str, Mapping)) else machines
        return [self.machine_id(machine).lower() for machine in several]


def _checked(subresources: Iterable[str] | str | None) -> tuple[str, ...]:
    """Refuse names that CloudAPI does not know: it would silently ignore the whole registration."""
    if subresources is None:
        return SUBRESOURCES
    names = tuple(arguments.as_list("subresources", subresources))
    unknown = [name for name in names if name not in SUBRESOURCES]
    if unknown or not names:
        raise InputError(f"subresources must be some of {', '.join(SUBRESOURCES)}, got {unknown or 'none'}")
    return names
