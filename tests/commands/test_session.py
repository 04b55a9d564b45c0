"""What an interactive session does for people: echo, errors, guesses, keys and history."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pexpect  # type: ignore[import-untyped]
import pytest

from smartdc import DataCenter, Machine, SmartDCError
from smartdc.commands import line_editing, session, shell
from smartdc.commands.line_editing import Completer, History, history_file
from smartdc.emulator import ByScript, Emulator
from smartdc.fleet.report import Report

PLAIN_SHELL = """
import sys
sys.modules["IPython"] = None
from smartdc.commands.shell import main
main(["--emulator"])
"""


def failure(call: Callable[[], object]) -> BaseException:
    """Return the error that a call ends with."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 (any)
        call()
    return caught.value


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda _, machine: machine.resiz("g1-small"), "resize"),
        (lambda dc, _: dc.machnes(), "machines"),
        (lambda _, machine: machine.wait_for("running"), "poll_until"),
        (lambda _, machine: machine.wait(), "poll_until"),
        (lambda _, machine: machine.ip, "primary_ip"),
        (lambda dc, _: dc.servers(), "machines"),
        (lambda *_: Report("create").machines, "done"),  # type: ignore[attr-defined]
        (lambda _, machine: machine.stop(wat=True), "wait"),
        (lambda dc, _: dc.wait_for([], "running", intervall=1), "interval"),
        (lambda _, machine: machine.xyzzy, None),
        (lambda _, machine: machine.stop(xyzzy=True), None),
        (lambda dc, _: dc.machine("nope"), None),
    ],
)
def test_a_mistyped_name_is_guessed(
    dc: DataCenter, machine: Machine, call: Callable[[DataCenter, Machine], object], meant: str | None
) -> None:
    """Attributes and arguments that are nearly right have a suggestion."""
    assert session.suggestion(failure(lambda: call(dc, machine))) == meant


def test_a_word_of_others_is_answered_with_ours(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own guess, which only knows letters, is left out."""
    error = failure(lambda: machine.wait_for("running"))  # type: ignore[attr-defined]
    session._explain(type(error), error, error.__traceback__)

    assert capsys.readouterr().err.endswith("has no attribute 'wait_for'. Did you mean: 'poll_until'?\n")


def test_an_error_of_ours_shows_no_frames_of_ours(
    dc: DataCenter, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user sees the line that was typed, and the error with its reason."""
    for call in (lambda: machine.resize("nope"), lambda: dc.machine("nope"), partial(dc.machines, nam=1)):  # type: ignore[call-arg]
        error = failure(call)
        session._explain(type(error), error, error.__traceback__)
        err = capsys.readouterr().err

        assert __file__ in err
        assert session.PACKAGE not in err
        assert str(error) in err


@pytest.mark.parametrize("typed", ["print m", "machine.stop(1))", "dc?"])
def test_a_mistyped_line_shows_nothing_but_that_line(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the frames of Python's own console that compile it."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n\n"))
    shell.interact_in_console("", {})

    error = capsys.readouterr().err.strip()
    assert error.startswith('File "<console>", line 1\n')
    assert error.count("File") == 1
    assert "SyntaxError: " in error
    assert ("Did you mean: 'help(dc)'?" in error) is (typed == "dc?")


@pytest.mark.parametrize("word", ["exit", "quit", "exit()"])
def test_exit_leaves(word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also without parentheses, as in newer Pythons."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{word}\nprint('still', 'here')\n"))
    with pytest.raises(SystemExit) as end:
        shell.interact_in_console("", {})

    assert end.value.code is None
    assert "still here" not in capsys.readouterr().out


def test_exit_may_be_a_name_of_ones_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What was given another value is shown, as any other name."""
    monkeypatch.setattr("sys.stdin", io.StringIO("exit = 'east'\nexit\n"))
    shell.interact_in_console("", {})

    assert "'east'" in capsys.readouterr().out


def test_pythons_own_guess_is_no_obstacle() -> None:
    """From 3.13 on Python itself may add one to the refusal of an argument, and then the words still are understood."""
    words = "Machine.stop() got an unexpected keyword argument 'wat'"
    assert session.suggestion(TypeError(words)) == "wait"
    assert session.suggestion(TypeError(f"{words}. Did you mean 'wait'?")) == "wait"


def test_a_class_of_ones_own_is_not_taken_for_ours() -> None:
    """It may have the name of one here, and a method where that has none."""
    assert session.suggestion(TypeError("DataCenter.location() got an unexpected keyword argument 'wat'")) is None


def test_an_interrupt_shows_what_was_interrupted(
    dc: DataCenter,
    cloud: Emulator,
    machine: Machine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line that was typed, and how a fleet stands: not where in this package, or in what it uses, we were."""

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    cloud.transitions.policy = ByScript()
    monkeypatch.setattr(cloud.clock, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        dc.fleet([machine]).stop()
    session._explain(type(caught.value), caught.value, caught.value.__traceback__)
    err = capsys.readouterr().err

    assert "dc.fleet([machine]).stop()" in err
    assert session.PACKAGE not in err
    assert "in interrupted" not in err
    assert "stop of 1 machine: 1 under way" in err


def test_a_mistake_of_ours_shows_all_frames(capsys: pytest.CaptureFixture[str]) -> None:
    """What explains nothing is shown whole, to be reported."""
    error = failure(lambda: History(None))  # type: ignore[arg-type]
    session._explain(type(error), error, error.__traceback__)

    assert line_editing.__file__ in capsys.readouterr().err


def test_what_led_to_an_error_is_there_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    """It is left out of what is shown, and not lost."""
    error, cause = SmartDCError("no"), ValueError("because")
    error.__cause__ = cause
    session._explain(type(error), error, None)

    assert error.__cause__ is cause
    assert "because" not in capsys.readouterr().err


@pytest.fixture
def completer(machine: Machine) -> Completer:
    """A completer that knows a machine, and something that has one."""
    return Completer({"machine": machine, "box": SimpleNamespace(machine=machine)})


@pytest.mark.parametrize(
    ("line", "text", "matches"),
    [
        ('machine["primaryI', "primaryI", ["primaryIp"]),
        ("print(machine['primaryI", "primaryI", ["primaryIp"]),
        ('box.machine["primaryI', "primaryI", ["primaryIp"]),
        ('machine["xyzzy', "xyzzy", []),
        ("machine.sto", "machine.sto", None),
        ('nothing["a', "a", None),
        ('box["a', "a", None),
    ],
)
def test_keys_are_completed(completer: Completer, line: str, text: str, matches: list[str] | None) -> None:
    """After a quote in brackets come the keys of a mapping, and nothing of anything else."""
    assert completer.keys(line, text) == matches


def test_keys_with_hyphens_are_completed_in_part() -> None:
    """An editor takes what is behind a hyphen for a word of its own."""
    assert Completer({"data": {"user-data": 1}}).keys('data["user-da', "da") == ["data"]


@pytest.mark.parametrize(
    ("line", "matches"),
    [
        ("machine.create_snapshot(", ["name=", "wait=", "timeout="]),
        ("machine.create_snapshot('fresh', wa", ["wait="]),
        ("print(machine.create_snapshot(name='x', ", ["wait=", "timeout="]),
        ("box.machine.poll_until(sta", ["state="]),
        ("machine.create_snapshot(name=", []),
        ("machine.create_snapshot('", []),
        ("machine.create_snapshot(['fresh', ", []),
        ("machine.create_snapshot()", []),
        ("machine.xyzzy(", []),
        ("box.all()[0].machine.poll_until(", []),
        ("machine.primary_ip(", []),
        ("print(", []),
    ],
)
def test_names_of_arguments_are_completed(completer: Completer, line: str, matches: list[str]) -> None:
    """Within a call of what is known come the arguments that are not given yet, and nothing anywhere else."""
    found = completer.arguments(line, re.split(r"\W", line)[-1])
    assert [name for name in found if name in {"name=", "wait=", "timeout=", "state="}] == matches


def test_ipython_completes_keys(machine: Machine) -> None:
    """It asks the machine."""
    assert machine._ipython_key_completions_() == list(machine)


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"XDG_STATE_HOME": "/var/state"}, Path("/var/state/smartdc/history")),
        ({"XDG_STATE_HOME": "relative"}, None),
        ({}, None),
    ],
)
def test_the_history_is_where_state_belongs(environ: dict[str, str], path: Path | None) -> None:
    """The base directory specification has it so, and does not take relative paths."""
    assert history_file(environ) == (path or Path.home() / ".local/state/smartdc/history")


def test_a_terminal_session(tmp_path: Path) -> None:
    """Tables, keys, guesses, progress and errors, in a terminal that is then closed; what was typed is kept."""
    state = tmp_path / "state"
    environ = {**os.environ, "XDG_STATE_HOME": str(state), "TERM": "dumb"}
    shell = pexpect.spawn(
        sys.executable, ["-c", PLAIN_SHELL], env=environ, dimensions=(40, 80), encoding="utf-8", timeout=30
    )

    def answers(line: str, *expected: str) -> None:
        shell.send(line)
        for pattern in expected:
            shell.expect(pattern)

    try:
        answers("", ">>> ")
        answers("from smartdc.emulator import AfterReads; cloud.transitions.policy = AfterReads(2)\n", ">>> ")
        answers("_ = cloud.populate(60)\n", ">>> ")
        answers("dc.machines()\n", r"name +state +primary_ip +package +image +age +id *\r\n", "machine-59", ">>> ")
        answers("machine = dc.machine('machine-1')\n", ">>> ")
        answers('machine["primaryI\t', 'primaryIp"')
        answers("]\n", r"'198\.18\.\d+\.\d+'", ">>> ")
        answers("dc.create_machine(pack\t", "package=")
        answers("None\x15", "")
        answers("machine.resiz\n", r'File "<console>", line 1', "Did you mean: 'resize'", ">>> ")
        answers(
            "machine.stop(); machine.poll_until('stopped', 0.3)\n", r"machine-1 stopping \[", "stopped after", ">>> "
        )
        answers("dc.machine('nope')\n", "ResourceNotFound: no machine named 'nope'", ">>> ")
    finally:
        shell.close(force=True)

    history = state / "smartdc" / "history"
    assert oct(history.stat().st_mode & 0o777) == "0o600"
    assert oct(history.parent.stat().st_mode & 0o777) == "0o700"
    assert "machine.resiz\n" in history.read_text()


def test_a_session_of_ipython(tmp_path: Path) -> None:
    """The same in IPython: tables, guesses, and no frames of ours."""
    typed = ["_ = cloud.populate(2)", "dc.machines()", "dc.machnes", "dc.machine('nope')", "dc.machines(nam=1)", "exit"]
    environ = {**os.environ, "HOME": str(tmp_path), "IPY_TEST_SIMPLE_PROMPT": "1", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "smartdc", "shell", "--emulator"]
    ended = subprocess.run(
        command, input="\n".join([*typed, ""]), env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    out = ended.stdout

    assert "name       state    primary_ip  package   image     age  id\nmachine-0  running" in out
    assert "Did you mean: 'machines'?" in out
    assert "no machine named 'nope'" in out
    assert "DataCenter.machines() got an unexpected keyword argument 'nam'. Did you mean 'name'?" in out
    assert session.PACKAGE not in out


def test_history_does_without_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written, nothing is kept, and the session goes on."""
    lines: list[Any] = []
    (tmp_path / "file").touch()
    readline = SimpleNamespace(
        set_history_length=lines.append, get_current_history_length=lambda: len(lines), append_history_file=None
    )
    monkeypatch.setattr(line_editing, "readline", readline)
    history = History(tmp_path / "file" / "history")
    lines.append("typed")
    history.keep()

    assert not (tmp_path / "file").read_text()
