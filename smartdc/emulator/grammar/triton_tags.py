"""The special tags of Triton, whose names begin with ``triton.``: the types and forms of their values.

The messages are those of the package triton-tags, including what its generated parser of services expected.
"""

import json
import re
from typing import Any

from smartdc.emulator.core.javascript import type_of

TYPES = {
    "triton.cmon.groups": "string",
    "triton.cns.services": "string",
    "triton.cns.disable": "boolean",
    "triton.cns.reverse_ptr": "string",
    "triton.network.public": "string",
    "triton.placement.exclude_virtual_servers": "boolean",
    "triton._test.string": "string",
    "triton._test.number": "number",
    "triton._test.boolean": "boolean",
}
"""The tags and the types of their values; no other name may begin with ``triton.``."""

MAX_GROUPS = 100
"""The most groups of a machine, and the most characters of each."""
MAX_LABEL = 63
MAX_NUMBER = 65_535

_GROUPS = re.compile(r"[a-zA-Z0-9_,-]*")
_HOST = re.compile(r"(?=.{1,255}$)[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62})*", re.IGNORECASE)
_LABEL = re.compile(r"[a-zA-Z0-9-][a-zA-Z0-9.-]*|_[a-zA-Z0-9-]*\._(?:tcp|udp)")
_PORT = re.compile(r"[0-9]+")
_PROPERTY = re.compile(r"[a-z][a-z0-9-]*")
_VALUE = re.compile(r"[^,:]+")
_LEADING_NUMBER = re.compile(r"\s*([+-]?[0-9]+)")


def objection_to(key: str, value: object) -> str | None:
    """Return why the value of a special tag is refused; None if it is not."""
    if key not in TYPES:
        return f'Unrecognized special triton tag "{key}"'
    kind = type_of(value)
    if kind != TYPES[key]:
        shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return f'Triton tag "{key}" value must be a {TYPES[key]}: {shown} ({kind})'
    check = {
        "triton.cmon.groups": _groups_objection,
        "triton.cns.services": _services_objection,
        "triton.cns.reverse_ptr": _host_objection,
    }.get(key)
    reason = check(str(value)) if check else None
    return f'invalid "{key}" tag: {reason}' if reason else None


def _host_objection(text: str) -> str | None:
    return None if _HOST.fullmatch(text) else f'"{text}" is not DNS safe'


def _groups_objection(text: str) -> str | None:
    if not _GROUPS.fullmatch(text):
        return "groups must be strings comprised of letters, numbers, _, and -"
    groups = text.split(",")
    if len(groups) > MAX_GROUPS:
        return f"must contain less than or equal to {MAX_GROUPS} group strings"
    for place, group in enumerate(groups):
        if group in groups[:place]:
            return f"contains duplicate group {group}"
        if not 1 <= len(group) <= MAX_GROUPS:
            return f"group name must be no less than 1 character and no greater than {MAX_GROUPS} characters"
    return None


def _services_objection(text: str) -> str | None:
    try:
        services = _Services(text).parse()
    except ValueError as error:
        return str(error)
    return next((reason for service in services for reason in [_service_objection(service)] if reason), None)


def _service_objection(service: dict[str, Any]) -> str | None:
    name = service["name"]
    if len(name) > MAX_LABEL:
        return f'service DNS name "{name}" must be {MAX_LABEL} or fewer characters'
    if "port" in service and not 1 <= _number(service["port"]) <= MAX_NUMBER:
        return f"service port number for {name} must be within the range 1 - {MAX_NUMBER}"
    for key in service.keys() - {"name", "port"}:
        if key not in ("priority", "weight"):
            return f'service property "{key}" is not a valid property name'
        if not 0 <= _number(service[key]) <= MAX_NUMBER:
            return f"service {key} for {name} must be within the range 0 - {MAX_NUMBER}"
    return None


def _number(text: str) -> int:
    """Return the number that a text begins with, and -1 for none."""
    found = _LEADING_NUMBER.match(text)
    return int(found[1]) if found else -1


class _Services:
    """A parser of ``name:port:property=value``, separated by commas; its errors say what it expected."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def parse(self) -> list[dict[str, Any]]:
        """Return the services; an invalid text is a ``ValueError``."""
        services = [self._service()]
        while self.place < len(self.text):
            self._take(re.compile(","), '",", ":" or end of input')
            services.append(self._service())
        return services

    def _service(self) -> dict[str, Any]:
        service = {"name": self._take(_LABEL, "DNS name").lower()}
        while self.text.startswith(":", self.place):
            self.place += 1
            first = len(service) == 1
            if first and _PORT.match(self.text, self.place):
                service["port"] = self._take(_PORT, "")
                continue
            key = self._take(_PROPERTY, "integer (port number) or property name" if first else "property name")
            self._take(re.compile("="), '"="')
            service[key] = self._take(_VALUE, "property value")
        return service

    def _take(self, pattern: re.Pattern[str], expected: str) -> str:
        match = pattern.match(self.text, self.place)
        if not match:
            rest = self.text[self.place : self.place + 1]
            found = f'"{_escaped(rest)}"' if rest else "end of input"
            raise ValueError(f"Expected {expected} but {found} found.")
        self.place = match.end()
        return match[0]


def _escaped(letter: str) -> str:
    if letter.isascii():
        return json.dumps(letter)[1:-1]
    return f"\\x{ord(letter):02X}" if ord(letter) <= 0xFF else f"\\u{ord(letter):04X}"
