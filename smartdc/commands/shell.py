"""Open a Python session with a data centre at hand: ``python -m smartdc shell``.

`dc` is the data centre of the environment or of a profile, or an emulated one within this process. The session is
IPython's where that is installed, and Python's own elsewhere.
"""

from __future__ import annotations

import argparse
import code
import importlib
import platform
import rlcompleter
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smartdc import ConfigError, DataCenter, __version__
from smartdc.emulator import AfterSeconds, Emulator, WallClock

try:
    import readline
except ImportError:  # Windows has none, and does without completion
    readline = None  # type: ignore[assignment]

__all__ = ["banner", "main"]

THINGS = {
    "dc.account()": "who you are",
    "dc.machines()": "what you have",
    'dc.images(os="linux")': "what a machine can be made from",
    "dc.packages()": "how large it can be",
    "dc.explain_auth()": "how you are signed in, and what is wrong if you are not",
}
"""Five things to try in a real data centre: none of them changes anything."""

EMULATED_THINGS = {
    'image = dc.image("base-64-lts@24.4.1")': "",
    'machine = dc.create_machine("web-1", package="g1-small", image=image)': "",
    'machine.poll_until("running", progress=True)': "",
    "machine.public_ips": "",
    "cloud.trace.operations()": "what CloudAPI was asked so far",
}
"""Five things to try, one after the other, where nothing costs anything."""

JOB_SECONDS = 2.0


def main(arguments: Sequence[str]) -> int:
    """Open a session and return the exit status when it is over."""
    options = _options().parse_args(arguments)
    names: dict[str, Any] = {}
    try:
        if options.emulator:
            names["cloud"] = Emulator(clock=WallClock(), transitions=AfterSeconds(JOB_SECONDS))
            names["dc"] = DataCenter(**names["cloud"].connection())
        else:
            names["dc"] = DataCenter(profile=options.profile)
    except ConfigError as error:
        print(f"smartdc: {error}; or try an emulated one: python -m smartdc shell --emulator", file=sys.stderr)  # noqa: T201
        return 2
    with names["dc"]:
        _interact(banner(names), names)
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m smartdc shell", description="Open a Python session with a data centre.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--emulator", action="store_true", help="an emulated data centre, within this process")
    where.add_argument("--profile", metavar="NAME", help="a profile of the triton command, or env")
    return parser


def banner(names: Mapping[str, Any]) -> str:
    """Say where the session is, and what to try there."""
    emulated = "cloud" in names
    what = "an emulated data centre: cloud" if emulated else "your data centre"
    things = EMULATED_THINGS if emulated else THINGS
    tries = [f"    {call:<26}  # {why}" if why else f"    {call}" for call, why in things.items()]
    return "\n".join(
        [
            f"smartdc {__version__} on Python {platform.python_version()}",
            f"dc is {names['dc']!r}, {what}",
            "",
            "Five things to try:",
            *tries,
            "",
        ]
    )


def _interact(text: str, names: dict[str, Any]) -> None:
    """Hand over to whoever types, in the better of the two sessions."""
    start = _ipython()
    if start is None:
        _complete(names)
        code.interact(text, local=names, exitmsg="")
    else:
        print(text)  # noqa: T201 (IPython's own banner is about IPython)
        start(argv=["--no-banner"], user_ns=names)


def _ipython() -> Callable[..., object] | None:
    """Return what starts IPython, if that is installed."""
    try:
        start: Callable[..., object] = importlib.import_module("IPython").start_ipython
    except ModuleNotFoundError:
        return None
    return start


def _complete(names: dict[str, Any]) -> None:
    """Let the Tab key complete names, where there is something to do that with."""
    if readline is not None:
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
