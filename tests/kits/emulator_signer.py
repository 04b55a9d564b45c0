"""A small request signer and client for the emulator's own tests; it shares nothing with the real client."""

from __future__ import annotations

import base64
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from requests.auth import AuthBase

from smartdc.emulator import Emulator

HASHES: dict[str, type[HashAlgorithm]] = {"sha1": SHA1, "sha256": SHA256, "sha384": SHA384, "sha512": SHA512}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def sign(key: PrivateKey, algorithm: str, message: str) -> str:
    """Return the base64 signature of a text."""
    data, digest = message.encode(), HASHES[algorithm.rpartition("-")[2]]()
    if isinstance(key, rsa.RSAPrivateKey):
        return base64.b64encode(key.sign(data, padding.PKCS1v15(), digest)).decode()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return base64.b64encode(key.sign(data, ec.ECDSA(digest))).decode()
    return base64.b64encode(key.sign(data)).decode()


def public_line(key: PrivateKey, comment: str = "test") -> str:
    """Return the OpenSSH line of a key's public half."""
    return f"{key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"


def private_key(cloud: Emulator) -> PrivateKey:
    """Return an emulator's own throw-away key."""
    key = load_ssh_private_key(str(cloud.private_key).encode(), None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return key


class Signer(AuthBase):
    """Signs prepared requests in the modern form, by an emulator's clock and with its key unless told otherwise."""

    def __init__(
        self,
        cloud: Emulator,
        key: PrivateKey | None = None,
        *,
        key_id: str | None = None,
        algorithm: str = "ed25519-sha512",
        names: str = "(request-target) host date",
    ) -> None:
        self.cloud = cloud
        self.key = key or private_key(cloud)
        self.key_id = key_id or cloud.key_id
        self.algorithm = algorithm
        self.names = names

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the Authorization header, and the headers it signs where they are not there yet."""
        headers = request.headers
        headers.setdefault("Date", formatdate(self.cloud.clock.time(), usegmt=True))
        headers.setdefault("Host", urlsplit(str(request.url)).netloc)
        text = "\n".join(self.line(name, request) for name in self.names.split(" "))
        signature = sign(self.key, self.algorithm, text)
        headers["Authorization"] = (
            f'Signature keyId="{self.key_id}",algorithm="{self.algorithm}",headers="{self.names}",'
            f'signature="{signature}"'
        )
        return request

    def line(self, name: str, request: requests.PreparedRequest) -> str:
        """Return the line of the signed text for one name."""
        if name == "(request-target)":
            return f"{name}: {str(request.method).lower()} {request.path_url}"
        return f"{name}: {request.headers[name]}"


class Asker:
    """Asks an emulator through one of its doors, and signs every request."""

    def __init__(self, cloud: Emulator, url: str | None = None) -> None:
        self.cloud = cloud
        connection = cloud.connection(url)
        self.url = connection["location"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = Signer(cloud)
        if "adapter" in connection:
            self.session.mount(self.url, connection["adapter"])

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request and return the answer, whatever it is."""
        return self.session.request(method, self.url + path, allow_redirects=False, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """Send a GET."""
        return self("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> requests.Response:
        """Send a POST."""
        return self("POST", path, json=json, **options)

    def create(self, **more: Any) -> str:
        """Create a machine and return its id."""
        image = self.cloud.state.image_named("base-64-lts")
        assert image
        answer = self.post("/my/machines", {"image": image.id, "package": "g1-small", **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def act(self, machine: str, action: str, **more: Any) -> requests.Response:
        """Ask for an action on a machine."""
        return self.post(f"/my/machines/{machine}?action={action}", more or None)

    def state(self, machine: str) -> str:
        """Return the state of a machine."""
        return str(self.get(f"/my/machines/{machine}").json()["state"])

    def audit(self, machine: str) -> list[tuple[str, str]]:
        """Return action and success of a machine's jobs, newest first."""
        entries = self.get(f"/my/machines/{machine}/audit").json()
        return [(entry["action"], entry["success"]) for entry in entries]


def refusal(answer: requests.Response) -> tuple[int, str]:
    """Return status and code of an error."""
    return answer.status_code, answer.json()["code"]
