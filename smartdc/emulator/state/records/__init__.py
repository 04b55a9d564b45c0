"""The records of an emulator's state, one small class per resource, without any behaviour of the API."""

from smartdc.emulator.state.records.account import (
    AccessKeyRecord,
    AccountRecord,
    Bucket,
    KeyRecord,
    Person,
    PolicyRecord,
    RoleRecord,
    UserRecord,
)
from smartdc.emulator.state.records.catalogue import (
    ImageRecord,
    PackageRecord,
)
from smartdc.emulator.state.records.machine import (
    HVM,
    INDEXED,
    Job,
    MachineRecord,
    NicRecord,
    SnapshotRecord,
    Table,
)
from smartdc.emulator.state.records.network import (
    FirewallRuleRecord,
    NetworkRecord,
    VlanRecord,
)
from smartdc.emulator.state.records.volume import VolumeRecord

__all__ = [
    "HVM",
    "INDEXED",
    "AccessKeyRecord",
    "AccountRecord",
    "Bucket",
    "FirewallRuleRecord",
    "ImageRecord",
    "Job",
    "KeyRecord",
    "MachineRecord",
    "NetworkRecord",
    "NicRecord",
    "PackageRecord",
    "Person",
    "PolicyRecord",
    "RoleRecord",
    "SnapshotRecord",
    "Table",
    "UserRecord",
    "VlanRecord",
    "VolumeRecord",
]
