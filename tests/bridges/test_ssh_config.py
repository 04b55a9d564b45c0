"""OpenSSH reads the configuration that is written for the machines, and reaches them by their names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kits.sshd import BASTION, TARGETS, Sshd
from smartdc import Cloud, DataCenter
from smartdc.bridges.hosts import Hosts, hosts_of
from smartdc.bridges.ssh_config import ssh_config
from smartdc.emulator import Emulator


def hosts(cloud: Emulator) -> Hosts:
    """Return the machines as hosts."""
    with Cloud({"": DataCenter(**cloud.connection())}) as clouds:
        return hosts_of(clouds)


@pytest.fixture
def clouds() -> dict[str, Emulator]:
    """Two data centres."""
    found = {name: Emulator(seed) for seed, name in enumerate(("east", "west"))}
    for name, each in found.items():
        each.state.settings.datacenter = name
    return found


@pytest.fixture
def config(cloud: Emulator, sshd: Sshd, tmp_path: Path) -> Path:
    """The configuration of web-1, web-2 behind a bastion, and that bastion, with what a client needs besides."""
    for name, address, tags in (
        ("web-1", TARGETS[0], {}),
        ("web-2", TARGETS[1], {"tritoncli.ssh.proxy": "bastion"}),
        ("bastion", BASTION, {"tritoncli.ssh.proxyuser": sshd.user}),
    ):
        [machine] = cloud.populate(1, name=name, tags=tags)
        sshd.inhabit(cloud, machine, address)
    path = tmp_path / "config"
    path.write_text(ssh_config(hosts(cloud).found) + "\nHost *\n" + (sshd.folder / "client.conf").read_text())
    return path


def ssh(config: Path, *arguments: str) -> str:
    """Return what ssh prints."""
    return subprocess.run(["ssh", "-F", config, *arguments], capture_output=True, text=True, check=True).stdout


def test_ssh_understands_it(config: Path, sshd: Sshd) -> None:
    """``ssh -G`` says where it would go, and through which machine."""
    understood = dict(line.split(" ", 1) for line in ssh(config, "-G", "web-2").splitlines())

    assert understood["hostname"] == TARGETS[1]
    assert understood["user"] == sshd.user
    assert understood["port"] == str(sshd.port)
    assert understood["proxyjump"] == f"{sshd.user}@[{BASTION}]:{sshd.port}"


def test_ssh_reaches_machines_by_name(config: Path, sshd: Sshd) -> None:
    """One of them through the bastion."""
    before = sshd.log("bastion").count("Accepted publickey")

    assert ssh(config, "web-1", "echo $SSH_CONNECTION").split()[2] == TARGETS[0]
    assert ssh(config, "web-2", "echo $SSH_CONNECTION").split()[2] == TARGETS[1]
    assert sshd.log("bastion").count("Accepted publickey") == before + 1


def test_a_machine_that_cannot_be_reached_is_told_of(cloud: Emulator) -> None:
    """It is no host, and the others are."""
    cloud.populate(1, name="web-1")
    cloud.populate(1, name="web-2", tags={"tritoncli.ssh.proxy": "gone"})
    found = hosts(cloud)

    assert [host.name for host in found.found] == ["web-1"]
    assert found.unreachable == {"web-2": "there is no machine 'gone' to connect through"}


@pytest.mark.parametrize("name", ["*", "-oProxyCommand=x", "a b", "web\nHost *", "!web"])
def test_a_name_that_is_no_hosts_is_left_out(cloud: Emulator, name: str) -> None:
    """Whatever a server says, only names become words of the configuration."""
    cloud.populate(1, name=name)
    found = hosts(cloud)

    assert found.found == []
    assert found.unreachable == {repr(name): "its name is not valid as the name of a host"}


def test_no_two_hosts_have_one_name(clouds: dict[str, Emulator]) -> None:
    """A machine may be called what another one is called with its data centre."""
    clouds["east"].populate(1, name="web")
    clouds["west"].populate(1, name="web")
    [twin] = clouds["west"].populate(1, name="web.east")
    with Cloud({name: DataCenter(**cloud.connection()) for name, cloud in clouds.items()}) as both:
        names = [host.name for host in hosts_of(both).found]

    assert f"web.east.{twin.id}" in names
    assert "web.west" in names
    assert len(set(names)) == 3


def test_a_proxy_is_never_guessed(cloud: Emulator) -> None:
    """The name of several machines is refused, as everywhere; an id is never taken for a name."""
    [bastion] = cloud.populate(1, name="bastion")
    cloud.populate(1, name=str(bastion.id))
    cloud.populate(2, name="twin")
    cloud.populate(1, name="web-1", tags={"tritoncli.ssh.proxy": "twin"})
    cloud.populate(1, name="web-2", tags={"tritoncli.ssh.proxy": str(bastion.id)})
    found = hosts(cloud)

    assert "2 machines are named 'twin'" in found.unreachable["web-1"]
    [web] = [host for host in found.found if host.name == "web-2"]
    assert web.target.proxy is not None
    assert web.target.proxy.address == bastion.ready_nics[0].ip
