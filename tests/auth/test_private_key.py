"""`smartdc.auth.private_key`: every kind of key in every format, and what is said when one cannot be used."""

from __future__ import annotations

import base64
import copy
import logging
import os
import pickle
import shutil
import subprocess
import sys
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_ssh_public_key, ssh

from kits.signing import CASES, KEY_ID, PASSPHRASE, KeyFile, prepared, run
from smartdc.auth.private_key import KeyFileWarning, PrivateKey, find_private_key, load_private_key, prompt_passphrase
from smartdc.auth.signing import HTTPSignatureAuth
from smartdc.auth.ssh_key import matches, md5_fingerprint, public_blob_of
from smartdc.errors import KeyFileError, PassphraseRequired

if TYPE_CHECKING:
    from collections.abc import Callable

    from kits.signing import KeyShelf, Verifier

pytest_plugins = ("kits.signing_fixtures",)

WRONG_PASSPHRASE = "falsches Pferd"
ALGORITHMS = {
    "rsa-2048": "rsa-sha256",
    "rsa-4096": "rsa-sha256",
    "ecdsa-256": "ecdsa-sha256",
    "ecdsa-384": "ecdsa-sha512",
    "ecdsa-521": "ecdsa-sha512",
    "ed25519": "ed25519-sha512",
}


@pytest.fixture
def key_file(key_of: KeyShelf) -> KeyFile:
    """An Ed25519 key, not encrypted."""
    return key_of("ed25519")


@pytest.fixture
def locked_file(key_of: KeyShelf) -> KeyFile:
    """An Ed25519 key, encrypted."""
    return key_of("ed25519", encrypted=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty directory for keys."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    return folder


def put(file: KeyFile, folder: Path, name: str, *, public: bool = True) -> Path:
    """Copy a key into a directory under `name`, with or without its public half."""
    path = folder / name
    shutil.copy(file.path, path)
    if public:
        path.with_name(f"{name}.pub").write_text(file.public_line)
    return path


# Every kind of key.


@pytest.mark.parametrize(("kind", "form", "encrypted"), CASES)
def test_cloudapis_verifier_accepts_every_kind_of_key(
    kind: str, form: str, encrypted: bool, key_of: KeyShelf, verifier: Verifier
) -> None:
    """Each kind, in each format, plain or encrypted, signs what CloudAPI's verifier accepts."""
    file = key_of(kind, form, encrypted)
    key = load_private_key(file.path, file.passphrase)

    verdict = verifier.verdict_on(prepared(HTTPSignatureAuth(KEY_ID, key)), file.public_line)

    assert (verdict["ok"], verdict["algorithm"]) == (True, ALGORITHMS[kind])


@pytest.mark.parametrize(("kind", "form", "encrypted"), CASES)
def test_the_public_half_is_the_one_ssh_keygen_knows(kind: str, form: str, encrypted: bool, key_of: KeyShelf) -> None:
    """The public key that comes with a private one is that of its .pub file."""
    file = key_of(kind, form, encrypted)

    assert load_private_key(file.path, file.passphrase).public_blob == public_blob_of(file.public_line)


@pytest.mark.parametrize(
    "command",
    [
        ("openssl", "rsa", "-traditional", "-des3", "-passout", "pass:PASS", "-in", "KEY", "-out", "OUT"),
        ("openssl", "pkcs8", "-topk8", "-v2", "des3", "-passout", "pass:PASS", "-in", "KEY", "-out", "OUT"),
        ("openssl", "pkcs8", "-topk8", "-scrypt", "-passout", "pass:PASS", "-in", "KEY", "-out", "OUT"),
        (
            "openssl",
            "pkcs8",
            "-topk8",
            "-v2prf",
            "hmacWithSHA512",
            "-passout",
            "pass:PASS",
            "-in",
            "KEY",
            "-out",
            "OUT",
        ),
    ],
    ids=["PEM 3DES", "PKCS8 3DES", "PKCS8 scrypt", "PKCS8 SHA-512"],
)
def test_encryption_by_openssl_is_opened(command: tuple[str, ...], key_of: KeyShelf, tmp_path: Path) -> None:
    """Other ways in which openssl encrypts a key are opened, too."""
    plain, path = key_of("rsa-2048", "pem"), tmp_path / "key"
    words = {"KEY": str(plain.path), "OUT": str(path), "pass:PASS": f"pass:{PASSPHRASE}"}
    run(*(words.get(word, word) for word in command))
    path.chmod(0o600)

    assert load_private_key(path, PASSPHRASE).public_blob == public_blob_of(plain.public_line)


@pytest.mark.parametrize("cipher", ["aes256-cbc", "aes256-gcm@openssh.com"])
def test_encryption_by_ssh_keygen_is_opened(cipher: str, key_file: KeyFile, folder: Path) -> None:
    """Other ciphers of ssh-keygen are opened, too."""
    path = put(key_file, folder, "key")
    run("ssh-keygen", "-q", "-p", "-a", "1", "-Z", cipher, "-P", "", "-N", PASSPHRASE, "-f", path)

    assert load_private_key(path, PASSPHRASE).public_blob == public_blob_of(key_file.public_line)


def test_a_p384_signature_is_verified_by_openssl_with_sha512(key_of: KeyShelf, tmp_path: Path) -> None:
    """A P-384 key signs over SHA-512, as openssl sees it, since CloudAPI refuses SHA-384."""
    file = key_of("ecdsa-384", "pkcs8")
    signature, data, public = tmp_path / "signature", tmp_path / "data", tmp_path / "public"
    data.write_bytes(b"data")
    signature.write_bytes(load_private_key(file.path).sign(b"data"))
    public.write_text(run("openssl", "pkey", "-in", file.path, "-pubout"))

    said = run("openssl", "dgst", "-sha512", "-verify", public, "-signature", signature, data)

    assert said == "Verified OK\n"


def test_a_key_signs_in_threads(key_of: KeyShelf) -> None:
    """One key may be shared by threads."""
    key = load_private_key(key_of("rsa-2048").path)
    expected = key.sign(b"data")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: key.sign(b"data"), range(200))) == {expected}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_key_signs_after_a_fork(key_of: KeyShelf) -> None:
    """A child process signs with the key that its parent loaded, and with randomness of its own."""
    file = key_of("ecdsa-256")
    code = (
        "import os, sys; from smartdc.auth.private_key import load_private_key\n"
        "key = load_private_key(sys.argv[1]); key.sign(b'data')\n"
        "child = os.fork()\n"
        "if child: os.waitpid(child, 0)\n"
        "sys.stdout.write(key.sign(b'data').hex() + '\\n'); sys.stdout.flush()\n"
    )

    signatures = [bytes.fromhex(line) for line in run(sys.executable, "-c", code, file.path).split()]

    public: Any = load_ssh_public_key(file.public_line.encode())
    assert len(set(signatures)) == 2
    for signature in signatures:
        public.verify(signature, b"data", ECDSA(SHA256()))


# Where a key comes from.


def test_a_key_is_loaded_from_a_path_as_text(key_file: KeyFile) -> None:
    """A path may be a string."""
    assert load_private_key(str(key_file.path)).public_blob == public_blob_of(key_file.public_line)


def test_a_tilde_is_the_home_directory(key_file: KeyFile, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is expanded, as people write it."""
    monkeypatch.setenv("HOME", str(folder))
    put(key_file, folder, "key")

    assert load_private_key("~/key").public_blob == public_blob_of(key_file.public_line)


@pytest.mark.parametrize(
    "change",
    [
        str,
        str.encode,
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", " "),
        "\n \n{}".format,
        "\ufeff{}".format,
    ],
)
@pytest.mark.parametrize(("kind", "form"), [("ed25519", "openssh"), ("ecdsa-256", "pem"), ("rsa-2048", "pkcs8")])
def test_a_key_is_loaded_from_its_text(
    kind: str, form: str, change: Callable[[str], str | bytes], key_of: KeyShelf
) -> None:
    """A key's text will do instead of a path: text or bytes, with any line ends or none, with blanks or a mark before it."""
    file = key_of(kind, form)

    key = load_private_key(change(file.path.read_text()))

    assert key.public_blob == public_blob_of(file.public_line)


def test_openssls_parameters_before_an_ec_key_do_no_harm(tmp_path: Path) -> None:
    """The curve, which openssl ecparam writes before the key, is passed over."""
    path = tmp_path / "key"
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", path)

    assert path.read_text().startswith("-----BEGIN EC PARAMETERS")
    assert load_private_key(path.read_text()).algorithm == "ecdsa-sha256"


# Passphrases.


@pytest.mark.parametrize("passphrase", [PASSPHRASE, PASSPHRASE.encode(), lambda _: PASSPHRASE], ids=type)
def test_a_passphrase_is_text_bytes_or_a_function(passphrase: Any, locked_file: KeyFile) -> None:
    """An encrypted key is opened by either form of the passphrase."""
    assert load_private_key(locked_file.path, passphrase).algorithm == "ed25519-sha512"


def test_a_passphrase_that_is_no_utf8_is_used_as_it_was_given(key_file: KeyFile, folder: Path) -> None:
    """A passphrase from a variable of the environment that is in another encoding keeps its bytes."""
    path = put(key_file, folder, "key")
    subprocess.run(["ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", b"B\xe4tterie", "-f", path], check=True)

    assert load_private_key(path, os.fsdecode(b"B\xe4tterie")).algorithm == "ed25519-sha512"


def test_the_function_is_told_which_key_it_is(locked_file: KeyFile) -> None:
    """Whoever asks for the passphrase can say for which key."""
    asked = []

    load_private_key(locked_file.path, lambda name: asked.append(name) or PASSPHRASE)  # type: ignore[func-returns-value]

    assert asked == [str(locked_file.path)]


@pytest.mark.parametrize(("kind", "form"), [("ed25519", "openssh"), ("rsa-2048", "pem"), ("ecdsa-256", "pkcs8")])
def test_nobody_is_asked_for_an_open_key(kind: str, form: str, key_of: KeyShelf) -> None:
    """A passphrase for a key that needs none is neither asked for nor an error."""
    path = key_of(kind, form).path

    load_private_key(path, lambda name: pytest.fail(f"asked for {name}"))
    load_private_key(path, PASSPHRASE)


@pytest.mark.parametrize("passphrase", [None, "", b"", lambda _: None], ids=["None", "text", "bytes", "function"])
@pytest.mark.parametrize(("kind", "form"), [("ed25519", "openssh"), ("rsa-2048", "pem"), ("ecdsa-256", "pkcs8")])
def test_an_encrypted_key_without_a_passphrase_says_so(passphrase: Any, kind: str, form: str, key_of: KeyShelf) -> None:
    """The error is one of its own, names the key, and says what to do."""
    path = key_of(kind, form, encrypted=True).path

    with pytest.raises(PassphraseRequired) as caught:
        load_private_key(path, passphrase)

    assert str(caught.value) == (f"{path} is encrypted; give passphrase=, or add the key to an ssh-agent")


@pytest.mark.parametrize(("kind", "form"), [("ed25519", "openssh"), ("rsa-2048", "pem"), ("ecdsa-256", "pkcs8")])
def test_a_wrong_passphrase_says_so(kind: str, form: str, key_of: KeyShelf) -> None:
    """The error tells a wrong passphrase from a missing one."""
    path = key_of(kind, form, encrypted=True).path

    with pytest.raises(KeyFileError, match="the passphrase is wrong") as caught:
        load_private_key(path, WRONG_PASSPHRASE)

    assert not isinstance(caught.value, PassphraseRequired)


def test_nobody_is_asked_without_a_terminal(locked_file: KeyFile) -> None:
    """Where there is no terminal, prompting is an error instead of a wait."""
    code = "import sys; from smartdc.auth.private_key import *; load_private_key(sys.argv[1], prompt_passphrase)"

    done = subprocess.run(
        [sys.executable, "-c", code, locked_file.path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "PassphraseRequired" in done.stderr
    assert f"{locked_file.path} is encrypted, and there is no terminal to ask for its passphrase" in done.stderr


@pytest.mark.parametrize("stdin", [None, "a file"])
def test_prompting_needs_a_terminal(stdin: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input that is closed or a file is no terminal."""
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open() as file:
        monkeypatch.setattr(sys, "stdin", stdin and file)

        with pytest.raises(PassphraseRequired, match="there is no terminal"):
            prompt_passphrase("the key")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_the_passphrase_is_asked_for_on_a_terminal(locked_file: KeyFile) -> None:
    """On a terminal the prompt names the key, and what is typed there opens it, unseen."""
    ours, theirs = os.openpty()
    code = "import sys; from smartdc.auth.private_key import *; print(load_private_key(sys.argv[1], prompt_passphrase).algorithm)"
    with subprocess.Popen(
        [sys.executable, "-c", code, locked_file.path],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that /dev/tty is not the terminal of whoever runs the tests
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert process.stderr is not None
        prompt = f"Passphrase for {locked_file.path}: ".encode()
        seen = process.stderr.read(len(prompt))
        os.write(ours, PASSPHRASE.encode() + b"\n")
        printed = process.stdout.read()
        os.close(ours)

    assert (seen, printed) == (prompt, b"ed25519-sha512\n")


def test_the_prompt_gives_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase is what the standard library's getpass reads."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed after {prompt!r}")

        assert prompt_passphrase("id") == "typed after 'Passphrase for id: '"
    os.close(ours)


# Keys that cannot be used.


def refusal_of(secret: Any, passphrase: str | None = None) -> str:
    """Return the words with which a key is refused."""
    with pytest.raises(KeyFileError) as caught:
        load_private_key(secret, passphrase)
    return str(caught.value)


def test_a_public_key_is_told_from_a_private_one(key_file: KeyFile) -> None:
    """The .pub file is the usual mistake; the error says which file to take."""
    path = key_file.path.with_name(key_file.path.name + ".pub")

    assert refusal_of(path) == (
        f"{path} is a public key; give the private one, usually the file of that name without .pub"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ssh-rsa AAAAB3NzaC1yc2E comment", "the key text is a public key"),
        ("ecdsa-sha2-nistp256 AAAAE2VjZHNh", "the key text is a public key"),
        ("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", "the key text is a public key"),
        ("-----BEGIN RSA PUBLIC KEY-----\nMCow\n-----END RSA PUBLIC KEY-----\n", "the key text is a public key"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "the key text is a public key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "convert it with: puttygen KEY.ppk"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "the key text is a certificate"),
        ("-----BEGIN DSA PRIVATE KEY-----\nMIIB\n-----END DSA PRIVATE KEY-----\n", "a DSA key, too weak"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "not a private key in a supported format"),
        ("Dear diary,\nwhat a day\n", "not a private key in a supported format"),
        ("", "not a private key in a supported format"),
        (b"", "not a private key in a supported format"),
        ("a\ud800\nb", "not a private key in a supported format"),
        (b"\xff\xfe\0", "not a private key in a supported format"),
    ],
)
def test_what_is_no_private_key_is_told_by_name(text: str | bytes, words: str) -> None:
    """The error says what was given instead of a private key."""
    assert words in refusal_of(text)


@pytest.mark.parametrize("label", ["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"])
def test_a_damaged_pem_key_is_told(label: str) -> None:
    """A key that cannot be parsed is damaged, and not a mystery of ASN.1."""
    text = f"-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n"

    assert refusal_of(text) == "the key text cannot be used: it is damaged"


@pytest.mark.parametrize("keep", [0, 1, 2, 4])
def test_a_damaged_openssh_key_is_told(keep: int, key_file: KeyFile) -> None:
    """OpenSSH's format is refused as damaged wherever it breaks off."""
    lines = key_file.path.read_text().splitlines()
    text = "\n".join([lines[0], *lines[1 : 1 + keep], lines[-1]])

    assert "damaged" in refusal_of(text)


def test_an_openssh_key_without_its_last_line_is_told(key_file: KeyFile) -> None:
    """A key that was cut off when it was pasted is damaged."""
    text = key_file.path.read_text().rpartition("-----END")[0]

    assert refusal_of(text) == "the key text is a damaged OpenSSH private key"


@pytest.mark.parametrize("kind", ["rsa-2048", "ecdsa-256", "ed25519"])
def test_halves_that_do_not_belong_together_are_told(kind: str, key_of: KeyShelf) -> None:
    """A key whose private half was damaged is refused when it is loaded, and not by CloudAPI later."""
    text = key_of(kind).path.read_text()
    blob = bytearray(base64.b64decode("".join(text.splitlines()[1:-1])))
    # Damage the last number of the private part in front of comment and padding: a factor, the scalar, the seed.
    blob[blob.rindex(f"{kind} of a test".encode()) - 40] ^= 1
    damaged = (
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{base64.encodebytes(blob).decode()}-----END OPENSSH PRIVATE KEY-----\n"
    )

    assert "damaged" in refusal_of(damaged)


@pytest.mark.parametrize("form", ["pem", "pkcs8"])
def test_a_scalar_that_does_not_belong_to_its_point_is_told(form: str, key_of: KeyShelf) -> None:
    """The same holds for ECDSA in PEM and PKCS#8, where the private number comes before the public point."""
    lines = key_of("ecdsa-256", form).path.read_text().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    der[der.index(b"\x04\x20") + 10] ^= 1
    damaged = "\n".join([lines[0], base64.b64encode(der).decode(), lines[-1], ""])

    assert "damaged" in refusal_of(damaged)


def test_rsa_numbers_that_do_not_belong_together_are_told() -> None:
    """The slow check of RSA primes is left out; one signature shows damage to the private half all the same."""
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1 + 2, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    )
    key = wrong.private_key(unsafe_skip_rsa_key_validation=True)

    with pytest.raises(KeyFileError, match="its public and private halves do not match"):
        PrivateKey(key)


@pytest.mark.parametrize(
    ("algorithm", "options", "words"),
    [
        ("x25519", (), "keys of its kind (X25519PrivateKey)"),
        ("ed448", (), "keys of its kind (Ed448PrivateKey)"),
        ("ec", ("-pkeyopt", "ec_paramgen_curve:secp256k1"), "keys of its curve"),
    ],
)
def test_kinds_that_cloudapi_does_not_know_are_told(algorithm: str, options: tuple[str, ...], words: str) -> None:
    """Other keys than RSA, ECDSA on NIST's curves and Ed25519 are refused with their kind."""
    text = run("openssl", "genpkey", "-algorithm", algorithm, *options)

    assert words in refusal_of(text)


def test_a_dsa_key_is_told(tmp_path: Path) -> None:
    """A DSA key in OpenSSH's format is refused with the reason."""
    path = tmp_path / "key"
    made = subprocess.run(["ssh-keygen", "-q", "-t", "dsa", "-N", "", "-f", path], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this ssh-keygen makes no DSA keys any more")

    assert "DSA keys are too weak to sign with" in refusal_of(path)


@pytest.mark.parametrize("type_", ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"])
def test_a_key_on_a_hardware_token_is_told(type_: str) -> None:
    """The file of a hardware key holds no key; the error says why it is of no use."""
    pieces = [b"none", b"none", b"", packed(type_.encode()), b"private part"]
    body = b"openssh-key-v1\0" + b"".join(map(packed, pieces[:3])) + b"\0\0\0\1" + b"".join(map(packed, pieces[3:]))
    text = (
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{base64.encodebytes(body).decode()}-----END OPENSSH PRIVATE KEY-----\n"
    )

    assert "hardware token, whose signatures CloudAPI cannot verify" in refusal_of(text)


def packed(data: bytes) -> bytes:
    """Write one string of SSH's wire format."""
    return len(data).to_bytes(4, "big") + data


def test_a_cipher_that_cryptography_does_not_know_is_told(key_file: KeyFile, folder: Path) -> None:
    """A key encrypted with ChaCha20 is refused by the name of the cipher."""
    path = put(key_file, folder, "key")
    cipher = "chacha20-poly1305@openssh.com"
    run("ssh-keygen", "-q", "-p", "-a", "1", "-Z", cipher, "-P", "", "-N", PASSPHRASE, "-f", path)

    assert cipher in refusal_of(path, PASSPHRASE)


def test_a_missing_bcrypt_is_told(locked_file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package bcrypt, the error says what to install."""

    def without_bcrypt(*_: object) -> bytes:
        raise UnsupportedAlgorithm("Need bcrypt module")

    monkeypatch.setattr(ssh, "_bcrypt_kdf", without_bcrypt)

    assert "need the package bcrypt: pip install 'cryptography[ssh]'" in refusal_of(locked_file.path, PASSPHRASE)


def test_a_missing_bcrypt_is_told_where_it_is_really_missing(locked_file: KeyFile) -> None:
    """The same holds in a Python that has no bcrypt."""
    code = (
        "import sys; sys.modules['bcrypt'] = None; from smartdc.auth.private_key import *\n"
        "load_private_key(sys.argv[1], sys.stdin.readline().strip())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, locked_file.path], input=PASSPHRASE, capture_output=True, text=True, check=False
    )

    assert "need the package bcrypt" in done.stderr


# Files that cannot be read.


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the path that is not there."""
    assert refusal_of(tmp_path / "id_none") == (
        f"there is no file '{tmp_path}/id_none'; give a key's path or its whole text"
    )


def test_a_directory_is_told(tmp_path: Path) -> None:
    """A directory in place of a file is told."""
    assert refusal_of(tmp_path) == f"{tmp_path} is a directory; name the key file in it"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The system's own reason is given."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert refusal_of(tmp_path / "loop") == f"'{tmp_path}/loop' cannot be read: Too many levels of symbolic links"


def test_a_path_with_a_nul_is_told() -> None:
    """A path that no file can have is refused like one that is not there."""
    assert "there is no file" in refusal_of("id\0rsa")


def test_a_file_too_long_for_a_key_is_not_read(tmp_path: Path) -> None:
    """A huge file given by mistake is not read into memory."""
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(1 << 40)

    assert refusal_of(path) == f"{path} is not a private key: not a regular file, or too large"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """What is no regular file might never end, and is refused."""
    os.mkfifo(tmp_path / "pipe")

    assert "not a regular file" in refusal_of(tmp_path / "pipe")


@pytest.mark.parametrize("length", [64, 400, 2000])
def test_key_text_taken_for_a_path_is_not_shown(length: int) -> None:
    """The body of a key without its first line is no path, and the error does not repeat it."""
    body = base64.b64encode(os.urandom(length)).decode()

    words = refusal_of(body)

    assert "not shown, since it looks like key text" in words
    assert body[:20] not in words


# File modes.


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_file_open_to_others_is_warned_about(mode: int, key_file: KeyFile, folder: Path) -> None:
    """The warning names file and mode, says what to do, and points at the caller."""
    path = put(key_file, folder, "key")
    path.chmod(mode)

    with pytest.warns(KeyFileWarning) as caught:
        load_private_key(path)

    assert str(caught[0].message) == (
        f"the private key {path} is open to other users (mode {mode:04o}); close it with: chmod 600 {path}"
    )
    assert caught[0].filename == __file__


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_closed_file_is_not_warned_about(mode: int, key_file: KeyFile, folder: Path) -> None:
    """What only its owner may use is as it should be."""
    path = put(key_file, folder, "key")
    path.chmod(mode)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_private_key(path)


def test_modes_are_not_looked_at_elsewhere(key_file: KeyFile, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where modes mean nothing, nobody is warned about them."""
    path = put(key_file, folder, "key")
    path.chmod(0o644)
    monkeypatch.setattr("smartdc.auth.private_key.os", _Elsewhere())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_private_key(path)


class _Elsewhere:
    """The module `os` of a system that is not POSIX."""

    name = "nt"

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


# Nothing leaks.


def test_repr_shows_kind_and_fingerprint(key_file: KeyFile) -> None:
    """A key shows what it is and which one it is."""
    fingerprint = key_file.fingerprint().removeprefix("MD5:")

    assert repr(load_private_key(key_file.path)) == f"PrivateKey(ssh-ed25519 {fingerprint})"


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_is_not_duplicated(duplicate: Callable[[object], object], key_file: KeyFile) -> None:
    """Pickling and copying are refused with words that say what to do."""
    with pytest.raises(TypeError, match="PrivateKey cannot be pickled or copied; load it again"):
        duplicate(load_private_key(key_file.path))


def test_a_key_keeps_neither_text_nor_passphrase(locked_file: KeyFile) -> None:
    """Beside the key object of `cryptography`, only public things are kept."""
    key = load_private_key(locked_file.path, PASSPHRASE)

    assert not hasattr(key, "__dict__")
    assert sorted(PrivateKey.__slots__) == ["_key", "_scheme", "algorithm", "public_blob"]


@pytest.mark.parametrize(("kind", "form"), [("ed25519", "openssh"), ("rsa-2048", "pem"), ("ecdsa-256", "pkcs8")])
def test_a_failure_shows_no_secret(kind: str, form: str, key_of: KeyShelf, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the error, nor its traceback with every local in it, nor the log shows passphrase or key text."""
    text = key_of(kind, form, encrypted=True).path.read_text()

    def attempt() -> BaseException:
        try:
            # In pieces, so that this frame does not hold what is looked for.
            load_private_key(text, WRONG_PASSPHRASE[:3] + WRONG_PASSPHRASE[3:])
        except KeyFileError as error:
            return error
        raise AssertionError

    with caplog.at_level(logging.DEBUG):
        error = attempt()

    frames = list(traceback.walk_tb(error.__traceback__))[1:]
    shown = repr([frame.f_locals for frame, _ in frames]) + "".join(traceback.format_exception(error)) + caplog.text
    assert error.__context__ is None
    assert error.__cause__ is None
    assert frames
    for secret in (WRONG_PASSPHRASE, text.splitlines()[4]):
        assert secret not in shown


# Finding a key by its fingerprint.


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize(("kind", "form", "encrypted"), CASES)
def test_a_key_is_found_by_the_pub_file_beside_it(
    algorithm: str, kind: str, form: str, encrypted: bool, key_of: KeyShelf, folder: Path
) -> None:
    """Whatever its format, a key with a .pub file is found by either fingerprint, and opened."""
    put(key_of("rsa-2048"), folder, "id_another")
    file = key_of(kind, form, encrypted)
    put(file, folder, "id.work")

    key = find_private_key(file.fingerprint(algorithm), folder, file.passphrase)

    assert key.public_blob == public_blob_of(file.public_line)


@pytest.mark.parametrize(("kind", "form", "encrypted"), CASES)
def test_a_key_is_found_without_a_pub_file(
    kind: str, form: str, encrypted: bool, key_of: KeyShelf, folder: Path
) -> None:
    """A key on its own is found by what it shows, or with the passphrase that was given for it."""
    file = key_of(kind, form, encrypted)
    put(file, folder, "key", public=False)

    assert matches(find_private_key(file.fingerprint(), folder, file.passphrase).public_blob, file.fingerprint())


def test_other_files_do_no_harm(key_file: KeyFile, folder: Path) -> None:
    """Directories, texts, broken links, pipes and certificates in the directory are passed over."""
    put(key_file, folder, "z", public=False)
    (folder / "config").write_text("Host *\n")
    (folder / "known_hosts").write_bytes(b"\xff\xfe")
    (folder / "a.pub").write_bytes(b"\xff\xfe")
    (folder / "broken").symlink_to(folder / "nowhere")
    (folder / "damaged").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n")
    (folder / "subdirectory.pub").mkdir()
    os.mkfifo(folder / "pipe")

    assert matches(find_private_key(key_file.fingerprint(), folder).public_blob, key_file.fingerprint())


def test_nobody_is_asked_for_the_passphrase_of_another_key(key_of: KeyShelf, folder: Path) -> None:
    """Among encrypted keys, only the one that was looked for is opened."""
    put(key_of("rsa-2048", "pem", encrypted=True), folder, "a_pem", public=False)
    put(key_of("ecdsa-256", "openssh", encrypted=True), folder, "b_openssh")
    wanted = key_of("ed25519", encrypted=True)
    path = put(wanted, folder, "c_wanted", public=False)
    asked = []

    find_private_key(wanted.fingerprint(), folder, lambda name: asked.append(name) or PASSPHRASE)  # type: ignore[func-returns-value]

    assert asked == [str(path)]


def test_a_found_key_that_is_encrypted_wants_its_passphrase(locked_file: KeyFile, folder: Path) -> None:
    """The key is named that has to be opened."""
    path = put(locked_file, folder, "id")

    with pytest.raises(PassphraseRequired, match=f"{path} is encrypted"):
        find_private_key(locked_file.fingerprint(), folder)


def test_a_found_key_open_to_others_is_warned_about(key_of: KeyShelf, key_file: KeyFile, folder: Path) -> None:
    """Only the key that is used is warned about, not those that were looked at."""
    put(key_of("ecdsa-256", "pem"), folder, "another", public=False).chmod(0o644)
    path = put(key_file, folder, "key", public=False)
    path.chmod(0o644)

    with pytest.warns(KeyFileWarning) as caught:
        find_private_key(key_file.fingerprint(), folder)

    assert [str(w.message).split(" is open")[0] for w in caught] == [f"the private key {path}"]
    assert caught[0].filename == __file__


def missing(fingerprint: str, folder: Path, passphrase: Any = None) -> str:
    """Return the words with which a key is not found."""
    with pytest.raises(KeyFileError) as caught:
        find_private_key(fingerprint, folder, passphrase)
    return str(caught.value)


def test_a_key_that_is_not_there_is_told(key_file: KeyFile, folder: Path) -> None:
    """The error names directory and fingerprint."""
    fingerprint = key_file.fingerprint()

    assert missing(fingerprint, folder) == f"no private key in {folder} has the fingerprint {fingerprint}"


def test_a_public_half_without_its_private_one_is_told(key_file: KeyFile, folder: Path) -> None:
    """When only the .pub file is there, the key may be in an agent."""
    (folder / "id_work.pub").write_text(key_file.public_line)

    words = missing(key_file.fingerprint(), folder)

    assert "id_work.pub has it, but id_work is not there: is that key in an ssh-agent?" in words


def test_a_public_half_of_another_key_is_told(key_file: KeyFile, key_of: KeyShelf, folder: Path) -> None:
    """A .pub file that was copied beside the wrong key does not make it the right one."""
    put(key_of("ecdsa-256"), folder, "id", public=False)
    (folder / "id.pub").write_text(key_file.public_line)

    assert "id.pub has it, but is not the public half of id" in missing(key_file.fingerprint(), folder)


def test_a_stale_public_half_does_not_hide_the_key(key_file: KeyFile, key_of: KeyShelf, folder: Path) -> None:
    """A key is found although the .pub file beside it is another's."""
    put(key_file, folder, "id", public=False)
    (folder / "id.pub").write_text(key_of("ecdsa-256").public_line)

    assert matches(find_private_key(key_file.fingerprint(), folder).public_blob, key_file.fingerprint())


@pytest.mark.parametrize(
    "passphrase", [None, WRONG_PASSPHRASE, lambda _: PASSPHRASE], ids=["none", "wrong", "function"]
)
def test_a_key_that_could_not_be_looked_into_is_told(passphrase: Any, key_of: KeyShelf, folder: Path) -> None:
    """An encrypted PEM file alone does not tell whose it is; the error says so."""
    file = key_of("rsa-2048", "pem", encrypted=True)
    put(file, folder, "old", public=False)

    words = missing(file.fingerprint(), folder, passphrase)

    assert "old is encrypted and has no .pub file to tell which key it is" in words


def test_an_encrypted_key_with_another_pub_file_is_not_mentioned(key_of: KeyShelf, folder: Path) -> None:
    """A key that is known to be another one is no hint."""
    put(key_of("rsa-2048", "pem", encrypted=True), folder, "old")

    assert "old" not in missing(key_of("ed25519").fingerprint(), folder).removeprefix(f"no private key in {folder}")


@pytest.mark.parametrize("text", ["", "laptop", "/demo/keys/laptop"])
def test_what_is_no_fingerprint_is_told(text: str, folder: Path) -> None:
    """A name in place of a fingerprint is an error of its own."""
    assert "is not the fingerprint of a key, as shown by: ssh-keygen -l -E md5" in missing(text, folder)


def test_a_missing_directory_is_told(key_file: KeyFile, folder: Path) -> None:
    """The directory that cannot be searched is named, with the system's reason."""
    words = missing(key_file.fingerprint(), folder / "none")

    assert words == f"{folder}/none cannot be searched for keys: No such file or directory"


def test_the_directory_is_that_of_ssh(key_file: KeyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told, ~/.ssh is searched."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    put(key_file, tmp_path / ".ssh", "id_ed25519")

    key = find_private_key(key_file.fingerprint())

    assert md5_fingerprint(key.public_blob) == key_file.fingerprint().removeprefix("MD5:")
