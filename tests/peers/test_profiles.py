"""One home for two programs: the npm command ``triton`` and this library, on the same profiles, keys and server."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from urllib3.exceptions import InsecureRequestWarning

from kits.agent import SSHAgent
from kits.rbac import give_role
from kits.signing import KeyFile, KeyShelf
from peers.node_kit import CommandResult, Commands, program
from smartdc import ConfigError, DataCenter, SmartDCError, TLSError, profiles
from smartdc.emulator import Emulator, Server, WallClock

pytest_plugins = ("kits.signing_fixtures",)

Environment = pytest.MonkeyPatch

PREFIXES = ("TRITON", "SDC")


class Triton:
    """The ``triton`` command, in the environment of the test."""

    def __init__(self, script: Path, commands: Commands) -> None:
        self._script = str(script)
        self._commands = commands

    def run(self, *arguments: str) -> CommandResult:
        """Run it, whatever comes of it."""
        return self._commands.run([self._script, *arguments], os.environ)

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        """Run it and return what it prints: a JSON object in each line."""
        done = self.run(*arguments, "-j")
        assert done.code == 0, done.err
        return [json.loads(line) for line in done.out.splitlines()]

    def machines(self) -> list[str]:
        """Return the ids of the machines that it lists."""
        return sorted(machine["id"] for machine in self.lines("instance", "list"))

    def refuses(self, *arguments: str) -> bool:
        """Tell whether it fails, and says why."""
        done = self.run(*arguments)
        return done.code == 1 and "error" in done.err


class Place(NamedTuple):
    """A server, the cloud behind it, and the fingerprint of a key that it knows."""

    cloud: Emulator
    server: Server
    fingerprint: str

    @property
    def profile(self) -> dict[str, Any]:
        """What a profile says of it."""
        return {"url": self.server.url, "account": "demo", "keyId": self.fingerprint}

    @property
    def machines(self) -> list[str]:
        """The ids of all machines there."""
        return sorted(self.cloud.state.machines)


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """The ``triton`` command."""
    script = program("triton", "bin/triton")
    with Commands.started(os.environ, tmp_path_factory.mktemp("triton")) as commands:
        yield Triton(script, commands)


@pytest.fixture
def folder() -> Path:
    """The folder of the ``triton`` command, with nothing in it."""
    folder = Path("~/.triton").expanduser()
    (folder / "profiles.d").mkdir(parents=True)
    return folder


@pytest.fixture
def place(key_of: KeyShelf) -> Iterator[Place]:
    """A server with three machines, whose account has the Ed25519 key that is in ``~/.ssh``."""
    with serving(key_of("ed25519")) as place:
        yield place


@contextmanager
def serving(file: KeyFile, *, tls: bool = False) -> Iterator[Place]:
    """Serve a cloud that knows a key, which is put into ``~/.ssh``."""
    cloud = Emulator(clock=WallClock(), public_key=file.public_line)
    cloud.populate(3)
    put_into_ssh(file)
    with Server(cloud, tls=tls) as server:
        yield Place(cloud, server, file.fingerprint().removeprefix("MD5:"))


def put_into_ssh(file: KeyFile) -> None:
    """Put a key and its public half, which the command looks for, into ``~/.ssh``."""
    ssh = Path("~/.ssh").expanduser()
    ssh.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(file.path, ssh / "of_a_test")
    (ssh / "of_a_test").chmod(0o600)
    (ssh / "of_a_test.pub").write_text(file.public_line)


def write(folder: Path, name: str, entries: Any, *, current: bool = False) -> None:
    """Write a profile, and make it the current one if that is wanted."""
    text = entries if isinstance(entries, str) else json.dumps(entries)
    (folder / "profiles.d" / f"{name}.json").write_text(text)
    if current:
        (folder / "config.json").write_text(json.dumps({"profile": name}))


def listed(**arguments: Any) -> list[str]:
    """Return the ids of the machines that this library lists."""
    with DataCenter(**arguments) as dc:
        return sorted(machine.id for machine in dc.machines())


def announce(environment: Environment, place: Place, url: str, account: str, key_id: str) -> None:
    """Put a place into the environment, each setting with a prefix of its own."""
    environment.setenv(f"{url}_URL", place.server.url)
    environment.setenv(f"{account}_ACCOUNT", "demo")
    environment.setenv(f"{key_id}_KEY_ID", place.fingerprint)


# Where both look.


@pytest.mark.parametrize("kind", ["rsa-2048", "ecdsa-256", "ecdsa-521", "ed25519"])
def test_current_profile(triton: Triton, folder: Path, key_of: KeyShelf, kind: str) -> None:
    """With no word of what to use, both take the current profile and find the key in ``~/.ssh``."""
    with serving(key_of(kind)) as place:
        write(folder, "lab", place.profile, current=True)
        assert triton.machines() == listed() == place.machines
        assert {asked.status for asked in place.cloud.trace} == {200}


def test_sha256_fingerprint(triton: Triton, folder: Path, place: Place, key_of: KeyShelf) -> None:
    """A profile may name the key as today's ``ssh-keygen`` shows it."""
    write(folder, "lab", {**place.profile, "keyId": key_of("ed25519").fingerprint("sha256")}, current=True)
    assert triton.machines() == listed() == place.machines


def test_profile_of_the_environment_variable(
    triton: Triton, folder: Path, place: Place, environment: Environment
) -> None:
    """``TRITON_PROFILE`` counts over the current profile for both."""
    write(folder, "elsewhere", {**place.profile, "url": "http://127.0.0.1:1"}, current=True)
    write(folder, "lab", place.profile)
    environment.setenv("TRITON_PROFILE", "lab")
    assert triton.machines() == listed() == place.machines


@pytest.mark.parametrize(
    ("url", "account", "key_id"), [("TRITON", "TRITON", "TRITON"), ("SDC", "SDC", "SDC"), ("SDC", "TRITON", "SDC")]
)
def test_environment(
    triton: Triton, place: Place, environment: Environment, url: str, account: str, key_id: str
) -> None:
    """Without profiles both take the environment, where each setting may be ``TRITON_*`` or ``SDC_*``."""
    announce(environment, place, url, account, key_id)
    assert triton.machines() == listed() == place.machines


def test_environment_by_its_name(triton: Triton, folder: Path, place: Place, environment: Environment) -> None:
    """The environment is a profile that is called env, so that it can be asked for."""
    write(folder, "elsewhere", {**place.profile, "url": "http://127.0.0.1:1"}, current=True)
    announce(environment, place, "TRITON", "TRITON", "SDC")
    environment.setenv("TRITON_PROFILE", "env")
    assert triton.machines() == listed() == listed(profile="env") == place.machines


def test_environment_and_a_current_profile(
    triton: Triton, folder: Path, place: Place, environment: Environment
) -> None:
    """The one difference: where both say where, the command takes its current profile, this library the environment."""
    announce(environment, place, "TRITON", "TRITON", "TRITON")
    elsewhere = Emulator(seed=1, clock=WallClock(), public_key=place.cloud.public_key)
    theirs = sorted(machine.id for machine in elsewhere.populate(2))
    with Server(elsewhere) as server:
        write(folder, "elsewhere", {**place.profile, "url": server.url}, current=True)
        assert triton.machines() == listed(profile="elsewhere") == theirs
        assert listed() == place.machines


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_key_in_the_agent(
    triton: Triton, folder: Path, place: Place, environment: Environment, key_of: KeyShelf
) -> None:
    """Both take the key from the ssh-agent when it is nowhere else."""
    for path in Path("~/.ssh").expanduser().iterdir():
        path.unlink()
    write(folder, "lab", place.profile, current=True)
    with tempfile.TemporaryDirectory(prefix="agent-") as sockets, SSHAgent(Path(sockets)) as agent:
        agent.add(key_of("ed25519"))
        environment.setenv("SSH_AUTH_SOCK", agent.path)
        assert triton.machines() == listed() == place.machines


# Who both are.


@pytest.fixture
def jill(place: Place, key_of: KeyShelf) -> Place:
    """The server, where the user jill has the key and may list machines in the role operator, which is not active."""
    user = place.cloud.state.add_user("jill", key_of("ed25519").public_line)
    give_role(place.cloud, "operator", user, rules=["CAN * *"], default=False)
    return place


def test_user_and_roles(triton: Triton, folder: Path, jill: Place) -> None:
    """Both sign as the sub-user of a profile, and take on its roles; without them both are refused."""
    write(folder, "plain", {**jill.profile, "user": "jill"}, current=True)
    assert triton.refuses("instance", "list")
    with pytest.raises(SmartDCError, match="403 NotAuthorized"):
        listed()
    write(folder, "lab", {**jill.profile, "user": "jill", "roles": ["operator"]}, current=True)
    assert triton.machines() == listed() == jill.machines


def test_roles_of_the_environment(triton: Triton, folder: Path, jill: Place, environment: Environment) -> None:
    """``TRITON_ROLE`` is a list of roles, and counts over any profile."""
    write(folder, "lab", {**jill.profile, "user": "jill", "roles": ["nobody"]}, current=True)
    environment.setenv("TRITON_ROLE", "operator, ")
    assert triton.machines() == listed() == jill.machines


def test_user_of_the_environment(triton: Triton, jill: Place, environment: Environment) -> None:
    """``TRITON_USER`` names a sub-user, or ``SDC_USER``."""
    announce(environment, jill, "TRITON", "TRITON", "TRITON")
    environment.setenv("SDC_USER", "jill")
    environment.setenv("TRITON_ROLE", "operator")
    assert triton.machines() == listed() == jill.machines


def test_account_to_act_on(triton: Triton, folder: Path, place: Place, environment: Environment) -> None:
    """An operator's profile, or ``TRITON_ACT_AS``, can name the account of somebody else."""
    other = place.cloud.state.add_account("project")
    place.cloud.state.accounts["demo"].operator = True
    theirs = sorted(machine.id for machine in place.cloud.populate(2, account=other))
    write(folder, "lab", {**place.profile, "actAsAccount": "project"}, current=True)
    assert triton.machines() == listed() == theirs
    announce(environment, place, "TRITON", "TRITON", "TRITON")
    environment.setenv("TRITON_PROFILE", "env")
    environment.setenv("TRITON_ACT_AS", "project")
    assert triton.machines() == listed() == theirs


# Certificates.


@pytest.fixture
def unknown(key_of: KeyShelf) -> Iterator[Place]:
    """A server behind HTTPS, whose authority nobody knows."""
    with serving(key_of("ed25519"), tls=True) as place:
        yield place


def test_unknown_certificate(triton: Triton, folder: Path, unknown: Place) -> None:
    """Neither goes on where the certificate is not to be trusted."""
    write(folder, "lab", unknown.profile, current=True)
    assert triton.refuses("instance", "list")
    with pytest.raises(TLSError):
        listed()
    assert unknown.cloud.trace == []


def test_insecure_profile(triton: Triton, folder: Path, unknown: Place) -> None:
    """Both go on where the profile says not to check."""
    write(folder, "lab", {**unknown.profile, "insecure": True}, current=True)
    with pytest.warns(InsecureRequestWarning):
        assert triton.machines() == listed() == unknown.machines


@pytest.mark.parametrize(
    ("name", "text"),
    [("TRITON_TLS_INSECURE", "true"), ("SDC_TLS_INSECURE", "1"), ("SDC_TESTING", "0"), ("SDC_TESTING", "any text")],
)
def test_insecure_environment(triton: Triton, unknown: Place, environment: Environment, name: str, text: str) -> None:
    """Both go on where the environment says so; in the oldest of the variables any text says it."""
    announce(environment, unknown, "TRITON", "TRITON", "TRITON")
    environment.setenv(name, text)
    with pytest.warns(InsecureRequestWarning):
        assert triton.machines() == listed() == unknown.machines


@pytest.mark.parametrize(("name", "text"), [("TRITON_TLS_INSECURE", "0"), ("SDC_TESTING", "")])
def test_secure_environment(triton: Triton, unknown: Place, environment: Environment, name: str, text: str) -> None:
    """Both check where the environment says to, or nothing."""
    announce(environment, unknown, "TRITON", "TRITON", "TRITON")
    environment.setenv(name, text)
    assert triton.refuses("instance", "list")
    with pytest.raises(TLSError):
        listed()


@pytest.mark.parametrize("prefix", PREFIXES)
def test_insecure_typo(triton: Triton, place: Place, environment: Environment, prefix: str) -> None:
    """Both refuse a word that is neither yes nor no, before anything is sent."""
    announce(environment, place, "TRITON", "TRITON", "TRITON")
    environment.setenv(f"{prefix}_TLS_INSECURE", "yes")
    assert triton.refuses("instance", "list")
    with pytest.raises(ConfigError, match=f"{prefix}_TLS_INSECURE must be true, 1, false or 0, got 'yes'"):
        listed()
    assert place.cloud.trace == []


def test_typo_that_nobody_reads(triton: Triton, folder: Path, place: Place, environment: Environment) -> None:
    """A profile that is named does not care for the environment's own settings."""
    write(folder, "lab", place.profile)
    environment.setenv("TRITON_PROFILE", "lab")
    environment.setenv("TRITON_TLS_INSECURE", "treu")
    assert triton.machines() == listed() == listed(profile="lab") == place.machines


# Profiles that are none.

BROKEN: dict[str, tuple[Any, str]] = {
    "missing": (None, r"there is no profile 'bad': .*bad\.json does not exist; triton profile list shows"),
    "no JSON": ('{"url": ', r"bad\.json is not JSON: "),
    "no URL": ({"account": "demo", "keyId": "x"}, r"lacks url$"),
    "no account": ({"url": "http://127.0.0.1:1", "keyId": "x"}, r"lacks account$"),
    "no key": ({"url": "http://127.0.0.1:1", "account": "demo"}, r"lacks keyId$"),
    "extraneous": ({"colour": "red"}, r"invalid entry 'colour' in .*: unknown; expected one of url, account, keyId, "),
    "name": ({"name": "bad"}, r"invalid entry 'name' in .*: the name of a profile is that of its file"),
    "insecure": (
        {"insecure": "false"},
        r"invalid entry 'insecure' in .*: must be true or false, without quotes, got 'false'",
    ),
    "user": ({"user": 7}, r"invalid entry 'user' in .*: must be a string"),
    "roles": ({"roles": "reader"}, r"invalid entry 'roles' in .*: must be a list of names"),
    "a role": ({"roles": ["reader", 7]}, r"invalid entry 'roles' in .*: must be a list of names"),
}
WHOLE = {"extraneous", "name", "insecure", "user", "roles", "a role"}
"""Those that are all right but for one entry."""


def write_broken(folder: Path, name: str, cause: str) -> None:
    """Write a profile with something wrong; one that is missing is not written."""
    entries, _ = BROKEN[cause]
    if entries is not None:
        good = {"url": "http://127.0.0.1:1", "account": "demo", "keyId": "x"}
        write(folder, name, {**good, **entries} if cause in WHOLE else entries)


@pytest.mark.parametrize("cause", BROKEN)
def test_broken_profile(folder: Path, environment: Environment, cause: str) -> None:
    """A profile that is broken is refused with words of its own for each cause, and the name of the file."""
    write_broken(folder, "bad", cause)
    environment.setenv("TRITON_PROFILE", "bad")
    with pytest.raises(ConfigError, match=BROKEN[cause][1]) as caught:
        DataCenter()
    assert str(folder / "profiles.d" / "bad.json") in str(caught.value)


def test_null_entry(triton: Triton, folder: Path, place: Place) -> None:
    """An entry that is null says nothing, to both."""
    write(folder, "lab", {**place.profile, "user": None, "roles": None, "insecure": None}, current=True)
    assert triton.machines() == listed() == place.machines


@pytest.mark.parametrize("text", ["{", "[]", '"lab"'])
def test_broken_configuration(triton: Triton, folder: Path, place: Place, text: str) -> None:
    """A broken ``config.json`` is told by its path."""
    write(folder, "lab", place.profile)
    (folder / "config.json").write_text(text)
    assert triton.refuses("instance", "list")
    with pytest.raises(ConfigError, match=r"config\.json is (not JSON|not a JSON object)"):
        listed()


# The list of profiles.


def test_profiles(
    triton: Triton, folder: Path, place: Place, environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """Both list the same profiles, and pass over the same files; here the log says why."""
    announce(environment, place, "SDC", "TRITON", "SDC")
    write(folder, "lab", place.profile, current=True)
    write(folder, "work", {**place.profile, "user": "jill", "actAsAccount": "project"})
    write(folder, "env", place.profile)
    for cause in BROKEN:
        write_broken(folder, f"bad {cause}", cause)
    (folder / "profiles.d" / "notes.txt").write_text("of no importance")
    with caplog.at_level(logging.WARNING, "smartdc"):
        ours = {(p.name, p.url, p.account, p.key_id, p.user, p.act_as) for p in profiles()}
    entries = ("name", "url", "account", "keyId", "user", "actAsAccount")
    theirs = {tuple(profile.get(entry) for entry in entries) for profile in triton.lines("profile", "list")}
    assert ours == theirs
    assert sorted(name for name, *_ in ours) == ["env", "lab", "work"]
    for name in ("env", *(f"bad {cause}" for cause in BROKEN if cause != "missing")):
        assert f"{name}.json" in caplog.text


def test_missing_profile(triton: Triton, folder: Path, environment: Environment) -> None:
    """A profile that is not there is refused by both."""
    write(folder, "lab", {})
    environment.setenv("TRITON_PROFILE", "bad")
    assert triton.refuses("instance", "list")
    with pytest.raises(ConfigError, match="there is no profile 'bad'"):
        DataCenter()
