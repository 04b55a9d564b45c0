"""The operations that answer with headers alone, and those that are there for browsers."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from kits.cloud import image_id, package_id, sent
from kits.rbac import public_line
from smartdc import DataCenter, Redirected, ResourceNotFound
from smartdc.emulator import Emulator
from smartdc.emulator.pipeline import routes

HEADS = {
    "HeadAccount": "",
    "HeadKeys": "/keys",
    "HeadKey": "/keys/laptop",
    "HeadUserKeys": "/users/{user}/keys",
    "HeadUserKey": "/users/{user}/keys/laptop",
    "HeadAccessKeys": "/accesskeys",
    "HeadAccessKey": "/accesskeys/{access_key}",
    "HeadUserAccessKeys": "/users/{user}/accesskeys",
    "HeadUserAccessKey": "/users/{user}/accesskeys/{user_access_key}",
    "HeadUsers": "/users",
    "HeadUser": "/users/{user}",
    "HeadRoles": "/roles",
    "HeadRole": "/roles/reader",
    "HeadPolicies": "/policies",
    "HeadPolicy": "/policies/{policy}",
    "HeadConfig": "/config",
    "HeadImages": "/images",
    "HeadImage": "/images/{image}",
    "HeadPackages": "/packages",
    "HeadPackage": "/packages/{package}",
    "HeadMachines": "/machines",
    "HeadMachine": "/machines/{machine}",
    "HeadAudit": "/machines/{machine}/audit",
    "HeadMachineMetadata": "/machines/{machine}/metadata",
    "HeadmachineTags": "/machines/{machine}/tags",
    "HeadMachineTag": "/machines/{machine}/tags/role",
    "HeadMachineSnapshots": "/machines/{machine}/snapshots",
    "HeadMachineSnapshot": "/machines/{machine}/snapshots/before",
    "HeadMachineDisks": "/machines/{bhyve}/disks",
    "HeadMachineDisk": "/machines/{bhyve}/disks/{disk}",
    "HeadNics": "/machines/{machine}/nics",
    "HeadNic": "/machines/{machine}/nics/{nic}",
    "HeadFirewallRules": "/fwrules",
    "HeadFirewallRule": "/fwrules/{rule}",
    "HeadMachineFirewallRules": "/machines/{machine}/fwrules",
    "HeadFirewallRuleMachines": "/fwrules/{rule}/machines",
    "HeadFabricVLANs": "/fabrics/default/vlans",
    "HeadFabricVLAN": "/fabrics/default/vlans/100",
    "HeadFabricNetworks": "/fabrics/default/vlans/100/networks",
    "HeadFabricNetwork": "/fabrics/default/vlans/100/networks/{network}",
    "HeadNetworks": "/networks",
    "HeadNetwork": "/networks/{network}",
    "HeadNetworkIPs": "/networks/{network}/ips",
    "HeadNetworkIP": "/networks/{network}/ips/10.50.1.9",
}
"""Every operation with the method HEAD, and what it asks about."""

NOBODY = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"
UNKNOWN = {
    "HeadKey": "/keys/nobody",
    "HeadUserKeys": f"/users/{NOBODY}/keys",
    "HeadUserKey": "/users/{user}/keys/nobody",
    "HeadAccessKey": "/accesskeys/nobody",
    "HeadUserAccessKeys": f"/users/{NOBODY}/accesskeys",
    "HeadUserAccessKey": "/users/{user}/accesskeys/nobody",
    "HeadUser": f"/users/{NOBODY}",
    "HeadRole": "/roles/nobody",
    "HeadPolicy": f"/policies/{NOBODY}",
    "HeadImage": f"/images/{NOBODY}",
    "HeadPackage": f"/packages/{NOBODY}",
    "HeadMachine": f"/machines/{NOBODY}",
    "HeadAudit": f"/machines/{NOBODY}/audit",
    "HeadMachineMetadata": f"/machines/{NOBODY}/metadata",
    "HeadmachineTags": f"/machines/{NOBODY}/tags",
    "HeadMachineTag": "/machines/{machine}/tags/nothing",
    "HeadMachineSnapshots": f"/machines/{NOBODY}/snapshots",
    "HeadMachineSnapshot": "/machines/{machine}/snapshots/nothing",
    "HeadMachineDisks": f"/machines/{NOBODY}/disks",
    "HeadMachineDisk": f"/machines/{{bhyve}}/disks/{NOBODY}",
    "HeadNics": f"/machines/{NOBODY}/nics",
    "HeadNic": "/machines/{machine}/nics/90b8d0000000",
    "HeadFirewallRule": f"/fwrules/{NOBODY}",
    "HeadMachineFirewallRules": f"/machines/{NOBODY}/fwrules",
    "HeadFirewallRuleMachines": f"/fwrules/{NOBODY}/machines",
    "HeadFabricVLAN": "/fabrics/default/vlans/200",
    "HeadFabricNetworks": "/fabrics/default/vlans/200/networks",
    "HeadFabricNetwork": f"/fabrics/default/vlans/100/networks/{NOBODY}",
    "HeadNetwork": f"/networks/{NOBODY}",
    "HeadNetworkIPs": f"/networks/{NOBODY}/ips",
    "HeadNetworkIP": "/networks/{network}/ips/10.60.0.1",
}
"""The same about things that are not there; what has no line here is always there."""

METHODS = {route.name: (route.method, route.path) for route in routes.rows()}
TWINS = {path: name for name, (method, path) in METHODS.items() if method == "GET"}
"""The operation that GETs a path."""

OF_ONE_ANSWER = {"Date", "Request-Id", "Response-Time"}
"""Headers that differ from answer to answer."""


@pytest.fixture
def world(dc: DataCenter, cloud: Emulator) -> dict[str, Any]:
    """The ids of one thing of each kind."""
    user = dc.create_user("alice", "alice@example.com", "a secret 1")
    user.add_key("laptop", public_line())
    dc.add_key("laptop", public_line())
    policy = dc.create_policy("read", ["CAN getmachine"])
    dc.create_role("reader", members=["alice"], policies=["read"])
    [machine] = cloud.populate(1, name="web-1", tags={"role": "web"}, metadata={"greeting": "hello"})
    dc.machine(machine.id).create_snapshot("before")
    bhyve = dc.create_machine("db-1", "b1-small", image=image_id(cloud, "debian-12-cloud"), wait=True)
    network = dc.create_vlan(100, "web").create_network("web-net", "10.50.1.0/24", "10.50.1.5", "10.50.1.250")
    return {
        "user": user.id,
        "access_key": dc.create_access_key().id,
        "user_access_key": user.create_access_key().id,
        "policy": policy.id,
        "image": image_id(cloud, "base-64-lts"),
        "package": package_id(cloud, "g1-small"),
        "machine": machine.id,
        "bhyve": bhyve.id,
        "disk": bhyve.disks()[0].id,
        "nic": machine.nics[0].mac.replace(":", ""),
        "rule": dc.create_firewall_rule('FROM any TO tag "role" = "web" ALLOW tcp PORT 80').id,
        "network": network.id,
    }


def test_every_head_is_here() -> None:
    """No operation with the method HEAD is left out."""
    heads = {name for name, (method, _) in METHODS.items() if method == "HEAD"}
    assert set(HEADS) == heads, "add it to HEADS, and to UNKNOWN unless what it asks about is always there"


@pytest.mark.parametrize("operation", HEADS)
def test_head(dc: DataCenter, cloud: Emulator, world: dict[str, Any], operation: str) -> None:
    """A HEAD answers with the status and the headers of its GET, and without the body."""
    path = HEADS[operation].format(**world)
    nothing, head = dc.request("HEAD", path)
    assert sent(cloud, operation) == ("HEAD", path.removeprefix("/"), {})
    assert cloud.trace[-1].operation == operation
    assert (nothing, head.content) == (None, b"")

    body, get = dc.request("GET", path)
    assert cloud.trace[-1].operation == TWINS[METHODS[operation][1]]
    assert body
    assert head.status_code == get.status_code == 200
    assert told(head.headers) == told(get.headers)
    assert int(head.headers["Content-Length"]) == len(get.content)


@pytest.mark.parametrize("operation", UNKNOWN)
def test_head_of_what_is_not_there(dc: DataCenter, cloud: Emulator, world: dict[str, Any], operation: str) -> None:
    """A HEAD about a thing that nobody has is refused with the status alone, and the next call gets its answer."""
    with pytest.raises(ResourceNotFound) as caught:
        dc.request("HEAD", UNKNOWN[operation].format(**world))
    assert cloud.trace[-1].operation == operation
    assert (caught.value.status, caught.value.code) == (404, "")

    assert dc.account().login == "demo"


def test_head_shows_role_tags(dc: DataCenter) -> None:
    """The roles that a thing is tagged with are among the headers of ``HeadRole``."""
    role = dc.create_role("reader")
    role.set_role_tags(["reader"])

    assert dc.request("HEAD", f"/roles/{role.id}")[1].headers["role-tag"] == "reader"


@pytest.mark.parametrize(
    ("operation", "path", "place"),
    [
        ("RedirectRoot", "/", "cloudapi/"),
        ("RedirectDocs", "/docs", "cloudapi/"),
        ("RedirectDocs", "/docs/index.html", "cloudapi/"),
        ("Favicon", "/favicon.ico", "favicon.ico"),
    ],
)
def test_browsers_are_sent_to_the_documentation(
    dc: DataCenter, cloud: Emulator, operation: str, path: str, place: str
) -> None:
    """What a browser asks for by itself needs no signature; it is sent elsewhere, where this library does not follow."""
    with closing(dc.unsigned()) as session, pytest.raises(Redirected) as caught:
        session.request("GET", path)
    assert cloud.trace.operations() == [operation]
    assert sent(cloud, operation)[1] == path
    assert (caught.value.status, caught.value.location) == (302, f"http://apidocs.tritondatacenter.com/{place}")


def told(headers: Any) -> dict[str, str]:
    """Return the headers that say something about the thing."""
    return {name: value for name, value in headers.items() if name not in OF_ONE_ANSWER}
