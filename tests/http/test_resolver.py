"""Names are looked up within a deadline, with one thread for each name, and not again when they can never be found."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kits.http import Clock
from kits.limits import join_all_but
from smartdc import DataCenter, TransportError
from smartdc.http import resolver
from smartdc.http.resolver import addresses_of

HANGS = "hangs.invalid"


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that does not answer before this is set."""

    def look_up(host: str, *_: Any) -> list[Any]:
        if host != HANGS:
            raise socket.gaierror(socket.EAI_NONAME, "no such host")
        let_go.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]

    let_go, threads = threading.Event(), set(threading.enumerate())
    monkeypatch.setattr(resolver, "_look_up", lambda host, _, flags=0: _caught(look_up, host, flags))
    yield let_go
    let_go.set()
    assert not join_all_but(threads)


def _caught(look_up: Any, host: str, flags: int) -> list[Any] | Exception:
    try:
        return list(look_up("" if flags else host))
    except OSError as error:
        return error


def resolvers() -> int:
    """Count the threads that look up names."""
    return sum(thread.name == "smartdc-resolver" for thread in threading.enumerate())


def test_attempts_leave_one_thread_behind(hanging: threading.Event) -> None:  # noqa: ARG001 (it hangs by being there)
    """Whoever asks for a name again waits for the lookup that goes on already."""
    for _ in range(20):
        with pytest.raises(TimeoutError, match="DNS lookup of hangs"):
            addresses_of(HANGS, 443, 0.01)

    assert resolvers() == 1


def test_all_who_wait_get_the_answer(hanging: threading.Event) -> None:
    """It comes once, and is for everybody; who asks afterwards looks again."""
    found: list[list[str]] = []
    waiting = [threading.Thread(target=lambda: found.append(addresses_of(HANGS, 443, 20))) for _ in range(5)]
    for thread in waiting:
        thread.start()
    hanging.set()
    for thread in waiting:
        thread.join()

    assert found == [["192.0.2.1"]] * 5
    assert addresses_of(HANGS, 443, 20) == ["192.0.2.1"]
    assert resolvers() == 0


@pytest.mark.parametrize("host", ["a" * 64 + ".example.com", "a..example.com"])
def test_a_name_that_can_never_be_found_is_not_looked_up_again(host: str) -> None:
    """A label that is too long, or empty, is refused at once: no pause, one attempt."""
    clock = Clock()
    with DataCenter(f"https://{host}", login="demo", clock=clock) as dc, pytest.raises(TransportError) as caught:
        dc.request("GET", "/my")

    assert caught.value.applied is False
    assert (caught.value.attempts, clock.slept) == (1, [])
