"""What a step is: the work on one machine, written as a generator that says what it waits for.

A step never sends anything itself. It yields a `Call`, which is made in a thread, and gets what that returned; or an
`Until`, and goes on when that has come true; or a `Pause`. What goes wrong is raised where it waits. So a step reads
from top to bottom, and the engine decides how many go on at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from smartdc.fleet.report import Subject
from smartdc.machine.machine import Machine

__all__ = ["Call", "Pause", "Step", "Until", "Work"]


@dataclass(frozen=True)
class Call:
    """A function to call in a thread, since it sends something or takes its time.

    One that is `foreign` is the user's own: it is left to itself when the time of its step has passed.
    """

    function: Callable[[], Any]
    foreign: bool = False


@dataclass(frozen=True)
class Until:
    """Something about a machine that comes true by itself; the machine is looked at, with all others, at every interval.

    `check` sends nothing: it returns whether it has come true, or None where only `ask` can tell, which may send.
    """

    machine: Machine
    check: Callable[[], bool | None]
    ask: Callable[[], bool]
    goal: str
    """What is missing when the time has passed: ``is not running``."""
    is_listed: bool = True
    """Whether `check` judges by what a listing says."""


@dataclass(frozen=True)
class Pause:
    """Seconds in which nothing is done."""

    seconds: float


Work: TypeAlias = Generator[Call | Until | Pause, Any, Machine]


@dataclass(eq=False)
class Step:
    """The work on one machine, or on one that is not there yet."""

    subject: Subject
    work: Work = field(repr=False)
