"""CloudAPI's strict schemas: which parameters are allowed and their forms, with the messages of its library."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from smartdc.emulator.core.javascript import type_of, written
from smartdc.emulator.core.reply import invalid_argument
from smartdc.emulator.pipeline.call import Call

_QUAD = r"(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])"
ADDRESS = rf"^(?:{_QUAD}\.){{3}}{_QUAD}$"
NAME = r"^[a-zA-Z][a-zA-Z0-9_\./-]{1,255}$"
IDENTITY = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a parameter; ``items`` is the form of an array's items, and an empty kind allows any type."""

    kind: str = ""
    required: bool = False
    pattern: str = ""
    least: float | None = None
    most: float | None = None
    items: "Form | None" = None


Schema = Mapping[str, Form]


def check_schema(call: Call, schema: Schema) -> dict[str, Any]:
    """Return the parameters except the account; the first invalid one is a 409 InvalidArgument."""
    for name, fault in _faults(call.params, schema):
        raise invalid_argument(f'property "{name}": {fault}')
    return {name: value for name, value in call.params.items() if name != "account"}


def _faults(params: dict[str, Any], schema: Schema) -> Iterator[tuple[str, str]]:
    for name, form in schema.items():
        if name in params:
            yield from _faults_of(name, params[name], form)
        elif form.required:
            yield name, "is missing and it is required"
    for name in params.keys() - schema.keys() - {"account"}:
        yield name.lower(), "unsupported property"


def _faults_of(path: str, value: Any, form: Form) -> Iterator[tuple[str, str]]:
    if form.kind and not _is(form.kind, value):
        yield path, f"{written(value)} - {type_of(value)} value found, but a {form.kind} is required".lower()
    if isinstance(value, list) and form.items:
        for place, item in enumerate(value):
            yield from _faults_of(f"{path}[{place}]", item, form.items)
    if isinstance(value, str) and form.pattern and not re.fullmatch(form.pattern.strip("^$"), value, re.ASCII):
        wanted = f"does not match the regex pattern {form.pattern}".lower()
        yield path, "must be an IPv4 address" if form.pattern == ADDRESS else wanted
    if type_of(value) == "number":
        yield from _limits(path, value, form)


def _limits(path: str, value: float, form: Form) -> Iterator[tuple[str, str]]:
    if form.least is not None and value < form.least:
        yield path, f"must have a minimum value of {form.least}"
    if form.most is not None and value > form.most:
        yield path, f"must have a maximum value of {form.most}"


def _is(kind: str, value: Any) -> bool:
    if kind == "array":
        return isinstance(value, list)
    if kind == "integer":
        return whole(value) is not None
    return type_of(value) == kind


def whole(value: Any) -> int | None:
    """Return a value as an integer, read as JavaScript does; None if it is not one."""
    if value in (None, "", []):
        return 0
    try:
        number = float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None
    return int(number) if number is not None and number.is_integer() else None
