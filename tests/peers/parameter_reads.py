"""Which parameters the emulator's handlers read, so that one without an entry in `peers.parameter_facts` is noticed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import ROUTER, Handler, Operation

Reads = Mapping[str, set[str]]
"""The names that were read, by operation."""


class Recorder(dict[str, Any]):
    """Parameters that note the names which are looked up, also those that were not given."""

    def __init__(self, params: Mapping[str, Any], names: set[str]) -> None:
        super().__init__(params)
        self._names = names

    def __getitem__(self, name: str) -> Any:
        self._names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._names.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, and note its name."""
        self._names.add(name)
        return super().get(name, default)


def record_reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Have all handlers get `Recorder`s; what they read beside the path is added to what is returned."""
    reads: defaultdict[str, set[str]] = defaultdict(set)
    operations = ROUTER.operations()
    paths: defaultdict[Handler | None, set[str]] = defaultdict(set)
    for operation in operations:
        paths[operation.handler] |= {part[1:] for part in operation.path.split("/") if part.startswith(":")}
    for operation in operations:
        monkeypatch.setattr(operation, "handler", _recording(operation, paths[operation.handler], reads))
    return reads


def _recording(operation: Operation, in_path: set[str], reads: defaultdict[str, set[str]]) -> Handler:
    handler = operation.handler
    assert handler

    def record(call: Call) -> Any:
        names: set[str] = set()
        call.params, call.query, call.body = (Recorder(each, names) for each in (call.params, call.query, call.body))
        try:
            return handler(call)
        finally:
            reads[operation.name] |= names - in_path

    return record
