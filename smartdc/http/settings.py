"""The settings of a `DataCenter` and its session: one immutable value, which can only be replaced."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, overload

from requests.structures import CaseInsensitiveDict

from smartdc.errors import InputError
from smartdc.http import request as encoding
from smartdc.http.clock import Clock, SystemClock
from smartdc.http.retry import Retry

if TYPE_CHECKING:
    import os
    import random
    from collections.abc import Callable, Mapping
    from typing import Self

    from requests.adapters import BaseAdapter
    from requests.auth import AuthBase

    from smartdc.auth.profile import Profile
    from smartdc.waiting.progress import Reporter

__all__ = ["MAX_TIMEOUT_SECONDS", "ClientCertificate", "Headers", "Setting", "Settings", "checked_seconds"]

T = TypeVar("T")

FilePath: TypeAlias = "str | os.PathLike[str]"
ClientCertificate: TypeAlias = "FilePath | tuple[FilePath, FilePath]"
"""One PEM file with a certificate and its key, or two."""

MAX_TIMEOUT_SECONDS = 1e6
"""About 11 days; the operating system accepts at most 24 days."""

PARTS = {"clock": ("time", "monotonic", "sleep"), "rng": ("uniform",), "adapter": ("send", "close")}
"""Settings that are objects, and the methods that calls need of them."""

TYPES = {"login": str, "known_locations": dict, "active_roles": list}
"""Settings that are checked only for their type."""

CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "x-auth-token"})
"""Headers that a pickle leaves out, in lower case."""


class Headers(CaseInsensitiveDict[str]):
    """Headers with fast lookup and copy: every call needs them a dozen times."""

    def __init__(self, data: Any = None, **more: str) -> None:
        """Keep the headers in a plain dict, which can be copied quickly."""
        self._store: dict[str, tuple[str, str]] = {}
        self.update({} if data is None else data, **more)

    @classmethod
    def of(cls, store: dict[str, tuple[str, str]]) -> Headers:
        """Wrap a dict of lower-case names to name and value."""
        headers = cls.__new__(cls)
        headers._store = store  # noqa: SLF001 (of the same class)
        return headers

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._store

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header's value, or `default` if there is none."""
        return self._store.get(name.lower(), (name, default))[1]

    def copy(self) -> Headers:
        """Return the same headers in a new dict."""
        return self.of(self._store.copy())

    def with_values(self, values: dict[str, tuple[str, str]]) -> Headers:
        """Return a copy with other values: lower-case names to name and value."""
        return self.of({**self._store, **values})

    def without(self, name: str) -> Headers:
        """Return a copy without a header."""
        store = self._store.copy()
        store.pop(name.lower(), None)
        return self.of(store)


def checked_seconds(timeout: float | None) -> float | None:
    """Return a timeout, or raise InputError for one that the operating system would not accept."""
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is None or (is_number and 0 < timeout <= MAX_TIMEOUT_SECONDS):
        return timeout
    raise InputError(
        f"timeout must be None or a number of seconds above 0 and up to {MAX_TIMEOUT_SECONDS:g}, got {timeout!r}"
    )


@dataclass(frozen=True, eq=False, repr=False)
class Settings:
    """The settings that a `DataCenter` was created with, or that were set later.

    Args:
        base_url: the URL of CloudAPI, without a slash at the end.
        auth: signs each attempt; any `requests` auth.
        headers: sent with every request.
        timeout: the maximum time of a call in seconds, including retries; None for no limit.
        verify: True, False or the path of a CA bundle.
        cert: the client's own TLS certificate: the path of a PEM file with its key, or a tuple of certificate and key.
        verbose: print a line on stderr for each attempt.
        clock: tells the time, and sleeps.
        rng: the random numbers that spread retries; None makes new ones for each session.
        retry: how often failed calls are sent again.
        adapter: carries the requests in place of a `Transport`.
        pool_size: the maximum number of connections, and so of requests at the same time.
        max_response: the maximum size of a response in bytes.
        location: the URL, host or name that `base_url` was resolved from.
        known_locations: names for URLs.
        login: the account to act on.
        active_roles: the roles to be active.
        profile: the source of settings that were not given.
        user: the sub-user that owns the key, unless the profile names it.
        passphrase: decrypts the key.
        sign_host: whether signatures cover the Host header.
        progress: called with a `Progress` while waiting.
        settle: the seconds for which the library looks for the result of a request whose answer was lost.
    """

    base_url: str
    auth: AuthBase | None = None
    headers: Mapping[str, str] = field(default_factory=Headers)
    timeout: float | None = 60.0
    verify: bool | str = True
    cert: ClientCertificate | None = None
    verbose: bool | None = None
    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random | None = None
    retry: Retry = field(default_factory=Retry)
    adapter: BaseAdapter | None = None
    pool_size: int = 16
    max_response: int = 16 * 2**20
    location: str = ""
    known_locations: dict[str, str] = field(default_factory=dict)
    login: str = "my"
    active_roles: list[str] = field(default_factory=list)
    profile: Profile | None = None
    user: str | None = None
    passphrase: str | bytes | Callable[[str], str | bytes | None] | None = None
    sign_host: bool = True
    progress: Reporter | bool | None = None
    settle: float = 180.0

    def __post_init__(self) -> None:
        """Refuse invalid values (`InputError`)."""
        checked_seconds(self.timeout)
        if isinstance(self.pool_size, bool) or not isinstance(self.pool_size, int) or self.pool_size < 1:
            raise InputError(f"pool_size must be a whole number of at least 1, got {self.pool_size!r}")
        if self.auth is not None and not callable(self.auth):
            raise InputError(
                f"auth must be a requests auth, such as HTTPBasicAuth(user, password), not a {type(self.auth).__name__}"
            )
        for name, methods in PARTS.items():
            part = getattr(self, name)
            if part is not None and not all(callable(getattr(part, method, None)) for method in methods):
                raise InputError(f"{name} must have the methods {', '.join(methods)}; got {part!r}")
        for name, kind in TYPES.items():
            if not isinstance(getattr(self, name), kind):
                raise InputError(f"{name} must be a {kind.__name__}, not a {type(getattr(self, name)).__name__}")
        if not isinstance(self.retry, Retry):
            raise InputError(f"retry must be a Retry such as Retry(attempts=3), got {self.retry!r}")
        if not isinstance(self.headers, Headers):
            object.__setattr__(self, "headers", Headers(encoding.checked_headers(self.headers)))
        if isinstance(self.settle, bool) or not isinstance(self.settle, (int, float)) or not self.settle >= 0:
            raise InputError(f"settle must be a non-negative number of seconds, got {self.settle!r}")

    def elsewhere(self, location: str, base_url: str) -> Settings:
        """Return these settings for another place; mutable parts are copied, not shared."""
        return replace(
            self,
            location=location,
            base_url=base_url,
            headers=Headers(self.headers),
            known_locations=dict(self.known_locations),
            active_roles=list(self.active_roles),
        )

    def without_secrets(self) -> Settings:
        """Return the settings that may leave the process: without passphrase, and without credentials in headers or profile."""
        kept = {name: value for name, value in self.headers.items() if name.lower() not in CREDENTIALS}
        profile = self.profile and replace(self.profile, key_material=None)
        return replace(self, headers=kept, profile=profile, passphrase=None, rng=None)


class HasSettings(Protocol):
    """An object with replaceable `settings`: a session, or an owner of one."""

    settings: Settings


_TEXTS = dict(re.findall(r"^ +(\w+): (.+)$", Settings.__doc__ or "", re.MULTILINE))
"""The description of each setting, by its name."""


class Setting(Generic[T]):
    """One of the `Settings` as an attribute; setting it replaces the settings."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        text = _TEXTS.get(name, "")
        self.__doc__ = text[:1].upper() + text[1:]  # which `help` and the reference show

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(self, instance: HasSettings, owner: type | None = None) -> T: ...

    def __get__(self, instance: HasSettings | None, owner: type | None = None) -> Self | T:
        return self if instance is None else getattr(instance.settings, self._name)

    def __set__(self, instance: HasSettings, value: T) -> None:
        changed: Any = {self._name: value}
        # A session can change one setting while other threads change others.
        session: Any = getattr(instance, "session", instance)
        session.change(**changed)
