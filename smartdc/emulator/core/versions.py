"""Version ranges of ``Accept-Version``: the part of semver that CloudAPI needs."""

import re
from dataclasses import dataclass
from functools import lru_cache

Version = tuple[int, int, int]
Interval = tuple[Version, Version]  # from (inclusive), to (exclusive)

SERVED: tuple[str, ...] = ("9.0.0", "8.0.0", "7.3.0", "7.2.0", "7.1.0", "7.0.0")
LATEST = SERVED[0]

_LOWEST: Version = (0, 0, 0)
_HIGHEST: Version = (10**9, 0, 0)
_COMPARATOR = re.compile(r"(>=|<=|>|<|=|~>|~|\^)?v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?$")
_OPERATOR_SPACE = re.compile(r"(>=|<=|>|<|=|~>|~|\^)\s+")


@dataclass(frozen=True, slots=True)
class Range:
    """A parsed range; an invalid one has no intervals and matches nothing."""

    text: str
    intervals: tuple[Interval, ...]

    def allows(self, version: str) -> bool:
        """Return whether the version is in the range (semver's ``satisfies``)."""
        wanted = _version(version)
        return any(low <= wanted < high for low, high in self.intervals)

    def reaches(self, version: str) -> bool:
        """Return whether the version is in or below the range, which is how CloudAPI tests for features."""
        return self.allows(version) or self.is_above(version)

    def is_above(self, version: str) -> bool:
        """Return whether the whole range is above the version (semver's ``ltr``)."""
        wanted = _version(version)
        return bool(self.intervals) and all(wanted < low for low, _ in self.intervals)

    def is_below(self, version: str) -> bool:
        """Return whether the whole range is below the version (semver's ``gtr``)."""
        wanted = _version(version)
        return bool(self.intervals) and all(high <= wanted for _, high in self.intervals)


@lru_cache(maxsize=256)
def parse_range(text: str) -> Range:
    """Parse a range such as ``~9||~8``, ``*``, ``>=7.1 <9`` or ``7.2 - 8``."""
    try:
        return Range(text, tuple(_alternative(part.strip()) for part in text.split("||")))
    except ValueError:
        return Range(text, ())


def _version(text: str) -> Version:
    major, minor, patch = text.split(".")
    return int(major), int(minor), int(patch)


def _alternative(text: str) -> Interval:
    if " - " in text:
        first, last = text.split(" - ")
        return _span(_numbers(first.strip()))[0], _span(_numbers(last.strip()))[1]
    low, high = _LOWEST, _HIGHEST
    for part in _OPERATOR_SPACE.sub(r"\1", text).split():
        part_low, part_high = _comparator(part)
        low, high = max(low, part_low), min(high, part_high)
    return low, high


def _comparator(text: str) -> Interval:
    match = _COMPARATOR.match(text)
    if not match:
        raise ValueError(text)
    numbers = _numbers(text[len(match[1] or "") :])
    low, high = _span(numbers)
    return {
        ">=": (low, _HIGHEST),
        ">": (high, _HIGHEST),
        "<=": (_LOWEST, high),
        "<": (_LOWEST, low),
        "~": (low, _span(numbers[:2])[1]),
        "~>": (low, _span(numbers[:2])[1]),
        "^": (low, _span(numbers[:1])[1]),
    }.get(match[1], (low, high))


def _numbers(text: str) -> list[int]:
    match = _COMPARATOR.match(text)
    if not match:
        raise ValueError(text)
    numbers = []
    for part in match.groups()[1:]:
        if part is None or part in "xX*":
            break
        numbers.append(int(part))
    return numbers


def _span(numbers: list[int]) -> Interval:
    """Return the interval of versions that begin with these numbers."""
    match numbers:
        case []:
            return _LOWEST, _HIGHEST
        case [major]:
            return (major, 0, 0), (major + 1, 0, 0)
        case [major, minor]:
            return (major, minor, 0), (major, minor + 1, 0)
    major, minor, patch = numbers
    return (major, minor, patch), (major, minor, patch + 1)
