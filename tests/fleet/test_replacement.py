"""A machine is replaced by one like it, and the old one is kept until whoever asked says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from smartdc import DataCenter, Fleet, FleetFailed, InputError, ServerError, WaitTimeout
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.records import MachineRecord

WEB = {"role": "web", "triton.cns.services": "web", "smartdc_token": "t0123456789"}
IMAGE = "base-64-lts@24.4.1"
LOSING = {"data"}


@pytest.fixture
def old(cloud: Emulator) -> list[MachineRecord]:
    """Two running machines, of which there is much to be taken along."""
    machines = cloud.populate(2, name="web-{n}")
    for machine in machines:
        machine.tags, machine.metadata = dict(WEB), {"user-script": "echo hello", "colour": "green"}
        machine.firewall_enabled = True
    return machines


@pytest.fixture
def fleet(dc: DataCenter, old: list[MachineRecord]) -> Fleet:
    """The fleet of the two machines."""
    assert len(old) == 2
    return dc.fleet(tags={"role": "web"})


def named(cloud: Emulator) -> dict[str, str]:
    """Return the state of every machine that is there, by its name."""
    return {machine.name: machine.state for machine in cloud.state.machines.values() if machine.state != "deleted"}


def changes(cloud: Emulator) -> list[str]:
    """List the operations that changed something."""
    return [str(entry.operation) for entry in cloud.trace if entry.method != "GET"]


def test_the_new_machine_takes_the_name_and_the_old_one_stays(
    cloud: Emulator, fleet: Fleet, old: list[MachineRecord]
) -> None:
    """``CreateMachine``, ``RenameMachine``, ``StopMachine``: what is taken along is that of the old machine."""
    report = fleet.replace(IMAGE, losing=LOSING)

    assert [machine.name for machine in report] == ["web-0", "web-1"]
    assert not {machine.id for machine in report} & {machine.id for machine in old}
    assert named(cloud) == {
        "web-0": "running",
        "web-1": "running",
        f"web-0-old-{old[0].id[:8]}": "stopped",
        f"web-1-old-{old[1].id[:8]}": "stopped",
    }
    for new, before in zip(report, old, strict=True):
        new.refresh()
        assert new.tags == {"role": "web"}
        assert new.token != WEB["smartdc_token"]
        assert new.get_metadata() == {"user-script": "echo hello", "colour": "green"} | {
            key: value for key, value in new.get_metadata().items() if key == "root_authorized_keys"
        }
        assert new.firewall_enabled
        assert new.networks == [nic.network for nic in before.nics]
        assert cloud.state.images[str(new.image)].name == "base-64-lts"


def test_the_old_machine_is_touched_only_when_the_new_one_is_healthy(
    cloud: Emulator, fleet: Fleet, old: list[MachineRecord]
) -> None:
    """A new machine that does not do its work takes nobody's place, and the rest is left alone."""
    with pytest.raises(FleetFailed, match="not healthy in time: the last check said no") as error:
        fleet.replace(IMAGE, losing=LOSING, delete_old=True, healthy=lambda _: False, timeout=60)

    [(unhealthy, reason)] = error.value.report.failed.items()
    assert isinstance(reason, WaitTimeout)
    assert error.value.report.untouched
    assert named(cloud) == {"web-0": "running", "web-1": "running", f"web-0-new-{old[0].id[:8]}": "running"}
    assert str(unhealthy) not in {machine.id for machine in old}
    assert changes(cloud) == ["CreateMachine"]


def test_the_old_machine_is_deleted_on_demand(cloud: Emulator, fleet: Fleet) -> None:
    """``DeleteMachine``: what is left are the new machines."""
    fleet.replace(IMAGE, losing=LOSING, delete_old=True, healthy=lambda machine: machine.state == "running", expect=2)

    assert named(cloud) == {"web-0": "running", "web-1": "running"}


def test_what_an_old_machine_lacks_is_not_made_up(cloud: Emulator, fleet: Fleet, old: list[MachineRecord]) -> None:
    """``CreateMachine``: neither networks nor brand; the rest of the settings is that of the old machine."""
    old[0].nics.clear()
    old[0].firewall_enabled = False
    old[1].deletion_protection = old[1].delegate_dataset = True
    old[1].brand = "bhyve"
    fleet.replace(IMAGE, losing={"data", "dataset"}, check=False)  # no image fits such a machine
    plain, special = [entry.body for entry in cloud.trace if entry.operation == "CreateMachine"]
    assert {"networks", "brand", "deletion_protection", "delegate_dataset"}.isdisjoint(plain)
    assert plain["firewall_enabled"] is False
    assert special["networks"] == [nic.network for nic in old[1].nics]
    assert (special["brand"], special["deletion_protection"], special["delegate_dataset"]) == ("bhyve", True, True)


@pytest.mark.parametrize(
    ("status", "code", "words"), [(500, "InternalError", "InternalError"), (404, "ResourceNotFound", "")]
)
def test_an_address_that_cannot_be_looked_up_may_be_reserved(
    cloud: Emulator, fleet: Fleet, status: int, code: str, words: str
) -> None:
    """``GetNetworkIP``: nothing is done after an error of the server; a network that all share has no such addresses."""
    cloud.faults.add(Fault("GetNetworkIP", status=status, code=code, times=None))
    if words:
        with pytest.raises(ServerError, match=words):
            fleet.replace(IMAGE, losing=LOSING)
        assert not changes(cloud)
    else:
        assert len(fleet.replace(IMAGE, losing=LOSING).done) == 2


def test_a_new_machine_may_have_another_package(cloud: Emulator, fleet: Fleet, old: list[MachineRecord]) -> None:
    """``CreateMachine``: `package`, or that of the old machine."""
    [machine] = [*fleet.datacenter.fleet(name="web-0").replace(IMAGE, "g1-medium", LOSING)]
    assert machine.refresh().package == "g1-medium"
    [machine] = [*fleet.datacenter.fleet(name="web-1").replace(IMAGE, losing=LOSING)]
    assert machine.refresh().package == cloud.state.packages[old[1].package].name


def test_a_stopped_machine_is_not_stopped_again(cloud: Emulator, fleet: Fleet, old: list[MachineRecord]) -> None:
    """``StopMachine``: the old machine stays as it is."""
    old[0].state = "stopped"
    assert [machine.state for machine in fleet.replace(IMAGE, losing=LOSING)] == ["running"] * 2
    assert [entry.operation for entry in cloud.trace].count("StopMachine") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"no data of the old one's disks is copied; give losing=\{'data'\}"),
        ({"losing": ()}, "no data of the old one's disks is copied"),
        ({"losing": {"everything"}}, "losing takes data, dataset, addresses, got everything"),
        ({"losing": LOSING, "delete_old": True}, "delete_old needs healthy="),
    ],
)
def test_what_would_lose_something_is_refused(
    cloud: Emulator, fleet: Fleet, options: dict[str, Any], words: str
) -> None:
    """Before a byte is sent."""
    with pytest.raises(InputError, match=words):
        fleet.replace(IMAGE, **options)
    assert not cloud.trace


def test_another_number_of_machines_is_refused(cloud: Emulator, fleet: Fleet) -> None:
    """``expect`` counts before anything is changed."""
    with pytest.raises(InputError, match="expected 3 machines, but 2 are selected"):
        fleet.replace(IMAGE, losing=LOSING, expect=3)
    assert not changes(cloud)


def test_a_machine_that_is_deleted_is_refused(cloud: Emulator, dc: DataCenter, fleet: Fleet) -> None:
    """``CreateMachine``: no new machine is made in the place of nothing."""
    machines = fleet.machines()
    machines[1].delete(wait=True)
    before = len(changes(cloud))
    with pytest.raises(InputError, match="is deleted, and there is nothing to replace: nothing was done"):
        dc.fleet(machines).replace(IMAGE, losing=LOSING)
    assert len(changes(cloud)) == before


def test_what_cannot_be_taken_along_is_named_before_anything_is_done(
    cloud: Emulator, fleet: Fleet, old: list[MachineRecord]
) -> None:
    """``ListNics``, ``GetNetworkIP``: a delegated dataset, a reserved address and deletion protection of the last machine."""
    last = old[1]
    last.delegate_dataset = True
    with pytest.raises(InputError, match=r"web-1 .* has its delegated dataset, which is not copied: nothing was done"):
        fleet.replace(IMAGE, losing=LOSING)

    nic = fleet.datacenter.machine(last.id).add_nic("My-Fabric-Network", wait=True)
    fleet.datacenter.network("My-Fabric-Network").ip(str(nic.ip)).update(reserved=True)
    before = changes(cloud)
    with pytest.raises(InputError, match=r"web-1 .* has an address that is reserved for it"):
        fleet.replace(IMAGE, losing={"data", "dataset"})

    last.deletion_protection = True
    losing = {"data", "dataset", "addresses"}
    with pytest.raises(InputError, match=r"web-1 .* has deletion protection"):
        fleet.replace(IMAGE, losing=losing, delete_old=True, healthy=bool)
    assert changes(cloud) == before
