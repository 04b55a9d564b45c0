"""All routes of CloudAPI 9.20, so that what is not supported yet can be told from what does not exist.

A row is an operation, its method, its path and, where one path serves several operations, its ``action``.
"""

ROUTES = """
Ping GET /--ping
RedirectRoot GET /
RedirectDocs GET /docs*
Favicon GET /favicon.ico
GetAccount GET /:account
HeadAccount HEAD /:account
UpdateAccount POST /:account
GetAccountLimits GET /:account/limits
ListKeys GET /:account/keys
HeadKeys HEAD /:account/keys
GetKey GET /:account/keys/:name
HeadKey HEAD /:account/keys/:name
CreateKey POST /:account/keys
DeleteKey DELETE /:account/keys/:name
ListUserKeys GET /:account/users/:user/keys
HeadUserKeys HEAD /:account/users/:user/keys
GetUserKey GET /:account/users/:user/keys/:name
HeadUserKey HEAD /:account/users/:user/keys/:name
CreateUserKey POST /:account/users/:user/keys
DeleteUserKey DELETE /:account/users/:user/keys/:name
CreateAccessKey POST /:account/accesskeys
ListAccessKeys GET /:account/accesskeys
HeadAccessKeys HEAD /:account/accesskeys
GetAccessKey GET /:account/accesskeys/:accesskeyid
HeadAccessKey HEAD /:account/accesskeys/:accesskeyid
DeleteAccessKey DELETE /:account/accesskeys/:accesskeyid
CreateUserAccessKey POST /:account/users/:user/accesskeys
ListUserAccessKeys GET /:account/users/:user/accesskeys
HeadUserAccessKeys HEAD /:account/users/:user/accesskeys
GetUserAccessKey GET /:account/users/:user/accesskeys/:accesskeyid
HeadUserAccessKey HEAD /:account/users/:user/accesskeys/:accesskeyid
DeleteUserAccessKey DELETE /:account/users/:user/accesskeys/:accesskeyid
ListUsers GET /:account/users
HeadUsers HEAD /:account/users
GetUser GET /:account/users/:uuid
HeadUser HEAD /:account/users/:uuid
CreateUser POST /:account/users
UpdateUser POST /:account/users/:uuid
ChangeUserPassword POST /:account/users/:uuid/change_password
DeleteUser DELETE /:account/users/:uuid
ListRoles GET /:account/roles
HeadRoles HEAD /:account/roles
GetRole GET /:account/roles/:role
HeadRole HEAD /:account/roles/:role
CreateRole POST /:account/roles
UpdateRole POST /:account/roles/:role
DeleteRole DELETE /:account/roles/:role
ListPolicies GET /:account/policies
HeadPolicies HEAD /:account/policies
GetPolicy GET /:account/policies/:policy
HeadPolicy HEAD /:account/policies/:policy
CreatePolicy POST /:account/policies
UpdatePolicy POST /:account/policies/:policy
DeletePolicy DELETE /:account/policies/:policy
SetRoleTags:ReplaceAccountRoleTags PUT /:account
SetRoleTags:ReplaceResourcesRoleTags PUT /:account/:resource_name
SetRoleTags:ReplaceUserKeysResourcesRoleTags PUT /:account/users/:user/:resource_name
SetRoleTags:ReplaceResourceRoleTags PUT /:account/:resource_name/:resource_id
SetRoleTags:ReplaceMachineRoleTags PUT /:account/machines/:machine
SetRoleTags:ReplaceUserKeysResourceRoleTags PUT /:account/users/:user/keys/:resource_id
GetConfig GET /:account/config
HeadConfig HEAD /:account/config
UpdateConfig PUT /:account/config
ListDatacenters GET /:account/datacenters
GetDatacenter GET /:account/datacenters/:dc
ListForeignDatacenters GET /:account/foreigndatacenters
AddForeignDatacenter POST /:account/foreigndatacenters
ListServices GET /:account/services
ListImages GET /:account/images
HeadImages HEAD /:account/images
GetImage GET /:account/images/:dataset
HeadImage HEAD /:account/images/:dataset
CreateImageFromMachine POST /:account/images
ImportImageFromDatacenter POST /:account/images import-from-datacenter
UpdateImage POST /:account/images/:dataset update
ExportImage POST /:account/images/:dataset export
CloneImage POST /:account/images/:dataset clone
DeleteImage DELETE /:account/images/:dataset
ListPackages GET /:account/packages
HeadPackages HEAD /:account/packages
GetPackage GET /:account/packages/:package
HeadPackage HEAD /:account/packages/:package
ListMachines GET /:account/machines
HeadMachines HEAD /:account/machines
GetMachine GET /:account/machines/:machine
HeadMachine HEAD /:account/machines/:machine
CreateMachine POST /:account/machines
StopMachine POST /:account/machines/:machine stop
StartMachine POST /:account/machines/:machine start
RebootMachine POST /:account/machines/:machine reboot
ResizeMachine POST /:account/machines/:machine resize
RenameMachine POST /:account/machines/:machine rename
EnableMachineFirewall POST /:account/machines/:machine enable_firewall
DisableMachineFirewall POST /:account/machines/:machine disable_firewall
EnableMachineDeletionProtection POST /:account/machines/:machine enable_deletion_protection
DisableMachineDeletionProtection POST /:account/machines/:machine disable_deletion_protection
DeleteMachine DELETE /:account/machines/:machine
MachineAudit GET /:account/machines/:machine/audit
HeadAudit HEAD /:account/machines/:machine/audit
ConnectMachineVNC GET /:account/machines/:machine/vnc
GetChangefeed GET /:account/changefeed
UpdateMachineMetadata POST /:account/machines/:machine/metadata
ListMachineMetadata GET /:account/machines/:machine/metadata
HeadMachineMetadata HEAD /:account/machines/:machine/metadata
GetMachineMetadata GET /:account/machines/:machine/metadata/:key
HeadMachineMetadataKey HEAD /:account/machines/:machine/metadata/:key
DeleteMachineMetadata DELETE /:account/machines/:machine/metadata/:key
DeleteAllMachineMetadata DELETE /:account/machines/:machine/metadata
AddMachineTags POST /:account/machines/:machine/tags
ReplaceMachineTags PUT /:account/machines/:machine/tags
ListMachineTags GET /:account/machines/:machine/tags
HeadmachineTags HEAD /:account/machines/:machine/tags
GetMachineTag GET /:account/machines/:machine/tags/:tag
HeadMachineTag HEAD /:account/machines/:machine/tags/:tag
DeleteMachineTag DELETE /:account/machines/:machine/tags/:tag
DeleteMachineTags DELETE /:account/machines/:machine/tags
CreateMachineSnapshot POST /:account/machines/:machine/snapshots
StartMachineFromSnapshot POST /:account/machines/:machine/snapshots/:name
ListMachineSnapshots GET /:account/machines/:machine/snapshots
HeadMachineSnapshots HEAD /:account/machines/:machine/snapshots
GetMachineSnapshot GET /:account/machines/:machine/snapshots/:name
HeadMachineSnapshot HEAD /:account/machines/:machine/snapshots/:name
DeleteMachineSnapshot DELETE /:account/machines/:machine/snapshots/:name
CreateMachineDisk POST /:account/machines/:machine/disks
ListMachineDisks GET /:account/machines/:machine/disks
HeadMachineDisks HEAD /:account/machines/:machine/disks
GetMachineDisk GET /:account/machines/:machine/disks/:disk
HeadMachineDisk HEAD /:account/machines/:machine/disks/:disk
ResizeMachineDisk POST /:account/machines/:machine/disks/:disk
DeleteMachineDisk DELETE /:account/machines/:machine/disks/:disk
ListNics GET /:account/machines/:machine/nics
HeadNics HEAD /:account/machines/:machine/nics
GetNic GET /:account/machines/:machine/nics/:mac
HeadNic HEAD /:account/machines/:machine/nics/:mac
AddNic POST /:account/machines/:machine/nics
RemoveNic DELETE /:account/machines/:machine/nics/:mac
ListMigrations GET /:account/migrations
GetMigration GET /:account/migrations/:machine
MigrateMachineEstimate GET /:account/machines/:machine/migrate
Migrate POST /:account/machines/:machine/migrate
Migrate:watch POST /:account/machines/:machine/migrate watch
CreateFirewallRule POST /:account/fwrules
ListFirewallRules GET /:account/fwrules
HeadFirewallRules HEAD /:account/fwrules
GetFirewallRule GET /:account/fwrules/:id
HeadFirewallRule HEAD /:account/fwrules/:id
UpdateFirewallRule POST /:account/fwrules/:id
EnableFirewallRule POST /:account/fwrules/:id/enable
DisableFirewallRule POST /:account/fwrules/:id/disable
DeleteFirewallRule DELETE /:account/fwrules/:id
ListMachineFirewallRules GET /:account/machines/:machine/fwrules
HeadMachineFirewallRules HEAD /:account/machines/:machine/fwrules
ListFirewallRuleMachines GET /:account/fwrules/:id/machines
HeadFirewallRuleMachines HEAD /:account/fwrules/:id/machines
ListFabricVLANs GET /:account/fabrics/default/vlans
HeadFabricVLANs HEAD /:account/fabrics/default/vlans
CreateFabricVLAN POST /:account/fabrics/default/vlans
GetFabricVLAN GET /:account/fabrics/default/vlans/:vlan_id
HeadFabricVLAN HEAD /:account/fabrics/default/vlans/:vlan_id
UpdateFabricVLAN PUT /:account/fabrics/default/vlans/:vlan_id
DeleteFabricVLAN DELETE /:account/fabrics/default/vlans/:vlan_id
ListFabricNetworks GET /:account/fabrics/default/vlans/:vlan_id/networks
HeadFabricNetworks HEAD /:account/fabrics/default/vlans/:vlan_id/networks
CreateFabricNetwork POST /:account/fabrics/default/vlans/:vlan_id/networks
GetFabricNetwork GET /:account/fabrics/default/vlans/:vlan_id/networks/:id
HeadFabricNetwork HEAD /:account/fabrics/default/vlans/:vlan_id/networks/:id
UpdateFabricNetwork PUT /:account/fabrics/default/vlans/:vlan_id/networks/:id
DeleteFabricNetwork DELETE /:account/fabrics/default/vlans/:vlan_id/networks/:id
ListNetworks GET /:account/networks
HeadNetworks HEAD /:account/networks
GetNetwork GET /:account/networks/:network
HeadNetwork HEAD /:account/networks/:network
ListNetworkIPs GET /:account/networks/:id/ips
HeadNetworkIPs HEAD /:account/networks/:id/ips
GetNetworkIP GET /:account/networks/:id/ips/:ip_address
HeadNetworkIP HEAD /:account/networks/:id/ips/:ip_address
UpdateNetworkIP PUT /:account/networks/:id/ips/:ip_address
ListVolumes GET /:account/volumes
CreateVolume POST /:account/volumes
GetVolume GET /:account/volumes/:id
UpdateVolume POST /:account/volumes/:id
DeleteVolume DELETE /:account/volumes/:id
ListVolumeSizes GET /:account/volumesizes
"""

TYPED = frozenset(
    {
        "CreateKey",
        "CreateUserKey",
        "CreateUser",
        "CreateRole",
        "CreatePolicy",
        "CreateAccessKey",
        "CreateUserAccessKey",
    }
)
"""Operations that are chosen by the media type of the body and not by version; a form is refused."""

SINCE = {
    "/:account/users/:user/keys": "7.2.0",
    "/:account/machines/:machine/nics": "7.2.0",
    "/:account/machines/:machine/disks": "7.2.0",
    "/:account/fabrics": "7.3.0",
}
"""Paths, with all below them, that only these versions and later ones have."""

VNC_VERSION = "8.4.0"
"""The one version that has ``ConnectMachineVNC``."""


def rows() -> list[tuple[str, str, str, str | None]]:
    """Return operation, method, path and action of every route, in CloudAPI's order."""
    table = []
    for line in ROUTES.strip().splitlines():
        name, method, path, *action = line.split()
        table.append((name, method, path, action[0] if action else None))
    return table
