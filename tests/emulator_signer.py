"""A small request signer for the emulator's own tests; it shares nothing with the client or the emulator."""

import base64
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from requests.auth import AuthBase

HASHES = {"sha1": SHA1, "sha256": SHA256, "sha512": SHA512}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def sign(key: PrivateKey, algorithm: str, message: str) -> str:
    """Return the base64 signature of a text."""
    data, digest = message.encode(), algorithm.rpartition("-")[2]
    if isinstance(key, rsa.RSAPrivateKey):
        raw = key.sign(data, padding.PKCS1v15(), HASHES[digest]())
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        raw = key.sign(data, ec.ECDSA(HASHES[digest]()))
    else:
        raw = key.sign(data)
    return base64.b64encode(raw).decode()


class TestSigner(AuthBase):
    """Signs a prepared request in the modern form, by the time of the given clock."""

    __test__ = False

    def __init__(
        self,
        key_id: str,
        key: PrivateKey | str,
        clock: Any,
        algorithm: str = "ed25519-sha512",
        names: tuple[str, ...] = ("(request-target)", "host", "date"),
    ) -> None:
        self.key_id = key_id
        self.key = load_ssh_private_key(key.encode(), None) if isinstance(key, str) else key
        self.clock = clock
        self.algorithm = algorithm
        self.names = names

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        headers = request.headers
        headers.setdefault("Date", formatdate(self.clock.time(), usegmt=True))
        headers.setdefault("Host", urlsplit(request.url).netloc)
        names = " ".join(self.names)
        signature = sign(self.key, self.algorithm, "\n".join(self.line(name, request) for name in self.names))
        headers["Authorization"] = (
            f'Signature keyId="{self.key_id}",algorithm="{self.algorithm}",headers="{names}",signature="{signature}"'
        )
        return request

    def line(self, name: str, request: requests.PreparedRequest) -> str:
        """Return the line of the signed text for one name."""
        if name == "(request-target)":
            return f"{name}: {request.method.lower()} {request.path_url}"
        return f"{name}: {request.headers[name]}"
