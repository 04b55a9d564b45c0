"""Every script of the cookbook does what it says, also when answers are lost, calls are throttled and jobs are slow.

A script runs as it is, with its arguments, against an emulated data centre, and once is enough: whatever it creates or
changes, the answer to each such request is lost in turn, and the library finds out what came of it.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, redirect_stdout, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

import smartdc
from kits.docs import ROOT, ROWS
from smartdc import Changefeed, Cloud, DataCenter, Machine, SmartDCError
from smartdc.emulator import AfterSeconds, Emulator, EmulatorAdapter, Fault, Server, VirtualClock
from smartdc.emulator.core.settings import Throttle
from smartdc.http.clock import SystemClock

COOKBOOK = ROOT / "docs" / "cookbook"
SCRIPTS = sorted(path.name for path in COOKBOOK.glob("*.py"))
PAGES = sorted(COOKBOOK.glob("*.md"))

MONTH = 30 * 86_400.0

MANY = 8
"""Of more changes than these, some are enough to lose the answer to."""

CALM, LOST_READS, LOST_ANSWER, LOST_REQUEST = (
    "calm",
    "a first answer to every read is lost",
    "lost answer",
    "lost request",
)
THROTTLED, SLOW = "throttled", "slow jobs"


class Weather(NamedTuple):
    """What is wrong while a script runs; what is lost is that of the change with this number, among all that it makes."""

    kind: str
    number: int = 0
    changes: int = 0

    def __str__(self) -> str:
        """Name it."""
        return f"{self.kind} {self.number} of {self.changes}" if self.number else self.kind


def weathers(changes: int) -> pytest.MarkDecorator:
    """Run a test in every weather: of so many changes that its script makes, the answer to each is lost in turn.

    The request itself is lost of the first one only.
    """
    sample = range(1, changes + 1) if changes <= MANY else (1, 2, changes // 2, changes)
    lost = [Weather(LOST_ANSWER, number, changes) for number in sample]
    lost += [Weather(LOST_REQUEST, number, changes) for number in sample[:1]]
    others = [Weather(kind, changes=changes) for kind in (CALM, LOST_READS, THROTTLED, SLOW)]
    return pytest.mark.parametrize("weather", [*others, *lost], ids=str)


def is_change(request: Any) -> bool:
    """Return whether a request may change something."""
    return request.method not in {"GET", "HEAD"}


class Kitchen:
    """An emulated cloud whose clock began a month ago, a client of it, and how scripts are run there."""

    def __init__(self, cloud: Emulator, dc: DataCenter, weather: Weather) -> None:
        self.cloud = cloud
        self.dc = dc
        self.weather = weather
        self.changes = 0
        """How many changes scripts have asked for since something is wrong."""
        self.lost = 0
        """How many of these got no answer."""
        self.marks: list[tuple[Emulator, int]] = []
        """The clouds where something is wrong, and how long their traces were before."""

    def spoil(self, *clouds: Emulator) -> None:
        """Let something be wrong from now on, in these clouds or in the only one."""
        kind, number, _ = self.weather
        self.marks = [(cloud, len(cloud.trace)) for cloud in clouds or [self.cloud]]
        for cloud, _ in self.marks:
            if kind == LOST_READS:
                for operation in ROWS:
                    cloud.faults.add(Fault(operation, "reset", "after", where=lambda asked: not is_change(asked)))
            elif kind in {LOST_ANSWER, LOST_REQUEST}:
                when = "after" if kind == LOST_ANSWER else "before"
                cloud.faults.add(Fault("*", "reset", when, skip=number - 1, where=is_change))
            elif kind == THROTTLED:
                cloud.state.settings.throttle = Throttle(burst=2, rate=0.5)
            elif kind == SLOW:
                cloud.transitions.policy = AfterSeconds(120)

    def run(self, script: str, *arguments: str, status: int = 0) -> str:
        """Run a script once, in this process, to its end with this exit status, and return what it printed."""
        self.marks = [(cloud, len(cloud.trace)) for cloud, _ in self.marks]
        with patch.object(sys, "argv", [script, *arguments]), redirect_stdout(StringIO()) as printed:
            ended = _status(COOKBOOK / script)
        for cloud, length in self.marks:
            changes = [entry for entry in cloud.trace[length:] if is_change(entry)]
            self.changes += len(changes)
            self.lost += sum(entry.fault is not None for entry in changes)
        assert ended == status, printed.getvalue()
        return printed.getvalue()


@pytest.fixture
def kitchen(environment: pytest.MonkeyPatch, tmp_path: Path, weather: Weather) -> Iterator[Kitchen]:
    """A cloud with machines of different age, where `DataCenter()` leads to it."""
    cloud = Emulator(clock=VirtualClock(time.time() - MONTH))
    environment.chdir(tmp_path)
    environment.setattr(smartdc, "DataCenter", partial(DataCenter, **cloud.connection()))
    with DataCenter(**cloud.connection()) as dc:
        yield (kitchen := Kitchen(cloud, dc, weather))
    assert cloud.check_invariants() == []
    if weather.kind == CALM:
        assert kitchen.changes == weather.changes, "say in weathers() how many changes the script makes"
    if weather.number:
        assert kitchen.lost == 1, "nothing was lost"


def _status(script: Path) -> int:
    """Run a script in this process, and return its exit status."""
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def names_of(cloud: Emulator, state: str) -> list[str]:
    """Return the names of the machines in a state, when every job that is due has ended."""
    cloud.transitions.settle()
    return sorted(machine.name for machine in cloud.state.machines.values() if machine.state == state)


@weathers(0)
def test_machines_as_a_table(kitchen: Kitchen) -> None:
    """The one with the most memory is the first, in a table and in lines for a spreadsheet."""
    kitchen.cloud.populate(1, name="small", package="g1-nano")
    kitchen.cloud.populate(1, name="large", package="g1-large")
    kitchen.spoil()

    assert [line.split()[0] for line in kitchen.run("machines_as_table.py").splitlines()] == ["name", "large", "small"]
    assert kitchen.run("machines_as_table.py", "--csv").splitlines()[1].startswith("large,running,")


@weathers(20)
def test_twenty_machines_are_created_once(kitchen: Kitchen) -> None:
    """Each runs, and has its name; a second run with the same journal creates none."""
    kitchen.spoil()
    printed = kitchen.run("create_many.py", "web.journal")

    assert len(printed.splitlines()) == 20
    assert names_of(kitchen.cloud, "running") == [f"web-{n:02}" for n in range(1, 21)]
    with pytest.raises(SmartDCError, match="journal"):
        kitchen.run("create_many.py", "web.journal")
    assert len(kitchen.cloud.state.machines) == 20


@weathers(2)
def test_old_machines_are_stopped(kitchen: Kitchen) -> None:
    """Those with the tag that are old enough, and none without --really."""
    kitchen.cloud.populate(2, name="old-{n}", tags={"temporary": True})
    kitchen.cloud.populate(1, name="other")
    kitchen.cloud.clock.sleep(20 * 86_400)
    kitchen.cloud.populate(1, name="young", tags={"temporary": True})
    kitchen.spoil()

    assert kitchen.run("stop_old.py", "temporary", "14").count("would stop old-") == 2
    assert names_of(kitchen.cloud, "stopped") == []
    kitchen.run("stop_old.py", "temporary", "14", "--really")
    assert names_of(kitchen.cloud, "stopped") == ["old-0", "old-1"]


@weathers(2)
def test_snapshots_are_taken_every_night(kitchen: Kitchen) -> None:
    """Of the machines with the tag; after nine nights there are the newest seven, and those of others stay."""
    saved, other = (
        kitchen.dc.machine(kitchen.cloud.populate(1, name=name, tags=tags)[0].id)
        for name, tags in (("db", {"backup": "daily"}), ("web", {}))
    )
    saved.create_snapshot("nightly-by-hand", wait=True)
    for _ in range(8):
        kitchen.run("nightly_snapshots.py")
        kitchen.cloud.clock.sleep(86_400)
    first = min(snapshot.name for snapshot in saved.snapshots())
    kitchen.spoil()
    kitchen.run("nightly_snapshots.py")

    kitchen.cloud.faults.clear()
    kitchen.cloud.clock.sleep(600)
    names = {snapshot.name for snapshot in saved.snapshots()}
    assert "nightly-by-hand" in names
    assert len(names) == 8
    assert first not in names
    assert other.snapshots() == []


@weathers(3)
def test_a_rolling_resize_checks_each_machine(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every machine of the role is larger, and was asked whether it is back."""
    kitchen.cloud.populate(3, name="web-{n}", tags={"role": "web"})
    kitchen.cloud.populate(1, name="db", tags={"role": "db"})
    asked = []

    def urlopen(url: str, timeout: float) -> nullcontext[SimpleNamespace]:
        asked.append((url, timeout))
        return nullcontext(SimpleNamespace(status=200))

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    kitchen.spoil()
    kitchen.run("rolling_resize.py", "web", "g1-medium")

    kitchen.cloud.transitions.settle()
    memory = {machine.name: machine.memory for machine in kitchen.cloud.state.machines.values()}
    assert memory == {"web-0": 4096, "web-1": 4096, "web-2": 4096, "db": 1024}
    assert len({url for url, _ in asked}) == 3


@weathers(8)
def test_machines_are_replaced_by_those_of_another_image(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every machine of the role is a new one, and the old ones are kept."""
    old = {machine.id for machine in kitchen.cloud.populate(2, name="web-{n}", tags={"role": "web"})}
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: nullcontext(SimpleNamespace(status=200)))
    kitchen.spoil()
    printed = kitchen.run("replace_image.py", "web", "base-64-lts@24.4.1", "web.journal")

    assert printed.startswith("replace of 2 machines: 2 done, in ")
    assert names_of(kitchen.cloud, "running") == ["web-0", "web-1"]
    assert [name[:10] for name in names_of(kitchen.cloud, "stopped")] == ["web-0-old-", "web-1-old-"]
    assert {machine.id for machine in kitchen.cloud.state.machines.values() if machine.state == "stopped"} == old


@weathers(1)
def test_firewall_rules_are_copied(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were missing, once, and none that is about a single machine."""
    target = Emulator(seed=2, clock=kitchen.cloud.clock, public_key=kitchen.cloud.public_key)
    there = DataCenter(**{**kitchen.cloud.connection(), "adapter": EmulatorAdapter(target)})
    [machine] = kitchen.cloud.populate(1)
    web = "FROM any TO tag role = web ALLOW tcp PORT 80"
    for rule in (web, "FROM any TO all vms ALLOW icmp TYPE 8", f"FROM any TO vm {machine.id} ALLOW tcp PORT 22"):
        kitchen.dc.create_firewall_rule(rule, enabled=True, description="ours")
    there.create_firewall_rule(web, enabled=True, description="ours")
    clients = {"us-east": kitchen.dc, "us-west": there}
    monkeypatch.setattr(smartdc, "DataCenter", lambda profile: clients[profile])
    kitchen.spoil(kitchen.cloud, target)
    printed = kitchen.run("copy_firewall_rules.py", "us-east", "us-west")

    target.faults.clear()
    assert sorted(rule.rule for rule in there.firewall_rules()) == [
        "FROM any TO all vms ALLOW icmp TYPE 8",
        'FROM any TO tag "role" = "web" ALLOW tcp PORT 80',
    ]
    assert printed.count("skipped") == 1


@weathers(0)
def test_a_report_over_three_data_centres(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its line with the numbers of machines and their memory."""
    clouds = [
        kitchen.cloud,
        *(Emulator(seed=n, clock=kitchen.cloud.clock, public_key=kitchen.cloud.public_key) for n in (2, 3)),
    ]
    clients = {}
    for number, (name, cloud) in enumerate(zip(("east", "north", "west"), clouds, strict=True), 1):
        cloud.populate(number, package="g1-medium")
        clients[name] = DataCenter(**{**kitchen.cloud.connection(), "adapter": EmulatorAdapter(cloud)})
    kitchen.spoil(*clouds)
    monkeypatch.setattr(Cloud, "from_profiles", lambda **_: Cloud(clients))
    rows = [line.split() for line in kitchen.run("report_by_data_centre.py").splitlines()[1:]]

    assert rows == [["east", "1", "1", "4.0"], ["north", "2", "2", "8.0"], ["west", "3", "3", "12.0"]]


@weathers(1)
def test_a_machine_that_stops_is_started_again(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is always on runs again; the other one stays stopped."""
    always, other = (
        kitchen.cloud.populate(1, name=name, tags=tags)[0] for name, tags in (("on", {"always": "on"}), ("off", {}))
    )
    feeds = []

    def opened(
        dc: DataCenter, changefeed: Callable[..., Changefeed] = DataCenter.changefeed, **choice: Any
    ) -> Changefeed:
        feeds.append(changefeed(dc, **choice))
        for machine in (other, always):
            kitchen.dc.machine(machine.id).stop()
        if kitchen.weather.kind == THROTTLED:  # the cloud's clock stands still, and so would its throttle
            kitchen.cloud.faults.add(Fault("*", "throttled", times=3))
        else:
            kitchen.spoil()
        kitchen.cloud.clock.sleep(200)  # so that slow jobs end
        kitchen.cloud.changefeed.drop()
        return feeds[-1]

    def started(machine: Machine, start: Callable[[Machine], None] = Machine.start) -> None:
        feeds[-1].close()  # which ends the loop
        start(machine)

    monkeypatch.setattr(DataCenter, "changefeed", opened)
    monkeypatch.setattr(Machine, "start", started)
    with Server(kitchen.cloud) as server:
        arguments = {**kitchen.cloud.connection(server.url), "clock": SystemClock()}
        monkeypatch.setattr(smartdc, "DataCenter", partial(DataCenter, **arguments))
        printed = kitchen.run("react_to_changes.py", "60")

    assert "starting on\n" in printed
    kitchen.cloud.clock.sleep(600)
    assert names_of(kitchen.cloud, "stopped") == ["off"]


@pytest.fixture
def ssh(tmp_path: Path, environment: pytest.MonkeyPatch) -> Path:
    """A program ssh that writes down how it was called, and says so."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ssh"
    program.write_text('#!/bin/sh\necho "$@" >> "$0.log"\necho "said $*"\n')
    program.chmod(0o755)
    environment.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "ssh.log"


@weathers(0)
def test_a_command_runs_on_every_machine(kitchen: Kitchen, ssh: Path) -> None:
    """Those of the role that run, each at its own address."""
    machines = kitchen.cloud.populate(3, name="web-{n}", tags={"role": "web"})
    kitchen.cloud.populate(1, name="db", tags={"role": "db"})
    kitchen.cloud.populate(1, name="off", tags={"role": "web"}, state="stopped")
    kitchen.spoil()
    printed = kitchen.run("run_everywhere.py", "web", "uptime")

    assert [line.split()[0] for line in printed.splitlines()] == ["web-0", "web-1", "web-2"]
    assert ssh.read_text().count("uptime") == 3
    assert all(machine.nics[0].ip in ssh.read_text() for machine in machines)


@weathers(2)
def test_orphans_are_found_and_deleted(kitchen: Kitchen) -> None:
    """A volume without machines, and an image that none was made from; what is used stays."""
    kitchen.cloud.state.settings.volumes = True
    kitchen.dc.create_volume("orphan", wait=True)
    machine = kitchen.dc.create_machine("web-1", image="base-64-lts@24.4.1", package="g1-small", wait=True)
    machine.stop(wait=True)
    machine.create_image("unused", "1.0.0", wait=True)
    used = machine.create_image("used", "1.0.0", wait=True)
    kitchen.dc.create_machine("web-2", image=used, package="g1-small", wait=True)
    kitchen.spoil()
    printed = kitchen.run("find_orphans.py")
    assert [line.split()[:2] for line in printed.splitlines()] == [["Volume", "orphan"], ["Image", "unused"]]

    kitchen.run("find_orphans.py", "--delete")
    kitchen.cloud.transitions.policy = AfterSeconds(0)
    assert kitchen.dc.volumes() == []
    assert [image.name for image in kitchen.dc.images(owner=kitchen.dc.account().id)] == ["used"]


@weathers(0)
def test_no_volumes_are_no_failure(kitchen: Kitchen) -> None:
    """A data centre without volumes may have images without machines."""
    kitchen.spoil()

    assert kitchen.run("find_orphans.py") == ""


@weathers(0)
def test_failed_jobs_are_told(kitchen: Kitchen) -> None:
    """The one that failed lately, and who asked for it, and none that is older or that worked."""
    machine = kitchen.dc.machine(kitchen.cloud.populate(1, name="web-1")[0].id)
    for days in (20, 9.9):
        kitchen.cloud.transitions.fail("reboot", "the disk is full")
        with suppress(smartdc.WaitFailed):
            machine.reboot(wait=True)
        kitchen.cloud.clock.sleep(days * 86_400)
    kitchen.spoil()
    [line] = kitchen.run("failed_jobs.py", "10.5").splitlines()

    assert line.startswith("web-1: reboot failed at ")


@weathers(0)
def test_an_inventory_tells_what_has_changed(kitchen: Kitchen, tmp_path: Path) -> None:
    """What is new, what is gone, and what is different."""
    first, second = kitchen.cloud.populate(2, name="web-{n}")
    kitchen.spoil()
    assert kitchen.run("inventory.py", "machines.json").count("+ web-") == 2

    kitchen.cloud.faults.clear()
    kitchen.dc.machine(first.id).stop(wait=True)
    kitchen.dc.machine(second.id).delete(wait=True)
    kitchen.spoil()
    printed = kitchen.run("inventory.py", "machines.json")
    assert sorted(printed.splitlines()) == [f"- web-1 {second.id}", "~ web-0 state: running -> stopped"]
    assert list(json.loads((tmp_path / "machines.json").read_text())) == [first.id]


@weathers(1)
def test_a_machine_gets_its_cloud_config(kitchen: Kitchen) -> None:
    """There is one machine, and what cloud-init reads is in its metadata."""
    kitchen.spoil()
    kitchen.run("cloud_init.py", "web-1")

    [machine] = kitchen.cloud.state.machines.values()
    assert machine.metadata["cloud-init:user-data"].startswith("#cloud-config\n")
    assert machine.state == "running"


@weathers(3)
def test_asyncio_asks_for_several_things_at_once(kitchen: Kitchen) -> None:
    """The machines of the role have rebooted."""
    machines = kitchen.cloud.populate(3, name="web-{n}", tags={"role": "web"})
    kitchen.spoil()
    printed = kitchen.run("from_asyncio.py")

    assert printed.startswith("3 machines, ")
    assert "reboot of 3 machines: 3 done" in printed
    assert all("reboot" in [entry.action for entry in kitchen.dc.machine(each.id).audit()] for each in machines)


@weathers(0)
def test_pandas_sums_up(kitchen: Kitchen) -> None:
    """A line for each package, the largest sum first."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    kitchen.cloud.populate(3, name="small-{n}", package="g1-small")
    kitchen.cloud.populate(1, name="large", package="g1-large")
    kitchen.spoil()
    rows = [line.split()[:3] for line in kitchen.run("with_pandas.py").splitlines()[2:]]

    assert rows == [["g1-large", "1", "8.0"], ["g1-small", "3", "3.0"]]


@weathers(0)
def test_outdated_images_are_listed(kitchen: Kitchen) -> None:
    """A machine of an older version, and none of the newest."""
    old = kitchen.dc.create_machine("old", image="base-64-lts@23.4.0", package="g1-small", wait=True)
    kitchen.dc.create_machine("new", image="base-64-lts@24.4.1", package="g1-small", wait=True)
    kitchen.spoil()

    assert kitchen.run("outdated_images.py").splitlines() == [f"{old.name} has base-64-lts@23.4.0; newest: 24.4.1"]


@weathers(2)
def test_production_is_protected(kitchen: Kitchen) -> None:
    """Every machine with the tag, and no other."""
    kitchen.cloud.populate(2, name="live-{n}", tags={"env": "production"})
    kitchen.cloud.populate(1, name="test", tags={"env": "test"})
    kitchen.spoil()
    kitchen.run("protect.py")

    kitchen.cloud.transitions.settle()
    protected = {machine.name: machine.deletion_protection for machine in kitchen.cloud.state.machines.values()}
    assert protected == {"live-0": True, "live-1": True, "test": False}


@weathers(2)
def test_a_key_is_replaced(kitchen: Kitchen, tmp_path: Path) -> None:
    """The new one is there and the old one is gone, and the account could sign at every moment."""
    other = Emulator(seed=5)
    (tmp_path / "id_new").touch(0o600)
    (tmp_path / "id_new").write_text(other.private_key or "")
    (tmp_path / "id_new.pub").write_text(other.public_key)
    kitchen.dc.add_key("old", Emulator(seed=6).public_key)
    kitchen.spoil()
    kitchen.run("new_key.py", "old", "new", "id_new")

    keys = kitchen.dc.keys()
    assert {key.name for key in keys} == {"emulator", "new"}


@weathers(0)
def test_a_quota_is_watched(kitchen: Kitchen) -> None:
    """The sum, and who uses most."""
    kitchen.cloud.populate(2, name="a-{n}", package="g1-medium", tags={"owner": "ann"})
    kitchen.cloud.populate(1, name="b", package="g1-small")
    kitchen.spoil()

    assert kitchen.run("quota.py", "10").splitlines() == ["9.0 GiB of 10 GiB", "  ann: 8.0 GiB", "  nobody: 1.0 GiB"]
    kitchen.run("quota.py", "8", status=2)


@pytest.mark.parametrize("weather", [Weather("a job fails")], ids=str)
@pytest.mark.parametrize(
    ("action", "command"), [("stop", ("stop_old.py", "role", "0", "--really")), ("reboot", ("from_asyncio.py",))]
)
def test_one_failure_among_many_shows(kitchen: Kitchen, action: str, command: tuple[str, ...]) -> None:
    """The others are done, the reason is printed, and the exit status is not 0."""
    kitchen.cloud.populate(10, name="web-{n}", tags={"role": "web"})
    kitchen.cloud.clock.sleep(60)
    kitchen.cloud.transitions.fail(action, "the disk is full")
    printed = kitchen.run(*command, status=1)

    assert f"{action} of 10 machines: 9 done, 1 failed" in printed
    # Several are asked for at the same time, and the first that arrives fails.
    assert re.search(r"^(web-\d): machine \1 \(", printed, re.MULTILINE)
    assert f"its audit says that {action} failed at " in printed


def test_the_test_of_a_script_passes() -> None:
    """It is run as it is."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "smartdc.emulator.pytest_plugin",
        "-p",
        "no:cacheprovider",
    ]
    result = subprocess.run(
        [*command, str(COOKBOOK / "test_script.py"), "--rootdir", str(COOKBOOK)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "3 passed" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_shown_and_tested(script: str) -> None:
    """A script that is on no page is found by nobody."""
    shown = [page for page in PAGES if f"{{literalinclude}} {script}\n" in page.read_text(encoding="utf-8")]

    assert shown, f"show docs/cookbook/{script} on a page of the cookbook"
    assert f'"{script}"' in Path(__file__).read_text(encoding="utf-8"), f"test docs/cookbook/{script} here"
