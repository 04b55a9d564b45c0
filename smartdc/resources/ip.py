"""List the addresses of a network that are in use, and reserve addresses."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Self

from smartdc.core import arguments
from smartdc.core.cells import in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import id_of
from smartdc.core.operation import operation
from smartdc.core.paging import ListsInPages, Page, unique
from smartdc.core.resource import Resource
from smartdc.errors import BadResponse
from smartdc.http.tracebacks import let_pass

__all__ = ["HasIPs", "NetworkIP"]


class NetworkIP(Resource):
    """An address of a network."""

    __slots__ = ()

    kind = "ips"
    columns = in_columns(address="ip", reserved="reserved", managed="managed", machine="belongs_to_uuid")
    id_key = "ip"

    ip = Field[str]()
    """the address"""
    reserved = Field[bool]()
    """whether a machine gets it only if it requests this address"""
    managed = Field[bool]()
    """whether it belongs to the network itself, such as the gateway's, and cannot be changed"""
    owner_uuid = Field[str | None]()
    """the UUID of the account whose machine has it"""
    belongs_to_uuid = Field[str | None]()
    """the UUID of the machine that has it, if the machine belongs to the account"""

    @operation("UpdateNetworkIP")
    def update(self, *, reserved: bool) -> Self:
        """Reserve the address or release it, and return it: ``UpdateNetworkIP``.

        Networks that all accounts share, and addresses that are managed or belong to another account, are refused
        (`InvalidArgument`). A machine keeps the address that it has.
        """
        self._change("PUT", data=arguments.booleans(reserved=reserved))
        return self


class HasIPs(ListsInPages, Resource):
    """Mix-in for owners of addresses."""

    __slots__ = ()

    @operation("ListNetworkIPs")
    def ips(
        self, *, paged: bool = False, limit: int | None = None, offset: int | None = None
    ) -> ResourceList[NetworkIP]:
        """List the addresses that are in use or reserved: ``ListNetworkIPs``.

        On a network that all accounts share, only the account's own addresses are listed. Pools have no addresses
        (`InvalidArgument`).

        CloudAPI takes `limit` rows (1 to 1,000) from `offset` on, and then drops the free addresses: a page that is not
        full, or is even empty, need not be the last one. So, unless `paged` asks for one page, the network is read up
        to its broadcast address. CloudAPI reports the subnet only of fabric networks; other networks, and lists with an
        `offset`, which may lie after the broadcast address, are read up to the first empty page.
        """
        cut = arguments.integers(limit=limit, offset=offset)
        entries = self._list("ips", params=cut) if paged else self._all_ips(limit, offset)
        return NetworkIP.from_answers(self, unique(entries, "ip"))

    @operation("GetNetworkIP")
    def ip(self, address: str | Mapping[str, Any]) -> NetworkIP:
        """Get an address, also one that is free: ``GetNetworkIP``.

        On a network that all accounts share, only the account's own addresses are found.
        """
        return NetworkIP.from_answer(self, self._get("ips", id_of(address, "ip")))

    def _all_ips(self, limit: int | None, start: int | None) -> list[dict[str, Any]]:
        """Return the entries of all pages, from the row at `start` on.

        CloudAPI reports no total, and drops free addresses from a page after it has cut the page to size: a short or
        empty page need not be the last one. The list ends at the broadcast address, which is always reserved and comes
        last, or after as many rows as the subnet has. If CloudAPI does not report the subnet, the first empty page
        counts as the end. Rows do not move while the list is read, since free addresses have rows too. A server that
        repeats a page is a `BadResponse`.
        """
        subnet = None if start else self._subnet()
        last = str(subnet.broadcast_address) if subnet else None
        # There are two more rows than addresses: they mark the ends of the range for machines.
        most = subnet.num_addresses + 2 if subnet else None

        def is_last(page: Page) -> bool:
            if last is None:
                return not page.entries
            return any(entry.get("ip") == last for entry in page.entries)

        pages = self._listing("ips", limit=limit, offset=start).pages(is_last, overlap=False, stop=most)
        return [entry for page in pages for entry in page.entries]

    def _subnet(self) -> IPv4Network | IPv6Network | None:
        """Return the network's range, if CloudAPI reports it."""
        if not self.get("subnet"):
            return None
        try:
            return ip_network(self._string("subnet"))
        except ValueError as error:
            let_pass(error)
            raise BadResponse(f"{self}: invalid subnet: {error}") from None
