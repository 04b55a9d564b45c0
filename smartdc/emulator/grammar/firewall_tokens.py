"""The tokens of a firewall rule, and a reader that takes them one after the other."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

KEYWORDS = (
    "FROM|TO|IP|SUBNET|ANY|ALL|TAG|VM|VMS|OR|AND|BLOCK|ALLOW|PORT|PORTS|TCP|UDP|ICMP|ICMP6|AH|ESP|TYPE|CODE|PRIORITY"
)

NOUNS = frozenset({"ALL", "ANY", "IP", "SUBNET", "TAG", "VM"})
"""Keywords that FWAPI's messages list in lower case as expected."""

_TOKEN = re.compile(
    rf"(?P<KEYWORD>(?:{KEYWORDS}|{KEYWORDS.lower()})\b)"
    r"|(?P<MARK>[-,=()])"
    r'|(?P<STRING>"(?:\\["bfnrt/()\\]|\\u[a-fA-F0-9]{4}|[^"\\])*")'
    r"|(?P<IPV4ADDR>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})"
    r"|(?P<IPV6ADDR>[0-9a-f]*:[0-9a-f]*:[:0-9a-f]*)"
    r"|(?P<CIDRSUFFIX>/\d{1,3})"
    r"|(?P<WORD>[-a-zA-Z0-9_]+)",
    re.ASCII,
)


class RuleError(ValueError):
    """An invalid rule, with FWAPI's message."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """The token's name in FWAPI's messages."""
        return "word" if self.kind == "WORD" else self.kind


class Reader:
    """A reader of tokens with one token of lookahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._next = self._token(0)

    def skip(self, kind: str) -> bool:
        """Take the next token if it is of this kind, and return whether it was."""
        if self._next.kind != kind:
            return False
        self._advance()
        return True

    def take(self, *kinds: str, expected: Iterable[str] = ()) -> str:
        """Take the next token, which must be of one of these kinds; ``expected`` is the list for the message."""
        token = self._next
        if token.kind not in kinds:
            self._refuse(expected or kinds)
        self._advance()
        return token.text

    def _refuse(self, expected: Iterable[str]) -> NoReturn:
        token = self._next
        if not token.kind:
            # FWAPI's position stops here.
            place = token.start if token.start <= 20 else 23
            rest = self._text[token.start : token.start + 20]
            raise RuleError(f"Error at character {place}: '{rest}', found: unexpected text")
        names = ", ".join(f"'{name.lower() if name in NOUNS else name}'" for name in expected)
        raise RuleError(f"Error at character {self._end}: '{token.text}', expected: {names}, found: {token.name}")

    def _advance(self) -> None:
        self._end = self._next.end
        self._next = self._token(self._end)

    def _token(self, position: int) -> _Token:
        start = len(self._text) - len(self._text[position:].lstrip())
        if start == len(self._text):
            return _Token("EOF", "", start, start)
        match = _TOKEN.match(self._text, start)
        if not match:
            return _Token("", "", start, start)
        kind = str(match.lastgroup)
        text = match[0]
        if kind in ("KEYWORD", "MARK"):
            kind = text.upper()
        return _Token(kind, text, start, match.end())
