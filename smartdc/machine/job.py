"""Request jobs for a machine, and follow them in its audit.

CloudAPI answers an action with 202 at once, even if it cannot work; only the audit shows later whether the job
succeeded. The audit lists only finished jobs, newest first, by name and time, and does not say to which request a job
belongs. There are two ways from a request to its entry, and both need the audit from before the request:

- With ``wait=True`` the audit is read first; the job has finished when there is one more entry of its name.
- Otherwise the request is remembered (`RequestedJob`) for a later ``poll_until``. Its entry is newer by the server's
  clock, and there are more entries of its name than when the audit was last read: the second condition is needed
  because two jobs within one second have the same time.

If the answer to a request is lost, only a job that is waited for is looked up (`Sending`): one more entry of its name
is its entry, and if it changes the state, a new state in which no machine stays is its work. This assumes that nobody
else changes the machine at that moment. Another caller's job of that name cannot be told from ours, and counts as ours;
if the state was that of another job, the wait ends with `WaitTimeout`, whose note says that the answer was lost. A job
that takes longer than the data centre's `settle` and does not change the state meanwhile, such as a long resize, shows
no sign in time; then the error is raised, and says that the outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

import requests

from smartdc.core.field import Field
from smartdc.core.literals import Action, MachineState
from smartdc.core.resource import Resource
from smartdc.errors import APIError, BadResponse, Gone, ResourceNotFound, WaitFailed
from smartdc.http.dates import parse_http_date
from smartdc.http.light import is_from_a_server
from smartdc.machine.audit import AuditEntry, HasAudit
from smartdc.waiting.create_once import MAX_SKEW_SECONDS
from smartdc.waiting.poll import DEFAULT_TIMEOUT, poll
from smartdc.waiting.sending import Sending
from smartdc.waiting.stateful import Stateful, waits_on

if TYPE_CHECKING:
    from smartdc.machine.machine import Machine

__all__ = [
    "ROUND_TRIPS",
    "STABLE_STATES",
    "HasJobs",
    "MachinePart",
    "RequestedJob",
    "is_at_work",
    "newer_than",
    "way_on",
    "way_to_see",
]

STATE_CHANGING_ACTIONS = frozenset(
    {"start", "stop", "reboot", "destroy", "rollback_snapshot", "add_nics", "remove_nics"}
)
"""Actions that change a machine's state, if only for a while: a wait for a state checks the result of the last one."""


STABLE_STATES = frozenset({"running", "stopped", "offline", "failed", "deleted"})
"""States in which a machine stays until a job changes it."""

REACHES: Mapping[Action, MachineState] = {
    "start": "running",
    "stop": "stopped",
    "reboot": "running",
    "destroy": "deleted",
    "rollback_snapshot": "running",
}
"""Actions that end in a certain state, so that a wait for this state is possible."""

ROUND_TRIPS = frozenset({"reboot", "rollback_snapshot", "add_nics", "remove_nics"})
"""Actions that end in the state in which they began, so that this state proves nothing."""

DELETIONS = frozenset({"delete_snapshot", "remove_nics"})
"""Actions whose request is sent again when its answer is lost: there may be two jobs, and the second one fails."""

REQUIRES: Mapping[Action, MachineState] = {"start": "stopped", "stop": "running", "reboot": "running"}
"""Actions that succeed only in one state."""


IN_THE_AUDIT = "machine.audit() shows when it has ended"


@dataclass(frozen=True)
class RequestedJob:
    """A job that this object has requested.

    `action` is its name in the audit, `requested_at` the server's time in epoch seconds, and `state_before` the
    machine's state. `seen` is how many entries of its name the audit had when it was last read.
    """

    action: Action
    requested_at: float
    state_before: str | None
    seen: int

    def objection(self) -> str:
        """Return in parentheses why it could not work, if the state before it shows that, or ''."""
        before, required = self.state_before, REQUIRES.get(self.action)
        if before is None or required is None or before == required:
            return ""
        return f" (it was {before}{' already' if before == REACHES.get(self.action) else ''})"


class HasJobs(HasAudit, Stateful[MachineState]):
    """Mix-in for machines, which CloudAPI changes by jobs."""

    __slots__ = ()

    name: Field[str]
    _last_job: RequestedJob | None = None
    _entries_seen: Mapping[str, int] = {}

    def request_job(
        self,
        action: Action,
        *names: str,
        method: str = "POST",
        params: Mapping[str, Any] | None = None,
        wait: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT,
        words: str = "",
    ) -> RequestedJob:
        """Request a job whose name in the audit is `action`, and with `wait` wait until it has finished.

        `method`, `names` (the path below the machine) and `params` are the request. Progress calls the job `words`.
        """
        words = words or action.replace("_", " ")
        if wait:
            poll(self, partial(self._count_entries, action), "has no audit", timeout=timeout, progress=False)
        job = self._planned(action)
        sign = partial(self._is_received, job) if wait else None
        with Sending(self, words, way_to_see(action), sign=sign, timeout=timeout) as sending:
            _, response = self._call(method, *names, params=params)
            job = self._remember(job, response)
        if sending.lost:
            self._remember(job)
        if wait:
            finished, goal = partial(self._has_finished, job), f"has not finished its {action}"
            with sending.noting_its_loss():
                poll(self, finished, goal, timeout=timeout, job=words, hint=way_on(action), since=sending.since)
        return job

    def _planned(self, action: Action) -> RequestedJob:
        """Return a job that is about to be requested."""
        # Until the server's date is known, our clock must do, minus its largest error: the audit also has older jobs.
        moment = self._now() - MAX_SKEW_SECONDS
        return RequestedJob(action, moment, self.state, self._entries_seen.get(action, 0))

    def _remember(self, job: RequestedJob, response: requests.Response | None = None) -> RequestedJob:
        """Return a job with the server's time of its request, if known; remember the job if it changes the state."""
        if response is not None:
            # A stand-in for a data centre, which sends no real request, may answer 200 to everything.
            if response.status_code == 200 and response.request and is_from_a_server(response):
                request = f"{response.request.method} {response.request.path_url}"
                raise BadResponse(f"{request}: unexpected status 200 for a job, which CloudAPI accepts with 202 or 204")
            moment = parse_http_date(response.headers.get("Date"))
            job = job if moment is None else replace(job, requested_at=moment)
        if job.action in STATE_CHANGING_ACTIONS:
            self._last_job = job
        return job

    def _is_received(self, job: RequestedJob) -> bool:
        """Fetch the audit, and the machine if the job changes its state; return whether one of them shows the job."""
        if len(self._audit_entries(job.action)) > job.seen:
            return True
        return job.action in STATE_CHANGING_ACTIONS and is_at_work(self.look(), job.state_before)

    def _has_finished(self, job: RequestedJob) -> bool:
        """Return whether the audit has an entry more of a job's name; fetch the machine, or raise the failure."""
        entries = self._entries_of(job.action, self.audit())
        newer = newer_than(job.seen, entries)
        if not newer:
            return False
        succeeded = any(entry.succeeded for entry in newer) if job.action in DELETIONS else newer[0].succeeded
        if not succeeded:
            self._raise_wait_failed(f"did not {job.action}{job.objection()}", newer[0])
        self.refresh()
        return True

    def _audit_entries(self, action: Action) -> list[AuditEntry]:
        """Fetch the audit and return its entries of one action, newest first."""
        return self._entries_of(action, self.audit())

    def _entries_of(self, action: Action, audit: list[AuditEntry]) -> list[AuditEntry]:
        entries = [entry for entry in audit if entry.action == action]
        self._entries_seen = {**self._entries_seen, action: len(entries)}
        return entries

    def _count_entries(self, action: Action) -> bool:
        """Remember how many entries of one action the audit has, which may be none."""
        self._entries_of(action, self.audit())
        return True

    def _outcome_of(self, job: RequestedJob | None) -> AuditEntry | None:
        """Return the audit's entry for a job that this object has requested, if it has finished."""
        if job is None:
            return None
        try:
            entries = self._audit_entries(job.action)
        except (ResourceNotFound, Gone):
            # The machine was deleted after the last check; the next one will show it.
            return None
        is_newer = len(entries) > job.seen and entries[0].time.timestamp() >= job.requested_at
        return entries[0] if is_newer else None

    def fail(self, problem: str) -> NoReturn:
        """Raise `WaitFailed` with a problem and the audit's reason: ``MachineAudit``."""
        self._raise_wait_failed(problem, self._failure_reason())

    def _failure_reason(self) -> AuditEntry | None:
        """Return the audit's reason for a final state; a machine that is gone may have no audit."""
        try:
            entries = self.audit()
        except APIError:
            return None
        reasons = (entry for entry in entries if not entry.succeeded or entry.action == "destroy")
        return next(reasons, None)

    def _raise_wait_failed(self, problem: str, reason: AuditEntry | None) -> NoReturn:
        """Raise `WaitFailed` with the audit's reason, or with advice where to look for it."""
        audit = (
            f"its audit says that {reason.describe()}"
            if reason
            else "its audit gives no reason; machine.audit() may have one later, and the operator can look up the id"
        )
        raise WaitFailed(f"{self.describe()} {problem}; {audit}", resource=self, reason=reason)


def newer_than(seen: int, entries: list[AuditEntry]) -> list[AuditEntry]:
    """Return the entries that that an audit has more than the `seen` ones; none if it is shorter now."""
    return entries[: max(len(entries) - seen, 0)]


def is_at_work(state: str | None, before: str | None) -> bool:
    """Return whether a machine that was in the state `before` is in one in which it stays only during a job."""
    return state not in (None, "unknown", before, *STABLE_STATES)


def way_to_see(action: Action) -> str:
    """Return advice how to see whether a job was received, and how it has ended."""
    state = REACHES.get(action)
    if state is None or action in ROUND_TRIPS:
        return IN_THE_AUDIT
    return f"{IN_THE_AUDIT}, and machine.poll_until({state!r}) waits for that"


def way_on(action: Action) -> str:
    """Return advice how to see the end of a job after the wait for it was interrupted."""
    state = REACHES.get(action)
    return waits_on("machine", [state]) if state else IN_THE_AUDIT


class MachinePart(Resource):
    """A resource that belongs to one machine."""

    __slots__ = ()

    @property
    def machine(self) -> Machine:
        """The machine that it belongs to."""
        # Only machines have parts; the mix-ins that make them know themselves as `HasJobs`.
        return cast("Machine", self._parent)
