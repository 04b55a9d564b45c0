"""The words that CloudAPI has for states, brands, types and actions, for type checkers and editors to know.

A newer CloudAPI may answer with a word that is not here; only what is asked for is checked against them.
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
"""What machines can be listed by; ``provisioning`` and ``stopping`` list all ``active`` ones, as CloudAPI has it."""

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
"""What the audit calls the jobs that are done for a machine."""

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
"""How an image is made; the last two are what versions of CloudAPI before 8 call them."""

ImageFilter: TypeAlias = ImageType | Literal["!zone-dataset", "!lx-dataset", "!zvol", "!docker", "!other"]
"""What images can be listed by: a type, or all but one."""

KeyStatus: TypeAlias = Literal["Active", "Inactive", "Expired"]

MigrationPhase: TypeAlias = Literal["begin", "sync", "switch", "pause", "abort"]

MigrationState: TypeAlias = Literal["running", "paused", "failed", "successful", "aborted"]

Subresource: TypeAlias = Literal[
    "alias", "customer_metadata", "destroyed", "nics", "owner_uuid", "server_uuid", "state", "tags"
]
"""What of a machine can be followed, in CloudAPI's words: ``alias`` is the name, ``customer_metadata`` the metadata,
``server_uuid`` the `compute_node`."""
