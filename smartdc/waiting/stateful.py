"""Be a thing that CloudAPI makes in its own time, and wait for its state."""

from __future__ import annotations

from typing import ClassVar

from smartdc.core.resource import Field, Resource
from smartdc.errors import InputError, ResourceNotFound, WaitFailed, WaitTimeout
from smartdc.waiting.poll import DEFAULT_TIMEOUT, poll
from smartdc.waiting.progress import Progress, Reporter, reporter

__all__ = ["Stateful"]


class Stateful(Resource):
    """A thing whose `state` tells how far it is."""

    states: ClassVar[tuple[str, ...]]
    """Every state that CloudAPI tells of it, beside ``deleted`` for one that is gone."""
    dead_ends: ClassVar[frozenset[str]] = frozenset({"failed", "deleted"})
    """States that it never leaves for a better one."""

    state: Field[str]

    def status(self) -> str:
        """Fetch it again and return its state."""
        self.refresh()
        return self._string("state")

    def poll_until(
        self,
        state: str,
        interval: float = 2,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporter | bool | None = None,
    ) -> None:
        """Fetch it every `interval` seconds until it is in `state`; one that is gone is ``deleted``.

        Raises `WaitFailed`, with what the server says, as soon as the state cannot be reached any more, and
        `WaitTimeout` after `timeout` seconds (None waits for ever). `progress` is called at every look, or True for
        a line on the terminal.
        """
        if state not in (*self.states, "deleted"):
            raise InputError(f"{state!r} is no state of a {self._kind()}; these are: {', '.join(self.states)}, deleted")
        report = reporter(self.datacenter.progress if progress is None else progress)

        def look() -> bool | None:
            now = self._look()
            if state not in {now, "deleted"} and now in self.dead_ends:
                raise WaitFailed(
                    f"{self._called()} cannot become {state}: it is {now}{self._failure_reason()}", resource=self
                )
            return now == state or None

        def watch(elapsed: float, done: bool) -> None:
            if report:
                report(Progress(str(self.get("name") or self), self.state, elapsed, timeout, done))

        goal = f"{self._called()} is not {state}"
        try:
            poll(look, goal, clock=self.datacenter.clock, interval=interval, timeout=timeout, watch=watch)
        except WaitTimeout as error:
            error.resource = self
            raise

    def _look(self) -> str:
        try:
            return self.status()
        except ResourceNotFound:
            self._data["state"] = "deleted"
            return "deleted"

    def _failure_reason(self) -> str:
        """Return the reason for a failure, where the server gives one."""
        error = self.get("error")
        words = ": ".join(str(word) for word in error.values()) if isinstance(error, dict) else error
        return f" ({words})" if words else ""

    def _called(self) -> str:
        name = self.get("name")
        return f"{self._kind()} {name} ({self})" if name else f"{self._kind()} {self}"

    def _kind(self) -> str:
        return type(self).__name__.lower()
