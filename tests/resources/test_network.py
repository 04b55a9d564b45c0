"""Networks: listing them and getting one."""

from __future__ import annotations

from typing import Any

import pytest

from kits.cloud import network_id, query, sent
from smartdc import DataCenter
from smartdc.emulator import Emulator


def test_networks(dc: DataCenter, cloud: Emulator) -> None:
    """``ListNetworks`` gives every network that the account can use."""
    found = dc.networks()
    assert sent(cloud, "ListNetworks") == ("GET", "networks", {})
    assert {network.id for network in found} == set(cloud.state.networks)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("^EXT",), {"external", "external-2"}),
        (("machines here", ["description"]), {"internal"}),
        (("no such",), set()),
    ],
)
def test_networks_that_match(dc: DataCenter, cloud: Emulator, arguments: Any, names: set[str]) -> None:
    """A regular expression is tried here on what ``ListNetworks`` gave, and is not sent."""
    assert {network.name for network in dc.networks(*arguments)} == names
    assert query(cloud, "ListNetworks") == {}


@pytest.mark.parametrize("form", ["id", "dict", "resource"])
def test_network(dc: DataCenter, cloud: Emulator, form: str) -> None:
    """``GetNetwork`` gives a network by id."""
    identity = network_id(cloud, "internal")
    given: Any = {"id": identity, "dict": {"id": identity}, "resource": dc.networks("^internal$")[0]}[form]
    found = dc.network(given)
    assert sent(cloud, "GetNetwork") == ("GET", f"networks/{identity}", {})
    assert (found.id, found.name, found.public) == (identity, "internal", False)


def test_network_by_name(dc: DataCenter, cloud: Emulator) -> None:
    """A name is looked for in ``ListNetworks``."""
    assert dc.network("internal").id == network_id(cloud, "internal")
    assert sent(cloud, "ListNetworks") == ("GET", "networks", {})


def test_attributes(dc: DataCenter) -> None:
    """A network shows what ``GetNetwork`` said, and None where it said nothing."""
    fabric, external = dc.network("My-Fabric-Network"), dc.network("external")
    assert (fabric.fabric, fabric.subnet, fabric.gateway) == (True, "192.168.128.0/22", "192.168.128.1")
    assert (fabric.provision_start_ip, fabric.provision_end_ip) == ("192.168.128.5", "192.168.131.250")
    assert (fabric.internet_nat, fabric.vlan_id, fabric.routes) == (True, 2, None)
    assert fabric.resolvers == ["8.8.8.8", "8.8.4.4"]
    assert (external.public, external.fabric, external.subnet) == (True, None, None)
    assert external.description == "Reachable from everywhere"
