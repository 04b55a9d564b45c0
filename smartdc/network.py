"""List networks that machines can be on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from smartdc.resource import Addressable, Field, Resource, id_of, is_uuid, only
from smartdc.role_tag import HasRoleTags
from smartdc.search import search as matching

__all__ = ["HasNetworks", "Network"]


class Network(HasRoleTags, Resource):
    """A network, or a pool of networks, that the account can use."""

    kind = "networks"

    id = Field[str]("its UUID")
    name = Field[str]("its name")
    public = Field[bool]("whether it reaches the internet")
    description = Field[str | None]("what it is for")
    fabric = Field[bool | None]("whether it is the account's own, on a fabric")
    subnet = Field[str | None]("a fabric network's range in CIDR form")
    gateway = Field[str | None]("a fabric network's gateway")
    provision_start_ip = Field[str | None]("the first address that machines of a fabric network get")
    provision_end_ip = Field[str | None]("the last address that machines of a fabric network get")
    resolvers = Field[list[str] | None]("a fabric network's DNS servers")
    routes = Field[dict[str, str] | None]("a fabric network's static routes")
    internet_nat = Field[bool | None]("whether a fabric network reaches the internet by NAT")
    vlan_id = Field[int | None]("a fabric network's VLAN")


class HasNetworks(Addressable):
    """What offers networks."""

    def networks(self, search: str | None = None, fields: Iterable[str] = ("name",)) -> list[Network]:
        """List the networks: ``ListNetworks``. `search` is a regular expression that is tried, here, on `fields`."""
        return matching([Network(self, data=entry) for entry in self._list("networks")], search, fields)

    def network(self, identifier: str | Mapping[str, Any]) -> Network:
        """Get a network by its id, or by its name where that means only one: ``GetNetwork``."""
        text = id_of(identifier)
        if is_uuid(text):
            return Network(self, data=self._get("networks", text))
        return only([network for network in self.networks() if network.name == text], text, "network")

    def network_id(self, network: str | Mapping[str, Any]) -> str:
        """Return the id of a network that may be given by its name; only a name asks CloudAPI: ``ListNetworks``."""
        text = id_of(network)
        return text if is_uuid(text) else self.network(text).id
