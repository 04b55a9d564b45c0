"""What was asked of an emulator, without the proof of who asked."""

import re
from dataclasses import dataclass, field
from typing import Any

from smartdc.emulator.core.reply import ApiError
from smartdc.emulator.faults.plan import Fault
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.decode import parse_body, parse_query

LONGEST = 20_000
"""How many entries a trace may have before its older half is dropped."""

_SECRET_HEADERS = frozenset({"authorization", "x-auth-token"})
_SIGNATURE = re.compile(r"(?<=[?&]signature=)[^&]*")


@dataclass(slots=True)
class Asked:
    """One request and how it was answered; status 0 means not at all."""

    operation: str | None
    method: str
    path: str
    """The raw target: path and query as they came."""
    query: dict[str, Any]
    headers: dict[str, str]
    body: dict[str, Any] = field(repr=False)
    status: int = 0
    account: str | None = None
    fault: str | None = None


class Trace(list[Asked]):
    """The requests so far, oldest first."""

    def record(self, call: Call, status: int, fault: Fault | None) -> None:
        """Note down a call that is over."""
        if len(self) >= LONGEST:
            del self[: LONGEST // 2]
        request = call.request
        query, body = _decoded(call)
        self.append(
            Asked(
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
        """Return the names of the operations that were asked for, oldest first."""
        return [asked.operation for asked in self]


def _decoded(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return query and body of a call, also when it was over before anybody read them."""
    if call.params:
        return call.query, call.body
    try:
        return parse_query(call.request.target.partition("?")[2]), parse_body(call.request)
    except ApiError:
        return {}, {}
