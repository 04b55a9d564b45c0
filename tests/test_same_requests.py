"""This library and npm's `triton` ask an emulator for the same in the same way, operation by operation.

Each operation is asked for by both, of the same cloud in the same state, and what arrived is compared: method, path,
query and body. Where they differ, the difference is one of those in `DIFFERENCES`.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest
from node_books import Books
from node_kit import Desk, desk, open_cloud, program
from signing_kit import KeyShelf

from smartdc import DataCenter, Machine
from smartdc.emulator import AT_ONCE, Emulator
from smartdc.emulator.trace import Asked

pytest_plugins = ("signing_fixtures",)

FRIEND = "3d51f2d5-46f2-4da5-bb04-3238f2f64768"
SHARED = "0f8fad5b-d9cb-469f-a165-70867728950e"
RULE = 'FROM any TO tag "role" = "web" ALLOW tcp PORT 80'
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone"


class World:
    """A client of this library, and the things of the cloud as it gets them."""

    def __init__(self, dc: DataCenter, cloud: Emulator) -> None:
        self.dc = dc
        self.books = Books(cloud)

    def __getitem__(self, words: str) -> str:
        return self.books[words]

    def machine(self, name: str = "web-1") -> Machine:
        return self.dc.machine(self.books.machine(name).id)


class Twin(NamedTuple):
    """An operation, and how it is asked for by `triton`, as a command or as a call of its library, and by us."""

    operation: str
    theirs: str | tuple[Any, ...]
    ours: Callable[[World], object]


TWINS = (
    Twin("ListMachines", "instance list -j", lambda w: w.dc.machines()),
    Twin(
        "ListMachines",
        "instance list -j name=web-1 state=running",
        lambda w: w.dc.machines(name="web-1", state="running"),
    ),
    Twin("GetMachine", "instance get {web-1 machine}", lambda w: w.machine()),
    Twin(
        "CreateMachine",
        "instance create -n web-2 -t role=db -t big=true -m color=blue -N {external network} --firewall {debian-12 image} {g1-small package}",
        lambda w: w.dc.create_machine(
            "web-2",
            w["g1-small package"],
            image=w["debian-12 image"],
            tags={"role": "db", "big": True},
            metadata={"color": "blue"},
            networks=w["external network"],
            firewall_enabled=True,
        ),
    ),
    Twin("StopMachine", "instance stop {web-1 machine}", lambda w: w.machine().stop()),
    Twin("StartMachine", "instance start {still machine}", lambda w: w.machine("still").start()),
    Twin("RebootMachine", "instance reboot {web-1 machine}", lambda w: w.machine().reboot()),
    Twin(
        "ResizeMachine",
        "instance resize {web-1 machine} {g1-medium package}",
        lambda w: w.machine().resize(w["g1-medium package"]),
    ),
    Twin("RenameMachine", "instance rename {web-1 machine} web-9", lambda w: w.machine().rename("web-9")),
    Twin("EnableMachineFirewall", "instance enable-firewall {web-1 machine}", lambda w: w.machine().enable_firewall()),
    Twin(
        "DisableMachineFirewall", "instance disable-firewall {web-1 machine}", lambda w: w.machine().disable_firewall()
    ),
    Twin(
        "EnableMachineDeletionProtection",
        "instance enable-deletion-protection {web-1 machine}",
        lambda w: w.machine().enable_deletion_protection(),
    ),
    Twin(
        "DisableMachineDeletionProtection",
        "instance disable-deletion-protection {web-1 machine}",
        lambda w: w.machine().disable_deletion_protection(),
    ),
    Twin("DeleteMachine", "instance delete -f {web-1 machine}", lambda w: w.machine().delete()),
    Twin("MachineAudit", "instance audit -j {web-1 machine}", lambda w: w.machine().audit()),
    Twin("ListMachineTags", "instance tag list {web-1 machine}", lambda w: w.machine().get_tags()),
    Twin("GetMachineTag", "instance tag get {web-1 machine} role", lambda w: w.machine().get_tag("role")),
    Twin(
        "AddMachineTags",
        "instance tag set {web-1 machine} a=1 b=true c=text",
        lambda w: w.machine().add_tags(a=1, b=True, c="text"),
    ),
    Twin("ReplaceMachineTags", "instance tag replace-all {web-1 machine} a=1", lambda w: w.machine().replace_tags(a=1)),
    Twin("DeleteMachineTag", "instance tag delete {web-1 machine} role", lambda w: w.machine().delete_tag("role")),
    Twin("DeleteMachineTags", "instance tag delete --all {web-1 machine}", lambda w: w.machine().delete_all_tags()),
    Twin("ListMachineMetadata", "instance metadata list {web-1 machine}", lambda w: w.machine().get_metadata()),
    Twin(
        "GetMachineMetadata", "instance metadata get {web-1 machine} color", lambda w: w.machine().get_metadata("color")
    ),
    Twin(
        "UpdateMachineMetadata",
        "instance metadata set {web-1 machine} a=1 b=text",
        lambda w: w.machine().update_metadata(a=1, b="text"),
    ),
    Twin(
        "DeleteMachineMetadata",
        "instance metadata delete -f {web-1 machine} color",
        lambda w: w.machine().delete_metadata_at_key("color"),
    ),
    Twin(
        "DeleteAllMachineMetadata",
        "instance metadata delete -f --all {web-1 machine}",
        lambda w: w.machine().delete_all_metadata(),
    ),
    Twin(
        "CreateMachineSnapshot",
        "instance snapshot create -n second {web-1 machine}",
        lambda w: w.machine().create_snapshot("second"),
    ),
    Twin("ListMachineSnapshots", "instance snapshot list {web-1 machine}", lambda w: w.machine().snapshots()),
    Twin("GetMachineSnapshot", "instance snapshot get {web-1 machine} first", lambda w: w.machine().snapshot("first")),
    Twin(
        "StartMachineFromSnapshot",
        "instance start --snapshot=first {web-1 machine}",
        lambda w: w.machine().start_from_snapshot("first"),
    ),
    Twin(
        "DeleteMachineSnapshot",
        "instance snapshot delete -f {web-1 machine} first",
        lambda w: w.machine().snapshot("first").delete(),
    ),
    Twin(
        "AddNic",
        "instance nic create {web-1 machine} {internal network}",
        lambda w: w.machine().add_nic(w["internal network"]),
    ),
    Twin("ListNics", "instance nic list {web-1 machine}", lambda w: w.machine().nics()),
    Twin("GetNic", "instance nic get {web-1 machine} {web-1 mac}", lambda w: w.machine().nic(w["web-1 mac"])),
    Twin(
        "RemoveNic",
        "instance nic delete -f {web-1 machine} {web-1 mac}",
        lambda w: w.machine().nic(w["web-1 mac"]).delete(),
    ),
    Twin("ListMachineDisks", "instance disk list {flex machine}", lambda w: w.machine("flex").disks()),
    Twin(
        "GetMachineDisk",
        "instance disk get {flex machine} {flex disk}",
        lambda w: w.machine("flex").get_disk(w["flex disk"]),
    ),
    Twin("CreateMachineDisk", "instance disk add {flex machine} 1024", lambda w: w.machine("flex").create_disk(1024)),
    Twin(
        "ResizeMachineDisk",
        "instance disk resize {flex machine} {flex disk} 8192",
        lambda w: w.machine("flex").get_disk(w["flex disk"]).resize(8192),
    ),
    Twin(
        "DeleteMachineDisk",
        "instance disk delete {flex machine} {flex disk}",
        lambda w: w.machine("flex").get_disk(w["flex disk"]).delete(),
    ),
    Twin("Migrate", "instance migration begin {web-1 machine}", lambda w: w.machine().migrate()),
    Twin("Migrate", "instance migration automatic {web-1 machine}", lambda w: w.machine().migrate(automatic=True)),
    Twin("Migrate", "instance migration sync {still machine}", lambda w: w.machine("still").migration().sync()),
    Twin("Migrate", "instance migration abort {still machine}", lambda w: w.machine("still").migration().abort()),
    Twin("ListMigrations", "instance migration list", lambda w: w.dc.migrations()),
    Twin("GetMigration", "instance migration get {still machine}", lambda w: w.dc.migration(w["still machine"])),
    Twin("ListMachineFirewallRules", "instance fwrule list {web-1 machine}", lambda w: w.machine().firewall_rules()),
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
    ),
    Twin("EnableFirewallRule", "fwrule enable {rule}", lambda w: w.dc.firewall_rule(w["rule"]).enable()),
    Twin("DisableFirewallRule", "fwrule disable {rule}", lambda w: w.dc.firewall_rule(w["rule"]).disable()),
    Twin("ListFirewallRuleMachines", "fwrule instances {rule}", lambda w: w.dc.firewall_rule(w["rule"]).machines()),
    Twin("DeleteFirewallRule", "fwrule delete -f {rule}", lambda w: w.dc.firewall_rule(w["rule"]).delete()),
    Twin("ListNetworks", "network list", lambda w: w.dc.networks()),
    Twin("GetNetwork", "network get {sky network}", lambda w: w.dc.network(w["sky network"])),
    Twin("ListNetworkIPs", "network ip list {sky network}", lambda w: w.dc.network(w["sky network"]).ips()),
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
    Twin(
        "UpdateFabricVLAN",
        ("updateFabricVlan", {"vlan_id": 7, "name": "bluer"}),
        lambda w: w.dc.vlan(7).update(name="bluer"),
    ),
    Twin("DeleteFabricVLAN", "vlan delete 9", lambda w: w.dc.vlan(9).delete()),
    Twin("ListFabricNetworks", "vlan networks 7", lambda w: w.dc.vlan(7).networks()),
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
    Twin("ListVolumes", "volume list", lambda w: w.dc.volumes()),
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
    ),
    Twin(
        "ImportImageFromDatacenter",
        ("importImageFromDatacenter", {"datacenter": "emulator-2", "id": "{elsewhere}"}),
        lambda w: w.dc.import_image("emulator-2", w.books.elsewhere),
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
    Twin("CreateKey", "key add -n third third.pub", lambda w: w.dc.add_key("third", w.books.third)),
    Twin("DeleteKey", "key delete -y second", lambda w: w.dc.key("second").delete()),
    Twin("ListDatacenters", "datacenters", lambda w: w.dc.datacenters()),
    Twin("ListServices", "services", lambda w: w.dc.services()),
    Twin("ListUsers", "rbac users", lambda w: w.dc.users()),
    Twin("GetUser", "rbac user bob", lambda w: w.dc.user("bob")),
    Twin(
        "CreateUser",
        "rbac user -a user.json",
        lambda w: w.dc.create_user("eve", "eve@example.com", "secret123", first_name="Eve"),
    ),
    Twin("DeleteUser", "rbac user -d -y bob", lambda w: w.dc.user("bob").delete()),
    Twin("ListUserKeys", "rbac keys bob", lambda w: w.dc.user("bob").ssh_keys()),
    Twin("ListRoles", "rbac roles", lambda w: w.dc.roles()),
    Twin("GetRole", "rbac role ops", lambda w: w.dc.role("ops")),
    Twin("DeleteRole", "rbac role -d -y ops", lambda w: w.dc.role("ops").delete()),
    Twin("ListPolicies", "rbac policies", lambda w: w.dc.policies()),
    Twin("GetPolicy", "rbac policy reads", lambda w: w.dc.policy("reads")),
    Twin("CreatePolicy", "rbac policy -a policy.json", lambda w: w.dc.create_policy("writes", ["CAN stopmachine"])),
    Twin("DeletePolicy", "rbac policy -d -y lone", lambda w: w.dc.policy("lone").delete()),
    Twin(
        "SetRoleTags",
        "rbac role-tags -y -s ops /demo/machines/{web-1 machine}",
        lambda w: w.machine().set_role_tags(["ops"]),
    ),
)
