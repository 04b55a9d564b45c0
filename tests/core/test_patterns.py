"""Listings by patterns and regular expressions, of every noun that has names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import pytest

from kits.cloud import package_id, query
from smartdc import DataCenter, InputError, Machine, WaitFailed
from smartdc.emulator import AfterSeconds, Emulator

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}"


@pytest.fixture
def fleet(dc: DataCenter, cloud: Emulator) -> DataCenter:
    """A data centre with three machines: web-1 and web-10 of one package, db-1 of another."""
    for name, package in (("web-1", "g1-small"), ("web-10", "g1-small"), ("db-1", "g1-medium")):
        dc.create_machine(name, package, image="minimal-64-lts")
    cloud.trace.clear()
    return dc


def names(things: Iterable[Any]) -> list[str]:
    """Return the names of things, in order."""
    return sorted(thing.name for thing in things)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"name": "web-*"}, ["web-1", "web-10"]),
        ({"name": "web-?"}, ["web-1"]),
        ({"name": "*-1"}, ["db-1", "web-1"]),
        ({"name": "web-1"}, ["web-1"]),
        ({"name": "x*"}, []),
        ({"package": "g1-small"}, ["web-1", "web-10"]),
        ({"package": "g1-*"}, ["db-1", "web-1", "web-10"]),
        ({"package": "g1-small", "name": "*0"}, ["web-10"]),
        ({"search": "^DB"}, ["db-1"]),
        ({"search": "medium", "fields": ("package",)}, ["db-1"]),
        ({"name": "*", "search": "1$"}, ["db-1", "web-1"]),
    ],
    ids=str,
)
def test_machines(fleet: DataCenter, given: dict[str, Any], found: list[str]) -> None:
    """``ListMachines``, its count and its iterator agree on what fits."""
    assert names(fleet.machines(**given)) == found
    assert fleet.num_machines(**given) == len(found)
    assert names(fleet.iter_machines(**given)) == found


def test_machines_of_a_package_by_its_id(fleet: DataCenter, cloud: Emulator) -> None:
    """An id, a part of it, and the package itself mean its name, which is all that machines show."""
    medium = package_id(cloud, "g1-medium")
    for package in (medium, medium[:8], fleet.package("g1-medium")):
        assert names(fleet.machines(package=package)) == ["db-1"]


def test_the_server_is_asked_for_the_beginning(fleet: DataCenter, cloud: Emulator) -> None:
    """What comes before the first ``*`` limits what is sent over the network."""
    fleet.machines(name="web-*0")
    assert query(cloud, "ListMachines")["name"] == "web-"


def test_iteration_is_lazy(dc: DataCenter, cloud: Emulator) -> None:
    """Nothing is asked for before the first machine is wanted, and no more pages than are needed."""
    cloud.populate(50)
    cloud.trace.clear()
    machines = dc.iter_machines(limit=10)
    assert not len(cloud.trace)
    assert len(list(islice(machines, 10))) == 10
    assert len(cloud.trace) == 1
    assert len({machine.id for machine in machines}) == 40


def test_iteration_says_that_the_list_has_changed(
    dc: DataCenter, cloud: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Machines that vanish meanwhile may hide others: that is logged, and no machine comes twice."""
    cloud.populate(30)
    machines = dc.iter_machines(limit=10)
    first = list(islice(machines, 10))
    for machine in first:
        del cloud.state.machines[machine.id]
    with caplog.at_level(logging.WARNING, "smartdc"):
        rest = list(machines)
    assert not {machine.id for machine in first} & {machine.id for machine in rest}
    assert "entries may have been missed" in caplog.text


LISTINGS: dict[str, Callable[[DataCenter], tuple[Iterable[Any], str]]] = {
    "images": lambda dc: (dc.images(name="base-64-*"), "base-64-lts"),
    "images, in the middle": lambda dc: (dc.images(name="*64*"), "base-64-lts"),
    "packages": lambda dc: (dc.packages(name="g1-*"), "g1-small"),
    "packages, one": lambda dc: (dc.packages(name="g1-smal?"), "g1-small"),
    "networks": lambda dc: (dc.networks(name="ext*"), "external"),
}


@pytest.mark.parametrize("listing", LISTINGS)
def test_what_there_is(dc: DataCenter, listing: str) -> None:
    """What the operator offers can be listed by patterns."""
    found, name = LISTINGS[listing](dc)
    assert name in {thing.name for thing in found}
    assert all(thing.name.startswith(name[:2]) or "64" in thing.name for thing in found)


def test_what_the_account_has(dc: DataCenter, cloud: Emulator, machine: Machine) -> None:
    """Volumes, roles, policies, users, snapshots and VLANs too."""
    cloud.state.settings.volumes = True
    for name in ("data-1", "logs-1"):
        dc.create_volume(name, wait=True)
        dc.create_role(name)
        dc.create_policy(name, "CAN listmachines")
        dc.create_user(name.replace("-", ""), f"{name}@example.com", "secret123")
        machine.create_snapshot(name, wait=True)
    dc.create_vlan(7, "data-1")
    for list_them in (dc.volumes, dc.roles, dc.policies, machine.snapshots, dc.vlans):
        assert names(list_them(name="data-*")) == names(list_them(search="^DATA")) == ["data-1"]
        assert names(list_them(name="x*")) == []
    assert [user.login for user in dc.users(login="logs?")] == ["logs1"]
    assert [volume.name for volume in dc.volumes(name="d*a-?")] == ["data-1"]


def test_several_states(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """A wait for several states ends with the first of them."""
    cloud.transitions.policy = AfterSeconds(30)
    machine.stop()
    machine.poll_until(["failed", "stopped"])
    assert machine["state"] == "stopped"
    machine.start()
    machine.poll_while(("stopped", "provisioning"))
    assert machine["state"] == "running"
    machine.stop()
    assert dc.wait_for([machine], {"stopped", "deleted"}).arrived == [machine]
    machine.delete(wait=True)
    with pytest.raises(WaitFailed, match="cannot become running or stopped: it is deleted"):
        machine.poll_until(["running", "stopped"])


@pytest.mark.parametrize("states", [[], ["running", "up"], [""], None])
def test_states_that_are_none(machine: Machine, cloud: Emulator, states: Any) -> None:
    """Every one of several states has to exist, and there must be one."""
    before = len(cloud.trace)
    with pytest.raises(InputError, match="state"):
        machine.poll_until(states)
    assert len(cloud.trace) == before
