"""This library and npm's `triton` ask an emulator for the same in the same way, operation by operation.

Each operation is asked for by both, of the same cloud in the same state, and what arrived is compared: method, path,
query and body. Where they differ, the difference is one of those in `DIFFERENCES`.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from kits.signing import KeyShelf
from peers.node_kit import open_cloud, open_shell, program, watchdog
from peers.node_twins import DIFFERENCES, MACHINE_TWINS, TOKEN, Sent, Twin
from peers.node_twins_account import ACCOUNT_TWINS
from peers.node_world import World, arrange, furnish
from smartdc import DataCenter
from smartdc.emulator import AT_ONCE, Emulator
from smartdc.emulator.pipeline.trace import TraceEntry

pytest_plugins = ("kits.signing_fixtures",)

TWINS = (*MACHINE_TWINS, *ACCOUNT_TWINS)

END = "\x1e"
"""What the line begins with that ends an answer of the process with node in it."""


class Node:
    """A process that runs commands of `triton`, and functions of its library."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout
        self.hear()

    def hear(self) -> None:
        """Wait for the end of what it does; an error there is one here."""
        with watchdog(self._process):
            while not (line := self._stdout.readline()).startswith(END):
                assert line, "node has ended"
        assert json.loads(line[1:]) is None, line

    def do(self, task: dict[str, object]) -> None:
        """Have it do something."""
        self._stdin.write(json.dumps(task) + "\n")
        self._stdin.flush()
        self.hear()


class Pair:
    """Both clients before one server, whose cloud is the same for every question."""

    def __init__(self, node: Node, cloud: Emulator, connection: dict[str, Any], dc: DataCenter) -> None:
        self.node = node
        self.cloud = cloud
        self.connection = connection
        self.dc = dc

    def ask(self, twin: Twin) -> tuple[TraceEntry, TraceEntry]:
        """Have both ask, and return what arrived from `triton` and from us."""
        world = self._begin()
        if isinstance(twin.theirs, str):
            self.node.do({"argv": shlex.split(twin.theirs.format_map(world))})
        else:
            call, given = twin.theirs
            options = {name: text.format_map(world) if isinstance(text, str) else text for name, text in given.items()}
            self.node.do({"call": call, "args": [options]})
        theirs = self._found(twin)
        twin.ours(self._begin())
        return theirs, self._found(twin)

    def _begin(self) -> World:
        self.cloud.reset()
        arrange(self.cloud, self.dc)
        return World(self.dc, self.cloud, self.connection)

    def _found(self, twin: Twin) -> TraceEntry:
        return [asked for asked in self.cloud.trace if asked.operation == twin.operation][-1]


@pytest.fixture(scope="module")
def pair(key_of: KeyShelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both clients."""
    modules = program("triton", "package.json").parent.parent
    script = Path(__file__).with_name("node_triton_calls.js")
    file, home = key_of("ecdsa-256", "pem"), tmp_path_factory.mktemp("twins")
    cloud = open_cloud(file)
    cloud.transitions.policy = AT_ONCE
    furnish(home)
    with open_shell(cloud, home, file, lambda command: ["node", str(script), command]) as there:
        connection = {**cloud.connection(there.url), "secret": file.path}
        with DataCenter(**connection) as dc, there.running(str(modules)) as process:
            yield Pair(Node(process), cloud, connection, dc)


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_same_request(twin: Twin, pair: Pair) -> None:
    """Method, path, query and body are those of `triton`, or differ for one of the reasons in `DIFFERENCES`."""
    theirs, ours = pair.ask(twin)
    assert theirs.status < 400, theirs
    assert ours.status < 400, ours
    if twin.difference is None:
        assert sent(ours) == sent(theirs)
    else:
        assert sent(ours) != sent(theirs), "this difference is no more"
        assert sent(ours) == twin.difference.turn(sent(theirs)), twin.difference.reason


def test_how_many() -> None:
    """At least 40 operations are compared, and every difference there may be is one that there is."""
    assert len({twin.operation for twin in TWINS}) >= 40
    assert {twin.difference for twin in TWINS} == {None, *DIFFERENCES}


@pytest.mark.parametrize("operation", ["GetAccount", "CreateFirewallRule", "DeleteMachineTags"])
def test_same_headers(operation: str, pair: Pair) -> None:
    """Headers are those of `triton` but for ``User-Agent``, a request id of our own, and answers without compression."""
    theirs, ours = pair.ask(next(twin for twin in TWINS if twin.operation == operation))
    assert set(ours.headers) - set(theirs.headers) == {"accept-encoding", "x-request-id"}
    assert set(theirs.headers) - set(ours.headers) == {"connection"}
    same = {"accept", "accept-version", "content-type", "content-length", "host"} & set(ours.headers)
    assert {name: ours.headers[name] for name in same} == {name: theirs.headers[name] for name in same}


def test_documented() -> None:
    """The guide to the emulator has every difference and its reason."""
    guide = Path(__file__).parents[2].joinpath("docs", "guides", "emulator.md").read_text()
    for difference in DIFFERENCES:
        assert difference.reason in guide.replace("`", "")


def sent(asked: TraceEntry) -> Sent:
    """Return what is compared; a token is another every time."""
    body = {name: "..." if name == TOKEN else value for name, value in asked.body.items()}
    return Sent(asked.method, asked.path.partition("?")[0], asked.query, body)
