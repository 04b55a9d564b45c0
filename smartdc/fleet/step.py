"""Steps: the work on one machine, written as a generator that yields what it waits for.

A step never sends a request itself. It yields a `Call`, which runs in a thread, and gets its result; or an `Until`, and
continues when its condition is true; or a `Pause`. Errors are raised at the `yield`. So a step can be read from top to
bottom, and the engine decides how many steps run at the same time.
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
    """A function to call in a thread, since it sends requests or takes long.

    A `foreign` function is the user's own: when the time of its step has passed, the engine no longer waits for it.
    """

    function: Callable[[], Any]
    foreign: bool = False


@dataclass(frozen=True)
class Until:
    """A condition of a machine that becomes true by itself; the engine checks all machines at every interval.

    `check` sends no request: it returns whether the condition is true, or None if only `ask` can tell, which may send
    requests.
    """

    machine: Machine
    check: Callable[[], bool | None]
    ask: Callable[[], bool]
    goal: str
    """The words for an error when the time has passed: ``is not running``."""
    is_listed: bool = True
    """Whether `check` uses data from a listing."""


@dataclass(frozen=True)
class Pause:
    """Seconds in which the step does nothing."""

    seconds: float


Work: TypeAlias = Generator[Call | Until | Pause, Any, Machine]


@dataclass(eq=False)
class Step:
    """The work on one machine, or on one that does not exist yet."""

    subject: Subject
    work: Work = field(repr=False)
