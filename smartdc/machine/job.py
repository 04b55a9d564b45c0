"""Follow the jobs that CloudAPI starts for a machine.

An action answers 202 at once, also where it cannot work, and only the audit tells later whether the job did. So what
waits here looks at the state and at the audit, and compares times by the server's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import requests

from smartdc.core.resource import Field, Resource
from smartdc.errors import APIError, BadResponse, Gone, ResourceNotFound, WaitFailed, WaitTimeout
from smartdc.http.dates import parse_http_date
from smartdc.machine.audit import AuditEntry, HasAudit
from smartdc.waiting.create_once import MAX_SKEW_SECONDS
from smartdc.waiting.poll import DEFAULT_TIMEOUT, poll
from smartdc.waiting.progress import Progress, Reporter, reporter

__all__ = ["Act", "HasJobs"]

T = TypeVar("T")

STATE_CHANGING_ACTIONS = frozenset(
    {"start", "stop", "reboot", "destroy", "rollback_snapshot", "add_nics", "remove_nics"}
)
"""Actions that change a machine's state, if only for a while: waits for a state ask how the last of these went."""


@dataclass(frozen=True)
class Act:
    """Something done to a machine from here.

    `action` is its name in the audit, `at` the server's time, `state` the machine's before it, and `seen` how many
    of its kind the audit had when it was last read: times alone do not tell two within one second apart.
    """

    action: str
    at: float
    state: str | None
    seen: int


class HasJobs(HasAudit, Resource):
    """What is changed by jobs."""

    name: Field[str]
    state: Field[str]
    _last: Act | None = None
    _seen: Mapping[str, int] = {}

    def _request_job(
        self, action: str, ask: Callable[[], requests.Response], *, wait: bool, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """Ask for a job that the audit will call `action`, and wait for its end where that is wanted."""
        if not wait:
            self._remember(action, ask())
            return
        before = self._poll(lambda: self._audit_entries(action), "has no audit", timeout=timeout, progress=False)
        self._remember(action, ask())
        self._wait_for_audit(action, len(before), timeout)

    def _remember(self, action: str, response: requests.Response) -> Act:
        """Write down what was asked for, and when by the server's clock; remember it if it changes the state."""
        if response.status_code == 200:
            asked = f"{response.request.method} {response.request.path_url}"
            raise BadResponse(f"{asked}: 200 is not how CloudAPI answers that it took a job")
        at = parse_http_date(response.headers.get("Date"))
        # Without a date ours must do, as far as it can be wrong: the audit has older jobs of that name.
        at = self.datacenter.session.now() - MAX_SKEW_SECONDS if at is None else at
        act = Act(action, at, self.state, self._seen.get(action, 0))
        if action in STATE_CHANGING_ACTIONS:
            self._last = act
        return act

    def _wait_for_audit(self, action: str, before: int, timeout: float | None) -> None:
        """Wait until the audit has more entries of `action` than `before`, judge the newest, and fetch the machine."""

        def look() -> AuditEntry | None:
            entries = self._audit_entries(action)
            if len(entries) <= before:
                return None
            if entries[0].succeeded:
                self.refresh()
            return entries[0]

        entry = self._poll(look, f"has not finished its {action}", timeout=timeout)
        if not entry.succeeded:
            self._raise_wait_failed(f"did not {action}", entry)

    def _poll(
        self,
        look: Callable[[], T | None],
        problem: str,
        *,
        interval: float = 2.0,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporter | bool | None = None,
    ) -> T:
        """Poll on the data centre's clock, tell how it gets on, and name the machine when the time is up."""
        report = reporter(self.datacenter.progress if progress is None else progress)

        def watch(elapsed: float, done: bool) -> None:
            if report:
                report(Progress(self.name or self["id"], self.state, elapsed, timeout, done))

        goal = f"{self._called()} {problem}"
        clock = self.datacenter.clock
        try:
            return poll(look, goal, clock=clock, interval=interval, timeout=timeout, watch=watch)
        except WaitTimeout as error:
            error.resource = self
            raise

    def _audit_entries(self, action: str) -> list[AuditEntry]:
        entries = [entry for entry in self.audit() if entry.action == action]
        self._seen = {**self._seen, action: len(entries)}
        return entries

    def _end_of(self, act: Act | None) -> AuditEntry | None:
        """Return the audit's entry for something done from here, if its job is finished."""
        if act is None:
            return None
        try:
            entries = self._audit_entries(act.action)
        except (ResourceNotFound, Gone):
            # It was deleted since it was looked at, as the next look tells.
            return None
        new = len(entries) > act.seen and entries[0].time.timestamp() >= act.at
        return entries[0] if new else None

    def _failure_reason(self) -> AuditEntry | None:
        """Return what the audit tells of a state of no return; a machine that is gone may have no audit."""
        try:
            entries = self.audit()
        except APIError:
            return None
        telling = (entry for entry in entries if not entry.succeeded or entry.action == "destroy")
        return next(telling, None)

    def _raise_wait_failed(self, problem: str, reason: AuditEntry | None) -> NoReturn:
        """Raise `WaitFailed` with what the audit says."""
        told = f" (the audit: {reason.action}, success {reason.get('success')}, {reason.get('time')})" if reason else ""
        raise WaitFailed(f"{self._called()} {problem}{told}", resource=self, reason=reason)

    def _called(self) -> str:
        return f"machine {self.name} ({self['id']})" if self.name else f"machine {self['id']}"
