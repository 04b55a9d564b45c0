"""Every kind of key through the whole client: keys that ssh-keygen and openssl made, an account that knows them.

The emulator judges the signatures with code of its own. That npm's http-signature takes them too is shown in
`test_private_key.py` and `test_agent.py`.
"""

from __future__ import annotations

import inspect
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kits.agent import SSHAgent
from kits.signing import CASES, KINDS, PASSPHRASE, KeyFile, KeyShelf
from smartdc import AgentError, DataCenter, InvalidCredentials, KeyFileError, PassphraseRequired
from smartdc.auth.agent import Agent, AgentKey
from smartdc.auth.identity import Identity
from smartdc.auth.private_key import PrivateKey
from smartdc.emulator import Emulator, Server, VirtualClock

pytest_plugins = ("kits.signing_fixtures",)

Environment = pytest.MonkeyPatch

ALGORITHMS = ("md5", "sha256")
IN_AGENTS = [
    (kind, form, encrypted)
    for kind, form, encrypted in CASES
    if kind != "ecdsa-384"  # agents sign it over SHA-384 only, which CloudAPI does not verify
    and (kind, form) != ("ed25519", "pkcs8")  # ssh-add knows that since OpenSSH 9.6 only
]
needs_agent = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """A directory with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="agent-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def running_agent(sockets: Path) -> Iterator[SSHAgent]:
    """An ssh-agent."""
    with SSHAgent(sockets) as agent:
        yield agent


@pytest.fixture
def agent(running_agent: SSHAgent, environment: Environment) -> SSHAgent:
    """The ssh-agent of the environment, without keys."""
    running_agent.clear()
    environment.setenv("SSH_AUTH_SOCK", running_agent.path)
    return running_agent


@pytest.fixture
def ssh_folder() -> Path:
    """An empty ~/.ssh."""
    folder = Path("~/.ssh").expanduser()
    folder.mkdir(mode=0o700)
    return folder


def cloud_of(file: KeyFile) -> Emulator:
    """Make a cloud whose account has the public half of a key."""
    return Emulator(clock=VirtualClock(), public_key=file.public_line)


def client(cloud: Emulator, file: KeyFile, algorithm: str = "md5", url: str | None = None, **key: Any) -> DataCenter:
    """Make a client that knows the key by its fingerprint only, as ssh-keygen writes it."""
    return DataCenter(**{**cloud.connection(url), "key_id": file.fingerprint(algorithm)}, **key)


def put(file: KeyFile, path: Path, *, public: bool = False) -> Path:
    """Copy a key, with its public half beside it if that is wanted."""
    shutil.copyfile(file.path, path)
    path.chmod(0o600)
    if public:
        path.with_name(f"{path.name}.pub").write_text(file.public_line)
    return path


def assert_accepted(cloud: Emulator, dc: DataCenter) -> None:
    """Make a call without a body and one with; the cloud takes both at the first try."""
    assert dc.account().login == "demo"
    assert dc.update_account(phone="123").phone == "123"
    assert [(asked.operation, asked.status) for asked in cloud.trace] == [("GetAccount", 200), ("UpdateAccount", 200)]


# A key that is named by its path.


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("kind", "form", "encrypted"), CASES)
def test_key_file(key_of: KeyShelf, kind: str, form: str, encrypted: bool, algorithm: str) -> None:
    """Every kind of key in every format, encrypted or not, signs what CloudAPI takes."""
    file = key_of(kind, form, encrypted)
    cloud = cloud_of(file)
    with client(cloud, file, algorithm, secret=file.path, passphrase=file.passphrase) as dc:
        assert_accepted(cloud, dc)


@pytest.mark.parametrize("kind", KINDS)
def test_key_text(key_of: KeyShelf, kind: str) -> None:
    """The text of a key does as well as its path."""
    file = key_of(kind)
    cloud = cloud_of(file)
    with client(cloud, file, secret=file.path.read_text()) as dc:
        assert_accepted(cloud, dc)


@pytest.mark.parametrize("kind", KINDS)
def test_key_over_http(key_of: KeyShelf, kind: str) -> None:
    """What is signed is what a server at the other end of a connection gets to see."""
    file = key_of(kind)
    cloud = cloud_of(file)
    with Server(cloud) as server, client(cloud, file, url=server.url, secret=file.path) as dc:
        assert_accepted(cloud, dc)


@pytest.mark.parametrize("kind", KINDS)
def test_key_that_the_account_does_not_have(key_of: KeyShelf, kind: str) -> None:
    """A cloud that knows another key only refuses the signature, once and for all."""
    file, other = key_of(kind), key_of("ed25519" if kind.startswith("ecdsa") else "ecdsa-256")
    cloud = cloud_of(other)
    with client(cloud, file, secret=file.path) as dc, pytest.raises(InvalidCredentials):
        dc.account()
    assert [asked.status for asked in cloud.trace] == [401]


@pytest.mark.parametrize("kind", KINDS)
def test_key_under_the_id_of_another(key_of: KeyShelf, kind: str) -> None:
    """Somebody else's key id with one's own signature is refused by the cloud's check of the signature itself."""
    file, other = key_of(kind), key_of("ed25519" if kind.startswith("ecdsa") else "ecdsa-256")
    cloud = cloud_of(other)
    cloud.state.accounts["demo"].keys["laptop"] = cloud.state.accounts["demo"].keys.popitem()[1]
    stranger = {**cloud.connection(), "key_id": "/demo/keys/laptop", "secret": file.path}
    with DataCenter(**stranger) as dc, pytest.raises(InvalidCredentials):
        dc.account()
    with DataCenter(**{**stranger, "secret": other.path}) as dc:
        assert dc.account().login == "demo"


# A key that an ssh-agent holds.


@needs_agent
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("kind", "form", "encrypted"), IN_AGENTS)
def test_key_in_the_agent(
    agent: SSHAgent, key_of: KeyShelf, kind: str, form: str, encrypted: bool, algorithm: str
) -> None:
    """Without a secret the agent signs, with whatever key was added to it, and no passphrase is asked for."""
    file = key_of(kind, form, encrypted)
    agent.add(file)
    cloud = cloud_of(file)
    with client(cloud, file, algorithm) as dc:
        assert_accepted(cloud, dc)
        assert isinstance(signer_of(dc), AgentKey)


@needs_agent
def test_p384_key_in_the_agent(agent: SSHAgent, key_of: KeyShelf, ssh_folder: Path) -> None:
    """A P-384 key is of no use in the agent, which is told; where its file is in ``~/.ssh``, that signs."""
    file = key_of("ecdsa-384")
    agent.add(file)
    cloud = cloud_of(file)
    with client(cloud, file) as dc, pytest.raises(KeyFileError, match="SHA-384 only, which CloudAPI refuses"):
        dc.account()
    put(file, ssh_folder / "curved")
    with client(cloud, file) as dc:
        assert_accepted(cloud, dc)


@needs_agent
@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519"])
def test_key_that_left_the_agent(agent: SSHAgent, key_of: KeyShelf, kind: str) -> None:
    """A key that is taken out of the agent between two calls is told as such."""
    file = key_of(kind)
    agent.add(file)
    with client(cloud_of(file), file) as dc:
        dc.account()
        agent.clear()
        with pytest.raises(AgentError, match=r"refused to sign with .*: it was locked, the key was removed"):
            dc.packages()


# A key that is looked for.


@pytest.mark.parametrize("public", [True, False], ids=["with-pub", "without-pub"])
@pytest.mark.parametrize(("kind", "form", "encrypted"), CASES)
def test_key_in_the_folder(
    ssh_folder: Path, key_of: KeyShelf, kind: str, form: str, encrypted: bool, public: bool
) -> None:
    """Without a secret and an agent, the file in ``~/.ssh`` with that fingerprint is found, whatever it is called."""
    file = key_of(kind, form, encrypted)
    put(key_of("rsa-2048" if kind == "ed25519" else "ed25519"), ssh_folder / "another", public=True)
    put(file, ssh_folder / "no usual name", public=public)
    (ssh_folder / "known_hosts").write_text("host.example ssh-ed25519 AAAA\n")
    cloud = cloud_of(file)
    with client(cloud, file, "sha256", passphrase=file.passphrase) as dc:
        assert_accepted(cloud, dc)


@needs_agent
def test_agent_comes_before_the_folder(agent: SSHAgent, ssh_folder: Path, key_of: KeyShelf) -> None:
    """Where both have the key, the agent signs; `allow_agent` leaves it out."""
    file = key_of("ed25519")
    agent.add(file)
    put(file, ssh_folder / "id_ed25519")
    cloud = cloud_of(file)
    with client(cloud, file) as dc:
        assert isinstance(signer_of(dc), AgentKey)
        assert_accepted(cloud, dc)
    with client(cloud, file, allow_agent=False) as dc:
        assert isinstance(signer_of(dc), PrivateKey)


@needs_agent
def test_folder_is_looked_into_when_the_agent_has_other_keys(
    agent: SSHAgent, ssh_folder: Path, key_of: KeyShelf
) -> None:
    """An agent with keys of somebody else is no obstacle."""
    file = key_of("ed25519")
    agent.add(key_of("ecdsa-256"))
    put(file, ssh_folder / "id_ed25519")
    cloud = cloud_of(file)
    with client(cloud, file) as dc:
        assert_accepted(cloud, dc)


def test_encrypted_key_in_the_folder(ssh_folder: Path, key_of: KeyShelf) -> None:
    """An encrypted key that is found is told to need its passphrase; a function is asked for it, once and by name."""
    file = key_of("ed25519", "openssh", encrypted=True)
    path = put(file, ssh_folder / "id_ed25519")
    put(key_of("ecdsa-256", "openssh", encrypted=True), ssh_folder / "id_ecdsa", public=True)
    asked: list[str] = []

    def ask(name: str) -> str:
        asked.append(name)
        return PASSPHRASE

    cloud = cloud_of(file)
    with client(cloud, file) as dc, pytest.raises(PassphraseRequired, match="id_ed25519 is encrypted; give passphrase"):
        dc.account()
    with client(cloud, file, passphrase=ask) as dc:
        assert_accepted(cloud, dc)
    assert asked == [str(path)]


@needs_agent
def test_agent_is_asked_in_spite_of_a_secret(agent: SSHAgent, key_of: KeyShelf, tmp_path: Path) -> None:
    """With ``allow_agent=True`` the agent counts over a secret, which need not even be there."""
    file = key_of("ed25519")
    agent.add(file)
    cloud = cloud_of(file)
    with client(cloud, file, secret=tmp_path / "missing", allow_agent=True) as dc:
        assert_accepted(cloud, dc)
    agent.clear()
    with client(cloud, file, secret=file.path, allow_agent=True) as dc:
        assert dc.account().login == "demo"


# An agent that does not help.


def failure_of(dc: DataCenter) -> str:
    """Return the words of the typed error of a first call, for which nothing was sent."""
    with dc, pytest.raises((AgentError, KeyFileError)) as caught:
        dc.account()
    return str(caught.value)


@pytest.fixture
def short_lived(environment: Environment) -> Iterator[SSHAgent]:
    """An ssh-agent of the environment that a test may kill, lock or stop."""
    with tempfile.TemporaryDirectory(prefix="agent-") as folder, SSHAgent(Path(folder)) as agent:
        environment.setenv("SSH_AUTH_SOCK", agent.path)
        yield agent


@needs_agent
def test_dead_agent(short_lived: SSHAgent, key_of: KeyShelf) -> None:
    """A socket that its agent left behind is told, and nothing is sent."""
    file = key_of("ed25519")
    cloud = cloud_of(file)
    short_lived.add(file)
    short_lived.end()
    words = failure_of(client(cloud, file))
    assert f"no ssh-agent listens at {short_lived.path}: it has ended; SSH_AUTH_SOCK is out of date" in words
    assert cloud.trace == []


@needs_agent
def test_locked_agent(short_lived: SSHAgent, key_of: KeyShelf) -> None:
    """An agent that was locked with ``ssh-add -x`` shows no keys, which is told."""
    file = key_of("ed25519")
    cloud = cloud_of(file)
    short_lived.add(file)
    short_lived.lock()
    assert "shows no keys: it is empty (ssh-add) or locked (ssh-add -X)" in failure_of(client(cloud, file))
    assert cloud.trace == []


@needs_agent
def test_agent_that_is_locked_between_two_calls(short_lived: SSHAgent, key_of: KeyShelf) -> None:
    """An agent that was locked after the key was found refuses to sign, which is told at the next call."""
    file = key_of("rsa-2048")
    cloud = cloud_of(file)
    short_lived.add(file)
    dc = client(cloud, file)
    dc.account()
    short_lived.lock()
    dc.session.clock.sleep(1)
    assert "refused to sign with" in failure_of(dc)
    assert len(cloud.trace) == 1


def test_agent_s_patience() -> None:
    """A conversation with an agent has ten seconds, unless somebody says otherwise."""
    assert inspect.signature(Identity).parameters["agent_timeout"].default == 10
    assert Agent("/no/agent").timeout == 10


@needs_agent
@pytest.mark.parametrize("found", [False, True], ids=["looking-for-the-key", "signing"])
def test_agent_that_stalls(short_lived: SSHAgent, key_of: KeyShelf, found: bool) -> None:
    """An agent that does not answer is given up after its time, whether it is to list its keys or to sign."""
    file = key_of("ed25519")
    cloud = cloud_of(file)
    short_lived.add(file)
    identity = Identity(file.fingerprint(), account="demo", agent_timeout=0.2)
    if found:
        identity.signer()
    os.kill(short_lived.process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    words = failure_of(DataCenter(**without_key(cloud.connection()), auth=identity))
    assert time.monotonic() - begun < 5
    assert "did not answer within 0.2 s; is it waiting for a confirmation, or stopped?" in words
    assert cloud.trace == []


@needs_agent
def test_agent_that_stalls_is_no_obstacle(short_lived: SSHAgent, ssh_folder: Path, key_of: KeyShelf) -> None:
    """When the agent was given up, the key is looked for in the folder all the same."""
    file = key_of("ed25519")
    put(file, ssh_folder / "id_ed25519")
    cloud = cloud_of(file)
    os.kill(short_lived.process.pid, signal.SIGSTOP)
    identity = Identity(file.fingerprint(), account="demo", agent_timeout=0.2)
    with DataCenter(**without_key(cloud.connection()), auth=identity) as dc:
        assert_accepted(cloud, dc)


def without_key(connection: dict[str, Any]) -> dict[str, Any]:
    """Return what says where a cloud is, and nothing of a key."""
    return {name: value for name, value in connection.items() if name not in {"key_id", "secret"}}


def signer_of(dc: DataCenter) -> object:
    """Return what signs for a client."""
    assert isinstance(dc.auth, Identity)
    return dc.auth.signer()
