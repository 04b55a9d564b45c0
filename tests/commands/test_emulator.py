"""``smartdc emulator``: for other programs, and for one command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from smartdc import __main__ as command
from smartdc.emulator.__main__ import main
from smartdc.emulator.environment import MARK

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable


@pytest.fixture
def temporary(environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the emulator puts files; nothing may be left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment.setattr("tempfile.tempdir", None)
    environment.setenv("TMPDIR", str(folder))
    environment.setenv("PYTHONPATH", str(ROOT))
    return folder


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A project's script that counts its machines, and ends with a status of its own."""
    path = tmp_path / "count.py"
    path.write_text(
        "import sys\nfrom smartdc import DataCenter\n"
        "with DataCenter() as dc:\n    print(dc.num_machines(), dc.account().login)\nsys.exit(7)\n"
    )
    return path


@pytest.mark.usefixtures("temporary")
def test_a_command_finds_the_emulator_and_its_status_is_passed_on(
    script: Path, environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It needs no settings; those for another data centre do not count, nor do proxies; its output is all there is."""
    environment.setenv("TRITON_USER", "somebody")
    environment.setenv("SDC_TESTING", "yes")
    environment.setenv("TRITON_URL", "https://elsewhere.invalid")
    environment.setenv("http_proxy", "http://127.0.0.1:1")
    status = command.main(["emulator", "--machines", "60", "--", PYTHON, str(script)])

    assert status == 7
    assert capfd.readouterr().out == "60 demo\n"


@pytest.mark.parametrize(("words", "status"), [("exit 3", 3), ("kill -TERM $$", 143)])
def test_the_status_is_the_one_that_a_shell_would_give(temporary: Path, words: str, status: int) -> None:
    """A command that a signal ended counts as 128 and the signal; no file stays behind."""
    assert main(["--", "sh", "-c", words]) == status
    assert list(temporary.iterdir()) == []


def test_a_command_that_does_not_exist_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    """With the status that a shell has for that."""
    assert main(["--", "command-that-is-not-there"]) == 127
    assert capfd.readouterr().err == "smartdc.emulator: command-that-is-not-there: No such file or directory\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(temporary: Path, tmp_path: Path, number: int) -> None:
    """The command has ended, and so has the emulator with its files."""
    told = tmp_path / "told"
    words = (
        f"import os, time; open({str(told)!r} + '.new', 'w').write(f\"{{os.getpid()}} {{os.environ['TRITON_URL']}}\"); "
    )
    words += f"os.rename({str(told)!r} + '.new', {str(told)!r}); time.sleep(60)"
    with subprocess.Popen(
        [PYTHON, "-m", "smartdc", "emulator", "--", PYTHON, "-c", words],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        watch = threading.Event()
        while not told.exists():
            assert process.poll() is None
            watch.wait(0.02)
        process.send_signal(number)
        assert process.wait(20) == 128 + number

    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text().split()[0]), 0)
    assert list(temporary.iterdir()) == []


def test_an_interrupt_while_the_command_is_started_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command exists already, and must not be left behind."""
    started = []
    original = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> Any:
        started.append(original(*arguments, **options))
        os.kill(os.getpid(), signal.SIGINT)
        return started[0]

    monkeypatch.setattr("smartdc.emulator.environment._has_the_terminal", lambda: False)
    monkeypatch.setattr(subprocess, "Popen", interrupted)

    assert main(["--", "sleep", "60"]) == 128 + signal.SIGINT
    assert started[0].poll() == -signal.SIGINT


def test_a_shell_reads_what_is_written(temporary: Path, script: Path, tmp_path: Path) -> None:
    """The file is there as soon as the emulator serves, nobody else may read it, and it is gone at the end."""
    file = tmp_path / "env.sh"
    line = f"stat -c %a {file}; . {file}; {PYTHON} {script}"
    result = subprocess.run(
        [PYTHON, "-m", "smartdc", "emulator", "--machines", "2", "--write", str(file), "--", "sh", "-c", line],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (result.returncode, result.stdout, result.stderr) == (7, "600\n2 demo\n", "")
    assert not file.exists()
    assert list(temporary.iterdir()) == []


def test_where_the_file_is_written_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In a line that can be typed."""
    stop = threading.Event()
    stop.set()
    assert main(["--write", str(tmp_path / "my env.sh")], stop) == 0

    assert capsys.readouterr().out.endswith(f"in another terminal type: . '{tmp_path}/my env.sh'\n")


def test_a_file_of_yours_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is neither written nor removed; one that an emulator left behind is replaced."""
    file = tmp_path / "env.sh"
    file.write_text("mine\n")
    assert main(["--write", str(file), "--", "true"]) == 2
    assert "no emulator has written it" in capsys.readouterr().err
    assert file.read_text() == "mine\n"

    file.write_text(f"{MARK}\n")
    assert main(["--write", str(file), "--", "true"]) == 0
    assert not file.exists()


def test_what_is_behind_the_dashes_must_be_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A forgotten command is told of at once."""
    with pytest.raises(SystemExit):
        main(["--"])

    assert "give a command after --" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_there_cannot_be_is_told_of(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, without a traceback."""
    with pytest.raises(SystemExit):
        main([f"--port={port}", "--", "true"])

    assert f"invalid port value: '{port}'" in capsys.readouterr().err


@pytest.mark.parametrize("login", ["", "a/b", "..", "é", " "])
def test_a_login_that_no_client_could_send_is_told_of(login: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody could sign for it."""
    assert main([f"--login={login}", "--", "true"]) == 2
    assert capsys.readouterr().err.startswith(f"smartdc.emulator: {login!r} is no login of an account")


def test_a_device_is_no_public_key(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not read to its end, which it does not have."""
    assert main(["--public-key=/dev/zero", "--", "true"]) == 2
    assert "key already exists or is invalid" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given", [("machines", "count", "-1"), ("seconds", "seconds", "nan"), ("seconds", "seconds", "-1")], ids=str
)
def test_numbers_that_mean_nothing_are_refused(given: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer than no machines, and jobs that never end."""
    option, kind, text = given
    with pytest.raises(SystemExit):
        main([f"--{option}={text}", "--", "true"])

    assert f"invalid {kind} value: '{text}'" in capsys.readouterr().err


def test_output_may_be_closed() -> None:
    """As it is where a service starts a command."""
    command = [sys.executable, "-c", "import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"]
    rest = [sys.executable, "-m", "smartdc", "--version"]
    ended = subprocess.run([*command, *rest], stderr=subprocess.PIPE, check=False)

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_what_it_prints_says_where_to_paste_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line does, and all are short enough to be copied from a terminal as they are."""
    stop = threading.Event()
    stop.set()
    main([], stop)
    first, *others = capsys.readouterr().out.splitlines()

    assert "Paste these lines into another terminal" in first
    assert [line for line in others if line.startswith("unset ") and len(line) > 80] == []
    assert sum(line.count("TESTING") for line in others) == 2
