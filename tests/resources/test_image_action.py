"""What becomes of images: made of a machine, changed, shared, cloned, exported, imported."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import responses

from kits.cloud import account, image_id, record, sent
from smartdc import (
    Account,
    CallTimeout,
    Conflict,
    DataCenter,
    Image,
    InputError,
    InvalidArgument,
    InvalidCredentials,
    InvalidParameters,
    Machine,
    MissingParameter,
    Progress,
    ResourceNotFound,
    ServerError,
    ValidationFailed,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import AfterReads, AfterSeconds, ByScript, Emulator, Fault
from smartdc.emulator.state.records import ImageRecord

JILL = "11111111-1111-4111-8111-111111111111"
JACK = "22222222-2222-4222-8222-222222222222"
SAID: dict[str, Any] = {
    "description": "Our web server",
    "homepage": "https://example.com/web",
    "eula": "https://example.com/eula",
    "acl": [JILL],
    "tags": {"role": "web", "rank": 1, "live": True},
}
"""All that an image can say of itself, beside name and version."""


@pytest.fixture
def machine(dc: DataCenter, cloud: Emulator) -> Machine:
    """A stopped machine called web-1."""
    [there] = cloud.populate(1, name="web-1", state="stopped")
    return dc.machine(there.id)


@pytest.fixture
def mine(dc: DataCenter, cloud: Emulator) -> Image:
    """An image of the account, made of debian-12."""
    there = cloud.state.images[image_id(cloud, "debian-12")]
    there.owner, there.public = account(cloud).id, False
    return dc.image(there.id)


@pytest.fixture
def shared(dc: DataCenter, cloud: Emulator) -> Image:
    """An image of Jill's that is shared with the account, made of another of hers and that of a public one."""
    public = cloud.state.images[image_id(cloud, "base-64-lts")]
    basis = replace(public, id=JACK, name="basis", owner=JILL, public=False, origin=public.id)
    there = replace(basis, id=JILL, name="jills", origin=JACK, acl=[account(cloud).id])
    cloud.state.images |= {JACK: basis, JILL: there}
    return dc.image(JILL)


def books(cloud: Emulator, name: str) -> list[ImageRecord]:
    """Return the images of a name that the server has, when every job that is due has ended."""
    cloud.transitions.settle()
    return [image for image in cloud.state.images.values() if image.name == name]


# Making


def test_create_image(dc: DataCenter, machine: Machine, cloud: Emulator) -> None:
    """``CreateImageFromMachine`` begins to make an image, of which little is known at first."""
    cloud.transitions.policy = ByScript()
    image = machine.create_image("web", "1.0.0", **SAID)
    wish = {"machine": machine.id, "name": "web", "version": "1.0.0", **SAID}
    assert sent(cloud, "CreateImageFromMachine") == ("POST", "images", wish)
    assert (image.name, image.version, image.state, image.description) == ("web", "1.0.0", "creating", "Our web server")
    assert {"os", "type", "owner"}.isdisjoint(image)
    assert {"os", "type", "files"}.isdisjoint(image.refresh())
    assert image.owner == account(cloud).id
    assert "web" not in [each.name for each in dc.images()]
    cloud.transitions.release(image.id)
    assert image.status() == "active"
    assert (image.os, image.type, image.public, image.acl) == ("smartos", "zone-dataset", False, [JILL])
    assert (image.origin, image.tags, image.eula) == (machine.image, SAID["tags"], SAID["eula"])


@pytest.mark.parametrize("form", ["id", "name", "dict", "resource"])
def test_create_image_from_machine(dc: DataCenter, machine: Machine, cloud: Emulator, form: str) -> None:
    """``CreateImageFromMachine`` takes the machine in every form."""
    given: Any = {"id": machine.id, "name": "web-1", "dict": {"id": machine.id}, "resource": machine}[form]
    dc.create_image_from_machine(given, "web", "1.0.0")
    wish = {"machine": machine.id, "name": "web", "version": "1.0.0"}
    assert sent(cloud, "CreateImageFromMachine") == ("POST", "images", wish)


def test_create_image_and_wait(machine: Machine, cloud: Emulator) -> None:
    """With ``wait`` the image of ``CreateImageFromMachine`` is active when it is returned."""
    told: list[Progress] = []
    machine.datacenter.progress = told.append
    cloud.transitions.policies["create_image"] = AfterSeconds(30)
    assert machine.create_image("web", "1.0.0", wait=True).state == "active"
    assert 30 <= cloud.clock.monotonic() < 33
    assert (told[0].subject, told[-1].done) == ("web", True)


def test_image_that_takes_some_looks(machine: Machine, cloud: Emulator) -> None:
    """``GetImage`` shows the outcome of ``CreateImageFromMachine`` after as many looks as the policy says."""
    cloud.transitions.policies["create_image"] = AfterReads(2)
    image = machine.create_image("web", "1.0.0")
    assert [image.status() for _ in range(3)] == ["creating", "creating", "active"]


def test_machine_can_be_made_of_it(dc: DataCenter, machine: Machine) -> None:
    """A machine can be made of an image of ``CreateImageFromMachine`` as of any other."""
    image = machine.create_image("web", "1.0.0", wait=True)
    assert dc.create_machine("web-2", "g1-small", image="web", wait=True).image == image.id


FAILURES = {
    "told": ("PrepareImageDidNotRun: old guest tools in VM x", "PrepareImageDidNotRun: old guest tools in VM x"),
    "hidden": ("the disk is on fire", "InternalError: an unexpected error occurred"),
}


@pytest.mark.parametrize(("reason", "shown"), FAILURES.values(), ids=FAILURES)
def test_create_image_that_fails(machine: Machine, cloud: Emulator, reason: str, shown: str) -> None:
    """With ``wait`` an image that CloudAPI cannot make is an error, with the reason that it gives."""
    cloud.transitions.policy = AfterSeconds(5)
    cloud.transitions.fail("create_image", reason)
    with pytest.raises(WaitFailed, match=rf"image web \(.*\) cannot become active: it is failed \({shown}") as caught:
        machine.create_image("web", "1.0.0", wait=True)
    assert isinstance(caught.value.resource, Image)
    assert (caught.value.resource.error or {})["code"] == shown.partition(":")[0]
    assert 5 <= cloud.clock.monotonic() < 8


def test_machine_that_runs(machine: Machine, cloud: Emulator) -> None:
    """A machine that runs is stopped for its image by ``CreateImageFromMachine``, and then runs again.

    Sdc-imgapi's lib/images.js (CreateImageFromVm) asks for no state, and its prepare script for the machine's system
    ends by shutting it down.
    """
    cloud.transitions.policy = AfterSeconds(60)
    record(cloud, machine).state = "running"
    image = machine.create_image("web", "1.0.0")
    assert (image.status(), machine.status()) == ("creating", "stopped")
    image.poll_until("active")
    assert (image.state, machine.status()) == ("active", "running")


def test_machine_that_is_deleted_meanwhile(machine: Machine, cloud: Emulator) -> None:
    """``CreateImageFromMachine`` fails when its machine is deleted before the image is made."""
    cloud.transitions.policies["create_image"] = AfterSeconds(60)
    image = machine.create_image("web", "1.0.0")
    machine.delete(wait=True)
    cloud.clock.sleep(60)
    assert image.status() == "failed"


def test_create_image_waits_no_longer_than_that(machine: Machine, cloud: Emulator) -> None:
    """A job of ``CreateImageFromMachine`` that does not end costs the time-out and no more."""
    cloud.transitions.policy = ByScript()
    with pytest.raises(WaitTimeout, match=r"image web \(.*\) is not active after 20 s"):
        machine.create_image("web", "1.0.0", wait=True, timeout=20)
    assert 20 <= cloud.clock.monotonic() < 21


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({}, MissingParameter, "machine is a required argument"),
        ({"machine": JILL}, MissingParameter, "Image name is a required argument"),
        ({"machine": JILL, "name": "web"}, MissingParameter, "Image version is a required argument"),
        ({"machine": "web-1", "name": "web", "version": "1"}, InvalidParameters, "not a UUID: 'web-1'"),
        ({"machine": JILL, "name": "web", "version": "1"}, InvalidParameters, "could not get VM"),
    ],
)
def test_create_image_is_refused(
    dc: DataCenter, cloud: Emulator, body: dict[str, Any], error: type[Exception], words: str
) -> None:
    """``CreateImageFromMachine`` says what is missing or wrong."""
    with pytest.raises(error, match=words):
        dc.request("POST", "/images", data=body)
    assert books(cloud, "web") == []


def test_create_image_of_a_docker_container(machine: Machine, cloud: Emulator) -> None:
    """``CreateImageFromMachine`` is refused for Docker containers."""
    record(cloud, machine).docker = True
    with pytest.raises(InvalidParameters, match="Docker container"):
        machine.create_image("web", "1.0.0")


@pytest.mark.parametrize(
    ("name", "value"),
    [("acl", "x"), ("acl", ["x"]), ("tags", []), ("tags", {"a": {}}), ("homepage", "x"), ("eula", 1),
     ("name", 7)],
)  # fmt: skip
def test_image_is_refused(dc: DataCenter, machine: Machine, mine: Image, name: str, value: object) -> None:
    """``CreateImageFromMachine`` and ``UpdateImage`` name the field that is wrong."""
    wish = {"machine": machine.id, "name": "web", "version": "1.0.0", name: value}
    for path, params in (("/images", {}), (mine.path, {"action": "update"})):
        with pytest.raises(ValidationFailed, match=f"invalid image data: {name}") as caught:
            dc.request("POST", path, params=params, data=wish)
        assert caught.value.errors[0]["field"] == name


URL = "https://example.com/"


@pytest.mark.parametrize(
    ("name", "longest", "words"),
    [
        ("name", "x" * 1024, "image name is too long, max 1024 characters"),
        ("version", "1" * 512, "image version is too long, max 512 characters"),
        ("description", "é" * 10_240, "image description is too long, max 10240 characters"),
        ("homepage", URL.ljust(1024, "x"), "image homepage URL is too long (max 1024 characters)"),
        ("eula", URL.ljust(1024, "x"), "image EULA URL is too long (max 1024 characters)"),
    ],
)
def test_text_of_an_image_has_a_limit(dc: DataCenter, mine: Image, name: str, longest: str, words: str) -> None:
    """``UpdateImage`` takes as many characters as imgmanifest allows, and refuses one more in its words."""
    update = {"action": "update"}
    assert dc.request("POST", mine.path, params=update, data={name: longest})[0][name] == longest
    with pytest.raises(ValidationFailed) as caught:
        dc.request("POST", mine.path, params=update, data={name: f"{longest}x"})
    assert caught.value.errors == [{"field": name, "code": "Invalid", "message": words}]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("name", "web: 1", 'image name has invalid characters (only alpha-numeric characters and " ", ".", "-",'),
        ("name", "", "image name has invalid characters"),
        ("version", "1 0", 'image version has invalid characters (only alpha-numeric characters and ".", "-", "_"'),
        ("homepage", "ftp://example.com", "invalid image homepage URL protocol"),
        ("eula", "[", "invalid image EULA URL protocol"),
    ],
)
def test_text_of_an_image_has_a_form(dc: DataCenter, mine: Image, name: str, value: str, words: str) -> None:
    """``UpdateImage`` takes the characters and the protocols that imgmanifest does."""
    with pytest.raises(ValidationFailed) as caught:
        dc.request("POST", mine.path, params={"action": "update"}, data={name: value})
    assert caught.value.errors[0]["message"].startswith(words)


def test_unknown_action(dc: DataCenter, mine: Image) -> None:
    """Where CloudAPI itself would never answer ``CreateImageFromMachine``, this does; ``UpdateImage`` wants an action."""
    with pytest.raises(InvalidArgument, match="jump is not a valid argument"):
        dc.request("POST", "/images", params={"action": "jump"})
    with pytest.raises(MissingParameter, match="action is a required argument"):
        dc.request("POST", mine.path)
    with pytest.raises(InvalidArgument, match="action jump is not a valid argument"):
        dc.request("POST", mine.path, params={"action": "jump"})


# Changing and sharing


def test_update(mine: Image, cloud: Emulator) -> None:
    """``UpdateImage`` changes what an image says of itself, and the answer is the image."""
    assert mine.update("web", "2.0.0", **SAID) is mine
    wish = {"name": "web", "version": "2.0.0", **SAID}
    assert sent(cloud, "UpdateImage") == ("POST", f"{mine.path}?action=update", wish)
    [there] = books(cloud, "web")
    assert (
        (mine.version, mine.acl, mine.tags) == (there.version, there.acl, there.tags) == ("2.0.0", [JILL], SAID["tags"])
    )


def test_update_with_nothing(mine: Image, cloud: Emulator) -> None:
    """Empty values are values: ``UpdateImage`` takes what was there away."""
    mine.update(description="x", tags={"a": "b"}, acl=[JILL])
    mine.update(description="", tags={}, acl=[])
    assert sent(cloud, "UpdateImage")[2] == {"description": "", "tags": {}, "acl": []}
    there = cloud.state.images[mine.id]
    assert (there.description, there.tags, there.acl) == ("", {}, [])


def test_update_of_nothing(dc: DataCenter, mine: Image, cloud: Emulator) -> None:
    """``UpdateImage`` without anything to change is refused: here, and by the server."""
    before = len(cloud.trace)
    with pytest.raises(InputError, match="give a name, a version or another entry to change"):
        mine.update()
    assert len(cloud.trace) == before
    with pytest.raises(ValidationFailed, match="no parameters provided"):
        dc.request("POST", mine.path, params={"action": "update"})


def test_update_takes_back(dc: DataCenter, mine: Image, cloud: Emulator) -> None:
    """``UpdateImage`` takes null for what an image shall no longer say; its name stays."""
    mine.update(homepage="https://example.com", acl=[JILL])
    dc.request("POST", mine.path, params={"action": "update"}, data={"homepage": None, "acl": None})
    assert (cloud.state.images[mine.id].homepage, cloud.state.images[mine.id].acl) == ("", [])
    with pytest.raises(ValidationFailed, match="invalid image data: name") as caught:
        dc.request("POST", mine.path, params={"action": "update"}, data={"name": None})
    assert caught.value.errors == [{"field": "name", "code": "MissingParameter"}]


def test_update_of_somebody_elses(dc: DataCenter, cloud: Emulator) -> None:
    """``UpdateImage`` is refused for the images of others."""
    with pytest.raises(InvalidParameters, match="is not the owner of image"):
        dc.image(image_id(cloud, "debian-12")).update(description="mine")


@pytest.mark.parametrize("form", ["id", "dict", "resource"])
def test_share(dc: DataCenter, mine: Image, cloud: Emulator, form: str) -> None:
    """``UpdateImage`` lets another account use an image, beside those that could already."""
    cloud.state.images[mine.id].acl = [JACK]
    other: Any = {"id": JILL, "dict": {"id": JILL}, "resource": Account(dc, data={"id": JILL})}[form]
    assert mine.share(other) is mine
    assert sent(cloud, "UpdateImage")[2] == {"acl": [JACK, JILL]}
    assert mine.acl == cloud.state.images[mine.id].acl == [JACK, JILL]
    mine.share(JILL)
    assert mine.acl == [JACK, JILL]


def test_unshare(mine: Image, cloud: Emulator) -> None:
    """``UpdateImage`` takes the image away from one account, and leaves the others theirs."""
    cloud.state.images[mine.id].acl = [JACK, JILL]
    assert mine.unshare(JACK) is mine
    assert sent(cloud, "UpdateImage")[2] == {"acl": [JILL]}
    mine.unshare({"id": JILL})
    assert (mine.acl, cloud.state.images[mine.id].acl) == (None, [])


def test_unshare_with_a_stranger(mine: Image, cloud: Emulator) -> None:
    """To unshare an image with an account that has no part in it is an error: somebody else still has."""
    cloud.state.images[mine.id].acl = [JACK]
    with pytest.raises(InputError, match=f"is not shared with the account {JILL}"):
        mine.unshare(JILL)
    assert cloud.state.images[mine.id].acl == [JACK]


@pytest.mark.parametrize("stranger", ["jill", "", {}, None])
def test_share_with_no_account(mine: Image, cloud: Emulator, stranger: Any) -> None:
    """An image is shared with UUIDs; a login is refused before ``UpdateImage`` is sent."""
    for share in (mine.share, mine.unshare, lambda account_: mine.update(acl=[account_])):
        with pytest.raises(InputError):
            share(stranger)
    assert "UpdateImage" not in cloud.trace.operations()


def test_acl_is_a_list(mine: Image) -> None:
    """A text where a list of accounts is meant is refused."""
    with pytest.raises(InputError, match="list of accounts"):
        mine.update(acl=JILL)


# Cloning


def test_clone(dc: DataCenter, shared: Image, cloud: Emulator) -> None:
    """``CloneImage`` makes a copy that is the account's own, of all but the public image beneath."""
    copy = shared.clone()
    assert sent(cloud, "CloneImage") == ("POST", f"{shared.path}?action=clone", {})
    assert (copy.name, copy.state, copy.owner, copy.acl) == ("jills", "active", account(cloud).id, None)
    assert copy.id != shared.id
    basis = dc.image(str(copy.origin))
    assert (basis.name, basis.state, basis.owner) == ("basis", "disabled", account(cloud).id)
    assert basis.origin == image_id(cloud, "base-64-lts")


def test_clone_that_takes_longer_than_its_answer(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """``CloneImage`` is not asked for again while the copy may still turn up: as long as its answer may take."""
    told = {"id": JILL, "name": "web", "version": "1.0.0", "state": "active"}

    def listed(_: Any) -> tuple[int, dict[str, str], str]:
        there = [told, {**told, "id": JACK}] if odd_dc.clock.monotonic() > 300 else [told]
        return 200, {"Content-Type": "application/json"}, json.dumps(there)

    lost = odd_server.post(f"http://odd.test/my/images/{JILL}", status=503)
    odd_server.add_callback("GET", "http://odd.test/my/images", listed)
    assert Image(odd_dc, data=told).clone().id == JACK
    assert lost.call_count == 1


def test_clone_that_is_not_done_yet(odd_dc: DataCenter, odd_server: responses.RequestsMock) -> None:
    """A copy that is found before it is finished, since the answer of ``CloneImage`` was lost, is waited for."""
    told = {"id": JILL, "name": "web", "version": "1.0.0", "state": "active"}
    young = {**told, "id": JACK, "state": "unactivated"}
    odd_server.post(f"http://odd.test/my/images/{JILL}", status=503)
    for listed in ([told], [told, young]):
        odd_server.get("http://odd.test/my/images", json=listed)
    for state in ("unactivated", "active"):
        odd_server.get(f"http://odd.test/my/images/{JACK}", json={**young, "state": state})
    copy = Image(odd_dc, data=told).clone()
    assert (copy.id, copy.state, odd_dc.clock.monotonic()) == (JACK, "active", 2)


def test_clone_of_what_is_not_shared(dc: DataCenter, mine: Image, shared: Image, cloud: Emulator) -> None:
    """``CloneImage`` is refused for what is not shared with the account, its own images among them."""
    with pytest.raises(InvalidParameters, match="is not shared with account") as caught:
        mine.clone()
    assert caught.value.code == "ImageNotShared"
    there = cloud.state.images[shared.id]
    there.type = "docker"
    with pytest.raises(ValidationFailed, match="docker images cannot be cloned"):
        shared.clone()
    there.acl = []
    with pytest.raises(ResourceNotFound):
        dc.image(shared.id).clone()


def test_clone_of_what_is_not_made(mine: Image, cloud: Emulator) -> None:
    """``CloneImage`` is refused for an image that is not active."""
    cloud.state.images[mine.id].state = "unactivated"
    with pytest.raises(ValidationFailed, match="image is not active"):
        mine.clone()


# Exporting


@pytest.mark.parametrize(
    ("path", "image", "manifest"),
    [
        ("/demo/stor", "/demo/stor/web-1.0.0.zfs.gz", "/demo/stor/web-1.0.0.imgmanifest"),
        ("/demo/stor/images/", "/demo/stor/images/web-1.0.0.zfs.gz", "/demo/stor/images/web-1.0.0.imgmanifest"),
        ("/demo/stor/mine", "/demo/stor/mine.zfs.gz", "/demo/stor/mine.imgmanifest"),
    ],
)
def test_export(mine: Image, cloud: Emulator, path: str, image: str, manifest: str) -> None:
    """``ExportImage`` tells where in Manta the image and its manifest are."""
    cloud.state.settings.manta_url = "https://manta.example"
    mine.update("web", "1.0.0")
    answer = mine.export(path)
    assert sent(cloud, "ExportImage")[1].startswith(f"{mine.path}?action=export&manta_path=")
    assert answer == {"manta_url": "https://manta.example", "image_path": image, "manifest_path": manifest}


def test_export_without_manta(mine: Image, cloud: Emulator) -> None:
    """``ExportImage`` needs a data centre with Manta."""
    with pytest.raises(ServerError, match="storage type is unsupported"):
        mine.export("/demo/stor")
    assert sent(cloud, "ExportImage")[0] == "POST"


@pytest.mark.parametrize("timeout", [200, 400])
def test_export_takes_its_time(cloud: Emulator, timeout: float) -> None:
    """``ExportImage`` may take longer than other calls do, and as long as is said."""
    cloud.state.settings.manta_url = "https://manta.example"
    there = cloud.state.images[image_id(cloud, "debian-12")]
    there.owner = account(cloud).id
    cloud.faults.add(Fault("ExportImage", kind="delay", when="before", seconds=300, times=None))
    with DataCenter(**cloud.connection()) as dc:
        if timeout < 300:
            with pytest.raises(CallTimeout, match="within 200 s"):
                dc.image(there.id).export("/demo/stor", timeout=timeout)
        else:
            assert dc.image(there.id).export("/demo/stor", timeout=timeout)["manta_url"] == "https://manta.example"


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        (None, MissingParameter, "manta_path is a required argument"),
        ("stor", InvalidParameters, "not a valid manta path"),
        ("/jill/stor", InvalidParameters, "is not the owner of Manta path /jill/stor"),
    ],
)
def test_export_is_refused(
    dc: DataCenter, mine: Image, cloud: Emulator, path: str | None, error: type[Exception], words: str
) -> None:
    """``ExportImage`` says what is wrong with a path."""
    cloud.state.settings.manta_url = "https://manta.example"
    with pytest.raises(error, match=words):
        dc.request("POST", mine.path, params={"action": "export", "manta_path": path})


def test_export_of_somebody_elses(dc: DataCenter, cloud: Emulator) -> None:
    """``ExportImage`` is refused for the images of others."""
    with pytest.raises(InvalidParameters, match="is not the owner of image"):
        dc.image(image_id(cloud, "debian-12")).export("/demo/stor")


# Importing


@pytest.fixture
def away(cloud: Emulator) -> ImageRecord:
    """An image of the account in another data centre."""
    here = cloud.state.images[image_id(cloud, "debian-12")]
    there = replace(here, id=JACK, name="away", owner=account(cloud).id, public=False)
    cloud.state.images_elsewhere["emulator-2"] = {JACK: there}
    return there


@pytest.mark.parametrize("form", ["id", "dict"])
def test_import_image(dc: DataCenter, away: ImageRecord, cloud: Emulator, form: str) -> None:
    """``ImportImageFromDatacenter`` copies an image, which keeps its id, and answers when that is done."""
    image = dc.import_image("emulator-2", away.id if form == "id" else {"id": away.id})
    query = f"action=import-from-datacenter&datacenter=emulator-2&id={away.id}"
    assert sent(cloud, "ImportImageFromDatacenter") == ("POST", f"images?{query}", {})
    assert cloud.trace[-1].status == 200
    assert (image.id, image.name, image.state) == (JACK, "away", "active")
    assert cloud.state.images[JACK] == away


def test_import_image_that_is_there(dc: DataCenter, away: ImageRecord, cloud: Emulator) -> None:
    """``ImportImageFromDatacenter`` is refused for what is there already."""
    dc.import_image("emulator-2", away.id)
    with pytest.raises(Conflict, match="already exists") as caught:
        dc.import_image("emulator-2", away.id)
    assert caught.value.code == "ImageUuidAlreadyExists"
    assert len(books(cloud, "away")) == 1


def test_import_image_that_cannot_be(dc: DataCenter, away: ImageRecord, cloud: Emulator) -> None:
    """``ImportImageFromDatacenter`` copies active images of one's own, and no others."""
    away.state = "disabled"
    with pytest.raises(ValidationFailed, match="image is not active"):
        dc.import_image("emulator-2", away.id)
    away.state, away.owner, away.public = "active", JILL, True
    with pytest.raises(InvalidCredentials, match="you are not the owner"):
        dc.import_image("emulator-2", away.id)
    with pytest.raises(ResourceNotFound, match="image not found"):
        dc.import_image("emulator-2", JILL)
    assert books(cloud, "away") == []


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"id": JACK}, MissingParameter, "datacenter is a required argument"),
        ({"datacenter": "emulator-2", "id": "away"}, InvalidArgument, "id away must be a UUID"),
        ({"datacenter": "mars", "id": JACK}, ValidationFailed, 'datacenter "mars" is not supported'),
        ({"datacenter": "emulator-1", "id": JACK}, ValidationFailed, "cannot import into the same datacenter"),
    ],
)
def test_import_image_is_refused(dc: DataCenter, params: dict[str, str], error: type[Exception], words: str) -> None:
    """``ImportImageFromDatacenter`` says what is missing or wrong."""
    with pytest.raises(error, match=words):
        dc.request("POST", "/images", params={"action": "import-from-datacenter", **params})


def test_young_images_are_hidden(dc: DataCenter, mine: Image, cloud: Emulator) -> None:
    """``GetImage`` and ``ListImages`` show an image that is not made yet to its owner only."""
    there = cloud.state.images[mine.id]
    there.state, there.acl, there.owner = "creating", [account(cloud).id], JILL
    assert mine.id not in [image.id for image in dc.images(state="all")]
    with pytest.raises(ResourceNotFound):
        mine.refresh()
