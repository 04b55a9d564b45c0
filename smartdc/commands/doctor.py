"""Say what is wrong before anything works, for settings from which not even a data centre can be made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from smartdc.datacenter import explain_auth

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Print the explanation for the environment, or for a profile, and return 0 when all is well."""
    parser = argparse.ArgumentParser(
        prog="python -m smartdc doctor",
        description="Look at all that signing depends on, and say what to do where it fails.",
    )
    parser.add_argument("--profile", metavar="NAME", help="a profile of the triton command, or env")
    explanation = explain_auth(profile=parser.parse_args(arguments).profile)
    print(explanation)  # noqa: T201 (that is what it is for)
    return 0 if explanation.ok else 1
