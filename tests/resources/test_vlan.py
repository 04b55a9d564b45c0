"""VLANs on the account's fabric, and the networks on them."""

from __future__ import annotations

from typing import Any

import pytest

from kits.cloud import account, network_id, query, sent
from smartdc import DataCenter, InputError, InvalidArgument, Machine, Network, NotSupported, ResourceNotFound, Vlan
from smartdc.emulator import Emulator
from smartdc.emulator.state import records
from smartdc.errors import ServerError

PRIVATE: dict[str, Any] = {
    "subnet": "10.50.1.0/24",
    "provision_start_ip": "10.50.1.5",
    "provision_end_ip": "10.50.1.250",
}
UNKNOWN = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"


@pytest.fixture
def vlan(dc: DataCenter) -> Vlan:
    """The VLAN 100, called web, without networks."""
    return dc.create_vlan(100, "web")


@pytest.fixture
def network(vlan: Vlan) -> Network:
    """A network on that VLAN."""
    return vlan.create_network("web-net", **PRIVATE)


def kept(cloud: Emulator, vlan: Vlan) -> records.VlanRecord:
    """Return what the server knows of a VLAN."""
    return cloud.state.vlans[account(cloud).id, vlan.vlan_id]


# VLANs


@pytest.mark.usefixtures("vlan")
def test_vlans(dc: DataCenter, cloud: Emulator) -> None:
    """``ListFabricVLANs`` gives the account's VLANs, of which one is there from the beginning."""
    cloud.state.add_account("other")
    found = dc.vlans()
    assert sent(cloud, "ListFabricVLANs") == ("GET", "fabrics/default/vlans", {})
    assert [(each.vlan_id, each.name) for each in found] == [(2, "My-Fabric-VLAN"), (100, "web")]


@pytest.mark.parametrize("form", ["number", "text", "dict", "resource"])
def test_vlan(dc: DataCenter, cloud: Emulator, vlan: Vlan, form: str) -> None:
    """``GetFabricVLAN`` gives a VLAN by its number."""
    given: Any = {"number": 100, "text": "100", "dict": {"vlan_id": 100}, "resource": vlan}[form]
    assert dc.vlan(given) == vlan
    assert sent(cloud, "GetFabricVLAN") == ("GET", "fabrics/default/vlans/100", {})


def test_vlan_by_name(dc: DataCenter, vlan: Vlan) -> None:
    """A name is looked for in ``ListFabricVLANs``, and must mean only one."""
    assert dc.vlan("web") == vlan
    dc.create_vlan(101, "web")
    with pytest.raises(InputError, match="2 VLANs are named 'web'"):
        dc.vlan("web")


def test_create_vlan(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateFabricVLAN`` makes a VLAN."""
    vlan = dc.create_vlan(100, "web", description="the web")
    body = {"vlan_id": 100, "name": "web", "description": "the web"}
    assert sent(cloud, "CreateFabricVLAN") == ("POST", "fabrics/default/vlans", body)
    assert (vlan.vlan_id, vlan.name, vlan.description, dict(vlan)) == (100, "web", "the web", body)
    assert kept(cloud, vlan) == records.VlanRecord(account(cloud).id, 100, "web", "the web")


@pytest.mark.usefixtures("vlan")
def test_create_vlan_that_is_there(dc: DataCenter) -> None:
    """``CreateFabricVLAN`` is refused for a number that is in use."""
    with pytest.raises(InvalidArgument, match='property "vlan_id": VLAN ID is already in use'):
        dc.create_vlan(100, "web")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "web"}, 'property "vlan_id": is missing and it is required'),
        ({"vlan_id": 5}, 'property "name": is missing and it is required'),
        ({"vlan_id": 1, "name": "web"}, 'property "vlan_id": must have a minimum value of 2'),
        ({"vlan_id": 2, "name": "web"}, 'property "vlan_id": VLAN ID is already in use'),
        ({"vlan_id": 4096, "name": "web"}, 'property "vlan_id": must have a maximum value of 4095'),
        (
            {"vlan_id": 4095, "name": "web"},
            'property "vlan_id": VLAN ID must be a number between 0 and 4094, and not 1',
        ),
        ({"vlan_id": "x", "name": "web"}, 'property "vlan_id": x - string value found, but a integer is required'),
        ({"vlan_id": 2.5, "name": "web"}, 'property "vlan_id": 2.5 - number value found, but a integer is required'),
        ({"vlan_id": 5, "name": {}}, 'property "name": [object object] - object value found, but a string is required'),
        (
            {"vlan_id": 5, "name": "w"},
            r'property "name": does not match the regex pattern ^[a-za-z][a-za-z0-9_\./-]{1,255}$',
        ),
        ({"vlan_id": 5, "name": "w" * 65}, 'property "name": must not be longer than 64 characters'),
        ({"vlan_id": 5, "name": "web", "description": " "}, 'property "description": must not be empty'),
        ({"vlan_id": 5, "name": "web", "mtuSize": 9}, 'property "mtusize": unsupported property'),
    ],
)
def test_create_vlan_is_strict(dc: DataCenter, body: dict[str, Any], words: str) -> None:
    """``CreateFabricVLAN`` names the property that is wrong, and takes none that it does not know."""
    with pytest.raises(InvalidArgument) as caught:
        dc.request("POST", "/fabrics/default/vlans", data=body)
    assert caught.value.message == words


def test_create_vlan_takes_the_limits(dc: DataCenter) -> None:
    """``CreateFabricVLAN`` takes the highest number, and texts of 64 characters."""
    vlan = dc.create_vlan(4094, "w" * 64, description="d" * 64)
    assert (vlan.vlan_id, vlan.name, vlan.description) == (4094, "w" * 64, "d" * 64)
    with pytest.raises(InvalidArgument, match='property "description": must not be longer than 64 characters'):
        vlan.update(description="d" * 65)


def test_roles_stay_out_of_the_address(cloud: Emulator) -> None:
    """``ListFabricVLANs`` and its like take no ``as-role``, and none is sent."""
    with DataCenter(**cloud.connection(), roles="ops") as dc:
        dc.vlan(2)
    assert query(cloud, "GetFabricVLAN") == {}


def test_update_vlan(cloud: Emulator, vlan: Vlan) -> None:
    """``UpdateFabricVLAN`` changes what is given; its 202 is done already."""
    assert vlan.update(description="the web") is vlan
    assert sent(cloud, "UpdateFabricVLAN") == ("PUT", vlan.path, {"description": "the web"})
    assert vlan.update(name="www").refresh().name == "www"
    assert kept(cloud, vlan) == records.VlanRecord(account(cloud).id, 100, "www", "the web")


def test_delete_vlan(cloud: Emulator, vlan: Vlan) -> None:
    """``DeleteFabricVLAN`` takes a VLAN away."""
    vlan.delete()
    assert sent(cloud, "DeleteFabricVLAN") == ("DELETE", "fabrics/default/vlans/100", {})
    with pytest.raises(ResourceNotFound):
        vlan.refresh()


def test_delete_vlan_in_use(dc: DataCenter, vlan: Vlan, network: Network) -> None:
    """``DeleteFabricVLAN`` is refused while there are networks."""
    with pytest.raises(InvalidArgument, match=f'In use by network "{network.id}"'):
        vlan.delete()
    assert dc.vlan(100) == vlan


def test_vlans_of_others(dc: DataCenter, cloud: Emulator) -> None:
    """``GetFabricVLAN`` does not find what others have: every account has a fabric of its own."""
    other = cloud.state.add_account("other")
    cloud.state.vlans[other.id, 300] = records.VlanRecord(other.id, 300, "theirs")
    with pytest.raises(ResourceNotFound):
        dc.vlan(300)
    assert dc.create_vlan(300, "mine").name == "mine"


def test_data_centre_without_fabrics(dc: DataCenter, cloud: Emulator) -> None:
    """``ListFabricVLANs`` and all the others are not there where the operator did not set fabrics up."""
    cloud.state.settings.fabrics = False
    vlan = Vlan(dc, data={"vlan_id": 2})
    network = Network(dc, data={"id": UNKNOWN, "fabric": True, "vlan_id": 2})
    calls: list[Any] = [dc.vlans, vlan.refresh, vlan.update, vlan.delete, vlan.networks, network.update, network.delete]
    for call in calls:
        with pytest.raises(NotSupported, match="fabrics not enabled for this datacenter"):
            call()


# Networks


def test_networks(dc: DataCenter, cloud: Emulator, vlan: Vlan, network: Network) -> None:
    """``ListFabricNetworks`` gives the networks on a VLAN."""
    assert vlan.networks() == [network]
    assert sent(cloud, "ListFabricNetworks") == ("GET", f"{vlan.path}/networks", {})
    assert [each.name for each in dc.vlan(2).networks()] == ["My-Fabric-Network"]


def test_fabric_networks_are_networks(dc: DataCenter, network: Network) -> None:
    """What ``ListFabricNetworks`` and ``ListNetworks`` give is the same thing, at the same address."""
    assert network in dc.networks()
    assert (network.path, dc.network("web-net")) == (f"networks/{network.id}", network)


@pytest.mark.usefixtures("network")
def test_only_fabric_networks(dc: DataCenter, cloud: Emulator) -> None:
    """``ListNetworks`` can be narrowed to the account's fabric, by a flag that is true or absent."""
    assert [each.name for each in dc.networks(fabric=True)] == ["My-Fabric-Network", "web-net"]
    assert query(cloud, "ListNetworks") == {"fabric": "true"}
    dc.networks(fabric=False)
    assert query(cloud, "ListNetworks") == {}


@pytest.mark.parametrize("form", ["id", "name", "dict", "resource"])
def test_network(cloud: Emulator, vlan: Vlan, network: Network, form: str) -> None:
    """``GetFabricNetwork`` gives a network by id; a name is looked for in ``ListFabricNetworks``."""
    given: Any = {"id": network.id, "name": "web-net", "dict": {"id": network.id}, "resource": network}[form]
    assert vlan.network(given) == network
    if form != "name":
        assert sent(cloud, "GetFabricNetwork") == ("GET", f"{vlan.path}/networks/{network.id}", {})


def test_create_network(cloud: Emulator, vlan: Vlan) -> None:
    """``CreateFabricNetwork`` makes a network, without a gateway unless one is given."""
    network = vlan.create_network("web-net", "10.50.1.0/24", "10.50.1.5", "10.50.1.250")
    assert sent(cloud, "CreateFabricNetwork") == ("POST", f"{vlan.path}/networks", {"name": "web-net", **PRIVATE})
    assert {name: network[name] for name in PRIVATE} == PRIVATE
    assert (network.fabric, network.public, network.vlan_id, network.internet_nat) == (True, False, 100, True)
    assert (network.gateway, network.resolvers, network.routes, network.description) == (None, [], None, None)
    assert cloud.state.networks[network.id].owners == [account(cloud).id]


def test_create_network_with_everything(cloud: Emulator, vlan: Vlan) -> None:
    """All that ``CreateFabricNetwork`` takes can be said."""
    more: dict[str, Any] = {
        "gateway": "10.50.1.1",
        "resolvers": ["10.50.1.2", "8.8.8.8"],
        "routes": {"10.60.0.0/16": "10.50.1.3", "10.70.0.1": "10.50.1.4"},
        "internet_nat": False,
        "description": "the web",
    }
    network = vlan.create_network("web-net", **PRIVATE, **{**more, "resolvers": iter(more["resolvers"])})
    assert sent(cloud, "CreateFabricNetwork")[2] == {"name": "web-net", **PRIVATE, **more}
    assert {name: network[name] for name in more} == more


def test_nat_makes_a_gateway(vlan: Vlan) -> None:
    """``CreateFabricNetwork`` takes the first address for a gateway when NAT is asked for and none is given."""
    assert vlan.create_network("web-net", **PRIVATE, internet_nat=True).gateway == "10.50.1.5"


def test_routes_are_written_by_their_ranges(vlan: Vlan) -> None:
    """``CreateFabricNetwork`` takes any address of a range for the range."""
    network = vlan.create_network("web-net", **PRIVATE, routes={"10.25.1.0/21": "10.50.1.3"})
    assert network.routes == {"10.25.0.0/21": "10.50.1.3"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": None}, "null - object value found"),
        ({"mtu": 9000}, 'property "mtu": unsupported property'),
        ({"gateway": "10.50.1"}, 'property "gateway": must be an IPv4 address'),
        ({"provision_start_ip": "x"}, 'property "provision_start_ip": must be an IPv4 address'),
        ({"provision_start_ip": "10.50.1.5\n"}, 'property "provision_start_ip": must be an IPv4 address'),
        ({"resolvers": ["8.8.8.8", "x"]}, 'property "resolvers[1]": must be an IPv4 address'),
        ({"resolvers": "8.8.8.8"}, 'property "resolvers": 8.8.8.8 - string value found, but a array is required'),
        ({"resolvers": ["8.8.8.8"] * 5}, 'property "resolvers": maximum of 4 resolvers'),
        ({"routes": "x"}, 'property "routes": x - string value found, but a object is required'),
        ({"routes": [1]}, 'property "routes": must be an object'),
        ({"routes": {"x": "10.50.1.3"}}, 'property "routes": invalid route'),
        ({"routes": {"x": "y", "10.1.0.0/16": 7}}, 'property "routes": invalid routes'),
        ({"internet_nat": "maybe"}, 'property "internet_nat": must be a boolean value'),
        ({"subnet": "10.50.1.0"}, 'property "subnet": Subnet must be in CIDR form'),
        ({"subnet": "x/24"}, 'property "subnet": Subnet IP invalid'),
        ({"subnet": "10.50.1.0/7"}, 'property "subnet": Subnet bits invalid'),
        ({"subnet": "10.50.1.0/33"}, 'property "subnet": Subnet bits invalid'),
        ({"subnet": "10.50.1.9/24"}, 'property "subnet": invalid CIDR format'),
        ({"subnet": "10.50.2.0/24"}, "provision_start_ip cannot be outside subnet"),
        ({"gateway": "10.0.0.1"}, 'property "gateway": gateway cannot be outside subnet'),
        ({"provision_end_ip": "10.50.1.255"}, "provision_end_ip cannot be the broadcast address"),
        ({"provision_end_ip": "10.50.1.5"}, "provision_start_ip must be before provision_end_ip"),
        ({"name": "My-Fabric-Network"}, 'property "name": Already exists'),
        (
            {"subnet": "8.8.8.0/24", "provision_start_ip": "8.8.8.5", "provision_end_ip": "8.8.8.9"},
            'property "subnet": subnet must be within private ranges',
        ),
        (
            {"subnet": "192.168.129.0/24", "provision_start_ip": "192.168.129.5", "provision_end_ip": "192.168.129.9"},
            'property "subnet": subnet overlaps with another network',
        ),
    ],
)
def test_create_network_refuses(dc: DataCenter, vlan: Vlan, wrong: dict[str, Any], words: str) -> None:
    """``CreateFabricNetwork`` names the property that does not fit."""
    with pytest.raises(InvalidArgument) as caught:
        dc.request("POST", f"{vlan.path}/networks", data={"name": "web-net", **PRIVATE, **wrong})
    assert words in caught.value.message


def test_network_of_the_largest_size(vlan: Vlan) -> None:
    """``CreateFabricNetwork`` takes prefixes of 8 bits, and ranges of two addresses."""
    assert vlan.create_network("web-net", "10.0.0.0/8", "10.0.0.5", "10.0.0.6").subnet == "10.0.0.0/8"


def test_network_has_four_resolvers_at_most(vlan: Vlan) -> None:
    """``CreateFabricNetwork`` takes as many, and ``UpdateFabricNetwork`` not one more."""
    network = vlan.create_network("web-net", **PRIVATE, resolvers=["8.8.8.8"] * 4)
    assert network.resolvers == ["8.8.8.8"] * 4
    with pytest.raises(InvalidArgument) as caught:
        network.update(resolvers=["8.8.8.8"] * 5)
    assert caught.value.message == 'property "resolvers": maximum of 4 resolvers'


def test_accounts_may_have_the_same_networks(cloud: Emulator, network: Network) -> None:
    """``CreateFabricNetwork`` looks for overlaps and names on one fabric alone."""
    other = cloud.state.add_account("other")
    assert [each.name for each in cloud.state.networks_of(other)].count("My-Fabric-Network") == 1
    assert network.id not in [each.id for each in cloud.state.networks_of(other)]


def test_update_network(cloud: Emulator, network: Network) -> None:
    """``UpdateFabricNetwork`` changes what is given, at the network's address on its VLAN."""
    changes: dict[str, Any] = {
        "name": "www-net",
        "description": "the web",
        "provision_start_ip": "10.50.1.10",
        "provision_end_ip": "10.50.1.20",
        "resolvers": ["9.9.9.9"],
        "routes": {"10.60.0.0/16": "10.50.1.3"},
    }
    assert network.update(**changes) is network
    path = f"fabrics/default/vlans/100/networks/{network.id}"
    assert sent(cloud, "UpdateFabricNetwork") == ("PUT", path, changes)
    assert {name: network[name] for name in changes} == changes
    assert dict(network.refresh()) == dict(network)


def test_update_network_in_part(cloud: Emulator, network: Network) -> None:
    """``UpdateFabricNetwork`` leaves alone what is not given; an empty list is given."""
    network.update(resolvers=["9.9.9.9"], routes={"10.60.0.0/16": "10.50.1.3"}).update(description="the web")
    assert (network.resolvers, network.description) == (["9.9.9.9"], "the web")
    assert network.routes == {"10.60.0.0/16": "10.50.1.3"}
    assert network.update(resolvers=[], routes={}).resolvers == []
    assert sent(cloud, "UpdateFabricNetwork")[2] == {"resolvers": [], "routes": {}}
    assert not network.refresh().routes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"provision_end_ip": "10.50.1.3"}, "provision_start_ip must be before provision_end_ip"),
        ({"provision_start_ip": "10.0.0.1"}, "provision_start_ip cannot be outside subnet"),
        ({"name": "My-Fabric-Network"}, 'property "name": Already exists'),
        ({"subnet": "10.50.1.0/24"}, 'property "subnet": unsupported property'),
        ({"gateway": "10.50.1.1"}, 'property "gateway": unsupported property'),
        ({"id": UNKNOWN}, 'property "id": cannot be set'),
    ],
)
def test_update_network_refuses(dc: DataCenter, network: Network, change: dict[str, Any], words: str) -> None:
    """``UpdateFabricNetwork`` names the property that does not fit, or that cannot be changed."""
    with pytest.raises(InvalidArgument) as caught:
        dc.request("PUT", f"/fabrics/default/vlans/100/networks/{network.id}", data=change)
    assert words in caught.value.message


def test_networks_that_are_on_no_fabric(dc: DataCenter, cloud: Emulator) -> None:
    """``UpdateFabricNetwork`` and ``DeleteFabricNetwork`` are not sent for a network of the operator's."""
    external, before = dc.network("external"), len(cloud.trace)
    for act in (lambda: external.update(name="x"), external.delete):
        with pytest.raises(InputError, match="is not on a fabric"):
            act()
    assert len(cloud.trace) == before


def test_delete_network(cloud: Emulator, network: Network) -> None:
    """``DeleteFabricNetwork`` takes a network away."""
    network.delete()
    path = f"fabrics/default/vlans/100/networks/{network.id}"
    assert sent(cloud, "DeleteFabricNetwork") == ("DELETE", path, {})
    assert network.id not in cloud.state.networks


def test_delete_network_that_is_gone(network: Network) -> None:
    """``DeleteFabricNetwork`` says that there is no such network."""
    network.delete()
    with pytest.raises(ResourceNotFound, match="network not found"):
        network.delete()


def test_delete_network_in_use(machine: Machine, network: Network) -> None:
    """``DeleteFabricNetwork`` is refused while machines are on the network."""
    nic = machine.add_nic(network, wait=True)
    with pytest.raises(InvalidArgument, match=f'In use by nic "{nic.mac}"'):
        network.delete()
    nic.delete(wait=True)
    network.delete()


def test_delete_default_network(dc: DataCenter) -> None:
    """``DeleteFabricNetwork`` is refused for the network that the account's settings name."""
    with pytest.raises(InvalidArgument, match="cannot delete default network"):
        dc.network("My-Fabric-Network").delete()


def test_delete_network_of_an_account_without_settings(cloud: Emulator, network: Network) -> None:
    """``DeleteFabricNetwork`` fails, without a code, while there is no default network."""
    account(cloud).default_network = None
    with pytest.raises(ServerError, match="Could not get default network") as caught:
        network.delete()
    assert caught.value.code == ""


def test_machines_on_a_new_network(dc: DataCenter, cloud: Emulator, network: Network) -> None:
    """``CreateMachine`` can plug a machine into a network that ``CreateFabricNetwork`` made."""
    machine = dc.create_machine("web-1", "g1-small", image="base-64-lts@24.4.1", networks="web-net", wait=True)
    assert (machine.ips, machine.networks) == (["10.50.1.5"], [network.id])
    assert network_id(cloud, "web-net") == network.id
