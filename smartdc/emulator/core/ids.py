"""Ids, addresses and randomness, all derived from the seed, so that a run is repeatable to the byte.

Each kind of id is a separate stream: the number of requests does not change the next machine's id.
"""

import hashlib
import random
import re
import threading
import uuid
from collections import Counter

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Ids:
    """Streams of ids, which depend only on seed, kind and count."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311  repeatable on purpose, and no secret
        self._drawn: Counter[str] = Counter()
        self._lock = threading.Lock()

    def uuid(self, kind: str) -> str:
        """Return the next UUID of a kind, formatted as version 4."""
        return str(uuid.UUID(bytes=self._next(kind), version=4))

    def mac(self) -> str:
        """Return the next MAC address, in the range that SmartOS uses for its virtual NICs."""
        return "90:b8:d0:" + self._next("mac").hex(":")[:8]

    def _next(self, kind: str) -> bytes:
        with self._lock:
            self._drawn[kind] += 1
            count = self._drawn[kind]
        return digest(f"{self.seed} {kind} {count}")


def digest(text: str) -> bytes:
    """Return a digest of 16 bytes."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def fixed_uuid(text: str) -> str:
    """Return the UUID of a name, the same in every run and for every seed."""
    return str(uuid.UUID(bytes=digest(text), version=4))
