"""What becomes of machines, as the sources of the server have it; each test names the file that it follows."""

from __future__ import annotations

import json

from kits.emulator_signer import Asker, refusal
from smartdc.emulator import AfterSeconds, Emulator

pytest_plugins = ("kits.emulator_fixtures",)


# Migrations


def test_migration_has_its_runtime(inside: Asker, cloud: Emulator) -> None:
    """Sdc-cloudapi's docs/index.md shows ``duration_ms`` of each phase, and their sum; vmapi's migrate.js adds it."""
    cloud.state.settings.user_migrations = True
    cloud.transitions.policies["migrate-begin"] = cloud.transitions.policies["migrate-sync"] = AfterSeconds(30)
    machine = inside.create()
    begun = inside.post(f"/my/machines/{machine}/migrate", {"action": "begin"}).json()
    cloud.clock.sleep(30)
    inside.post(f"/my/machines/{machine}/migrate", {"action": "sync"})
    cloud.clock.sleep(12)
    found = inside.get(f"/my/migrations/{machine}").json()

    assert "duration_ms" not in begun
    assert [(entry["phase"], entry["state"], entry["duration_ms"]) for entry in found["progress_history"]] == [
        ("begin", "successful", 30_000),
        ("sync", "running", 12_000),
    ]
    assert found["duration_ms"] == 42_000


def test_progress_keeps_its_types(inside: Asker, cloud: Emulator) -> None:
    """Sdc-cloudapi's docs/index.md: numbers of progress are numbers in each line of the stream."""
    cloud.state.settings.user_migrations = True
    cloud.transitions.policies["migrate-begin"] = AfterSeconds(30)
    machine = inside.create()
    inside.post(f"/my/machines/{machine}/migrate", {"action": "begin"})
    cloud.clock.sleep(0.441)
    answer = inside.post(f"/my/machines/{machine}/migrate?action=watch")
    [line] = map(json.loads, answer.text.splitlines())

    numbers = (line["current_progress"], line["total_progress"], line["duration_ms"])
    assert answer.headers["Content-Type"] == "application/x-json-stream"
    assert (line["type"], line["state"], numbers) == ("progress", "running", (1, 100, 441))


# Disks


def test_nothing_remains_for_a_disk(inside: Asker, cloud: Emulator) -> None:
    """Sdc-vmapi's lib/common/validation.js (validDisks): a size must be positive, and so must what remains."""
    image = cloud.state.image_named("debian-12-cloud")
    assert image
    body = {"image": image.id, "package": "b1-small"}
    answer = inside.post("/my/machines", {**body, "disks": [{"size": 51_200}, {"size": "remaining"}]})

    assert refusal(answer) == (409, "ValidationFailed")
    assert answer.json()["errors"] == [
        {"field": "disks.1.size", "code": "Invalid", "message": "Disk size must be positive"}
    ]


def test_nothing_remains_for_another_disk(inside: Asker, cloud: Emulator) -> None:
    """Sdc-vmapi's lib/endpoints/vms.js (createDisk): ``Must be greater than zero``."""
    image = cloud.state.image_named("debian-12-cloud")
    assert image
    machine = inside.post("/my/machines", {"image": image.id, "package": "b1-small"}).json()["id"]
    inside.act(machine, "stop")
    inside.state(machine)
    answer = inside.post(f"/my/machines/{machine}/disks", {"size": "remaining"})

    assert refusal(answer) == (409, "ValidationFailed")
    assert answer.json()["errors"] == [{"field": "size", "code": "Invalid", "message": "Must be greater than zero"}]


# Snapshots


def test_second_snapshot_of_a_name(inside: Asker) -> None:
    """Sdc-cloudapi's lib/snapshots.js: nothing is checked, so that the second job fails.

    ``get`` takes the state of the newest job of that name; ``list`` that of the oldest, which comes last.
    """
    machine = inside.create()
    path = f"/my/machines/{machine}/snapshots"
    answers = [inside.post(path, {"name": "before"}) for _ in range(2)]

    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (201, {"name": "before", "state": "queued"})
    ] * 2
    assert [snapshot["state"] for snapshot in inside.get(path).json()] == ["created"]
    assert inside.get(f"{path}/before").json()["state"] == "failed"
