"""Do HTTP: the one place where a request is signed, sent, timed, tried again, decoded and judged.

A call is a method, a path below the account, a query and a body. It ends with the decoded answer and the
`requests.Response`, or with one of the errors of `smartdc.errors`; nothing else raises for HTTP.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import uuid
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from smartdc import answer, errors, retry, wire
from smartdc.clock import Clock, SystemClock
from smartdc.dates import http_date, parse_http_date
from smartdc.retry import Outcome
from smartdc.transport import Transport, ca_bundle, proxies_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.adapters import BaseAdapter
    from requests.auth import AuthBase

    _Verdict = tuple[errors.CallError | None, Outcome, float | None]
    """The error if any, what it means, and the pause that the server asked for."""

__all__ = ["Session"]

log = logging.getLogger(__name__)

SKEW_LIMIT = 60.0
"""Seconds by which the server's clock must differ from ours before we believe it rather than our own."""
MAX_ATTEMPTS = 5


class _Http(requests.Session):
    """A `requests` session that follows nothing, keeps no cookies and reads no netrc."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Find none: a redirect is an answer, and the signature would not hold elsewhere."""


class Session:
    """A signed, pooled way to one CloudAPI.

    Threads may share it. A fork gives the child fresh connections.
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
        self.headers = CaseInsensitiveDict(headers or {})
        self.timeout = timeout
        self.verbose = verbose
        self.verify = ca_bundle(verify, os.environ)
        self.clock = clock or SystemClock()
        self.max_response = max_response
        self.clock_offset = 0.0
        self.rng = rng or random.Random()  # noqa: S311 (spreads retries, guards nothing)
        self._proxies = proxies_of(base_url)
        self.budget = retry.Budget()
        self._adapter, self._pool_size = adapter, pool_size
        self._open()

    def _open(self) -> None:
        """Make the parts that a forked child must not share with its parent."""
        self._pid = os.getpid()
        self._slots = threading.BoundedSemaphore(self._pool_size)
        self.http = _Http()
        transport = self._adapter or Transport(verify=self.verify, pool_size=self._pool_size)
        self.http.mount(self.base_url, transport)

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
    ) -> tuple[Any, requests.Response]:
        """Send one request and return its decoded answer (None when empty) and the response.

        `path` is quoted already and `timeout` is the seconds that the whole call may take, retries included.
        `repeatable` says of a POST that doing it twice is doing it once.
        """
        call = _Call(self, method.upper(), path, wire.query(params), wire.json_body(data), headers, timeout)
        call.repeatable = repeatable or call.method in retry.IDEMPOTENT
        return call.run()

    def now(self) -> float:
        """Return the server's time as well as it is known, in epoch seconds."""
        return self.clock.time() + self.clock_offset

    def transmit(self, request: requests.PreparedRequest, timeout: float | None) -> requests.Response:
        """Send one prepared request once and read its whole body, both within `timeout` seconds."""
        if self._pid != os.getpid():
            self._open()
        if not self._slots.acquire(timeout=timeout):
            raise requests.ConnectTimeout("every connection of this client is in use")
        try:
            response = self.http.send(
                request,
                stream=True,
                timeout=cast("Any", Timeout(total=timeout)),
                allow_redirects=False,
                verify=self.verify,
                cert=None,
                proxies=self._proxies,
            )
            answer.read_body(response, self.max_response)
        finally:
            self._slots.release()
        return response


class _Call:
    """One call in the making: everything that stays the same from attempt to attempt."""

    def __init__(
        self,
        session: Session,
        method: str,
        path: str,
        query: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        timeout: float | None,
    ) -> None:
        self.session, self.method, self.path, self.body = session, method, path, body
        self.target = f"{path}?{query}" if query else path
        self.headers = headers or {}
        self.request_id = str(uuid.uuid4())
        self.timeout = session.timeout if timeout is None else timeout
        self.deadline = None if self.timeout is None else session.clock.monotonic() + self.timeout
        self.attempts = 0
        self.corrected = False
        self.unsure = False
        self.repeatable = False

    def run(self) -> tuple[Any, requests.Response]:
        """Attempt until there is an answer, a final error or no time left."""
        while True:
            self.attempts += 1
            error, outcome, pause = self._attempt()
            if error is None:
                return self._answer
            self.unsure = self.unsure or outcome is Outcome.UNKNOWN
            error.applied = None if self.unsure else False
            if not self._again(outcome, pause):
                raise error from error.__cause__

    def _attempt(self) -> _Verdict:
        """Send once and judge what came of it."""
        request = self._prepare()
        try:
            response = self.session.transmit(request, self._left())
        except (requests.RequestException, HTTPError, OSError) as cause:
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
        request.method = self.method
        request.url = self.session.base_url + self.target
        request.headers = CaseInsensitiveDict(self.session.headers)
        request.headers["Date"] = http_date(self.session.now())
        request.headers["X-Request-Id"] = self.request_id
        request.body = self.body
        if self.body is not None:
            request.headers["Content-Type"] = "application/json"
            request.headers["Content-MD5"] = wire.md5_of(self.body)
        if self.body is not None or self.method in {"POST", "PUT"}:
            request.headers["Content-Length"] = str(len(self.body or b""))
        request.headers.update(self.headers)
        request._cookies = self.session.http.cookies  # type: ignore[attr-defined] # noqa: SLF001 (always empty)
        request.hooks = {"response": []}
        self._tell()
        return self.session.auth(request) if self.session.auth else request

    def _tell(self) -> None:
        """Print the request line, for people who asked for it."""
        if self.session.verbose:
            moment = datetime.now().isoformat()  # noqa: DTZ005 (for the eye, in local time, as always)
            print(f"{moment}\t{self.method}\t{self.session.base_url}{self.target}", file=sys.stderr)  # noqa: T201 (what `verbose` is for)

    def _succeeded(self, response: requests.Response) -> _Verdict:
        try:
            self._answer = answer.decode(response), response
        except ValueError as cause:
            text = f"{self.method} {self.path}: the answer is not the JSON it says it is: {cause}"
            return errors.BadResponse(text, **self._facts()), Outcome.UNKNOWN, None
        self.session.budget.succeeded()
        return None, Outcome.FINAL, None

    def _refused(self, response: requests.Response) -> _Verdict:
        if self._already_gone(response.status_code):
            self._answer = None, response
            return None, Outcome.FINAL, None
        error = answer.api_error(response, **self._facts(response))
        if self._clock_was_wrong(response):
            return error, Outcome.CLOCK, None
        outcome = retry.outcome_of_status(response.status_code, response.headers)
        return error, outcome, retry.retry_after(response.headers, self.session.now())

    def _failed(self, cause: Exception) -> _Verdict:
        self._log(type(cause).__name__)
        outcome = retry.outcome_of_error(cause)
        error = answer.transport_error(cause, self.timeout, **self._facts())
        error.__cause__ = cause
        return error, outcome, None

    def _already_gone(self, status: int) -> bool:
        """Tell whether an earlier attempt of this delete must have worked."""
        return self.method == "DELETE" and self.unsure and status in {404, 410}

    def _clock_was_wrong(self, response: requests.Response) -> bool:
        """Take over the server's clock, once a call, when that explains the refusal."""
        server = parse_http_date(response.headers.get("Date"))
        sent = parse_http_date(response.request.headers.get("Date"))
        if response.status_code not in {400, 401} or self.corrected or server is None or sent is None:
            return False
        if abs(server - sent) <= SKEW_LIMIT:
            return False
        self.corrected = True
        self.session.clock_offset = server - self.session.clock.time()
        log.warning("the server's clock differs from ours by %.0f s; signing with its time", server - sent)
        return True

    def _again(self, outcome: Outcome, pause: float | None) -> bool:
        """Wait and say yes when another attempt is safe, affordable and in time."""
        if outcome is Outcome.CLOCK:
            return True
        if not retry.may_retry(outcome, repeatable=self.repeatable) or self.attempts >= MAX_ATTEMPTS:
            return False
        seconds = max(pause or 0.0, retry.backoff(self.attempts, self.session.rng))
        left = self._left()
        if left is not None and seconds >= left:
            return False
        if not self.session.budget.take():
            return False
        self.session.clock.sleep(seconds)
        return True

    def _left(self) -> float | None:
        """Return the seconds left, never less than a moment: the attempt itself finds out."""
        if self.deadline is None:
            return None
        return max(self.deadline - self.session.clock.monotonic(), 0.001)

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
