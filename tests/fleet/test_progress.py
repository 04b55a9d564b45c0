"""Whoever looks on sees how many machines are done, which are under way, and how long it will take."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from smartdc import DataCenter, FleetProgress
from smartdc.emulator import AfterSeconds, Emulator, VirtualClock
from smartdc.fleet.progress import in_time, progress_of
from smartdc.fleet.report import Report

LINE = [
    "stop of 5 machines [                    ] 0 of 5 done, 1 under way; web-0",
    "stop of 5 machines [####                ] 1 of 5 done, 1 under way, about 24 s left; web-1",
    "stop of 5 machines [########            ] 1 of 5 done, 1 failed, 1 under way, about 33 s left; web-2",
]
LAST = "stop of 5 machines: 4 of 5 done, 1 failed after 40 s"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def cloud() -> Emulator:
    """A cloud of five machines, the second of which does not stop."""
    cloud = Emulator(clock=VirtualClock(), transitions=AfterSeconds(5))
    cloud.populate(5, name="web-{n}")
    return cloud


@pytest.fixture(autouse=True)
def failing(cloud: Emulator) -> None:
    """The second machine that is stopped does not stop."""
    fail = cloud.transitions.fail
    queue, seen = cloud.transitions.add, []

    def add(job: object) -> None:
        seen.append(job)
        if len(seen) == 2:
            fail("stop")
        queue(job)  # type: ignore[arg-type]

    cloud.transitions.add = add  # type: ignore[method-assign]


def test_a_function_hears_of_every_change(dc: DataCenter) -> None:
    """The share, the numbers, the names and the time that is likely left."""
    heard: list[FleetProgress] = []
    dc.fleet(name="web-*").stop(budget=1, progress=heard.append)

    assert [str(progress) for progress in heard[:1]] == LINE[:1]
    assert str(heard[-1]).startswith("stop of 5 machines: 4 of 5 done, 1 failed after ")
    assert [progress.done for progress in heard] == [False] * (len(heard) - 1) + [True]
    assert [progress.share for progress in heard if progress.under_way] == [0.0, 0.2, 0.4, 0.6, 0.8]
    first, second = (progress for progress in heard if progress.under_way[:1] in {("web-0",), ("web-1",)})
    assert first.left is None
    assert second.left == second.elapsed * 4


def test_a_function_that_raises_does_not_end_the_run(dc: DataCenter, caplog: pytest.LogCaptureFixture) -> None:
    """The machines matter more: it is logged once, and the function hears of the end all the same."""
    heard: list[bool] = []

    def tell(progress: FleetProgress) -> None:
        heard.append(progress.done)
        raise LookupError("https://hooks.example.com/secret")

    report = dc.fleet(name="web-*").stop(budget=1, progress=tell)

    assert (len(report.done), len(report.failed), heard[-1]) == (4, 1, True)
    (logged,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "raised LookupError at test_progress.py:" in logged
    assert "secret" not in logged


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_function_ends_the_run(cloud: Emulator, end: type[BaseException]) -> None:
    """Whoever looks on may leave, and gets the report."""
    # What is on its way is sent nevertheless, within the process: over HTTP it would reach the cloud of the next test.

    def tell(_: FleetProgress) -> None:
        raise end

    with DataCenter(**cloud.connection()) as dc, pytest.raises(end) as caught:
        dc.fleet(name="web-*").stop(budget=1, progress=tell)
    assert "5 machines" in str(caught.value.report)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("columns", "first"),
    [(80, LINE[0]), (70, LINE[0].partition(";")[0]), (60, "stop of 5 machines: 0 of 5 done, 1 under way")],
)
def test_a_line_is_drawn_on_a_terminal(
    dc: DataCenter, monkeypatch: pytest.MonkeyPatch, columns: int, first: str
) -> None:
    """Without `rich` one line is written over and over; on a narrow terminal the numbers have the room there is."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("smartdc.fleet.progress.find_spec", lambda _: None)
    monkeypatch.setenv("COLUMNS", str(columns))
    dc.fleet(name="web-*").stop(budget=1, progress=True)

    lines = terminal.getvalue().split("\r\x1b[K")[1:]
    assert lines[0] == first
    assert max(map(len, lines[:-1])) < columns
    assert lines[-1].startswith("stop of 5 machines: 4 of 5 done, 1 failed after ")
    assert lines[-1].endswith("\n")


def test_a_table_is_drawn_where_rich_is_installed(dc: DataCenter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that failed with the reason, and those under way with their state; at the end a line is left."""
    pytest.importorskip("rich")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    dc.fleet(name="web-*").stop(budget=1, progress=True)

    text = terminal.getvalue()
    assert "web-0" in text
    assert "stopping" in text
    assert "WaitFailed: machine web-1 (" in text
    assert text.rstrip().splitlines()[-1].endswith("s")


def test_a_log_file_gets_lines(
    dc: DataCenter, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Where nobody looks on, there is a line every ten seconds and for each failure, without control characters."""
    caplog.set_level(logging.INFO, "smartdc.fleet")
    dc.fleet(name="web-*").stop(budget=1, progress=True)

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == LINE[0]
    assert [line for line in lines if "1 failed" in line]
    assert lines[-1].startswith("stop of 5 machines: 4 of 5 done, 1 failed after ")
    assert not [line for line in lines if "\x1b" in line]
    logged = [record.getMessage() for record in caplog.records if record.name == "smartdc.fleet.engine"]
    assert logged[0] == "stop of web-0: done"
    assert logged[1].startswith("stop of web-1: failed: WaitFailed: machine web-1 (")


def test_the_bar_of_a_wait_shows_machines(cloud: Emulator, dc: DataCenter) -> None:
    """Not the share of the time limit, which says nothing about how far things are."""
    cloud.transitions.policy = AfterSeconds(10)
    machines = dc.machines()
    for machine in machines[:4]:
        machine.stop()
    lines: list[str] = []
    dc.wait_for(machines, "stopped", timeout=20, progress=lambda progress: lines.append(str(progress)))

    assert lines[0] == "0 of 5 machines stopped [                    ] 0 s"
    assert "3 of 5 machines stopped [################    ] 10 s" in lines


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3_700, "1 h 1 min")])
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    """Nobody counts in thousands of seconds."""
    assert in_time(seconds) == words


def test_one_machine_is_one_machine() -> None:
    """The report counts as the line does."""
    report = Report("stop", untouched=["web-1"])
    assert repr(report) == "<Report stop of 1 machine: 1 untouched, in 0 s>"
    assert str(progress_of(report, over=True)).startswith("stop of 1 machine: ")
