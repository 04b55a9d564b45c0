"""What every action on many machines can be told: how many at once, how many may fail, and when to give up."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from inspect import isasyncgenfunction, iscoroutine, iscoroutinefunction, isgeneratorfunction
from typing import Any

from smartdc.errors import InputError
from smartdc.fleet.progress import FleetReporting
from smartdc.machine.machine import Machine
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, checked_times

__all__ = ["Options", "answer_of", "check_function"]


@dataclass(frozen=True)
class Options:
    """The keywords that all actions share; the guide *Fleets* says what each is for.

    Args:
        at_once: how many machines at once; one for what interrupts a machine, and eight requests for all else.
        pause: seconds after each machine before another is begun.
        budget: how many machines may fail before the rest is left alone: a number, or a share such as ``"10%"``.
        healthy: called with each machine that is back, again and again until it returns something true; an exception
            is a no.
        order: what the machines are sorted by, as `sorted` takes it; their names by default.
        timeout: the most seconds for each machine, its health included; None waits for ever.
        deadline: the most seconds for the whole.
        progress: called with a `FleetProgress` whenever something has changed; True shows it on the terminal.
        journal: the path of a file from which a run that was killed goes on when it is called again.
        check: whether to raise `FleetFailed` where more machines failed than `budget` allows.
    """

    _: KW_ONLY
    at_once: int | None = None
    pause: float = 0.0
    budget: int | str = 0
    healthy: Callable[[Machine], object] | None = None
    order: Callable[[Machine], Any] | None = None
    timeout: float | None = DEFAULT_TIMEOUT
    deadline: float | None = None
    progress: FleetReporting = None
    journal: str | os.PathLike[str] | None = None
    check: bool = True

    def __post_init__(self) -> None:
        """Refuse what makes no sense, before a byte is sent."""
        if self.at_once is not None and not _is_whole(self.at_once, 1):
            raise InputError(f"at_once must be a whole number above 0, got {self.at_once!r}")
        checked_times(pause=self.pause)
        checked_timeout(self.timeout)
        if self.deadline is not None:
            checked_times(deadline=self.deadline)
        if self.healthy is not None and not callable(self.healthy):
            raise InputError(f"healthy must be a function of a machine, got {self.healthy!r}")
        check_function("healthy", self.healthy)
        if self.order is not None and not callable(self.order):
            raise InputError(f"order must be a function of a machine, got {self.order!r}")
        self.may_fail(100)

    def may_fail(self, machines: int) -> int:
        """Return how many of so many machines may fail."""
        if _is_whole(self.budget, 0):
            return int(self.budget)
        share = self.budget.removesuffix("%") if isinstance(self.budget, str) else ""
        if share == self.budget or not share.isdecimal() or int(share) > 100:
            raise InputError(f"budget must be a whole number or a share such as '10%', got {self.budget!r}")
        return machines * int(share) // 100


def check_function(name: str, function: object) -> None:
    """Refuse a function whose work is done by whoever awaits, or goes through, what it returns: nobody does here."""
    for called in (function, getattr(function, "__call__", None)):  # noqa: B004 (an object that can be called)
        if any(is_kind(called) for is_kind in (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)):
            raise InputError(f"{name} must do its work when it is called, and {function!r} is async or a generator")


def answer_of(function: Callable[[Machine], object], machine: Machine) -> object:
    """Call a function of the user's; what it should have awaited is an error, since it would count as true."""
    answer = function(machine)
    if iscoroutine(answer):
        answer.close()
        raise TypeError("it returned a coroutine, which nobody awaits")
    return answer


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
