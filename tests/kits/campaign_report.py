"""What the campaign finds: the client's results, compared with the state of the server."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from kits.campaign import CREATE, SECRET, Harness, Injection, Operation, Target
from kits.signals import Interruption, locals_of
from smartdc import CreateOutcomeUnknown, SmartDCError, Throttled

GRACE = 0.25
"""Seconds by which a call may miss its deadline: what a busy machine needs to notice."""

VIOLATIONS = {
    "doubled": "a thing was created twice",
    "orphaned": "a machine was created, and neither returned nor reported",
    "foreign exception": "an exception is none of ours",
    "late": "a call went on past its deadline",
    "false success": "reported as done, and was not",
    "false refusal": "reported as not done, and was",
    "throttled": "CloudAPI's throttle cost a call",
    "lost": "a machine is not in hand, though a careful client would have it",
    "next call wrong": "the next call on the same client did not show what is there",
    "signal swallowed": "what a signal's handler raised did not come out",
    "secret shown": "a password or user data stood in the frames of what a handler raised",
    "slot lost": "a connection that the client may have was not given back",
}
"""What must never happen."""


@dataclass
class Report:
    """How many calls were made, how they ended, and every violation by kind."""

    scenarios: int = 0
    calls: int = 0
    interrupted: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    violations: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in VIOLATIONS})

    def __str__(self) -> str:
        """Return the figures in one line."""
        wrongs = ", ".join(f"{kind} {len(found)}" for kind, found in self.violations.items())
        ends = ", ".join(f"{name} {count}" for name, count in self.ends.most_common())
        amounts = f"{self.scenarios:,} scenarios, {self.calls:,} calls, {self.interrupted:,} interrupted"
        return f"{amounts}; {wrongs}; ended in {ends}"

    def problems(self) -> list[str]:
        """Return every violation, a line each."""
        return [f"{kind}: {where}" for kind, several in self.violations.items() for where in several]

    def add(self, other: Report) -> None:
        """Add the figures of another report."""
        self.scenarios += other.scenarios
        self.calls += other.calls
        self.interrupted += other.interrupted
        self.ends += other.ends
        for kind, several in other.violations.items():
            self.violations[kind] += several


def run_scenario(
    harness: Harness, operation: Operation, *injections: Injection, interruption: Interruption | None = None
) -> Report:
    """Run one operation on a new target under injected faults, and report; a late one is tried once more, alone."""
    report = Report()
    with harness.target() as target:
        run_operation(harness, target, operation, injections, report, interruption)
    if report.violations["late"] and not harness.alone:
        harness.alone = True
        report = run_scenario(harness, operation, *injections, interruption=interruption)
        harness.alone = False
    return report


def run_operation(
    harness: Harness,
    target: Target,
    operation: Operation,
    injections: tuple[Injection, ...],
    report: Report,
    interruption: Interruption | None = None,
) -> None:
    """Run one operation under injected faults, and maybe a signal amid it, and add to the report."""
    if not harness.kept or any(injection.mode.connecting for injection in injections):
        target.client.close()
    target.client.took.clear()
    target.client.session.timeout = harness.timeout
    result: Any = None
    came = False
    log: list[str] = []
    with logged(log) if interruption else nullcontext():
        try:
            with harness.inject(*injections):
                if interruption:
                    result, came = interruption.amid(lambda: operation.do(target))
                else:
                    result = operation.do(target)
        except Exception as error:  # noqa: BLE001  any other exception is a finding
            result = error
    late = max(target.client.took, default=0.0) - harness.timeout
    target.client.session.timeout = 60.0
    if came:
        harness.wait_until_quiet(target)
    outcome = Outcome(target, operation, injections, result, interruption if came else None, log)
    report.scenarios += 1
    report.interrupted += came
    report.ends[type(result).__name__ if outcome.failed else "success"] += 1
    wrong = {**outcome.violations(), "late": late > GRACE, "next call wrong": outcome.next_call_wrong()}
    for kind in (kind for kind, so in wrong.items() if so):
        report.violations[kind].append(f"{outcome} (late by {late:.3f} s)" if kind == "late" else str(outcome))
    report.calls += len(target.client.took)


class _Kept(logging.Handler):
    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def logged(texts: list[str]) -> Iterator[None]:
    """Add what is logged of creates, at INFO, while a with-block lasts."""
    log, handler = logging.getLogger("smartdc.machine.create"), _Kept(texts)
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@dataclass
class Outcome:
    """The result of an operation, beside the state of the server; with the signal that came amid it, and what was logged."""

    target: Target
    operation: Operation
    injections: tuple[Injection, ...]
    result: Any
    interruption: Interruption | None
    log: list[str]

    def __post_init__(self) -> None:
        """Count before anything else is called."""
        self.target.cloud.transitions.settle()
        self.failed = isinstance(self.result, BaseException)
        self.interrupted = self.interruption is not None and type(self.result) is self.interruption.raises
        self.count = self.operation.count(self.target)

    def __str__(self) -> str:
        """Name the operation, the faults, the signal, the result and the server's count."""
        what = ", ".join(map(str, filter(None, (*self.injections, self.interruption))))
        return f"{self.operation.name}, {what}: {self.result!r}, {self.count} on the server"

    def violations(self) -> dict[str, bool]:
        """Return whether each kind of violation happened."""
        create_failed = self.failed and self.operation is CREATE
        slots, session = self.target.client.session._slots, self.target.client.session
        return {
            "doubled": self.count > 1 and not self.operation.repeatable,
            "orphaned": create_failed and self.count > 0 and not self._reported(),
            "foreign exception": self.failed and not self.interrupted and not isinstance(self.result, SmartDCError),
            "signal swallowed": self.interruption is not None and not self.interrupted,
            "secret shown": self.interrupted and SECRET in locals_of(self.result),
            "slot lost": slots.free != session.settings.pool_size,
            "false success": not self.failed and not self._done(),
            "false refusal": self.failed and self._denied(),
            "throttled": isinstance(self.result, Throttled) and self._had_time(),
            "lost": create_failed and not self.interrupted and self._was_attainable(),
        }

    def _had_time(self) -> bool:
        """Return whether every fault ends, and maintenance leaves the call some of its time for the throttle."""
        if not all(injection.times for injection in self.injections):
            return False
        windows = [each for each in self.injections if each.mode.kind == "maintenance"]
        taken = sum(each.mode.options.get("seconds", 0.0) * (each.times or 0) for each in windows)
        return bool(taken < self.target.client.session.timeout)

    def next_call_wrong(self) -> bool:
        """Return whether the next call, without faults, does not show the state of the server."""
        try:
            if self.target.listed() != self.target.alive():
                return True
            token = self._token()
            found = [machine.id for machine in self.target.client.machines_by_token(token)] if token else []
            return bool(token) and found != self.target.created()
        except SmartDCError:
            return True

    def _done(self) -> bool:
        return self.operation.fits(self.target, self.result) and (self.count > 0 or self.operation.reads)

    def _reported(self) -> bool:
        """Return whether the error says that something may have been created, and how to find it."""
        if self.interrupted:
            return bool(self._token())
        error = self.result
        return isinstance(error, CreateOutcomeUnknown) and error.applied is None and bool(error.token)

    def _token(self) -> str:
        """Return the token by which the machine can be found, as an unknown outcome says it, or an interrupt or the log."""
        if isinstance(self.result, CreateOutcomeUnknown):
            return str(self.result.token)
        told = [*getattr(self.result, "__notes__", ()), *self.log] if self.interrupted else []
        return next(iter(re.findall(r"machines_by_token\('(\w+)'\)", "\n".join(told))), "")

    def _denied(self) -> bool:
        """Return whether the error denies what was done; when the server itself said so, that is not counted."""
        server_denied = self.operation is not CREATE and any(
            injection.mode.creates_only for injection in self.injections
        )
        return self.count > 0 and getattr(self.result, "applied", None) is False and not server_denied

    def _was_attainable(self) -> bool:
        """Return whether a careful client gets the machine: a single fault, or one that lets it be looked for."""
        several = len(self.injections) > 1 or any(m.times != 1 or m.mode.fatal for m in self.injections)
        return not several or (self.count > 0 and not any(injection.everywhere for injection in self.injections))
