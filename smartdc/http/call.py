"""One call: the attempts that it takes, what each of them means, and how it ends."""

from __future__ import annotations

import logging
import sys
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import requests

from smartdc import errors
from smartdc.http import request as encoding
from smartdc.http import retry
from smartdc.http.clock import end
from smartdc.http.dates import http_date, parse_http_date
from smartdc.http.deadline import Deadline, ambient_deadline, calls_end_by
from smartdc.http.failures import CALL_FAILURES, Outcome, failure_of, of_signal_handler, outcome_of_status
from smartdc.http.response import api_error, decode, transport_error
from smartdc.http.settings import MAX_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from smartdc.http.session import Session
    from smartdc.http.settings import Headers

    Verdict = tuple[errors.CallError | None, Outcome, float | None]
    """The error if any, what it means, and the pause in seconds that the server asked for."""
    Transmit = Callable[[requests.PreparedRequest, float | None], requests.Response]
    """Send a prepared request once, within so many seconds."""

__all__ = ["Call"]

log = logging.getLogger(__name__)

MIN_CORRECTED_SKEW_SECONDS = 60.0
"""By how much the server's clock must differ from ours before we believe it rather than our own."""
MAX_PLAUSIBLE_SKEW_SECONDS = 1e10
"""Largest plausible clock difference, about 317 years; anything above is a bogus Date header."""


class Call:
    """One call: what stays the same from attempt to attempt, and what was learnt on the way."""

    attempts = 0
    corrected = False
    """Whether the server's clock was taken over."""
    unsure = False
    """Whether an attempt may have been applied."""
    offset = 0.0
    """Seconds to add to our clock, as they were when the current attempt was signed."""

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
        """Begin to count the time; the settings of the session count as they are now."""
        self.session = session
        self.settings = session.settings
        self.method = method
        self.path = path
        self.url = f"{self.settings.base_url}{path}?{query}" if query else self.settings.base_url + path
        self.body = body
        self.headers = headers
        self.repeatable = repeatable or method in retry.IDEMPOTENT
        self.request_id = str(uuid.uuid4())
        self.deadline = self._deadline(timeout)
        left = self.deadline.left()
        self.timeout = None if left is None else round(left, 3)

    def _deadline(self, timeout: float | None) -> Deadline:
        clock = self.settings.clock
        moment = end()
        waits = Deadline(None if moment is None else moment - clock.monotonic(), clock)
        return Deadline(timeout, clock).earlier(ambient_deadline()).earlier(waits)

    def run(self, transmit: Transmit) -> tuple[Any, requests.Response]:
        """Attempt until there is a response, a final error or no time left.

        Each attempt ends in a verdict: an error or none, what is known about the request (`Outcome`), and the pause
        that the server asked for. Two things are carried from one attempt to the next. `unsure` says that some attempt
        may have been applied: it makes a later 404 to a DELETE a success, and the final error's `applied` None instead
        of False. `corrected` lets the clock be taken over once. Whether there is another attempt is decided by
        `_again`, which also sleeps.
        """
        while True:
            self.attempts += 1
            self.offset = self.session.clock_offset
            with calls_end_by(self.deadline):  # to sign may take an ssh-agent, or somebody with a passphrase
                request = self._prepare()
            left = self.deadline.left()
            try:
                response = transmit(request, None if left is None else min(left, MAX_TIMEOUT_SECONDS))
            except CALL_FAILURES as cause:
                if theirs := of_signal_handler(cause):
                    raise theirs from theirs.__cause__
                error, outcome, pause = self._no_response(cause)
            else:
                error, outcome, pause = self._judge(response)
            finally:
                request.headers.pop("Authorization", None)
            if error is None:
                return self._result
            self.unsure = self.unsure or outcome in {Outcome.UNKNOWN, Outcome.UNUSABLE}
            error.applied = None if self.unsure else False
            if not self._again(outcome, pause):
                raise error from error.__cause__

    def _prepare(self) -> requests.PreparedRequest:
        """Build and sign one attempt: each has a fresh date, all share one Request-Id."""
        request = requests.PreparedRequest()
        request.method = self.method
        request.url = self.url
        request.body = self.body
        headers = cast("Headers", self.settings.headers).copy()
        headers["Date"] = http_date(self.settings.clock.time() + self.offset)
        headers["X-Request-Id"] = self.request_id
        if self.body is not None:
            headers["Content-Type"] = "application/json"
            headers["Content-MD5"] = encoding.md5_of(self.body)
        if self.body is not None or self.method in {"POST", "PUT"}:
            headers["Content-Length"] = str(len(self.body or b""))
        headers.update(self.headers)
        request.headers = headers
        request._cookies = self.session.http.cookies  # type: ignore[attr-defined] # noqa: SLF001 (always empty)
        if self.settings.verbose:
            moment = datetime.now().isoformat()  # noqa: DTZ005 (for the eye, in local time, as always)
            print(f"{moment}\t{self.method}\t{self.url}", file=sys.stderr)  # noqa: T201 (what `verbose` is for)
        return self.settings.auth(request) if self.settings.auth else request

    def _no_response(self, cause: Exception) -> Verdict:
        self._log(type(cause).__name__)
        outcome = failure_of(cause).outcome or Outcome.UNKNOWN
        error = transport_error(cause, self.timeout, self.settings.base_url, **self._facts())
        return error, outcome, None

    def _judge(self, response: requests.Response) -> Verdict:
        self._log(response.status_code)
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
        if self.method == "DELETE" and response.status_code != 204:
            return self._bad(response, f"unexpected status {response.status_code}; CloudAPI answers a DELETE with 204")
        try:
            self._result = decode(response), response
        except ValueError as problem:
            return self._bad(response, str(problem))
        self.session.budget.succeeded()
        return None, Outcome.FINAL, None

    def _bad(self, response: requests.Response, problem: str) -> Verdict:
        text = f"{self.method} {self.path}: {problem}"
        return errors.BadResponse(text, **self._facts(response)), Outcome.UNKNOWN, None

    def _already_gone(self, status: int) -> bool:
        """Return whether an earlier attempt of this delete must have worked."""
        return self.method == "DELETE" and self.unsure and status in {404, 410}

    def _clock_was_wrong(self, response: requests.Response) -> bool:
        """Take over the server's clock, once a call, when that explains the refusal.

        What counts is the clock that this attempt was signed by: another thread may have corrected it meanwhile.
        """
        server = parse_http_date(response.headers.get("Date"))
        if response.status_code not in {400, 401} or self.corrected or server is None:
            return False
        offset = server - self.settings.clock.time()
        if not MIN_CORRECTED_SKEW_SECONDS < abs(offset - self.offset) < MAX_PLAUSIBLE_SKEW_SECONDS:
            return False
        self.corrected = True
        self.session.clock_offset = offset
        log.warning("the server's clock differs from ours by %.0f s; signing with its time", offset)
        return True

    def _again(self, outcome: Outcome, pause: float | None) -> bool:
        """Sleep and return True when another attempt is safe, affordable and in time."""
        if outcome is Outcome.CLOCK:
            return not self.deadline.passed()
        if not retry.may_retry(outcome, repeatable=self.repeatable) or self.attempts >= retry.MAX_ATTEMPTS:
            return False
        left = self.deadline.left()
        seconds = max(pause or 0.0, retry.backoff(self.attempts, self.session.rng))
        too_long = seconds >= (retry.MAX_RETRY_AFTER_SECONDS if left is None else left)
        if too_long or self.deadline.passed() or not self.session.budget.take():
            return False
        self.settings.clock.sleep(seconds)
        return True

    def _facts(self, response: requests.Response | None = None) -> dict[str, Any]:
        """Return what every error of this call says about it."""
        server_id = response.headers.get("Request-Id") if response is not None else None
        return {
            "method": self.method,
            "path": self.path,
            "request_id": server_id or self.request_id,
            "attempts": self.attempts,
        }

    def _log(self, result: object) -> None:
        log.debug("%s %s: %s (request %s, attempt %d)", self.method, self.path, result, self.request_id, self.attempts)
