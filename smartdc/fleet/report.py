"""The result of an action on many machines."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from smartdc.core.display import html_table, text_table
from smartdc.core.shown import ShownAsTable, Table, is_typed_at_a_prompt
from smartdc.errors import SmartDCError
from smartdc.http.tracebacks import let_pass
from smartdc.machine.machine import Machine

__all__ = ["FleetFailed", "OutcomeUnknown", "Report"]

Subject = Machine | str
"""A machine, or the name of one that does not exist yet."""

MAX_NAMED = 5
"""How many failures the text of an error names."""


class OutcomeUnknown(SmartDCError):
    """The outcome of a request for a machine is unknown, and cannot be looked up."""


@dataclass
class Report(ShownAsTable):
    """The machines that are done, those that failed and why, and the untouched ones; an iteration yields those done.

    `done` has the machines in their order; for a replacement or a create, the new ones. In `failed` and `unknown`, a
    machine that does not exist yet is a name. `under_way` is empty unless the run was interrupted.
    """

    action: str
    done: list[Machine] = field(default_factory=list)
    failed: dict[Subject, Exception] = field(default_factory=dict)
    unknown: dict[Subject, Exception] = field(default_factory=dict)
    under_way: list[Subject] = field(default_factory=list)
    untouched: list[Subject] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """The number of all machines."""
        return sum(len(part) for part in self._parts().values())

    @property
    def subject(self) -> str:
        """The action and the number of machines, in words."""
        return f"{self.action} of {self.total} machine{'' if self.total == 1 else 's'}"

    @property
    def bad(self) -> dict[Subject, Exception]:
        """The machines that failed, and those whose outcome is unknown, with the reason."""
        return {**self.failed, **self.unknown}

    def _parts(self) -> dict[str, Mapping[Subject, Exception] | list[Any]]:
        return {
            "done": self.done,
            "failed": self.failed,
            "unknown": self.unknown,
            "under way": self.under_way,
            "untouched": self.untouched,
        }

    def add(self, other: Report) -> None:
        """Add the results of the same action in another data centre."""
        self.done += other.done
        self.failed |= other.failed
        self.unknown |= other.unknown
        self.under_way += other.under_way
        self.untouched += other.untouched
        self.seconds += other.seconds

    def summary(self) -> str:
        """Return the numbers in a line."""
        numbers = ", ".join(f"{len(part)} {name}" for name, part in self._parts().items() if part)
        return f"{self.subject}: {numbers or 'nothing to do'}, in {self.seconds:.0f} s"

    def rows(self) -> list[tuple[str, str, str]]:
        """Return name, outcome and reason of each machine; those with problems come first."""
        order = ("failed", "unknown", "under way", "untouched", "done")
        parts = self._parts()
        return [
            (name_of(subject), outcome, reason_of(part[subject]) if isinstance(part, Mapping) else "")
            for outcome in order
            for part in [parts[outcome]]
            for subject in part
        ]

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.done)

    def __str__(self) -> str:
        """Return the numbers and the whole table: a log has the full reasons."""
        return f"{self.summary()}\n{text_table(HEADINGS, self.rows(), width=sys.maxsize)}"

    def as_text(self, width: int | None = None) -> str:
        """Return the numbers and the table as text for a terminal of `width` columns; the default is the terminal's own."""
        return f"{self.summary()}\n{super().as_text(width)}"

    def __repr__(self) -> str:
        """Show the table in the console, and only the numbers anywhere else."""
        return self.as_text() if is_typed_at_a_prompt(1) else f"<Report {self.summary()}>"

    # IPython looks for this method in the class that defines `__repr__`.
    _repr_pretty_ = ShownAsTable._repr_pretty_

    def _table(self) -> Table:
        rows = self.rows()
        return Table(HEADINGS, lambda most: rows[:most], len(rows))

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """Show the numbers and the table through `rich`, which the caller has loaded."""
        yield self.summary()
        yield from super().__rich_console__(console, options)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.summary())}</p>{html_table(HEADINGS, self.rows())}"


HEADINGS = ("machine", "outcome", "reason")


def name_of(subject: Subject) -> str:
    """Return the name of a machine."""
    return subject if isinstance(subject, str) else str(subject.get("name") or subject)


def reason_of(error: Exception) -> str:
    """Return class and text of an error; an error whose `str` fails has no text."""
    try:
        text = str(error)
    except Exception as problem:  # noqa: BLE001 (the user's own class may raise anything)
        let_pass(problem)
        text = ""
    return f"{type(error).__name__}: {text}".removesuffix(": ")


class FleetFailed(SmartDCError):
    """More machines failed than allowed, or the outcome of some is unknown; `report` says which."""

    def __init__(self, message: str, report: Report | None = None) -> None:
        super().__init__(message)
        self.report = report or Report("")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle only the text; the report has live machines and errors, and is left out."""
        return type(self), (str(self),)


def failure(report: Report, what_now: str = "") -> FleetFailed:
    """Return the error for a report; it names the first few failures, and ends with advice."""
    bad = report.bad
    named = [f"{name_of(subject)}: {reason_of(error)}" for subject, error in list(bad.items())[:MAX_NAMED]]
    more = [f"and {len(bad) - MAX_NAMED} more"] if len(bad) > MAX_NAMED else []
    return FleetFailed("; ".join([report.summary(), *named, *more]) + what_now, report)
