"""CreateMachine in the emulator: CloudAPI's checks, one by one, and the machine that passes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from kits.emulator_signer import Asker, refusal
from smartdc.emulator import ByScript, Emulator
from smartdc.emulator.state.records import ImageRecord, NetworkRecord, PackageRecord

ARGUMENT = (409, "InvalidArgument")
MISSING = (409, "MissingParameter")
VALIDATION = (409, "ValidationFailed")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def ask(cloud: Emulator) -> Asker:
    """A client within the process."""
    return Asker(cloud)


def image(ask: Asker, name: str = "base-64-lts") -> ImageRecord:
    """Return an image by name."""
    found = ask.cloud.state.image_named(name)
    assert found
    return found


def package(ask: Asker, name: str) -> PackageRecord:
    """Return a package by name."""
    found = ask.cloud.state.package_named(name)
    assert found
    return found


def network(ask: Asker, name: str) -> NetworkRecord:
    """Return a network by name."""
    return next(each for each in ask.cloud.state.networks.values() if each.name == name)


def create(
    ask: Asker,
    image_name: str = "base-64-lts",
    package_name: str = "g1-small",
    extra: dict[str, Any] | None = None,
    **more: Any,
) -> requests.Response:
    """Ask for a machine; ``extra`` holds the parameters whose names are no words of Python."""
    body = {"image": image(ask, image_name).id, "package": package_name, **(extra or {}), **more}
    return ask.post("/my/machines", body)


def refused(answer: requests.Response, message: str, kind: tuple[int, str] = ARGUMENT) -> None:
    """Check status, code and message of a refusal."""
    assert (refusal(answer), answer.json()["message"]) == (kind, message)


def finished(ask: Asker, answer: requests.Response) -> dict[str, Any]:
    """Return a machine that was just created, after its job."""
    assert answer.status_code == 201, answer.text
    machine: dict[str, Any] = ask.get(f"/my/machines/{answer.json()['id']}").json()
    return machine


def test_new_machine_is_provisioning(ask: Asker) -> None:
    """The answer shows it with everything but its addresses, and says where it is."""
    answer = create(ask, name="web", extra={"tag.n": 1, "tag.b": True, "metadata.m": "x"})
    machine = answer.json()

    assert (answer.status_code, machine["state"], machine["ips"]) == (201, "provisioning", [])
    assert answer.headers["Location"] == f"/demo/machines/{machine['id']}"
    assert (machine["name"], machine["brand"]) == ("web", "joyent")
    assert (machine["type"], machine["memory"], machine["disk"]) == ("smartmachine", 1024, 25_600)
    assert machine["tags"] == {"n": 1, "b": True}
    assert machine["metadata"]["m"] == "x"
    assert machine["firewall_enabled"] is machine["deletion_protection"] is False
    assert {"nics", "primaryIp", "credentials", "docker"}.isdisjoint(machine)


def test_answer_is_written_before_the_package_is_looked_up(ask: Asker) -> None:
    """It names none, says nothing of flexible disks, and has no names from DNS; all that is known at the next look."""
    ask.cloud.state.settings.cns = ask.cloud.state.accounts["demo"].cns_enabled = True
    answer = create(ask, "debian-12-cloud", "b1-small", name="web")
    young, late = answer.json(), finished(ask, answer)

    assert (young["package"], late["package"]) == ("", "b1-small")
    assert late.keys() - young.keys() >= {"flexible", "free_space", "dns_names"}


def test_finished_machine_has_addresses(ask: Asker) -> None:
    """By default it gets a public interface, which is primary, and an internal one."""
    machine = finished(ask, create(ask))

    assert machine["state"] == "running"
    assert machine["networks"] == [network(ask, "external").id, network(ask, "internal").id]
    assert [nic["primary"] for nic in machine["nics"]] == [True, False]
    assert machine["primaryIp"] == machine["ips"][0] == machine["nics"][0]["ip"]
    assert machine["nics"][0]["mac"].startswith("90:b8:d0:")


def test_keys_of_the_account_become_roots(ask: Asker) -> None:
    """All keys are put into the metadata."""
    keys = finished(ask, create(ask))["metadata"]["root_authorized_keys"]

    assert keys == ask.cloud.public_key + "\n"


def test_name_is_made_from_the_id(ask: Asker) -> None:
    """Without a name it is the id's first part, which ``{{shortId}}`` stands for as well."""
    plain, expanded = create(ask).json(), create(ask, name="web-{{shortId}}").json()

    assert plain["name"] == plain["id"][:8]
    assert expanded["name"] == f"web-{expanded['id'][:8]}"


def test_dataset_is_another_word_for_image(ask: Asker) -> None:
    """One of them is enough, and both are too many."""
    identity = image(ask).id

    assert ask.post("/my/machines", {"dataset": identity, "package": "g1-small"}).status_code == 201
    refused(create(ask, dataset=identity), "image and dataset are mutually exclusive parameters.")


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({}, MISSING, "image must be specified"),
        ({"image": "base-64-lts"}, ARGUMENT, "base-64-lts is not a valid image"),
        ({"image": UNKNOWN}, (404, "ResourceNotFound"), f"image {UNKNOWN} not found"),
    ],
)
def test_image_must_be_there(ask: Asker, body: dict[str, str], kind: tuple[int, str], message: str) -> None:
    """A missing image, a name and an unknown id are told apart."""
    refused(ask.post("/my/machines", {"package": "g1-small", **body}), message, kind)


def test_image_must_be_active(ask: Asker) -> None:
    """A withdrawn image cannot be used."""
    disabled = next(each for each in ask.cloud.state.images.values() if each.state == "disabled")

    refused(ask.post("/my/machines", {"image": disabled.id}), f"image {disabled.id} is not active")


def test_shared_image_must_be_allowed(ask: Asker) -> None:
    """From version 9 on, somebody else's image that was shared needs a word more."""
    account, shared = ask.cloud.state.accounts["demo"], image(ask)
    shared.owner, shared.public, shared.acl = UNKNOWN, False, [account.id]

    answer = create(ask)
    assert refusal(answer) == ARGUMENT
    assert "is a shared image" in answer.json()["message"]
    assert create(ask, allow_shared_images=True).status_code == 201
    assert refusal(create(ask, allow_shared_images="true")) == ARGUMENT
    body = {"image": shared.id, "package": "g1-small"}
    assert ask.post("/my/machines", body, headers={"Accept-Version": "~8"}).status_code == 201
    shared.owner = account.id
    assert create(ask).status_code == 201  # one's own image is none of somebody else's, though one is in its list


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        (None, MISSING, "package must be specified"),
        ("g9", ARGUMENT, "g9 is not a valid package"),
        (UNKNOWN, (404, "ResourceNotFound"), f"Package {UNKNOWN} does not exist"),
    ],
)
def test_package_must_be_there(ask: Asker, name: str | None, kind: tuple[int, str], message: str) -> None:
    """A missing package, an unknown name and an unknown id are told apart."""
    refused(ask.post("/my/machines", {"image": image(ask).id, "package": name}), message, kind)


def test_package_must_be_active(ask: Asker) -> None:
    """By id an inactive package is found, and refused."""
    retired = next(each for each in ask.cloud.state.packages.values() if not each.active)

    refused(create(ask, package=retired.id), f"{retired.id} is inactive. Must use an active package")


def test_package_of_others_is_not_there(ask: Asker) -> None:
    """A package kept for some accounts is a 404 to the rest."""
    small = package(ask, "g1-small")
    small.owners = [UNKNOWN]

    assert create(ask, package=small.id).status_code == 404
    assert refusal(create(ask, package="g1-small")) == ARGUMENT


def test_newest_package_of_a_name_is_taken(ask: Asker) -> None:
    """Versions compare by number and not by letter."""
    assert create(ask, package="g2-trial").json()["memory"] == 2048


def test_image_may_want_a_password(ask: Asker) -> None:
    """Such an image needs no keys, and hides the password in the metadata."""
    windows = image(ask, "windows-server-2022").id
    ask.cloud.state.accounts["demo"].approved = True

    refused(create(ask, "windows-server-2022", "b1-large"), f"{windows} requires a password", MISSING)
    machine = create(ask, "windows-server-2022", "b1-large", password="secret").json()
    assert machine["metadata"] == {"administrator_pw": "secret"}


def test_account_must_have_a_key(ask: Asker) -> None:
    """Nobody could log in to a machine without one."""
    other = ask.cloud.state.add_account("other")
    ask.cloud.state.accounts["demo"].operator = True

    answer = ask.post(f"/{other.login}/machines", {"image": image(ask).id, "package": "g1-small"})
    refused(answer, "At least one SSH key is required to provision", (409, "KeyRequired"))


def test_account_must_be_approved(ask: Asker) -> None:
    """An account may be allowed to look but not to provision."""
    ask.cloud.state.accounts["demo"].approved = False

    refused(create(ask), "User is not currently approved for provisioning")


@pytest.mark.parametrize(
    ("image_name", "package_name", "brand", "message"),
    [
        (
            "base-64-lts",
            "g1-small",
            "joy\u00a0<b>",
            'Unknown brand "joyb". Brand is restricted to one of ["bhyve","kvm"]',
        ),
        ("debian-12", "k1-small", None, 'Package requires brand "kvm", but brand "lx" was selected'),
        ("ubuntu-certified-22.04", "g1-small", "bhyve", 'Image requires brand "kvm", but brand "bhyve" was selected'),
        ("base-64-lts", "g1-small", "bhyve", 'Brand "bhyve" requires the image type to be "zvol"'),
    ],
)
def test_brand_must_fit(ask: Asker, image_name: str, package_name: str, brand: str | None, message: str) -> None:
    """Request, image and package must agree on a brand."""
    refused(create(ask, image_name, package_name, brand=brand), message)


def test_container_brand_cannot_boot_a_disk(ask: Asker) -> None:
    """An image that is a disk needs hardware to be emulated."""
    disk = image(ask, "ubuntu-certified-22.04")
    disk.requirements = {"brand": "lx"}

    refused(create(ask, disk.name), 'Brand "lx" cannot use an image of type "zvol"')


def test_brand_has_defaults(ask: Asker) -> None:
    """What neither request nor image nor package says, the data centre does."""
    image(ask, "ubuntu-certified-22.04").requirements = {}

    machine = finished(ask, create(ask, "ubuntu-certified-22.04"))
    assert (machine["brand"], machine["type"]) == ("kvm", "virtualmachine")
    assert finished(ask, create(ask, "debian-12"))["brand"] == "lx"


def test_bhyve_machine_has_disks(ask: Asker) -> None:
    """The first disk boots the image, and the second has the rest."""
    machine = finished(ask, create(ask, "debian-12-cloud", "b1-small"))

    assert (machine["flexible"], machine["free_space"], machine["disk"]) == (True, 0, 51_200)
    assert [disk["size"] for disk in machine["disks"]] == [10_240, 40_960]
    assert machine["disks"][0]["boot"] is True
    assert machine["disks"][0]["image"] == machine["image"]


def test_fixed_bhyve_machine_has_a_full_data_disk(ask: Asker) -> None:
    """Without flexible disks the package's disk comes on top of the image's."""
    machine = finished(ask, create(ask, "debian-12-cloud", "b1-fixed"))

    assert machine["flexible"] is False
    assert [disk["size"] for disk in machine["disks"]] == [10_240, 102_400]


@pytest.mark.parametrize(
    ("disks", "sizes"),
    [
        ([{}, {"size": 1024}], [10_240, 1024]),
        ([{"size": 20_480}, {"size": "remaining", "block_size": 8192}], [20_480, 30_720]),
        ([{"size": "remaining"}], [51_200]),
        ([{}, *[{"size": 1024}] * 7], [10_240, *[1024] * 7]),
        ([{"size": 10_240}, {"size": 40_960}], [10_240, 40_960]),
        ([{"size": "remaining"}, {"size": 40_960}], [10_240, 40_960]),
    ],
)
def test_disks_can_be_chosen(ask: Asker, disks: list[dict[str, Any]], sizes: list[int]) -> None:
    """A size may be left to the image, or be what remains; eight disks are the most."""
    machine = finished(ask, create(ask, "debian-12-cloud", "b1-small", disks=disks))

    assert [disk["size"] for disk in machine["disks"]] == sizes
    assert machine["free_space"] == 51_200 - sum(sizes)


@pytest.mark.parametrize(
    ("disks", "kind", "message"),
    [
        ([{}] * 9, ARGUMENT, "A maximum of 8 disks per VM are supported"),
        ([{}, {}], MISSING, "disk.size must be set if disk is not the boot disk"),
        (
            [{"size": "remaining"}, {"size": "remaining"}],
            ARGUMENT,
            "Only one disk.size can be set to `remaining`",
        ),
        ([{"size": 10_239}], ARGUMENT, "Size must be greater than or equal to image size for the boot disk"),
        ([{}, {"size": 40_961}], ARGUMENT, "The size of the disks must not be greater than the package quota"),
        (
            [{"size": "remaining"}, {"size": 40_961}],
            ARGUMENT,
            "The size of the disks must not be greater than the package quota",
        ),
        ([{"block_size": 512}], ARGUMENT, "Cannot set block_size and image_uuid."),
        (
            [{}, {"size": 1, "block_size": 1000}],
            ARGUMENT,
            "Invalid block_size: 1000 on disk: 1. Must be 512-131072 and a power of 2.",
        ),
    ],
)
def test_disks_must_fit(ask: Asker, disks: list[dict[str, Any]], kind: tuple[int, str], message: str) -> None:
    """Disks that cannot be are a 409."""
    refused(create(ask, "debian-12-cloud", "b1-small", disks=disks), message, kind)


@pytest.mark.parametrize("size", ["big", None, 1.5, True])
def test_disk_sizes_are_whole_numbers(ask: Asker, size: Any) -> None:
    """Or the word that means the rest."""
    answer = create(ask, "debian-12-cloud", "b1-small", disks=[{}, {"size": size}])

    assert (refusal(answer), answer.json()["errors"][0]["field"]) == (VALIDATION, "disks")


def test_disks_have_ids(ask: Asker) -> None:
    """Of one's choice, or made from the machine's."""
    disks = [{"id": UNKNOWN}, {"size": 1024}]
    first, second = (finished(ask, create(ask, "debian-12-cloud", "b1-small", disks=disks))["disks"] for _ in range(2))

    assert first[0]["id"] == second[0]["id"] == UNKNOWN
    assert first[1]["id"] != second[1]["id"]


def test_disks_that_are_no_list_break_cloudapi(ask: Asker) -> None:
    """It does not check for that, and fails."""
    assert create(ask, "debian-12-cloud", "b1-small", disks="big").status_code == 500


def test_disks_need_a_flexible_package(ask: Asker) -> None:
    """Only some packages leave the choice."""
    answer = create(ask, "debian-12-cloud", "b1-fixed", disks=[{}])

    assert answer.json()["message"].startswith("The use of `disks` is only supported if")


def test_bootrom_is_for_bhyve(ask: Asker) -> None:
    """Others have none."""
    refused(create(ask, bootrom="uefi"), 'Only bhyve VMs support "bootrom" option')


def test_delegated_datasets_are_switched_by_operators(ask: Asker) -> None:
    """Only JSON true asks for one, and only where they are enabled."""
    assert refusal(create(ask, delegate_dataset=True)) == ARGUMENT
    assert "delegate_dataset" not in create(ask, delegate_dataset="true").json()
    ask.cloud.state.settings.delegate_datasets = True
    assert create(ask, delegate_dataset=True).json()["delegate_dataset"] is True


def test_flags_are_strict(ask: Asker) -> None:
    """Only JSON true protects and encrypts; the firewall takes text as well."""
    strict = create(ask, deletion_protection=True, encrypted=True, firewall_enabled="true").json()
    loose = create(ask, deletion_protection="true", encrypted="true").json()

    assert strict["deletion_protection"] is strict["encrypted"] is strict["firewall_enabled"] is True
    assert loose["deletion_protection"] is False
    assert "encrypted" not in loose
    assert create(ask, firewall_enabled="maybe").json()["errors"][0]["field"] == "firewall_enabled"


def test_networks_can_be_chosen(ask: Asker) -> None:
    """As ids or as objects; doubles are dropped, and the first public one is primary."""
    internal, external = network(ask, "internal").id, network(ask, "external").id
    by_id = finished(ask, create(ask, networks=[internal, external, internal]))
    objects = [{"ipv4_uuid": internal, "ipv4_ips": ["10.88.7.7"]}, {"ipv4_uuid": external, "ipv4_count": 1}]
    by_object = finished(ask, create(ask, networks=objects))

    assert by_id["networks"] == [internal, external]
    assert by_id["primaryIp"] == by_id["ips"][1]
    assert by_object["ips"][0] == "10.88.7.7"


def test_machine_without_public_network_has_a_primary_interface(ask: Asker) -> None:
    """It is the first one."""
    names = [network(ask, name).id for name in ("internal", "My-Fabric-Network")]
    machine = finished(ask, create(ask, networks=names))

    assert [nic["primary"] for nic in machine["nics"]] == [True, False]
    assert machine["primaryIp"] == machine["ips"][0]


def test_default_networks_can_be_narrowed(ask: Asker) -> None:
    """An undocumented parameter leaves one of the defaults out."""
    assert finished(ask, create(ask, default_networks=["internal"]))["networks"] == [network(ask, "internal").id]


@pytest.mark.parametrize(
    ("item", "kind", "message"),
    [
        (UNKNOWN, ARGUMENT, "Invalid Networks"),
        (7, ARGUMENT, 'property "networks[0]": array of strings or objects expected'),
        ({}, MISSING, "network objects must contain ipv4_uuid"),
        ({"ipv4_uuid": 7}, ARGUMENT, "ipv4_uuid must be a string"),
        ({"ipv4_uuid": "x"}, ARGUMENT, "ipv4_uuid: x is not a uuid"),
        (
            {"ipv4_uuid": UNKNOWN, "ipv4_count": 1, "ipv4_ips": []},
            ARGUMENT,
            "ipv4_count and ipv4_ips cannot be specified together",
        ),
        ({"ipv4_uuid": UNKNOWN, "ipv4_count": "1"}, ARGUMENT, "ipv4_count must be a number"),
        ({"ipv4_uuid": UNKNOWN, "ipv4_count": True}, ARGUMENT, "ipv4_count must be a number"),
        ({"ipv4_uuid": UNKNOWN, "ipv4_count": 2}, ARGUMENT, "ipv4_count can only be set to 1"),
        ({"ipv4_uuid": UNKNOWN, "ipv4_ips": "x"}, ARGUMENT, "ipv4_ips must be an array with a single IP"),
        (
            {"ipv4_uuid": UNKNOWN, "ipv4_ips": []},
            ARGUMENT,
            f"ipv4_ips: network with ipv4_uuid {UNKNOWN} should contain a single IP array",
        ),
        ({"ipv4_uuid": UNKNOWN, "ipv4_ips": [7]}, ARGUMENT, "ipv4_ips[0]: string expected"),
        (
            {"ipv4_uuid": UNKNOWN, "ipv4_ips": ["10.0.0.1"]},
            (404, "ResourceNotFound"),
            f"ipv4_uuid: network {UNKNOWN} not found",
        ),
    ],
)
def test_networks_must_be_right(ask: Asker, item: Any, kind: tuple[int, str], message: str) -> None:
    """Each way of getting them wrong has its words."""
    refused(create(ask, networks=[item]), message, kind)


def test_network_that_is_no_uuid_breaks_cloudapi(ask: Asker) -> None:
    """It trips over an assertion, and answers without a code."""
    answer = create(ask, networks=["external"])

    assert answer.status_code == 500
    assert "code" not in answer.json()


def test_network_objects_came_with_a_version(ask: Asker) -> None:
    """Before 7.3 only ids will do."""
    body = {"image": image(ask).id, "package": "g1-small", "networks": [{"ipv4_uuid": UNKNOWN}]}

    refused(ask.post("/my/machines", body, headers={"Accept-Version": "~7.2"}), "Invalid Networks")


def test_address_on_a_public_network_cannot_be_chosen(ask: Asker) -> None:
    """They are given out in order."""
    external = network(ask, "external").id

    answer = create(ask, networks=[{"ipv4_uuid": external, "ipv4_ips": ["198.18.0.9"]}])
    refused(answer, f"ipv4_uuid: {external} cannot specify IP on a public network")


def test_address_can_be_had_once(ask: Asker) -> None:
    """One that is in use is a 422, from which sdc-cloudapi's lib/errors.js (translateDuplicateIpErrors) takes whose it is."""
    networks = [{"ipv4_uuid": network(ask, "internal").id, "ipv4_ips": ["10.88.7.7"]}]
    create(ask, networks=networks)

    answer = create(ask, networks=networks)
    assert refusal(answer) == (422, "InvalidParameters")
    assert answer.json()["errors"] == [{"field": "ip", "code": "UsedBy", "message": "IP in use"}]


def test_one_public_network_is_enough(ask: Asker) -> None:
    """More are only for data centres that allow it."""
    networks = [network(ask, name).id for name in ("external", "external-2")]

    assert create(ask, networks=networks[1:]).status_code == 201
    refused(create(ask, networks=networks), "Can specify a maximum of 1 public networks")
    ask.cloud.state.settings.allow_multiple_public_networks = True
    assert create(ask, networks=networks).status_code == 201


def test_full_network_refuses(ask: Asker) -> None:
    """A 507 leaves no address behind, on this network or on others."""
    internal = network(ask, "internal")
    internal.subnet = next(internal.subnet.subnets(new_prefix=29))

    assert [create(ask).status_code for _ in range(3)] == [201, 201, 507]
    assert refusal(create(ask)) == (507, "SubnetFull")
    assert ask.cloud.check_invariants() == []
    assert ask.cloud.summary()["addresses"] == 4


def test_memory_must_do_for_the_image(ask: Asker) -> None:
    """An image may need more than a package has."""
    message = "You must use a package with at least 512 MiB of RAM in order to provision the selected image"

    refused(create(ask, "ubuntu-24.04", "g1-nano"), message)
    image(ask, "ubuntu-24.04").requirements = {"min_ram": 257}
    refused(create(ask, "ubuntu-24.04", "g1-nano"), message.replace("512", "257"))
    image(ask, "ubuntu-24.04").requirements = {"min_ram": 256}
    assert create(ask, "ubuntu-24.04", "g1-nano").status_code == 201


def test_volumes_are_not_for_everybody(ask: Asker) -> None:
    """Neither hardware machines nor data centres without the switch have them."""
    volumes = [{"name": "data", "mountpoint": "/data"}]

    refused(create(ask, volumes=volumes), "Support for automounting volumes is not enabled")
    answer = create(ask, "debian-12-cloud", "b1-small", volumes=volumes)
    refused(answer, 'volumes not yet supported with brand "bhyve"')
    ask.cloud.state.settings.automount_volumes = True
    assert create(ask, volumes=volumes).status_code == 201


@pytest.mark.parametrize("rules", [["role==~db"], "instance!=~web*", [], ["a-b==~/^x$/"]])
def test_affinity_is_parsed(ask: Asker, rules: Any) -> None:
    """Preferences that can be read have no effect here, since there is one compute node."""
    assert create(ask, affinity=rules).status_code == 201


@pytest.mark.parametrize(
    ("rules", "start"),
    [
        (["role=db"], "could not find operator in affinity rule"),
        (["1==db"], "invalid key in affinity rule"),
        (["role=="], "invalid value in affinity rule"),
    ],
)
def test_affinity_must_be_right(ask: Asker, rules: Any, start: str) -> None:
    """Rules that cannot be read are a 409."""
    answer = create(ask, affinity=rules)

    assert refusal(answer) == ARGUMENT
    assert answer.json()["message"].startswith(start)


def test_affinity_that_is_no_text_breaks_cloudapi(ask: Asker) -> None:
    """It trips over an assertion."""
    assert create(ask, affinity=[7]).status_code == 500


def test_affinity_and_locality_exclude_each_other(ask: Asker) -> None:
    """The older way cannot be mixed with the newer one."""
    answer = create(ask, affinity=["role==db"], locality={"near": []})

    refused(answer, 'cannot specify both "locality" (deprecated) and "affinity"')


MALFORMED = r"String does not match regexp: /^[a-zA-Z0-9][a-zA-Z0-9\_\.\-]*$/"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("-web", MALFORMED),
        ("we b", MALFORMED),
        ("é", MALFORMED),
        ("x" * 190, "String is longer than maximum of 189 characters"),
    ],
)
def test_name_must_be_right(ask: Asker, name: str, words: str) -> None:
    """A malformed name is told by VMAPI; 189 characters are the most."""
    assert create(ask, name="x" * 189).status_code == 201
    answer = create(ask, name=name)

    assert refusal(answer) == VALIDATION
    assert answer.json()["message"] == "Invalid VM parameters: Invalid machine name"
    assert answer.json()["errors"] == [{"field": "alias", "code": "Invalid", "message": words}]


def test_name_can_be_had_once(ask: Asker) -> None:
    """It is free again when its machine is deleted or has failed."""
    first = create(ask, name="web").json()["id"]

    answer = create(ask, name="web")
    assert refusal(answer) == VALIDATION
    assert answer.json()["errors"][0]["code"] == "Duplicate"
    ask("DELETE", f"/my/machines/{first}")
    ask.cloud.transitions.fail("provision")
    create(ask, name="web")
    assert create(ask, name="web").status_code == 201


def test_cns_shortens_names(ask: Asker) -> None:
    """A name that becomes a DNS label has 63 characters at most."""
    ask.cloud.state.accounts["demo"].cns_enabled = True

    assert create(ask, name="x" * 63).status_code == 201
    words = "Name cannot be longer than 63 characters, because you have triton_cns_enabled set on your Account."
    refused(create(ask, name="x" * 64), words)


def test_nested_tags_and_metadata_are_ignored(ask: Asker) -> None:
    """Only flat keys with a prefix count, and passwords among the metadata are dropped."""
    more = {"metadata.a": 1, "metadata.root_pw": "x"}
    machine = create(ask, tags={"a": "b"}, metadata={"a": "b"}, extra=more).json()

    assert machine["tags"] == {}
    assert set(machine["metadata"]) == {"a", "root_authorized_keys"}


def test_machine_needs_a_network(ask: Asker) -> None:
    """An empty list is taken by its word, and VMAPI refuses it."""
    answer = create(ask, networks=[])

    refused(answer, "Invalid VM parameters: Invalid networks", VALIDATION)
    assert answer.json()["errors"][0]["field"] == "networks"
    assert ask.get("/my/machines").json() == []


def test_names_need_something_after_the_dot(ask: Asker) -> None:
    """What has nothing there, or for metadata no word, is no entry."""
    machine = create(ask, extra={"tag.": "a", "metadata.": "a", "metadata.-x": "a", "tag.-x": "a"}).json()

    assert (machine["tags"], set(machine["metadata"])) == ({"-x": "a"}, {"root_authorized_keys"})


def test_tags_of_docker_can_be_had_from_the_start(ask: Asker) -> None:
    """VMAPI guards them against changes only."""
    assert create(ask, extra={"tag.sdc_docker": True}).json()["tags"] == {"sdc_docker": True}


@pytest.mark.parametrize(("key", "field"), [("tag.a", "tags.a"), ("metadata.a", "customer_metadata.a")])
def test_values_must_be_simple(ask: Asker, key: str, field: str) -> None:
    """Text, numbers and booleans are all there is."""
    answer = create(ask, extra={key: [1]})

    refused(answer, "Invalid VM parameters", VALIDATION)
    assert answer.json()["errors"][0] == {"field": field, "code": "Invalid", "message": "Forbidden Data Type"}


@pytest.mark.parametrize("text", ['{"root": "a", "admin_pw": "b"}', {"root": "a", "admin_pw": "b"}])
def test_credentials_are_hidden(ask: Asker, text: Any) -> None:
    """They show only when asked for, by login."""
    machine = create(ask, extra={"metadata.credentials": text}).json()
    path = f"/my/machines/{machine['id']}"

    assert "credentials" not in machine["metadata"]
    assert ask.get(f"{path}?credentials=true").json()["metadata"]["credentials"] == {"root": "a", "admin": "b"}
    assert ask.get(f"{path}?credentials=false").json()["credentials"] == "false"
    assert "credentials" not in ask.get(path).json()


@pytest.mark.parametrize("text", ["{", json.dumps([1]), 7])
def test_credentials_that_are_none_are_dropped(ask: Asker, text: Any) -> None:
    """What cannot be read does no harm."""
    machine = create(ask, extra={"metadata.credentials": text}).json()

    shown = ask.get(f"/my/machines/{machine['id']}?credentials=1").json()["metadata"]
    assert "credentials" not in shown


def test_failed_machine_leaves_the_list(ask: Asker) -> None:
    """It shows as failed by its id, in the audit, and among the tombstones."""
    ask.cloud.transitions.fail("provision")
    machine = create(ask).json()["id"]

    assert ask.state(machine) == "failed"
    assert ask.audit(machine) == [("provision", "no")]
    assert ask.get("/my/machines").json() == []
    assert [each["id"] for each in ask.get("/my/machines?tombstone=true").json()] == [machine]
    assert ask.cloud.summary()["addresses"] == 0


def test_machine_without_a_node_cannot_be_deleted(ask: Asker) -> None:
    """While it waits for a place, there is nothing to delete."""
    ask.cloud.transitions.policy = ByScript()
    machine = create(ask).json()["id"]
    ask.cloud.state.machines[machine].compute_node = None

    assert refusal(ask("DELETE", f"/my/machines/{machine}")) == (409, "ConflictError")
