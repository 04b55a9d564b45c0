"""The things an emulator remembers, one small class per noun, without any behaviour of the API."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from smartdc.emulator.core.public_key import PublicKey
from smartdc.emulator.grammar.firewall_text import Rule

HVM = ("kvm", "bhyve")
"""The brands of hardware virtual machines."""


@dataclass(slots=True)
class KeyRecord:
    """An SSH key of an account or a user."""

    name: str
    public: PublicKey


@dataclass(slots=True)
class AccessKeyRecord:
    """A key for services in the manner of S3; it signs nothing here."""

    id: str
    secret: str = field(repr=False)
    created: float


@dataclass(slots=True)
class Person:
    """What accounts and users have in common; ``profile`` holds email, companyName and the like under CloudAPI's names."""

    id: str
    login: str
    created: float
    updated: float
    profile: dict[str, str] = field(default_factory=dict)
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    access_keys: dict[str, AccessKeyRecord] = field(default_factory=dict)
    disabled: bool = False

    def key(self, name: str) -> KeyRecord | None:
        """Find a key by its exact name or MD5 fingerprint."""
        if found := self.keys.get(name):
            return found
        return next((key for key in list(self.keys.values()) if key.public.fingerprint == name), None)


@dataclass(slots=True)
class UserRecord(Person):
    """A sub-user of an account; ``passwords`` are digests, the newest last."""

    passwords: list[bytes] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class PolicyRecord:
    """Rules about what may be done."""

    id: str
    name: str
    rules: list[str]
    description: str | None = None


@dataclass(slots=True)
class RoleRecord:
    """Who may do what policies say; members and policies are ids."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)
    default_members: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AccountRecord(Person):
    """A customer."""

    cns_enabled: bool = False
    approved: bool = True
    operator: bool = False
    default_network: str | None = None
    users: dict[str, UserRecord] = field(default_factory=dict)
    """The users by id, as the roles and policies."""
    roles: dict[str, RoleRecord] = field(default_factory=dict)
    policies: dict[str, PolicyRecord] = field(default_factory=dict)
    role_tags: dict[str, list[str]] = field(default_factory=dict)
    """The ids of the roles on each path, such as ``/demo/users``; machines keep their own."""

    def user(self, name: str) -> UserRecord | None:
        """Find a user by login or id."""
        return self.users.get(name) or next((user for user in list(self.users.values()) if user.login == name), None)


@dataclass(slots=True)
class ImageRecord:
    """An image; ``type`` is IMGAPI's, ``size`` the disk in MiB that a zvol holds."""

    id: str
    name: str
    version: str
    os: str
    type: str
    owner: str
    published: float
    description: str = ""
    homepage: str = ""
    requirements: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    state: str = "active"
    public: bool = True
    acl: list[str] = field(default_factory=list)
    tags: dict[str, Any] = field(default_factory=dict)
    origin: str | None = None
    eula: str = ""
    error: dict[str, str] | None = None
    """Why it failed: code and message."""

    def visible_to(self, account: str) -> bool:
        """Say whether the account with this id may see the image; until it is made only its owner may."""
        shared = self.state in ("active", "disabled") and (self.public or account in self.acl)
        return self.owner == account or shared


@dataclass(slots=True)
class PackageRecord:
    """A package; memory, disk and swap in MiB."""

    id: str
    name: str
    memory: int
    disk: int
    vcpus: int = 0
    version: str = "1.0.0"
    group: str = "standard"
    description: str = ""
    brand: str | None = None
    flexible_disk: bool | None = None
    active: bool = True
    default: bool = False
    owners: list[str] = field(default_factory=list)

    def visible_to(self, account: str) -> bool:
        """Say whether the account with this id may use the package."""
        return not self.owners or account in self.owners


@dataclass(slots=True)
class VlanRecord:
    """A VLAN on the fabric of an account."""

    owner: str
    vlan_id: int
    name: str
    description: str | None = None


@dataclass(slots=True)
class NetworkRecord:
    """A network with the addresses it has given out; one without owners is everybody's.

    A pool has members, the ids of networks, and gives out their addresses.
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
    """The first address that machines get; by default the sixth of the subnet."""
    end: str = ""
    """The last address that machines get; by default the last but the broadcast address."""
    resolvers: list[str] = field(default_factory=list)
    routes: dict[str, str] = field(default_factory=dict)
    internet_nat: bool = True
    members: list[str] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)
    """The machine's id under each address that is in use."""
    reserved: set[str] = field(default_factory=set)
    """Addresses that are given out only to who asks for them."""
    freed: set[str] = field(default_factory=set)
    """Addresses that were in use or reserved once: the books keep a row for each."""
    given: int = 0
    """How far from the first address the search for a free one goes on."""

    @property
    def first(self) -> IPv4Address:
        """The first address that machines get."""
        return IPv4Address(self.start) if self.start else self.subnet[5]

    @property
    def last(self) -> IPv4Address:
        """The last address that machines get."""
        return IPv4Address(self.end) if self.end else self.subnet[-2]

    @property
    def managed(self) -> set[str]:
        """The addresses of the network itself: gateway, broadcast and those resolvers that are in it."""
        own = {str(self.subnet.broadcast_address), *filter(None, [self.gateway])}
        return own | {address for address in self.resolvers if IPv4Address(address) in self.subnet}

    def gives(self, address: str, managed: set[str]) -> bool:
        """Say whether an address may be given to who does not ask for it."""
        return not (address in self.taken or address in self.reserved or address in managed)

    def objection(self, address: str) -> str | None:
        """Say why an address cannot be of this network; None when it can."""
        try:
            return None if IPv4Address(address) in self.subnet else "IP is not in subnet"
        except AddressValueError:
            return "Invalid IP address"

    def visible_to(self, account: str) -> bool:
        """Say whether the account with this id may use the network."""
        return not self.owners or account in self.owners


@dataclass(slots=True)
class NicRecord:
    """A network interface of a machine."""

    mac: str
    ip: str
    network: str
    netmask: str
    gateway: str | None
    primary: bool = False
    ready: bool = True
    """Whether the machine has it yet; one that is being added is known before."""


@dataclass(slots=True)
class FirewallRuleRecord:
    """A rule of the firewall; one without an owner is the operator's, and global."""

    id: str
    owner: str | None
    rule: Rule
    enabled: bool = False
    log: bool = False
    description: str = ""


@dataclass(slots=True)
class SnapshotRecord:
    """A snapshot of a machine; size in bytes."""

    name: str
    created: float
    size: int = 28_672


@dataclass(slots=True)
class Job:
    """Something a machine was asked to do; ``action`` is its name in the audit."""

    id: str
    machine: "MachineRecord"
    action: str
    queued: float
    caller: dict[str, Any]
    effect: Callable[["MachineRecord"], None]
    needs: tuple[str, ...] = ()
    """States the machine must be in when the job starts; none means any."""
    during: str | None = None
    """The state the machine shows while the job runs."""
    undo: Callable[["MachineRecord"], None] | None = None
    """What a failure does to the machine, beyond the audit entry."""
    snapshot: str | None = None
    """The snapshot this job is about."""
    execution: str = "queued"
    started: float = 0.0
    finished: float = 0.0
    reads: int = 0
    error: str | None = None
    before: str = ""


@dataclass(slots=True)
class MachineRecord:
    """A machine; memory and disk in MiB, ``state`` in CloudAPI's words."""

    id: str
    owner: str
    name: str
    brand: str
    image: str
    package: str
    memory: int
    disk: int
    created: float
    updated: float
    state: str = "provisioning"
    tags: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    credentials: dict[str, Any] = field(default_factory=dict)
    nics: list[NicRecord] = field(default_factory=list)
    disks: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[SnapshotRecord] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    pending: deque[Job] = field(default_factory=deque)
    firewall_enabled: bool = False
    deletion_protection: bool = False
    role_tags: list[str] = field(default_factory=list)
    delegate_dataset: bool = False
    encrypted: bool = False
    docker: bool = False
    flexible: bool = False
    compute_node: str | None = None

    @property
    def hvm(self) -> bool:
        """Whether this is a hardware virtual machine."""
        return self.brand in HVM

    @property
    def alive(self) -> bool:
        """Whether it is neither deleted nor failed, which VMAPI calls active."""
        return self.state not in ("deleted", "failed")

    @property
    def ready_nics(self) -> list[NicRecord]:
        """The interfaces that are shown: none before the machine is provisioned."""
        return [] if self.state == "provisioning" else [nic for nic in self.nics if nic.ready]


@dataclass(slots=True)
class Bucket:
    """What is left of a rate limit's burst, and when that was counted."""

    tokens: float
    counted: float
