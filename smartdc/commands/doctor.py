"""Find out why requests are not accepted: ``smartdc doctor``.

It also works with settings with which creating a `DataCenter` fails.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from smartdc import explain_auth
from smartdc.commands import command_line

__all__ = ["main", "options"]


def main(arguments: Sequence[str]) -> int:
    """Print every check and its result, and return the exit status: 1 when one of them failed."""
    explanation = explain_auth(profile=options().parse_args(arguments).profile)
    print(explanation)  # noqa: T201 (a command prints)
    return 0 if explanation.ok else 1


def options() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog=command_line("doctor"),
        description="Check the settings, the key, the server and its answer, and say how to fix what fails.",
    )
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="check this profile of the triton command, or env for the environment variables",
    )
    return parser
