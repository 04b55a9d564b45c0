"""Run a command: ``smartdc tour``, ``shell``, ``doctor`` and others, or ``python -m smartdc`` with the same words."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Sequence

from smartdc import __version__
from smartdc.commands import COMMANDS, command_line, python

__all__ = ["COMMANDS", "main", "run"]

CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""How the system says that an output takes no more."""

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
    """Run the command line; an interrupt, a closed pipe or a full disk ends it without a traceback."""
    if sys.stdin is None:  # closed by the parent process: nobody can type
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 (until the end of the process)
    try:
        try:
            return main(sys.argv[1:])
        finally:
            if sys.stdout:  # None if the parent process has closed it: a service has no output to lose
                sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _forget_output()
        return 141
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        _forget_output()
        _fail(f"cannot write to standard output: {error.strerror}")
        return 1


def _forget_output() -> None:
    """Let Python's last flush succeed, which would fail as the one before it did."""
    with contextlib.suppress(AttributeError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _help() -> str:
    return HELP.format(version=__version__, usage=command_line("COMMAND"))


def _say(text: str) -> None:
    print(text)  # noqa: T201 (a command prints)


def _fail(text: str) -> int:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"smartdc: {text}", file=sys.stderr)  # noqa: T201 (a command prints)
    return 2


if __name__ == "__main__":
    sys.exit(run())
