"""The `requests` session that carries the calls: what users set in it counts, or is refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import requests

from smartdc.errors import InputError
from smartdc.http.light import NO_COOKIES
from smartdc.http.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests.adapters import BaseAdapter

__all__ = ["Carrier"]

ELSEWHERE = {
    "headers": "use dc.headers",
    "auth": "use dc.auth",
    "verify": "use dc.verify",
    "cert": "use dc.cert",
    "params": "use dc.request(params=...)",
    "cookies": "CloudAPI has no cookies",
    "proxies": "set HTTPS_PROXY or HTTP_PROXY in the environment before you create the DataCenter",
}
"""Attributes of a `requests` session that no call reads, and what to use instead."""


def _refuse(name: str) -> NoReturn:
    raise InputError(f"session.http.{name} would change nothing: {ELSEWHERE[name]}")


class _Fixed(dict[str, str]):
    """Entries that cannot be changed in place either."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        _refuse(self._name)

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse


class Carrier(requests.Session):
    """A `requests` session that follows no redirects, keeps no cookies and reads no netrc.

    Its response hooks and the adapters that are mounted count for every call.
    """

    _is_made = False

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies = NO_COOKIES
        for name in ("headers", "proxies", "params"):
            setattr(self, name, _Fixed(name))
        self.adapters.clear()  # a call that none of ours fits must not be sent without our checks
        self._is_made = True

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_made and name in ELSEWHERE:
            _refuse(name)
        super().__setattr__(name, value)

    def mount(self, prefix: str | bytes, adapter: BaseAdapter) -> None:
        """Let `adapter` carry the calls to the URLs that begin with `prefix`, in place of all that did until now."""
        for older in [old for old in self.adapters if old.startswith(prefix)]:  # type: ignore[arg-type]
            del self.adapters[older]
        super().mount(prefix, adapter)

    def take_over(self, former: Carrier) -> None:
        """Use the hooks of a former carrier, and the adapters that the user has mounted there."""
        self.hooks = former.hooks
        for prefix, mounted in former.mounted().items():
            self.mount(prefix, mounted)

    def mounted(self) -> dict[str, BaseAdapter]:
        """Return the adapters that are not the library's own, by their prefixes."""
        return {prefix: adapter for prefix, adapter in self.adapters.items() if not isinstance(adapter, Transport)}

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[requests.Response]:
        """Follow no redirects: a redirect is an answer, and the signature would not be valid elsewhere."""
        return iter(())
