"""Waits report their progress to whoever asked for it."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from kits.cloud import image_id, record
from smartdc import DataCenter, Machine, WaitFailed, WaitTimeout
from smartdc.emulator import AfterSeconds, Emulator, Fault
from smartdc.waiting.progress import Progress, reporter


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_line_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """True draws one line over and over, and leaves what came of it when the wait is over."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    report = reporter(True)
    assert report is not None

    report(Progress("web-1", "provisioning", 30, 60, done=False))
    report(Progress("web-1", "running", 34, 60, done=True))

    first, second = terminal.getvalue().split("\r\x1b[K")[1:]
    assert first == "web-1 provisioning [##########          ] 30 s"
    assert second == "web-1 running after 34 s\n"


@pytest.mark.parametrize(("columns", "line"), [(45, "web-1 provisioning 30 s"), (1, "web-1 provisioning …")])
def test_a_line_is_no_longer_than_the_terminal_is_wide(
    monkeypatch: pytest.MonkeyPatch, columns: int, line: str
) -> None:
    """It would be written below itself: the bar is left out first."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    report = reporter(True)
    assert report is not None
    report(Progress("web-1", "provisioning", 30, 60, done=False))

    assert terminal.getvalue() == f"\r\x1b[K{line}"


def test_nothing_is_drawn_in_a_pipe() -> None:
    """Where there is no terminal, True means nothing."""
    assert reporter(True) is None


@pytest.mark.parametrize("stream", [None, "closed"])
def test_nothing_is_drawn_where_there_is_no_stream(monkeypatch: pytest.MonkeyPatch, stream: str | None) -> None:
    """A daemon may have no standard error, or have closed it."""
    terminal = Terminal()
    terminal.close()
    monkeypatch.setattr(sys, "stderr", stream and terminal)
    assert reporter(True) is None


def test_a_terminal_that_is_gone_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for matters more than the line about it."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    report = reporter(True)
    assert report is not None
    terminal.close()

    report(Progress("web-1", "running", 34, 60, done=True))


def test_nobody_is_told_unasked() -> None:
    """None and False are silent."""
    assert reporter(None) is None
    assert reporter(False) is None


def test_without_a_time_limit_there_is_no_share() -> None:
    """A wait for ever shows its seconds only."""
    assert str(Progress("web-1", "stopped", 5, None, done=False)) == "web-1 stopped [                    ] 5 s"


def test_an_action_ends_with_the_state_it_led_to(dc: DataCenter, machine: Machine) -> None:
    """A wait for an action shows one line, and its last words are what the machine is now."""
    seen: list[Progress] = []
    dc.progress = seen.append

    machine.stop(wait=True)

    assert (str(seen[-1]), [look.done for look in seen]) == ("web-1 stopped after 0 s", [True])


def test_the_line_ends_where_a_wait_fails(cloud: Emulator, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said next, be it the error itself, stands on a line of its own."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    record(cloud, machine).state = "failed"

    with pytest.raises(WaitFailed):
        machine.poll_until("running", progress=True)

    assert terminal.getvalue() == "\r\x1b[Kweb-1 failed after 0 s\n"


def test_a_migration_shows_its_progress(dc: DataCenter, cloud: Emulator, machine: Machine) -> None:
    """A wait for a migration reports as every other wait does."""
    cloud.state.settings.user_migrations = True
    cloud.transitions.policy = AfterSeconds(3)
    seen: list[Progress] = []
    dc.progress = seen.append

    machine.migrate(wait=True)

    assert {look.subject for look in seen} == {f"migration of {machine.id}"}
    assert [(look.state, look.done) for look in (seen[0], seen[-1])] == [("running", False), ("paused", True)]


def test_the_line_goes_on_while_checks_fail(cloud: Emulator, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses grow to half a minute during an outage, and somebody who looks sees why, every second."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    cloud.faults.add(Fault("GetMachine", status=500, times=None))
    with pytest.raises(WaitTimeout):
        machine.poll_until("stopped", timeout=60, progress=True)

    lines = terminal.getvalue().split("\r\x1b[K")[1:]
    assert sum("last check failed: ServerError [" in line for line in lines) > 10
    assert any("500 InternalError; attempt 2 in " in line for line in lines)


def test_a_lost_answer_is_told_once(dc: DataCenter, cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a line, and what came of it another; no log that nobody has set up says the same again."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(logging.getLogger("smartdc"), "propagate", False)
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    dc.progress = True

    dc.create_machine("web-1", package="g1-small", image=image_id(cloud, "base-64-lts"))

    lost, found, *rest = [line.rpartition("\x1b[K")[2] for line in terminal.getvalue().split("\n")]
    assert lost.startswith("lost the answer to the create of web-1 (token ")
    assert found.startswith("found web-1 (token ")
    assert rest == [""]
