"""Write a script that completes the command ``smartdc`` in a shell: ``smartdc completion bash``."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

import shtab

from smartdc.commands import COMMANDS, command_line

__all__ = ["main", "options"]

PROFILES = {
    "bash": '_smartdc_profiles() { compgen -W "env $(cd ~/.triton/profiles.d 2>/dev/null && ls | sed -n \'s/\\.json$//p\')" -- "$1"; }',
    "zsh": "_smartdc_profiles() { compadd env ~/.triton/profiles.d/*.json(N:t:r) }",
    "tcsh": "",
}
"""Functions of shells that complete the names of profiles."""


def main(arguments: Sequence[str]) -> int:
    """Print the script and return the exit status."""
    shell = options().parse_args(arguments).shell
    print(shtab.complete(_whole(), shell, preamble=PROFILES.get(shell, "")))  # noqa: T201 (a command prints)
    return 0


def options() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    about = "Write a script that makes your shell complete the command smartdc."
    how = 'For bash: eval "$(smartdc completion bash)" in ~/.bashrc'
    parser = argparse.ArgumentParser(command_line("completion"), description=about, epilog=how)
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="the shell to complete in")
    return parser


def _whole() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    whole = argparse.ArgumentParser("smartdc")
    whole.add_argument("--version", action="store_true")
    commands = whole.add_subparsers()
    for name, module in COMMANDS.items():
        parser: argparse.ArgumentParser = importlib.import_module(module).options()
        _complete_profiles(parser)
        commands.add_parser(name, parents=[parser], conflict_handler="resolve", help=parser.description)
    return whole


def _complete_profiles(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:  # noqa: SLF001 (shtab has options marked so, and no parser lists them)
        if "--profile" in action.option_strings:
            action.complete = dict.fromkeys(PROFILES, "_smartdc_profiles")  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 (as above)
            for below in action.choices.values():
                _complete_profiles(below)
