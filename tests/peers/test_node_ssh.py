"""``triton ssh`` and `Machine.ssh_command` start OpenSSH alike: the same address, port, user, proxy and command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kits.signing import KeyShelf
from peers.node_kit import Commands, Shell, open_cloud, open_shell, program
from smartdc import DataCenter, InputError

pytest_plugins = ("kits.signing_fixtures",)

FAKE = '#!/bin/sh\n{ printf "%s\\n" "$@"; } > "$HOME/$TRITON_STARTED"\n'

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("plain", {}),
    "the image names a user": ("ubuntu", {}),
    "a user is given": ("ubuntu", {"user": "ann"}),
    "an address is tagged": ("second", {}),
    "a port is tagged": ("port", {}),
    "through a proxy": ("behind", {}),
    "through a proxy, and a user is given": ("behind", {"user": "ann"}),
    "through a proxy with a user of its own": ("shared", {"user": "ann"}),
    "in spite of a proxy": ("behind", {"proxy": False}),
}
"""What is asked for: a machine, and the arguments besides."""


def populate(shell: Shell) -> None:
    """Put machines there that bear the tags which count."""
    cloud = shell.cloud
    image = next(image for image in cloud.state.images.values() if image.name == "ubuntu-24.04")
    image.tags = {"default_user": "ubuntu"}
    for name, tags in {
        "plain": {},
        "port": {"tritoncli.ssh.port": 2222},
        "behind": {"tritoncli.ssh.proxy": "bastion"},
        "shared": {"tritoncli.ssh.proxy": "open-bastion"},
        "open-bastion": {"tritoncli.ssh.proxyuser": "partyline"},
        "wrong": {"tritoncli.ssh.ip": "198.18.0.250"},
    }.items():
        cloud.populate(1, name=name, tags=tags)
    for name in ("ubuntu", "bastion"):
        cloud.populate(1, name=name, image="ubuntu-24.04")
    [second] = cloud.populate(1, name="second")
    second.tags = {"tritoncli.ssh.ip": second.nics[0].ip}


@pytest.fixture(scope="module")
def triton(key_of: KeyShelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell where `triton` is typed, and where ``ssh`` only takes down what it was called with."""
    script = program("triton", "bin/triton")
    file, home = key_of("ecdsa-256", "pem"), tmp_path_factory.mktemp("triton-ssh")
    fake = home / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(FAKE)
    fake.chmod(0o755)
    with open_shell(open_cloud(file), home, file, lambda command: ["node", str(script), *command.split()]) as there:
        there.environment["PATH"] = f"{fake.parent}:{there.environment['PATH']}"
        there.environment["TRITON_STARTED"] = "started"
        populate(there)
        yield there


@pytest.fixture(scope="module")
def commands(triton: Shell) -> Iterator[Commands]:
    """A process of node that runs one command after the other."""
    with Commands.started(triton.environment, triton.home) as there:
        yield there


@pytest.fixture
def dc(triton: Shell) -> Iterator[DataCenter]:
    """A client of the same account."""
    with DataCenter(triton.url, key_id=triton.cloud.key_id, secret=str(triton.home / ".ssh" / "id_account")) as dc:
        yield dc


def understood(words: list[str]) -> dict[str, Any]:
    """Return the options by name, the address and the command; ``--`` and the path of no socket say the same as none."""
    found: dict[str, Any] = {}
    rest = [word for word in words if word != "--"]
    while rest[0].startswith("-"):
        option, value, *rest = rest
        name, _, setting = value.partition("=")
        found[name if option == "-o" else option] = setting if option == "-o" else value
    assert found.pop("ControlPath")
    return {**found, "address": rest[0], "command": rest[1:]}


@pytest.mark.parametrize(("name", "choice"), CASES.values(), ids=CASES)
def test_both_start_the_same(
    triton: Shell, commands: Commands, dc: DataCenter, name: str, choice: dict[str, Any]
) -> None:
    """What ssh is started with is the same to the word."""
    user = f"{choice['user']}@" if "user" in choice else ""
    options = [] if choice.get("proxy", True) else ["--no-proxy"]
    result = commands.run([*triton.argv("ssh")[1:], *options, f"{user}{name}", "uptime"], triton.environment)
    started = (triton.home / "started").read_text().splitlines()

    assert result.code == 0, result.err
    assert understood(dc.machine(name).ssh_command("uptime", **choice)[1:]) == understood(started)


def test_both_refuse_an_address_that_is_not_the_machines(triton: Shell, commands: Commands, dc: DataCenter) -> None:
    """A tag can send nobody to a strange host."""
    result = commands.run([*triton.argv("ssh")[1:], "wrong", "uptime"], triton.environment)

    assert result.code != 0
    assert "198.18.0.250 not attached to the instance" in result.err
    with pytest.raises(InputError, match=r"'198\.18\.0\.250', which is not one of its addresses"):
        dc.machine("wrong").ssh_command("uptime")
