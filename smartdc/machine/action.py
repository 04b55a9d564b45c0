"""Start, stop and change a machine, and wait for a state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from smartdc.core import arguments
from smartdc.core.literals import Action, MachineState
from smartdc.core.lookup import id_of
from smartdc.core.operation import operation
from smartdc.errors import InvalidArgument, NameTaken
from smartdc.machine.job import ROUND_TRIPS, STABLE_STATES, HasJobs, RequestedJob, way_on
from smartdc.resources.package import hint_at_packages
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, poll
from smartdc.waiting.progress import Reporting
from smartdc.waiting.sending import Sending
from smartdc.waiting.stateful import checked_states, either, waits_on

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["STATES", "HasLifecycle"]

STATES = get_args(MachineState)
"""Every state that CloudAPI gives a machine."""

DEAD_ENDS: Mapping[MachineState, frozenset[str]] = {
    "deleted": frozenset[str](),
    "failed": frozenset({"deleted"}),
    "provisioning": frozenset({"running", "stopping", "stopped", "failed", "deleted"}),
}
"""Goal to the states from which it cannot be reached; the default is `failed` and `deleted`."""


class HasLifecycle(HasJobs):
    """Mix-in for machines: start, stop and change them."""

    __slots__ = ()

    states = STATES

    @operation("GetMachine")
    def status(self) -> MachineState:
        """Fetch the machine again and return its state: ``GetMachine``."""
        return super().status()

    @operation("StopMachine")
    def stop(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Stop the machine: ``StopMachine``.

        Like all actions, it returns when CloudAPI has accepted the job. With `wait`, it returns when the job is done,
        and raises `WaitFailed` if the job failed, or `WaitTimeout` after `timeout` seconds (None waits for ever). If
        CloudAPI's answer is lost, a call with `wait` looks whether the job was received, and goes on waiting, or raises
        the error of the request when there is no sign of it; another caller's `stop` at that moment counts as this one.
        `state` is the last known one: without `wait`, it does not change until `refresh` or a wait.
        """
        self.request_job("stop", params={"action": "stop"}, wait=wait, timeout=timeout)

    @operation("StartMachine")
    def start(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Boot the machine: ``StartMachine``. `wait` and `timeout` are those of `stop`.

        `state` is the last known one: without `wait`, it does not change until `refresh` or a wait.
        """
        self.request_job("start", params={"action": "start"}, wait=wait, timeout=timeout)

    @operation("RebootMachine")
    def reboot(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Stop and boot the machine: ``RebootMachine``. `wait` and `timeout` are those of `stop`.

        `state` is the last known one: without `wait`, it does not show that the machine is rebooting.
        """
        self.request_job("reboot", params={"action": "reboot"}, wait=wait, timeout=timeout)

    @operation("ResizeMachine")
    def resize(
        self, package: str | Mapping[str, Any], *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """Move the machine to another package, given by name, id, dict or resource: ``ResizeMachine``.

        `wait` and `timeout` are those of `stop`.
        """
        datacenter: DataCenter = self._datacenter
        params = {"action": "resize", "package": datacenter.package_id(package)}
        try:
            self.request_job("resize", params=params, wait=wait, timeout=timeout)
        except InvalidArgument as refusal:
            hint_at_packages(refusal, datacenter, package)
            raise

    @operation("RenameMachine")
    def rename(self, name: str, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Give the machine another name: ``RenameMachine``. `wait` and `timeout` are those of `stop`."""
        params = {"action": "rename", "name": id_of(arguments.strings(name=name).get("name"))}
        try:
            self.request_job("rename", params=params, wait=wait, timeout=timeout, words=f"rename to {params['name']!r}")
        except NameTaken as error:
            error.about(name)
            raise

    @operation("EnableMachineFirewall")
    def enable_firewall(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Apply the account's firewall rules to the machine: ``EnableMachineFirewall``.

        With `wait`, it returns when `firewall_enabled` shows the change; its errors are those of `stop`.
        """
        self._switch("enable_firewall", "firewall_enabled", True, wait, timeout)

    @operation("DisableMachineFirewall")
    def disable_firewall(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Apply no firewall rules to the machine: ``DisableMachineFirewall``; `wait` is that of `enable_firewall`."""
        self._switch("disable_firewall", "firewall_enabled", False, wait, timeout)

    @operation("EnableMachineDeletionProtection")
    def enable_deletion_protection(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Make CloudAPI refuse to delete the machine: ``EnableMachineDeletionProtection``.

        With `wait`, it returns when `deletion_protection` shows the change; its errors are those of `stop`.
        """
        self._switch("enable_deletion_protection", "deletion_protection", True, wait, timeout)

    @operation("DisableMachineDeletionProtection")
    def disable_deletion_protection(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Let CloudAPI delete the machine again: ``DisableMachineDeletionProtection``.

        `wait` is that of `enable_deletion_protection`.
        """
        self._switch("disable_deletion_protection", "deletion_protection", False, wait, timeout)

    @operation("DeleteMachine")
    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Delete the machine and its disk: ``DeleteMachine``.

        The machine need not be stopped. It raises `DeletionProtected` if deletion protection is on, and `Gone` if the
        machine was already deleted. With `wait`, it returns when the machine is gone, or raises `WaitTimeout` after
        `timeout` seconds.
        """
        checked_timeout(timeout)
        is_gone, hint = partial(self._look_for, ("deleted",)), "machine.refresh() shows whether it is gone"
        job = self._planned("destroy")
        sign = (lambda: self.look() == "deleted") if wait else None
        with Sending(self, "delete", hint, sign=sign, shown_by="its state", timeout=timeout) as sending:
            _, response = self._call("DELETE")
            self._remember(job, response)
        if wait:
            goal, hint = "is not deleted", way_on("destroy")
            poll(self, is_gone, goal, timeout=timeout, job="delete", hint=hint, since=sending.since)

    @operation("GetMachine")
    def poll_until(
        self,
        state: MachineState | Iterable[MachineState],
        interval: float = 2,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporting = None,
    ) -> None:
        """Fetch the machine every `interval` seconds until it is in `state`: ``GetMachine``.

        With several states, it waits for any of them. Raises `WaitFailed`, with the audit's reason, as soon as the
        state cannot be reached any more, or the last action has failed that should lead to it. Raises `WaitTimeout`
        after `timeout` seconds (None waits for ever). `progress` is a function to call after every check, or True for a
        line on the terminal.
        """
        states = checked_states("machine", state, STATES)
        reached = partial(self._look_for, states)
        goal, hint = f"is not {either(states)}", waits_on("machine", states)
        poll(self, reached, goal, interval=interval, timeout=timeout, progress=progress, hint=hint)

    @operation("GetMachine")
    def poll_while(
        self,
        state: MachineState | Iterable[MachineState],
        interval: float = 2,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporting = None,
    ) -> None:
        """Fetch the machine every `interval` seconds while it is in `state`, or in one of several: ``GetMachine``.

        The wait also goes on while an action that was just requested has not begun yet. Raises `WaitFailed` if that
        action has failed, and `WaitTimeout` after `timeout` seconds (None waits for ever). `progress` is a function to
        call after every check, or True for a line on the terminal.
        """
        states = checked_states("machine", state, STATES)
        left = partial(self._has_left, states)
        goal, hint = f"is still {either(states)}", waits_on("machine", states, "poll_while")
        poll(self, left, goal, interval=interval, timeout=timeout, progress=progress, hint=hint)

    def has_reached(self, state: MachineState | Iterable[MachineState], *, audit: bool = True) -> bool:
        """Return whether the machine, as last seen, is in `state` or one of several; False while it may still get there.

        Raises `WaitFailed` if its state shows that it cannot get there, or, unless `audit` is false, if the audit shows
        it.
        """
        # The state alone misleads in two cases. Right after a request the machine is still in its old state, which it
        # never leaves if a start fails; and a round trip such as a reboot ends in the state in which it began. So in a
        # stable state, and only there, the audit is read for the end of the last job that this object has requested. No
        # entry yet: wait on. A failure: end the wait. A success: the state decides.
        now, states = self.state, checked_states("machine", state, STATES)
        if now in states and not self._is_back_where_it_was():
            return True
        if now not in states and all(now in DEAD_ENDS.get(each, self.dead_ends) for each in states):
            self._raise_wait_failed(f"cannot become {either(states)}: it is {now}", self._failure_reason())
        if not audit or now not in STABLE_STATES:
            return False
        return self.has_succeeded(self._last_job, f"did not become {either(states)}") and now in states

    def take(self, data: Mapping[str, Any]) -> None:
        """Keep the machine's entry of a fresh listing, without a request."""
        self._keep(data)
        self._string("state")

    def _look_for(self, states: tuple[MachineState, ...]) -> bool:
        self.look()
        return self.has_reached(states)

    def _has_left(self, states: tuple[MachineState, ...]) -> bool:
        """Fetch the machine and return whether it has left `states`, and no running job may lead there again.

        If the state is the same as before the last job, only the audit shows whether that job is over.
        """
        # In any other state the job is already visible, or nothing was requested, and the state alone decides.
        now, job = self.look(), self._last_job
        if job is None or now != job.state_before or now not in STABLE_STATES:
            return now not in states
        return self.has_succeeded(job, f"stays {now}") and now not in states

    def has_succeeded(self, job: RequestedJob | None, problem: str) -> bool:
        """Return whether the audit shows that a job has succeeded; raise `WaitFailed` if it shows a failure.

        The error's text names the machine and the `problem`, such as ``is not running``, with the audit's reason.
        """
        outcome = self._outcome_of(job)
        if outcome is not None and not outcome.succeeded:
            objection = job.objection() if job else ""
            self._raise_wait_failed(f"{problem}: its {outcome.action} failed{objection}", outcome)
        return outcome is not None

    def _is_back_where_it_was(self) -> bool:
        job = self._last_job
        return job is not None and job.action in ROUND_TRIPS and job.state_before == self.state

    def _switch(self, action: Action, field: str, value: bool, wait: bool, timeout: float | None) -> None:
        """Request a setting, and wait until it is visible; the audit shows failures, but not for all settings."""
        checked_timeout(timeout)
        words, hint = action.replace("_", " "), f"machine.refresh().{field} shows it"
        job = self._planned(action)
        sign = (lambda: self.refresh().get(field) == value) if wait else None
        with Sending(self, words, hint, sign=sign, shown_by=f"its {field}", timeout=timeout) as sending:
            _, response = self._call("POST", params={"action": action}, repeatable=True)
            job = self._remember(job, response)
        if wait:
            shows, goal = partial(self._shows, field, value, job), f"does not have {field}={value}"
            poll(self, shows, goal, timeout=timeout, job=words, hint=way_on(action), since=sending.since)

    def _shows(self, field: str, value: bool, job: RequestedJob) -> bool:
        """Fetch the machine and return whether a setting is visible; raise `WaitFailed` if its job has failed."""
        if self.refresh().get(field) == value:
            return True
        outcome = self._outcome_of(job)
        if outcome is not None and not outcome.succeeded:
            self._raise_wait_failed(f"did not {job.action}", outcome)
        return False
