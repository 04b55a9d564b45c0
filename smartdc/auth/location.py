"""Resolve the location of a data centre: a URL, a host, or a name for one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from smartdc.errors import ConfigError

__all__ = ["KNOWN_LOCATIONS", "TELEFONICA_LOCATIONS", "base_url"]

KNOWN_LOCATIONS: dict[str, str] = {"us-central-1": "https://us-central-1.api.mnx.io"}
"""The URLs of public clouds by name. You may add your own names: they apply to every `DataCenter` that is created later
without `known_locations`."""

TELEFONICA_LOCATIONS: dict[str, str] = {}
"""Empty, since that cloud is gone; kept for scripts that import it."""

_WORD = re.compile(r"[\w-]+")
_PRINTABLE = re.compile(r"[!-~]+")
_USER = re.compile(r"[^/]*@")


def base_url(location: str, known: Mapping[str, str]) -> str:
    """Resolve a location, which is a URL, a host (with a port or not) or a name in `known`, to a URL without a slash."""
    if not isinstance(location, str):
        raise ConfigError(f"location must be a URL, a host, or one of {_names(known)}, not a {type(location).__name__}")
    if _WORD.fullmatch(location) and location not in known and location != "localhost":
        raise ConfigError(
            f"unknown location {location!r}; expected one of {_names(known)}, or for a host https://{location}"
        )
    url = known.get(location, location)
    url = url if "://" in url else f"https://{url}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if "@" in url:
        raise ConfigError(f"a location must not contain a user name or a password: {_USER.sub('...@', location)!r}")
    if not usable or not _PRINTABLE.fullmatch(url) or parts.query or parts.fragment:
        raise ConfigError(
            f"invalid location {location!r}: give a URL (https://host), a host, or one of {_names(known)}"
        )
    return url.rstrip("/")


def _names(known: Mapping[str, str]) -> str:
    return ", ".join(sorted(known)) or "the known locations (there are none)"
