"""What CreateMachine and AddNic check beside the parameters themselves, as the sources of the server have it."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from kits.emulator_signer import Asker, refusal
from smartdc.emulator.core.ids import fixed_uuid
from smartdc.emulator.grammar.triton_tags import objection_to
from smartdc.emulator.state.catalogue import COMPUTE_NODE
from smartdc.emulator.state.records import PackageRecord

pytest_plugins = ("kits.emulator_fixtures",)

OTHER = fixed_uuid("compute node cn-2")
QUOTA = "Quota exceeded; to have your limits raised please contact Support"


def create(ask: Asker, image: str = "base-64-lts", package: str = "g1-small", **more: Any) -> requests.Response:
    """Ask for a machine."""
    found = ask.cloud.state.image_named(image)
    assert found
    return ask.post("/my/machines", {"image": found.id, "package": package, **more})


def add_package(ask: Asker, **more: Any) -> str:
    """Add a package as an operator does, and return its name."""
    package = PackageRecord(fixed_uuid("special"), "special", 1024, 20_480, **more)
    ask.cloud.state.packages[package.id] = package
    return package.name


def network(ask: Asker, name: str) -> str:
    """Return the id of a network."""
    return next(each.id for each in ask.cloud.state.networks.values() if each.name == name)


def test_package_of_another_system(ask: Asker) -> None:
    """Sdc-cloudapi's lib/machines.js (create, PUBAPI-726): the two must agree; the message has them the wrong way round."""
    answer = create(ask, package=add_package(ask, os="linux"))

    assert refusal(answer) == (409, "InvalidArgument")
    assert answer.json()["message"] == (
        'The package and image must have the same OS, but package has "smartos" while image has "linux"'
    )
    assert create(ask, image="debian-12", package="special").status_code == 201


def test_networks_of_the_package(ask: Asker) -> None:
    """Sdc-cloudapi's lib/machines.js (getCreateOptions): without requested ones the package's, else the default ones."""
    add_package(ask, networks=[network(ask, "internal")])

    assert create(ask, package="special").json()["networks"] == []
    [machine] = ask.get("/my/machines").json()
    assert machine["networks"] == [network(ask, "internal")]


def test_image_that_needs_two_public_networks(ask: Asker) -> None:
    """Sdc-cloudapi's lib/machines.js (create): as many public ones as the image's requirements describe, else one."""
    wanted = [network(ask, "external"), network(ask, "external-2")]
    answer = create(ask, networks=wanted)
    assert answer.json()["message"] == "Can specify a maximum of 1 public networks"

    image = ask.cloud.state.image_named("base-64-lts")
    assert image
    image.requirements = {"networks": [{"name": "net0", "description": "public"}, {"description": "public"}]}
    assert create(ask, networks=wanted).status_code == 201


@pytest.mark.parametrize(
    ("locality", "node"),
    [
        ({"near": "db"}, COMPUTE_NODE),
        ({"far": ["db"]}, OTHER),
        ({"far": "db", "strict": True}, OTHER),
    ],
)
def test_locality_chooses_the_node(inside: Asker, locality: dict[str, Any], node: str) -> None:
    """Sdc-cloudapi's docs/index.md (Locality hints): near to instances or far from them, without ``strict`` if possible."""
    inside.cloud.state.add_compute_node("cn-2")
    first = inside.create(name="db")
    hints = {key: _named(value, first) for key, value in locality.items()}

    assert inside.get(f"/my/machines/{inside.create(locality=hints)}").json()["compute_node"] == node


def _named(value: Any, machine: str) -> Any:
    return machine if value == "db" else [machine] if value == ["db"] else value


def test_strict_locality_that_nothing_can_follow(inside: Asker) -> None:
    """Without another server, far is a wish, or with ``strict`` a refusal."""
    first = inside.create(name="db")
    assert inside.state(inside.create(locality={"far": first})) == "running"
    assert refusal(create(inside, locality={"far": first, "strict": True})) == (409, "NoAllocatableServersError")


@pytest.mark.parametrize(
    ("locality", "reason"),
    [
        ("near", "malformed locality object"),
        ({"near": 5}, "locality entry is neither string nor array"),
        ({"far": "db"}, "locality contains malformed UUID"),
        ({"far": ["db"]}, "locality contains malformed UUID"),
    ],
)
def test_malformed_locality(ask: Asker, locality: Any, reason: str) -> None:
    """Sdc-vmapi's lib/common/validation.js (validLocality)."""
    answer = create(ask, locality=locality)
    assert refusal(answer) == (409, "ValidationFailed")
    assert answer.json()["errors"] == [{"field": "locality", "code": "Invalid", "message": reason}]


@pytest.mark.parametrize(
    ("limit", "allowed"),
    [
        ({"value": 1}, 1),
        ({"value": 0}, 3),
        ({"value": -1}, 0),
        ({"value": 2048, "by": "ram"}, 2),
        ({"value": 30, "by": "quota"}, 1),
        ({"value": 1, "check": "brand", "brand": "lx"}, 3),
        ({"value": 1, "check": "image", "image": "base-64-lts"}, 1),
        ({"value": 1, "check": "os", "os": "any"}, 1),
    ],
)
def test_limits(ask: Asker, limit: dict[str, Any], allowed: int) -> None:
    """Sdc-cloudapi's plugins/provision_limits.js (canProvision): 403; 0 is no limit, and -1 forbids all."""
    ask.cloud.state.settings.limits = [limit]
    answers = [create(ask, name=f"m{number}") for number in range(3)]

    assert [answer.status_code for answer in answers] == [201] * allowed + [403] * (3 - allowed)
    assert {answer.json()["message"] for answer in answers[allowed:]} <= {QUOTA}


def test_limits_of_a_resize(ask: Asker) -> None:
    """Sdc-cloudapi's plugins/provision_limits.js: what the machine has counts no more, nor does the number of machines."""
    machine = ask.create()
    ask.cloud.state.settings.limits = [{"value": 4096, "by": "ram"}, {"value": 1}]

    assert ask.act(machine, "resize", package="g1-medium").status_code == 202
    answer = ask.act(machine, "resize", package="g1-large")
    assert (answer.status_code, answer.json()["message"]) == (403, QUOTA)


def test_resize_beyond_the_server(ask: Asker) -> None:
    """Sdc-vmapi's lib/common/validation.js (validateCapacity): the server needs room for what the machine gets more."""
    machine = ask.create()
    node = ask.cloud.state.compute_nodes[COMPUTE_NODE]
    node.memory = 8191
    answer = ask.act(machine, "resize", package="g1-large")

    assert refusal(answer) == (409, "ValidationFailed")
    reason = "Required additional RAM (7168) exceeds the server's available RAM (7167)"
    assert answer.json()["errors"] == [{"field": "ram", "code": "InsufficientCapacity", "message": reason}]
    node.memory = 8192
    assert ask.act(machine, "resize", package="g1-large").status_code == 202


def test_disks_of_the_package(ask: Asker) -> None:
    """Sdc-cloudapi's lib/machines.js (getCreateOptions): without requested disks those of the flexible package."""
    add_package(ask, brand="bhyve", flexible_disk=True, disks=[{}, {"size": 512}])
    machine = create(ask, image="debian-12-cloud", package="special").json()["id"]

    assert [disk["size"] for disk in ask.get(f"/my/machines/{machine}/disks").json()] == [10_240, 512]
    assert ask.get(f"/my/machines/{machine}").json()["free_space"] == 20_480 - 10_240 - 512


def test_server_without_the_network(ask: Asker) -> None:
    """Sdc-cloudapi's lib/nics.js (checkServerHasTag)."""
    machine = ask.create()
    storage = ask.cloud.state.networks[network(ask, "external-2")]
    storage.nic_tag = "storage"
    answer = ask.post(f"/my/machines/{machine}/nics", {"network": storage.id})

    assert refusal(answer) == (409, "InvalidArgument")
    assert answer.json()["message"] == "Server does not support that network"
    ask.cloud.state.compute_nodes[COMPUTE_NODE].nic_tags = frozenset({"storage"})
    assert ask.post(f"/my/machines/{machine}/nics", {"network": storage.id}).status_code == 201


def test_missing_volume_is_created(ask: Asker) -> None:
    """Sdc-vmapi's lib/workflows/nfs-volumes (provisionNfsVolume): on the machine's networks of the fabric."""
    settings = ask.cloud.state.settings
    settings.volumes = settings.automount_volumes = True
    fabric = network(ask, "My-Fabric-Network")
    machine = create(ask, networks=[fabric], volumes=[{"name": "data", "mountpoint": "/data"}]).json()["id"]
    [volume] = ask.get("/my/volumes").json()

    assert (volume["name"], volume["state"], volume["size"], volume["networks"]) == ("data", "ready", 10_240, [fabric])
    assert volume["refs"] == [machine]
    assert not ask.cloud.check_invariants()


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"name": "data", "mountpoint": "/"}, "invalid mount point for volume { name: 'data', mountpoint: '/' }"),
        ({"name": "a", "mountpoint": "/a"}, r"Invalid volume name: a. Volume name should match /^[a-z0-9][\w.-]+$/i"),
        ({"type": "nfs"}, 'unknown volume type "nfs"'),
        ({"mode": "x"}, "volume mode for volume { mode: 'x' } must be one of ro, rw"),
    ],
)
def test_malformed_volume(ask: Asker, volume: dict[str, Any], message: str) -> None:
    """Sdc-cloudapi's lib/machines.js (validateVolume); its errors are passed on as a list, and so never answered."""
    ask.cloud.state.settings.automount_volumes = True
    answer = create(ask, volumes=[volume])
    assert (*refusal(answer), answer.json()["message"]) == (409, "InvalidArgument", message)


@pytest.mark.parametrize(
    ("services", "reason"),
    [
        ("www,db:5432:priority=1,_sip._tcp:5060", None),
        ("", "Expected DNS name but end of input found."),
        ("web db", 'Expected ",", ":" or end of input but " " found.'),
        ("web:", "Expected integer (port number) or property name but end of input found."),
        ("web:80:", "Expected property name but end of input found."),
        ("web:x", 'Expected "=" but end of input found.'),
        ("web:x=", "Expected property value but end of input found."),
        ("é", r'Expected DNS name but "\xE9" found.'),
        ("web:0", "service port number for web must be within the range 1 - 65535"),
        ("web:80:weight=a", "service weight for web must be within the range 0 - 65535"),
        ("web:80:color=1", 'service property "color" is not a valid property name'),
        ("a" * 64, f'service DNS name "{"a" * 64}" must be 63 or fewer characters'),
    ],
)
def test_services_of_cns(services: str, reason: str | None) -> None:
    """The package triton-tags 1.4.0, which sdc-vmapi uses: lib/cns-svc-tag.pegjs, and the checks in its lib/index.js."""
    expected = reason and f'invalid "triton.cns.services" tag: {reason}'
    assert objection_to("triton.cns.services", services) == expected


def test_predicate_in_the_words_of_krill(ask: Asker) -> None:
    """Sdc-cloudapi's lib/validation/predicate.js: krill checks the syntax of all, and only then the fields."""
    ask.cloud.state.settings.volumes = True
    answer = ask.get("/my/volumes", params={"predicate": '{"eq": ["invalid-pred", null]}'})
    assert answer.json()["message"] == (
        "VError: predicate { eq: [ 'invalid-pred', null ] }: field \"invalid-pred\" is not a string, number, or boolean"
    )


def test_config_without_a_record_of_the_account(ask: Asker) -> None:
    """Sdc-cloudapi's lib/endpoints/config.js (updateConfig): 500 until the record of the account's settings exists."""
    account = ask.cloud.state.account("demo")
    assert account
    account.default_network = None
    answer = ask("PUT", "/my/config", json={"default_network": network(ask, "external")})
    assert (answer.status_code, answer.json()["message"]) == (500, "Config currently unavailable.")


def test_dataset_does_not_filter_machines(ask: Asker) -> None:
    """Sdc-cloudapi's lib/machines.js (getListOptions) reads ``image`` only; ``dataset`` is checked and then forgotten."""
    machine = ask.create()
    other = ask.cloud.state.image_named("minimal-64-lts")
    assert other
    listed = [ask.get(f"/my/machines?{name}={other.id}").json() for name in ("image", "dataset")]
    assert [[each["id"] for each in page] for page in listed] == [[], [machine]]


def test_address_of_the_account_is_not_checked(ask: Asker) -> None:
    """Sdc-cloudapi's lib/account.js (update) and sdc-ufds' schema/sdcperson.js check an e-mail address of users only."""
    assert ask.post("/my", {"email": "bad"}).json()["email"] == "bad"
    answer = ask.post("/my/users", {"login": "robot", "password": "secret123", "email": "bad"})
    assert answer.json()["message"] == "email: bad is invalid"


def test_rules_of_the_operator(ask: Asker) -> None:
    """Sdc-fwapi lists an owner's rules only, but applies global ones to every machine, where CloudAPI shows them too."""
    machine = ask.create()
    rule = ask.cloud.state.add_global_rule("FROM any TO all vms ALLOW icmp TYPE all").id

    assert ask.get("/my/fwrules").json() == []
    shown = ask.get(f"/my/machines/{machine}/fwrules").json()
    assert [(each["id"], each["global"]) for each in shown] == [(rule, True)]
    assert ask("DELETE", f"/my/fwrules/{rule}").status_code == 403
