"""Read and change the account's settings in this data centre."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from smartdc.core.answers import Config
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["HasConfig"]


class HasConfig(Addressable):
    """Mix-in for owners of settings."""

    @operation("GetConfig")
    def config(self) -> Config:
        """Return the settings: ``GetConfig``.

        The only entry is ``default_network``, the id of the network of machines that are created without `networks`; it
        is missing if it was never set.
        """
        return cast("Config", self._get("config"))

    @operation("UpdateConfig")
    def update_config(self, default_network: str | Mapping[str, Any]) -> Config:
        """Set the default network of new machines, and return the settings: ``UpdateConfig``."""
        datacenter: DataCenter = self._datacenter
        return cast("Config", self._put("config", data={"default_network": datacenter.network_id(default_network)}))
