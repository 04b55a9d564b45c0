"""Fault injection: what goes wrong with a connection, a request or a response, before or after the change is applied.

Some kinds replace the response, and are the same through every door: the functions in ``faults/answers.py``. The others
affect bytes or connections, which the doors own: a kind has its name here, and a function in each of
``faults/server.py`` and ``faults/adapter.py``.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any, TypeVar

from smartdc.emulator.core.message import Request
from smartdc.emulator.core.reply import NOTHING
from smartdc.emulator.faults.answers import ANSWERS

Implementation = TypeVar("Implementation", bound=Callable[..., Any])

BEFORE, AFTER = "before", "after"

CERTIFICATES = ("expired", "misnamed", "self-signed")
"""Kinds that present a certificate that a client must reject; only for servers with TLS."""

CONNECTING = ("refused", "hangup", *CERTIFICATES, "cut-handshake")
"""Kinds that affect a new connection, before any request on it is known."""

ARRIVING = ("interrupt",)
"""Kinds that affect a request when only its head has been read."""

SPOILING = ("truncate", "dribble", "stall-body", "short-length", "long-length", "double-length", "chunk-garbage")
"""Kinds that corrupt a response, and so can only happen after the change."""

ON_THE_WIRE = ("reset", "close", "stall", "endless", *SPOILING)
"""Kinds that the doors apply to a response; a ``stall`` is silence for some seconds, then the end of the connection."""

KINDS = (*ANSWERS, *ON_THE_WIRE, *ARRIVING, *CONNECTING, "delay", "clock")
"""All kinds; ``delay`` waits ``seconds`` and continues, ``clock`` uses a server clock that is ``seconds`` ahead."""

SECONDS = {
    "stall": 3600.0,
    "stall-body": 3600.0,
    "long-length": 3600.0,
    "maintenance": 3600.0,
    "clock": 3600.0,
    "dribble": 10.0,
    "delay": 1.0,
}
"""The default of ``seconds`` for each kind."""


@dataclass(slots=True)
class Fault:
    """A fault to inject.

    Args:
        operation: the operation it applies to, such as ``CreateMachine``; ``*`` for every request.
        kind: one of ``KINDS``.
        when: ``before`` leaves the request unhandled, ``after`` applies it and corrupts the response. The default is
            before, except for kinds that need a response to corrupt. A ``delay`` before handles the request late.
        times: how many times it happens; None for every time.
        skip: how many matching requests pass first.
        probability: the chance each time, drawn from the emulator's seed.
        seconds: how long a stall, a delay, a dribble or a maintenance lasts, or how far the clock is ahead.
        status, code, message, body, headers: of a ``status`` fault; of a ``redirect``, ``headers`` has the Location.
        where: a predicate on the request, for faults that apply to some requests only.

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

    def __repr__(self) -> str:
        """Show the fields that differ from their defaults."""
        values = [(each.name, getattr(self, each.name), each.default) for each in fields(self)]
        shown = [f"{name}={value!r}" for name, value, default in values if value not in (default, {})]
        return f"Fault({', '.join(shown)})"

    def __post_init__(self) -> None:
        """Reject a fault that could never happen, with a ``ValueError``."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {self.kind!r}; expected one of {', '.join(KINDS)}")
        self.seconds = self.seconds or SECONDS.get(self.kind, 0.0)
        needs_answer = self.kind in SPOILING
        self.when = self.when or (AFTER if needs_answer else BEFORE)
        if needs_answer and self.when == BEFORE:
            raise ValueError(f"{self.kind!r} corrupts a response, so when must be 'after'")
        if self.kind in (*CONNECTING, *ARRIVING) and self.when == AFTER:
            raise ValueError(f"{self.kind!r} ends the connection before the request is read, so when must be 'before'")
        if self.kind in CONNECTING and (self.operation != "*" or self.where):
            raise ValueError(
                f"{self.kind!r} affects a connection before any request, so it takes neither operation nor where"
            )
        if self.when not in (BEFORE, AFTER):
            raise ValueError(f"when must be 'before' or 'after', got {self.when!r}")

    def fits(self, operation: str | None, request: Request | None) -> bool:
        """Return whether this fault applies to a request; a new connection has none."""
        if self.times == 0 or self.operation not in ("*", operation):
            return False
        return self.where is None or (request is not None and self.where(request))


def implements(table: dict[str, Implementation], kind: str) -> Callable[[Implementation], Implementation]:
    """Register a function as a door's implementation of a kind of fault."""

    def register(function: Implementation) -> Implementation:
        table[kind] = function
        return function

    return register


class FaultPlan:
    """The faults to inject, in the order in which they were added."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Append a fault and return it."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[Fault]:
        """Return the faults that can still happen."""
        return [fault for fault in self._faults if fault.times != 0]

    def take(self, operation: str | None, request: Request) -> Fault | None:
        """Return the fault that happens to this request, if any, and count it."""
        return self._take((*ANSWERS, *ON_THE_WIRE, "delay", "clock"), operation, request)

    def arriving(self, operation: str | None, head: Request) -> Fault | None:
        """Return the fault that happens before the body of a request is read, if any, and count it."""
        return self._take(ARRIVING, operation, head)

    def connecting(self, *, tls: bool) -> Fault | None:
        """Return the fault that happens to a new connection, if any, and count it."""
        return self._take(CONNECTING if tls else CONNECTING[:2], None, None)

    def _take(self, kinds: tuple[str, ...], operation: str | None, request: Request | None) -> Fault | None:
        if not self._faults:
            return None
        with self._lock:
            known = (fault for fault in self._faults if fault.kind in kinds)
            return next((fault for fault in known if self._strikes(fault, operation, request)), None)

    def _strikes(self, fault: Fault, operation: str | None, request: Request | None) -> bool:
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
