"""Complete names and keys in Python's own console, and keep a history of what was typed."""

from __future__ import annotations

import inspect
import os
import re
import rlcompleter
import sys
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

try:
    import readline
except ImportError:  # Windows has none; the session works without completion
    readline = None  # type: ignore[assignment]

__all__ = ["History", "complete", "history_file", "history_of_this_terminal"]

LENGTH = 1000
"""Lines that are kept."""

_KEY = re.compile(r"([A-Za-z_][\w.]*)\[[\"']([^\"']*)$")


_CALLED = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*$")
_ARGUMENT = re.compile(r"[(,]\s*\w*$")
"""The end of a line after which the name of an argument may come."""

_GIVEN = re.compile(r"\b(\w+)\s*=[^=]")


class Completer(rlcompleter.Completer):
    """Completes names, the keys of a mapping after ``machine["``, and the names of arguments within a call."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__(names)
        self._names = names
        self._own: list[str] | None = None

    def complete(self, text: str, state: int) -> Any:
        """Return the match of that number, or None after the last one."""
        if state == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            self._own = self.keys(line, text)
            if self._own is None and (arguments := self.arguments(line, text)):
                self._own = arguments + (self.global_matches(text) if text else [])
        if self._own is None:
            return super().complete(text, state)
        return self._own[state] if state < len(self._own) else None

    def arguments(self, line: str, text: str) -> list[str]:
        """Return the names of arguments that complete `text`, the last word of a line."""
        name, typed = _open_call(line)
        function = self._value(name) if name and _ARGUMENT.search(line) else None
        if not callable(function):
            return []
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return []
        given = set(_GIVEN.findall(typed))
        names = [one.name for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]
        return [f"{name}=" for name in names if name.startswith(text) and name not in given]

    def keys(self, line: str, text: str) -> list[str] | None:
        """Return the keys that complete `text`, the last word of a line; None if it is not a key. The editor closes the quote."""
        found = _KEY.search(line)
        thing = self._value(found[1]) if found else None
        if found is None or not isinstance(thing, Mapping):
            return None
        typed = found[2]
        begin = len(typed) - len(text)  # the editor's word is only the part of the key behind a hyphen
        return [key[begin:] for key in map(str, thing) if key.startswith(typed)]

    def _value(self, dotted: str) -> Any:
        """Return the value of a dotted name, or None; properties are not read, since they may send requests."""
        first, *others = dotted.split(".")

        def attribute(thing: Any, name: str) -> Any:
            return None if isinstance(getattr(type(thing), name, None), property) else getattr(thing, name, None)

        return reduce(attribute, others, self._names.get(first))


def _open_call(line: str) -> tuple[str, str]:
    """Return the name before a line's last open parenthesis, and the text after it; '' if there is none."""
    if line.count('"') % 2 or line.count("'") % 2:
        return "", ""  # within a text
    depth = 0
    for place in reversed(range(len(line))):
        depth += (line[place] in ")]}") - (line[place] in "([{")
        if depth < 0:
            called = _CALLED.search(line[:place]) if line[place] == "(" else None
            return (called[0] if called else ""), line[place + 1 :]
    return "", ""


class History:
    """Lines typed in this and earlier sessions, in a file that only its owner may read.

    Each line is added when it is typed: a session may be killed with its terminal, and several may run at once.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; if that fails, there is no history."""
        self._path: Path | None = path
        self._known = 0
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            path.chmod(0o600)
            readline.read_history_file(path)
        except OSError:
            self._path = None
        readline.set_history_length(LENGTH)
        self._known = readline.get_current_history_length()

    def keep(self) -> None:
        """Keep the line that was typed, unless it is empty."""
        known, self._known = self._known, readline.get_current_history_length()
        if self._path is None or self._known == known:
            return
        try:
            readline.append_history_file(1, self._path)
        except OSError:
            self._path = None


def history_file(environ: Mapping[str, str]) -> Path:
    """Return where the history is: in the user's directory for state."""
    state = environ.get("XDG_STATE_HOME", "")
    return (Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state") / "smartdc" / "history"


def history_of_this_terminal() -> History | None:
    """Return the history, if there is a terminal to type at."""
    return History(history_file(os.environ)) if readline is not None and sys.stdin.isatty() else None


def complete(names: dict[str, Any]) -> None:
    """Complete on Tab, if readline is installed."""
    if readline is not None:
        readline.set_completer(Completer(names).complete)
        readline.parse_and_bind("tab: complete")
