"""Records of machines, their interfaces, snapshots and jobs."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

HVM = ("kvm", "bhyve")
"""The brands of hardware virtual machines."""

INDEXED = frozenset({"owner", "name", "state"})
"""The attributes of a machine that its table has indexes on."""


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
