"""CloudAPI's checks of a volume's parameters, with the messages of JavaScript's errors, and the filters of lists."""

import re
from collections.abc import Iterator
from typing import Any

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.reply import invalid_argument
from smartdc.emulator.grammar import volume_predicate as predicate
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import VolumeRecord

TYPES = ("tritonnfs",)
STATES = ("creating", "ready", "failed", "deleting")
MAX_NAME = 256

_NAME = re.compile(r"[a-z0-9][\w.-]+", re.IGNORECASE | re.ASCII)
_PART = re.compile(r"\*?[\w.-]+\*?", re.ASCII)
_FILTERS = ("name", "predicate", "size", "state", "type")


def check_filters(call: Call) -> predicate.Predicate:
    """Return the predicate of the filters; invalid filters are a 409."""
    query = call.query
    errors = [f"Error: invalid parameter: {name}" for name in query if name not in _FILTERS]
    if "name" in query and not _PART.fullmatch(str(query["name"])):
        errors.append("Error: invalid value for name search parameter")
    if "type" in query:
        errors += type_errors(query["type"])
    if "size" in query and not re.fullmatch(r"[1-9][0-9]*", str(query["size"])):
        errors.append("Error: invalid value for size search parameter, must match /^[1-9][0-9]*$/")
    if "state" in query:
        errors += _state_errors(query["state"])
    condition: predicate.Predicate = {} if "state" in query else {"ne": ["state", "failed"]}
    if "predicate" in query:
        condition, wrong = _read_predicate(str(query["predicate"]), query)
        errors += wrong
    refuse(errors)
    return condition


def _read_predicate(text: str, query: dict[str, Any]) -> tuple[predicate.Predicate, list[str]]:
    try:
        condition = predicate.parse(text)
    except ValueError as error:
        return {}, [f"VError: {error}"]
    leaves = predicate.leaves(condition)
    wrong = [error for field, value in leaves for error in _value_errors(field, value)]
    if wrong:
        return {}, [f"Error: Invalid values in predicate: {','.join(wrong)}"]
    return condition, [
        f'Error: predicate has "{field}" which conflicts with parameter with same name'
        for field in dict.fromkeys(field for field, _ in leaves)
        if field in query
    ]


def _value_errors(field: str, value: Any) -> list[str]:
    checks = {
        "id": id_errors,
        "name": name_errors,
        "network": lambda network: [] if UUID.fullmatch(network) else [f"Error: Invalid volume network: {network}"],
        "size": _size_errors,
        "state": _state_errors,
        "type": type_errors,
    }
    return checks[field](value)


def new_errors(params: dict[str, Any]) -> list[str]:
    """Return the mistakes in the parameters of a new volume."""
    return [
        *(name_errors(params["name"]) if "name" in params else []),
        *type_errors(params.get("type", "undefined")),
        *(_size_errors(params["size"]) if "size" in params else []),
        *_list_errors(params),
        *_tag_errors(params.get("tags")),
    ]


def _list_errors(params: dict[str, Any]) -> Iterator[str]:
    networks = params.get("networks")
    affinity = params.get("affinity")
    if networks is not None and not isinstance(networks, list):
        yield "Error: Invalid networks: networks must be an array"
    elif networks is not None and not all(isinstance(each, str) and UUID.fullmatch(each) for each in networks):
        yield f"Error: Invalid networks: {','.join(map(str, networks))}"
    if affinity and not (isinstance(affinity, list) and all(isinstance(rule, str) for rule in affinity)):
        yield "Error: Invalid affinity: affinity must be an array of strings"


def _tag_errors(tags: Any) -> list[str]:
    if not tags or (isinstance(tags, dict) and all(isinstance(value, str) for value in tags.values())):
        return []
    return ["Error: Invalid tags: tags must be an object of key/value strings"]


def id_errors(identity: str) -> list[str]:
    """Return the mistakes in an id."""
    if UUID.fullmatch(identity):
        return []
    pattern = f"/^{UUID.pattern.replace('0-9a-f', 'a-f0-9')}$/"
    return [f"Error: Invalid volume ID: {identity}. Volume ID should match {pattern}"]


def name_errors(name: Any) -> list[str]:
    """Return the mistakes in a name."""
    errors = [] if isinstance(name, str) else ["Error: Invalid volume name: volume name must be a string"]
    if not _NAME.fullmatch(str(name)):
        errors.append(rf"Error: Invalid volume name: {name}. Volume name should match /^[a-z0-9][\w.-]+$/i")
    if len(str(name)) > MAX_NAME:
        errors.append(f"Error: Invalid volume name length: volume name must be at most {MAX_NAME} long")
    return errors


def _size_errors(size: Any) -> list[str]:
    good = isinstance(size, int | float) and not isinstance(size, bool) and size > 0
    return [] if good else [f"Error: Invalid volume size: {size}"]


def _state_errors(state: Any) -> list[str]:
    return [] if state in STATES else [f"Error: Volume state: {state} is invalid"]


def type_errors(kind: Any) -> list[str]:
    """Return the mistakes in a type."""
    good = f"Volume type should be one of: {', '.join(TYPES)}"
    return [] if kind in TYPES else [f"Error: Invalid volume type: {kind}. {good}"]


def refuse(errors: list[str]) -> None:
    """Refuse a request for all its mistakes: 409."""
    if errors:
        raise invalid_argument(", ".join(errors))


def passes(volume: VolumeRecord, query: dict[str, Any]) -> bool:
    """Return whether a volume passes the filters of a query."""
    name = str(query.get("name", ""))
    exact = {"size": str(volume.size), "state": volume.state, "type": volume.type}
    same = all(query.get(key, value) == value for key, value in exact.items())
    return same and (not name or _is_called(volume.name, name))


def _is_called(name: str, pattern: str) -> bool:
    """Return whether a name matches a pattern that may start or end with ``*``."""
    middle = pattern.strip("*")
    if pattern.startswith("*") and pattern.endswith("*"):
        return middle in name
    if pattern.startswith("*"):
        return name.endswith(middle)
    return name.startswith(middle) if pattern.endswith("*") else name == middle


def fields_of(volume: VolumeRecord) -> dict[str, Any]:
    """Return the fields of a volume that a predicate can use."""
    network = next(iter(volume.networks))
    fields = {name: getattr(volume, name) for name in ("id", "name", "size", "state", "type")}
    return {**fields, "network": network}
