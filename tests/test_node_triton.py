"""npm's `triton` drives the emulator: more than a hundred of its commands, each compared with the emulator's books."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from node_kit import Desk, Outcome, Step, desk, program, settled_cloud, verify
from node_story_machines import MACHINES
from signing_kit import KeyShelf

pytest_plugins = ("signing_fixtures",)

STEPS: tuple[Step, ...] = (*MACHINES,)


@pytest.fixture(scope="module")
def triton(key_of: KeyShelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk where `triton` is typed, before a cloud with two machines."""
    script = program("triton", "bin/triton")
    file = key_of("ecdsa-256", "pem")
    cloud = settled_cloud(file)
    cloud.populate(2, name="there-{n}")
    with desk(cloud, tmp_path_factory.mktemp("triton"), file, lambda command: ["node", str(script), *command.split()]) as there:
        yield there


@pytest.fixture(scope="module")
def outcomes(triton: Desk) -> dict[Step, Outcome]:
    """What came of every command."""
    return dict(zip(STEPS, triton.tell_all(MACHINES), strict=True))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_command(step: Step, outcomes: dict[Step, Outcome]) -> None:
    """What a command prints, how it ends and what the emulator's books say agree."""
    verify(step, outcomes[step])
