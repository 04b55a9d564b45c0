"""Sign requests: a `Signer` has the key, `HTTPSignatureAuth` writes the Authorization header.

The scheme is HTTP Signatures in the form that CloudAPI reads. The signature covers, in this order: method, path and
query (``(request-target)``), ``host``, ``date``, and ``content-md5`` if the request has one. So a stolen signature is
valid only for that one request. The signer decides where the signature comes from (a file, an ssh-agent); see
`smartdc.auth.private_key` and `smartdc.auth.agent`.

This module imports `cryptography` only if it is given a key, since that import costs more than everything else here.
"""

from __future__ import annotations

import binascii
import functools
import logging
import re
from email.utils import formatdate
from typing import TYPE_CHECKING, NoReturn, Protocol, cast
from urllib.parse import urlsplit

from requests.auth import AuthBase

from smartdc.auth.ssh_key import ALGORITHMS
from smartdc.errors import ConfigError, InputError, KeyFileError
from smartdc.http.tracebacks import without_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from requests import PreparedRequest

    from smartdc.auth.private_key import KeySource, PassphraseSource

__all__ = [
    "HTTPSignatureAuth",
    "Signer",
    "host_of",
    "signing_string",
]

log = logging.getLogger(__name__)

SIGNED = ("(request-target)", "host", "date")
"""The parts that every signature covers."""

SIGNED_IF_SENT = ("content-md5", "x-date")
"""Headers that are also covered if the request has them; CloudAPI takes X-Date as the date, and requires it signed."""

ACCEPTED = frozenset({*ALGORITHMS.values(), "rsa-sha512"})
"""The algorithms that we accept: all of CloudAPI's except SHA-1 and DSA."""

BLANKS = " \t"

_KEY_ID = re.compile(r"[ !#-\[\]-~]+")
_HEADER_NAME = re.compile(r"\(request-target\)|[a-z0-9-]+")
_NORMAL_TARGET = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]++|%[0-9A-F]{2})*")
_QUERY_VALUE = re.compile(r"([?&][^=&]*=)[^&]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Signer(Protocol):
    """An object that can sign for one key: a `PrivateKey`, an `AgentKey`, or your own."""

    @property
    def public_blob(self) -> bytes:
        """The public key in SSH's wire format."""

    @property
    def algorithm(self) -> str:
        """The algorithm's name in the Authorization header, such as ``rsa-sha256``."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the signature of `data`: PKCS#1 v1.5 for RSA, DER for ECDSA, 64 bytes for Ed25519."""


class HTTPSignatureAuth(AuthBase):
    """Sign every request with one key.

    It is a `requests` auth: give it to a `DataCenter`, a `requests.Session` or a single call. Threads may share it. It
    cannot be pickled or copied, since the copy would have to contain the key.

    Args:
        key_id: ``/account/keys/name`` or ``/account/users/user/keys/name``; the name may be the MD5 fingerprint.
        signer: makes the signatures; it is not used before the first request.
        headers: the parts that the signature covers.
        secret: the private key, in place of a signer: a path, the key's text, or any `Signer`. A file is read at once.
        passphrase: decrypts that key: a string, or a function that gets the key's name.
        host_covered: False leaves out the host, for proxies that rewrite it.
    """

    @without_frames
    def __init__(
        self,
        key_id: str,
        signer: Signer | None = None,
        headers: Iterable[str] = SIGNED,
        *,
        secret: KeySource | Signer | None = None,
        passphrase: PassphraseSource = None,
        host_covered: bool = True,
    ) -> None:
        """Raise ConfigError for a key id or headers that CloudAPI could not parse, KeyFileError for an unusable key."""
        if not _KEY_ID.fullmatch(key_id):
            raise ConfigError(
                f"invalid key id {key_id!r}: it is empty or contains a character that cannot be sent in a header"
            )
        self.key_id = key_id
        names = _checked_names(headers)
        self._names = names if host_covered else tuple(name for name in names if name != "host")
        self._signer = _signer_of(secret, passphrase) if signer is None else signer
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
        """Return the header for the signing string `text`; the last one is kept, since polls need it again.

        Text and header are replaced together, as one tuple, so that no lock is needed.
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
            f'signature="{binascii.b2a_base64(signature, newline=False).decode()}"'
        )
        self._last = (text, header)
        return header

    def _kept(self, text: str) -> str | None:
        """Return the last header if it is for `text`; any other is a secret that must not reach a failing caller's frame."""
        known, header = self._last
        return header if known == text else None

    def _checked_algorithm(self) -> str:
        algorithm = self._signer.algorithm
        if algorithm not in ACCEPTED:
            raise KeyFileError(f"CloudAPI does not verify {algorithm!r}; it takes {', '.join(sorted(ACCEPTED))}")
        self._algorithm = algorithm
        return algorithm

    def __repr__(self) -> str:
        """Show the key's id, and its algorithm if the signer was already asked for it."""
        return f"HTTPSignatureAuth(key_id={self.key_id!r}, algorithm={self._algorithm!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: a key must not spread."""
        raise TypeError(
            "HTTPSignatureAuth holds a key and cannot be pickled or copied; make another one where it is needed"
        )


def _signer_of(secret: KeySource | Signer | None, passphrase: PassphraseSource) -> Signer:
    """Return the signer for a private key, which is given as a path, as its text, or as a signer."""
    if secret is None:
        raise ConfigError("no key to sign with: give secret= (a path, or the key's text) or signer=")
    if hasattr(secret, "sign"):
        return cast("Signer", secret)
    from smartdc.auth.private_key import load_private_key  # noqa: PLC0415 (cryptography is slow to load)

    return load_private_key(secret, passphrase)


def signing_string(names: Iterable[str], method: str, target: str, headers: Mapping[str, str | bytes]) -> str:
    """Return the text to sign: a line for each of `names`, without a newline at the end.

    Args:
        names: lower-case names of headers, or ``(request-target)``.
        target: path and query as they are sent.
        headers: the request's headers, looked up by lower-case names.
    """
    lines = []
    for name in names:
        value = f"{method.lower()} {target}" if name == "(request-target)" else headers.get(name)
        if value is None:
            raise InputError(f"the header {name} is to be signed, but the request does not have it")
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if "\r" in text or "\n" in text:  # with which one value could pose as several lines
            raise InputError(f"{name} contains a line break and cannot be signed")
        lines.append(f"{name}: {text.strip(BLANKS)}")
    return "\n".join(lines)


def _checked_names(headers: Iterable[str]) -> tuple[str, ...]:
    names = tuple(name.lower() for name in headers)
    for name in names:
        if not _HEADER_NAME.fullmatch(name) or name == "authorization" or names.count(name) > 1:
            raise ConfigError(f"{name!r} cannot be signed, or is listed twice")
    if "date" not in names:
        raise ConfigError(f"CloudAPI requires the date to be signed; it is missing from {' '.join(names)!r}")
    return names


def _checked_target(target: str) -> str:
    """Refuse a target that urllib3 would rewrite: the signed bytes would differ from the sent ones."""
    if _NORMAL_TARGET.fullmatch(target):
        return target
    raise InputError(
        f"{_without_values(target)!r} would be rewritten after signing; percent-encode it with capital letters, as in %2F"
    )


def host_of(url: str) -> str:
    """Return the Host header for `url` as `http.client` sends it: brackets for IPv6, and a port unless it is the default."""
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
    """Return a target for the log: with the names of its query, but without the values."""
    return _QUERY_VALUE.sub(r"\1…", target)
