"""A Python client for CloudAPI, the public REST API of Triton DataCenter.

Begin with a `DataCenter`::

    from smartdc import DataCenter

    dc = DataCenter()  # the environment says where, who and with which key
    machine = dc.create_machine(name="web-1", image=..., package=..., wait=True)
"""

from smartdc.access_key import AccessKey
from smartdc.account import Account
from smartdc.audit import AuditEntry
from smartdc.changefeed import Change, Changefeed
from smartdc.datacenter import KNOWN_LOCATIONS, TELEFONICA_LOCATIONS, DataCenter, __version__
from smartdc.disk import Disk
from smartdc.doctor import explain_auth
from smartdc.errors import (
    AgentError,
    APIError,
    BadRequest,
    BadResponse,
    CallTimeout,
    ConfigError,
    Conflict,
    CreateOutcomeUnknown,
    DeletionProtected,
    DoubledCreate,
    Gone,
    InputError,
    InUse,
    InvalidArgument,
    InvalidCredentials,
    InvalidHeader,
    InvalidParameters,
    InvalidVersion,
    KeyFileError,
    KeyRequired,
    MachineNotReady,
    MethodNotAllowed,
    MissingParameter,
    NameTaken,
    NotAuthorized,
    NotSupported,
    OutOfAddresses,
    PassphraseRequired,
    PayloadTooLarge,
    PreconditionFailed,
    Redirected,
    RequestExpired,
    ResourceNotFound,
    ServerError,
    ServiceUnavailable,
    SmartDCError,
    Throttled,
    TLSError,
    TransportError,
    ValidationFailed,
    WaitError,
    WaitFailed,
    WaitTimeout,
)
from smartdc.firewall_rule import FirewallRule
from smartdc.fleet import Waited
from smartdc.image import Image
from smartdc.ip import NetworkIP
from smartdc.key import Key
from smartdc.machine import Machine
from smartdc.migration import Migration
from smartdc.network import Network
from smartdc.nic import Nic
from smartdc.package import Package
from smartdc.policy import Policy
from smartdc.profile import Profile, profiles
from smartdc.progress import Progress
from smartdc.role import Role
from smartdc.signing import HTTPSignatureAuth, Signer
from smartdc.snapshot import Snapshot
from smartdc.user import User
from smartdc.vlan import Vlan
from smartdc.vnc import VncStream
from smartdc.volume import Volume

__all__ = [
    "KNOWN_LOCATIONS",
    "TELEFONICA_LOCATIONS",
    "APIError",
    "AccessKey",
    "Account",
    "AgentError",
    "AuditEntry",
    "BadRequest",
    "BadResponse",
    "CallTimeout",
    "Change",
    "Changefeed",
    "ConfigError",
    "Conflict",
    "CreateOutcomeUnknown",
    "DataCenter",
    "DeletionProtected",
    "Disk",
    "DoubledCreate",
    "FirewallRule",
    "Gone",
    "HTTPSignatureAuth",
    "Image",
    "InUse",
    "InputError",
    "InvalidArgument",
    "InvalidCredentials",
    "InvalidHeader",
    "InvalidParameters",
    "InvalidVersion",
    "Key",
    "KeyFileError",
    "KeyRequired",
    "Machine",
    "MachineNotReady",
    "MethodNotAllowed",
    "Migration",
    "MissingParameter",
    "NameTaken",
    "Network",
    "NetworkIP",
    "Nic",
    "NotAuthorized",
    "NotSupported",
    "OutOfAddresses",
    "Package",
    "PassphraseRequired",
    "PayloadTooLarge",
    "Policy",
    "PreconditionFailed",
    "Profile",
    "Progress",
    "Redirected",
    "RequestExpired",
    "ResourceNotFound",
    "Role",
    "ServerError",
    "ServiceUnavailable",
    "Signer",
    "SmartDCError",
    "Snapshot",
    "TLSError",
    "Throttled",
    "TransportError",
    "User",
    "ValidationFailed",
    "Vlan",
    "VncStream",
    "Volume",
    "WaitError",
    "WaitFailed",
    "WaitTimeout",
    "Waited",
    "__version__",
    "explain_auth",
    "profiles",
]
