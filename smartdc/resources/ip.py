"""See which addresses of a network are in use, and keep some from being given out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Self

from smartdc.core import arguments
from smartdc.core.resource import Field, Resource, id_of
from smartdc.errors import BadResponse

__all__ = ["HasIPs", "NetworkIP"]

PAGE = 1000
"""The most rows that CloudAPI looks at for a page."""
MAX_PAGES = 100_000
"""More than there are for the largest IPv4 network, page by page of the smallest sensible size."""


class NetworkIP(Resource):
    """An address of a network."""

    kind = "ips"
    id_key = "ip"

    ip = Field[str]("the address")
    reserved = Field[bool]("whether machines get it only on request")
    managed = Field[bool]("whether it is the network's own, such as the gateway's, and cannot be changed")
    owner_uuid = Field[str | None]("the UUID of the account whose machine has it")
    belongs_to_uuid = Field[str | None]("the UUID of the machine that has it, if that is the account's own")

    def update(self, *, reserved: bool) -> Self:
        """Reserve the address, or let it be given out again, and return it: ``UpdateNetworkIP``.

        Networks that are everybody's, and addresses that are managed or another account's, are refused
        (`InvalidArgument`). A machine keeps the address that it has.
        """
        self._change("PUT", data=arguments.booleans(reserved=reserved))
        return self


class HasIPs(Resource):
    """Mix-in for owners of addresses."""

    def ips(self, *, paged: bool = False, limit: int | None = None, offset: int | None = None) -> list[NetworkIP]:
        """List the addresses that are in use or reserved: ``ListNetworkIPs``.

        On a network that is everybody's these are the account's own. Pools have none (`InvalidArgument`).

        CloudAPI takes `limit` (1 to 1,000) of its rows from the one at `offset` on, and then drops the free ones: a
        page that is not full, or even empty, need not be the last. So, unless `paged` asks for one page, the network
        is read up to its broadcast address. Where CloudAPI does not tell that, as it does only for networks on
        fabrics, and where an `offset` may lie behind it, it is read up to the first empty page.
        """
        cut = arguments.integers(limit=limit, offset=offset)
        if paged:
            pages = iter([self._list("ips", params=cut)])
        else:
            pages = self._pages_of_ips(PAGE if limit is None else limit, offset or 0)
        found = (NetworkIP(self, data=entry) for page in pages for entry in page)
        return list({each.ip: each for each in found}.values())

    def ip(self, address: str | Mapping[str, Any]) -> NetworkIP:
        """Get an address, also one that is free: ``GetNetworkIP``.

        On a network that is everybody's only the account's own are found.
        """
        return NetworkIP(self, data=self._get("ips", id_of(address, "ip")))

    def _pages_of_ips(self, size: int, start: int) -> Iterator[list[Any]]:
        """Yield page after page, from the row at `start` on.

        CloudAPI reports no total, and drops free addresses from a page after it has cut it to size: a short page, or
        an empty one, need not be the last. What ends the list is the broadcast address, which is always reserved and
        comes last, or as many rows as the subnet has. Where CloudAPI does not tell the subnet, only an empty page can
        be taken for the end. A server that repeats a page, or never ends, is a `BadResponse`.
        """
        subnet = None if start else self._subnet()
        last = str(subnet.broadcast_address) if subnet else None
        # Two more rows than addresses mark the ends of the range that machines get theirs from.
        most = subnet.num_addresses + 2 if subnet else None
        before: list[Any] = []
        for _ in range(MAX_PAGES):
            page = self._list("ips", params={"limit": size, "offset": start})
            if page and page == before:
                raise BadResponse(f"{self}: the server keeps sending the same page of addresses")
            yield page
            start += size
            if most is None and not page:
                return
            if most is not None and (start >= most or any(entry.get("ip") == last for entry in page)):
                return
            before = page
        raise BadResponse(f"{self}: the list of addresses does not end after {start:,} rows")

    def _subnet(self) -> IPv4Network | IPv6Network | None:
        """Return the network's range, where CloudAPI reports it."""
        subnet = self.get("subnet")
        try:
            return ip_network(subnet) if subnet else None
        except (TypeError, ValueError) as error:
            raise BadResponse(f"{self}: invalid subnet: {error}") from None
