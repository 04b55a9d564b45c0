"""Sign for an identity: find its key at the first use, and keep it.

The order is that of the ``triton`` command: a given key, then the ssh-agent, then the files in ``~/.ssh``.
"""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from requests.auth import AuthBase

from smartdc.auth.agent import Agent, AgentKey
from smartdc.auth.signing import HTTPSignatureAuth, Signer
from smartdc.auth.ssh_key import is_fingerprint, matches, md5_fingerprint, sha256_fingerprint
from smartdc.errors import AgentError, ConfigError, InputError, KeyFileError, PassphraseRequired
from smartdc.http.deadline import ambient_deadline
from smartdc.http.tracebacks import without_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import PreparedRequest

    from smartdc.auth.private_key import KeySource

__all__ = ["Identity"]

PATH_FORM = re.compile(r"/(?P<account>[^/]+)(?:/users?/(?P<user>[^/]+))?/keys/(?P<key>.+)")
USUAL_FILES = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")


AGENT, FILES, SIGNING = "the ssh-agent", "files", "signing"

SLOW_SECONDS = 0.5
"""A failure that took longer than this is slow: a person or a program did not answer."""

REMEMBERED_SECONDS = 2.0
"""Seconds for which a slow failure is raised again at once."""

LEFT_BEHIND = frozenset({"_lock", "_pid", "_failures"})
"""Attributes of an `Identity` that every process makes for itself."""


class SlowFailures:
    """Slow failures: another search in the same place shortly afterwards gets the same failure at once.

    Otherwise every call of a program would wait for the same silent agent, and every thread would prompt for the
    passphrase that was just refused.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, AgentError | KeyFileError]] = {}

    @contextmanager
    def of(self, place: str) -> Iterator[None]:
        """Raise the recent failure of `place` if there is one; otherwise remember the block's failure if it is slow."""
        started = time.monotonic()
        if (kept := self._kept.get(place)) and started < kept[0]:
            raise _twin(kept[1])
        try:
            yield
        except (AgentError, KeyFileError) as error:
            now = time.monotonic()
            if now - started >= SLOW_SECONDS:
                self._kept[place] = now + REMEMBERED_SECONDS, _twin(error)
            raise


def _twin(error: AgentError | KeyFileError) -> AgentError | KeyFileError:
    """Return the same error without its frames, and for another thread."""
    return type(error)(*error.args)


class Identity(AuthBase):
    """A `requests` auth that signs in the name of one key of an account or of its user.

    Args:
        key_id: ``/account/keys/name``, or only the name, MD5 or SHA256 fingerprint of a key; '' takes that of `secret`.
        account: the owner of the key, unless `key_id` names it.
        user: the account's sub-user that owns the key.
        secret: the private key: a path, its text, or any `Signer`. None searches for it.
        passphrase: decrypts the key: a string, or a function that gets the key's name.
        allow_agent: whether to ask the ssh-agent; None asks it if no `secret` is given, True always asks it first.
        sign_host: whether the signature covers the Host header; False for proxies that rewrite it.
        agent_timeout: the maximum time of one request to the ssh-agent in seconds.
    """

    @without_frames
    def __init__(
        self,
        key_id: str = "",
        *,
        account: str | None = None,
        user: str | None = None,
        secret: KeySource | Signer | None = None,
        passphrase: str | bytes | Callable[[str], str | bytes | None] | None = None,
        allow_agent: bool | None = None,
        sign_host: bool = True,
        agent_timeout: float = 10.0,
    ) -> None:
        form = PATH_FORM.fullmatch(key_id)
        self.account = form["account"] if form else account
        self.user = form["user"] if form else user
        self.key = form["key"] if form else key_id
        self.unused_user = user if form and user != self.user else None
        """A given user that is not used, since the key id names another signer."""
        self._secret, self._passphrase = secret, passphrase
        self._allow_agent, self._agent_timeout = allow_agent, agent_timeout
        self._covers = ("(request-target)", "host", "date") if sign_host else ("(request-target)", "date")
        self.origin = "not looked for yet"
        self._signer: Signer | None = None
        self._auth: HTTPSignatureAuth | None = None
        self._reset_lock()
        self._check()

    def _reset_lock(self) -> None:
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._failures = SlowFailures()

    def _check(self) -> None:
        if not (
            self._secret is None or isinstance(self._secret, (str, bytes, os.PathLike)) or hasattr(self._secret, "sign")
        ):
            raise InputError(f"secret must be a path, the text of a key or a Signer, not {type(self._secret).__name__}")
        if not self.account:
            raise ConfigError(
                "no account to sign for: give key_id='/account/keys/name' or login=, or set TRITON_ACCOUNT"
            )
        if "/" in self.key and not is_fingerprint(self.key):
            raise ConfigError(
                f"invalid key id {self.key!r}: give '/account/keys/name', a key's name or its fingerprint"
            )
        if not self.key and self._secret is None:
            raise ConfigError("no key to sign with: give key_id= or secret=, or set TRITON_KEY_ID")

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request; before the first one, find the key."""
        auth = self.resolve()
        with self._failures.of(SIGNING):
            return auth(request)

    def resolve(self) -> HTTPSignatureAuth:
        """Find the key, once, and return the auth that signs with it.

        Raises `KeyFileError`, `AgentError` or `ConfigError`, which say where the key was searched for.
        """
        if self._auth is None:
            signer = self.signer()
            self._auth = HTTPSignatureAuth(self.key_id(), signer, self._covers)
        return self._auth

    @without_frames
    def signer(self) -> Signer:
        """Find the key, once, and return its signer."""
        if self._pid != os.getpid():
            # A thread that the child of a fork does not have may hold the parent's for ever.
            self._reset_lock()
        if self._signer is None:
            self._signer = self._find()
        return self._signer

    def key_id(self) -> str:
        """Return the key id as it is sent: with the key's name, or with the MD5 fingerprint in place of any fingerprint."""
        signer = self.signer()
        named = self.key and not is_fingerprint(self.key)
        key = self.key if named else md5_fingerprint(signer.public_blob)
        user = f"/users/{self.user}" if self.user else ""
        return f"/{self.account}{user}/keys/{key}"

    def _find(self) -> Signer:
        """Look in one place after the other, in the order of the ``triton`` command.

        The first place that has the key wins. A place that does not have it, or cannot be asked, raises an error. These
        errors are kept, since the caller may have to fix any of them; the final error has the texts of all. It is a
        `PassphraseRequired` if any place has the key in encrypted form. If a key is found that the key id does not
        name, a `ConfigError` ends the search.

        Several threads without a key ask the agent at the same time, each within the deadline of its own call. Keys in
        files are loaded by one thread at a time, since a person may be asked for a passphrase.
        """
        failures = []
        for look in self._places():
            try:
                return look()
            except (AgentError, KeyFileError) as error:
                failures.append(error)
        if len(failures) == 1:
            raise failures[0]
        locked = any(isinstance(failure, PassphraseRequired) for failure in failures)
        raise (PassphraseRequired if locked else KeyFileError)("; ".join(map(str, failures)))

    def _places(self) -> tuple[Callable[[], Signer], ...]:
        given = partial(self._one_at_a_time, self._from_files if self._secret is None else self._given)
        return (self._from_agent, given) if self._secret is None or self._allow_agent else (given,)

    def _one_at_a_time(self, load: Callable[[], Signer]) -> Signer:
        """Load a key, or return the one that another thread has just loaded; raise that thread's error if it was slow."""
        left = ambient_deadline().left()
        if not self._lock.acquire(timeout=-1 if left is None else left):
            raise KeyFileError("another thread is still loading the private key; is it waiting for a passphrase?")
        try:
            with self._failures.of(FILES):
                self._signer = self._signer or load()
                return self._signer
        finally:
            self._lock.release()

    def _given(self) -> Signer:
        path = _path_in(self._secret)
        self.origin = "secret, as given" if path is None else os.fspath(path)
        return self._matching(self._load(cast("KeySource | Signer", self._secret)))

    def _load(self, secret: KeySource | Signer) -> Signer:
        if hasattr(secret, "sign"):
            return cast("Signer", secret)
        # cryptography costs as much to import as all the rest, so it waits until somebody signs with a file.
        from smartdc.auth.private_key import load_private_key  # noqa: PLC0415

        return load_private_key(secret, self._passphrase)

    def _matching(self, signer: Signer) -> Signer:
        """Refuse a key that the key id does not name."""
        if is_fingerprint(self.key) and not matches(signer.public_blob, self.key):
            blob = signer.public_blob
            raise ConfigError(
                f"the key id names {self.key}, but the private key given is {md5_fingerprint(blob)} "
                f"({sha256_fingerprint(blob)})"
            )
        return signer

    def _from_agent(self) -> Signer:
        if self._allow_agent is False:
            raise AgentError("the ssh-agent was not asked, because allow_agent=False")
        if not is_fingerprint(self.key):
            raise AgentError("the ssh-agent was not asked, since it knows keys by fingerprint, not by name")
        with self._failures.of(AGENT):
            return Agent(timeout=self._agent_timeout).find(self.key)

    def _from_files(self) -> Signer:
        from smartdc.auth.private_key import find_private_key  # noqa: PLC0415 (as in _load)

        self.origin = "a file in ~/.ssh"
        if is_fingerprint(self.key):
            return find_private_key(self.key, passphrase=self._passphrase)
        usual = next((path for path in USUAL_FILES if os.path.exists(os.path.expanduser(path))), None)  # noqa: PTH110, PTH111
        if usual is None:
            raise KeyFileError(f"no private key was given, and none of {', '.join(USUAL_FILES)} exists: give secret=")
        self.origin = usual
        return self._load(usual)

    def uses(self, secret: Any) -> bool:
        """Return whether `secret` was given as the private key; None means a key that is searched for."""
        return self._secret is secret

    @property
    def signs_by_agent(self) -> bool:
        """Whether an ssh-agent signs, which may ask a person to confirm it; False until the key is found."""
        return isinstance(self._signer, AgentKey)

    @property
    def is_found_again(self) -> bool:
        """Whether another process can find the key: none was given, or a path, or a key in an agent."""
        return self._secret is None or _portable(self._secret) is not None

    def __repr__(self) -> str:
        """Show the signer, but never the key."""
        user = f"/users/{self.user}" if self.user else ""
        return f"<Identity /{self.account}{user}/keys/{self.key or '(by its fingerprint)'}>"

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the key, its text and the passphrase; keep a path, which is not secret."""
        kept = {"_auth": None, "_signer": None, "_passphrase": None, "_secret": _portable(self._secret)}
        return {name: value for name, value in {**vars(self), **kept}.items() if name not in LEFT_BEHIND}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset_lock()


def _portable(secret: Any) -> str | os.PathLike[str] | AgentKey | None:
    """Return a value that leads to a key but is not secret itself; None for anything else."""
    return secret if isinstance(secret, AgentKey) else _path_in(secret)


def _path_in(secret: Any) -> str | os.PathLike[str] | None:
    """Return the path of a file; None for a key's text and anything else."""
    if isinstance(secret, (str, os.PathLike)) and os.path.exists(os.path.expanduser(secret)):  # noqa: PTH110, PTH111
        return secret
    return None
