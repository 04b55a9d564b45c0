"""The emulator's own controls, on a path of their own and behind a token, for tests in other processes.

A control is ``/--emulator/<name>`` with the header ``X-Emulator-Token``; what it takes is the JSON body.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from smartdc.emulator.core.clock import VirtualClock, WallClock
from smartdc.emulator.core.message import Request
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument
from smartdc.emulator.core.settings import Settings, Throttle
from smartdc.emulator.faults.plan import Fault
from smartdc.emulator.state.transitions import AT_ONCE, AfterReads, AfterSeconds, ByScript, Policy

if TYPE_CHECKING:
    from smartdc.emulator.app import Emulator

PREFIX = "/--emulator/"
TOKEN_HEADER = "X-Emulator-Token"  # noqa: S105  a name, not a token

_SETTINGS = frozenset(field.name for field in fields(Settings))
_FAULT_FIELDS = frozenset(field.name for field in fields(Fault)) - {"where"}


def answer_control(emulator: "Emulator", request: Request) -> Reply:
    """Do what a control asks; without the token it is a 403."""
    token = request.headers.get(TOKEN_HEADER.lower(), "")
    if not compare_digest(token.encode(), emulator.token.encode()):
        raise ApiError(403, "NotAuthorized", f"The emulator's controls need its token in the header {TOKEN_HEADER}.")
    name = f"{request.method} {request.path.removeprefix(PREFIX).strip('/')}"
    if name not in CONTROLS:
        raise ApiError(404, "ResourceNotFound", f"There is no control {name}; there are {', '.join(CONTROLS)}.")
    try:
        given = json.loads(request.body or b"{}")
        return Reply(200, CONTROLS[name](emulator, **given))
    except (TypeError, ValueError) as error:
        raise invalid_argument(f"{name}: {error}") from error


def _reset(emulator: "Emulator") -> None:
    emulator.reset()


def _advance(emulator: "Emulator", seconds: float) -> dict[str, float]:
    clock = emulator.clock
    if not isinstance(clock, VirtualClock | WallClock):
        raise TypeError("this clock cannot be moved")
    clock.advance(seconds)
    return {"time": clock.time()}


def _add_fault(emulator: "Emulator", **given: Any) -> dict[str, Any]:
    if unknown := set(given) - _FAULT_FIELDS:
        raise TypeError(f"a fault has no {', '.join(sorted(unknown))}")
    return _show_fault(emulator.faults.add(Fault(**given)))


def _list_faults(emulator: "Emulator") -> list[dict[str, Any]]:
    return [_show_fault(fault) for fault in emulator.faults.pending()]


def _clear_faults(emulator: "Emulator") -> None:
    emulator.faults.clear()


def _show_fault(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in ("operation", "kind", "when", "times", "skip", "probability")}


def _set_policy(
    emulator: "Emulator",
    *,
    reads: int | None = None,
    seconds: float | None = None,
    script: bool = False,
    action: str | None = None,
) -> None:
    policy: Policy = AT_ONCE
    if script:
        policy = ByScript()
    elif seconds is not None:
        policy = AfterSeconds(seconds)
    elif reads is not None:
        policy = AfterReads(reads)
    if action:
        emulator.transitions.policies[action] = policy
    else:
        emulator.transitions.policy = policy


def _release(emulator: "Emulator", machine: str | None = None, action: str | None = None) -> dict[str, int]:
    return {"released": emulator.transitions.release(machine, action)}


def _fail(emulator: "Emulator", action: str, message: str = "Failed on request", times: int = 1) -> None:
    emulator.transitions.fail(action, message, times)


def _drop(emulator: "Emulator", how: str = "end") -> dict[str, int]:
    return {"dropped": emulator.changefeed.drop(how)}


def _populate(emulator: "Emulator", count: int, **choice: Any) -> list[str]:
    return [machine.id for machine in emulator.populate(count, **choice)]


def _switch(emulator: "Emulator", **given: Any) -> dict[str, Any]:
    """Change what is given of the settings, all of it or nothing, and return them all."""
    settings = emulator.state.settings
    if unknown := set(given) - _SETTINGS:
        raise TypeError(f"there is no setting {', '.join(sorted(unknown))}; there are {', '.join(sorted(_SETTINGS))}")
    for name, value in given.items():
        if isinstance(getattr(settings, name), bool) != isinstance(value, bool):
            raise TypeError(f"{name} is {'' if isinstance(getattr(settings, name), bool) else 'not '}true or false")
    throttle = given.get("throttle")
    changed = {**given, "throttle": Throttle(**throttle)} if throttle else given
    for name, value in changed.items():
        setattr(settings, name, value)
    return _show_settings(emulator)


def _show_settings(emulator: "Emulator") -> dict[str, Any]:
    return asdict(emulator.state.settings)


def _trace(emulator: "Emulator") -> list[dict[str, Any]]:
    return [asdict(asked) for asked in emulator.trace]


def _books(emulator: "Emulator") -> dict[str, Any]:
    return emulator.books()


CONTROLS: dict[str, Callable[..., Any]] = {
    "POST reset": _reset,
    "POST clock": _advance,
    "POST faults": _add_fault,
    "GET faults": _list_faults,
    "DELETE faults": _clear_faults,
    "POST transitions": _set_policy,
    "POST release": _release,
    "POST fail": _fail,
    "DELETE changefeed": _drop,
    "POST populate": _populate,
    "POST settings": _switch,
    "GET settings": _show_settings,
    "GET trace": _trace,
    "GET books": _books,
}
