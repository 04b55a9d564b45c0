"""Records of images and packages: what machines are made of."""

from dataclasses import dataclass, field
from typing import Any


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
    """A package; memory, disk and swap in MiB. Images must have its ``os``; machines get its networks, if it has any."""

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
