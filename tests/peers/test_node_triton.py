"""npm's `triton` drives the emulator: more than a hundred of its commands, each compared with the emulator's books."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kits.signing import KeyShelf
from peers import node_story_machines, node_story_things
from peers.node_books import Books
from peers.node_facts import of_machine
from peers.node_kit import LONG, Outcome, Shell, Step, like, open_cloud, open_shell, program, until, verify, watchdog
from smartdc.emulator import AfterSeconds, Server

pytest_plugins = ("kits.signing_fixtures",)

MACHINES, THINGS = node_story_machines.MACHINES, node_story_things.THINGS
STEPS: tuple[Step, ...] = (*MACHINES, *THINGS)
SLOW = ("provision", "stop", "destroy", "create_image", "migrate-begin", "migrate-abort")
"""Jobs that the command is to wait for."""


@pytest.fixture(scope="module")
def triton(key_of: KeyShelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell where `triton` is typed, before a cloud with some machines and a second data centre."""
    script = program("triton", "bin/triton")
    file, home = key_of("ecdsa-256", "pem"), tmp_path_factory.mktemp("triton")
    cloud, other = open_cloud(file, *SLOW), open_cloud(file)
    # The command begins to look when it has the answer, and takes changes from then on for its own.
    cloud.transitions.policies["set_metadata"] = AfterSeconds(LONG)
    cloud.populate(2, name="there-{n}")
    node_story_things.arrange(cloud, home, key_of)
    other.state.settings.datacenter = "emulator-2"
    other.state.settings.elsewhere = {"emulator-1": "https://emulator-1.invalid"}
    other.state.images_elsewhere["emulator-1"] = cloud.state.images
    with (
        Server(other) as second,
        open_shell(cloud, home, file, lambda command: ["node", str(script), *command.split()]) as there,
    ):
        cloud.state.settings.elsewhere = {"emulator-2": second.url}
        yield there


@pytest.fixture(scope="module")
def outcomes(triton: Shell) -> dict[Step, Outcome]:
    """What came of every command: two stories were run side by side to one server."""
    return dict(zip(STEPS, triton.run_all(MACHINES, THINGS), strict=True))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_command(step: Step, outcomes: dict[Step, Outcome]) -> None:
    """What a command prints, how it ends and what the emulator's books say agree."""
    verify(step, outcomes[step])


def test_how_many() -> None:
    """More than a hundred different commands are among the steps, however their options differ."""
    assert len({step.command for step in STEPS if not step.command.startswith("-")}) > 100


def test_changefeed(triton: Shell, outcomes: dict[Step, Outcome]) -> None:  # noqa: ARG001  it is alone only after the stories
    """``GetChangefeed``: the command prints a change as soon as it is on the books."""
    cloud, books = triton.cloud, Books(triton.cloud)
    machine = books.machine("still")
    with triton.running("changefeed", f"-j --instances {machine.id}") as process, watchdog(process):
        assert process.stdout is not None
        until(lambda: cloud.state.feed.registered)
        with cloud.transitions.lock, cloud.state.feed.watch(machine):
            machine.tags = {"role": "web"}
        change = json.loads(process.stdout.readline())
    assert change["changedResourceId"] == machine.id
    assert change["changeKind"] == {"resource": "vm", "subResources": ["tags"]}
    facts = of_machine(books, "still") | {"package": ""}
    assert like(change["resourceObject"], facts) == facts


def test_vnc(triton: Shell, outcomes: dict[Step, Outcome]) -> None:  # noqa: ARG001  see above
    """``ConnectMachineVNC``: the command carries the screen of a machine to a port, where it greets and echoes."""
    [screen] = triton.cloud.populate(1, name="screen", image="debian-12-cloud", package="b1-small")
    with triton.running("instance vnc", "screen") as process, watchdog(process):
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as viewer:
            assert viewer.recv(12) == b"RFB 003.008\n"
            viewer.sendall(b"RFB 003.008\n")
            assert viewer.recv(12) == b"RFB 003.008\n"
    assert triton.cloud.trace.operations()[-1] == "ConnectMachineVNC"
    assert triton.cloud.trace[-1].path.endswith(f"{screen.id}/vnc")


def test_foreign_key(triton: Shell, tmp_path: Path, key_of: KeyShelf) -> None:
    """A key that the account does not have is refused, and nothing is printed."""
    with open_shell(triton.cloud, tmp_path, key_of("ecdsa-521", "pem"), triton.argv) as stranger:
        stranger.environment["TRITON_KEY_ID"] = key_of("ecdsa-521").fingerprint().removeprefix("MD5:")
        result = stranger.run("account get", "-j")
    assert (result.code, result.out) == (1, "")
    assert "InvalidCredentials" in result.err
