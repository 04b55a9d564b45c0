"""Run a command in many machines at the same time with OpenSSH, and keep each machine's output separate."""

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
    """The output of a command in one machine."""

    machine: Machine
    stdout: str = ""
    stderr: str = ""
    returncode: int | None = None
    """The exit status of the command; None if it did not run to its end."""
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
    """The outputs of a command in many machines, in the order of the machines; `print` shows them one by one."""

    @property
    def ok(self) -> bool:
        """Whether the command succeeded everywhere."""
        return not self.failed

    @property
    def failed(self) -> SSHOutputs:
        """The outputs of the machines in which it did not succeed."""
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
    at_once: int = 8,
    user: str | None = None,
    proxy: bool = True,
    options: Sequence[str] = (),
    timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
) -> SSHOutputs:
    """Run a command in machines, `at_once` at a time, and return the outputs; the rest is as in `Machine.ssh`.

    Each image and each proxy is looked up only once. The output of a machine that cannot be reached has an error.
    """
    threads = arguments.integers(at_once=at_once)["at_once"]
    if threads < 1:
        raise InputError(f"at_once must be at least 1, got {threads}")
    if command is None:
        raise InputError("give a command: nobody can log in to many machines at once")
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

    # Looked up in this thread, which receives interrupts; the other threads only wait for ssh.
    todo = [(machine, words_for(machine)) for machine in chosen]
    with ThreadPoolExecutor(threads, "smartdc-ssh") as pool:
        try:
            return SSHOutputs(pool.map(run, *zip(*todo, strict=True)) if todo else ())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            running.end()
            raise


class _Running:
    """The running commands, so that an interrupt can end them."""

    def __init__(self) -> None:
        self._processes: set[subprocess.Popen[str]] = set()
        self._ended = False
        self._lock = Lock()

    def add(self, process: subprocess.Popen[str]) -> None:
        """Remember a command, or end it at once if all have to end."""
        with self._lock:
            self._processes = {known for known in self._processes if known.poll() is None} | {process}
            if self._ended:
                process.terminate()

    def end(self) -> None:
        """End all running commands, and those that are about to start."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.terminate()
