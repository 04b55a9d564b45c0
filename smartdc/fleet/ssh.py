"""Run a command in many machines at the same time; OpenSSH does the work, and each machine's output is kept apart."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from smartdc.core import arguments
from smartdc.core.display import html_table
from smartdc.errors import InputError, SmartDCError, WaitTimeout
from smartdc.machine.machine import Machine
from smartdc.machine.ssh import DEFAULT_TIMEOUT_SECONDS, UNATTENDED, LookUps, SSHError, command_words, run_ssh

__all__ = ["SSHOutput", "SSHOutputs", "run_on"]


@dataclass(frozen=True)
class SSHOutput:
    """What a command did in one machine."""

    machine: Machine
    stdout: str = ""
    stderr: str = ""
    returncode: int | None = None
    """The status of the command; None where it did not run to its end."""
    error: SmartDCError | None = None
    """Why it did not run to its end."""

    @property
    def ok(self) -> bool:
        """Whether the command succeeded."""
        return self.returncode == 0

    @property
    def name(self) -> str:
        """The name of the machine."""
        return str(self.machine.get("name") or self.machine)

    @property
    def outcome(self) -> str:
        """How it ended, in words: ``ok``, ``exit status 3``, or the error."""
        return str(self.error) if self.error else "ok" if self.ok else f"exit status {self.returncode}"

    def __str__(self) -> str:
        head = f"== {self.name}" if self.ok else f"== {self.name}: {self.outcome}"
        return "\n".join(part.rstrip("\n") for part in (head, self.stdout, self.stderr) if part)


class SSHOutputs(list[SSHOutput]):
    """The outputs of a command in many machines, in the order of the machines; printed, machine by machine."""

    @property
    def ok(self) -> bool:
        """Whether the command succeeded everywhere."""
        return not self.failed

    @property
    def failed(self) -> SSHOutputs:
        """Those of the machines where it did not succeed."""
        return SSHOutputs(output for output in self if not output.ok)

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def __repr__(self) -> str:
        """Show the numbers; print it to see the outputs."""
        return f"<SSHOutputs of {len(self)} machines: {len(self) - len(self.failed)} ok, {len(self.failed)} failed>"

    def _repr_html_(self) -> str:
        rows = [(output.name, output.outcome, output.stdout + output.stderr) for output in self]
        return html_table(("machine", "outcome", "output"), rows)


def run_on(
    machines: Iterable[Machine],
    command: str | Sequence[str],
    *,
    concurrency: int = 8,
    user: str | None = None,
    proxy: bool = True,
    options: Sequence[str] = (),
    timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
) -> SSHOutputs:
    """Run a command in machines, `concurrency` at a time, and return what each wrote; the rest is as in `Machine.ssh`.

    What an image or a tag names is looked up once. A machine that cannot be reached is an output with an error.
    """
    if arguments.integers(concurrency=concurrency)["concurrency"] < 1:
        raise InputError(f"concurrency must be at least 1, got {concurrency}")
    chosen = list(machines)
    look_ups = {id(machine.datacenter): LookUps(machine.datacenter) for machine in chosen}
    running = _Running()

    def words_for(machine: Machine) -> list[str] | SmartDCError:
        try:
            target = look_ups[id(machine.datacenter)].target(machine, user=user, proxy=proxy)
        except SmartDCError as error:
            return error
        return command_words(target, command, [*options, *UNATTENDED])

    def run(machine: Machine, words: list[str] | SmartDCError) -> SSHOutput:
        try:
            if isinstance(words, SmartDCError):
                return SSHOutput(machine, error=words)
            result = run_ssh(str(machine.get("name")), words, timeout=timeout, started=running.add)
        except (SSHError, WaitTimeout) as error:
            return SSHOutput(machine, error=error)
        return SSHOutput(machine, result.stdout, result.stderr, result.returncode)

    # Looked up here, where an interrupt is heard; the threads only wait for ssh, and end with it.
    todo = [(machine, words_for(machine)) for machine in chosen]
    with ThreadPoolExecutor(concurrency, "smartdc-ssh") as pool:
        try:
            return SSHOutputs(pool.map(run, *zip(*todo, strict=True)) if todo else ())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            running.end()
            raise


class _Running:
    """The commands that run, so that an interrupt ends them."""

    def __init__(self) -> None:
        self._processes: set[subprocess.Popen[str]] = set()
        self._ended = False
        self._lock = Lock()

    def add(self, process: subprocess.Popen[str]) -> None:
        """Take note of a command, or end it if that is due."""
        with self._lock:
            self._processes = {known for known in self._processes if known.poll() is None} | {process}
            if self._ended:
                process.terminate()

    def end(self) -> None:
        """End all that run, and those that are about to."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.terminate()
