"""A server that answers what it should not."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

from kits.campaign import FailureMode, Harness, Injection, ShortPauses, Target, TimedDataCenter
from kits.http import Line, RawServer
from kits.mutation import parsed, written
from smartdc import SmartDCError
from smartdc.emulator.core.message import Response

__all__ = ["SWITCHED", "UNLISTED", "SwitchedHarness"]

SWITCHED = [
    FailureMode("the answer to the request before", "swapped"),
    FailureMode("a late copy of the answer before", "duplicated"),
]
"""What a proxy that mixes up its connections does."""

UNLISTED = [
    FailureMode("lost, and listed after 10 s", "unlisted", options={"seconds": 10.0}),
    FailureMode("lost, and not listed", "unlisted", fatal=True, options={"seconds": 1e6}),
]
"""What a create may meet whose machine is made: no answer, and listings that lag behind."""


class SwitchedHarness(Harness):
    """A harness whose server answers a request with what belongs to the one before it, or hides what it made."""

    def __init__(self) -> None:
        super().__init__("adapter")
        self.raw = RawServer(self._act)
        self._mode: Injection | None = None
        self._left = 0
        self._before = b""
        self._hidden_until = 0.0

    def __enter__(self) -> Self:
        """Open the door."""
        self.raw.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the door."""
        self.raw.__exit__(None, None, None)

    @contextlib.contextmanager
    def target(self) -> Iterator[Target]:
        """Reset the data centre, and open a new client of the server."""
        self.cloud.reset()
        parts = {"clock": self.clock, "rng": ShortPauses(0)}
        with TimedDataCenter(**{**self.cloud.connection(self.raw.url), **parts}) as client:
            yield Target(self.cloud, client)

    @contextlib.contextmanager
    def inject(self, *injections: Injection) -> Iterator[None]:
        """Mix answers up while a with-block lasts."""
        [self._mode] = injections
        self._left = self._mode.times or sys.maxsize
        try:
            yield
        finally:
            self._mode = None
            self._hidden_until = 0.0

    def wait_until_quiet(self, target: Target) -> None:
        """Wait until the server has done with every request that was sent."""
        with contextlib.suppress(SmartDCError):
            target.listed()
        target.client.close()
        self.raw.wait_until_quiet()

    def _act(self, line: Line) -> bool:
        """Answer a request; a swapped answer loses its own, a copy comes before it, and a hidden machine is left out."""
        answer = self.cloud.handle(parsed(line.request))
        operation, mode = self.cloud.trace[-1].operation, self._mode
        if mode and mode.mode.kind == "unlisted":
            if operation == "CreateMachine" and answer.status == 201 and not self._hidden_until:
                self._hidden_until = self.clock.time() + mode.mode.options["seconds"]
                return False
            if operation == "ListMachines" and self.clock.time() < self._hidden_until:
                answer = without_created(answer)
            line.send(written(answer))
            return True
        mine = written(answer)
        before, self._before = self._before, mine
        chosen = mode and mode.operation in {"*", operation}
        if mode and chosen and before and self._left > 0:
            self._left -= 1
            line.send(before if mode.mode.kind == "swapped" else before + mine)
        else:
            line.send(mine)
        return True


def without_created(answer: Response) -> Response:
    """Return a listing without the second machines."""
    body = json.dumps([machine for machine in json.loads(answer.body) if machine["name"] != "web-2"]).encode()
    own = {"content-length": str(len(body)), "x-resource-count": str(len(json.loads(body)))}
    kept = [(name, own.get(name.lower(), value)) for name, value in answer.headers if name.lower() != "content-md5"]
    return replace(answer, headers=kept, body=body)
