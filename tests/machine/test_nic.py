"""Network interfaces of a machine: listing, adding and removing them, and waiting for the job."""

from __future__ import annotations

from typing import Any

import pytest

from kits.cloud import network_id, record, sent
from smartdc import (
    DataCenter,
    InputError,
    InvalidArgument,
    InvalidParameters,
    Machine,
    MachineNotReady,
    MissingParameter,
    Network,
    Nic,
    NotAuthorized,
    OutOfAddresses,
    Redirected,
    ResourceNotFound,
    ServerError,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import ByScript, Emulator, Fault
from smartdc.emulator.state.transitions import AfterReads, AfterSeconds

UNKNOWN = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"
FABRIC = "My-Fabric-Network"


@pytest.fixture
def nic(machine: Machine) -> Nic:
    """The interface that the machine has from the beginning, on the network external."""
    return machine.nics()[0]


@pytest.fixture
def pool(cloud: Emulator) -> str:
    """The id of a pool with two networks of which each has one address to give."""
    made = cloud.state.add_pool("pool", "10.99.0.0/29", "10.99.1.0/29")
    for member in made.members:
        network = cloud.state.networks[member]
        network.end = str(network.first)
    return made.id


def macs(cloud: Emulator, machine: Machine) -> list[str]:
    """Return the MAC addresses that the server has of a machine when all is done."""
    return [nic.mac for nic in record(cloud, machine).nics]


def operations(cloud: Emulator, before: int) -> list[str | None]:
    """Return what was asked for since the trace had this length."""
    return cloud.trace.operations()[before:]


# Reading


def test_nics(machine: Machine, cloud: Emulator) -> None:
    """``ListNics`` gives the interfaces as resources of the machine."""
    [nic] = machine.nics()
    [there] = record(cloud, machine).nics
    assert sent(cloud, "ListNics") == ("GET", f"{machine.path}/nics", {})
    assert (nic.mac, nic.ip, nic.network) == (there.mac, there.ip, network_id(cloud, "external"))
    assert (nic.netmask, nic.gateway, nic.primary, nic.state) == ("255.255.0.0", "198.18.0.1", True, "running")
    assert nic.machine is machine


def test_nics_are_counted(dc: DataCenter, machine: Machine) -> None:
    """``ListNics`` tells in a header how many there are."""
    _, response = dc.request("GET", f"{machine.path}/nics")
    assert response.headers["x-resource-count"] == "1"
    assert "x-query-limit" not in response.headers


def test_num_nics(machine: Machine, cloud: Emulator) -> None:
    """``HeadNics`` counts them."""
    assert machine.num_nics() == 1
    assert sent(cloud, "HeadNics") == ("HEAD", f"{machine.path}/nics", {})
    machine.add_nic("internal", wait=True)
    assert machine.num_nics() == 2


def test_raw_nics_stay_reachable(machine: Machine, cloud: Emulator) -> None:
    """What ``GetMachine`` told of the interfaces is in the machine's mapping, and costs no request."""
    before = len(cloud.trace)
    assert [nic["mac"] for nic in machine["nics"]] == macs(cloud, machine)
    assert len(cloud.trace) == before


@pytest.mark.parametrize("form", ["colons", "dashes", "plain", "capitals", "dict", "resource"])
def test_nic(machine: Machine, nic: Nic, cloud: Emulator, form: str) -> None:
    """``GetNic`` gives one interface; the MAC address in the path has no colons."""
    bare = nic.mac.replace(":", "")
    given: Any = {
        "colons": nic.mac,
        "dashes": nic.mac.replace(":", "-"),
        "plain": bare,
        "capitals": nic.mac.upper(),
        "dict": {"mac": nic.mac},
        "resource": nic,
    }[form]
    assert machine.nic(given) == nic
    assert sent(cloud, "GetNic") == ("GET", f"{machine.path}/nics/{bare}", {})


@pytest.mark.parametrize("mac", ["", "90:b8:d0", "90:b8:d0:00:00:0g", "90:b8:d0:00:00:01:02", "../x"])
def test_a_mac_address_that_is_none(machine: Machine, cloud: Emulator, mac: str) -> None:
    """What is no MAC address is refused before ``GetNic`` is sent."""
    before = len(cloud.trace)
    with pytest.raises(InputError):
        machine.nic(mac)
    assert len(cloud.trace) == before


def test_nic_of_another_machine(machine: Machine, cloud: Emulator) -> None:
    """``GetNic`` looks at the owner alone, so that the interfaces of all machines are found at each."""
    [other] = cloud.populate(1, name="web-2")
    assert machine.nic(other.nics[0].mac).ip == other.nics[0].ip


def test_nic_of_another_account(machine: Machine, cloud: Emulator) -> None:
    """``GetNic`` does not find what others have."""
    [other] = cloud.populate(1, account=cloud.state.add_account("other"))
    with pytest.raises(ResourceNotFound):
        machine.nic(other.nics[0].mac)


def test_mac_in_the_path_is_checked(dc: DataCenter, machine: Machine) -> None:
    """``GetNic`` and ``RemoveNic`` refuse a path without twelve digits."""
    for method in ("GET", "DELETE"):
        with pytest.raises(InvalidArgument, match="mac has invalid format"):
            dc.request(method, f"{machine.path}/nics/90b8d0")


def test_constructor_fetches_by_mac(machine: Machine, nic: Nic, cloud: Emulator) -> None:
    """An interface made from a MAC address asks for itself: ``GetNic``."""
    before = len(cloud.trace)
    assert Nic(machine, nic.mac).ip == nic.ip
    assert operations(cloud, before) == ["GetNic"]


def test_a_stopped_machine_has_stopped_nics(machine: Machine, nic: Nic) -> None:
    """``GetNic`` tells whether the machine is up."""
    machine.stop(wait=True)
    assert nic.status() == "stopped"


def test_a_deleted_machine_has_no_nics(machine: Machine) -> None:
    """``ListNics`` finds nothing once the machine is gone."""
    machine.delete(wait=True)
    assert machine.nics() == []


def test_nics_are_equal_however_the_mac_is_written(machine: Machine) -> None:
    """Two interfaces are the same one when their addresses are."""
    first, second = (Nic(machine, data={"mac": mac}) for mac in ("90:b8:d0:00:00:01", "90B8D0000001"))
    assert first == second
    assert len({first, second}) == 1


# Adding


@pytest.mark.parametrize("form", ["id", "name", "dict", "resource"])
def test_add_nic(dc: DataCenter, machine: Machine, cloud: Emulator, form: str) -> None:
    """``AddNic`` plugs the machine into a network, given in any way that tells which."""
    identity = network_id(cloud, FABRIC)
    given: Any = {
        "id": identity,
        "name": FABRIC,
        "dict": {"id": identity},
        "resource": Network(dc, data={"id": identity}),
    }[form]
    nic = machine.add_nic(given)
    assert sent(cloud, "AddNic") == ("POST", f"{machine.path}/nics", {"network": identity})
    assert (nic.state, nic.network, nic.ip, nic.primary) == ("provisioning", identity, "192.168.128.5", False)
    assert nic.status() == "running"
    assert macs(cloud, machine)[1:] == [nic.mac]
    assert cloud.check_invariants() == []


def test_add_nic_shows_in_the_machine_when_the_job_is_done(machine: Machine, cloud: Emulator) -> None:
    """``AddNic`` reboots the machine; the interface is listed at once, and the machine shows it afterwards."""
    cloud.transitions.policy = ByScript()
    nic = machine.add_nic(FABRIC)
    assert [each.state for each in machine.nics()] == ["running", "provisioning"]
    assert (machine.refresh().state, len(machine["nics"])) == ("ready", 1)
    cloud.transitions.release()
    assert (machine.refresh().state, nic.ip in machine.ips) == ("running", True)
    assert [entry.action for entry in machine.audit()] == ["add_nics"]


def test_add_nic_with_an_address(machine: Machine, cloud: Emulator) -> None:
    """``AddNic`` gives the address that is asked for, on a network that has owners."""
    assert machine.add_nic(FABRIC, ip="192.168.128.77").ip == "192.168.128.77"
    spec = {"ipv4_uuid": network_id(cloud, FABRIC), "ipv4_ips": ["192.168.128.77"]}
    assert sent(cloud, "AddNic")[2] == {"network": spec}


def test_add_nic_by_network_object(machine: Machine, cloud: Emulator) -> None:
    """``AddNic`` takes a network object as it is."""
    spec = {"ipv4_uuid": network_id(cloud, FABRIC), "ipv4_count": 1}
    machine.add_nic(spec)
    assert sent(cloud, "AddNic")[2] == {"network": spec}


def test_add_primary_nic(machine: Machine, nic: Nic, cloud: Emulator) -> None:
    """``AddNic`` can make the new interface the primary one."""
    new = machine.add_nic(FABRIC, primary=True, wait=True)
    assert sent(cloud, "AddNic")[2]["primary"] is True
    assert (new.primary, nic.refresh().primary, machine.primary_ip) == (True, False, new.ip)


def test_add_nic_and_wait(machine: Machine, cloud: Emulator) -> None:
    """With ``wait`` the machine is up and shows what ``AddNic`` gave it."""
    cloud.transitions.policies["add_nics"] = AfterSeconds(20)
    begun = cloud.clock.monotonic()
    nic = machine.add_nic(FABRIC, wait=True)
    assert (nic.state, machine.state, nic.ip in machine.ips) == ("running", "running", True)
    assert 20 <= cloud.clock.monotonic() - begun < 23


def test_add_nic_to_a_stopped_machine_and_wait(machine: Machine) -> None:
    """``AddNic`` does not boot a machine that is stopped, and its interface is ready then."""
    machine.stop(wait=True)
    nic = machine.add_nic(FABRIC, wait=True)
    assert (nic.state, machine.state) == ("stopped", "stopped")


def test_add_nic_that_fails(machine: Machine, cloud: Emulator) -> None:
    """When the job of ``AddNic`` fails, CloudAPI forgets the interface, and the wait tells what the audit says."""
    cloud.transitions.policies["add_nics"] = AfterReads(1)
    cloud.transitions.fail("add_nics")
    with pytest.raises(WaitFailed, match="add_nics failed at") as caught:
        machine.add_nic(FABRIC, wait=True)
    assert caught.value.resource is machine
    assert len(macs(cloud, machine)) == 1
    assert cloud.check_invariants() == []


def test_add_nic_that_takes_too_long(machine: Machine, cloud: Emulator) -> None:
    """The wait for ``AddNic`` ends with its time."""
    cloud.transitions.policy = ByScript()
    with pytest.raises(WaitTimeout, match="no working NIC"):
        machine.add_nic(FABRIC, wait=True, timeout=10)


def test_a_later_wait_knows_of_the_reboot(machine: Machine, cloud: Emulator) -> None:
    """After ``AddNic`` a machine that still runs is not taken for one that runs again."""
    machine.audit()
    cloud.transitions.policies["add_nics"] = AfterSeconds(30)
    begun = cloud.clock.monotonic()
    machine.add_nic(FABRIC)
    machine.poll_until("running")
    assert cloud.clock.monotonic() - begun >= 30


# A network that the machine is on already


def test_add_nic_where_there_is_one(machine: Machine, nic: Nic, cloud: Emulator) -> None:
    """``AddNic`` answers 302 for a network that the machine is on; the interface there is returned."""
    before = len(cloud.trace)
    assert machine.add_nic("external", wait=True) == nic
    assert operations(cloud, before)[:4] == ["ListNetworks", "ListNics", "AddNic", "GetNic"]
    assert macs(cloud, machine) == [nic.mac]
    assert machine.audit() == []


def test_the_redirect_has_no_body(dc: DataCenter, machine: Machine, nic: Nic, cloud: Emulator) -> None:
    """The 302 of ``AddNic`` tells where the interface is in its Location, and nothing else."""
    with pytest.raises(Redirected) as caught:
        dc.request("POST", f"{machine.path}/nics", data={"network": nic.network})
    assert caught.value.location == f"/{cloud.login}/{nic.path}"
    assert (caught.value.status, caught.value.data) == (302, None)


def test_add_nic_where_the_redirect_leads_nowhere(machine: Machine, nic: Nic, cloud: Emulator) -> None:
    """When the 302 of ``AddNic`` has no usable Location, the interface is found by ``ListNics``."""
    cloud.faults.add(Fault("AddNic", "redirect", headers={"Location": "/elsewhere"}))
    assert machine.add_nic(nic.network) == nic
    assert sent(cloud, "ListNics") == ("GET", f"{machine.path}/nics", {})


@pytest.mark.parametrize("spec", [{"ip": "192.168.128.99"}, {"primary": True}])
def test_add_nic_where_there_is_another(machine: Machine, spec: Any) -> None:
    """An interface that ``AddNic`` finds there, and that is not as wanted, is not passed off as what was asked for."""
    machine.add_nic(FABRIC, wait=True)
    with pytest.raises(Redirected) as caught:
        machine.add_nic(FABRIC, **spec)
    assert "not as requested" in caught.value.__notes__[0]


def test_add_nic_where_the_wanted_address_is(machine: Machine) -> None:
    """``AddNic`` twice for one address is one interface."""
    first = machine.add_nic(FABRIC, ip="192.168.128.77", wait=True)
    assert machine.add_nic(FABRIC, ip="192.168.128.77") == first


# Pools


def test_add_nic_from_a_pool(machine: Machine, cloud: Emulator, pool: str) -> None:
    """``AddNic`` for a pool gives an address of a member, and names that."""
    nic = machine.add_nic(pool, wait=True)
    assert nic.network in cloud.state.networks[pool].members
    assert nic.ip == "10.99.0.5"


def test_a_pool_gives_one_interface_after_the_other(machine: Machine, pool: str) -> None:
    """``AddNic`` twice for a pool adds two interfaces; when all members are full it is refused."""
    assert [machine.add_nic(pool, wait=True).ip for _ in range(2)] == ["10.99.0.5", "10.99.1.5"]
    with pytest.raises(InvalidParameters, match="are full"):
        machine.add_nic(pool)


def test_an_address_of_a_pool_cannot_be_chosen(machine: Machine, pool: str, cloud: Emulator) -> None:
    """``AddNic`` gives out a pool's addresses in order."""
    cloud.state.networks[pool].owners = [record(cloud, machine).owner]
    with pytest.raises(InvalidArgument, match="cannot specify IP on a network pool"):
        machine.add_nic(pool, ip="10.99.0.5")


# Refusals


@pytest.mark.parametrize(
    ("network", "error", "words"),
    [
        (None, MissingParameter, "network must be specified"),
        ("external", InvalidArgument, "network argument has invalid format"),
        (7, InvalidArgument, "network argument must be a network object or string"),
        ([], MissingParameter, "must contain ipv4_uuid"),
        ({"ipv4_count": 1}, MissingParameter, "network objects must contain ipv4_uuid"),
        ({"ipv4_uuid": 7}, InvalidArgument, "ipv4_uuid must be a string"),
        ({"ipv4_uuid": UNKNOWN, "ipv4_count": 2}, InvalidArgument, "ipv4_count can only be set to 1"),
        ({"ipv4_uuid": UNKNOWN, "ipv4_ips": ["10.0.0.5"]}, ResourceNotFound, f"network {UNKNOWN} not found"),
        (UNKNOWN, InvalidArgument, "network not found"),
    ],
)
def test_add_nic_refuses(dc: DataCenter, machine: Machine, network: Any, error: Any, words: str) -> None:
    """``AddNic`` says what is wrong with a network."""
    with pytest.raises(error, match=words):
        dc.request("POST", f"{machine.path}/nics", data={"network": network})


@pytest.mark.parametrize(
    ("ip", "error", "words"),
    [
        ("192.168.128.1", InvalidArgument, "cannot use 192.168.128.1 because it is a managed IP"),
        ("10.0.0.1", ResourceNotFound, "cannot validate 10.0.0.1: IP is not in subnet"),
        ("nonsense", ResourceNotFound, "cannot validate nonsense: Invalid IP address"),
        ("192.168.128.50", InvalidParameters, "IP in use"),
    ],
)
def test_add_nic_refuses_an_address(machine: Machine, cloud: Emulator, ip: str, error: Any, words: str) -> None:
    """``AddNic`` says why an address cannot be had, and leaves nothing behind."""
    cloud.state.networks[network_id(cloud, FABRIC)].taken["192.168.128.50"] = machine.id
    with pytest.raises(error, match=words):
        machine.add_nic(FABRIC, ip=ip)
    assert len(macs(cloud, machine)) == 1


def test_an_address_on_a_public_network_cannot_be_chosen(machine: Machine) -> None:
    """``AddNic`` gives out the addresses of networks without owners in order."""
    with pytest.raises(InvalidArgument, match="cannot specify IP on a public network"):
        machine.add_nic("external-2", ip="198.19.0.9")


def test_a_network_of_others(machine: Machine, cloud: Emulator) -> None:
    """``AddNic`` is refused on a network that only others may use."""
    identity = network_id(cloud, "external-2")
    cloud.state.networks[identity].owners = [UNKNOWN]
    with pytest.raises(NotAuthorized, match="owner cannot provision on network"):
        machine.add_nic(identity)


def test_a_pool_of_others(machine: Machine, cloud: Emulator, pool: str) -> None:
    """``AddNic`` does not find a pool that only others may use."""
    cloud.state.networks[pool].owners = [UNKNOWN]
    with pytest.raises(InvalidArgument, match="network not found"):
        machine.add_nic(pool)


def test_a_full_network(machine: Machine, cloud: Emulator) -> None:
    """``AddNic`` is refused when no address is left."""
    network = cloud.state.networks[network_id(cloud, FABRIC)]
    network.end = str(network.first)
    network.reserved.add(str(network.first))
    with pytest.raises(OutOfAddresses, match="no more free IPs"):
        machine.add_nic(FABRIC)


def test_add_nic_to_a_young_machine(machine: Machine, cloud: Emulator) -> None:
    """``AddNic`` and ``RemoveNic`` are refused while the machine is being provisioned."""
    record(cloud, machine).state = "provisioning"
    with pytest.raises(MachineNotReady, match="add_nics"):
        machine.add_nic(FABRIC)
    with pytest.raises(MachineNotReady, match="remove_nics"):
        machine.remove_nic(macs(cloud, machine)[0])


def test_add_nic_to_a_deleted_machine(machine: Machine) -> None:
    """``AddNic`` is refused when the machine is gone."""
    machine.delete(wait=True)
    with pytest.raises(ResourceNotFound):
        machine.add_nic(FABRIC)


def test_two_nics_on_one_network_confuse_cloudapi(machine: Machine, cloud: Emulator, pool: str) -> None:
    """A machine that has two interfaces on a member of a pool cannot ask ``AddNic`` for that member."""
    member = cloud.state.networks[cloud.state.networks[pool].members[0]]
    member.end = str(member.first + 1)
    for _ in range(2):
        machine.add_nic(pool, wait=True)
    with pytest.raises(ServerError, match="multiple NICs on that network"):
        machine.add_nic(member.id)


def test_nics_came_with_a_version(machine: Machine, cloud: Emulator) -> None:
    """Before 7.2 CloudAPI has no ``ListNics``."""
    with DataCenter(**cloud.connection(), api_version="~7.1") as old, pytest.raises(Exception, match="not supported"):
        old.request("GET", f"{machine.path}/nics")


# Removing


@pytest.mark.parametrize("door_of", ["nic", "machine"])
def test_remove_nic(machine: Machine, cloud: Emulator, door_of: str) -> None:
    """``RemoveNic`` takes an interface away, and gives its address back."""
    nic = machine.add_nic(FABRIC, wait=True)
    if door_of == "nic":
        nic.delete()
    else:
        machine.remove_nic(nic)
    bare = nic.mac.replace(":", "")
    assert sent(cloud, "RemoveNic") == ("DELETE", f"{machine.path}/nics/{bare}", {})
    assert nic.mac not in macs(cloud, machine)
    assert nic.ip not in cloud.state.networks[nic.network].taken
    with pytest.raises(ResourceNotFound):
        nic.refresh()


def test_remove_nic_and_wait(machine: Machine, cloud: Emulator) -> None:
    """With ``wait`` the machine is up again, without what ``RemoveNic`` took away."""
    nic = machine.add_nic(FABRIC, wait=True)
    cloud.transitions.policies["remove_nics"] = AfterSeconds(20)
    nic.delete(wait=True)
    assert (machine.state, nic.ip in machine.ips) == ("running", False)


def test_remove_nic_that_fails(machine: Machine, nic: Nic, cloud: Emulator) -> None:
    """When the job of ``RemoveNic`` fails, the wait says so and the interface stays."""
    cloud.transitions.fail("remove_nics")
    with pytest.raises(WaitFailed, match="remove_nics"):
        nic.delete(wait=True)
    assert macs(cloud, machine) == [nic.mac]


def test_remove_nic_of_another_machine(machine: Machine, cloud: Emulator) -> None:
    """``RemoveNic`` takes an interface of another machine, and its job fails."""
    [other] = cloud.populate(1, name="web-2")
    with pytest.raises(WaitFailed):
        machine.remove_nic(other.nics[0].mac, wait=True)
    assert len(other.nics) == 1


def test_a_nic_on_its_way_dies_with_its_machine(machine: Machine, cloud: Emulator) -> None:
    """A machine that is deleted takes along the interface that ``AddNic`` was about to give it."""
    cloud.transitions.policy = ByScript()
    machine.delete()
    machine.add_nic(FABRIC)
    for _ in range(2):
        cloud.transitions.release()
    assert cloud.state.networks[network_id(cloud, FABRIC)].taken == {}
    assert cloud.check_invariants() == []


def test_an_interface_of_an_odd_address_is_not_the_one_that_was_wanted(odd_server: Any, odd_dc: DataCenter) -> None:
    """A server that gives a list where an address belongs is told of as one that has another interface."""
    there = {"mac": "90:b8:d0:aa:bb:cc", "network": UNKNOWN, "ip": ["10.0.0.1"], "primary": True}
    odd_server.get("http://odd.test/my/machines/m-1/nics", json=[there])
    odd_server.post("http://odd.test/my/machines/m-1/nics", status=302)

    with pytest.raises(Redirected, match="302"):
        Machine(odd_dc, data={"id": "m-1"}).add_nic(UNKNOWN, ip="10.0.0.1")
