"""The tour plays the whole life of a machine, shows what it does, and stops at the first thing that is not so."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from kits.tour_svg import PICTURE, picture
from smartdc import DataCenter
from smartdc.commands import tour
from smartdc.commands.tour import FastClock, Screen, TourStopped, play
from smartdc.emulator import Emulator, VirtualClock


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(scope="module")
def played() -> str:
    """What the tour writes into a pipe; its waits pass on a clock that takes no time."""
    pipe = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "orig_argv", ["python3", "-m", "smartdc", "tour"])
        play(Screen(pipe, {}), real=VirtualClock())
    return pipe.getvalue()


@pytest.fixture(scope="module")
def seen() -> str:
    """What the tour writes on a terminal."""
    terminal = Terminal()
    play(Screen(terminal, {"TERM": "xterm"}), real=VirtualClock())
    return terminal.getvalue()


def step(played: str, title: str) -> str:
    """Return the part of the tour under the title that begins like this."""
    parts = re.split(r"\n\n(?=[ \d]\d  )", played)
    return next(part for part in parts if part[4:].startswith(title))


@pytest.mark.parametrize(
    ("title", "request_line", "status"),
    [
        ("Create a machine", "POST /demo/machines", "201 Created"),
        ("Wait until it is running", "GET /demo/machines/af1adec9…", "200 OK"),
        ("Tag it", "POST /demo/machines/af1adec9…/tags", "200 OK"),
        ("Set metadata", "POST /demo/machines/af1adec9…/metadata", "200 OK"),
        ("Take a snapshot", "POST /demo/machines/af1adec9…/snapshots", "201 Created"),
        ("Roll back", "POST /demo/machines/af1adec9…/snapshots/fresh", "202 Accepted"),
        ("Rename", "POST /demo/machines/af1adec9…?action=rename&name=web-2", "202 Accepted"),
        ("Resize", "POST /demo/machines/af1adec9…?action=resize&package=g1-medium", "202 Accepted"),
        ("Stop", "POST /demo/machines/af1adec9…?action=stop", "202 Accepted"),
        ("Start", "POST /demo/machines/af1adec9…?action=start", "202 Accepted"),
        ("Reboot", "POST /demo/machines/af1adec9…?action=reboot", "202 Accepted"),
        ("Enable its firewall", "POST /demo/machines/af1adec9…?action=enable_firewall", "202 Accepted"),
        ("Read its audit log", "GET /demo/machines/af1adec9…/audit", "200 OK"),
        ("Delete", "DELETE /demo/machines/af1adec9…", "204 No Content"),
        ("Fetch it after", "GET /demo/machines/af1adec9…", "410 Gone"),
        ("Sign with the wrong", "GET /demo/machines?limit=1000&offset=0", "401 Unauthorized"),
    ],
)
def test_every_step_shows_what_was_asked_and_the_status(
    played: str, title: str, request_line: str, status: str
) -> None:
    """The request line is the one that the server got, and the status is the one that it gave."""
    lines = [re.split(r"  +", line.strip()) for line in step(played, title).splitlines()]

    assert [request_line, status] in [[line[0], re.sub(r" x \d+$", "", line[-1])] for line in lines]


def test_a_step_shows_the_call_as_it_is_typed_and_what_came_back(played: str) -> None:
    """Whoever reads it can type the same, and knows what to expect."""
    stop = step(played, "Stop").splitlines()

    assert "    >>> machine.stop(wait=True)" in stop
    assert stop[-2:] == ["    >>> machine.state", "    'stopped'"]


def test_a_wait_is_shown_once(played: str) -> None:
    """Polling is one line that says how often, not a line for each time."""
    assert re.search(r"GET /demo/machines/af1adec9… +200 OK x \d+\n", step(played, "Wait"))


def test_an_error_is_shown_in_the_words_that_a_user_gets(played: str) -> None:
    """Errors are a part of the tour too."""
    assert "smartdc.errors.Gone: GET /demo/machines/af1adec9…: 410:" in step(played, "Fetch it after")


def test_nothing_is_wider_than_80_columns(played: str) -> None:
    """The tour fits the smallest terminal."""
    assert max(map(len, played.splitlines())) <= 80


@pytest.mark.parametrize(
    ("typed", "argv0", "shown"),
    [
        (["python3", "-m", "smartdc", "tour"], "/lib/smartdc/__main__.py", "python3 -m smartdc"),
        (["/venv/bin/python", "venv/bin/smartdc", "tour"], "venv/bin/smartdc", "venv/bin/smartdc"),
    ],
)
def test_the_last_line_can_be_typed_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: list[str], argv0: str, shown: str
) -> None:
    """What to do next begins as what was typed."""
    monkeypatch.setattr(sys, "orig_argv", typed)
    monkeypatch.setattr(sys, "argv", [argv0, "tour"])
    assert tour.main([], "Count.\n\n>>> dc.num_machines()\n0\n", VirtualClock()) == 0

    assert capsys.readouterr().out.splitlines()[-1] == f"Try it yourself:  {shown} shell --emulator"


def test_it_needs_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status says whether every step did what it says, also to whoever has closed the output."""
    monkeypatch.setattr("sys.stdout", None)
    assert tour.main([], "Count.\n\n>>> dc.num_machines()\n0\n", VirtualClock()) == 0


def test_the_picture_shows_the_tour_as_it_is(played: str) -> None:
    """A picture of a tour that has changed since is renewed; it is small and loads nothing."""
    drawn = PICTURE.read_text(encoding="utf-8")

    renew = "docs/tour.svg shows an older tour; renew it: PYTHONPATH=tests .venv/bin/python -m kits.tour_svg"
    assert drawn == picture(played), renew
    assert len(drawn.encode()) < 60_000
    assert not re.search(r"<script|<image|href|url\(", drawn)


def test_a_pipe_gets_plain_text(played: str) -> None:
    """Neither colours nor progress lines end up in a file."""
    assert not re.search(r"[\x1b\r]", played)
    assert "waiting" not in played


def test_a_terminal_gets_colours_and_sees_time_pass(seen: str) -> None:
    """A wait shows that it is one."""
    assert "\x1b[32m200 OK\x1b[0m" in seen
    assert "waiting · 2 s" in seen


def test_a_progress_line_is_gone_when_the_wait_is_over(seen: str) -> None:
    """What stays on the screen is what came back."""
    for line in seen.split("\n"):
        assert "waiting" not in line.rpartition("\x1b[K")[2]


def test_no_color_is_respected() -> None:
    """NO_COLOR takes the colours, and leaves the progress line."""
    terminal = Terminal()
    screen = Screen(terminal, {"TERM": "xterm", "NO_COLOR": "1"})
    screen.say("All well", "good")
    screen.wait(4)

    assert terminal.getvalue() == "All well\n\r    waiting ·· 4 s"


def test_a_dumb_terminal_gets_plain_text() -> None:
    """A terminal that can move no cursor is written to as if it were a pipe."""
    terminal = Terminal()
    screen = Screen(terminal, {"TERM": "dumb"})
    screen.wait(4)
    screen.say("All well", "good")

    assert terminal.getvalue() == "All well\n"


def test_a_fast_clock_counts_every_second_as_several() -> None:
    """Ten seconds of a data centre take one of ours."""
    real = VirtualClock()
    clock = FastClock(real, pace=10)
    begin = clock.time()
    clock.sleep(20)

    assert real.monotonic() == 2
    assert clock.monotonic() == 20
    assert clock.time() - begin == 20


def test_a_step_that_gives_something_else_stops_the_tour() -> None:
    """What the tour says must be so, and the words tell what was not."""
    with pytest.raises(TourStopped, match=r"dc.num_machines\(\)\nexpected\n1\ngot\n0"):
        play(Screen(io.StringIO(), {}), "Count.\n\n>>> dc.num_machines()\n1\n", VirtualClock())


def test_a_step_that_fails_stops_the_tour() -> None:
    """An error that the tour does not foresee is no part of it."""
    with pytest.raises(TourStopped, match=r"expected\nnothing\ngot\nsmartdc.errors.ResourceNotFound"):
        play(Screen(io.StringIO(), {}), "Ask.\n\n>>> dc.request('GET', '/keys/none')\n", VirtualClock())


def test_a_step_that_should_fail_and_does_not_stops_the_tour() -> None:
    """A refusal that did not come is as wrong as one that came."""
    text = "Ask.\n\n>>> _ = dc.keys()\nTraceback (most recent call last):\nsmartdc.errors.InvalidCredentials: ...\n"
    with pytest.raises(TourStopped, match=r"InvalidCredentials: ...\ngot\nnothing"):
        play(Screen(io.StringIO(), {}), text, VirtualClock())


def test_a_machine_that_is_left_behind_stops_the_tour() -> None:
    """The tour cleans up after itself, and that is checked."""
    text = "Create.\n\n>>> _ = dc.create_machine(image=dc.images()[0], package='g1-nano')\n"
    with pytest.raises(TourStopped, match="left something behind"):
        play(Screen(io.StringIO(), {}), text, VirtualClock())


def test_the_command_plays_the_tour(capsys: pytest.CaptureFixture[str]) -> None:
    """It says where it begins and that it went well, and succeeds."""
    status = tour.main([], real=VirtualClock())

    assert status == 0
    assert capsys.readouterr().out.splitlines()[-3].endswith("Nothing is left behind.")


def test_the_command_fails_when_a_step_does_not_do_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """A broken tour is loud, and its exit status says so to a script."""
    status = tour.main([], "Count.\n\n>>> dc.num_machines()\n1\n", VirtualClock())

    assert status == 1
    assert "The tour failed at this step: dc.num_machines()" in capsys.readouterr().out


SHORT = "Count.\n\n>>> dc.num_machines()\n0\n\nCount packages.\n\n>>> len(dc.packages()) > 5\nTrue\n"


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Type lines, and after the last one the end of the input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_step_by_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step waits for Enter, and the last one too."""
    type_in(monkeypatch, "", "")

    assert tour.main(["--step"], SHORT, VirtualClock()) == 0
    out = capsys.readouterr().out
    assert out.count("Enter for the next step, s for a shell here, q to leave: ") == 1
    assert out.count("Enter to end, s for a shell here, q to leave: ") == 1
    assert "Try it yourself" in out.splitlines()[-1]


def test_a_step_offers_a_shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It has the names of the tour, leaving it leads back, and it may be opened again."""
    type_in(monkeypatch, "s", "print('operations', cloud.trace.operations())", "exit", "", "s", "print(dc)", "quit()")

    assert tour.main(["--step"], SHORT, VirtualClock()) == 0
    out = capsys.readouterr().out
    assert "operations ['HeadMachines']\n" in out
    assert out.index("operations") < out.index("Count packages.") < out.index("<DataCenter: demo@")


@pytest.mark.parametrize("lines", [["q"], []], ids=["q", "end of input"])
def test_a_tour_may_be_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lines: list[str]
) -> None:
    """That is no failure, and what to do next is told."""
    type_in(monkeypatch, *lines)

    assert tour.main(["--step"], SHORT, VirtualClock()) == 0
    out = capsys.readouterr().out
    assert "Count packages." not in out
    assert "Try it yourself" in out.splitlines()[-1]


def test_it_may_end_in_a_shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In the data centre of the tour, which is still there."""
    monkeypatch.setitem(sys.modules, "IPython", None)
    type_in(monkeypatch, "print(len(cloud.trace), dc.ping()['ping'])")

    assert tour.main(["--shell"], SHORT, VirtualClock()) == 0
    assert "2 pong\n" in capsys.readouterr().out


def test_every_name_is_explained_before_it_is_used(cloud: Emulator, dc: DataCenter, tmp_path: Path) -> None:
    """What the tour does not make before the reader's eyes, it says in a sentence."""
    for name in {*tour._names(cloud, dc, tmp_path)} - {"cloud", "dc"}:
        assert tour.TOUR.index(f"\n{name} is ") < tour.TOUR.index(f"{name})")
