"""Programs in the manner of those that people built on py-smartdc 0.2 run as they would have been written for Python 3.

An inventory and a module of Ansible, deployers run by Fabric, and a driver of Clusto: what they do is theirs, and they
reach the library only by the names and habits of 2013, positional arguments and dicts included.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from kits.cloud import account
from smartdc import DataCenter
from smartdc.emulator import Emulator, Fault, Server, WallClock
from smartdc.machine import Machine

Connect = Callable[[], DataCenter]


@pytest.fixture
def cloud() -> Emulator:
    """An emulated cloud that goes by the real time, as scripts do; its jobs end at once."""
    return Emulator(clock=WallClock())


@pytest.fixture
def connect(cloud: Emulator, tmp_path: Path) -> Iterator[Connect]:
    """What a program calls to get at the cloud, with a location of its own and the file of a key."""
    secret = tmp_path / "id_rsa"
    secret.touch(0o600)
    secret.write_text(str(cloud.private_key))
    with Server(cloud) as server:
        places = {"office": server.url}
        yield lambda: DataCenter("office", cloud.key_id, str(secret), known_locations=places, verbose=False)


# An inventory for Ansible


def inventory(sdc: DataCenter) -> dict[str, Any]:
    """Group all machines by state, package, image and every tag, with facts for each host."""
    groups: dict[str, list[str]] = defaultdict(list)
    facts: dict[str, dict[str, Any]] = {}
    images = {image["id"]: image for image in sdc.images()}
    for machine in sdc.machines():
        if not machine.public_ips:
            continue
        host = machine.public_ips[0]
        groups[machine.state].append(host)
        groups[machine.type].append(host)
        groups[re.sub(r"[^a-z0-9]", "_", images[machine.dataset]["name"])].append(host)
        for key, value in machine.get_tags().items():
            groups[f"tag_{key}_{value}"].append(host)
        facts[host] = {
            "sdc_id": machine.id,
            "sdc_name": machine.name,
            "sdc_memory": machine.memory,
            "sdc_created": machine.created.strftime("%Y-%m-%d"),
            "ansible_ssh_host": host,
        }
        facts[host].update(("sdc_meta_" + key, value) for key, value in machine.metadata.items())
    return {**groups, "_meta": {"hostvars": facts}}


def test_inventory(cloud: Emulator, connect: Connect) -> None:
    """An inventory is JSON, has a group for every tag, and the facts of every host."""
    cloud.populate(2, name="web-{n}", tags={"role": "web", "tier": 1}, metadata={"owner": "bob", "user-script": "x"})
    cloud.populate(1, name="db", image="debian-12", state="stopped", tags={"role": "db", "live": False})

    told = json.loads(json.dumps(inventory(connect()), indent=2))

    sizes = {group: len(hosts) for group, hosts in told.items() if group != "_meta"}
    assert sizes == {
        "running": 2, "stopped": 1, "smartmachine": 3, "base_64_lts": 2, "debian_12": 1,
        "tag_role_web": 2, "tag_tier_1": 2, "tag_role_db": 1, "tag_live_False": 1,
    }  # fmt: skip
    hosts = told["_meta"]["hostvars"]
    assert sorted(fact["sdc_name"] for fact in hosts.values()) == ["db", "web-0", "web-1"]
    web = hosts[told["tag_role_web"][0]]
    assert (web["sdc_meta_owner"], web["sdc_memory"]) == ("bob", 1024)
    assert not any("script" in key for key in web)


# A module for Ansible


class Module:
    """What an Ansible module is given, and what it says when it is through."""

    def __init__(self, sdc: DataCenter, **params: Any) -> None:
        self.sdc, self.params = sdc, params

    def run(self) -> dict[str, Any]:
        """Ensure that the machine is there, or that it is not, and tell whether anything was changed."""
        try:
            found = self.sdc.machines(name=self.params["name"])
            return self._absent(found) if self.params["state"] == "absent" else self._present(found)
        except requests.HTTPError as error:
            return {"failed": True, "status": error.response.status_code, "msg": str(error)}

    def _present(self, found: list[Machine]) -> dict[str, Any]:
        if found:
            return {"changed": self._started(found[0]) or self._resized(found[0]), "id": found[0].id}
        package = [p for p in self.sdc.packages() if p["name"] == self.params["package"]]
        dataset = sorted(self.sdc.images(self.params["image"]), key=lambda image: image["version"])[-1]  # noqa: FURB192 (in their manner)
        machine = self.sdc.create_machine(
            self.params["name"], package[0] if package else self.params["package"], dataset,
            self.params.get("metadata"), self.params.get("tags"), self.params.get("boot_script"),
        )  # fmt: skip
        machine.poll_until("running", 1)
        return {"changed": True, "id": machine.id, "ips": list(machine.ips)}

    def _started(self, machine: Machine) -> bool:
        if machine.state == "running":
            return False
        machine.start()
        machine.poll_while("stopped", interval=1)
        return True

    def _resized(self, machine: Machine) -> bool:
        package = self.sdc.package(self.params["package"])
        if machine.memory == package["memory"]:
            return False
        machine.resize(package)
        return True

    def _absent(self, found: list[Machine]) -> dict[str, Any]:
        for machine in found:
            machine.stop()
            machine.poll_until("stopped", 1)
            machine.delete()
        return {"changed": bool(found)}


def test_module_makes_a_machine_once(cloud: Emulator, connect: Connect, tmp_path: Path) -> None:
    """A machine that is to be present is made at the first run, and left alone at the next."""
    script = tmp_path / "boot.sh"
    script.write_text("#!/bin/sh\n")
    wanted = {"name": "web", "state": "present", "image": "base-64-lts", "package": "g1-small"}
    more = {"metadata": {"owner": "bob"}, "tags": {"role": "web"}, "boot_script": str(script)}

    first = Module(connect(), **wanted, **more).run()
    second = Module(connect(), **wanted).run()

    assert (first["changed"], second) == (True, {"changed": False, "id": first["id"]})
    [there] = cloud.state.machines.values()
    assert (there.metadata["owner"], there.metadata["user-script"]) == ("bob", "#!/bin/sh\n")
    assert there.tags["role"] == "web"
    assert first["ips"] == [nic.ip for nic in there.nics]


def test_module_changes_a_machine(cloud: Emulator, connect: Connect) -> None:
    """One that is stopped is started, and one of another package is resized."""
    cloud.populate(1, name="web", state="stopped")
    wanted = {"name": "web", "state": "present", "image": "base-64-lts"}

    runs = [Module(connect(), **wanted, package=package).run() for package in ("g1-small", "g1-medium", "g1-medium")]

    assert [run["changed"] for run in runs] == [True, True, False]
    [machine] = connect().machines()
    assert (machine.state, machine.memory) == ("running", 4096)


def test_module_removes_a_machine(cloud: Emulator, connect: Connect) -> None:
    """What is to be absent is stopped and deleted, and then there is nothing to do."""
    cloud.populate(1, name="web")

    runs = [Module(connect(), name="web", state="absent").run() for _ in range(2)]

    assert runs == [{"changed": True}, {"changed": False}]
    assert connect().num_machines() == 0


def test_module_fails_in_words(cloud: Emulator, connect: Connect) -> None:
    """What the server refuses comes with its status and its reason."""
    wanted = {"state": "present", "image": "base-64-lts", "package": "g1-small"}
    nothing = Module(connect(), name="a b", **wanted).run()
    unknown = Module(connect(), name="web", **{**wanted, "package": "no-such"}).run()
    cloud.faults.add(Fault("ListMachines", status=403, code="NotAuthorized", message="not you"))
    forbidden = Module(connect(), name="web", **wanted).run()

    assert (nothing["status"], "alias" in nothing["msg"]) == (409, True)
    assert (unknown["status"], "no-such" in unknown["msg"]) == (409, True)
    assert (forbidden["status"], "not you" in forbidden["msg"]) == (403, True)


# Deployers in the manner of Fabric


class Deployer:
    """Tasks that share a connection and what is deployed, as a fabfile shares its `env`."""

    def __init__(self, sdc: DataCenter) -> None:
        self.sdc = sdc
        self.machines: list[Machine] = []

    def newest(self, expression: str) -> Any:
        """Take the dataset of the highest URN among those that an expression finds."""
        found = self.sdc.datasets(expression)
        return sorted(found, key=lambda dataset: dataset.get("urn", f"{dataset['name']}:{dataset['version']}"))[-1]  # noqa: FURB192 (the same)

    def provision(self, count: int, expression: str, package: str) -> None:
        """Make machines of the newest dataset, tagged by the day."""
        dataset = self.newest(expression)
        today = dt.datetime.now(dt.UTC).date().isoformat()
        for number in range(count):
            self.machines.append(
                self.sdc.create_machine(
                    name=f"app-{number}", dataset=dataset, package=package, tags={"app": "shop", "day": today}
                )
            )
        for machine in self.machines:
            machine.poll_until("running")

    @property
    def hosts(self) -> list[str]:
        """Name the machines as Fabric names hosts."""
        return ["root@" + ip for machine in self.machines for ip in machine.public_ips]

    def backup(self) -> list[str]:
        """Take a snapshot of each, under a name of the day."""
        for machine in self.machines:
            machine.create_snapshot("before-deploy")
        return [snapshot.status() for machine in self.machines for snapshot in machine.snapshots()]

    def rollback(self) -> None:
        """Go back to the snapshot, and take it away."""
        for machine in self.machines:
            machine.stop()
            machine.poll_until("stopped")
            machine.start_from_snapshot("before-deploy").poll_until("running")
            machine.snapshot("before-deploy").delete()

    def teardown(self) -> None:
        """Stop and delete all that bears the tag, also what an earlier run left."""
        for machine in self.sdc.machines(tags={"app": "shop"}):
            if machine.status() != "stopped":
                machine.stop()
                machine.poll_while("running")
            machine.delete()


@pytest.mark.filterwarnings("ignore:datasets are called images now:DeprecationWarning")
def test_deployer(cloud: Emulator, connect: Connect) -> None:
    """Machines of the newest dataset are made, backed up, rolled back and torn down."""
    cloud.populate(1, name="left-over", tags={"app": "shop"})
    cloud.populate(1, name="mine")
    deployer = Deployer(connect())

    deployer.provision(2, "^base-", "g1-nano")
    states = deployer.backup()
    deployer.rollback()
    running = [machine.status() for machine in deployer.machines]
    hosts = deployer.hosts
    deployer.teardown()

    assert {machine.dataset for machine in deployer.machines} == {deployer.newest("^base-64.*")["id"]}
    assert deployer.newest("base-64")["version"] == "24.4.1"
    assert (states, running) == (["created"] * 2, ["running"] * 2)
    assert len(hosts) == 2
    assert [machine.name for machine in connect().machines()] == ["mine"]


# A driver for Clusto


class ClustoDriver:
    """A database of servers that keeps up with the cloud, in attributes of text, number or time."""

    def __init__(self, connection: DataCenter) -> None:
        self.connection = connection
        self.attributes: dict[tuple[str, str], Any] = {}
        self.owner: dict[str, Any] = {}

    def authenticate(self) -> str:
        """Remember who owns all this, with a word of one's own."""
        me = dict(self.connection.me())
        me.update(seen=True)
        self.owner = me
        return str(self.owner["login"])

    def sync(self) -> None:
        """Write down every machine as the cloud has it."""
        self.attributes.clear()
        for machine in self.connection.machines(tombstone=None, limit=100):
            for name in ("name", "type", "state", "dataset", "memory", "disk", "ips", "created", "updated"):
                self.attributes[machine.id, name] = getattr(machine, name)
            raw = self.connection.raw_machine_data(machine.id)
            self.attributes[machine.id, "package"] = raw.get("package", "")
            for key, value in machine.get_metadata().items():
                self.attributes[machine.id, f"metadata_{key}"] = value

    def query(self, name: str) -> list[Any]:
        """Return the values that machines have for an attribute."""
        return [value for (_, key), value in sorted(self.attributes.items()) if key == name]

    def power_off(self, name: str) -> str:
        """Stop a machine that is known by its name, and note how it is."""
        machine_id = next(key for (key, label), value in self.attributes.items() if (label, value) == ("name", name))
        machine = self.connection.machine(machine_id)
        machine.stop()
        machine.poll_until("stopped")
        machine.update_metadata(powered_off_by=self.owner["login"])
        self.attributes[machine_id, "state"] = machine.state
        return str(machine.get_metadata()["powered_off_by"])


def test_clusto_driver(cloud: Emulator, connect: Connect) -> None:
    """A driver knows its owner, changes what it knows on this side only, and follows the machines."""
    cloud.populate(2, name="node-{n}", metadata={"rack": "r1"})
    driver = ClustoDriver(connect())

    login = driver.authenticate()
    driver.sync()
    stopped_by = driver.power_off("node-1")

    assert (login, stopped_by) == ("demo", "demo")
    assert driver.owner["seen"] is True
    assert "seen" not in connect().me()
    assert account(cloud).login == "demo"
    assert sorted(driver.query("state")) == ["running", "stopped"]
    assert driver.query("metadata_rack") == ["r1", "r1"]
    assert driver.query("package") == ["g1-small", "g1-small"]
    assert all(isinstance(moment, dt.datetime) for moment in driver.query("created"))
    assert connect().machine(driver.connection.machines(name="node-1")[0]).metadata["powered_off_by"] == "demo"


def test_clusto_driver_over_several_places(connect: Connect) -> None:
    """One driver for each data centre that the cloud knows, with the credentials of the first."""
    first = connect()
    places = {name: first.datacenter(name) for name in sorted(first.datacenters())}
    assert {name: place.login for name, place in places.items()} == dict.fromkeys(first.datacenters(), first.login)
    assert all(place.auth is first.auth for place in places.values())
    assert len({place.base_url for place in places.values()}) == len(places)
