"""Keys made by ssh-keygen and openssl, and a verifier of signatures, for the tests that sign.

`signing_fixtures.py` makes one of each for a session.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import IO

    from smartdc.auth.signing import HTTPSignatureAuth

PASSPHRASE = "korrekt Pferd Bätterie"
KEY_ID = "/demo/keys/laptop"

KINDS = {
    "rsa-2048": ("rsa", "2048"),
    "rsa-4096": ("rsa", "4096"),
    "ecdsa-256": ("ecdsa", "256"),
    "ecdsa-384": ("ecdsa", "384"),
    "ecdsa-521": ("ecdsa", "521"),
    "ed25519": ("ed25519", "256"),
}
"""Name to ssh-keygen's type and number of bits."""

FORMATS = {"pem": "PEM", "pkcs8": "PKCS8", "openssh": "RFC4716"}
"""Name to what ssh-keygen calls it as an output format."""

CASES = [
    (kind, form, encrypted)
    for kind in KINDS
    for form in FORMATS
    for encrypted in (False, True)
    if (kind, form) != ("ed25519", "pem")  # neither PKCS#1 nor SEC1 has Ed25519
]
"""Every key there is: kind, format, encrypted."""


@dataclass(frozen=True)
class KeyFile:
    """A private key in a file, and what others say about it."""

    path: Path
    passphrase: str | None
    public_line: str

    def fingerprint(self, algorithm: str = "md5") -> str:
        """Ask ssh-keygen for the fingerprint, as it writes it: ``MD5:…`` or ``SHA256:…``."""
        command = ["ssh-keygen", "-l", "-E", algorithm, "-f", "-"]
        return run(*command, text=self.public_line).split()[1]


def run(*command: str | Path, text: str = "") -> str:
    """Run a command that must succeed, with `text` for its input, and return what it prints."""
    done = subprocess.run([str(c) for c in command], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class KeyShelf:
    """Makes each key when it is first asked for, in one directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[tuple[str, str, bool], KeyFile] = {}

    def __call__(self, kind: str, form: str = "openssh", encrypted: bool = False) -> KeyFile:
        """Return the key of that kind, in that format."""
        case = (kind, form, encrypted)
        if case not in self._made:
            self._made[case] = self._make(*case)
        return self._made[case]

    def _make(self, kind: str, form: str, encrypted: bool) -> KeyFile:
        path = self.folder / f"{kind}.{form}{'.encrypted' if encrypted else ''}"
        passphrase = PASSPHRASE if encrypted else None
        if (kind, form) == ("ed25519", "pkcs8"):
            return self._make_with_openssl(path, passphrase)
        if (form, encrypted) == ("openssh", False):
            type_, bits = KINDS[kind]
            run("ssh-keygen", "-q", "-t", type_, "-b", bits, "-N", "", "-C", f"{kind} of a test", "-f", path)
            return KeyFile(path, None, path.with_name(path.name + ".pub").read_text())
        plain = self(kind)
        shutil.copyfile(plain.path, path)
        path.chmod(0o600)
        run("ssh-keygen", "-q", "-p", "-a", "1", "-m", FORMATS[form], "-P", "", "-N", passphrase or "", "-f", path)
        return KeyFile(path, passphrase, plain.public_line)

    def _make_with_openssl(self, path: Path, passphrase: str | None) -> KeyFile:
        """Make an Ed25519 key in PKCS#8, which this ssh-keygen may not know, and its public line by hand."""
        cipher = ["-aes-256-cbc", "-pass", f"pass:{passphrase}"] if passphrase else []
        run("openssl", "genpkey", "-algorithm", "ed25519", *cipher, "-out", path)
        path.chmod(0o600)
        entry = ["-passin", f"pass:{passphrase}"] if passphrase else []
        pem = run("openssl", "pkey", "-in", path, *entry, "-pubout")
        raw = base64.b64decode(pem.split("-----")[2])[-32:]
        blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + raw
        return KeyFile(path, passphrase, f"ssh-ed25519 {base64.b64encode(blob).decode()} made by openssl\n")


class Verifier:
    """The npm package `http-signature` 1.4.0, in one node process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout

    def hear(self) -> dict[str, Any]:
        """Read its next line."""
        line: dict[str, Any] = json.loads(self._stdout.readline())
        return line

    def verdict(self, method: str, target: str, headers: Mapping[str, str | bytes], key: str) -> dict[str, Any]:
        """Verify one signed request; `key` is the public key as an OpenSSH line."""
        given = {k.lower(): v.decode("latin-1") if isinstance(v, bytes) else v for k, v in headers.items()}
        case = {"method": method, "url": target, "headers": given, "publicKey": key}
        self._stdin.write(json.dumps(case) + "\n")
        self._stdin.flush()
        return self.hear()

    def verdict_on(self, request: requests.PreparedRequest, key: str) -> dict[str, Any]:
        """Verify a prepared request."""
        return self.verdict(request.method or "", request.path_url, request.headers, key)


def prepared(
    auth: HTTPSignatureAuth | None = None,
    method: str = "GET",
    url: str = "https://cloudapi.example/my/machines?limit=10",
    **options: Any,
) -> requests.PreparedRequest:
    """Prepare a request, signed when there is an `auth`."""
    request = requests.Request(method, url, **options).prepare()
    return auth(request) if auth else request
