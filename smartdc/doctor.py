"""Say what is wrong before anything works, for settings from which not even a data centre can be made."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from smartdc.datacenter import DataCenter
from smartdc.errors import SmartDCError
from smartdc.explain import Explanation, Finding, examine
from smartdc.profile import chosen, lacking

__all__ = ["explain_auth", "main"]


def explain_auth(**arguments: Any) -> Explanation:
    """Explain where, who and with which key ``DataCenter(**arguments)`` would be, and whether that works.

    Nothing is printed: print what is returned.
    """
    try:
        dc = DataCenter(**arguments)
    except SmartDCError as error:
        return Explanation((Finding("settings", False, str(error), _advice(arguments.get("profile"))),))
    with dc:
        return examine(dc)


def _advice(profile: str | None) -> str:
    """Say what is missing in an environment that says only half of what is needed."""
    try:
        return lacking(chosen(profile, os.environ))
    except SmartDCError:
        return ""


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
