"""The actions on a fleet's machines: for each, the steps of one machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from smartdc.core import literals
from smartdc.errors import Gone
from smartdc.fleet.options import answer_of
from smartdc.fleet.report import OutcomeUnknown
from smartdc.fleet.run import Action, Run
from smartdc.fleet.step import Call, Work
from smartdc.machine.job import RequestedJob
from smartdc.machine.machine import Machine

__all__ = ["Verb", "called", "changed_state", "changing_state", "rebooted", "renaming", "resized", "tagged"]

Verb = Callable[[Run, Machine], Work]
"""A function that returns the work on one machine."""

STATE_AFTER = {"start": "running", "stop": "stopped", "destroy": "deleted"}
"""The state that shows the success of an action, by the action's name in the audit."""


def changing_state(name: literals.Action, machine: Machine) -> Action:
    """Return the action that starts, stops or deletes a machine."""
    state = STATE_AFTER[name]
    request = partial(machine.request_job, name, params={"action": name})
    return Action(
        name,
        machine,
        partial(_deleted, machine) if name == "destroy" else request,
        lambda: machine.state == state,
        f"is not {state}",
        dead_ends=frozenset({"failed", "deleted"}) if name != "destroy" else frozenset(),
    )


def _deleted(machine: Machine) -> RequestedJob:
    """Delete a machine; if somebody else has already deleted it, that is not a failure."""
    try:
        return machine.request_job("destroy", method="DELETE")
    except Gone:
        return RequestedJob("destroy", 0.0, "deleted", 0)


def changed_state(name: literals.Action, run: Run, machine: Machine) -> Work:
    """Start, stop or delete a machine, unless it is already in that state."""
    if run.journal.past(machine.id, name) or machine.state != STATE_AFTER[name]:
        yield from run.acted(machine.id, changing_state(name, machine))
    return machine


def rebooted(run: Run, machine: Machine) -> Work:
    """Reboot a machine; the audit shows when it is running again."""
    send = partial(machine.request_job, "reboot", params={"action": "reboot"})
    action = Action("reboot", machine, send, None, "has not rebooted", repeatable=False)
    yield from run.acted(machine.id, action)
    return machine


def resized(package: Sequence[str], run: Run, machine: Machine) -> Work:
    """Move a machine to another package, given by its id and its name, unless it already has that package."""
    identity, name = package

    def shows() -> bool:
        return machine.get("package") in package

    if run.journal.past(machine.id, "resize") or not shows():
        send = partial(machine.request_job, "resize", params={"action": "resize", "package": identity})
        yield from run.acted(machine.id, Action("resize", machine, send, shows, f"does not have package {name}"))
    return machine


def renaming(machine: Machine, name: str) -> Action:
    """Return the action that renames a machine."""
    send = partial(machine.request_job, "rename", params={"action": "rename", "name": name})
    return Action("rename", machine, send, lambda: machine.get("name") == name, f"is not called {name}")


def tagged(tags: Mapping[str, Any], run: Run, machine: Machine) -> Work:
    """Add tags to a machine; adding them twice has the same effect as once."""
    yield from run.noted(machine.id, "tags", partial(machine.add_tags, tags))
    return machine


def called(function: Callable[[Machine], object], repeatable: bool, run: Run, machine: Machine) -> Work:
    """Call the user's own function with a machine.

    Only the user knows what the function does. So if a call was begun and its end is unknown, the function is called
    again only if it is `repeatable`.
    """
    past = run.journal.past(machine.id, "each")
    if past and past["now"] == "sent" and not repeatable:
        raise OutcomeUnknown("the function was called, and the process ended before it returned; see what it has done")
    run.journal.write(machine.id, "each", "sent")
    try:
        yield Call(partial(answer_of, function, machine), foreign=True)
    except OutcomeUnknown:
        raise
    except Exception:
        run.journal.write(machine.id, "each", "failed")
        raise
    run.journal.write(machine.id, "each", "done")
    return machine
