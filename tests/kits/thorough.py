"""How much the tests do that could go on for ever: what every run does, or, with ``--thorough``, all of it.

Every run meets each kind of fault, each operation and each shape of a text or an answer at least once; being thorough
repeats them by other routes, in other numbers and in other orders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, example, settings

T = TypeVar("T")
Test = Callable[..., None]

THOROUGH = False
"""Whether ``--thorough`` was given, which is known before any test is imported."""


def amount(daily: int, thorough: int) -> int:
    """Return how many of something there are to be in this run."""
    return thorough if THOROUGH else daily


def examples(daily: int, thorough: int) -> settings:
    """Return settings of hypothesis for so many examples: in every run the same ones, or others each time."""
    return settings(
        max_examples=amount(daily, thorough),
        derandomize=not THOROUGH,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )


def each(arguments: Sequence[tuple[object, ...]]) -> Callable[[Test], Test]:
    """Give a test of hypothesis these arguments in any case."""

    def decorate(test: Test) -> Test:
        for given in arguments:
            test = example(*given)(test)
        return test

    return decorate


class Deck(Random):
    """A source of chance that deals: it chooses each element of a sequence once before it chooses any of them again."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._decks: dict[int, list[object]] = {}
        self._complete: set[int] = set()

    def deal(self, elements: Sequence[T]) -> T:
        """Return an element; the sequence has to be the same object every time."""
        left: list[T] = self._decks.setdefault(id(elements), [])  # type: ignore[assignment]
        if not left:
            left += self.sample(elements, len(elements))
        if len(left) == 1:
            self._complete.add(id(elements))
        return left.pop()

    def has_dealt(self, elements: Sequence[object]) -> bool:
        """Say whether every element of a sequence was dealt."""
        return id(elements) in self._complete
