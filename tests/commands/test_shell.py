"""The commands of `python -m smartdc`, and the session that one of them opens."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from smartdc import DataCenter, __version__
from smartdc import __main__ as command
from smartdc.commands import line_editing, shell
from smartdc.emulator import Emulator, Server, WallClock


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What somebody types into Python's own session; IPython is not installed."""
    keyboard = io.StringIO()
    monkeypatch.setattr(sys, "stdin", keyboard)
    monkeypatch.setitem(sys.modules, "IPython", None)
    return keyboard


def type_in(keyboard: io.StringIO, *lines: str) -> None:
    """Type lines, and after the last one the end of the input."""
    keyboard.write("\n".join([*lines, ""]))
    keyboard.seek(0)


@pytest.fixture(autouse=True)
def called(monkeypatch: pytest.MonkeyPatch) -> str:
    """How the user called Python; not every system has a ``python``."""
    monkeypatch.setattr(sys, "orig_argv", [".venv/bin/python", "-m", "smartdc"])
    return ".venv/bin/python"


def test_without_a_command_it_says_what_it_can_do(capsys: pytest.CaptureFixture[str], called: str) -> None:
    """A newcomer who types the name is told what to type next, with the Python that was called."""
    status = command.main([])

    out = capsys.readouterr().out
    assert status == 0
    assert f"usage: {called} -m smartdc COMMAND" in out
    assert all(f"\n    {name} " in out for name in command.COMMANDS)
    assert max(map(len, out.splitlines())) <= 80


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the package."""
    status = command.main(["--version"])

    assert status == 0
    assert capsys.readouterr().out == f"smartdc {__version__}\n"


def test_an_unknown_command_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The line says which commands there are."""
    status = command.main(["turn"])

    assert status == 2
    assert (
        capsys.readouterr().err
        == "smartdc: unknown command 'turn'; expected one of tour, shell, doctor, emulator, inventory, completion\n"
    )


def test_a_missing_package_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], called: str
) -> None:
    """Who installed the client alone learns in one line what the emulator needs."""
    monkeypatch.setitem(command.COMMANDS, "tour", "package_that_is_not_there")
    status = command.main(["tour"])

    assert status == 2
    assert capsys.readouterr().err == (
        "smartdc: tour needs the package package_that_is_not_there: "
        f"{called} -m pip install package_that_is_not_there\n"
    )


def test_arguments_are_passed_on_to_the_emulator(capsys: pytest.CaptureFixture[str]) -> None:
    """`smartdc emulator` is the emulator's own command."""
    with pytest.raises(SystemExit) as end:
        command.main(["emulator", "--help"])

    assert end.value.code == 0
    assert "--public-key" in capsys.readouterr().out


def test_the_command_line_is_what_it_goes_by(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was typed after the name is what is done, and its outcome is the exit status."""
    monkeypatch.setattr(sys, "argv", ["smartdc", "tour", "--help"])
    with pytest.raises(SystemExit) as end:
        command.run()

    assert end.value.code == 0
    assert "usage: smartdc tour" in capsys.readouterr().out


def test_an_interrupt_ends_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no error of the program."""

    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "main", interrupted)

    assert command.run() == 130


def outcome(command: str, **redirections: Any) -> tuple[int, str]:
    """Return the status of a command, and what it says on standard error."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    words = [sys.executable, "-m", "smartdc", *command.split()]
    process = subprocess.run(words, stderr=subprocess.PIPE, env=environ, text=True, check=False, **redirections)
    return process.returncode, process.stderr


@pytest.mark.parametrize("command", ["", "tour"])
def test_a_closed_pipe_ends_it_without_a_traceback(command: str) -> None:
    """`python -m smartdc | head -1` is no error either."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert outcome(command, stdout=writer) == (141, "")
    finally:
        os.close(writer)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110 (a device)
@pytest.mark.parametrize("command", ["completion bash", "doctor --help"])
def test_a_full_disk_ends_it_in_one_line(command: str) -> None:
    """A script that was not written to its end is not taken for one."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 (a device)
        assert outcome(command, stdout=full) == (
            1,
            "smartdc: cannot write to standard output: No space left on device\n",
        )


def test_an_input_that_is_closed_is_at_its_end() -> None:
    """Whoever cannot type leaves the tour at its first step, and any session."""
    assert outcome("tour --step", stdout=subprocess.DEVNULL, preexec_fn=lambda: os.close(0)) == (0, "")


def test_a_session_with_an_emulator_has_a_data_centre(typed: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """`dc` is there, and answers."""
    type_in(typed, "print('package', dc.packages()[0].name)")
    status = shell.main(["--emulator"])

    assert status == 0
    assert "package g1-nano" in capsys.readouterr().out


def test_a_session_says_how_to_go_on(typed: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """The banner tells of help and of the way out, `help` says more, and lines fit a terminal of 80 columns."""
    type_in(typed, "help", "help()", "exit")
    with pytest.raises(SystemExit):
        shell.main(["--emulator"])

    out, banner = capsys.readouterr()
    assert "help(dc)" in banner
    assert "exit ends the session" in banner
    assert out.count("help(dc.create_machine)") == 2
    assert max(map(len, [*banner.splitlines(), *out.splitlines()])) <= 80


def test_a_session_has_what_the_documentation_begins_with(
    typed: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing has to be imported for ``DataCenter()``, ``Cloud({...})`` and ``smartdc.errors``."""
    type_in(typed, "print(DataCenter.__name__, Cloud.__name__, smartdc.errors.Gone.__name__)")
    shell.main(["--emulator"])

    assert "DataCenter Cloud Gone" in capsys.readouterr().out


def test_lines_of_the_banner_fit_a_terminal(offline: DataCenter) -> None:
    """Of a real data centre too."""
    assert max(map(len, shell.banner({"dc": offline}).splitlines())) <= 80


def test_the_five_things_to_try_with_an_emulator_work(typed: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """What the banner proposes can be typed as it stands, line by line."""
    at_once = "import smartdc.emulator; cloud.transitions.policy = smartdc.emulator.AT_ONCE"
    type_in(typed, at_once, *shell.EMULATED_THINGS)
    shell.main(["--emulator"])

    out, err = capsys.readouterr()
    assert len(shell.EMULATED_THINGS) == 5
    assert "Traceback" not in err
    assert "['198.18.0.5']" in out
    assert "'CreateMachine'" in out


def test_a_session_is_connected_to_the_environments_data_centre(
    typed: io.StringIO, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --emulator it is the real thing, which the five things to try do not change."""
    cloud = Emulator(clock=WallClock())
    with Server(cloud) as server:
        environment.setenv("TRITON_URL", server.url)
        environment.setenv("TRITON_ACCOUNT", cloud.login)
        environment.setenv("TRITON_KEY_ID", cloud.key_id)
        environment.setenv("TRITON_KEY_MATERIAL", cloud.private_key or "")
        type_in(typed, *shell.THINGS)
        status = shell.main([])
        where = server.url

    out, err = capsys.readouterr()
    assert status == 0
    assert len(shell.THINGS) == 5
    assert f"dc is <DataCenter demo@{where}>, your data centre" in err
    assert "demo (demo@example.com)" in out
    assert not [asked for asked in cloud.trace if asked.method not in {"GET", "HEAD"}]


def test_a_session_without_a_data_centre_says_what_to_do(capsys: pytest.CaptureFixture[str], called: str) -> None:
    """Where nothing says where, the line names the settings, and the emulator as a way out."""
    status = shell.main([])

    assert status == 2
    assert "TRITON_URL" in (err := capsys.readouterr().err)
    assert f"{called} -m smartdc shell --emulator" in err


def test_ipython_is_preferred_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The better session gets the same names, under our banner."""
    given: dict[str, Any] = {}
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(start_ipython=lambda **options: given.update(options)))
    shell.main(["--emulator"])

    assert set(given["user_ns"]) >= {"dc", "cloud"}
    assert "Try these" in capsys.readouterr().out


def test_an_error_in_a_session_is_shown_alone(typed: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever made a mistake sees that one, and nothing of how the session came about."""
    type_in(typed, "dc.no_such_thing")
    shell.main(["--emulator"])

    err = capsys.readouterr().err
    assert "AttributeError" in err
    assert "During handling" not in err


def test_a_session_does_without_readline(
    typed: io.StringIO, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a system that has none, only completion is missing."""
    monkeypatch.setattr(line_editing, "readline", None)
    type_in(typed, "print('still', 'here')")
    shell.main(["--emulator"])

    assert "still here" in capsys.readouterr().out
