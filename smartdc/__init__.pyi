from smartdc.auth.profile import Profile as Profile
from smartdc.auth.profile import profiles as profiles
from smartdc.auth.signing import HTTPSignatureAuth as HTTPSignatureAuth
from smartdc.auth.signing import Signer as Signer
from smartdc.cloud import Cloud as Cloud
from smartdc.cloud import CloudList as CloudList
from smartdc.commands.session import load_ipython_extension as load_ipython_extension
from smartdc.core.export import as_dict as as_dict
from smartdc.core.export import to_json as to_json
from smartdc.datacenter import KNOWN_LOCATIONS as KNOWN_LOCATIONS
from smartdc.datacenter import TELEFONICA_LOCATIONS as TELEFONICA_LOCATIONS
from smartdc.datacenter import DataCenter as DataCenter
from smartdc.datacenter import explain_auth as explain_auth
from smartdc.errors import AgentError as AgentError
from smartdc.errors import APIError as APIError
from smartdc.errors import BadRequest as BadRequest
from smartdc.errors import BadResponse as BadResponse
from smartdc.errors import CallTimeout as CallTimeout
from smartdc.errors import ConfigError as ConfigError
from smartdc.errors import Conflict as Conflict
from smartdc.errors import CreateOutcomeUnknown as CreateOutcomeUnknown
from smartdc.errors import DeletionProtected as DeletionProtected
from smartdc.errors import DoubledCreate as DoubledCreate
from smartdc.errors import Gone as Gone
from smartdc.errors import InputError as InputError
from smartdc.errors import InUse as InUse
from smartdc.errors import InvalidArgument as InvalidArgument
from smartdc.errors import InvalidCredentials as InvalidCredentials
from smartdc.errors import InvalidHeader as InvalidHeader
from smartdc.errors import InvalidParameters as InvalidParameters
from smartdc.errors import InvalidVersion as InvalidVersion
from smartdc.errors import KeyFileError as KeyFileError
from smartdc.errors import KeyRequired as KeyRequired
from smartdc.errors import MachineNotReady as MachineNotReady
from smartdc.errors import MethodNotAllowed as MethodNotAllowed
from smartdc.errors import MissingParameter as MissingParameter
from smartdc.errors import NameTaken as NameTaken
from smartdc.errors import NotAuthorized as NotAuthorized
from smartdc.errors import NotSupported as NotSupported
from smartdc.errors import OutOfAddresses as OutOfAddresses
from smartdc.errors import PassphraseRequired as PassphraseRequired
from smartdc.errors import PayloadTooLarge as PayloadTooLarge
from smartdc.errors import PreconditionFailed as PreconditionFailed
from smartdc.errors import Redirected as Redirected
from smartdc.errors import RequestExpired as RequestExpired
from smartdc.errors import ResourceNotFound as ResourceNotFound
from smartdc.errors import ServerError as ServerError
from smartdc.errors import ServiceUnavailable as ServiceUnavailable
from smartdc.errors import SmartDCError as SmartDCError
from smartdc.errors import Throttled as Throttled
from smartdc.errors import TLSError as TLSError
from smartdc.errors import TokenUsed as TokenUsed
from smartdc.errors import TransportError as TransportError
from smartdc.errors import ValidationFailed as ValidationFailed
from smartdc.errors import WaitError as WaitError
from smartdc.errors import WaitFailed as WaitFailed
from smartdc.errors import WaitTimeout as WaitTimeout
from smartdc.fleet.cloud_fleet import CloudFleet as CloudFleet
from smartdc.fleet.fleet import Fleet as Fleet
from smartdc.fleet.journal import JournalFinished as JournalFinished
from smartdc.fleet.progress import FleetProgress as FleetProgress
from smartdc.fleet.report import FleetFailed as FleetFailed
from smartdc.fleet.report import OutcomeUnknown as OutcomeUnknown
from smartdc.fleet.report import Report as Report
from smartdc.fleet.ssh import SSHOutput as SSHOutput
from smartdc.fleet.ssh import SSHOutputs as SSHOutputs
from smartdc.fleet.wait import Waited as Waited
from smartdc.http.retry import Retry as Retry
from smartdc.machine.audit import AuditEntry as AuditEntry
from smartdc.machine.changefeed import Change as Change
from smartdc.machine.changefeed import Changefeed as Changefeed
from smartdc.machine.disk import Disk as Disk
from smartdc.machine.machine import Machine as Machine
from smartdc.machine.migration import Migration as Migration
from smartdc.machine.nic import Nic as Nic
from smartdc.machine.snapshot import Snapshot as Snapshot
from smartdc.machine.ssh import SSHError as SSHError
from smartdc.machine.vnc import VncStream as VncStream
from smartdc.machine.vnc_port import VncPort as VncPort
from smartdc.resources.access_key import AccessKey as AccessKey
from smartdc.resources.account import Account as Account
from smartdc.resources.firewall_rule import FirewallRule as FirewallRule
from smartdc.resources.image import Image as Image
from smartdc.resources.info import Info as Info
from smartdc.resources.ip import NetworkIP as NetworkIP
from smartdc.resources.key import Key as Key
from smartdc.resources.network import Network as Network
from smartdc.resources.package import Package as Package
from smartdc.resources.policy import Policy as Policy
from smartdc.resources.role import Role as Role
from smartdc.resources.user import User as User
from smartdc.resources.vlan import Vlan as Vlan
from smartdc.resources.volume import Volume as Volume
from smartdc.waiting.progress import Progress as Progress

__version__: str

# fmt: off
__all__ = [
    "KNOWN_LOCATIONS", "TELEFONICA_LOCATIONS", "APIError", "AccessKey", "Account", "AgentError", "AuditEntry",
    "BadRequest", "BadResponse", "CallTimeout", "Change", "Changefeed", "Cloud", "CloudFleet", "CloudList",
    "ConfigError", "Conflict", "CreateOutcomeUnknown", "DataCenter", "DeletionProtected", "Disk", "DoubledCreate",
    "FirewallRule", "Fleet", "FleetFailed", "FleetProgress", "Gone", "HTTPSignatureAuth", "Image", "InUse", "Info",
    "InputError", "InvalidArgument", "InvalidCredentials", "InvalidHeader", "InvalidParameters", "InvalidVersion",
    "JournalFinished", "Key", "KeyFileError", "KeyRequired", "Machine", "MachineNotReady", "MethodNotAllowed",
    "Migration", "MissingParameter", "NameTaken", "Network", "NetworkIP", "Nic", "NotAuthorized", "NotSupported",
    "OutOfAddresses", "OutcomeUnknown", "Package", "PassphraseRequired", "PayloadTooLarge", "Policy",
    "PreconditionFailed", "Profile", "Progress", "Redirected", "Report", "RequestExpired", "ResourceNotFound", "Retry",
    "Role", "SSHError", "SSHOutput", "SSHOutputs", "ServerError", "ServiceUnavailable", "Signer", "SmartDCError",
    "Snapshot", "TLSError", "Throttled", "TokenUsed", "TransportError", "User", "ValidationFailed", "Vlan", "VncPort",
    "VncStream", "Volume", "WaitError", "WaitFailed", "WaitTimeout", "Waited", "__version__", "as_dict", "explain_auth",
    "load_ipython_extension", "profiles", "to_json",
]
