"""Sign URLs that others may use for a limited time without their own key."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from smartdc.auth.signing import Signer, host_of
from smartdc.errors import InputError
from smartdc.http import request as encoding

__all__ = ["presigned"]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


def presigned(
    url: str,
    methods: Iterable[str],
    params: Mapping[str, Any],
    *,
    expires: int,
    key_id: str,
    signer: Signer,
) -> str:
    """Return `url` with a query with which anybody can use `methods` on it until `expires` (epoch seconds).

    The signature covers the methods, the host, the path and the query, but no body and no headers.
    """
    verbs = sorted({str(verb).upper() for verb in methods})
    if not verbs or not METHODS.issuperset(verbs):
        raise InputError(f"cannot pre-sign {', '.join(verbs) or 'no method'}; give one or more of {sorted(METHODS)}")
    clash = encoding.PRESIGNED.intersection(params)
    if clash:
        raise InputError(f"params must not contain {', '.join(sorted(clash))}: the signature adds them")
    entries = {
        **{name: encoding.text(value) for name, value in encoding.checked_params(params).items() if value is not None},
        "algorithm": signer.algorithm,
        "expires": str(expires),
        "keyId": key_id,
    }
    if len(verbs) > 1:
        entries["method"] = ",".join(verbs)
    query = "&".join(f"{_quoted(name)}={_quoted(entries[name])}" for name in sorted(entries, key=_collation))
    text = "\n".join([",".join(verbs), host_of(url), urlsplit(url).path, query])
    signature = base64.b64encode(signer.sign(text.encode())).decode()
    return f"{url}?{query}&signature={_quoted(signature)}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _collation(name: str) -> tuple[str, str]:
    """Return a sort key as the server's: by letter, with a small letter before its capital."""
    return name.lower(), name.swapcase()
