"""Jobs and when they end: at once, after some reads, after some seconds, or when a test releases them.

Everything that CloudAPI does asynchronously is a job on one machine. The jobs of a machine are a queue: only its head
runs, and ``pending[0]`` is that head. No thread works on jobs. A job starts when it is queued or when the one before
it ends; it ends when `Transitions.settle`, called before every request, finds that its policy says so. Ending applies
the effect, or the failure, writes the outcome into the job (which is the audit entry), and starts the next one.

A job may be due at a time in the past: after an hour of virtual time, jobs of a minute ended one after the other within
that hour. So the moment of the end is carried along, and the next job starts at that moment, not now.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from smartdc.emulator.core.clock import Clock
from smartdc.emulator.state.records import Job, MachineRecord


class JobFailed(Exception):
    """Raised by a job's effect that cannot be applied; its text is the failure's reason."""


class Policy(Protocol):
    """A rule for when a job ends."""

    def due(self, job: Job, now: float) -> float | None:
        """Return when the job ended, a time up to ``now``; None while it runs."""


@dataclass(frozen=True)
class AfterReads:
    """A job ends after its machine was read ``reads`` times; the next read shows the outcome."""

    reads: int = 0

    def due(self, job: Job, now: float) -> float | None:
        """Return ``now`` once the machine was read often enough."""
        return now if job.reads >= self.reads else None


@dataclass(frozen=True)
class AfterSeconds:
    """A job takes ``seconds`` of the emulator's clock."""

    seconds: float

    def due(self, job: Job, now: float) -> float | None:
        """Return the start plus the seconds, once that has passed."""
        end = job.started + self.seconds
        return end if now >= end else None


@dataclass(frozen=True)
class ByScript:
    """A job runs until ``cloud.transitions.release()``."""

    def due(self, job: Job, now: float) -> float | None:  # noqa: ARG002
        """Return None: only ``release()`` ends the job."""
        return None


AT_ONCE = AfterReads(0)
"""The default policy: the next request sees the outcome."""

USUAL_SECONDS = 3.0
"""The seconds that most jobs take in a data centre, changes of tags and metadata among them."""
SECONDS = {
    "provision": 30.0,
    "start": 10.0,
    "stop": 10.0,
    "reboot": 20.0,
    "destroy": 10.0,
    "create_snapshot": 8.0,
    "rollback_snapshot": 20.0,
    "create_image": 60.0,
    "create_volume": 30.0,
    "delete_volume": 15.0,
    "migrate-begin": 16.0,
    "migrate-sync": 30.0,
    "migrate-switch": 30.0,
}
"""The seconds that jobs of other actions take there, by what the audit calls them."""


def _no_watch(machine: MachineRecord, now: float) -> AbstractContextManager[None]:  # noqa: ARG001
    return nullcontext()


@dataclass
class _Failure:
    action: str
    message: str
    times: int


@dataclass
class Transitions:
    """The jobs in progress, and the policies by which they end.

    ``policies`` overrides the default policy by audit action: ``provision``, ``start``, ``stop``, ``reboot``,
    ``destroy``, ``resize``, ``rename``, ``set_tags`` and so on.
    """

    clock: Clock
    policy: Policy = AT_ONCE
    policies: dict[str, Policy] = field(default_factory=dict)
    lock: "threading.RLock" = field(default_factory=threading.RLock, repr=False)
    watch: Callable[[MachineRecord, float], AbstractContextManager[None]] = field(default=_no_watch, repr=False)
    """The context manager around every change of a machine by a job."""
    _pending: dict[str, MachineRecord] = field(default_factory=dict)
    _failures: list[_Failure] = field(default_factory=list)

    def fail(self, action: str, message: str = "Failed on request", times: int = 1) -> None:
        """Make the next ``times`` jobs of an action fail; a failed ``provision`` leaves a failed machine."""
        with self.lock:
            self._failures.append(_Failure(action, message, times))

    def release(self, machine: str | None = None, action: str | None = None) -> int:
        """End the running jobs, of all machines or one, of all actions or one, and return how many ended.

        The next job of such a machine starts, and needs another release.
        """
        with self.lock:
            now = self.clock.time()
            heads = [held.pending[0] for held in self._pending.values()]
            chosen = [job for job in heads if machine in (None, job.machine.id) and action in (None, job.action)]
            for job in chosen:
                self._finish(job, now)
        return len(chosen)

    def add(self, job: Job) -> None:
        """Append a job to the queue of its machine, and start it if it is the only one."""
        job.machine.jobs.append(job)
        job.machine.pending.append(job)
        self._pending[job.machine.id] = job.machine
        if len(job.machine.pending) == 1:
            self._start(job, job.queued)

    def settle(self) -> None:
        """End every job that is due; called before each request is handled."""
        now = self.clock.time()
        for machine in list(self._pending.values()):
            while machine.pending:
                job = machine.pending[0]
                end = self.policies.get(job.action, self.policy).due(job, now)
                if end is None:
                    break
                self._finish(job, end)

    def read(self, machine: MachineRecord) -> None:
        """Count a read of a machine, for `AfterReads`."""
        if machine.pending:
            machine.pending[0].reads += 1

    def _start(self, job: Job, now: float) -> None:
        """Start the head of a queue; whether it will fail is decided now, on the state it finds."""
        machine = job.machine
        job.execution = "running"
        job.started = now
        job.before = machine.state
        job.error = self._scripted_failure(job) or _wrong_state(job)
        if job.error:
            job.during = None
        elif job.during:
            with self.watch(machine, now):
                machine.state = job.during

    def _finish(self, job: Job, now: float) -> None:
        """End the head of a queue at a moment, and start the next job at the same moment."""
        machine = job.machine
        machine.pending.popleft()
        with self.watch(machine, now):
            self._end(job, now)
        job.execution = "failed" if job.error else "succeeded"
        job.finished = now
        if machine.pending:
            self._start(machine.pending[0], now)
        else:
            del self._pending[machine.id]

    def _end(self, job: Job, now: float) -> None:
        """Apply the outcome of a job to its machine."""
        machine = job.machine
        if job.during:
            machine.state = job.before
        if not job.error:
            machine.updated = now
            self._apply(job)
        if job.error and job.undo:
            job.undo(machine)

    def _apply(self, job: Job) -> None:
        try:
            job.effect(job.machine)
        except JobFailed as error:
            job.error = str(error)

    def _scripted_failure(self, job: Job) -> str | None:
        for failure in self._failures:
            if failure.action == job.action:
                failure.times -= 1
                if failure.times == 0:
                    self._failures.remove(failure)
                return failure.message
        return None


def _wrong_state(job: Job) -> str | None:
    """Return VMAPI's message if the job cannot start in the machine's state, such as a start of a running machine."""
    state = job.machine.state
    if state == "deleted" or (job.needs and state not in job.needs):
        return f"Cannot {job.action} a VM from a '{state}' state"
    return None
