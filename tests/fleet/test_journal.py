"""A journal is for one task: it recognises that, keeps what it is told whatever happens, and leaves no file open."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartdc import DataCenter, Fleet, FleetFailed, InputError, Machine, NotAuthorized, Report
from smartdc.emulator import Emulator, Fault
from smartdc.fleet import journal as journals
from smartdc.fleet.journal import Journal, Wishes

NEW: dict[str, Any] = {"image": "debian-12", "package": "g1-small"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests take their time, and what is tested here is something else."""
    monkeypatch.setattr(journals, "DIGEST_ROUNDS", 1)


@pytest.fixture
def dc(cloud: Emulator) -> DataCenter:
    """A client within the process: over HTTP the journals are the same."""
    return DataCenter(**cloud.connection())


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> Fleet:
    """Two running machines."""
    cloud.populate(2, name="web-{n}")
    return dc.fleet(name="web-*")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal may be."""
    return tmp_path / "journal"


def unfinished(fleet: Fleet, path: Path, **options: Any) -> Path:
    """Return the journal of a run that has stopped one of two machines."""
    healthy = iter([True])
    report = fleet.stop(journal=path, healthy=lambda _: next(healthy, False), timeout=10, check=False, **options)
    assert len(report.done) == len(report.failed) == 1
    return path


def refused_once(cloud: Emulator, operation: str) -> None:
    """Let CloudAPI refuse one request."""
    cloud.faults.add(Fault(operation, status=403, code="NotAuthorized"))


# Its task


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tags": {"a": 1, "b": True}}, {"tags": {"b": True, "a": 1}}),
        ({"path": Path("/boot")}, {"path": "/boot"}),
        ({"names": ("a", "b")}, {"names": ["a", "b"]}),
        ({"image": Machine(DataCenter("http://127.0.0.1:1"), data={"id": "i", "name": "n"})}, {"image": "i"}),
        ({"levels": {1: None}}, {"levels": {"1": None}}),
    ],
)
def test_the_same_task_is_recognised(one: dict[str, Any], other: dict[str, Any]) -> None:
    """However its arguments are written."""
    assert Wishes("stop", "demo", **one).digest("salt") == Wishes("stop", "demo", **other).digest("salt")


@pytest.mark.parametrize(
    "other", [{"tags": {"a": 2}}, {"tags": {"b": 1}}, {"tags": {"a": "1"}}, {"tags": {"a": True}}, {"tags": None}, {}]
)
def test_another_task_is_another_one(other: dict[str, Any]) -> None:
    """Also if only a value or its type differs."""
    assert Wishes("stop", "demo", tags={"a": 1}).digest("s") != Wishes("stop", "demo", **other).digest("s")
    assert Wishes("stop", "demo").digest("s") != Wishes("stop", "else").digest("s")
    assert Wishes("stop", "demo").digest("s") != Wishes("start", "demo").digest("s")


def test_a_journal_of_another_account_is_refused(cloud: Emulator, fleet: Fleet, path: Path) -> None:
    """Machines of the same names are other machines there."""
    unfinished(fleet, path)
    path.write_text(path.read_text().replace("/demo", "/other"))
    before = len(cloud.trace)
    with pytest.raises(InputError, match=r"is of the account http://cloudapi\.emulator/other, not http"):
        fleet.stop(journal=path)
    assert len(cloud.trace) == before


def test_the_same_machines_in_another_order_are_the_same(dc: DataCenter, fleet: Fleet, path: Path) -> None:
    """And a machine that is given twice is one."""
    one, two = fleet.machines()
    unfinished(dc.fleet([two, one]), path)
    with pytest.raises(InputError, match="with other arguments"):
        dc.fleet([one]).stop(journal=path)
    assert len(dc.fleet([one, two, one]).stop(journal=path).done) == 2


@pytest.mark.parametrize(
    ("act", "others"),
    [
        (lambda fleet, **options: fleet.each(visited, **options), {}),
        (lambda fleet, **options: fleet.each(seen, **options), {"repeatable": True}),
    ],
)
def test_another_function_is_another_task(
    cloud: Emulator, fleet: Fleet, path: Path, act: Callable[..., Report], others: dict[str, Any]
) -> None:
    """The same one may be called with other options."""
    with pytest.raises(FleetFailed):
        fleet.each(visited, journal=path, timeout=10, healthy=lambda _: False)
    if others:
        with pytest.raises(InputError, match="with other arguments"):
            act(fleet, journal=path, **others)
    else:
        assert len(act(fleet, journal=path).done) == 2
    assert {str(entry.operation) for entry in cloud.trace} <= {"ListMachines", "GetMachine"}


def visited(_: Machine) -> None:
    """Do nothing."""


def seen(_: Machine) -> None:
    """Do nothing either."""


def test_other_names_are_another_task(cloud: Emulator, dc: DataCenter, path: Path) -> None:
    """``CreateMachine``: or another number of machines; how long they may take does not matter."""
    refused_once(cloud, "CreateMachine")
    with pytest.raises(FleetFailed):
        dc.create_machines(2, "web-{n}", **NEW, journal=path, at_once=1)
    before = len(cloud.trace)
    for count, name, start in ((3, "web-{n}", 1), (2, "db-{n}", 1), (2, "web-{n}", 2)):
        with pytest.raises(InputError, match="with other arguments"):
            dc.create_machines(count, name, start=start, **NEW, journal=path)
    assert len(cloud.trace) == before
    assert len(dc.create_machines(2, "web-{n}", **NEW, journal=path, timeout=60, pause=1).done) == 2


def test_names_are_looked_up_once(cloud: Emulator, fleet: Fleet, path: Path) -> None:
    """``GetPackage``: what a name meant at first is in the journal."""
    cloud.faults.add(Fault("ResizeMachine", status=409, code="InvalidArgument"))
    with pytest.raises(FleetFailed):
        fleet.resize("g1-medium", journal=path)
    before = len(cloud.trace)
    assert {machine.package for machine in fleet.resize("g1-medium", journal=path)} == {"g1-medium"}
    assert {str(operation) for operation in cloud.trace.operations()[before:]} == {
        *["ListMachines", "GetMachine", "ResizeMachine"]
    }


# Its file


def test_a_home_is_expanded(fleet: Fleet) -> None:
    """As a shell does."""
    fleet.stop(journal="~/journal")
    assert Path(os.environ["HOME"], "journal").stat().st_size


def test_lines_are_whole_though_the_disk_takes_little_at_once(
    fleet: Fleet, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call of the system may write less than it was given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, text: write(file, text[:7]))
    fleet.stop(journal=path)
    monkeypatch.undo()
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 1 + 2 * 4 + 1


def test_the_name_of_a_new_journal_is_on_the_disk_too(
    fleet: Fleet, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is synced, and its file is closed again, as is the journal."""
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(stat.S_ISDIR(os.fstat(file).st_mode)))
    before = os.open("/dev/null", os.O_RDONLY)
    os.close(before)
    fleet.stop(journal=path)
    after = os.open("/dev/null", os.O_RDONLY)
    os.close(after)
    assert synced == [False, True, *[False] * 9]
    assert after == before


@pytest.mark.parametrize(
    "line",
    [
        *("{", "[]", "5", '{"step": "x", "part": "stop"}', '{"part": "stop", "now": "sent"}', '{"step": "x"}'),
        '{"step": [], "part": "stop", "now": "sent"}',
        '{"step": "x", "part": {}, "now": "sent"}',
    ],
)
def test_a_damaged_line_is_named(cloud: Emulator, fleet: Fleet, path: Path, line: str) -> None:
    """Nobody can tell what was done."""
    first, *rest = unfinished(fleet, path).read_text().splitlines()
    path.write_text("\n".join([first, line, *rest, ""]))
    before = len(cloud.trace)
    with pytest.raises(InputError, match="is damaged in line 2; check by hand what it recorded"):
        fleet.stop(journal=path)
    assert len(cloud.trace) == before


def test_a_journal_that_could_not_be_gone_on_with_is_free_again(cloud: Emulator, fleet: Fleet, path: Path) -> None:
    """``GetMachine``: whatever fails before the run begins."""
    unfinished(fleet, path)
    refused_once(cloud, "GetMachine")
    with pytest.raises(NotAuthorized):
        fleet.stop(journal=path)
    assert len(fleet.stop(journal=path).done) == 2


def test_a_create_that_could_not_be_gone_on_with_is_free_again(cloud: Emulator, dc: DataCenter, path: Path) -> None:
    """``ListMachines``: the same; and where the plan fails, the journal is still empty."""
    refused_once(cloud, "ListMachines")
    with pytest.raises(NotAuthorized):
        dc.create_machines(2, "web-{n}", **NEW, journal=path)
    assert path.read_text() == ""

    refused_once(cloud, "CreateMachine")
    with pytest.raises(FleetFailed):
        dc.create_machines(2, "web-{n}", **NEW, journal=path, at_once=1)
    refused_once(cloud, "ListMachines")
    with pytest.raises(NotAuthorized):
        dc.create_machines(2, "web-{n}", **NEW, journal=path)
    assert len(dc.create_machines(2, "web-{n}", **NEW, journal=path).done) == 2
    assert len({str(entry.body.get("tag.smartdc_token")) for entry in creates(cloud)}) == len(creates(cloud)) == 3


def creates(cloud: Emulator) -> list[Any]:
    """Return the requests that were to make machines."""
    return [entry for entry in cloud.trace if entry.operation == "CreateMachine"]


def test_a_machine_that_failed_to_start_is_made_again(cloud: Emulator, dc: DataCenter, path: Path) -> None:
    """``CreateMachine``: with a new token, since the old one is that of the failed machine."""
    cloud.transitions.fail("provision")
    with pytest.raises(FleetFailed):
        dc.create_machines(1, "web-{n}", **NEW, journal=path)
    assert [machine.state for machine in dc.create_machines(1, "web-{n}", **NEW, journal=path)] == ["running"]
    assert len({str(entry.body.get("tag.smartdc_token")) for entry in creates(cloud)}) == len(creates(cloud)) == 2


def test_a_closed_journal_is_left_alone(path: Path) -> None:
    """Also by a thread that is late: its file may be another one by then."""
    journal = Journal(path, Wishes("stop", "demo"), lambda: {"machines": {}})
    journal.close()
    before = path.read_text()
    with (path.parent / "other").open("w") as other:
        journal.close()
        journal.write("web-1", "stop", "sent")
        journal.end(done=1)
        other.write("text")
    assert path.read_text() == before
    assert (path.parent / "other").read_text() == "text"


def test_without_a_path_the_memory_is_that_of_the_process() -> None:
    """What is written is known, and nothing is left."""
    journal = Journal(None, Wishes("stop", "demo"), lambda: {"machines": {}})
    assert (journal.is_new, journal.header, journal.past("web-1", "stop")) == (True, {"machines": {}}, None)
    assert journal.write("web-1", "stop", "sent", at=1.5) == journal.past("web-1", "stop")
    assert journal.past("web-1", "stop") == {"step": "web-1", "part": "stop", "now": "sent", "at": 1.5}
    assert journal.past("web-1", "step") is None
    journal.end(done=0)
    journal.close()
