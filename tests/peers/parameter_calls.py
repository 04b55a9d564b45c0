"""Calls that together give every parameter of every operation, on the cloud of `peers.node_world`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from peers.node_world import ELSEWHERE, FRIEND, KEYS, RULE, SHARED, World
from smartdc import DataCenter, User

Ask = Callable[[World, bool], "partial[Any]"]
"""What makes a call ready, which has every truth and flag as it is told."""

CONTACT = {
    "company_name": "Acme",
    "first_name": "Ann",
    "last_name": "Lee",
    "address": "1 Road",
    "postal_code": "A1",
    "city": "Hill",
    "state": "Upper",
    "country": "Far",
    "phone": "+1",
}
MANIFEST: dict[str, Any] = {
    "description": "first",
    "homepage": "https://example.com",
    "eula": "https://example.com/eula",
    "acl": [FRIEND],
    "tags": {"a": "b", "n": 1, "t": True},
}
VALUES = {"text": "a", "number": 1, "truth": True, "half": 0.5}
NETWORK = ("sea", "10.51.0.0/24", "10.51.0.10", "10.51.0.99")
ACCESS_KEY: dict[str, Any] = {"status": "Inactive", "description": "backups"}
USUAL: dict[str, Any] = {"image": "base-64-lts@24.4.1", "package": "g1-small"}


def older(w: World) -> DataCenter:
    """Return a client of version 8, in which roles are lists of names."""
    return DataCenter(**w.connection, api_version="~8")


def ann(w: World) -> User:
    """Return a user with an SSH key and an access key."""
    user = w.user("ann")
    user.add_key("second", KEYS["second"])
    user.create_access_key()
    return user


def told(on: bool) -> dict[str, Any]:
    """Return metadata or tags of every type."""
    return {**VALUES, "truth": on}


def switched(w: World) -> DataCenter:
    """Return a client where everything is switched on."""
    settings = w.books.cloud.state.settings
    settings.automount_volumes = settings.delegate_datasets = True
    return w.dc


def on_machine(method: str, **given: Any) -> tuple[Ask, ...]:
    """Call a method of a running machine."""
    return (lambda w, _: partial(getattr(w.machine(), method), **given),)


CALLS: dict[str, tuple[Ask, ...]] = {
    "UpdateAccount": (lambda w, on: partial(w.dc.update_account, email="a@b.cc", **CONTACT, triton_cns_enabled=on),),
    "ListKeys": (
        lambda w, on: partial(w.dc.keys, sync=on),
        lambda w, on: partial(w.dc.ssh_keys, sync=on),
    ),
    "GetKey": (lambda w, on: partial(w.dc.key, "second", sync=on),),
    "CreateKey": (lambda w, _: partial(w.dc.add_key, "third", KEYS["third"], attestation=["pem"]),),
    "ListUserKeys": (lambda w, on: partial(w.user().ssh_keys, sync=on),),
    "GetUserKey": (lambda w, on: partial(w.user().key, "second", sync=on),),
    "CreateUserKey": (lambda w, _: partial(w.user().add_key, "third", KEYS["third"], attestation=("pem",)),),
    "ListAccessKeys": (lambda w, on: partial(w.dc.access_keys, sync=on),),
    "GetAccessKey": (lambda w, on: partial(w.dc.access_key, w.dc.create_access_key(), sync=on),),
    "ListUserAccessKeys": (lambda w, on: partial(ann(w).access_keys, sync=on),),
    "GetUserAccessKey": (lambda w, on: partial((user := ann(w)).access_key, user.access_keys()[0], sync=on),),
    "CreateAccessKey": (lambda w, _: partial(w.dc.create_access_key, **ACCESS_KEY),),
    "CreateUserAccessKey": (lambda w, _: partial(w.user().create_access_key, **ACCESS_KEY),),
    "UpdateAccessKey": (lambda w, _: partial(w.dc.create_access_key().update, **ACCESS_KEY),),
    "UpdateUserAccessKey": (lambda w, _: partial(w.user().create_access_key().update, **ACCESS_KEY),),
    "GetUser": (lambda w, on: partial(w.dc.user, "bob", membership=on),),
    "CreateUser": (lambda w, _: partial(w.dc.create_user, "eve", "e@b.cc", "secret123", **CONTACT),),
    "UpdateUser": (lambda w, _: partial(w.user().update, email="b@b.cc", login="bobby", **CONTACT),),
    "ChangeUserPassword": (lambda w, _: partial(w.user().change_password, "secret456"),),
    "CreateRole": (
        lambda w, _: partial(w.dc.create_role, "dev", ["bob"], ["reads"], ["ann"]),
        lambda w, _: partial(older(w).create_role, "old", ["bob"], ["reads"], ["bob"]),
    ),
    "UpdateRole": (
        lambda w, _: partial(w.dc.role("ops").update, "dev", ["bob"], ["reads"], ["ann"]),
        lambda w, _: partial(older(w).roles()[0].update, "old", ["bob"], ["reads"], ["bob"]),
    ),
    "CreatePolicy": (lambda w, _: partial(w.dc.create_policy, "writes", "CAN stopmachine", "what for"),),
    "UpdatePolicy": (lambda w, _: partial(w.dc.policy("reads").update, "looks", ["CAN getmachine"], ""),),
    "SetRoleTags:ReplaceAccountRoleTags": (
        lambda w, _: partial(w.dc.set_role_tags, ["ops"]),
        lambda w, _: partial(w.dc.account().set_role_tags, w.dc.role("ops")),
    ),
    "SetRoleTags:ReplaceResourcesRoleTags": (lambda w, _: partial(w.dc.set_role_tags_of, "machines", []),),
    "SetRoleTags:ReplaceUserKeysResourcesRoleTags": (lambda w, _: partial(w.user().set_role_tags_of, "keys", "ops"),),
    "SetRoleTags:ReplaceResourceRoleTags": (lambda w, _: partial(w.dc.key("second").set_role_tags, ["ops"]),),
    "SetRoleTags:ReplaceMachineRoleTags": (lambda w, _: partial(w.machine().set_role_tags, ["ops"]),),
    "SetRoleTags:ReplaceUserKeysResourceRoleTags": (
        lambda w, _: partial(w.user().key("second").set_role_tags, ["ops"]),
    ),
    "UpdateConfig": (lambda w, _: partial(w.dc.update_config, "sky"),),
    "AddForeignDatacenter": (
        lambda w, _: partial(w.dc.add_foreign_datacenter, "east", "https://east.test", "t", auth_token={"data": "x"}),
    ),
    "ListImages": (
        lambda w, on: partial(
            w.dc.images,
            name="base-64-lts",
            os="smartos",
            version="24.4.1",
            public=on,
            state="all",
            owner=w.dc.account(),
            type="zone-dataset",
        ),
    ),
    "CreateImageFromMachine": (
        lambda w, _: partial(w.dc.create_image_from_machine, "still", "other", "1.0", **MANIFEST),
    ),
    "ImportImageFromDatacenter": (lambda w, _: partial(w.dc.import_image, "emulator-2", ELSEWHERE),),
    "UpdateImage": (lambda w, _: partial(w.dc.image("mine").update, "yours", "2.0", **MANIFEST),),
    "ExportImage": (lambda w, _: partial(w.dc.image("mine").export, "/demo/stor"),),
    "CloneImage": (lambda w, _: partial(w.dc.image(SHARED).clone),),
    "ListPackages": (
        lambda w, on: partial(
            w.dc.packages,
            name="b1-*",
            memory=2048,
            disk=51_200,
            swap=4096,
            version="1.0.0",
            vcpus=2,
            group="bh*",
            lwps=4000,
            flexible_disk=on,
            brand="bhyve",
        ),
    ),
    "ListMachines": (
        lambda w, on: partial(
            w.dc.machines,
            machine_type="smartmachine",
            name="web-1",
            state="running",
            memory=1024,
            tombstone=on,
            tags=told(on),
            credentials=on,
            limit=10,
            offset=2,
            image="base-64-lts@24.4.1",
            brand="joyent",
            docker=on,
        ),
        lambda w, on: partial(w.dc.machines, paged=True, limit=10, offset=2, credentials=on),
    ),
    "HeadMachines": (
        lambda w, on: partial(
            w.dc.num_machines,
            machine_type="smartmachine",
            state="running",
            memory=1024,
            tombstone=on,
            tags=told(on),
            image="base-64-lts@24.4.1",
            brand="joyent",
            docker=on,
        ),
    ),
    "GetMachine": (
        lambda w, on: partial(w.dc.machine, w["web-1 machine"], credentials=on),
        lambda w, on: partial(w.dc.raw_machine_data, w["web-1 machine"], credentials=on),
        lambda w, on: partial(w.machine().refresh, credentials=on),
    ),
    "CreateMachine": (
        lambda w, on: partial(
            switched(w).create_machine,
            "web-2",
            **USUAL,
            metadata={**told(on), "credentials": {"root": "secret"}},
            tags=told(on),
            boot_script=__file__,
            networks=["sky", {"ipv4_uuid": w["internal network"]}, *w.dc.volume("vault").networks],
            affinity=["role!=~web"],
            firewall_enabled=on,
            deletion_protection=on,
            delegate_dataset=on,
            encrypted=on,
            allow_shared_images=on,
            volumes={"/data": w.dc.volume("vault")},
        ),
        lambda w, on: partial(
            w.dc.create_machine,
            package="g1-small",
            image="base-64-lts@24.4.1",
            default_networks="internal",
            locality={"near": w.machine(), "strict": on},
        ),
        lambda w, _: partial(
            w.dc.create_machine,
            package="b1-large",
            image="windows-server-2022",
            brand="bhyve",
            bootrom="uefi",
            password="secret",
            disks=[{"size": 40_960}, {"size": "remaining"}],
        ),
    ),
    "StopMachine": on_machine("stop"),
    "StartMachine": (lambda w, _: partial(w.machine("flex").start),),
    "RebootMachine": on_machine("reboot"),
    "ResizeMachine": (lambda w, _: partial(w.machine().resize, w.dc.package("g1-medium")),),
    "RenameMachine": on_machine("rename", name="web-9"),
    "EnableMachineFirewall": on_machine("enable_firewall"),
    "DisableMachineFirewall": on_machine("disable_firewall"),
    "EnableMachineDeletionProtection": on_machine("enable_deletion_protection"),
    "DisableMachineDeletionProtection": on_machine("disable_deletion_protection"),
    "UpdateMachineMetadata": (
        lambda w, on: partial(w.machine().update_metadata, {"truth": on, "text": "a"}, number=1, half=0.5),
        lambda w, _: partial(w.machine().set_boot_script, __file__),
    ),
    "ListMachineMetadata": (lambda w, on: partial(w.machine().get_metadata, credentials=on),),
    "AddMachineTags": (lambda w, on: partial(w.machine().add_tags, {"truth": on, "text": "a"}, number=1, half=0.5),),
    "ReplaceMachineTags": (
        lambda w, on: partial(w.machine().replace_tags, {"truth": on, "text": "a"}, number=1, half=0.5),
    ),
    "CreateMachineSnapshot": on_machine("create_snapshot", name="second"),
    "CreateMachineDisk": (
        lambda w, _: partial(w.machine("flex").create_disk, 1024, "0:4:7"),
        lambda w, _: partial(w.machine("flex").create_disk, "remaining"),
    ),
    "ResizeMachineDisk": (
        lambda w, on: partial(w.machine("flex").get_disk(w["flex disk"]).resize, 8192, dangerous_allow_shrink=on),
    ),
    "AddNic": (
        lambda w, on: partial(w.machine().add_nic, "sky", ip="10.50.0.20", primary=on),
        lambda w, on: partial(w.machine("flex").add_nic, "sky", primary=on),
    ),
    "Migrate": (lambda w, on: partial(w.machine().migrate, automatic=on, affinity="role!=db"),),
    "Migrate:watch": (lambda w, _: partial(w.machine("still").migration().raw_watch),),
    "CreateFirewallRule": (
        lambda w, on: partial(w.dc.create_firewall_rule, RULE, enabled=on, log=on, description="new"),
    ),
    "UpdateFirewallRule": (
        lambda w, on: partial(w.dc.firewall_rule(w["rule"]).update, RULE, enabled=on, log=on, description="new"),
    ),
    "CreateFabricVLAN": (lambda w, _: partial(w.dc.create_vlan, 8, "red", description="hot"),),
    "UpdateFabricVLAN": (lambda w, _: partial(w.dc.vlan(9).update, name="red", description="hot"),),
    "CreateFabricNetwork": (
        lambda w, on: partial(
            w.dc.vlan(7).create_network,
            *NETWORK,
            gateway="10.51.0.1",
            resolvers=["8.8.8.8"],
            routes={"10.60.0.0/16": "10.51.0.2"},
            internet_nat=on,
            description="deep",
        ),
    ),
    "UpdateFabricNetwork": (
        lambda w, _: partial(
            w.dc.network("sky").update,
            name="air",
            description="thin",
            provision_start_ip="10.50.0.11",
            provision_end_ip="10.50.0.98",
            resolvers=("8.8.8.8", "8.8.4.4"),
            routes={"10.60.0.0/16": "10.50.0.2"},
        ),
    ),
    "ListNetworks": (lambda w, on: partial(w.dc.networks, fabric=on),),
    "ListNetworkIPs": (
        lambda w, _: partial(w.dc.network("sky").ips, limit=10, offset=2),
        lambda w, _: partial(w.dc.network("sky").ips, paged=True, limit=10, offset=2),
    ),
    "UpdateNetworkIP": (lambda w, on: partial(w.dc.network("sky").ip("10.50.0.20").update, reserved=on),),
    "ListVolumes": (
        lambda w, _: partial(w.dc.volumes, name="va*", size=10_240, state="ready", type="tritonnfs"),
        lambda w, _: partial(w.dc.volumes, predicate={"eq": ["name", "vault"]}),
        lambda w, _: partial(w.dc.volumes, predicate='{"eq": ["name", "vault"]}'),
    ),
    "CreateVolume": (
        lambda w, _: partial(
            w.dc.create_volume, "box", 20_480, type="tritonnfs", networks="sky", affinity="role!=db", tags={"a": "b"}
        ),
    ),
    "UpdateVolume": (
        lambda w, _: partial(w.dc.volume("vault").update, name="box"),
        lambda w, _: partial(w.dc.volumes()[0].rename, "vault"),
    ),
    "ListVolumeSizes": (lambda w, _: partial(w.dc.volume_sizes, "tritonnfs"),),
}
