"""Create a thing exactly once, over a connection that may lose the answer.

CloudAPI has no idempotency key, so a create carries a mark that it can be found by. When nobody knows whether it was
applied, it is looked for, for as long as it could still turn up, before the same create is sent a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from smartdc.errors import APIError, CallError, Conflict, DoubledCreate, SmartDCError
from smartdc.http.clock import Clock

__all__ = ["Once", "begin", "single"]

T = TypeVar("T")

INTERVAL = 2.0
"""Seconds between two looks."""

MAX_SKEW_SECONDS = 300.0
"""Seconds by which CloudAPI's clock may differ from ours: signatures with another time are refused."""


@dataclass(frozen=True)
class Once(Generic[T]):
    """One create.

    Args:
        send: sends it and returns the thing.
        find: returns every thing that bears its mark.
        clock: what passes the time between two looks.
        settle: seconds for which something that was accepted may stay invisible.
        unique: whether only this create can have made what bears the mark; otherwise a conflict at the first
            attempt is about something that was there before.
    """

    send: Callable[[], T]
    find: Callable[[], list[T]]
    clock: Clock
    settle: float
    unique: bool = False

    def run(self) -> T:
        """Return the one thing; when even looking does not tell whether there is one, raise what `send` raised."""
        try:
            return self.send()
        except Conflict as error:
            if not self.unique:
                raise
            return self._mine_or(error)
        except CallError as error:
            if error.applied is False:
                raise
            return self._found_or(self._again, error)

    def _again(self, _: CallError) -> T:
        """Send the same create once more: the first was surely not applied, or it would have turned up."""
        try:
            thing = self.send()
        except Conflict as error:
            error.applied = None
            return self._mine_or(error)
        except CallError as error:
            if error.applied is False:
                raise
            return self._found_or(_give_up, error)
        twins = self._look() or [thing]
        return single(twins if thing in twins else [thing, *twins])

    def _found_or(self, otherwise: Callable[[CallError], T], error: CallError) -> T:
        """Look until the thing turns up; if it surely does not, go on with `otherwise`."""
        deadline = self.clock.monotonic() + self.settle
        seen: list[T] | None = None
        while True:
            seen = self._look(error)
            if seen:
                return single(seen)
            left = deadline - self.clock.monotonic()
            if left <= 0:
                break
            self.clock.sleep(min(INTERVAL, left))
        if seen is None:
            raise error
        return otherwise(error)

    def _look(self, error: CallError | None = None) -> list[T] | None:
        """Return what bears the mark; None when that cannot be told now, for whatever reason.

        A refusal to list says nothing about the create either, and must not take the place of its error; nor must an
        agent that is gone meanwhile. But where both were sent elsewhere,
        everything is, and there is nothing to wait for.
        """
        try:
            return self.find()
        except SmartDCError as blind:
            if error and _sent_elsewhere(error) and _sent_elsewhere(blind):
                raise error from None
            return None

    def _mine_or(self, error: Conflict) -> T:
        """Tell a refusal because of our own earlier attempt from one because of somebody else's thing."""
        mine = self._look()
        if mine:
            return single(mine)
        if mine is not None:
            error.applied = False
        raise error


def _sent_elsewhere(error: SmartDCError) -> bool:
    return isinstance(error, APIError) and 300 <= error.status < 400


def _give_up(error: CallError) -> T:  # type: ignore[type-var]
    raise error


def begin(clock: Clock, now: Callable[[], float]) -> Callable[[datetime | None], bool]:
    """Begin a create, and return what tells from its date whether a thing may be of it; `now` is the server's time.

    One that was there before may bear the same name, and must not pass for the one that was asked for. What does not
    tell yet when it was made is new. It is asked late, when the server's time is known: a call may have found it out.
    """
    began = clock.monotonic()

    def is_new(created: datetime | None) -> bool:
        return created is None or created.timestamp() >= now() - (clock.monotonic() - began) - MAX_SKEW_SECONDS

    return is_new


def single(things: list[T]) -> T:
    """Return the only thing; two of them are never passed over in silence."""
    if len(things) > 1:
        raise DoubledCreate(f"one create made {len(things)} of them: {', '.join(map(str, things))}", things)
    return things[0]
