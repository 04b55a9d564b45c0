"""The environment in which clients find an emulator in another process: for shells, and for a command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from smartdc.emulator.doors.certificates import write_private
from smartdc.emulator.doors.server import Server

if TYPE_CHECKING:
    from smartdc.emulator.app import Emulator

__all__ = ["ENDING", "MARK", "export_lines", "run_command", "variables", "written"]

PREFIXES = ("TRITON_", "SDC_")
MISLEADING = tuple(
    prefix + name for prefix in PREFIXES for name in ("USER", "ROLE", "ACT_AS", "TLS_INSECURE", "TESTING")
)
"""Variables that may be set for a real data centre, and would apply to the emulator too."""

MARK = "# This is an emulator of CloudAPI: nothing that it makes is real."

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals that end a program; SIGHUP, of a closed terminal, does not exist on every platform."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses that shells give a command that cannot be run."""


def variables(emulator: Emulator, server: Server, folder: Path) -> dict[str, str]:
    """Return the variables that lead clients to a server; the private key is written into `folder`."""
    found = {
        "TRITON_URL": server.url,
        "TRITON_ACCOUNT": emulator.login,
        "TRITON_KEY_ID": emulator.key_id.rpartition("/")[2],
        "TRITON_PROFILE": "env",
    }
    if server.ca:
        found |= {"NODE_EXTRA_CA_CERTS": server.ca, "REQUESTS_CA_BUNDLE": server.ca}
    if emulator.private_key:
        path = folder / "id_emulator"
        write_private(path, emulator.private_key.encode())
        found["TRITON_KEY_MATERIAL"] = str(path)
    return found


def export_lines(emulator: Emulator, found: Mapping[str, str]) -> Iterator[str]:
    """Yield the shell commands that set the variables, and hints as comments."""
    for name, value in found.items():
        yield f"export {name}={shlex.quote(value)}"
    for prefix in PREFIXES:
        yield f"unset {' '.join(name for name in MISLEADING if name.startswith(prefix))}"
    if key := found.get("TRITON_KEY_MATERIAL"):
        yield "# The triton command needs the key in an SSH agent:"
        yield f"#   ssh-add {shlex.quote(key)}"
    yield f"# Page for browsers: {emulator.page_url(found['TRITON_URL'])}"
    yield f"# For the emulator's controls: X-Emulator-Token: {emulator.token}"
    yield MARK


@contextmanager
def written(path: Path, lines: Sequence[str]) -> Iterator[None]:
    """Write a file, complete from the start and readable only by its owner, and remove it at the end.

    An existing file that no emulator has written is not touched.
    """
    if path.exists() and MARK not in path.read_text(errors="replace"):
        raise ValueError(f"{path} exists already, and no emulator has written it: give another name")
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        write_private(draft, "".join(f"{line}\n" for line in lines).encode())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    there = path.stat()
    try:
        yield
    finally:
        if path.exists() and path.stat().st_ino == there.st_ino:  # unless another file has replaced it
            path.unlink()


def run_command(command: Sequence[str], found: Mapping[str, str]) -> int:
    """Run a command in an environment with the variables, and return the exit status that a shell would give it.

    At a terminal, Ctrl-C reaches the command directly, and the command decides what to do; signals that reach only
    this process are passed on. In both cases the command has ended when this returns.
    """
    with _passing_on() as relay:
        try:
            child = subprocess.Popen(command, env=_environment(found))  # noqa: S603 (that is what it is for)
        except OSError as error:
            print(f"smartdc.emulator: {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201  a command prints
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        with child:
            relay.begin(child)
            status = child.wait()
    return 128 - status if status < 0 else status


class _Relay:
    """A signal handler that passes signals on to a command, also those that come while the command is started."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def __call__(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and _has_the_terminal():
            return
        if self._child is None:
            self._early.append(number)
        else:
            self._child.send_signal(number)

    def begin(self, child: subprocess.Popen[bytes]) -> None:
        """Pass on what has come until now, and everything from now on."""
        self._child = child
        for number in self._early:
            child.send_signal(number)


@contextmanager
def _passing_on() -> Iterator[_Relay]:
    relay = _Relay()
    former = {number: signal.signal(number, relay) for number in ENDING}
    try:
        yield relay
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _has_the_terminal() -> bool:
    """Return whether Ctrl-C at the terminal reaches this process and its children."""
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _environment(found: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    if any(name.lower().endswith("_proxy") for name in inherited):
        for name in ("no_proxy", "NO_PROXY"):
            inherited[name] = ",".join(filter(None, ["127.0.0.1", inherited.get(name)]))
    return {**inherited, **found}
