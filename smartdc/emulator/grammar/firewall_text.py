"""The language of firewall rules: parsing, checking and formatting as FWAPI does.

``FROM <targets> TO <targets> ALLOW|BLOCK <protocol> <ports or types> [PRIORITY <level>]``, with each keyword either in
upper or in lower case. ``_Reader`` is a recursive descent parser, with a method for each rule of the grammar.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, TypeAlias

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.grammar.firewall_tokens import Reader, RuleError

MAX_TARGETS = 24
"""The maximum of targets on a side."""
MAX_PORTS = 24
"""The maximum of ports or types."""
EVERY_PORT = (1, 65535)

Target: TypeAlias = tuple[str, Any]
"""A kind and a value: ``("vm", id)``, ``("tag", (name, value or None))`` or ``("wildcard", "any")``."""

KINDS = ("wildcard", "ip", "subnet", "tag", "vm")
"""The kinds of targets, in FWAPI's order."""

_ESCAPE = re.compile(r"\\(u[a-fA-F0-9]{4}|.)", re.DOTALL)
_UNPRINTED = re.compile(
    '["()\\\\\x00-\x1f\x7f\x85\xa0\u1680\u180e\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]'
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule; ports are single ports or (first, last) pairs, and empty for all."""

    sources: tuple[Target, ...]
    destinations: tuple[Target, ...]
    action: str
    protocol: str
    ports: tuple[tuple[int, ...], ...]
    priority: int = 0

    def __str__(self) -> str:
        """Format the rule as FWAPI does: sorted, quoted, with parentheses only around several."""
        words = ["FROM", _side(self.sources), "TO", _side(self.destinations), self.action.upper(), self.protocol]
        if self.protocol in ("tcp", "udp"):
            words.append(_ports(self.ports))
        elif self.protocol in ("icmp", "icmp6"):
            words.append(_types(self.ports))
        if self.priority:
            words.append(f"PRIORITY {self.priority}")
        return " ".join(words)

    def concerns(self, machine: str, tags: Mapping[str, str]) -> bool:
        """Return whether the rule concerns a machine with this id and these tags, whose values are strings."""
        return any(_matches(target, machine, tags) for target in (*self.sources, *self.destinations))


def read_rule(text: object) -> Rule:
    """Parse and check a rule; an invalid one is a RuleError."""
    if not isinstance(text, str):
        raise RuleError("rule must be a string")
    rule = _Reader(text).rule()
    for side in (rule.destinations, rule.sources):
        if len(side) > MAX_TARGETS:
            raise RuleError(f"maximum of {MAX_TARGETS} targets allowed per side")
    both = [*rule.sources, *rule.destinations]
    _check_family(rule.protocol, both)
    if not any(kind in ("tag", "vm") or value == "all vms" for kind, value in both):
        raise RuleError("rule does not affect VMs")
    return Rule(
        _sorted(rule.sources), _sorted(rule.destinations), rule.action, rule.protocol, rule.ports, rule.priority
    )


# Parsing


class _Reader(Reader):
    """A parser for one rule."""

    def rule(self) -> Rule:
        """Parse the whole rule."""
        self.take("FROM")
        sources = self._targets()
        self.take("TO")
        destinations = self._targets()
        action = self.take("BLOCK", "ALLOW").lower()
        protocol = self.take("TCP", "UDP", "ICMP", "ICMP6", "AH", "ESP").lower()
        ports = self._ports_of(protocol)
        level = 0
        if self.take("EOF", "PRIORITY").upper() == "PRIORITY":
            level = _number(self.take("WORD"), 0, 100, "Priority level")
            self.take("EOF")
        return Rule(sources, destinations, action, protocol, ports, level)

    def _targets(self) -> tuple[Target, ...]:
        if not self.skip("("):
            return (self._wildcard() or self._target("(", "ALL", "ANY"),)
        if wildcard := self._wildcard():
            self.take(")")
            return (wildcard,)
        found = [self._target("ALL", "ANY")]
        while self.take(")", "OR") != ")":
            found.append(self._target())
        return tuple(found)

    def _wildcard(self) -> Target | None:
        if self.skip("ANY"):
            return "wildcard", "any"
        if self.skip("ALL"):
            self.take("VMS")
            return "wildcard", "all vms"
        return None

    def _target(self, *instead: str) -> Target:
        kinds = ("IP", "SUBNET", "VM", "TAG")
        kind = self.take(*kinds, expected=(*instead, *kinds)).lower()
        if kind == "vm":
            return kind, _uuid(self.take("WORD"))
        if kind == "tag":
            return kind, (self._name(), self._name() if self.skip("=") else None)
        address = self.take("IPV4ADDR", "IPV6ADDR")
        if kind == "ip":
            return kind, _address(address)
        return kind, _subnet(address + self.take("CIDRSUFFIX"))

    def _name(self) -> str:
        text = self.take("WORD", "STRING")
        return _unescaped(text[1:-1]) if text.startswith('"') else text

    def _ports_of(self, protocol: str) -> tuple[tuple[int, ...], ...]:
        if protocol in ("ah", "esp"):
            return ()
        if protocol in ("icmp", "icmp6"):
            return _limited(self._list("TYPE", self._type), "types")
        if self.skip("PORTS"):
            return _limited(self._ranges(), "ports")
        return _limited(self._list("PORT", self._port, "PORTS"), "ports")

    def _list(self, keyword: str, read: Callable[[], tuple[int, ...]], *instead: str) -> list[tuple[int, ...]]:
        """Parse ``PORT 1``, ``PORT ALL`` (an empty list) or ``(PORT 1 AND PORT 2)``."""
        several = self.skip("(")
        self.take(keyword, expected=() if several else ("(", keyword, *instead))
        if self.skip("ALL"):
            if several:
                self.take(")")
            return []
        found = [read()]
        while several and self.take(")", "AND") != ")":
            self.take(keyword)
            found.append(read())
        return found

    def _port(self) -> tuple[int, ...]:
        return (_port(self.take("WORD")),)

    def _type(self) -> tuple[int, ...]:
        kind = _number(self.take("WORD"), 0, 255, "ICMP type")
        return (kind, _number(self.take("WORD"), 0, 255, "ICMP code")) if self.skip("CODE") else (kind,)

    def _ranges(self) -> list[tuple[int, ...]]:
        found = [self._range()]
        while self.skip(","):
            found.append(self._range())
        return found

    def _range(self) -> tuple[int, ...]:
        word = self.take("WORD")
        ends = [word, self.take("WORD")] if self.skip("-") else word.split("-")
        if len(ends) > 2:
            raise RuleError(f'"{word}" is not a valid port number or range')
        numbers = [_port(end) for end in ends]
        if numbers[-1] < numbers[0]:
            raise RuleError(f"The end of the range ({ends[1]}) cannot be less than the start ({ends[0]})")
        return tuple(dict.fromkeys(numbers))


def _uuid(text: str) -> str:
    if not UUID.fullmatch(text):
        raise RuleError(f'UUID "{text}" is invalid')
    return text


def _address(text: str) -> str:
    family = "IPv6" if ":" in text else "IPv4"
    try:
        address = ip_address(text)
    except ValueError:
        address = IPv4Address(0)
    if address in (IPv4Address(0), IPv4Address(2**32 - 1)):
        raise RuleError(f'{family} address "{text}" is invalid')
    return text


def _subnet(text: str) -> str:
    address, _, length = text.partition("/")
    try:
        bits = ip_address(address).max_prefixlen
    except ValueError:
        raise RuleError(f'Subnet "{text}" is invalid (bad address component)') from None
    if int(length) > bits:
        raise RuleError(f'Subnet "{text}" is invalid (bad prefix length)')
    if ip_network(text, strict=False).network_address != ip_address(address):
        raise RuleError(f'Subnet "{text}" is invalid (bits set to right of mask)')
    return text


def _port(text: str) -> int:
    return _number(text, *EVERY_PORT, "Port number")


def _number(text: str, low: int, high: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
        raise RuleError(f'{what} "{text}" is invalid')
    return int(text)


def _limited(ports: list[tuple[int, ...]], what: str) -> tuple[tuple[int, ...], ...]:
    if len(ports) > MAX_PORTS:
        raise RuleError(f"maximum of {MAX_PORTS} {what} allowed")
    if what == "ports" and EVERY_PORT in ports:
        return ()
    return tuple(sorted(ports, key=lambda port: port[0] if what == "ports" else port))


def _check_family(protocol: str, targets: list[Target]) -> None:
    """Reject addresses of one family in a rule for the other family's ICMP."""
    family = {"icmp": (IPv4Address, "v4"), "icmp6": (IPv6Address, "v6")}.get(protocol)
    if not family:
        return
    wanted, version = family
    for kind, noun in (("ip", "address"), ("subnet", "subnet")):
        if any(k == kind and not isinstance(ip_address(v.partition("/")[0]), wanted) for k, v in targets):
            raise RuleError(f"rule affects ICMP{version} but contains a non-IP{version} {noun}")


def _unescaped(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else _SHORT.get(code, code)

    return _ESCAPE.sub(plain, text)


# Formatting


def _sorted(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Sort targets and remove duplicates, also tags with a value next to the same tag without one."""
    bare = {value[0] for kind, value in targets if kind == "tag" and value[1] is None}
    kept = {(kind, value) for kind, value in targets if kind != "tag" or value[1] is None or value[0] not in bare}
    return tuple(sorted(kept, key=lambda target: (KINDS.index(target[0]), target[1])))


def _side(targets: tuple[Target, ...]) -> str:
    words = [_target(kind, value) for kind, value in targets]
    return words[0] if len(words) == 1 else f"({' OR '.join(words)})"


def _target(kind: str, value: Any) -> str:
    if kind == "wildcard":
        return str(value)
    if kind == "tag":
        name, wanted = value
        return f"tag {_quoted(name)}" + ("" if wanted is None else f" = {_quoted(wanted)}")
    return f"{kind} {value}"


def _quoted(text: str) -> str:
    short = {value: key for key, value in _SHORT.items()} | {mark: mark for mark in '"()\\'}
    return '"' + _UNPRINTED.sub(lambda m: f"\\{short.get(m[0]) or f'u{ord(m[0]):04X}'}", text) + '"'


def _ports(ports: tuple[tuple[int, ...], ...]) -> str:
    if any(len(port) > 1 for port in ports):
        return "PORTS " + ", ".join(" - ".join(map(str, port)) for port in ports)
    return _listed("PORT", [str(port[0]) for port in ports])


def _types(types: tuple[tuple[int, ...], ...]) -> str:
    return _listed("TYPE", [" CODE ".join(map(str, kind)) for kind in types])


def _listed(keyword: str, values: list[str]) -> str:
    words = [f"{keyword} {value}" for value in values or ["all"]]
    return words[0] if len(words) == 1 else f"({' AND '.join(words)})"


def _matches(target: Target, machine: str, tags: Mapping[str, str]) -> bool:
    kind, value = target
    if kind == "tag":
        name, expected = value
        return name in tags and expected in (None, tags[name])
    return value in ("all vms", machine)
