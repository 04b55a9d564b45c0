"""The emulator's own controls, for tests in other processes: on their own path, and protected by a token.

A control is a request to ``/--emulator/<name>`` with the header ``X-Emulator-Token``; its arguments are the JSON body.
``/--emulator/`` itself is the page for browsers. It needs no token: it has no data, only a script that asks for data.
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
from smartdc.emulator.core.typed import check_types, fits
from smartdc.emulator.faults.plan import Fault
from smartdc.emulator.page import page_reply
from smartdc.emulator.signature.host_check import check_origin
from smartdc.emulator.state.state import State
from smartdc.emulator.state.transitions import AT_ONCE, AfterReads, AfterSeconds, ByScript, Policy

if TYPE_CHECKING:
    from smartdc.emulator.app import Emulator

PREFIX = "/--emulator/"
TOKEN_HEADER = "X-Emulator-Token"  # noqa: S105  a name, not a token

_SETTINGS = frozenset(field.name for field in fields(Settings))
_FAULT_FIELDS = frozenset(field.name for field in fields(Fault)) - {"where"}


def answer_control(emulator: "Emulator", request: Request) -> Reply:
    """Execute a control; without the token it is a 403, with wrong arguments a 409."""
    check_origin(request)
    if request.path == PREFIX and request.method in ("GET", "HEAD"):
        return page_reply()
    token = request.headers.get(TOKEN_HEADER.lower(), "")
    if not compare_digest(token.encode(), emulator.token.encode()):
        raise ApiError(403, "NotAuthorized", f"controls need the emulator's token in the header {TOKEN_HEADER}")
    name = f"{request.method} {request.path.removeprefix(PREFIX).strip('/')}"
    if name not in CONTROLS:
        raise ApiError(404, "ResourceNotFound", f"unknown control {name}; expected one of {', '.join(CONTROLS)}")
    try:
        given = json.loads(request.body or b"{}")
        check_types(TYPES.get(name, CONTROLS[name]), given)
        return Reply(200, CONTROLS[name](emulator, **given))
    except (TypeError, ValueError, OverflowError) as error:
        raise invalid_argument(f"{name}: {error}") from error


def _reset(emulator: "Emulator") -> None:
    emulator.reset()


def _advance(emulator: "Emulator", seconds: float) -> dict[str, float]:
    clock = emulator.clock
    if not isinstance(clock, VirtualClock | WallClock):
        raise TypeError("this clock cannot be advanced")
    clock.advance(seconds)
    return {"time": clock.time()}


def _add_fault(emulator: "Emulator", **given: Any) -> dict[str, Any]:
    if unknown := set(given) - _FAULT_FIELDS:
        raise TypeError(f"unknown field of a fault: {', '.join(sorted(unknown))}")
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


def _drop_listeners(emulator: "Emulator", how: str = "end") -> dict[str, int]:
    return {"dropped": emulator.changefeed.drop(how)}


def _populate(emulator: "Emulator", count: int, **choice: Any) -> list[str]:
    return [machine.id for machine in emulator.populate(count, **choice)]


def _update_settings(emulator: "Emulator", **given: Any) -> dict[str, Any]:
    """Change all the given settings or none, and return every setting."""
    settings = emulator.state.settings
    if unknown := set(given) - _SETTINGS:
        raise TypeError(f"unknown setting {', '.join(sorted(unknown))}; expected one of {', '.join(sorted(_SETTINGS))}")
    changed = dict(given)
    if throttle := given.get("throttle"):
        check_types(Throttle, throttle)
        changed["throttle"] = Throttle(**throttle)
    check_types(Settings, changed)
    if not all(fits(limit.get("value"), int) for limit in changed.get("limits", ())):
        raise TypeError(f"the value of a limit must be of type int, got {given['limits']!r}")
    for name, value in changed.items():
        setattr(settings, name, value)
    return _show_settings(emulator)


def _show_settings(emulator: "Emulator") -> dict[str, Any]:
    return asdict(emulator.state.settings)


def _trace(emulator: "Emulator") -> list[dict[str, Any]]:
    return [asdict(entry) for entry in emulator.trace]


def _invariants(emulator: "Emulator") -> list[str]:
    return emulator.check_invariants()


def _page(emulator: "Emulator") -> dict[str, Any]:
    return emulator.page()


def _summary(emulator: "Emulator") -> dict[str, Any]:
    return emulator.summary()


CONTROLS: dict[str, Callable[..., Any]] = {
    "POST reset": _reset,
    "POST clock": _advance,
    "POST faults": _add_fault,
    "GET faults": _list_faults,
    "DELETE faults": _clear_faults,
    "POST transitions": _set_policy,
    "POST release": _release,
    "POST fail": _fail,
    "DELETE changefeed": _drop_listeners,
    "POST populate": _populate,
    "POST settings": _update_settings,
    "GET settings": _show_settings,
    "GET trace": _trace,
    "GET page": _page,
    "GET invariants": _invariants,
    "GET summary": _summary,
}

TYPES: dict[str, Callable[..., Any]] = {"POST faults": Fault, "POST populate": State.populate}
"""Where the argument types of a control are declared, if not on the control itself."""
