"""The commands of ``smartdc``; ``python -m smartdc`` has the same ones."""

import io
import sys

from smartdc.http.invocation import command_line, python

__all__ = ["COMMANDS", "command_line", "python", "write_any_character"]

COMMANDS = {
    "tour": "smartdc.commands.tour",
    "shell": "smartdc.commands.shell",
    "doctor": "smartdc.commands.doctor",
    "emulator": "smartdc.commands.emulator",
    "inventory": "smartdc.commands.inventory",
    "completion": "smartdc.commands.completion",
}
"""Command to the module whose ``main`` runs it, and whose ``options`` returns its parser."""


def write_any_character() -> None:
    """Write characters that the encoding of standard output lacks as escapes, for people: they are no reason to fail."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
