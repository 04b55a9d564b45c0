"""Resources whose state changes by itself, and waits for a state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar, Generic, TypeVar, cast

from smartdc.core import arguments
from smartdc.core.field import Field
from smartdc.core.resource import Resource
from smartdc.errors import Gone, InputError, ResourceNotFound, WaitFailed
from smartdc.waiting.poll import DEFAULT_TIMEOUT, poll
from smartdc.waiting.progress import Reporting

__all__ = ["Stateful", "checked_states", "either", "waits_on"]

S = TypeVar("S", bound=str)
"""The states of one kind of resource, as literals."""


class Stateful(Resource, Generic[S]):
    """A resource with a `state` that changes by itself, since CloudAPI works in the background."""

    __slots__ = ()

    states: ClassVar[tuple[str, ...]]
    """Every state that CloudAPI gives it; in addition, ``deleted`` is the state of one that is gone."""
    dead_ends: ClassVar[frozenset[str]] = frozenset({"failed", "deleted"})
    """States from which it never gets into a better one."""

    state: Field[S]

    @property
    def label(self) -> str:
        """The name, or the id if it has no name."""
        return str(self.get("name") or self)

    def describe(self) -> str:
        """Return the kind, the name and the id, as errors name the resource."""
        kind, name = type(self).__name__.lower(), self.get("name")
        return f"{kind} {name} ({self})" if name else f"{kind} {self}"

    def status(self) -> S:
        """Fetch the resource again and return its state."""
        self.refresh()
        return self._state()

    def look(self) -> S:
        """Fetch the resource again and return its state, which is ``deleted`` if CloudAPI no longer knows it."""
        try:
            self.refresh()
        except (ResourceNotFound, Gone):
            self._data["state"] = "deleted"
        return self._state()

    def _state(self) -> S:
        return cast("S", self._string("state"))

    def poll_until(
        self,
        state: S | Iterable[S],
        interval: float = 2,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        progress: Reporting = None,
    ) -> None:
        """Fetch the resource every `interval` seconds until it is in `state`; one that is gone is ``deleted``.

        With several states, it waits for any of them. Raises `WaitFailed`, with the server's reason, as soon as the
        state cannot be reached any more, and `WaitTimeout` after `timeout` seconds (None waits for ever). `progress` is
        a function to call after every check, or True for a line on the terminal.
        """
        states = checked_states(type(self).__name__.lower(), state, dict.fromkeys((*self.states, "deleted")))
        reached = partial(self._look_for, states)
        poll(
            self,
            reached,
            f"is not {either(states)}",
            interval=interval,
            timeout=timeout,
            progress=progress,
            hint=waits_on(type(self).__name__.lower(), states),
        )

    def _look_for(self, states: tuple[S, ...]) -> bool:
        """Fetch the resource and return whether it is in one of `states`; raise `WaitFailed` when it never will be."""
        now = self.look()
        if now not in states and "deleted" not in states and now in self.dead_ends:
            raise WaitFailed(
                f"{self.describe()} cannot become {either(states)}: it is {now}{self._reported_error()}", resource=self
            )
        return now in states

    def _reported_error(self) -> str:
        """Return the server's reason for a failure in parentheses, or ''."""
        error = self.get("error")
        words = ": ".join(str(word) for word in error.values()) if isinstance(error, dict) else error
        return f" ({words})" if words else ""


def checked_states(kind: str, state: S | Iterable[S], states: Iterable[str]) -> tuple[S, ...]:
    """Return one state or several as a tuple.

    A state that no resource of the kind can have is refused: a wait for it would only end at its timeout.
    """
    wanted = tuple(arguments.as_list("state", state))
    if not wanted:
        raise InputError(f"give a {kind} state; expected one of {', '.join(states)}")
    for each in wanted:
        if each not in states:
            raise InputError(f"unknown {kind} state {each!r}; expected one of {', '.join(states)}")
    return wanted


def waits_on(kind: str, states: Sequence[str], method: str = "poll_until") -> str:
    """Return advice how to continue the wait for the states of a resource, for the note of an interrupt."""
    goal = repr(states[0]) if len(states) == 1 else repr(list(states))
    return f"{kind}.{method}({goal}) continues the wait"


def either(states: Iterable[str]) -> str:
    """Return states as errors name them."""
    return " or ".join(states)
