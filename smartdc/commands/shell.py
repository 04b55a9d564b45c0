"""Open an interactive session with a data centre in it: ``python -m smartdc shell``.

`dc` is the data centre of the environment or of a profile, or an emulated one in this process. The session is
IPython if that is installed, and Python's own console otherwise; waits show their progress.
"""

from __future__ import annotations

import argparse
import code
import importlib
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import smartdc
from smartdc import Cloud, ConfigError, DataCenter, __version__
from smartdc.commands import command_line, line_editing, write_any_character
from smartdc.commands.help import Help
from smartdc.commands.session import console_hooks
from smartdc.core.paragraph import filled
from smartdc.emulator import AfterSeconds, Emulator, WallClock

__all__ = ["banner", "interact", "interact_in_console", "main", "options"]

THINGS = {
    "dc.info()": "your account at a glance",
    "dc.machines()": "all your machines",
    'dc.images(os="linux")': "the images that a machine can be created from",
    "dc.packages()": "the sizes that it can have",
    "dc.explain_auth()": "which key signs, and why a request is refused",
}
"""Five calls to try in a real data centre; none of them changes anything."""

EMULATED_THINGS = {
    'image = dc.image("base-64-lts@24.4.1")': "",
    'machine = dc.create_machine("web-1", package="g1-small", image=image)': "",
    'machine.poll_until("running")': "",
    "machine.public_ips": "",
    "cloud.trace.operations()": "the operations requested so far",
}
"""Five calls to try, one after the other, in an emulated data centre."""

HELP = "help(dc) lists all its methods, and exit ends the session."

JOB_SECONDS = 2.0
"""Seconds that every job takes in the emulated data centre."""


def main(arguments: Sequence[str]) -> int:
    """Open a session and return the exit status when it ends."""
    chosen = options().parse_args(arguments)
    write_any_character()
    names: dict[str, Any] = {"smartdc": smartdc, "DataCenter": DataCenter, "Cloud": Cloud, "help": Help()}
    try:
        if chosen.emulator:
            names["cloud"] = Emulator(clock=WallClock(), transitions=AfterSeconds(JOB_SECONDS))
            names["dc"] = DataCenter(**names["cloud"].connection(), progress=True)
        else:
            names["dc"] = DataCenter(profile=chosen.profile, progress=True)
    except ConfigError as error:
        emulated = command_line("shell", "--emulator")
        print(f"{filled(f'smartdc: {error}')}\nTo try an emulated data centre: {emulated}", file=sys.stderr)  # noqa: T201
        return 2
    with names["dc"]:
        interact(banner(names), names)
    return 0


def options() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    about = "Open an interactive Python session in which `dc` is a data centre."
    parser = argparse.ArgumentParser(command_line("shell"), description=about)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--emulator", action="store_true", help="use an emulated data centre in this process")
    where.add_argument(
        "--profile", metavar="NAME", help="use this profile of the triton command, or env for the environment variables"
    )
    return parser


def banner(names: Mapping[str, Any]) -> str:
    """Return the first lines of a session: its names, and calls to try."""
    emulated = "cloud" in names
    what = "emulated by cloud" if emulated else "your data centre"
    things = EMULATED_THINGS if emulated else THINGS
    tries = [f"    {call:<26}  # {why}" if why else f"    {call}" for call, why in things.items()]
    return "\n".join(
        [
            f"smartdc {__version__} on Python {platform.python_version()}",
            f"dc is {names['dc']!r}, {what}",
            "",
            "Try these:",
            *tries,
            "",
            HELP,
            "",
        ]
    )


class Console(code.InteractiveConsole):
    """Python's own console; the word ``exit`` leaves it, and it has a history if its input is a terminal."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__(names)
        self._history = line_editing.history_of_this_terminal()

    def runsource(self, source: str, filename: str = "<input>", symbol: str = "single") -> bool:
        """Run the typed line; ``exit`` needs no parentheses, unless the user has assigned that name."""
        if self.locals.get(source.strip()) is leave:
            leave()
        return super().runsource(source, filename, symbol)

    def raw_input(self, prompt: str = "") -> str:
        """Read a line."""
        line = super().raw_input(prompt)
        if self._history:
            self._history.keep()
        return line


def interact(text: str, names: dict[str, Any]) -> None:
    """Run the session, in IPython if that is installed."""
    start = _ipython()
    if start is None:
        interact_in_console(text, names)
    else:
        print(text)  # noqa: T201 (IPython's own banner is about IPython)
        start(argv=["--no-banner", "--ext=smartdc"], user_ns=names)


def interact_in_console(text: str, names: dict[str, Any]) -> None:
    """Run the session in Python's own console; unlike IPython it may run several times in one process."""
    names |= {"exit": leave, "quit": leave}
    line_editing.complete(names)
    with console_hooks():
        Console(names).interact(text, exitmsg="")


def leave(status: object = None) -> NoReturn:
    """Leave the session; Python's own ``exit`` would also close standard input, which a tour still needs."""
    raise SystemExit(status)


def _ipython() -> Callable[..., object] | None:
    """Return the function that starts IPython, or None if it is not installed."""
    try:
        start: Callable[..., object] = importlib.import_module("IPython").start_ipython
    except ModuleNotFoundError:
        return None
    return start
