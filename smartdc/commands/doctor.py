"""Find out why requests are not accepted: ``smartdc doctor``.

It also works with settings with which creating a `DataCenter` fails.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from smartdc import DataCenter
from smartdc.auth.explain import TEXT_COLUMN, examine_settings
from smartdc.commands import command_line, write_any_character
from smartdc.core.paragraph import tell

__all__ = ["main", "options"]


def main(arguments: Sequence[str]) -> int:
    """Print every check and its result as soon as it is known, and return the exit status: 1 when one of them failed."""
    profile = options().parse_args(arguments).profile
    write_any_character()
    # The server may take long: results that do not need it are printed at once.
    explanation = examine_settings(partial(DataCenter, profile=profile), profile, partial(tell, column=TEXT_COLUMN))
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
