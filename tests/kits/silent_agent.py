"""An ssh-agent that falls silent, and a harness whose clients sign by it."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from kits.campaign import FailureMode, Harness, Injection, ShortPauses, Target, TimedDataCenter
from smartdc.auth.agent import IDENTITIES_RESPONSE, REQUEST_IDENTITIES, SIGN_RESPONSE
from smartdc.auth.private_key import load_private_key
from smartdc.auth.ssh_key import md5_fingerprint, read_string

__all__ = ["SILENT", "SilentAgentHarness"]

SILENT = FailureMode("ssh-agent silent", "silent", fatal=True)


def packed(data: bytes) -> bytes:
    """Write one string of SSH's wire format."""
    return len(data).to_bytes(4, "big") + data


class SilentAgentHarness(Harness):
    """A harness whose clients sign by an ssh-agent that falls silent; it is `SSH_AUTH_SOCK` meanwhile."""

    def __init__(self) -> None:
        super().__init__("http", slow=True)
        self._left = 0
        self._agent = socket.socket(socket.AF_UNIX)
        self._silent: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        super().__enter__()
        self._folder = tempfile.TemporaryDirectory(prefix="agent")
        path = str(Path(self._folder.name, "agent"))
        self._agent.bind(path)
        self._agent.listen(64)
        self._before = os.environ.get("SSH_AUTH_SOCK")
        os.environ["SSH_AUTH_SOCK"] = path
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up on everybody."""
        if self._before is None:
            del os.environ["SSH_AUTH_SOCK"]
        else:
            os.environ["SSH_AUTH_SOCK"] = self._before
        self._agent.shutdown(socket.SHUT_RDWR)
        self._agent.close()
        self._thread.join(10)
        for peer in self._silent:
            peer.close()
        self._folder.cleanup()
        super().__exit__()

    @contextlib.contextmanager
    def target(self) -> Iterator[Target]:
        """Reset the data centre, and open a new client whose key is in the agent."""
        self.cloud.reset()
        assert self.server
        self._key = load_private_key(str(self.cloud.private_key))
        parts = {"clock": self.clock, "rng": ShortPauses(0), "secret": None, "allow_agent": True}
        by_agent = {**parts, "key_id": md5_fingerprint(self._key.public_blob)}
        with TimedDataCenter(**{**self.cloud.connection(self.server.url), **by_agent}) as client:
            yield Target(self.cloud, client)

    @contextlib.contextmanager
    def inject(self, *injections: Injection) -> Iterator[None]:
        """Let the agent fall silent while a with-block lasts."""
        [mode] = injections
        self._left = mode.times or sys.maxsize
        try:
            yield
        finally:
            self._left = 0

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._agent.accept()
                with contextlib.suppress(OSError):
                    self._answer(peer)

    def _answer(self, peer: socket.socket) -> None:
        size = int.from_bytes(peer.recv(4, socket.MSG_WAITALL), "big")
        message = peer.recv(size, socket.MSG_WAITALL) if size else b""
        if not message:  # a signal has ended the client before it asked
            peer.close()
            return
        if self._left > 0:
            self._left -= 1
            self._silent.append(peer)
            return
        if message[0] == REQUEST_IDENTITIES:
            body = bytes([IDENTITIES_RESPONSE, 0, 0, 0, 1]) + packed(self._key.public_blob) + packed(b"key")
        else:
            _, end = read_string(message, 1)
            data, _ = read_string(message, end)
            body = bytes([SIGN_RESPONSE]) + packed(packed(b"ssh-ed25519") + packed(self._key.sign(data)))
        peer.sendall(packed(body))
        peer.close()
