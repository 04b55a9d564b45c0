"""The records of migrations, and the hidden machines whose jobs make volumes and images."""

from dataclasses import dataclass, field
from typing import Any

from smartdc.emulator.state.records import MachineRecord


@dataclass(slots=True)
class MigrationRecord:
    """The migration of a machine; ``phase`` is the current or last one."""

    machine: str
    owner: str
    automatic: bool
    created: float
    phase: str = "begin"
    state: str = "running"
    finished: float | None = None
    error: str | None = None
    syncs: int = 0
    """The number of successful syncs."""
    history: list[dict[str, Any]] = field(default_factory=list)


def worker(identity: str, owner: str, now: float) -> MachineRecord:
    """Return a machine that no list shows, to carry the job that makes a volume or an image.

    It has the id of the volume or image, so that ``release()`` can address its jobs.
    """
    return MachineRecord(identity, owner, identity, "joyent-minimal", "", "", 0, 0, now, now, "running")
