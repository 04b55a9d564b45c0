"""A run that was killed goes on from its journal: nothing is done twice, and what was not heard of is looked up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from smartdc import DataCenter, Fleet, JournalFinished, Machine
from smartdc.emulator import Emulator
from smartdc.fleet import engine

WEB = {"role": "web"}
NEW: dict[str, Any] = {"name": "web-{n}", "image": "debian-12", "package": "g1-small", "tags": WEB}


class Killed(BaseException):
    """Ends a run without a word, as SIGKILL would."""


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> Fleet:
    """Five running machines that have a tag."""
    for machine in cloud.populate(5, name="web-{n}"):
        machine.tags = dict(WEB)
    return dc.fleet(tags=WEB)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a journal may be."""
    return tmp_path / "journal"


def stopped_after(lines: int) -> Callable[[Any], None]:
    """Return a progress function that ends the run when so many machines are done."""

    def tell(progress: Any) -> None:
        if progress.ended >= lines and not progress.done:
            raise Killed

    return tell


def count(cloud: Emulator, operation: str) -> int:
    """Count the requests for an operation."""
    return sum(entry.operation == operation for entry in cloud.trace)


def test_a_create_goes_on_where_it_was(cloud: Emulator, dc: DataCenter, journal: Path) -> None:
    """``CreateMachine``: those that were made are not made again."""
    with pytest.raises(Killed):
        dc.create_machines(5, **NEW, journal=journal, at_once=1, progress=stopped_after(2))

    report = dc.create_machines(5, **NEW, journal=journal)

    assert [machine.name for machine in report] == [f"web-{n}" for n in range(1, 6)]
    assert len(cloud.state.machines) == count(cloud, "CreateMachine") == 5


def test_a_rolling_reboot_goes_on_where_it_was(cloud: Emulator, fleet: Fleet, journal: Path) -> None:
    """``RebootMachine``: nothing is rebooted twice."""
    with pytest.raises(Killed):
        fleet.reboot(journal=journal, progress=stopped_after(2))

    assert len(fleet.reboot(journal=journal).done) == 5
    assert count(cloud, "RebootMachine") == 5


def test_a_journal_that_has_ended_is_refused(cloud: Emulator, fleet: Fleet, journal: Path) -> None:
    """A recurring job gives each run a journal of its own."""
    fleet.stop(journal=journal)
    before = len(cloud.trace)

    with pytest.raises(JournalFinished, match=r"is of a stop that ended at .*a new journal"):
        fleet.stop(journal=journal)
    assert len(cloud.trace) == before


def test_what_is_unknown_keeps_the_journal_open(fleet: Fleet, journal: Path) -> None:
    """Whoever finds out may let the same call go on; what was done is not done again."""
    seen: list[str] = []

    def visit(machine: Machine) -> None:
        seen.append(machine.name)
        if len(seen) == 1:
            raise Killed

    with pytest.raises(Killed):
        fleet.each(visit, journal=journal)
    report = fleet.each(visit, journal=journal, budget=1)
    assert (len(report.done), len(report.unknown)) == (4, 1)

    assert len(fleet.each(visit, journal=journal, repeatable=True).done) == 5
    assert seen == ["web-0", "web-1", "web-2", "web-3", "web-4", "web-0"]


def test_a_function_that_raised_is_called_again(fleet: Fleet, journal: Path) -> None:
    """Also one that is not repeatable: its end is known."""
    seen: list[str] = []

    def visit(machine: Machine) -> None:
        seen.append(machine.name)
        if seen == ["web-0"]:
            raise ValueError

    assert len(fleet.each(visit, journal=journal, check=False).untouched) == 4
    assert len(fleet.each(visit, journal=journal).done) == 5
    assert seen == ["web-0", "web-0", "web-1", "web-2", "web-3", "web-4"]


@pytest.mark.parametrize(
    ("operation", "act"),
    [
        ("StopMachine", lambda dc, **options: dc.fleet(name="web-*").stop(**options)),
        ("CreateMachine", lambda dc, **options: dc.create_machines(2, **{**NEW, "name": "new-{n}"}, **options)),
        ("CreateMachineSnapshot", lambda dc, **options: dc.fleet(name="web-*").create_snapshot("now", **options)),
    ],
)
def test_nothing_is_sent_after_an_interrupt(
    cloud: Emulator,
    fleet: Fleet,
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    act: Callable[..., object],
) -> None:
    """A thread that was about to send a request does not: it is not in the journal, either."""
    late: list[Callable[[], object]] = []

    class Late(Thread):
        """A thread that has not begun when the second one is started, and Ctrl-C is pressed."""

        def start(self) -> None:
            late.append(self.run)
            if len(late) == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "Thread", Late)
        act_on(fleet, act, journal)
    written = journal.read_text()
    for run in late:
        run()

    assert len(late) == 2
    assert journal.read_text() == written
    assert count(cloud, operation) == 0


def act_on(fleet: Fleet, act: Callable[..., object], journal: Path) -> None:
    """Act on two machines at once, and be interrupted."""
    with pytest.raises(KeyboardInterrupt):
        act(fleet.datacenter, at_once=2, journal=journal)
