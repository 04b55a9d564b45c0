"""`smartdc.auth.agent`: with a real ssh-agent, and with agents that are dead, silent, locked or mad."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from kits.signing import KEY_ID, KINDS, PASSPHRASE, KeyFile, prepared, run
from smartdc.auth import agent as agent_module
from smartdc.auth.agent import Agent, AgentKey
from smartdc.auth.signing import HTTPSignatureAuth
from smartdc.auth.ssh_key import md5_fingerprint, public_blob_of
from smartdc.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kits.signing import KeyShelf, Verifier

pytest_plugins = ("kits.signing_fixtures",)

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")

SHORT = 0.2
"""Seconds of patience with agents that will not answer."""


def packed(data: bytes) -> bytes:
    """Write one string of SSH's wire format."""
    return len(data).to_bytes(4, "big") + data


def number(value: int) -> bytes:
    """Write one positive number of SSH's wire format."""
    return packed(value.to_bytes(value.bit_length() // 8 + 1, "big"))


class RealAgent:
    """An ssh-agent in a process of its own."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.path = str(folder / "agent")
        self.environment = {**os.environ, "SSH_AUTH_SOCK": self.path, **(environment or {})}
        self.process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", self.path], env=self.environment, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()  # it prints where it listens, once it does

    def add(self, file: KeyFile, *options: str) -> None:
        """Add a key."""
        self.do("-q", *options, str(file.path))

    def do(self, *arguments: str) -> None:
        """Run ssh-add."""
        subprocess.run(["ssh-add", *arguments], env=self.environment, check=True, capture_output=True)

    def lock(self) -> None:
        """Lock it, as ssh-add -x does after asking for a password."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(self.path)
            peer.sendall(packed(b"\x16" + packed(b"password")))
            assert peer.recv(5) == b"\0\0\0\1\6"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def sockets() -> Iterator[Path]:
    """A directory with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="agent-") as folder:
        yield Path(folder)


@pytest.fixture
def folder(sockets: Path) -> Path:
    """An empty directory in it."""
    return Path(tempfile.mkdtemp(dir=sockets))


@pytest.fixture(scope="module")
def full_agent(sockets: Path, key_of: KeyShelf) -> Iterator[RealAgent]:
    """An agent with a key of every kind."""
    folder = sockets / "full"
    folder.mkdir()
    with RealAgent(folder) as agent:
        for kind in KINDS:
            agent.add(key_of(kind))
        yield agent


@pytest.fixture
def empty_agent(folder: Path) -> Iterator[RealAgent]:
    """An agent without keys."""
    with RealAgent(folder) as agent:
        yield agent


class FakeAgent:
    """A socket that answers each message as a function says, in a thread.

    The function is given the message without its length and returns the bytes to send back, or None to send
    nothing and keep the line open.
    """

    def __init__(self, path: Path, answer: Callable[[bytes], bytes | None]) -> None:
        self.path = str(path)
        self.answer = answer
        self.messages: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._open.append(peer)
                with suppress(OSError):
                    self._converse(peer)

    def _converse(self, peer: socket.socket) -> None:
        size = int.from_bytes(peer.recv(4, socket.MSG_WAITALL), "big")
        self.messages.append(peer.recv(size, socket.MSG_WAITALL))
        reply = self.answer(self.messages[-1])
        if reply is not None:
            peer.sendall(reply)
            peer.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for peer in self._open:
            peer.close()


@contextmanager
def agent_that_says(folder: Path, reply: bytes | None) -> Iterator[str]:
    """Run an agent with one answer to everything, and give its path."""
    with FakeAgent(folder / "agent", lambda _: reply) as fake:
        yield fake.path


def listing(*keys: tuple[bytes, bytes]) -> bytes:
    """Write an agent's answer that lists keys and comments."""
    body = b"".join(packed(blob) + packed(comment) for blob, comment in keys)
    return packed(b"\x0c" + len(keys).to_bytes(4, "big") + body)


def signed(signature_type: bytes, signature: bytes) -> bytes:
    """Write an agent's answer that is a signature."""
    return packed(b"\x0e" + packed(packed(signature_type) + packed(signature)))


def failure_of(path: str | None, timeout: float = 5) -> str:
    """Return the words with which the keys of an agent cannot be listed."""
    with pytest.raises(AgentError) as caught:
        Agent(path, timeout).keys()
    return str(caught.value)


# A real ssh-agent.


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ecdsa-384"])
@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_cloudapis_verifier_accepts_the_agents_signatures(
    kind: str, algorithm: str, full_agent: RealAgent, key_of: KeyShelf, verifier: Verifier
) -> None:
    """A key of every kind is found by either fingerprint, and signs what CloudAPI's verifier accepts."""
    file = key_of(kind)
    key = Agent(full_agent.path).find(file.fingerprint(algorithm))

    verdict = verifier.verdict_on(prepared(HTTPSignatureAuth(KEY_ID, key)), file.public_line)

    assert verdict["ok"]


def test_many_signatures_of_each_kind_are_accepted(full_agent: RealAgent, key_of: KeyShelf, verifier: Verifier) -> None:
    """Numbers with zeros at their head, one signature in 256, are written right, too."""
    for kind in ("rsa-2048", "ecdsa-256", "ecdsa-521"):
        file = key_of(kind)
        auth = HTTPSignatureAuth(KEY_ID, Agent(full_agent.path).find(file.fingerprint()))
        requests = [prepared(auth, url=f"https://cloudapi.example/my/{i}") for i in range(100)]

        assert all(verifier.verdict_on(request, file.public_line)["ok"] for request in requests)


def test_the_agents_keys_are_listed(full_agent: RealAgent, key_of: KeyShelf) -> None:
    """All keys that can sign for CloudAPI are listed, with their comments."""
    keys = Agent(full_agent.path).keys()

    usable = [kind for kind in KINDS if kind != "ecdsa-384"]
    assert [key.comment for key in keys] == [f"{kind} of a test" for kind in usable]
    assert [key.public_blob for key in keys] == [public_blob_of(key_of(kind).public_line) for kind in usable]


def test_a_p384_key_is_refused_with_the_reason(full_agent: RealAgent, key_of: KeyShelf) -> None:
    """An agent signs P-384 over SHA-384, which CloudAPI does not verify; nothing is sent that would fail."""
    with pytest.raises(AgentError, match="signs P-384 keys with SHA-384 only, which CloudAPI refuses; name the key"):
        Agent(full_agent.path).find(key_of("ecdsa-384").fingerprint())


def test_a_p384_key_made_by_hand_is_refused(full_agent: RealAgent, key_of: KeyShelf) -> None:
    """Going around `find` ends in a refusal, too, and not in a signature that is no use."""
    key = AgentKey(public_blob_of(key_of("ecdsa-384").public_line), "", full_agent.path, 5)

    with pytest.raises(AgentError, match="cannot be used: an agent signs P-384"):
        _ = key.algorithm
    with pytest.raises(AgentError, match="did not return a usable signature"):
        key.sign(b"data")


def test_the_agent_of_the_environment_is_used(full_agent: RealAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path, SSH_AUTH_SOCK says where the agent is."""
    monkeypatch.setenv("SSH_AUTH_SOCK", full_agent.path)

    assert len(Agent().keys()) == 5


def test_a_path_object_will_do(full_agent: RealAgent) -> None:
    """The path of the socket may be a `Path`."""
    assert len(Agent(Path(full_agent.path)).keys()) == 5


def test_an_agents_key_signs_in_threads(full_agent: RealAgent, key_of: KeyShelf) -> None:
    """Each signature has a connection of its own, so threads do not mix them up."""
    key = Agent(full_agent.path).find(key_of("ed25519").fingerprint())
    data = [str(i).encode() for i in range(64)]
    expected = [key.sign(d) for d in data]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(key.sign, data)) == expected


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda key: pickle.loads(pickle.dumps(key))],  # noqa: S301 (our own pickle)
)
def test_an_agents_key_may_be_duplicated(
    duplicate: Callable[[AgentKey], AgentKey], full_agent: RealAgent, key_of: KeyShelf
) -> None:
    """There is no secret in it; a copy signs, also in another process."""
    key = Agent(full_agent.path).find(key_of("ed25519").fingerprint())

    assert duplicate(key) == key
    assert duplicate(key).sign(b"data") == key.sign(b"data")


def test_repr_shows_which_key_it_is(full_agent: RealAgent, key_of: KeyShelf) -> None:
    """Fingerprint, type and comment tell a key from others."""
    fingerprint = key_of("ed25519").fingerprint().removeprefix("MD5:")

    key = Agent(full_agent.path).find(fingerprint)

    assert repr(key) == f"AgentKey({fingerprint} (ssh-ed25519, 'ed25519 of a test'))"


def test_an_encrypted_key_signs_once_added(
    empty_agent: RealAgent, folder: Path, key_of: KeyShelf, verifier: Verifier
) -> None:
    """The agent opens an encrypted key once, after which no passphrase is needed."""
    script = folder / "askpass"
    script.write_text(f"#!/bin/sh\necho '{PASSPHRASE}'\n")
    script.chmod(0o700)
    empty_agent.environment |= {"SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force"}
    file = key_of("ecdsa-256", "pkcs8", encrypted=True)
    empty_agent.add(file)

    key = Agent(empty_agent.path).find(file.fingerprint())

    assert verifier.verdict_on(prepared(HTTPSignatureAuth(KEY_ID, key)), file.public_line)["ok"]


def test_an_empty_agent_has_no_keys(empty_agent: RealAgent) -> None:
    """Listing the keys of an empty agent gives none."""
    assert Agent(empty_agent.path).keys() == []


@pytest.mark.parametrize("locked", [False, True])
def test_an_empty_or_locked_agent_says_both(locked: bool, empty_agent: RealAgent, key_of: KeyShelf) -> None:
    """A locked agent shows no keys, as an empty one does; the error names both reasons."""
    if locked:
        empty_agent.add(key_of("ed25519"))
        empty_agent.lock()

    with pytest.raises(AgentError, match=r"shows no keys: it is empty \(ssh-add\) or locked \(ssh-add -X\)"):
        Agent(empty_agent.path).find(key_of("ed25519").fingerprint())


def test_a_key_that_is_not_there_is_told_with_those_that_are(empty_agent: RealAgent, key_of: KeyShelf) -> None:
    """The error lists fingerprint, type and comment of what the agent has."""
    here, wanted = key_of("ed25519"), key_of("rsa-2048").fingerprint()
    empty_agent.add(here)

    with pytest.raises(AgentError) as caught:
        Agent(empty_agent.path).find(wanted)

    listed = f"{here.fingerprint().removeprefix('MD5:')} (ssh-ed25519, 'ed25519 of a test')"
    assert str(caught.value) == f"the ssh-agent at {empty_agent.path} has no key {wanted}; it has {listed}"


@pytest.mark.parametrize("text", ["", "laptop"])
def test_what_is_no_fingerprint_is_told(text: str, full_agent: RealAgent) -> None:
    """A name in place of a fingerprint is an error of its own."""
    with pytest.raises(AgentError, match=r"is not the fingerprint of a key; ssh-add -l shows those"):
        Agent(full_agent.path).find(text)


def test_a_key_that_was_locked_away_does_not_sign(empty_agent: RealAgent, key_of: KeyShelf) -> None:
    """When the agent was locked after the key was found, signing fails with the possible reasons."""
    empty_agent.add(key_of("ed25519"))
    key = Agent(empty_agent.path).find(key_of("ed25519").fingerprint())
    empty_agent.lock()

    with pytest.raises(AgentError, match=r"refused to sign with .* it was locked, the key was removed, or its use was"):
        key.sign(b"data")


def test_a_key_whose_use_was_not_confirmed_does_not_sign(folder: Path, key_of: KeyShelf) -> None:
    """When somebody has to confirm each use and does not, signing fails with the possible reasons."""
    with RealAgent(folder, {"SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force"}) as agent:
        agent.add(key_of("ed25519"), "-c")
        key = Agent(agent.path).find(key_of("ed25519").fingerprint())

        with pytest.raises(AgentError, match="refused to sign"):
            key.sign(b"data")


def test_a_certificate_is_not_used(folder: Path, key_of: KeyShelf) -> None:
    """When the agent has only the certificate of the key that was asked for, the error says so."""
    for kind in ("rsa-2048", "ecdsa-256", "ed25519"):
        file = key_of(kind)
        blob = certificate_of(file, key_of("ecdsa-521"), folder)
        with agent_that_says(Path(tempfile.mkdtemp(dir=folder)), listing((blob, b"of a host"))) as path:
            assert Agent(path).keys() == []
            with pytest.raises(
                AgentError, match=r"cert-v01@openssh.com is a certificate, which CloudAPI does not know"
            ):
                Agent(path).find(file.fingerprint())


def certificate_of(file: KeyFile, authority: KeyFile, folder: Path) -> bytes:
    """Have ssh-keygen sign a key."""
    key = folder / file.path.name
    key.with_name(f"{key.name}.pub").write_text(file.public_line)
    run("ssh-keygen", "-q", "-s", authority.path, "-I", "of a test", "-n", "root", f"{key}.pub")
    return public_blob_of(key.with_name(f"{key.name}-cert.pub").read_text())


def test_a_key_is_found_beside_its_certificate(folder: Path, key_of: KeyShelf) -> None:
    """ssh-add adds both; the key is the one that is used, whichever comes first."""
    file = key_of("ed25519")
    plain = public_blob_of(file.public_line)
    certificate = certificate_of(file, key_of("ecdsa-521"), folder)

    with agent_that_says(folder, listing((certificate, b""), (plain, b"plain"))) as path:
        assert Agent(path).find(file.fingerprint()).comment == "plain"


@pytest.mark.parametrize(
    ("key_type", "reason"),
    [
        (b"sk-ssh-ed25519@openssh.com", "hardware token"),
        (b"ssh-dss", "DSA keys are too weak"),
        (b"ssh-rsa-cert-v01@openssh.com", "certificate"),
    ],
)
def test_keys_that_cloudapi_cannot_verify_are_passed_over(key_type: bytes, reason: str, folder: Path) -> None:
    """Such keys are not listed, and asking for one is answered with the reason."""
    blob = packed(key_type) + packed(b"key")

    with agent_that_says(folder, listing((blob, b"token"))) as path:
        assert Agent(path).keys() == []
        with pytest.raises(AgentError, match=reason):
            Agent(path).find(md5_fingerprint(blob))


def test_a_comment_cannot_play_with_the_terminal(folder: Path) -> None:
    """Control characters and broken text in a comment are shown as question marks."""
    with (
        agent_that_says(folder, listing((packed(b"ssh-ed25519"), b"a\x1b[2J\n\xff"))) as path,
        pytest.raises(AgentError, match=r"'a\?\[2J\?\ufffd'"),
    ):
        Agent(path).find("MD5:" + ":".join(["00"] * 16))


# Agents that are not there.


def test_without_a_socket_in_the_environment_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable and what to do."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    with pytest.raises(AgentError, match="SSH_AUTH_SOCK is not set: start an ssh-agent"):
        Agent()


@pytest.mark.parametrize("name", ["none", "no\0ne"])
def test_a_missing_socket_is_told(name: str, folder: Path) -> None:
    """An agent that has ended properly leaves no socket; the error names its path."""
    words = failure_of(f"{folder}/{name}")

    assert words == f"there is no ssh-agent at {f'{folder}/{name}'!r}: no such socket; SSH_AUTH_SOCK is out of date"


def test_a_file_in_place_of_a_socket_is_told(folder: Path) -> None:
    """A file is no socket."""
    (folder / "file").touch()

    assert failure_of(f"{folder}/file") == f"there is no ssh-agent at {folder}/file: not a socket"


def test_a_dead_agent_is_told(folder: Path) -> None:
    """An agent that was killed leaves its socket, at which nobody listens."""
    with RealAgent(folder) as agent:
        pass

    assert failure_of(agent.path).startswith(f"no ssh-agent listens at {agent.path}: it has ended")


def test_another_kind_of_socket_is_told(folder: Path) -> None:
    """Whatever else the system says is passed on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(f"{folder}/datagrams")

        assert f"cannot talk to the ssh-agent at {folder}/datagrams: Protocol wrong type for socket" in failure_of(
            f"{folder}/datagrams"
        )


def test_the_agent_of_another_user_is_not_spoken_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket of another user, who could answer as they please, is refused before it is connected."""
    owner = os.geteuid()
    with FakeAgent(folder / "agent", lambda _: listing()) as fake:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

        assert failure_of(fake.path) == (
            f"the ssh-agent socket {fake.path} belongs to another user (uid {owner}); not used"
        )
        assert fake.messages == []


def test_a_system_without_unix_sockets_is_told(full_agent: RealAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no Unix sockets there is no agent, and a key file has to do."""
    monkeypatch.delattr(socket, "AF_UNIX")

    assert "this system has no Unix sockets" in failure_of(full_agent.path)


# Agents that do not answer.


def within(seconds: float, started: float) -> bool:
    """Tell whether less than `seconds` have passed."""
    return time.monotonic() - started < seconds


def test_a_stopped_agent_is_not_waited_for(empty_agent: RealAgent) -> None:
    """An agent that hangs is given up at the deadline."""
    os.kill(empty_agent.process.pid, signal.SIGSTOP)
    started = time.monotonic()

    words = failure_of(empty_agent.path, SHORT)

    assert within(2, started)
    assert words == (
        f"the ssh-agent at {empty_agent.path} did not answer within 0.2 s; is it waiting for a confirmation, or stopped?"
    )


def test_a_stopped_agent_is_not_waited_for_when_signing(empty_agent: RealAgent, key_of: KeyShelf) -> None:
    """The same holds for a signature."""
    empty_agent.add(key_of("ed25519"))
    key = Agent(empty_agent.path, SHORT).find(key_of("ed25519").fingerprint())
    os.kill(empty_agent.process.pid, signal.SIGSTOP)
    started = time.monotonic()

    with pytest.raises(AgentError, match=r"did not answer within 0\.2 s"):
        key.sign(b"data")

    assert within(2, started)


def test_a_dribbling_agent_does_not_stretch_the_deadline(folder: Path) -> None:
    """An answer that comes a byte at a time has one deadline as a whole."""
    path, given_up = f"{folder}/agent", threading.Event()

    def dribble() -> None:
        peer, _ = listener.accept()
        with peer, suppress(OSError):
            for byte in listing((bytes(10_000), b"")):
                peer.send(bytes([byte]))
                given_up.wait(0.02)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=dribble)
        thread.start()
        started = time.monotonic()

        assert "did not answer within 0.2 s" in failure_of(path, SHORT)

        assert within(2, started)
        given_up.set()
        thread.join()


def test_no_time_at_all_is_told(full_agent: RealAgent) -> None:
    """A deadline that has passed already is a time-out, and not an endless wait."""
    assert "did not answer within 0 s" in failure_of(full_agent.path, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a call is refused as if nobody listened")
def test_an_agent_that_takes_no_more_callers_is_told(folder: Path) -> None:
    """When the queue of callers is full, the error says so at once."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/agent")
        listener.listen(0)
        callers = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            with suppress(BlockingIOError):
                caller.connect(f"{folder}/agent")

        words = failure_of(f"{folder}/agent", SHORT)
        for caller in callers:
            caller.close()

    assert words == f"the ssh-agent at {folder}/agent accepts no more connections; is it stopped?"


# Agents that answer nonsense.


@pytest.mark.parametrize(
    "reply",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        (256 * 1024 + 1).to_bytes(4, "big") + b"\x0c",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        packed(b"\x0c"),
        packed(b"\x0c\0\0\0\1"),
        packed(b"\x0c\xff\xff\xff\xff"),
        packed(b"\x0c\0\0\0\1" + packed(b"key")),
        packed(b"\x0c\0\0\0\1" + packed(b"key") + b"\0\0\1\0comment"),
    ],
)
def test_an_agent_that_talks_nonsense_is_told(reply: bytes, folder: Path) -> None:
    """An answer that is malformed or too long is refused, at once and without reading it all."""
    with agent_that_says(folder, reply) as path:
        assert "malformed or oversized response from the ssh-agent; is it an ssh-agent?" in failure_of(path)


@pytest.mark.parametrize("reply", [b"", b"\0\0", packed(b"\x0c\0\0\0\0")[:-1]])
def test_an_agent_that_hangs_up_is_told(reply: bytes, folder: Path) -> None:
    """An answer that breaks off is told as such."""
    with agent_that_says(folder, reply) as path:
        assert f"the ssh-agent at {path} closed the connection in the middle of a response" in failure_of(path)


def test_a_long_answer_is_read_whole(folder: Path) -> None:
    """An answer just within the limit is read, however many pieces it comes in."""
    blob = packed(b"ssh-ed25519") + bytes(200_000)
    with agent_that_says(folder, listing((blob, b"long"))) as path:
        keys = Agent(path).keys()

    assert [key.comment for key in keys] == ["long"]


@pytest.mark.parametrize("kind", [b"\5", b"\x0e", b"\x63"])
def test_an_agent_that_does_not_list_its_keys_is_told(kind: bytes, folder: Path) -> None:
    """A failure, or another answer than was asked for, is told."""
    with agent_that_says(folder, packed(kind)) as path:
        assert f"refused to list its keys (message type {kind[0]})" in failure_of(path)


def signing_with(blob: bytes, folder: Path, reply: bytes) -> bytes:
    """Sign with a key of an agent that gives `reply`."""
    with agent_that_says(folder, reply) as path:
        return AgentKey(blob, "", path, 5).sign(b"data")


RSA = packed(b"ssh-rsa") + packed(b"\1\0\1") + packed(b"\0" + b"\xff" * 256)
P256 = packed(b"ecdsa-sha2-nistp256") + packed(b"nistp256") + packed(b"\4" + bytes(64))
ED25519 = packed(b"ssh-ed25519") + packed(bytes(32))


@pytest.mark.parametrize(
    ("blob", "signature"),
    [
        (RSA, signed(b"ssh-rsa", bytes(256))),
        (RSA, signed(b"rsa-sha2-512", bytes(256))),
        (P256, signed(b"ssh-ed25519", bytes(64))),
        (ED25519, signed(b"ssh-rsa", bytes(64))),
    ],
    ids=["SHA-1", "SHA-512", "another type", "yet another"],
)
def test_another_kind_of_signature_is_refused(blob: bytes, signature: bytes, folder: Path) -> None:
    """An agent that ignores the SHA-2 flag, or signs with another key, is found out here."""
    with pytest.raises(AgentError, match=r"did not return a \S+ signature; it may be too old"):
        signing_with(blob, folder, signature)


@pytest.mark.parametrize(
    ("blob", "reply"),
    [
        (ED25519, packed(b"\x0e")),
        (ED25519, packed(b"\x0e" + packed(b""))),
        (ED25519, packed(b"\x0e" + packed(packed(b"\xff") + packed(b"")))),
        (ED25519, signed(b"ssh-ed25519", bytes(63))),
        (ED25519, signed(b"ssh-ed25519", b"")),
        (RSA, signed(b"rsa-sha2-256", bytes(257))),
        (RSA, signed(b"rsa-sha2-256", b"")),
        (packed(b"ssh-rsa"), signed(b"rsa-sha2-256", bytes(256))),
        (P256, signed(b"ecdsa-sha2-nistp256", b"")),
        (P256, signed(b"ecdsa-sha2-nistp256", number(1))),
        (P256, signed(b"ecdsa-sha2-nistp256", packed(b"") + number(1))),
        (P256, signed(b"ecdsa-sha2-nistp256", number(1) + number(1) + b"\0")),
    ],
)
def test_a_malformed_signature_is_refused(blob: bytes, reply: bytes, folder: Path) -> None:
    """A signature of the wrong length or shape never goes out."""
    with pytest.raises(AgentError, match="malformed"):
        signing_with(blob, folder, reply)


def test_zeros_that_an_agent_left_out_are_put_back(folder: Path) -> None:
    """An RSA signature is as long as its modulus, though some agents leave out zeros at its head."""
    assert signing_with(RSA, folder, signed(b"rsa-sha2-256", b"\1" * 254)) == b"\0\0" + b"\1" * 254


def test_sha2_is_asked_for_with_rsa_only(folder: Path) -> None:
    """The request has the flag for SHA-256 with an RSA key, and no flag with others."""
    replies = {RSA: signed(b"rsa-sha2-256", b"\1" * 256), ED25519: signed(b"ssh-ed25519", b"\1" * 64)}
    with FakeAgent(folder / "agent", lambda message: replies[RSA if b"ssh-rsa" in message else ED25519]) as fake:
        for blob in (RSA, ED25519):
            AgentKey(blob, "", fake.path, 5).sign(b"data")

    assert fake.messages == [
        b"\x0d" + packed(RSA) + packed(b"data") + b"\0\0\0\2",
        b"\x0d" + packed(ED25519) + packed(b"data") + b"\0\0\0\0",
    ]


positive = st.integers(1, 2**521 - 1)


@given(positive, positive)
def test_ecdsa_signatures_are_der_as_others_write_it(r: int, s: int) -> None:
    """Two numbers in SSH's form become the DER that `cryptography` writes, whatever their size."""
    minimal = b"".join(packed(n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in (r, s))

    assert agent_module._der(minimal) == encode_dss_signature(r, s)


def test_nothing_of_it_needs_cryptography() -> None:
    """Whoever signs with an agent does not pay for importing `cryptography`."""
    code = "import sys, smartdc.auth.agent; print('cryptography' in sys.modules)"

    assert run(sys.executable, "-c", code) == "False\n"
