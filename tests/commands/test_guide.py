"""What the guide to the command shows runs in a shell, beside an emulator."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kits.docs import ROOT
from smartdc.emulator import Emulator, Server, WallClock

GUIDE = (ROOT / "docs" / "guides" / "command.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)

SMARTDC = Path(sys.executable).with_name("smartdc")

TEST = "from smartdc import DataCenter\n\ndef test_sixty():\n    assert DataCenter().num_machines() == 60\n"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The output of all blocks but the tour, each in a shell of its own in a small project, by their first lines."""
    if not SMARTDC.exists():
        pytest.skip("there is no command smartdc beside this Python: install the package")
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_machines.py").write_text(TEST)
    cloud = Emulator(clock=WallClock())
    cloud.populate(2, name="web-{n}")
    key = folder / "id_emulator"
    key.touch(0o600)
    key.write_text(cloud.private_key or "")
    found = {}
    with Server(cloud) as server:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TRITON_", "SDC_"))},
            "PATH": f"{SMARTDC.parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TRITON_URL": server.url,
            "TRITON_ACCOUNT": cloud.login,
            "TRITON_KEY_ID": cloud.key_id.rpartition("/")[2],
            "TRITON_KEY_MATERIAL": str(key),
        }
        for block in (block for block in BLOCKS if block != "smartdc tour\n"):
            result = subprocess.run(
                ["bash", "-eu", "-c", block], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert result.returncode == 0, f"{block}\n{result.stdout}{result.stderr}"
            found[block.partition("\n")[0]] = result.stdout
        assert not (folder / "env.sh").exists()
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("smartdc", "usage: smartdc COMMAND"),
        ("echo 'print(dc.num_machines())' | smartdc shell", "2\n"),
        ("smartdc doctor", "answer     ok"),
        ("smartdc emulator --machines 60 -- pytest -q", "1 passed"),
        ("smartdc emulator --machines 3 --write env.sh &", "Host machine-2\n"),
        ("smartdc inventory ansible --list", "Host web-1\n"),
        ('eval "$(smartdc completion bash)"', ""),
    ],
)
def test_what_the_guide_shows_runs(shell: dict[str, str], line: str, expected: str) -> None:
    """Each block does what the text above it says."""
    assert expected in shell[line]


def test_every_block_is_run(shell: dict[str, str]) -> None:
    """But for the tour, which has tests of its own."""
    assert {block.partition("\n")[0] for block in BLOCKS} - set(shell) == {"smartdc tour"}
