"""The records of an emulator's state, one small class per resource, without any behaviour of the API."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any, Protocol

from smartdc.emulator.core.public_key import PublicKey
from smartdc.emulator.grammar.firewall_text import Rule

HVM = ("kvm", "bhyve")
"""The brands of hardware virtual machines."""

INDEXED = frozenset({"owner", "name", "state"})  # the attributes of a machine that its table has indexes on


@dataclass(slots=True)
class KeyRecord:
    """An SSH key of an account or a user."""

    name: str
    public: PublicKey


@dataclass(slots=True)
class AccessKeyRecord:
    """An access key for S3-compatible services; the emulator only stores it."""

    id: str
    secret: str = field(repr=False)
    created: float
    status: str = "Active"
    description: str | None = None
    updated: float | None = None
    """When it was changed last; None for never."""


@dataclass(slots=True)
class Person:
    """The common part of accounts and sub-users; ``profile`` holds email, companyName and so on under CloudAPI's names."""

    id: str
    login: str
    created: float
    updated: float
    profile: dict[str, str] = field(default_factory=dict)
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    access_keys: dict[str, AccessKeyRecord] = field(default_factory=dict)
    disabled: bool = False

    def key(self, name: str) -> KeyRecord | None:
        """Return the key with this name or MD5 fingerprint."""
        if found := self.keys.get(name):
            return found
        return next((key for key in list(self.keys.values()) if key.public.fingerprint == name), None)


@dataclass(slots=True)
class UserRecord(Person):
    """A sub-user of an account; ``passwords`` are digests, the newest last."""

    passwords: list[bytes] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class PolicyRecord:
    """A policy: rules about what may be done."""

    id: str
    name: str
    rules: list[str]
    description: str | None = None


@dataclass(slots=True)
class RoleRecord:
    """A role: who may do what its policies allow; members and policies are ids."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)
    default_members: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AccountRecord(Person):
    """An account."""

    cns_enabled: bool = False
    approved: bool = True
    operator: bool = False
    default_network: str | None = None
    users: dict[str, UserRecord] = field(default_factory=dict)
    """Users by id, as are roles and policies."""
    roles: dict[str, RoleRecord] = field(default_factory=dict)
    policies: dict[str, PolicyRecord] = field(default_factory=dict)
    role_tags: dict[str, list[str]] = field(default_factory=dict)
    """The ids of the roles on each path, such as ``/demo/users``; machines keep their own."""

    def user(self, name: str) -> UserRecord | None:
        """Return the user with this login or id."""
        return self.users.get(name) or next((user for user in list(self.users.values()) if user.login == name), None)


@dataclass(slots=True)
class ImageRecord:
    """An image; ``type`` is IMGAPI's, ``size`` that of a zvol's disk in MiB."""

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
    """The code and message of its failure."""

    def visible_to(self, account: str) -> bool:
        """Return whether the account with this id may see the image; until it is made only its owner may."""
        shared = self.state in ("active", "disabled") and (self.public or account in self.acl)
        return self.owner == account or shared


@dataclass(slots=True)
class PackageRecord:
    """A package; memory, disk and swap in MiB. Images must have its ``os``; its networks replace the default ones."""

    id: str
    name: str
    memory: int
    disk: int
    vcpus: int = 0
    version: str = "1.0.0"
    group: str | None = "standard"
    description: str | None = ""
    brand: str | None = None
    flexible_disk: bool | None = None
    disks: list[dict[str, Any]] | None = None
    swap: int | None = None
    """None for twice the memory."""
    lwps: int | None = 4000
    os: str | None = None
    networks: list[str] | None = None
    active: bool = True
    default: bool = False
    owners: list[str] = field(default_factory=list)

    def visible_to(self, account: str) -> bool:
        """Return whether the account with this id may use the package."""
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
    """The owner by address that the operator gave to an account, without a machine."""
    taken: dict[str, str] = field(default_factory=dict)
    """The machine id by address in use."""
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
class NicRecord:
    """A network interface of a machine."""

    mac: str
    ip: str
    network: str
    netmask: str
    gateway: str | None
    primary: bool = False
    ready: bool = True
    """False while the job that adds it has not ended."""


@dataclass(slots=True)
class FirewallRuleRecord:
    """A firewall rule; without an owner it is a global one of the operator."""

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
    """A job on a machine; ``action`` is its name in the audit."""

    id: str
    machine: "MachineRecord"
    action: str
    queued: float
    caller: dict[str, Any]
    effect: Callable[["MachineRecord"], None]
    needs: tuple[str, ...] = ()
    """The states in which the job can start; empty for any."""
    during: str | None = None
    """The machine's state while the job runs."""
    undo: Callable[["MachineRecord"], None] | None = None
    """What a failure does to the machine, besides the audit entry."""
    snapshot: str | None = None
    """The name of the snapshot that the job is about."""
    execution: str = "queued"
    started: float = 0.0
    finished: float = 0.0
    reads: int = 0
    error: str | None = None
    before: str = ""


class Table(Protocol):
    """What keeps indexes on machines."""

    def change(self, machine: "MachineRecord", attribute: str, value: object) -> None:
        """Set an indexed attribute of a machine."""


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
    table: "Table | None" = field(default=None, init=False, repr=False, compare=False)
    """The table that indexes it."""

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, through the table if that has an index on it."""
        table = getattr(self, "table", None) if name in INDEXED else None
        if table is None:
            object.__setattr__(self, name, value)
        else:
            table.change(self, name, value)

    @property
    def hvm(self) -> bool:
        """Whether it is a hardware virtual machine."""
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
class VolumeRecord:
    """A volume; size in MiB."""

    id: str
    owner: str
    name: str
    size: int
    networks: list[str]
    created: float
    type: str = "tritonnfs"
    state: str = "creating"
    tags: dict[str, str] = field(default_factory=dict)
    refs: list[str] = field(default_factory=list)
    """The ids of machines created to mount it, living or not."""
    path: str | None = None
    """The path to mount, once it is ready."""


@dataclass(slots=True)
class Bucket:
    """A token bucket: what is left of the burst, and when it was counted (seconds)."""

    tokens: float
    counted: float
