"""Create VLANs on the account's fabric, and networks on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from smartdc.core import arguments
from smartdc.core.cells import in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import find, id_of, is_uuid
from smartdc.core.operation import operation
from smartdc.core.resource import Resource
from smartdc.core.search import select
from smartdc.resources.network import Network
from smartdc.waiting.create_once import CreatesOnce

__all__ = ["HasVlans", "Vlan"]

VLANS = ("fabrics", "default", "vlans")
"""The path of the VLANs below the account."""

IDENTIFYING_FIELDS = ("name", "subnet", "provision_start_ip", "provision_end_ip")
"""Fields of a network that CloudAPI returns exactly as in the create."""


class Vlan(CreatesOnce, Resource):
    """A VLAN on the account's fabric: only the account's machines can be on it."""

    __slots__ = ()

    kind = "vlans"
    columns = in_columns(id="vlan_id", name="name", description="description")
    id_key = "vlan_id"

    vlan_id = Field[int]()
    """its number"""
    name = Field[str]()
    """its name, which need not be unique"""
    description = Field[str | None]()
    """what it is for"""

    @property
    def path(self) -> str:
        """The path below the account."""
        return self._below_parent(*VLANS, self._data[self.id_key])

    @operation("UpdateFabricVLAN")
    def update(self, *, name: str | None = None, description: str | None = None) -> Self:
        """Change name or description and return the VLAN: ``UpdateFabricVLAN``."""
        self._change("PUT", data=arguments.strings(name=name, description=description))
        return self

    @operation("DeleteFabricVLAN")
    def delete(self) -> None:
        """Delete the VLAN: ``DeleteFabricVLAN``. A VLAN with networks is refused (`InvalidArgument`)."""
        self._delete()

    @operation("ListFabricNetworks")
    def networks(self) -> ResourceList[Network]:
        """List the networks on the VLAN: ``ListFabricNetworks``."""
        return Network.from_answers(self.datacenter, self._list("networks"))

    @operation("GetFabricNetwork", "ListFabricNetworks")
    def network(self, identifier: str | Mapping[str, Any]) -> Network:
        """Get a network on the VLAN by its id, or the beginning of its id: ``GetFabricNetwork``, ``ListFabricNetworks``.

        Its name works too, if only one network has it.
        """
        text = id_of(identifier)
        if is_uuid(text):
            return Network.from_answer(self.datacenter, self._get("networks", text))
        return find(text, "network", self.networks())

    @operation("CreateFabricNetwork")
    def create_network(
        self,
        name: str,
        subnet: str,
        provision_start_ip: str,
        provision_end_ip: str,
        *,
        gateway: str | None = None,
        resolvers: Iterable[str] | None = None,
        routes: Mapping[str, str] | None = None,
        internet_nat: bool | None = None,
        description: str | None = None,
    ) -> Network:
        """Create a network on the VLAN and return it: ``CreateFabricNetwork``.

        If the answer is lost, the network is looked for by its name and subnet before the request is sent again.

        Args:
            name: unique among the networks of the account.
            subnet: a private range in CIDR form, such as ``10.50.1.0/24``, that no other network of the account has.
            provision_start_ip: the first address that machines get.
            provision_end_ip: the last address that machines get.
            gateway: the address, within the subnet, of the router to other networks.
            resolvers: the addresses of at most four DNS servers.
            routes: next hops by range in CIDR form.
            internet_nat: whether the gateway connects to the internet by NAT (the default). With True and no `gateway`,
                `provision_start_ip` is the gateway.
            description: what it is for; at most 64 characters.
        """
        strings = arguments.strings(
            name=name,
            subnet=subnet,
            provision_start_ip=provision_start_ip,
            provision_end_ip=provision_end_ip,
            gateway=gateway,
            description=description,
        )
        body = {
            **strings,
            **arguments.lists(resolvers=resolvers),
            **arguments.mappings(routes=routes),
            **arguments.booleans(internet_nat=internet_nat),
        }

        return self._create_once(
            lambda: Network(self.datacenter, data=self._post("networks", data=body)),
            self.networks,
            lambda network: all(network.get(key) == body[key] for key in IDENTIFYING_FIELDS),
        )

    def _summary(self) -> list[str]:
        return [str(self.vlan_id), repr(self.name)]


class HasVlans(CreatesOnce):
    """Mix-in for owners of a fabric; in a data centre without fabrics, every method raises `NotSupported`."""

    @operation("ListFabricVLANs")
    def vlans(
        self, *, name: str | None = None, search: str | None = None, fields: Iterable[str] = ("name",)
    ) -> ResourceList[Vlan]:
        """List the VLANs: ``ListFabricVLANs``.

        `name` may contain ``*`` and ``?``, and `search` is a regular expression for `fields`; the library applies both.
        """
        return Vlan.from_answers(self, select(self._list(*VLANS), search, fields, name=name))

    @operation("GetFabricVLAN", "ListFabricVLANs")
    def vlan(self, vlan_id: int | str | Mapping[str, Any]) -> Vlan:
        """Get a VLAN by its number, or by its name if only one has it: ``GetFabricVLAN``, ``ListFabricVLANs``."""
        text = id_of(vlan_id, "vlan_id")
        if text.isdecimal():
            return Vlan.from_answer(self, self._get(*VLANS, text))
        return find(text, "VLAN", self.vlans())

    @operation("CreateFabricVLAN")
    def create_vlan(self, vlan_id: int, name: str, *, description: str | None = None) -> Vlan:
        """Create a VLAN and return it: ``CreateFabricVLAN``.

        Its number is a new one from 2 to 4,094; its name is a letter and 1 to 63 more letters, digits or ``_ . / -``.
        If the answer is lost, the VLAN is looked for before the request is sent again.
        """
        body = {**arguments.integers(vlan_id=vlan_id), **arguments.strings(name=name, description=description)}
        wanted = {"description": "", **body}
        return self._create_once(
            lambda: Vlan(self, data=self._post(*VLANS, data=body)),
            self.vlans,
            lambda vlan: wanted == {key: vlan.get(key, "") for key in wanted},
        )
