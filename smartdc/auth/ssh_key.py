"""Read SSH public keys: their wire format, their fingerprints, and the algorithm that CloudAPI verifies for each."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from pathlib import Path

from smartdc.errors import InputError, KeyFileError
from smartdc.http.tracebacks import let_pass

__all__ = [
    "ALGORITHMS",
    "algorithm_of",
    "is_fingerprint",
    "key_type_of",
    "matches",
    "md5_fingerprint",
    "public_blob_of",
    "public_line",
    "read_string",
    "sha256_fingerprint",
]

ALGORITHMS = {
    "ssh-rsa": "rsa-sha256",
    "ecdsa-sha2-nistp256": "ecdsa-sha256",
    # CloudAPI refuses ecdsa-sha384. ECDSA uses as many bits of a digest as the curve has, so SHA-512 keeps the strength
    # of P-384, but SHA-256 would not.
    "ecdsa-sha2-nistp384": "ecdsa-sha512",
    "ecdsa-sha2-nistp521": "ecdsa-sha512",
    "ssh-ed25519": "ed25519-sha512",
}
"""SSH key type to the algorithm that CloudAPI verifies."""

MAX_FILE_BYTES = 64 * 1024
MAX_PATH = 4096

_MD5 = re.compile(r"(?:MD5:)?([0-9a-f]{2}(?::[0-9a-f]{2}){15})", re.IGNORECASE)
_SHA256 = re.compile(r"SHA256:([A-Za-z0-9+/]{43})=?")
_PRIVATE = re.compile(r"PRIVATE KEY|PuTTY-User-Key-File|b3BlbnNzaC1rZXktdjE")
"""Marks of private keys: PEM, PKCS#8, SSH1, ssh.com's; PuTTY's; and the beginning of OpenSSH's without its first line."""
_PUBLIC_LINE = re.compile(r"(?:ssh|ecdsa|sk)-\S+\s+([A-Za-z0-9+/]+={0,2})(?:\s.*)?")


def md5_fingerprint(blob: bytes) -> str:
    """Return the MD5 fingerprint of a public key: ``aa:bb:…``, the form by which CloudAPI knows keys."""
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def sha256_fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a public key in OpenSSH's form: ``SHA256:…``; CloudAPI does not know it."""
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


def public_line(source: str | bytes | os.PathLike[str]) -> str:
    """Return the line of a public key, which is given as text or by the path of its file.

    A text is a path if it ends in ``.pub`` or such a file exists. Raises `KeyFileError` if it is not a public key; the
    error never quotes the content, which may be a private key.
    """
    if not isinstance(source, (str, bytes, os.PathLike)):
        raise InputError(f"key must be a public key or the path of its file, not a {type(source).__name__}")
    path = _path(source)
    text = _text(source if path is None else _content(path))
    what = "this" if path is None else str(path)
    if _PRIVATE.search(text):
        advice = "" if path is None else f": {path}.pub, if it is there"
        raise KeyFileError(f"{what} is a private key, which must not be shared; give its public key{advice}")
    line = text.strip()
    if len(line.splitlines()) > 1:
        raise KeyFileError(f"{what} has several lines; a public key is one, such as 'ssh-ed25519 AAAA… comment'")
    public_blob_of(line)
    return line


def _path(source: str | bytes | os.PathLike[str]) -> Path | None:
    """Return `source` as a path, or None if it is a key."""
    if isinstance(source, bytes):
        return None
    if isinstance(source, str) and (len(source) > MAX_PATH or "\n" in source or "\0" in source):
        return None
    path = Path(os.path.expanduser(source))  # noqa: PTH111 (Path's own raises without a home)
    if not isinstance(source, str) or source.endswith(".pub"):
        return path
    return path if os.path.isfile(path) else None  # noqa: PTH113 (Path's own raises, and quotes a key, where a text is too long)


def _content(path: Path) -> bytes:
    try:
        if path.is_fifo():
            raise KeyFileError(f"{path} is a pipe, and reading it may never end; give the key's file or its text")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        let_pass(error)
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        let_pass(error)
        raise KeyFileError(f"{str(path)!r} is not the path of a file") from None
    if len(content) > MAX_FILE_BYTES:
        raise KeyFileError(f"{path} is not a public key: it has more than {MAX_FILE_BYTES:,} bytes")
    return content


def _text(source: str | bytes | os.PathLike[str]) -> str:
    try:
        return source.decode() if isinstance(source, bytes) else str(source)
    except UnicodeDecodeError:
        raise KeyFileError("not a public key: these bytes are not UTF-8 text") from None


def public_blob_of(text: str) -> bytes:
    """Return the public key of a line such as ``ssh-ed25519 AAAA… comment``, in SSH's wire format.

    Raises `KeyFileError` if it is not such a line; the error never quotes it, since it may be a private key.
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
    """Return the type named in a public key, such as ``ssh-rsa``; ``?`` if it names none."""
    try:
        return read_string(blob)[0].decode("ascii")
    except ValueError:
        return "?"


def algorithm_of(blob: bytes) -> str:
    """Return CloudAPI's algorithm for a public key; raise `KeyFileError` with the reason if there is none."""
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
    """Read one string of SSH's wire format and return it with the position after it; ValueError if it is cut off."""
    body = start + 4
    end = body + int.from_bytes(data[start:body], "big")
    if body > len(data) or end > len(data):
        raise ValueError("cut off")
    return data[body:end], end
