"""Hints name the command that works for the person who reads them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from smartdc import DataCenter, KeyFileError, Retry, TransportError
from smartdc.emulator import Emulator, Server
from smartdc.emulator.environment import variables
from smartdc.http.invocation import command_line, ended_emulator, python


@pytest.fixture
def folder(tmp_path: Path, environment: pytest.MonkeyPatch) -> Path:
    """The folder of a Python, with the command beside it; the person's path does not have it."""
    for name in ("python", "smartdc"):
        (tmp_path / name).touch(0o755)
    environment.setattr(sys, "executable", str(tmp_path / "python"))
    environment.setenv("PATH", "/nowhere")
    return tmp_path


def called(environment: pytest.MonkeyPatch, *words: str, argv0: str) -> str:
    """Return the hint in a program that was called so."""
    environment.setattr(sys, "orig_argv", list(words))
    environment.setattr(sys, "argv", [argv0])
    return command_line("doctor")


def test_who_types_the_name_is_told_the_name(folder: Path, environment: pytest.MonkeyPatch) -> None:
    """The system passes the path that it has found."""
    environment.setenv("PATH", str(folder))
    path = str(folder / "smartdc")

    assert called(environment, str(folder / "python"), path, "shell", argv0=path) == "smartdc doctor"


def test_who_types_a_path_is_told_the_path(folder: Path, environment: pytest.MonkeyPatch) -> None:
    """The command is not on the path, or another one is."""
    environment.chdir(folder)

    assert called(environment, "/x/python", "./smartdc", "shell", argv0="./smartdc") == "./smartdc doctor"


def test_who_types_the_module_is_told_the_module(folder: Path, environment: pytest.MonkeyPatch) -> None:
    """With the Python that was typed, even where the command is there as well."""
    environment.setenv("PATH", str(folder))
    words = ("python3", "-W", "error", "-m", "smartdc", "shell")

    assert called(environment, *words, argv0="/x/smartdc/__main__.py") == "python3 -m smartdc doctor"


def test_a_script_names_the_command_of_its_own_python(folder: Path, environment: pytest.MonkeyPatch) -> None:
    """If that is what the name means where the person is; else the module, with the Python that runs the script."""
    words = (".venv/bin/python", "my script.py")
    assert called(environment, *words, argv0="my script.py") == ".venv/bin/python -m smartdc doctor"

    environment.setenv("PATH", str(folder))
    assert called(environment, *words, argv0="my script.py") == "smartdc doctor"


def test_a_program_that_embeds_python_names_python(folder: Path, environment: pytest.MonkeyPatch) -> None:
    """What it was called by is no Python."""
    environment.setattr(sys, "orig_argv", ["/usr/sbin/webserver"])
    assert python() == str(folder / "python")

    environment.setattr(sys, "orig_argv", [])
    assert python() == str(folder / "python")


@pytest.mark.parametrize(
    ("path", "ended"),
    [
        ("/run/user/smartdc-emulator-x1/id_emulator", True),
        ("/run/user/smartdc-emulator-x1/id_rsa", False),
        ("/home/me/id_emulator", False),
        ("a file in ~/.ssh", False),
        (None, False),
    ],
)
def test_the_key_of_an_emulator_that_has_ended(path: str | None, ended: bool) -> None:
    """Only its temporary folder shows that surely: it goes with the emulator."""
    assert bool(ended_emulator(path)) is ended


def test_the_key_of_an_emulator_that_runs(tmp_path: Path) -> None:
    """What is there is not over."""
    key = tmp_path / "smartdc-emulator-x1" / "id_emulator"
    key.parent.mkdir()
    key.touch()
    assert ended_emulator(key) == ""


def test_a_client_of_an_emulator_that_has_ended_says_so(tmp_path: Path) -> None:
    """Both the client that has its key already, and one that still looks for it in the environment of then."""
    folder = tmp_path / "smartdc-emulator-x1"
    folder.mkdir()
    emulator = Emulator()
    with Server(emulator) as server:
        found = variables(emulator, server, folder)
        options: dict[str, Any] = {
            "login": found["TRITON_ACCOUNT"],
            "secret": found["TRITON_KEY_MATERIAL"],
            "retry": Retry(attempts=1),
        }
        dc = DataCenter(found["TRITON_URL"], found["TRITON_KEY_ID"], **options)
        dc.packages()
    (folder / "id_emulator").unlink()

    with pytest.raises(TransportError, match=r"\(an emulator that is no longer running\) cannot be reached: .*refused"):
        dc.packages()
    with pytest.raises(KeyFileError, match=r"id_emulator'; the emulator that it belonged to is no longer running$"):
        DataCenter(found["TRITON_URL"], found["TRITON_KEY_ID"], **options).packages()
