"""Machines as an inventory for Ansible: the JSON that it expects from inventory scripts.

Ansible treats every string of an inventory as a template: it runs the code in braces, with the rights of the user who
runs the playbook. But names and tags in the cloud are data, and some come from images that others have published. So
`marked` marks strings with braces as unsafe, and Ansible does not run them. It also marks strings with ``#``, since a
string that begins with ``#jinja2:`` can replace the braces by other characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smartdc.bridges.hosts import Host

__all__ = ["PLUGINS", "groups_of", "inventory", "marked", "variables_of"]

PLUGINS = Path(__file__).with_name("ansible_plugins")
"""The folder of the inventory plugin, for Ansible's setting ``inventory_plugins``."""

PRIVATE_TAGS = ("triton.", "tritoncli.")
"""The beginnings of tags that are settings of the machine itself, and do not become groups."""

UNSAFE = "__ansible_unsafe"


def inventory(hosts: list[Host]) -> dict[str, Any]:
    """Return the inventory: the hosts by group, and the variables of each."""
    groups: dict[str, list[str]] = {}
    for host in hosts:
        for group in groups_of(host):
            groups.setdefault(group, []).append(host.name)
    return {
        "_meta": {"hostvars": {host.name: variables_of(host) for host in hosts}},
        "all": {"hosts": [host.name for host in hosts], "children": sorted(groups)},
        **{group: {"hosts": groups[group]} for group in sorted(groups)},
    }


def groups_of(host: Host) -> list[str]:
    """Return the names of the groups that a host is in, such as ``tag_role_web``, ``package_g1_small``."""
    return list(dict.fromkeys(_identifier(name) for name in _group_names(host)))


def _group_names(host: Host) -> Iterator[str]:
    machine, image = host.machine, host.image
    yield f"datacenter_{host.datacenter}"
    yield f"state_{machine.state}"
    yield f"brand_{machine.brand}"
    if machine.package:
        yield f"package_{machine.package}"
    if image:
        yield f"image_{image.get('name')}"
        yield f"image_{image.get('name')}_{image.get('version')}"
        yield f"os_{image.get('os')}"
    for network in host.networks:
        yield f"network_{network}"
    for tag, value in machine.tags.items():
        if not tag.startswith(PRIVATE_TAGS):
            yield f"tag_{tag}"
            yield f"tag_{tag}_{str(value).lower() if isinstance(value, bool) else value}"


def variables_of(host: Host) -> dict[str, Any]:
    """Return the variables of a host: how to connect, and the machine's data without its metadata.

    Metadata is left out, since it contains passwords and scripts.
    """
    machine, image, target = host.machine, host.image, host.target
    connection: dict[str, Any] = {"ansible_host": target.address, "ansible_user": target.user}
    connection["ansible_port"] = target.port
    if target.proxy:
        connection["ansible_ssh_common_args"] = f"-o ProxyJump={target.proxy.jump}"
    known = {
        "id": machine.id,
        "name": machine.name,
        "datacenter": host.datacenter,
        "state": machine.state,
        "brand": machine.brand,
        "image": machine.image,
        "image_name": image.get("name"),
        "image_version": image.get("version"),
        "os": image.get("os"),
        "package": machine.package,
        "memory": machine.memory,
        "disk": machine.disk,
        "ips": machine.get("ips") or [],
        "primary_ip": machine.primary_ip,
        "networks": host.networks,
        "tags": dict(machine.tags),
        "compute_node": machine.compute_node,
        "created": machine.get("created"),
    }
    return {**connection, **{f"triton_{name}": value for name, value in known.items()}}


def marked(value: Any) -> Any:
    """Return an inventory, or a part of one, in which every string is marked that Ansible would take as a template."""
    if isinstance(value, str):
        return {UNSAFE: value} if "{" in value or "#" in value else value
    if isinstance(value, dict):
        return {key: marked(part) for key, part in value.items()}
    return [marked(part) for part in value] if isinstance(value, list) else value


def _identifier(text: str) -> str:
    """Return a name in the form that Ansible allows for groups: letters, digits and underscores."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)
