"""Find out where, who and with which key: from arguments, then from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from smartdc.errors import ConfigError

__all__ = ["KNOWN_LOCATIONS", "TELEFONICA_LOCATIONS", "Profile", "base_url", "from_environment", "is_true"]

KNOWN_LOCATIONS: Mapping[str, str] = MappingProxyType({"us-central-1": "https://us-central-1.api.mnx.io"})
"""The public clouds whose addresses are known; pass `known_locations` to use names of your own."""

TELEFONICA_LOCATIONS: Mapping[str, str] = MappingProxyType({})
"""Kept for scripts that import it: that cloud is gone."""

PREFIXES = ("TRITON_", "SDC_")
HOW_TO = (
    "give DataCenter(location=..., key_id=...), "
    "or set TRITON_URL, TRITON_ACCOUNT and TRITON_KEY_ID (or SDC_URL, SDC_ACCOUNT and SDC_KEY_ID)"
)


@dataclass(frozen=True)
class Profile:
    """Where a CloudAPI is, who asks, and with which key; None is 'not said'."""

    url: str | None = None
    account: str | None = None
    key_id: str | None = None
    user: str | None = None
    key_material: str | None = None
    insecure: bool = False


def from_environment(environ: Mapping[str, str]) -> Profile:
    """Read ``TRITON_*`` and, for each that is missing, ``SDC_*``."""
    return Profile(
        url=_first(environ, "URL"),
        account=_first(environ, "ACCOUNT"),
        key_id=_first(environ, "KEY_ID"),
        user=_first(environ, "USER"),
        key_material=_first(environ, "KEY_MATERIAL"),
        insecure=is_true(environ.get("TRITON_TLS_INSECURE") or environ.get("SDC_TLS_INSECURE") or "")
        or is_true(environ.get("SDC_TESTING", "")),
    )


def _first(environ: Mapping[str, str], name: str) -> str | None:
    return next((environ[prefix + name] for prefix in PREFIXES if environ.get(prefix + name)), None)


def is_true(text: str) -> bool:
    """Read a boolean of the environment strictly: only these words are true."""
    return text.strip().lower() in {"1", "true", "yes"}


def base_url(location: str | None, known: Mapping[str, Any]) -> str:
    """Resolve a location, which is a URL, a host (with a port or not) or a name in `known`, to a URL."""
    if not location:
        raise ConfigError(f"nothing says where the data centre is: {HOW_TO}")
    url = known.get(location) or location
    url = url if "://" in url else f"https://{url}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment or _odd(url):
        raise ConfigError(f"{location!r} is no location: give a URL (https://host), a host, or one of {_names(known)}")
    if re.fullmatch(r"[\w-]+", location) and location not in known and location != "localhost":
        raise ConfigError(f"{location!r} is none of {_names(known)}; if it is a host, write https://{location}")
    return url.rstrip("/")


def _odd(url: str) -> bool:
    return any(char.isspace() or not char.isprintable() or ord(char) > 126 for char in url)


def _names(known: Mapping[str, Any]) -> str:
    return ", ".join(sorted(known)) or "the known locations (there are none)"
