"""``smartdc inventory``: several profiles at once, and nothing silently incomplete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartdc import __main__ as command
from smartdc.bridges.ansible import PLUGINS
from smartdc.emulator import Emulator, Server, WallClock


@pytest.fixture
def clouds() -> Iterator[dict[str, Emulator]]:
    """Two data centres, each with a web-1, a profile for each, and one for an account that does not exist."""
    found = {name: Emulator(seed, clock=WallClock()) for seed, name in enumerate(("east", "west"))}
    profiles, keys = Path.home() / ".triton" / "profiles.d", Path.home() / ".ssh"
    profiles.mkdir(parents=True)
    keys.mkdir()
    with Server(found["east"]) as east, Server(found["west"]) as west:
        for name, url, login in (("east", east.url, "demo"), ("west", west.url, "demo"), ("gone", west.url, "gone")):
            cloud = found.get(name, found["west"])
            profile = {"url": url, "account": login, "keyId": cloud.key_id.rpartition("/")[2]}
            (profiles / f"{name}.json").write_text(json.dumps(profile))
        for name, cloud in found.items():
            cloud.state.settings.datacenter = name
            (keys / f"id_{name}").touch(0o600)
            (keys / f"id_{name}").write_text(cloud.private_key or "")
            cloud.populate(1, name="web-1", tags={"place": name})
            cloud.populate(1, name=f"only-{name}")
        yield found


def hosts(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    """Return the variables of the hosts that a command writes."""
    assert command.main(["inventory", "ansible", *arguments]) == 0
    found: dict[str, dict[str, Any]] = json.loads(capsys.readouterr().out)["_meta"]["hostvars"]
    return found


@pytest.mark.usefixtures("clouds")
def test_several_profiles_are_one_inventory(capsys: pytest.CaptureFixture[str]) -> None:
    """Names that are in several data centres are told apart by these."""
    found = hosts(capsys, "--profile", "east", "--profile", "west", "--list")

    assert list(found) == ["only-east", "only-west", "web-1.east", "web-1.west"]
    assert found["web-1.west"]["triton_datacenter"] == "west"
    assert found["web-1.west"]["triton_tags"] == {"place": "west"}


@pytest.mark.usefixtures("clouds")
def test_one_host_is_written_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """As Ansible asks for it; one that is not there is an error."""
    assert command.main(["inventory", "ansible", "--profile", "east", "--user", "ann", "--host", "web-1"]) == 0
    assert json.loads(capsys.readouterr().out)["ansible_user"] == "ann"

    assert command.main(["inventory", "ansible", "--profile", "east", "--host", "web-9"]) == 1
    assert capsys.readouterr() == ("", "smartdc: there is no host 'web-9'\n")


@pytest.mark.usefixtures("clouds")
def test_what_is_incomplete_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Unless that is asked for; either way the data centre that does not answer is named."""
    assert command.main(["inventory", "ssh-config", "--all-profiles"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("smartdc: gone did not answer: ")
    assert err.endswith("--partial writes the others\n")

    assert command.main(["inventory", "ssh-config", "--all-profiles", "--partial"]) == 0
    out, err = capsys.readouterr()
    assert [line for line in out.splitlines() if line.startswith("Host ")] == [
        "Host only-east", "Host only-west", "Host web-1.east", "Host web-1.west",
    ]  # fmt: skip
    assert err.startswith("smartdc: gone did not answer: ")


def test_without_settings_it_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, without a traceback."""
    assert command.main(["inventory", "ssh-config"]) == 1
    assert "set TRITON_URL" in capsys.readouterr().err


def test_the_folder_of_the_plugin_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """It needs no data centre."""
    assert command.main(["inventory", "ansible", "--plugins"]) == 0
    assert capsys.readouterr().out == f"{PLUGINS}\n"
    assert (PLUGINS / "smartdc.py").exists()
