"""Make an interactive session pleasant: tables, errors without this library's frames, and guesses for mistyped names.

The shell does all this itself; other sessions of IPython and notebooks do it after ``%load_ext smartdc``.
"""

from __future__ import annotations

import builtins
import code
import codeop
import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Any

import smartdc
from smartdc.core import parameters
from smartdc.core.shown import ShownAsTable
from smartdc.errors import SmartDCError

__all__ = ["console_hooks", "load_ipython_extension", "suggestion", "without_our_frames"]

CONSOLE = {code.__file__, codeop.__file__}
"""The files of Python's own console, whose frames do not help; syntax errors come from the second one."""

PACKAGE = str(Path(__file__).parents[1])

_QUESTION = re.compile(r"\s*([\w.]+)\?{1,2}\s*")
"""How IPython is asked for help: ``dc.machines?``."""

_UNEXPECTED = re.compile(r"(\w+)\.(\w+)\(\) got an unexpected keyword argument '(\w+)'(?:\. Did you mean '\w+'\?)?")
"""Python's words for an unknown argument; from 3.13 on they may end with Python's own guess."""

_GUESS_OF_PYTHON = re.compile(r"\. Did you mean:? '\w+'\?$")

OTHER_WORDS = {
    **dict.fromkeys(("wait", "wait_for", "wait_until"), "poll_until"),
    **dict.fromkeys(("ip", "ip_address", "address"), "primary_ip"),
    **dict.fromkeys(("size", "flavor", "plan", "instance_type"), "package"),
    **dict.fromkeys(("sizes", "flavors", "plans"), "packages"),
    **dict.fromkeys(("instances", "servers", "vms", "list_machines"), "machines"),
    **dict.fromkeys(("instance", "server", "vm", "get_machine"), "machine"),
    **dict.fromkeys(("create_instance", "create_server", "create_vm"), "create_machine"),
    **dict.fromkeys(("destroy", "terminate", "remove"), "delete"),
    **dict.fromkeys(("shutdown", "shut_down", "power_off"), "stop"),
    **dict.fromkeys(("boot", "power_on"), "start"),
    **dict.fromkeys(("history", "log", "events"), "audit"),
    "machines": "done",
    "os": "image",
    "ram": "memory",
    "reload": "refresh",
    "restart": "reboot",
    "status": "state",
}
"""Names in other libraries and tools, with the name here; used if the object has an attribute of that name."""


@contextmanager
def console_hooks() -> Iterator[None]:
    """Echo values and errors of Python's own console as the session does, until it ends."""
    former, had_prompt = (sys.displayhook, sys.excepthook), hasattr(sys, "ps1")
    sys.displayhook, sys.excepthook = _echo, _explain
    try:
        yield
    finally:
        sys.displayhook, sys.excepthook = former
        if not had_prompt:  # which the console leaves behind
            vars(sys).pop("ps1", None)


def load_ipython_extension(shell: Any) -> None:
    """Show errors in a session of IPython, or in a notebook, as the shell does: ``%load_ext smartdc``."""
    shell.set_custom_exc((SmartDCError, AttributeError, TypeError, KeyboardInterrupt), _explain_in_ipython)


def _echo(value: object) -> None:
    """Show resources and lists as tables, through `rich` if that is installed, and other values as usual."""
    if not isinstance(value, ShownAsTable):
        sys.__displayhook__(value)
        return
    if sys.stdout.isatty() and (rich := _rich()):
        rich.get_console().print(value)
    else:
        print(value.as_text())  # noqa: T201 (it is the echo)
    builtins._ = value  # type: ignore[attr-defined]


def _rich() -> Any:
    try:
        return import_module("rich")
    except ModuleNotFoundError:
        return None


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error as Python does, but without our frames, and with a guess for a mistyped name."""
    while trace is not None and trace.tb_frame.f_code.co_filename in CONSOLE:
        trace = trace.tb_next
    with _bared(error):
        lines = traceback.format_exception(kind, error, without_our_frames(error, trace))
    text = "".join(lines)
    if _in_our_words(error):  # Python does not know these names
        text = _GUESS_OF_PYTHON.sub("", text.rstrip())
    if "Did you mean" not in text and (close := suggestion(error)):
        text = f"{text.rstrip()}. Did you mean: '{close}'?\n"
    print(text, end="", file=sys.stderr)  # noqa: T201 (it is what a console does)


def _explain_in_ipython(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None
) -> list[str]:
    with _bared(error):
        lines: list[str] = shell.InteractiveTB.structured_traceback(
            kind, error, without_our_frames(error, trace), tb_offset=tb_offset
        )
    if "Did you mean" not in str(error) and (close := suggestion(error)):
        lines = [*lines, f"Did you mean: '{close}'?"]
    shell._showtraceback(kind, error, lines)  # noqa: SLF001 (as IPython's documentation of custom handlers has it)
    return lines


def without_our_frames(error: BaseException, trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without this package's frames, which do not help a user, if the error explains itself.

    The same is done for an interrupt.
    """
    frames = list(_links(trace))
    if isinstance(error, KeyboardInterrupt):
        # After an interrupt, our own frames, and those of code that we called, do not help anybody.
        frames = list(takewhile(lambda link: not _is_ours(link), frames))
    elif not _explains_itself(error, frames):
        return trace
    rest = None
    for link in reversed(frames):
        if not _is_ours(link):
            rest = TracebackType(rest, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return rest


def _links(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_ours(link: TracebackType) -> bool:
    return link.tb_frame.f_code.co_filename.startswith(PACKAGE)


def _explains_itself(error: BaseException, frames: list[TracebackType]) -> bool:
    """Return True for an error of ours or a refusal of wrong arguments, and False for a bug of this package."""
    if isinstance(error, SmartDCError):
        return True
    innermost = frames[-1].tb_frame.f_code.co_filename if frames else ""
    return isinstance(error, TypeError) and innermost == parameters.__file__


@contextmanager
def _bared(error: BaseException) -> Iterator[None]:
    """Hide the cause of one of our errors for a while, since the error's own text explains it."""
    former = error.__cause__, error.__context__, error.__suppress_context__
    if isinstance(error, (SmartDCError, KeyboardInterrupt)):
        error.__cause__ = error.__context__ = None
    try:
        yield
    finally:
        error.__cause__, error.__context__, error.__suppress_context__ = former


def _in_our_words(error: BaseException) -> str | None:
    """Return the name here of an attribute that has another name in other libraries."""
    if not isinstance(error, AttributeError) or error.obj is None:
        return None
    word = OTHER_WORDS.get(error.name or "")
    return word if word and word in dir(error.obj) else None


def suggestion(error: BaseException) -> str | None:
    """Return a similar name, or our own name, for a mistyped attribute or argument; or the words to type for ``dc?``."""
    if word := _in_our_words(error):
        return word
    mistyped, names = "", list[str]()
    if isinstance(error, AttributeError) and error.name and error.obj is not None:
        mistyped, names = error.name, [name for name in dir(error.obj) if not name.startswith("_")]
    elif isinstance(error, TypeError) and (found := _UNEXPECTED.fullmatch(str(error))):
        method = getattr(getattr(smartdc, found[1], None), found[2], None)
        mistyped, names = found[3], list(inspect.signature(method).parameters) if callable(method) else []
    elif isinstance(error, SyntaxError) and (asked := _QUESTION.fullmatch(error.text or "")):
        return f"help({asked[1]})"  # IPython has the question mark
    close = get_close_matches(mistyped, names, 1)
    return close[0] if close else None
