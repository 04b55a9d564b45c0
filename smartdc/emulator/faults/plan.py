"""Faults on demand: what goes wrong with a connection, a request or an answer, before or after the change is made.

Some kinds put another answer in the place of the real one, and look the same through every door: these are the
functions in ``false_answers``. The others happen to bytes or connections, so the doors do them: a kind has a name here,
and a function in ``server_faults`` and ``adapter_faults``.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from smartdc.emulator.core.message import Request
from smartdc.emulator.core.reply import NOTHING
from smartdc.emulator.faults.answers import ANSWERS

BEFORE, AFTER = "before", "after"

CERTIFICATES = ("expired", "misnamed", "self-signed")
"""Kinds that show a client a certificate that it should not take; only servers that speak TLS have them."""

CONNECTING = ("refused", "hangup", *CERTIFICATES, "cut-handshake")
"""Kinds that happen to a connection, when nobody knows yet what will be asked for over it."""

ARRIVING = ("interrupt",)
"""Kinds that happen to a request when no more than its head has come."""

SPOILING = ("truncate", "dribble", "stall-body", "short-length", "long-length", "double-length", "chunk-garbage")
"""Kinds that spoil an answer, and so can only happen after the change."""

ON_THE_WIRE = ("reset", "close", "stall", "endless", *SPOILING)
"""Kinds that the doors do to an answer; a ``stall`` is silence for some seconds and then the end of the connection."""

KINDS = (*ANSWERS, *ON_THE_WIRE, *ARRIVING, *CONNECTING, "delay", "clock")
"""All kinds; ``delay`` waits ``seconds`` and goes on, ``clock`` goes by a clock that is ``seconds`` ahead."""

SECONDS = {
    "stall": 3600.0,
    "stall-body": 3600.0,
    "long-length": 3600.0,
    "maintenance": 3600.0,
    "clock": 3600.0,
    "dribble": 10.0,
    "delay": 1.0,
}
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
        needs_answer = self.kind in SPOILING
        self.when = self.when or (AFTER if needs_answer else BEFORE)
        if needs_answer and self.when == BEFORE:
            raise ValueError(f"A {self.kind} spoils an answer, so it can only happen after the change.")
        if self.kind in (*CONNECTING, *ARRIVING) and self.when == AFTER:
            raise ValueError(f"A {self.kind} keeps the request from being read, so nothing can happen before it.")
        if self.kind in CONNECTING and (self.operation != "*" or self.where):
            raise ValueError(f"A {self.kind} happens when nothing was asked for yet: it cannot be for some requests.")
        if self.when not in (BEFORE, AFTER):
            raise ValueError(f"A fault happens before or after the change, not {self.when!r}.")

    def fits(self, operation: str | None, request: Request | None) -> bool:
        """Say whether this fault is meant for a request; a connection has none."""
        if self.times == 0 or self.operation not in ("*", operation):
            return False
        return self.where is None or (request is not None and self.where(request))


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
