"""Aperture, the language of policies: ``[<principals>] CAN [NOT] <actions> [<resources>] [WHEN <conditions>]``.

Lists are ``a``, ``a and b`` or ``a, b and c``. A name may contain ``*`` for any characters, be quoted, or be a regular
expression such as ``/expression/::regex``; ``*`` and ``all`` mean everything. Conditions are parsed but never evaluated:
callers must check `Rule.conditional`. ``_Reader`` is a recursive descent parser, with a method for each rule of the
grammar.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(
    r"""\s+
    | (?P<regex> / (?: [^/\\\[\n] | \\. | \[ (?:[^\]\\\n] | \\.)* \] )+ / [a-z]* ) ::regexp?
    | " (?P<quoted> (?: [^"\\] | \\. )* ) "
    | (?P<mark> :: | [,()] )
    | (?P<word> (?: [^\s,():] (?: : (?!:) )? )+ )""",
    re.VERBOSE | re.IGNORECASE,
)
_EVERYTHING = frozenset({"ALL", "EVERYTHING", "ANYTHING", "*"})
_CONDITIONS = frozenset({"IF", "WHEN", "WHERE"})
_KEYWORDS = _EVERYTHING | _CONDITIONS | {"AND", "OR", "NOT", "CAN", "TO", "IN"}
_NAMES = frozenset({"word", "quoted", "regex"})

_ORDER = frozenset({"=", "!=", "<", ">", "<=", ">="})
_OPERATORS = {
    "array": frozenset({"contains"}),
    "boolean": frozenset({"=", "!="}),
    "date": _ORDER,
    "day": _ORDER,
    "ip": frozenset({"=", "!="}),
    "number": _ORDER,
    "string": _ORDER | {"like"},
    "time": _ORDER,
}
"""The operators for each type of condition."""

_TYPES = {
    "activeRoles": "array",
    "date": "date",
    "day": "day",
    "fromjob": "boolean",
    "method": "string",
    "owner": "string",
    "sourceip": "ip",
    "time": "time",
    "user-agent": "string",
    "overwrite": "boolean",
}
"""The types of CloudAPI's own conditions; any other needs its type, as in ``tag_role::string``."""


@dataclass(frozen=True, slots=True)
class Names:
    """A list of names; an empty one matches everything."""

    exact: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()

    def name(self, text: str) -> bool:
        """Return whether the list matches a name."""
        nothing = not self.exact and not self.patterns
        return nothing or text in self.exact or any(pattern.search(text) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule; principals and resources are None if it leaves them to roles and role tags."""

    text: str
    principals: Names | None
    grants: bool
    actions: Names
    resources: Names | None
    conditional: bool

    def fits(self, action: str, path: str) -> bool:
        """Return whether the rule grants an action on a path, regardless of its conditions.

        CloudAPI passes no principal to the evaluator, so a rule with principals matches only if these are all.
        """
        anybody = self.principals is None or self.principals.name("undefined")
        return (
            self.grants and anybody and self.actions.name(action) and (not self.resources or self.resources.name(path))
        )


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> Rule:
    """Parse a rule; an invalid one is a ValueError that says where and why."""
    return _Reader(text).rule()


class _Reader:
    """A parser for one rule."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [*_tokens(text), ("end", "")]

    def rule(self) -> Rule:
        principals = None if self.sees("CAN") else self.names()
        self.take("CAN")
        grants = not self.accept("NOT")
        actions = self.names()
        ended = self.kind == "end" or self.kind in _CONDITIONS
        resources = None if ended else self.names()
        conditional = self.accept(*_CONDITIONS)
        if conditional:
            self.any_of_conditions()
        self.take("end")
        return Rule(self.text, principals, grants, actions, resources, conditional)

    def names(self) -> Names:
        """Parse a list; the last of several names follows an AND."""
        if self.accept(*_EVERYTHING):
            return Names()
        found = [self.name()]
        while self.accept(","):
            if len(found) > 1 and self.sees("AND"):
                break
            found.append(self.name())
        if len(found) > 1 and not self.sees("AND"):
            raise self.error("and")
        if self.accept("AND"):
            found.append(self.name())
        patterns = tuple(each for each in found if isinstance(each, re.Pattern))
        return Names(frozenset(each for each in found if isinstance(each, str)), patterns)

    def name(self) -> str | re.Pattern[str]:
        kind, text = self.take(*_NAMES)
        if kind == "regex":
            return _expression(*text[1:].rpartition("/")[::2])
        return re.compile(_fuzzy(text)) if kind == "word" and "*" in text else text

    def any_of_conditions(self) -> None:
        self.all_of_conditions()
        while self.accept("OR"):
            self.all_of_conditions()

    def all_of_conditions(self) -> None:
        self.condition()
        while self.accept("AND"):
            self.condition()

    def condition(self) -> None:
        while self.accept("NOT"):
            pass
        if self.accept("("):
            self.any_of_conditions()
            self.take(")")
            return
        name = self.value()
        kind = self.value() if self.accept("::") else _TYPES.get(name, "")
        if not self.accept("IN"):
            _check_type(name, kind, self.value().lower())
            self.value()
            return
        _check_type(name, kind, "=")
        self.take("(")
        self.value()
        while self.accept(","):
            self.value()
        self.take(")")

    def value(self) -> str:
        return self.take("word", "quoted", "*")[1]

    @property
    def kind(self) -> str:
        return self.tokens[0][0]

    def sees(self, *kinds: str) -> bool:
        return self.kind in kinds

    def accept(self, *kinds: str) -> bool:
        return self.sees(*kinds) and bool(self.tokens.pop(0))

    def take(self, *kinds: str) -> tuple[str, str]:
        if not self.sees(*kinds):
            raise self.error(*kinds)
        return self.tokens.pop(0)

    def error(self, *kinds: str) -> ValueError:
        met = self.tokens[0][1] or "the end"
        return ValueError(f"Parse error in {self.text!r}: expecting {' or '.join(sorted(kinds))}, got {met}")


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise ValueError(f"Lexical error in {text!r}: unrecognized text at {text[position:]!r}")
        position = match.end()
        if match.lastgroup:
            found.append((_kind(match.lastgroup, match[match.lastgroup]), match[match.lastgroup]))
    return found


def _kind(group: str, text: str) -> str:
    """Return the kind of a token; keywords and marks are their own kind."""
    if group == "word" and text.upper() in _KEYWORDS:
        return text.upper()
    return text if group == "mark" else group


def _fuzzy(text: str) -> str:
    """Return the expression for a name with ``*``; CloudAPI searches for it anywhere."""
    return ".*".join(re.escape(part).replace(r"\\\*", r"\*") for part in re.split(r"(?<!\\)\*", text))


def _expression(body: str, flags: str) -> re.Pattern[str]:
    try:
        return re.compile(body, re.IGNORECASE if "i" in flags else 0)
    except re.error as error:
        raise ValueError(f"Invalid regular expression: /{body}/: {error}") from error


def _check_type(name: str, kind: str, operator: str) -> None:
    if not kind:
        raise ValueError(f'no type for "{name}"')
    if kind not in _OPERATORS:
        raise ValueError(f'unknown type "{kind}"')
    if operator not in _OPERATORS[kind]:
        raise ValueError(f'unsupported operation "{operator}" on type "{kind}"')
