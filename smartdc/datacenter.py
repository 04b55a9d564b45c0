"""`DataCenter`, the entry point: settings, identity, and every API method through its mix-ins."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import requests

from smartdc.auth.explain import TEXT_COLUMN, Explanation, examine, examine_settings
from smartdc.auth.identity import Identity
from smartdc.auth.location import KNOWN_LOCATIONS, TELEFONICA_LOCATIONS, base_url
from smartdc.auth.portable import portable
from smartdc.auth.presign import presigned
from smartdc.auth.profile import HOW_TO, Profile, chosen, from_environment
from smartdc.core import arguments
from smartdc.core.annotations import checked
from smartdc.core.help_page import known_to_users
from smartdc.core.operation import operation
from smartdc.core.paragraph import tell
from smartdc.errors import ConfigError
from smartdc.fleet.owner import HasFleets
from smartdc.http import request as encoding
from smartdc.http.clock import Clock, SystemClock
from smartdc.http.retry import Retry
from smartdc.http.session import Session
from smartdc.http.settings import ClientCertificate, Headers, Setting, Settings
from smartdc.http.tracebacks import without_frames
from smartdc.machine.changefeed import HasChangefeed
from smartdc.machine.migration import HasMigrations
from smartdc.resources.owner import OwnsResources
from smartdc.waiting.poll import checked_times
from smartdc.waiting.progress import Reporter

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter
    from requests.auth import AuthBase

    from smartdc.auth.private_key import KeySource
    from smartdc.auth.signing import Signer

__all__ = ["KNOWN_LOCATIONS", "TELEFONICA_LOCATIONS", "DataCenter", "explain_auth"]


@known_to_users
class DataCenter(HasFleets, HasChangefeed, HasMigrations, OwnsResources):
    """One data centre of a cloud, and every operation of its CloudAPI.

    No request is sent and no key is read before a method needs it. Threads may share a `DataCenter`. A pickled one has
    no key, and finds it again. With a key as text, a `clock`, `adapter` or `auth`, it can be copied, but not pickled.

    Args:
        location: a URL, a host, or a name in `known_locations`; None takes the profile's.
        key_id: ``/account/keys/name``, or the name, MD5 or SHA256 fingerprint of a key.
        secret: the private key: a path, its text, or any `Signer`; None looks in the ssh-agent and in ``~/.ssh``.
        headers: sent with every request.
        login: the account to act on; by default the caller's own.
        known_locations: names for URLs.
        allow_agent: whether to ask the ssh-agent; None asks it if no `secret` is given.
        verify: whether to check the server's certificate, or the path of a CA bundle for the check.
        verbose: print a line on stderr for each request.
        profile: the name of a profile of the ``triton`` command, or ``env``; None takes the environment if it has a
            URL, or else the command's current profile.
        user: the sub-user that owns the key.
        roles: the roles to be active, instead of the default ones.
        passphrase: decrypts the key: a string, or a function that gets the key's name.
        timeout: the maximum time of a call in seconds, including retries; None for no limit.
        api_version: the range of CloudAPI versions to accept.
        auth: any `requests` auth, in place of `key_id` and `secret`.
        sign_host: False leaves the Host header out of signatures, for proxies that rewrite it.
        progress: called with a `Progress` while waiting; True shows a line on the terminal.
        settle: the seconds for which the library looks for the result of a request whose answer was lost.
        clock: tells the time, and sleeps.
        rng: the random numbers that spread retries.
        retry: how often failed calls are sent again; `Retry`.
        adapter: a `requests` adapter that carries the calls.
        pool_size: the maximum number of connections, and so of requests at the same time.
        cert: the client's own TLS certificate, for proxies that want one: a PEM file, or a tuple of certificate and key.

    You can change settings later; a change applies from the next call on: ``dc.timeout = 5``. The client keeps what it
    has learnt, and its connections; only a change of `verify` or `cert` closes them.
    """

    API_VERSION = "~9||~8"

    known_locations: Setting[dict[str, str]] = Setting()
    login: Setting[str] = Setting()
    active_roles: Setting[list[str]] = Setting()
    profile: Setting[Profile] = Setting()
    auth: Setting[AuthBase | None] = Setting()
    timeout: Setting[float | None] = Setting()
    verify: Setting[bool | str] = Setting()
    cert: Setting[ClientCertificate | None] = Setting()
    verbose: Setting[bool | None] = Setting()
    clock: Setting[Clock] = Setting()
    progress: Setting[Reporter | bool | None] = Setting()
    settle: Setting[float] = Setting()
    retry: Setting[Retry] = Setting()
    adapter: Setting[BaseAdapter | None] = Setting()
    pool_size: Setting[int] = Setting()

    @without_frames
    def __init__(
        self,
        location: str | None = None,
        key_id: str | None = None,
        secret: KeySource | Signer | None = None,
        headers: Mapping[str, str] | None = None,
        login: str | None = None,
        known_locations: Mapping[str, str] | None = None,
        allow_agent: bool | None = None,
        verify: bool | str = True,
        verbose: bool | None = None,
        *,
        profile: str | None = None,
        user: str | None = None,
        roles: str | Iterable[str] | None = None,
        passphrase: str | bytes | Callable[[str], str | bytes | None] | None = None,
        timeout: float | None = 60.0,
        api_version: str | None = None,
        auth: AuthBase | None = None,
        sign_host: bool = True,
        progress: Reporter | bool | None = None,
        settle: float = 180.0,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        retry: Retry | None = None,
        adapter: BaseAdapter | None = None,
        pool_size: int = 16,
        cert: ClientCertificate | None = None,
    ) -> None:
        arguments.strings(key_id=key_id, login=login, profile=profile, user=user, api_version=api_version)
        found = from_environment(os.environ) if location and not profile else chosen(profile, os.environ)
        place = found.url if location in (None, "") else location
        if not place:
            raise ConfigError(f"no location given: {HOW_TO}")
        places = arguments.dicts(known_locations=known_locations).get("known_locations", dict(KNOWN_LOCATIONS))
        insecure = found.insecure and not location and verify is True
        settings = Settings(
            base_url(place, places),
            auth=auth,
            headers={**encoding.default_headers(api_version or self.API_VERSION), **encoding.checked_headers(headers)},
            timeout=timeout,
            verify=False if insecure else verify,
            verbose=verbose,
            clock=SystemClock() if clock is None else clock,
            rng=rng,
            retry=Retry() if retry is None else retry,
            adapter=adapter,
            pool_size=pool_size,
            cert=cert,
            location=place,
            known_locations=places,
            login=login or found.act_as or "my",
            active_roles=list(found.roles) if roles is None else arguments.lists(roles=roles)["roles"],
            profile=found,
            user=user,
            passphrase=passphrase,
            sign_host=sign_host,
            progress=progress,
            settle=settle,
        )
        self.session = Session(settings)
        if auth is None and (key_id or secret is not None or found.key_id or found.key_material):
            self.authenticate(key_id, secret, allow_agent)

    @without_frames
    @checked
    def authenticate(
        self, key_id: str | None = None, secret: KeySource | Signer | None = None, allow_agent: bool | None = None
    ) -> None:
        """Sign with another key from now on; arguments that are not given come from the profile, as at the beginning.

        Without arguments, a key that was already found stays.
        """
        if self.auth is not None and not encoding.given(key_id=key_id, secret=secret, allow_agent=allow_agent):
            return
        by_profile = key_id is None and secret is None
        account = self.profile.account if by_profile or self.login == "my" else self.login
        self.auth = Identity(
            key_id or self.profile.key_id or "",
            account=account or (None if self.login == "my" else self.login),
            user=self.settings.user or (self.profile.user if by_profile else None),
            secret=self.profile.key_material if by_profile else secret,
            passphrase=self.settings.passphrase,
            allow_agent=allow_agent,
            sign_host=self.settings.sign_host,
        )

    @property
    def settings(self) -> Settings:
        """The current settings, which can be replaced; location, adapter and pool are no part of them, and stay."""
        return self.session.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.session.settings = settings

    @property
    def headers(self) -> Headers:
        """The headers of every request; you can add to them."""
        return self.session.headers

    @headers.setter
    def headers(self, headers: Mapping[str, str]) -> None:
        self.session.headers = Headers(encoding.checked_headers(headers))

    default_headers = headers
    """The former name of `headers`."""

    @property
    def location(self) -> str:
        """The URL, host or name that `base_url` was resolved from; a new value makes new connections, to the new place."""
        return self.settings.location

    @location.setter
    def location(self, location: str) -> None:
        place = base_url(location, self.known_locations)
        former, self.session = self.session, self.session.elsewhere(self.settings.elsewhere(location, place))
        former.close()

    @property
    def base_url(self) -> str:
        """The URL of CloudAPI."""
        return self.session.base_url

    @property
    def path(self) -> str:
        """The address below the account: the account itself."""
        return ""

    @property
    def _datacenter(self) -> DataCenter:
        return self

    @property
    def url(self) -> str:
        """The URL of the account, which ends in a slash: ``dc.url + machine.path`` is the URL of a machine."""
        return f"{self.base_url}{encoding.segments(self.login)}/"

    @property
    def account_url(self) -> str:
        """The URL of the account, with ``my`` replaced by the account's login if that is known."""
        account = getattr(self.auth, "account", None) if self.login == "my" else self.login
        return self.base_url + encoding.segments(account or self.login)

    @without_frames
    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        repeatable: bool = False,
    ) -> tuple[Any, requests.Response]:
        """Send any request to CloudAPI, and return the decoded response and the `requests.Response`.

        Args:
            method: the HTTP verb.
            path: the part of the URL after the account, such as ``machines``, with or without a slash in front; '' is
                the account itself.
            headers: sent in this request only.
            data: the body: anything that can be encoded as JSON; at most 100,000 bytes.
            params: the query; None is left out, True and False become ``true`` and ``false``.
            timeout: the maximum time of the call in seconds, including retries.
            repeatable: whether a POST may be sent again when its outcome is unknown, because sending it twice has the
                same effect as sending it once.
        """
        below = encoding.checked_path(path)
        settings = self.settings
        params = encoding.with_roles(method, below, params, settings.active_roles)
        target = encoding.segments(settings.login) + below
        return self.session.request(
            method, target, params=params, data=data, headers=headers, timeout=timeout, repeatable=repeatable
        )

    @operation("Ping", "GetAccount")
    def explain_auth(self) -> Explanation:
        """Print and return how requests are sent and signed, and what to do if that fails.

        It calls ``Ping`` and ``GetAccount``. `smartdc.explain_auth` is for settings with which `DataCenter` fails.
        """
        return examine(self, partial(tell, column=TEXT_COLUMN))

    def unsigned(self) -> Session:
        """Return a session to the same place that does not sign, for requests without credentials."""
        return Session(replace(self.settings, auth=None, headers=Headers(self.headers)))

    @checked
    def presign(
        self,
        method: str | Iterable[str],
        path: str,
        expires: float | datetime = 3600,
        params: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a URL with which anybody may call `method` on `path` for `expires` seconds, or until a datetime.

        No request is sent. The signature covers the methods, the host, the path, and the query with the active roles.
        """
        if not isinstance(self.auth, Identity):
            raise ConfigError("pre-signed URLs need a DataCenter with a key of its own: give key_id= or secret=")
        if isinstance(expires, datetime):
            until = expires.timestamp()
        else:
            checked_times(expires=expires)
            until = self.session.now() + expires
        methods = [method] if isinstance(method, str) else list(method)
        below = encoding.checked_path(path)
        return presigned(
            self.url.removesuffix("/") + below,
            methods,
            encoding.with_roles(methods, below, params, self.active_roles) or {},
            expires=int(until),
            key_id=self.auth.key_id(),
            signer=self.auth.signer(),
        )

    @operation("GetDatacenter")
    def datacenter(self, name: str) -> Self:
        """Return another data centre of the cloud, by name, host or URL, with this one's identity and settings.

        If `known_locations` lacks the name, CloudAPI is asked for its URL: ``GetDatacenter``.
        """
        if name not in self.known_locations and not {".", ":"} & set(name):
            self.known_locations[name] = self._where(name)
        return self._with(self.settings.elsewhere(name, base_url(name, self.known_locations)), self._added())

    def _with(self, settings: Settings, added: Mapping[str, Any]) -> Self:
        """Return another one of the same class, without `__init__`: a subclass may have other arguments there."""
        other = type(self).__new__(type(self))
        other.__setstate__({**added, "settings": settings})
        return other

    def _added(self) -> dict[str, Any]:
        """Return the attributes that users of the object have set."""
        return {name: value for name, value in vars(self).items() if name != "session"}

    def close(self) -> None:
        """Close every kept connection; a later call opens new ones."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.account_url == other.account_url

    def __hash__(self) -> int:
        return hash(type(self))  # place and login can be changed, and a hash must not

    def __str__(self) -> str:
        return f"<{type(self).__name__}: {self._who()}{self.location}>"

    def __repr__(self) -> str:
        """Show who and where."""
        return f"<{type(self).__name__} {self._who()}{self.base_url}>"

    def _who(self) -> str:
        account = getattr(self.auth, "account", None) if self.login == "my" else self.login
        user = getattr(self.auth, "user", None)
        return f"{account}{f'/{user}' if user else ''}@" if account else ""

    def __copy__(self) -> Self:
        """Return one with the same identity, settings and parts, but its own connections."""
        return self._with(self.settings.elsewhere(self.location, self.base_url), self._added())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return one with the same identity and parts: key, auth, adapter and clock are not copied."""
        return self._with(self.settings.elsewhere(self.location, self.base_url), copy.deepcopy(self._added(), memo))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out connections, passphrases and credentials in headers; TypeError if the copy could not find its key."""
        return {**self._added(), "settings": portable(self.settings)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        added = dict(state)
        settings = added.pop("settings")
        vars(self).update(added)
        self.session = Session(settings)


def explain_auth(**arguments: Any) -> Explanation:
    """Return, and do not print, which place, account and key ``DataCenter(**arguments)`` uses, and whether that works."""
    return examine_settings(partial(DataCenter, **arguments), arguments.get("profile"))
