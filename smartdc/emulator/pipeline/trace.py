"""The requests to an emulator and their statuses, without credentials."""

import re
from dataclasses import dataclass, field
from typing import Any

from smartdc.emulator.core.reply import ApiError
from smartdc.emulator.faults.plan import Fault
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.decode import parse_body, parse_query

MAX_ENTRIES = 20_000
"""The most entries of a trace; then its older half is dropped."""

_SECRET_HEADERS = frozenset({"authorization", "x-auth-token"})
_SIGNATURE = re.compile(r"(?<=[?&]signature=)[^&]*")


@dataclass(slots=True)
class TraceEntry:
    """One request and its status; status 0 means that it was never answered."""

    operation: str | None
    method: str
    path: str
    """The raw target: path and query as received."""
    query: dict[str, Any]
    headers: dict[str, str]
    body: dict[str, Any] = field(repr=False)
    status: int = 0
    account: str | None = None
    fault: str | None = None


class Trace(list[TraceEntry]):
    """The requests so far, oldest first."""

    def record(self, call: Call, status: int, fault: Fault | None) -> None:
        """Append a finished call."""
        if len(self) >= MAX_ENTRIES:
            del self[: MAX_ENTRIES // 2]
        request = call.request
        query, body = _decoded(call)
        self.append(
            TraceEntry(
                call.name,
                request.method,
                _SIGNATURE.sub("...", request.target),
                {name: value for name, value in query.items() if name != "signature"},
                {name: value for name, value in request.headers.items() if name not in _SECRET_HEADERS},
                body,
                status,
                call.account.login if call.found_caller else None,
                fault.kind if fault else None,
            )
        )

    def operations(self) -> list[str | None]:
        """Return the names of the requested operations, oldest first."""
        return [entry.operation for entry in self]


def _decoded(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return query and body of a call, even if it ended before they were parsed."""
    if call.params:
        return call.query, call.body
    try:
        return parse_query(call.request.target.partition("?")[2]), parse_body(call.request)
    except ApiError:
        return {}, {}
