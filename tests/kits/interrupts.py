"""Interrupts at one exact step of the code under test."""

from __future__ import annotations

import _thread
import contextlib
import functools
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
    is_here = functools.cache(lambda path: Path(path).name in where)

    def step(frame: FrameType, event: str, _: Any) -> Any:
        if not is_here(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left[0] -= 1
            if left[0] == 0:
                act()
        return step

    sys.settrace(step)
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
    when Python has it run. Only, if that is in none of the files, it waits for the next step in one of them.
    """
    left = [count]
    before = sys.gettrace()
    is_here = functools.cache(is_here)

    def step(frame: FrameType, event: str, _: Any) -> Any:
        if not is_here(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left[0] -= 1
            if left[0] == 0:
                # No call by name: Python runs handlers at the end of one, which were still in this function.
                [_] = map(_thread.interrupt_main, (kind,))
        return step

    def handler(_: int, frame: FrameType | None) -> None:
        while frame and (here := is_here(frame.f_code.co_filename)) is None:
            frame = frame.f_back
        if not (frame and here):
            left[0] = 1
            return
        sys.settrace(before)
        raise raises

    handled = signal.signal(kind, handler)
    sys.settrace(step)
    try:
        yield left
    finally:
        sys.settrace(before)
        signal.signal(kind, handled)
