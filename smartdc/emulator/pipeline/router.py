"""Routing: from a method and a raw path to an operation, by the rules of CloudAPI's own router.

The routes form a tree with a node per path segment. A node has children for literal segments and at most one for a
parameter; a walk prefers literals and falls back to the parameter, so ``/my/users`` is found before ``/:account/:name``.
A place, the end of a path, has operations by method and ``action``: POST on a machine serves nine operations.
The action may be in the body, which is read much later, so `Router.find` returns a `Match` with all operations of the
method, and `Match.choose` picks one when the parameters are known.

Paths are matched before they are decoded, so that ``%2F`` stays within its segment; a parameter may be empty.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from smartdc.emulator.core.javascript import truthy, written
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.core.versions import SERVED
from smartdc.emulator.pipeline.routes import LATE, SINCE, VNC_VERSION, rows

Handler = Callable[[Any], Reply]

_SLASHES = re.compile("/+")
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(slots=True)
class Operation:
    """An operation of CloudAPI; without a handler it is known but not supported."""

    name: str
    method: str
    path: str
    action: str | None = None
    handler: Handler | None = None
    versions: tuple[str, ...] = SERVED


@dataclass(slots=True)
class Place:
    """The end of a path: its parameters' names, and its operations by method and ``action``."""

    names: list[str]
    is_late: bool = False
    """Whether CloudAPI mounts it after the paths of role tags."""
    methods: dict[str, dict[str | None, Operation]] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    literal: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The result of routing: the operations by ``action``, and the parameters in the path."""

    actions: dict[str | None, Operation]
    params: dict[str, str]

    @property
    def operation(self) -> Operation:
        """Any of the operations, for what they have in common."""
        return next(iter(self.actions.values()))

    def choose(self, action: object) -> Operation:
        """Return the operation of an action; a missing or unknown action is a 409."""
        if found := self.actions.get(action if isinstance(action, str) else None) or self.actions.get(None):
            return found
        images = self.operation.path.startswith("/:account/images")
        if not truthy(action):
            raise missing_parameter("action is a required argument" if images else "action is required")
        given = written(action)
        raise invalid_argument(
            f"action {given} is not a valid argument" if images else f"{given} is not a valid action"
        )


NOWHERE = Match({}, {})
"""The match of a request that is not routed yet."""


class Router:
    """All routes of CloudAPI, with handlers on those that are supported."""

    def __init__(self) -> None:
        self._root = _Node()
        self._operations: dict[str, Operation] = {}
        for name, method, path, _, action in rows():
            self._add(Operation(name, method, path, action, versions=_versions(name, path)))

    def handle(self, name: str, method: str, path: str, action: str | None, handler: Handler) -> None:
        """Register the handler of an operation; a route that CloudAPI does not have is a ``ValueError``."""
        known = self._operations.get(name)
        if not known or (known.method, known.path, known.action) != (method, path, action):
            message = f"CloudAPI has no {name} {method} {path} {action or ''}".rstrip()
            raise ValueError(message)
        known.handler = handler

    def operations(self) -> list[Operation]:
        """Return the supported operations, in CloudAPI's order."""
        return [operation for operation in self._operations.values() if operation.handler]

    def find(self, method: str, target: str) -> Match:
        """Return the match of a request; a known path with another method is a 405, an unknown one a 404."""
        path = target.partition("?")[0]
        if method == "GET" and path.startswith("/docs"):
            return Match({None: self._operations["RedirectDocs"]}, {})
        segments = _SLASHES.split(path)[1:]
        places: list[Place] = []
        for place, values in _walk(self._root, segments, []):
            if actions := place.methods.get(method):
                return Match(actions, dict(zip(place.names, map(_decode, values), strict=True)))
            places.append(place)
        if places:
            # CloudAPI names the methods of the path that it mounted first, which may be that of role tags.
            allowed = next((place for place in places if not place.is_late), places[0])
            headers = {"Allow": ", ".join(allowed.methods)}
            raise ApiError(405, "MethodNotAllowedError", f"{method} is not allowed", headers=headers)
        raise not_found(f"{path} does not exist")

    def _add(self, operation: Operation) -> None:
        node = self._root
        names = []
        for segment in operation.path.split("/")[1:]:
            if segment.startswith(":"):
                names.append(segment[1:])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        node.place = node.place or Place(names, is_late=operation.path.startswith(LATE))
        node.place.methods.setdefault(operation.method, {})[operation.action] = operation
        self._operations[operation.name] = operation


def _walk(node: _Node, segments: list[str], values: list[str]) -> Iterator[tuple[Place, list[str]]]:
    """Yield the places whose path matches, the more literal ones first."""
    if not segments:
        if node.place:
            yield node.place, values
        return
    first = segments[0]
    rest = segments[1:]
    if first in node.literal:
        yield from _walk(node.literal[first], rest, values)
    if node.parameter:
        yield from _walk(node.parameter, rest, [*values, first])


def _decode(segment: str) -> str:
    try:
        if _BROKEN_ESCAPE.search(segment):
            raise ApiError(400, "BadRequestError", "URI malformed")
        return unquote(segment, errors="strict") if "%" in segment else segment
    except UnicodeDecodeError as error:
        raise ApiError(400, "BadRequestError", "URI malformed") from error


def _versions(name: str, path: str) -> tuple[str, ...]:
    if name == "ConnectMachineVNC":
        return (VNC_VERSION,)
    since = next((version for prefix, version in SINCE.items() if path.startswith(prefix)), "")
    return tuple(version for version in SERVED if version >= since)


ROUTER = Router()


def operation(
    name: str, method: str, path: str, *, action: str | None = None, head: str | None = None
) -> Callable[[Handler], Handler]:
    """Register a function as the handler of an operation; ``head`` names the HEAD operation of a GET."""

    def register(handler: Handler) -> Handler:
        ROUTER.handle(name, method, path, action, handler)
        if head:
            ROUTER.handle(head, "HEAD", path, None, handler)
        return handler

    return register


def operations() -> list[tuple[str, str, str, str | None]]:
    """Return name, method, path and action of every supported operation, in CloudAPI's order."""
    return [(each.name, each.method, each.path, each.action) for each in ROUTER.operations()]
