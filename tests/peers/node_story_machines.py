"""What `triton` does with machines and all that is theirs, from the first create to the last delete."""

from __future__ import annotations

from typing import Any

from peers.node_books import Books
from peers.node_facts import (
    of_disk,
    of_disks,
    of_end,
    of_jobs,
    of_machine,
    of_machines,
    of_migration,
    of_nic,
    of_nics,
    of_snapshot,
    of_snapshots,
    of_volume,
)
from peers.node_kit import Check, CommandResult, Step, gone, has, lists, prints, says, shows, words
from smartdc.emulator import AfterSeconds, ByScript, Emulator

machine = Books.machine


def hold(cloud: Emulator) -> None:
    """Let no sync end by itself."""
    cloud.transitions.policies["migrate-sync"] = ByScript()


def let_go(cloud: Emulator) -> None:
    """Let syncs end by themselves again."""
    cloud.transitions.policies["migrate-sync"] = AfterSeconds(0)


def of_account(books: Books) -> dict[str, Any]:
    """Return the sums over all machines; triton takes a MiB for a million bytes."""
    machines = books.machines()
    states = [each.state for each in machines]
    return {
        "login": books.account().login,
        "email": books.account().profile["email"],
        "totalInstances": len(machines),
        "totalMemory": sum(each.memory for each in machines) * 1_000_000,
        "totalDisk": sum(each.disk for each in machines) * 1_000_000,
        "instances": {state: states.count(state) for state in states},
    }


def of_table(books: Books) -> list[str]:
    """Return what a table of chosen columns has."""
    image = books.image("base-64-lts")
    return [books.machine("web-1").id[:8], "web-1", f"{image.name}@{image.version}", books.machine("web-1").state]


def of_tags(name: str, **tags: Any) -> tuple[Any, ...]:
    """Say that a machine has just these tags, and that they are printed."""
    return prints(lambda books: books.machine(name).tags), has(machine, name, tags=tags)


def lacks(*keys: str) -> Check:
    """Say that some metadata are gone; CloudAPI keeps others."""
    return lambda _, books: (set(books.machine("web-2").metadata) & set(keys), set())


def has_disks(*sizes: int) -> Check:
    """Say how large the disks of a machine are, in MiB."""
    return lambda _, books: ([disk["size"] for disk in books.machine("flex").disks], list(sizes))


def is_mounted(_: CommandResult, books: Books) -> tuple[object, object]:
    """Say that a volume is in use by the machine that was made with it."""
    return books.volume("data").refs, [books.machine("mounts").id]


LIFE = (
    Step("info", "-j", shows(of_account)),
    Step("instance list", "-j", lists(of_machines)),
    Step(
        "instance create", "--dry-run -n web-1 base-64-lts g1-small", says("base-64-lts@24.4.1"), gone(machine, "web-1")
    ),
    Step(
        "instance create",
        "-w -j -n web-1 -t role=web -t live=true -t weight=7 -m color=blue -N external --firewall base-64-lts g1-small",
        shows(of_machine, "web-1"),
        has(machine, "web-1", state="running", tags={"role": "web", "live": True, "weight": 7}, firewall_enabled=True),
    ),
    Step("instances", "-Ho shortid,name,img,state name=web-1", words(of_table)),
    Step("instance get", "web-1", shows(of_machine, "web-1")),
    Step("instance ip", "web-1", words(lambda books: [books.machine("web-1").nics[0].ip])),
    Step("ip", "web-1", words(lambda books: [books.machine("web-1").nics[0].ip])),
    Step("instance wait", "-s running web-1", says("already running")),
    Step(
        "instance stop",
        "-w web-1",
        says("Stop instance web-1 ({web-1 machine}"),
        has(machine, "web-1", state="stopped"),
    ),
    Step("instance start", "-w web-1", says("Start instance web-1"), has(machine, "web-1", state="running")),
    Step("stop", "-w web-1", says("Stop instance web-1"), has(machine, "web-1", state="stopped")),
    Step("start", "-w web-1", says("Start instance web-1"), has(machine, "web-1", state="running")),
    Step("instance reboot", "-w web-1", says("Rebooted"), has(Books.job, "web-1", action="reboot", error=None)),
    Step("reboot", "web-1", says("Rebooting"), has(Books.job, "web-1", action="reboot", error=None)),
    Step("instance resize", "-w web-1 g1-medium", says("Resized"), has(machine, "web-1", memory=4096, disk=102_400)),
    Step(
        "instance rename",
        "-w web-1 web-2",
        says("Renamed"),
        gone(machine, "web-1"),
        has(machine, "web-2", state="running"),
    ),
    Step("instance disable-firewall", "-w web-2", says("Disabled"), has(machine, "web-2", firewall_enabled=False)),
    Step("instance enable-firewall", "-w web-2", says("Enabled"), has(machine, "web-2", firewall_enabled=True)),
    Step(
        "instance enable-deletion-protection",
        "-w web-2",
        says("Enabled deletion protection"),
        has(machine, "web-2", deletion_protection=True),
    ),
    Step("instance delete", "-f web-2", says("deletion_protection"), has(machine, "web-2", state="running"), code=1),
    Step(
        "instance disable-deletion-protection",
        "-w web-2",
        says("Disabled deletion protection"),
        has(machine, "web-2", deletion_protection=False),
    ),
    Step("instance audit", "-j web-2", lists(of_jobs, "web-2")),
)

BELONGINGS = (
    Step(
        "instance tag set",
        "-w -j web-2 weight=8.5 note=text",
        *of_tags("web-2", role="web", live=True, weight=8.5, note="text"),
    ),
    Step("instance tag list", "-j web-2", *of_tags("web-2", role="web", live=True, weight=8.5, note="text")),
    Step("instance tag get", "-j web-2 live", prints(lambda books: books.machine("web-2").tags["live"])),
    Step(
        "instance tag delete",
        "-w web-2 note",
        says("note"),
        has(machine, "web-2", tags={"role": "web", "live": True, "weight": 8.5}),
    ),
    Step("instance tag replace-all", "-w -j web-2 only=this", *of_tags("web-2", only="this")),
    Step("instance tag delete", "-w --all web-2", says("Deleted all tags"), has(machine, "web-2", tags={})),
    Step("instance tags", "-j web-2", *of_tags("web-2")),
    Step("instance metadata set", "-w -j web-2 one=1 two=zwei", prints(lambda books: books.machine("web-2").metadata)),
    Step("instance metadata list", "-j web-2", prints(lambda books: books.machine("web-2").metadata)),
    Step("instance metadata get", "web-2 two", words(lambda _: ["zwei"])),
    Step("instance metadata delete", "-f web-2 color", says("Deleted metadata color"), lacks("color")),
    Step("instance metadatas", "-j web-2", prints(lambda books: books.machine("web-2").metadata)),
    Step("instance metadata delete", "-f --all web-2", says("Deleted all"), lacks("one", "two")),
    Step(
        "instance snapshot create",
        "-w -n first web-2",
        says('"first"'),
        has(Books.job, "web-2", action="create_snapshot", error=None),
    ),
    Step(
        "instance snapshot create",
        "-w -n second web-2",
        says("Created"),
        has(Books.snapshot, "web-2", "second", name="second"),
    ),
    Step("instance snapshot list", "-j web-2", lists(of_snapshots, "web-2")),
    Step("instance snapshot get", "-j web-2 first", shows(of_snapshot, "web-2", "first")),
    Step("instance stop", "-w web-2 there-0", says("{there-0 machine}"), has(machine, "there-0", state="stopped")),
    Step(
        "instance start",
        "-w --snapshot=first web-2",
        says("Start instance web-2"),
        has(Books.job, "web-2", action="rollback_snapshot", error=None),
        gone(Books.snapshot, "web-2", "second"),
    ),
    Step("instance snapshot delete", "-w -f web-2 first", says("Deleted"), gone(Books.snapshot, "web-2", "first")),
    Step("instance snapshots", "-j web-2", lists(of_snapshots, "web-2")),
    Step("instance nic create", "-w -j web-2 internal", shows(of_nic, "web-2")),
    Step("instance nic list", "-j web-2", lists(of_nics, "web-2")),
    Step("instance nic get", "-j web-2 {web-2 mac}", shows(of_nic, "web-2")),
    Step(
        "instance nic delete",
        "-f web-2 {web-2 mac}",
        says("Deleted NIC"),
        has(Books.job, "web-2", action="remove_nics"),
    ),
    Step("instance nic list", "-j web-2", lists(of_nics, "web-2")),
)

DISKS = (
    Step(
        "create",
        """-w -j -n flex --disk '{{"size":10240}}' --disk '{{"size":4096}}' debian-12-cloud b1-small""",
        shows(of_machine, "flex"),
        has(machine, "flex", brand="bhyve", flexible=True),
    ),
    Step("instance disk list", "-j flex", lists(of_disks, "flex")),
    Step("instance stop", "-w flex", has(machine, "flex", state="stopped")),
    Step("instance disk add", "-w flex 1024", says("{flex disk}"), has_disks(10_240, 4096, 1024)),
    Step("instance disk get", "flex {flex disk}", shows(of_disk, "flex")),
    Step(
        "instance disk resize",
        "-w flex {flex disk} 2048",
        says('Resized disk "{flex disk}"'),
        has_disks(10_240, 4096, 2048),
    ),
    Step("instance disks", "-j flex", lists(of_disks, "flex")),
    Step("instance disk delete", "-w flex {flex disk}", says("Deleted disk"), has_disks(10_240, 4096)),
    Step("instance disk list", "-j flex", lists(of_disks, "flex")),
    Step("volume create", "-w -j -n data", shows(of_volume, "data")),
    Step(
        "instance create",
        "-w -j -n mounts -N My-Fabric-Network -v data:/data base-64-lts g1-small",
        shows(of_machine, "mounts"),
        is_mounted,
    ),
)

MIGRATIONS = (
    Step(
        "instance migration begin",
        "-w -j there-0",
        shows(of_end, "there-0"),
        has(Books.migration, "there-0", state="paused"),
    ),
    Step("instance migration list", "-j", shows(of_migration, "there-0")),
    Step("instance migration get", "-j there-0", shows(of_migration, "there-0")),
    Step("instance migration get", "there-0", says("Migration paused")),
    Step(
        "instance migration sync", "there-0", has(Books.migration, "there-0", phase="sync", state="running"), first=hold
    ),
    Step("instance migration get", "there-0", says("Migration running")),
    Step("instance migration pause", "-w there-0", has(Books.migration, "there-0", phase="sync", state="paused")),
    Step("instance migration get", "there-0", says("Migration paused")),
    Step(
        "instance migration sync",
        "-w -j there-0",
        shows(of_end, "there-0"),
        has(Books.migration, "there-0", syncs=1),
        first=let_go,
    ),
    Step(
        "instance migration switch",
        "-w there-0",
        says("Done - switch"),
        has(Books.migration, "there-0", state="successful"),
    ),
    Step("instance migration get", "there-0", says("Migration finished successfully")),
    Step("instance migration finalize", "there-0", says("finalized"), gone(Books.migration, "there-0")),
    Step("instance migration begin", "-w -q there-1", has(Books.migration, "there-1", state="paused")),
    Step("instance migration abort", "-w there-1", gone(Books.migration, "there-1")),
    Step(
        "instance migration automatic",
        "-w -j there-1",
        shows(of_end, "there-1"),
        has(Books.migration, "there-1", state="successful"),
    ),
)

END = (
    Step("instance delete", "-w -f web-2", says("Delete instance web-2"), has(machine, "web-2", state="deleted")),
    Step("delete", "-w -f flex mounts", says("Delete instance flex"), has(machine, "mounts", state="deleted")),
    Step("instance get", "web-2", says("no instance with name or short id"), code=3),
    Step("instance get", "{web-2 machine}", says("deleted"), code=3),
    Step("ls", "-j", lists(of_machines)),
)

PICTURES = (
    Step(
        "image create",
        "-w -j there-1 picture 1.0",
        has(Books.image, "picture", state="active"),
        has(machine, "there-1", state="running"),
    ),
)
"""What is made of a machine that runs, and goes on running."""

MACHINES = (*LIFE, *BELONGINGS, *DISKS, *MIGRATIONS, *PICTURES, *END)
