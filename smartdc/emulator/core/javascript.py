"""JavaScript's rules for values, where clients can see them: in messages, in conditions, and in the errors of its JSON."""

import re
from typing import Any

_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z_0-9]*")
_WORDS = {"t": "true", "f": "false", "n": "null"}


def truthy(value: Any) -> bool:
    """Return whether a value is true in JavaScript, as empty lists and objects are."""
    return isinstance(value, list | dict) or bool(value)


def type_of(value: Any) -> str:
    """Return JavaScript's name of a value's type."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "number" if isinstance(value, int | float) else "object"


def written(value: Any) -> str:
    """Return a value as JavaScript writes it within a text."""
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, list):
        return ",".join("" if item is None else written(item) for item in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "[object Object]" if isinstance(value, dict) else str(value)


def inspected(value: Any) -> str:
    """Return a value as node's ``util.inspect`` shows it on one line: ``{ eq: [ 'name', null ] }``."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    if isinstance(value, list):
        return f"[ {', '.join(map(inspected, value))} ]" if value else "[]"
    if isinstance(value, dict):
        items = [
            f"{key if _IDENTIFIER.fullmatch(key) else inspected(key)}: {inspected(item)}" for key, item in value.items()
        ]
        return f"{{ {', '.join(items)} }}" if items else "{}"
    return written(value)


def syntax_error(text: str) -> str:
    """Return V8's message about a text that is not JSON: what it did not expect, and where."""
    try:
        place = _blanks(text, _value(text, 0))
    except _Unexpected as error:
        place = error.place
    if place >= len(text):
        return "Unexpected end of JSON input"
    found = text[place]
    kind = "string" if found == '"' else "number" if found in "-0123456789" else f"token {found}"
    return f"Unexpected {kind} in JSON at position {place}"


class _Unexpected(Exception):
    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


def _value(text: str, place: int) -> int:
    """Return the end of the value that begins here."""
    place = _blanks(text, place)
    first = text[place : place + 1]
    if first == '"':
        return _string(text, place)
    if first in ("{", "["):
        return _items(text, place, "}" if first == "{" else "]")
    if word := _WORDS.get(first):
        return _word(text, place, word)
    number = _NUMBER.match(text, place)
    if not number:
        raise _Unexpected(place + (first == "-"))
    return _number_end(text, number.end())


def _number_end(text: str, place: int) -> int:
    """Refuse what V8 reads as the rest of a number."""
    if fraction := re.compile(r"\.|[eE][+-]?").match(text, place):
        raise _Unexpected(fraction.end())
    return place


def _items(text: str, place: int, end: str) -> int:
    place = _blanks(text, place + 1)
    if text[place : place + 1] == end:
        return place + 1
    while True:
        if end == "}":
            place = _blanks(text, _key(text, _blanks(text, place)))
            if text[place : place + 1] != ":":
                raise _Unexpected(place)
            place += 1
        place = _blanks(text, _value(text, place))
        follows = text[place : place + 1]
        if follows not in (end, ","):
            raise _Unexpected(place)
        place += 1
        if follows == end:
            return place


def _key(text: str, place: int) -> int:
    if text[place : place + 1] != '"':
        raise _Unexpected(place)
    return _string(text, place)


def _string(text: str, place: int) -> int:
    place += 1
    while True:
        place = _end(_PLAIN, text, place)
        found = text[place : place + 1]
        if found == '"':
            return place + 1
        escape = _ESCAPE.match(text, place)
        if not escape:
            raise _Unexpected(place + (found == "\\"))
        place = escape.end()


def _word(text: str, place: int, word: str) -> int:
    for letter in word:
        if text[place : place + 1] != letter:
            raise _Unexpected(place)
        place += 1
    return place


def _blanks(text: str, place: int) -> int:
    return _end(_BLANKS, text, place)


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Return the end of the match of a pattern that always matches."""
    match = pattern.match(text, place)
    return match.end() if match else place
