"""Where and as whom ssh goes, by the rules of ``triton ssh``; what tags say never becomes an option."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest

from smartdc import DataCenter, InputError
from smartdc.emulator import Emulator
from smartdc.machine.ssh import command_words
from smartdc.machine.ssh_target import Target, find_target

IMAGES: dict[str, dict[str, Any]] = {"plain": {}, "ubuntu": {"default_user": "ubuntu"}}

BASTION = {"name": "bastion", "image": "ubuntu", "primaryIp": "198.18.0.9", "ips": ["198.18.0.9"]}


def machine(image: str = "plain", **tags: Any) -> dict[str, Any]:
    """Return what CloudAPI says of a machine with two addresses; in the names of tags ``_`` stands for ``tritoncli.ssh.``."""
    named = {f"tritoncli.ssh{name.replace('_', '.')}": value for name, value in tags.items()}
    ips = ["198.18.0.5", "192.168.128.5", "2001:db8::5"]
    return {"name": "web-1", "image": image, "primaryIp": ips[0], "ips": ips, "tags": named}


def target(of: dict[str, Any], bastion: dict[str, Any] = BASTION, **choice: Any) -> Target:
    """Return where a machine is."""
    return find_target(of, image_tags=IMAGES.__getitem__, machine_called={"bastion": bastion}.__getitem__, **choice)


@pytest.mark.parametrize(
    ("of", "choice", "expected"),
    [
        (machine(), {}, Target("198.18.0.5", "root")),
        (machine("ubuntu"), {}, Target("198.18.0.5", "ubuntu")),
        (machine("ubuntu"), {"user": "ann"}, Target("198.18.0.5", "ann")),
        (machine(_ip="192.168.128.5"), {}, Target("192.168.128.5", "root")),
        (machine(_ip="2001:db8::5"), {}, Target("2001:db8::5", "root")),
        (machine(_port=2222), {}, Target("198.18.0.5", "root", 2222)),
        (machine(_port="2222"), {}, Target("198.18.0.5", "root", 2222)),
        (machine(_proxy="bastion"), {}, Target("198.18.0.5", "root", 22, Target("198.18.0.9", "ubuntu"))),
        (machine(_proxy="bastion"), {"user": "ann"}, Target("198.18.0.5", "ann", 22, Target("198.18.0.9", "ann"))),
        (machine(_proxy="bastion"), {"proxy": False}, Target("198.18.0.5", "root")),
    ],
)
def test_the_rules(of: dict[str, Any], choice: dict[str, Any], expected: Target) -> None:
    """Address, user, port and proxy."""
    assert target(of, **choice) == expected


def test_the_proxys_own_tags_count_before_the_user_that_is_given() -> None:
    """A shared account of the bastion serves everybody."""
    bastion = {**BASTION, "tags": {"tritoncli.ssh.proxyuser": "partyline", "tritoncli.ssh.port": 2200}}
    proxy = target(machine(_proxy="bastion"), bastion, user="ann").proxy

    assert proxy == Target("198.18.0.9", "partyline", 2200)
    assert proxy.jump == "partyline@198.18.0.9:2200"
    assert Target("2001:db8::9", "ann").jump == "ann@[2001:db8::9]"


@pytest.mark.parametrize(
    ("of", "choice", "words"),
    [
        (machine(_ip="198.18.0.77"), {}, "tritoncli.ssh.ip of web-1 is '198.18.0.77', which is not one of its addresses"),
        ({**machine(), "primaryIp": None}, {}, "web-1 has no address yet"),
        ({**machine(), "primaryIp": "-oProxyCommand=x"}, {}, "an invalid address: '-oProxyCommand=x'"),
        ({**machine(), "primaryIp": "198.18.0.5 -x"}, {}, "an invalid address"),
        ({**machine(), "primaryIp": "fe80::1%x\nProxyCommand y"}, {}, "an invalid address"),
        ({**machine(), "primaryIp": 3323068421}, {}, "an invalid address: 3323068421"),
        ({**machine(_ip="-x"), "ips": ["-x"]}, {}, "an invalid address: '-x'"),
        ({**machine(), "primaryIp": "fe80::1%`id`"}, {}, "an invalid address: 'fe80::1%`id`'"),
        (machine(_port="22 -x"), {}, "tritoncli.ssh.port of web-1 is '22 -x', which is not a port"),
        (machine(_port=70000), {}, "not a port"),
        (machine(_port=True), {}, "not a port"),
        (machine(_port="²"), {}, "not a port"),
        (machine(), {"user": "-oProxyCommand=x"}, "not a user name to log in to web-1 with: '-oProxyCommand=x'"),
        (machine(), {"user": "a b"}, "not a user name"),
        (machine(), {"user": "a@b"}, "not a user name"),
        (machine(), {"user": "a,b"}, "not a user name"),
        (machine(), {"user": "$(x)"}, "not a user name"),
        (machine(), {"user": "root\n"}, "not a user name"),
        (machine("ubuntu; x"), {}, "not a user name"),
    ],
)  # fmt: skip
def test_what_would_be_something_else_is_refused(of: dict[str, Any], choice: dict[str, Any], words: str) -> None:
    """The error names the machine and the tag."""
    images = {**IMAGES, "ubuntu; x": {"default_user": "ubuntu; x"}}
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        find_target(of, image_tags=images.__getitem__, machine_called=lambda _: {}, **choice)


@pytest.mark.parametrize("bad", [{"tags": {"tritoncli.ssh.proxyuser": "-x"}}, {"primaryIp": "-x"}, {"image": "x"}])
def test_a_proxy_is_checked_as_well(bad: dict[str, Any]) -> None:
    """What it says becomes a part of an option."""
    images = {**IMAGES, "x": {"default_user": "x,y"}}
    with pytest.raises(InputError, match="bastion"):
        find_target(
            machine(_proxy="bastion"),
            image_tags=images.__getitem__,
            machine_called={"bastion": {**BASTION, **bad}}.__getitem__,
        )


def test_nothing_that_is_given_becomes_an_option() -> None:
    """OpenSSH itself takes the command as one, and runs nothing here."""
    words = command_words(Target("198.18.0.5", "root"), "-oProxyCommand=x", ["-G"])

    assert words[-3:] == ["--", "198.18.0.5", "-oProxyCommand=x"]
    understood = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "proxycommand" not in understood


def test_the_command_line(dc: DataCenter, cloud: Emulator) -> None:
    """``GetImage`` says who logs in; the line can be pasted into a shell."""
    [there] = cloud.populate(1, name="web-1", image="ubuntu-24.04", tags={"tritoncli.ssh.proxy": "bastion"})
    cloud.populate(1, name="bastion")
    cloud.state.images[there.image].tags = {"default_user": "ubuntu"}

    assert shlex.join(dc.machine(there.id).ssh_command(["ls", "my files"])) == (
        "ssh -o ControlMaster=no -o ControlPath=none -o ProxyJump=root@198.18.0.6 -p 22 -l ubuntu -- 198.18.0.5 "
        "'ls '\"'\"'my files'\"'\"''"
    )
    assert dc.machine(there.id).ssh_command(user="ann", proxy=False)[-4:] == ["-l", "ann", "--", "198.18.0.5"]


def test_an_empty_command_is_refused(dc: DataCenter, cloud: Emulator) -> None:
    """It would be a session."""
    [there] = cloud.populate(1)
    with pytest.raises(InputError, match="an empty command; leave it out to log in"):
        dc.machine(there.id).ssh_command(" ")


def test_an_image_that_is_gone_names_no_user(dc: DataCenter, cloud: Emulator) -> None:
    """Then it is root."""
    [there] = cloud.populate(1)
    machine = dc.machine(there.id)
    del cloud.state.images[there.image]

    assert "root" in machine.ssh_command()
