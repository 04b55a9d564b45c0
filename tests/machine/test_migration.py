"""Migrations: moving a machine to another server step by step, or all at once, and watching it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from kits.cloud import record, sent
from smartdc import (
    BadResponse,
    DataCenter,
    InvalidArgument,
    Machine,
    MachineNotReady,
    Migration,
    MissingParameter,
    PreconditionFailed,
    ResourceNotFound,
    ServerError,
    TransportError,
    ValidationFailed,
    WaitFailed,
    WaitTimeout,
)
from smartdc.core.answers import MigrationEvent
from smartdc.emulator import AfterSeconds, ByScript, Emulator, Fault, Server, WallClock
from smartdc.emulator.state.storage import MigrationRecord
from smartdc.machine.migration import IN_THE_RECORD

UNKNOWN = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"


@pytest.fixture
def cloud(cloud: Emulator) -> Emulator:
    """The cloud, where accounts may migrate their machines."""
    cloud.state.settings.user_migrations = True
    return cloud


@pytest.fixture
def migration(machine: Machine) -> Migration:
    """A migration of the machine that has a place on another server."""
    return machine.migrate(wait=True)


def books(cloud: Emulator) -> list[MigrationRecord]:
    """Return the migrations that the server has, when every job that is due has ended."""
    cloud.transitions.settle()
    return list(cloud.state.migrations.values())


def shape(events: Iterable[MigrationEvent]) -> list[tuple[str, str, str]]:
    """Return type, phase and state of what was told."""
    return [(event["type"], event["phase"], event["state"]) for event in events]


def history(cloud: Emulator) -> list[tuple[str, str]]:
    """Return phase and state of all that the only migration has done."""
    [there] = books(cloud)
    return [(entry["phase"], entry["state"]) for entry in there.history]


def test_estimate(machine: Machine, cloud: Emulator) -> None:
    """``MigrateMachineEstimate`` tells how much there is to copy."""
    assert machine.migration_estimate() == {"size": 25_600 * 2**20 // 2}
    assert sent(cloud, "MigrateMachineEstimate") == ("GET", f"{machine.path}/migrate", {})


def test_migrations_are_not_for_everybody(machine: Machine, cloud: Emulator) -> None:
    """Where only the operator may migrate machines, ``Migrate`` and ``MigrateMachineEstimate`` are refused."""
    cloud.state.settings.user_migrations = False
    for ask in (machine.migrate, machine.migration_estimate):
        with pytest.raises(PreconditionFailed, match="User migration on this VM not allowed"):
            ask()


def test_begin(machine: Machine, cloud: Emulator) -> None:
    """``Migrate`` begins to reserve a place on another server."""
    cloud.transitions.policy = ByScript()
    migration = machine.migrate(affinity=["role!=db"])
    spec = {"action": "begin", "affinity": ["role!=db"]}
    assert sent(cloud, "Migrate") == ("POST", f"{machine.path}/migrate", spec)
    assert (migration.machine, migration.phase, migration.state) == (machine.id, "begin", "running")
    assert (migration.automatic, migration.error, migration.progress_history) == (False, None, [])
    assert migration.created == datetime(2026, 1, 1, tzinfo=UTC)
    assert (migration.started, migration.finished, migration.duration_ms) == (None, None, None)
    cloud.transitions.release()
    assert history(cloud) == [("begin", "successful")]
    assert migration.refresh().state == "paused"
    assert migration.finished == datetime(2026, 1, 1, tzinfo=UTC)


def test_step_by_step(machine: Machine, cloud: Emulator) -> None:
    """``Migrate`` moves a machine in four steps, and forgets the migration when it is finalized."""
    cloud.transitions.policy = AfterSeconds(30)
    before = machine.compute_node
    migration = machine.migrate(wait=True)
    assert (migration.phase, migration.state) == ("begin", "paused")
    assert migration.sync(wait=True) is migration
    assert (migration.phase, migration.state) == ("sync", "paused")
    migration.switch(wait=True)
    assert (migration.phase, migration.state) == ("switch", "successful")
    assert 90 <= cloud.clock.monotonic() < 100
    assert machine.refresh().compute_node not in {None, before}
    assert machine.state == "running"
    migration.finalize()
    assert sent(cloud, "Migrate") == ("POST", f"{machine.path}/migrate", {"action": "finalize"})
    assert books(cloud) == []


def test_automatic(machine: Machine, cloud: Emulator) -> None:
    """An automatic ``Migrate`` begins, synchronises and switches by itself."""
    cloud.transitions.policy = AfterSeconds(30)
    migration = machine.migrate(automatic=True, wait=True)
    assert sent(cloud, "Migrate")[2] == {"action": "automatic"}
    assert (migration.automatic, migration.phase, migration.state) == (True, "switch", "successful")
    assert [phase for phase, _ in history(cloud)] == ["begin", "sync", "sync", "sync", "switch"]
    assert 120 <= cloud.clock.monotonic() < 130


def test_back_and_forth(machine: Machine, cloud: Emulator) -> None:
    """A machine that has moved can move again, once its first ``Migrate`` is finalized."""
    before = machine.compute_node
    migration = machine.migrate(automatic=True, wait=True)
    with pytest.raises(PreconditionFailed, match="use migration finalize"):
        machine.migrate()
    migration.finalize()
    machine.migrate(automatic=True, wait=True)
    assert record(cloud, machine).compute_node == before


def test_audit(machine: Machine, migration: Migration) -> None:
    """``MachineAudit`` shows every phase, and an operator as who asked for it."""
    migration.sync(wait=True)
    assert [(entry.action, entry.caller) for entry in machine.audit()] == [
        ("migrate-sync", {"type": "operator"}),
        ("migrate-begin", {"type": "operator"}),
    ]


def test_machine_stops_during_the_switch(machine: Machine, migration: Migration, cloud: Emulator) -> None:
    """While ``Migrate`` switches, the machine does not run."""
    migration.sync(wait=True)
    cloud.transitions.policy = ByScript()
    migration.switch()
    assert machine.status() == "stopping"
    assert migration.refresh().phase == "sync"
    cloud.transitions.release()
    assert machine.status() == "running"


def test_pause(migration: Migration, cloud: Emulator) -> None:
    """``Migrate`` pauses a running sync, and a later one goes on; the paused one does not count as done."""
    cloud.transitions.policy = ByScript()
    migration.sync()
    cloud.transitions.policy = AfterSeconds(5)
    assert migration.pause(wait=True).state == "paused"
    assert history(cloud) == [("begin", "successful"), ("sync", "paused")]
    with pytest.raises(PreconditionFailed, match="at least one"):
        migration.switch()
    migration.sync(wait=True)
    migration.switch(wait=True)
    assert migration.state == "successful"


def test_pause_of_an_automatic_migration(machine: Machine, cloud: Emulator) -> None:
    """When ``Migrate`` pauses an automatic migration, what would have followed does not."""
    cloud.transitions.policy = ByScript()
    migration = machine.migrate(automatic=True)
    cloud.transitions.release()
    migration.pause()
    cloud.transitions.release()
    assert (migration.refresh().phase, migration.state) == ("sync", "paused")
    assert [(entry.action, entry.succeeded) for entry in machine.audit()] == [
        ("migrate-pause", True),
        ("migrate-sync", False),
        ("migrate-begin", True),
    ]


def test_abort(dc: DataCenter, migration: Migration, cloud: Emulator) -> None:
    """``Migrate`` gives a migration up, and CloudAPI forgets it."""
    cloud.transitions.policy = AfterSeconds(5)
    assert migration.abort(wait=True) is migration
    assert sent(cloud, "Migrate")[2] == {"action": "abort"}
    assert (migration.phase, migration.state) == ("abort", "successful")
    assert (dc.migrations(), books(cloud)) == ([], [])


def test_abort_that_is_answered_by_an_error(migration: Migration, cloud: Emulator) -> None:
    """CloudAPI answers 500 to an abort by ``Migrate`` that worked at once: what counts is that the migration is gone."""
    cloud.faults.add(Fault("Migrate", kind="status", status=500, when="after"))
    assert migration.abort().state == "successful"
    assert books(cloud) == []


def test_a_wait_for_an_abort_whose_answer_was_lost(migration: Migration, cloud: Emulator) -> None:
    """``Migrate``: one look shows that CloudAPI has forgotten the migration, so nothing is searched for minutes."""
    cloud.faults.add(Fault("Migrate", kind="reset", when="after"))
    began = cloud.clock.monotonic()
    assert migration.abort(wait=True).state == "successful"
    assert cloud.clock.monotonic() == began


def test_abort_that_fails(migration: Migration, cloud: Emulator) -> None:
    """A failure of the server that left the migration of ``Migrate`` where it was is raised."""
    cloud.faults.add(Fault("Migrate", kind="status", status=500, when="before"))
    with pytest.raises(ServerError):
        migration.abort()
    assert len(books(cloud)) == 1


def test_finalize_whose_answer_is_lost(machine: Machine, cloud: Emulator) -> None:
    """A finalized ``Migrate`` is known by its being gone, when the answer is lost."""
    migration = machine.migrate(automatic=True, wait=True)
    cloud.faults.add(Fault("Migrate", kind="reset", when="after"))
    migration.finalize()
    assert books(cloud) == []


def test_finalize_that_did_not_arrive(machine: Machine, cloud: Emulator) -> None:
    """A finalize by ``Migrate`` that left the migration where it was is an error."""
    migration = machine.migrate(automatic=True, wait=True)
    cloud.faults.add(Fault("Migrate", kind="reset", when="before"))
    with pytest.raises(TransportError):
        migration.finalize()
    assert len(books(cloud)) == 1


@pytest.mark.parametrize("seconds", [0, 5, 500])
def test_phases_whose_answers_were_lost(machine: Machine, cloud: Emulator, seconds: int) -> None:
    """The record shows that a phase of ``Migrate`` has begun, also one that has ended since, and the wait goes on."""
    migration = machine.migrate(wait=True)
    cloud.transitions.policy = AfterSeconds(seconds)
    cloud.faults.add(Fault("Migrate", kind="reset", when="after", times=None))
    migration.sync(wait=True)
    migration.sync(wait=True)
    migration.switch(wait=True)

    assert [phase for phase, _ in history(cloud)] == ["begin", "sync", "sync", "sync", "switch"]
    assert migration.state == "successful"
    assert cloud.trace.operations().count("Migrate") == 4
    assert cloud.clock.monotonic() < 4 * seconds + 15


def test_a_wait_after_a_search_ends_in_time(migration: Migration, cloud: Emulator) -> None:
    """``Migrate``: the time counts from the lost answer, also where a sign comes late."""
    cloud.transitions.policy = AfterSeconds(500)
    cloud.faults.add(Fault("Migrate", kind="reset", when="after"))
    cloud.faults.add(Fault("GetMigration", skip=1, times=2, status=403, code="NotAuthorized"))
    began = cloud.clock.monotonic()
    with pytest.raises(WaitTimeout, match="after 60 s"):
        migration.sync(wait=True, timeout=60)
    assert cloud.clock.monotonic() - began == 60


def test_a_pause_whose_answer_was_lost(migration: Migration, cloud: Emulator) -> None:
    """``Migrate``: nothing runs any more."""
    cloud.transitions.policy = ByScript()
    migration.sync()
    cloud.transitions.policy = AfterSeconds(5)
    cloud.faults.add(Fault("Migrate", kind="reset", when="after"))
    migration.pause(wait=True)
    assert (migration.phase, migration.state) == ("sync", "paused")
    assert history(cloud) == [("begin", "successful"), ("sync", "paused")]


@pytest.mark.parametrize("phase", ["sync", "switch"])
def test_a_phase_of_which_there_is_no_sign(migration: Migration, cloud: Emulator, phase: str) -> None:
    """``Migrate``: an earlier phase of that name is none, which another object has seen through."""
    Machine(migration.datacenter, migration.machine).migration().sync(wait=True)
    cloud.faults.add(Fault("Migrate", kind="reset", when="before"))
    with pytest.raises(TransportError) as caught:
        getattr(migration, phase)(wait=True)

    assert cloud.trace.operations().count("Migrate") == 3
    [note] = caught.value.__notes__
    assert f": {phase} may have been requested, but its record did not show it within 180 s; machine.migr" in note


@pytest.mark.parametrize("phase", ["sync", "switch"])
def test_what_runs_already_is_no_sign_of_a_phase(migration: Migration, cloud: Emulator, phase: str) -> None:
    """``Migrate`` refuses a phase while another one runs; if that answer is lost, the end of the other is no success."""
    migration.sync(wait=True)
    cloud.transitions.policy = AfterSeconds(60)
    Machine(migration.datacenter, migration.machine).migration().sync()
    cloud.faults.add(Fault("Migrate", kind="reset", when="after"))
    with pytest.raises(TransportError) as caught:
        getattr(migration, phase)(wait=True)
    assert caught.value.__notes__ == [
        f"migration of {migration.machine}: {phase} may have been requested; {IN_THE_RECORD}"
    ]


REFUSED: dict[str, tuple[Callable[[Migration], object], str]] = {
    "begin": (lambda migration: migration.datacenter.machine(migration.machine).migrate(), "already exists"),
    "switch before a sync": (lambda migration: migration.switch(), "at least one"),
    "pause of what does not run": (lambda migration: migration.pause(), "requires a running migration sync"),
    "finalize of what is not done": (lambda migration: migration.finalize(), "only works on a successful migration"),
}


@pytest.mark.parametrize(("ask", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_out_of_place(
    migration: Migration, cloud: Emulator, ask: Callable[[Migration], object], words: str
) -> None:
    """``Migrate`` refuses what does not follow upon a beginning, and leaves the migration as it is."""
    with pytest.raises(PreconditionFailed, match=words):
        ask(migration)
    assert history(cloud) == [("begin", "successful")]


def test_what_is_out_of_place_while_it_runs(migration: Migration, cloud: Emulator) -> None:
    """``Migrate`` refuses everything but a pause while a sync runs."""
    cloud.transitions.policy = ByScript()
    migration.sync()
    for ask in (migration.sync, migration.switch, migration.abort, migration.finalize):
        with pytest.raises(PreconditionFailed):
            ask()


def test_what_is_out_of_place_when_it_is_done(machine: Machine) -> None:
    """After a switch ``Migrate`` can only be finalized."""
    migration = machine.migrate(automatic=True, wait=True)
    for ask in (migration.sync, migration.switch, migration.abort, migration.pause):
        with pytest.raises(PreconditionFailed):
            ask()


def test_machine_without_a_migration(dc: DataCenter, machine: Machine) -> None:
    """``GetMigration`` and ``Migrate`` say that there is no migration."""
    with pytest.raises(ResourceNotFound, match="migration not found"):
        machine.migration()
    with pytest.raises(ResourceNotFound, match="migration not found"):
        Migration(dc, data={"machine": machine.id}).sync()


def test_young_machine(machine: Machine, cloud: Emulator) -> None:
    """``Migrate`` is refused while the machine is being provisioned."""
    record(cloud, machine).state = "provisioning"
    with pytest.raises(MachineNotReady):
        machine.migrate()


def test_action_that_is_none(dc: DataCenter, machine: Machine) -> None:
    """``Migrate`` says which action is missing or unknown."""
    with pytest.raises(MissingParameter, match='"action" must be specified'):
        dc.request("POST", f"{machine.path}/migrate")
    with pytest.raises(InvalidArgument, match="jump is not a valid migration action"):
        dc.request("POST", f"{machine.path}/migrate", data={"action": "jump"})
    with pytest.raises(ServerError, match="Internal Error"):
        dc.request("POST", f"{machine.path}/migrate", data={"action": ["begin"]})


@pytest.mark.parametrize("phase", ["begin", "sync", "switch"])
def test_phase_that_fails(machine: Machine, cloud: Emulator, phase: str) -> None:
    """With ``wait`` a phase of ``Migrate`` that fails is an error with CloudAPI's reason, and can be tried again."""
    cloud.transitions.policy = AfterSeconds(5)
    cloud.transitions.fail(f"migrate-{phase}", "no space left")

    def all_of_it() -> Migration:
        there = books(cloud)
        migration = machine.migration() if there and there[0].state == "paused" else machine.migrate(wait=True)
        migration.sync(wait=True)
        return migration.switch(wait=True)

    with pytest.raises(WaitFailed, match=f"is failed: failed to {phase} migration instance - no space left") as caught:
        all_of_it()
    failed = caught.value.resource
    assert isinstance(failed, Migration)
    assert (failed.state, failed.progress_history[-1]["error"]) == ("failed", "no space left")
    assert failed.phase == {"begin": "begin", "sync": "sync", "switch": "sync"}[phase]
    if phase == "begin":
        assert all_of_it().state == "successful"
    else:
        failed.sync(wait=True)
        assert failed.switch(wait=True).error is None


def test_automatic_migration_that_fails(machine: Machine, cloud: Emulator) -> None:
    """When a phase of an automatic ``Migrate`` fails, the others do not follow."""
    cloud.transitions.fail("migrate-sync", "no space left")
    with pytest.raises(WaitFailed, match="failed to sync"):
        machine.migrate(automatic=True, wait=True)
    assert history(cloud) == [("begin", "successful"), ("sync", "failed")]
    assert not record(cloud, machine).pending


def test_begin_again(machine: Machine, cloud: Emulator) -> None:
    """``Migrate`` takes a beginning that failed up again, and that stays as automatic as it was."""
    cloud.transitions.fail("migrate-begin")
    machine.migrate()
    assert machine.migrate(automatic=True, wait=True).state == "paused"
    assert history(cloud) == [("begin", "failed"), ("begin", "successful")]


def test_wait_ends_with_the_timeout(migration: Migration, cloud: Emulator) -> None:
    """A phase of ``Migrate`` that does not end costs the time-out and no more."""
    cloud.transitions.policy = ByScript()
    with pytest.raises(WaitTimeout, match=r"has not finished its sync after 20 s") as caught:
        migration.sync(wait=True, timeout=20)
    assert caught.value.resource is migration
    assert 20 <= cloud.clock.monotonic() < 23


def test_wait_does_not_believe_an_old_record(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """Right after ``Migrate`` the record of ``GetMigration`` may still be the one before: that is not the end."""
    begun = {"type": "progress", "phase": "begin", "state": "successful"}
    old = {"machine": "m-1", "phase": "begin", "state": "paused", "progress_history": [begun]}
    syncing = {"type": "progress", "phase": "sync", "state": "running"}
    running = {**old, "phase": "sync", "state": "running", "progress_history": [begun, syncing]}
    done = {**running, "state": "paused", "progress_history": [begun, {**syncing, "state": "successful"}]}
    odd_server.post("http://odd.test/my/machines/m-1/migrate", json={**old, "phase": "sync", "state": "running"})
    for record_ in (old, running, done):
        odd_server.get("http://odd.test/my/migrations/m-1", json=record_)
    migration = Migration(odd_dc, data=old).sync(wait=True)
    assert len(odd_server.calls) == 4
    assert migration.progress_history[-1]["state"] == "successful"


def test_watch(migration: Migration, cloud: Emulator) -> None:
    """A watch tells what a phase of ``Migrate`` does, as ``GetMigration`` has it, and ends with the phase."""
    cloud.transitions.policy = AfterSeconds(10)
    events = list(migration.sync().watch())
    assert shape(events) == [
        ("progress", "sync", "running"),
        ("progress", "sync", "successful"),
        ("end", "sync", "paused"),
    ]
    assert [event.get("current_progress") for event in events] == [1, 100, None]
    assert 10 <= cloud.clock.monotonic() < 13


def test_watch_of_an_automatic_migration(machine: Machine, cloud: Emulator) -> None:
    """A watch follows an automatic ``Migrate`` through all its phases."""
    cloud.transitions.policy = AfterSeconds(10)
    events = list(machine.migrate(automatic=True).watch())
    ended = [event["phase"] for event in events if event["state"] == "successful" and event["type"] == "progress"]
    assert ended == ["begin", "sync", "sync", "sync", "switch"]
    assert shape(events)[-1] == ("end", "switch", "successful")


def test_watch_of_somebody_elses_work(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """What others began can be watched too: from what runs at the moment, or, when nothing does, just the end."""
    migration = machine.migrate(wait=True)
    cloud.transitions.policy = AfterSeconds(10)
    migration.sync()
    expected = [("progress", "sync", "running"), ("progress", "sync", "successful"), ("end", "sync", "paused")]
    assert shape(list(dc.migration(machine).watch())) == expected
    assert shape(list(dc.migration(machine).watch())) == [("end", "sync", "paused")]


def test_watch_of_a_failure(migration: Migration, cloud: Emulator) -> None:
    """A watch tells of a failure of ``Migrate``, and raises nothing."""
    cloud.transitions.fail("migrate-sync", "no space left")
    *_, end = migration.sync().watch()
    expected = {"type": "end", "phase": "sync", "state": "failed"}
    assert end == {**expected, "message": "failed to sync migration instance - no space left"}


def test_watch_of_an_abort(migration: Migration) -> None:
    """A watch of an abort by ``Migrate`` ends when the migration is forgotten."""
    assert shape(list(migration.abort().watch())) == [("end", "abort", "successful")]


def test_watch_of_what_is_finalized_meanwhile(dc: DataCenter, machine: Machine) -> None:
    """A migration that is gone though nobody here aborted it is an error of ``GetMigration``."""
    migration = machine.migrate(automatic=True, wait=True)
    dc.migration(machine).finalize()
    with pytest.raises(ResourceNotFound):
        list(migration.watch())


def test_watch_survives_a_broken_connection(migration: Migration, cloud: Emulator) -> None:
    """A watch goes on when ``GetMigration`` fails for a while, and misses nothing."""
    cloud.transitions.policy = AfterSeconds(30)
    watch = migration.sync().watch()
    first = next(watch)
    cloud.faults.add(Fault("GetMigration", kind="status", status=500, when="before", times=7))
    assert shape([first, *watch])[-2:] == [("progress", "sync", "successful"), ("end", "sync", "paused")]


def test_raw_watch(machine: Machine, migration: Migration, cloud: Emulator) -> None:
    """CloudAPI's own stream can be had too: ``Migrate:watch``; where time stands still it is over at once."""
    cloud.transitions.policy = ByScript()
    migration.sync()
    assert shape(migration.raw_watch()) == [("progress", "sync", "running")]
    assert sent(cloud, "Migrate:watch") == ("POST", f"{machine.path}/migrate?action=watch", {})
    cloud.transitions.release()
    assert migration.raw_watch() == [{"type": "end", "phase": "sync", "state": "paused"}]


def test_raw_watch_lasts() -> None:
    """``Migrate:watch`` tells what happens until the phase ends, where an emulator is served and time passes."""
    cloud = Emulator(clock=WallClock(), transitions=AfterSeconds(0.05))
    cloud.state.settings.user_migrations = True
    [there] = cloud.populate(1)
    with Server(cloud) as server, DataCenter(**cloud.connection(server.url)) as dc:
        migration = dc.machine(there.id).migrate()
        events = migration.raw_watch()
        assert migration.refresh().state == "paused"
    assert shape(events) == [
        ("progress", "begin", "running"),
        ("progress", "begin", "successful"),
        ("end", "begin", "paused"),
    ]


def test_raw_watch_ends_with_the_server() -> None:
    """A stream of ``Migrate:watch`` that is cut off by the end of the server is no answer."""
    cloud = Emulator(clock=WallClock(), transitions=ByScript())
    cloud.state.settings.user_migrations = True
    [there] = cloud.populate(1)
    with Server(cloud) as server, DataCenter(**cloud.connection(server.url)) as dc:
        migration = dc.machine(there.id).migrate()
        threading.Timer(0.1, server.__exit__, (None, None, None)).start()
        with pytest.raises(TransportError):
            migration.raw_watch(timeout=0.5)


def test_raw_watch_of_a_failure(migration: Migration, cloud: Emulator) -> None:
    """The end of ``Migrate:watch`` has the reason of a failure."""
    cloud.transitions.fail("migrate-sync", "no space left")
    migration.sync()
    assert migration.raw_watch()[-1]["message"] == "failed to sync migration instance - no space left"


def test_raw_watch_that_is_cut(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """A stream of ``Migrate:watch`` that breaks within a line is no answer."""
    odd_server.post("http://odd.test/my/machines/m-1/migrate", body='{"type": "progress"}\n{"ty')
    with pytest.raises(BadResponse, match="invalid JSON in the stream"):
        Migration(odd_dc, data={"machine": "m-1"}).raw_watch()


def test_migrations(dc: DataCenter, machine: Machine, migration: Migration, cloud: Emulator) -> None:
    """``ListMigrations`` gives those that are not finalized, the newest first."""
    cloud.clock.sleep(60)
    [other] = cloud.populate(1, name="web-2")
    dc.machine(other.id).migrate()
    found = dc.migrations()
    assert sent(cloud, "ListMigrations") == ("GET", "migrations", {})
    assert [each.machine for each in found] == [other.id, machine.id]
    assert found[1] == migration


@pytest.mark.parametrize("form", ["id", "name", "dict", "machine", "migration", "method"])
def test_migration(dc: DataCenter, machine: Machine, migration: Migration, cloud: Emulator, form: str) -> None:
    """``GetMigration`` gives the migration of a machine."""
    forms: dict[str, Any] = {
        "id": machine.id,
        "name": "web-1",
        "dict": {"id": machine.id},
        "machine": machine,
        "migration": migration,
    }
    found = machine.migration() if form == "method" else dc.migration(forms[form])
    assert found == migration
    assert sent(cloud, "GetMigration") == ("GET", f"migrations/{machine.id}", {})


def test_migration_of_no_machine(dc: DataCenter, machine: Machine, migration: Migration, cloud: Emulator) -> None:
    """``GetMigration`` and ``ListMigrations`` hide the machines of others, and ids must be ids."""
    with pytest.raises(ResourceNotFound, match="VM not found"):
        dc.migration(UNKNOWN)
    with pytest.raises(ValidationFailed):
        dc.request("GET", "/migrations/web-1")
    record(cloud, machine).owner = books(cloud)[0].owner = UNKNOWN
    assert dc.migrations() == []
    with pytest.raises(ResourceNotFound):
        migration.refresh()
