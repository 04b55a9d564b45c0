"""A run may die before or after any entry of its journal, and the same call goes on from there: nothing is done twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smartdc import DataCenter, FleetFailed, Machine, Report, SmartDCError
from smartdc.emulator import AfterSeconds, Emulator, VirtualClock
from smartdc.fleet import journal as journals
from smartdc.fleet.journal import Journal, Record

SETTLE_SECONDS = 180
"""How long the data centre may take to show what it has accepted."""
JOB_SETTLE_SECONDS = 30
"""The same for what may be requested twice without harm."""
LOOK_SECONDS = 2
JOB_SECONDS = 5
JOB = ["sent", "accepted", "done"]
MODEL: dict[str, Any] = {"image": "debian-12", "package": "g1-small"}
REPLACE: dict[str, Any] = {"image": "base-64-lts@24.4.1", "losing": ["data"], "delete_old": True}


class Killed(BaseException):
    """Ends a run without a word, as SIGKILL would."""


@dataclass(frozen=True)
class Deed:
    """What is killed: the call, the entries about its first machine, and the state of the machines it returns."""

    call: Callable[..., Report]
    entries: list[str]
    state: str = "running"
    settle: float = JOB_SETTLE_SECONDS
    before: str = "running"

    def whole(self) -> list[str]:
        """Return the entries about one machine."""
        return [*self.entries, "step done"]


def job(*parts: str) -> list[str]:
    """Return the entries about jobs."""
    return [f"{part} {now}" for part in parts for now in JOB]


def fleet(action: str, *args: Any, **options: Any) -> Callable[..., Report]:
    """Return a call that acts on all machines whose names begin with web-."""

    def act(dc: DataCenter, **journal: Path) -> Report:
        report: Report = getattr(dc.fleet(name="web-*"), action)(*args, **options, **journal)
        return report

    return act


DEEDS = {
    "create": Deed(
        lambda dc, **journal: dc.create_machines(
            2, "web-{n}", **MODEL, healthy=lambda machine: machine.state == "running", at_once=1, **journal
        ),
        [*job("create"), "healthy done"],
        before="",
        settle=SETTLE_SECONDS,
    ),
    "start": Deed(fleet("start", at_once=1), job("start"), before="stopped"),
    "stop": Deed(fleet("stop"), job("stop"), state="stopped"),
    "reboot": Deed(fleet("reboot"), job("reboot"), settle=SETTLE_SECONDS),
    "delete": Deed(fleet("delete"), job("destroy"), state="deleted"),
    "resize": Deed(fleet("resize", "g1-medium"), job("resize")),
    "add_tags": Deed(fleet("add_tags", {"role": "web"}, at_once=1), ["tags done"]),
    "create_snapshot": Deed(fleet("create_snapshot", "before", at_once=1), job("snapshot")),
    "rotate_snapshots": Deed(fleet("rotate_snapshots", keep=1, at_once=1), job("snapshot")),
    "replace": Deed(
        fleet("replace", **REPLACE, healthy=lambda machine: machine.state == "running"),
        [*job("create"), "healthy done", *job("rename old", "rename new", "stop", "destroy")],
        settle=SETTLE_SECONDS,
    ),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests and disks take their time, and what is tested here is something else."""
    monkeypatch.setattr(journals, "DIGEST_ROUNDS", 1)
    monkeypatch.setattr("os.fsync", lambda _: None)


def site(deed: Deed) -> Emulator:
    """Return a cloud of two machines in which every job takes five seconds."""
    cloud = Emulator(clock=VirtualClock(), transitions=AfterSeconds(JOB_SECONDS))
    if deed.before:
        for machine in cloud.populate(2, name="web-{n}"):
            machine.state = deed.before
    return cloud


def run(deed: Deed, cloud: Emulator, journal: Path) -> tuple[Report, float]:
    """Carry it out in a process of its own, as it were, and return how many seconds it took."""
    began = cloud.clock.monotonic()
    with DataCenter(**cloud.connection()) as dc:
        report = deed.call(dc, journal=journal)
    return report, cloud.clock.monotonic() - began


def books(cloud: Emulator) -> Counter[tuple[str, str]]:
    """Count the jobs by the name of their machine and their action."""
    return Counter((job.machine.name, job.action) for machine in cloud.state.machines.values() for job in machine.jobs)


def states(cloud: Emulator) -> list[tuple[str, str, int]]:
    """Return name, state and number of snapshots of every machine."""
    return sorted((each.name[:9], each.state, len(each.snapshots)) for each in cloud.state.machines.values())


def entries(journal: Path) -> list[str]:
    """Return part and state of each entry."""
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [f"{line['part']} {line['now']}" for line in lines if "part" in line]


@contextmanager
def killed(number: int, *, written: bool) -> Iterator[None]:
    """Let every run end at the entry of this number, which is or is not written."""
    write, seen = Journal.write, 0

    def last(self: Journal, step: str, part: str, now: str, **facts: Any) -> Record:
        nonlocal seen
        seen += 1
        if seen < number or (seen == number and written):
            record = write(self, step, part, now, **facts)
        if seen >= number:
            raise Killed
        return record

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "write", last)
        yield


def test_a_snapshot_that_cannot_be_looked_up_in_time_is_unknown(tmp_path: Path) -> None:
    """``CreateMachineSnapshot``: its request may have been received, and its job may still run."""
    deed = DEEDS["create_snapshot"]
    cloud = site(deed)
    with killed(1, written=True), pytest.raises(Killed):
        run(deed, cloud, tmp_path / "journal")
    late = Deed(fleet("create_snapshot", "before", at_once=1, timeout=10, check=False), deed.entries)
    report, took = run(late, cloud, tmp_path / "journal")
    [reason] = report.unknown.values()
    assert str(reason).startswith("unknown whether machine web-0 (")
    assert str(reason).endswith(") received its create_snapshot")
    assert took == pytest.approx(10, abs=2)


@pytest.mark.parametrize("name", ["create", "create_snapshot"])
def test_a_request_that_could_not_be_made_is_made_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """``CreateMachine``, ``CreateMachineSnapshot``: an agent that is gone, for instance, has signed nothing."""

    def send(*_: object, **__: object) -> None:
        raise SmartDCError("the agent is gone")

    deed = DEEDS[name]
    cloud = site(deed)
    with monkeypatch.context() as patch:
        patch.setattr(DataCenter, "provision", send)
        patch.setattr(Machine, "create_snapshot", send)
        with pytest.raises(FleetFailed, match="SmartDCError: the agent is gone"):
            run(deed, cloud, tmp_path / "journal")
    assert entries(tmp_path / "journal")[-1].endswith(" refused")
    report, took = run(deed, cloud, tmp_path / "journal")
    assert (len(report.done), took < JOB_SETTLE_SECONDS) == (2, True)


@pytest.mark.parametrize("name", DEEDS)
def test_a_run_writes_what_it_does(tmp_path: Path, name: str) -> None:
    """Every request has an entry before it is sent, one for its answer and one for its end."""
    deed = DEEDS[name]
    cloud = site(deed)
    report, _ = run(deed, cloud, tmp_path / "journal")
    assert entries(tmp_path / "journal") == deed.whole() * 2
    head, *_, end = map(json.loads, (tmp_path / "journal").read_text().splitlines())
    assert datetime.fromisoformat(head["began"]) <= datetime.fromisoformat(end["ended"]) <= datetime.now(UTC)
    assert "." not in head["began"] + end["ended"]
    assert end["done"] == 2
    assert {machine.state for machine in report} == {deed.state}


@pytest.mark.parametrize(
    ("name", "later"),
    [(name, later) for name in DEEDS for later in (0, 20, 3_600) if later == 20 or name != "replace"],
)
def test_it_goes_on_after_every_entry(tmp_path: Path, name: str, later: int) -> None:
    """At once, when the job is over, or an hour later: everything is done once, and no longer waited for than needed."""
    deed = DEEDS[name]
    calm = site(deed)
    _, takes = run(deed, calm, tmp_path / "calm")
    for number, entry in enumerate(deed.whole(), 1):
        for written in (False, True):
            journal = tmp_path / f"{number} {written}"
            cloud = site(deed)
            with killed(number, written=written), pytest.raises(Killed):
                run(deed, cloud, journal)
            cloud.clock.sleep(later)
            last, before = entries(journal)[-1:], len(cloud.trace)

            report, took = run(deed, cloud, journal)

            # Tags may be added twice.
            again = Counter({("web-0", "set_tags"): 1} if (entry, written) == ("tags done", False) else {})
            moment = f"{'after' if written else 'before'} {entry!r}"
            assert len(report.done) == 2, moment
            assert states(cloud) == states(calm), moment
            assert {each for each in deed.whole() if each.endswith("done")} <= set(entries(journal)), moment
            # A machine of a fleet whose step is done is not fetched again.
            is_known = name == "create" or entry != "step done" or not written
            assert [machine.state for machine in report] == [deed.state if is_known else None, deed.state], moment
            assert books(cloud) - again == books(calm), moment
            is_lost = bool(last) and last[0].endswith("sent")
            assert took <= takes + (max(deed.settle - later, 0) if is_lost else 0) + LOOK_SECONDS, moment
            assert is_lost or len(cloud.trace) - before <= len(calm.trace), moment
