"""What an emulator remembers of volumes and migrations, and who makes things that are not machines."""

from dataclasses import dataclass, field
from typing import Any

from smartdc.emulator.state.records import MachineRecord


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
    """The machines that were made to mount it, living or not."""
    path: str | None = None
    """What to mount, when it is ready."""


@dataclass(slots=True)
class MigrationRecord:
    """The migration of a machine; ``phase`` is the one it is in or was in last."""

    machine: str
    owner: str
    automatic: bool
    created: float
    phase: str = "begin"
    state: str = "running"
    finished: float | None = None
    error: str | None = None
    syncs: int = 0
    """How many syncs have worked."""
    history: list[dict[str, Any]] = field(default_factory=list)


def worker(identity: str, owner: str, now: float) -> MachineRecord:
    """Return a machine that no list shows: what makes a volume or an image does it as a job of its own machine.

    It has the id of what it makes, so that a script can release its jobs by that.
    """
    return MachineRecord(identity, owner, identity, "joyent-minimal", "", "", 0, 0, now, now, "running")
