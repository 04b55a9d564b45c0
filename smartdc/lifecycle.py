"""Start, stop and change a machine, and wait until that is done.

Every action is a job: CloudAPI answers 202 at once, also to a start of a running machine, and only the audit tells
later whether the job worked. So the waits here look at the state and at the audit, and compare times by the server's
clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from smartdc.audit import AuditEntry, HasAudit
from smartdc.dates import parse_http_date
from smartdc.errors import APIError, Gone, InputError, ResourceNotFound, WaitFailed, WaitTimeout
from smartdc.resource import Field, Resource, id_of
from smartdc.waiting import DEFAULT_TIMEOUT, poll

__all__ = ["STATES", "HasLifecycle"]

STATES = ("provisioning", "ready", "running", "stopping", "stopped", "offline", "deleted", "failed", "unknown")
"""Every state that CloudAPI tells of a machine."""

RESTING = frozenset({"running", "stopped", "offline", "failed", "deleted"})
"""States in which a machine stays until something is done to it."""

DEAD_ENDS = {
    "deleted": frozenset[str](),
    "failed": frozenset({"deleted"}),
    "provisioning": frozenset({"running", "stopping", "stopped", "failed", "deleted"}),
}
"""Goal to the states from which it cannot be reached; the default is `failed` and `deleted`."""


@dataclass(frozen=True)
class _Act:
    """The last thing done to a machine from here: its name in the audit, the server's time, the state before it."""

    action: str
    at: float
    state: str | None


class HasLifecycle(HasAudit, Resource):
    """What is started, stopped and changed by jobs."""

    name: Field[str]
    state: Field[str]
    _last: _Act | None = None

    def status(self) -> str:
        """Fetch the machine again and return its state: ``GetMachine``."""
        return self.refresh().state

    def stop(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Stop the machine: ``StopMachine``.

        Like all actions it returns when CloudAPI has taken the job; with `wait` it returns when the job is done and
        raises `WaitFailed` when that failed, or `WaitTimeout` after `timeout` seconds (None waits for ever).
        """
        self._act("stop", wait, timeout)

    def start(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Boot the machine: ``StartMachine``."""
        self._act("start", wait, timeout)

    def reboot(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Stop and boot the machine: ``RebootMachine``."""
        self._act("reboot", wait, timeout)

    def resize(
        self, package: str | Mapping[str, Any], *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """Move the machine to another package, given by name, id, dict or resource: ``ResizeMachine``."""
        self._act("resize", wait, timeout, package=id_of(package, "id", "name"))

    def rename(self, name: str, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Give the machine another name: ``RenameMachine``."""
        self._act("rename", wait, timeout, name=id_of(name))

    def enable_firewall(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Let the account's firewall rules apply to the machine: ``EnableMachineFirewall``."""
        self._switch("enable_firewall", "firewall_enabled", True, wait, timeout)

    def disable_firewall(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Let no firewall rule apply to the machine: ``DisableMachineFirewall``."""
        self._switch("disable_firewall", "firewall_enabled", False, wait, timeout)

    def enable_deletion_protection(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Make CloudAPI refuse to delete the machine: ``EnableMachineDeletionProtection``."""
        self._switch("enable_deletion_protection", "deletion_protection", True, wait, timeout)

    def disable_deletion_protection(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Let CloudAPI delete the machine again: ``DisableMachineDeletionProtection``."""
        self._switch("disable_deletion_protection", "deletion_protection", False, wait, timeout)

    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Delete the machine and its disk: ``DeleteMachine``.

        It need not be stopped. `DeletionProtected` is raised where that is on, `Gone` when it was deleted before.
        """
        _, response = self._call("DELETE")
        self._note("destroy", response)
        if wait:
            self.poll_until("deleted", timeout=timeout)

    def poll_until(self, state: str, interval: float = 2, *, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Fetch the machine every `interval` seconds until it is in `state`: ``GetMachine``.

        Raises `WaitFailed`, with the audit's reason, as soon as the state cannot be reached any more or the last
        action that was to lead there has failed, and `WaitTimeout` after `timeout` seconds (None waits for ever).
        """
        _known(state)

        def look() -> bool | None:
            now = self._look()
            if now == state:
                return True
            if now in DEAD_ENDS.get(state, {"failed", "deleted"}):
                self._fail(f"cannot become {state}: it is {now}", self._failure())
            if now in RESTING and (failure := self._failed_act()):
                self._fail(f"did not become {state}: its {failure.action} failed", failure)
            return None

        self._poll(look, f"is not {state}", interval, timeout)

    def poll_while(self, state: str, interval: float = 2, *, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Fetch the machine every `interval` seconds while it is in `state`: ``GetMachine``.

        An action that was just asked for and has not begun to show counts as being in `state` too. Raises
        `WaitFailed` when that action has failed, and `WaitTimeout` after `timeout` seconds (None waits for ever).
        """
        _known(state)

        def look() -> bool | None:
            now = self._look()
            last = self._last
            unmoved = last is not None and now == last.state and now in RESTING
            if now != state and not unmoved:
                return True
            if unmoved and (failure := self._failed_act()):
                self._fail(f"stays {now}: its {failure.action} failed", failure)
            return True if now != state and self._done_act() else None

        self._poll(look, f"is still {state}", interval, timeout)

    def _poll(self, look: Callable[[], bool | None], problem: str, interval: float, timeout: float | None) -> None:
        """Poll on the data centre's clock, and name the machine when the time is up."""
        goal = f"machine {self.name or ''} ({self['id']}) {problem}"
        try:
            poll(look, goal, clock=self.datacenter.clock, interval=interval, timeout=timeout)
        except WaitTimeout as error:
            error.resource = self
            raise

    def _look(self) -> str:
        """Fetch the machine and return its state; one that is gone for good is ``deleted``."""
        try:
            return self.status()
        except (ResourceNotFound, Gone):
            if self._last is None or self._last.action != "destroy":
                raise
            self._data["state"] = "deleted"
            return "deleted"

    def _act(self, action: str, wait: bool, timeout: float | None, **params: str) -> None:
        """Ask for an action, and wait for its job where that is wanted."""
        before = self._entries(action) if wait else []
        _, response = self._call("POST", params={"action": action, **params})
        self._note(action, response)
        if wait:
            self._settle(action, len(before), timeout)

    def _switch(self, action: str, field: str, value: bool, wait: bool, timeout: float | None) -> None:
        """Ask for a setting, and wait until it shows: the audit does not tell of all of these."""
        self._call("POST", params={"action": action})
        if wait:
            self._poll(lambda: self.refresh().get(field) == value or None, f"has not {field}={value}", 2, timeout)

    def _note(self, action: str, response: requests.Response) -> None:
        at = parse_http_date(response.headers.get("Date"))
        self._last = _Act(action, 0.0 if at is None else at, self.state)

    def _settle(self, action: str, before: int, timeout: float | None) -> None:
        """Wait until the audit has one more entry of `action` than `before`, and judge it."""

        def look() -> AuditEntry | None:
            entries = self._entries(action)
            return entries[0] if len(entries) > before else None

        goal = f"machine {self.name or ''} ({self['id']}) has not finished its {action}"
        entry = poll(look, goal, clock=self.datacenter.clock, interval=2, timeout=timeout)
        if not entry.succeeded:
            self._fail(f"did not {action}", entry)
        self._look()

    def _entries(self, action: str) -> list[AuditEntry]:
        return [entry for entry in self.audit() if entry.action == action]

    def _since_act(self) -> AuditEntry | None:
        """Return the audit's entry for the last action from here, if its job is finished."""
        last = self._last
        if last is None:
            return None
        entries = self._entries(last.action)
        return next((entry for entry in entries if entry.time.timestamp() >= last.at), None)

    def _failed_act(self) -> AuditEntry | None:
        entry = self._since_act()
        return None if entry is None or entry.succeeded else entry

    def _done_act(self) -> bool:
        return self._since_act() is not None

    def _failure(self) -> AuditEntry | None:
        """Return the newest failure that the audit knows; a machine that is gone may have no audit."""
        try:
            return next((entry for entry in self.audit() if not entry.succeeded), None)
        except APIError:
            return None

    def _fail(self, problem: str, reason: AuditEntry | None) -> None:
        why = (
            ""
            if reason is None
            else f" (the audit says: {reason.action}, success {reason['success']}, {reason['time']})"
        )
        raise WaitFailed(f"machine {self.name or ''} ({self['id']}) {problem}{why}", resource=self, reason=reason)


def _known(state: str) -> None:
    """Refuse a state that no machine is ever in: waiting for it would only end with the time."""
    if state not in STATES:
        raise InputError(f"{state!r} is no state of a machine; these are: {', '.join(STATES)}")
