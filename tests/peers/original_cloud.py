"""The cloud before which py-smartdc 0.2 and this library make the same steps: always the same one, by seed and clock."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from smartdc.emulator import Emulator, Server, VirtualClock
from smartdc.emulator.signature import authorization_header
from smartdc.emulator.state import catalogue
from smartdc.emulator.state.records import ImageRecord

RECORD = Path(__file__).with_name("original_0_2_0.json")
SEED = 2013


def script(name: str) -> list[tuple[str, str]]:
    """Return the steps of a script, each with its name and the text that is run."""
    text = Path(__file__).with_name(f"original_{name}.txt").read_text(encoding="utf-8")
    blocks = [tuple(block.split("\n", 1)) for block in text.split("\n== ")[1:]]
    prepared = {name: f"{source}\n# then\n" for name, source in blocks if name.startswith("@")}
    return [(name, _complete(source, prepared)) for name, source in blocks if name not in prepared]


def _complete(source: str, prepared: dict[str, str]) -> str:
    """Put a preparation in the place of its name."""
    first, _, rest = source.partition("\n")
    return prepared[first] + rest if first in prepared else source


SCRIPTS = {name: script(name) for name in ("machine", "datacenter")}


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[dict[str, Any]]:
    """Serve the cloud while a with-block lasts, and yield the task of a player.

    Signatures are verified, but not their dates: the clock of the cloud stands still, and the players go by the real
    one.
    """
    key = generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " original"
    secret, boot_script = folder / "id_rsa", folder / "boot.sh"
    secret.touch(0o600)
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    boot_script.write_text("#!/bin/sh\ntouch /var/tmp/was-here\n")
    all_images = catalogue.images

    def images() -> dict[str, ImageRecord]:
        """Return the images that there were when the record was made."""
        return {image.id: image for image in all_images().values() if not image.name.endswith("16.04")}

    with (
        patch.object(catalogue, "images", images),
        patch.object(authorization_header, "MAX_SKEW_SECONDS", math.inf),
        Server(cloud := Emulator(SEED, clock=VirtualClock(), public_key=public)) as server,
    ):
        yield {
            "url": server.url,
            "token": cloud.token,
            "given": {
                "key_id": cloud.key_id,
                "secret": str(secret),
                "boot_script": str(boot_script),
                "another_key": _another_key(),
            },
            "hidden": [
                [server.url, "http://here"],
                [public, "PUBLIC KEY"],
                [cloud.key_id.rpartition("/")[2], "FINGERPRINT"],
                [str(folder), "FOLDER"],
                *_catalogue(cloud),
            ],
            "scripts": SCRIPTS,
        }


def _catalogue(cloud: Emulator) -> list[list[str]]:
    """Name what is on the shelves, so that a request can be read."""
    images = [[image.id, f"{image.name}@{image.version}"] for image in cloud.state.images.values()]
    packages = [[package.id, f"ID OF {package.name}"] for package in cloud.state.packages.values()]
    return [*images, *packages, *([network.id, f"NETWORK {network.name}"] for network in cloud.state.networks.values())]


def _another_key() -> str:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " laptop"


def play(python: str, library: Path, folder: Path) -> dict[str, Any]:
    """Have an interpreter make all steps with the library in a folder, and return what came of them.

    Under ``scripts`` that is by script and step; under ``signatures`` are the methods of its classes.
    """
    task = folder / "task.json"
    with stage(folder) as told:
        task.write_text(json.dumps(told), encoding="utf-8")
        command = [python, str(Path(__file__).with_name("original_player.py")), str(task)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(library), "TZ": "UTC",
                       "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
        played = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert played.returncode == 0, played.stderr.decode()
    record: dict[str, Any] = json.loads(played.stdout)
    return record


def recorded() -> dict[str, Any]:
    """Return what `play` returned with py-smartdc 0.2.0, as the live run wrote it down."""
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return record
