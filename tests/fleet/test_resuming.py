"""A run that was killed goes on from its journal: nothing is done twice, and what was not heard of is looked up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartdc import DataCenter, Fleet, JournalFinished
from smartdc.emulator import Emulator

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
