"""What ``python -m smartdc`` can do."""

import shlex
import sys

__all__ = ["command_line", "python"]


def python() -> str:
    """Return the Python that runs now as the user called it, such as ``.venv/bin/python``: not every system has ``python``."""
    return sys.orig_argv[0] if sys.orig_argv else sys.executable


def command_line(*arguments: str) -> str:
    """Return the shell line that runs ``python -m smartdc`` with `arguments`, and with the Python that runs now."""
    return shlex.join([python(), "-m", "smartdc", *arguments])
