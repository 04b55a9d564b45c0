"""Which image a name means: where one is used, the newest of one owner; everywhere else, the only one."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from kits.cloud import account
from smartdc import DataCenter, InputError, ResourceNotFound
from smartdc.emulator import Emulator
from smartdc.emulator.core.clock import START
from smartdc.emulator.core.ids import fixed_uuid
from smartdc.resources.image_choice import newest_of_one_owner

STRANGER = fixed_uuid("stranger")


def add(cloud: Emulator, version: str, owner: str, *, name: str = "web", days: float = 0, public: bool = False) -> str:
    """Have the server list one more image; it is shared with the account unless that may see it anyway. Return its id."""
    usual = next(image for image in cloud.state.images.values() if image.name == "minimal-64-lts")
    shared = [] if public or owner == account(cloud).id else [account(cloud).id]
    image = replace(
        usual,
        id=fixed_uuid(f"{name} {version} {owner}"),
        name=name,
        version=version,
        owner=owner,
        public=public,
        acl=shared,
        published=START + days * 86_400,
    )
    cloud.state.images[image.id] = image
    return image.id


def used(dc: DataCenter, name: str) -> str:
    """Return the id of the image that a machine is made from."""
    return dc.create_machine("web-1", "g1-small", image=name).image


def test_the_newest_is_used(dc: DataCenter, caplog: pytest.LogCaptureFixture) -> None:
    """The newest public image of a name is used, whatever order they come in, and the log says which."""
    caplog.set_level(logging.INFO, "smartdc")
    newest = dc.image("base-64-lts@24.4.1").id
    assert used(dc, "base-64-lts") == newest
    assert f"image 'base-64-lts' is base-64-lts@24.4.1 ({newest})" in caplog.text


def test_the_newest_of_ones_own(dc: DataCenter, cloud: Emulator) -> None:
    """By date, not by version."""
    mine = account(cloud).id
    add(cloud, "9.0.0", mine, days=-2)
    newest = add(cloud, "10.0.0", mine, days=-1)
    add(cloud, "11.0.0", mine, days=-3)
    assert used(dc, "web") == newest


@pytest.mark.parametrize("days", [-5, 5])
def test_a_shared_image_is_never_taken(dc: DataCenter, cloud: Emulator, days: float) -> None:
    """Anybody may share an image of the same name and a later date."""
    own = add(cloud, "1.0.0", account(cloud).id)
    add(cloud, "2.0.0", STRANGER, days=days)
    assert used(dc, "web") == own


def test_a_shared_image_beside_public_ones(dc: DataCenter, cloud: Emulator) -> None:
    """Nor is it taken in place of the operator's."""
    add(cloud, "99.0.0", STRANGER, name="base-64-lts", days=5)
    assert used(dc, "base-64-lts") == dc.image("base-64-lts@24.4.1").id


@pytest.mark.parametrize("allowed", [None, True])
def test_only_a_shared_image(dc: DataCenter, cloud: Emulator, allowed: bool | None) -> None:
    """Where there is no other it is not used either; the error has its id, by which it can be."""
    shared = add(cloud, "2.0.0", STRANGER)
    with pytest.raises(InputError, match=f"image 'web' is only shared with this account.*give the id of.*{shared}"):
        dc.create_machine("web-1", "g1-small", image="web", allow_shared_images=allowed)
    assert "CreateMachine" not in cloud.trace.operations()
    assert dc.create_machine("web-1", "g1-small", image=shared, allow_shared_images=True).image == shared


def test_own_and_public_are_refused(dc: DataCenter, cloud: Emulator) -> None:
    """One's own image of a public one's name is not preferred to it: both are candidates."""
    own = add(cloud, "1.0.0", account(cloud).id, name="base-64-lts", days=5)
    with pytest.raises(InputError, match="3 images named 'base-64-lts' have different owners; give the id") as caught:
        used(dc, "base-64-lts")
    assert own in str(caught.value)
    assert "CreateMachine" not in cloud.trace.operations()


def test_public_ones_of_two_owners_are_refused(dc: DataCenter, cloud: Emulator) -> None:
    """Whose is meant cannot be known."""
    add(cloud, "1.0.0", STRANGER, name="base-64-lts", days=5, public=True)
    with pytest.raises(InputError, match="different owners"):
        used(dc, "base-64-lts")


def test_two_of_one_date_are_refused(dc: DataCenter, cloud: Emulator) -> None:
    """There is no newest then."""
    for version in ("1.0.0", "1.0.1"):
        add(cloud, version, account(cloud).id)
    with pytest.raises(InputError, match="2 images are named 'web'"):
        used(dc, "web")


def test_disks_take_the_newest(dc: DataCenter, cloud: Emulator) -> None:
    """An image of a disk is used as well."""
    newest = add(cloud, "20260101", dc.image("debian-12-cloud").owner, name="debian-12-cloud", days=9, public=True)
    cloud.state.images[newest] = replace(
        cloud.state.images[dc.image("debian-12-cloud@20251101").id], id=newest, version="20260101", published=START + 9
    )
    machine = dc.create_machine("db-1", "b1-small", image="debian-12-cloud", disks=[{"image": "debian-12-cloud"}])
    assert machine.image == newest


def test_getters_do_not_choose(dc: DataCenter) -> None:
    """To get an image, or to filter by one, the name must mean only one."""
    for ask in (dc.image, lambda name: dc.machines(image=name)):
        with pytest.raises(InputError, match="2 images are named 'base-64-lts'; give the id of one of"):
            ask("base-64-lts")


def test_a_version_is_as_exact_as_an_id(dc: DataCenter, cloud: Emulator) -> None:
    """``name@version`` is no choice either; two of a kind are refused."""
    mine = account(cloud).id
    first = add(cloud, "1.0.0", mine)
    add(cloud, "2.0.0", mine)
    assert used(dc, "web@1.0.0") == first
    add(cloud, "1.0.0", STRANGER)
    with pytest.raises(InputError, match=r"2 images are named 'web@1\.0\.0'"):
        dc.create_machine("web-2", "g1-small", image="web@1.0.0")


@pytest.mark.parametrize("state", ["active", "disabled"])
def test_delete_image_does_not_choose(dc: DataCenter, cloud: Emulator, state: str) -> None:
    """With two versions, also one that cannot be used any more, ``DeleteImage`` is not sent."""
    first, second = (add(cloud, version, account(cloud).id) for version in ("1.0.0", "2.0.0"))
    cloud.state.images[second].state = state
    with pytest.raises(InputError, match="2 images are named 'web'"):
        dc.delete_image("web")
    assert "DeleteImage" not in cloud.trace.operations()
    dc.delete_image("web@1.0.0")
    assert {first, second} & cloud.state.images.keys() == {second}
    dc.delete_image("web")
    assert second not in cloud.state.images


def test_delete_image_of_no_name(dc: DataCenter) -> None:
    """A name that nobody has is not found, and what is like it is told."""
    with pytest.raises(ResourceNotFound, match="did you mean 'debian-12'"):
        dc.delete_image("debian-21")


@pytest.mark.parametrize("owner", [[{}], {"id": "x"}, None, 5])
def test_owners_that_are_no_ids_are_compared_all_the_same(owner: object) -> None:
    """Whatever a server says of an owner, two that differ are two, and one is one."""
    image = {"id": "1", "name": "web", "public": True, "owner": owner}

    assert newest_of_one_owner([image], "web", str) is image
    with pytest.raises(InputError, match="different owners"):
        newest_of_one_owner([image, {**image, "owner": "somebody"}], "web", str)
