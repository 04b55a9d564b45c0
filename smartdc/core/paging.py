"""Read listings that come in pages: the whole list, within one deadline, with a warning if entries may be missing.

CloudAPI reports no total, promises no order and has no marker: a page is a number of entries, from an offset on, of the
list at that moment. So the first page is read alone; while pages are full, the next ones are read four at a time.

If entries vanish from the part that has been read, the later entries move up, and some of them move past the next
offset. Therefore each page begins with a few entries of the page before. If two pages do not overlap, or if there are
fewer entries than the last offset says, the list is read once more. If that happens again, a WARNING says that the list
may be incomplete.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from smartdc.core import arguments
from smartdc.core.resource import Addressable, whole_number
from smartdc.errors import BadResponse, CallTimeout
from smartdc.http.deadline import Deadline, ending_by

__all__ = ["CONCURRENCY", "PAGE_SIZE", "Listing", "ListsInPages", "Page", "at_once", "requests_for", "unique"]

log = logging.getLogger(__name__)

T = TypeVar("T")

PAGE_SIZE = 1000
"""The most entries that CloudAPI puts on a page."""

CONCURRENCY = 4
"""Pages that are read at the same time; if the list ends early, all but one of them are requested in vain."""

OVERLAP = 100
"""Two pages share one entry in this many (10 of 1,000), and up to as many as they share may vanish between them."""

MAX_PAGES = 100_000
"""A list with more pages than this counts as endless."""

MAX_BYTES = 2**28
"""The maximum size of a list's JSON: some 150,000 machines, which take about a gigabyte as Python objects."""


@dataclass(frozen=True)
class Page:
    """A page of a listing."""

    start: int
    """The offset in its request."""
    entries: list[dict[str, Any]]
    rows: int
    """How many entries it has by the server's count; a HEAD returns no more than this."""
    limit: int
    """The maximum number of entries on a page; the server may allow fewer than requested."""
    size: int = 0
    """Bytes of JSON."""

    @property
    def is_full(self) -> bool:
        """Whether there may be more pages after it."""
        return self.rows > 0 and self.rows >= self.limit


def _is_not_full(page: Page) -> bool:
    return not page.is_full


class Listing:
    """One reading of a list; `fetch` gets the page that begins at an offset.

    `label` names the request in errors, `start` is the first offset, and `deadline` is the one of all pages together.
    """

    def __init__(self, label: str, fetch: Callable[[int], Page], start: int, deadline: Deadline) -> None:
        self._label, self._fetch_page, self._start, self._deadline = label, fetch, start, deadline

    def entries(self, key: str) -> list[dict[str, Any]]:
        """Return every entry once, in the server's order; `key` tells them apart."""
        found: dict[str, dict[str, Any]] = {}
        if not self._read_once(found, key) and not self._read_once(found, key):
            log.warning(
                "%s: the list may be incomplete; it has changed while it was read, and again the second time",
                self._label,
            )
        return list(found.values())

    def stream(self, key: str) -> Iterator[dict[str, Any]]:
        """Yield every entry once, in the server's order, as the pages arrive; `key` tells entries apart.

        Entries that were yielded cannot be taken back, so a list that has changed is not read again: that is logged.
        """
        seen, on_it, meets = set[str](), list[str](), True
        for page in self.pages():
            keys = [str(entry.get(key)) for entry in page.entries]
            meets = meets and (page.start == self._start or _meet(page, keys, on_it))
            for identity, entry in zip(keys, page.entries, strict=True):
                if identity not in seen:
                    seen.add(identity)
                    yield entry
            on_it = keys
        if not meets:
            log.warning("%s: entries may have been missed; the list has changed while it was read", self._label)

    def count(self) -> int:
        """Return how many entries there are, from the offset and the length of the last page."""
        last = [*self.pages()][-1]
        return last.start + last.rows - self._start

    def pages(
        self,
        is_last: Callable[[Page], bool] = _is_not_full,
        *,
        overlap: bool = True,
        stop: int | None = None,
    ) -> Iterator[Page]:
        """Yield the pages in their order, up to one that `is_last`, and none that begins at `stop` or after it.

        If `stop` is unknown and the newest page is not full, the next page is read alone, since it may be the last one.
        """
        page = self._fetch(self._start, so_far=0)
        yield page
        if is_last(page):
            return
        for further in self._further(page, overlap=overlap, stop=stop):
            yield further
            if is_last(further):
                return

    def _further(self, page: Page, *, overlap: bool, stop: int | None) -> Iterator[Page]:
        """Yield the pages after the first one, wave by wave, until `stop`; `BadResponse` for a list without an end."""
        step = _distance(page, overlap=overlap)
        number, size = 1, page.size
        while stop is None or self._start + step * number < stop:
            if number > MAX_PAGES or size > MAX_BYTES:
                raise BadResponse(f"{self._label}: the list has not ended after {page.start + page.rows:,} entries")
            width = CONCURRENCY if page.is_full or stop is not None else 1
            end = self._start + step * (number + width)
            for newest in self._wave(page, range(self._start + step * number, min(end, stop or end), step)):
                page = newest
                yield page
                number, size = number + 1, size + page.size

    def _wave(self, page: Page, starts: Iterable[int]) -> Iterator[Page]:
        """Read the pages that begin at `starts` at the same time, and yield them; `page` is the one before them."""
        fetch = partial(self._fetch, so_far=page.start + page.rows - self._start)
        for newest in at_once([partial(fetch, start) for start in starts]):
            if newest.entries and newest.entries == page.entries:
                raise BadResponse(f"{self._label}: the server keeps sending the same page")
            page = newest
            yield page

    def _fetch(self, start: int, so_far: int) -> Page:
        if so_far and self._deadline.passed():
            raise self._too_late(so_far)
        try:
            return ending_by(self._deadline).run(self._fetch_page, start)
        except CallTimeout as error:
            if so_far and self._deadline.passed():
                raise self._too_late(so_far) from error
            raise

    def _too_late(self, so_far: int) -> CallTimeout:
        method, _, path = self._label.partition(" ")
        text = f"{self._label}: the time for the whole list has passed after {so_far:,} entries"
        error = CallTimeout(text, method=method, path=path)
        error.applied = False
        return error

    def _read_once(self, found: dict[str, dict[str, Any]], key: str) -> bool:
        """Add the entries of all pages to `found`, and return whether certainly no entry was missed."""
        # If each page begins with an entry of the page before, `found` has all entries that existed throughout, unless
        # the order has changed. Then some entries come twice, others are missing, and the total is below the last offset.
        meets, seen = True, set[str]()
        on_it: list[str] = []
        page = None
        for page in self.pages():
            keys = [str(entry.get(key)) for entry in page.entries]
            if page.start > self._start:
                meets = meets and _meet(page, keys, on_it)
            if page.is_full and seen.issuperset(keys):
                return False
            seen.update(keys)
            found.update(zip(keys, page.entries, strict=True))
            on_it = keys
        counted = page.start + page.rows - self._start if page and page.start > self._start else 0
        return meets and len(seen) >= counted


def _meet(page: Page, keys: Sequence[str], before: Sequence[str]) -> bool:
    """Return whether a page with entries of these `keys` begins with an entry of the page before it."""
    return page.limit == 1 or (bool(keys) and keys[0] in before)


def _distance(page: Page, *, overlap: bool) -> int:
    """Return how many rows after the beginning of one page the next page begins."""
    shared = max(page.limit // OVERLAP, 1) if overlap and page.limit > 1 else 0
    return max(max(page.rows, page.limit) - shared, 1)


def requests_for(count: int) -> int:
    """Return how many requests it takes to list `count` entries, in pages of `PAGE_SIZE`."""
    behind = count - PAGE_SIZE
    wave = CONCURRENCY * (PAGE_SIZE - PAGE_SIZE // OVERLAP)
    return 1 if behind < 0 else 1 + CONCURRENCY * (behind // wave + 1)


def unique(entries: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return the entries of a list that differ in `key`, the newest of each."""
    return list({str(entry.get(key)): entry for entry in entries}.values())


class ListsInPages(Addressable):
    """Mix-in for places that CloudAPI lists page by page."""

    __slots__ = ()

    def _listing(
        self,
        name: str,
        query: Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        method: str = "GET",
        *,
        deadline: Deadline | None = None,
    ) -> Listing:
        """Return the list `name` below this place, from `offset` on, in pages of at most `limit`.

        All pages together have the time of one call, unless another `deadline` is given; so has each page.
        """
        wanted = arguments.integers(limit=PAGE_SIZE if limit is None else limit, offset=offset or 0)

        def fetch(start: int) -> Page:
            answer, response = self._call(method, name, params={**(query or {}), **wanted, "offset": start})
            entries = self._expect(list, answer, response) if method == "GET" else []
            rows = len(entries) if method == "GET" else self._counted(response)
            most = whole_number(response, "x-query-limit", wanted["limit"])
            return Page(start, entries, rows, most, len(response.content))

        within = deadline or Deadline(self._datacenter.timeout, self._datacenter.clock)
        return Listing(f"{method} {self.path}/{name}", fetch, wanted["offset"], within)


def at_once(jobs: Sequence[Callable[[], T]]) -> Iterator[T]:
    """Run functions at the same time, and yield their results in order, or raise the error of the first that failed.

    The first one runs in this thread. All of them end before the caller goes on, so that no request is still running.
    Only after an interrupt the others go on: they end by their deadlines, and do not keep the process alive.
    """
    values: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def run(number: int) -> None:
        try:
            values[number] = jobs[number]()
        except BaseException as error:
            errors[number] = error
            if number == 0 and not isinstance(error, Exception):
                raise

    threads = [
        Thread(target=copy_context().run, args=(run, number), name="smartdc-page", daemon=True)
        for number in range(1, len(jobs))
    ]
    for thread in threads:
        thread.start()
    run(0)
    for thread in threads:
        thread.join()
    for number in range(len(jobs)):
        if number in errors:
            raise errors[number]
        yield values[number]
