"""Do HTTP: the one place where a request is signed, sent, timed, tried again, decoded and judged.

A call is a method, a path below the account, a query and a body. It ends with the decoded answer and the
`requests.Response`, or with one of the errors of `smartdc.errors`; nothing else raises for HTTP.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import uuid
from datetime import datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import requests
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import HTTPError

from smartdc import errors
from smartdc.http import request as wire
from smartdc.http import response as answer
from smartdc.http import retry
from smartdc.http.clock import Clock, SystemClock, end
from smartdc.http.dates import http_date, parse_http_date
from smartdc.http.pool import Slots
from smartdc.http.proxy import proxies_of
from smartdc.http.retry import Outcome
from smartdc.http.transport import Deadline, Headers, Transport, ca_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests.adapters import BaseAdapter
    from requests.auth import AuthBase

    _Verdict = tuple[errors.CallError | None, Outcome, float | None]
    """The error if any, what it means, and the pause that the server asked for."""
    Transmit = Callable[[requests.PreparedRequest, float | None], requests.Response]
    """Send a prepared request once, within so many seconds."""

__all__ = ["Session"]

log = logging.getLogger(__name__)

MIN_CORRECTED_SKEW_SECONDS = 60.0
"""Seconds by which the server's clock must differ from ours before we believe it rather than our own."""
MAX_PLAUSIBLE_SKEW_SECONDS = 1e10
"""Seconds, about 317 years, by which no clock is wrong; who says so is."""
MAX_ATTEMPTS = 5
NO_ANSWER = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError, OverflowError, answer.Unusable)
"""What comes in place of a usable answer; the last but one of a chunk that is said to be longer than can be."""
MAX_TIMEOUT = 1e6
"""Seconds, about 11 days; what the operating system takes ends at 24 days."""


class _NoCookies(RequestsCookieJar):
    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none."""


class _Http(requests.Session):
    """A `requests` session that follows nothing, keeps no cookies and reads no netrc."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies = _NoCookies()

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[requests.Response]:
        """Follow none: a redirect is an answer, and the signature would not hold elsewhere."""
        return iter(())


class Session:
    """A signed, pooled way to one CloudAPI.

    Threads may share it. A fork gives the child fresh connections.

    Args:
        base_url: where CloudAPI is; paths are appended to it.
        auth: signs each attempt; any `requests` auth.
        headers: sent with every request.
        timeout: the most seconds that a call may take, retries included; None for ever. Only the resolver of host
            names has time-outs of its own.
        verify: True, False or the path of a CA bundle.
        verbose: print a line on stderr for each attempt.
        clock: what tells and passes the time.
        rng: what spreads retries.
        adapter: carries the requests in place of a `Transport`.
        pool_size: the most connections, and so the most requests at the same time.
        max_response: the most bytes of an answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = 60.0,
        verify: bool | str = True,
        verbose: bool | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        adapter: BaseAdapter | None = None,
        pool_size: int = 16,
        max_response: int = 16 * 2**20,
    ) -> None:
        """Open nothing yet; the environment's proxies and CA bundle are read here, once."""
        self.base_url = base_url
        self.auth = auth
        self.headers = Headers(wire.checked_headers(headers))
        self.timeout = _checked_seconds(timeout)
        self.verbose = verbose
        self.verify = ca_bundle(verify, os.environ)
        self.clock = clock or SystemClock()
        self.max_response = max_response
        self.clock_offset = 0.0
        self.proxies = proxies_of(base_url)
        self._rng, self._adapter, self._pool_size = rng, adapter, pool_size
        self._open()

    def _open(self) -> None:
        """Make the parts that a forked child must not share with its parent: sockets, locks and random numbers."""
        self._slots = Slots(self._pool_size)
        self.budget = retry.Budget()
        self.rng = self._rng or random.Random()  # noqa: S311 (spreads retries, guards nothing)
        self.http = _Http()
        self.http.mount(self.base_url, self._adapter or Transport(verify=self.verify, pool_size=self._pool_size))
        self._pid = os.getpid()

    def close(self) -> None:
        """Close every kept connection; a later call opens new ones."""
        self.http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        repeatable: bool = False,
        through: Transmit | None = None,
    ) -> tuple[Any, requests.Response]:
        """Send one request and return its decoded answer (None when empty) and the response.

        `path` is quoted already and `timeout` is the seconds that the whole call may take, retries included.
        `repeatable` says of a POST that doing it twice is doing it once. `through` sends in place of `transmit`.
        """
        if self._pid != os.getpid():
            if self._adapter is not None:
                self._adapter.close()
            self._open()
        call = _Call(self, wire.checked_method(method), path, wire.query(params), wire.json_body(data))
        call.headers = wire.checked_headers(headers)
        call.transmit = through or self.transmit
        call.repeatable = repeatable or call.method in retry.IDEMPOTENT
        call.limit(self.timeout if timeout is None else _checked_seconds(timeout))
        return call.run()

    def now(self) -> float:
        """Return the server's time as well as it is known, in epoch seconds."""
        return self.clock.time() + self.clock_offset

    def transmit(self, request: requests.PreparedRequest, timeout: float | None) -> requests.Response:
        """Send one prepared request once and read its whole body, both within `timeout` seconds."""
        slots, deadline = self._slots, Deadline(timeout)
        if not slots.acquire(timeout):
            raise requests.ConnectTimeout(f"each of the {self._pool_size} connections of this client is in use")
        try:
            response = self.http.send(
                request,
                stream=True,
                timeout=deadline.left(),
                allow_redirects=False,
                verify=self.verify,
                cert=None,
                proxies=self.proxies,
            )
            answer.read_body(response, self.max_response)
        finally:
            slots.release()
        return response


def _checked_seconds(timeout: float | None) -> float | None:
    if timeout is not None and not (isinstance(timeout, (int, float)) and 0 < timeout <= MAX_TIMEOUT):
        raise errors.InputError(f"timeout={timeout!r}: give seconds from above 0 to {MAX_TIMEOUT:g}, or None")
    return timeout


class _Call:
    """One call in the making: what stays the same from attempt to attempt, and what was learnt on the way."""

    headers: Mapping[str, str]
    transmit: Transmit
    repeatable = False
    timeout: float | None = None
    deadline: float | None = None
    attempts = 0
    corrected = False
    """Whether the server's clock was taken over."""
    unsure = False
    """Whether an attempt may have been applied."""

    def __init__(self, session: Session, method: str, path: str, query: str, body: bytes | None) -> None:
        self.session, self.method, self.path, self.body = session, method, path, body
        self.url = f"{session.base_url}{path}?{query}" if query else session.base_url + path
        self.request_id = str(uuid.uuid4())

    def limit(self, timeout: float | None) -> None:
        """Begin to count the time."""
        now = self.session.clock.monotonic()
        ends = (end(), None if timeout is None else now + timeout)
        self.deadline = min((moment for moment in ends if moment is not None), default=None)
        self.timeout = None if self.deadline is None else max(self.deadline - now, 0.0)

    def run(self) -> tuple[Any, requests.Response]:
        """Attempt until there is an answer, a final error or no time left."""
        while True:
            self.attempts += 1
            error, outcome, pause = self._attempt()
            if error is None:
                return self._answer
            self.unsure = self.unsure or outcome in {Outcome.UNKNOWN, Outcome.UNUSABLE}
            error.applied = None if self.unsure else False
            if not self._again(outcome, pause):
                raise error from error.__cause__

    def _attempt(self) -> _Verdict:
        """Send once and judge what came of it."""
        self._offset = self.session.clock_offset
        request = self._prepare()
        try:
            left = self._left()
            response = self.transmit(request, None if left is None else min(max(left, 0.001), MAX_TIMEOUT))
        except NO_ANSWER as cause:
            return self._failed(cause)
        finally:
            request.headers.pop("Authorization", None)
        self._log(response.status_code)
        if response.status_code < 300:
            return self._succeeded(response)
        return self._refused(response)

    def _prepare(self) -> requests.PreparedRequest:
        """Build and sign one attempt: each has a fresh date, all share one Request-Id."""
        request = requests.PreparedRequest()
        request.method, request.url, request.body = self.method, self.url, self.body
        headers = self.session.headers.copy()
        headers["Date"] = http_date(self.session.clock.time() + self._offset)
        headers["X-Request-Id"] = self.request_id
        if self.body is not None:
            headers["Content-Type"] = "application/json"
            headers["Content-MD5"] = wire.md5_of(self.body)
        if self.body is not None or self.method in {"POST", "PUT"}:
            headers["Content-Length"] = str(len(self.body or b""))
        headers.update(self.headers)
        request.headers = headers
        request._cookies = self.session.http.cookies  # type: ignore[attr-defined] # noqa: SLF001 (always empty)
        self._tell()
        return self.session.auth(request) if self.session.auth else request

    def _tell(self) -> None:
        """Print the request line, for people who asked for it."""
        if self.session.verbose:
            moment = datetime.now().isoformat()  # noqa: DTZ005 (for the eye, in local time, as always)
            print(f"{moment}\t{self.method}\t{self.url}", file=sys.stderr)  # noqa: T201 (what `verbose` is for)

    def _succeeded(self, response: requests.Response) -> _Verdict:
        if self.method == "DELETE" and response.status_code != 204:
            text = f"{self.method} {self.path}: {response.status_code} is not how CloudAPI answers a delete"
            return errors.BadResponse(text, **self._facts(response)), Outcome.UNKNOWN, None
        try:
            self._answer = answer.decode(response), response
        except ValueError as cause:
            text = f"{self.method} {self.path}: the answer is not the JSON it says it is: {cause}"
            return errors.BadResponse(text, **self._facts(response)), Outcome.UNKNOWN, None
        self.session.budget.succeeded()
        return None, Outcome.FINAL, None

    def _refused(self, response: requests.Response) -> _Verdict:
        if self._already_gone(response.status_code):
            self._answer = None, response
            return None, Outcome.FINAL, None
        error = answer.api_error(response, **self._facts(response))
        if self._clock_was_wrong(response):
            return error, Outcome.CLOCK, None
        outcome = retry.outcome_of_status(response.status_code, response.headers, error.message)
        return error, outcome, retry.retry_after(response.headers, self.session.now())

    def _failed(self, cause: Exception) -> _Verdict:
        self._log(type(cause).__name__)
        outcome = retry.outcome_of_error(cause)
        error = answer.transport_error(cause, self.timeout, self.session.base_url, **self._facts())
        return error, outcome, None

    def _already_gone(self, status: int) -> bool:
        """Tell whether an earlier attempt of this delete must have worked."""
        return self.method == "DELETE" and self.unsure and status in {404, 410}

    def _clock_was_wrong(self, response: requests.Response) -> bool:
        """Take over the server's clock, once a call, when that explains the refusal.

        What counts is the clock that this attempt was signed by: another thread may have corrected it meanwhile.
        """
        server = parse_http_date(response.headers.get("Date"))
        if response.status_code not in {400, 401} or self.corrected or server is None:
            return False
        offset = server - self.session.clock.time()
        if not MIN_CORRECTED_SKEW_SECONDS < abs(offset - self._offset) < MAX_PLAUSIBLE_SKEW_SECONDS:
            return False
        self.corrected = True
        self.session.clock_offset = offset
        log.warning("the server's clock differs from ours by %.0f s; signing with its time", offset)
        return True

    def _again(self, outcome: Outcome, pause: float | None) -> bool:
        """Wait and say yes when another attempt is safe, affordable and in time."""
        left = self._left()
        if outcome is Outcome.CLOCK:
            return left is None or left > 0
        if not retry.may_retry(outcome, repeatable=self.repeatable) or self.attempts >= MAX_ATTEMPTS:
            return False
        seconds = max(pause or 0.0, retry.backoff(self.attempts, self.session.rng))
        if seconds >= (retry.LONGEST_PAUSE if left is None else left) or not self.session.budget.take():
            return False
        self.session.clock.sleep(seconds)
        return True

    def _left(self) -> float | None:
        """Return the seconds left; none left is 0 or less."""
        return None if self.deadline is None else self.deadline - self.session.clock.monotonic()

    def _facts(self, response: requests.Response | None = None) -> dict[str, Any]:
        theirs = response.headers.get("Request-Id") if response is not None else None
        return {
            "method": self.method,
            "path": self.path,
            "request_id": theirs or self.request_id,
            "attempts": self.attempts,
        }

    def _log(self, result: object) -> None:
        log.debug("%s %s: %s (request %s, attempt %d)", self.method, self.path, result, self.request_id, self.attempts)
