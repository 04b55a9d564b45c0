"""Wait for changes of tags and metadata, whose methods take entries of any name beside `wait` and `timeout`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Self
from warnings import warn

from smartdc.core.literals import Action
from smartdc.errors import InputError
from smartdc.machine.audit import AuditEntry, newer
from smartdc.machine.job import HasJobs, way_on
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, poll

__all__ = ["ChangesEntries", "Patience", "Timeout", "Wait", "includes", "patience"]

Wait = bool | str | None
Timeout = float | str | None


class Patience(NamedTuple):
    """Whether to wait, and the maximum time in seconds; None waits for ever."""

    wait: bool
    timeout: float | None

    @classmethod
    def checked(cls, wait: bool, timeout: float | None) -> Self:
        """Refuse an invalid number of seconds."""
        checked_timeout(timeout)
        return cls(wait, timeout)


class ChangesEntries(HasJobs):
    """Mix-in for owners of entries that jobs change: a change becomes visible some time after CloudAPI has accepted it."""

    __slots__ = ()

    def count_entry_jobs(self, actions: tuple[Action, ...], waits: Patience) -> int:
        """Return the number of jobs of these `actions` in the audit; it is needed, and fetched, only for a wait."""
        return len(self._entry_jobs(actions)) if waits.wait else 0

    def wait_for_entries(
        self,
        read: Callable[[], Mapping[str, Any]],
        goal: Callable[[Mapping[str, Any]], bool],
        actions: tuple[Action, ...],
        jobs_before: int,
        waits: Patience,
    ) -> None:
        """If `waits` says so, wait until the entries that are read reach the `goal`: `WaitFailed` if a job has failed."""
        if waits.wait:
            check = partial(self._has_changed, lambda: goal(read()), actions, jobs_before)
            problem, words = f"does not show the change ({actions[0]})", actions[0].replace("_", " ")
            poll(self, check, problem, timeout=waits.timeout, job=words, hint=way_on(actions[0]))

    def _has_changed(self, shows: Callable[[], bool], actions: tuple[Action, ...], jobs_before: int) -> bool:
        if shows():
            return True
        failed = [job for job in newer(self._entry_jobs(actions), jobs_before) if not job.succeeded]
        if failed:
            self._raise_wait_failed(f"did not {failed[0].action}", failed[0])
        return False

    def _entry_jobs(self, actions: tuple[Action, ...]) -> list[AuditEntry]:
        """Fetch the audit and return its jobs of these `actions`, newest first."""
        return [job for job in self.audit() if job.action in actions]


def patience(wait: Wait, timeout: Timeout, entries: dict[str, Any], what: str) -> Patience:
    """Distinguish the keywords `wait` and `timeout` from entries of these names, which are added to `entries`.

    A boolean `wait` is the keyword, and so is a number `timeout` beside it. Strings are entries, as they were before
    these keywords existed. Anything else could mean either, and is refused.
    """
    ours: dict[str, Any] = {}
    for name, value in (("wait", wait), ("timeout", timeout)):
        if isinstance(value, str):
            # The value stays out of the warning: it may be a secret.
            warn(
                f"{name}= with a text sets a {what} of that name; write it as {{{name!r}: …}}", stacklevel=_levels_up()
            )
            entries[name] = value
        else:
            ours[name] = value
    chosen, seconds = ours.get("wait"), ours.get("timeout", DEFAULT_TIMEOUT)
    if not (chosen is None or isinstance(chosen, bool)):
        raise InputError(f"wait must be True or False, got {chosen!r}; for a {what} of that name write {{'wait': …}}")
    if chosen is None and seconds != DEFAULT_TIMEOUT:
        raise InputError(f"timeout needs wait=True; for a {what} of that name write {{'timeout': {seconds!r}}}")
    return Patience.checked(bool(chosen), seconds)


def _levels_up() -> int:
    """Return how many frames above this function's caller the code is that called the library."""
    frame, levels = sys._getframe(1), 1  # noqa: SLF001 (CPython's, and PyPy's; `warn` itself can skip files from 3.12 on)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("smartdc."):
        frame, levels = frame.f_back, levels + 1
    return levels


def includes(given: Mapping[str, Any], entries: Mapping[str, Any]) -> bool:
    """Return whether `entries` include all given ones."""
    return given.items() <= entries.items()
