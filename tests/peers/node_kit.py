"""The npm packages `triton` and `smartdc` beside an emulator: a home with a key, their commands, and stories of many.

A story is a list of steps: a command, and what is to be seen of it in what it prints and on the emulator's books.
Stories are run once for a module, and then each step is a test of its own.
"""

from __future__ import annotations

import contextlib
import copy
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
from typing import IO, Any, NamedTuple, Self

import pytest

from kits.signing import KeyFile
from peers.node_books import Books
from smartdc.emulator import AfterSeconds, Emulator, Server, WallClock

SHORT = 0.001
"""How many seconds a job takes unless it is one to be waited for: the first look of a client finds it done."""
LONG = 0.15
"""How many seconds a slow job takes, so that clients see it under way."""
PATIENCE = 60
"""The most seconds that a command may take."""
RUNNER = Path(__file__).with_name("node_commands.js")
"""What runs many commands in one process."""


class CommandResult(NamedTuple):
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


Check = Callable[[CommandResult, Books], tuple[object, object]]
"""Return what is to be seen, and what it should be."""


class Step:
    """A command of a story; words in braces among its arguments are looked up in the books.

    Args:
        first: what happens to the emulated cloud before.
    """

    def __init__(
        self,
        command: str,
        arguments: str,
        *checks: Check,
        code: int = 0,
        first: Callable[[Emulator], object] | None = None,
    ) -> None:
        self.command = command
        self.arguments = arguments
        self.checks = checks
        self.code = code
        self.first = first

    def __str__(self) -> str:
        return f"{self.command} {self.arguments}".strip().replace("{{", "{").replace("}}", "}")

    def look(self, result: CommandResult, books: Books) -> tuple[list[object], list[object]]:
        """Return all that is to be seen, and all that it should be."""
        pairs = [check(result, books) for check in self.checks]
        return [seen for seen, _ in pairs], [wanted for _, wanted in pairs]


# Checks


def shows(of: Callable[..., Mapping[str, Any]], *names: Any) -> Check:
    """Say that the last object printed has all that the books know of a thing, as one of `peers.node_facts` returns it."""

    def check(result: CommandResult, books: Books) -> tuple[object, object]:
        facts = dict(of(books, *names))
        return like(result.rows[-1], facts), facts

    return check


def lists(of: Callable[..., Sequence[Mapping[str, Any]]], *names: Any) -> Check:
    """Say that the objects printed are those that the books know of, with all that they know."""

    def check(result: CommandResult, books: Books) -> tuple[object, object]:
        rows, facts = result.rows, list(of(books, *names))
        if len(rows) != len(facts):
            return rows, facts
        return [like(row, fact) for row, fact in zip(rows, facts, strict=True)], facts

    return check


def prints(of: Callable[[Books], object]) -> Check:
    """Say that what it printed as JSON is what is in the books, and nothing else."""

    def check(result: CommandResult, books: Books) -> tuple[object, object]:
        wanted = of(books)
        return result.rows if isinstance(wanted, list) else result.rows[-1], wanted

    return check


def words(of: Callable[[Books], Sequence[str]]) -> Check:
    """Say which words it printed, and that there were no others."""
    return lambda result, books: (result.out.split(), list(of(books)))


def says(text: str) -> Check:
    """Say that a text is among what it printed."""

    def check(result: CommandResult, books: Books) -> tuple[object, object]:
        wanted = text.format_map(books)
        return wanted if wanted in result.out + result.err else result.out + result.err, wanted

    return check


def has(find: Callable[..., object], *names: Any, **wanted: Any) -> Check:
    """Say what the books have of a thing, which one of the methods of `Books` finds."""

    def check(_: CommandResult, books: Books) -> tuple[object, object]:
        thing = find(books, *names)
        return {name: getattr(thing, name) for name in wanted}, wanted

    return check


def gone(find: Callable[..., object], *names: Any) -> Check:
    """Say that there is no such thing in the books."""

    def check(_: CommandResult, books: Books) -> tuple[object, object]:
        try:
            return find(books, *names), None
        except LookupError:
            return None, None

    return check


def like(row: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return that part of an object that facts speak of; None stands for what is not there."""
    return {name: row.get(name) for name in facts}


class Outcome(NamedTuple):
    """What came of a step: what was seen, and what should have been; or the mistake that made it impossible to say."""

    result: CommandResult
    seen: object = None
    wanted: object = None
    mistake: Exception | None = None


class Commands:
    """A process of node that runs one command after the other, each as if it had the process for itself."""

    def __init__(self, process: subprocess.Popen[str], orders: IO[str]) -> None:
        self._process = process
        self._orders = orders

    @classmethod
    @contextlib.contextmanager
    def started(cls, environment: Mapping[str, str], folder: Path) -> Iterator[Self]:
        """Start the process; its commands get no terminal and no input."""
        orders, writer = os.pipe()
        with (
            os.fdopen(writer, "w", encoding="utf-8") as pipe,
            subprocess.Popen(
                ["node", str(RUNNER), str(orders)],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=[orders],
            ) as process,
        ):
            os.close(orders)
            yield cls(process, pipe)
            pipe.close()

    def run(self, argv: Sequence[str], environment: Mapping[str, str]) -> CommandResult:
        """Run a command, its script first, to its end."""
        print(json.dumps({"argv": argv, "environment": dict(environment)}), file=self._orders, flush=True)
        assert self._process.stdout is not None
        with watchdog(self._process):
            line = self._process.stdout.readline()
        assert line, "node has ended"
        return CommandResult(**json.loads(line))


class Shell:
    """Where commands are run: a home with a key and files, and the environment that says where the cloud is."""

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

    def run(self, command: str, arguments: str = "") -> CommandResult:
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
        return CommandResult(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def running(self, command: str, arguments: str = "") -> Iterator[subprocess.Popen[str]]:
        """Start a command that does not end by itself, and end it with the with-block."""
        argv = [*self.argv(command), *shlex.split(arguments)]
        with subprocess.Popen(
            argv, env=self.environment, cwd=self.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run_steps(self, story: Sequence[Step]) -> list[Outcome]:
        """Run the commands one after the other, and look at the books after each."""
        with Commands.started(self.environment, self.home) as commands:
            return [self._take(step, commands) for step in story]

    def run_all(self, *stories: Sequence[Step]) -> list[Outcome]:
        """Run stories side by side, each of things that the others leave alone, and return what came of each step."""
        with ThreadPoolExecutor(len(stories)) as pool:
            return [outcome for outcomes in pool.map(self.run_steps, stories) for outcome in outcomes]

    def _take(self, step: Step, commands: Commands) -> Outcome:
        result = CommandResult(-1, "", "not run")
        try:
            if step.first:
                step.first(self.cloud)
            command, arguments = (text.format_map(self.books) for text in (step.command, step.arguments))
            _, *argv = self.argv(command)
            result = commands.run([*argv, *shlex.split(arguments)], self.environment)
            time.sleep(2 * SHORT)  # a command may end before the short job that it has begun
            with self.cloud.transitions.lock:
                self.cloud.transitions.settle()
                seen, wanted = copy.deepcopy(step.look(result, self.books))
        except Exception as mistake:  # noqa: BLE001  it is the step's own test that has to fail
            return Outcome(result, mistake=mistake)
        return Outcome(result, seen, wanted)


def verify(step: Step, outcome: Outcome) -> None:
    """Fail unless a step ended as it should, and printed what the books say."""
    result = outcome.result
    whole = f"{step}\n{result.out}\n{result.err}"
    assert result.code == step.code, f"ended with {result.code}: {whole}"
    if outcome.mistake:
        raise AssertionError(whole) from outcome.mistake
    assert outcome.seen == outcome.wanted, whole


def program(package: str, script: str) -> Path:
    """Return a script of an npm package; without node or the package the test is skipped, with the reason."""
    folder = Path(os.environ.get("SMARTDC_NODE_MODULES", "node_modules")).absolute()
    if shutil.which("node") is None:
        pytest.skip(f"node is not installed, so that npm's {package} cannot run against the emulator")
    if not (folder / package).is_dir():
        pytest.skip(f"npm's {package} is needed ({folder / package} is not there); set SMARTDC_NODE_MODULES")
    return folder / package / script


def open_cloud(file: KeyFile, *slow: str) -> Emulator:
    """Return a cloud on the real clock, with all that an operator can switch on, whose account has the key.

    Its jobs are short, but for the `slow` ones.
    """
    cloud = Emulator(3, clock=WallClock(), transitions=AfterSeconds(SHORT), public_key=file.public_line)
    settings = cloud.state.settings
    settings.volumes = settings.automount_volumes = settings.user_migrations = settings.cns = True
    settings.manta_url = "https://manta.invalid"
    for action in slow:
        cloud.transitions.policies[action] = AfterSeconds(LONG)
    return cloud


@contextlib.contextmanager
def open_shell(cloud: Emulator, home: Path, file: KeyFile, argv: Callable[[str], list[str]]) -> Iterator[Shell]:
    """Serve a cloud, and open a shell before it; the key of the account is in ``~/.ssh``."""
    put_key(home, file, "id_account")
    with Server(cloud) as server:
        yield Shell(home, cloud, server.url, argv)


def put_key(home: Path, file: KeyFile, name: str) -> None:
    """Put both halves of a key into ``~/.ssh``."""
    folder = home / ".ssh"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(file.path, folder / name)
    (folder / name).chmod(0o600)
    (folder / f"{name}.pub").write_text(file.public_line)


@contextlib.contextmanager
def watchdog(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill a process that lets somebody wait for longer than a command may take."""
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def until(condition: Callable[[], object]) -> None:
    """Look again and again, for as long as a command may take, until something has come about in a process."""
    pause, end = threading.Event(), time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it has not come about"
        pause.wait(0.01)
