"""The record of a volume."""

from dataclasses import dataclass, field


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
