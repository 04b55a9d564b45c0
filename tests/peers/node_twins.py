"""Operations on machines, each as npm's `triton` and as this library is asked for it, and where they may differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from peers.node_world import World

TOKEN = "tag.smartdc_token"


class Sent(NamedTuple):
    """What arrived of a request."""

    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any]


class Difference(NamedTuple):
    """Why a request of ours is another than that of `triton`, and what makes the one of the other."""

    reason: str
    turn: Callable[[Sent], Sent]


class Twin(NamedTuple):
    """An operation, and how it is asked for.

    `theirs` is a command of `triton`, or a function of its library with its arguments where no command sends just that.
    """

    operation: str
    theirs: str | tuple[str, dict[str, Any]]
    ours: Callable[[World], object]
    difference: Difference | None = None

    def __str__(self) -> str:
        return f"{self.operation}: {self.theirs if isinstance(self.theirs, str) else self.theirs[0]}"


def _without(names: str, what: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in what.items() if name not in names.split()}


EXACTLY_ONCE = Difference(
    "a create has a token, by which the machine is found if the answer is lost",
    lambda sent: sent._replace(body={**sent.body, TOKEN: "..."}),
)
IN_QUERY = Difference(
    "the action is in the query, as in CloudAPI's reference, so it is signed",
    lambda sent: sent._replace(query={**sent.query, **sent.body}, body={}),
)
SAID_ONCE = Difference(
    "the ids in the path are not repeated in the query or the body",
    lambda sent: sent._replace(
        query=_without("id name diskId vlan_id", sent.query), body=_without("id name", sent.body)
    ),
)
NOT_SAID = Difference(
    "options that are not given are left to CloudAPI's defaults",
    lambda sent: sent._replace(body=_without("primary", sent.body)),
)
ONLY_CHANGES = Difference(
    "an update sends only what changes, so that it does not revert concurrent changes",
    lambda sent: sent._replace(body=_without("rule", sent.body)),
)
PAGES = Difference(
    "all pages are read",
    lambda sent: sent._replace(query={**sent.query, "limit": "1000", "offset": "0"}),
)
SERVERS_OWN = Difference(
    "failed volumes are left out by CloudAPI itself",
    lambda sent: sent._replace(query=_without("predicate", sent.query)),
)
DIFFERENCES = (EXACTLY_ONCE, IN_QUERY, SAID_ONCE, NOT_SAID, ONLY_CHANGES, PAGES, SERVERS_OWN)

MACHINE_TWINS = (
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
        EXACTLY_ONCE,
    ),
    Twin("StopMachine", "instance stop {web-1 machine}", lambda w: w.machine().stop(), IN_QUERY),
    Twin("StartMachine", "instance start {still machine}", lambda w: w.machine("still").start(), IN_QUERY),
    Twin("RebootMachine", "instance reboot {web-1 machine}", lambda w: w.machine().reboot(), IN_QUERY),
    Twin(
        "ResizeMachine",
        "instance resize {web-1 machine} {g1-medium package}",
        lambda w: w.machine().resize(w["g1-medium package"]),
        IN_QUERY,
    ),
    Twin("RenameMachine", "instance rename {web-1 machine} web-9", lambda w: w.machine().rename("web-9"), IN_QUERY),
    Twin(
        "EnableMachineFirewall",
        "instance enable-firewall {web-1 machine}",
        lambda w: w.machine().enable_firewall(),
        IN_QUERY,
    ),
    Twin(
        "DisableMachineFirewall",
        "instance disable-firewall {web-1 machine}",
        lambda w: w.machine().disable_firewall(),
        IN_QUERY,
    ),
    Twin(
        "EnableMachineDeletionProtection",
        "instance enable-deletion-protection {web-1 machine}",
        lambda w: w.machine().enable_deletion_protection(),
        IN_QUERY,
    ),
    Twin(
        "DisableMachineDeletionProtection",
        "instance disable-deletion-protection {web-1 machine}",
        lambda w: w.machine().disable_deletion_protection(),
        IN_QUERY,
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
    Twin(
        "ListMachineMetadata", "instance metadata list {web-1 machine}", lambda w: w.machine().get_metadata(), SAID_ONCE
    ),
    Twin(
        "GetMachineMetadata",
        "instance metadata get {web-1 machine} color",
        lambda w: w.machine().get_metadata("color"),
        SAID_ONCE,
    ),
    Twin(
        "UpdateMachineMetadata",
        "instance metadata set {web-1 machine} a=1 b=text",
        lambda w: w.machine().update_metadata(a=1, b="text"),
    ),
    Twin(
        "DeleteMachineMetadata",
        ("deleteMachineMetadata", {"id": "{web-1 machine}", "key": "color"}),
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
    Twin(
        "ListMachineSnapshots", "instance snapshot list {web-1 machine}", lambda w: w.machine().snapshots(), SAID_ONCE
    ),
    Twin(
        "GetMachineSnapshot",
        "instance snapshot get {web-1 machine} first",
        lambda w: w.machine().snapshot("first"),
        SAID_ONCE,
    ),
    Twin(
        "StartMachineFromSnapshot",
        "instance start --snapshot=first {web-1 machine}",
        lambda w: w.machine().start_from_snapshot("first"),
        SAID_ONCE,
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
        NOT_SAID,
    ),
    Twin("ListNics", "instance nic list {web-1 machine}", lambda w: w.machine().nics(), SAID_ONCE),
    Twin("GetNic", "instance nic get {web-1 machine} {web-1 mac}", lambda w: w.machine().nic(w["web-1 mac"])),
    Twin(
        "RemoveNic",
        "instance nic delete -f {web-1 machine} {web-1 mac}",
        lambda w: w.machine().nic(w["web-1 mac"]).delete(),
    ),
    Twin("ListMachineDisks", "instance disk list {flex machine}", lambda w: w.machine("flex").disks(), SAID_ONCE),
    Twin(
        "GetMachineDisk",
        ("getMachineDisk", {"id": "{flex machine}", "diskId": "{flex disk}"}),
        lambda w: w.machine("flex").get_disk(w["flex disk"]),
        SAID_ONCE,
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
    Twin("GetMigration", "instance migration get -j {still machine}", lambda w: w.dc.migration(w["still machine"])),
    Twin(
        "ListMachineFirewallRules",
        "instance fwrule list {web-1 machine}",
        lambda w: w.machine().firewall_rules(),
        SAID_ONCE,
    ),
)
