"""Send a request for a job, and if its answer is lost, look for a sign that it was received.

A request may have been received although no answer came: the connection broke, or a proxy answered instead of CloudAPI.
Sending it again could make a second job, so only the world can tell: an entry of the audit, or a state. If the caller
waits for the job anyway, the library looks for such a sign before it gives up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

from smartdc.errors import CallError, SmartDCError, WaitTimeout, printable
from smartdc.http.clock import SystemClock
from smartdc.http.deadline import Deadline, ending_by
from smartdc.waiting.interrupts import is_interrupt
from smartdc.waiting.lost_answer import UNANSWERED, Search, find_until_settled
from smartdc.waiting.poll import MIN_LAST_CHECK_SECONDS
from smartdc.waiting.progress import Progress, Waitable

__all__ = ["Sending"]


class Sending:
    """The block in which a request for a job is sent; after it, `lost` and `since` say whether the answer was lost.

    The block ends in one of four ways:

    1. An answer: nothing is to be done.
    2. An error after which nothing was changed: it is raised.
    3. An unknown outcome: without a `sign`, the error is raised with a note where to look. With a `sign`, the library
       looks for it for the data centre's `settle`, or `timeout` if that is shorter. If it appears, the block has
       succeeded, but without an answer; otherwise the error is raised, with a note about the search.
    4. An interrupt: it gets a note where to look.
    """

    lost: CallError | None = None
    """The error in place of the answer, if the request was received all the same."""
    since: float | None = None
    """The clock's reading when the answer was lost: the time of the wait counts from then."""

    def __init__(
        self,
        resource: Waitable,
        words: str,
        hint: str,
        *,
        sign: Callable[[], bool] | None = None,
        shown_by: str = "its audit and its state",
        timeout: float | None = None,
    ) -> None:
        """Remember how to look.

        Args:
            resource: the thing that the job changes.
            words: the name of the job, such as ``resize``.
            hint: says where to look later, such as ``machine.audit() shows when it has ended``.
            sign: fetches what could show that the request was received, and returns whether it does; None if the
                caller does not wait.
            shown_by: the places where `sign` looks.
            timeout: the seconds that the wait may take; None for no limit.
        """
        self._resource, self._words, self._hint = resource, words, hint
        self._sign, self._shown_by, self._timeout = sign, shown_by, timeout
        self._failure: SmartDCError | None = None
        self._searched_for: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Return whether the request was received in spite of the error."""
        if isinstance(error, CallError) and error.applied is None:
            if self._sign and self._is_found(error, self._sign):
                return True
            # The search has raised the error again, from its own frames.
            error.with_traceback(trace).add_note(self._note())
        elif error is not None and is_interrupt(error):
            error.add_note(self._note())
        return False

    @contextmanager
    def noting_its_loss(self) -> Iterator[None]:
        """Note in a `WaitTimeout` of the wait that the answer was lost, if it was: the sign may have been misread."""
        try:
            yield
        except WaitTimeout as late:
            if self.lost:
                late.add_note(printable(f"the answer to the request was lost: {self.lost}"))
            raise

    def _is_found(self, error: CallError, sign: Callable[[], bool]) -> bool:
        """Look for the sign until it appears, or could no longer appear."""
        datacenter = self._resource.datacenter
        # A stand-in for a data centre need not have either; then there is one look.
        clock = getattr(datacenter, "clock", None) or SystemClock()
        settle = getattr(datacenter, "settle", 0.0)
        settle = settle if self._timeout is None else min(settle, self._timeout)
        since = clock.monotonic()
        # As in every wait, even the last look may take a little time.
        context = ending_by(Deadline(settle + MIN_LAST_CHECK_SECONDS, clock))
        watcher = _SearchForSign(self._resource, self._words)
        try:
            found = context.run(find_until_settled, error, partial(self._look, sign), clock, settle, watcher)
        except CallError:
            found = []
        except BaseException as stop:
            stop.add_note(self._note())
            if isinstance(stop, KeyboardInterrupt):
                raise stop.with_traceback(None) from None  # as in `poll`
            raise
        if found:
            self.lost, self.since = error, since
        self._searched_for = clock.monotonic() - since
        return bool(found)

    def _look(self, sign: Callable[[], bool]) -> list[bool]:
        """Return something if there is a sign; `find_until_settled` looks for things."""
        self._failure = None
        try:
            return [True] if sign() else []
        except SmartDCError as failure:
            self._failure = failure
            raise

    def _note(self) -> str:
        """Return what is known of the request, and where to look later."""
        known = "may have been requested"
        if self._failure:
            known += f", but {self._shown_by} could not be read: {self._failure}"
        elif self._searched_for is not None:
            known += f", but {self._shown_by} did not show it within {self._searched_for:.0f} s"
        return printable(f"{self._resource.label}: {self._words} {known}; {self._hint}")


class _SearchForSign(Search):
    """Reports the search for a sign of a request: in the log, on stderr if `verbose`, as progress."""

    def __init__(self, resource: Waitable, words: str) -> None:
        super().__init__(resource.datacenter, resource.label)
        self._resource, self._words = resource, words

    def lost(self, error: CallError, settle: float) -> None:
        """Report at once that the answer was lost, and how long the search may take."""
        self.settle = settle
        self._say(
            logging.WARNING,
            f"{self.subject}: lost the answer to its {self._words}; looking for a sign of it for up to {settle:g} s: {error}",
        )

    def looked(self, elapsed: float, found: bool | None, done: bool) -> None:
        """Report one search; the wait itself reports what follows a sign."""
        self._elapsed = elapsed
        if found:
            self._say(logging.INFO, f"{self.subject}: its {self._words} was received, as seen after {elapsed:.0f} s")
            return
        if not (done and self._is_shown()):
            self._tell(self._progress(outcome="not done" if done else ""))
        if done:
            outcome = "could not look for" if found is None else "found no sign of"
            self._say(logging.WARNING, f"{self.subject}: {outcome} its {self._words} within {elapsed:.0f} s")

    def _progress(self, state: str = UNANSWERED, outcome: str = "") -> Progress:
        return replace(super()._progress(self._resource.state, outcome), job=self._words, trouble=state)
