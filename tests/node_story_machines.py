"""What `triton` does with machines and all that is theirs, from the first create to the last delete."""

from __future__ import annotations

from node_books import (
    Books,
    of_disks,
    of_jobs,
    of_machine,
    of_machines,
    of_migration,
    of_nic,
    of_nics,
    of_snapshots,
)
from node_kit import Step, Told

from smartdc.emulator import AfterSeconds, ByScript, Emulator


def hold(cloud: Emulator) -> None:
    """Let no sync end before it is told to."""
    cloud.transitions.policies["migrate-sync"] = ByScript()


def let_go(cloud: Emulator) -> None:
    """Let syncs end again by themselves."""
    cloud.transitions.policies["migrate-sync"] = AfterSeconds(0)


def account_summary(told: Told, books: Books) -> tuple[object, object]:
    """Compare the sums over all machines: memory in MiB, but disk and memory are printed in bytes of thousands."""
    machines = books.machines
    states = [machine.state for machine in machines]
    return told.shows(
        {
            "login": books.account.login,
            "email": books.account.profile["email"],
            "totalInstances": len(machines),
            "totalMemory": sum(machine.memory for machine in machines) * 1_000_000,
            "totalDisk": sum(machine.disk for machine in machines) * 1_000_000,
            "instances": {state: states.count(state) for state in states},
        }
    )


def short_table(told: Told, books: Books) -> tuple[object, object]:
    """Compare a table of chosen columns."""
    image = books.image("base-64-lts")
    machine = books.machine("web-1")
    return told.out.split(), [machine.id[:8], "web-1", f"{image.name}@{image.version}", machine.state]


MACHINES = (
    Step("info", "-j", account_summary),
    Step("instance list", "-j", lambda told, books: told.lists(of_machines(books))),
    Step(
        "instance create",
        "--dry-run -n web-1 base-64-lts g1-small",
        lambda told, books: told.says("base-64-lts@24.4.1", books.has(books.cloud.state.machines, "web-1"), False),
    ),
    Step(
        "instance create",
        "-w -j -n web-1 -t role=web -t live=true -t weight=7 -m color=blue -N external --firewall base-64-lts g1-small",
        lambda told, books: told.shows(of_machine(books, "web-1")),
    ),
    Step("instances", "-Ho shortid,name,img,state name=web-1", short_table),
    Step("instance get", "web-1", lambda told, books: told.shows(of_machine(books, "web-1"))),
    Step("instance ip", "web-1", lambda told, books: (told.out.strip(), books.machine("web-1").nics[0].ip)),
    Step("instance wait", "-s running web-1", lambda told, books: told.says("already running")),
    Step(
        "instance stop",
        "-w web-1",
        lambda told, books: told.says("Stop instance web-1", books.machine("web-1").state, "stopped"),
    ),
    Step(
        "instance start",
        "-w web-1",
        lambda told, books: told.says("Start instance web-1", books.machine("web-1").state, "running"),
    ),
    Step("stop", "-w web-1", lambda told, books: told.says(books["web-1 machine"], books.machine("web-1").state, "stopped")),
    Step("start", "-w web-1", lambda told, books: told.says(books["web-1 machine"], books.machine("web-1").state, "running")),
    Step(
        "instance reboot",
        "-w web-1",
        lambda told, books: told.says("Rebooted instance web-1", books.machine("web-1").jobs[-1].action, "reboot"),
    ),
    Step(
        "instance resize",
        "-w web-1 g1-medium",
        lambda told, books: told.says("Resized instance", books.machine("web-1").memory, books.package("g1-medium").memory),
    ),
    Step(
        "instance rename",
        "-w web-1 web-one",
        lambda told, books: told.says('"web-one"', books.has(books.cloud.state.machines, "web-one"), True),
    ),
    Step(
        "instance disable-firewall",
        "-w web-one",
        lambda told, books: told.says("Disabled firewall", books.machine("web-one").firewall_enabled, False),
    ),
    Step(
        "instance enable-firewall",
        "-w web-one",
        lambda told, books: told.says("Enabled firewall", books.machine("web-one").firewall_enabled, True),
    ),
    Step(
        "instance enable-deletion-protection",
        "-w web-one",
        lambda told, books: told.says("Enabled deletion", books.machine("web-one").deletion_protection, True),
    ),
    Step("instance delete", "-f web-one", lambda _, books: (books.machine("web-one").state, "running"), code=1),
    Step(
        "instance disable-deletion-protection",
        "-w web-one",
        lambda told, books: told.says("Disabled deletion", books.machine("web-one").deletion_protection, False),
    ),
    Step("instance audit", "-j web-one", lambda told, books: told.lists(of_jobs(books, "web-one"))),
    Step(
        "instance tag set",
        "-w -j web-one weight=8.5 note=text",
        lambda told, books: ((told.rows[-1], books.machine("web-one").tags),)
        and ((told.rows[-1], books.machine("web-one").tags), ({"role": "web", "live": True, "weight": 8.5, "note": "text"},) * 2),
    ),
    Step("instance tag list", "-j web-one", lambda told, books: (told.rows[-1], books.machine("web-one").tags)),
    Step("instance tag get", "-j web-one live", lambda told, books: (told.rows[-1], books.machine("web-one").tags["live"])),
    Step("instance tag delete", "-w web-one note", lambda told, books: told.says("note", "note" in books.machine("web-one").tags, False)),
    Step(
        "instance tag replace-all",
        "-w -j web-one only=this",
        lambda told, books: (told.rows[-1], books.machine("web-one").tags),
    ),
    Step("instance tags", "-j web-one", lambda told, books: ((told.rows[-1], books.machine("web-one").tags), ({"only": "this"},) * 2)),
)
