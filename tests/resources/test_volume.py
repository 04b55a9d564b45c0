"""Volumes: making, finding, renaming and deleting them, where the data centre has any."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kits.cloud import account, image_id, network_id, query, sent
from smartdc import (
    Conflict,
    DataCenter,
    InputError,
    InUse,
    InvalidArgument,
    MethodNotAllowed,
    Progress,
    ResourceNotFound,
    ServerError,
    TransportError,
    Volume,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import AfterReads, AfterSeconds, ByScript, Emulator, Fault
from smartdc.emulator.state.records import VolumeRecord

UNKNOWN = "b7d1b3a4-6f5e-4c6a-9d3c-2f1f0e9d8c7b"


@pytest.fixture
def cloud(cloud: Emulator) -> Emulator:
    """The cloud, with volumes, also for machines."""
    cloud.state.settings.volumes = cloud.state.settings.automount_volumes = True
    return cloud


@pytest.fixture
def volume(dc: DataCenter, cloud: Emulator) -> Volume:  # noqa: ARG001 (it has volumes)
    """A volume called data that is ready."""
    return dc.create_volume("data", wait=True)


def books(cloud: Emulator) -> list[VolumeRecord]:
    """Return the volumes that the server has, when every job that is due has ended."""
    cloud.transitions.settle()
    return list(cloud.state.volumes.values())


def names(volumes: list[Volume]) -> list[str]:
    """Return the names of volumes."""
    return [volume.name for volume in volumes]


def test_data_centre_without_volumes(dc: DataCenter, cloud: Emulator) -> None:
    """Where volumes are switched off, ``ListVolumes`` and its kin are no operations of CloudAPI."""
    cloud.state.settings.volumes = False
    for ask in (dc.volumes, dc.create_volume, dc.volume_sizes, lambda: dc.volume(UNKNOWN)):
        with pytest.raises(MethodNotAllowed, match="is not allowed"):
            ask()
    with pytest.raises(MethodNotAllowed) as caught:
        dc.unsigned().request("GET", "/demo/volumes")
    assert caught.value.response is not None
    assert caught.value.response.headers["Allow"] == "PUT"


def test_create_volume(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateVolume`` begins to make a volume: the smallest, on the account's fabric network, unless told otherwise."""
    cloud.transitions.policy = ByScript()
    volume = dc.create_volume("data")
    assert sent(cloud, "CreateVolume") == ("POST", "volumes", {"name": "data", "type": "tritonnfs"})
    assert (volume.name, volume.size, volume.type, volume.state) == ("data", 10_240, "tritonnfs", "creating")
    assert volume.networks == [network_id(cloud, "My-Fabric-Network")]
    assert (volume.filesystem_path, volume.refs, volume.tags) == (None, None, None)
    assert volume.owner_uuid == account(cloud).id
    assert volume.created == datetime(2026, 1, 1, tzinfo=UTC)
    cloud.transitions.release(volume.id)
    assert volume.status() == "ready"
    assert volume.filesystem_path == "192.168.128.5:/exports/data"


@pytest.mark.parametrize("form", ["id", "name", "resource", "list"])
def test_create_volume_with_everything(dc: DataCenter, cloud: Emulator, form: str) -> None:
    """``CreateVolume`` takes size, networks in every form, affinity rules and tags."""
    fabric = network_id(cloud, "My-Fabric-Network")
    given: Any = {"id": fabric, "name": "My-Fabric-Network", "resource": dc.network(fabric), "list": [fabric]}[form]
    dc.create_volume("data", 20_480, networks=given, affinity=["role!=db"], tags={"role": "store"})
    body = {"name": "data", "type": "tritonnfs", "size": 20_480, "networks": [fabric], "affinity": ["role!=db"]}
    assert sent(cloud, "CreateVolume")[2] == {**body, "tags": {"role": "store"}}
    [there] = books(cloud)
    assert (there.size, there.networks, there.tags) == (20_480, [fabric], {"role": "store"})
    assert dc.volume("data").tags == {"role": "store"}


def test_create_volume_and_wait(dc: DataCenter, cloud: Emulator) -> None:
    """With ``wait`` the volume of ``CreateVolume`` is ready when it is returned, and the wait tells how it gets on."""
    reports: list[Progress] = []
    dc.progress = reports.append
    cloud.transitions.policies["create_volume"] = AfterSeconds(30)
    assert dc.create_volume("data", wait=True).state == "ready"
    assert 30 <= cloud.clock.monotonic() < 33
    assert (reports[0].subject, reports[0].state, reports[0].done) == ("data", "creating", False)
    assert (reports[-1].state, reports[-1].done) == ("ready", True)


def test_volume_that_takes_some_looks(dc: DataCenter, cloud: Emulator) -> None:
    """``GetVolume`` shows the outcome of ``CreateVolume`` after as many looks as the policy says."""
    cloud.transitions.policies["create_volume"] = AfterReads(2)
    volume = dc.create_volume("data")
    assert [volume.status() for _ in range(3)] == ["creating", "creating", "ready"]


def test_create_volume_that_fails(dc: DataCenter, cloud: Emulator) -> None:
    """With ``wait`` a volume that CloudAPI cannot make is an error; ``ListVolumes`` hides it unless asked."""
    cloud.transitions.fail("create_volume")
    with pytest.raises(WaitFailed, match=r"volume data \(.*\) cannot become ready: it is failed") as caught:
        dc.create_volume("data", wait=True)
    assert isinstance(caught.value.resource, Volume)
    assert caught.value.resource.state == "failed"
    assert (dc.volumes(), names(dc.volumes(state="failed"))) == ([], ["data"])


def test_a_failed_volume_can_still_be_deleted(dc: DataCenter, cloud: Emulator) -> None:
    """A wait for ``deleted`` goes on while ``GetVolume`` shows a failure."""
    cloud.transitions.fail("create_volume")
    volume = dc.create_volume("data")
    volume.poll_until("failed")
    looks: list[str] = []

    def deleted_after_two(progress: Any) -> None:
        looks.append(progress.state)
        if len(looks) == 2:
            volume.delete()

    volume.poll_until("deleted", progress=deleted_after_two)
    assert looks[:2] == ["failed", "failed"]
    assert looks[-1] == "deleted"


def test_create_volume_waits_no_longer_than_that(dc: DataCenter, cloud: Emulator) -> None:
    """A job of ``CreateVolume`` that does not end costs the time-out and no more."""
    cloud.transitions.policy = ByScript()
    with pytest.raises(WaitTimeout, match=r"volume data \(.*\) is not ready after 20 s") as caught:
        dc.create_volume("data", wait=True, timeout=20)
    assert isinstance(caught.value.resource, Volume)
    assert caught.value.resource.name == "data"
    assert 20 <= cloud.clock.monotonic() < 21


def test_create_volume_of_a_name_that_is_taken(dc: DataCenter, volume: Volume, cloud: Emulator) -> None:
    """``CreateVolume`` is refused where another volume has the name; once that is gone, it is free."""
    with pytest.raises(Conflict, match="Volume with name data already exists") as caught:
        dc.create_volume("data")
    assert caught.value.code == "VolumeAlreadyExists"
    volume.delete()
    assert dc.create_volume("data", wait=True).id != volume.id
    assert cloud.check_invariants() == []


def test_create_volume_without_a_fabric_network(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateVolume`` needs a network, and says so where the account has no default one."""
    for network in cloud.state.networks.values():
        network.owners = ["somebody else"]
    account(cloud).default_network = None
    with pytest.raises(Conflict, match="default_network is not configured") as caught:
        dc.create_volume("data")
    assert caught.value.code == "DefaultFabricNetworkNotConfiguredError"


def test_tags_are_strings(dc: DataCenter, cloud: Emulator) -> None:
    """Other tags than strings are refused before anything is sent."""
    with pytest.raises(InputError, match="'rank' of a volume must be a string, not int"):
        dc.create_volume("data", tags={"role": "x", "rank": 1})  # type: ignore[dict-item]
    assert not cloud.trace


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Invalid volume type: undefined"),
        ({"type": "nfs"}, "Volume type should be one of: tritonnfs"),
        ({"name": "-x"}, "Volume name should match"),
        ({"name": 7}, "volume name must be a string"),
        ({"name": "x" * 257}, "at most 256 long"),
        ({"size": 0}, "Invalid volume size: 0"),
        ({"size": "10240"}, "Invalid volume size: 10240"),
        ({"size": True}, "Invalid volume size"),
        ({"size": 1}, "Volume size 1 is not available. Available sizes are: 10240, 20480"),
        ({"networks": "x"}, "networks must be an array"),
        ({"networks": ["x"]}, "Invalid networks: x"),
        ({"networks": [UNKNOWN]}, f"Invalid networks: {UNKNOWN}"),
        ({"networks": []}, "networks must be a non-empty array"),
        ({"affinity": "a==b"}, "affinity must be an array of strings"),
        ({"affinity": ["x"]}, "could not find operator"),
        ({"tags": {"a": 1}}, "an object of key/value strings"),
    ],
)
def test_create_volume_is_refused(dc: DataCenter, cloud: Emulator, body: dict[str, Any], words: str) -> None:
    """``CreateVolume`` says what is wrong with a volume, and makes none."""
    type_ = {} if "type" in body or not body else {"type": "tritonnfs"}
    with pytest.raises(Conflict) as caught:
        dc.request("POST", "/volumes", data={**type_, **body})
    assert words in caught.value.message
    assert books(cloud) == []


def test_name_has_256_characters_at_most(dc: DataCenter, cloud: Emulator) -> None:
    """``CreateVolume`` takes as many, and ``UpdateVolume`` not one more."""
    volume = dc.create_volume("x" * 256)
    words = "Error: Invalid volume name length: volume name must be at most 256 long"
    with pytest.raises(InvalidArgument) as caught:
        volume.rename("y" * 257)
    assert caught.value.message == words
    assert [each.name for each in books(cloud)] == ["x" * 256]


def test_volume_without_a_name(dc: DataCenter, cloud: Emulator) -> None:
    """CloudAPI makes up a long name where ``CreateVolume`` has none."""
    made, _ = dc.request("POST", "/volumes", data={"type": "tritonnfs"})
    assert made["name"].startswith(made["id"].replace("-", ""))
    assert len(books(cloud)[0].name) == 64


@pytest.mark.parametrize("form", ["id", "dict", "resource"])
def test_volume(dc: DataCenter, volume: Volume, cloud: Emulator, form: str) -> None:
    """``GetVolume`` gives a volume by its id."""
    given: Any = {"id": volume.id, "dict": {"id": volume.id}, "resource": volume}[form]
    assert dc.volume(given) == volume
    assert sent(cloud, "GetVolume") == ("GET", f"volumes/{volume.id}", {})


def test_volume_by_name(dc: DataCenter, volume: Volume, cloud: Emulator) -> None:
    """A name is looked for with ``ListVolumes``."""
    dc.create_volume("data-2")
    assert dc.volume("data") == volume
    assert query(cloud, "ListVolumes") == {"name": "data"}


def test_volume_that_is_not_there(dc: DataCenter) -> None:
    """``GetVolume`` says that there is no such volume; so does a name that nothing has."""
    with pytest.raises(ResourceNotFound, match="could not be found") as caught:
        dc.volume(UNKNOWN)
    assert caught.value.code == "VolumeNotFound"
    with pytest.raises(ResourceNotFound, match="no volume named 'nothing'"):
        dc.volume("nothing")


def test_volume_of_somebody_else(dc: DataCenter, volume: Volume, cloud: Emulator) -> None:
    """``GetVolume`` and ``ListVolumes`` hide what belongs to others."""
    cloud.state.volumes[volume.id].owner = UNKNOWN
    assert dc.volumes() == []
    with pytest.raises(ResourceNotFound):
        volume.refresh()


FILTERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "none": ({}, ["data", "logs", "old-data"]),
    "name": ({"name": "data"}, ["data"]),
    "beginning": ({"name": "da*"}, ["data"]),
    "end": ({"name": "*data"}, ["data", "old-data"]),
    "middle": ({"name": "*o*"}, ["logs", "old-data"]),
    "size": ({"size": 20_480}, ["logs"]),
    "state": ({"state": "failed"}, ["broken"]),
    "type": ({"type": "tritonnfs"}, ["data", "logs", "old-data"]),
    "two": ({"name": "*data", "size": 10_240}, ["data", "old-data"]),
    "predicate": ({"predicate": {"ne": ["name", "data"]}}, ["logs", "old-data", "broken"]),
    "any": ({"predicate": {"or": [{"eq": ["state", "failed"]}, {"ge": ["size", 20_480]}]}}, ["logs", "broken"]),
    "all": ({"predicate": {"and": [{"lt": ["size", 20_480]}, {"eq": ["name", "data"]}]}}, ["data"]),
    "text": ({"predicate": '{"gt": ["size", 10240]}'}, ["logs"]),
    "empty": ({"predicate": {}}, ["data", "logs", "old-data", "broken"]),
    "both": ({"name": "*data", "predicate": {"le": ["size", 10_240]}}, ["data", "old-data"]),
}


@pytest.mark.parametrize(("given", "found"), FILTERS.values(), ids=FILTERS)
def test_volumes_by(dc: DataCenter, cloud: Emulator, given: dict[str, Any], found: list[str]) -> None:
    """``ListVolumes`` takes the filter, and lists what fits."""
    for name, size in (("data", 10_240), ("logs", 20_480), ("old-data", 10_240), ("broken", 10_240)):
        dc.create_volume(name, size)
    next(there for there in books(cloud) if there.name == "broken").state = "failed"
    assert names(dc.volumes(**given)) == found


def test_filters_are_sent_as_they_are(dc: DataCenter, cloud: Emulator) -> None:
    """``ListVolumes`` gets a condition as JSON."""
    dc.volumes(name="a*", size=10_240, state="ready", predicate={"eq": ["type", "tritonnfs"]})
    expected = {"name": "a*", "size": "10240", "state": "ready", "predicate": '{"eq": ["type", "tritonnfs"]}'}
    assert query(cloud, "ListVolumes") == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"colour": "red"}, "invalid parameter: colour"),
        ({"name": "a b"}, "invalid value for name"),
        ({"size": "x"}, "invalid value for size"),
        ({"state": "gone"}, "Volume state: gone is invalid"),
        ({"type": "x"}, "Invalid volume type: x"),
        ({"predicate": "{"}, "Could not parse JSON predicate"),
        ({"predicate": "1"}, "predicate 1: must be an object"),
        ({"predicate": '{"eq": ["name", "data"], "ne": ["name", "x"]}'}, "expected one key, but found 2"),
        ({"predicate": '{"like": ["name", "data"]}'}, "unknown operator"),
        ({"predicate": '{"eq": ["name"]}'}, '"eq" array must have 2 elements'),
        ({"predicate": '{"eq": ["owner", "data"]}'}, 'field "owner" is not defined'),
        (
            {"predicate": '{"eq": ["size", "big"]}'},
            'field "size" value ("\'big\'") expected "number", but got "string"',
        ),
        ({"predicate": '{"gt": ["name", "data"]}'}, 'operator "gt" cannot be applied to fields of type "string"'),
        ({"predicate": '{"and": []}'}, 'operator "and": expected at least 2 elements in array'),
        ({"predicate": '{"eq": ["state", "gone"]}'}, "Volume state: gone is invalid"),
        ({"predicate": '{"eq": ["network", "x"]}'}, "Invalid volume network: x"),
        ({"predicate": '{"eq": ["id", "x"]}'}, "Invalid volume ID: x"),
        ({"predicate": '{"eq": ["name", "data"]}', "name": "data"}, "conflicts with parameter"),
    ],
)
def test_volumes_are_not_listed(dc: DataCenter, params: dict[str, str], words: str) -> None:
    """``ListVolumes`` says what is wrong with a filter."""
    with pytest.raises(InvalidArgument) as caught:
        dc.request("GET", "/volumes", params=params)
    assert words in caught.value.message


def test_rename(volume: Volume, cloud: Emulator) -> None:
    """``UpdateVolume`` gives a volume another name, and answers with the volume."""
    assert volume.rename("store") is volume
    assert sent(cloud, "UpdateVolume") == ("POST", volume.path, {"name": "store"})
    assert (volume.name, books(cloud)[0].name) == ("store", "store")


def test_update(volume: Volume, cloud: Emulator) -> None:
    """``UpdateVolume`` can change nothing but the name, and is sent again when its answer is lost."""
    cloud.faults.add(Fault("UpdateVolume", kind="status", status=503, when="before"))
    assert volume.update(name="store").name == "store"
    assert cloud.trace.operations().count("UpdateVolume") == 2


def test_rename_without_an_answer(odd_dc: DataCenter, odd_server: Any) -> None:
    """Where ``UpdateVolume`` answers with nothing, as is documented, the volume is fetched."""
    odd_server.post("http://odd.test/my/volumes/v-1", status=204)
    odd_server.get("http://odd.test/my/volumes/v-1", json={"id": "v-1", "name": "store"})
    assert Volume(odd_dc, data={"id": "v-1", "name": "data"}).rename("store").name == "store"


def test_rename_to_a_name_that_is_taken(dc: DataCenter, volume: Volume) -> None:
    """``UpdateVolume`` is refused where another volume has the name."""
    dc.create_volume("store")
    with pytest.raises(Conflict, match="store already exists"):
        volume.rename("store")


@pytest.mark.parametrize("name", ["", "-", "a b"])
def test_rename_to_a_name_that_is_none(volume: Volume, cloud: Emulator, name: str) -> None:
    """``UpdateVolume`` is refused for what is no name."""
    with pytest.raises((InputError, InvalidArgument)):
        volume.rename(name)
    assert books(cloud)[0].name == "data"


def test_update_of_something_else(dc: DataCenter, volume: Volume) -> None:
    """``UpdateVolume`` takes no other parameter in its query."""
    with pytest.raises(InvalidArgument, match="size is an invalid parameter"):
        dc.request("POST", volume.path, params={"size": 1}, data={"name": "x-1"})


def test_delete(volume: Volume, cloud: Emulator) -> None:
    """``DeleteVolume`` begins to delete a volume; to ask again is no error."""
    cloud.transitions.policy = ByScript()
    volume.delete()
    assert sent(cloud, "DeleteVolume") == ("DELETE", volume.path, {})
    assert volume.status() == "deleting"
    volume.delete()
    cloud.transitions.release(action="delete_volume")
    assert books(cloud) == []
    assert cloud.check_invariants() == []


def test_delete_and_wait(dc: DataCenter, volume: Volume, cloud: Emulator) -> None:
    """With ``wait`` the volume is gone when ``DeleteVolume`` returns, and another delete finds nothing."""
    cloud.transitions.policy = AfterSeconds(30)
    volume.delete(wait=True)
    assert 30 <= cloud.clock.monotonic() < 33
    assert (volume.state, dc.volumes()) == ("deleted", [])
    with pytest.raises(ResourceNotFound):
        volume.delete()


def test_delete_of_a_young_volume(dc: DataCenter, cloud: Emulator) -> None:
    """``DeleteVolume`` works on a volume that is still being made."""
    cloud.transitions.policy = ByScript()
    volume = dc.create_volume("data")
    volume.delete()
    for _ in range(2):
        cloud.transitions.release()
    assert books(cloud) == []
    assert cloud.check_invariants() == []


def test_volume_in_use(dc: DataCenter, volume: Volume, cloud: Emulator) -> None:
    """``DeleteVolume`` and ``UpdateVolume`` are refused while a machine uses the volume, and not after that."""
    wanted = {"name": "data", "mountpoint": "/data", "mode": "rw"}
    image = image_id(cloud, "base-64-lts")
    machine = dc.create_machine("web-1", "g1-small", image=image, networks=volume.networks, volumes=[wanted], wait=True)
    assert volume.refresh().refs == [machine.id]
    for change in (volume.delete, lambda: volume.rename("store")):
        with pytest.raises(InUse, match=f"Volume with name data is used by vms: {machine.id}"):
            change()
    machine.delete(wait=True)
    volume.delete(wait=True)
    assert volume.state == "deleted"


def test_volume_sizes(dc: DataCenter, cloud: Emulator) -> None:
    """``ListVolumeSizes`` gives sizes and types, the smallest first."""
    sizes = dc.volume_sizes("tritonnfs")
    assert sent(cloud, "ListVolumeSizes") == ("GET", "volumesizes?type=tritonnfs", {})
    small, medium = sizes[:2]
    assert small == {"size": 10_240, "type": "tritonnfs"}
    assert medium == {"size": 20_480, "type": "tritonnfs"}
    assert sizes[-1]["size"] == 1_024_000
    with pytest.raises(InvalidArgument, match="Invalid volume type"):
        dc.volume_sizes("x")  # type: ignore[arg-type]


def test_network_that_is_full(dc: DataCenter, cloud: Emulator) -> None:
    """A volume that finds no address on its network fails."""
    network = next(network for network in cloud.state.networks.values() if network.fabric)
    network.start = network.end = "192.168.128.5"
    first, second = dc.create_volume("data", wait=True), dc.create_volume("store")
    assert (first.state, second.status()) == ("ready", "failed")


def test_poll_until_knows_the_states(volume: Volume, cloud: Emulator) -> None:
    """To wait for a state that no volume is ever in is refused before anything is sent."""
    before = len(cloud.trace)
    with pytest.raises(InputError, match="unknown volume state 'done'; expected one of creating, ready"):
        volume.poll_until("done")  # type: ignore[arg-type]
    assert len(cloud.trace) == before


def test_poll_until_survives_blips(dc: DataCenter, cloud: Emulator) -> None:
    """A wait for ``GetVolume`` looks past failures of the server."""
    cloud.transitions.policy = AfterSeconds(10)
    volume = dc.create_volume("data")
    cloud.faults.add(Fault("GetVolume", kind="status", status=500, when="before", times=7))
    volume.poll_until("ready")
    assert volume.state == "ready"
    cloud.faults.add(Fault("GetVolume", kind="status", status=500, when="before", times=None))
    with pytest.raises(ServerError):
        volume.refresh()


@pytest.mark.parametrize("seconds", [5, 500])
def test_delete_whose_answers_were_lost(volume: Volume, cloud: Emulator, seconds: int) -> None:
    """``DeleteVolume``: it is ``deleting``, or gone, and the wait goes on."""
    cloud.transitions.policy = AfterSeconds(seconds)
    cloud.faults.add(Fault("DeleteVolume", "reset", "after", times=None))
    volume.delete(wait=True)
    assert (volume.state, books(cloud)) == ("deleted", [])


def test_delete_that_never_arrived(volume: Volume, cloud: Emulator) -> None:
    """``DeleteVolume``: a volume that stays ready was not deleted, and the error says where that was seen."""
    cloud.faults.add(Fault("DeleteVolume", "reset", "before", times=None))
    with pytest.raises(TransportError) as caught:
        volume.delete(wait=True)
    assert caught.value.__notes__ == [
        "data: delete may have been requested, but its state did not show it within 180 s; volume.refresh() shows it"
    ]
