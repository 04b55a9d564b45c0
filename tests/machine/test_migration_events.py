"""``WatchMigration``: the events of a migration over a WebSocket, as monitor-reef's openapi-specs describe it.

Its apis/cloudapi-api/src/lib.rs (watch_migration) has the path, and says: a stream of JSON objects with progress.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smartdc import BadRequest, BadResponse, DataCenter, Migration, ResourceNotFound, WaitTimeout
from smartdc.emulator import AfterSeconds, ByScript, Emulator, Server, WallClock
from smartdc.machine.migration import _event


@pytest.fixture
def migration(cloud: Emulator) -> Iterator[Migration]:
    """A migration whose phases end by the system's clock, reached through the HTTP door."""
    cloud.clock = WallClock()
    cloud.reset()
    cloud.state.settings.user_migrations = True
    [machine] = cloud.populate(1)
    with Server(cloud) as server, DataCenter(**cloud.connection(server.url)) as dc:
        cloud.transitions.policy = AfterSeconds(0.15)
        yield dc.machine(machine.id).migrate()


def test_events_come_as_they_happen(migration: Migration, cloud: Emulator) -> None:
    """``WatchMigration`` yields the running phase twice, as it begins and as it ends, and then the end."""
    cloud.transitions.policy = ByScript()
    stream = migration.events()
    events = [next(stream)]
    cloud.transitions.release()
    events += stream

    assert [(event["type"], event["state"]) for event in events] == [
        ("progress", "running"),
        ("progress", "successful"),
        ("end", "paused"),
    ]
    assert {event["phase"] for event in events} == {"begin"}


def test_events_take_no_longer_than_asked(migration: Migration, cloud: Emulator) -> None:
    """``WatchMigration`` is given up when the time is up, and the connection with it."""
    cloud.transitions.policy = ByScript()
    with pytest.raises(WaitTimeout, match=r"has not finished its begin after 0\.2 s"):
        list(migration.events(timeout=0.2))


def test_there_has_to_be_a_migration(migration: Migration, cloud: Emulator) -> None:
    """``WatchMigration`` has the reason where there is nothing to watch."""
    cloud.state.migrations.clear()
    with pytest.raises(ResourceNotFound, match="migration not found"):
        list(migration.events())


def test_a_request_without_upgrade_is_refused(migration: Migration) -> None:
    """``WatchMigration`` is a WebSocket only: dropshot, which serves it, refuses other requests with a 400."""
    with pytest.raises(BadRequest, match="expected connection upgrade"):
        migration.datacenter.request("GET", f"/{migration.path}/watch")


@pytest.mark.parametrize("message", ["[]", "{", b"\xff", "1", '"end"'])
def test_what_is_no_event_is_refused(message: str | bytes) -> None:
    """Anything but an object is no event."""
    with pytest.raises(BadResponse, match="expected a JSON object in the stream"):
        _event(message, "/migrations/x/watch")
