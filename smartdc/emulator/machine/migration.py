"""Migrations to another server, if the data centre allows them: ``settings.user_migrations``.

Each phase is a job of the machine. A phase that may not follow the previous one is VMAPI's 412 PreconditionFailed.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smartdc.emulator.core.clock import VirtualClock, http_date, iso, parse_date
from smartdc.emulator.core.ids import fixed_uuid
from smartdc.emulator.core.javascript import truthy
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.machine.action import refuse_unallocated
from smartdc.emulator.machine.machine import MACHINE
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.pipeline.stream import KIND, Source, lines, send_chunks
from smartdc.emulator.pipeline.upgrade import asks_upgrade, upgrade
from smartdc.emulator.state.records import Job, MachineRecord
from smartdc.emulator.state.storage import MigrationRecord

if TYPE_CHECKING:
    from smartdc.emulator.pipeline.websocket import WebSocket

MIGRATE = f"{MACHINE}/migrate"
OTHER_NODE = fixed_uuid("another compute node")
MIB = 1024**2
MESSAGES = {
    "begin": "reserving instance",
    "sync": "syncing data",
    "switch": "switching instances",
    "abort": "aborting migration",
}
AUTOMATIC = ("begin", "sync", "sync", "switch")


@operation("ListMigrations", "GET", "/:account/migrations")
def list_migrations(call: Call) -> Reply:
    """Return the account's migrations that are not finalized, newest first."""
    found = [each for each in call.state.migrations.values() if each.owner == call.account.id]
    for migration in found:
        call.transitions.read(call.state.machines[migration.machine])
    return Reply(200, [view(each, call.now) for each in sorted(found, key=lambda each: each.created, reverse=True)])


@operation("GetMigration", "GET", "/:account/migrations/:machine")
def get_migration(call: Call) -> Reply:
    """Return the migration of a machine."""
    machine = call.find_machine(call.text("machine"))
    migration = _require(call, machine)
    call.transitions.read(machine)
    return Reply(200, view(migration, call.now))


@operation("MigrateMachineEstimate", "GET", MIGRATE)
def estimate(call: Call) -> Reply:
    """Estimate the bytes to copy: half of the machine's disk."""
    refuse_unallocated(call, "migrate")
    _check_begin(call)
    return Reply(200, {"size": call.machine.disk * MIB // 2})


@operation("Migrate", "POST", MIGRATE)
def migrate(call: Call) -> Reply:
    """Queue a phase; the answer shows it as running."""
    action = call.params.get("action")
    if not truthy(action):
        raise missing_parameter('"action" must be specified')
    if not isinstance(action, str):
        # CloudAPI's own assertion fails here, and nothing catches the error.
        raise ApiError(500, "InternalError", "Internal Error")
    if action not in ACTIONS:
        raise invalid_argument(f"{action} is not a valid migration action")
    refuse_unallocated(call, "migrate")
    return ACTIONS[action](call)


@operation("Migrate:watch", "POST", MIGRATE, action="watch")
def watch(call: Call) -> Reply:
    """Stream the progress of the running phase until it ends, one JSON object per line.

    With a virtual clock, or a door that cannot stream, the progress so far is the whole answer.
    """
    read_news = _news_reader(call, call.machine, _require(call, call.machine))
    if isinstance(call.state.clock, VirtualClock) or not call.request.upgradable:
        return Reply(200, lines(read_news()[0]), {"Content-Type": KIND})
    headers = {"Content-Type": KIND, "Transfer-Encoding": "chunked", "Connection": "close", "Date": http_date(call.now)}
    return Reply(200, headers=headers, upgrade=lambda connection: send_chunks(connection, read_news))


@operation("WatchMigration", "GET", "/:account/migrations/:machine/watch")
def watch_migration(call: Call) -> Reply:
    """Upgrade to a WebSocket that sends the progress of the running phase until it ends, one JSON object per message.

    CloudAPI 9.20 has no such path; its successor documents the path, but not the objects.
    """
    machine = call.find_machine(call.text("machine"))
    read_news = _news_reader(call, machine, _require(call, machine))
    if not asks_upgrade(call.request):
        raise ApiError(400, "BadRequest", "expected connection upgrade")
    return upgrade(call, lambda websocket: _send_news(websocket, read_news))


def _send_news(websocket: "WebSocket", read_news: Source) -> None:
    over = False

    def tick() -> None:
        nonlocal over
        if over:
            return
        news, over = read_news()
        for event in news:
            websocket.send(json.dumps(event))
        if over:
            websocket.end()

    websocket.run(lambda _: None, tick)


def _news_reader(call: Call, machine: MachineRecord, migration: MigrationRecord) -> Source:
    """Return a function that reads the new progress of a migration, without phases that ended earlier."""
    sent = [dict(entry) for entry in migration.history]
    if sent and migration.state == "running":
        sent.pop()

    def read_news() -> tuple[list[dict[str, Any]], bool]:
        with call.transitions.lock:
            call.transitions.settle()
            call.transitions.read(machine)
            news = [dict(entry) for entry in migration.history if entry not in sent]
            over = migration.state != "running"
        sent.extend(news)
        news = [_timed(entry, call.state.clock.time()) for entry in news]
        end = {"type": "end", "phase": migration.phase, "state": migration.state}
        end |= {"message": migration.error} if migration.error else {}
        return [*news, end] if over else news, over

    return read_news


def view(migration: MigrationRecord, now: float) -> dict[str, Any]:
    """Return the JSON of a migration; its runtime is the sum of its phases'."""
    history = [_timed(entry, now) for entry in migration.history]
    shown: dict[str, Any] = {"automatic": migration.automatic, "created_timestamp": iso(migration.created)}
    if history:
        shown["duration_ms"] = sum(entry["duration_ms"] for entry in history)
    if migration.error:
        shown["error"] = migration.error
    if migration.finished is not None:
        shown["finished_timestamp"] = iso(migration.finished)
    shown |= {"phase": migration.phase, "state": migration.state}
    return {**shown, "progress_history": history, "machine": migration.machine}


def _timed(entry: dict[str, Any], now: float) -> dict[str, Any]:
    """Return an entry of the progress with its runtime in milliseconds, which grows until the entry is finished."""
    started = parse_date(entry["started_timestamp"]) or now
    finished = parse_date(entry.get("finished_timestamp", "")) or now
    return {**entry, "duration_ms": round((finished - started) * 1000)}


# Requests for phases


def _begin(call: Call, *, automatic: bool = False) -> Reply:
    known = _check_begin(call)
    migration = known or MigrationRecord(call.machine.id, call.account.id, automatic, call.now)
    call.state.migrations[call.machine.id] = migration
    migration.phase = "begin"
    migration.state = "running"
    migration.error = None
    for phase in AUTOMATIC if migration.automatic else AUTOMATIC[:1]:
        _queue(call, migration, phase)
    return _started(call, migration, "begin")


def _automatic(call: Call) -> Reply:
    return _begin(call, automatic=True)


def _sync(call: Call) -> Reply:
    migration = _require(call, call.machine)
    phase = migration.phase
    state = migration.state
    if state not in ("paused", "failed"):
        raise _precondition(f"Cannot sync in migration state: {state}")
    if (phase, state) != ("begin", "paused") and phase != "sync":
        raise _precondition(f"Cannot sync when in migration phase: {phase}")
    _queue(call, migration, "sync")
    return _started(call, migration, "sync")


def _switch(call: Call) -> Reply:
    migration = _require(call, call.machine)
    if migration.phase not in ("begin", "sync"):
        raise _precondition(f"Cannot switch in migration phase: {migration.phase}")
    if migration.state not in ("paused", "failed"):
        raise _precondition(f"Cannot switch in migration state: {migration.state}")
    if not migration.syncs:
        raise _precondition('You must perform at least one "migration sync" operation before switching')
    _queue(call, migration, "switch")
    return _started(call, migration, "switch")


def _pause(call: Call) -> Reply:
    """Cancel the job of the running sync, and queue one that records the pause."""
    machine = call.machine
    migration = _require(call, call.machine)
    if (migration.phase, migration.state) != ("sync", "running"):
        raise _precondition("Pause requires a running migration sync action")
    running, *later = machine.pending
    _forget(machine, later)
    running.error = "canceled"
    running.undo = lambda _: _close(migration, "paused", call.now)
    call.transitions.release(machine.id)
    running.execution = "canceled"
    _queue_job(call, "pause", lambda _: setattr(migration, "state", "paused"))
    return Reply(201, {**view(migration, call.now), "phase": "pause", "state": "running"})


def _abort(call: Call) -> Reply:
    migration = _require(call, call.machine)
    if migration.state in ("running", "successful"):
        raise _precondition(f"Abort cannot work on a {migration.state} migration")
    _queue(call, migration, "abort")
    return _started(call, migration, "abort")


def _finalize(call: Call) -> Reply:
    if _require(call, call.machine).state != "successful":
        raise _precondition("Finalize only works on a successful migration")
    del call.state.migrations[call.machine.id]
    return Reply(200)


ACTIONS: dict[str, Callable[[Call], Reply]] = {
    "begin": _begin,
    "sync": _sync,
    "switch": _switch,
    "automatic": _automatic,
    "abort": _abort,
    "pause": _pause,
    "finalize": _finalize,
}


def _require(call: Call, machine: MachineRecord) -> MigrationRecord:
    migration = call.state.migrations.get(machine.id)
    if not migration:
        raise not_found("migration not found")
    return migration


def _check_begin(call: Call) -> MigrationRecord | None:
    """Refuse a migration that may not begin, and return the failed one to be retried, if any."""
    if not call.settings.user_migrations:
        raise _precondition("User migration on this VM not allowed")
    known = call.state.migrations.get(call.machine.id)
    if not known:
        return None
    if known.state == "successful":
        raise _precondition("A previous migration exists for this instance, use migration finalize to complete it.")
    if (known.phase, known.state) != ("begin", "failed"):
        raise _precondition("An active migration already exists for this instance")
    return known


def _precondition(message: str) -> ApiError:
    return ApiError(412, "PreconditionFailed", message)


def _started(call: Call, migration: MigrationRecord, phase: str) -> Reply:
    """Answer with the old record, but the new phase and state; the phase's own entry is added later."""
    answer = {**view(migration, call.now), "phase": phase, "state": "running"}
    if call.machine.pending[0].action == f"migrate-{phase}":
        _open(migration, phase, call.now)
    return Reply(201, answer)


# Outcomes of phases


def _queue(call: Call, migration: MigrationRecord, phase: str) -> None:
    during = "stopping" if phase == "switch" else None
    job = _queue_job(call, phase, lambda machine: _succeed(call, migration, phase, machine), during=during)
    job.undo = lambda machine: _fail(call, migration, phase, job, machine)


def _queue_job(call: Call, phase: str, effect: Callable[[MachineRecord], None], **options: Any) -> Job:
    job = call.queue(f"migrate-{phase}", effect, **options)
    # CloudAPI does not pass the caller of a migration on to VMAPI.
    job.caller = {"type": "operator"}
    return job


def _succeed(call: Call, migration: MigrationRecord, phase: str, machine: MachineRecord) -> None:
    now = machine.updated
    _open(migration, phase, now)
    if phase == "switch":
        _close(migration, "successful", now)
        _write(migration, "switch", now)
        others = [node for node in call.state.compute_nodes if node != machine.compute_node]
        machine.compute_node = others[0] if others else OTHER_NODE
    _close(migration, "successful", now)
    migration.syncs += phase == "sync"
    migration.state = "successful" if phase in ("switch", "abort") else "paused"
    if phase == "abort":
        del call.state.migrations[machine.id]
    if machine.pending and migration.automatic and migration.state == "paused":
        _open(migration, machine.pending[0].action.removeprefix("migrate-"), now)


def _fail(call: Call, migration: MigrationRecord, phase: str, job: Job, machine: MachineRecord) -> None:
    now = call.state.clock.time()
    _open(migration, phase, now)
    migration.history[-1]["error"] = job.error
    _close(migration, "failed", now)
    migration.state = "failed"
    migration.error = f"failed to {phase} migration instance - {job.error}"
    _forget(machine, list(machine.pending))


def _forget(machine: MachineRecord, jobs: list[Job]) -> None:
    """Remove the automatic next phases, which CloudAPI would not have queued yet."""
    for job in jobs:
        if job.action.startswith("migrate-"):
            machine.pending.remove(job)
            machine.jobs.remove(job)


def _open(migration: MigrationRecord, phase: str, now: float) -> None:
    """Record the start of a phase, if it is not recorded yet; a switch starts with a last sync."""
    if not migration.history or migration.history[-1]["state"] != "running":
        _write(migration, "sync" if phase == "switch" else phase, now)


def _write(migration: MigrationRecord, phase: str, now: float) -> None:
    entry = {"type": "progress", "current_progress": 1, "message": MESSAGES[phase], "phase": phase, "state": "running"}
    migration.history.append({**entry, "started_timestamp": iso(now), "total_progress": 100})
    migration.phase = phase
    migration.state = "running"
    migration.error = None


def _close(migration: MigrationRecord, state: str, now: float) -> None:
    migration.history[-1] |= {"current_progress": 100, "state": state, "finished_timestamp": iso(now)}
    migration.finished = now
