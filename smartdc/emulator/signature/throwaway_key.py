"""The throw-away key for clients; it depends on the seed, so that a run is repeatable to the byte."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def throwaway_key(seed: int) -> tuple[str, str]:
    """Return a private key in OpenSSH format and its public line; it is valid only for an emulator."""
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"smartdc emulator {seed}".encode()).digest())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} emulator"
