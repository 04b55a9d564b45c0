"""Everything that looks random, drawn from the seed, so that a run repeats to the byte.

Each kind of id is a stream of its own: how many requests were sent does not change the next machine's id.
"""

import hashlib
import random
import re
import threading
import uuid
from collections import Counter

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Ids:
    """Streams of ids that depend on a seed, a kind and a count, and on nothing else."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311  repeatable on purpose, and no secret
        self._drawn: Counter[str] = Counter()
        self._lock = threading.Lock()

    def uuid(self, kind: str) -> str:
        """Return the next UUID of a kind, in the form of version 4."""
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
    """Return 16 bytes that depend on the text alone."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def fixed_uuid(text: str) -> str:
    """Return the UUID that stands for a name in every run, whatever the seed."""
    return str(uuid.UUID(bytes=digest(text), version=4))
