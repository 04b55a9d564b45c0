"""All routes of CloudAPI 9.20, and a few of newer releases; the emulator answers no others.

A row is an operation, its method, its path, the release of CloudAPI that introduced it and, if one path serves several
operations, its ``action``. The release is a dash if neither changelog nor routes name it (most of these operations are
older than 7.1), and ``newer`` if 9.20 does not have the operation yet.
"""

from typing import NamedTuple

ROUTES = """
Ping GET /--ping -
RedirectRoot GET / -
RedirectDocs GET /docs* -
Favicon GET /favicon.ico -
GetAccount GET /:account -
HeadAccount HEAD /:account -
UpdateAccount POST /:account -
GetAccountLimits GET /:account/limits 9.8.0
ListKeys GET /:account/keys -
HeadKeys HEAD /:account/keys -
GetKey GET /:account/keys/:name -
HeadKey HEAD /:account/keys/:name -
CreateKey POST /:account/keys -
DeleteKey DELETE /:account/keys/:name -
ListUserKeys GET /:account/users/:user/keys 7.2.0
HeadUserKeys HEAD /:account/users/:user/keys 7.2.0
GetUserKey GET /:account/users/:user/keys/:name 7.2.0
HeadUserKey HEAD /:account/users/:user/keys/:name 7.2.0
CreateUserKey POST /:account/users/:user/keys 7.2.0
DeleteUserKey DELETE /:account/users/:user/keys/:name 7.2.0
CreateAccessKey POST /:account/accesskeys 9.11.0
ListAccessKeys GET /:account/accesskeys 9.11.0
HeadAccessKeys HEAD /:account/accesskeys 9.11.0
GetAccessKey GET /:account/accesskeys/:accesskeyid 9.11.0
HeadAccessKey HEAD /:account/accesskeys/:accesskeyid 9.11.0
UpdateAccessKey POST /:account/accesskeys/:accesskeyid newer
DeleteAccessKey DELETE /:account/accesskeys/:accesskeyid 9.11.0
CreateUserAccessKey POST /:account/users/:user/accesskeys 9.11.0
ListUserAccessKeys GET /:account/users/:user/accesskeys 9.11.0
HeadUserAccessKeys HEAD /:account/users/:user/accesskeys 9.11.0
GetUserAccessKey GET /:account/users/:user/accesskeys/:accesskeyid 9.11.0
HeadUserAccessKey HEAD /:account/users/:user/accesskeys/:accesskeyid 9.11.0
UpdateUserAccessKey POST /:account/users/:user/accesskeys/:accesskeyid newer
DeleteUserAccessKey DELETE /:account/users/:user/accesskeys/:accesskeyid 9.11.0
ListUsers GET /:account/users 7.2.0
HeadUsers HEAD /:account/users 7.2.0
GetUser GET /:account/users/:uuid 7.2.0
HeadUser HEAD /:account/users/:uuid 7.2.0
CreateUser POST /:account/users 7.2.0
UpdateUser POST /:account/users/:uuid 7.2.0
ChangeUserPassword POST /:account/users/:uuid/change_password 7.2.0
DeleteUser DELETE /:account/users/:uuid 7.2.0
ListRoles GET /:account/roles 7.2.0
HeadRoles HEAD /:account/roles 7.2.0
GetRole GET /:account/roles/:role 7.2.0
HeadRole HEAD /:account/roles/:role 7.2.0
CreateRole POST /:account/roles 7.2.0
UpdateRole POST /:account/roles/:role 7.2.0
DeleteRole DELETE /:account/roles/:role 7.2.0
ListPolicies GET /:account/policies 7.2.0
HeadPolicies HEAD /:account/policies 7.2.0
GetPolicy GET /:account/policies/:policy 7.2.0
HeadPolicy HEAD /:account/policies/:policy 7.2.0
CreatePolicy POST /:account/policies 7.2.0
UpdatePolicy POST /:account/policies/:policy 7.2.0
DeletePolicy DELETE /:account/policies/:policy 7.2.0
SetRoleTags:ReplaceAccountRoleTags PUT /:account 7.2.0
SetRoleTags:ReplaceResourcesRoleTags PUT /:account/:resource_name 7.2.0
SetRoleTags:ReplaceUserKeysResourcesRoleTags PUT /:account/users/:user/:resource_name 7.2.0
SetRoleTags:ReplaceResourceRoleTags PUT /:account/:resource_name/:resource_id 7.2.0
SetRoleTags:ReplaceMachineRoleTags PUT /:account/machines/:machine 7.2.0
SetRoleTags:ReplaceUserKeysResourceRoleTags PUT /:account/users/:user/keys/:resource_id 7.2.0
GetConfig GET /:account/config 7.3.0
HeadConfig HEAD /:account/config 7.3.0
UpdateConfig PUT /:account/config 7.3.0
ListDatacenters GET /:account/datacenters -
GetDatacenter GET /:account/datacenters/:dc -
ListForeignDatacenters GET /:account/foreigndatacenters -
AddForeignDatacenter POST /:account/foreigndatacenters -
ListServices GET /:account/services -
ListImages GET /:account/images -
HeadImages HEAD /:account/images -
GetImage GET /:account/images/:dataset -
HeadImage HEAD /:account/images/:dataset -
CreateImageFromMachine POST /:account/images 7.1.0
ImportImageFromDatacenter POST /:account/images 9.2.0 import-from-datacenter
UpdateImage POST /:account/images/:dataset - update
ExportImage POST /:account/images/:dataset 7.1.0 export
CloneImage POST /:account/images/:dataset 9.1.0 clone
DeleteImage DELETE /:account/images/:dataset 7.1.0
ListPackages GET /:account/packages -
HeadPackages HEAD /:account/packages -
GetPackage GET /:account/packages/:package -
HeadPackage HEAD /:account/packages/:package -
ListMachines GET /:account/machines -
HeadMachines HEAD /:account/machines -
GetMachine GET /:account/machines/:machine -
HeadMachine HEAD /:account/machines/:machine -
CreateMachine POST /:account/machines -
StopMachine POST /:account/machines/:machine - stop
StartMachine POST /:account/machines/:machine - start
RebootMachine POST /:account/machines/:machine - reboot
ResizeMachine POST /:account/machines/:machine - resize
RenameMachine POST /:account/machines/:machine - rename
EnableMachineFirewall POST /:account/machines/:machine - enable_firewall
DisableMachineFirewall POST /:account/machines/:machine - disable_firewall
EnableMachineDeletionProtection POST /:account/machines/:machine 8.6.0 enable_deletion_protection
DisableMachineDeletionProtection POST /:account/machines/:machine 8.6.0 disable_deletion_protection
DeleteMachine DELETE /:account/machines/:machine -
MachineAudit GET /:account/machines/:machine/audit -
HeadAudit HEAD /:account/machines/:machine/audit -
ConnectMachineVNC GET /:account/machines/:machine/vnc 9.8.7
GetChangefeed GET /:account/changefeed 9.14.0
UpdateMachineMetadata POST /:account/machines/:machine/metadata -
ListMachineMetadata GET /:account/machines/:machine/metadata -
HeadMachineMetadata HEAD /:account/machines/:machine/metadata -
GetMachineMetadata GET /:account/machines/:machine/metadata/:key -
DeleteMachineMetadata DELETE /:account/machines/:machine/metadata/:key -
DeleteAllMachineMetadata DELETE /:account/machines/:machine/metadata -
AddMachineTags POST /:account/machines/:machine/tags -
ReplaceMachineTags PUT /:account/machines/:machine/tags -
ListMachineTags GET /:account/machines/:machine/tags -
HeadmachineTags HEAD /:account/machines/:machine/tags -
GetMachineTag GET /:account/machines/:machine/tags/:tag -
HeadMachineTag HEAD /:account/machines/:machine/tags/:tag -
DeleteMachineTag DELETE /:account/machines/:machine/tags/:tag -
DeleteMachineTags DELETE /:account/machines/:machine/tags -
CreateMachineSnapshot POST /:account/machines/:machine/snapshots -
StartMachineFromSnapshot POST /:account/machines/:machine/snapshots/:name -
ListMachineSnapshots GET /:account/machines/:machine/snapshots -
HeadMachineSnapshots HEAD /:account/machines/:machine/snapshots -
GetMachineSnapshot GET /:account/machines/:machine/snapshots/:name -
HeadMachineSnapshot HEAD /:account/machines/:machine/snapshots/:name -
DeleteMachineSnapshot DELETE /:account/machines/:machine/snapshots/:name -
CreateMachineDisk POST /:account/machines/:machine/disks 9.4.1
ListMachineDisks GET /:account/machines/:machine/disks 9.4.1
HeadMachineDisks HEAD /:account/machines/:machine/disks 9.4.1
GetMachineDisk GET /:account/machines/:machine/disks/:disk 9.4.1
HeadMachineDisk HEAD /:account/machines/:machine/disks/:disk 9.4.1
ResizeMachineDisk POST /:account/machines/:machine/disks/:disk 9.4.1
DeleteMachineDisk DELETE /:account/machines/:machine/disks/:disk 9.4.1
ListNics GET /:account/machines/:machine/nics 7.2.0
HeadNics HEAD /:account/machines/:machine/nics 7.2.0
GetNic GET /:account/machines/:machine/nics/:mac 7.2.0
HeadNic HEAD /:account/machines/:machine/nics/:mac 7.2.0
AddNic POST /:account/machines/:machine/nics 7.2.0
RemoveNic DELETE /:account/machines/:machine/nics/:mac 7.2.0
ListMigrations GET /:account/migrations 9.6.0
GetMigration GET /:account/migrations/:machine 9.6.0
MigrateMachineEstimate GET /:account/machines/:machine/migrate -
Migrate POST /:account/machines/:machine/migrate 9.6.0
Migrate:watch POST /:account/machines/:machine/migrate 9.6.0 watch
WatchMigration GET /:account/migrations/:machine/watch newer
CreateFirewallRule POST /:account/fwrules -
ListFirewallRules GET /:account/fwrules -
HeadFirewallRules HEAD /:account/fwrules -
GetFirewallRule GET /:account/fwrules/:id -
HeadFirewallRule HEAD /:account/fwrules/:id -
UpdateFirewallRule POST /:account/fwrules/:id -
EnableFirewallRule POST /:account/fwrules/:id/enable -
DisableFirewallRule POST /:account/fwrules/:id/disable -
DeleteFirewallRule DELETE /:account/fwrules/:id -
ListMachineFirewallRules GET /:account/machines/:machine/fwrules -
HeadMachineFirewallRules HEAD /:account/machines/:machine/fwrules -
ListFirewallRuleMachines GET /:account/fwrules/:id/machines -
HeadFirewallRuleMachines HEAD /:account/fwrules/:id/machines -
ListFabricVLANs GET /:account/fabrics/default/vlans 7.3.0
HeadFabricVLANs HEAD /:account/fabrics/default/vlans 7.3.0
CreateFabricVLAN POST /:account/fabrics/default/vlans 7.3.0
GetFabricVLAN GET /:account/fabrics/default/vlans/:vlan_id 7.3.0
HeadFabricVLAN HEAD /:account/fabrics/default/vlans/:vlan_id 7.3.0
UpdateFabricVLAN PUT /:account/fabrics/default/vlans/:vlan_id 7.3.0
DeleteFabricVLAN DELETE /:account/fabrics/default/vlans/:vlan_id 7.3.0
ListFabricNetworks GET /:account/fabrics/default/vlans/:vlan_id/networks 7.3.0
HeadFabricNetworks HEAD /:account/fabrics/default/vlans/:vlan_id/networks 7.3.0
CreateFabricNetwork POST /:account/fabrics/default/vlans/:vlan_id/networks 7.3.0
GetFabricNetwork GET /:account/fabrics/default/vlans/:vlan_id/networks/:id 7.3.0
HeadFabricNetwork HEAD /:account/fabrics/default/vlans/:vlan_id/networks/:id 7.3.0
UpdateFabricNetwork PUT /:account/fabrics/default/vlans/:vlan_id/networks/:id 7.3.0
DeleteFabricNetwork DELETE /:account/fabrics/default/vlans/:vlan_id/networks/:id 7.3.0
ListNetworks GET /:account/networks -
HeadNetworks HEAD /:account/networks -
GetNetwork GET /:account/networks/:network -
HeadNetwork HEAD /:account/networks/:network -
ListNetworkIPs GET /:account/networks/:id/ips 8.4.0
HeadNetworkIPs HEAD /:account/networks/:id/ips 8.4.0
GetNetworkIP GET /:account/networks/:id/ips/:ip_address 8.4.0
HeadNetworkIP HEAD /:account/networks/:id/ips/:ip_address 8.4.0
UpdateNetworkIP PUT /:account/networks/:id/ips/:ip_address 8.4.0
ListVolumes GET /:account/volumes -
CreateVolume POST /:account/volumes -
GetVolume GET /:account/volumes/:id -
UpdateVolume POST /:account/volumes/:id -
DeleteVolume DELETE /:account/volumes/:id -
ListVolumeSizes GET /:account/volumesizes -
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
"""Operations selected by the media type of the body, one of ``TYPES``, instead of the version."""

TYPES = ("multipart/form-data", "application/octet-stream", "application/json", "text/plain")

LATE = ("/:account/accesskeys", "/:account/users/:user/accesskeys", "/:account/volumes", "/:account/volumesizes")
"""The paths that CloudAPI knows last, after those of role tags."""

SINCE = {
    "/:account/users/:user/keys": "7.2.0",
    "/:account/machines/:machine/nics": "7.2.0",
    "/:account/machines/:machine/disks": "7.2.0",
    "/:account/fabrics": "7.3.0",
}
"""The API version since which paths, and all below them, are served, whatever release introduced them."""

VNC_VERSION = "8.4.0"
"""The only version that has ``ConnectMachineVNC``."""


class Route(NamedTuple):
    """A row of the table."""

    name: str
    method: str
    path: str
    since: str | None
    action: str | None = None


def rows() -> list[Route]:
    """Return every route, in CloudAPI's order."""
    table = []
    for line in ROUTES.strip().splitlines():
        name, method, path, since, *action = line.split()
        table.append(Route(name, method, path, None if since == "-" else since, *action))
    return table
