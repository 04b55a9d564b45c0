"""Draw the tour as an animated picture of a terminal, made from what the tour prints: ``docs/tour.svg``.

``PYTHONPATH=tests python -m kits.tour_svg`` writes it again. The picture has no script and loads nothing: CSS moves it,
in the colours that the reader's system prefers. What differs from run to run, the port and how often a wait asked, is
made the same, so that a picture that is out of date can be told by comparing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from smartdc.commands.tour import Screen, play
from smartdc.emulator import VirtualClock

__all__ = ["PICTURE", "picture"]

PICTURE = Path(__file__).parents[2] / "docs" / "tour.svg"

STEPS = range(1, 8)
"""The steps of the tour that are shown: a longer film is not watched to its end."""
STEP_SECONDS = 4.5
LINE_SECONDS = 0.22
COLUMNS = 80
CHARACTER, LINE, MARGIN, BAR = 8.4, 20, 20, 34
"""Width of a character and height of a line, the space around them, and the bar of the window, in pixels."""

STYLE = """
svg{--paper:#fbfbf9;--ink:#24292f;--faint:#6e7781;--code:#0550ae;--good:#116329;--edge:#d0d7de}
@media(prefers-color-scheme:dark){svg{--paper:#161b22;--ink:#e6edf3;--faint:#8b949e;--code:#79c0ff;--good:#7ee787;--edge:#30363d}}
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink);white-space:pre}
.title{font-weight:bold}.code{fill:var(--code)}.wire{fill:var(--faint)}.wire .ok{fill:var(--good)}
.window{fill:var(--paper);stroke:var(--edge)}.dot{fill:var(--edge)}.bar{fill:var(--faint)}
"""


def picture(tour: str) -> str:
    """Return the picture of what the tour printed."""
    pages = [page for number, page in _steps(_settled(tour)) if number in STEPS]
    seconds = STEP_SECONDS * len(pages)
    share = 100 / len(pages)
    height = BAR + MARGIN + LINE * max(map(len, pages)) + MARGIN
    width = round(2 * MARGIN + COLUMNS * CHARACTER)
    motion = (
        f".page,.line{{animation:show {seconds}s infinite both;opacity:0}}"
        f"@keyframes show{{0%{{opacity:0}}0.4%,{share - 0.4:.2f}%{{opacity:1}}{share:.2f}%,100%{{opacity:0}}}}"
        # Without motion the last page stands still.
        "@media(prefers-reduced-motion:reduce){.page,.line{animation:none}.page:last-of-type,.page:last-of-type .line{opacity:1}}"
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t">'
        f'<title id="t">The tour: each call in Python, the requests it sends, and its result</title>'
        f"<style>{STYLE}{motion}</style>"
        f'<rect class="window" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9"/>'
        + "".join(f'<circle class="dot" cx="{20 + 18 * n}" cy="18" r="5.5"/>' for n in range(3))
        + f'<text class="bar" x="{width / 2}" y="23" text-anchor="middle">python3 -m smartdc tour</text>'
    )
    return head + "".join(_page(place, page) for place, page in enumerate(pages)) + "</svg>\n"


def _settled(tour: str) -> str:
    """Make the same what differs from run to run."""
    return re.sub(r" x \d+$", " x 7", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", tour), flags=re.MULTILINE)


def _steps(tour: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the lines of each step."""
    for step in re.split(r"\n\n(?=[ \d]\d  \S)", tour)[1:]:
        lines = step.rstrip("\n").splitlines()
        yield int(lines[0][:2]), lines


def _page(place: int, lines: list[str]) -> str:
    delay = place * STEP_SECONDS
    shown = "".join(_line(number, line, delay + number * LINE_SECONDS) for number, line in enumerate(lines) if line)
    return f'<g class="page" style="animation-delay:{delay}s">{shown}</g>'


def _line(number: int, line: str, delay: float) -> str:
    y = BAR + MARGIN + LINE * number
    text = line.lstrip(" ")
    x = MARGIN + CHARACTER * (len(line) - len(text))
    kind, body = _kind(line, escape(text, quote=False))
    start = f' class="line{kind}" style="animation-delay:{delay:.2f}s"'
    return f'<text{start} x="{x:g}" y="{y}">{body}</text>'


def _kind(line: str, text: str) -> tuple[str, str]:
    """Return the class of a line, and its text with what is marked within it."""
    if re.match(r"[ \d]\d  ", line):
        return " title", text
    if re.match(r" {4}(>>>|\.\.\.) ", line):
        return " code", text
    if re.match(r" {4}[A-Z]+ /", line):
        return " wire", re.sub(r"(\d{3} [A-Z]\w*)", r'<tspan class="ok">\1</tspan>', text)
    return "", text


if __name__ == "__main__":
    printed = io.StringIO()
    play(Screen(printed, {}), real=VirtualClock())
    PICTURE.write_text(picture(printed.getvalue()), encoding="utf-8")
