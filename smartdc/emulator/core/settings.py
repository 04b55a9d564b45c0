"""The operator's settings of a data centre; defaults are CloudAPI's own, except that nothing is throttled."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Throttle:
    """A rate limit per account and area: ``burst`` requests at once, then ``rate`` requests per second."""

    burst: int = 30
    rate: float = 10


@dataclass(slots=True)
class Settings:
    """The settings of an emulated data centre; change them on ``cloud.state.settings``."""

    datacenter: str = "emulator-1"
    elsewhere: dict[str, str] = field(default_factory=lambda: {"emulator-2": "https://emulator-2.invalid"})
    """URLs of the other data centres by name; nothing answers there."""
    services: dict[str, str] = field(default_factory=lambda: {"docker": "tcp://docker.emulator.invalid:2376"})
    """URLs of further services by name, besides ``cloudapi``; nothing answers there."""

    read_only: bool = False
    """Refuse every write with a 503, as during maintenance."""
    maintenance_ends: float | None = None
    """The time in the Retry-After of a read-only data centre, in seconds since the epoch."""
    maintenance_message: str = "This Triton data center is being upgraded"

    throttle: Throttle | None = None
    """The rate limit; None for none."""

    rbac: bool = True
    """Enforce users and role tags; without it CloudAPI only stores them, and only the account itself has access."""
    limits: list[dict[str, Any]] = field(default_factory=list)
    """The provisioning limits: dicts of ``value``, ``by``, ``check``, and the entry that ``check`` names."""

    default_hvm_brand: str = "kvm"
    default_container_brand: str = "joyent"
    allow_multiple_public_networks: bool = False
    delegate_datasets: bool = False
    bhyve_snapshots: bool = False
    volumes: bool = False
    """Enable volumes; without them their paths are a 405."""
    automount_volumes: bool = False
    """Let machines be created with volumes."""
    user_migrations: bool = False
    """Let accounts migrate their machines."""
    manta_url: str | None = None
    """The URL that images are exported to; None for a data centre without Manta."""
    fabrics: bool = True
    """Enable fabrics, the accounts' own VLANs and networks; without them CloudAPI answers 501 to their operations."""
    cns: bool = False
    """Give machines DNS names, in accounts that enable CNS."""
