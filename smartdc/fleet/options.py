"""The options of every action on many machines: how many at once, how many may fail, and when to give up."""

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
    """The keywords of all actions; the guide *Fleets* explains each of them.

    Args:
        at_once: how many machines at once; the default is one for actions that interrupt a machine, and eight requests
            for all others.
        pause: seconds between the end of one machine and the beginning of another.
        budget: how many machines may fail before the remaining ones are not touched: a number, or a share such as
            ``"10%"``.
        healthy: called again and again with each finished machine, until its result is true; an exception counts as
            false.
        order: the sort key of the machines, as for `sorted`; by default their names.
        timeout: the maximum time for each machine in seconds, including its health check; None waits for ever.
        deadline: the maximum time for the whole run in seconds.
        progress: called with a `FleetProgress` at every change; True shows it on the terminal.
        journal: the path of a file from which a killed run resumes when it is called again.
        check: whether to raise `FleetFailed` if more machines failed than `budget` allows.
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
        """Refuse invalid values, before a byte is sent."""
        if self.at_once is not None and not _is_whole(self.at_once, 1):
            raise InputError(f"at_once must be a whole number above 0, got {self.at_once!r}")
        checked_times(pause=self.pause)
        checked_timeout(self.timeout)
        if self.deadline is not None:
            checked_times(deadline=self.deadline)
        check_function("healthy", self.healthy)
        self.may_fail(100)

    def may_fail(self, machines: int) -> int:
        """Return how many of `machines` may fail."""
        if _is_whole(self.budget, 0):
            return int(self.budget)
        share = self.budget.removesuffix("%") if isinstance(self.budget, str) else ""
        if share == self.budget or not share.isdecimal() or int(share) > 100:
            raise InputError(f"budget must be a whole number or a share such as '10%', got {self.budget!r}")
        return machines * int(share) // 100


def check_function(name: str, function: object) -> None:
    """Refuse an async function or a generator: nobody would await or iterate over its result here."""
    for called in (function, getattr(function, "__call__", None)):  # noqa: B004 (an object that can be called)
        if any(is_kind(called) for is_kind in (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)):
            raise InputError(f"{name} must do its work when it is called, and {function!r} is async or a generator")


def answer_of(function: Callable[[Machine], object], machine: Machine) -> object:
    """Call a function of the user; a coroutine as its result is an error, since it would count as true."""
    answer = function(machine)
    if iscoroutine(answer):
        answer.close()
        raise TypeError("it returned a coroutine, which nobody awaits")
    return answer


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
