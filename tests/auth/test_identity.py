"""Who signs, with which key, and where the key was found."""

from __future__ import annotations

import pickle
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from smartdc import AgentError, ConfigError, DataCenter, KeyFileError
from smartdc.auth.identity import REMEMBERED_SECONDS, Identity
from smartdc.auth.private_key import load_private_key
from smartdc.auth.ssh_key import md5_fingerprint, sha256_fingerprint
from smartdc.emulator import Emulator


@pytest.fixture
def key_text(cloud: Emulator) -> str:
    """The text of a private key."""
    assert cloud.private_key
    return cloud.private_key


@pytest.fixture
def md5(key_text: str) -> str:
    """The key's MD5 fingerprint."""
    return md5_fingerprint(load_private_key(key_text).public_blob)


@pytest.fixture
def ssh_folder(environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty ~/.ssh."""
    environment.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".ssh"
    folder.mkdir()
    return folder


def save(path: Path, text: str) -> Path:
    """Write a private key so that nobody else can read it."""
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("key_id", "account", "user"),
    [
        ("/demo/keys/laptop", "demo", None),
        ("/demo/users/alice/keys/laptop", "demo", "alice"),
        ("/demo/user/alice/keys/laptop", "demo", "alice"),
    ],
)
def test_the_path_form_says_it_all(key_text: str, key_id: str, account: str, user: str | None) -> None:
    """A key id in path form overrides account and user given elsewhere."""
    identity = Identity(key_id, account="other", user="other", secret=key_text)

    assert (identity.account, identity.user, identity.key) == (account, user, "laptop")
    assert identity.key_id() == f"/demo{'/users/alice' if user else ''}/keys/laptop"


@pytest.mark.parametrize(
    ("key_id", "user", "unused"),
    [
        ("/demo/keys/laptop", "alice", "alice"),
        ("/demo/users/alice/keys/laptop", "bob", "bob"),
        ("/demo/users/alice/keys/laptop", "alice", None),
        ("/demo/keys/laptop", None, None),
        ("laptop", "alice", None),
    ],
)
def test_a_user_that_is_not_used_is_kept_for_the_doctor(
    key_text: str, key_id: str, user: str | None, unused: str | None
) -> None:
    """It is not used if the path form of the key id names another signer."""
    assert Identity(key_id, account="demo", user=user, secret=key_text).unused_user == unused


def test_a_fingerprint_is_always_sent_as_md5(key_text: str, md5: str) -> None:
    """CloudAPI stores MD5 fingerprints only, so SHA256 ones are translated."""
    sha256 = sha256_fingerprint(load_private_key(key_text).public_blob)

    for given in (md5, f"MD5:{md5}", sha256, f"/demo/keys/{sha256}", ""):
        assert Identity(given, account="demo", secret=key_text).key_id() == f"/demo/keys/{md5}"


def test_a_key_that_is_not_the_named_one_is_refused(key_text: str, md5: str) -> None:
    """Both fingerprints are told, so that it is plain which is which."""
    other = ":".join(["00"] * 16)
    with pytest.raises(ConfigError) as caught:
        Identity(other, account="demo", secret=key_text).resolve()

    assert other in str(caught.value)
    assert md5 in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"key_id": "laptop"}, "no account to sign for"),
        ({"account": "demo"}, "no key to sign with"),
        ({"key_id": "/demo/machines/x", "account": "demo"}, "invalid key id"),
    ],
)
def test_half_an_identity_is_refused(arguments: dict[str, Any], words: str) -> None:
    """What is missing is named when the identity is made, not at the first request."""
    with pytest.raises(ConfigError, match=words):
        Identity(**arguments)


def test_the_key_is_found_in_ssh_by_its_fingerprint(ssh_folder: Path, key_text: str, md5: str) -> None:
    """Without a secret, the file that belongs to the fingerprint is looked for."""
    save(ssh_folder / "somewhere", key_text)
    identity = Identity(md5, account="demo")

    assert identity.key_id() == f"/demo/keys/{md5}"
    assert identity.origin == "a file in ~/.ssh"


def test_a_name_takes_the_usual_file(ssh_folder: Path, key_text: str) -> None:
    """A key's name says nothing about its file, so that the usual ones are tried."""
    save(ssh_folder / "id_ed25519", key_text)
    identity = Identity("/demo/keys/laptop")

    assert identity.signer().public_blob == load_private_key(key_text).public_blob
    assert identity.origin == "~/.ssh/id_ed25519"


def test_without_any_key_both_places_are_named(ssh_folder: Path, md5: str) -> None:
    """The error says what the agent and what the folder had to say."""
    with pytest.raises(KeyFileError) as caught:
        Identity(md5, account="demo").resolve()

    assert "SSH_AUTH_SOCK" in str(caught.value)
    assert str(ssh_folder) in str(caught.value)


def test_the_agent_is_not_asked_against_the_wish(ssh_folder: Path, md5: str) -> None:
    """allow_agent=False is an answer of its own."""
    del ssh_folder
    with pytest.raises(KeyFileError, match="allow_agent=False"):
        Identity(md5, account="demo", allow_agent=False).resolve()


def test_the_file_is_opened_at_the_first_request_only(tmp_path: Path) -> None:
    """Making an identity reads nothing; using it does."""
    identity = Identity("/demo/keys/laptop", secret=tmp_path / "missing")

    with pytest.raises(KeyFileError, match="missing"):
        identity(requests.PreparedRequest())


def test_any_signer_will_do(key_text: str) -> None:
    """What signs need not be a file."""
    signer = load_private_key(key_text)

    assert Identity("/demo/keys/laptop", secret=signer).signer() is signer


def test_it_shows_who_and_never_with_what(key_text: str) -> None:
    """The repr has no secret in it."""
    identity = Identity("/demo/users/alice/keys/laptop", secret=key_text, passphrase="hush")

    assert repr(identity) == "<Identity /demo/users/alice/keys/laptop>"


@pytest.mark.parametrize(
    ("sign_host", "covered"), [(True, "(request-target) host date"), (False, "(request-target) date")]
)
def test_a_signature_without_the_host_still_covers_what_is_asked(
    cloud: Emulator, sign_host: bool, covered: str
) -> None:
    """For proxies that rewrite Host; method and path are never left out, and CloudAPI accepts either."""
    with DataCenter(**cloud.connection(), sign_host=sign_host) as dc:
        signed = requests.Request("GET", f"{dc.url}machines", headers={"Date": "Thu, 01 Jan 2026 00:00:00 GMT"})
        assert dc.auth
        headers = dc.auth(signed.prepare()).headers

        assert f'headers="{covered}"' in headers["Authorization"]
        assert dc.account().login == "demo"


def test_a_pickled_identity_has_lost_its_secrets(tmp_path: Path, key_text: str) -> None:
    """A path comes along, the key's text and the passphrase stay."""
    text = pickle.dumps(Identity("/demo/keys/laptop", secret=key_text, passphrase="hush-hush"))
    path = save(tmp_path / "key", key_text)
    twin = pickle.loads(pickle.dumps(Identity("/demo/keys/laptop", secret=str(path))))  # noqa: S301 (our own bytes)

    assert b"PRIVATE" not in text
    assert b"hush" not in text
    assert twin.key_id() == "/demo/keys/laptop"


def test_the_environment_s_key_material_is_used(
    environment: pytest.MonkeyPatch, cloud: Emulator, key_text: str
) -> None:
    """TRITON_KEY_MATERIAL may be the key itself."""
    connection = cloud.connection()
    environment.setenv("TRITON_URL", connection["location"])
    environment.setenv("TRITON_ACCOUNT", "demo")
    environment.setenv("TRITON_KEY_ID", cloud.key_id.rpartition("/")[2])
    environment.setenv("TRITON_KEY_MATERIAL", key_text)

    with DataCenter(adapter=connection["adapter"], clock=connection["clock"]) as dc:
        assert dc.account().login == "demo"


def test_an_agent_that_is_alone_says_why(environment: pytest.MonkeyPatch, md5: str) -> None:
    """A data centre whose key is nowhere raises the typed error at the first call."""
    environment.setenv("SSH_AUTH_SOCK", "/nowhere/agent")
    dc = DataCenter("https://cloudapi.example.com", key_id=md5, login="demo")

    with pytest.raises((AgentError, KeyFileError), match="/nowhere/agent"):
        dc.account()


# Who does not answer


@pytest.fixture
def silent_agent(environment: pytest.MonkeyPatch, ssh_folder: Path) -> Iterator[socket.socket]:
    """An ssh-agent that accepts connections and never says a word; ~/.ssh is empty."""
    assert not list(ssh_folder.iterdir())
    with tempfile.TemporaryDirectory(prefix="agent") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/agent")
        listener.listen(64)
        environment.setenv("SSH_AUTH_SOCK", f"{folder}/agent")
        yield listener


def together(count: int, call: Callable[[], object]) -> list[tuple[float, BaseException | None]]:
    """Call from several threads at once, and return after how many seconds each ended, and with what error."""
    ends: list[tuple[float, BaseException | None]] = []

    def work() -> None:
        error = None
        try:
            call()
        except Exception as failure:  # noqa: BLE001 (whatever it is)
            error = failure
        ends.append((time.monotonic() - started, error))

    threads = [threading.Thread(target=work) for _ in range(count)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ends


@pytest.mark.usefixtures("silent_agent")
def test_an_agent_is_not_asked_for_a_name() -> None:
    """It knows keys by fingerprint alone, and the error says so at once."""
    with pytest.raises(KeyFileError, match="not asked, since it knows keys by fingerprint, not by name"):
        Identity("/demo/keys/laptop").signer()


@pytest.mark.usefixtures("silent_agent")
def test_a_silent_agent_costs_every_thread_no_more_than_its_call_s_time(cloud: Emulator, md5: str) -> None:
    """Threads ask it side by side, and each gives up with its own call."""
    connection = {**cloud.connection(), "key_id": md5, "secret": None, "clock": None, "timeout": 0.7}
    with DataCenter(**connection, allow_agent=True) as dc:
        ends = together(4, dc.account)

    assert len(ends) == 4
    assert max(seconds for seconds, _ in ends) < 2
    assert all("did not answer within 0." in str(error) for _, error in ends)


def test_a_silent_agent_is_not_asked_again_at_once(
    cloud: Emulator, md5: str, silent_agent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next calls hear of it without waiting, for two seconds; then it is asked again."""
    connection = {**cloud.connection(), "key_id": md5, "secret": None, "clock": None, "timeout": 0.7}
    with DataCenter(**connection, allow_agent=True) as dc:
        [(first, _)] = together(1, dc.account)
        [(second, error)] = together(1, dc.account)
        silent_agent.settimeout(1)
        silent_agent.accept()[0].close()
        silent_agent.settimeout(0.05)
        with pytest.raises(TimeoutError):
            silent_agent.accept()
        later = time.monotonic() + REMEMBERED_SECONDS
        monkeypatch.setattr("smartdc.auth.identity.time", SimpleNamespace(monotonic=lambda: later))
        together(1, dc.account)
        silent_agent.accept()[0].close()

    assert first > 0.5
    assert second < 0.3
    assert "did not answer within" in str(error)


def test_an_agent_that_refuses_at_once_is_asked_again_at_once(environment: pytest.MonkeyPatch, md5: str) -> None:
    """Only what took its time is remembered: whoever mends the rest need not wait."""
    environment.setenv("SSH_AUTH_SOCK", "/no/agent")
    identity = Identity(md5, account="demo", allow_agent=True)
    with pytest.raises(KeyFileError, match="/no/agent"):
        identity.signer()
    environment.setenv("SSH_AUTH_SOCK", "/another/agent")
    with pytest.raises(KeyFileError, match="/another/agent"):
        identity.signer()


def test_nobody_waits_for_a_passphrase_longer_than_for_the_call(cloud: Emulator, tmp_path: Path) -> None:
    """While one thread asks for the passphrase, the others end with their own calls; nobody is asked twice."""
    asked, answered = list[str](), threading.Event()

    def ask(name: str) -> str:
        asked.append(name)
        answered.wait(20)
        return "wrong"

    path = save(tmp_path / "key", encrypted(str(cloud.private_key)))
    connection = {**cloud.connection(), "secret": path, "passphrase": ask, "clock": None, "timeout": 0.7}
    with DataCenter(**connection) as dc:
        prompting = threading.Thread(target=lambda: together(1, dc.account))
        prompting.start()
        while not asked:
            time.sleep(0.01)
        ends = together(3, dc.account)
        waiting = threading.Thread(target=lambda: ends.extend(together(1, lambda: dc.request("GET", "", timeout=20))))
        waiting.start()
        time.sleep(0.1)
        answered.set()
        prompting.join(60)
        waiting.join(60)

    assert max(seconds for seconds, _ in ends[:3]) < 2
    assert all("another thread is still loading the private key" in str(error) for _, error in ends[:3])
    assert "the passphrase is wrong" in str(ends[3][1])
    assert len(asked) == 1


def encrypted(text: str) -> str:
    """Encrypt a private key."""
    key = serialization.load_pem_private_key(text.encode(), None) if "OPENSSH" not in text else None
    key = key or cast("Any", serialization.load_ssh_private_key(text.encode(), None))
    lock = serialization.BestAvailableEncryption(b"right")
    pem = serialization.Encoding.PEM
    return cast("bytes", key.private_bytes(pem, serialization.PrivateFormat.PKCS8, lock)).decode()
