"""Carry out the steps of a run: several at once, until all are done, too many have failed or time is up.

The caller's thread runs a loop: it begins steps, takes the results of calls, and sleeps until the next check is due.
Calls run in threads, at most eight at a time, since the account's throttle allows no more. One listing checks all
machines that steps wait for.
"""

from __future__ import annotations

import logging
import os
import queue
from bisect import insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from threading import Thread
from typing import TYPE_CHECKING, Any

from smartdc.errors import CreateOutcomeUnknown, SmartDCError, WaitTimeout, printable
from smartdc.fleet.options import Options
from smartdc.fleet.progress import Display
from smartdc.fleet.report import OutcomeUnknown, Report, name_of, reason_of
from smartdc.fleet.step import Call, Pause, Step, Until
from smartdc.fleet.watch import Watch
from smartdc.http.deadline import Deadline, ending_by
from smartdc.http.failures import TRANSIENT_ERRORS
from smartdc.http.tracebacks import let_pass
from smartdc.machine.machine import Machine

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["CALLS_AT_ONCE", "LOOK_SECONDS", "Engine", "Interrupted", "how_to_go_on"]

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 8
"""The maximum number of calls at the same time, so that other users of the account are not blocked."""
LOOK_SECONDS = 2.0
"""Seconds between two checks of the machines that steps wait for."""
LAST_LOOK_SECONDS = 0.5
"""Seconds from the answer to the last request of the run to the next check."""
PATIENCE_SECONDS = 0.5
"""Real seconds after which the clock is read again while calls are running."""


class Interrupted(SmartDCError):
    """A request was not sent, since the run was interrupted."""


@dataclass(eq=False)
class Task:
    """A step that was begun."""

    step: Step
    began: float
    deadline: Deadline
    waits_for: Call | Until | Pause | None = None
    wakes_at: float = 0.0
    asking: bool = False
    """Whether the `ask` of an `Until` is running."""

    def can_be_late(self) -> bool:
        """Return whether its timeout must be checked now: our own calls end by themselves at that time."""
        if isinstance(self.waits_for, Call):
            return self.waits_for.foreign
        return not self.asking


class Engine:
    """One run of steps; `report` is up to date at every moment."""

    def __init__(self, datacenter: DataCenter, action: str, options: Options, at_once: int | None) -> None:
        """Prepare a run with at most `at_once` machines at the same time; None means no limit."""
        self._dc, self._options, self._at_once = datacenter, options, at_once
        self._clock = datacenter.clock
        self.report = Report(action)
        self._waiting: deque[Step] = deque()
        self._tasks: list[Task] = []
        self._calls: deque[tuple[Task | None, Call]] = deque()
        self._news: queue.SimpleQueue[tuple[Task | None, Call, Any, BaseException | None]] = queue.SimpleQueue()
        self._in_flight = 0
        self._with_the_user: set[Task] = set()
        """Tasks in which a function of the user is running, which may never return."""
        self._looking: list[tuple[Task, Until]] = []
        self._watch = Watch(datacenter)
        self._next_look = 0.0
        self._last_look = self._last_answer = 0.0
        self._next_step = 0.0
        self._over = False
        self._done: list[tuple[int, Machine]] = []
        self._deadline = Deadline(options.deadline, self._clock)
        self._display = Display(self.report, options.progress, datacenter)

    def permit(self) -> None:
        """Raise `Interrupted` if no more requests may be sent."""
        if self._over:
            raise Interrupted(f"{self.report.action}: not sent, since the run was interrupted")

    def run(self, steps: Iterable[Step]) -> Report:
        """Carry out steps in their order, and return their results; an interrupt has the report as an attribute."""
        self._waiting.extend(steps)
        self._order = {step: number for number, step in enumerate(self._waiting)}
        self._may_fail = self._options.may_fail(len(self._waiting))
        began = self._clock.monotonic()
        try:
            try:
                self._go_round(began)
            finally:
                self._over = True
                self._show(began, over=True)
        except BaseException as stop:
            stop.report = self.report  # type: ignore[attr-defined]
            stop.add_note(printable(f"{self.report.summary()}{how_to_go_on(self._options)}"))
            raise
        return self.report

    def _go_round(self, began: float) -> None:
        """Begin steps and handle events until nothing is running, and nothing more may be begun."""
        while True:
            self._begin()
            self._show(began)
            if not self._tasks and (not self._waiting or not self._may_begin()):
                return
            self._hear()

    def _show(self, began: float, *, over: bool = False) -> None:
        """Update the report, and show the progress."""
        self._update(began)
        self._display.show(over=over)

    def _update(self, began: float) -> None:
        """Update the report."""
        self.report.seconds = self._clock.monotonic() - began
        self.report.under_way[:] = [task.step.subject for task in self._tasks]
        self.report.untouched[:] = [step.subject for step in self._waiting]

    # Beginning

    def _may_begin(self) -> bool:
        """Return whether further machines may be begun."""
        return len(self.report.failed) + len(self.report.unknown) <= self._may_fail and not self._deadline.passed()

    def _begin(self) -> None:
        """Begin further steps, as many as are allowed and as their calls can start soon."""
        while self._waiting and self._may_begin() and self._has_room():
            if (now := self._clock.monotonic()) < self._next_step:
                return
            step = self._waiting.popleft()
            own = Deadline(self._options.timeout, self._clock)
            task = Task(step, now, own.earlier(self._deadline))
            self._tasks.append(task)
            self._go_on(task)

    def _has_room(self) -> bool:
        has_place = self._at_once is None or len(self._tasks) < self._at_once
        return has_place and self._in_flight + len(self._calls) < CALLS_AT_ONCE

    # Going on

    def _go_on(self, task: Task, value: Any = None, error: BaseException | None = None) -> None:
        """Let a step run until it waits again, or ends."""
        is_foreign = isinstance(task.waits_for, Call) and task.waits_for.foreign
        try:
            waits_for = task.step.work.send(value) if error is None else task.step.work.throw(error)
        except StopIteration as end:
            insort(self._done, (self._order[task.step], end.value), key=itemgetter(0))
            self.report.done[:] = [machine for _, machine in self._done]
            self._finish(task, "done")
            return
        except Exception as problem:  # noqa: BLE001 (the user's own function may raise anything)
            let_pass(problem)
            self._fail(task, problem, foreign=is_foreign)
            return
        task.waits_for = waits_for
        if isinstance(waits_for, Until) and isinstance(task.step.subject, str):
            task.step.subject = waits_for.machine
        now = self._clock.monotonic()
        if isinstance(waits_for, Call):
            self._calls.append((task, waits_for))
        elif isinstance(waits_for, Pause):
            task.wakes_at = now + waits_for.seconds
        elif self._next_look <= now:
            self._next_look = now + LOOK_SECONDS

    def _fail(self, task: Task, problem: Exception, *, foreign: bool) -> None:
        """Report a step that ended with an error, which a function of the user's raised if it is `foreign`."""
        is_unknown = isinstance(problem, (OutcomeUnknown, CreateOutcomeUnknown))
        into = self.report.unknown if is_unknown else self.report.failed
        # A machine that has failed to start exists, so it is not known only by its name. But if a function of the user
        # fails because of another machine, the failure belongs to the machine that it was called with.
        made = None if foreign else _made_by(problem)
        into[made or task.step.subject] = problem
        self._finish(task, f"{'unknown' if is_unknown else 'failed'}: {reason_of(problem)}")

    def _finish(self, task: Task, outcome: str) -> None:
        self._tasks.remove(task)
        task.waits_for = None
        self._with_the_user.discard(task)
        self._next_step = self._clock.monotonic() + self._options.pause
        log.info("%s of %s: %s", self.report.action, name_of(task.step.subject), outcome)

    # Hearing

    def _hear(self) -> None:
        """Wait for the next event, and handle it."""
        self._look_if_due()
        self._make_calls()
        pause = self._seconds_to_the_next_event()
        if self._in_flight or self._with_the_user:
            try:
                self._take(*self._news.get(timeout=min(max(pause, 0.001), PATIENCE_SECONDS)))
                while True:
                    self._take(*self._news.get_nowait())
            except queue.Empty:
                pass
        elif pause > 0:
            self._clock.sleep(self._display.longest_sleep(pause))
        self._wake()

    def _seconds_to_the_next_event(self) -> float:
        """Return the seconds until the next event that happens by itself."""
        moments = [task.wakes_at for task in self._tasks if isinstance(task.waits_for, Pause)]
        if any(isinstance(task.waits_for, Until) for task in self._tasks):
            moments.append(self._next_look)
        if self._waiting and self._may_begin() and self._has_room():
            moments.append(self._next_step)
        deadlines = [task.deadline for task in self._tasks if task.can_be_late()]
        lefts = [left for deadline in (*deadlines, self._deadline) if (left := deadline.left()) is not None]
        now = self._clock.monotonic()
        return min([*(moment - now for moment in moments), *lefts], default=PATIENCE_SECONDS)

    def _take(self, task: Task | None, call: Call, value: Any, error: BaseException | None) -> None:
        """Take the result or the error of a call; ignore it if its step was given up meanwhile."""
        self._in_flight -= not call.foreign
        if task is None:
            self._looked(error)
        elif task.asking:
            self._asked(task, value, error)
        elif task.waits_for is call:
            self._with_the_user.discard(task)
            self._go_on(task, value, error)
            self._last_answer = self._clock.monotonic()

    def _wake(self) -> None:
        """Continue the steps whose pause is over, and those whose time has passed."""
        now = self._clock.monotonic()
        for task in list(self._tasks):
            waits_for = task.waits_for
            if task.can_be_late() and task.deadline.passed():
                self._with_the_user.discard(task)
                self._go_on(task, error=_too_late(waits_for, now - task.began))
            elif isinstance(waits_for, Pause) and now >= task.wakes_at:
                self._go_on(task)

    # Looking

    def _look_if_due(self) -> None:
        """Check all machines that steps wait for, if it is time for that."""
        if self._last_look < self._last_answer and not (self._waiting or self._calls or self._in_flight):
            # All requests are sent: check soon which jobs are over, not only when the next check would be due.
            self._next_look = min(self._next_look, self._last_answer + LAST_LOOK_SECONDS)
        due = [(task, task.waits_for) for task in self._tasks if isinstance(task.waits_for, Until) and not task.asking]
        if not due or self._looking or self._clock.monotonic() < self._next_look:
            return
        self._looking = due
        self._last_look = self._clock.monotonic()
        self._next_look = self._last_look + LOOK_SECONDS
        machines = {wait.machine.id: wait.machine for _, wait in due if wait.is_listed}
        if machines:
            self._calls.appendleft((None, Call(partial(self._watch.look, list(machines.values())))))
        else:
            self._looked(None)

    def _looked(self, error: BaseException | None) -> None:
        """Continue the steps whose goal the check has shown, and call `ask` for those where only that can tell."""
        looking, self._looking = self._looking, []
        if isinstance(error, TRANSIENT_ERRORS):
            log.info("%s: could not look at %d machines: %s", self.report.action, len(looking), error)
            return
        for task, wait in looking:
            if task.waits_for is not wait:
                continue  # its time has passed meanwhile
            if error is not None:
                self._go_on(task, error=error)
                continue
            found = wait.check()
            if found:
                self._go_on(task)
            elif found is None:
                task.asking = True
                self._calls.append((task, Call(wait.ask)))

    def _asked(self, task: Task, found: bool | None, error: BaseException | None) -> None:
        """Continue a step after its `ask`, or let it wait on."""
        task.asking = False
        if error is not None and not isinstance(error, TRANSIENT_ERRORS):
            self._go_on(task, error=error)
        elif found:
            self._go_on(task)

    # Calling

    def _make_calls(self) -> None:
        """Start as many calls as may run at the same time; the user's own functions do not count."""
        for task, call in list(self._calls):
            if not call.foreign and self._in_flight >= CALLS_AT_ONCE:
                continue
            self._calls.remove((task, call))
            if not call.foreign:
                self._in_flight += 1
            elif task:
                self._with_the_user.add(task)
            context = ending_by(self._deadline if task is None else task.deadline)
            # A thread that is not waited for does not keep the process alive.
            Thread(target=context.run, args=(self._call, task, call), name="smartdc-fleet", daemon=True).start()

    def _call(self, task: Task | None, call: Call) -> None:
        try:
            self._news.put((task, call, call.function(), None))
        except BaseException as error:  # noqa: BLE001 (raised in the step)
            self._news.put((task, call, None, error))


def how_to_go_on(options: Options) -> str:
    """Return advice for a run that has not ended, if there is a journal."""
    return f"; the same call continues from here (journal {os.fspath(options.journal)})" if options.journal else ""


def _made_by(problem: Exception) -> Machine | None:
    resource = getattr(problem, "resource", None)
    return resource if isinstance(resource, Machine) else None


def _too_late(waits_for: Call | Until | Pause | None, seconds: float) -> SmartDCError:
    """Return the error for a step whose time has passed."""
    if isinstance(waits_for, Until):
        machine = waits_for.machine
        return WaitTimeout(f"{machine.describe()} {waits_for.goal} after {seconds:.0f} s", resource=machine)
    if isinstance(waits_for, Call):
        return OutcomeUnknown(f"its function has not returned after {seconds:.0f} s")
    return WaitTimeout(f"time was up after {seconds:.0f} s")
