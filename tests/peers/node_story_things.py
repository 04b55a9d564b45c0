"""What `triton` does with all that is no machine: the account, networks, rules, volumes, images, users and roles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from kits.signing import KeyShelf
from peers.node_books import Books
from peers.node_facts import (
    of_account,
    of_address,
    of_addresses,
    of_image,
    of_images,
    of_key,
    of_keys,
    of_machine,
    of_network,
    of_networks,
    of_package,
    of_packages,
    of_policies,
    of_policy,
    of_role,
    of_roles,
    of_rule,
    of_rules,
    of_user,
    of_users,
    of_vlan,
    of_vlans,
    of_volume,
    of_volumes,
)
from peers.node_kit import Check, CommandResult, Step, gone, has, lists, prints, put_key, says, shows, words
from smartdc.emulator import Emulator

FRIEND = "3d51f2d5-46f2-4da5-bb04-3238f2f64768"
"""The id of another account."""
SHARED = "0f8fad5b-d9cb-469f-a165-70867728950e"
"""The id of an image of that account."""

AS_BOB = "-u bob -k {rsa-2048 of a test/bob key} -r ops"
"""How to be a sub-user."""

RULE = """'FROM any TO tag "part" = "db" ALLOW tcp PORT 5432'"""

BOB = {"type": "subuser", "login": "bob"}
RBAC = {
    "users": [{"login": "bob", "email": "bob@example.com", "firstName": "Bob", "keys": "bob.pub"}],
    "policies": [{"name": "reads", "description": "to look", "rules": ["CAN getmachine", "CAN listmachines"]}],
    "roles": [{"name": "ops", "members": [BOB | {"default": True}], "policies": [{"name": "reads"}]}],
}
FILES = {
    "rbac.json": RBAC,
    "policy.json": {"name": "writes", "rules": ["CAN stopmachine"]},
    "role.json": {"name": "dev", "members": [BOB], "policies": [{"name": "writes"}]},
    "user.json": {"login": "eve", "email": "eve@example.com", "password": "secret123"},
}
LIMITS = [{"value": 25, "by": "machines"}, {"value": 4096, "by": "ram", "check": "os", "os": "linux"}]


def arrange(cloud: Emulator, home: Path, key_of: KeyShelf) -> None:
    """Put files and keys into the home, and a stopped machine, limits and a friend's image into the cloud."""
    for name, content in FILES.items():
        (home / name).write_text(json.dumps(content))
    (home / "second.pub").write_text(key_of("ed25519").public_line)
    (home / "bob.pub").write_text(key_of("rsa-2048").public_line)
    put_key(home, key_of("rsa-2048", "pem"), "id_bob")
    cloud.populate(1, name="still", state="stopped", tags={"part": "db"})
    books = Books(cloud)
    shared = replace(books.image("minimal-64-lts"), id=SHARED, name="shared", owner=FRIEND, public=False)
    shared.acl = [books.account().id]
    cloud.state.images[shared.id] = shared
    cloud.state.settings.limits = LIMITS


def of_sizes(_: Books) -> list[dict[str, Any]]:
    """Return how large volumes can be, in MiB."""
    gigabytes = [*range(10, 100, 10), *range(100, 1001, 100)]
    return [{"type": "tritonnfs", "size": 1024 * each} for each in gigabytes]


def of_limits(_: Books) -> list[dict[str, Any]]:
    """Return the limits under the names that triton gives to their fields."""
    names = {"value": "limit", "by": "type"}
    return [{names.get(name, name): value for name, value in limit.items()} for limit in LIMITS]


def tagged(name: str, *roles: str) -> Check:
    """Say which roles a machine is tagged with."""
    return lambda _, books: (books.role_tags(name), list(roles))


def opened(path: str, *roles: str) -> Check:
    """Say which roles a path below the account is tagged with."""

    def check(_: CommandResult, books: Books) -> tuple[object, object]:
        tags = books.account().role_tags.get(path.format_map(books), [])
        return [books.account().roles[role].name for role in tags], list(roles)

    return check


ACCOUNT = (
    Step("account get", "-j", shows(of_account)),
    Step(
        "account update",
        "companyName=Acme phone=123",
        says("companyName, phone"),
        has(Books.account, cns_enabled=False),
    ),
    Step("account update", "triton_cns_enabled=true", says("Updated account"), has(Books.account, cns_enabled=True)),
    Step("account get", "-j", shows(of_account), shows(lambda _: {"companyName": "Acme", "phone": "123"})),
    Step("account limits", "-j", lists(of_limits)),
    Step("datacenters", "-j", shows(lambda books: books.cloud.state.settings.elsewhere)),
    Step("services", "-Ho name", words(lambda _: ["cloudapi", "docker"])),
    Step("key add", "-n second second.pub", says("({second key})")),
    Step("key list", "-j", lists(of_keys)),
    Step("keys", "-A", words(lambda books: " ".join(each["key"] for each in of_keys(books)).split())),
    Step("key get", "-j second", shows(of_key, "second")),
    Step("key delete", "-y second", says('Deleted key "second"'), gone(Books.key, "second")),
    Step("cloudapi", "/demo", shows(of_account)),
    Step("cloudapi", """-X POST -d '{{"city":"Bonn"}}' /demo""", shows(of_account), shows(lambda _: {"city": "Bonn"})),
)

NETWORKS = (
    Step("network list", "-j", lists(of_networks)),
    Step("networks", "-Ho name public=true", words(lambda _: ["external", "external-2"])),
    Step("network get", "-j external", shows(of_network, "external")),
    Step(
        "vlan create", "-j -n blue -D 'a blue one' 7", shows(of_vlan, 7), has(Books.vlan, 7, description="a blue one")
    ),
    Step("vlan list", "-j", lists(of_vlans)),
    Step("vlan get", "-j 7", shows(of_vlan, 7)),
    Step(
        "network create",
        "-j -n sky -D wide -s 10.50.0.0/24 -S 10.50.0.10 -E 10.50.0.200 -g 10.50.0.1 -r 8.8.8.8 -R 10.60.0.0/16=10.50.0.2 -x 7",
        shows(of_network, "sky"),
        has(Books.network, "sky", vlan_id=7, routes={"10.60.0.0/16": "10.50.0.2"}, internet_nat=False),
    ),
    Step("vlan networks", "-j 7", shows(of_network, "sky")),
    Step("network ip update", "-j sky 10.50.0.99 reserved=true", shows(of_address, "sky", "10.50.0.99")),
    Step(
        "network ip get",
        "-j sky 10.50.0.99",
        shows(of_address, "sky", "10.50.0.99"),
        shows(lambda _: {"reserved": True}),
    ),
    Step("network ip list", "-j sky", lists(of_addresses, "sky")),
    Step("network set-default", "sky", says("({sky network})"), has(Books.default_network, name="sky")),
    Step("network get-default", "-j", shows(of_network, "sky")),
    Step("network set-default", "My-Fabric-Network", says("as default"), has(Books.default_network, vlan_id=2)),
    Step("network delete", "sky", says("Deleted network sky"), gone(Books.network, "sky")),
    Step("vlan delete", "7", says("Deleted vlan 7"), gone(Books.vlan, 7)),
)

RULES = (
    Step(
        "fwrule create",
        f"-d -l -D db {RULE}",
        says("{rule}"),
        has(Books.rule, enabled=False, log=True, description="db"),
    ),
    Step("fwrule list", "-j", lists(of_rules)),
    Step("fwrule get", "-j {rule}", shows(of_rule)),
    Step("fwrule enable", "{rule}", says("Enabled firewall rule {rule}"), has(Books.rule, enabled=True)),
    Step("fwrule update", "{rule} description=new", says("{rule}"), has(Books.rule, enabled=True, description="new")),
    Step("fwrule instances", "-j {rule}", lists(lambda books: [of_machine(books, "still")])),
    Step("instance fwrule list", "-j still", lists(of_rules)),
    Step("instance fwrules", "-j still", lists(of_rules)),
    Step("fwrule disable", "{rule}", says("Disabled firewall rule {rule}"), has(Books.rule, enabled=False)),
    Step("fwrules", "-j", lists(of_rules)),
    Step("fwrule delete", "-f {rule}", says("Deleted rule"), gone(Books.rule)),
)

VOLUMES = (
    Step(
        "volume create",
        "-w -j -n vault -s 20G --tag a=b",
        shows(of_volume, "vault"),
        has(Books.volume, "vault", size=20_480),
    ),
    Step("volume list", "-j name=vault", lists(of_volumes, "vault")),
    Step("volumes", "-j name=vault", lists(of_volumes, "vault")),
    Step("volume get", "-j vault", shows(of_volume, "vault")),
    Step("volume sizes", "-j", lists(of_sizes)),
    Step("volume delete", "-w -y vault", says("Deleted volume vault"), gone(Books.volume, "vault")),
)

IMAGES = (
    Step("image list", "-j name=base-64-lts", lists(of_images, "base-64-lts")),
    Step("images", "-j name=debian-12", lists(of_images, "debian-12")),
    Step("image get", "-j base-64-lts", shows(of_image, "base-64-lts")),
    Step(
        "image create",
        "-w -j -d first -t a=b still mine 1.0",
        shows(of_image, "mine"),
        has(Books.image, "mine", state="active"),
    ),
    Step("image wait", "mine", says("already active")),
    Step(
        "image update",
        "-j mine description=changed",
        shows(of_image, "mine"),
        has(Books.image, "mine", description="changed"),
    ),
    Step("image tag", "-j mine c=d", shows(of_image, "mine"), has(Books.image, "mine", tags={"c": "d"})),
    Step("image share", f"-j mine {FRIEND}", shows(of_image, "mine"), has(Books.image, "mine", acl=[FRIEND])),
    Step("image unshare", f"-j mine {FRIEND}", shows(of_image, "mine"), has(Books.image, "mine", acl=[])),
    Step("image export", "-j mine /demo/stor", says('"image_path":"/demo/stor/mine-1.0.zfs.gz"')),
    Step("image copy", "-j mine emulator-2", shows(of_image, "mine")),
    Step("image clone", "-j shared", shows(of_image, "shared")),
    Step("image delete", "-f mine", says("mine@1.0"), gone(Books.image, "mine")),
    Step("package list", "-j", lists(of_packages)),
    Step("packages", "-Ho name memory=1024 group=standard version=1.0.0", words(lambda _: ["g1-small"])),
    Step("package get", "-j g1-small", shows(of_package, "g1-small")),
)

USERS = (
    Step("rbac apply", "-n -y -f rbac.json", says("[dry-run] create role ops"), gone(Books.user, "bob")),
    Step("rbac apply", "-y -f rbac.json", says("Created role ops"), has(Books.policy, "reads", description="to look")),
    Step("rbac info", "--no-color", says("bob")),
    Step("rbac users", "-j", lists(of_users)),
    Step("rbac user", "-j bob", shows(of_user, "bob"), shows(lambda _: {"firstName": "Bob"})),
    Step("rbac user", "-r -k -j bob", shows(lambda books: {"roles": ["ops"], "keys": of_keys(books, "bob")})),
    Step("rbac roles", "-j", lists(of_roles)),
    Step("rbac role", "-j ops", shows(of_role, "ops")),
    Step("rbac policies", "-j", lists(of_policies)),
    Step("rbac policy", "-j reads", shows(of_policy, "reads")),
    Step("rbac keys", "-j bob", lists(of_keys, "bob")),
    Step("rbac key", "-a -n second bob second.pub", says("(second)"), has(Books.key, "second", "bob", name="second")),
    Step("rbac key", "-j bob second", shows(of_key, "second", "bob")),
    Step("rbac key", "-d -y bob second", says("Deleted"), gone(Books.key, "second", "bob")),
    Step("rbac policy", "-a policy.json", says("writes"), has(Books.policy, "writes", rules=["CAN stopmachine"])),
    Step("rbac role", "-a role.json", says("dev"), has(Books.role, "dev", default_members=[])),
    Step("rbac user", "-a user.json", says("eve"), has(Books.user, "eve", login="eve")),
)

TAGS = (
    Step(f"{AS_BOB} instance get", "-j {still machine}", says("NotAuthorized"), code=1),
    Step("rbac instance-role-tags", "-a ops still", says("Adding 1 role tag (ops)"), tagged("still", "ops")),
    Step("rbac instance-role-tags", "-j still", prints(lambda books: books.role_tags("still")), tagged("still", "ops")),
    Step(f"{AS_BOB} instance get", "-j {still machine}", shows(of_machine, "still")),
    Step("rbac instance-role-tags", "-y -s dev still", says("Setting role tags"), tagged("still", "dev")),
    Step("rbac instance-role-tags", "-y -d dev still", says("dev"), tagged("still")),
    Step("rbac role-tags", "-a ops /demo/users", says("Adding 1 role tag"), opened("/demo/users", "ops")),
    Step("rbac role-tags", "-j /demo/users", prints(lambda _: ["ops"])),
    Step("rbac role-tags", "-D -y /demo/users", says("Deleting all role tags"), opened("/demo/users")),
    Step(
        "rbac image-role-tags",
        "-a ops base-64-lts",
        says("Adding 1 role tag"),
        opened("/demo/images/{base-64-lts image}", "ops"),
    ),
    Step("rbac image-role-tags", "-j base-64-lts", prints(lambda _: ["ops"])),
    Step("rbac network-role-tags", "-a ops external", opened("/demo/networks/{external network}", "ops")),
    Step("rbac network-role-tags", "-j external", prints(lambda _: ["ops"])),
    Step("rbac package-role-tags", "-a ops g1-small", opened("/demo/packages/{g1-small package}", "ops")),
    Step("rbac package-role-tags", "-j g1-small", prints(lambda _: ["ops"])),
    Step("rbac user", "-d -y eve", says("eve"), gone(Books.user, "eve")),
    Step("rbac role", "-d -y dev", says("dev"), gone(Books.role, "dev")),
    Step("rbac policy", "-d -y writes", says("writes"), gone(Books.policy, "writes")),
    Step("rbac reset", "-y", says("Deleted user bob"), gone(Books.role, "ops"), gone(Books.policy, "reads")),
)

THINGS = (*ACCOUNT, *NETWORKS, *RULES, *VOLUMES, *IMAGES, *USERS, *TAGS)
