"""Signals that come amid an operation: at a random moment of time, or at one exact step of the client."""

from __future__ import annotations

import contextlib
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3

import smartdc
from kits.interrupts import signal_after

__all__ = ["RAISED", "SIGNALS", "Alarm", "Interruption", "TimeLimit", "interrupted", "is_client", "locals_of"]


class Alarm(Exception):
    """What a user's handler of SIGALRM raises."""


class TimeLimit(TimeoutError):
    """What another one raises; it looks like an error of the network."""


def _stop(*_: object) -> None:
    sys.exit(3)


def _alarm(*_: object) -> None:
    raise Alarm


SIGNALS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: _stop,
    signal.SIGALRM: _alarm,
}
"""Signals that end what is done, and their handlers."""


@contextlib.contextmanager
def interrupted(chance: random.Random, kind: signal.Signals, within: float) -> Iterator[None]:
    """Send this process a signal at a random moment of a with-block, from which its exception comes out."""

    def ring(*_: object) -> None:
        handler = SIGNALS[kind]
        handler(kind, sys._getframe(1))

    # One timer serves for all kinds: only the handlers differ, and those are Python's in any case.
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00001, within))
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Interruption:
    """A signal that comes at a step of Python's in the client, and what its handler raises."""

    kind: signal.Signals
    raises: type[BaseException]
    step: int

    def __str__(self) -> str:
        """Name the signal, the exception and the moment."""
        return f"{self.kind.name} ({self.raises.__name__}) at step {self.step:,}"

    @classmethod
    def drawn(cls, chance: random.Random, steps: int) -> Interruption:
        """Draw one at random, within the first so many steps."""
        kind, raises = chance.choice(RAISED)
        return cls(kind, raises, chance.randrange(1, steps))

    def amid(self, act: Callable[[], object]) -> tuple[object, bool]:
        """Return what an act returns or raises, and whether the signal came before its end.

        What a handler raises amid a destructor is lost by Python itself, which tells so: such a signal did not come.
        """
        before = sys.unraisablehook
        unraisable: list[type[BaseException]] = []

        def untold(lost: sys.UnraisableHookArgs) -> None:
            unraisable.append(lost.exc_type)

        with signal_after(self.step, is_client, self.kind, self.raises) as left:
            sys.unraisablehook = untold
            try:
                result = act()
            except (Exception, self.raises) as raised:  # noqa: BLE001 (that is what is looked at)
                result = raised
            finally:
                sys.unraisablehook = before
        return result, left[0] <= 0 and self.raises not in unraisable


RAISED: list[tuple[signal.Signals, type[BaseException]]] = [
    (signal.SIGINT, KeyboardInterrupt),
    (signal.SIGTERM, SystemExit),
    (signal.SIGALRM, Alarm),
    (signal.SIGALRM, TimeLimit),
]
"""Signals, and what their handlers raise."""

_TESTS = str(Path(__file__).parent.parent)
_CLIENT = tuple(str(Path(str(package.__file__)).parent) for package in (smartdc, requests, urllib3))
_EMULATOR = str(Path(str(smartdc.__file__)).parent / "emulator")


def is_client(path: str) -> bool | None:
    """Tell the code of a call from that of the emulator, which may run in the same thread; None for Python's own."""
    if path.startswith((_EMULATOR, _TESTS)):
        return False
    return True if path.startswith(_CLIENT) else None


def locals_of(error: BaseException) -> str:
    """Write down all that a crash reporter shows of the frames of an error and its causes, apart from those of the tests."""
    told: BaseException | None = error
    seen: list[BaseException] = []  # what led to what can be a ring
    lines: list[str] = []
    while told and told not in seen:
        seen.append(told)
        for frame, _ in traceback.walk_tb(told.__traceback__):
            if not frame.f_code.co_filename.startswith(_TESTS):
                lines += [f"{name} = {_shown(value)}" for name, value in frame.f_locals.items()]
        told = told.__cause__ or told.__context__
    return "\n".join(lines)


def _shown(value: object) -> str:
    """Return what a value shows; one that a signal has left half made need not show anything."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 (whatever an object raises that lacks an attribute)
        return ""
