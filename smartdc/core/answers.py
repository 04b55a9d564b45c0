"""Types of the answers of CloudAPI that have no class of their own, for type checkers and editors.

At run time they are plain dicts, as the server sent them. They may have more entries, and may lack those that are
marked `NotRequired`.
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
    """The id of the network of machines that are created without `networks`."""


class Limit(TypedDict):
    """A limit on the total use of the account's machines."""

    value: int
    used: NotRequired[int]
    by: NotRequired[Literal["ram", "quota", "machines"]]
    """The unit of `value` and `used`: MiB of memory, GiB of disk, or machines."""
    check: NotRequired[Literal["os", "image", "brand"]]
    """Which of the next three entries selects the machines; without it, the limit applies to all machines."""
    os: NotRequired[str]
    image: NotRequired[str]
    brand: NotRequired[str]


class CloudapiVersions(TypedDict):
    """CloudAPI's versions."""

    versions: list[str]


class Pong(TypedDict):
    """The answer to a ping."""

    ping: str
    cloudapi: NotRequired[CloudapiVersions]


class VolumeSize(TypedDict):
    """An available size of volumes."""

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
    """The place in Manta to which an image was exported."""

    manta_url: str
    image_path: str
    manifest_path: str


class NicData(TypedDict):
    """A network interface, as CloudAPI describes it."""

    mac: str
    ip: str
    netmask: str
    network: str
    primary: bool
    state: NicState
    gateway: NotRequired[str]


class SnapshotData(TypedDict):
    """A snapshot, as CloudAPI describes it; a new one has only the first two entries."""

    name: str
    state: SnapshotState
    size: NotRequired[int | None]
    created: NotRequired[str]
    updated: NotRequired[str]


class MachineDisk(TypedDict, total=False):
    """A disk, as CloudAPI describes it within a machine."""

    id: str
    size: int
    """MiB."""
    block_size: int
    """Bytes."""
    boot: bool
    image: str


class MachineData(TypedDict):
    """A machine, as CloudAPI describes it."""

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
    """One report of a migration's progress, or the ``end`` of a phase."""

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
    """The amount of data that a migration would copy."""

    size: int
    """Bytes."""


class Caller(TypedDict, total=False):
    """The caller that requested an action."""

    type: str
    ip: str
    keyId: str


class ForeignDatacenter(TypedDict, total=False):
    """A data centre of another cloud."""

    name: str
    url: str
