"""One call: its attempts, the meaning of each, and its end."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from smartdc import errors
from smartdc.http import request as encoding
from smartdc.http import retry, status_line, tracing
from smartdc.http.clock import corrected_offset
from smartdc.http.dates import http_date, parse_http_date
from smartdc.http.deadline import Deadline, ambient_deadline, ending_by
from smartdc.http.excerpt import excerpt
from smartdc.http.failures import CALL_FAILURES, Outcome, failure_of, of_signal_handler, outcome_of_status
from smartdc.http.ids import new_uuid
from smartdc.http.invocation import ended_emulator
from smartdc.http.light import LightRequest, is_from_a_server, without_signature
from smartdc.http.response import MAX_CODE, InvalidJSON, api_error, decode, transport_error
from smartdc.http.settings import MAX_TIMEOUT_SECONDS
from smartdc.http.status_line import NOTICEABLE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from smartdc.http.session import Session
    from smartdc.http.settings import Headers

    Verdict = tuple[errors.CallError | None, Outcome, float | None]
    """The error if any, what it means, and the pause in seconds that the server asked for."""
    Transmit = Callable[[requests.PreparedRequest, float | None], requests.Response]
    """Send a prepared request once, within so many seconds."""

__all__ = ["Call"]

log = logging.getLogger(__name__)

MIN_ATTEMPT_SECONDS = 0.1
"""If a call has more time left than this, no random pause uses up all of it: another attempt follows."""


class Call:
    """One call: the values that are the same for all attempts, and the knowledge from earlier attempts."""

    attempts = 0
    """How many times it was sent."""
    failures = 0
    """How many attempts count as failed: those that CloudAPI refused for the moment do not count."""
    refusals = 0
    corrected = False
    """Whether the clock offset was already corrected."""
    unsure = False
    """Whether an attempt may have been applied."""
    response: requests.Response | None = None
    """The answer to the newest attempt."""
    failure: str | None = None
    """The class name of the newest attempt's error."""
    told_queue_at: float | None = None
    told_silence = False
    offset = 0.0
    """The clock offset in seconds with which the current attempt was signed."""

    def __init__(
        self,
        session: Session,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str],
        timeout: float | None,
        repeatable: bool = False,
    ) -> None:
        """Start the deadline; later changes of the session's settings do not affect this call."""
        self.session = session
        self.settings = session.settings
        self.method = method
        self.path = path
        self.url = f"{self.settings.base_url}{path}?{query}" if query else self.settings.base_url + path
        self.body = body
        self.headers = headers
        self.repeatable = repeatable or method in retry.IDEMPOTENT
        self.request_id = new_uuid()
        self.pace = session.paces.of(path)
        self.turn = self.pace.turn()
        own = Deadline(timeout, self.settings.clock)
        self.deadline = own.earlier(ambient_deadline())
        if self.deadline is not own and (left := self.deadline.left()) is not None:
            timeout = round(left, 3)
        self.timeout = timeout

    def run(self, transmit: Transmit) -> tuple[Any, requests.Response]:
        """Attempt until there is a response, a final error or no time left.

        Each attempt first waits for its turn, which takes no time unless CloudAPI has recently throttled this part of
        the API. It ends with a verdict: an error or none, the outcome of the request (`Outcome`), and the pause that
        the server asked for. Two values go from one attempt to the next. `unsure` means that an earlier attempt may
        have been applied: then a 404 to a DELETE is a success, and the final error's `applied` is None instead of
        False. `corrected` makes sure that the clock is corrected only once. `_again` decides whether there is another
        attempt, and sleeps before it.
        """
        error: errors.CallError | None = None
        while True:
            if not self.pace.wait(self.turn, self._left, self._tell_queue):
                raise error or self._never_sent("CloudAPI throttles this account")
            self.attempts += 1
            self.offset = self.session.clock_offset
            with tracing.span("attempt", self):
                error, outcome, pause = self._attempt(transmit)
                self.failure = None if error is None else type(error).__name__
            if error is None:
                return self._result
            self.unsure = self.unsure or outcome in {Outcome.UNKNOWN, Outcome.UNUSABLE}
            error.applied = None if self.unsure else False
            if not self._again(error, outcome, pause):
                raise error from error.__cause__

    def _left(self) -> float | None:
        """Return the seconds left, 0 when time is up."""
        return 0.0 if self.deadline.passed() else self.deadline.left()

    def _never_sent(self, reason: str) -> errors.CallTimeout:
        """Return the error for a call that spent all its time before it was sent."""
        text = f"{self.method} {self.path}: not sent within {self.timeout:g} s, since {reason}"
        error = errors.CallTimeout(text, **self._facts())
        error.applied = False
        return error

    def _attempt(self, transmit: Transmit) -> Verdict:
        """Send the request once; the copy that is kept afterwards has no signature."""
        signing = Deadline(self.deadline.left())
        request = self._prepare()
        left = self.deadline.left()
        if not self.repeatable and signing.passed():
            # Perhaps a person was asked for a passphrase. The answer would come too late, and its outcome be unknown.
            self.response = None
            return self._never_sent("it was not signed in time"), Outcome.FINAL, None
        try:
            if left is not None:
                left = min(left, MAX_TIMEOUT_SECONDS)
            if self._is_watched():
                with self._telling("no answer yet"):
                    response = transmit(request, left)
            else:
                response = transmit(request, left)
        except CALL_FAILURES as cause:
            if theirs := of_signal_handler(cause):
                request.headers.pop("Authorization", None)
                raise theirs from theirs.__cause__
            return self._no_response(cause)
        except BaseException:
            request.headers.pop("Authorization", None)
            raise
        response.request = without_signature(request)
        return self._judge(response)

    def _prepare(self) -> requests.PreparedRequest:
        """Build and sign one attempt: each has a fresh date; all have the same Request-Id."""
        date = http_date(self.settings.clock.time() + self.offset)
        own = {"date": ("Date", date), "x-request-id": ("X-Request-Id", self.request_id)}
        headers: Headers = self.settings.headers.with_values(own)  # type: ignore[attr-defined] # (which they are)
        if self.body is not None:
            headers["Content-Type"] = "application/json"
            headers["Content-MD5"] = encoding.md5_of(self.body)
        if self.body is not None or self.method in {"POST", "PUT"}:
            headers["Content-Length"] = str(len(self.body or b""))
        if self.headers:
            headers.update(self.headers)
        request = LightRequest(self.method, self.url, self.body, headers)
        if self.settings.verbose:
            self._print(f"{self.method}\t{self.url}")
        if self.settings.auth is None:
            return request
        # an ssh-agent or a passphrase may take its time
        context = ending_by(self.deadline)
        if not (getattr(self.settings.auth, "signs_by_agent", False) and self._is_watched()):
            return context.run(self.settings.auth, request)
        with self._telling("no signature of the ssh-agent yet"):
            return context.run(self.settings.auth, request)

    def _no_response(self, cause: Exception) -> Verdict:
        self.response = None
        self._log(type(cause).__name__)
        outcome = failure_of(cause).outcome or Outcome.UNKNOWN
        over = ended_emulator(getattr(self.settings.auth, "origin", None))
        server = f"{self.settings.base_url} (an emulator that is no longer running)" if over else self.settings.base_url
        error = transport_error(cause, self.timeout, server, **self._facts())
        return error, outcome, None

    def _judge(self, response: requests.Response) -> Verdict:
        self.response = response
        self._log(response.status_code)
        if date := response.headers.get("Date"):
            self.session.last_date = date, self.settings.clock.monotonic()
        if response.status_code not in {420, 429}:
            self.pace.taken(self.turn)
        if response.status_code < 300:
            return self._succeeded(response)
        if self._already_gone(response.status_code):
            self._result = None, response
            return None, Outcome.FINAL, None
        error = api_error(response, **self._facts(response))
        if self._clock_was_wrong(response):
            return error, Outcome.CLOCK, None
        outcome = outcome_of_status(response.status_code, response.headers, error.message)
        return error, outcome, retry.retry_after(response.headers, self.session.now())

    def _succeeded(self, response: requests.Response) -> Verdict:
        if self.method == "DELETE" and response.status_code != 204 and is_from_a_server(response):
            return self._bad(response, f"unexpected status {response.status_code}; CloudAPI answers a DELETE with 204")
        try:
            self._result = decode(response), response
        except InvalidJSON as problem:
            return self._bad(response, str(problem))
        self.session.budget.succeeded()
        return None, Outcome.FINAL, None

    def _bad(self, response: requests.Response, problem: str) -> Verdict:
        text = f"{self.method} {self.path}: {problem}"
        return errors.BadResponse(text, **self._facts(response)), Outcome.UNKNOWN, None

    def _already_gone(self, status: int) -> bool:
        """Return whether an earlier attempt of this delete must have succeeded."""
        return self.method == "DELETE" and self.unsure and status in {404, 410}

    def _clock_was_wrong(self, response: requests.Response) -> bool:
        """Correct the clock offset, once per call, if the server's clock explains the refusal.

        The comparison uses the offset with which this attempt was signed: another thread may have corrected it since.
        """
        if response.status_code not in {400, 401} or self.corrected:
            return False
        offset = corrected_offset(parse_http_date(response.headers.get("Date")), self.settings.clock, self.offset)
        if offset is None:
            return False
        self.corrected = True
        self.session.clock_offset = offset
        log.warning("the server's clock differs from ours by %.0f s; signing with its time", offset)
        return True

    def _again(self, error: errors.CallError, outcome: Outcome, pause: float | None) -> bool:
        """Return whether another attempt is safe, allowed by the budget and in time; sleep before it if necessary.

        A throttled call keeps its place in the queue, and is sent when its slot comes. A request that CloudAPI refuses
        for other temporary reasons, without applying it, is sent again as long as there is time. Every other failure
        uses up an attempt, and a retry of the budget.
        """
        if outcome is Outcome.CLOCK:
            return not self.deadline.passed()
        if isinstance(error, errors.Throttled):
            return self._requeue(error, pause)
        if outcome is Outcome.REFUSED:
            self.refusals += 1
            return self._sleep(error, max(pause or 0.0, self._backoff(self.refusals)), affordable=lambda: True)
        self.failures += 1
        may = retry.may_retry(outcome, repeatable=self.repeatable) and self.failures < self.settings.retry.attempts
        backoff, left = self._backoff(self.failures), self._longest_pause()
        if left > MIN_ATTEMPT_SECONDS:
            backoff = min(backoff, left / 2)
        return may and self._sleep(error, max(pause or 0.0, backoff), affordable=self.session.budget.take)

    def _requeue(self, error: errors.CallError, pause: float | None) -> bool:
        """Let the pace decide when to send a throttled call again; False if the server's pause exceeds the call's time."""
        too_long = pause is not None and pause >= self._longest_pause()
        self.pace.refused(self.turn, None if too_long else pause)
        if too_long or self.deadline.passed():
            return False
        self._tell(error, pause or 0.0)
        return True

    def _longest_pause(self) -> float:
        left = self._left()
        return self.settings.retry.max_retry_after if left is None else left

    def _backoff(self, failures: int) -> float:
        return self.settings.retry.pause(failures, self.session.rng)

    def _sleep(self, error: errors.CallError, seconds: float, affordable: Callable[[], bool]) -> bool:
        """Sleep before the next attempt, and return True; False if there is not enough time, or the pause is too long."""
        if seconds >= self._longest_pause() or not affordable():
            return False
        self._tell(error, seconds)
        while seconds > NOTICEABLE_SECONDS and self._is_watched():
            self.settings.clock.sleep(NOTICEABLE_SECONDS)
            seconds -= NOTICEABLE_SECONDS
            self._show(f"{self.method} {self.path}: attempt {self.attempts + 1} in {seconds:.1f} s")
        self.settings.clock.sleep(seconds)
        return True

    def _tell(self, error: errors.CallError, seconds: float) -> None:
        """Log a retry in one line; with `verbose`, print it too."""
        begins = f"{self.method} {self.path}: "
        reason = f"{error.status} {error.code}".strip() if isinstance(error, errors.APIError) else str(error)
        text = f"{begins}{reason.removeprefix(begins)}; attempt {self.attempts + 1} in {seconds:.1f} s"
        log.info("%s (request %s)", text, self.request_id)
        self._print(text)

    def _tell_queue(self, ahead: int, seconds: float) -> None:
        """Log a wait for the throttle if it is long enough to notice, and then every two seconds."""
        now = self.settings.clock.monotonic()
        if self.told_queue_at is None:
            self.told_queue_at = now if seconds < NOTICEABLE_SECONDS else now - NOTICEABLE_SECONDS
        if now - self.told_queue_at < NOTICEABLE_SECONDS:
            return
        self.told_queue_at = now
        text = f"{self.method} {self.path}: throttled; {ahead} calls ahead of it, about {seconds:.0f} s"
        log.info("%s (request %s)", text, self.request_id)
        self._print(text)

    def _is_watched(self) -> bool:
        """Return whether the user asked for progress, and can see it."""
        asked = self.settings.progress is True or status_line.watching.get()
        return bool(self.settings.verbose) or (asked and status_line.is_watched())

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Report every two seconds what is still missing, and clear the line at the end."""

        def tell(seconds: float) -> None:
            self._show(f"{self.method} {self.path}: {what} after {seconds:.0f} s")

        try:
            with status_line.ticking(tell):
                yield
        finally:
            if self.told_silence:
                status_line.clear()

    def _show(self, text: str) -> None:
        """Show a line for a while, or with `verbose` print it."""
        if self.settings.verbose:
            self._print(text)
        else:
            status_line.write(text)
            self.told_silence = True

    def _print(self, text: str) -> None:
        if self.settings.verbose:
            print(f"{datetime.now().isoformat()}\t{text}", file=sys.stderr)  # noqa: DTZ005, T201 (for the eye, in local time)
        elif self._is_watched():
            status_line.note(text)

    def _facts(self, response: requests.Response | None = None) -> dict[str, Any]:
        """Return the facts of this call for its errors."""
        server_id = response.headers.get("Request-Id") if response is not None else None
        return {
            "method": self.method,
            "path": self.path,
            "request_id": excerpt(server_id or "", MAX_CODE) or self.request_id,
            "attempts": self.attempts,
        }

    def _log(self, result: object) -> None:
        log.debug("%s %s: %s (request %s, attempt %d)", self.method, self.path, result, self.request_id, self.attempts)
