"""What data centres have and a small catalogue has not, as the sources of the server have it."""

from __future__ import annotations

from typing import Any

import pytest

from kits.emulator_signer import Asker, refusal
from smartdc.emulator.core.ids import fixed_uuid
from smartdc.emulator.state.catalogue import COMPUTE_NODE
from smartdc.emulator.state.records import PackageRecord

pytest_plugins = ("kits.emulator_fixtures",)

OTHER = fixed_uuid("compute node cn-2")


def node_of(ask: Asker, **given: Any) -> str | None:
    """Create a machine and return the compute node that it is on."""
    machine = ask.create(**given)
    found: str | None = ask.get(f"/my/machines/{machine}").json()["compute_node"]
    return found


@pytest.mark.parametrize(
    ("rule", "nodes"),
    [
        ("instance==db", {COMPUTE_NODE}),
        ("instance!=db", {OTHER}),
        ("instance!=d*", {OTHER}),
        ("instance!=/^db$/", {OTHER}),
        ("role==database", {COMPUTE_NODE}),
        ("role!=~database", {OTHER}),
        ("role==~nothing", {COMPUTE_NODE, OTHER}),
    ],
)
def test_affinity_chooses_the_node(inside: Asker, rule: str, nodes: set[str]) -> None:
    """Sdc-cloudapi's lib/triton-affinity.js: instances by name, glob or expression, else tags; ``~`` is a preference."""
    inside.cloud.state.add_compute_node("cn-2")
    assert node_of(inside, name="db", **{"tag.role": "database"}) == COMPUTE_NODE

    assert node_of(inside, name="web", affinity=[rule]) in nodes


@pytest.mark.parametrize("rule", ["instance!=db", "role==nothing", "instance==nothing"])
def test_affinity_that_nothing_can_follow(inside: Asker, rule: str) -> None:
    """Sdc-vmapi's lib/endpoints/vms.js (allocateServer) asks sdc-cnapi before it answers: 409; a preference is no reason to."""
    inside.create(name="db")
    image = inside.cloud.state.image_named("base-64-lts")
    assert image
    answer = inside.post("/my/machines", {"image": image.id, "package": "g1-small", "affinity": [rule]})

    assert refusal(answer) == (409, "NoAllocatableServersError")
    assert answer.json()["message"] == "No compute resources available"
    soft = rule.replace("=db", "=~db").replace("=nothing", "=~nothing")
    assert inside.state(inside.create(affinity=[soft])) == "running"
    assert inside.cloud.check_invariants() == []


def test_node_has_its_capacity_and_networks(inside: Asker) -> None:
    """A server without room, or without the NIC tag of a network, gets no machine; others do."""
    state = inside.cloud.state
    state.compute_nodes[COMPUTE_NODE].memory = 1500
    state.add_compute_node("cn-2", nic_tags=["storage"])
    internal = next(network for network in state.networks.values() if network.name == "internal")

    assert [node_of(inside), node_of(inside)] == [COMPUTE_NODE, OTHER]
    internal.nic_tag = "storage"
    state.compute_nodes[COMPUTE_NODE].memory = None
    assert node_of(inside, networks=[internal.id]) == OTHER


def test_package_as_the_operator_made_it(ask: Asker) -> None:
    """Sdc-cloudapi's lib/packages.js (translate): swap, lwps and disks are the package's; no description is none."""
    disks = [{}, {"size": "remaining"}]
    package = PackageRecord(
        fixed_uuid("odd"), "odd", 1024, 20_480, brand="bhyve", flexible_disk=True, disks=disks, swap=3000, lwps=77
    )
    package.description = None
    ask.cloud.state.packages[package.id] = package
    shown = ask.get("/my/packages/odd").json()

    assert (shown["swap"], shown["lwps"], shown["disks"]) == (3000, 77, disks)
    assert "description" not in shown
    assert [each["name"] for each in ask.get("/my/packages?swap=3000&lwps=77").json()] == ["odd"]


def test_address_with_an_owner_and_no_machine(ask: Asker) -> None:
    """Sdc-cloudapi's lib/endpoints/networks.js (translateIp) shows the owner; the list leaves out what is not used."""
    account = ask.cloud.state.account("demo")
    assert account
    fabric = ask.cloud.state.networks[str(account.default_network)]
    fabric.owned["192.168.128.9"] = account.id
    shown = ask.get(f"/my/networks/{fabric.id}/ips/192.168.128.9").json()

    assert shown == {"ip": "192.168.128.9", "reserved": False, "managed": False, "owner_uuid": account.id}
    assert "192.168.128.9" not in [each["ip"] for each in ask.get(f"/my/networks/{fabric.id}/ips").json()]


def test_network_with_a_tag_of_its_own_is_no_default(ask: Asker) -> None:
    """Sdc-cloudapi's lib/middleware/networks.js: internal ones are those with the tag internal, and fabrics."""
    state = ask.cloud.state
    internal = next(network for network in state.networks.values() if network.name == "internal")
    internal.nic_tag = "storage"
    shown = ask.get(f"/my/machines/{ask.create()}").json()

    assert [state.networks[network].name for network in shown["networks"]] == ["external", "My-Fabric-Network"]
