"""Records of networks, the VLANs that they are on, and firewall rules."""

from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from smartdc.emulator.grammar.firewall_text import Rule


@dataclass(slots=True)
class VlanRecord:
    """A VLAN on the fabric of an account."""

    owner: str
    vlan_id: int
    name: str
    description: str | None = None


@dataclass(slots=True)
class NetworkRecord:
    """A network and its addresses in use; without owners it is open to every account.

    A pool has members, which are ids of networks, and allocates their addresses.
    """

    id: str
    name: str
    subnet: IPv4Network
    gateway: str | None = None
    public: bool = False
    fabric: bool = False
    description: str = ""
    owners: list[str] = field(default_factory=list)
    vlan_id: int | None = None
    start: str = ""
    """The first address for machines; by default the sixth of the subnet."""
    end: str = ""
    """The last address for machines; by default the one before the broadcast address."""
    resolvers: list[str] = field(default_factory=list)
    routes: dict[str, str] = field(default_factory=dict)
    internet_nat: bool = True
    members: list[str] = field(default_factory=list)
    nic_tag: str = ""
    """The NIC tag that a compute node must have; empty if all are connected."""
    owned: dict[str, str] = field(default_factory=dict)
    """The owners, by address, of what the operator gave to accounts without a machine."""
    taken: dict[str, str] = field(default_factory=dict)
    """The ids of machines, by their addresses."""
    reserved: set[str] = field(default_factory=set)
    """Addresses that are allocated only on request."""
    freed: set[str] = field(default_factory=set)
    """Addresses that were in use or reserved before: NAPI keeps a row for each."""
    given: int = 0
    """The offset from the first address at which the search for a free one continues."""

    @property
    def first(self) -> IPv4Address:
        """The first address for machines."""
        return IPv4Address(self.start) if self.start else self.subnet[min(5, self.subnet.num_addresses - 2)]

    @property
    def last(self) -> IPv4Address:
        """The last address for machines."""
        return IPv4Address(self.end) if self.end else self.subnet[-2]

    @property
    def free(self) -> int:
        """The number of addresses for machines that are not in use."""
        return int(self.last) - int(self.first) + 1 - len(self.taken)

    @property
    def managed(self) -> set[str]:
        """The addresses of the network itself: gateway, broadcast and those resolvers that are in it."""
        own = {str(self.subnet.broadcast_address), *filter(None, [self.gateway])}
        return own | {address for address in self.resolvers if IPv4Address(address) in self.subnet}

    def gives(self, address: str, managed: set[str]) -> bool:
        """Return whether an address may be allocated without being requested."""
        return not (address in self.taken or address in self.reserved or address in self.owned or address in managed)

    def objection(self, address: str) -> str | None:
        """Return why an address does not belong to this network; None if it does."""
        try:
            return None if IPv4Address(address) in self.subnet else "IP is not in subnet"
        except AddressValueError:
            return "Invalid IP address"

    def visible_to(self, account: str) -> bool:
        """Return whether the account with this id may use the network."""
        return not self.owners or account in self.owners


@dataclass(slots=True)
class FirewallRuleRecord:
    """A firewall rule; without an owner it is a global one of the operator."""

    id: str
    owner: str | None
    rule: Rule
    enabled: bool = False
    log: bool = False
    description: str = ""
