"""Sign with a private key: load it from a file or from its text, or find it by fingerprint.

It reads PEM (PKCS#1, SEC1), PKCS#8 and OpenSSH's own format, plain or encrypted. This module imports `cryptography`,
which takes a while: so other modules import this one only when they load a key.
"""

from __future__ import annotations

import base64
import getpass
import os
import re
import stat
import sys
import warnings
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias, cast

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512

from smartdc.auth.ssh_key import (
    algorithm_of,
    is_fingerprint,
    key_type_of,
    matches,
    md5_fingerprint,
    public_blob_of,
    read_string,
)
from smartdc.errors import KeyFileError, PassphraseRequired, SmartDCError
from smartdc.http.invocation import ended_emulator
from smartdc.http.tracebacks import let_pass, without_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["KeyFileWarning", "PrivateKey", "find_private_key", "load_private_key", "prompt_passphrase"]

KeySource: TypeAlias = "str | bytes | os.PathLike[str]"
PassphraseSource: TypeAlias = "str | bytes | Callable[[str], str | bytes | None] | None"

MAX_FILE = 64 * 1024
"""The maximum size of a key file in bytes; the largest RSA keys in use have a tenth of it."""

_SCHEMES: dict[str, tuple[Any, ...]] = {
    "rsa-sha256": (padding.PKCS1v15(), SHA256()),
    "ecdsa-sha256": (ec.ECDSA(SHA256()),),
    "ecdsa-sha512": (ec.ECDSA(SHA512()),),
    "ed25519-sha512": (),
}
"""Additional arguments of `cryptography` to sign and to verify."""

_READABLE = re.compile(rb"-----BEGIN ((?:OPENSSH |RSA |EC |ENCRYPTED )?PRIVATE KEY)-----")
_OPENSSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END OPENSSH PRIVATE KEY-----", re.DOTALL)
_TEXT = re.compile(r"\s*-----BEGIN |(?:ssh|ecdsa|sk)-\S+ AAAA|$")
_BARE_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{60,}|.{1024,}", re.DOTALL)

_TORN = "its public and private halves do not match: it is damaged"
_USE_PRIVATE_HALF = "a public key; give the private one, usually the file of that name without .pub"
_UNREADABLE = (
    (rb"(?:ssh|ecdsa|sk)-\S+ AAAA|-----BEGIN (?:RSA )?PUBLIC KEY|---- BEGIN SSH2 PUBLIC KEY", _USE_PRIVATE_HALF),
    (rb"PuTTY-User-Key-File", "a PuTTY key; convert it with: puttygen KEY.ppk -O private-openssh -o KEY"),
    (rb"-----BEGIN DSA PRIVATE KEY", "a DSA key, too weak to sign with; use an RSA, ECDSA or Ed25519 key"),
    (rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE", "a certificate; give the private key that belongs to it"),
    (rb"", "not a private key in a supported format: PEM, PKCS#8 or OpenSSH, starting with '-----BEGIN'"),
)
"""Kinds of files that are not usable private keys; the first pattern that is found decides."""


class KeyFileWarning(UserWarning):
    """A private key file is open to other users.

    It is a warning and not a log line: scripts and the REPL show warnings by default, and can filter them by class.
    """


class PrivateKey:
    """A private key that signs for CloudAPI; it is a `Signer`, and may be shared by threads.

    `load_private_key` and `find_private_key` make one. Only `cryptography`'s object contains the key, which cannot be
    pickled or copied.
    """

    __slots__ = ("_key", "_scheme", "algorithm", "public_blob")

    def __init__(self, key: object) -> None:
        """Wrap a private key of `cryptography`; KeyFileError if CloudAPI does not support it, or if it is damaged."""
        self._key = cast("Any", key)
        self.public_blob = _public_blob(key)
        self.algorithm = algorithm_of(self.public_blob)
        self._scheme = _SCHEMES[self.algorithm]
        self._prove()

    def sign(self, data: bytes, /) -> bytes:
        """Return the signature of `data`: PKCS#1 v1.5 for RSA, DER for ECDSA, 64 bytes for Ed25519."""
        return cast("bytes", self._key.sign(data, *self._scheme))

    def _prove(self) -> None:
        """Verify one signature with the public half, in place of the slow check of RSA primes."""
        try:
            self._key.public_key().verify(self.sign(b""), b"", *self._scheme)
        except (InvalidSignature, InternalError, ValueError):
            raise KeyFileError(_TORN) from None

    def __repr__(self) -> str:
        """Show the type of the key and its MD5 fingerprint."""
        return f"PrivateKey({key_type_of(self.public_blob)} {md5_fingerprint(self.public_blob)})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: a private key must not spread."""
        raise TypeError("PrivateKey cannot be pickled or copied; load it again where it is needed")


class _KeyFile(NamedTuple):
    """A private key before it is decrypted, with the parts that can be read already."""

    name: str
    text: bytes
    is_openssh: bool
    is_encrypted: bool
    public_blob: bytes | None


@without_frames
def load_private_key(secret: KeySource, passphrase: PassphraseSource = None) -> PrivateKey:
    """Load a private key.

    Args:
        secret: a path (``~`` is expanded), or the key's text; bytes are always text.
        passphrase: decrypts the key: a string, or a function that gets the key's name and returns the passphrase, such
            as `prompt_passphrase`; the function is called only for an encrypted key.

    Raises `KeyFileError` if the key cannot be used, and `PassphraseRequired` if it is encrypted and no passphrase was
    given. Warns with `KeyFileWarning` if other users can read or change the file.
    """
    text = _text_of(secret)
    if text is not None:
        return _opened(_inspected("the key text", text), passphrase)
    path = Path(os.path.expanduser(os.fspath(cast("str", secret))))  # noqa: PTH111 (Path's own raises without a home)
    key = _opened(_inspected(str(path), _read(path)), passphrase)
    _warn_if_open(path)
    return key


@without_frames
def find_private_key(
    fingerprint: str, directory: str | os.PathLike[str] = "~/.ssh", passphrase: PassphraseSource = None
) -> PrivateKey:
    """Find the private key with `fingerprint` (MD5 or ``SHA256:``) in a directory, and load it.

    It reads the ``.pub`` files first, and then the public parts of private keys: OpenSSH's format has the public half
    unencrypted. An encrypted PEM file without a ``.pub`` is tried only with a passphrase given as a string, so that
    nobody is asked for the passphrases of other keys.

    Raises `KeyFileError` if there is no such key; the text lists the files that could not be checked.
    """
    if not is_fingerprint(fingerprint):
        raise KeyFileError(f"{fingerprint!r} is not the fingerprint of a key, as shown by: ssh-keygen -l -E md5 -f KEY")
    folder = Path(os.path.expanduser(os.fspath(directory)))  # noqa: PTH111 (Path's own raises without a home)
    files, notes = _files(folder), list[str]()
    candidates = chain(_siblings(files, fingerprint, notes), _by_contents(files, fingerprint, passphrase, notes))
    for path in candidates:
        key = _opened(_inspected(str(path), _read(path)), passphrase)
        if matches(key.public_blob, fingerprint):
            _warn_if_open(path)
            return key
        notes.append(f"{path.name}.pub has it, but is not the public half of {path.name}")
    raise KeyFileError("; ".join([f"no private key in {folder} has the fingerprint {fingerprint}", *notes]))


def prompt_passphrase(name: str) -> str:
    """Ask for the passphrase of the key `name` on the terminal; `PassphraseRequired` if there is no terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise PassphraseRequired(f"{name} is encrypted, and there is no terminal to ask for its passphrase")
    return getpass.getpass(f"Passphrase for {name}: ")


def _text_of(secret: KeySource) -> bytes | None:
    """Return the key's text if `secret` is not a path; a public key is text too, and is refused later."""
    if isinstance(secret, bytes):
        return secret
    if isinstance(secret, str) and ("\n" in secret or _TEXT.match(secret)):
        return secret.encode("utf-8", "replace")
    return None


def _read(path: Path) -> bytes:
    """Read a key file; refuse one that is too long or not a regular file, since it might never end."""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_FILE:
            return path.read_bytes()
    except (FileNotFoundError, ValueError) as error:
        let_pass(error)
        advice = ended_emulator(path) or "give a key's path or its whole text"
        raise KeyFileError(f"there is no file {_shown(path)}; {advice}") from None
    except OSError as error:
        let_pass(error)
        raise KeyFileError(f"{_shown(path)} cannot be read: {error.strerror}") from None
    if stat.S_ISDIR(status.st_mode):
        raise KeyFileError(f"{path} is a directory; name the key file in it")
    raise KeyFileError(f"{path} is not a private key: not a regular file, or too large")


def _shown(path: Path) -> str:
    """Return a path for an error, unless it might be the text of a key without its first line."""
    return "(not shown, since it looks like key text)" if _BARE_BASE64.fullmatch(str(path)) else repr(str(path))


def _warn_if_open(path: Path) -> None:
    if os.name == "posix" and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        text = f"the private key {path} is open to other users (mode {mode:04o}); close it with: chmod 600 {path}"
        warnings.warn(text, KeyFileWarning, stacklevel=4)


def _inspected(name: str, text: bytes) -> _KeyFile:
    """Return the key of a file before it is decrypted; KeyFileError if it is not a private key."""
    label = _READABLE.search(text)
    if label is None:
        what = next(what for pattern, what in _UNREADABLE if re.search(pattern, text))
        raise KeyFileError(f"{name} is {what}")
    if label[1] == b"OPENSSH PRIVATE KEY":
        is_encrypted, blob = _envelope(name, text)
        return _KeyFile(name, text, is_openssh=True, is_encrypted=is_encrypted, public_blob=blob)
    is_encrypted = label[1].startswith(b"ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in text
    return _KeyFile(name, text, is_openssh=False, is_encrypted=is_encrypted, public_blob=None)


def _envelope(name: str, text: bytes) -> tuple[bool, bytes]:
    """Read the unencrypted part of OpenSSH's format: the public key, and whether the rest is encrypted."""
    found = _OPENSSH.search(text)
    try:
        data = base64.b64decode(found[1] if found else b"").removeprefix(b"openssh-key-v1\0")
        cipher, place = read_string(data)
        for _ in range(2):  # the key derivation and its options
            _, place = read_string(data, place)
        blob, _ = read_string(data, place + 4)  # after the number of keys
    except ValueError:
        raise KeyFileError(f"{name} is a damaged OpenSSH private key") from None
    return cipher != b"none", blob


def _opened(file: _KeyFile, passphrase: PassphraseSource) -> PrivateKey:
    """Decrypt and parse a key, unless its public part already shows that it cannot be used."""
    try:
        if file.public_blob is not None:
            algorithm_of(file.public_blob)
        key = PrivateKey(_parsed(file, _password_for(file, passphrase)))
        if file.public_blob in {None, key.public_blob}:
            return key
    except PassphraseRequired:
        raise
    except KeyFileError as error:
        raise KeyFileError(f"{file.name} cannot be used: {error}") from error.__cause__
    raise KeyFileError(f"{file.name} cannot be used: {_TORN}")


def _parsed(file: _KeyFile, password: bytes | None) -> object:
    load = serialization.load_ssh_private_key if file.is_openssh else serialization.load_pem_private_key
    try:
        return load(file.text, password, unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm as error:
        raise KeyFileError(_unsupported(str(error))) from None
    except (TypeError, ValueError) as error:
        let_pass(error)
        why = "the passphrase is wrong, or it is damaged" if file.is_encrypted else "it is damaged"
        raise KeyFileError(why) from None


def _password_for(file: _KeyFile, passphrase: PassphraseSource) -> bytes | None:
    if not file.is_encrypted:
        return None
    password = _asked(passphrase, file.name) if callable(passphrase) else passphrase
    if not password:
        raise PassphraseRequired(f"{file.name} is encrypted; give passphrase=, or add the key to an ssh-agent")
    return password.encode("utf-8", "surrogateescape") if isinstance(password, str) else password


def _asked(passphrase: Callable[[str], str | bytes | None], name: str) -> str | bytes | None:
    """Call the passphrase function; its errors are raised without our frames, whose local variables have the key."""
    try:
        return passphrase(name)
    except SmartDCError:
        raise
    except Exception as error:
        let_pass(error)
        raise KeyFileError(f"the passphrase callback failed: {type(error).__name__}: {error}") from error


def _unsupported(reason: str) -> str:
    if "bcrypt" in reason:
        return "encrypted OpenSSH keys need the package bcrypt: pip install 'cryptography[ssh]'"
    return f"cryptography cannot read it ({reason}); ssh-keygen -p -Z aes256-ctr -f KEY may write it so that it can"


def _public_blob(key: object) -> bytes:
    """Return the public half in SSH's wire format, or raise KeyFileError for a kind that cannot sign here."""
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        raise KeyFileError(f"CloudAPI does not know keys of its kind ({type(key).__name__}); use RSA, ECDSA or Ed25519")
    try:
        line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    except ValueError:
        raise KeyFileError("CloudAPI does not know keys of its curve; use P-256, P-384, P-521 or Ed25519") from None
    return public_blob_of(line.decode())


def _files(folder: Path) -> dict[str, Path]:
    try:
        return {path.name: path for path in sorted(folder.iterdir())}
    except OSError as error:
        let_pass(error)
        raise KeyFileError(f"{folder} cannot be searched for keys: {error.strerror}") from None


def _siblings(files: dict[str, Path], fingerprint: str, notes: list[str]) -> Iterator[Path]:
    """Find private keys by the ``.pub`` files next to them."""
    for path in files.values():
        if path.suffix == ".pub" and _is_public_half(path, fingerprint):
            if path.stem in files:
                yield files[path.stem]
            else:
                notes.append(f"{path.name} has it, but {path.stem} is not there: is that key in an ssh-agent?")


def _is_public_half(path: Path, fingerprint: str) -> bool:
    try:
        return matches(public_blob_of(_read(path).decode("utf-8", "replace")), fingerprint)
    except KeyFileError:
        return False


def _by_contents(
    files: dict[str, Path], fingerprint: str, passphrase: PassphraseSource, notes: list[str]
) -> Iterator[Path]:
    """Find private keys by their public parts, or by decrypting them without asking anybody."""
    silent = None if callable(passphrase) else passphrase
    for path in files.values():
        with suppress(KeyFileError):
            file = _inspected(str(path), _read(path))
            if file.is_encrypted and file.public_blob is None and f"{path.name}.pub" not in files:
                notes.append(f"{path.name} is encrypted and has no .pub file to tell which key it is")
            if matches(file.public_blob or _opened(file, silent).public_blob, fingerprint):
                yield path
