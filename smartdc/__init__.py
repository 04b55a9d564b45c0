"""A Python client for CloudAPI, the public REST API of Triton DataCenter.

Begin with a `DataCenter`::

    from smartdc import DataCenter

    dc = DataCenter()  # URL, account and key come from the environment
    machine = dc.create_machine(name="web-1", image=..., package=..., wait=True)

Each name is loaded at its first use, so that ``import smartdc`` costs almost nothing. Type checkers read
``__init__.pyi``, which lists the same names.
"""

from importlib import import_module

__version__ = "1.0.0.dev0"

_NAMES_BY_MODULE = {
    "auth.profile": ("Profile", "profiles"),
    "auth.signing": ("HTTPSignatureAuth", "Signer"),
    "cloud": ("Cloud", "CloudList"),
    "core.export": ("as_dict", "to_json"),
    "commands.session": ("load_ipython_extension",),
    "datacenter": ("DataCenter", "KNOWN_LOCATIONS", "TELEFONICA_LOCATIONS", "explain_auth"),
    "errors": (  # noqa: SIM905 (a column of forty names would say no more)
        "APIError AgentError BadRequest BadResponse CallTimeout ConfigError Conflict CreateOutcomeUnknown "
        "DeletionProtected DoubledCreate Gone InUse InputError InvalidArgument InvalidCredentials "
        "InvalidHeader InvalidParameters InvalidVersion KeyFileError KeyRequired MachineNotReady "
        "MethodNotAllowed MissingParameter NameTaken NotAuthorized NotSupported OutOfAddresses "
        "PassphraseRequired PayloadTooLarge PreconditionFailed Redirected RequestExpired ResourceNotFound "
        "ServerError ServiceUnavailable SmartDCError TLSError Throttled TokenUsed TransportError "
        "ValidationFailed WaitError WaitFailed WaitTimeout"
    ).split(),
    "fleet.cloud_fleet": ("CloudFleet",),
    "fleet.fleet": ("Fleet",),
    "fleet.journal": ("JournalFinished",),
    "fleet.progress": ("FleetProgress",),
    "fleet.report": ("FleetFailed", "OutcomeUnknown", "Report"),
    "fleet.ssh": ("SSHOutput", "SSHOutputs"),
    "fleet.wait": ("Waited",),
    "http.retry": ("Retry",),
    "machine.audit": ("AuditEntry",),
    "machine.changefeed": ("Change", "Changefeed"),
    "machine.disk": ("Disk",),
    "machine.machine": ("Machine",),
    "machine.migration": ("Migration",),
    "machine.nic": ("Nic",),
    "machine.snapshot": ("Snapshot",),
    "machine.ssh": ("SSHError",),
    "machine.vnc": ("VncStream",),
    "machine.vnc_port": ("VncPort",),
    "resources.access_key": ("AccessKey",),
    "resources.account": ("Account",),
    "resources.firewall_rule": ("FirewallRule",),
    "resources.image": ("Image",),
    "resources.info": ("Info",),
    "resources.ip": ("NetworkIP",),
    "resources.key": ("Key",),
    "resources.network": ("Network",),
    "resources.package": ("Package",),
    "resources.policy": ("Policy",),
    "resources.role": ("Role",),
    "resources.user": ("User",),
    "resources.vlan": ("Vlan",),
    "resources.volume": ("Volume",),
    "waiting.progress": ("Progress",),
}
_HOMES = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}
"""Public name to the module that defines it."""

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604 (computed from the table above)


def __getattr__(name: str) -> object:
    """Load a public name from its module, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
