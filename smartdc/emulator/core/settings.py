"""What an operator can switch in a data centre; the defaults are CloudAPI's own, but that nobody is throttled."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Throttle:
    """A rate limit per account and area: a burst, then so many requests per second."""

    burst: int = 30
    rate: float = 10


@dataclass(slots=True)
class Settings:
    """The switches of an emulated data centre; change them on ``cloud.state.settings``."""

    datacenter: str = "emulator-1"
    elsewhere: dict[str, str] = field(default_factory=lambda: {"emulator-2": "https://emulator-2.invalid"})
    """The other data centres and where they are; nothing answers there."""
    services: dict[str, str] = field(default_factory=dict)
    """More services than the one that is always there, cloudapi."""

    read_only: bool = False
    """Refuse everything that writes with a 503, as during maintenance."""
    maintenance_ends: float | None = None
    """The time that a read-only data centre puts into Retry-After, in seconds since the epoch."""
    maintenance_message: str = "This Triton data center is being upgraded"

    throttle: Throttle | None = None
    """The rate limit; None lets everybody through."""

    rbac: bool = True
    """Let users and role tags count; without it CloudAPI keeps the books on them, and nobody but the account gets in."""
    limits: list[dict[str, Any]] = field(default_factory=list)
    """What ``GetAccountLimits`` tells: dicts of ``value``, ``by``, ``check`` and what that names; nothing enforces them."""

    default_hvm_brand: str = "kvm"
    default_container_brand: str = "joyent"
    allow_multiple_public_networks: bool = False
    delegate_datasets: bool = False
    bhyve_snapshots: bool = False
    volumes: bool = False
    """Let accounts have volumes; without it CloudAPI knows no such address: 405."""
    automount_volumes: bool = False
    """Let machines be made with volumes."""
    user_migrations: bool = False
    """Let accounts migrate their machines, and not only the operator."""
    manta_url: str | None = None
    """Where images can be exported to; None is a data centre without Manta."""
    fabrics: bool = True
    """Let accounts have VLANs and networks of their own; without it CloudAPI answers 501 to all that is about them."""
    cns: bool = False
    """Give machines DNS names, for accounts that want them."""
