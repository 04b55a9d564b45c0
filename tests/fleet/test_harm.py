"""Whoever asks a fleet for what cannot be meant is refused before a byte is sent, or before anything is changed."""

from __future__ import annotations

import inspect
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartdc import DataCenter, Fleet, InputError, JournalFinished
from smartdc.emulator import Emulator, Fault
from smartdc.fleet.creation import NewMachines
from smartdc.fleet.journal import Wishes

WEB = {"role": "web"}
CREATE: dict[str, Any] = {"image": "debian-12", "package": "g1-small"}


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> Fleet:
    """Three machines that have a tag; nothing was asked for yet."""
    for machine in cloud.populate(3, name="web-{n}"):
        machine.tags = dict(WEB)
    return dc.fleet(tags=WEB)


@pytest.mark.parametrize(
    ("select", "words"),
    [
        (lambda dc: dc.fleet(), "select machines by a filter"),
        (lambda dc: dc.fleet(everything=False), "select machines by a filter"),
        (lambda dc: dc.fleet(image=None), "image is None, which would select every machine"),
        (lambda dc: dc.fleet(image=None, tags=WEB), "image is None"),
        (lambda dc: dc.fleet(name=""), "name is empty"),
        (lambda dc: dc.fleet(tags={}), "tags is empty"),
        (lambda dc: dc.fleet(tags={"role": None}), r"tags\['role'\] is None"),
        (lambda dc: dc.fleet(tags={"role": ""}), r"tags\['role'\] is empty"),
        (lambda dc: dc.fleet([]), "no machines are given"),
        (lambda dc: dc.fleet(["web-1"]), "'web-1' is not a Machine"),
        (lambda dc: dc.fleet([], everything=True), "one of them"),
        (lambda dc: dc.fleet([], tags=WEB), "one of them"),
        (lambda dc: dc.fleet(everything=True, tags=WEB), "takes no filter"),
        (lambda dc: dc.fleet(name="*"), "that selects every machine"),
        (lambda dc: dc.fleet(name="?*"), "that selects every machine"),
        (lambda dc: dc.fleet(package="*"), "that selects every machine"),
        (lambda dc: dc.fleet(name="*", package="**"), "that selects every machine"),
        (lambda dc: dc.fleet(search=""), "search is empty"),
        (lambda dc: dc.fleet(search="web-[0-9]|"), "that selects every machine"),
        (lambda dc: dc.fleet(search="."), "that selects every machine"),
        (lambda dc: dc.fleet(tombstone=False), "that selects every machine"),
        (lambda dc: dc.fleet(tags={"": "web"}), "tags has an empty name"),
        (lambda dc: dc.fleet(fields=["name"]), "that selects every machine"),
        (lambda dc: dc.fleet(tombstone=True), "selects deleted machines"),
    ],
)
def test_no_selection_is_empty_by_accident(
    cloud: Emulator, dc: DataCenter, select: Callable[[DataCenter], Fleet], words: str
) -> None:
    """A variable that is None must not mean the whole account."""
    with pytest.raises(InputError, match=words):
        select(dc).delete()
    assert not cloud.trace


def test_a_filter_that_does_not_exist_is_refused(cloud: Emulator, dc: DataCenter) -> None:
    """A word that is misspelt selects nothing."""
    with pytest.raises(TypeError, match="imgae"):
        dc.fleet(imgae="debian-12")
    assert not cloud.trace


def test_machines_of_another_data_centre_are_refused(cloud: Emulator, fleet: Fleet) -> None:
    """What is done to a machine is done where it is."""
    other = DataCenter(**cloud.connection())
    machines = [*fleet]
    before = len(cloud.trace)

    with pytest.raises(InputError, match=rf"{machines[0].name}.* is in another data centre"):
        other.fleet(machines).delete()
    assert len(cloud.trace) == before


@pytest.mark.parametrize("expect", [2, 4])
def test_what_cannot_be_taken_back_can_be_told_how_many(
    cloud: Emulator, dc: DataCenter, fleet: Fleet, expect: int
) -> None:
    """``DeleteMachine``: one machine more or less than expected, and nothing is deleted."""
    with pytest.raises(InputError, match=f"expected {expect} machines, but 3 are selected: nothing was done"):
        fleet.delete(expect=expect)
    assert [entry.operation for entry in cloud.trace] == ["ListMachines"]

    machines = [*fleet]
    before = len(cloud.trace)
    with pytest.raises(InputError, match="nothing was done"):
        dc.fleet(machines).delete(expect=expect)
    assert len(cloud.trace) == before
    assert len(dc.fleet(machines).delete(expect="3").done) == 3  # type: ignore[arg-type]  # as a command line has it


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"at_once": 0}, "at_once must be a whole number above 0"),
        ({"at_once": True}, "at_once must be"),
        ({"budget": -1}, "budget must be"),
        ({"budget": "10"}, "budget must be"),
        ({"budget": "101%"}, "budget must be"),
        ({"budget": "-1%"}, "budget must be"),
        ({"budget": True}, "budget must be"),
        ({"budget": 1.5}, "budget must be"),
        ({"budget": None}, "budget must be"),
        ({"at_once": 1.5}, "at_once must be"),
        ({"timeout": -1}, "timeout must be"),
        ({"pause": -1}, "pause must be a non-negative number"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"deadline": -1}, "deadline must be"),
        ({"healthy": True}, "healthy must be a function"),
        ({"order": "name"}, "order must be a function"),
    ],
)
def test_keywords_that_make_no_sense_are_refused(
    cloud: Emulator, fleet: Fleet, options: dict[str, Any], words: str
) -> None:
    """Nothing is done by halves because of a typing error."""
    with pytest.raises(InputError, match=words):
        fleet.stop(**options)
    assert not cloud.trace


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((2, "web"), "the same for all machines"),
        ((2, "web-{m}"), "cannot make names"),
        ((2, "web-{n[0]}"), "cannot make names"),
        ((2, "web-{n:99999999999999}"), "cannot make names"),
        ((2, "web {n}"), "invalid machine name 'web 1'"),
        ((12, "x" * 188 + "{n}"), "x10'; expected letters"),
        ((0, "web-{n}"), "count must be"),
        ((True, "web-{n}"), "count must be"),
        ((1.0, "web-{n}"), "count must be"),
        ((100_001, "web-{n}"), "count must be a whole number from 1 to 100,000, got 100001"),
    ],
)
def test_names_that_no_machine_can_have_are_refused(
    cloud: Emulator, dc: DataCenter, arguments: tuple[int, str], words: str
) -> None:
    """``CreateMachine``: nothing is created."""
    with pytest.raises(InputError, match=words):
        dc.create_machines(*arguments, **CREATE)
    assert not cloud.trace


def test_only_count_and_name_go_without_a_keyword(offline: DataCenter) -> None:
    """``CreateMachine``: nobody knows the order of thirty arguments."""
    parameters = inspect.signature(offline.create_machines).parameters.values()
    assert [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY] == ["count", "name"]


def test_what_is_created_is_shown_without_secrets() -> None:
    """Metadata may have passwords, and user data keys."""
    shown = repr(NewMachines(2, "web-{n}", **CREATE, metadata={"user-data": "hunter2"}, password="swordfish"))
    assert "debian-12" in shown
    assert "hunter2" not in shown
    assert "swordfish" not in shown


def test_what_no_machine_can_have_is_refused(cloud: Emulator, dc: DataCenter) -> None:
    """``CreateMachine``: before a byte is sent, since it is the same for each of them."""
    with pytest.raises(InputError, match="metadata"):
        dc.create_machines(2, "web-{n}", **CREATE, metadata={"rack": ["a", "b"]})
    assert not cloud.trace


def test_names_that_are_taken_are_refused(cloud: Emulator, dc: DataCenter, fleet: Fleet) -> None:
    """``CreateMachine``: one machine of that name, and none is created."""
    with pytest.raises(InputError, match="2 of 4 names are taken, such as web-1, web-2: nothing was created"):
        dc.create_machines(4, "web-{n}", **CREATE)
    assert len(cloud.state.machines) == len([*fleet])


def test_only_a_few_of_many_names_are_said(cloud: Emulator, dc: DataCenter) -> None:
    """A message is for reading."""
    cloud.populate(9, name="web-{n}")
    with pytest.raises(InputError, match=r"8 of 8 names are taken, such as web-1, web-2, web-3, web-4, web-5: nothing"):
        dc.create_machines(8, "web-{n}", **CREATE)


def test_numbers_begin_where_one_says(dc: DataCenter) -> None:
    """``CreateMachine``: one, or `start`, which may be a text."""
    assert [machine.name for machine in dc.create_machines(2, "web-{n:02}", **CREATE)] == ["web-01", "web-02"]
    report = dc.create_machines(2, "web-{n:02}", **CREATE, start="9")  # type: ignore[arg-type]
    assert [machine.name for machine in report] == ["web-09", "web-10"]


# Journals


def test_a_finished_journal_is_refused(cloud: Emulator, fleet: Fleet, tmp_path: Path) -> None:
    """What has ended is not begun again by the same journal."""
    path = tmp_path / "stop.journal"
    fleet.stop(journal=path)
    before = len(cloud.trace)

    with pytest.raises(JournalFinished, match=r"is of a stop that ended at .*a new journal"):
        fleet.stop(journal=path)
    assert len(cloud.trace) == before


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda dc, path: dc.fleet(tags=WEB).delete(journal=path), "of the action stop, not delete"),
        (lambda dc, path: dc.fleet(tags={"role": "db"}).stop(journal=path), "with other arguments"),
        (lambda dc, path: dc.fleet(everything=True).stop(journal=path), "with other arguments"),
        (lambda dc, path: dc.create_machines(2, "w-{n}", **CREATE, journal=path), "of the action stop, not create"),
    ],
)
def test_a_journal_of_other_wishes_is_refused(
    cloud: Emulator, dc: DataCenter, fleet: Fleet, tmp_path: Path, act: Callable[[DataCenter, Path], Any], words: str
) -> None:
    """A journal is for one thing that was asked for."""
    path = unfinished(fleet, tmp_path)
    before = len(cloud.trace)

    with pytest.raises(InputError, match=words):
        act(dc, path)
    assert len(cloud.trace) == before


@pytest.mark.parametrize("key", ["package", "metadata", "tags", "image"])
def test_other_machines_are_other_wishes(cloud: Emulator, dc: DataCenter, tmp_path: Path, key: str) -> None:
    """``CreateMachine``: half of the machines of one kind and half of another is not what anybody wants."""
    path = tmp_path / "create.journal"
    cloud.transitions.fail("provision")
    report = dc.create_machines(2, "web-{n}", **CREATE, journal=path, check=False, at_once=1)
    assert len(report.failed) == len(report.untouched) == 1
    others = {"package": "g1-medium", "image": "debian-11", "metadata": {"a": "b"}, "tags": WEB}
    before = len(cloud.trace)

    with pytest.raises(InputError, match="is of a create with other arguments, begun at"):
        dc.create_machines(2, "web-{n}", **{**CREATE, key: others[key]}, journal=path)
    assert len(cloud.trace) == before


def test_a_journal_of_another_version_is_refused(cloud: Emulator, fleet: Fleet, tmp_path: Path) -> None:
    """A later version may mean something else by the same words."""
    path = unfinished(fleet, tmp_path)
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    before = len(cloud.trace)

    with pytest.raises(InputError, match="is of version 2; this library reads version 1"):
        fleet.stop(journal=path)
    assert len(cloud.trace) == before


@pytest.mark.parametrize("text", ["", '{"jour'])
def test_a_journal_that_was_not_begun_is_new(fleet: Fleet, tmp_path: Path, text: str) -> None:
    """A process may be killed while it makes the journal, when nothing was sent yet."""
    path = tmp_path / "journal"
    path.write_text(text)

    assert len(fleet.stop(journal=path).done) == 3


@pytest.mark.parametrize("text", ["machines\n", "[]\n", "\n", '{"name": "smartdc"}\n', "no line"])
def test_a_file_that_is_no_journal_is_left_alone(cloud: Emulator, fleet: Fleet, tmp_path: Path, text: str) -> None:
    """A path that is mistyped costs nobody a file."""
    path = tmp_path / "precious"
    path.write_text(text)

    with pytest.raises(InputError, match="is not a journal; give the path of a new file"):
        fleet.stop(journal=path)
    assert path.read_text() == text
    assert not cloud.trace


def test_a_last_line_that_is_half_written_does_not_count(
    cloud: Emulator, fleet: Fleet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was to announce was not sent; a line that is damaged elsewhere is refused."""
    path = unfinished(fleet, tmp_path)
    whole = path.read_text()
    path.write_text(f'{whole}{{"step": "{[*fleet][1].id}", "part": "st')
    with caplog.at_level("INFO", "smartdc.fleet.journal"):
        assert len(fleet.stop(journal=path).done) == 3
    assert f"journal {path}: its last line is incomplete, and is dropped" in caplog.messages
    with pytest.raises(JournalFinished):
        fleet.stop(journal=path)

    path.write_text(f"{whole}what is this\n")
    before = len(cloud.trace)
    with pytest.raises(InputError, match=r"is damaged in line \d+"):
        fleet.stop(journal=path)
    assert len(cloud.trace) == before


def test_two_runs_cannot_share_a_journal(cloud: Emulator, fleet: Fleet, tmp_path: Path) -> None:
    """A second process, or a second thread, is refused while the first is at work."""
    path = tmp_path / "journal"
    refused: list[str] = []

    def healthy(_: object) -> bool:
        before = len(cloud.trace)
        with pytest.raises(InputError, match="is in use by another run") as error:
            fleet.stop(journal=path)
        assert len(cloud.trace) == before
        refused.append(str(error.value))
        return True

    assert len(fleet.stop(journal=path, healthy=healthy).done) == 3
    assert len(refused) == 3


def test_no_secret_stands_in_a_journal(dc: DataCenter, tmp_path: Path) -> None:
    """User data and passwords are recognised again by a digest alone, and only the owner reads the file."""
    path = tmp_path / "journal"
    metadata = {"user-data": "hunter2", "credentials": {"root": "swordfish"}}
    dc.create_machines(2, "web-{n}", **CREATE, metadata=metadata, password="correcthorse", journal=path)

    text = path.read_text()
    assert not [secret for secret in ("hunter2", "swordfish", "correcthorse") if secret in text]
    assert path.stat().st_mode & 0o077 == 0


def test_the_same_wishes_have_other_digests_in_every_journal() -> None:
    """Nobody finds out from two journals that the same password was given."""
    wishes = Wishes("create", "https://example.com/demo", password="x")

    assert wishes.digest("a") != wishes.digest("b")
    assert wishes.digest("a") == wishes.digest("a")


def test_a_later_release_recognises_the_same_wishes() -> None:
    """A journal outlives an upgrade in the middle of its run."""
    selection = {"machines": None, "filters": {"tags": {"role": "web"}}}
    digest = Wishes("stop", "https://cloudapi.example.com/demo", selection=selection).digest("00ff")
    assert digest == "b4beba815bb1520fe264c0485ceaf9a6580c59530ff55128152b044604336e56"


def test_a_journal_is_on_the_disk_before_anything_is_sent(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: Emulator
) -> None:
    """Each ``sent`` is synced when its request arrives."""
    path = tmp_path / "journal"
    synced = 0

    def fsync(_: int) -> None:
        nonlocal synced
        synced = path.stat().st_size if path.exists() else 0

    monkeypatch.setattr(os, "fsync", fsync)
    seen = []

    def look(_: object) -> bool:
        lines = [json.loads(line) for line in path.read_bytes()[:synced].splitlines()]
        seen.append(lines[-1].get("now"))
        return False

    cloud.faults.add(Fault("StopMachine", where=look, times=None))
    fleet.stop(journal=path)
    assert seen == ["sent"] * 3


def unfinished(fleet: Fleet, folder: Path) -> Path:
    """Return the journal of a run that has stopped one machine of three."""
    path = folder / "journal"
    healthy = iter([True])
    report = fleet.stop(journal=path, healthy=lambda _: next(healthy, False), timeout=10, check=False)
    assert len(report.done) == len(report.failed) == len(report.untouched) == 1
    return path


def test_a_disk_that_is_full_leaves_no_half_line(cloud: Emulator, fleet: Fleet, tmp_path: Path) -> None:
    """What could not be written down is not sent, and the journal can be gone on with when there is space again."""
    path = unfinished(fleet, tmp_path)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, limit[1]))
    before = count(cloud, "StopMachine")
    try:
        report = fleet.stop(journal=path, budget=3, check=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    assert {type(error) for error in report.failed.values()} == {OSError}
    assert count(cloud, "StopMachine") == before
    assert len(fleet.stop(journal=path).done) == 3


@pytest.mark.parametrize("path", ["", "nowhere/journal", "a\0b"], ids=["the folder itself", "no such folder", "NUL"])
def test_a_journal_that_cannot_be_opened_is_told_of(cloud: Emulator, fleet: Fleet, path: str) -> None:
    """With its path and the reason, before anything is sent."""
    with pytest.raises(InputError, match=r"^journal '.*' cannot be opened: [A-Za-z]"):
        fleet.stop(journal=path)
    assert not cloud.trace


def test_a_journal_is_a_regular_file(cloud: Emulator, fleet: Fleet) -> None:
    """What is read from a device has no end."""
    with pytest.raises(InputError, match="a journal must be a regular file, not /dev/full"):
        fleet.stop(journal="/dev/full")
    assert not cloud.trace


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="this system does not list open files")  # noqa: PTH112
def test_no_file_stays_open(fleet: Fleet, tmp_path: Path) -> None:
    """Whatever is wrong with a journal; a service may try it every minute for months."""
    busy, other = tmp_path / "busy", tmp_path / "other"
    other.write_text("no journal\n")
    more: list[int] = []

    def healthy(_: object) -> bool:
        before = len(os.listdir("/dev/fd"))  # noqa: PTH208
        for path in (busy, other, "/dev/full", tmp_path):
            with pytest.raises(InputError):
                fleet.stop(journal=path)
        more.append(len(os.listdir("/dev/fd")) - before)  # noqa: PTH208
        return True

    fleet.stop(journal=busy, healthy=healthy)
    assert more == [0, 0, 0]


def count(cloud: Emulator, operation: str) -> int:
    """Return how often an operation was asked for."""
    return sum(entry.operation == operation for entry in cloud.trace)
