"""What is wrong with who signs in, and what to do: one explanation for each cause, and for no other."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from requests.auth import HTTPBasicAuth

from kits.agent import SSHAgent
from kits.rbac import give_role
from kits.signing import KeyFile, KeyShelf
from smartdc import DataCenter, explain_auth
from smartdc.__main__ import main
from smartdc.auth.explain import Explanation, Finding, examine
from smartdc.auth.identity import Identity
from smartdc.emulator import Emulator, Fault, Server, VirtualClock, WallClock
from smartdc.emulator.core.clock import START

pytest_plugins = ("kits.signing_fixtures",)

Arguments = dict[str, Any]


@dataclass
class Setup:
    """A cloud that all is well with, and all that a cause needs to spoil it."""

    key_of: KeyShelf
    home: Path
    environment: pytest.MonkeyPatch
    stack: ExitStack
    key: KeyFile = field(init=False)
    cloud: Emulator = field(init=False)

    def __post_init__(self) -> None:
        """Give the account a key."""
        self.key = self.key_of("ed25519")
        self.cloud = Emulator(clock=VirtualClock(), public_key=self.key.public_line)

    def given(self, url: str | None = None, **changes: Any) -> Arguments:
        """Return what a data centre is made with, changed here and there; None leaves an argument out."""
        right = {**self.cloud.connection(url), "key_id": self.key.fingerprint(), "secret": self.key.path}
        return {name: value for name, value in {**right, **changes}.items() if value is not None}

    def file(self, text: str) -> Path:
        """Write a file that nobody else can read."""
        path = self.home / "file"
        path.write_text(text)
        path.chmod(0o600)
        return path

    def agent(self, *keys: KeyFile) -> SSHAgent:
        """Start an ssh-agent with some keys, and put it into the environment."""
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="agent-"))
        agent = self.stack.enter_context(SSHAgent(Path(folder)))
        for key in keys:
            agent.add(key)
        self.environment.setenv("SSH_AUTH_SOCK", agent.path)
        return agent

    def user(self) -> None:
        """Make the key that of a sub-user, jill, who has no roles."""
        self.cloud.state.add_user("jill", self.key.public_line)


def results_in(shown: str) -> list[str]:
    """Return the words of the results that somebody sees: lines may be folded, and the wait for the server is none."""
    return re.sub(r"^server +asking .*\n", "", shown, flags=re.MULTILINE).split()


def without_clock(shown: str) -> str:
    """Leave out the result that differs from one second to the next."""
    return re.sub(r"^clock .*\n", "", shown, flags=re.MULTILINE)


@dataclass(frozen=True)
class Cause:
    """One thing that may be wrong: how it comes about, and how it is told."""

    happen: Callable[[Setup], Arguments]
    subject: str
    words: str
    advice: str
    fails: bool = True


CAUSES: dict[str, Cause] = {}


def cause(
    subject: str, words: str, advice: str, *, fails: bool = True
) -> Callable[[Callable[[Setup], Arguments]], Callable[[Setup], Arguments]]:
    """Put a function that brings a cause about into the table, with what is said of it."""

    def enter(happen: Callable[[Setup], Arguments]) -> Callable[[Setup], Arguments]:
        CAUSES[happen.__name__.strip("_")] = Cause(happen, subject, words, advice, fails)
        return happen

    return enter


def explained(name: str, key_of: KeyShelf, home: Path) -> Explanation:
    """Bring a cause about in an environment of its own, and return the explanation."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOME", str(home))
        return explain_auth(**CAUSES[name].happen(Setup(key_of, home, environment, stack)))


# Where.


@cause("settings", "no location given", "set TRITON_URL, .*triton profile create$")
def _nothing_at_all(_: Setup) -> Arguments:
    return {}


@cause("settings", "invalid location 'no where'", "give a URL")
def _location_nonsense(setup: Setup) -> Arguments:
    return setup.given(location="no where")


@cause("settings", "unknown location 'nowhere'; expected one of us-central-1", "or for a host https://nowhere")
def _location_unknown(setup: Setup) -> Arguments:
    return setup.given(location="nowhere")


@cause("settings", "there is no profile 'lab'", "triton profile list shows which do")
def _profile_missing(_: Setup) -> Arguments:
    return {"profile": "lab"}


@cause("settings", "TRITON_TLS_INSECURE must be true, 1, false or 0", "got 'yes'")
def _typo_in_a_boolean(setup: Setup) -> Arguments:
    setup.environment.setenv("TRITON_URL", "https://cloud.example")
    setup.environment.setenv("TRITON_TLS_INSECURE", "yes")
    return {}


@cause("settings", "verify must be True, False or the path of a CA bundle", "got '/no/bundle'")
def _bundle_missing(setup: Setup) -> Arguments:
    return setup.given(verify="/no/bundle")


@cause("server", r"connection failed: \[Errno \d+\] Connection refused", "check the location .*, the network and")
def _host_unreachable(setup: Setup) -> Arguments:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return setup.given(f"http://127.0.0.1:{port}")


@cause("server", "certificate verification failed: .*CERTIFICATE_VERIFY_FAILED", "verify= takes the path of your CA's")
def _certificate_not_trusted(setup: Setup) -> Arguments:
    server = setup.stack.enter_context(Server(setup.cloud, tls=True))
    return setup.given(server.url)


@cause("server", "something responds, but it does not look like CloudAPI", "check the location")
def _another_server(setup: Setup) -> Arguments:
    setup.cloud.faults.add(Fault("Ping", status=200, body="welcome"))
    return setup.given()


@cause("server", "this does not look like CloudAPI: .* 404", "check the location")
def _another_path(setup: Setup) -> Arguments:
    setup.cloud.faults.add(Fault("Ping", status=404, code="ResourceNotFound", message="/--ping does not exist"))
    return setup.given()


@cause("clock", "ours is 3600 s behind the server's; requests are signed", "set this machine's clock", fails=False)
def _clock_behind(setup: Setup) -> Arguments:
    return setup.given(clock=VirtualClock(START - 3600))


@cause("clock", "ours is 86400 s ahead of the server's", "set this machine's clock", fails=False)
def _clock_ahead(setup: Setup) -> Arguments:
    return setup.given(clock=VirtualClock(START + 86_400))


# Who.


@cause("account", "no key to sign with", r"lacks TRITON_ACCOUNT \(or SDC_ACCOUNT\) and TRITON_KEY_ID \(or")
def _environment_with_a_url_only(setup: Setup) -> Arguments:
    setup.environment.setenv("SDC_URL", "https://cloud.example")
    return {}


@cause("settings", "no account to sign for", "has SDC_URL and TRITON_KEY_ID, and lacks TRITON_ACCOUNT")
def _environment_without_an_account(setup: Setup) -> Arguments:
    setup.environment.setenv("SDC_URL", "https://cloud.example")
    setup.environment.setenv("TRITON_KEY_ID", setup.key.fingerprint())
    return {}


@cause("settings", "no location given", r"has TRITON_ACCOUNT and TRITON_KEY_ID, and lacks TRITON_URL \(or SDC_URL\)")
def _environment_without_a_url(setup: Setup) -> Arguments:
    setup.environment.setenv("TRITON_ACCOUNT", "demo")
    setup.environment.setenv("TRITON_KEY_ID", setup.key.fingerprint())
    return {}


@cause("settings", "invalid key id 'demo/laptop'", "give '/account/keys/name', a key's name or its fingerprint")
def _key_id_nonsense(setup: Setup) -> Arguments:
    return setup.given(key_id="demo/laptop")


@cause(
    "answer",
    "CloudAPI knows no account 'demo', or it lacks the key /demo/keys/[0-9a-f:]+: .*401",
    "give the account the public",
)
def _key_not_on_the_account(setup: Setup) -> Arguments:
    other = setup.key_of("ecdsa-256")
    return setup.given(key_id=other.fingerprint(), secret=other.path)


@cause(
    "answer", "it lacks the key /demo/keys/laptop, or has that label for another key", "check the name, and give the"
)
def _label_not_on_the_account(setup: Setup) -> Arguments:
    return setup.given(key_id="laptop")


@cause(
    "answer", "knows no user 'jill' of the account 'demo', or that user lacks this key", "give the user the public key"
)
def _user_unknown(setup: Setup) -> Arguments:
    return setup.given(user="jill")


@cause("user", "jill is not used: the key id names the signer", "give the key's name or fingerprint", fails=False)
def _user_beside_the_path_form(setup: Setup) -> Arguments:
    return setup.given(user="jill", key_id=f"/demo/keys/{setup.key.fingerprint()}")


@cause(
    "answer",
    "CloudAPI does not grant the roles operator, nobody: .*403",
    "check that these roles exist and that the caller",
)
def _role_unknown(setup: Setup) -> Arguments:
    setup.user()
    return setup.given(user="jill", roles=["operator", "nobody"])


@cause("roles", "CloudAPI ignores roles when an account acts on itself", "leave roles= out", fails=False)
def _roles_of_no_use(setup: Setup) -> Arguments:
    return setup.given(roles="operator")


@cause(
    "answer",
    "the key is valid, but this user may not read the account",
    "check roles= and the policies",
    fails=False,
)
def _user_with_little_leave(setup: Setup) -> Arguments:
    setup.user()
    return setup.given(user="jill")


@cause("login", "CloudAPI ignores the account project: a user can act on its own", "leave login= out", fails=False)
def _user_on_another_account(setup: Setup) -> Arguments:
    setup.user()
    give_role(setup.cloud, "all", *setup.cloud.state.accounts["demo"].users.values(), rules=["CAN * *"])
    setup.cloud.state.add_account("project")
    return setup.given(login="project", key_id=f"/demo/users/jill/keys/{setup.key.fingerprint()}")


@cause("answer", "the account or the user is disabled: .*403", "ask the operator of the cloud to enable it")
def _account_disabled(setup: Setup) -> Arguments:
    setup.cloud.state.accounts["demo"].disabled = True
    return setup.given()


@cause(
    "answer", "the key is valid, but may not act on the account 'project'", "name a role there .*, or leave login= out"
)
def _account_of_somebody_else(setup: Setup) -> Arguments:
    setup.cloud.state.add_account("project")
    return setup.given(login="project", key_id=f"/demo/keys/{setup.key.fingerprint()}")


@cause("answer", "the key is valid, but the roles guest may not read the account", "check roles= and", fails=False)
def _role_of_somebody_else(setup: Setup) -> Arguments:
    owner = setup.cloud.state.accounts["demo"]
    setup.cloud.state.add_account("partner", setup.key.public_line)
    give_role(setup.cloud, "guest", setup.cloud.state.accounts["partner"], rules=["CAN getmachine"], default=False)
    return setup.given(login=owner.login, key_id=f"/partner/keys/{setup.key.fingerprint()}", roles="guest")


@cause("answer", "there is no account 'project' to act on", "check login=, or TRITON_ACT_AS, or actAsAccount")
def _account_unknown(setup: Setup) -> Arguments:
    return setup.given(login="project", key_id=f"/demo/keys/{setup.key.fingerprint()}")


@cause("answer", "GetAccount failed: .*503", "not about keys: try again later, or ask the operator")
def _maintenance(setup: Setup) -> Arguments:
    setup.cloud.faults.add(Fault("GetAccount", kind="maintenance", times=None))
    return setup.given()


@cause("answer", "CloudAPI rejected the signature of HTTPBasicAuth: .*401", "check its key id and key")
def _auth_of_ones_own(setup: Setup) -> Arguments:
    return setup.given(key_id=None, secret=None, auth=HTTPBasicAuth("demo", "secret"))


# With which key.


@cause("key", "the key id names MD5:.*, but the private key given is .*", "give the key id of this private key, or")
def _wrong_fingerprint(setup: Setup) -> Arguments:
    return setup.given(secret=setup.key_of("ecdsa-256").path)


@cause("key", "is encrypted; give passphrase=", "passphrase= takes a string, or .*prompt_passphrase")
def _passphrase_missing(setup: Setup) -> Arguments:
    return setup.given(secret=setup.key_of("ed25519", "openssh", encrypted=True).path)


@cause("key", "the passphrase is wrong, or it is damaged", "ssh-keygen -y -f FILE shows")
def _passphrase_wrong(setup: Setup) -> Arguments:
    return setup.given(secret=setup.key_of("ed25519", "openssh", encrypted=True).path, passphrase="nope")


@cause("key", "cannot be read: Too many levels of symbolic links", "ssh-keygen -y -f FILE shows")
def _file_unreadable(setup: Setup) -> Arguments:
    loop = setup.home / "loop"
    loop.symlink_to(loop)
    return setup.given(secret=loop)


@cause("key", "there is no file '.*missing'", "give a key's path or its whole text")
def _file_missing(setup: Setup) -> Arguments:
    return setup.given(secret=setup.home / "missing")


@cause("key", "is not a private key in a supported format", "PEM, PKCS#8 or OpenSSH, starting with '-----BEGIN'")
def _no_key(setup: Setup) -> Arguments:
    return setup.given(secret=setup.file("dear diary"))


@cause("key", "is a public key; give the private one", "usually the file of that name without .pub")
def _public_key(setup: Setup) -> Arguments:
    return setup.given(secret=setup.file(setup.key.public_line))


@cause("key", "SSH_AUTH_SOCK is not set: .*cannot be searched for keys", "ssh-add -l shows .*; secret= takes the path")
def _no_agent_and_no_folder(setup: Setup) -> Arguments:
    return setup.given(secret=None)


@cause("key", r"none of ~/\.ssh/id_rsa, .* exists", "give secret=")
def _no_usual_file(setup: Setup) -> Arguments:
    return setup.given(secret=None, key_id="laptop")


@cause(
    "key", r"the ssh-agent at \S+ shows no keys: it is empty \(ssh-add\) or locked \(ssh-add -X\)", "ssh-add -l shows"
)
def _agent_empty(setup: Setup) -> Arguments:
    setup.agent()
    return setup.given(secret=None)


@cause("key", r"the ssh-agent at \S+ has no key MD5:.*; it has .*ecdsa-256 of a test", "ssh-add -l shows what")
def _agent_without_the_key(setup: Setup) -> Arguments:
    setup.agent(setup.key_of("ecdsa-256"))
    return setup.given(secret=None)


@cause("key", r"no ssh-agent listens at \S+: it has ended; SSH_AUTH_SOCK is out of date", "ssh-add -l shows what")
def _agent_dead(setup: Setup) -> Arguments:
    setup.agent().end()
    return setup.given(secret=None)


@cause("key", "there is no ssh-agent at '/no/agent': no such socket; SSH_AUTH_SOCK is out of date", "ssh-add -l shows")
def _agent_gone(setup: Setup) -> Arguments:
    setup.environment.setenv("SSH_AUTH_SOCK", "/no/agent")
    return setup.given(secret=None)


@cause("key", r"did not answer within 0\.2 s; is it waiting for a confirmation, or stopped\?", "ssh-add -l shows what")
def _agent_stalled(setup: Setup) -> Arguments:
    os.kill(setup.agent(setup.key).process.pid, signal.SIGSTOP)
    return setup.given(auth=Identity(setup.key.fingerprint(), account="demo", agent_timeout=0.2))


@cause(
    "key", "an agent signs P-384 keys with SHA-384 only, which CloudAPI refuses; name the key file", "secret= takes the"
)
def _agent_with_a_p384_key(setup: Setup) -> Arguments:
    key = setup.key_of("ecdsa-384")
    setup.agent(key)
    return setup.given(secret=None, key_id=key.fingerprint())


@cause(
    "answer", "the ssh-agent refused to sign with .*: it was locked, the key was removed", "ssh-add -l shows what the"
)
def _agent_locked_later(setup: Setup) -> Arguments:
    agent = setup.agent(setup.key)
    identity = Identity(setup.key.fingerprint(), account="demo")
    identity.signer()
    agent.lock()
    return setup.given(auth=identity)


@pytest.mark.parametrize("name", CAUSES)
def test_cause(key_of: KeyShelf, tmp_path: Path, name: str) -> None:
    """Each cause has words of its own, which say what to do next, and nothing is looked at after a failure."""
    expected, explanation = CAUSES[name], explained(name, key_of, tmp_path)
    told = [finding for finding in explanation.findings if finding.subject == expected.subject][-1]
    assert re.search(expected.words, told.text)
    assert re.search(expected.advice, f"{told.text}\n{told.advice}")
    assert explanation.ok is not expected.fails
    if expected.fails:
        assert explanation.problem is told
        assert explanation.findings[-1] is told
        assert str(explanation).splitlines()[-1 if not told.advice else -2].split()[-1] == told.text.split()[-1]
    else:
        assert told.ok is None


def test_every_cause_has_words_of_its_own(key_of: KeyShelf, tmp_path: Path) -> None:
    """What is said of one cause is said of no other."""
    told = {}
    for name in CAUSES:
        home = tmp_path / name
        home.mkdir()
        notable = [f for f in explained(name, key_of, home).findings if f.ok is not True]
        told[name] = "\n".join(f"{finding.text}\n{finding.advice}" for finding in notable)
    for name, expected in CAUSES.items():
        patterns = (expected.words, expected.advice)
        assert [other for other, text in told.items() if all(re.search(p, text) for p in patterns)] == [name]


# How it is asked for.


@pytest.fixture
def lab(key_of: KeyShelf) -> Iterator[Emulator]:
    """A cloud at the real time; a profile called lab says where it is, and the key is in ``~/.ssh``."""
    key = key_of("ed25519")
    cloud = Emulator(clock=WallClock(), public_key=key.public_line)
    folder, ssh = Path("~/.triton/profiles.d").expanduser(), Path("~/.ssh").expanduser()
    for new in (folder, ssh):
        new.mkdir(parents=True)
    shutil.copyfile(key.path, ssh / "id_lab")
    (ssh / "id_lab").chmod(0o600)
    with Server(cloud) as server:
        entries = {"url": server.url, "account": "demo", "keyId": key.fingerprint("sha256")}
        (folder / "lab.json").write_text(json.dumps(entries))
        yield cloud


def test_all_is_well(lab: Emulator, key_of: KeyShelf) -> None:
    """When nothing is wrong, what is said is where every setting comes from, with the key as all tools show it."""
    explanation = explain_auth(profile="lab")
    key = key_of("ed25519")
    lines = str(explanation).splitlines()
    assert explanation.ok
    assert explanation.problem is None
    assert [line.split()[0] for line in lines] == ["location", "account", "key", "key", "server", "clock", "answer"]
    assert all("(from profile 'lab')" in lines[place] for place in (0, 1, 3))
    for algorithm in ("md5", "sha256"):
        assert key.fingerprint(algorithm).removeprefix("MD5:") in lines[2]
    assert lines[2].endswith("(from a file in ~/.ssh), signing ed25519-sha512")
    assert [asked.operation for asked in lab.trace] == ["Ping", "GetAccount"]


def test_where_settings_come_from(environment: pytest.MonkeyPatch, cloud: Emulator, key_of: KeyShelf) -> None:
    """Variables are named, those for the key too; what is given in the program is not put down to them."""
    key = key_of("rsa-2048")
    for name, value in (
        ("SDC_URL", "http://127.0.0.1:1"),
        ("TRITON_ACCOUNT", "bob"),
        ("TRITON_USER", "jill"),
        ("SDC_KEY_ID", key.fingerprint()),
        ("TRITON_KEY_MATERIAL", key.path.read_text()),
    ):
        environment.setenv(name, value)
    told = str(explain_auth(clock=cloud.clock))
    for words in (
        "http://127.0.0.1:1 (from SDC_URL)",
        "bob (from TRITON_ACCOUNT), its user jill (from TRITON_USER)",
        "(from TRITON_KEY_MATERIAL), signing rsa-sha256",
        "is sent to CloudAPI (from SDC_KEY_ID)",
    ):
        assert words in told
    told = str(explain_auth(location="http://127.0.0.1:2", key_id="/eve/keys/k", secret=key.path, clock=cloud.clock))
    assert "http://127.0.0.1:2 (as given)" in told
    assert re.search(r"account +ok +eve\n", told)
    assert f"(from {key.path})" in told
    assert "/eve/keys/k is sent to CloudAPI\n" in told


def test_certificates_that_are_not_checked(environment: pytest.MonkeyPatch) -> None:
    """A check that is turned off is noted, with what turned it off."""
    environment.setenv("TRITON_URL", "https://127.0.0.1:1")
    environment.setenv("SDC_TESTING", "1")
    for arguments, why in (({}, "(from SDC_TESTING)"), ({"location": "https://127.0.0.1:2", "verify": False}, "")):
        findings = explain_auth(**arguments).findings
        [note] = [finding for finding in findings if finding.subject == "TLS"]
        assert note.text.startswith(f"certificates are not checked {why}")
        assert note.advice == "name your CA's bundle instead: verify=PATH"


def test_it_asks_for_nothing_more_than_it_must(lab: Emulator) -> None:
    """Where the key cannot be had nothing is sent at all."""
    assert not explain_auth(profile="lab", allow_agent=False, key_id="/demo/keys/laptop", secret="/missing").ok
    assert lab.trace == []


def test_method_prints_what_it_returns(dc: DataCenter, capsys: pytest.CaptureFixture[str]) -> None:
    """The method of a data centre is for the session: it prints the explanation too."""
    explanation = dc.explain_auth()
    assert explanation.ok
    assert results_in(capsys.readouterr().out) == str(explanation).split()


def test_function_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The function is for programs: the explanation is only returned."""
    explanation = explain_auth(profile="lab")
    assert str(explanation).startswith("settings   FAILED  there is no profile 'lab'")
    assert repr(explanation) == "<Explanation: settings FAILED>"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("arguments", "status"), [(["--profile", "lab"], 0), (["--profile", "none"], 1), ([], 1)])
@pytest.mark.usefixtures("lab")
def test_doctor(capsys: pytest.CaptureFixture[str], arguments: list[str], status: int) -> None:
    """``python -m smartdc doctor`` prints the same, and its status tells whether all is well."""
    assert main(["doctor", *arguments]) == status
    shown = capsys.readouterr().out
    again = str(explain_auth(profile=arguments[-1] if arguments else None))
    assert results_in(without_clock(shown)) == without_clock(again).split()


def test_what_is_known_is_told_before_the_server_is_asked(dc: DataCenter, cloud: Emulator) -> None:
    """It may take its time; who waits sees what for."""
    told: list[tuple[str, int]] = []
    examine(dc, lambda text: told.append((text.split()[0], len(cloud.trace))))

    assert told == [
        ("location", 0), ("account", 0), ("key", 0), ("key", 0), ("server", 0), ("server", 1), ("clock", 1),
        ("answer", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("width", [80, 100, 250])
def test_lines_are_as_wide_as_the_terminal(
    dc: DataCenter, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    """Wide lines go on below their beginning, and a fingerprint stays whole."""
    environment.setenv("COLUMNS", str(width))
    dc.explain_auth()
    main(["doctor"])
    lines = capsys.readouterr().out.splitlines()

    assert max(map(len, lines)) <= min(width, 100)
    assert all(line.startswith(" " * 19) for line in lines if not line[0].isalpha())
    assert any(re.search(r"SHA256:\S{43}\b", line) for line in lines)


def test_what_a_server_says_moves_no_cursor() -> None:
    """Its name may be anything, and nobody has proved to be that server."""
    finding = Finding("server", True, "evil\x1b[2J\u202e responds")

    assert str(finding) == r"server     ok      evil\x1b[2J\u202e responds"


def test_doctor_of_the_current_profile(lab: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name the current profile is explained."""
    Path("~/.triton/config.json").expanduser().write_text('{"profile": "lab"}')
    assert main(["doctor"]) == 0
    assert "the account is demo" in capsys.readouterr().out
    assert lab.trace.operations() == ["Ping", "GetAccount"]


def test_doctor_as_a_command() -> None:
    """From a shell, the words go to the output and the status to the shell, whatever characters the output has."""
    command = [sys.executable, "-m", "smartdc", "doctor", "--profile", "zoë"]
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(r"settings   FAILED  there is no profile 'zo\xeb'")
