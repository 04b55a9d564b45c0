"""List networks for machines, and change those on the account's fabric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from smartdc.core import arguments
from smartdc.core.cells import in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import find, id_of, is_uuid
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable
from smartdc.core.search import select
from smartdc.errors import InputError
from smartdc.http import request as wire
from smartdc.resources.ip import HasIPs
from smartdc.resources.role_tag import HasRoleTags

__all__ = ["HasNetworks", "Network"]


class Network(HasIPs, HasRoleTags):
    """A network, or a pool of networks, that the account can use."""

    __slots__ = ()

    kind = "networks"
    columns = in_columns(
        name="name",
        public="public",
        fabric="fabric",
        subnet="subnet",
        vlan="vlan_id",
        gateway="gateway",
        id="id",
        description="description",
    )

    id = Field[str]()
    """its UUID"""
    name = Field[str]()
    """its name"""
    public = Field[bool]()
    """whether it is connected to the internet"""
    description = Field[str | None]()
    """what it is for"""
    fabric = Field[bool | None]()
    """whether it is the account's own network on a fabric"""
    subnet = Field[str | None]()
    """a fabric network's range in CIDR form"""
    gateway = Field[str | None]()
    """a fabric network's gateway"""
    provision_start_ip = Field[str | None]()
    """the first address that machines of a fabric network get"""
    provision_end_ip = Field[str | None]()
    """the last address that machines of a fabric network get"""
    resolvers = Field[list[str] | None]()
    """a fabric network's DNS servers"""
    routes = Field[dict[str, str] | None]()
    """a fabric network's static routes"""
    internet_nat = Field[bool | None]()
    """whether a fabric network reaches the internet by NAT"""
    vlan_id = Field[int | None]()
    """a fabric network's VLAN"""
    suffixes = Field[list[str] | None]()
    """the suffixes of the DNS names of machines on it, if the account uses CNS (Triton's DNS service)"""

    @operation("UpdateFabricNetwork")
    def update(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        provision_start_ip: str | None = None,
        provision_end_ip: str | None = None,
        resolvers: Iterable[str] | None = None,
        routes: Mapping[str, str] | None = None,
    ) -> Self:
        """Change the given fields of a network on a fabric, and return it: ``UpdateFabricNetwork``.

        `resolvers` and `routes` replace the current ones. Other networks raise `InputError`.
        """
        strings = arguments.strings(
            name=name,
            description=description,
            provision_start_ip=provision_start_ip,
            provision_end_ip=provision_end_ip,
        )
        body = {
            **strings,
            **arguments.lists(resolvers=resolvers),
            **arguments.mappings(routes=routes),
        }
        self._keep(self._expect(dict, *self.datacenter.request("PUT", self._on_fabric(), data=body)))
        return self

    @operation("DeleteFabricNetwork")
    def delete(self) -> None:
        """Delete a network on a fabric: ``DeleteFabricNetwork``.

        Networks with machines, and the account's default network, are refused (`InvalidArgument`); networks that are
        not on a fabric raise `InputError`.
        """
        self.datacenter.request("DELETE", self._on_fabric())

    def _on_fabric(self) -> str:
        """Return the path at which the owner of a network can change it."""
        if not self.fabric or self.vlan_id is None:
            raise InputError(f"{self!r} is not on a fabric: only the operator can change it")
        return wire.segments("fabrics", "default", "vlans", self.vlan_id, "networks", self.id)


class HasNetworks(Addressable):
    """Mix-in for places with networks."""

    @operation("ListNetworks")
    def networks(
        self,
        search: str | None = None,
        fields: Iterable[str] = ("name",),
        *,
        fabric: bool = False,
        name: str | None = None,
    ) -> ResourceList[Network]:
        """List the networks and pools, or only the networks on the account's fabric: ``ListNetworks``.

        Pools look like networks; their members are not listed. `name` may contain ``*`` and ``?``, and `search` is a
        regular expression for `fields`; the library applies both, since CloudAPI cannot filter by them.
        """
        found = self._list("networks", params=arguments.flags(fabric=fabric))
        return Network.from_answers(self, select(found, search, fields, name=name))

    @operation("GetNetwork", "ListNetworks")
    def network(self, identifier: str | Mapping[str, Any]) -> Network:
        """Get a network by its id, or the beginning of its id: ``GetNetwork``, ``ListNetworks``.

        Its name works too, if only one network has it.
        """
        text = id_of(identifier)
        if is_uuid(text):
            return Network.from_answer(self, self._get("networks", text))
        return find(text, "network", self.networks())

    @operation("ListNetworks")
    def network_id(self, network: str | Mapping[str, Any]) -> str:
        """Return the id of a network that may be given by its name; only a name is looked up: ``ListNetworks``."""
        text = id_of(network)
        return text if is_uuid(text) else self.network(text).id
