"""Encode paths, queries, headers and bodies: the only place where Python values become bytes of a request.

Values that would not reach CloudAPI unchanged are refused here, before a byte is sent: a segment that another hop would
resolve (``.``, ``..``), an empty segment (which would mean the parent), control characters, and names that CloudAPI
would take for its own parameters.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from smartdc import __version__
from smartdc.errors import InputError

Params: TypeAlias = Mapping[str, Any]

__all__ = [
    "checked_entries",
    "checked_headers",
    "checked_method",
    "checked_params",
    "checked_path",
    "default_headers",
    "flat",
    "form_names",
    "given",
    "json_body",
    "md5_of",
    "query",
    "segments",
    "text",
    "with_roles",
]

MAX_BODY = 100_000
"""The maximum size of a body that CloudAPI accepts, in bytes."""

PRESIGNED = frozenset({"algorithm", "expires", "keyId", "signature", "method"})
"""Query names with which CloudAPI takes a request for a pre-signed one."""

ROLES_ARE_DATA = re.compile(
    r"POST /machines/[^/]+/metadata|(POST|PUT) /machines/[^/]+/tags|PUT /config|GET /volumes|POST /volumes/[^/]+"
    r"|POST /fabrics/default/vlans|[A-Z]+ /fabrics/default/vlans/.+"
)
"""Requests in which CloudAPI stores ``as-role`` as data, or refuses it."""

VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
"""The methods of CloudAPI."""

FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Headers that say where a request ends; client, proxies and server must agree on that."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"(?![\t ])[\t\x20-\x7e\xa0-\xff]*(?<![\t ])")
_PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def segments(*names: object) -> str:
    """Quote names as path segments, and join them: ``segments("tags", "a b")`` is ``/tags/a%20b``."""
    return "".join([f"/{_one_segment(name)}" for name in names])


def _one_segment(name: object) -> str:
    if type(name) is str and _PLAIN_SEGMENT.fullmatch(name):
        return name
    return _quoted(_segment(_named(name)))


def _named(name: object) -> str:
    if name is None or isinstance(name, (bytes, bool)):
        raise InputError(f"{name!r} cannot be a path segment: give a string")
    return str(name)


def _quoted(text: str, safe: str = "") -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        raise InputError(f"{text!r} cannot be sent: it has a lone surrogate, which UTF-8 cannot encode") from None


def _segment(text: str) -> str:
    if text in {"", ".", ".."}:
        raise InputError(f"{text!r} cannot be a path segment: it would address another resource")
    if _CONTROL.search(text):
        raise InputError(f"{text!r} cannot be a path segment: it contains control characters")
    return text


def checked_path(path: str) -> str:
    """Check a ready-made path such as ``machines/…/tags``, and return it with a slash in front; '' is the account itself."""
    if not isinstance(path, str):
        raise InputError(f"request(): path must be a string, not {type(path).__name__}")
    if path and not path.startswith("/"):
        path = f"/{path}"
    if _PLAIN_PATH.fullmatch(path):
        return path
    if "?" in path or "#" in path:
        raise InputError(f"path must not contain a query or fragment, got {path!r}; use params=")
    try:
        return segments(*(unquote(part, errors="strict") for part in path.split("/")[1:]))
    except UnicodeDecodeError:
        raise InputError(f"invalid path {path!r}: its percent-encoded bytes are not UTF-8") from None


def query(params: Params | None) -> str:
    """Encode parameters as a query string; None means 'not given' and is dropped, booleans become true and false."""
    if not params:
        return ""
    pairs = [(key, value) for key, value in checked_params(params).items() if value is not None]
    clash = PRESIGNED.intersection(key for key, _ in pairs)
    if clash:
        raise InputError(f"{', '.join(sorted(clash))} in a query would make it a pre-signed request")
    return "&".join(f"{_quoted(key)}={_quoted(text(item))}" for key, value in pairs for item in _each(value))


def checked_params(params: Params) -> Params:
    """Return the parameters of a query; refuse anything but a dict, and names that CloudAPI would parse."""
    if not isinstance(params, Mapping):
        raise InputError(f"request(): params must be a dict, not {type(params).__name__}")
    for name in params:
        if not isinstance(name, str):
            raise InputError(f"each name of params must be a string, not {type(name).__name__}")
        if "[" in name or "]" in name:
            raise InputError(f"invalid parameter name {name!r}: CloudAPI parses brackets as lists")
    return params


def with_roles(methods: str | Iterable[str], path: str, params: Params | None, roles: Iterable[str]) -> Params | None:
    """Add the active roles to the query of a request below the account, if CloudAPI reads them in this request."""
    names = ",".join(roles)
    if not names:
        return params
    verbs = [methods] if isinstance(methods, str) else methods
    harm = any(ROLES_ARE_DATA.fullmatch(f"{checked_method(verb)} {path}") for verb in verbs)
    return {**checked_params(params or {}), "as-role": names} if not harm else params


def _each(value: object) -> Iterable[object]:
    return value if isinstance(value, (list, tuple)) else (value,)


def text(value: object) -> str:
    """Format a value the way CloudAPI parses it in a query: ``true`` and ``false``, and numbers as JavaScript does."""
    if not isinstance(value, (str, int, float)):
        raise InputError(f"{value!r} cannot be sent in a query: give a string, number or boolean, or a list of them")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def checked_method(method: str) -> str:
    """Return an HTTP verb in capitals."""
    if type(method) is str and method in VERBS:
        return method
    if not (isinstance(method, str) and method.isascii() and method.isalpha()):
        raise InputError(f"invalid HTTP method {method!r}")
    return method.upper()


def default_headers(api_version: str) -> dict[str, str]:
    """Return the headers of every request: the accepted responses, and the name of this client."""
    return {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Accept-Version": api_version,
        "User-Agent": f"smartdc/{__version__}",
    }


def checked_headers(headers: Mapping[str, str | None] | None) -> dict[str, str]:
    """Return the given headers; refuse those that could be read as another header or another request."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise InputError(
            f"headers must be a dict, not a {type(headers).__name__}; the account to act on goes in login="
        )
    checked = {name: value for name, value in headers.items() if value is not None}
    for name, value in checked.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name) or name.lower() in FRAMING:
            raise InputError(f"invalid header name {name!r}")
        # The value may be a secret, so it is not repeated.
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise InputError(
                f"the value of header {name} must be a string in Latin-1, on one line, without leading or trailing blanks"
            )
    return checked


def given(**values: Any) -> dict[str, Any]:
    """Keep the given values: everything except None."""
    return {name: value for name, value in values.items() if value is not None}


def flat(prefix: str, mapping: Params | None) -> dict[str, Any]:
    """Flatten a mapping to CloudAPI's flat keys: ``flat("tag", {"a": 1})`` is ``{"tag.a": 1}``."""
    return {f"{prefix}.{key}": value for key, value in (mapping or {}).items() if value is not None}


def form_names(mapping: Params | None, more: Params, reserved: Iterable[str], what: str) -> dict[str, Any]:
    """Merge a mapping with keyword arguments into a free-form body that has at least one entry."""
    entries = checked_entries({**_dict(mapping or {}, what), **more}, reserved, what)
    if not entries:
        raise InputError(f"at least one {what} is required")
    return entries


def _dict(mapping: Params, what: str) -> Params:
    if not isinstance(mapping, Mapping):
        raise InputError(f"each {what} must be given in a dict, not in a {type(mapping).__name__}")
    return mapping


def checked_entries(entries: Params, reserved: Iterable[str], what: str) -> dict[str, Any]:
    """Return a copy of free-form entries; refuse CloudAPI's own names, and values that CloudAPI does not accept.

    CloudAPI merges path, query and body into one set of parameters, in which the body wins. So an entry called
    ``machine`` would send the call to another machine, and others are dropped silently.
    """
    for name, value in _dict(entries, what).items():
        if not isinstance(name, str):
            raise InputError(f"invalid {what} name {name!r}: it must be a string")
        if name in reserved or name.endswith("_pw"):
            raise InputError(f"invalid {what} name {name!r}: it is reserved by CloudAPI")
        _segment(name)
        if not isinstance(value, (str, int, float, bool)):
            raise InputError(f"{what} {name!r} must be a string, number or boolean, not {type(value).__name__}")
    return dict(entries)


def json_body(data: Any) -> bytes | None:
    """Encode a body as JSON; None means no body, and more than CloudAPI's 100,000 bytes are refused."""
    if data is None:
        return None
    try:
        body = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the body cannot be encoded as JSON: {error}") from None
    if len(body) > MAX_BODY:
        raise InputError(f"the body has {len(body):,} bytes; CloudAPI takes at most {MAX_BODY:,}")
    return body


def md5_of(body: bytes) -> str:
    """Return the value of a Content-MD5 header."""
    return binascii.b2a_base64(hashlib.md5(body, usedforsecurity=False).digest(), newline=False).decode()
