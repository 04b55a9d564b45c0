"""The table for those who come from the `triton` command has each of its commands, and calls that exist."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import smartdc

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "coming-from-triton.md"

COMMANDS = """
    accesskey create, accesskey delete, accesskey get, accesskey list, accesskey update, accesskeys, account get,
    account limits, account update, badger, changefeed, cloudapi, completion, create, datacenters, delete, env,
    fwrule create, fwrule delete, fwrule disable, fwrule enable, fwrule get, fwrule instances, fwrule list, fwrule
    update, fwrules, image clone, image copy, image create, image delete, image export, image get, image list, image
    share, image tag, image unshare, image update, image wait, images, info, instance audit, instance create,
    instance delete, instance disable-deletion-protection, instance disable-firewall, instance disk add, instance
    disk delete, instance disk get, instance disk list, instance disk resize, instance disks, instance
    enable-deletion-protection, instance enable-firewall, instance fwrule list, instance fwrules, instance get,
    instance ip, instance list, instance metadata delete, instance metadata get, instance metadata list, instance
    metadata set, instance metadatas, instance migration abort, instance migration automatic, instance migration
    begin, instance migration finalize, instance migration get, instance migration list, instance migration pause,
    instance migration switch, instance migration sync, instance nic create, instance nic delete, instance nic get,
    instance nic list, instance reboot, instance rename, instance resize, instance snapshot create, instance
    snapshot delete, instance snapshot get, instance snapshot list, instance snapshots, instance ssh, instance
    start, instance stop, instance tag delete, instance tag get, instance tag list, instance tag replace-all,
    instance tag set, instance tags, instance vnc, instance wait, instances, ip, key add, key delete, key get, key
    list, keys, network create, network delete, network get, network get-default, network ip get, network ip list,
    network ip update, network list, network set-default, networks, package get, package list, packages, profile
    cmon-certgen, profile create, profile delete, profile docker-setup, profile edit, profile get, profile list,
    profile set-current, profiles, rbac accesskey, rbac accesskeys, rbac apply, rbac image-role-tags, rbac info,
    rbac instance-role-tags, rbac key, rbac keys, rbac network-role-tags, rbac package-role-tags, rbac policies,
    rbac policy, rbac reset, rbac role, rbac role-tags, rbac roles, rbac user, rbac users, reboot, services, ssh,
    start, stop, vlan create, vlan delete, vlan get, vlan list, vlan networks, vlan update, volume create, volume
    delete, volume get, volume list, volume sizes, volumes
"""
"""The commands of node-triton 7.18 that have no commands below them, hidden ones too, without their aliases."""

NAMES: dict[str, type | ModuleType] = {
    "smartdc": smartdc,
    "dc": smartdc.DataCenter,
    "elsewhere": smartdc.DataCenter,
    "rule": smartdc.FirewallRule,
    **{cls.__name__.lower(): cls for cls in (smartdc.Image, smartdc.Machine, smartdc.Migration, smartdc.Network)},
    **{cls.__name__.lower(): cls for cls in (smartdc.Package, smartdc.Policy, smartdc.Role, smartdc.User)},
    **{cls.__name__.lower(): cls for cls in (smartdc.Vlan, smartdc.Volume)},
}
"""What the names in the table stand for."""

RESULTS: dict[str, type] = {
    "access_key": smartdc.AccessKey,
    "get_disk": smartdc.Disk,
    "snapshot": smartdc.Snapshot,
    "ip": smartdc.NetworkIP,
}
"""What methods return whose own methods the table calls."""


def rows() -> dict[str, str]:
    """Return the cells of the table: commands, and what to write in Python."""
    return dict(
        re.findall(r"^\| `([a-z -]+)` \| (?!in Python)(.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_it_has_every_command() -> None:
    """None is missing, and there is none that `triton` has not."""
    assert list(rows()) == " ".join(COMMANDS.split()).split(", ")


@pytest.mark.parametrize(("command", "cell"), rows().items(), ids=rows())
def test_a_row(command: str, cell: str) -> None:
    """A row has calls, or says why there is none."""
    calls = re.findall(r"`([^`]+)`", cell)
    if cell.startswith("none: "):
        assert len(cell) > 20, command
        calls = [call for call in calls if call.startswith("smartdc.")]
    else:
        assert calls, command
    for call in calls:
        check(ast.parse(call, mode="eval").body)


def check(expression: ast.expr) -> object:
    """Resolve a name, an attribute or a call; a call's arguments must fit. Return what it is, or a call returns."""
    if isinstance(expression, ast.Name):
        return NAMES[expression.id]
    if isinstance(expression, ast.Attribute):
        return getattr(check(expression.value), expression.attr)
    assert isinstance(expression, ast.Call), ast.unparse(expression)
    function = check(expression.func)
    assert callable(function)
    keywords = {str(keyword.arg): None for keyword in expression.keywords}
    owner = [] if is_plain(expression) else [None]
    inspect.signature(function).bind(*owner, *expression.args, **keywords)
    assert isinstance(expression.func, ast.Attribute)
    return RESULTS.get(expression.func.attr)


def is_plain(call: ast.Call) -> bool:
    """Tell whether a function of the module is called, and not a method."""
    return (
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "smartdc"
    )
