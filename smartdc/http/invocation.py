"""Write commands for hints in messages so that they work for the user of this program.

A hint must work when it is pasted: not every system has a ``python``, and a command in a virtual environment is not on
the path until the environment is activated.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from itertools import pairwise
from pathlib import Path

__all__ = ["command_line", "ended_emulator", "python"]

NAME = "smartdc"

EMULATOR_FOLDER, EMULATOR_KEY = "smartdc-emulator-", "id_emulator"
"""The beginning of the name of ``smartdc emulator``'s temporary folder, and the name of the key in it."""


def command_line(*arguments: str) -> str:
    """Return the shell line that runs ``smartdc`` with `arguments`, by the running Python as the user called it."""
    return shlex.join([*_program(), *arguments])


def python() -> str:
    """Return the running Python as the user called it, such as ``.venv/bin/python``: not every system has ``python``."""
    called = sys.orig_argv[0] if sys.orig_argv else ""
    # A program that embeds Python, such as a web server, has another name.
    return called if Path(called).name.startswith(("python", "pypy")) else sys.executable


def ended_emulator(key: object) -> str:
    """Return a hint if the path of a key belongs to an emulator that has ended; '' for every other key.

    An emulator in a separate process deletes its folder when it ends.
    """
    path = Path(key) if isinstance(key, (str, os.PathLike)) else Path()
    is_of_emulator = path.name == EMULATOR_KEY and path.parent.name.startswith(EMULATOR_FOLDER)
    return "the emulator that it belonged to is no longer running" if is_of_emulator and not path.exists() else ""


def _program() -> list[str]:
    typed = sys.argv[0] if sys.argv else ""
    if Path(typed).name == NAME:
        return [NAME if _is_same(shutil.which(NAME), typed) else typed]
    as_module = ("-m", NAME) in pairwise(sys.orig_argv)
    beside = os.path.join(os.path.dirname(sys.executable), NAME)  # noqa: PTH118, PTH120 (links are to be kept)
    if not as_module and _is_same(shutil.which(NAME), beside):
        return [NAME]
    return [python(), "-m", NAME]


def _is_same(found: str | None, path: str) -> bool:
    try:
        return found is not None and Path(found).samefile(path)
    except OSError:
        return False
