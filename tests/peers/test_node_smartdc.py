"""npm's `smartdc`, the client before `triton`, drives the emulator: all its `sdc-*` commands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kits.signing import KeyShelf
from peers import node_story_sdc
from peers.node_kit import Outcome, Shell, Step, open_cloud, open_shell, program, verify

pytest_plugins = ("kits.signing_fixtures",)

MACHINES, THINGS = node_story_sdc.MACHINES, node_story_sdc.THINGS
STEPS: tuple[Step, ...] = (*MACHINES, *THINGS)


@pytest.fixture(scope="module")
def sdc(key_of: KeyShelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell where `sdc-*` commands are typed."""
    folder = program("smartdc", "bin")
    file, home = key_of("ecdsa-256", "pem"), tmp_path_factory.mktemp("sdc")
    cloud = open_cloud(file)
    node_story_sdc.arrange(cloud, home, key_of)

    def argv(command: str) -> list[str]:
        script, *more = command.split()
        return ["node", str(folder / script), *more]

    with open_shell(cloud, home, file, argv) as there:
        yield there


@pytest.fixture(scope="module")
def outcomes(sdc: Shell) -> dict[Step, Outcome]:
    """What came of every command: two stories were run side by side to one server."""
    return dict(zip(STEPS, sdc.run_all(MACHINES, THINGS), strict=True))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_command(step: Step, outcomes: dict[Step, Outcome]) -> None:
    """What a command prints, how it ends and what the emulator's books say agree."""
    verify(step, outcomes[step])


def test_all_there_are() -> None:
    """Every script of the package is among the steps."""
    there = {path.name for path in program("smartdc", "bin").iterdir()}
    assert there == {step.command.split()[0] for step in STEPS}
