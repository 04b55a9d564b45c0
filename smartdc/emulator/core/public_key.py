"""SSH public keys and the verification of signatures, built on ``cryptography`` alone.

Nothing is shared with the client's signer, so that neither can hide the other's mistakes.
"""

import base64
import binascii
import hashlib
from typing import cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

HASHES: dict[str, type[HashAlgorithm]] = {"sha1": SHA1, "sha256": SHA256, "sha512": SHA512}
"""The digests of CloudAPI's signature library, which has no sha384."""

KINDS = ("ssh-rsa", "ecdsa-sha2-nistp", "ssh-ed25519")
"""The prefixes of the supported key types."""

_Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class PublicKey:
    """A public key, parsed from an OpenSSH line such as ``ssh-ed25519 AAAA... comment``."""

    def __init__(self, text: str) -> None:
        """Parse the line; anything but an RSA, ECDSA or Ed25519 key is a ``ValueError``."""
        parts = text.strip().split(None, 2)
        if len(parts) < 2:
            raise ValueError("an OpenSSH public key must be a type, a space and a base64 blob")
        self.text = text.strip()
        self.comment = parts[2] if len(parts) > 2 else ""
        self.fingerprint = _fingerprint(parts[1])
        self._key = _load(parts[0], parts[1])

    def verify(self, algorithm: str, signature: str, message: bytes) -> bool:
        """Return whether a base64 signature, made with an algorithm such as ``rsa-sha256``, is valid.

        The algorithm's family must be the key's own: a request never chooses how its signature is read.
        """
        family, _, digest = algorithm.lower().partition("-")
        if digest not in HASHES:
            return False
        try:
            return self._check(family, HASHES[digest](), base64.b64decode(signature), message)
        except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
            return False

    def _check(self, family: str, digest: HashAlgorithm, signature: bytes, message: bytes) -> bool:
        match family, self._key:
            case "rsa", rsa.RSAPublicKey() as key:
                key.verify(signature, message, padding.PKCS1v15(), digest)
            case "ecdsa", ec.EllipticCurvePublicKey() as key:
                key.verify(signature, message, ec.ECDSA(digest))
            case "ed25519", ed25519.Ed25519PublicKey() as key:
                key.verify(signature, message)
            case _:
                return False
        return True


def _fingerprint(blob: str) -> str:
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise ValueError("the second part of an OpenSSH public key must be base64") from error
    return hashlib.md5(raw, usedforsecurity=False).digest().hex(":")


def _load(kind: str, blob: str) -> _Key:
    if not kind.startswith(KINDS):
        raise ValueError(f"unsupported key type {kind}; expected RSA, ECDSA or Ed25519")
    try:
        return cast(_Key, load_ssh_public_key(f"{kind} {blob}".encode()))
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
