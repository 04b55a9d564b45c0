"""Networks and volumes, as the sources of the server have them; each test names the file that it follows."""

from __future__ import annotations

from kits.emulator_signer import Asker, refusal

pytest_plugins = ("kits.emulator_fixtures",)

NOWHERE = "00000000-0000-4000-8000-000000000000"


def network_id(ask: Asker, name: str) -> str:
    """Return the id of a network by its name."""
    return next(network.id for network in ask.cloud.state.networks.values() if network.name == name)


# Networks


def test_member_of_a_pool_is_hidden_in_the_list_only(ask: Asker) -> None:
    """Sdc-cloudapi's lib/endpoints/networks.js filters members in listNetworks, and in nothing else."""
    pool = ask.cloud.state.add_pool("pool", "10.99.0.0/24")
    [member] = pool.members

    assert member not in [network["id"] for network in ask.get("/my/networks").json()]
    assert ask.get(f"/my/networks/{member}").json()["name"] == "pool-0"
    assert ask.get(f"/my/networks/{member}/ips").status_code == 200
    assert refusal(ask.get(f"/my/networks/{pool.id}/ips")) == (409, "InvalidArgument")


def test_no_machine_on_a_member_of_a_pool(ask: Asker) -> None:
    """Sdc-cloudapi's lib/middleware/networks.js (loadNetworks): members are not among the networks of machines."""
    pool = ask.cloud.state.add_pool("pool", "10.99.0.0/24")
    image = ask.cloud.state.image_named("base-64-lts")
    assert image
    body = {"image": image.id, "package": "g1-small", "networks": pool.members}
    answer = ask.post("/my/machines", body)

    assert (*refusal(answer), answer.json()["message"]) == (409, "InvalidArgument", "Invalid Networks")
    machine = ask.create(networks=[pool.id])
    assert ask.get(f"/my/machines/{machine}").json()["networks"] == pool.members


def test_pools_come_first(ask: Asker) -> None:
    """Sdc-cloudapi's lib/middleware/networks.js (loadNetworks): in lists and as default networks; no admin network."""
    pool = ask.cloud.state.add_pool("pool", "10.99.0.0/30")
    pool.nic_tag = "internal"
    admin = next(network for network in ask.cloud.state.networks.values() if network.name == "external-2")
    admin.nic_tag = "admin"
    listed = ask.get("/my/networks").json()

    assert listed[0]["id"] == pool.id
    assert admin.id not in [each["id"] for each in listed]
    assert pool.members[0] in ask.get(f"/my/machines/{ask.create()}").json()["networks"]


def test_range_of_the_first_fabric_network(ask: Asker) -> None:
    """Sdc-cloudapi's docs/index.md shows My-Fabric-Network, as it is made for every account."""
    shown = ask.get(f"/my/networks/{network_id(ask, 'My-Fabric-Network')}").json()

    assert (shown["provision_start_ip"], shown["provision_end_ip"]) == ("192.168.128.5", "192.168.131.250")


def test_config_cannot_be_changed_without_fabrics(ask: Asker) -> None:
    """Sdc-cloudapi's lib/endpoints/config.js: without a dclocalconfig, which fabrics bring along, it is a 500."""
    ask.cloud.state.settings.fabrics = False
    answer = ask("PUT", "/my/config", json={"default_network": network_id(ask, "external")})

    assert refusal(answer) == (500, "InternalError")
    assert answer.json()["message"] == "Config currently unavailable."
    assert refusal(ask("PUT", "/my/config", json={"default_network": NOWHERE})) == (409, "InvalidArgument")


# Volumes


def test_volume_on_another_network_than_the_accounts_fabric(ask: Asker) -> None:
    """Sdc-cloudapi's lib/endpoints/volumes.js checks the networks that are asked for by itself."""
    ask.cloud.state.settings.volumes = True
    for network in (network_id(ask, "external"), NOWHERE):
        answer = ask.post("/my/volumes", {"type": "tritonnfs", "networks": [network]})

        assert (refusal(answer), answer.json()["message"]) == (
            (409, "InvalidArgument"),
            f"Invalid networks: {network}",
        )


def test_volume_on_a_default_network_that_will_not_do(ask: Asker) -> None:
    """Sdc-volapi's lib/validation/networks.js and lib/errors.js: 409 InvalidNetworks, with what is wrong."""
    ask.cloud.state.settings.volumes = True
    account = ask.cloud.state.account("demo")
    assert account
    fabric = str(account.default_network)
    external = network_id(ask, "external")
    wrong = {NOWHERE: f"missing: {NOWHERE}", external: f"not owned by user: {external}, non-fabric: {external}"}
    for account.default_network, reason in wrong.items():
        answer = ask.post("/my/volumes", {"type": "tritonnfs"})

        assert refusal(answer) == (409, "InvalidNetworks")
        assert answer.json()["message"] == f"Error when creating volume: Invalid networks: {reason}"
    account.default_network = fabric
    ask.cloud.state.settings.fabrics = False
    assert refusal(ask.post("/my/volumes", {"type": "tritonnfs"})) == (409, "InvalidNetworks")


def test_volume_out_of_reach_of_a_machine(ask: Asker) -> None:
    """Sdc-vmapi's lib/endpoints/vms.js (checkAllNfsVolumesReachable), and sdc-cloudapi's lib/errors.js has the code."""
    settings = ask.cloud.state.settings
    settings.volumes = settings.automount_volumes = True
    ask.post("/my/volumes", {"type": "tritonnfs", "name": "data"})
    ask.get("/my/volumes")
    image, external = ask.cloud.state.image_named("base-64-lts"), network_id(ask, "external")
    assert image
    volumes = [{"name": "data", "mountpoint": "/data"}]
    body = {"image": image.id, "package": "g1-small", "networks": [external], "volumes": volumes}
    answer = ask.post("/my/machines", body)

    assert refusal(answer) == (409, "VolumesNotReachableError")
    assert answer.json()["message"] == (
        f"Volumes not reachable from machine: Volume data not reachable on networks {external}"
    )
    assert ask.create(networks=[network_id(ask, "My-Fabric-Network")], volumes=volumes)
