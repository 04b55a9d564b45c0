"""Read SSH public keys: their wire format, their fingerprints, and the algorithm that CloudAPI verifies for each."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from smartdc.errors import KeyFileError

__all__ = [
    "ALGORITHMS",
    "algorithm_of",
    "is_fingerprint",
    "key_type_of",
    "matches",
    "md5_fingerprint",
    "public_blob_of",
    "read_string",
    "sha256_fingerprint",
]

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

_MD5 = re.compile(r"(?:MD5:)?([0-9a-f]{2}(?::[0-9a-f]{2}){15})", re.IGNORECASE)
_SHA256 = re.compile(r"SHA256:([A-Za-z0-9+/]{43})=?")
_PUBLIC_LINE = re.compile(r"(?:ssh|ecdsa|sk)-\S+\s+([A-Za-z0-9+/]+={0,2})(?:\s.*)?")


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
