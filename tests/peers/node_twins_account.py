"""Operations on all that is no machine, each as npm's `triton` and as this library is asked for it."""

from __future__ import annotations

from peers.node_twins import IN_QUERY, ONLY_CHANGES, PAGES, SAID_ONCE, SERVERS_OWN, Twin
from peers.node_world import ELSEWHERE, FRIEND, KEYS, RULE, SHARED

ACCOUNT_TWINS = (
    Twin("ListFirewallRules", "fwrule list", lambda w: w.dc.firewall_rules()),
    Twin("GetFirewallRule", "fwrule get {rule}", lambda w: w.dc.firewall_rule(w["rule"])),
    Twin(
        "CreateFirewallRule",
        f"fwrule create -l -D new '{RULE}'",
        lambda w: w.dc.create_firewall_rule(RULE, enabled=True, log=True, description="new"),
    ),
    Twin(
        "UpdateFirewallRule",
        "fwrule update {rule} description=x enabled=false",
        lambda w: w.dc.firewall_rule(w["rule"]).update(description="x", enabled=False),
        ONLY_CHANGES,
    ),
    Twin("EnableFirewallRule", "fwrule enable {rule}", lambda w: w.dc.firewall_rule(w["rule"]).enable()),
    Twin("DisableFirewallRule", "fwrule disable {rule}", lambda w: w.dc.firewall_rule(w["rule"]).disable()),
    Twin(
        "ListFirewallRuleMachines",
        "fwrule instances {rule}",
        lambda w: w.dc.firewall_rule(w["rule"]).machines(),
        SAID_ONCE,
    ),
    Twin("DeleteFirewallRule", "fwrule delete -f {rule}", lambda w: w.dc.firewall_rule(w["rule"]).delete()),
    Twin("ListNetworks", "network list", lambda w: w.dc.networks()),
    Twin("GetNetwork", "network get {sky network}", lambda w: w.dc.network(w["sky network"])),
    Twin("ListNetworkIPs", "network ip list {sky network}", lambda w: w.dc.network(w["sky network"]).ips(), PAGES),
    Twin(
        "GetNetworkIP",
        "network ip get {sky network} 10.50.0.20",
        lambda w: w.dc.network(w["sky network"]).ip("10.50.0.20"),
    ),
    Twin(
        "UpdateNetworkIP",
        "network ip update {sky network} 10.50.0.20 reserved=true",
        lambda w: w.dc.network(w["sky network"]).ip("10.50.0.20").update(reserved=True),
    ),
    Twin("GetConfig", "network get-default", lambda w: w.dc.config()),
    Twin("UpdateConfig", "network set-default {sky network}", lambda w: w.dc.update_config(w["sky network"])),
    Twin("ListFabricVLANs", "vlan list", lambda w: w.dc.vlans()),
    Twin("GetFabricVLAN", "vlan get 7", lambda w: w.dc.vlan(7)),
    Twin("CreateFabricVLAN", "vlan create -n red -D hot 8", lambda w: w.dc.create_vlan(8, "red", description="hot")),
    Twin("DeleteFabricVLAN", "vlan delete 9", lambda w: w.dc.vlan(9).delete()),
    Twin("ListFabricNetworks", "vlan networks 7", lambda w: w.dc.vlan(7).networks(), SAID_ONCE),
    Twin(
        "CreateFabricNetwork",
        "network create -n sea -D deep -s 10.51.0.0/24 -S 10.51.0.10 -E 10.51.0.99 -g 10.51.0.1 -r 8.8.8.8 -R 10.60.0.0/16=10.51.0.2 -x 7",
        lambda w: w.dc.vlan(7).create_network(
            "sea",
            "10.51.0.0/24",
            "10.51.0.10",
            "10.51.0.99",
            gateway="10.51.0.1",
            resolvers=["8.8.8.8"],
            routes={"10.60.0.0/16": "10.51.0.2"},
            internet_nat=False,
            description="deep",
        ),
    ),
    Twin("DeleteFabricNetwork", "network delete {sky network}", lambda w: w.dc.network(w["sky network"]).delete()),
    Twin("ListVolumes", "volume list", lambda w: w.dc.volumes(), SERVERS_OWN),
    Twin("GetVolume", "volume get {vault volume}", lambda w: w.dc.volume(w["vault volume"])),
    Twin("ListVolumeSizes", "volume sizes", lambda w: w.dc.volume_sizes()),
    Twin(
        "CreateVolume",
        "volume create -n box -s 20G --tag a=b -N {sky network}",
        lambda w: w.dc.create_volume("box", 20480, tags={"a": "b"}, networks=w["sky network"]),
    ),
    Twin("DeleteVolume", "volume delete -y {vault volume}", lambda w: w.dc.volume(w["vault volume"]).delete()),
    Twin("ListImages", "image list -j", lambda w: w.dc.images()),
    Twin("ListImages", "image list -j name=debian-12 os=linux", lambda w: w.dc.images(name="debian-12", os="linux")),
    Twin("GetImage", "image get {debian-12 image}", lambda w: w.dc.image(w["debian-12 image"])),
    Twin(
        "CreateImageFromMachine",
        "image create -d first -t a=b {still machine} other 1.0",
        lambda w: w.dc.create_image_from_machine(
            w["still machine"], "other", "1.0", description="first", tags={"a": "b"}
        ),
    ),
    Twin(
        "UpdateImage",
        "image update {mine image} description=x",
        lambda w: w.dc.image(w["mine image"]).update(description="x"),
    ),
    Twin("UpdateImage", f"image share {{mine image}} {FRIEND}", lambda w: w.dc.image(w["mine image"]).share(FRIEND)),
    Twin("CloneImage", f"image clone {SHARED}", lambda w: w.dc.image(SHARED).clone()),
    Twin(
        "ExportImage",
        "image export {mine image} /demo/stor",
        lambda w: w.dc.image(w["mine image"]).export("/demo/stor"),
        IN_QUERY,
    ),
    Twin(
        "ImportImageFromDatacenter",
        ("importImageFromDatacenter", {"datacenter": "emulator-2", "id": ELSEWHERE}),
        lambda w: w.dc.import_image("emulator-2", ELSEWHERE),
    ),
    Twin("DeleteImage", "image delete -f {mine image}", lambda w: w.dc.image(w["mine image"]).delete()),
    Twin("ListPackages", "package list", lambda w: w.dc.packages()),
    Twin("GetPackage", "package get {g1-small package}", lambda w: w.dc.package(w["g1-small package"])),
    Twin("GetAccount", "account get", lambda w: w.dc.account()),
    Twin(
        "UpdateAccount",
        "account update phone=123 triton_cns_enabled=true",
        lambda w: w.dc.update_account(phone="123", triton_cns_enabled=True),
    ),
    Twin("GetAccountLimits", "account limits", lambda w: w.dc.limits()),
    Twin("ListKeys", "key list", lambda w: w.dc.keys()),
    Twin("GetKey", "key get second", lambda w: w.dc.key("second")),
    Twin("CreateKey", "key add -n third third.pub", lambda w: w.dc.add_key("third", KEYS["third"])),
    Twin("DeleteKey", "key delete -y second", lambda w: w.dc.key("second").delete()),
    Twin("ListDatacenters", "datacenters", lambda w: w.dc.datacenters()),
    Twin("ListServices", "services", lambda w: w.dc.services()),
    Twin("ListUsers", "rbac users", lambda w: w.dc.users()),
    Twin("GetUser", "rbac user {bob user}", lambda w: w.user()),
    Twin(
        "CreateUser",
        "rbac user -a user.json",
        lambda w: w.dc.create_user("eve", "eve@example.com", "secret123", first_name="Eve"),
    ),
    Twin("DeleteUser", "rbac user -d -y {ann user}", lambda w: w.user("ann").delete()),
    Twin("ListUserKeys", "rbac keys {bob user}", lambda w: w.user().ssh_keys()),
    Twin("ListRoles", "rbac roles", lambda w: w.dc.roles()),
    Twin("GetRole", "rbac role ops", lambda w: w.dc.role("ops")),
    Twin("DeleteRole", "rbac role -d -y ops", lambda w: w.dc.role("ops").delete()),
    Twin("ListPolicies", "rbac policies", lambda w: w.dc.policies()),
    Twin("GetPolicy", "rbac policy reads", lambda w: w.dc.policy("reads")),
    Twin("CreatePolicy", "rbac policy -a policy.json", lambda w: w.dc.create_policy("writes", ["CAN stopmachine"])),
    Twin("DeletePolicy", "rbac policy -d -y lone", lambda w: w.dc.policy("lone").delete()),
    Twin(
        "SetRoleTags:ReplaceMachineRoleTags",
        "rbac role-tags -y -s ops /demo/machines/{web-1 machine}",
        lambda w: w.machine().set_role_tags(["ops"]),
    ),
    Twin("GetMachine", "-r ops instance get {web-1 machine}", lambda w: w.in_role("ops").machine(w["web-1 machine"])),
    Twin(
        "StopMachine",
        "-r ops instance stop {web-1 machine}",
        lambda w: w.in_role("ops").machine(w["web-1 machine"]).stop(),
        IN_QUERY,
    ),
    Twin("UpdateUser", ("updateUser", {"id": "{bob user}", "phone": "123"}), lambda w: w.user().update(phone="123")),
    Twin(
        "CreateUserKey", "rbac key -a -n third {bob user} third.pub", lambda w: w.user().add_key("third", KEYS["third"])
    ),
    Twin("GetUserKey", "rbac key {bob user} second", lambda w: w.user().key("second")),
    Twin("DeleteUserKey", "rbac key -d -y {bob user} second", lambda w: w.user().delete_key("second")),
    Twin("CreateRole", "rbac role -a role.json", lambda w: w.dc.create_role("dev", ["bob"], ["reads"])),
    Twin(
        "UpdateRole", ("updateRole", {"id": "{ops role}", "name": "dev"}), lambda w: w.dc.role("ops").update(name="dev")
    ),
    Twin(
        "UpdatePolicy",
        ("updatePolicy", {"id": "{reads policy}", "description": "look"}),
        lambda w: w.dc.policy("reads").update(description="look"),
    ),
)
