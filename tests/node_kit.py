"""The npm packages `triton` and `smartdc` beside an emulator: a home with a key, their commands, and stories of many.

A story is a list of steps: a command, and what is to be seen of it in what it prints and on the emulator's books.
Stories are told once for a module, and then each step is a test of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from node_books import Books
from signing_kit import KeyFile

from smartdc.emulator import AfterSeconds, Emulator, Server, WallClock

SHORT = 0.001
"""How many seconds a job takes unless it is one to be waited for: the first look of a client finds it done."""
LONG = 0.15
"""How many seconds a job takes that clients see under way."""
PATIENCE = 60
"""The most seconds that a command may take."""


class Told(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[Any]:
        """What it printed as JSON: the elements of a list, or an object, or one object a line."""
        try:
            whole = json.loads(self.out)
        except ValueError:
            return [json.loads(line) for line in self.out.splitlines() if line.strip()]
        return whole if isinstance(whole, list) else [whole]

    def shows(self, facts: Mapping[str, Any]) -> tuple[object, object]:
        """Set the last object that was printed beside what it should say."""
        return like(self.rows[-1], facts), dict(facts)

    def lists(self, facts: Sequence[Mapping[str, Any]]) -> tuple[object, object]:
        """Set all objects that were printed beside what they should say."""
        rows = self.rows
        if len(rows) != len(facts):
            return rows, list(facts)
        return [like(row, fact) for row, fact in zip(rows, facts, strict=True)], list(facts)

    def says(self, text: str, *pairs: object) -> tuple[object, object]:
        """Look for a text in what was printed; then come values from the books, each before what it should be."""
        found = text if text in self.out else self.out
        return (found, *pairs[::2]), (text, *pairs[1::2])


def like(row: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return that part of an object that facts speak of; None stands for what is not there."""
    return {name: row.get(name) for name in facts}


Check = Callable[[Told, Books], tuple[object, object]]
"""Return what is to be seen, and what it should be."""


class Step(NamedTuple):
    """A command of a story; words in braces among its arguments are looked up in the books."""

    command: str
    arguments: str
    check: Check
    code: int = 0
    first: Callable[[Emulator], object] | None = None
    """What happens to the emulated cloud before."""

    def __str__(self) -> str:
        return f"{self.command} {self.arguments}".strip().replace("{{", "{").replace("}}", "}")


class Outcome(NamedTuple):
    """What came of a step: what was seen, and what should have been; or the mistake that made it impossible to say."""

    told: Told
    seen: object = None
    wanted: object = None
    mistake: Exception | None = None


class Desk:
    """Where commands are typed: a home with a key and files, and the environment that says where the cloud is."""

    def __init__(self, home: Path, cloud: Emulator, url: str, argv: Callable[[str], list[str]]) -> None:
        self.home = home
        self.cloud = cloud
        self.url = url
        self.books = Books(cloud)
        self.argv = argv
        fingerprint = cloud.key_id.rpartition("/")[2]
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "NODE_NO_WARNINGS": "1"}
        for prefix in ("TRITON", "SDC"):
            self.environment |= {f"{prefix}_URL": url, f"{prefix}_ACCOUNT": cloud.login}
            self.environment[f"{prefix}_KEY_ID"] = fingerprint
        self.environment["TRITON_PROFILE"] = "env"

    def run(self, command: str, arguments: str = "") -> Told:
        """Run a command to its end; it gets no terminal and no input."""
        done = subprocess.run(
            [*self.argv(command), *shlex.split(arguments)],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Told(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def running(self, command: str, arguments: str = "") -> Iterator[subprocess.Popen[str]]:
        """Start a command that does not end by itself, and end it with the with-block."""
        argv = [*self.argv(command), *shlex.split(arguments)]
        with subprocess.Popen(
            argv, env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def tell(self, story: Sequence[Step]) -> list[Outcome]:
        """Run the commands one after the other, and look at the books after each."""
        return [self._take(step) for step in story]

    def tell_all(self, *stories: Sequence[Step]) -> list[Outcome]:
        """Tell stories side by side, each of things that the others leave alone, and return what came of each step."""
        with ThreadPoolExecutor(len(stories)) as pool:
            return [outcome for outcomes in pool.map(self.tell, stories) for outcome in outcomes]

    def _take(self, step: Step) -> Outcome:
        told = Told(-1, "", "not run")
        try:
            if step.first:
                step.first(self.cloud)
            told = self.run(step.command, step.arguments.format_map(self.books))
            with self.cloud.transitions.lock:
                self.cloud.transitions.settle()
                seen, wanted = step.check(told, self.books)
        except Exception as mistake:  # noqa: BLE001  it is the step's own test that has to fail
            return Outcome(told, mistake=mistake)
        return Outcome(told, seen, wanted)


def verify(step: Step, outcome: Outcome) -> None:
    """Fail unless a step ended as it should, and printed what the books say."""
    told = outcome.told
    assert told.code == step.code, f"{step}: ended with {told.code}\n{told.out}\n{told.err}"
    if outcome.mistake:
        raise AssertionError(f"{step}: {told.out}\n{told.err}") from outcome.mistake
    assert outcome.seen == outcome.wanted, f"{step}: {told.out}\n{told.err}"


def program(package: str, script: str) -> Path:
    """Return a script of an npm package; without node or the package the test is skipped, with the reason."""
    folder = Path(os.environ.get("SMARTDC_NODE_MODULES", "node_modules")).absolute()
    if shutil.which("node") is None:
        pytest.skip(f"node is not installed, so that npm's {package} cannot run against the emulator")
    if not (folder / package).is_dir():
        pytest.skip(f"npm's {package} is needed ({folder / package} is not there); set SMARTDC_NODE_MODULES")
    return folder / package / script


def settled_cloud(file: KeyFile) -> Emulator:
    """Return a cloud on the real clock, with all that an operator can switch on, whose account has the key."""
    cloud = Emulator(3, clock=WallClock(), transitions=AfterSeconds(SHORT), public_key=file.public_line)
    settings = cloud.state.settings
    settings.volumes = settings.automount_volumes = settings.user_migrations = settings.cns = True
    settings.manta_url = "https://manta.invalid"
    for action in ("provision", "stop", "destroy"):
        cloud.transitions.policies[action] = AfterSeconds(LONG)
    return cloud


@contextlib.contextmanager
def desk(cloud: Emulator, home: Path, file: KeyFile, argv: Callable[[str], list[str]]) -> Iterator[Desk]:
    """Serve a cloud, and put a desk before it; the key of the account is in ``~/.ssh``."""
    put_key(home, file, "id_account")
    with Server(cloud) as server:
        yield Desk(home, cloud, server.url, argv)


def put_key(home: Path, file: KeyFile, name: str) -> None:
    """Put both halves of a key into ``~/.ssh``."""
    folder = home / ".ssh"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(file.path, folder / name)
    (folder / name).chmod(0o600)
    (folder / f"{name}.pub").write_text(file.public_line)


def until(condition: Callable[[], object]) -> None:
    """Look again and again, for as long as a command may take, until something has come about in a process."""
    pause, end = threading.Event(), time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it has not come about"
        pause.wait(0.01)
