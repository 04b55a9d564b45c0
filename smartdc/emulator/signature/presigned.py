"""Presigned URLs: the signature is in the query, and refusals are plain errors without a code."""

from typing import Any
from urllib.parse import quote

from smartdc.emulator.core.reply import ApiError
from smartdc.emulator.signature.authorization_header import ALGORITHMS, Credentials

REQUIRED = ("algorithm", "expires", "keyId", "signature")


def parse_presigned(method: str, host: str, path: str, query: dict[str, Any], now: float) -> Credentials | None:
    """Return the credentials in a query; None if it has none of the four parameters.

    A parameter ``method`` is checked on every request, presigned or not: it must include the request's method.
    """
    methods = sorted(part.strip() for part in str(query.get("method") or method).split(","))
    if method not in methods:
        raise _bare(f"{method} was not a signed method")
    missing = [name for name in REQUIRED if not query.get(name)]
    if len(missing) == len(REQUIRED):
        return None
    if missing:
        raise _bare(f'parameters "{", ".join(missing)}" are required')
    _check_expiry(str(query["expires"]), now)
    algorithm = str(query["algorithm"]).upper()
    signed = "\n".join([",".join(methods), host, path, _canonical(query)])
    if algorithm.lower() not in ALGORITHMS:
        raise _bare(f"{algorithm} is not a supported signing algorithm")
    return Credentials(str(query["keyId"]), algorithm, str(query["signature"]), signed)


def _check_expiry(text: str, now: float) -> None:
    if not (text.isascii() and text.isdigit()):
        raise _bare("expires is invalid")
    if int(now) > int(text):
        raise _bare("request expired")


def _canonical(query: dict[str, Any]) -> str:
    names = sorted((name for name in query if name.lower() != "signature"), key=_collation)
    return "&".join(f"{quote(name, safe='-_.~')}={quote(str(query[name]), safe='-_.~')}" for name in names)


def _collation(name: str) -> tuple[str, str]:
    """Sort as JavaScript's localeCompare does: ignoring case first, then lower before upper case."""
    return name.lower(), name.swapcase()


def _bare(message: str) -> ApiError:
    return ApiError(500, None, message)
