"""Images: listing them, getting one, deleting one's own, and their former name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kits.cloud import account, image_id, query, sent
from smartdc import DataCenter, Image, InputError, InUse, InvalidParameters
from smartdc.emulator import Emulator

FILTERS: dict[str, tuple[dict[str, Any], dict[str, str], set[str]]] = {
    "name": ({"name": "debian-12"}, {"name": "debian-12"}, {"debian-12@20251101"}),
    "os": ({"os": "windows"}, {"os": "windows"}, {"windows-server-2022@20251020"}),
    "version": ({"version": "23.4.0"}, {"version": "23.4.0"}, {"base-64-lts@23.4.0"}),
    "public": ({"public": False}, {"public": "false"}, {"mine@1.0.0"}),
    "state": (
        {"state": "all", "version": "21.4.1"},
        {"state": "all", "version": "21.4.1"},
        {"base-64-lts@21.4.1"},
    ),
    "type": ({"type": "docker"}, {"type": "docker"}, {"alpine@3.20"}),
    "two": ({"os": "smartos", "version": "1.0.0"}, {"os": "smartos", "version": "1.0.0"}, {"mine@1.0.0"}),
}


@pytest.fixture
def mine(cloud: Emulator) -> str:
    """The id of an image that belongs to the account."""
    image = next(image for image in cloud.state.images.values() if image.name == "minimal-64-lts")
    image.name, image.version, image.owner, image.public = "mine", "1.0.0", account(cloud).id, False
    return image.id


def called(images: list[Image]) -> set[str]:
    """Return names and versions of images."""
    return {f"{image.name}@{image.version}" for image in images}


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(("given", "asked", "found"), FILTERS.values(), ids=FILTERS)
def test_images_by(
    dc: DataCenter, cloud: Emulator, given: dict[str, Any], asked: dict[str, str], found: set[str]
) -> None:
    """``ListImages`` takes the filter, and lists what equals it."""
    assert called(dc.images(**given)) == found
    assert query(cloud, "ListImages") == asked


def test_images_by_owner(dc: DataCenter, cloud: Emulator, mine: str) -> None:
    """``ListImages`` gets the owner's id, also when it is given as a dict or resource."""
    owner = account(cloud).id
    for given in (owner, {"id": owner}, dc.account()):
        assert [image.id for image in dc.images(owner=given)] == [mine]
        assert query(cloud, "ListImages") == {"owner": owner}


def test_images(dc: DataCenter, cloud: Emulator) -> None:
    """``ListImages`` gives every active image."""
    found = dc.images()
    assert sent(cloud, "ListImages") == ("GET", "images", {})
    assert len(found) == 10
    assert {image.state for image in found} == {"active"}


def test_images_by_position(dc: DataCenter, cloud: Emulator) -> None:
    """The filters of ``ListImages`` come in the order that they always had."""
    dc.images("1", "2", "3", True, "all", "6", "zvol")
    expected = {"name": "1", "os": "2", "version": "3", "public": "true", "state": "all", "owner": "6", "type": "zvol"}
    assert query(cloud, "ListImages") == expected


def test_images_that_match(dc: DataCenter, cloud: Emulator) -> None:
    """A regular expression is tried here on what ``ListImages`` gave, and is not sent."""
    assert called(dc.images(search="^BASE|requires a password")) == {
        "base-64-lts@24.4.1", "base-64-lts@23.4.0", "windows-server-2022@20251020",
    }  # fmt: skip
    assert called(dc.images(search="^linux$", fields=["os"], name="debian-12")) == {"debian-12@20251101"}
    assert query(cloud, "ListImages") == {"name": "debian-12"}


@pytest.mark.parametrize("form", ["id", "dict", "resource"])
def test_image(dc: DataCenter, cloud: Emulator, form: str) -> None:
    """``GetImage`` gives an image by id."""
    identity = image_id(cloud, "debian-12")
    given: Any = {"id": identity, "dict": {"id": identity}, "resource": dc.images(name="debian-12")[0]}[form]
    found = dc.image(given)
    assert sent(cloud, "GetImage") == ("GET", f"images/{identity}", {})
    assert (found.id, found.name, found.os, found.type) == (identity, "debian-12", "linux", "lx-dataset")


def test_constructor_fetches_by_id(dc: DataCenter, cloud: Emulator) -> None:
    """An image made from an id asks for itself: ``GetImage``."""
    identity = image_id(cloud, "debian-12")
    assert Image(dc, identity).name == "debian-12"
    assert sent(cloud, "GetImage") == ("GET", f"images/{identity}", {})


def test_image_by_name(dc: DataCenter, cloud: Emulator) -> None:
    """A name, with a version where several share it, is looked for in ``ListImages``."""
    assert dc.image("debian-12").id == image_id(cloud, "debian-12")
    assert dc.image("base-64-lts@23.4.0").version == "23.4.0"
    assert query(cloud, "ListImages") == {"name": "base-64-lts", "version": "23.4.0"}


def test_image_by_a_name_that_several_have(dc: DataCenter) -> None:
    """A name that means more than one image is refused, with what it could mean."""
    with pytest.raises(InputError, match="image"):
        dc.image("base-64-lts")


def test_attributes(dc: DataCenter, cloud: Emulator, mine: str) -> None:
    """An image shows what ``GetImage`` said, and None where it said nothing."""
    there = cloud.state.images[mine]
    there.tags, there.acl, there.homepage = {"role": "web"}, ["someone"], "https://example.com"
    image = dc.image(mine)
    assert (image.name, image.version, image.owner, image.public) == ("mine", "1.0.0", there.owner, False)
    assert (image.tags, image.acl, image.homepage) == ({"role": "web"}, ["someone"], "https://example.com")
    assert image.published_at == datetime.fromtimestamp(there.published, UTC)
    assert image.files == image["files"]
    assert (image.origin, image.image_size, image.eula, image.error) == (None, None, None, None)
    assert dc.image("debian-12-cloud").image_size == 10_240
    assert dc.image("debian-12-cloud").requirements == {"brand": "bhyve", "bootrom": "uefi"}


@pytest.mark.parametrize("by", ["id", "dict", "method"])
def test_delete_image(dc: DataCenter, cloud: Emulator, mine: str, by: str) -> None:
    """``DeleteImage`` deletes an image of one's own, also as a method of the image."""
    if by == "method":
        dc.image(mine).delete()
    else:
        dc.delete_image(mine if by == "id" else {"id": mine})
    assert sent(cloud, "DeleteImage") == ("DELETE", f"images/{mine}", {})
    assert mine not in cloud.state.images


def test_delete_image_of_somebody_else(dc: DataCenter, cloud: Emulator) -> None:
    """``DeleteImage`` is refused for the images of others."""
    with pytest.raises(InvalidParameters, match="is not the owner of image"):
        dc.delete_image(image_id(cloud, "debian-12"))


def test_delete_image_that_another_is_made_of(dc: DataCenter, cloud: Emulator, mine: str) -> None:
    """``DeleteImage`` is refused while another image depends on it."""
    cloud.state.images[image_id(cloud, "debian-12")].origin = mine
    with pytest.raises(InUse, match="has dependent images"):
        dc.delete_image(mine)


def test_datasets(dc: DataCenter, cloud: Emulator) -> None:
    """``ListImages`` can be asked for by the former name of images, with a warning."""
    with pytest.warns(DeprecationWarning, match=r"use images\(\)") as caught:
        found = dc.datasets("^debian-12$|cloud|as a bhyve machine")
    assert called(found) == {"debian-12@20251101", "debian-12-cloud@20251101"}
    assert sent(cloud, "ListImages") == ("GET", "images", {})
    assert caught[0].filename == __file__


def test_dataset(dc: DataCenter, cloud: Emulator) -> None:
    """``GetImage`` can be asked for by the former name of images, with a warning."""
    identity = image_id(cloud, "debian-12")
    with pytest.warns(DeprecationWarning, match=r"use image\(\)") as caught:
        assert dc.dataset({"id": identity}).name == "debian-12"
    assert caught[0].filename == __file__
    assert sent(cloud, "GetImage") == ("GET", f"images/{identity}", {})
