"""Show the whole life of a machine in an emulated data centre: ``python -m smartdc tour``.

The tour is a text, ``tour.txt``, that reads like an interactive session. Every call in it is made over HTTP with a real
signature. The requests that the emulator received are shown below the call, and the result must be the one in the text.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import io
import os
import re
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from smartdc import DataCenter, __version__
from smartdc.commands import command_line, shell, write_any_character
from smartdc.emulator import AfterSeconds, Emulator, Server
from smartdc.http.clock import Clock, SystemClock

__all__ = ["FastClock", "Guide", "Screen", "TourLeft", "TourStopped", "main", "options", "play"]

TOUR = files("smartdc.commands").joinpath("tour.txt").read_text(encoding="utf-8")

PACE = 10.0
"""How many times faster than ours the data centre's clock runs."""
SECONDS = {"provision": 12.0, "reboot": 8.0}
"""Seconds that jobs of some actions take by the data centre's clock; all others take `USUAL_SECONDS`."""
USUAL_SECONDS = 4.0
BOOT_SCRIPT = "#!/bin/sh\nlogger web-1 is up\n"

WIDTH = 80
STYLES = {"title": "1", "code": "36", "wire": "2", "good": "32", "refused": "33", "bad": "1;31"}
"""Kind of line to its colour, as the parameters of an ANSI escape sequence."""

_ID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class TourStopped(Exception):
    """A step did not give the result that the tour shows."""


class TourLeft(Exception):
    """The user has left the tour."""


class FastClock:
    """A clock that runs `pace` times faster than another one.

    `watch` is called with the seconds of every sleep, so that a wait can be shown.
    """

    def __init__(self, real: Clock, pace: float = PACE, watch: Callable[[float], None] = lambda _: None) -> None:
        self._real, self._pace, self._watch = real, pace, watch
        self._begin, self._started = real.time(), real.monotonic()

    def time(self) -> float:
        """Return the epoch seconds."""
        return self._begin + self.monotonic()

    def monotonic(self) -> float:
        """Return the seconds since this clock was made."""
        return (self._real.monotonic() - self._started) * self._pace

    def sleep(self, seconds: float) -> None:
        """Wait until `seconds` have passed on this clock."""
        self._watch(seconds)
        self._real.sleep(seconds / self._pace)


class Screen:
    """Lines of at most 80 columns: in colour and with a progress line on a terminal, plain everywhere else."""

    def __init__(self, out: TextIO, environ: Mapping[str, str]) -> None:
        self._out = out
        self._live = out.isatty() and environ.get("TERM") != "dumb"
        self._colour = self._live and not environ.get("NO_COLOR")
        self._waited = 0.0

    def say(self, text: str = "", style: str = "") -> None:
        """Write a line; it replaces the progress line, if there is one."""
        self._wipe()
        self._out.write(f"{self.paint(text, style)}\n")
        self._out.flush()

    def paint(self, text: str, style: str) -> str:
        """Return `text` in the colour of a style, or unchanged if there are no colours."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if text and style and self._colour else text

    def wait(self, seconds: float) -> None:
        """Show on a terminal that a wait is going on."""
        if self._live:
            self._waited += seconds
            self._out.write(
                "\r    " + self.paint(f"waiting {'·' * int(self._waited / 2)} {self._waited:.0f} s", "wire")
            )
            self._out.flush()

    def _wipe(self) -> None:
        if self._waited:
            self._out.write("\r\x1b[K")
            self._waited = 0.0


def main(arguments: Sequence[str], tour: str = TOUR, real: Clock | None = None) -> int:
    """Play the tour on standard output and return the exit status: 1 when a step does not give its result."""
    chosen = options().parse_args(arguments)
    write_any_character()
    screen = Screen(sys.stdout or io.StringIO(), os.environ)  # None if the parent process has closed it
    try:
        play(screen, tour, real, Guide(screen, step=chosen.step, shell=chosen.shell))
    except TourLeft:
        pass
    except TourStopped as stopped:
        screen.say()
        screen.say(f"The tour failed at this step: {stopped}", "bad")
        return 1
    screen.say()
    screen.say(f"Try it yourself:  {command_line('shell', '--emulator')}")
    return 0


def options() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    about = "Show the whole life of a machine in an emulated data centre, with every call and request."
    parser = argparse.ArgumentParser(command_line("tour"), description=about)
    parser.add_argument("--step", action="store_true", help="wait for Enter before each step, and offer a shell there")
    parser.add_argument("--shell", action="store_true", help="end in a shell in the data centre of the tour")
    return parser


class Guide:
    """Waits between steps if the user wants it, and opens a shell in the data centre of the tour."""

    def __init__(self, screen: Screen, *, step: bool = False, shell: bool = False) -> None:
        self._screen, self._step, self._shell = screen, step, shell

    def pause(self, names: dict[str, Any], go_on: str = "for the next step") -> None:
        """Wait for Enter; before that, the user may open a shell, or leave the tour."""
        while self._step:
            self._screen.say()
            try:
                answer = input(f"    Enter {go_on}, s for a shell here, q to leave: ").strip().lower()
            except EOFError:
                answer = "q"
            if answer == "s":
                self.open_shell(names)
            elif answer == "q":
                raise TourLeft
            else:
                return

    def end(self, names: dict[str, Any]) -> None:
        """Open the shell that the user wanted."""
        if self._shell:
            self._screen.say()
            shell.interact(shell.banner(names), names)
        else:
            self.pause(names, "to end")

    def open_shell(self, names: dict[str, Any]) -> None:
        """Open a shell with the names of the tour, and come back."""
        self._screen.say()
        with contextlib.suppress(SystemExit):
            there = ", ".join(sorted(name for name in names if not name.startswith("_")))
            shell.interact_in_console(f"There are: {there}. exit or Ctrl-D goes back to the tour.", {**names})


def play(screen: Screen, tour: str = TOUR, real: Clock | None = None, guide: Guide | None = None) -> None:
    """Play a tour, or raise `TourStopped` at the first step that does not give its result."""
    guide = guide or Guide(screen)
    clock = FastClock(real or SystemClock(), watch=screen.wait)
    cloud = Emulator(clock=clock, transitions=AfterSeconds(USUAL_SECONDS))
    cloud.transitions.policies.update({action: AfterSeconds(seconds) for action, seconds in SECONDS.items()})
    with Server(cloud) as server, tempfile.TemporaryDirectory(prefix="smartdc-tour-") as folder:
        _show_opening(screen, server.url)
        with DataCenter(**{**cloud.connection(server.url), "clock": clock}) as dc:
            names = _names(cloud, dc, Path(folder))
            _play(screen, cloud, tour, names, guide)
            _check_state(cloud)
            _show_closing(screen, cloud)
            guide.end(names)


def _names(cloud: Emulator, dc: DataCenter, folder: Path) -> dict[str, Any]:
    """Return the names that the calls of the tour use."""
    boot_sh = folder / "boot.sh"
    boot_sh.write_text(BOOT_SCRIPT)
    return {"cloud": cloud, "dc": dc, "boot_sh": boot_sh, "wrong_key": Emulator(seed=1).private_key}


def _show_opening(screen: Screen, url: str) -> None:
    screen.say(f"smartdc {__version__}: the life of a machine", "title")
    screen.say()
    screen.say(f"An emulated data centre listens on {url} until the tour ends.")
    screen.say("Every request is signed with a throwaway key, and every signature is verified.")
    screen.say(f"Its clock runs {PACE:.0f} times as fast as yours.")
    screen.say("Below each call are its requests, with ids cut to eight digits, and its result.")


def _show_closing(screen: Screen, cloud: Emulator) -> None:
    operations = len(set(cloud.trace.operations()))
    screen.say()
    screen.say(f"{len(cloud.trace)} requests, {operations} CloudAPI operations. Nothing is left behind.", "good")


def _play(screen: Screen, cloud: Emulator, tour: str, names: dict[str, Any], guide: Guide) -> None:
    step = 0
    for part in doctest.DocTestParser().parse(tour):
        if isinstance(part, doctest.Example):
            _run(screen, cloud, part, names)
        elif part.strip():
            if step:
                guide.pause(names)
            step += 1
            screen.say()
            title, *more = part.strip().splitlines()
            screen.say(f"{step:>2}  {title}", "title")
            for line in [*more, ""]:
                screen.say(f"    {line}".rstrip())


def _run(screen: Screen, cloud: Emulator, example: doctest.Example, names: dict[str, Any]) -> None:
    """Make one call; show it, the requests that it sent, and its result."""
    seen = len(cloud.trace)
    for number, line in enumerate(example.source.splitlines()):
        screen.say(f"    {'... ' if number else '>>> '}{line}", "code")
    answer, error = _call(example.source, names)
    for line, status in _requests(cloud.trace[seen:]):
        screen.say(f"{screen.paint(f'    {line:<58}', 'wire')}  {screen.paint(status, _style(status))}")
    for line in _folded(error or answer):
        screen.say(f"    {line}", "refused" if error else "")
    _check(example, answer, error)


def _call(source: str, names: dict[str, Any]) -> tuple[str, str]:
    """Make a call as an interactive session would; return its output and its error, if there is one."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "<tour>", "single"), names)  # noqa: S102 (what is shown is what is run)
    except Exception as error:  # noqa: BLE001 (the tour says which error is expected)
        return printed.getvalue(), traceback.format_exception_only(error)[-1]
    return printed.getvalue(), ""


def _check(example: doctest.Example, answer: str, error: str) -> None:
    """Compare the result with the one in the tour."""
    got, want = (error, example.exc_msg) if error or example.exc_msg else (answer, example.want)
    if not doctest.OutputChecker().check_output(want or "", got, _FLAGS):
        wanted = (want or "nothing").strip()
        raise TourStopped(f"{example.source.strip()}\nexpected\n{wanted}\ngot\n{got.strip() or 'nothing'}")


def _check_state(cloud: Emulator) -> None:
    violations, machines = cloud.check_invariants(), cloud.summary()["machines"]
    if violations or set(machines) - {"deleted"}:
        raise TourStopped(f"it left something behind: machines {machines}, violated invariants {violations}")


def _requests(trace: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Yield every request line and its status; equal requests in a row are one line that counts them."""
    for (method, path, status), several in groupby(trace, lambda asked: (asked.method, asked.path, asked.status)):
        times = len(list(several))
        yield f"{method} {_short(path)}", f"{status} {HTTPStatus(status).phrase}{f' x {times}' if times > 1 else ''}"


def _short(text: str) -> str:
    """Return text with its ids cut to their first eight digits."""
    return _ID.sub(r"\1…", text)


def _style(status: str) -> str:
    return "good" if status.startswith("2") else "refused"


def _folded(text: str) -> list[str]:
    """Return the lines of a text, folded to the width of the screen."""
    lines = (line if len(line) <= WIDTH - 4 else _short(line) for line in text.splitlines())
    return [piece for line in lines for piece in textwrap.wrap(line, WIDTH - 4) or [""]]
