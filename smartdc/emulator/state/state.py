"""The state of an emulator: accounts, machines, networks and everything else that it remembers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from itertools import islice, repeat
from typing import Any

from smartdc.emulator.core.clock import Clock
from smartdc.emulator.core.ids import Ids, fixed_uuid
from smartdc.emulator.core.public_key import PublicKey
from smartdc.emulator.core.reply import ApiError, invalid_argument
from smartdc.emulator.core.settings import Settings
from smartdc.emulator.grammar.firewall_text import read_rule
from smartdc.emulator.state import catalogue
from smartdc.emulator.state.compute import ComputeNode
from smartdc.emulator.state.feed import Feed
from smartdc.emulator.state.machine_table import MachineTable
from smartdc.emulator.state.records import (
    AccountRecord,
    Bucket,
    FirewallRuleRecord,
    ImageRecord,
    KeyRecord,
    MachineRecord,
    NetworkRecord,
    NicRecord,
    PackageRecord,
    Person,
    UserRecord,
    VlanRecord,
    VolumeRecord,
)
from smartdc.emulator.state.storage import MigrationRecord

ADDRESS_RESERVE = 4096
"""The free addresses that populating leaves on a network, so that machines can still be created there."""

MAX_COUNT = 2**31
"""More machines than there can be addresses."""

STATES = ("running", "stopped", "provisioning", "stopping", "offline", "failed", "deleted", "unknown")
"""The states of machines."""


class State:
    """Everything an emulator knows; a reset replaces it with a new one."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.clock = clock
        self.ids = Ids(seed)
        self.settings = Settings()
        self.accounts: dict[str, AccountRecord] = {}
        self.machines = MachineTable()
        self.feed = Feed(self.machines, clock.time)
        """The listeners to changes of machines."""
        self.images = catalogue.images()
        self.packages = catalogue.packages()
        self.networks = catalogue.networks()
        self.compute_nodes = {catalogue.COMPUTE_NODE: ComputeNode(catalogue.COMPUTE_NODE)}
        """The servers for machines; the first has room for everything, unless its ``memory`` is set."""
        self.volumes: dict[str, VolumeRecord] = {}
        self.migrations: dict[str, MigrationRecord] = {}
        """Migrations by machine id."""
        self.workers: dict[str, MachineRecord] = {}
        """Hidden machines whose jobs make volumes and images, by the id of the volume or image."""
        self.images_elsewhere: dict[str, dict[str, ImageRecord]] = {}
        """Images that can be imported, by data centre and id."""
        self.vlans: dict[tuple[str, int], VlanRecord] = {}
        """VLANs by account id and VLAN id."""
        self.firewall_rules: dict[str, FirewallRuleRecord] = {}
        self.buckets: dict[tuple[str, str], Bucket] = {}

    # Accounts

    def add_account(self, login: str, public_key: str | None = None, **profile: str) -> AccountRecord:
        """Create an account, with an SSH key if one is given, and return it."""
        now = self.clock.time()
        profile = {"email": f"{login}@example.com", **profile}
        account = AccountRecord(self.ids.uuid("account"), login, now, now, profile)
        self.accounts[login] = account
        self._connect(account)
        if public_key:
            self.add_key(account, public_key)
        return account

    def _connect(self, account: AccountRecord) -> None:
        """Give a new account access to the shared private network, and a fabric with a network."""
        self.networks[catalogue.INTERNAL].owners.append(account.id)
        fabric = catalogue.fabric(account.login, account.id)
        self.networks[fabric.id] = fabric
        self.vlans[account.id, catalogue.VLAN] = VlanRecord(account.id, catalogue.VLAN, "My-Fabric-VLAN")
        account.default_network = fabric.id

    def account(self, name: str) -> AccountRecord | None:
        """Return the account with this login or id."""
        if found := self.accounts.get(name):
            return found
        return next((account for account in list(self.accounts.values()) if account.id == name), None)

    def add_user(
        self, login: str, public_key: str | None = None, *, account: AccountRecord | None = None, **profile: str
    ) -> UserRecord:
        """Create a sub-user, with an SSH key if one is given, and return it; the default account is the first."""
        owner = account or next(iter(self.accounts.values()))
        now = self.clock.time()
        user = UserRecord(self.ids.uuid("user"), login, now, now, {"email": f"{login}@example.com", **profile})
        owner.users[user.id] = user
        if public_key:
            self.add_key(user, public_key)
        return user

    def add_key(self, owner: Person, text: str, name: str | None = None) -> KeyRecord:
        """Add an SSH key from its OpenSSH line; an invalid or known one is refused as CloudAPI does: 409 InvalidArgument."""
        try:
            public = PublicKey(text)
        except ValueError as error:
            raise invalid_argument("key already exists or is invalid") from error
        name = name or public.comment or public.fingerprint
        if owner.key(name) or owner.key(public.fingerprint):
            raise invalid_argument("key already exists or is invalid")
        owner.keys[name] = KeyRecord(name, public)
        return owner.keys[name]

    # Machines

    def machines_of(self, account: AccountRecord) -> Sequence[MachineRecord]:
        """Return the account's machines, oldest first, including deleted ones."""
        return self.machines.owned_by(account.id)

    def name_taken(self, account: AccountRecord, name: str) -> bool:
        """Return whether a living machine of the account has the name."""
        return self.machines.has_living(account.id, name)

    def package_named(self, name: str, account: AccountRecord | None = None) -> PackageRecord | None:
        """Return the newest active package of a name that the account may use."""
        found = [
            package
            for package in self.packages.values()
            if package.name == name and package.active and (not account or package.visible_to(account.id))
        ]
        return max(found, key=_release, default=None)

    def image_named(self, name: str) -> ImageRecord | None:
        """Return the newest active image of a name."""
        found = [image for image in self.images.values() if image.name == name and image.state == "active"]
        return max(found, key=lambda image: image.published, default=None)

    def populate(
        self,
        count: int,
        *,
        name: str = "machine-{n}",
        image: str = "base-64-lts",
        package: str = "g1-small",
        state: str = "running",
        tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        account: AccountRecord | None = None,
    ) -> list[MachineRecord]:
        """Create machines without API requests, and return them.

        ``{n}`` in the name counts from 0; image and package are names; the default account is the first.
        """
        if count < 0 or state not in STATES:
            raise ValueError(f"cannot create {count} machines in state {state!r}; states are {', '.join(STATES)}")
        owner = account or next(iter(self.accounts.values()))
        chosen = self.image_named(image)
        size = self.package_named(package)
        if not chosen or not size:
            raise ValueError(f"no active image {image!r} or no active package {package!r}")
        networks = list(islice(self._networks_to_fill(), min(count, MAX_COUNT)))
        if len(networks) < count:
            raise ValueError(f"cannot create {count} machines: there are addresses for {len(networks)}")
        return [
            self._put(owner, name.replace("{n}", str(number)), chosen, size, network, state, tags or {}, metadata or {})
            for number, network in enumerate(networks)
        ]

    def _put(
        self,
        owner: AccountRecord,
        name: str,
        image: ImageRecord,
        package: PackageRecord,
        network: NetworkRecord,
        state: str,
        tags: Mapping[str, Any],
        metadata: Mapping[str, Any],
    ) -> MachineRecord:
        now = self.clock.time()
        brand = image.requirements.get("brand", self.settings.default_container_brand)
        machine = MachineRecord(
            self.ids.uuid("machine"),
            owner.id,
            name,
            brand,
            image.id,
            package.id,
            package.memory,
            package.disk,
            now,
            now,
            state,
            tags=dict(tags),
            metadata=dict(metadata),
            compute_node=catalogue.COMPUTE_NODE,
        )
        machine.nics = [self.new_nic(network, machine.id, primary=True)]
        self.add_machine(machine)
        return machine

    def _networks_to_fill(self) -> Iterator[NetworkRecord]:
        """Yield a network for each machine that can get an address: public ones first, each down to the reserve."""
        public = [network for network in self.networks.values() if network.public]
        for network in (*public, self.networks[catalogue.INTERNAL]):
            yield from repeat(network, max(0, network.free - ADDRESS_RESERVE))
        yield from repeat(public[0], min(public[0].free, ADDRESS_RESERVE))

    def add_machine(self, machine: MachineRecord) -> None:
        """Add a machine, and publish it to the changefeed."""
        self.machines[machine.id] = machine
        self.feed.announce(machine)

    # Networks and addresses

    def networks_of(self, account: AccountRecord) -> list[NetworkRecord]:
        """Return the networks and pools that the account can see, the members of the pools included."""
        return [network for network in self.networks.values() if network.visible_to(account.id)]

    def offered_to(self, account: AccountRecord) -> list[NetworkRecord]:
        """Return the networks that lists show to the account and that its machines can use: pools first, no members."""
        seen = [network for network in self.networks_of(account) if network.nic_tag != "admin"]
        members = {member for network in seen for member in network.members}
        return sorted(
            (network for network in seen if network.id not in members), key=lambda network: not network.members
        )

    def add_compute_node(self, name: str, *, memory: int | None = None, nic_tags: Iterable[str] = ()) -> ComputeNode:
        """Create another server for machines, with this memory in MiB, and connected to networks with these tags."""
        node = ComputeNode(fixed_uuid(f"compute node {name}"), memory, frozenset(nic_tags))
        self.compute_nodes[node.id] = node
        return node

    def add_global_rule(self, rule: str, *, enabled: bool = True) -> FirewallRuleRecord:
        """Create a firewall rule of the operator, such as ``FROM any TO all vms ALLOW icmp TYPE all``."""
        made = FirewallRuleRecord(self.ids.uuid("rule"), None, read_rule(rule), enabled)
        self.firewall_rules[made.id] = made
        return made

    def holder(self, machine: str) -> MachineRecord | None:
        """Return the machine that uses an address, which may be a hidden one."""
        return self.machines.get(machine) or self.workers.get(machine)

    def add_pool(self, name: str, *subnets: str, account: AccountRecord | None = None) -> NetworkRecord:
        """Create a pool with one network per subnet, such as ``10.99.0.0/24``; by default every account can use it."""
        owners = [account.id] if account else []
        members = [
            catalogue.network(f"{name}-{number}", subnet, owners=owners) for number, subnet in enumerate(subnets)
        ]
        pool = catalogue.network(name, subnets[0], owners=owners, members=[member.id for member in members])
        self.networks |= {network.id: network for network in [pool, *members]}
        return pool

    def new_nic(
        self, network: NetworkRecord, machine: str, *, primary: bool = False, ip: str | None = None
    ) -> NicRecord:
        """Take an address from a network for a machine id, and return the interface with it; full networks are a 507 or 422."""
        network = self._with_room(network)
        address = ip or _free_address(network)
        network.taken[address] = machine
        network.freed.discard(address)
        return NicRecord(
            self.ids.mac(), address, network.id, str(network.subnet.netmask), network.gateway, primary=primary
        )

    def release(self, nics: list[NicRecord]) -> None:
        """Free the addresses of these interfaces."""
        for nic in nics:
            network = self.networks[nic.network]
            if network.taken.pop(nic.ip, None):
                network.freed.add(nic.ip)

    def _with_room(self, network: NetworkRecord) -> NetworkRecord:
        """Return the network, or the first member of a pool that is not full; if all are full it is a 422."""
        members = [self.networks[member] for member in network.members]
        roomy = next((member for member in members if _look_for_address(member) is not None), None)
        if members and not roomy:
            words = f"All networks in pool {network.id} are full"
            reason = {"field": "network_uuid", "code": "InvalidParameter", "message": words}
            raise ApiError(422, "InvalidParameters", "Invalid parameters", [reason])
        return roomy or network


def _release(package: PackageRecord) -> list[int]:
    return [int(part) for part in package.version.split(".")]


def _free_address(network: NetworkRecord) -> str:
    """Return the next free address; the search continues where the last one ended and wraps around once."""
    found = _look_for_address(network)
    if found is None:
        raise ApiError(507, "SubnetFull", "no more free IPs")
    network.given = found + 1
    return str(network.first + found)


def _look_for_address(network: NetworkRecord) -> int | None:
    """Return the offset of the next free address from the first one; None if all are in use."""
    first = int(network.first)
    managed = network.managed
    size = int(network.last) - first + 1
    places = ((network.given + step) % size for step in range(size))
    return next((place for place in places if network.gives(str(IPv4Address(first + place)), managed)), None)
