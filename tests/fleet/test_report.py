"""A report shows what needs a look first, whole in a log and as much as there is room for in a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from smartdc import Report, WaitTimeout
from smartdc.commands.session import console_hooks

REASON = "machine web-2 (af1adec9-a132-4a26-aad4-421326d8b729) is not stopped after 600 s, " * 3


def test_no_reason_is_cut_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log has no width, whatever is taken for one."""
    monkeypatch.setenv("COLUMNS", "40")
    report = Report("stop", failed={"web-2": WaitTimeout(REASON)}, untouched=["web-3"])

    assert str(report).splitlines()[2] == f"web-2    failed     WaitTimeout: {REASON.strip()}"


def test_the_shell_shows_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Its echo is a function of ours, and no prompt."""
    with console_hooks():
        sys.displayhook(Report("stop", failed={"web-2": WaitTimeout("too late")}))

    assert capsys.readouterr().out.splitlines() == [
        "stop of 1 machine: 1 failed, in 0 s",
        "machine  outcome  reason",
        "web-2    failed   WaitTimeout: too late",
    ]


def test_rich_shows_the_table() -> None:
    """Below the numbers."""
    rich = pytest.importorskip("rich.console")
    console = rich.Console(width=60, file=io.StringIO())
    console.print(Report("stop", failed={"web-2": WaitTimeout("[bold]too late")}))

    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == [
        "stop of 1 machine: 1 failed, in 0 s",
        "machine  outcome  reason",
        "web-2    failed   WaitTimeout: [bold]too late",
    ]


def test_a_prompt_shows_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five thousand lines would push those that matter off the screen."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    report = Report("stop", failed={"web-2": WaitTimeout(REASON)}, untouched=[f"web-{n}" for n in range(10, 5000)])
    shown = eval(compile("repr(report)", "<stdin>", "eval"), {"report": report})  # noqa: S307 (as a console does)

    assert len(shown.splitlines()) == 1 + 1 + 1000 + 1
    assert max(map(len, shown.splitlines()[1:])) == 60
    assert shown.splitlines()[-1] == "1,000 of 4,991 rows"
