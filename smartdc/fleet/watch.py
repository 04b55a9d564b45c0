"""Check the state of many machines with as few requests as possible.

A request for a list returns up to a thousand machines, but also the other machines of the account: with five thousand
others it takes nine requests. So the list is limited to machines that have the common beginning of the wanted names and
their common tags. If that still takes several requests, only the one page is read that had all wanted machines. And if
it takes fewer requests to fetch each machine by itself, that is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from smartdc.core.paging import PAGE_SIZE, requests_for
from smartdc.machine.body import NAME
from smartdc.machine.machine import HasMachines, Machine

__all__ = ["Watch", "common_prefix", "in_common"]

MARGIN = 100
"""How many machines may come or go before a page, so that a second reading still has all machines of the first one."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""Tags that are safe in filters: in others, CloudAPI takes characters such as ``*`` as special."""


class Watch:
    """Checks machines of one owner again and again, and remembers which way took the fewest requests."""

    def __init__(self, owner: HasMachines) -> None:
        self._owner = owner
        self._query: dict[str, Any] | None = None
        self._requests = 1
        """The number of requests for the listing."""
        self._offset: int | None = None
        """The offset of the page that had all machines."""

    def look(self, machines: Sequence[Machine]) -> None:
        """Update every machine, in any order; one that is gone becomes ``deleted``."""
        listed = self._listed({machine.id for machine in machines}, in_common(machines))
        for machine in machines:
            if found := listed.get(machine.id):
                machine.take(found)
            else:
                machine.look()

    def _listed(self, wanted: set[str], query: dict[str, Any]) -> Mapping[str, dict[str, Any]]:
        """Return the entries of a listing by id; machines that are not in it must be fetched one by one."""
        if len(wanted) <= 1:
            return {}
        if query != self._query:
            self._query, self._offset = query, None
            self._requests = 1
            if len(wanted) <= requests_for(PAGE_SIZE):
                # The first page shows whether it is worth reading a list to its end.
                page = self._page(query, 0)
                self._requests = requests_for(len(page))
                return page if len(page) < PAGE_SIZE else {}
        if self._offset is not None:
            page = self._page(query, self._offset)
            if len(wanted - page.keys()) < self._requests:
                return page
            self._offset = None
        if len(wanted) <= self._requests:
            return {}
        entries = _by_id(self._owner.raw_machines(query))
        self._requests = requests_for(len(entries))
        places = [place for place, identifier in enumerate(entries) if identifier in wanted]
        if self._requests > 1 and places and places[-1] - places[0] < PAGE_SIZE - 2 * MARGIN:
            self._offset = max(places[0] - MARGIN, 0)
        return entries

    def _page(self, query: dict[str, Any], offset: int) -> dict[str, dict[str, Any]]:
        return _by_id(self._owner.raw_machines(query, PAGE_SIZE, offset, paged=True))


def _by_id(entries: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(entry.get("id")): entry for entry in entries}


def in_common(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return the query of ``ListMachines`` that finds all these machines and, if possible, few others."""
    if not machines:
        return {}
    prefix = common_prefix([str(machine.get("name") or "") for machine in machines])
    named = {"name": prefix} if NAME.fullmatch(prefix) else {}
    tags = set.intersection(*map(_plain_tags, machines))
    return {**named, **{f"tag.{key}": value for key, value in sorted(tags)}}


def common_prefix(names: Sequence[str]) -> str:
    """Return the common beginning of all names."""
    # The beginning that the alphabetically first and last name have in common is common to all names.
    first, last = min(names), max(names)
    return "".join(letter for letter, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


def _plain_tags(machine: Machine) -> set[tuple[str, str]]:
    """Return the tags that can be used in filters; their values are strings."""
    tags = machine.get("tags")
    return {tag for tag in tags.items() if _is_plain(*tag)} if isinstance(tags, dict) else set()


def _is_plain(key: str, value: object) -> bool:
    is_own = key.startswith("triton.")
    return isinstance(value, str) and not is_own and bool(_PLAIN.fullmatch(key) and _PLAIN.fullmatch(value))
