"""What this process holds on to: memory, descriptors and threads, as the system counts them."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 2**20

_SELF = Path("/proc/self")


def resident() -> int:
    """Return how many bytes this process has in memory now, when what can be let go is gone."""
    gc.collect()
    return _status("VmRSS")


def peak() -> int:
    """Return the most bytes that this process had in memory since `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> int:
    """Let the peak begin anew, and return how many bytes it begins with."""
    gc.collect()
    (_SELF / "clear_refs").write_text("5")
    return peak()


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return sum(1 for _ in (_SELF / "fd").iterdir())


def join_all_but(threads: set[threading.Thread], seconds: float = 10.0) -> set[threading.Thread]:
    """Wait for all other threads to end, and return those that did not."""
    for thread in set(threading.enumerate()) - threads:
        thread.join(seconds)
    return set(threading.enumerate()) - threads


def _status(name: str) -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process open no more files, as if too many were open, while a with-block lasts."""
    resource = pytest.importorskip("resource", reason="this system has no limits that a process can set")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.dup(0)
    os.close(first_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
