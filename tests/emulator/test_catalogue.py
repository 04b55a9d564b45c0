"""What an account has and finds in the emulator: itself, keys, images, packages, networks, data centres."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kits.emulator_signer import Asker, public_line, refusal
from smartdc.emulator import Emulator
from smartdc.emulator.state.records import ImageRecord

ARGUMENT = (409, "InvalidArgument")
NOT_FOUND = (404, "ResourceNotFound")


@pytest.fixture
def ask(cloud: Emulator) -> Asker:
    """A client within the process."""
    return Asker(cloud)


def named(ask: Asker, path: str) -> list[str]:
    """Return the names of what a path lists."""
    return [each["name"] for each in ask.get(path).json()]


# Account


def test_account_shows_what_it_has(ask: Asker) -> None:
    """Empty fields are left out."""
    account = ask.get("/my").json()

    assert list(account) == ["id", "login", "email", "triton_cns_enabled", "updated", "created"]
    assert account["created"] == "2026-01-01T00:00:00.000Z"
    assert ask("HEAD", "/my").status_code == 200


def test_account_is_updated(ask: Asker) -> None:
    """Under new words and old ones; an empty value changes nothing."""
    ask.cloud.clock.sleep(60)
    ask.post("/my", {"firstName": "A", "lastName": "B", "company": "C", "phone": 1, "triton_cns_enabled": "true"})
    account = ask.post("/my", {"firstName": "", "login": "other"}).json()

    assert (account["firstName"], account["lastName"], account["companyName"]) == ("A", "B", "C")
    assert (account["phone"], account["login"], account["triton_cns_enabled"]) == ("1", "demo", True)
    assert account["updated"] == "2026-01-01T00:01:00.000Z"
    assert ask.post("/my", {"triton_cns_enabled": False}).json()["triton_cns_enabled"] is False


@pytest.mark.parametrize("value", ["yes", "True", "", None, 1, [], ["true"], {}, {"true": True}], ids=str)
def test_account_checks_its_flag(ask: Asker, value: Any) -> None:
    """Nothing else is changed with a wrong one, whatever its JSON type."""
    assert refusal(ask.post("/my", {"triton_cns_enabled": value, "city": "x"})) == ARGUMENT
    assert "city" not in ask.get("/my").json()


def test_account_has_no_limits(ask: Asker) -> None:
    """As without the plugin that sets them."""
    assert ask.get("/my/limits").json() == []


# Keys


def test_key_is_added_and_deleted(ask: Asker) -> None:
    """It goes by its comment, or by a name, or by its fingerprint."""
    line = public_line(ed25519.Ed25519PrivateKey.generate(), "laptop")
    answer = ask.post("/my/keys", {"key": line})
    key = answer.json()

    assert (answer.status_code, key["name"], key["key"]) == (201, "laptop", line)
    assert answer.headers["Location"] == f"/demo/keys/{quote(key['fingerprint'], safe='')}"
    assert ask.get("/my/keys/laptop").json() == ask.get(f"/my/keys/{quote(key['fingerprint'])}").json() == key
    assert named(ask, "/my/keys") == ["emulator", "laptop"]
    assert ask("HEAD", "/my/keys/laptop").status_code == ask("HEAD", "/my/keys").status_code == 200
    assert ask("DELETE", "/my/keys/laptop").status_code == 204
    assert refusal(ask.get("/my/keys/laptop")) == NOT_FOUND


def test_key_without_a_comment_is_named_by_its_fingerprint(ask: Asker) -> None:
    """A name of one's own goes before both."""
    first, second = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    lines = [key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() for key in (first, second)]

    key = ask.post("/my/keys", {"key": lines[0]}).json()
    assert key["name"] == key["fingerprint"]
    assert ask.post("/my/keys", {"key": lines[1], "name": "mine"}).json()["name"] == "mine"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "key is a required argument"),
        ({"key": 1}, "key must be a String"),
        ({"key": "ssh-rsa"}, "key is invalid"),
        ({"key": "ssh-rsa AAAA"}, "key already exists or is invalid"),
        ({"key": "ssh-rsa !"}, "key already exists or is invalid"),
        ({"key": "ssh-dss AAAA"}, "key already exists or is invalid"),
        ({"key": "ecdsa-sha2-nistp999 AAAA"}, "key already exists or is invalid"),
        ({"key": "ssh-foo AAAA"}, "key already exists or is invalid"),
        ({"key": "  x"}, "key already exists or is invalid"),
        ({"key": "ssh-rsa AAAA", "attestation": "x"}, "attestation must be an Array of Strings"),
        ({"key": "ssh-rsa AAAA", "attestation": [1]}, "attestation must be an Array of Strings"),
    ],
)
def test_key_must_be_right(ask: Asker, body: dict[str, Any], message: str) -> None:
    """Each way of getting it wrong has its words."""
    answer = ask.post("/my/keys", body)

    assert (answer.status_code, answer.json()["message"]) == (409, message)


def test_key_can_be_had_once(ask: Asker) -> None:
    """The same key and the same name are both refused."""
    line = public_line(ed25519.Ed25519PrivateKey.generate(), "emulator")

    assert refusal(ask.post("/my/keys", {"key": ask.cloud.public_key, "name": "x"})) == ARGUMENT
    assert refusal(ask.post("/my/keys", {"key": line})) == ARGUMENT
    assert ask.post("/my/keys", {"key": line, "name": "x", "attestation": ["pem"]}).status_code == 201


def test_own_key_can_be_deleted(ask: Asker) -> None:
    """After which nothing is let in any more."""
    assert ask("DELETE", "/my/keys/emulator").status_code == 204
    assert refusal(ask.get("/my")) == (401, "InvalidCredentials")


# Images


def image(ask: Asker, name: str = "base-64-lts") -> ImageRecord:
    """Return an image by name."""
    found = ask.cloud.state.image_named(name)
    assert found
    return found


def test_images_cover_all_kinds(ask: Asker) -> None:
    """Active ones of every kind, oldest first, and no Docker images."""
    images = ask.get("/my/images").json()

    assert {"zone-dataset", "lx-dataset", "zvol"} == {each["type"] for each in images}
    assert {each["state"] for each in images} == {"active"}
    assert [each["published_at"] for each in images] == sorted(each["published_at"] for each in images)
    assert ask("HEAD", "/my/images").status_code == 200


def test_images_are_filtered(ask: Asker) -> None:
    """By exact values, by part of a name, by state and type."""
    assert named(ask, "/my/images?name=debian-12") == ["debian-12"]
    assert set(named(ask, "/my/images?name=~debian")) == {"debian-12", "debian-12-cloud"}
    assert named(ask, "/my/images?os=windows") == ["windows-server-2022"]
    assert named(ask, "/my/images?type=docker") == ["alpine"]
    assert "alpine" not in named(ask, "/my/images?type=!docker")
    assert named(ask, "/my/images?version=~3.4") == ["base-64-lts"]
    assert len(named(ask, "/my/images?state=all")) == len(named(ask, "/my/images")) + 1
    assert named(ask, "/my/images?public=false") == named(ask, "/my/images?version=0") == []
    assert named(ask, "/my/images?public=true&owner=" + image(ask).owner) == named(ask, "/my/images")


def test_disabled_images_of_others_show_among_all_only(ask: Asker) -> None:
    """By their state only one's own are listed."""
    [disabled] = [each for each in ask.cloud.state.images.values() if each.state == "disabled"]

    assert ask.get("/my/images?state=disabled").json() == []
    assert disabled.id in [each["id"] for each in ask.get("/my/images?state=all").json()]
    disabled.owner = ask.cloud.state.accounts["demo"].id
    assert [each["id"] for each in ask.get("/my/images?state=disabled").json()] == [disabled.id]


def test_images_that_are_not_made_are_unactivated(ask: Asker) -> None:
    """Whether they are being made or have failed."""
    for found, state in zip(ask.cloud.state.images.values(), ("creating", "failed", "unactivated"), strict=False):
        found.owner, found.state = ask.cloud.state.accounts["demo"].id, state

    assert len(ask.get("/my/images?state=unactivated").json()) == 3
    assert len(ask.get("/my/images?state=creating").json()) == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("state=destroyed", 'invalid state: "destroyed"'),
        ("public=yes", 'invalid value for "public" param: "yes" is not a boolean'),
    ],
)
def test_filters_of_images_must_be_known(ask: Asker, query: str, message: str) -> None:
    """IMGAPI's refusal comes through."""
    answer = ask.get(f"/my/images?{query}")

    assert (refusal(answer), answer.json()["message"]) == ((422, "InvalidParameter"), message)


def test_image_shows_what_its_version_had(ask: Asker) -> None:
    """Types changed with 8, and rights came with 7.1; a password is never shown as a requirement."""
    windows = image(ask, "windows-server-2022")
    windows.acl, windows.origin, windows.tags = ["x"], "y", {"a": 1}
    path = f"/my/images/{windows.id}"
    new, old, oldest = (ask.get(path, headers={"Accept-Version": text}).json() for text in ("*", "~7.1", "~7.0"))

    assert (new["type"], old["type"], oldest["type"]) == ("zvol", "virtualmachine", "virtualmachine")
    assert (new["acl"], new["origin"], new["tags"], new["image_size"]) == (["x"], "y", {"a": 1}, 40_960)
    assert new["requirements"] == {"min_memory": 4096, "min_ram": 4096, "brand": "bhyve"}
    assert {"owner", "public", "state"} <= set(old)
    assert {"owner", "public", "state", "acl"}.isdisjoint(oldest)


def test_old_types_filter_old_versions(ask: Asker) -> None:
    """Others are no types there."""
    headers = {"Accept-Version": "~7"}

    listed = ask.get("/my/images?type=virtualmachine", headers=headers).json()
    assert {each["type"] for each in listed} == {"virtualmachine"}
    assert refusal(ask.get("/my/images?type=zvol", headers=headers)) == ARGUMENT


def test_image_goes_by_its_id(ask: Asker) -> None:
    """Neither by its name nor in capitals, and not when it is somebody else's."""
    found = image(ask)
    found.description = ""

    assert ask.get(f"/my/images/{found.id}").json()["name"] == found.name
    assert "description" not in ask.get(f"/my/images/{found.id}").json()
    assert ask("HEAD", f"/my/images/{found.id}").status_code == 200
    for name in (found.name, found.id.upper()):
        assert ask.get(f"/my/images/{name}").json()["message"] == f"{name} not found"
    found.public = False
    assert refusal(ask.get(f"/my/images/{found.id}")) == NOT_FOUND


def test_own_image_is_deleted(ask: Asker) -> None:
    """Unless another is based on it, or it is not one's own."""
    found, other = image(ask), image(ask, "minimal-64-lts")
    path = f"/my/images/{found.id}"

    assert refusal(ask("DELETE", path)) == (422, "NotImageOwner")
    found.owner, other.origin = ask.cloud.state.accounts["demo"].id, found.id
    assert refusal(ask("DELETE", path)) == (422, "ImageHasDependentImages")
    other.origin = None
    assert ask("DELETE", path).status_code == 204
    assert refusal(ask.get(path)) == NOT_FOUND


# Packages


def test_packages_are_those_that_are_sold(ask: Asker) -> None:
    """Inactive ones and those kept for others are not listed."""
    kept = ask.cloud.state.package_named("g1-large")
    assert kept
    kept.owners = ["somebody"]

    listed = named(ask, "/my/packages")
    assert len(listed) >= 6
    assert not {"g0-retired", "g1-large"} & set(listed)
    assert ask("HEAD", "/my/packages").status_code == 200


def test_packages_are_filtered(ask: Asker) -> None:
    """By exact values, and by name and group with stars."""
    assert named(ask, "/my/packages?name=g1-m*") == ["g1-micro", "g1-medium"]
    assert named(ask, "/my/packages?group=kv*") == named(ask, "/my/packages?brand=kvm") == ["k1-small"]
    assert named(ask, "/my/packages?memory=256") == named(ask, "/my/packages?swap=512") == ["g1-nano"]
    assert named(ask, "/my/packages?disk=5120&lwps=4000&vcpus=0&version=1.0.0") == ["g1-nano"]
    assert named(ask, "/my/packages?flexible_disk=true") == ["b1-small", "b1-large"]
    assert named(ask, "/my/packages?flexible_disk=false") == ["b1-fixed"]


def test_package_goes_by_id_or_name(ask: Asker) -> None:
    """By name it is the newest, by id also a retired one."""
    trial = ask.get("/my/packages/g2-trial").json()
    retired = next(each for each in ask.cloud.state.packages.values() if not each.active)

    assert (trial["version"], trial["default"]) == ("0.10.0", False)
    assert "flexible_disk" not in trial
    assert ask.get(f"/my/packages/{retired.id}").json()["name"] == "g0-retired"
    assert ask.get("/my/packages/g0-retired").json()["message"] == "g0-retired not found"
    assert ask("HEAD", "/my/packages/g2-trial").status_code == 200


# Networks


def test_networks_are_listed(ask: Asker) -> None:
    """Public ones, an internal one and a fabric, which shows more."""
    networks = {each["name"]: each for each in ask.get("/my/networks").json()}

    assert [networks[name]["public"] for name in ("external", "internal", "My-Fabric-Network")] == [True, False, False]
    assert set(networks["internal"]) == {"id", "name", "public", "description"}
    assert (networks["My-Fabric-Network"]["fabric"], networks["My-Fabric-Network"]["vlan_id"]) == (True, 2)
    assert named(ask, "/my/networks?fabric=false") == ["My-Fabric-Network"]
    assert ask("HEAD", "/my/networks").status_code == 200


def test_network_goes_by_its_id(ask: Asker) -> None:
    """Others' fabrics are not there."""
    fabric = next(each for each in ask.cloud.state.networks.values() if each.fabric)

    assert ask.get(f"/my/networks/{fabric.id}").json()["name"] == "My-Fabric-Network"
    fabric.owners = ["somebody"]
    assert ask.get(f"/my/networks/{fabric.id}").json()["message"] == f"{fabric.id} not found"
    assert ask("HEAD", f"/my/networks/{fabric.id}").status_code == 404


def test_networks_have_suffixes_where_cns_is(ask: Asker) -> None:
    """Data centre and account must both want it."""
    ask.cloud.state.settings.cns = True
    ask.post("/my", {"triton_cns_enabled": True})

    assert len(ask.get("/my/networks").json()[0]["suffixes"]) == 2


# Data centres and services


def test_datacenters_are_known(ask: Asker) -> None:
    """This one at the address it was asked by, and another."""
    answer = ask.get("/my/datacenters")

    assert answer.json() == {"emulator-1": "http://cloudapi.emulator", "emulator-2": "https://emulator-2.invalid"}
    assert answer.headers["Triton-Datacenter-Name"] == "emulator-1"


def test_datacenter_is_a_redirect(ask: Asker) -> None:
    """To its URL, with a message that begins with a space."""
    answer = ask.get("/my/datacenters/emulator-2")

    assert (answer.status_code, answer.headers["Location"]) == (302, "https://emulator-2.invalid")
    expected = {"code": "ResourceMoved", "message": " emulator-2 https://emulator-2.invalid"}
    assert answer.json() == expected
    assert ask.get("/my/datacenters/x").json()["message"] == "x is not an available datacenter"


def test_services_are_known(ask: Asker) -> None:
    """CloudAPI itself, and what a test adds."""
    ask.cloud.state.settings.services["docker"] = "tcp://docker.invalid:2376"

    expected = {"cloudapi": "http://cloudapi.emulator", "docker": "tcp://docker.invalid:2376"}
    assert ask.get("/my/services").json() == expected
