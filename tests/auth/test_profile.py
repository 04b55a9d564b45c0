"""Where settings come from when nobody gives them: the environment, and the profiles of the ``triton`` command."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import InsecureRequestWarning

from smartdc import ConfigError, DataCenter, TLSError
from smartdc.auth.profile import from_environment, profiles
from smartdc.emulator import Emulator, Server

Environment = pytest.MonkeyPatch

LAB = {"url": "https://lab.example", "account": "bob", "keyId": "/bob/keys/laptop"}
BOTH = {
    "URL": ("url", "https://triton.example", "https://sdc.example"),
    "ACCOUNT": ("account", "trinity", "sid"),
    "KEY_ID": ("key_id", "/trinity/keys/t", "/sid/keys/s"),
    "USER": ("user", "tina", "sam"),
    "KEY_MATERIAL": ("key_material", "~/.ssh/t", "~/.ssh/s"),
}


@pytest.fixture
def triton() -> Path:
    """The folder of the ``triton`` command, with a profile called lab."""
    folder = Path("~/.triton").expanduser()
    (folder / "profiles.d").mkdir(parents=True)
    write(folder, "lab", LAB)
    return folder


def write(folder: Path, name: str, entries: Any) -> None:
    """Write a profile as the ``triton`` command does: its name is that of the file."""
    (folder / "profiles.d" / f"{name}.json").write_text(json.dumps(entries))


@pytest.mark.parametrize(("name", "told"), BOTH.items(), ids=BOTH)
def test_triton_counts_over_sdc(name: str, told: tuple[str, str, str]) -> None:
    """Of every setting ``TRITON_*`` is taken first, then ``SDC_*``; an empty one says nothing."""
    attribute, new, old = told
    for environ, value in (
        ({f"TRITON_{name}": new, f"SDC_{name}": old}, new),
        ({f"SDC_{name}": old}, old),
        ({f"TRITON_{name}": "", f"SDC_{name}": old}, old),
        ({}, None),
    ):
        assert getattr(from_environment(environ), attribute) == value


def test_environment_is_enough(environment: Environment) -> None:
    """Without arguments a data centre is the one that the environment names."""
    environment.setenv("SDC_URL", "https://sdc.example/")
    environment.setenv("TRITON_ACCOUNT", "bob")
    environment.setenv("TRITON_KEY_ID", "/bob/keys/laptop")
    assert repr(DataCenter()) == "<DataCenter bob@https://sdc.example>"


def test_arguments_count_over_the_environment(environment: Environment) -> None:
    """What is given is not looked for, and the rest is."""
    environment.setenv("TRITON_URL", "https://triton.example")
    environment.setenv("TRITON_ACCOUNT", "bob")
    environment.setenv("TRITON_KEY_ID", "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff")
    dc = DataCenter("https://other.example")
    assert repr(dc) == "<DataCenter bob@https://other.example>"
    assert repr(DataCenter(key_id="/eve/keys/laptop")) == "<DataCenter eve@https://triton.example>"
    assert DataCenter(login="project").url == "https://triton.example/project/"


def test_act_as(environment: Environment) -> None:
    """Another account can be acted on with one's own key."""
    environment.setenv("TRITON_URL", "https://triton.example")
    environment.setenv("TRITON_ACT_AS", "project")
    assert DataCenter().url == "https://triton.example/project/"


def test_environment_works(cloud: Emulator, environment: Environment) -> None:
    """A cloud can be used with nothing but the environment: URL, account, key id and the key itself."""
    with Server(cloud) as server:
        environment.setenv("TRITON_URL", server.url)
        environment.setenv("TRITON_ACCOUNT", "demo")
        environment.setenv("TRITON_KEY_ID", cloud.key_id.rpartition("/")[2])
        environment.setenv("TRITON_KEY_MATERIAL", str(cloud.private_key))
        with DataCenter(clock=cloud.clock) as dc:
            assert dc.account().login == "demo"


@pytest.mark.parametrize(
    ("text", "insecure"), [("1", True), ("true", True), ("0", False), ("false", False), ("", False)]
)
@pytest.mark.parametrize("prefix", ["TRITON", "SDC"])
def test_insecure_turns_the_check_off(environment: Environment, prefix: str, text: str, insecure: bool) -> None:
    """``TLS_INSECURE`` turns the check of certificates off, when it says so plainly."""
    environment.setenv("TRITON_URL", "https://triton.example")
    environment.setenv(f"{prefix}_TLS_INSECURE", text)
    assert DataCenter().verify is not insecure


@pytest.mark.parametrize("text", ["yes", "True", "no", "off", "2", " 1"])
def test_insecure_by_half(environment: Environment, text: str) -> None:
    """Any other word is refused: a typo neither turns the check off nor leaves it on in silence."""
    environment.setenv("TRITON_URL", "https://triton.example")
    environment.setenv("TRITON_TLS_INSECURE", text)
    with pytest.raises(ConfigError, match=r"TRITON_TLS_INSECURE must be true, 1, false or 0, got"):
        DataCenter()


def test_testing_is_insecure(environment: Environment) -> None:
    """``SDC_TESTING`` with any text turns the check off, as it always did, unless ``TLS_INSECURE`` says otherwise."""
    environment.setenv("TRITON_URL", "https://triton.example")
    environment.setenv("SDC_TESTING", "no")
    assert DataCenter().verify is False
    environment.setenv("TRITON_TLS_INSECURE", "0")
    assert DataCenter().verify is True


def test_roles_of_the_environment(triton: Path, environment: Environment) -> None:
    """``TRITON_ROLE`` is a list that counts over any profile's; roles given in the program count over both."""
    write(triton, "work", {**LAB, "roles": ["reader"]})
    assert DataCenter(profile="work").active_roles == ["reader"]
    environment.setenv("TRITON_ROLE", "writer, admin,")
    assert DataCenter(profile="work").active_roles == ["writer", "admin"]
    assert DataCenter(profile="work", roles="boss").active_roles == ["boss"]


def test_origins() -> None:
    """A profile says of each of its settings which variable it comes from."""
    environ = {"SDC_URL": "u", "TRITON_ACCOUNT": "a", "SDC_TESTING": "1", "TRITON_ROLE": "r", "TRITON_ACT_AS": "b"}
    assert from_environment(environ).origins == {
        "url": "SDC_URL",
        "account": "TRITON_ACCOUNT",
        "insecure": "SDC_TESTING",
        "roles": "TRITON_ROLE",
        "act_as": "TRITON_ACT_AS",
    }


def test_insecure_is_for_the_place_in_the_environment(environment: Environment) -> None:
    """A place that is given in the program is checked, whatever the environment says of its own."""
    environment.setenv("TRITON_URL", "https://triton.example")
    environment.setenv("TRITON_TLS_INSECURE", "1")
    assert DataCenter("https://other.example").verify is True


@pytest.fixture
def secure(cloud: Emulator) -> Iterator[Server]:
    """The cloud behind HTTPS, with an authority that nobody else knows."""
    with Server(cloud, tls=True) as server:
        yield server


def test_certificate_is_checked(cloud: Emulator, secure: Server) -> None:
    """A certificate of an unknown authority is refused, and one that is known by its file is taken."""
    with DataCenter(**cloud.connection(secure.url)) as dc, pytest.raises(TLSError, match="certificate"):
        dc.account()
    with DataCenter(**cloud.connection(secure.url), verify=str(secure.ca)) as dc:
        assert dc.account().login == "demo"
    assert cloud.trace.operations() == ["GetAccount"]


def test_certificate_is_not_checked_where_that_is_asked_for(cloud: Emulator, secure: Server) -> None:
    """With ``verify=False`` any certificate is taken, with a warning by urllib3."""
    with DataCenter(**cloud.connection(secure.url), verify=False) as dc, pytest.warns(InsecureRequestWarning):
        assert dc.account().login == "demo"


def test_current_profile(triton: Path) -> None:
    """Without arguments and environment the current profile of the ``triton`` command counts."""
    (triton / "config.json").write_text('{"profile": "lab"}')
    assert repr(DataCenter()) == "<DataCenter bob@https://lab.example>"


def test_environment_counts_over_the_current_profile(triton: Path, environment: Environment) -> None:
    """Where the environment has a URL, the current profile is not asked."""
    (triton / "config.json").write_text('{"profile": "lab"}')
    environment.setenv("SDC_URL", "https://sdc.example")
    assert repr(DataCenter()) == "<DataCenter https://sdc.example>"


def test_profile_by_name(triton: Path, environment: Environment) -> None:
    """A profile can be named, in the program or by ``TRITON_PROFILE``; the program counts."""
    environment.setenv("TRITON_URL", "https://triton.example")
    write(triton, "work", {**LAB, "url": "https://work.example"})
    environment.setenv("TRITON_PROFILE", "work")
    assert DataCenter().base_url == "https://work.example"
    assert DataCenter(profile="lab").base_url == "https://lab.example"
    assert DataCenter(profile="env").base_url == "https://triton.example"


def test_profile_with_everything(triton: Path) -> None:
    """A profile's user, roles, account to act on and insecurity are taken over."""
    write(
        triton,
        "all",
        {**LAB, "keyId": "laptop", "user": "sam", "roles": ["reader"], "actAsAccount": "project", "insecure": True},
    )
    dc = DataCenter(profile="all")
    assert (dc.url, dc.active_roles, dc.verify) == ("https://lab.example/project/", ["reader"], False)
    assert repr(dc.auth) == "<Identity /bob/users/sam/keys/laptop>"


PROBLEMS: dict[str, tuple[str, str]] = {
    "no such file": ("", "there is no profile 'bad'.*triton profile list"),
    "no JSON": ("{", "bad.json is not JSON"),
    "no object": ("[]", "bad.json is not a JSON object"),
    "no URL": ('{"account": "bob", "keyId": "x"}', "lacks url"),
    "nothing": ("{}", "lacks url, account, keyId"),
    "unknown entry": (
        json.dumps({**LAB, "colour": "red"}),
        "invalid entry 'colour' in profile .*: unknown; expected one of",
    ),
    "wrong insecure": (
        json.dumps({**LAB, "insecure": "false"}),
        "invalid entry 'insecure' in .* must be true or false",
    ),
    "wrong roles": (json.dumps({**LAB, "roles": ["a", 1]}), "invalid entry 'roles' in .* must be a list of names"),
    "wrong text": (json.dumps({**LAB, "user": 1}), "invalid entry 'user' in .* must be a string"),
    "named inside": (
        json.dumps({**LAB, "name": "lab"}),
        "invalid entry 'name' in .* the name of a profile is that of its file",
    ),
}


@pytest.mark.parametrize(("text", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_profile_that_is_none(triton: Path, text: str, problem: str) -> None:
    """A profile that cannot be used is refused with its file and what is wrong with it."""
    if text:
        (triton / "profiles.d" / "bad.json").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        DataCenter(profile="bad")


@pytest.mark.parametrize("name", ["../config", "a/b", ".."])
def test_profile_elsewhere(triton: Path, name: str) -> None:
    """A profile's name leads to no other folder."""
    (triton / "config.json").write_text(json.dumps(LAB))
    with pytest.raises(ConfigError, match="there is no profile"):
        DataCenter(profile=name)


def test_profiles(triton: Path, environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """All profiles can be listed; the environment is one, and a file that is none is named in the log."""
    for name, value in (("URL", "https://triton.example"), ("ACCOUNT", "eve"), ("KEY_ID", "/eve/keys/k")):
        environment.setenv(f"TRITON_{name}", value)
    (triton / "profiles.d" / "bad.json").write_text("{")
    with caplog.at_level(logging.WARNING, "smartdc"):
        found = profiles()
    assert [(profile.name, profile.url, profile.account) for profile in found] == [
        ("env", "https://triton.example", "eve"),
        ("lab", "https://lab.example", "bob"),
    ]
    assert "bad.json is not JSON" in caplog.text


def test_half_an_environment_is_no_profile(triton: Path, environment: Environment) -> None:
    """Without an account and a key the environment is not listed, nor is a file that bears its name."""
    environment.setenv("TRITON_URL", "https://triton.example")
    write(triton, "env", LAB)
    assert [profile.name for profile in profiles()] == ["lab"]


def test_current_profile_that_is_none(triton: Path) -> None:
    """A configuration of the ``triton`` command that names no profile, but something else, is refused."""
    (triton / "config.json").write_text('{"profile": ["lab"]}')
    with pytest.raises(ConfigError, match=r"invalid entry 'profile' in .*config.json"):
        DataCenter()


def test_no_profiles() -> None:
    """Where there is neither an environment nor a folder there are no profiles."""
    assert profiles() == []


def test_key_material_is_not_shown() -> None:
    """The key in the environment is in no ``repr``."""
    assert "SECRET" not in repr(from_environment({"TRITON_KEY_MATERIAL": "SECRET", "TRITON_URL": "https://a.example"}))


def test_entries_that_are_null(triton: Path) -> None:
    """An entry of a profile that is null says nothing."""
    write(triton, "lab", {**LAB, "user": None, "roles": None, "insecure": None, "actAsAccount": None})
    dc = DataCenter(profile="lab")
    assert (dc.verify, dc.active_roles, dc.login, dc.profile.user) == (True, [], "my", None)


@pytest.mark.usefixtures("triton")
def test_typo_that_nobody_reads(environment: Environment) -> None:
    """A profile that is named does not care for what the environment says of itself."""
    environment.setenv("TRITON_TLS_INSECURE", "treu")
    assert DataCenter(profile="lab").verify is True


def test_bundle_counts_over_an_insecure_profile(triton: Path, secure: Server) -> None:
    """A CA bundle that is given in the program is checked against, whatever the profile says."""
    write(triton, "lab", {**LAB, "insecure": True})
    assert DataCenter(profile="lab", verify=str(secure.ca)).verify == secure.ca


def test_a_home_that_is_nowhere_is_no_crash(environment: Environment) -> None:
    """A container's user may have no home at all."""
    environment.delenv("HOME")
    environment.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(ConfigError, match="no location given"):
        DataCenter()


def test_a_home_of_somebody_else_is_no_crash(environment: Environment) -> None:
    """A service may be started with the HOME of another user, into which it may not look."""
    home = "x" * 300  # no system looks at such a name either, and tests may be run by root, who may look anywhere
    environment.setenv("HOME", f"/{home}")
    with pytest.raises(ConfigError, match="no location given"):
        DataCenter()


def test_a_profile_that_never_ends_is_none(triton: Path) -> None:
    """A file that is nested too deeply to be read is said to be no JSON."""
    (triton / "profiles.d" / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match=r"deep\.json is not JSON"):
        DataCenter(profile="deep")
