"""Bash completes what is typed after ``smartdc``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import shtab

from smartdc.commands import completion

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script that bash reads."""
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", printed.append)
        completion.main(["bash"])
    path = tmp_path_factory.mktemp("completion") / "smartdc.bash"
    path.write_text("\n".join(printed))
    return path


def completed(script: Path, line: str) -> set[str]:
    """Return what bash offers when Tab is pressed at the end of a line."""
    words = line.split(" ")
    ask = f"""
        set -eu; source {script}
        COMP_WORDS=({" ".join(words[:-1])} "{words[-1]}"); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}
        $(complete -p smartdc | sed 's/.*-F \\([^ ]*\\) .*/\\1/') smartdc "{words[-1]}" "{words[-2]}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(["bash", "--norc", "-c", ask], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("smartdc ", {"tour", "shell", "doctor", "emulator", "inventory", "completion"}),
        ("smartdc em", {"emulator"}),
        ("smartdc emulator --m", {"--machines", "--max-connections"}),
        ("smartdc tour --", {"--help", "--shell", "--step"}),
        ("smartdc inventory ", {"ansible", "ssh-config"}),
        ("smartdc inventory ansible --l", {"--list"}),
        ("smartdc completion b", {"bash"}),
    ],
)
def test_bash_completes(script: Path, line: str, offered: set[str]) -> None:
    """Commands, their options and their words."""
    assert completed(script, line) == offered


def test_bash_completes_profiles(script: Path) -> None:
    """The names are those of the files that the triton command has."""
    folder = Path.home() / ".triton" / "profiles.d"
    folder.mkdir(parents=True)
    (folder / "west.json").write_text("{}")
    (folder / "east.json").write_text("{}")

    assert completed(script, "smartdc shell --profile ") == {"east", "env", "west"}
    assert completed(script, "smartdc inventory ansible --profile w") == {"west"}


@pytest.mark.parametrize("shell", shtab.SUPPORTED_SHELLS)
def test_other_shells_have_a_script_too(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that the library knows."""
    assert completion.main([shell]) == 0
    assert "inventory" in capsys.readouterr().out
