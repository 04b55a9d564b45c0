"""The shapes of what CloudAPI answers where there is no class for it: plain dicts, for type checkers and editors.

At run time they are dicts as the server sent them, which may have more entries, and lack those that are marked as such.
"""

from typing import Any, Literal, NotRequired, TypedDict

from smartdc.core.literals import Brand, MachineState, MachineType, NicState, SnapshotState

__all__ = [
    "Caller",
    "CloudapiVersions",
    "Config",
    "Export",
    "ForeignDatacenter",
    "ImageFile",
    "Limit",
    "MachineData",
    "MachineDisk",
    "MigrationEstimate",
    "MigrationEvent",
    "NicData",
    "PackageDisk",
    "Pong",
    "SnapshotData",
    "VolumeSize",
]


class Config(TypedDict):
    """The account's settings in one data centre."""

    default_network: NotRequired[str]
    """The id of the network that machines are on unless their create names others."""


class Limit(TypedDict):
    """A limit on what the account's machines may use together."""

    value: int
    used: NotRequired[int]
    by: NotRequired[Literal["ram", "quota", "machines"]]
    """What the two count: MiB of memory, GiB of disk, or machines."""
    check: NotRequired[Literal["os", "image", "brand"]]
    """Which of the next three says to which machines it applies; all of them where it is missing."""
    os: NotRequired[str]
    image: NotRequired[str]
    brand: NotRequired[str]


class CloudapiVersions(TypedDict):
    """What CloudAPI says of itself."""

    versions: list[str]


class Pong(TypedDict):
    """The answer to a ping."""

    ping: str
    cloudapi: NotRequired[CloudapiVersions]


class VolumeSize(TypedDict):
    """A size that volumes come in."""

    size: int
    """MiB."""
    type: str


class PackageDisk(TypedDict, total=False):
    """A disk that a machine of a package gets."""

    size: int | str
    """MiB, or ``remaining``."""
    block_size: int
    """Bytes."""


class ImageFile(TypedDict):
    """A file of an image."""

    compression: str
    sha1: NotRequired[str]
    size: NotRequired[int]
    """Bytes."""


class Export(TypedDict):
    """Where in Manta an image was written to."""

    manta_url: str
    image_path: str
    manifest_path: str


class NicData(TypedDict):
    """What CloudAPI says of a network interface."""

    mac: str
    ip: str
    netmask: str
    network: str
    primary: bool
    state: NicState
    gateway: NotRequired[str]


class SnapshotData(TypedDict):
    """What CloudAPI says of a snapshot; of one that was just made it says no more than the first two."""

    name: str
    state: SnapshotState
    size: NotRequired[int | None]
    created: NotRequired[str]
    updated: NotRequired[str]


class MachineDisk(TypedDict, total=False):
    """What CloudAPI says of a disk as part of a machine."""

    id: str
    size: int
    """MiB."""
    block_size: int
    """Bytes."""
    boot: bool
    image: str


class MachineData(TypedDict):
    """What CloudAPI says of a machine."""

    id: str
    name: str
    type: MachineType
    brand: Brand
    state: MachineState
    image: str
    package: str
    memory: int
    """MiB."""
    disk: int
    """MiB."""
    metadata: dict[str, Any]
    tags: dict[str, str | int | float | bool]
    created: str
    updated: str
    ips: list[str]
    networks: NotRequired[list[str]]
    nics: NotRequired[list[NicData]]
    disks: NotRequired[list[MachineDisk]]
    primaryIp: NotRequired[str]
    firewall_enabled: NotRequired[bool]
    deletion_protection: NotRequired[bool]
    compute_node: NotRequired[str | None]
    docker: NotRequired[bool]
    dns_names: NotRequired[list[str]]
    flexible: NotRequired[bool]
    free_space: NotRequired[int]
    """MiB."""
    encrypted: NotRequired[bool]
    delegate_dataset: NotRequired[bool]


class MigrationEvent(TypedDict):
    """A part of what a migration has done, or the ``end`` of a phase."""

    type: str
    phase: str
    state: str
    message: NotRequired[str | None]
    current_progress: NotRequired[int]
    total_progress: NotRequired[int]
    started_timestamp: NotRequired[str]
    finished_timestamp: NotRequired[str]
    duration_ms: NotRequired[int]
    error: NotRequired[str]


class MigrationEstimate(TypedDict):
    """What a migration would have to copy."""

    size: int
    """Bytes."""


class Caller(TypedDict, total=False):
    """Who asked for an action."""

    type: str
    ip: str
    keyId: str


class ForeignDatacenter(TypedDict, total=False):
    """A data centre of another cloud."""

    name: str
    url: str
