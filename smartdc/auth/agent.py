"""Sign with keys that an ssh-agent holds.

Two requests of the agent's protocol are used: list the keys, and sign. Each connection has one deadline, and each
response a size limit; a socket that belongs to another user is refused.
"""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smartdc.auth.ssh_key import algorithm_of, is_fingerprint, key_type_of, matches, md5_fingerprint, read_string
from smartdc.errors import AgentError, KeyFileError
from smartdc.http.deadline import Deadline, ambient_deadline
from smartdc.http.tracebacks import from_signal_handler, let_pass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = ["Agent", "AgentKey"]

REQUEST_IDENTITIES, IDENTITIES_RESPONSE = 11, 12
SIGN_REQUEST, SIGN_RESPONSE = 13, 14
RSA_SHA2_256 = 2
"""The flag without which an agent signs with SHA-1."""

MAX_MESSAGE = 256 * 1024
"""The maximum size of a response, in bytes."""

SIGNATURE_TYPES = {
    "ssh-rsa": "rsa-sha2-256",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
    "ssh-ed25519": "ssh-ed25519",
}
"""Key type to the type of its signatures that agents make and CloudAPI verifies."""

_CERTIFICATE_FIELDS = {"ssh-rsa": 2, "ssh-ed25519": 1}
"""How many strings of a certificate form its public key; for ECDSA two."""


@dataclass(frozen=True, slots=True, repr=False)
class AgentKey:
    """A key in an ssh-agent; it is a `Signer`.

    It contains no secret, so it may be copied and pickled. Every signature uses a new connection, so it may be used by
    several threads and after a fork. A request to the agent never takes longer than the call for which it signs.
    """

    public_blob: bytes
    comment: str
    path: str
    timeout: float

    @property
    def algorithm(self) -> str:
        """The algorithm's name in the Authorization header; AgentError if CloudAPI cannot verify such a key."""
        if reason := _why_not(self):
            raise AgentError(f"the ssh-agent's key {self} cannot be used: {reason}")
        return algorithm_of(self.public_blob)

    def sign(self, data: bytes, /) -> bytes:
        """Have the agent sign `data`; AgentError if it refuses or does not answer in time."""
        flags = RSA_SHA2_256 if key_type_of(self.public_blob) == "ssh-rsa" else 0
        request = _packed(self.public_blob) + _packed(data) + flags.to_bytes(4, "big")
        with _Connection(self.path, self.timeout) as agent:
            kind, body = agent.ask(SIGN_REQUEST, request)
        if kind != SIGN_RESPONSE:
            raise AgentError(
                f"the ssh-agent refused to sign with {self}: it was locked, the key was removed, or its use was "
                "not confirmed"
            )
        return _raw_signature(self.public_blob, _whole_string(body))

    def __repr__(self) -> str:
        """Show the key."""
        return f"AgentKey({self})"

    def __str__(self) -> str:
        """Name the key by fingerprint, type and comment."""
        comment = "".join(c if c.isprintable() else "?" for c in self.comment)
        return f"{md5_fingerprint(_plain(self.public_blob))} ({key_type_of(self.public_blob)}, {comment!r})"


class Agent:
    """The ssh-agent that listens at `path`, by default the one of ``SSH_AUTH_SOCK``.

    Args:
        timeout: seconds for a whole request; meanwhile a person may have to confirm the use of a key.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, timeout: float = 10) -> None:
        """Open no connection yet; AgentError if neither `path` nor ``SSH_AUTH_SOCK`` is set."""
        self.path = os.fspath(path) if path is not None else os.environ.get("SSH_AUTH_SOCK", "")
        self.timeout = timeout
        if not self.path:
            raise AgentError("SSH_AUTH_SOCK is not set: start an ssh-agent and ssh-add the key, or name a key file")

    def keys(self) -> list[AgentKey]:
        """Return the keys that can sign for CloudAPI; none if the agent is empty or locked."""
        return [key for key in self._identities() if not _why_not(key)]

    def find(self, fingerprint: str) -> AgentKey:
        """Return the key with `fingerprint` (MD5 or ``SHA256:``), or raise an AgentError that lists the agent's keys."""
        if not is_fingerprint(fingerprint):
            raise AgentError(f"{fingerprint!r} is not the fingerprint of a key; ssh-add -l shows those of the agent")
        held = self._identities()
        asked = [key for key in held if matches(_plain(key.public_blob), fingerprint)]
        for key in asked:
            if not _why_not(key):
                return key
        raise AgentError(self._why_missing(fingerprint, asked, held))

    def _why_missing(self, fingerprint: str, asked: list[AgentKey], held: list[AgentKey]) -> str:
        if asked:
            return f"the ssh-agent's key {asked[0]} cannot be used: {_why_not(asked[0])}"
        if not held:
            return f"the ssh-agent at {self.path} shows no keys: it is empty (ssh-add) or locked (ssh-add -X)"
        return f"the ssh-agent at {self.path} has no key {fingerprint}; it has {', '.join(map(str, held))}"

    def _identities(self) -> list[AgentKey]:
        with _Connection(self.path, self.timeout) as agent:
            kind, body = agent.ask(REQUEST_IDENTITIES)
        if kind != IDENTITIES_RESPONSE:
            raise AgentError(f"the ssh-agent at {self.path} refused to list its keys (message type {kind})")
        try:
            return [AgentKey(blob, comment, self.path, self.timeout) for blob, comment in _identities_in(body)]
        except ValueError:
            raise _malformed() from None


class _Connection:
    """One connection to an agent, for one request.

    A message is four bytes of length, one byte for its kind, and the body, in which every string has four bytes of
    length before it (`read_string`). The agent may wait for a person to confirm the use of a key, and a stopped agent
    waits for ever. So each `connect`, `sendall` and `recv` has the rest of the one deadline as its timeout. A response
    is not trusted: its length is checked before anything is read.
    """

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        left = ambient_deadline().left()
        self._timeout = timeout if left is None else min(timeout, left)
        self._deadline = Deadline(self._timeout)
        _check_socket(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Self:
        try:
            self._socket.settimeout(self._left())
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise self._failure(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, body: bytes = b"") -> tuple[int, bytes]:
        """Send one request and return the kind and the body of the response."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(_packed(bytes([kind]) + body))
            size = int.from_bytes(self._read(4), "big")
            if not 0 < size <= MAX_MESSAGE:
                raise _malformed()
            response = self._read(size)
        except OSError as error:
            raise self._failure(error) from None
        return response[0], response[1:]

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            self._socket.settimeout(self._left())
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise AgentError(f"the ssh-agent at {self._path} closed the connection in the middle of a response")
            data += piece
        return data

    def _left(self) -> float | None:
        if self._deadline.passed():
            raise TimeoutError
        return self._deadline.left()

    def _failure(self, error: OSError) -> AgentError:
        if from_signal_handler(error):
            raise error
        if isinstance(error, TimeoutError):
            return AgentError(
                f"the ssh-agent at {self._path} did not answer within {round(self._timeout, 2):g} s; is it waiting for a "
                "confirmation, or stopped?"
            )
        if isinstance(error, ConnectionRefusedError):
            return AgentError(f"no ssh-agent listens at {self._path}: it has ended; SSH_AUTH_SOCK is out of date")
        if isinstance(error, BlockingIOError):
            return AgentError(f"the ssh-agent at {self._path} accepts no more connections; is it stopped?")
        return AgentError(f"cannot talk to the ssh-agent at {self._path}: {error.strerror or error}")


def _check_socket(path: str) -> None:
    """Refuse a path that does not exist, is not a socket, or belongs to another user, who could return any key."""
    if not hasattr(socket, "AF_UNIX"):
        raise AgentError("this system has no Unix sockets, which an ssh-agent needs; name a key file")
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        let_pass(error)
        raise AgentError(f"there is no ssh-agent at {path!r}: no such socket; SSH_AUTH_SOCK is out of date") from None
    if not stat.S_ISSOCK(status.st_mode):
        raise AgentError(f"there is no ssh-agent at {path}: not a socket")
    if status.st_uid != os.geteuid():
        raise AgentError(f"the ssh-agent socket {path} belongs to another user (uid {status.st_uid}); not used")


def _malformed() -> AgentError:
    return AgentError("malformed or oversized response from the ssh-agent; is it an ssh-agent?")


def _packed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _whole_string(body: bytes) -> bytes:
    try:
        return read_string(body)[0]
    except ValueError:
        raise _malformed() from None


def _identities_in(body: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield the pairs of public key and comment in a response."""
    place = 4
    if len(body) < place:
        raise ValueError("not even a number of keys")
    for _ in range(int.from_bytes(body[:place], "big")):
        blob, place = read_string(body, place)
        comment, place = read_string(body, place)
        yield blob, comment.decode("utf-8", "replace")


def _why_not(key: AgentKey) -> str:
    """Return why CloudAPI could not verify signatures of the agent with `key`; '' if it can."""
    if key_type_of(key.public_blob) == "ecdsa-sha2-nistp384":
        return "an agent signs P-384 keys with SHA-384 only, which CloudAPI refuses; name the key file instead"
    try:
        algorithm_of(key.public_blob)
    except KeyFileError as error:
        return str(error)
    return ""


def _plain(blob: bytes) -> bytes:
    """Return the public key in a certificate, since people see that key's fingerprint; return any other blob unchanged."""
    plain_type, is_certificate, _ = key_type_of(blob).partition("-cert-")
    if not is_certificate:
        return blob
    try:
        _, start = read_string(blob)
        _, start = read_string(blob, start)  # a random number, different in each certificate
        end = start
        for _ in range(_CERTIFICATE_FIELDS.get(plain_type, 2)):
            _, end = read_string(blob, end)
    except ValueError:
        return blob
    return _packed(plain_type.encode()) + blob[start:end]


def _raw_signature(public_blob: bytes, signature: bytes) -> bytes:
    """Convert a signature from SSH's form to that of HTTP signatures; refuse any kind except the requested one."""
    key_type = key_type_of(public_blob)
    wanted = SIGNATURE_TYPES.get(key_type, "usable")
    try:
        kind, place = read_string(signature)
        raw, _ = read_string(signature, place)
        if kind.decode("ascii") != wanted:
            raise AgentError(f"the ssh-agent did not return a {wanted} signature; it may be too old")
        return _converted(key_type, public_blob, raw)
    except ValueError:
        raise _malformed() from None


def _converted(key_type: str, public_blob: bytes, raw: bytes) -> bytes:
    if key_type == "ssh-rsa":
        return _padded(public_blob, raw)
    if key_type.startswith("ecdsa-"):
        return _der(raw)
    if key_type == "ssh-ed25519" and len(raw) == 64:
        return raw
    raise ValueError(key_type)


def _padded(public_blob: bytes, raw: bytes) -> bytes:
    """Pad an RSA signature to the size of the modulus: some agents drop leading zeros."""
    _, place = read_string(public_blob)
    _, place = read_string(public_blob, place)
    modulus, _ = read_string(public_blob, place)
    size = len(modulus.lstrip(b"\0"))
    if not 0 < len(raw) <= size:
        raise ValueError("not as long as the modulus")
    return raw.rjust(size, b"\0")


def _der(raw: bytes) -> bytes:
    """Convert an ECDSA signature from two SSH numbers to DER; both forms write a number with as few bytes as possible."""
    r, place = read_string(raw)
    s, end = read_string(raw, place)
    if not r or not s or end != len(raw):
        raise ValueError("not two numbers")
    return _tagged(0x30, _tagged(0x02, r) + _tagged(0x02, s))


def _tagged(tag: int, body: bytes) -> bytes:
    """Encode one DER element; no element here is longer than 255 bytes."""
    size = bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])
    return bytes([tag]) + size + body
