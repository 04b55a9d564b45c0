"""Inventory plugin for Ansible: the machines of one or several data centres, with Ansible's own groups and cache.

Ansible loads this file from the folder in its setting ``inventory_plugins``. Ansible uses its own Python, in which this
package must be installed too.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from smartdc.bridges.ansible import inventory
from smartdc.bridges.hosts import hosts_of
from smartdc.cloud import Cloud
from smartdc.datacenter import DataCenter
from smartdc.errors import SmartDCError

__all__ = ["DOCUMENTATION", "InventoryModule"]

DOCUMENTATION = """
name: smartdc
short_description: machines of Triton DataCenter
description:
  - Lists every machine as a host, with groups by data centre, state, brand, image, package, network and tag.
  - The name of the file must end in C(smartdc.yml) or C(smartdc.yaml).
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [smartdc]
  profiles:
    description: The profiles of the C(triton) command to use; without any, the environment or the current profile.
    type: list
    elements: str
    default: []
  user:
    description: The user to log in as; without it, the user that the image names, or root.
    type: str
  proxy:
    description: Whether the tag C(tritoncli.ssh.proxy) counts.
    type: bool
    default: true
  partial:
    description: Whether to continue without the data centres that do not answer.
    type: bool
    default: false
extends_documentation_fragment:
  - constructed
  - inventory_cache
"""


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc] # Ansible has no types
    """The inventory plugin ``smartdc``."""

    NAME = "smartdc"

    def verify_file(self, path: str) -> bool:
        """Return whether a file is for this plugin, by its name."""
        return bool(super().verify_file(path)) and path.endswith(("smartdc.yml", "smartdc.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill Ansible's inventory with the machines that a file selects."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        known = self._cache.get(key) if cache and self.get_option("cache") else None
        found = self._found() if known is None else known
        if self.get_option("cache"):
            self._cache[key] = found
        self._fill(found)

    def _found(self) -> dict[str, Any]:
        names = self.get_option("profiles")
        try:
            with Cloud.from_profiles(names) if names else Cloud({"": DataCenter()}) as cloud:
                hosts = hosts_of(cloud, user=self.get_option("user"), proxy=self.get_option("proxy"))
        except SmartDCError as error:
            raise AnsibleParserError(str(error)) from None
        for name, reason in hosts.unreachable.items():
            self.display.warning(f"{name} is left out: {reason}")
        for name, failure in hosts.errors.items():
            self.display.warning(f"{name} did not answer: {failure}")
        if hosts.errors and not self.get_option("partial"):
            raise AnsibleParserError("some data centres did not answer; 'partial: true' goes on without them")
        return inventory(hosts.found)

    def _fill(self, found: dict[str, Any]) -> None:
        strict = self.get_option("strict")
        for name, known in found["_meta"]["hostvars"].items():
            self.inventory.add_host(name)
            variables = {variable: wrap_var(value) for variable, value in known.items()}
            for variable, value in variables.items():
                self.inventory.set_variable(name, variable, value)
            self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)
        for group in found["all"]["children"]:
            self.inventory.add_group(group)
            for name in found[group]["hosts"]:
                self.inventory.add_host(name, group=group)
