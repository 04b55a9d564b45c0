"""Start, stop and change a machine, and wait for a state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smartdc.core import arguments
from smartdc.core.resource import id_of
from smartdc.errors import Gone, InputError, ResourceNotFound
from smartdc.machine.job import HasJobs
from smartdc.waiting.poll import DEFAULT_TIMEOUT
from smartdc.waiting.progress import Reporter

__all__ = ["STATES", "HasLifecycle", "known"]

STATES = ("provisioning", "ready", "running", "stopping", "stopped", "offline", "deleted", "failed", "unknown")
"""Every state that CloudAPI tells of a machine."""

STABLE_STATES = frozenset({"running", "stopped", "offline", "failed", "deleted"})
"""States in which a machine stays until something is done to it."""

DEAD_ENDS = {
    "deleted": frozenset[str](),
    "failed": frozenset({"deleted"}),
    "provisioning": frozenset({"running", "stopping", "stopped", "failed", "deleted"}),
}
"""Goal to the states from which it cannot be reached; the default is `failed` and `deleted`."""

ROUND_TRIPS = frozenset({"reboot", "rollback_snapshot", "add_nics", "remove_nics"})
"""Actions that end in the state they began in, which therefore proves nothing."""


class HasLifecycle(HasJobs):
    """What is started and stopped."""

    def status(self) -> str:
        """Fetch the machine again and return its state: ``GetMachine``."""
        self.refresh()
        return self._string("state")

    def stop(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Stop the machine: ``StopMachine``.

        Like all actions it returns when CloudAPI has taken the job; with `wait` it returns when the job is done and
        raises `WaitFailed` when that failed, or `WaitTimeout` after `timeout` seconds (None waits for ever).
        """
        self._act("stop", wait, timeout)

    def start(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Boot the machine: ``StartMachine``. `wait` and `timeout` are those of `stop`."""
        self._act("start", wait, timeout)

    def reboot(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Stop and boot the machine: ``RebootMachine``. `wait` and `timeout` are those of `stop`."""
        self._act("reboot", wait, timeout)

    def resize(
        self, package: str | Mapping[str, Any], *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """Move the machine to another package, given by name, id, dict or resource: ``ResizeMachine``.

        `wait` and `timeout` are those of `stop`.
        """
        self._act("resize", wait, timeout, package=id_of(package, "id", "name"))

    def rename(self, name: str, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Give the machine another name: ``RenameMachine``. `wait` and `timeout` are those of `stop`."""
        self._act("rename", wait, timeout, name=id_of(arguments.strings(name=name).get("name")))

    def enable_firewall(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Let the account's firewall rules apply to the machine: ``EnableMachineFirewall``.

        With `wait` it returns when `firewall_enabled` shows that, and else raises as `stop` does.
        """
        self._switch("enable_firewall", "firewall_enabled", True, wait, timeout)

    def disable_firewall(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Let no firewall rule apply to the machine: ``DisableMachineFirewall``; `wait` is that of `enable_firewall`."""
        self._switch("disable_firewall", "firewall_enabled", False, wait, timeout)

    def enable_deletion_protection(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Make CloudAPI refuse to delete the machine: ``EnableMachineDeletionProtection``.

        With `wait` it returns when `deletion_protection` shows that, and else raises as `stop` does.
        """
        self._switch("enable_deletion_protection", "deletion_protection", True, wait, timeout)

    def disable_deletion_protection(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Let CloudAPI delete the machine again: ``DisableMachineDeletionProtection``.

        `wait` is that of `enable_deletion_protection`.
        """
        self._switch("disable_deletion_protection", "deletion_protection", False, wait, timeout)

    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Delete the machine and its disk: ``DeleteMachine``.

        It need not be stopped. `DeletionProtected` is raised where that is on, `Gone` when it was deleted before.
        With `wait` it returns when the machine is gone, or raises `WaitTimeout` after `timeout` seconds.
        """
        _, response = self._call("DELETE")
        self._remember("destroy", response)
        if wait:
            self.poll_until("deleted", timeout=timeout)

    def poll_until(
        self,
        state: str,
        interval: float = 2,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporter | bool | None = None,
    ) -> None:
        """Fetch the machine every `interval` seconds until it is in `state`: ``GetMachine``.

        Raises `WaitFailed`, with the audit's reason, as soon as the state cannot be reached any more or the last
        action that was to lead there has failed, and `WaitTimeout` after `timeout` seconds (None waits for ever).
        `progress` is called at every look, or True for a line on the terminal.
        """
        known(state)
        problem = f"is not {state}"
        self._poll(lambda: self._reached(state), problem, interval=interval, timeout=timeout, progress=progress)

    def poll_while(
        self,
        state: str,
        interval: float = 2,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporter | bool | None = None,
    ) -> None:
        """Fetch the machine every `interval` seconds while it is in `state`: ``GetMachine``.

        An action that was just asked for and has not begun to show counts as being in `state` too. Raises
        `WaitFailed` when that action has failed, and `WaitTimeout` after `timeout` seconds (None waits for ever).
        `progress` is called at every look, or True for a line on the terminal.
        """
        known(state)
        problem = f"is still {state}"
        self._poll(lambda: self._left(state), problem, interval=interval, timeout=timeout, progress=progress)

    def _judge(self, state: str, *, audit: bool = True) -> bool | None:
        """Tell whether the machine, as last seen, is in `state`, or None while it may still get there.

        Raises `WaitFailed` when it cannot, as far as its state and, if it is to be read, the audit tell.
        """
        now = self.state
        if now == state and not self._is_back_where_it_was():
            return True
        if now != state and now in DEAD_ENDS.get(state, {"failed", "deleted"}):
            self._raise_wait_failed(f"cannot become {state}: it is {now}", self._failure_reason())
        if not audit or now not in STABLE_STATES:
            return None
        end = self._end_of(self._last)
        if end is not None and not end.succeeded:
            self._raise_wait_failed(f"did not become {state}: its {end.action} failed", end)
        return (now == state and end is not None) or None

    def _look(self, seen: Mapping[str, Any] | None = None) -> str:
        """Take what was seen of the machine elsewhere, or fetch it: ``GetMachine``; and return its state.

        A machine that CloudAPI has forgotten is ``deleted``.
        """
        if seen is not None:
            self._keep(seen)
            return self._string("state")
        try:
            return self.status()
        except (ResourceNotFound, Gone):
            self._data["state"] = "deleted"
            return "deleted"

    def _reached(self, state: str) -> bool | None:
        self._look()
        return self._judge(state)

    def _left(self, state: str) -> bool | None:
        """Fetch the machine and tell whether it is out of `state`, or None while that may still come."""
        now, last = self._look(), self._last
        if last is None or now != last.state or now not in STABLE_STATES:
            return now != state or None
        end = self._end_of(last)
        if end is not None and not end.succeeded:
            self._raise_wait_failed(f"stays {now}: its {end.action} failed", end)
        return (now != state and end is not None) or None

    def _is_back_where_it_was(self) -> bool:
        last = self._last
        return last is not None and last.action in ROUND_TRIPS and last.state == self.state

    def _act(self, action: str, wait: bool, timeout: float | None, **params: str) -> None:
        """Ask for an action, and wait for its job where that is wanted."""
        ask = {"action": action, **params}
        self._request_job(action, lambda: self._call("POST", params=ask)[1], wait=wait, timeout=timeout)

    def _switch(self, action: str, field: str, value: bool, wait: bool, timeout: float | None) -> None:
        """Ask for a setting, and wait until it shows; the audit tells of those that failed, but not of all."""
        _, response = self._call("POST", params={"action": action}, repeatable=True)
        act = self._remember(action, response)

        def look() -> bool | None:
            shown = self.refresh().get(field) == value
            end = None if shown else self._end_of(act)
            if end is not None and not end.succeeded:
                self._raise_wait_failed(f"did not {action}", end)
            return shown or None

        if wait:
            self._poll(look, f"has not {field}={value}", timeout=timeout)


def known(state: str) -> None:
    """Refuse a state that no machine is ever in: waiting for it would only end with the time."""
    if state not in STATES:
        raise InputError(f"{state!r} is no state of a machine; these are: {', '.join(STATES)}")
