"""A run: its journal, its engine, and the only way in which a step requests something that must not happen twice."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from smartdc.core import literals
from smartdc.errors import CallError, SmartDCError, WaitFailed, WaitTimeout
from smartdc.fleet.engine import LOOK_SECONDS, Engine, how_to_go_on
from smartdc.fleet.journal import Journal, Record
from smartdc.fleet.options import Options, answer_of
from smartdc.fleet.report import OutcomeUnknown, Report, failure, reason_of
from smartdc.fleet.step import Call, Pause, Step, Until, Work
from smartdc.http.dates import parse_http_date
from smartdc.http.failures import TRANSIENT_ERRORS
from smartdc.machine.job import STABLE_STATES, RequestedJob, is_at_work
from smartdc.machine.machine import Machine
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["UNDONE", "Action", "Run", "Schedule", "server_time"]

UNDONE = ("refused", "failed")
"""Entries of the journal for requests that had no effect, and may be sent again."""

FIRST_AUDIT_SECONDS = 16.0
"""Seconds after which the audit is read for a job whose result is not visible; it is read again after twice as many."""
MAX_ATTEMPTS = 3
"""How many times a request is sent if each answer is lost."""


def server_time(dc: DataCenter) -> float:
    """Return the server's time, or a little less: its newest date, plus the time that has passed since."""
    date, heard_at = dc.session.last_date or (None, 0.0)
    moment = parse_http_date(date)
    return dc.session.now() if moment is None else moment + dc.clock.monotonic() - heard_at


@dataclass
class Action:
    """An action on a machine, and the sign of its success.

    Args:
        name: its name in the audit.
        machine: the machine whose state shows its success.
        send: sends its request, once.
        shows: whether the machine, as last seen, shows its success; None if only the audit can tell.
        goal: the words for an error when time is up, such as ``is not running``.
        repeatable: whether two requests do no harm.
        dead_ends: states in which it can never succeed.
    """

    name: literals.Action
    machine: Machine
    send: Callable[[], RequestedJob]
    shows: Callable[[], bool] | None
    goal: str
    repeatable: bool = True
    dead_ends: frozenset[str] = frozenset({"failed", "deleted"})


@dataclass
class Run:
    """The things that all steps of one run use."""

    datacenter: DataCenter
    options: Options
    journal: Journal
    engine: Engine
    known: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """The data of machines in a listing when the run resumed, by their ids."""

    def carry_out(self, steps: Iterable[Step]) -> Report:
        """Carry out the steps, and end the journal if nothing is left to do; with `check`, raise `FleetFailed`."""
        try:
            report = self.engine.run(steps)
            if not (report.failed or report.unknown or report.untouched):
                self.journal.end(done=len(report.done))
        finally:
            self.journal.close()
        too_many = len(report.failed) + len(report.unknown) > self.options.may_fail(report.total)
        if self.options.check and (too_many or report.untouched):
            raise failure(report, how_to_go_on(self.options))
        return report

    def step(self, machine: Machine, work: Callable[[], Work]) -> Step:
        """Return the whole step of a machine that already exists."""
        return Step(machine, self.whole(machine.id, work))

    def whole(self, key: str, work: Callable[[], Work]) -> Work:
        """Do the work on one machine, unless the journal says that it is done, and check the machine's health."""
        past = self.journal.past(key, "step")
        if past:
            return self.machine(past["id"], past["name"])
        machine = yield from work()
        yield from self.healthy(key, machine)
        self.journal.write(key, "step", "done", id=machine.id, name=machine.get("name"))
        return machine

    def machine(self, identity: str, name: str | None) -> Machine:
        """Return a machine from the journal, as it was listed when the run resumed."""
        return Machine(self.datacenter, data=self.known.get(identity) or {"id": identity, "name": name, "state": None})

    # Parts of steps

    def noted(self, key: str, part: str, function: Callable[[], Any]) -> Generator[Any, Any, None]:
        """Call a function that may be called twice, unless the journal says that it is done."""
        if not self.journal.past(key, part):
            yield Call(function)
            self.journal.write(key, part, "done")

    def acted(self, key: str, action: Action, part: str = "") -> Generator[Any, Any, None]:
        """Carry out one action of the step `key`, unless the journal says that it is done.

        Every request is in the journal first. If its answer is lost, now or when an earlier process was killed, the
        machine and its audit show the result before the request is sent again.
        """
        part = part or action.name
        past = self.journal.past(key, part)
        if past and past["now"] == "done":
            return
        try:
            past = yield from self._accepted(key, part, action, past)
            if past["now"] != "over":
                yield self._until_over(action, past)
        except WaitFailed:
            self.journal.write(key, part, "failed")
            raise
        self.journal.write(key, part, "done")

    def _accepted(self, key: str, part: str, action: Action, past: Record | None) -> Generator[Any, Any, Record]:
        """Request an action until it is certain that it was accepted, and return the journal's entry about it."""
        lost: list[CallError] = []
        while True:
            if past and (known := (yield from self._found_accepted(action, past))):
                return known
            if len(lost) == MAX_ATTEMPTS:
                lost[-1].applied = False
                lost[-1].__notes__ = []  # they say that it may have been applied
                raise lost[-1]
            if error := (yield from self._request(key, part, action, past)):
                lost.append(error)
            past = self.journal.past(key, part)

    def _found_accepted(self, action: Action, past: Record) -> Generator[Any, Any, Record | None]:
        """Return the journal's entry about a request if it was accepted, and None if it certainly was not."""
        if past["now"] == "accepted":
            return past
        if not (yield from self._was_applied(action, past)):
            return None
        is_over = action.shows() if action.shows else action.machine.state in STABLE_STATES
        return {**past, "now": "over" if is_over else "accepted"}

    def _request(
        self, key: str, part: str, action: Action, past: Record | None
    ) -> Generator[Any, Any, CallError | None]:
        """Request an action, and return the error if it may have been accepted all the same."""
        try:
            yield Call(partial(self._send, key, part, action))
        except CallError as error:
            # The refusal may mean that it was done before.
            if error.applied is False and not (past and (yield from self._shows_now(action))):
                raise
            return error
        return None

    def _send(self, key: str, part: str, action: Action) -> None:
        """Request an action, with one line in the journal before it and one after it."""
        self.engine.permit()
        before = {"state": action.machine.get("state"), "updated": action.machine.get("updated")}
        self.journal.write(key, part, "sent", at=server_time(self.datacenter), **before)
        try:
            job = action.send()
        except SmartDCError as error:
            if not isinstance(error, CallError) or error.applied is False:
                self.journal.write(key, part, "refused")
            raise
        self.journal.write(key, part, "accepted", at=job.requested_at, **before)

    def _until_over(self, action: Action, past: Record) -> Until:
        """Return the wait for the end of an accepted action."""
        job = RequestedJob(action.name, float(past["at"]), past["state"], 0)
        machine = action.machine
        audits = Schedule(self.datacenter, FIRST_AUDIT_SECONDS)

        def check() -> bool | None:
            if action.shows and action.shows():
                return True
            if machine.state in action.dead_ends:
                return None
            # A finished job has changed the machine.
            changed = machine.get("updated") != past["updated"] and machine.state in STABLE_STATES
            return None if audits.is_due() or (action.shows is None and changed) else False

        def ask() -> bool:
            if machine.state in action.dead_ends:
                machine.fail(f"cannot do its {action.name}: it is {machine.state}")
            return machine.has_succeeded(job, action.goal) and action.shows is None

        return Until(machine, check, ask, action.goal)

    def _was_applied(self, action: Action, past: Record) -> Generator[Any, Any, bool]:
        """Find out whether a request without an answer, or with an error, was applied.

        The state shows it, or the audit, by the server's time. If neither shows it at a time when it would certainly be
        visible, the request was not applied.
        """
        machine = action.machine
        if past["now"] in UNDONE:
            return (yield from self._shows_now(action))
        if _has_begun(action, past):
            return True
        job = RequestedJob(action.name, float(past["at"]), past["state"], 0)
        settle = self.datacenter.settle
        if action.repeatable:
            settle = min(settle, JOB_SETTLE_SECONDS)
        ask = partial(machine.has_succeeded, job, action.goal)
        try:
            if action.shows is None and (yield from self.insisted(ask)):
                return True
            yield Pause(job.requested_at + settle - server_time(self.datacenter))
            yield Until(machine, lambda: True, ask, action.goal)
            return _has_begun(action, past) or (yield from self.insisted(ask))
        except WaitTimeout:
            raise OutcomeUnknown(f"unknown whether {machine.describe()} received its {action.name}") from None

    def _shows_now(self, action: Action) -> Generator[Any, Any, bool]:
        """Fetch the machine, and return whether it shows the success of the action; False if that is not visible."""
        if action.shows is None:
            return False
        yield from self.insisted(lambda: bool(action.machine.look()))
        return action.shows()

    def insisted(self, look: Callable[[], bool]) -> Generator[Any, Any, bool]:
        """Check until a check succeeds: a failed check must not count as "not applied"."""
        while True:
            try:
                return bool((yield Call(look)))
            except TRANSIENT_ERRORS:
                yield Pause(LOOK_SECONDS)

    def healthy(self, key: str, machine: Machine) -> Generator[Any, Any, None]:
        """Call the user's health function with a machine until it returns true, or the step's time is up."""
        function = self.options.healthy
        if function is None or self.journal.past(key, "healthy"):
            return
        reason = "the first check has not returned"
        while True:
            try:
                if (yield Call(partial(answer_of, function, machine), foreign=True)):
                    break
                reason = "the last check said no"
            except OutcomeUnknown:
                pass  # its time is up, and that ends the pause at once
            except Exception as error:  # noqa: BLE001 (the user's own function may raise anything)
                reason = f"the last check raised {reason_of(error)}"
            try:
                yield Pause(LOOK_SECONDS)
            except WaitTimeout:
                raise _unhealthy(machine, reason) from None
        self.journal.write(key, "healthy", "done")


def _unhealthy(machine: Machine, reason: str) -> WaitTimeout:
    return WaitTimeout(f"{machine.describe()} is {machine.state}, but not healthy in time: {reason}", resource=machine)


class Schedule:
    """Times for repeated checks: after some seconds, and again after twice as many."""

    def __init__(self, dc: DataCenter, first: float) -> None:
        self._clock = dc.clock
        self._pause = first
        self._next = self._clock.monotonic() + first

    def check(self) -> Literal[False] | None:
        """Return None, which makes `Until` call its `ask`, when it is time for that, and otherwise False."""
        return None if self.is_due() else False

    def is_due(self) -> bool:
        """Return whether the next time has come; True only once for each time."""
        is_due = self._clock.monotonic() >= self._next
        if is_due:
            self._pause *= 2
            self._next = self._clock.monotonic() + self._pause
        return is_due


def _has_begun(action: Action, past: Record) -> bool:
    """Return whether a machine, as last seen, shows the success of an action, or that it has begun."""
    state = action.machine.state
    return is_at_work(state, past["state"]) or bool(action.shows and action.shows())
