"""Ansible reads the inventory, by a script and by the plugin, and reaches the machines over real ssh."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kits.docs import ROOT
from kits.sshd import BASTION, TARGETS, Sshd
from smartdc import Cloud, DataCenter
from smartdc.bridges.ansible import PLUGINS, groups_of, inventory, marked
from smartdc.bridges.hosts import hosts_of
from smartdc.emulator import Emulator, Server, VirtualClock

BIN = Path(sys.executable).parent
ANSIBLE = BIN / "ansible-playbook"

HOSTILE = "{{ lookup('pipe', 'touch pwned') }}"

OTHER_BRACES = "#jinja2:variable_start_string:'[[',variable_end_string:']]'\n[[ lookup('pipe', 'touch pwned') ]]"
"""What Ansible takes for a template with other braces, which the text names itself."""

GUIDE = (ROOT / "docs" / "guides" / "ansible.md").read_text(encoding="utf-8")
SCRIPT, PLAYBOOK, PLUGIN = (
    re.findall(rf"^```{kind}\n({begin}.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)[0]
    for kind, begin in (("sh", "#!/bin/sh"), ("yaml", "- hosts"), ("yaml", "plugin:"))
)
"""What the guide shows is what is run."""

Tool = Callable[..., str]


@pytest.fixture
def cloud() -> Emulator:
    """An emulated CloudAPI that another process asks, which has the time of day."""
    return Emulator(clock=VirtualClock(time.time()))


@pytest.fixture
def hosts(cloud: Emulator) -> dict[str, list[str]]:
    """The groups of web-1, which bears tags, and db-1."""
    cloud.populate(1, name="web-1", tags={"role": "web", "on-call": True, "triton.cns.services": "x", "a b": "ü"})
    cloud.populate(1, name="db-1", image="debian-12", package="g1-medium", state="stopped")
    with Cloud({"": DataCenter(**cloud.connection())}) as clouds:
        return {host.name: groups_of(host) for host in hosts_of(clouds).found}


@pytest.fixture
def tool(cloud: Emulator, sshd: Sshd, tmp_path: Path) -> Iterator[Tool]:
    """A command of Ansible's, beside a script and a plugin's file, with web-1, web-2 and a bastion that are real."""
    if not ANSIBLE.exists():
        pytest.skip("there is no ansible: it is in the package ansible-core")
    for name, address, tags in (
        ("web-1", TARGETS[0], {"role": "web", "note": HOSTILE, "other": OTHER_BRACES}),
        ("web-2", TARGETS[1], {"role": "web", "tritoncli.ssh.proxy": "bastion"}),
        ("bastion", BASTION, {}),
    ):
        [machine] = cloud.populate(1, name=name, tags=tags)
        sshd.inhabit(cloud, machine, address)
    key = tmp_path / "id_emulator"
    key.touch(0o600)
    key.write_text(cloud.private_key or "")
    script = tmp_path / "triton"
    script.write_text(SCRIPT.replace("exec smartdc", f"exec {sys.executable} -m smartdc"))
    script.chmod(0o755)
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    (tmp_path / "my.smartdc.yml").write_text(PLUGIN)
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\ninventory_plugins = {PLUGINS}\nhome = {tmp_path}/home\n")
    with Server(cloud) as server:
        environment = {
            **os.environ,
            "PYTHONPATH": str(PLUGINS.parents[2]),
            "TRITON_URL": server.url,
            "TRITON_ACCOUNT": cloud.login,
            "TRITON_KEY_ID": cloud.key_id.rpartition("/")[2],
            "TRITON_KEY_MATERIAL": str(key),
            "ANSIBLE_SSH_ARGS": " ".join([*sshd.options, "-o ControlMaster=no"]),
            "ANSIBLE_NOCOLOR": "1",
        }

        def run(program: str, *arguments: str) -> str:
            command = [str(BIN / program), *arguments]
            result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stdout + result.stderr
            assert "WARNING" not in result.stderr
            return result.stdout

        yield run


def test_groups_are_by_what_a_machine_is(hosts: dict[str, list[str]]) -> None:
    """Their names are what Ansible allows; tags about the machine itself make none."""
    assert hosts["web-1"] == [
        "datacenter_emulator_1", "state_running", "brand_joyent", "package_g1_small",
        "image_base_64_lts", "image_base_64_lts_24_4_1", "os_smartos", "network_external",
        "tag_role", "tag_role_web", "tag_on_call", "tag_on_call_true", "tag_a_b", "tag_a_b__",
    ]  # fmt: skip
    assert {"state_stopped", "package_g1_medium", "os_linux"} <= set(hosts["db-1"])


def test_metadata_is_no_variable(cloud: Emulator) -> None:
    """It has passwords and scripts."""
    cloud.populate(1, name="web-1", metadata={"root_pw": "secret", "user-script": "#!/bin/sh secret"})
    with Cloud({"": DataCenter(**cloud.connection())}) as clouds:
        assert "secret" not in json.dumps(inventory(hosts_of(clouds).found))


def test_what_looks_like_a_template_is_marked() -> None:
    """At any depth."""
    assert marked({"a": ["{{ x }}", {"b": "{% y %}"}], "c": "plain", "d": 1}) == {
        "a": [{"__ansible_unsafe": "{{ x }}"}, {"b": {"__ansible_unsafe": "{% y %}"}}],
        "c": "plain",
        "d": 1,
    }
    assert marked(OTHER_BRACES) == {"__ansible_unsafe": OTHER_BRACES}


def test_ansible_draws_the_inventory_of_the_script(tool: Tool) -> None:
    """``ansible-inventory --graph`` has the hosts in their groups."""
    graph = tool("ansible-inventory", "-i", "triton", "--graph", "tag_role")

    assert graph == "@tag_role:\n  |--web-1\n  |--web-2\n"
    assert graph in GUIDE


def test_a_playbook_reaches_the_machines(tool: Tool, sshd: Sshd, tmp_path: Path) -> None:
    """One directly and one through the bastion; a template in a tag stays text."""
    tool("ansible", "-i", "triton", "web-1", "-c", "local", "-m", "debug", "-a", "msg={{ triton_tags.other }}")
    before = sshd.log("bastion").count("Accepted publickey")
    played = tool("ansible-playbook", "-i", "triton", "play.yml")

    assert f'"msg": "web-1 {TARGETS[0]} {HOSTILE}"' in played
    assert f'"msg": "web-2 {TARGETS[1]} none"' in played
    assert played.count("ok=2    changed=1    unreachable=0    failed=0") == 2
    assert sshd.log("bastion").count("Accepted publickey") == before + 1
    assert not (tmp_path / "pwned").exists()


def test_the_plugin_has_ansibles_own_groups_and_cache(tool: Tool, cloud: Emulator, tmp_path: Path) -> None:
    """What the script has, groups and variables that a user makes, and no request while the cache lasts."""
    listed = json.loads(tool("ansible-inventory", "-i", "my.smartdc.yml", "--list"))
    requests = len(cloud.trace)
    again = json.loads(tool("ansible-inventory", "-i", "my.smartdc.yml", "--host", "web-1"))

    assert listed["tag_role_web"]["hosts"] == ["web-1", "web-2"]
    assert listed["size_g1_small"]["hosts"] == ["bastion", "web-1", "web-2"]
    assert listed["_meta"]["hostvars"]["web-1"]["gibibytes"] == 1
    assert again["triton_tags"]["note"] == HOSTILE
    assert len(cloud.trace) == requests == 4
    assert not (tmp_path / "pwned").exists()
