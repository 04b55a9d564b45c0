"""Machines are logged in to by the rules of ``triton ssh``, with the OpenSSH of this computer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kits.sshd import BASTION, TARGETS, Sshd
from smartdc import ConfigError, DataCenter, SSHError, WaitTimeout
from smartdc.emulator import Emulator


@pytest.fixture
def dc(cloud: Emulator) -> DataCenter:
    """A client within the process: what is sent is not what this is about."""
    return DataCenter(**cloud.connection())


@pytest.fixture
def servers(sshd: Sshd, cloud: Emulator) -> Sshd:
    """Servers behind the machines web-1, web-2 and bastion of the emulator's books."""
    addresses = dict(zip(("web-1", "web-2", "bastion"), (*TARGETS[:2], BASTION), strict=True))
    for name, address in addresses.items():
        [machine] = cloud.populate(1, name=name)
        sshd.inhabit(cloud, machine, address)
    return sshd


def test_a_command_runs_in_the_machine(servers: Sshd, dc: DataCenter) -> None:
    """Its output comes back, and its status."""
    result = dc.machine("web-1").ssh("echo $SSH_CONNECTION; echo oh >&2; exit 3", options=servers.options)

    assert result.stdout.split()[2:] == [TARGETS[0], str(servers.port)]
    assert (result.stderr, result.returncode) == ("oh\n", 3)


def test_words_are_quoted_for_the_shell_there(servers: Sshd, dc: DataCenter) -> None:
    """Each arrives as it is, and what the command reads does too."""
    words = ["printf", "%s|", "two words", "$HOME", "-x", "; echo no"]
    assert dc.machine("web-1").ssh(words, options=servers.options).stdout == "two words|$HOME|-x|; echo no|"
    assert dc.machine("web-1").ssh("tr a-z A-Z", options=servers.options, input="größe").stdout == "GRößE"


def test_a_tag_leads_through_another_machine(servers: Sshd, dc: DataCenter) -> None:
    """The bastion has passed the connection on."""
    machine = dc.machine("web-2")
    machine.add_tags({"tritoncli.ssh.proxy": "bastion"})
    before = servers.log("bastion").count("Accepted publickey")

    assert machine.ssh("echo through", options=servers.options).stdout == "through\n"
    assert servers.log("bastion").count("Accepted publickey") == before + 1
    assert machine.ssh("echo directly", options=servers.options, proxy=False).stdout == "directly\n"
    assert servers.log("bastion").count("Accepted publickey") == before + 1


def test_a_host_that_is_not_known_is_refused(servers: Sshd, dc: DataCenter) -> None:
    """The error has OpenSSH's words; nobody is asked."""
    unknown = ["-o", "UserKnownHostsFile=/dev/null", *servers.options]
    with pytest.raises(SSHError, match=r"ssh to web-1: .*Host key verification failed"):
        dc.machine("web-1").ssh("true", options=unknown)


def test_a_command_that_does_not_end_is_left(servers: Sshd, dc: DataCenter) -> None:
    """The time is up after `timeout` seconds."""
    with pytest.raises(WaitTimeout, match=r"web-1 did not end within 0\.2 s"):
        dc.machine("web-1").ssh("sleep 30", options=servers.options, timeout=0.2)


def test_without_a_command_it_is_a_session(servers: Sshd, dc: DataCenter, tmp_path: Path) -> None:
    """What is typed goes there, and what comes back is seen, not returned; the status is that of the session."""
    (tmp_path / "typed").write_text("echo said > " + str(tmp_path / "said") + "; exit 5\n")
    with (tmp_path / "typed").open() as keyboard:
        former = os.dup(0)
        os.dup2(keyboard.fileno(), 0)
        try:
            result = dc.machine("web-1").ssh(options=servers.options)
        finally:
            os.dup2(former, 0)
            os.close(former)

    assert result.returncode == 5
    assert not result.stdout
    assert (tmp_path / "said").read_text() == "said\n"


def test_without_openssh_it_says_what_to_install(
    servers: Sshd, dc: DataCenter, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In one line, for a command and for a session."""
    environment.setenv("PATH", str(tmp_path))
    for command in ("true", None):
        with pytest.raises(ConfigError, match="there is no ssh on this computer: install OpenSSH's client"):
            dc.machine("web-1").ssh(command, options=servers.options)
