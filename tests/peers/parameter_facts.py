"""Every parameter of CloudAPI's operations beside those in the path: where it goes, as what, and which are left out."""

from __future__ import annotations

from collections.abc import Mapping

Facts = Mapping[str, frozenset[str]]
"""Names to the ways in which each may go, such as ``body number``.

A ``truth`` is sent whether it is True or False, a ``flag`` only if it is True.
"""


def query(**names: str) -> dict[str, frozenset[str]]:
    """Say what goes into the query, by type; numbers and truths are texts there, which spell them."""
    return _facts("query", names)


def body(**names: str) -> dict[str, frozenset[str]]:
    """Say what goes into the body, by its type in JSON."""
    return _facts("body", names)


def _facts(place: str, names: Mapping[str, str]) -> dict[str, frozenset[str]]:
    kinds: dict[str, frozenset[str]] = {}
    for kind, words in names.items():
        for word in words.split():
            kinds[word] = kinds.get(word, frozenset()) | {f"{place} {kind}"}
    return kinds


_ADDRESS = "address postalCode city state country phone"
_SYNC = query(flag="sync")
_KEY = body(text="key name", list="attestation")
_ACCESS_KEY = body(text="status description")
_ROLE = body(text="name", list="members default_members policies")
_POLICY = body(text="name description", list="rules")
_ROLE_TAG = body(list="role-tag")
_MANIFEST = body(text="name version description homepage eula", list="acl", object="tags")
_ACTION = query(text="action")
_MACHINES = query(
    text="type brand image state tag.<key>",
    number="memory limit offset tag.<key>",
    truth="docker tag.<key>",
    flag="tombstone",
)
_VALUES = body(text="<key>", number="<key>", truth="<key>")
_RULE = body(text="rule description", truth="enabled log")
_ENDS = "provision_start_ip provision_end_ip"

FACTS: Mapping[str, Facts] = {
    "UpdateAccount": body(text=f"email companyName firstName lastName {_ADDRESS}", truth="triton_cns_enabled"),
    "ListKeys": _SYNC,
    "GetKey": _SYNC,
    "CreateKey": _KEY,
    "ListUserKeys": _SYNC,
    "GetUserKey": _SYNC,
    "CreateUserKey": _KEY,
    "ListAccessKeys": _SYNC,
    "GetAccessKey": _SYNC,
    "ListUserAccessKeys": _SYNC,
    "GetUserAccessKey": _SYNC,
    "CreateAccessKey": _ACCESS_KEY,
    "CreateUserAccessKey": _ACCESS_KEY,
    "UpdateAccessKey": _ACCESS_KEY,
    "UpdateUserAccessKey": _ACCESS_KEY,
    "GetUser": query(flag="membership"),
    "CreateUser": body(text=f"email login password companyName firstName lastName {_ADDRESS}"),
    "UpdateUser": body(text=f"email login companyName firstName lastName {_ADDRESS}"),
    "ChangeUserPassword": body(text="password password_confirmation"),
    "CreateRole": _ROLE,
    "UpdateRole": _ROLE,
    "CreatePolicy": _POLICY,
    "UpdatePolicy": _POLICY,
    "SetRoleTags:ReplaceAccountRoleTags": _ROLE_TAG,
    "SetRoleTags:ReplaceResourcesRoleTags": _ROLE_TAG,
    "SetRoleTags:ReplaceUserKeysResourcesRoleTags": _ROLE_TAG,
    "SetRoleTags:ReplaceResourceRoleTags": _ROLE_TAG,
    "SetRoleTags:ReplaceMachineRoleTags": _ROLE_TAG,
    "SetRoleTags:ReplaceUserKeysResourceRoleTags": _ROLE_TAG,
    "UpdateConfig": body(text="default_network"),
    "AddForeignDatacenter": body(text="name url token"),
    "ListImages": query(text="name os version state owner type", truth="public"),
    "CreateImageFromMachine": body(text="machine") | _MANIFEST,
    "ImportImageFromDatacenter": query(text="action datacenter id"),
    "UpdateImage": _ACTION | _MANIFEST,
    "ExportImage": query(text="action manta_path"),
    "CloneImage": _ACTION,
    "ListPackages": query(text="name version group brand", number="memory disk swap lwps vcpus", truth="flexible_disk"),
    "ListMachines": _MACHINES | query(text="name", flag="credentials"),
    "HeadMachines": _MACHINES,
    "GetMachine": query(flag="credentials"),
    "CreateMachine": body(
        text="name package image brand bootrom password metadata.<key> tag.<key>",
        number="metadata.<key> tag.<key>",
        truth="firewall_enabled deletion_protection delegate_dataset allow_shared_images encrypted metadata.<key> tag.<key>",
        list="networks default_networks affinity volumes disks",
        object="locality",
    ),
    "StopMachine": _ACTION,
    "StartMachine": _ACTION,
    "RebootMachine": _ACTION,
    "ResizeMachine": query(text="action package"),
    "RenameMachine": query(text="action name"),
    "EnableMachineFirewall": _ACTION,
    "DisableMachineFirewall": _ACTION,
    "EnableMachineDeletionProtection": _ACTION,
    "DisableMachineDeletionProtection": _ACTION,
    "UpdateMachineMetadata": _VALUES,
    "ListMachineMetadata": query(flag="credentials"),
    "AddMachineTags": _VALUES,
    "ReplaceMachineTags": _VALUES,
    "CreateMachineSnapshot": body(text="name"),
    "CreateMachineDisk": body(number="size", text="size pci_slot"),
    "ResizeMachineDisk": body(number="size", truth="dangerous_allow_shrink"),
    "AddNic": body(text="network", object="network", truth="primary"),
    "Migrate": body(text="action", list="affinity"),
    "Migrate:watch": _ACTION,
    "CreateFirewallRule": _RULE,
    "UpdateFirewallRule": _RULE,
    "CreateFabricVLAN": body(number="vlan_id", text="name description"),
    "UpdateFabricVLAN": body(text="name description"),
    "CreateFabricNetwork": body(
        text=f"name subnet {_ENDS} gateway description", list="resolvers", object="routes", truth="internet_nat"
    ),
    "UpdateFabricNetwork": body(text=f"name description {_ENDS}", list="resolvers", object="routes"),
    "ListNetworks": query(flag="fabric"),
    "ListNetworkIPs": query(number="limit offset"),
    "UpdateNetworkIP": body(truth="reserved"),
    "ListVolumes": query(text="name state type predicate", number="size"),
    "CreateVolume": body(text="name type", number="size", list="networks affinity", object="tags"),
    "UpdateVolume": body(text="name"),
    "ListVolumeSizes": query(text="type"),
}
"""What each operation takes beside its path; an operation that is not here takes nothing."""

_JOBS = (
    *("StopMachine", "StartMachine", "RebootMachine", "ResizeMachine", "RenameMachine"),
    *("EnableMachineFirewall", "DisableMachineFirewall"),
    *("EnableMachineDeletionProtection", "DisableMachineDeletionProtection"),
)

LEFT_OUT: Mapping[tuple[str, str], str] = {
    ("ListMachines", "tags"): "its one value, *, makes CloudAPI forget every other filter, and the pages too",
    ("HeadMachines", "tags"): "as in ListMachines",
    ("HeadMachines", "name"): "CloudAPI counts all that begin so: ListMachines is asked, and what equals it counted",
    ("HeadMachines", "credentials"): "an answer without machines has no place for their passwords",
    ("GetChangefeed", "vms"): "CloudAPI never reads it: the machines go into the message that registers",
    ("CreateImageFromMachine", "action"): "the other actions with an image have operations of their own, this one none",
    **{
        (operation, name): f"the former name of {now}"
        for operation in ("UpdateAccount", "CreateUser", "UpdateUser")
        for name, now in {"company": "companyName", "givenName": "firstName", "sn": "lastName"}.items()
    },
    **{
        (operation, "dataset"): "the former name of image"
        for operation in ("ListMachines", "HeadMachines", "CreateMachine")
    },
    ("CreateMachine", "administrator_pw"): "the same as password",
    ("CreateMachine", "credentials"): "CloudAPI gives it back in place of the machine's passwords, and keeps nothing",
    ("ListFirewallRuleMachines", "credentials"): "as in CreateMachine",
    **{(job, "origin"): "a note to the operator's own records, which CloudAPI shows to nobody" for job in _JOBS},
}
"""Parameters that no method offers, and why."""
