"""What tests of the two WebSockets need: patience with other threads, a look at what is left behind, and npm's command."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kits.http import Act, Line, header_of
from smartdc.emulator import Emulator
from smartdc.emulator.state import records

PATIENCE = 10.0
"""Seconds that something may take which takes some thousandths of one unless the machine is busy."""


def eventually(condition: Callable[[], object]) -> None:
    """Look again and again until something that another thread does has come about."""
    pause, end = threading.Event(), time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it has not come about"
        pause.wait(0.005)


def in_use() -> tuple[int, int]:
    """Count the threads and the descriptors of this process."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def nothing_is_left(before: tuple[int, int]) -> None:
    """Wait until there are no more threads and descriptors than there were."""
    eventually(lambda: all(now <= then for now, then in zip(in_use(), before, strict=True)))


def change(cloud: Emulator, machine: str, **attributes: object) -> records.MachineRecord:
    """Make a machine different, as something behind CloudAPI may, and publish it."""
    there = cloud.state.machines[machine]
    with cloud.transitions.lock, cloud.changefeed.watch(there):
        for name, value in attributes.items():
            setattr(there, name, value)
    return there


def accept(*frames: bytes, then: Act) -> Act:
    """Become a WebSocket, send frames as they are, and go on with another act."""

    def act(line: Line) -> bool:
        key = f"{header_of(line.request, 'Sec-WebSocket-Key')}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        digest = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        head = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {digest}\r\n\r\n"
        line.send(b"HTTP/1.1 101 The Watershed Moment\r\n" + head.encode() + b"".join(frames))
        return then(line)

    return act


@contextlib.contextmanager
def triton(cloud: Emulator, url: str, home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run npm's ``triton`` beside a cloud while a with-block lasts; without it the test is skipped, with the reason."""
    script = Path(os.environ.get("SMARTDC_NODE_MODULES", "node_modules"), "triton/bin/triton").absolute()
    if shutil.which("node") is None:
        pytest.skip("node is not installed, so that npm's triton cannot speak to the emulator")
    if not script.exists():
        pytest.skip(f"npm's triton is needed ({script} is not there); set SMARTDC_NODE_MODULES to where it is")
    ssh = home / ".ssh"
    ssh.mkdir(mode=0o700)
    (ssh / "of_a_test").touch(0o600)
    (ssh / "of_a_test").write_text(str(cloud.private_key))
    (ssh / "of_a_test.pub").write_text(f"{cloud.public_key}\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TRITON_PROFILE": "env", "NODE_NO_WARNINGS": "1"}
    environment |= {"TRITON_URL": url, "TRITON_ACCOUNT": cloud.login, "TRITON_KEY_ID": cloud.key_id.rpartition("/")[2]}
    command = ["node", str(script), *arguments]
    with subprocess.Popen(command, env=environment, cwd=home, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
