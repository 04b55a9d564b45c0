"""The line that is written over and over, and what is said of calls that take long."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import requests

from smartdc import DataCenter
from smartdc.auth.agent import AgentKey
from smartdc.auth.identity import Identity
from smartdc.emulator import Emulator, Fault
from smartdc.http import status_line


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Make standard error a terminal; pytest would take it back if the fixture itself did."""

    def look() -> Terminal:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        return terminal

    return look


def test_a_retry_is_told_to_who_looks(dc: DataCenter, cloud: Emulator, look: Callable[[], Terminal]) -> None:
    """With progress on, it is a line of its own: reason, attempt and pause."""
    terminal = look()
    dc.progress = True
    cloud.faults.add(Fault("ListPackages", status=500))
    dc.packages()

    assert terminal.getvalue().startswith("\r\x1b[KGET /demo/packages: 500 InternalError; attempt 2 in ")
    assert terminal.getvalue().endswith(" s\n")


def test_a_retry_after_no_answer_says_why(dc: DataCenter, cloud: Emulator, look: Callable[[], Terminal]) -> None:
    """The reason in words, and not the name of a class."""
    terminal = look()
    dc.progress = True
    cloud.faults.add(Fault("ListPackages", "reset"))
    dc.packages()

    line = terminal.getvalue().removeprefix("\r\x1b[K")
    assert re.match(r"GET /demo/packages: .*[Cc]onnection .*; attempt 2 in \d\.\d s\n$", line)


def test_a_line_has_room_for_the_end(look: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked of which machine is told by eight digits of its id, where that lets the reason be read."""
    terminal = look()
    monkeypatch.setenv("COLUMNS", "50")
    status_line.write("GET /demo/machines/af1adec9-a132-4a26-aad4-421326d8b729: no answer")

    assert terminal.getvalue() == "\r\x1b[KGET /demo/machines/af1adec9: no answer"


def test_a_terminal_that_does_not_know_its_size_is_as_wide_as_most(
    look: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's terminal says that it has no columns."""
    monkeypatch.setattr(look(), "fileno", lambda: 2, raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((0, 0)))
    monkeypatch.delenv("COLUMNS", raising=False)

    assert status_line.room() == 79


@pytest.fixture
def said(cloud: Emulator) -> Iterator[list[tuple[float, str]]]:
    """What is logged, and when by the data centre's clock."""
    lines: list[tuple[float, str]] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: lines.append((cloud.clock.monotonic(), record.getMessage()))  # type: ignore[method-assign]
    logger, began = logging.getLogger("smartdc.http.call"), cloud.clock.monotonic()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)
    lines[:] = [(moment - began, text) for moment, text in lines]


def test_a_call_in_the_queue_is_told_of_every_two_seconds(
    dc: DataCenter, cloud: Emulator, look: Callable[[], Terminal], said: list[tuple[float, str]]
) -> None:
    """In the log and on the terminal, from the first moment on: how many are ahead, and for how long."""
    terminal = look()
    dc.progress = True
    cloud.faults.add(Fault("ListPackages", status=429, headers={"Retry-After": "9"}))
    dc.packages()
    told = [(moment, text) for moment, text in said if "throttled; 0 calls ahead of it, about " in text]

    assert [round(moment - told[0][0]) for moment, _ in told] == [0, 2, 4, 6, 8]
    assert told[0][1].startswith("GET /demo/packages: throttled; 0 calls ahead of it, about 9 s (request ")
    assert terminal.getvalue().count("throttled; 0 calls ahead of it") == len(told)


def test_a_long_pause_is_counted_down(dc: DataCenter, cloud: Emulator, look: Callable[[], Terminal]) -> None:
    """Whoever looks sees every two seconds how long it still takes, and in the end nothing of that."""
    terminal = look()
    dc.progress = True
    cloud.faults.add(Fault("ListPackages", status=503, headers={"Retry-After": "9"}))
    dc.packages()

    told = re.findall(r"\r\x1b\[KGET /demo/packages: attempt 2 in (\d\.\d) s", terminal.getvalue())
    assert told == ["7.0", "5.0", "3.0", "1.0"]
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_retry_is_told_to_nobody_else(dc: DataCenter, cloud: Emulator, look: Callable[[], Terminal]) -> None:
    """Who did not ask for progress, or has a function of their own, sees nothing."""
    terminal = look()
    for progress in (None, False, print):
        dc.progress = progress
        cloud.faults.add(Fault("ListPackages", status=500))
        dc.packages()

    assert not terminal.getvalue()


def test_a_lost_create_is_told_to_who_looks(dc: DataCenter, cloud: Emulator, look: Callable[[], Terminal]) -> None:
    """That the answer was lost stands there before the machine is found."""
    terminal = look()
    dc.progress = True
    cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    dc.create_machine(name="web-1", image="base-64-lts@24.4.1", package="g1-nano")

    assert "lost the answer to the create of web-1" in terminal.getvalue()


def test_a_silent_call_is_told_and_then_wiped(
    dc: DataCenter, look: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who looks sees that there is no answer yet, and nothing of that when there is one."""
    terminal = look()
    dc.progress = True
    told = threading.Event()
    write, transmit = status_line.write, dc.session.transmit
    monkeypatch.setattr(status_line, "NOTICEABLE_SECONDS", 0.01)

    def written(text: str) -> None:
        write(text)
        told.set()

    def slow(request: requests.PreparedRequest, timeout: float | None) -> requests.Response:
        assert told.wait(10)
        return transmit(request, timeout)

    monkeypatch.setattr(status_line, "write", written)
    monkeypatch.setattr(dc.session, "transmit", slow)
    dc.packages()

    assert "GET /demo/packages: no answer yet after" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_silent_agent_is_told_and_then_wiped(
    dc: DataCenter, cloud: Emulator, look: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person may have to confirm the use of the key, in another window."""
    terminal, told, write = look(), threading.Event(), status_line.write
    assert isinstance(dc.auth, Identity)
    plain = dc.auth.signer()
    dc.authenticate(cloud.key_id, AgentKey(plain.public_blob, "laptop", "/agent", 10))
    dc.auth.signer()
    dc.progress = True
    monkeypatch.setattr(status_line, "NOTICEABLE_SECONDS", 0.01)

    def written(text: str) -> None:
        write(text)
        told.set()

    def slow(_: AgentKey, data: bytes) -> bytes:
        assert told.wait(10)
        return plain.sign(data)

    monkeypatch.setattr(status_line, "write", written)
    monkeypatch.setattr(AgentKey, "sign", slow)
    dc.packages()

    assert "GET /demo/packages: no signature of the ssh-agent yet after" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
