"""The addresses of a network: listing all of them in spite of short pages, and reserving one."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from kits.cloud import account, network_id, query, record, sent
from smartdc import (
    BadResponse,
    DataCenter,
    InvalidArgument,
    Machine,
    MissingParameter,
    Network,
    OutOfAddresses,
    ResourceNotFound,
)
from smartdc.emulator import Emulator
from smartdc.emulator.state import records

FABRIC = "My-Fabric-Network"
UNKNOWN = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"


@pytest.fixture
def network(dc: DataCenter) -> Network:
    """The network that the account has on its fabric, 192.168.128.0/22, with a gateway and nothing else in use."""
    return dc.network(FABRIC)


@pytest.fixture
def there(cloud: Emulator) -> records.NetworkRecord:
    """What the server knows of that network."""
    return cloud.state.networks[network_id(cloud, FABRIC)]


def asked(cloud: Emulator) -> list[dict[str, Any]]:
    """Return the queries of all ``ListNetworkIPs``."""
    return [each.query for each in cloud.trace if each.operation == "ListNetworkIPs"]


# Listing


def test_ips(machine: Machine, cloud: Emulator, network: Network) -> None:
    """``ListNetworkIPs`` gives the addresses that are in use, the network's own among them."""
    nic = machine.add_nic(FABRIC, wait=True)
    found = network.ips()
    assert sent(cloud, "ListNetworkIPs")[:2] == ("GET", f"{network.path}/ips?limit=1000&offset=0")
    assert [(ip.ip, ip.reserved, ip.managed) for ip in found] == [
        ("192.168.128.1", True, True),
        (nic.ip, False, False),
        ("192.168.131.255", True, True),
    ]
    assert [ip.belongs_to_uuid for ip in found] == [None, machine.id, None]
    assert [ip.owner_uuid for ip in found] == [None, account(cloud).id, None]


def test_ips_cost_one_request_when_the_last_one_is_seen(cloud: Emulator, network: Network) -> None:
    """The broadcast address is the last row of ``ListNetworkIPs``: with it the listing is complete."""
    network.ips()
    assert len(asked(cloud)) == 1


def test_ips_behind_pages_of_free_ones(cloud: Emulator, network: Network, there: records.NetworkRecord) -> None:
    """Short and empty pages of ``ListNetworkIPs`` do not end the listing; four are read at a time, if there can be so many."""
    there.freed = {str(there.subnet[n]) for n in range(5, 900)}
    there.reserved = {str(there.subnet[n]) for n in range(900, 910)}
    found = network.ips(limit=100)
    assert len(found) == 12
    assert sorted(int(each["offset"]) for each in asked(cloud)) == list(range(0, 1100, 100))


def test_ips_start_where_they_are_to(network: Network, there: records.NetworkRecord) -> None:
    """``offset`` leaves out rows of ``ListNetworkIPs``."""
    there.reserved = {str(there.subnet[n]) for n in range(5, 15)}
    assert network.ips(offset=6)[0].ip == "192.168.128.9"
    assert network.ips(offset=5000) == []


def test_one_page_of_ips(cloud: Emulator, network: Network, there: records.NetworkRecord) -> None:
    """``paged`` gives one page of ``ListNetworkIPs``, however short."""
    there.freed = {str(there.subnet[n]) for n in range(5, 900)}
    assert [ip.ip for ip in network.ips(paged=True, limit=10, offset=1)] == []
    assert query(cloud, "ListNetworkIPs") == {"limit": "10", "offset": "1"}
    network.ips(paged=True)
    assert query(cloud, "ListNetworkIPs") == {}


def test_ips_of_a_public_network(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """``ListNetworkIPs`` of a network that is everybody's gives the account's own, and is read to an empty page."""
    cloud.populate(3, account=cloud.state.add_account("other"))
    assert [ip.ip for ip in dc.network("external").ips()] == machine.ips
    assert [each["offset"] for each in asked(cloud)] == ["0", "1000"]


def test_ips_are_counted_by_page(dc: DataCenter, network: Network) -> None:
    """``ListNetworkIPs`` tells in its headers how many a page has, and how many rows it was made from."""
    _, response = dc.request("GET", f"{network.path}/ips", params={"limit": 2})
    assert (response.headers["x-query-limit"], response.headers["x-resource-count"]) == ("2", "1")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"limit": 0}, 'property "limit": invalid limit'),
        (
            {"limit": 1001},
            'property "limit": invalid limit, must be an integer greater than 0 or less than or equal to 1000',
        ),
        ({"limit": "x"}, 'property "limit": invalid limit'),
        ({"offset": -1}, 'property "offset": invalid value'),
    ],
)
def test_ips_refuse(dc: DataCenter, network: Network, params: dict[str, Any], words: str) -> None:
    """``ListNetworkIPs`` takes pages of 1 to 1,000 rows."""
    with pytest.raises(InvalidArgument, match=words):
        dc.request("GET", f"{network.path}/ips", params=params)


@pytest.mark.parametrize("limit", [1, 1000])
def test_ips_take_the_limits(dc: DataCenter, network: Network, limit: int) -> None:
    """``ListNetworkIPs`` takes the smallest and the largest page."""
    _, response = dc.request("GET", f"{network.path}/ips", params={"limit": limit})
    assert response.headers["x-query-limit"] == str(limit)


def test_ips_of_a_pool(dc: DataCenter, cloud: Emulator) -> None:
    """``ListNetworkIPs`` is refused for a pool, but not for a member of it."""
    pool = cloud.state.add_pool("pool", "10.99.0.0/24")
    with pytest.raises(InvalidArgument, match="cannot get IPs in a network pool"):
        dc.network(pool.id).ips()
    assert Network(dc, data={"id": pool.members[0]}).ips() == []


def test_ips_end_where_the_broadcast_address_is_missing(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """A server that never shows the last row of ``ListNetworkIPs`` is asked for no more rows than there can be."""
    odd_server.get("http://odd.test/my/networks/n-1/ips", json=[])
    assert Network(odd_dc, data={"id": "n-1", "subnet": "10.0.0.0/29"}).ips(limit=5) == []
    assert len(odd_server.calls) == 2


def test_ips_that_are_no_list(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """An answer to ``ListNetworkIPs`` that is none is an error."""
    odd_server.get("http://odd.test/my/networks/n-1/ips", json={})
    with pytest.raises(BadResponse):
        Network(odd_dc, data={"id": "n-1"}).ips()


# One address


@pytest.mark.parametrize("form", ["text", "dict", "resource"])
def test_ip(cloud: Emulator, network: Network, form: str) -> None:
    """``GetNetworkIP`` gives one address, also a free one."""
    resource = network.ip("192.168.128.77")
    given: Any = {"text": "192.168.128.77", "dict": {"ip": "192.168.128.77"}, "resource": resource}[form]
    ip = network.ip(given)
    assert sent(cloud, "GetNetworkIP") == ("GET", f"{network.path}/ips/192.168.128.77", {})
    assert (ip, ip.reserved, ip.managed, ip.belongs_to_uuid) == (resource, False, False, None)


@pytest.mark.parametrize(
    ("address", "words"), [("10.0.0.1", "IP is not in subnet"), ("nonsense", "Invalid IP address")]
)
def test_ip_that_is_not_there(network: Network, address: str, words: str) -> None:
    """``GetNetworkIP`` says why there is no such address."""
    with pytest.raises(ResourceNotFound, match=words):
        network.ip(address)


def test_ip_of_a_public_network(machine: Machine, dc: DataCenter, cloud: Emulator) -> None:
    """``GetNetworkIP`` finds only the account's own where a network is everybody's."""
    [other] = cloud.populate(1, account=cloud.state.add_account("other"))
    external = dc.network("external")
    assert external.ip(machine.ips[0]).belongs_to_uuid == machine.id
    for address in (other.nics[0].ip, "198.18.7.7"):
        with pytest.raises(ResourceNotFound, match=f"{address} not found"):
            external.ip(address)


def test_ip_of_others_on_a_shared_network(dc: DataCenter, cloud: Emulator) -> None:
    """``GetNetworkIP`` tells whose an address is on a private network, and not which machine has it."""
    other = cloud.state.add_account("other")
    [theirs] = cloud.populate(1, account=other)
    internal = cloud.state.networks[network_id(cloud, "internal")]
    internal.taken["10.88.0.9"] = theirs.id
    ip = dc.network("internal").ip("10.88.0.9")
    assert (ip.owner_uuid, ip.belongs_to_uuid, ip.managed) == (other.id, None, False)
    with pytest.raises(InvalidArgument, match="is in use by another account"):
        ip.update(reserved=True)


# Reserving


def test_reserve(cloud: Emulator, network: Network, there: records.NetworkRecord) -> None:
    """``UpdateNetworkIP`` keeps an address from being given out, and gives it back."""
    ip = network.ip("192.168.128.5")
    assert ip.update(reserved=True) is ip
    assert sent(cloud, "UpdateNetworkIP") == ("PUT", ip.path, {"reserved": True})
    assert (ip.reserved, there.reserved) == (True, {"192.168.128.5"})
    assert ip.update(reserved=False).reserved is False
    assert sent(cloud, "UpdateNetworkIP")[2] == {"reserved": False}
    assert there.reserved == set()


def test_a_reserved_address_goes_to_who_asks_for_it(machine: Machine, network: Network) -> None:
    """After ``UpdateNetworkIP`` an address is passed over, unless ``AddNic`` asks for it."""
    network.ip("192.168.128.5").update(reserved=True)
    nic = machine.add_nic(FABRIC, wait=True)
    assert nic.ip == "192.168.128.6"
    nic.delete(wait=True)
    assert machine.add_nic(FABRIC, ip="192.168.128.5", wait=True).ip == "192.168.128.5"
    assert network.ip("192.168.128.5").reserved is True


def test_a_reservation_outlives_the_machine(machine: Machine, cloud: Emulator, network: Network) -> None:
    """``UpdateNetworkIP`` on an address in use lets the machine keep it, and keeps it when the machine is gone."""
    nic = machine.add_nic(FABRIC, wait=True)
    ip = network.ip(nic.ip).update(reserved=True)
    assert (ip.belongs_to_uuid, record(cloud, machine).nics[1].ip) == (machine.id, nic.ip)
    machine.delete(wait=True)
    assert (ip.refresh().reserved, ip.belongs_to_uuid) == (True, None)


def test_a_network_of_reserved_addresses_is_full(
    machine: Machine, network: Network, there: records.NetworkRecord
) -> None:
    """What ``UpdateNetworkIP`` reserves is not given out even when nothing else is left."""
    there.end = "192.168.128.6"
    for address in ("192.168.128.5", "192.168.128.6"):
        network.ip(address).update(reserved=True)
    with pytest.raises(OutOfAddresses):
        machine.add_nic(FABRIC)


def test_reserve_a_managed_address(network: Network) -> None:
    """``UpdateNetworkIP`` is refused for what belongs to the network itself."""
    for address in ("192.168.128.1", "192.168.131.255"):
        with pytest.raises(InvalidArgument, match=f"cannot update managed IP: {address}"):
            network.ip(address).update(reserved=False)


def test_reserve_on_a_public_network(dc: DataCenter, machine: Machine) -> None:
    """``UpdateNetworkIP`` is refused where a network is everybody's."""
    external = dc.network("external")
    with pytest.raises(InvalidArgument, match=f"cannot update an IP on a public network: {external.id}"):
        external.ip(machine.ips[0]).update(reserved=True)


@pytest.mark.parametrize(
    ("body", "error"),
    [({}, MissingParameter), ({"reserved": "maybe"}, InvalidArgument), ({"reserved": 1}, InvalidArgument)],
)
def test_reserve_refuses(dc: DataCenter, network: Network, body: dict[str, Any], error: Any) -> None:
    """``UpdateNetworkIP`` wants a true or a false."""
    with pytest.raises(error, match="reserved"):
        dc.request("PUT", f"{network.path}/ips/192.168.128.77", data=body)


@pytest.mark.parametrize(("text", "reserved"), [("true", True), ("false", False)])
def test_reserve_takes_text(dc: DataCenter, network: Network, text: str, reserved: bool) -> None:
    """``UpdateNetworkIP`` takes the words too, in the body or in the query."""
    path, word = f"{network.path}/ips/192.168.128.77", {"reserved": text}
    assert dc.request("PUT", path, data=word)[0]["reserved"] is reserved
    assert dc.request("PUT", path, params=word)[0]["reserved"] is reserved


# Pools


def test_pools_look_like_networks(dc: DataCenter, cloud: Emulator) -> None:
    """``ListNetworks`` and ``GetNetwork`` show a pool as a network; the list hides its members."""
    pool = cloud.state.add_pool("pool", "10.99.0.0/24", "10.99.1.0/24")
    assert dict(dc.network("pool")) == {"id": pool.id, "name": "pool", "public": False}
    assert not {network.id for network in dc.networks()} & set(pool.members)
    assert [dc.network(member).name for member in pool.members] == ["pool-0", "pool-1"]


def test_machines_from_a_pool(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateMachine`` on a pool plugs the machine into a member that has room."""
    pool = cloud.state.add_pool("pool", "10.99.0.0/24", "10.99.1.0/24")
    first, second = (cloud.state.networks[member] for member in pool.members)
    first.end = str(first.first)
    made = [
        dc.create_machine(f"web-{n}", "g1-small", image="base-64-lts@24.4.1", networks="pool", wait=True)
        for n in range(2)
    ]
    assert [machine.networks for machine in made] == [[first.id], [second.id]]
    assert cloud.check_invariants() == []


@pytest.mark.parametrize(
    ("address", "error"),
    [("192.168.128.1", InvalidArgument), ("10.0.0.1", ResourceNotFound), ("nonsense", ResourceNotFound)],
)
def test_a_machine_asks_for_an_address_that_cannot_be_had(
    dc: DataCenter, network: Network, address: str, error: Any
) -> None:
    """``CreateMachine`` is refused an address that the network does not have, or has for itself."""
    spec = {"ipv4_uuid": network.id, "ipv4_ips": [address]}
    with pytest.raises(error, match=address):
        dc.create_machine("web-1", "g1-small", image="base-64-lts@24.4.1", networks=spec)


@pytest.mark.parametrize("subnet", [True, 17, ["10.0.0.0/8"], "10.0.0.0/99", "nowhere"])
def test_a_subnet_that_is_none_is_a_bad_response(offline: DataCenter, subnet: object) -> None:
    """``ListNetworkIPs`` is not sent for a range that cannot be parsed, whatever is in its place."""
    with pytest.raises(BadResponse, match="subnet"):
        Network(offline, data={"id": "n", "subnet": subnet}).ips()
