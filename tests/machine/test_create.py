"""Provisioning a machine: every argument reaches ``CreateMachine`` as CloudAPI takes it, and the machine has it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kits.cloud import account, image_id, network_id, package_id, query, record, sent
from kits.rbac import give_role, public_line
from smartdc import (
    BadResponse,
    DataCenter,
    InputError,
    Machine,
    MissingParameter,
    ValidationFailed,
    WaitFailed,
    WaitTimeout,
)
from smartdc.emulator import Emulator, Fault
from smartdc.emulator.state.transitions import AfterSeconds

Creator = Callable[..., Machine]

SWITCHES: dict[str, tuple[Any, str, Any]] = {
    "firewall_enabled": (True, "firewall_enabled", True),
    "firewall_enabled=False": (False, "firewall_enabled", False),
    "deletion_protection": (True, "deletion_protection", True),
    "deletion_protection=False": (False, "deletion_protection", False),
    "delegate_dataset": (True, "delegate_dataset", True),
    "encrypted": (True, "encrypted", True),
    "encrypted=False": (False, "encrypted", False),
}


@pytest.fixture
def create(dc: DataCenter, cloud: Emulator) -> Creator:
    """What provisions a machine of a usual image and package, unless the test says otherwise."""
    usual = {"name": "web-1", "image": image_id(cloud, "base-64-lts"), "package": "g1-small"}
    return lambda **wish: dc.create_machine(**{**usual, **wish})


def body(cloud: Emulator) -> dict[str, Any]:
    """Return what the newest ``CreateMachine`` said, without the token by which it is found again."""
    return {name: value for name, value in sent(cloud, "CreateMachine")[2].items() if name != "tag.smartdc_token"}


def test_create_machine(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` is a POST with a JSON body, and its machine is still ``provisioning``."""
    machine = create()
    assert sent(cloud, "CreateMachine")[:2] == ("POST", "machines")
    assert body(cloud) == {"name": "web-1", "image": machine.image, "package": "g1-small"}
    assert (machine.name, machine.state) == ("web-1", "provisioning")
    assert record(cloud, machine).state == "running"


def test_administrators_may_log_in(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` gives root the keys of the account, and of who has the role administrator by default."""
    alice, bob = cloud.state.add_user("alice"), cloud.state.add_user("bob")
    hers, _ = (cloud.state.add_key(user, public_line()).public.text for user in (alice, bob))
    give_role(cloud, "administrator", alice)
    give_role(cloud, "writer", bob)
    own = next(iter(account(cloud).keys.values())).public.text

    assert record(cloud, create()).metadata["root_authorized_keys"].splitlines() == [own, hers]


def test_create_machine_by_position(dc: DataCenter, cloud: Emulator) -> None:
    """The first arguments of ``CreateMachine`` are name, package, image, metadata and tags, as ever."""
    image = image_id(cloud, "base-64-lts")
    machine = dc.create_machine("web-1", "g1-small", image, {"motd": "hi"}, {"role": "web"})
    assert body(cloud) == {
        "name": "web-1", "package": "g1-small", "image": image, "metadata.motd": "hi", "tag.role": "web",
    }  # fmt: skip
    assert record(cloud, machine).tags["role"] == "web"


@pytest.mark.parametrize("form", ["name", "id", "dict", "dict with a name", "resource"])
def test_package_is_taken_in_every_form(create: Creator, dc: DataCenter, cloud: Emulator, form: str) -> None:
    """``CreateMachine`` gets the package's name or id."""
    identity = package_id(cloud, "g1-medium")
    given: Any = {
        "name": "g1-medium",
        "id": identity,
        "dict": {"id": identity},
        "dict with a name": {"name": "g1-medium"},
        "resource": dc.package("g1-medium"),
    }[form]
    machine = create(package=given)
    assert body(cloud)["package"] in {"g1-medium", identity}
    assert record(cloud, machine).memory == 4096


@pytest.mark.parametrize("word", ["image", "dataset"])
@pytest.mark.parametrize("form", ["id", "name", "dict", "resource"])
def test_image_is_taken_in_every_form(dc: DataCenter, cloud: Emulator, word: str, form: str) -> None:
    """``CreateMachine`` gets the image's id, also when it is given under its former name."""
    identity = image_id(cloud, "debian-12")
    given: Any = {"id": identity, "name": "debian-12", "dict": {"id": identity}, "resource": dc.image(identity)}[form]
    machine = dc.create_machine(name="web-1", package="g1-small", **{word: given})
    assert body(cloud) == {"name": "web-1", "package": "g1-small", "image": identity}
    assert (record(cloud, machine).image, machine.brand) == (identity, "lx")


def test_metadata_and_tags(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` gets metadata and tags as flat keys, and their values stay what they are."""
    machine = create(metadata={"motd": "hi", "n": 0}, tags={"role": "", "rank": 0, "live": False, "load": 0.5})
    assert body(cloud).items() >= {"metadata.motd": "hi", "metadata.n": 0, "tag.role": "", "tag.live": False}.items()
    there = record(cloud, machine)
    assert (there.metadata["motd"], there.metadata["n"]) == ("hi", 0)
    assert there.tags.items() >= {"role": "", "rank": 0, "live": False, "load": 0.5}.items()


@pytest.mark.parametrize("form", [str, Path])
def test_boot_script(create: Creator, cloud: Emulator, tmp_path: Path, form: Any) -> None:
    """``CreateMachine`` gets the text of the file as the entry ``user-script``."""
    (tmp_path / "boot.sh").write_text("#!/bin/sh\necho hällo\n", encoding="utf-8")
    machine = create(boot_script=form(tmp_path / "boot.sh"))
    assert body(cloud)["metadata.user-script"] == "#!/bin/sh\necho hällo\n"
    assert record(cloud, machine).metadata["user-script"] == machine.boot_script == "#!/bin/sh\necho hällo\n"
    assert "user-script" not in machine.metadata


def test_boot_script_that_is_too_long_is_refused(create: Creator, cloud: Emulator, tmp_path: Path) -> None:
    """More than CloudAPI's 100,000 bytes are refused before ``CreateMachine`` is sent."""
    (tmp_path / "boot.sh").write_bytes(b"#" * 100_001)
    with pytest.raises(InputError, match="100,001 bytes; CloudAPI takes at most 100,000"):
        create(boot_script=tmp_path / "boot.sh")
    assert not cloud.trace


def test_credentials(create: Creator, cloud: Emulator) -> None:
    """With ``credentials`` the passwords of the new machine are fetched: ``GetMachine``."""
    machine = create(metadata={"credentials": '{"root": "secret"}'}, credentials=True)
    assert query(cloud, "GetMachine") == {"credentials": "true"}
    assert machine.credentials() == {"root": "secret"}


def test_credentials_that_are_none(cloud: Emulator, machine: Machine) -> None:
    """``GetMachine`` may give nonsense in their place, which is no crash."""
    cloud.faults.add(Fault("GetMachine", status=200, body={**machine, "metadata": {"credentials": "secret"}}))
    with pytest.raises(BadResponse, match="its credentials are not an object") as caught:
        machine.credentials()
    assert "secret" not in str(caught.value)


def test_first_passwords(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` gets a dict of passwords by login as CloudAPI wants it, and the machine has them elsewhere."""
    machine = create(metadata={"motd": "hi", "credentials": {"root": "secret"}})
    assert body(cloud)["metadata.credentials"] == '{"root": "secret"}'
    assert machine.credentials() == {"root": "secret"}
    assert "credentials" not in machine.metadata


def test_password(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` takes the administrator's password, without which it makes nothing of some images."""
    windows = {"image": image_id(cloud, "windows-server-2022"), "package": "b1-large"}
    with pytest.raises(MissingParameter, match="requires a password"):
        create(**windows)
    machine = create(**windows, password="secret1")
    assert record(cloud, machine).metadata["administrator_pw"] == "secret1"


@pytest.mark.parametrize("kinds", ["external", ["internal"], ("external", "internal")])
def test_default_networks(create: Creator, cloud: Emulator, kinds: Any) -> None:
    """``CreateMachine`` takes the kinds of network that the machine gets when none is named."""
    machine = create(default_networks=kinds)
    asked = [kinds] if isinstance(kinds, str) else list(kinds)
    assert body(cloud)["default_networks"] == asked
    assert [nic.network for nic in record(cloud, machine).nics] == [network_id(cloud, kind) for kind in asked]


@pytest.mark.parametrize("form", ["id", "name", "dict", "resource", "list", "tuple", "generator"])
def test_networks_are_taken_in_every_form(create: Creator, dc: DataCenter, cloud: Emulator, form: str) -> None:
    """``CreateMachine`` gets a list of ids, whether one network was given or several, and in whatever form."""
    internal = network_id(cloud, "internal")
    given: Any = {
        "id": internal,
        "name": "internal",
        "dict": {"id": internal},
        "resource": dc.network(internal),
        "list": [internal],
        "tuple": (dc.network(internal),),
        "generator": (network for network in dc.networks() if network.name == "internal"),
    }[form]
    machine = create(networks=given)
    assert body(cloud)["networks"] == [internal]
    assert [nic.network for nic in record(cloud, machine).nics] == [internal]


def test_network_with_an_address(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` takes objects that ask for a certain address."""
    wish = {"ipv4_uuid": network_id(cloud, "My-Fabric-Network"), "ipv4_ips": ["192.168.128.77"]}
    machine = create(networks=[wish])
    assert body(cloud)["networks"] == [wish]
    assert [nic.ip for nic in record(cloud, machine).nics] == ["192.168.128.77"]


@pytest.mark.parametrize(("value", "attribute", "there"), SWITCHES.values(), ids=SWITCHES)
def test_switch(create: Creator, cloud: Emulator, value: object, attribute: str, there: object) -> None:
    """``CreateMachine`` gets switches as JSON booleans, False included."""
    cloud.state.settings.delegate_datasets = True
    machine = create(**{attribute: value})
    assert body(cloud)[attribute] is value
    assert getattr(record(cloud, machine), attribute) is there


@pytest.mark.parametrize(
    ("given", "asked"), [("role!=db", ["role!=db"]), (("role!=db", "a1==~b"), ["role!=db", "a1==~b"])]
)
def test_affinity(create: Creator, cloud: Emulator, given: Any, asked: list[str]) -> None:
    """``CreateMachine`` gets a list of rules; a single one may be given as a text."""
    machine = create(affinity=given)
    assert body(cloud)["affinity"] == asked
    assert record(cloud, machine).state == "running"


def test_locality(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` still takes the former word for affinity."""
    [near] = cloud.populate(1, name="web-0")
    for given in (near.id, [near.id], [{"id": near.id}]):
        create(name=None, locality={"strict": False, "near": given})
        assert body(cloud)["locality"] == {"strict": False, "near": [near.id]}


def test_brand(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` takes a brand where image and package leave it open."""
    machine = create(image=image_id(cloud, "ubuntu-certified-22.04"), brand="kvm")
    assert body(cloud)["brand"] == "kvm"
    assert record(cloud, machine).brand == "kvm"


def test_disks_and_bootrom(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` takes the disks and the boot ROM of a bhyve machine; sizes are in MiB."""
    disks = ({"size": 12_288}, {"size": "remaining"})
    machine = create(image=image_id(cloud, "debian-12-cloud"), package="b1-small", disks=disks, bootrom="uefi")
    assert (body(cloud)["disks"], body(cloud)["bootrom"]) == (list(disks), "uefi")
    assert [disk["size"] for disk in record(cloud, machine).disks] == [12_288, 38_912]


def test_volumes(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` takes volumes to mount."""
    cloud.state.settings.automount_volumes = True
    volumes = ({"name": "data", "mountpoint": "/data", "mode": "ro"},)
    create(volumes=volumes)
    assert body(cloud)["volumes"] == list(volumes)


@pytest.mark.parametrize("form", ["id", "name", "dict", "resource"])
def test_volumes_by_mountpoint(create: Creator, dc: DataCenter, cloud: Emulator, form: str) -> None:
    """``CreateMachine`` gets a volume's name, which is all that CloudAPI knows it by here, however it is given."""
    cloud.state.settings.automount_volumes = cloud.state.settings.volumes = True
    volume = dc.create_volume("data", wait=True)
    given: Any = {"id": volume.id, "name": "data", "dict": {"name": "data"}, "resource": volume}[form]
    machine = create(volumes={"/data": given}, networks=volume.networks)
    assert body(cloud)["volumes"] == [{"name": "data", "mountpoint": "/data"}]
    assert volume.refresh().refs == [machine.id]
    create(name="web-2", networks=volume.networks, volumes=[{"name": given, "mountpoint": "/d", "mode": "ro"}])
    assert body(cloud)["volumes"] == [{"name": "data", "mountpoint": "/d", "mode": "ro"}]


@pytest.mark.parametrize(
    "volumes",
    [["data"], [{"name": "data"}], [{"mountpoint": "/data"}], {"data": "/data"}, {"/data": ""}, 5,
     [{"name": "data", "mountpoint": "/data", "mode": 7}]],
)  # fmt: skip
def test_volumes_that_are_none(create: Creator, cloud: Emulator, volumes: Any) -> None:
    """What does not say which volume to mount, and where, is refused before ``CreateMachine``."""
    with pytest.raises(InputError, match=r"volume|mode"):
        create(volumes=volumes)
    assert "CreateMachine" not in cloud.trace.operations()


@pytest.mark.parametrize(
    "disk", [5, {"size": "10X"}, {"size": True}, {"size": 10, "boot": "true"}, {"size": 10, "block_size": "4K"}]
)
def test_disks_that_are_none(create: Creator, cloud: Emulator, disk: Any) -> None:
    """A disk that CloudAPI cannot make is refused, and the fault named, before ``CreateMachine``."""
    with pytest.raises(InputError, match=r"disks must|size|boot"):
        create(disks=[disk])
    assert not cloud.trace


def test_disk_of_an_image(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` gets the id of a disk's image, also when it is given by its name."""
    image = image_id(cloud, "debian-12-cloud")
    create(image=image, package="b1-small", disks=[{"size": 12_288, "image": "debian-12-cloud"}])
    assert body(cloud)["disks"] == [{"size": 12_288, "image": image}]


def test_allow_shared_images(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` makes machines of an image that is only shared with the account, where that is allowed."""
    image = cloud.state.images[image_id(cloud, "base-64-lts")]
    image.owner, image.public, image.acl = cloud.state.add_account("other").id, False, [account(cloud).id]
    machine = create(allow_shared_images=True)
    assert body(cloud)["allow_shared_images"] is True
    assert record(cloud, machine).image == image.id


def test_wait_returns_a_running_machine(create: Creator, cloud: Emulator) -> None:
    """With ``wait`` the machine is fetched (``GetMachine``) until it runs."""
    cloud.transitions.policy = AfterSeconds(30)
    assert create(wait=True).state == "running"
    assert 30 <= cloud.clock.monotonic() < 33


def test_wait_ends_with_the_timeout(create: Creator, cloud: Emulator) -> None:
    """With ``wait`` the time-out holds, and the error brings the machine."""
    cloud.transitions.policy = AfterSeconds(30)
    with pytest.raises(WaitTimeout, match=r"web-1.*is not running after 10 s") as caught:
        create(wait=True, timeout=10)
    assert isinstance(caught.value.resource, Machine)
    assert caught.value.resource.state == "provisioning"


@pytest.mark.parametrize("times", [{"settle": "180"}, {"settle": -1}, {"settle": math.nan}, {"timeout": "600"}])
def test_times_that_are_none_are_refused(create: Creator, cloud: Emulator, times: dict[str, Any]) -> None:
    """They are looked at before ``CreateMachine``, since afterwards nobody would hear of the machine."""
    with pytest.raises(InputError, match="non-negative number of seconds"):
        create(wait=True, **times)
    assert "CreateMachine" not in cloud.trace.operations()


def test_what_interrupts_the_wait_tells_of_the_machine(create: Creator, dc: DataCenter, cloud: Emulator) -> None:
    """The machine that was made with ``CreateMachine`` is not forgotten when somebody has seen enough."""

    def leave(_: object) -> None:
        raise KeyboardInterrupt

    dc.progress = leave
    with pytest.raises(KeyboardInterrupt) as caught:
        create(wait=True)
    [machine] = cloud.state.machines.values()
    assert machine.id in caught.value.__notes__[-1]
    assert caught.value.__notes__[-1].endswith(" was created before; dc.machine('web-1') gets it")


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_progress_bar_that_fails_loses_no_machine(
    create: Creator, dc: DataCenter, cloud: Emulator, is_lost: bool
) -> None:
    """``CreateMachine`` and its wait go on, also where the answer is lost and the machine is looked for."""

    def fail(_: object) -> None:
        raise BrokenPipeError

    dc.progress = fail
    if is_lost:
        cloud.faults.add(Fault("CreateMachine", "reset", "after"))
    machine = create(wait=True)
    assert [machine.id] == list(cloud.state.machines)
    assert machine.state == "running"


def test_wait_says_why_provisioning_failed(create: Creator, cloud: Emulator) -> None:
    """With ``wait`` a machine that fails ends the wait at once, with the audit's entry."""
    cloud.transitions.fail("provision")
    with pytest.raises(WaitFailed, match=r"web-1.*cannot become running: it is failed.*provision failed at") as caught:
        create(wait=True)
    assert caught.value.reason is not None
    assert caught.value.reason["action"] == "provision"


@pytest.mark.parametrize("name", ["", "a b", "-web", "wéb", "x" * 190, "a/b"])
def test_name_that_is_none_is_refused(create: Creator, cloud: Emulator, name: str) -> None:
    """A name that CloudAPI would refuse is refused before anything is sent."""
    with pytest.raises(InputError, match="invalid machine name"):
        create(name=name)
    assert not cloud.trace


def test_name_with_a_short_id(create: Creator, cloud: Emulator) -> None:
    """``CreateMachine`` fills in ``{{shortId}}``; that is counted as the eight characters that it will be."""
    machine = create(name="w" * 181 + "{{shortId}}")
    assert record(cloud, machine).name == "w" * 181 + machine.id[:8]
    with pytest.raises(InputError, match="invalid machine name"):
        create(name="w" * 182 + "{{shortId}}")


def test_package_must_be_said(create: Creator) -> None:
    """Without a package the server says that one is missing: ``CreateMachine``."""
    with pytest.raises(MissingParameter, match="package must be specified"):
        create(package=None)


@pytest.mark.parametrize("wish", [{"metadata": {"a/b": "x"}}, {"metadata": {"": "x"}}, {"tags": {"..": "x"}},
                                  {"metadata": {"a": ["x"]}}, {"tags": {"a": None}}])  # fmt: skip
def test_entry_that_could_not_be_reached(create: Creator, cloud: Emulator, wish: dict[str, Any]) -> None:
    """Names and values that CloudAPI does not take, or does not give back, are refused before ``CreateMachine``."""
    with pytest.raises(InputError):
        create(**wish)
    assert not cloud.trace


def test_metadata_that_cloudapi_drops_is_refused(create: Creator, cloud: Emulator) -> None:
    """An entry that ends in ``_pw`` would be dropped in silence by ``CreateMachine``: it is refused instead."""
    with pytest.raises(InputError, match="'admin_pw'"):
        create(metadata={"admin_pw": "secret"})
    assert not cloud.trace


def test_tags_that_cloudapi_refuses(create: Creator) -> None:
    """What ``CreateMachine`` says of a wrong field is in the error."""
    with pytest.raises(ValidationFailed, match="Unrecognized special triton tag"):
        create(tags={"triton.unheard.of": "x"})
