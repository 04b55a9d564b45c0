"""CloudAPI's words for states, brands, types and actions, for type checkers and editors.

A newer CloudAPI may answer with other words; only arguments are checked against these.
"""

from typing import Literal, TypeAlias

__all__ = [
    "Action",
    "Brand",
    "DiskState",
    "ImageFilter",
    "ImageState",
    "ImageType",
    "KeyStatus",
    "ListedState",
    "MachineState",
    "MachineType",
    "MigrationPhase",
    "MigrationState",
    "NicState",
    "SnapshotState",
    "Subresource",
    "VolumeState",
    "VolumeType",
]

MachineState: TypeAlias = Literal[
    "provisioning", "ready", "running", "stopping", "stopped", "offline", "deleted", "failed", "unknown"
]
"""Every state that CloudAPI gives a machine."""

ListedState: TypeAlias = Literal["active", "running", "stopped", "provisioning", "stopping", "destroyed", "unknown"]
"""States for the filter of a list of machines; for ``provisioning`` and ``stopping`` CloudAPI lists all ``active`` ones."""

MachineType: TypeAlias = Literal["smartmachine", "virtualmachine"]

Brand: TypeAlias = Literal["bhyve", "joyent", "joyent-minimal", "kvm", "lx"]

Action: TypeAlias = Literal[
    "provision",
    "start",
    "stop",
    "reboot",
    "destroy",
    "resize",
    "rename",
    "create_snapshot",
    "rollback_snapshot",
    "delete_snapshot",
    "set_tags",
    "replace_tags",
    "remove_tags",
    "set_metadata",
    "replace_metadata",
    "remove_metadata",
    "enable_firewall",
    "disable_firewall",
    "enable_deletion_protection",
    "disable_deletion_protection",
    "add_nics",
    "remove_nics",
    "unknown",
]
"""The audit's names for a machine's jobs."""

NicState: TypeAlias = Literal["provisioning", "running", "stopped"]

DiskState: TypeAlias = Literal["creating", "resizing", "deleting"] | MachineState
"""``creating``, ``resizing`` or ``deleting`` during a job; at all other times the machine's state."""

SnapshotState: TypeAlias = Literal["queued", "running", "created", "failed", "canceled", "deleted"]

VolumeState: TypeAlias = Literal["creating", "ready", "failed", "deleting", "deleted"]

VolumeType: TypeAlias = Literal["tritonnfs"]

ImageState: TypeAlias = Literal["active", "unactivated", "disabled", "creating", "failed", "deleted"]

ImageType: TypeAlias = Literal[
    "zone-dataset", "lx-dataset", "zvol", "docker", "other", "smartmachine", "virtualmachine"
]
"""Types of images; the last two are the names in CloudAPI's versions before 8."""

ImageFilter: TypeAlias = ImageType | Literal["!zone-dataset", "!lx-dataset", "!zvol", "!docker", "!other"]
"""Types for the filter of a list of images: a type, or all types but one."""

KeyStatus: TypeAlias = Literal["Active", "Inactive", "Expired"]

MigrationPhase: TypeAlias = Literal["begin", "sync", "switch", "pause", "abort"]

MigrationState: TypeAlias = Literal["running", "paused", "failed", "successful", "aborted"]

Subresource: TypeAlias = Literal[
    "alias", "customer_metadata", "destroyed", "nics", "owner_uuid", "server_uuid", "state", "tags"
]
"""The parts of a machine that can be followed, by CloudAPI's names: ``alias`` is the name, ``customer_metadata`` the
metadata, ``server_uuid`` the `compute_node`."""
