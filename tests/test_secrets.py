"""Secrets stay secret: in logs of every logger, in what objects show of themselves, in pickles, errors and tracebacks.

What is looked for are the lines of a private key, passphrases, signatures, passwords, user data and boot scripts.
"""

from __future__ import annotations

import base64
import gc
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from signing_kit import PASSPHRASE, KeyShelf

from smartdc import DataCenter, KeyFileError, Machine, SmartDCError, Signer
from smartdc.emulator import Emulator, Fault, Server, VirtualClock
from smartdc.identity import Identity
from smartdc.private_key import load_private_key
from smartdc.signing import HTTPSignatureAuth

pytest_plugins = ("signing_fixtures",)

USER_DATA = "hush-user-data"
SCRIPT = "#!/bin/sh hush-script"
ROOT = "hush-root-password"
PASSWORD = "hush-password-1"
TOKEN = "hush-token"
WRONG = "hush-wrong-passphrase"


@dataclass
class Secrets:
    """What must not be seen."""

    texts: set[str] = field(default_factory=lambda: {USER_DATA, SCRIPT, ROOT, PASSWORD, TOKEN, PASSPHRASE, WRONG})

    def add_key(self, text: str) -> None:
        """Add the lines of a private key."""
        self.texts |= {line for line in text.splitlines() if len(line) > 20 and not line.startswith("-")}

    def seen_in(self, text: str) -> list[str]:
        """Return those that are in a text, also as parts of a ``repr``."""
        return sorted(secret for secret in self.texts if secret in text)


class Recorder:
    """A signer that remembers its signatures as secrets."""

    def __init__(self, signer: Signer, secrets: Secrets) -> None:
        self._signer, self._secrets = signer, secrets
        self.public_blob, self.algorithm = signer.public_blob, signer.algorithm
        self.broken = False

    def sign(self, data: bytes, /) -> bytes:
        """Sign and remember."""
        if self.broken:
            raise KeyFileError("the token was pulled out")
        signature = self._signer.sign(data)
        self._secrets.texts.add(base64.b64encode(signature).decode())
        return signature


def shown_by(error: BaseException) -> str:
    """Write down all that a debugger or a crash reporter shows of an error, but for the frames of this file."""
    shown: list[str] = []
    seen: set[int] = set()
    stack: list[BaseException | None] = [error]
    while stack:
        link = stack.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        stack += [link.__cause__, link.__context__]
        shown += [str(link), repr(link), repr(link.args), repr(vars(link))]
        told = traceback.TracebackException(type(link), link, link.__traceback__, capture_locals=True)
        shown += ["".join(told.stack.format_frame_summary(f)) for f in told.stack if f.filename != __file__]
    return "\n".join(shown)
