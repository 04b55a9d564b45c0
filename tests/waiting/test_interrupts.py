"""Whoever interrupts a request learns what may have been done, and where to look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kits.cloud import account
from smartdc import DataCenter
from smartdc.emulator import Emulator

ELSEWHERE = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def cloud(cloud: Emulator) -> Emulator:
    """The cloud, with one thing of every kind."""
    state = cloud.state
    state.settings.volumes = state.settings.user_migrations = True
    cloud.populate(1, name="web-1")
    cloud.populate(1, name="db-1", image="debian-12-cloud", package="b1-small", state="stopped")
    image = state.image_named("base-64-lts")
    assert image is not None
    image.owner, image.public, image.acl = state.add_account("other").id, False, [account(cloud).id]
    return cloud


REQUESTS: dict[str, tuple[Callable[[DataCenter], object], str]] = {
    "create_volume": (
        lambda dc: dc.create_volume("logs"),
        "dc.volumes(name='logs') shows whether the volume was created",
    ),
    "Volume.delete": (
        lambda dc: dc.volume("data").delete(),
        "data: delete may have been requested; volume.refresh() shows it",
    ),
    "create_image": (
        lambda dc: dc.machine("db-1").create_image("db", "1.0.0"),
        "dc.images(name='db', version='1.0.0', state='all') shows whether the image was created",
    ),
    "clone": (
        lambda dc: dc.image("base-64-lts@24.4.1").clone(),
        "dc.images(name='base-64-lts', version='24.4.1', state='all') shows whether the image was created",
    ),
    "import_image": (
        lambda dc: dc.import_image("emulator-2", ELSEWHERE),
        f"dc.image('{ELSEWHERE}') gets the image if it was imported",
    ),
    "export": (
        lambda dc: dc.image("debian-12").export("/demo/stor/images"),
        "the image may have been exported to /demo/stor/images",
    ),
    "migrate": (
        lambda dc: dc.machine("db-1").migrate(),
        "migration of db-1: begin may have been requested; machine.migration() shows it",
    ),
    "sync": (
        lambda dc: dc.migration("web-1").sync(),
        "migration of web-1: sync may have been requested; machine.migration() shows it",
    ),
    "finalize": (
        lambda dc: dc.migration("web-1").finalize(),
        "migration of web-1: finalize may have been requested; machine.migration() shows it",
    ),
    "create_snapshot": (
        lambda dc: dc.machine("web-1").create_snapshot("monday"),
        "web-1: create snapshot 'monday' may have been requested; machine.snapshots() shows it",
    ),
    "add_nic": (
        lambda dc: dc.machine("web-1").add_nic("My-Fabric-Network"),
        "web-1: add NIC may have been requested; machine.nics() shows it",
    ),
    "create_disk": (
        lambda dc: dc.machine("db-1").create_disk(1024, "0:5:0"),
        "db-1: create disk may have been requested; machine.disks() shows it",
    ),
}
"""Calls that end in one request that changes something, and the notes of their interrupts."""


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, TimeoutError])
@pytest.mark.parametrize(("act", "note"), REQUESTS.values(), ids=REQUESTS)
def test_an_interrupted_request_has_a_note(
    dc: DataCenter,
    cloud: Emulator,  # noqa: ARG001 (its things)
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[DataCenter], object],
    note: str,
    end: type[BaseException],
) -> None:
    """Ctrl-C, or what a program's handler of SIGTERM or SIGALRM raises."""
    dc.create_volume("data", wait=True)
    web = dc.machine("web-1")
    web.migrate(automatic=True, wait=True)
    request = dc.request

    def interrupt(method: str, *args: Any, **kwargs: Any) -> Any:
        if method != "GET":
            raise end
        return request(method, *args, **kwargs)

    monkeypatch.setattr(dc, "request", interrupt)
    with pytest.raises(end) as caught:
        act(dc)

    assert [each.replace(web.id, "web-1") for each in caught.value.__notes__] == [note]
