"""Jobs and when they end: at once, after some reads, after some seconds, or when a test says so.

Whatever CloudAPI does asynchronously is a job on one machine. A machine's jobs run one after the other; when a
job ends, its effect is applied and the audit shows it.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from smartdc.emulator.core.clock import Clock
from smartdc.emulator.state.records import Job, MachineRecord


class JobFailed(Exception):
    """Raised by a job's effect that finds it cannot be done."""


class Policy(Protocol):
    """When a job ends."""

    def due(self, job: Job, now: float) -> float | None:
        """Return the time at which the job has ended by now, or None while it still runs."""


@dataclass(frozen=True)
class AfterReads:
    """The machine is read so many times as it is; the read after that shows the outcome."""

    reads: int = 0

    def due(self, job: Job, now: float) -> float | None:
        """Return now when the machine has been read often enough."""
        return now if job.reads >= self.reads else None


@dataclass(frozen=True)
class AfterSeconds:
    """The job takes so many seconds of the emulator's clock."""

    seconds: float

    def due(self, job: Job, now: float) -> float | None:
        """Return the moment at which the seconds were over."""
        end = job.started + self.seconds
        return end if now >= end else None


@dataclass(frozen=True)
class ByScript:
    """The job runs until ``cloud.transitions.release()``."""

    def due(self, job: Job, now: float) -> float | None:  # noqa: ARG002
        """Return None: only a release ends the job."""
        return None


AT_ONCE = AfterReads(0)
"""The default: the very next request sees the outcome."""


def _unseen(machine: MachineRecord, now: float) -> AbstractContextManager[None]:  # noqa: ARG001
    return nullcontext()


@dataclass
class _Failure:
    action: str
    message: str
    times: int


@dataclass
class Transitions:
    """The jobs that wait or run, and the policy by which they end.

    ``policies`` holds exceptions to the default by audit action: ``provision``, ``start``, ``stop``, ``reboot``,
    ``destroy``, ``resize``, ``rename``, ``set_tags`` and so on.
    """

    clock: Clock
    policy: Policy = AT_ONCE
    policies: dict[str, Policy] = field(default_factory=dict)
    lock: "threading.RLock" = field(default_factory=threading.RLock, repr=False)
    watch: Callable[[MachineRecord, float], AbstractContextManager[None]] = field(default=_unseen, repr=False)
    """What is around every change that a job makes to its machine."""
    _pending: dict[str, MachineRecord] = field(default_factory=dict)
    _failures: list[_Failure] = field(default_factory=list)

    def fail(self, action: str, message: str = "Failed on request", times: int = 1) -> None:
        """Make the next jobs of this action fail; a failed ``provision`` leaves a failed machine."""
        with self.lock:
            self._failures.append(_Failure(action, message, times))

    def release(self, machine: str | None = None, action: str | None = None) -> int:
        """End the running job of every machine, or of one, or only jobs of one action; return how many.

        A job behind the one that ends starts, and needs a release of its own.
        """
        with self.lock:
            now = self.clock.time()
            heads = [held.pending[0] for held in self._pending.values()]
            chosen = [job for job in heads if machine in (None, job.machine.id) and action in (None, job.action)]
            for job in chosen:
                self._finish(job, now)
        return len(chosen)

    def add(self, job: Job) -> None:
        """Queue a job behind the others of its machine."""
        job.machine.jobs.append(job)
        job.machine.pending.append(job)
        self._pending[job.machine.id] = job.machine
        if len(job.machine.pending) == 1:
            self._start(job, job.queued)

    def settle(self) -> None:
        """End every job that is due by now; the emulator calls this before it looks at a request."""
        now = self.clock.time()
        for machine in list(self._pending.values()):
            while machine.pending:
                job = machine.pending[0]
                end = self.policies.get(job.action, self.policy).due(job, now)
                if end is None:
                    break
                self._finish(job, end)

    def read(self, machine: MachineRecord) -> None:
        """Count that a machine was shown to somebody."""
        if machine.pending:
            machine.pending[0].reads += 1

    def _start(self, job: Job, now: float) -> None:
        machine = job.machine
        job.execution, job.started, job.before = "running", now, machine.state
        job.error = self._chosen_failure(job) or _wrong_state(job)
        if job.error:
            job.during = None
        elif job.during:
            with self.watch(machine, now):
                machine.state = job.during

    def _finish(self, job: Job, now: float) -> None:
        machine = job.machine
        machine.pending.popleft()
        with self.watch(machine, now):
            self._end(job, now)
        job.execution, job.finished = ("failed" if job.error else "succeeded"), now
        if machine.pending:
            self._start(machine.pending[0], now)
        else:
            del self._pending[machine.id]

    def _end(self, job: Job, now: float) -> None:
        """Make the machine what the job leaves behind."""
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

    def _chosen_failure(self, job: Job) -> str | None:
        for failure in self._failures:
            if failure.action == job.action:
                failure.times -= 1
                if failure.times == 0:
                    self._failures.remove(failure)
                return failure.message
        return None


def _wrong_state(job: Job) -> str | None:
    """Return VMAPI's words when the machine is in no state for the job, as when a running one is started."""
    state = job.machine.state
    if state == "deleted" or (job.needs and state not in job.needs):
        return f"Cannot {job.action} a VM from a '{state}' state"
    return None
