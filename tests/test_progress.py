"""Waits tell how they get on, to whom it was asked for."""

from __future__ import annotations

import io
import sys

import pytest

from smartdc.progress import Progress, reporter


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_line_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """True draws one line over and over, and leaves it when the wait is over."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    report = reporter(True)
    assert report is not None

    report(Progress("web-1", "provisioning", 30, 60, done=False))
    report(Progress("web-1", "running", 60, 60, done=True))

    first, second = terminal.getvalue().split("\r\x1b[K")[1:]
    assert first == "web-1 provisioning [##########          ] 30 s"
    assert second == "web-1 running [####################] 60 s\n"


def test_nothing_is_drawn_in_a_pipe() -> None:
    """Where there is no terminal, True means nothing."""
    assert reporter(True) is None


def test_nobody_is_told_unasked() -> None:
    """None and False are silent."""
    assert reporter(None) is None
    assert reporter(False) is None


def test_without_a_time_limit_there_is_no_share() -> None:
    """A wait for ever shows its seconds only."""
    assert str(Progress("web-1", "stopped", 5, None, done=False)) == "web-1 stopped [                    ] 5 s"
