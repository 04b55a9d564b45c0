"""Waits report their progress to whoever asked for it."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable

import pytest

from kits.cloud import image_id, record
from smartdc import DataCenter, Machine, WaitFailed, WaitTimeout
from smartdc.emulator import AfterSeconds, Emulator, Fault, VirtualClock
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


def test_an_action_ends_with_what_came_of_it(dc: DataCenter, machine: Machine) -> None:
    """A wait for an action shows one line, which names the action and how it ended."""
    seen: list[Progress] = []
    dc.progress = seen.append

    machine.stop(wait=True)

    assert (str(seen[-1]), [look.done for look in seen]) == ("web-1: stop done after 0 s", [True])


JOBS: dict[str, tuple[Callable[[Machine], object], str]] = {
    "reboot": (lambda machine: machine.reboot(wait=True), "web-1: reboot done after 0 s"),
    "resize": (lambda machine: machine.resize("g1-medium", wait=True), "web-1: resize done after 0 s"),
    "rename": (lambda machine: machine.rename("www", wait=True), "web-1: rename to 'www' done after 0 s"),
    "firewall": (lambda machine: machine.enable_firewall(wait=True), "web-1: enable firewall done after 0 s"),
    "tags": (lambda machine: machine.add_tags({"role": "web"}, wait=True), "web-1: set tags done after 0 s"),
    "snapshot": (
        lambda machine: machine.create_snapshot("daily", wait=True),
        "web-1: create snapshot 'daily' done after 0 s",
    ),
    "delete": (lambda machine: machine.delete(wait=True), "web-1: delete done after 0 s"),
}


@pytest.mark.parametrize(("act", "line"), JOBS.values(), ids=JOBS)
def test_every_job_is_one_line_that_names_it(
    dc: DataCenter, machine: Machine, act: Callable[[Machine], object], line: str
) -> None:
    """Where several jobs follow each other, each has a line, and only one, by which it is known."""
    seen: list[Progress] = []
    dc.progress = seen.append

    act(machine)

    assert [str(look) for look in seen if look.done] == [line]


def test_the_parts_of_a_machine_have_the_same_lines(dc: DataCenter, machine: Machine) -> None:
    """What is done to a snapshot or an interface is done by jobs of its machine."""
    snapshot = machine.create_snapshot("daily", wait=True)
    lines: list[str] = []
    dc.progress = lambda look: lines.append(str(look))
    snapshot.start(wait=True)
    snapshot.delete(wait=True)
    nic = machine.add_nic(dc.networks()[-1], wait=True)
    nic.delete(wait=True)

    assert lines == [
        "web-1: roll back to snapshot 'daily' done after 0 s",
        "web-1: delete snapshot 'daily' done after 0 s",
        f"web-1: add NIC {nic.mac} done after 0 s",
        f"web-1: remove NIC {nic.mac} done after 0 s",
    ]


def test_a_volume_has_the_same_lines(dc: DataCenter, cloud: Emulator) -> None:
    """A create ends with the state that it led to, as that of a machine, and a delete as that of a machine does."""
    cloud.state.settings.volumes = True
    lines: list[str] = []
    dc.progress = lambda look: lines.append(str(look))
    dc.create_volume("data", wait=True).delete(wait=True)

    assert lines == ["data ready after 0 s", "data: delete done after 0 s"]


def test_an_image_has_the_same_lines(dc: DataCenter, cloud: Emulator, machine: Machine) -> None:
    """The method by which it is shared is not the share of it that is done."""
    machine.stop(wait=True)
    cloud.transitions.policy = AfterSeconds(3)
    looks: list[Progress] = []
    dc.progress = looks.append
    machine.create_image("golden", "1.0", wait=True)

    assert [look.share for look in looks] == [None] * len(looks)
    assert str(looks[0]) == "golden creating [                    ] 0 s"


def test_a_job_that_lasts_is_named_with_its_trouble() -> None:
    """Meanwhile the line has the job, and why the last check failed."""
    look = Progress("web-1", "running", 30, 60, done=False, job="resize")
    assert str(look) == "web-1: resize [##########          ] 30 s"
    troubled = Progress("web-1", "running, oh", 30, 60, done=False, job="resize", trouble="oh")
    assert str(troubled) == "web-1: resize, oh [##########          ] 30 s"


def test_a_job_that_fails_shows_no_success(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """The last line says what the error says."""
    seen: list[Progress] = []
    dc.progress = seen.append
    cloud.transitions.fail("stop")
    with pytest.raises(WaitFailed):
        machine.stop(wait=True)

    assert str(seen[-1]) == "web-1: stop failed after 0 s"


def test_a_job_that_is_late_shows_no_success(cloud: Emulator, dc: DataCenter, machine: Machine) -> None:
    """The last line says that it was not seen to end."""
    seen: list[Progress] = []
    dc.progress = seen.append
    cloud.transitions.policy = AfterSeconds(300)
    with pytest.raises(WaitTimeout):
        machine.stop(wait=True, timeout=20)

    assert str(seen[-1]) == "web-1: stop not done after 20 s"


class Impatient(VirtualClock):
    """A clock on which nobody waits for longer than four seconds."""

    end: type[BaseException] = KeyboardInterrupt

    def sleep(self, seconds: float) -> None:
        """Sleep, or be interrupted."""
        if self.monotonic() >= 4:
            raise self.end
        super().sleep(seconds)


INTERRUPTS: dict[str, tuple[Callable[[Machine], object], str, str]] = {
    "reboot": (
        lambda machine: machine.reboot(wait=True),
        "web-1: reboot interrupted after 4 s",
        "web-1: reboot goes on; machine.poll_until('running') continues the wait",
    ),
    "resize": (
        lambda machine: machine.resize("g1-medium", wait=True),
        "web-1: resize interrupted after 4 s",
        "web-1: resize goes on; machine.audit() shows when it has ended",
    ),
    "poll_until": (
        lambda machine: machine.poll_until(["stopped", "offline"]),
        "web-1 running, interrupted after 4 s",
        "last seen: web-1 running; machine.poll_until(['stopped', 'offline']) continues the wait",
    ),
    "poll_while": (
        lambda machine: machine.poll_while("running"),
        "web-1 running, interrupted after 4 s",
        "last seen: web-1 running; machine.poll_while('running') continues the wait",
    ),
    "wait_for": (
        lambda machine: machine.datacenter.wait_for(machine, "stopped"),
        "0 of 1 machines stopped, interrupted after 4 s",
        "last seen: 0 of 1 machines stopped; wait_for() continues the wait",
    ),
}


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, TimeoutError])
@pytest.mark.parametrize(("act", "line", "note"), INTERRUPTS.values(), ids=INTERRUPTS)
def test_an_interrupt_says_what_goes_on(
    cloud: Emulator, act: Callable[[Machine], object], line: str, note: str, end: type[BaseException]
) -> None:
    """Ctrl-C ends the wait, and not the job: the line does not look finished, and a note says how to wait on.

    So does what a program's handler of SIGTERM or SIGALRM raises.
    """
    seen: list[Progress] = []
    cloud.populate(1, name="web-1")
    cloud.transitions.policy = AfterSeconds(30)
    clock = Impatient()
    clock.end = end
    options = {**cloud.connection(), "clock": clock, "progress": seen.append}
    with DataCenter(**options) as dc, pytest.raises(end) as caught:
        act(dc.machines()[0])

    assert str(seen[-1]) == line
    assert caught.value.__notes__ == [note]


def test_an_interrupt_while_the_line_is_drawn_has_one_note(
    cloud: Emulator, dc: DataCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``StopMachine``: it comes out through the report and through the wait."""

    class Interrupting(Terminal):
        def write(self, text: str, /) -> int:
            if "] 1 s" in text:
                raise KeyboardInterrupt
            return super().write(text)

    cloud.populate(1, name="web-1")
    cloud.transitions.policy = AfterSeconds(30)
    monkeypatch.setattr(sys, "stderr", Interrupting())
    dc.progress = True
    with pytest.raises(KeyboardInterrupt) as caught:
        dc.machine("web-1").stop(wait=True)
    assert caught.value.__notes__ == ["web-1: stop goes on; machine.poll_until('stopped') continues the wait"]


def test_an_interrupted_function_of_ones_own_says_what_goes_on(cloud: Emulator, dc: DataCenter) -> None:
    """Ctrl-C may come while it reports; a name that would move the cursor is written as an escape."""

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    machine = Machine(dc, data={"id": cloud.populate(1)[0].id, "name": "\x1b[2J\u202e", "state": "running"})
    cloud.transitions.policy = AfterSeconds(30)
    dc.progress = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        machine.resize("g1-medium", wait=True)

    assert caught.value.__notes__ == [
        r"\x1b[2J\u202e: resize goes on; machine.audit() shows when it has ended",
    ]


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


def test_a_search_that_finds_something_is_done(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateMachine``: a function of one's own hears what came of it."""
    seen: list[Progress] = []
    dc.progress = seen.append
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    dc.create_machine("web-1", package="g1-small", image=image_id(cloud, "base-64-lts"))
    assert [(look.state, look.done, look.outcome) for look in seen] == [("found", True, "done")]


def lines_left(terminal: Terminal) -> list[str]:
    """Return the lines that stay on a terminal."""
    return [line.rpartition("\x1b[K")[2] for line in terminal.getvalue().split("\n") if line.rpartition("\x1b[K")[2]]


def test_a_job_leaves_one_line(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    """``StopMachine``: the audit that is read before the request draws none."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    machine.datacenter.progress = True
    machine.stop(wait=True)

    [line] = lines_left(terminal)
    assert line.startswith("web-1: stop done after ")


def test_a_search_for_a_lost_job_moves_on(
    dc: DataCenter, machine: Machine, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``ResizeMachine``: its line is drawn every second, also between two looks, and one line says how it ended."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(logging.getLogger("smartdc"), "propagate", False)
    cloud.transitions.policy = AfterSeconds(20)
    cloud.faults.add(Fault("ResizeMachine", "reset", "after"))
    dc.progress = True
    machine.resize("g1-medium", wait=True)

    lines = terminal.getvalue().split("\r\x1b[K")
    looking = [line for line in lines if line.startswith("web-1: resize, not answered, looking for it [")]
    assert [line.rpartition("] ")[2] for line in looking][:14] == [f"{second} s" for second in range(14)]
    lost, found, done = lines_left(terminal)
    assert lost.startswith("web-1: lost the answer to its resize; looking for a sign of it for up to 180 s: POST ")
    assert found.startswith("web-1: its resize was received, as seen after ")
    assert done.startswith("web-1: resize done after ")


SEARCHES: dict[str, tuple[str, Callable[[DataCenter], object], str]] = {
    "job": (
        "ResizeMachine",
        lambda dc: dc.machine("web-1").resize("g1-medium", wait=True),
        "web-1: resize interrupted after 4 s",
    ),
    "create": (
        "CreateMachine",
        lambda dc: dc.create_machine("web-2", image="debian-12", package="g1-small"),
        "web-2 not answered, interrupted after 4 s",
    ),
}


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(("operation", "act", "line"), SEARCHES.values(), ids=SEARCHES)
def test_an_interrupted_search_ends_its_line(
    cloud: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    act: Callable[[DataCenter], object],
    line: str,
    end: type[BaseException],
) -> None:
    """The traceback begins on a line of its own; a clock that interrupts the pause stands for the user."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    cloud.populate(1, name="web-1")
    cloud.faults.add(Fault(operation, "reset", "before"))
    clock = Impatient()
    clock.end = end
    options = {**cloud.connection(), "clock": clock, "progress": True}
    with DataCenter(**options) as dc, pytest.raises(end) as caught:
        act(dc)

    assert lines_left(terminal)[-1] == line
    assert len(caught.value.__notes__) == 1
