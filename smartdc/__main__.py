"""Run a command: ``smartdc tour``, ``shell``, ``doctor`` and others, or ``python -m smartdc`` with the same words."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from smartdc import __version__
from smartdc.commands import COMMANDS, command_line, python

__all__ = ["COMMANDS", "main", "run"]

HELP = """smartdc {version}: Python client for CloudAPI, the API of Triton DataCenter

usage: {usage}

    tour              show a machine's whole life in an emulated data centre
    shell             open a Python session with your data centre
    shell --emulator  the same with an emulated data centre
    doctor            find out why requests are not accepted, and how to fix it
    emulator          serve an emulated data centre to other programs
    inventory         write the machines as an inventory for Ansible or ssh
    completion        write a script that completes these commands in your shell
    --version         print the version

An emulated data centre is a program on this computer: it needs no account,
sends nothing over the network and costs nothing. COMMAND --help says more."""


def main(arguments: Sequence[str]) -> int:
    """Run the command named by the first argument, with the other arguments, and return the exit status."""
    name, *others = arguments or ["--help"]
    if name in {"--help", "-h", "--version"}:
        _say(f"smartdc {__version__}" if name == "--version" else _help())
        return 0
    if name not in COMMANDS:
        return _fail(f"unknown command {name!r}; expected one of {', '.join(COMMANDS)}")
    try:
        # A command is loaded when it is called, so that --help and --version load nothing.
        module = importlib.import_module(COMMANDS[name])
    except ModuleNotFoundError as error:
        return _fail(f"{name} needs the package {error.name}: {python()} -m pip install {error.name}")
    status: int = module.main(others)
    return status


def run() -> int:
    """Run the command line; an interrupt or a closed pipe ends it without a traceback."""
    try:
        status = main(sys.argv[1:])
        if sys.stdout:  # None if the parent process has closed it
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # At its end Python would flush once more, and fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _help() -> str:
    return HELP.format(version=__version__, usage=command_line("COMMAND"))


def _say(text: str) -> None:
    print(text)  # noqa: T201 (a command prints)


def _fail(text: str) -> int:
    print(f"smartdc: {text}", file=sys.stderr)  # noqa: T201 (a command prints)
    return 2


if __name__ == "__main__":
    sys.exit(run())
