"""A real ssh-agent for the tests that sign through one, and ssh-add to fill and to lock it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Self

from kits.signing import PASSPHRASE

if TYPE_CHECKING:
    from pathlib import Path

    from kits.signing import KeyFile


class SSHAgent:
    """An ssh-agent in a process of its own; it ends with its with-block.

    Args:
        folder: where its socket is; the path must be short enough for one.
    """

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "agent")
        self._answer = folder / "askpass"
        self._answer.write_text(f"#!/bin/sh\necho '{PASSPHRASE}'\n")
        self._answer.chmod(0o700)
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", self.path], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()  # it prints where it listens, once it does

    def add(self, file: KeyFile) -> None:
        """Add a key; an encrypted one is opened with the passphrase of all test keys."""
        self.do("-q", str(file.path))

    def clear(self) -> None:
        """Take every key out."""
        self.do("-q", "-D")

    def lock(self) -> None:
        """Lock it, with ssh-add and a password that a program gives in the place of somebody at a terminal."""
        self.do("-x")

    def do(self, *arguments: str) -> None:
        """Run ssh-add, which asks nobody but our program."""
        asking = {"SSH_ASKPASS": str(self._answer), "SSH_ASKPASS_REQUIRE": "force"}
        environment = {**os.environ, **asking, "SSH_AUTH_SOCK": self.path}
        done = subprocess.run(["ssh-add", *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def end(self) -> None:
        """Kill the process; its socket stays behind."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
