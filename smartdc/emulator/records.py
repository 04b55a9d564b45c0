"""The things an emulator remembers, one small class per noun, without any behaviour of the API."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from .public_key import PublicKey

HVM = ("kvm", "bhyve")
"""The brands of hardware virtual machines."""


@dataclass(slots=True)
class Key:
    """An SSH key of an account."""

    name: str
    public: PublicKey


@dataclass(slots=True)
class Account:
    """A customer; ``profile`` holds email, companyName and the like under CloudAPI's names."""

    id: str
    login: str
    created: float
    updated: float
    profile: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    cns_enabled: bool = False
    disabled: bool = False
    approved: bool = True
    operator: bool = False

    def key(self, name: str) -> Key | None:
        """Find a key by its exact name or MD5 fingerprint."""
        if found := self.keys.get(name):
            return found
        return next((key for key in self.keys.values() if key.public.fingerprint == name), None)


@dataclass(slots=True)
class Image:
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

    def visible_to(self, account: str) -> bool:
        """Say whether the account with this id may see the image."""
        return self.public or self.owner == account or account in self.acl


@dataclass(slots=True)
class Package:
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
class Network:
    """A network with the addresses it has given out; one without owners is everybody's."""

    id: str
    name: str
    subnet: IPv4Network
    public: bool = False
    fabric: bool = False
    description: str = ""
    owners: list[str] = field(default_factory=list)
    vlan_id: int | None = None
    taken: dict[str, str] = field(default_factory=dict)
    """The machine's id under each address that is in use."""
    next_host: int = 5
    """Where the search for a free address goes on; the first hosts are the gateway's and the resolvers'."""

    @property
    def gateway(self) -> str:
        """The first address of the subnet."""
        return str(self.subnet[1])

    def visible_to(self, account: str) -> bool:
        """Say whether the account with this id may use the network."""
        return not self.owners or account in self.owners


@dataclass(slots=True)
class Nic:
    """A network interface of a machine."""

    mac: str
    ip: str
    network: str
    netmask: str
    gateway: str
    primary: bool = False
    state: str = "running"

    def view(self) -> dict[str, Any]:
        """Return the interface as CloudAPI writes it."""
        return {
            "mac": self.mac,
            "primary": self.primary,
            "ip": self.ip,
            "netmask": self.netmask,
            "gateway": self.gateway,
            "state": self.state,
            "network": self.network,
        }


@dataclass(slots=True)
class Snapshot:
    """A snapshot of a machine; size in bytes."""

    name: str
    created: float
    size: int = 28_672


@dataclass(slots=True)
class Job:
    """Something a machine was asked to do; ``action`` is its name in the audit."""

    id: str
    machine: "Machine"
    action: str
    queued: float
    caller: dict[str, Any]
    effect: Callable[["Machine"], None]
    needs: tuple[str, ...] = ()
    """States the machine must be in when the job starts; none means any."""
    during: str | None = None
    """The state the machine shows while the job runs."""
    undo: Callable[["Machine"], None] | None = None
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
class Machine:
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
    nics: list[Nic] = field(default_factory=list)
    disks: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    pending: deque[Job] = field(default_factory=deque)
    firewall_enabled: bool = False
    deletion_protection: bool = False
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


@dataclass(slots=True)
class Bucket:
    """What is left of a rate limit's burst, and when that was counted."""

    tokens: float
    counted: float
