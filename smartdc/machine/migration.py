"""Move machines to another server of the data centre, step by step or all at once.

A migration has three phases. It begins by reserving a place on another server. Then it syncs the machine's disks with
that place while the machine runs, as often as wanted. At last it switches: the machine stops, the rest is copied, and
the machine boots on the other server. The remains on the old server stay until the migration is finalized.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Self, cast

from smartdc.core import arguments
from smartdc.core.answers import MigrationEstimate, MigrationEvent
from smartdc.core.cells import age, in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import MigrationPhase, MigrationState
from smartdc.core.lookup import id_of
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable, Resource
from smartdc.errors import BadResponse, CallError, CallTimeout, ResourceNotFound, WaitFailed, WaitTimeout
from smartdc.http import request as wire
from smartdc.http.dates import parse_date
from smartdc.http.deadline import Deadline
from smartdc.http.tracebacks import let_pass
from smartdc.waiting.create_once import SETTLE_SECONDS, create_once
from smartdc.waiting.interrupts import noting_interrupts
from smartdc.waiting.lost_answer import Search
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, poll
from smartdc.waiting.sending import Sending
from smartdc.websocket.opening import open_websocket

__all__ = ["HasMigration", "HasMigrations", "Migration"]

IN_THE_RECORD = "machine.migration() shows it"


class Migration(Resource):
    """The move of one machine to another server, identified by the machine's id.

    A method out of order, such as a switch before the first sync, raises `PreconditionFailed`. Each phase's method
    returns the migration when CloudAPI has accepted the job. With `wait`, it returns when the job is done, and raises
    `WaitFailed`, with CloudAPI's reason, if the job failed, or `WaitTimeout` after `timeout` seconds (None waits for
    ever).
    """

    __slots__ = ()

    kind = "migrations"
    id_key = "machine"
    columns = in_columns(
        machine="machine",
        state="state",
        phase="phase",
        age=age("created_timestamp"),
        automatic="automatic",
        error="error",
    )
    hidden = frozenset({"progress_history"})

    machine = Field[str]()
    """the UUID of the machine"""
    phase = Field[MigrationPhase]()
    """the current or last phase: ``begin``, ``sync``, ``switch``, ``pause`` or ``abort``"""
    state = Field[MigrationState]()
    """``running``, ``paused``, ``failed`` or ``successful``; old ones may be ``aborted``"""
    automatic = Field[bool]()
    """whether the phases follow each other without further calls"""
    error = Field[str | None]()
    """why it failed"""
    progress_history = Field[list[MigrationEvent]]()
    """the work so far, a dict for each part of it"""
    created = Field[datetime](key="created_timestamp", read=parse_date)
    """when it was requested"""
    started = Field[datetime | None](key="started_timestamp", read=parse_date)
    """when it began"""
    finished = Field[datetime | None](key="finished_timestamp", read=parse_date)
    """when its last phase ended"""
    duration_ms = Field[int | None]()
    """the duration of its work so far, in milliseconds"""

    _asked_after: int | None = None
    """The length of the history when this object requested the last phase; the record lags behind the answer."""
    _aborting = False

    @property
    def label(self) -> str:
        """The words for it in progress lines."""
        return f"migration of {self.machine}"

    def describe(self) -> str:
        """Return the words for it in errors."""
        return f"the migration of machine {self.machine}"

    @operation("Migrate")
    def sync(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Self:
        """Copy the disks while the machine runs; a later sync copies only the changes: ``Migrate``.

        It returns when CloudAPI has begun. With `wait`, it returns when the sync is done, and raises `WaitFailed` with
        CloudAPI's reason, or `WaitTimeout` after `timeout` seconds (None waits for ever). So do the other phases.
        """
        return self._act("sync", wait, timeout)

    @operation("Migrate")
    def switch(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Self:
        """Stop the machine, copy the rest, and boot it on the other server: ``Migrate``.

        At least one `sync` must have succeeded before.
        """
        return self._act("switch", wait, timeout)

    @operation("Migrate")
    def pause(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Self:
        """Interrupt a running sync; a later sync continues from there: ``Migrate``."""
        return self._act("pause", wait, timeout)

    @operation("Migrate")
    def abort(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Self:
        """Cancel the migration, and free the reserved place: ``Migrate``.

        The migration must not be running or done. CloudAPI forgets an aborted migration.
        """
        try:
            return self._act("abort", wait, timeout)
        except CallError as error:
            # If no place was reserved yet, CloudAPI aborts the migration and answers 500.
            if error.applied is False or not self._forgotten():
                raise
            self._data.update(phase="abort", state="successful")
            return self

    @operation("Migrate")
    def finalize(self, *, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Delete the remains on the old server, and the migration itself: ``Migrate``.

        CloudAPI answers only when that is done; the call may take up to `timeout` seconds.
        """
        try:
            with Sending(self, "finalize", IN_THE_RECORD):
                self._datacenter.request("POST", self._path, data={"action": "finalize"}, timeout=timeout)
        except CallError as error:
            if error.applied is False or not self._forgotten():
                raise

    @operation("GetMigration")
    def wait(self, interval: float = 2, *, timeout: float | None = DEFAULT_TIMEOUT) -> Self:
        """Fetch the migration every `interval` seconds until its phase has ended, and return it: ``GetMigration``."""
        return self._wait(interval, timeout)

    def _wait(self, interval: float, timeout: float | None, since: float | None = None) -> Self:
        goal, hint = f"has not finished its {self.phase}", "migration.wait() continues the wait"
        poll(self, self._has_ended, goal, interval=interval, timeout=timeout, hint=hint, since=since)
        if self._string("state") not in {"paused", "successful"}:
            raise WaitFailed(f"{self.describe()} is {self.state}: {self.error or 'no reason given'}", resource=self)
        return self

    @operation("GetMigration")
    def watch(self, interval: float = 2, *, timeout: float | None = DEFAULT_TIMEOUT) -> Iterator[MigrationEvent]:
        """Yield the events of the migration as they happen, until its phase has ended: ``GetMigration``.

        Each event is a dict as in `progress_history`, and comes again when it has changed. The last one has the type
        ``end``, and the `phase` and `state` that were reached. The method does not read CloudAPI's own stream, but
        fetches the migration every `interval` seconds, so that a broken connection does no harm; only the stream has
        the rate of a sync (`raw_watch`). Raises `WaitTimeout` after `timeout` seconds (None waits for ever).
        """
        # Each event has its own poll, and all polls have one deadline.
        checked_timeout(timeout)
        clock, reported = self.datacenter.clock, self._reported()
        deadline = Deadline(timeout, clock)
        goal, news = f"has not finished its {self.phase}", partial(self._news, reported)
        while True:
            left = 0.0 if deadline.passed() else deadline.left()
            try:
                events = poll(self, news, goal, interval=interval, timeout=left, progress=False)
            except WaitTimeout as error:
                text = f"{self.describe()} {goal} after {timeout:g} s"
                raise WaitTimeout(text, resource=self) from error.__cause__
            yield from events
            if events[-1]["type"] == "end":
                return
            clock.sleep(interval)

    @operation("Migrate:watch")
    def raw_watch(self, *, timeout: float | None = DEFAULT_TIMEOUT) -> list[MigrationEvent]:
        """Wait for the end of the running phase, and return all events of CloudAPI's stream of it: ``Migrate:watch``.

        The stream lasts as long as the phase, at most `timeout` seconds; a proxy may cut it when nothing happens for
        two minutes. If the stream is complete, the last dict has the type ``end``.
        """
        answer, response = self._datacenter.request(
            "POST", self._path, params={"action": "watch"}, timeout=timeout, repeatable=True
        )
        try:
            return [json.loads(line) for line in str(answer or "").splitlines() if line.strip()]
        except (ValueError, RecursionError) as error:
            let_pass(error)
            raise BadResponse(f"POST {response.request.path_url}: invalid JSON in the stream: {error}") from None

    @operation("WatchMigration")
    def events(self, *, timeout: float | None = DEFAULT_TIMEOUT) -> Iterator[dict[str, Any]]:
        """Yield the events of the running phase as the server sends them, until it ends: ``WatchMigration``.

        They come over a WebSocket, which needs the extra ``smartdc[changefeed]`` and a release of CloudAPI after 9.20;
        older releases raise `ResourceNotFound`: use `watch`, which works with all releases. Raises `WaitTimeout` after
        `timeout` seconds (None waits for ever), and `TransportError` if the connection is lost.
        """
        checked_timeout(timeout)
        path, deadline = f"/{self.path}/watch", Deadline(timeout)
        websocket = open_websocket(self.datacenter, path, self.datacenter.timeout)
        try:
            while (message := websocket.receive(deadline.left())) is not None:
                yield _event(message, path)
        except CallTimeout:
            text = f"{self.describe()} has not finished its {self.phase} after {timeout:g} s"
            raise WaitTimeout(text, resource=self) from None
        finally:
            websocket.close()

    @property
    def _path(self) -> str:
        return wire.segments("machines", self.machine, "migrate")

    def _act(self, action: MigrationPhase, wait: bool, timeout: float | None) -> Self:
        checked_timeout(timeout)
        # What becomes of an abort is clear after one look.
        is_searched = wait and action != "abort"
        # What others have done meanwhile is no sign of this phase.
        before = len(self.refresh().progress_history or ()) if is_searched else 0
        if is_searched and action != "pause" and self.state == "running":
            is_searched = False  # it is refused as long as that runs, whose signs would be the same
        sign = partial(self._is_received, action, before) if is_searched else None
        with Sending(self, action, IN_THE_RECORD, sign=sign, shown_by="its record", timeout=timeout) as sending:
            answer, response = self._datacenter.request("POST", self._path, data={"action": action})
            self.phase_started(self._expect(dict, answer, response))
        return self._wait(2.0, timeout, sending.since) if wait else self

    def _is_received(self, action: MigrationPhase, before: int) -> bool:
        """Fetch the migration and return whether something runs, or has run since its history had the length `before`."""
        is_running = self.refresh().state == "running"
        # A pause ends what runs.
        return not is_running if action == "pause" else is_running or len(self.progress_history or ()) > before

    def phase_started(self, answer: Mapping[str, Any]) -> None:
        """Keep CloudAPI's answer to the start of a phase, which will soon add to the history."""
        self._keep(answer)
        # A pause is the only action that adds nothing: it ends the running phase.
        self._asked_after = None if self.phase == "pause" else len(self.progress_history or ())
        self._aborting = self.phase == "abort"

    def _look(self) -> MigrationState:
        """Fetch the migration and return its state; CloudAPI forgets an aborted one."""
        try:
            return self.refresh().state
        except ResourceNotFound:
            if not self._aborting:
                raise
            self._data.update(phase="abort", state="successful")
            return "successful"

    def _forgotten(self) -> bool:
        """Return whether CloudAPI no longer knows the migration."""
        try:
            self.refresh()
        except ResourceNotFound:
            return True
        return False

    def _reported(self) -> list[dict[str, Any]]:
        """Return the history that is old for a watch that starts now."""
        history = [_lasting(entry) for entry in self.progress_history or ()]
        if self._asked_after is not None:
            return history[: self._asked_after]
        return history[:-1] if self.state == "running" else history

    def _news(self, reported: list[dict[str, Any]]) -> list[MigrationEvent]:
        """Fetch the migration, return the events that are not in `reported` yet, and add them to it."""
        ended = self._has_ended()
        events: list[MigrationEvent] = []
        for place, entry in enumerate(self.progress_history or ()):
            if place >= len(reported) or reported[place] != _lasting(entry):
                reported[place : place + 1] = [_lasting(entry)]
                events.append(entry.copy())
        if ended:
            ending = wire.given(type="end", phase=self.phase, state=self.state, message=self.error)
            events.append(cast("MigrationEvent", ending))
        return events

    def _has_ended(self) -> bool:
        """Fetch the migration and return whether its phase has ended."""
        return self._look() != "running" and self._has_begun()

    def _has_begun(self) -> bool:
        """Return whether the record shows the last requested phase, and not still the one before."""
        after = self._asked_after
        return after is None or len(self.progress_history or ()) > after or self.phase == "abort"

    def _summary(self) -> list[str]:
        return [f"{self.phase} {self.state}", "of", self.machine]


class HasMigrations(Addressable):
    """Mix-in for owners of migrations."""

    @operation("ListMigrations")
    def migrations(self) -> ResourceList[Migration]:
        """List the migrations that are not finalized: ``ListMigrations``."""
        return Migration.from_answers(self, self._list("migrations"))

    @operation("GetMigration")
    def migration(self, machine: str | Mapping[str, Any]) -> Migration:
        """Get the migration of a machine that is given by id, name, dict or resource: ``GetMigration``."""
        return Migration(self, self._datacenter.machine_id(id_of(machine, "id", "machine")))


class HasMigration(Resource):
    """Mix-in for machines that can be moved to another server."""

    __slots__ = ()

    @operation("GetMigration")
    def migration(self) -> Migration:
        """Get the machine's migration: ``GetMigration``."""
        return self.datacenter.migration(self)

    @operation("MigrateMachineEstimate")
    def migration_estimate(self) -> MigrationEstimate:
        """Estimate how much data a migration would copy, as ``size`` in bytes: ``MigrateMachineEstimate``."""
        return cast("MigrationEstimate", self._get("migrate"))

    @operation("Migrate")
    def migrate(
        self,
        *,
        automatic: bool = False,
        affinity: Iterable[str] | None = None,
        wait: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Migration:
        """Begin to move the machine to another server, and return the migration: ``Migrate``.

        `Migration.sync` and `Migration.switch` then move the machine, and `Migration.finalize` ends the migration; with
        `automatic`, sync and switch need no calls. If the answer is lost, the migration is looked for before the
        request is sent again. With `wait`, it returns when a place is reserved, or, if automatic, when the machine has
        moved; it may raise `WaitFailed` or `WaitTimeout`.

        Args:
            automatic: whether to do all steps except the last one without further calls.
            affinity: rules such as ``role!=db``: the machines to be near to, or far from. Current servers accept them
                but ignore them.
            wait: whether to return only when that is done.
            timeout: the maximum time of the wait in seconds; None waits for ever.
        """
        checked_timeout(timeout)
        action = "automatic" if arguments.flags(automatic=automatic) else "begin"
        body = {"action": action, **arguments.lists(affinity=affinity)}

        def send() -> Migration:
            answer = self._post("migrate", data=body)
            migration = Migration.from_answer(self.datacenter, answer)
            migration.phase_started(answer)
            return migration

        before = {known.created for known in self._live_migrations()}

        def find() -> list[Migration]:
            return [known for known in self._live_migrations() if known.created not in before]

        with noting_interrupts(
            f"migration of {self.get('name') or self}: {action} may have been requested; {IN_THE_RECORD}"
        ):
            migration = create_once(send, find, self.datacenter.clock, SETTLE_SECONDS, watcher=Search(self.datacenter))
        return migration.wait(timeout=timeout) if wait else migration

    def _live_migrations(self) -> list[Migration]:
        """List the machine's migrations, at most one; a failed one does not count, since it may be begun again."""
        known = self.datacenter.migrations()
        return [each for each in known if each.machine == self["id"] and each.state != "failed"]


def _event(message: str | bytes, path: str) -> dict[str, Any]:
    """Return the JSON object of a message of the server's stream of events."""
    try:
        event = json.loads(message)
    except (ValueError, RecursionError) as error:
        let_pass(error)
        event = None
    if not isinstance(event, dict):
        raise BadResponse(f"GET {path}: expected a JSON object in the stream", method="GET", path=path)
    return event


def _lasting(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of an event whose changes are news: not its duration."""
    return {key: value for key, value in entry.items() if key != "duration_ms"}
