"""Sign requests: a `Signer` holds the key, `HTTPSignatureAuth` writes the Authorization header.

The scheme is HTTP Signatures as CloudAPI reads them. What is signed, in this order: method, path and query
(``(request-target)``), ``host``, ``date``, and ``content-md5`` when the request has one, so that a signature that
somebody else gets hold of is good for that one request only. Where a signature comes from (a file, an ssh-agent)
is the signer's business; see `smartdc.auth.private_key` and `smartdc.auth.agent`.

This module does without `cryptography`, whose import costs more than everything else here.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import logging
import re
from email.utils import formatdate
from typing import TYPE_CHECKING, NoReturn, Protocol
from urllib.parse import urlsplit

from requests.auth import AuthBase

from smartdc.errors import ConfigError, InputError, KeyFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from requests import PreparedRequest

__all__ = [
    "HTTPSignatureAuth",
    "Signer",
    "algorithm_of",
    "host_of",
    "is_fingerprint",
    "key_type_of",
    "matches",
    "md5_fingerprint",
    "public_blob_of",
    "read_string",
    "sha256_fingerprint",
    "signing_string",
]

log = logging.getLogger(__name__)

SIGNED = ("(request-target)", "host", "date")
"""What every signature covers."""

SIGNED_IF_SENT = ("content-md5", "x-date")
"""Covered as well when the request has them; CloudAPI takes X-Date for the date, and then wants it signed."""

ALGORITHMS = {
    "ssh-rsa": "rsa-sha256",
    "ecdsa-sha2-nistp256": "ecdsa-sha256",
    # CloudAPI refuses ecdsa-sha384. ECDSA uses as many bits of a digest as the curve has, so that SHA-512 keeps
    # the strength of P-384, and SHA-256 would not.
    "ecdsa-sha2-nistp384": "ecdsa-sha512",
    "ecdsa-sha2-nistp521": "ecdsa-sha512",
    "ssh-ed25519": "ed25519-sha512",
}
"""SSH key type to the algorithm that CloudAPI verifies."""

ACCEPTED = frozenset({*ALGORITHMS.values(), "rsa-sha512"})
"""The algorithms that may stand in a header of ours: all that CloudAPI takes, less SHA-1 and DSA."""

_MD5 = re.compile(r"(?:MD5:)?([0-9a-f]{2}(?::[0-9a-f]{2}){15})", re.IGNORECASE)
_SHA256 = re.compile(r"SHA256:([A-Za-z0-9+/]{43})=?")
_KEY_ID = re.compile(r"[ !#-\[\]-~]+")
_HEADER_NAME = re.compile(r"\(request-target\)|[a-z0-9-]+")
_NORMAL_TARGET = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]++|%[0-9A-F]{2})*")
_QUERY_VALUE = re.compile(r"([?&][^=&]*=)[^&]*")
_PUBLIC_LINE = re.compile(r"(?:ssh|ecdsa|sk)-\S+\s+([A-Za-z0-9+/]+={0,2})(?:\s.*)?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Signer(Protocol):
    """Whatever can sign for one key: a `PrivateKey`, an `AgentKey`, or something of your own."""

    @property
    def public_blob(self) -> bytes:
        """The public key in SSH's wire format."""

    @property
    def algorithm(self) -> str:
        """The algorithm's name in the Authorization header, such as ``rsa-sha256``."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the signature of `data`: PKCS#1 v1.5 for RSA, DER for ECDSA, 64 bytes for Ed25519."""


class HTTPSignatureAuth(AuthBase):
    """Sign every request that passes, in the name of one key.

    It is a `requests` auth: give it to a `DataCenter`, a `requests.Session` or a single call. It may be shared by
    threads. It cannot be pickled or copied, since whoever unpickles it would expect it to hold the key.

    Args:
        key_id: ``/account/keys/name`` or ``/account/users/user/keys/name``; the name may be the MD5 fingerprint.
        signer: where the signatures come from; it is asked at the first request, not before.
        headers: what is signed.
        host_covered: False leaves the host out, for use behind a proxy that rewrites it.
    """

    def __init__(
        self, key_id: str, signer: Signer, headers: Iterable[str] = SIGNED, *, host_covered: bool = True
    ) -> None:
        """Raise ConfigError for a key id or headers that CloudAPI could not parse."""
        if not _KEY_ID.fullmatch(key_id):
            raise ConfigError(
                f"invalid key id {key_id!r}: it is empty or contains a character that cannot be sent in a header"
            )
        self.key_id = key_id
        names = _checked_names(headers)
        self._names = names if host_covered else tuple(name for name in names if name != "host")
        self._signer = signer
        self._algorithm: str | None = None
        self._last = ("", "")

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Write the Authorization header of `request`, in place of one from an earlier attempt."""
        headers = request.headers
        if "Authorization" in headers:
            del headers["Authorization"]
        if "host" in self._names and "Host" not in headers:
            headers["Host"] = _host_of_origin(_origin_of(request.url or ""))
        if "Date" not in headers:
            headers["Date"] = formatdate(usegmt=True)
        method, target = request.method or "GET", _checked_target(request.path_url)
        names = self._names
        for name in SIGNED_IF_SENT:
            if name in headers and name not in names:
                names = (*names, name)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("signing %s %s, covering %s", method, _without_values(target), " ".join(names))
            log.debug("host %s, date %s", headers.get("Host", "not covered"), headers["Date"])
        headers["Authorization"] = self._authorization(names, signing_string(names, method, target, headers))
        return request

    def _authorization(self, names: Iterable[str], text: str) -> str:
        """Return the header for the signing string `text`; the last one is kept, since polling asks for it again.

        Text and header are replaced together, as one tuple, which needs no lock.
        """
        if kept := self._kept(text):
            log.debug("signature of the same request in the same second used again")
            return kept
        algorithm = self._checked_algorithm()
        signature = self._signer.sign(text.encode())
        if not signature:
            raise KeyFileError(f"the signer returned an empty {algorithm} signature")
        log.debug("signed as %s with %s, %d bytes", self.key_id, algorithm, len(signature))
        # No space after the commas: CloudAPI's parser refuses it.
        header = (
            f'Signature keyId="{self.key_id}",algorithm="{algorithm}",headers="{" ".join(names)}",'
            f'signature="{base64.b64encode(signature).decode()}"'
        )
        self._last = (text, header)
        return header

    def _kept(self, text: str) -> str | None:
        """Return the last header if it is for `text`; another is a secret that no failing caller should hold."""
        known, header = self._last
        return header if known == text else None

    def _checked_algorithm(self) -> str:
        algorithm = self._signer.algorithm
        if algorithm not in ACCEPTED:
            raise KeyFileError(f"CloudAPI does not verify {algorithm!r}; it takes {', '.join(sorted(ACCEPTED))}")
        self._algorithm = algorithm
        return algorithm

    def __repr__(self) -> str:
        """Show the key's id, and its algorithm once the signer was asked for it."""
        return f"HTTPSignatureAuth(key_id={self.key_id!r}, algorithm={self._algorithm!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: a key does not travel that way."""
        raise TypeError(
            "HTTPSignatureAuth holds a key and cannot be pickled or copied; make another one where it is needed"
        )


def signing_string(names: Iterable[str], method: str, target: str, headers: Mapping[str, str | bytes]) -> str:
    """Return the text to be signed: a line for each of `names`, without a newline at the end.

    Args:
        names: lower-case names of headers, or ``(request-target)``.
        target: path and query as they are sent.
        headers: the request's, looked up in lower case (those of `requests` do not mind).
    """
    return "\n".join(f"{name}: {_line_value(name, method, target, headers)}" for name in names)


def _line_value(name: str, method: str, target: str, headers: Mapping[str, str | bytes]) -> str:
    if name == "(request-target)":
        return _one_line(name, f"{method.lower()} {target}")
    value = headers.get(name)
    if value is None:
        raise InputError(f"the header {name} is to be signed, but the request does not have it")
    return _one_line(name, value.decode("latin-1") if isinstance(value, bytes) else value)


def _one_line(name: str, value: str) -> str:
    """Refuse line breaks, with which one value could pose as several lines."""
    if "\r" in value or "\n" in value:
        raise InputError(f"{name} contains a line break and cannot be signed")
    return value.strip(" \t")


def _checked_names(headers: Iterable[str]) -> tuple[str, ...]:
    names = tuple(name.lower() for name in headers)
    for name in names:
        if not _HEADER_NAME.fullmatch(name) or name == "authorization" or names.count(name) > 1:
            raise ConfigError(f"{name!r} cannot be signed, or is listed twice")
    if "date" not in names:
        raise ConfigError(f"CloudAPI requires the date to be signed; it is missing from {' '.join(names)!r}")
    return names


def _checked_target(target: str) -> str:
    """Refuse what urllib3 would still write differently: then the bytes signed would not be the bytes sent."""
    if _NORMAL_TARGET.fullmatch(target):
        return target
    raise InputError(
        f"{_without_values(target)!r} would be rewritten after signing; percent-encode it with capital letters, as in %2F"
    )


def host_of(url: str) -> str:
    """Return the Host header for `url` as `http.client` sends it: brackets for IPv6, a port unless it is usual."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        host = f"[{host.partition('%')[0]}]"
    usual = parts.port in (None, _DEFAULT_PORTS.get(parts.scheme))
    return host if usual else f"{host}:{parts.port}"


def _origin_of(url: str) -> str:
    end = url.find("/", len("https://"))
    return url if end < 0 else url[:end]


_host_of_origin = functools.lru_cache(64)(host_of)


def _without_values(target: str) -> str:
    """Keep the names of a query for the log, and not its values."""
    return _QUERY_VALUE.sub(r"\1…", target)


def md5_fingerprint(blob: bytes) -> str:
    """Return the MD5 fingerprint of a public key: ``aa:bb:…``, the form by which CloudAPI knows keys."""
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def sha256_fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a public key that OpenSSH shows: ``SHA256:…``; CloudAPI does not know it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def is_fingerprint(text: str) -> bool:
    """Return whether `text` is a fingerprint: MD5 with or without ``MD5:``, or ``SHA256:``."""
    return bool(_MD5.fullmatch(text) or _SHA256.fullmatch(text))


def matches(blob: bytes, fingerprint: str) -> bool:
    """Return whether a public key has `fingerprint`, in any of the forms of `is_fingerprint`."""
    if md5 := _MD5.fullmatch(fingerprint):
        return md5[1].lower() == md5_fingerprint(blob)
    sha256 = _SHA256.fullmatch(fingerprint)
    return bool(sha256) and fingerprint.rstrip("=") == sha256_fingerprint(blob)


def public_blob_of(text: str) -> bytes:
    """Return the public key of a line such as ``ssh-ed25519 AAAA… comment``, in SSH's wire format.

    Raises `KeyFileError` when it is not such a line, and never quotes it: it may be a private key.
    """
    line = _PUBLIC_LINE.fullmatch(text.strip())
    if line is None:
        private = " but a private one, which must not be shared" if "PRIVATE KEY" in text else ""
        raise KeyFileError(f"not a public key{private}; a public key looks like 'ssh-ed25519 AAAA… comment'")
    try:
        blob = base64.b64decode(line[1], validate=True)
        if key_type_of(blob) == text.split(maxsplit=1)[0]:
            return blob
    except binascii.Error:
        pass
    raise KeyFileError("this public key is damaged: its type and its data do not match")


def key_type_of(blob: bytes) -> str:
    """Return the type that a public key names itself, such as ``ssh-rsa``; ``?`` when it names none."""
    try:
        return read_string(blob)[0].decode("ascii")
    except ValueError:
        return "?"


def algorithm_of(blob: bytes) -> str:
    """Return CloudAPI's algorithm for a public key, or raise `KeyFileError` with the reason why there is none."""
    key_type = key_type_of(blob)
    if key_type in ALGORITHMS:
        return ALGORITHMS[key_type]
    raise KeyFileError(f"{_why_unusable(key_type)}; use an RSA, ECDSA or Ed25519 key")


def _why_unusable(key_type: str) -> str:
    if "-cert-" in key_type:
        return f"{key_type} is a certificate, which CloudAPI does not know"
    if key_type.startswith("sk-"):
        return f"{key_type} is a key on a hardware token, whose signatures CloudAPI cannot verify"
    if key_type == "ssh-dss":
        return "DSA keys are too weak to sign with"
    return f"CloudAPI does not know keys of type {key_type!r}"


def read_string(data: bytes, start: int = 0) -> tuple[bytes, int]:
    """Read one string of SSH's wire format and return it with the place after it; ValueError when it is cut off."""
    body = start + 4
    end = body + int.from_bytes(data[start:body], "big")
    if body > len(data) or end > len(data):
        raise ValueError("cut off")
    return data[body:end], end
