"""Take the tour, open a session or run the emulator: ``python -m smartdc``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from smartdc import __version__

__all__ = ["main"]

COMMANDS = {
    "tour": "smartdc.commands.tour",
    "shell": "smartdc.commands.shell",
    "doctor": "smartdc.commands.doctor",
    "emulator": "smartdc.emulator.__main__",
}
"""Command to the module whose ``main`` it is."""

HELP = f"""smartdc {__version__}: Python client for CloudAPI, the API of Triton DataCenter

    python -m smartdc tour              play the whole life of a machine
    python -m smartdc shell             open a Python session with a data centre
    python -m smartdc shell --emulator  the same with an emulated one
    python -m smartdc doctor            find out why requests are refused
    python -m smartdc emulator          serve an emulated one to other programs
    python -m smartdc --version

An emulated data centre is a program on this machine: nothing leaves it, and
nothing costs anything. Each command takes --help."""


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says with the others, and return the exit status."""
    name, *others = arguments or ["--help"]
    if name in {"--help", "-h", "--version"}:
        _say(f"smartdc {__version__}" if name == "--version" else HELP)
        return 0
    if name not in COMMANDS:
        return _fail(f"there is no command {name!r}; there are {', '.join(COMMANDS)}")
    try:
        # A command is loaded when it is called: the emulator needs packages that the client does without.
        module = importlib.import_module(COMMANDS[name])
    except ModuleNotFoundError as error:
        return _fail(f"{name} needs the package {error.name}: pip install {error.name}")
    status: int = module.main(others)
    return status


def run() -> int:
    """Run the command line; an interrupt or a closed pipe ends it without a traceback."""
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Python would flush, and fail, once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _say(text: str) -> None:
    print(text)  # noqa: T201 (this is a command)


def _fail(text: str) -> int:
    print(f"smartdc: {text}", file=sys.stderr)  # noqa: T201 (this is a command)
    return 2


if __name__ == "__main__":
    sys.exit(run())
