"""The commands of ``smartdc``; ``python -m smartdc`` has the same ones."""

from smartdc.http.invocation import command_line, python

__all__ = ["COMMANDS", "command_line", "python"]

COMMANDS = {
    "tour": "smartdc.commands.tour",
    "shell": "smartdc.commands.shell",
    "doctor": "smartdc.commands.doctor",
    "emulator": "smartdc.commands.emulator",
    "inventory": "smartdc.commands.inventory",
    "completion": "smartdc.commands.completion",
}
"""Command to the module whose ``main`` runs it, and whose ``options`` returns its parser."""
