"""Lists that come in pages: whole, in order, once each, within one deadline, whatever the server does meanwhile."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kits.http import Clock, calls_end_by
from smartdc.core import paging
from smartdc.core.paging import CONCURRENCY, Listing, Page
from smartdc.errors import BadResponse, CallTimeout, ResourceNotFound
from smartdc.http.deadline import Deadline, ambient_deadline

LIMIT = 200
"""Entries on a page; neighbours share two."""


def entries(*numbers: int) -> list[dict[str, Any]]:
    """Return what a server says of things with these numbers."""
    return [{"id": str(number)} for number in numbers]


class Server:
    """A server with a list that somebody else may change before any page is cut."""

    def __init__(self, count: int, limit: int = LIMIT) -> None:
        self.things = list(range(count))
        self.limit = limit
        self.asked: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.before: Callable[[int], None] = lambda _: None
        self.clock = Clock()
        self._lock = threading.Lock()

    def page(self, start: int) -> Page:
        """Cut the page that begins at an offset."""
        with self._lock:
            self.threads.add(threading.current_thread())
            self.before(len(self.asked))
            self.asked.append(start)
            cut = entries(*self.things[start : start + self.limit])
        return Page(start, cut, len(cut), self.limit, size=100)

    def listing(self, start: int = 0, timeout: float | None = 60) -> Listing:
        """Return the list as a client reads it."""
        return Listing("GET /things", self.page, start, Deadline(timeout, self.clock))

    def read(self) -> list[int]:
        """Return the numbers of the things that a client finds."""
        return [int(entry["id"]) for entry in self.listing().entries("id")]


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was warned of."""
    caplog.set_level(logging.WARNING, "smartdc")
    return lambda: [record.getMessage() for record in caplog.records]


# What is asked for


@pytest.mark.parametrize("count", [0, 1, LIMIT - 1])
def test_a_list_of_one_page_needs_no_thread(count: int) -> None:
    """Most lists are short: they cost one request, in the caller's own thread."""
    server = Server(count)
    assert server.read() == list(range(count))
    assert (server.asked, server.threads) == ([0], {threading.current_thread()})


@pytest.mark.parametrize("count", [LIMIT, LIMIT + 1, 3 * LIMIT, 5 * LIMIT, 5 * LIMIT - 8, 5 * LIMIT - 7, 20 * LIMIT])
def test_at_most_three_pages_are_asked_for_in_vain(count: int) -> None:
    """What lies behind the end counts with the server's throttle."""
    server = Server(count)
    assert server.read() == list(range(count))
    needed = 1 + max(0, -((LIMIT - 1 - count) // (LIMIT - 2)))
    assert needed <= len(server.asked) <= needed + CONCURRENCY - 1
    assert sorted(server.asked) == [place * (LIMIT - 2) for place in range(len(server.asked))]


def test_four_pages_are_read_at_the_same_time() -> None:
    """Each of four pages is answered only when all four were asked for; the order is that of the list."""
    server, meeting = Server(5 * LIMIT - 20), threading.Barrier(CONCURRENCY, timeout=10)

    def page(start: int) -> Page:
        if start:
            meeting.wait()
        return server.page(start)

    listing = Listing("GET /things", page, 0, Deadline(None))
    assert [int(entry["id"]) for entry in listing.entries("id")] == server.things
    assert len(server.threads) == CONCURRENCY


def test_no_more_than_four_are_read_at_the_same_time() -> None:
    """A long list does not fill the pool of connections."""
    server, busy, most = Server(40 * LIMIT), [0], [0]
    lock = threading.Lock()

    def page(start: int) -> Page:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        try:
            return server.page(start)
        finally:
            with lock:
                busy[0] -= 1

    assert len(Listing("GET /things", page, 0, Deadline(None)).entries("id")) == 40 * LIMIT
    assert most[0] <= CONCURRENCY


@pytest.mark.parametrize("limit", [1, 2, 3, 99, 100, 101, 1000])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 100, 300])
def test_pages_of_any_size(count: int, limit: int) -> None:
    """The server chooses how many entries a page has."""
    server = Server(count, limit)
    assert server.read() == list(range(count))
    assert server.listing().count() == count


def test_it_begins_at_the_offset() -> None:
    """What lies before is neither listed nor counted."""
    server = Server(3 * LIMIT)
    assert [entry["id"] for entry in server.listing(50).entries("id")] == [str(n) for n in range(50, 3 * LIMIT)]
    assert server.listing(50).count() == 3 * LIMIT - 50
    assert server.listing(4 * LIMIT).entries("id") == []


# Lists that change while they are read


@pytest.mark.parametrize("gone", [1, 2, 3, 50, 199])
@pytest.mark.parametrize("at", [1, 2, 5])
def test_what_is_there_throughout_is_listed(gone: int, at: int, warnings: Callable[[], list[str]]) -> None:
    """Others that are deleted between two pages, however many, do not hide one that stays."""
    server = Server(8 * LIMIT)

    def delete(asked: int) -> None:
        if asked == at:
            del server.things[:gone]

    server.before = delete
    found = server.read()
    assert set(server.things) <= set(found) <= set(range(8 * LIMIT))
    assert len(found) == len(set(found))
    assert not warnings()


def test_few_deletions_cost_no_second_reading() -> None:
    """The overlap is there so that the usual change costs nothing."""
    server, calm = Server(8 * LIMIT), Server(8 * LIMIT)
    calm.read()

    def delete(asked: int) -> None:
        if asked == 5:
            del server.things[0]

    server.before = delete
    assert set(server.things) <= set(server.read())
    assert len(server.asked) == len(calm.asked)


def test_what_is_new_is_listed_once(warnings: Callable[[], list[str]]) -> None:
    """Entries that come in at the front push others onto the next page, where they are not listed again."""
    server = Server(8 * LIMIT)

    def create(asked: int) -> None:
        if asked in {1, 5}:
            server.things.insert(0, 10_000 + asked)

    server.before = create
    found = server.read()
    assert len(found) == len(set(found))
    assert set(range(8 * LIMIT)) <= set(found)
    assert not warnings()


def test_a_list_that_never_rests_is_warned_of(warnings: Callable[[], list[str]]) -> None:
    """More deletions before every page than pages overlap: nobody can tell what was missed, and that is said."""
    server = Server(12 * LIMIT)

    def delete(_: int) -> None:
        del server.things[:20]

    server.before = delete
    found = server.read()
    assert len(found) == len(set(found))
    assert warnings() == [
        "GET /things: the list may be incomplete; it has changed while it was read, and again the second time"
    ]


@pytest.mark.parametrize("seed", range(20))
def test_another_order_for_every_page_is_warned_of_or_does_no_harm(
    seed: int, warnings: Callable[[], list[str]]
) -> None:
    """CloudAPI promises no order."""
    server, rng = Server(5 * LIMIT), random.Random(seed)  # noqa: S311 (it decides on an order)
    server.before = lambda _: rng.shuffle(server.things)
    found = server.read()
    assert len(found) == len(set(found))
    assert set(found) == set(range(5 * LIMIT)) or warnings()


@pytest.mark.parametrize("at", [1, 3, 5, 7])
def test_an_order_that_changes_once_hides_nothing(at: int, warnings: Callable[[], list[str]]) -> None:
    """The second reading finds what the first one missed."""
    server = Server(8 * LIMIT)
    server.before = lambda asked: server.things.reverse() if asked == at else None
    assert set(server.read()) == set(range(8 * LIMIT))
    assert not warnings()


def test_one_that_moves_to_the_front_is_found(warnings: Callable[[], list[str]]) -> None:
    """Sorted by date of change, a machine that changes jumps over the place where the reading is: the count tells."""
    server = Server(8 * LIMIT)
    server.before = lambda asked: server.things.insert(0, server.things.pop()) if asked == 5 else None
    assert set(server.read()) == set(range(8 * LIMIT))
    assert not warnings()


# Servers that are broken


def test_a_page_that_is_repeated_is_no_list() -> None:
    """A server that ignores the offset is told from one with a long list."""
    with pytest.raises(BadResponse, match=r"^GET /things: the server keeps sending the same page$"):
        Listing("GET /things", lambda start: Page(start, entries(1, 2), 2, 2), 0, Deadline(None)).entries("id")


def test_pages_that_go_in_circles_end(warnings: Callable[[], list[str]]) -> None:
    """A page that brings nothing new ends the list, after which it is read again and warned of."""
    asked = []

    def page(start: int) -> Page:
        asked.append(start)
        first = 0 if (start // 198) % 2 else 200
        return Page(start, entries(*range(first, first + 200)), 200, 200)

    found = Listing("GET /things", page, 0, Deadline(None)).entries("id")
    assert {int(entry["id"]) for entry in found} == set(range(400))
    assert len(asked) == 2 * 5
    assert "may be incomplete" in warnings()[0]


def test_one_deadline_counts_for_the_whole_list() -> None:
    """A server without an end is read until the time of one call has passed, and not that of each page."""
    clock, lock, starts = Clock(), threading.Lock(), []

    def page(start: int) -> Page:
        with lock:
            clock.sleep(0.5)
        if ambient_deadline().passed():
            raise CallTimeout("no answer within 0.001 s")
        starts.append(start)
        return Page(start, entries(*range(start, start + 200)), 200, 200)

    with pytest.raises(
        CallTimeout, match=r"GET /things: the time for the whole list has passed after 1,\d+ ent"
    ) as caught:
        Listing("GET /things", page, 0, Deadline(5, clock)).entries("id")
    assert len(starts) in {9, 10}
    assert clock.now <= 1_767_225_600 + 5 + 0.5 * CONCURRENCY
    assert (caught.value.method, caught.value.path, caught.value.applied) == ("GET", "/things", False)


def test_a_page_that_takes_too_long_is_told_as_such() -> None:
    """Only where the time of the list has passed is it the list that took too long."""

    def page(start: int) -> Page:
        if start:
            raise CallTimeout("no answer within 3 s")
        return Page(start, entries(*range(200)), 200, 200)

    with pytest.raises(CallTimeout, match=r"^no answer within 3 s$"):
        Listing("GET /things", page, 0, Deadline(60, Clock())).entries("id")


def test_no_page_takes_longer_than_is_left_for_the_list() -> None:
    """Each page, in whatever thread it is read, goes by the deadline of the list, and not by one of its own."""
    server, seen = Server(5 * LIMIT), []
    page = server.page

    def noted(start: int) -> Page:
        seen.append(ambient_deadline())
        return page(start)

    whole = Deadline(60, server.clock)
    Listing("GET /things", noted, 0, whole).entries("id")
    assert len(seen) > CONCURRENCY
    assert set(seen) == {whole}


def test_a_wait_around_it_ends_it_too() -> None:
    """Threads that read pages go by the deadline of whoever waits for the list."""
    server, outer, seen = Server(5 * LIMIT), Deadline(3, Clock()), []
    page = server.page

    def noted(start: int) -> Page:
        seen.append(ambient_deadline())
        return page(start)

    with calls_end_by(outer):
        Listing("GET /things", noted, 0, Deadline(60, server.clock)).entries("id")
    assert len(seen) > CONCURRENCY
    assert set(seen) == {outer}


@pytest.mark.parametrize(("limit", "name"), [(1000, "MAX_BYTES"), (9, "MAX_PAGES")])
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: int, name: str) -> None:
    """A list that takes more than any account has is given up."""
    monkeypatch.setattr(paging, name, limit)
    server = Server(100 * LIMIT)
    with pytest.raises(BadResponse, match=r"the list has not ended after \d,\d+ entries"):
        server.read()
    assert len(server.asked) <= 10 + 2 * CONCURRENCY


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_a_page_that_cannot_be_had_fails_the_list(failing: int) -> None:
    """Nothing is left out in silence, whichever of the pages it is; the others are not left under way."""
    server = Server(5 * LIMIT)

    def page(start: int) -> Page:
        if start == failing * (LIMIT - 2):
            raise ResourceNotFound(f"page {failing}")
        return server.page(start)

    with pytest.raises(ResourceNotFound, match=f"page {failing}"):
        Listing("GET /things", page, 0, Deadline(None)).entries("id")
    assert not [thread for thread in threading.enumerate() if thread.name == "smartdc-page"]


def test_what_lies_behind_the_end_may_fail() -> None:
    """A page that was asked for in vain is nobody's concern."""
    server = Server(LIMIT + 50)

    def page(start: int) -> Page:
        if start > LIMIT:
            raise ResourceNotFound("there is no such page")
        return server.page(start)

    assert len(Listing("GET /things", page, 0, Deadline(None)).entries("id")) == LIMIT + 50


def test_an_interrupt_waits_for_nobody() -> None:
    """Ctrl-C ends the list at once, though other pages may hang until their deadlines."""
    server, over = Server(5 * LIMIT), threading.Event()
    mine = threading.current_thread()

    def page(start: int) -> Page:
        if start and threading.current_thread() is mine:
            raise KeyboardInterrupt
        if start:
            over.wait(30)
        return server.page(start)

    with pytest.raises(KeyboardInterrupt):
        Listing("GET /things", page, 0, Deadline(None)).entries("id")
    left = [thread for thread in threading.enumerate() if thread.name == "smartdc-page"]
    assert left
    assert all(thread.daemon for thread in left)
    over.set()
    for thread in left:
        thread.join(10)
