"""What the campaign finds: what the client says, compared with what stands on the server's books."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from kits.campaign import CREATE, Deed, Mishap, Site, Stage
from smartdc import CreateOutcomeUnknown, SmartDCError

GRACE = 0.25
"""Seconds by which a call may miss its deadline: what a busy machine needs to notice."""

WRONGS = {
    "doubled": "a thing was made twice",
    "orphaned": "a machine was made, and neither returned nor told of",
    "stranger": "an exception is none of ours",
    "late": "a call went on past its deadline",
    "false success": "something was said to be done, and was not",
    "false refusal": "something was said not to be done, and was",
    "lost": "a machine is not in hand, though a careful client would have it",
    "next call wrong": "the next call on the same client did not show what is there",
}
"""What must never happen."""


@dataclass
class Report:
    """How much was asked, how it ended, and every single thing that was wrong, by kind."""

    scenes: int = 0
    calls: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in WRONGS})

    def __str__(self) -> str:
        """Tell the figures in one line."""
        wrongs = ", ".join(f"{kind} {len(found)}" for kind, found in self.wrong.items())
        ends = ", ".join(f"{name} {count}" for name, count in self.ends.most_common())
        return f"{self.scenes:,} scenes, {self.calls:,} calls; {wrongs}; ended in {ends}"

    def problems(self) -> list[str]:
        """Return everything that was wrong, a line each."""
        return [f"{kind}: {where}" for kind, several in self.wrong.items() for where in several]

    def add(self, other: Report) -> None:
        """Take over what another report found."""
        self.scenes += other.scenes
        self.calls += other.calls
        self.ends += other.ends
        for kind, several in other.wrong.items():
            self.wrong[kind] += several


def play(stage: Stage, deed: Deed, *mishaps: Mishap) -> Report:
    """Do one deed at a new site while things go wrong, and report."""
    report = Report()
    with stage.site() as site:
        perform(stage, site, deed, mishaps, report)
    if report.wrong["late"] and not stage.alone:
        stage.alone = True
        report = play(stage, deed, *mishaps)
        stage.alone = False
    return report


def perform(stage: Stage, site: Site, deed: Deed, mishaps: tuple[Mishap, ...], report: Report) -> None:
    """Do one deed while things go wrong, and add to the report."""
    site.client.close()
    site.client.took.clear()
    site.client.session.timeout = stage.timeout
    result: Any = None
    try:
        with stage.trouble(*mishaps):
            result = deed.do(site)
    except Exception as error:  # noqa: BLE001  what else comes out is what is looked for
        result = error
    late = max(site.client.took, default=0.0) - stage.timeout
    site.client.session.timeout = 60.0
    verdict = Verdict(site, deed, mishaps, result)
    report.scenes += 1
    report.ends[type(result).__name__ if verdict.failed else "success"] += 1
    wrong = {**verdict.wrong(), "late": late > GRACE, "next call wrong": verdict.next_call_wrong()}
    for kind in (kind for kind, so in wrong.items() if so):
        report.wrong[kind].append(f"{verdict} (late by {late:.3f} s)" if kind == "late" else str(verdict))
    report.calls += len(site.client.took)


@dataclass
class Verdict:
    """A deed that was done, or not, in the light of the books."""

    site: Site
    deed: Deed
    mishaps: tuple[Mishap, ...]
    result: Any

    def __post_init__(self) -> None:
        """Count before anything else is asked."""
        self.site.cloud.transitions.settle()
        self.failed = isinstance(self.result, Exception)
        self.count = self.deed.count(self.site)

    def __str__(self) -> str:
        """Tell what was done in which trouble, and what came of it."""
        return f"{self.deed.name}, {', '.join(map(str, self.mishaps))}: {self.result!r}, {self.count} on the books"

    def wrong(self) -> dict[str, bool]:
        """Tell what is wrong, by kind."""
        made = self.failed and self.deed is CREATE
        return {
            "doubled": self.count > 1 and not self.deed.repeatable,
            "orphaned": made and self.count > 0 and not self._told(),
            "stranger": self.failed and not isinstance(self.result, SmartDCError),
            "false success": not self.failed and not self._done(),
            "false refusal": self.failed and self._denied(),
            "lost": made and self._could_be_had(),
        }

    def next_call_wrong(self) -> bool:
        """Tell whether the client, all being well again, does not see what is there."""
        try:
            if self.site.listed() != self.site.alive():
                return True
            token = self.result.token if isinstance(self.result, CreateOutcomeUnknown) else None
            found = [machine.id for machine in self.site.client.machines_by_token(token)] if token else []
            return token is not None and found != self.site.made()
        except SmartDCError:
            return True

    def _done(self) -> bool:
        return self.deed.fits(self.site, self.result) and (self.count > 0 or self.deed.reads)

    def _told(self) -> bool:
        """Tell whether the error says that something may have been made, and how to look for it."""
        error = self.result
        return isinstance(error, CreateOutcomeUnknown) and error.applied is None and bool(error.token)

    def _denied(self) -> bool:
        """Tell whether the error says that nothing was done, and something was; a lie of the server is not counted."""
        lie = self.deed is not CREATE and any(mishap.trouble.odd for mishap in self.mishaps)
        return self.count > 0 and getattr(self.result, "applied", None) is False and not lie

    def _could_be_had(self) -> bool:
        """Tell whether a careful client has the machine: one thing went wrong once, or it can be looked for."""
        several = len(self.mishaps) > 1 or any(m.times != 1 or m.trouble.hopeless for m in self.mishaps)
        return not several or (self.count > 0 and not any(mishap.everywhere for mishap in self.mishaps))
