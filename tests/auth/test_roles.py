"""Who a request is for: the account in its path, and the roles that ``as-role`` takes on.

The roles go where CloudAPI looks at them, and stay away from where it would take them for data or refuse the request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from kits.cloud import query
from kits.rbac import as_user, give_role, new_key
from smartdc import Conflict, DataCenter, InputError, NotAuthorized, ResourceNotFound, Vlan, Volume
from smartdc.emulator import Emulator
from smartdc.emulator.state import records

Do = Callable[[DataCenter], Any]

PRIVATE: dict[str, Any] = {
    "subnet": "10.50.1.0/24",
    "provision_start_ip": "10.50.1.5",
    "provision_end_ip": "10.50.1.250",
}


@pytest.fixture
def jill(cloud: Emulator) -> records.UserRecord:
    """A sub-user who may do everything in the role operator, which nobody gives her unasked."""
    user = cloud.state.add_user("jill")
    give_role(cloud, "operator", user, rules=["CAN * *"], default=False)
    return user


@pytest.fixture
def place(cloud: Emulator, dc: DataCenter) -> DataCenter:
    """The data centre, seen by its account, with a machine, a VLAN with a network, and a volume."""
    cloud.state.settings.volumes = True
    cloud.populate(1, name="web-1", metadata={"colour": "red"}, tags={"colour": "red"})
    dc.create_vlan(100, "web").create_network("web-net", **PRIVATE)
    dc.create_vlan(300, "empty")
    dc.create_volume("data", wait=True)
    return dc


def location(dc: DataCenter) -> str | None:
    """Return the URL of a client that goes through HTTP, for others to go there."""
    return None if "emulator" in dc.base_url else dc.base_url


# Where roles go.


def test_roles_in_the_query(cloud: Emulator, dc: DataCenter, jill: records.UserRecord) -> None:
    """Roles are sent as one parameter of the query, and so are part of what is signed."""
    give_role(cloud, "reader", jill, default=False)
    with as_user(cloud, dc, jill, roles=["operator", "reader"]) as client:
        client.packages(name="g1-small")
    assert query(cloud, "ListPackages") == {"name": "g1-small", "as-role": "operator,reader"}
    assert cloud.trace[-1].path == "/demo/packages?name=g1-small&as-role=operator%2Creader"


def test_roles_in_a_signed_url(cloud: Emulator, dc: DataCenter, jill: records.UserRecord) -> None:
    """Whoever has the URL acts in the roles of the data centre that signed it, except where roles would be data."""
    with as_user(cloud, dc, jill, roles="operator") as client:
        assert "&as-role=operator&" in client.presign("GET", "/machines")
        assert "as-role" not in client.presign(["GET", "POST"], f"/machines/{jill.id}/metadata")
        session = requests.Session()
        session.mount(client.base_url, client.session.http.get_adapter(client.base_url))
        assert session.get(client.presign("GET", "/machines")).json() == []


@pytest.mark.parametrize("roles", ["operator", ["operator"], ("operator",)])
def test_one_role(cloud: Emulator, dc: DataCenter, jill: records.UserRecord, roles: Any) -> None:
    """One role may be given as a text."""
    with as_user(cloud, dc, jill, roles=roles) as client:
        assert client.machines() == []
    assert query(cloud, "ListMachines")["as-role"] == "operator"


@pytest.mark.parametrize("roles", [None, []])
def test_no_roles(cloud: Emulator, dc: DataCenter, roles: Any) -> None:
    """Without roles nothing is said, and CloudAPI takes the default ones."""
    jack = cloud.state.add_user("jack")
    give_role(cloud, "operator", jack, rules=["CAN * *"], default=True)
    with as_user(cloud, dc, jack, roles=roles) as client:
        assert client.machines() == []
    assert "as-role" not in query(cloud, "ListMachines")


def test_no_roles_at_all(cloud: Emulator, dc: DataCenter, jill: records.UserRecord) -> None:
    """A user whose roles are not asked for and not default ones may do nothing."""
    with as_user(cloud, dc, jill) as client, pytest.raises(NotAuthorized, match=r"\(listmachines\)"):
        client.machines()


@pytest.mark.parametrize("roles", [["nobody"], ["operator", "nobody"]])
def test_unknown_role(cloud: Emulator, dc: DataCenter, jill: records.UserRecord, roles: list[str]) -> None:
    """A role that the user does not have is refused, whatever the others allow."""
    with (
        as_user(cloud, dc, jill, roles=roles) as client,
        pytest.raises(NotAuthorized, match="permission to access demo"),
    ):
        client.machines()


def test_role_of_somebody_else(cloud: Emulator, dc: DataCenter, jill: records.UserRecord) -> None:
    """A role that exists and is not the user's own is refused too."""
    give_role(cloud, "boss", cloud.state.add_user("jack"))
    with as_user(cloud, dc, jill, roles="boss") as client, pytest.raises(NotAuthorized):
        client.machines()


HELPED: dict[str, Do] = {
    "GetAccount": lambda dc: dc.account(),
    "ListMachines": lambda dc: dc.machines(),
    "HeadMachines": lambda dc: dc.num_machines(),
    "GetMachine": lambda dc: dc.machine("web-1").refresh(),
    "RenameMachine": lambda dc: dc.machine("web-1").rename("web-2"),
    "StopMachine": lambda dc: dc.machine("web-1").stop(),
    "DeleteMachine": lambda dc: dc.machine("web-1").delete(),
    "CreateMachine": lambda dc: dc.create_machine(image="debian-12", package="g1-small", tags={"a": 1}),
    "MachineAudit": lambda dc: dc.machine("web-1").audit(),
    "CreateMachineSnapshot": lambda dc: dc.machine("web-1").create_snapshot("before"),
    "ListNics": lambda dc: dc.machine("web-1").nics(),
    "ListPackages": lambda dc: dc.packages(),
    "ListImages": lambda dc: dc.images(),
    "ListNetworks": lambda dc: dc.networks(),
    "ListKeys": lambda dc: dc.keys(),
    "CreateKey": lambda dc: dc.add_key("laptop", new_key()[1]),
    "ListUsers": lambda dc: dc.users(),
    "CreateUser": lambda dc: dc.create_user("jack", "jack@example.com", "secret123"),
    "ListVolumeSizes": lambda dc: dc.volume_sizes(),
    "ListFirewallRules": lambda dc: dc.firewall_rules(),
}
"""Operations with which roles are sent, by their name."""

ALSO_HELPED: dict[str, Do] = {
    "ListMachineMetadata": lambda dc: dc.machine("web-1").get_metadata(),
    "GetMachineMetadata": lambda dc: dc.machine("web-1").get_metadata("colour"),
    "DeleteMachineMetadata": lambda dc: dc.machine("web-1").delete_metadata_at_key("colour"),
    "ListMachineTags": lambda dc: dc.machine("web-1").get_tags(),
    "DeleteMachineTag": lambda dc: dc.machine("web-1").delete_tag("colour"),
    "GetConfig": lambda dc: dc.config(),
    "ListFabricVLANs": lambda dc: dc.vlans(),
    "CreateVolume": lambda dc: dc.create_volume("more"),
}
"""Operations on paths below which others would be harmed."""


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("operation", HELPED)
def test_where_roles_help(cloud: Emulator, dc: DataCenter, jill: records.UserRecord, operation: str) -> None:
    """What a role allows can be done in it, and not without it."""
    with as_user(cloud, dc, jill) as client, pytest.raises(NotAuthorized):
        HELPED[operation](client)
    with as_user(cloud, dc, jill, roles="operator") as client:
        HELPED[operation](client)
    assert query(cloud, operation)["as-role"] == "operator"


HARMED: dict[str, Do] = {
    "UpdateMachineMetadata": lambda dc: dc.machine("web-1").update_metadata(colour="blue"),
    "AddMachineTags": lambda dc: dc.machine("web-1").add_tags(colour="blue"),
    "ReplaceMachineTags": lambda dc: dc.machine("web-1").replace_tags(colour="blue"),
    "CreateFabricVLAN": lambda dc: dc.create_vlan(200, "db"),
    "GetFabricVLAN": lambda dc: vlan(dc).refresh(),
    "UpdateFabricVLAN": lambda dc: vlan(dc).update(name="www"),
    "ListFabricNetworks": lambda dc: vlan(dc).networks(),
    "CreateFabricNetwork": lambda dc: vlan(dc).create_network("db", "10.50.2.0/24", "10.50.2.5", "10.50.2.9"),
    "GetFabricNetwork": lambda dc: vlan(dc).network(dc.network_id("web-net")),
    "DeleteFabricNetwork": lambda dc: vlan(dc).network("web-net").delete(),
    "DeleteFabricVLAN": lambda dc: next(vlan for vlan in dc.vlans() if vlan.vlan_id == 300).delete(),
    "UpdateConfig": lambda dc: dc.update_config("web-net"),
    "ListVolumes": lambda dc: dc.volumes(),
    "UpdateVolume": lambda dc: volume(dc).rename("more"),
}
"""Operations with which roles are not sent, by their name."""


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("operation", ALSO_HELPED)
def test_where_roles_help_beside_harm(
    cloud: Emulator, dc: DataCenter, jill: records.UserRecord, operation: str
) -> None:
    """Reading and deleting metadata and tags, and most of volumes, is done in the roles too."""
    with as_user(cloud, dc, jill, roles="operator") as client:
        ALSO_HELPED[operation](client)
    assert query(cloud, operation)["as-role"] == "operator"


def vlan(dc: DataCenter) -> Vlan:
    """Return the VLAN."""
    return next(vlan for vlan in dc.vlans() if vlan.vlan_id == 100)


def volume(dc: DataCenter) -> Volume:
    """Return the volume."""
    return next(volume for volume in dc.volumes() if volume.name == "data")


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("operation", HARMED)
def test_where_roles_harm(cloud: Emulator, dc: DataCenter, operation: str) -> None:
    """Roles are left out where they would do harm, and the call does what it should."""
    with DataCenter(**{**cloud.connection(location(dc)), "roles": "operator"}) as client:
        HARMED[operation](client)
    assert "as-role" not in query(cloud, operation)
    [there] = cloud.state.machines.values()
    assert "as-role" not in {**there.metadata, **there.tags}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("operation", HARMED)
def test_what_harm_it_would_be(cloud: Emulator, dc: DataCenter, operation: str) -> None:
    """With roles these very requests are refused because of them, or keep them as if they were data."""
    HARMED[operation](dc)
    asked = next(asked for asked in reversed(cloud.trace) if asked.operation == operation)
    path = asked.path.partition("?")[0]
    try:
        kept, _ = dc.session.request(asked.method, path, params={"as-role": "operator"}, data=asked.body or None)
    except Conflict as error:
        kept = [*error.message.split(), *error.message.split('"')]
    assert "as-role" in kept


# Whose things a request is about.


@pytest.fixture
def other(cloud: Emulator) -> records.AccountRecord:
    """The account of somebody else, with two machines."""
    account = cloud.state.add_account("project")
    cloud.populate(2, account=account)
    return account


def acting(cloud: Emulator, dc: DataCenter, login: str | None, **more: Any) -> DataCenter:
    """Return a client that signs as demo and acts on an account."""
    return DataCenter(**{**cloud.connection(location(dc)), "login": login, **more})


@pytest.mark.parametrize(("login", "path"), [(None, "/my"), ("my", "/my"), ("demo", "/demo")])
def test_own_account(cloud: Emulator, dc: DataCenter, login: str | None, path: str) -> None:
    """Without a login, CloudAPI's word ``my`` stands for whose key it is; it is the same account, and the same things."""
    [there] = cloud.populate(1)
    with acting(cloud, dc, login) as client:
        assert client.url == f"{client.base_url}{path}/"
        assert client == dc
        assert client.machine(there.id) == dc.machine(there.id)
        assert client.account_url == dc.account_url
        assert client.account().login == "demo"
    assert cloud.trace[-1].path == path


def test_own_account_by_its_id(cloud: Emulator, dc: DataCenter) -> None:
    """The account's id does as well as its login."""
    with acting(cloud, dc, dc.account().id) as client:
        assert client.account().login == "demo"


def test_account_of_somebody_else(cloud: Emulator, dc: DataCenter, other: records.AccountRecord) -> None:
    """An operator acts on any account with the own key, and what is got there is that account's."""
    cloud.state.accounts["demo"].operator = True
    with acting(cloud, dc, other.login) as client:
        assert len(client.machines()) == 2
        machine = client.machines()[0]
        machine.stop()
        assert client.account().login == "project"
        assert client != dc
        assert machine.canonical_url.endswith(f"/project/machines/{machine.id}")
    assert {asked.account for asked in cloud.trace} == {"project"}


def test_account_of_somebody_else_without_leave(cloud: Emulator, dc: DataCenter, other: records.AccountRecord) -> None:
    """Whoever is no operator may not."""
    with acting(cloud, dc, other.login) as client, pytest.raises(NotAuthorized, match="/project/machines"):
        client.machines()


def test_role_on_the_account_of_somebody_else(cloud: Emulator, dc: DataCenter, other: records.AccountRecord) -> None:
    """An account that is a member of a role elsewhere acts there, in the role that it names."""
    demo = cloud.state.accounts["demo"]
    policy = records.PolicyRecord("policy", "all", ["CAN * *"])
    other.policies["policy"] = policy
    other.roles["role"] = records.RoleRecord("role", "guest", [demo.id], [], ["policy"])
    with acting(cloud, dc, other.login, roles="guest") as client:
        assert len(client.machines()) == 2
    with acting(cloud, dc, other.login) as client, pytest.raises(NotAuthorized):
        client.machines()


def test_unknown_account(cloud: Emulator, dc: DataCenter) -> None:
    """An account that is not there is told as such."""
    with acting(cloud, dc, "nobody") as client, pytest.raises(ResourceNotFound, match="nobody does not exist"):
        client.machines()


@pytest.mark.parametrize("login", ["a/b", "..", ".", "a\nb"])
def test_login_that_is_none(cloud: Emulator, dc: DataCenter, login: str) -> None:
    """What would lead to another address is refused before anything is sent."""
    with acting(cloud, dc, login) as client:
        quoted = login == "a/b"
        with pytest.raises(ResourceNotFound if quoted else InputError):
            client.machines()
    assert [asked.path.partition("?")[0] for asked in cloud.trace] == (["/a%2Fb/machines"] if quoted else [])


def test_user_acts_on_the_own_account(
    cloud: Emulator, dc: DataCenter, jill: records.UserRecord, other: records.AccountRecord
) -> None:
    """A user always acts on the account that it belongs to: CloudAPI does not look at what the path says."""
    cloud.populate(1)
    with as_user(cloud, dc, jill, roles="operator", login=other.login) as client:
        assert len(client.machines()) == 1
    with as_user(cloud, dc, jill, roles="operator", login=None) as client:
        assert len(client.machines()) == 1
        assert client.account().login == "demo"


def test_account_and_roles_of_an_other_data_centre(cloud: Emulator, dc: DataCenter) -> None:
    """A sister data centre is asked for the same account, in the same roles."""
    with acting(cloud, dc, "project", roles=["guest"]) as client:
        twin = client.datacenter("https://elsewhere.example")
    assert (twin.url, twin.active_roles) == ("https://elsewhere.example/project/", ["guest"])
    twin.active_roles.append("more")
    assert client.active_roles == ["guest"]
