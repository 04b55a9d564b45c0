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

MACS = 2**24
"""The number of MAC addresses of one vendor."""


class Ids:
    """Streams of ids, which depend only on seed, kind and count."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311  repeatable on purpose, and no secret
        self._drawn: Counter[str] = Counter()
        start = int.from_bytes(digest(f"{seed} mac"))
        self._mac_start = start % MACS
        self._mac_step = start // MACS % MACS | 1
        self._lock = threading.Lock()

    def uuid(self, kind: str) -> str:
        """Return the next UUID of a kind, formatted as version 4."""
        return str(uuid.UUID(bytes=self._next(kind), version=4))

    def mac(self) -> str:
        """Return the next MAC address, in the range that SmartOS uses for its virtual NICs.

        Random addresses would repeat within a few thousand. Steps of an odd number through all 2**24 of them repeat
        none.
        """
        number = (self._mac_start + self._mac_step * self._count("mac")) % MACS
        return "90:b8:d0:" + number.to_bytes(3).hex(":")

    def _next(self, kind: str) -> bytes:
        return digest(f"{self.seed} {kind} {self._count(kind)}")

    def _count(self, kind: str) -> int:
        with self._lock:
            self._drawn[kind] += 1
            return self._drawn[kind]


def digest(text: str) -> bytes:
    """Return a digest of 16 bytes."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def fixed_uuid(text: str) -> str:
    """Return the UUID of a name, the same in every run and for every seed."""
    return str(uuid.UUID(bytes=digest(text), version=4))
