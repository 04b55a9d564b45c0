"""The session: the connection to one CloudAPI, with everything that lasts longer than a call.

A call is a method, a path below the account, a query and a body. It ends with the decoded response and the
`requests.Response`, or with one of the errors of `smartdc.errors`; nothing else raises for HTTP. `smartdc.http.call`
has the steps in between.
"""

from __future__ import annotations

import os
import random
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import requests

from smartdc.errors import InputError
from smartdc.http import request as encoding
from smartdc.http import tracing
from smartdc.http.call import Call
from smartdc.http.carrier import Carrier
from smartdc.http.deadline import Deadline
from smartdc.http.failures import Damaged
from smartdc.http.pace import Paces
from smartdc.http.pool import Slots
from smartdc.http.proxy import proxies_of
from smartdc.http.response import read_body, request_ids_agree
from smartdc.http.retry import Budget
from smartdc.http.settings import Setting, Settings, checked_seconds
from smartdc.http.tls import ca_bundle, client_certificate
from smartdc.http.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.auth import AuthBase

    from smartdc.http.call import Transmit
    from smartdc.http.clock import Clock
    from smartdc.http.settings import ClientCertificate, Headers

__all__ = ["Session"]

FIXED = ("base_url", "adapter", "pool_size", "retry")
"""Settings that cannot be changed in a session."""


class Session:
    """A connection to one CloudAPI, with signatures and a pool.

    Threads may share it. After a fork, the child gets fresh connections. Settings may be changed at any time: a call
    that has begun uses the old ones until its end. The session keeps what it has learnt (the clock offset, the retries
    left, the pace), and its connections; only a change of `verify` or `cert` closes them.
    """

    auth: Setting[AuthBase | None] = Setting()
    headers: Setting[Headers] = Setting()
    timeout: Setting[float | None] = Setting()
    verify: Setting[bool | str] = Setting()
    cert: Setting[ClientCertificate | None] = Setting()
    verbose: Setting[bool | None] = Setting()
    clock: Setting[Clock] = Setting()
    max_response: Setting[int] = Setting()

    def __init__(self, settings: Settings) -> None:
        """Open no connection yet; the environment's proxies and CA bundle are read here, once."""
        self._settings = settings
        self._verify = ca_bundle(settings.verify, os.environ)
        self._cert = client_certificate(settings.cert)
        self.proxies = proxies_of(settings.base_url)
        self.clock_offset = 0.0
        self.last_date: tuple[str, float] | None = None
        """The newest Date header, and our monotonic time when it came: the server's time is at least this date now."""
        self._ids_echoed = False
        self._begin()

    def _begin(self) -> None:
        """Make the parts that a forked child must not share with its parent: sockets, locks and random numbers."""
        self._changing = threading.Lock()
        self._slots = Slots(self._settings.pool_size)
        self.budget = Budget(self._settings.retry.budget, self._settings.clock)
        self.paces = Paces(self._settings.clock)
        self.rng = self._settings.rng or random.Random()  # noqa: S311 (spreads retries, guards nothing)
        self.http = self._new_http()
        self._pid = os.getpid()

    def _new_http(self) -> Carrier:
        """Return a new carrier of calls, with the hooks and adapters of the former one that are the user's."""
        settings, http = self._settings, Carrier()
        adapter = settings.adapter or Transport(verify=self._verify, cert=self._cert, pool_size=settings.pool_size)
        http.mount(settings.base_url, adapter)
        if former := getattr(self, "http", None):
            http.take_over(former)
        return http

    def elsewhere(self, settings: Settings) -> Session:
        """Return a session to another place, with the hooks and adapters of this one that are the user's."""
        other = Session(settings)
        other.http.take_over(self.http)
        return other

    @property
    def settings(self) -> Settings:
        """The settings for calls from now on."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        # Everything that can be refused is refused before anything is changed.
        old = self._settings
        if any(getattr(settings, name) != getattr(old, name) for name in FIXED):
            raise InputError(f"{', '.join(FIXED)} cannot be changed: make another DataCenter")
        verify = ca_bundle(settings.verify, os.environ) if settings.verify != old.verify else self._verify
        cert = client_certificate(settings.cert) if settings.cert != old.cert else self._cert
        fits = (verify, cert) == (self._verify, self._cert) or settings.adapter is not None
        self._settings = settings
        self._verify, self._cert = verify, cert
        if not fits:
            replaced = self.http
            self.http = self._new_http()
            replaced.close()

    def change(self, **settings: Any) -> None:
        """Replace single settings; changes by several threads at the same time are all kept."""
        self._leave_parent()
        with self._changing:
            self.settings = replace(self._settings, **settings)

    @property
    def base_url(self) -> str:
        """The URL of CloudAPI; paths are appended to it."""
        return self._settings.base_url

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
        """Send one request and return its decoded response (None when empty) and the `requests.Response`.

        Args:
            path: an already quoted path.
            timeout: the maximum time of the whole call in seconds, including retries; None takes the session's.
            repeatable: whether sending a POST twice has the same effect as sending it once.
            through: sends each attempt in place of `transmit`.
        """
        self._leave_parent()
        call = Call(
            self,
            encoding.checked_method(method),
            path,
            query=encoding.query(params),
            body=encoding.json_body(data),
            headers=encoding.checked_headers(headers),
            timeout=self._settings.timeout if timeout is None else checked_seconds(timeout),
            repeatable=repeatable,
        )
        with tracing.span("call", call):
            return call.run(through or self.transmit)

    def _leave_parent(self) -> None:
        """Start with fresh parts in a forked child."""
        if self._pid != os.getpid():
            for adapter in self.http.mounted().values():
                adapter.close()
            self._begin()

    def now(self) -> float:
        """Return the server's time, as far as it is known, in epoch seconds."""
        return self.clock.time() + self.clock_offset

    def transmit(self, request: requests.PreparedRequest, timeout: float | None) -> requests.Response:
        """Send one prepared request once and read its whole body, both within `timeout` seconds."""
        if hooks := self.http.hooks.get("response"):
            # As in `requests`, one function may stand in place of a list.
            several = [hooks] if callable(hooks) else hooks
            request.hooks = {"response": [*request.hooks.get("response", ()), *several]}
        slots, deadline = self._slots, Deadline(timeout)
        taken: list[None] = []
        try:
            try:
                if not slots.acquire(taken, timeout):
                    raise requests.ConnectTimeout(
                        f"all connections of this client are in use (pool_size={self._settings.pool_size})"
                    )
                response = self.http.send(
                    request,
                    stream=True,
                    timeout=deadline.left(),
                    allow_redirects=False,
                    verify=self._verify,
                    cert=self._cert,
                    proxies=self.proxies,
                )
                read_body(response, self._settings.max_response)
                self._check_belonging(request, response)
            finally:
                slots.release(taken)
        finally:
            # An interrupt may have come immediately before the first release.
            if taken:
                slots.release(taken)
        return response

    def _check_belonging(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        """Refuse the response to another request, and close the connections, on which wrong responses may be waiting.

        CloudAPI returns the id of a request. A proxy in front of it may send its own ids instead; so a different id
        means nothing until one response had the id of its request.
        """
        agree = request_ids_agree(request, response)
        if agree:
            self._ids_echoed = True
        elif agree is False and self._ids_echoed:
            response.raw.close()
            self.http.close()
            raise Damaged("the response belongs to another request: its Request-Id is not that of this one")
