"""SSH keys of the account: listing, reading, adding and removing them."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kits.cloud import account, sent
from smartdc import DataCenter, InvalidArgument, InvalidCredentials, Key, KeyFileError
from smartdc.emulator import Emulator


def public_line(comment: str = "") -> str:
    """Return the public half of a new key, as OpenSSH writes it."""
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{public} {comment}".strip()


@pytest.fixture
def laptop(dc: DataCenter) -> Key:
    """A second key of the account, called laptop."""
    return dc.add_key("laptop", public_line())


def test_keys(dc: DataCenter, laptop: Key, cloud: Emulator) -> None:
    """``ListKeys`` gives every key of the account."""
    keys = dc.keys()
    assert sent(cloud, "ListKeys") == ("GET", "keys", {})
    assert [key.name for key in keys] == list(account(cloud).keys)
    assert laptop in keys


def test_ssh_keys(dc: DataCenter, laptop: Key) -> None:
    """``ListKeys`` has a second name, which users share, whose ``keys`` are those of a mapping."""
    assert dc.ssh_keys() == dc.keys()
    assert laptop in dc.ssh_keys()


@pytest.mark.parametrize("form", ["name", "fingerprint", "dict", "dict with a fingerprint", "resource"])
def test_key(dc: DataCenter, laptop: Key, cloud: Emulator, form: str) -> None:
    """``GetKey`` gives a key by its name or MD5 fingerprint."""
    given: Any = {
        "name": "laptop",
        "fingerprint": laptop.fingerprint,
        "dict": {"name": "laptop"},
        "dict with a fingerprint": {"fingerprint": laptop.fingerprint},
        "resource": laptop,
    }[form]
    assert dict(dc.key(given)) == dict(laptop)
    method, path, body = sent(cloud, "GetKey")
    assert (method, body) == ("GET", {})
    assert path in {"keys/laptop", "keys/" + laptop.fingerprint.replace(":", "%3A")}


def test_add_key(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateKey`` adds a public key under a name, and returns it with its fingerprint."""
    line = public_line("bob@läptop")
    key = dc.add_key("bob's key", line)
    assert sent(cloud, "CreateKey") == ("POST", "keys", {"name": "bob's key", "key": line})
    there = account(cloud).keys["bob's key"]
    assert (key.name, key.public_key, key.fingerprint) == ("bob's key", there.public.text, there.public.fingerprint)


def test_add_key_as_bytes(dc: DataCenter, cloud: Emulator) -> None:
    """A key may be given as a file of it was read, as bytes."""
    line = public_line("bob@läptop")
    assert dc.add_key("laptop", line.encode()).public_key == line
    assert sent(cloud, "CreateKey")[2]["key"] == line


def test_bytes_that_are_no_text(dc: DataCenter, cloud: Emulator) -> None:
    """Bytes that are no UTF-8 are no public key, and are not quoted, since they may be a private one."""
    with pytest.raises(KeyFileError, match="not a public key: these bytes are not UTF-8 text"):
        dc.add_key("laptop", b"\xff\xfesecret")
    assert not cloud.trace


@pytest.mark.parametrize("given", ["path", "text", "home"])
def test_add_key_from_its_file(dc: DataCenter, cloud: Emulator, tmp_path: Path, given: str) -> None:
    """The path of a public key's file does as well; without a name CloudAPI takes the comment."""
    line = public_line("bob-laptop")
    folder = Path.home() if given == "home" else tmp_path
    file = folder / "id_ed25519.pub"
    file.write_text(f"{line}\n")
    source: Any = {"path": file, "text": str(file), "home": "~/id_ed25519.pub"}[given]

    assert dc.add_key(source).name == "bob-laptop"
    assert sent(cloud, "CreateKey")[2] == {"key": line}
    dc.delete_key("bob-laptop")
    assert dc.add_key("laptop", source).public_key == line
    file.unlink()


def private_keys() -> dict[str, bytes]:
    """Return private keys in the formats that people have them in."""
    key, none = Ed25519PrivateKey.generate(), NoEncryption()
    rsa_key = rsa.generate_private_key(65537, 2048)
    pem = {name: (Encoding.PEM, getattr(PrivateFormat, name)) for name in ("OpenSSH", "PKCS8", "TraditionalOpenSSL")}
    found = {name: rsa_key.private_bytes(*how, none) for name, how in pem.items()}
    found["encrypted"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    found["DER"] = rsa_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, none)
    found["PuTTY"] = b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\nAAAAIC\n"
    found["SSH2"] = b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n"
    found["SSH1"] = b"SSH PRIVATE KEY FILE FORMAT 1.1\n\0\0"
    body = b"".join(found["OpenSSH"].splitlines()[1:-1])
    found["without its first line"] = body
    found["behind a public key"] = public_line().encode() + b"\n" + body
    found["in a comment"] = public_line().encode() + b" " + body
    found["a long line of its middle"] = b"A" * 300
    found["in two lines"] = public_line().encode() + b"\n" + found["PKCS8"].splitlines()[1]
    return found


@pytest.mark.parametrize(
    ("kind", "secret"), private_keys().items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_private_key_is_refused(dc: DataCenter, cloud: Emulator, tmp_path: Path, kind: str, secret: bytes) -> None:
    """Its text, its bytes and its file, before a byte is sent; the error quotes nothing of it."""
    file = tmp_path / "id_rsa"
    file.write_bytes(secret)
    sources: list[Any] = [secret, file, str(file)]
    if kind != "DER":
        sources.append(secret.decode())
    for source in sources:
        with pytest.raises(KeyFileError) as refusal:
            dc.add_key("laptop", source)
        text = "".join(traceback.format_exception(refusal.value))
        assert not any(line.decode("latin-1") in text for line in secret.split() if len(line) > 20)
    assert not cloud.trace


def test_a_private_key_is_told_from_other_nonsense(dc: DataCenter, tmp_path: Path) -> None:
    """Whoever forgot the ending is told so, and so is who mistyped it."""
    file = tmp_path / "id_rsa"
    file.write_bytes(private_keys()["OpenSSH"])
    with pytest.raises(KeyFileError, match=rf"{file} is a private key, .* give its public key: {file}\.pub"):
        dc.add_key(file)
    with pytest.raises(KeyFileError, match=r"id_dsa\.pub cannot be read: No such file"):
        dc.add_key(str(tmp_path / "id_dsa.pub"))
    with pytest.raises(KeyFileError, match=r"~nobody-here/id_rsa\.pub cannot be read: No such file"):
        dc.add_key("~nobody-here/id_rsa.pub")
    with pytest.raises(KeyFileError, match="is not the path of a file"):
        dc.add_key(Path("id_rsa\0.pub"))
    with pytest.raises(KeyFileError, match="more than 65,536 bytes"):
        dc.add_key(Path("/dev/zero"))
    with pytest.raises(KeyFileError, match="cannot be read: Is a directory"):
        dc.add_key(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("as_text", [False, True])
def test_a_pipe_is_not_waited_for(dc: DataCenter, cloud: Emulator, tmp_path: Path, as_text: bool) -> None:
    """Nobody may ever write to it."""
    pipe = tmp_path / "id_rsa.pub"
    os.mkfifo(pipe)
    with pytest.raises(KeyFileError, match=r"id_rsa\.pub is a pipe, and reading it may never end"):
        dc.add_key("laptop", str(pipe) if as_text else pipe)
    assert not cloud.trace


def test_add_key_a_second_time(dc: DataCenter, laptop: Key) -> None:
    """``CreateKey`` refuses a key that the account has."""
    with pytest.raises(InvalidArgument, match="already exists"):
        dc.add_key("other", laptop.public_key)


@pytest.mark.parametrize("by", ["name", "fingerprint", "dict", "dict with a fingerprint", "resource", "method"])
def test_delete_key(dc: DataCenter, laptop: Key, cloud: Emulator, by: str) -> None:
    """``DeleteKey`` removes a key, given by name, fingerprint or resource, or as a method of the key."""
    given: Any = {
        "name": "laptop",
        "fingerprint": laptop.fingerprint,
        "dict": {"name": "laptop"},
        "dict with a fingerprint": {"fingerprint": laptop.fingerprint},
    }.get(by, laptop)
    laptop.delete() if by == "method" else dc.delete_key(given)
    assert sent(cloud, "DeleteKey")[0] == "DELETE"
    assert "laptop" not in account(cloud).keys


def test_delete_the_key_that_signs(dc: DataCenter, cloud: Emulator) -> None:
    """After ``DeleteKey`` of one's own key nothing is answered any more."""
    dc.delete_key(dc.keys()[0])
    assert account(cloud).keys == {}
    with pytest.raises(InvalidCredentials):
        dc.keys()


def test_path_is_quoted(dc: DataCenter) -> None:
    """A key's address has its name as one segment."""
    assert Key(dc, data={"name": "bob's a/b"}).path == "keys/bob%27s%20a%2Fb"
