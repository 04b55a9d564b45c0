"""What the old `sdc-*` commands do, which ask for versions 7 of CloudAPI and wait for nothing."""

from __future__ import annotations

from pathlib import Path

from kits.signing import KeyShelf
from peers.node_books import Books
from peers.node_facts import (
    of_account,
    of_image,
    of_images,
    of_jobs,
    of_key,
    of_keys,
    of_machine,
    of_machines,
    of_network,
    of_networks,
    of_nic,
    of_nics,
    of_old_role,
    of_package,
    of_packages,
    of_policies,
    of_policy,
    of_rule,
    of_rules,
    of_snapshot,
    of_snapshots,
    of_user,
    of_users,
    of_vlan,
    of_vlans,
)
from peers.node_kit import Step, gone, has, lists, prints, says, shows
from smartdc.emulator import Emulator

machine = Books.machine

WEB = "{web-1 machine}"
RULE = """'FROM any TO tag "part" = "db" ALLOW tcp PORT 5432'"""


def arrange(cloud: Emulator, home: Path, key_of: KeyShelf) -> None:
    """Put a public key into the home, and a stopped machine and one with tags into the cloud."""
    (home / "second.pub").write_text(key_of("ed25519").public_line)
    cloud.populate(1, name="still", state="stopped", tags={"part": "db"})


LIFE = (
    Step("sdc-listmachines", "", lists(of_machines)),
    Step(
        "sdc-createmachine",
        "-n web-1 -i {base-64-lts image} -p {g1-small package} -t role=web -m color=blue -w {external network}",
        has(machine, "web-1", state="running", tags={"role": "web"}, memory=1024),
        shows(lambda books: {"id": books["web-1 machine"], "state": "provisioning"}),
    ),
    Step("sdc-getmachine", WEB, shows(of_machine, "web-1")),
    Step("sdc-listmachines", "--name web-1", lists(lambda books: [of_machine(books, "web-1")])),
    Step("sdc-listmachines", "-t role=web", lists(lambda books: [of_machine(books, "web-1")])),
    Step("sdc-stopmachine", WEB, has(machine, "web-1", state="stopped")),
    Step("sdc-startmachine", WEB, has(machine, "web-1", state="running")),
    Step("sdc-rebootmachine", WEB, has(Books.job, "web-1", action="reboot", error=None)),
    Step("sdc-resizemachine", f"-p {{g1-medium package}} {WEB}", has(machine, "web-1", memory=4096)),
    Step("sdc-renamemachine", f"-n web-2 {WEB}", has(machine, "web-2", state="running"), gone(machine, "web-1")),
    Step("sdc-renamemachine", "-n web-1 {web-2 machine}", has(machine, "web-1", state="running")),
    Step("sdc-enablemachinefirewall", WEB, has(machine, "web-1", firewall_enabled=True)),
    Step("sdc-disablemachinefirewall", WEB, has(machine, "web-1", firewall_enabled=False)),
    Step("sdc-getmachineaudit", WEB, lists(of_jobs, "web-1")),
    Step("sdc-addmachinetags", f"-t note=text {WEB}", prints(lambda books: books.machine("web-1").tags)),
    Step("sdc-listmachinetags", WEB, prints(lambda books: books.machine("web-1").tags)),
    Step("sdc-getmachinetag", f"-t note {WEB}", says("text")),
    Step("sdc-deletemachinetag", f"-t note {WEB}", has(machine, "web-1", tags={"role": "web"})),
    Step("sdc-replacemachinetags", f"-t only=this {WEB}", has(machine, "web-1", tags={"only": "this"})),
    Step("sdc-updatemachinemetadata", f"-m one=zwei {WEB}", prints(lambda books: books.machine("web-1").metadata)),
    Step("sdc-listmachinemetadata", WEB, prints(lambda books: books.machine("web-1").metadata)),
    Step("sdc-getmachinemetadata", f"-m one {WEB}", prints(lambda books: books.machine("web-1").metadata["one"])),
    Step(
        "sdc-deletemachinemetadata", f"-m one {WEB}", lambda _, books: ("one" in books.machine("web-1").metadata, False)
    ),
    Step("sdc-createmachinesnapshot", f"-n first {WEB}", has(Books.snapshot, "web-1", "first", name="first")),
    Step("sdc-listmachinesnapshots", WEB, lists(of_snapshots, "web-1")),
    Step("sdc-getmachinesnapshot", f"-s first {WEB}", shows(of_snapshot, "web-1", "first")),
    Step("sdc-stopmachine", WEB, has(machine, "web-1", state="stopped")),
    Step(
        "sdc-startmachinefromsnapshot",
        f"-s first {WEB}",
        has(Books.job, "web-1", action="rollback_snapshot", error=None),
    ),
    Step("sdc-deletemachinesnapshot", f"-s first {WEB}", gone(Books.snapshot, "web-1", "first")),
    Step("sdc-nics create", f"{{internal network}} {WEB}", has(Books.job, "web-1", action="add_nics", error=None)),
    Step("sdc-nics list", WEB, lists(of_nics, "web-1")),
    Step("sdc-nics get", f"{{web-1 mac}} {WEB}", shows(of_nic, "web-1")),
    Step("sdc-nics delete", f"{{web-1 mac}} {WEB}", has(Books.job, "web-1", action="remove_nics", error=None)),
    Step("sdc-deletemachine", WEB, has(machine, "web-1", state="deleted")),
    Step("sdc-getmachine", WEB, says("Gone"), code=3),
)

ACCOUNT = (
    Step("sdc-getaccount", "", shows(of_account)),
    Step(
        "sdc-updateaccount", "--company Acme --city Bonn", shows(of_account), shows(lambda _: {"companyName": "Acme"})
    ),
    Step("sdc-listdatacenters", "", shows(lambda books: books.cloud.state.settings.elsewhere)),
    Step("sdc-createkey", "-n second second.pub", shows(of_key, "second")),
    Step("sdc-listkeys", "", lists(of_keys)),
    Step("sdc-getkey", "second", shows(of_key, "second")),
    Step("sdc-deletekey", "second", gone(Books.key, "second")),
    Step("sdc-listpackages", "", lists(of_packages)),
    Step("sdc-getpackage", "{g1-small package}", shows(of_package, "g1-small")),
    Step("sdc-listnetworks", "", lists(of_networks)),
    Step("sdc-getnetwork", "{external network}", shows(of_network, "external")),
    Step("sdc-fabric vlan create", "-n blue --vlan_id 7 --description deep", shows(of_vlan, 7)),
    Step("sdc-fabric vlan list", "", lists(of_vlans)),
    Step("sdc-fabric vlan get", "7", shows(of_vlan, 7)),
    Step("sdc-fabric vlan update", "-n bluer 7", shows(of_vlan, 7), has(Books.vlan, 7, name="bluer")),
    Step(
        "sdc-fabric network create",
        "-n sky --vlan_id 7 -s 10.50.0.0/24 --provision_start_ip 10.50.0.10 --provision_end_ip 10.50.0.99 -g 10.50.0.1",
        shows(of_network, "sky"),
    ),
    Step("sdc-fabric network list", "7", shows(of_network, "sky")),
    Step("sdc-fabric network get", "{sky network}", shows(of_network, "sky")),
    Step("sdc-fabric network set-default", "{sky network}", has(Books.default_network, name="sky")),
    Step("sdc-fabric network get-default", "", says("{sky network}")),
    Step("sdc-fabric network set-default", "{My-Fabric-Network network}", has(Books.default_network, vlan_id=2)),
    Step("sdc-fabric network delete", "{sky network}", gone(Books.network, "sky")),
    Step("sdc-fabric vlan delete", "7", gone(Books.vlan, 7)),
)

RULES = (
    Step("sdc-createfirewallrule", f"-e --rule {RULE}", shows(of_rule), has(Books.rule, enabled=True)),
    Step("sdc-listfirewallrules", "", lists(of_rules)),
    Step("sdc-getfirewallrule", "{rule}", shows(of_rule)),
    Step("sdc-updatefirewallrule", """-r 'FROM any TO tag "part" = "db" ALLOW tcp PORT 80' {rule}""", shows(of_rule)),
    Step("sdc-listfirewallrulemachines", "{rule}", lists(lambda books: [of_machine(books, "still")])),
    Step("sdc-listmachinefirewallrules", "{still machine}", lists(of_rules)),
    Step("sdc-disablefirewallrule", "{rule}", has(Books.rule, enabled=False)),
    Step("sdc-enablefirewallrule", "{rule}", has(Books.rule, enabled=True)),
    Step("sdc-deletefirewallrule", "{rule}", gone(Books.rule)),
)

IMAGES = (
    Step("sdc-listimages", "", lists(of_images)),
    Step("sdc-getimage", "{debian-12 image}", shows(of_image, "debian-12")),
    Step(
        "sdc-createimagefrommachine",
        "--machine {still machine} --name mine --imageVersion 1.0 --description first",
        shows(lambda books: {"id": books["mine image"], "state": "creating"}),
        has(Books.image, "mine", state="active"),
    ),
    Step("sdc-updateimage", "--description changed {mine image}", shows(lambda _: {"description": "changed"})),
    Step("sdc-exportimage", "--mantaPath /demo/stor {mine image}", says("/demo/stor/mine-1.0.zfs.gz")),
    Step("sdc-deleteimage", "{mine image}", gone(Books.image, "mine")),
)

USERS = (
    Step(
        "sdc-user create", "--login bob --email bob@example.com --password secret123 --name Bob", shows(of_user, "bob")
    ),
    Step("sdc-user list", "", lists(of_users)),
    Step("sdc-user get", "{bob user}", shows(of_user, "bob")),
    Step("sdc-user update", "--surname Bee {bob user}", shows(of_user, "bob"), shows(lambda _: {"lastName": "Bee"})),
    Step(
        "sdc-user change-password",
        "--password other1234 --password-confirmation other1234 {bob user}",
        shows(of_user, "bob"),
    ),
    Step("sdc-user upload-key", "-n second {bob user} second.pub", shows(of_key, "second", "bob")),
    Step("sdc-user keys", "{bob user}", lists(of_keys, "bob")),
    Step("sdc-user key", "{bob user} {second/bob key}", shows(of_key, "second", "bob")),
    Step("sdc-user delete-key", "{bob user} {second/bob key}", gone(Books.key, "second", "bob")),
    Step(
        "sdc-policy create",
        "--name reads --rules 'CAN getmachine' --rules 'CAN listmachines'",
        shows(of_policy, "reads"),
    ),
    Step("sdc-policy list", "", lists(of_policies)),
    Step("sdc-policy get", "{reads policy}", shows(of_policy, "reads")),
    Step("sdc-policy update", "--description looks {reads policy}", shows(of_policy, "reads")),
    Step(
        "sdc-role create", "--name ops --members bob --default-members bob --policies reads", shows(of_old_role, "ops")
    ),
    Step("sdc-role list", "", lists(lambda books: [of_old_role(books, "ops")])),
    Step("sdc-role get", "{ops role}", shows(of_old_role, "ops")),
    Step("sdc-role update", "--name dev {ops role}", shows(of_old_role, "dev")),
    Step("sdc-chmod", "-- +dev /demo/machines/{still machine}", prints(lambda books: books.role_tags("still"))),
    Step("sdc-info", "/demo/machines/{still machine}", prints(lambda books: books.role_tags("still"))),
    Step("sdc-chmod", "-- =dev /demo/users", prints(lambda _: ["dev"])),
    Step("sdc-chmod", "-- =  /demo/users", says("[]")),
    Step("sdc-role delete", "{dev role}", gone(Books.role, "dev")),
    Step("sdc-policy delete", "{reads policy}", gone(Books.policy, "reads")),
    Step("sdc-user delete", "{bob user}", gone(Books.user, "bob")),
)

MACHINES = LIFE
THINGS = (*ACCOUNT, *RULES, *IMAGES, *USERS)
