"""Serve an emulated data centre to other programs: ``smartdc emulator``, the same as ``python -m smartdc.emulator``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from smartdc.commands import command_line
from smartdc.emulator import __main__ as emulator

__all__ = ["main", "options"]


def main(arguments: Sequence[str]) -> int:
    """Serve, and return the exit status."""
    return emulator.main(arguments, program=command_line("emulator"))


def options() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    return emulator.options(command_line("emulator"))
