"""Interrupts at one exact step of the code under test."""

from __future__ import annotations

import _thread
import contextlib
import functools
import io
import operator
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["interrupt", "signal_after"]


def _interrupted() -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def interrupt(count: int, where: Collection[str], act: Callable[[], object] = _interrupted) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt, or do something else, in this thread after so many steps of Python's in the files named.

    What is yielded holds the steps that are left.
    """
    left = [count]
    before = sys.gettrace()
    sys.settrace(_counting(left, lambda path: Path(path).name in where, act))
    try:
        yield left
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def signal_after(
    count: int, is_here: Callable[[str], bool | None], kind: signal.Signals, raises: type[BaseException]
) -> Iterator[list[int]]:
    """Let a signal come after so many steps of Python's in some files, whose handler raises.

    `is_here` says of a path whether it is one of the files; None is for those of whoever called them.

    `interrupt` raises between any two steps, also between two where no signal's handler ever runs. Here the handler runs
    when Python has it run. Only, if that is in none of the files, it waits for the next step in one of them; and so it
    does while a file object is closed, since Python drops what is raised there without a word if the object is dying.
    """
    left = [count]
    before = sys.gettrace()
    is_here = functools.cache(is_here)

    def handler(_: int, frame: FrameType | None) -> None:
        callers = list(_outward(frame))
        known = (is_here(each.f_code.co_filename) for each in callers)
        here = next((each for each in known if each is not None), False)
        if not here or any(map(_closes_a_file, callers)):
            left[0] = 1
            return
        sys.settrace(before)
        raise raises

    handled = signal.signal(kind, handler)
    sys.settrace(_counting(left, is_here, functools.partial(_thread.interrupt_main, kind)))
    try:
        yield left
    finally:
        sys.settrace(before)
        signal.signal(kind, handled)


def _counting(left: list[int], is_here: Callable[[str], bool | None], act: Callable[[], object]) -> Callable[..., Any]:
    """Return a trace function that counts the steps in some files down, and acts at the last one."""
    is_here = functools.cache(is_here)

    def step(frame: FrameType, event: str, _: Any) -> Any:
        if not is_here(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left[0] -= 1
            if left[0] == 0:
                # No call by name: Python runs handlers at the end of one, which were still in this function.
                [_] = map(operator.call, (act,))
        return step

    return step


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and those that have called it."""
    while frame:
        yield frame
        frame = frame.f_back


def _closes_a_file(frame: FrameType) -> bool:
    return frame.f_code.co_name in {"close", "closed"} and isinstance(frame.f_locals.get("self"), io.IOBase)
