"""Interrupts at one exact step of the code under test."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["interrupt"]


def _interrupted() -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def interrupt(count: int, where: Collection[str], act: Callable[[], object] = _interrupted) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt, or do something else, in this thread after so many steps of Python's in the files named."""
    left = [count]
    before = sys.gettrace()

    def step(frame: FrameType, event: str, _: Any) -> Any:
        if Path(frame.f_code.co_filename).name not in where:
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
