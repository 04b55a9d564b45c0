"""Faults on demand: what goes wrong with a request, before or after the change it asks for is made.

Some kinds put another answer in the place of the real one, and look the same through every door. The others happen
to the bytes of an answer or to the connection, so the door does them. To add a kind, write one function into ``ANSWERS`` here, or one
into each door's table of wire faults and its name into ``ON_THE_WIRE``.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .clock import Clock, http_date
from .reply import NOTHING, ApiError, Reply
from .wire import Request, Response

BEFORE, AFTER = "before", "after"

SECONDS = {"stall": 3600.0, "maintenance": 3600.0, "clock": 3600.0, "dribble": 10.0, "delay": 1.0}
"""How long a kind lasts unless the fault says otherwise."""


@dataclass(slots=True)
class Fault:
    """Something that goes wrong.

    Args:
        operation: the operation it happens to, such as ``CreateMachine``; ``*`` stands for every request.
        kind: one of ``KINDS``.
        when: ``before`` leaves the request unhandled, ``after`` lets it take effect and spoils the answer. The
            default is before, except for kinds that need an answer to spoil. A ``delay`` before handles it late.
        times: how often it happens; None for ever.
        skip: how many requests pass unharmed first.
        probability: how likely it is each time, drawn from the emulator's seed.
        seconds: the length of a stall, a delay, a dribble or a maintenance, or the error of a clock.
        status, code, message, body, headers: of a ``status`` fault; of a ``redirect``, ``headers`` has the Location.
        where: a further test of the request.

    """

    operation: str = "*"
    kind: str = "status"
    when: str = ""
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seconds: float = 0.0
    status: int = 500
    code: str | None = "InternalError"
    message: str = "Internal Error"
    body: Any = NOTHING
    headers: dict[str, str] = field(default_factory=dict)
    where: Callable[[Request], bool] | None = None

    def __post_init__(self) -> None:
        """Refuse a fault that could never happen."""
        if self.kind not in KINDS:
            raise ValueError(f"There is no fault of kind {self.kind!r}; there are {', '.join(KINDS)}.")
        self.seconds = self.seconds or SECONDS.get(self.kind, 0.0)
        needs_answer = self.kind in ("truncate", "dribble")
        self.when = self.when or (AFTER if needs_answer else BEFORE)
        if needs_answer and self.when == BEFORE:
            raise ValueError(f"A {self.kind} spoils an answer, so it can only happen after the change.")
        if self.when not in (BEFORE, AFTER):
            raise ValueError(f"A fault happens before or after the change, not {self.when!r}.")

    def fits(self, operation: str | None, request: Request) -> bool:
        """Say whether this fault is meant for a request."""
        if self.times == 0 or self.operation not in ("*", operation):
            return False
        return self.where is None or self.where(request)


class FaultPlan:
    """The faults that are still to come, in the order in which they were added."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Put a fault behind the others and return it."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[Fault]:
        """Return the faults that can still happen."""
        return [fault for fault in self._faults if fault.times != 0]

    def take(self, operation: str | None, request: Request) -> Fault | None:
        """Return the fault that happens to this request, if any, and count it."""
        if not self._faults:
            return None
        with self._lock:
            return next((fault for fault in self._faults if self._strikes(fault, operation, request)), None)

    def _strikes(self, fault: Fault, operation: str | None, request: Request) -> bool:
        if not fault.fits(operation, request):
            return False
        if fault.skip:
            fault.skip -= 1
            return False
        if fault.probability < 1 and self._random.random() >= fault.probability:
            return False
        if fault.times is not None:
            fault.times -= 1
        return True


Render = Callable[[Reply], Response]


def _status(fault: Fault, clock: Clock, render: Render) -> Response:  # noqa: ARG001
    """Answer with a status of one's choice, and all the headers of CloudAPI."""
    if fault.body is not NOTHING:
        return render(Reply(fault.status, fault.body, dict(fault.headers)))
    return render(ApiError(fault.status, fault.code, fault.message, headers=dict(fault.headers)).reply())


def _throttled(fault: Fault, clock: Clock, render: Render) -> Response:  # noqa: ARG001
    message = "You have exceeded your request rate of 10 r/s."
    return render(ApiError(429, "TooManyRequestsError", message, headers=dict(fault.headers)).reply())


def _maintenance(fault: Fault, clock: Clock, render: Render) -> Response:
    headers = {"Retry-After": http_date(clock.time() + fault.seconds)}
    message = "This Triton data center is being upgraded"
    return render(ApiError(503, "ServiceUnavailableError", message, headers=headers).reply())


def _unavailable(fault: Fault, clock: Clock, render: Render) -> Response:  # noqa: ARG001
    """Answer as the proxy in front of CloudAPI does, for its own time-out too: few headers, and no Date."""
    body = b'{"code":"ServiceUnavailable", "message":"CloudAPI service is currently unavailable"}\n'
    return _proxy(503, body, "application/json")


def _html(fault: Fault, clock: Clock, render: Render) -> Response:  # noqa: ARG001
    body = b"<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid answer.\n</body></html>\n"
    return _proxy(502, body, "text/html")


def _proxy(status: int, body: bytes, kind: str) -> Response:
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-cache"),
        ("Connection", "close"),
    ]
    return Response(status, headers, body)


def _redirect(fault: Fault, clock: Clock, render: Render) -> Response:  # noqa: ARG001
    headers = {"Location": "https://elsewhere.invalid/", **fault.headers}
    return render(Reply(302, {"code": "ResourceMoved", "message": "moved"}, headers))


def _garbage(fault: Fault, clock: Clock, render: Render) -> Response:  # noqa: ARG001
    """Answer with a length and a type that are right, and a body that is no JSON."""
    response = render(Reply(200, ["half an answer"]))
    response.body = response.body[:-1] + b"}"
    response.headers = [pair for pair in response.headers if pair[0] != "Content-MD5"]
    return response


def _empty(fault: Fault, clock: Clock, render: Render) -> Response:  # noqa: ARG001
    return render(Reply(200))


ANSWERS: dict[str, Callable[[Fault, Clock, Render], Response]] = {
    "status": _status,
    "throttled": _throttled,
    "maintenance": _maintenance,
    "unavailable": _unavailable,
    "html": _html,
    "redirect": _redirect,
    "garbage": _garbage,
    "empty": _empty,
}
"""Kinds that put another answer in the place of the real one."""

ON_THE_WIRE = ("reset", "close", "truncate", "stall", "dribble")
"""Kinds that the doors do; a ``stall`` is silence for some seconds and then the end of the connection."""

KINDS = (*ANSWERS, *ON_THE_WIRE, "delay", "clock")
"""All kinds; ``delay`` waits ``seconds`` and goes on, ``clock`` goes by a clock that is ``seconds`` ahead."""
