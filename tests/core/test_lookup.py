"""Finding what people name: ids, the beginnings of ids, names, dicts and resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kits.cloud import network_id, package_id
from smartdc import DataCenter, InputError, Machine, ResourceNotFound
from smartdc.core.lookup import find, is_short_id, not_found
from smartdc.emulator import Emulator

ONE, TWO = "0a1b2c3d-1111-4111-8111-111111111111", "0a1b2c3d-2222-4222-8222-222222222222"
THINGS: list[dict[str, Any]] = [{"id": ONE, "name": "web-1"}, {"id": TWO, "name": "web-2"}]


@pytest.fixture
def cloud(cloud: Emulator) -> Emulator:
    """The cloud, with volumes."""
    cloud.state.settings.volumes = True
    return cloud


GETTERS: dict[str, Callable[[DataCenter, Machine], tuple[Any, Callable[[str], Any]]]] = {
    "image": lambda dc, _: (dc.images()[0], dc.image),
    "package": lambda dc, _: (dc.packages()[0], dc.package),
    "network": lambda dc, _: (dc.networks()[0], dc.network),
    "machine": lambda dc, machine: (machine, dc.machine),
    "volume": lambda dc, _: (dc.create_volume("data", wait=True), dc.volume),
    "firewall rule": lambda dc, _: (dc.create_firewall_rule("FROM any TO all vms ALLOW tcp PORT 22"), dc.firewall_rule),
    "user": lambda dc, _: (dc.create_user("bob", "bob@example.com", "secret123"), dc.user),
    "role": lambda dc, _: (dc.create_role("ops"), dc.role),
    "policy": lambda dc, _: (dc.create_policy("read", "CAN listmachines"), dc.policy),
    "access key": lambda dc, _: (dc.create_access_key(), dc.access_key),
}


@pytest.mark.parametrize("kind", GETTERS)
@pytest.mark.parametrize("form", ["8 digits", "13 digits with dashes", "capitals", "no dashes"])
def test_a_short_id_will_do(dc: DataCenter, machine: Machine, kind: str, form: str) -> None:
    """Whatever has an id is found by 8 digits of it or more, with and without dashes."""
    thing, get = GETTERS[kind](dc, machine)
    digits = thing.id.replace("-", "")
    short = {
        "8 digits": thing.id[:8],
        "13 digits with dashes": thing.id[:14],
        "capitals": thing.id[:12].upper(),
        "no dashes": digits[:31],
    }
    assert get(short[form]).id == thing.id


def test_an_exact_name_wins(dc: DataCenter, cloud: Emulator, machine: Machine) -> None:
    """A machine named like the beginning of another's id is the one that is meant."""
    [other] = cloud.populate(1)
    other.name = machine.id[:8]
    assert dc.machine(machine.id[:8]).id == other.id


def test_seven_digits_are_no_id(dc: DataCenter, machine: Machine) -> None:
    """Fewer digits than 8 are a name, which nobody has here."""
    with pytest.raises(ResourceNotFound, match=f"no machine named '{machine.id[:7]}'"):
        dc.machine(machine.id[:7])


def test_several_that_begin_so_are_refused() -> None:
    """The error has the id and name of each candidate."""
    with pytest.raises(InputError, match="2 things have an id that begins with '0a1b2c3d'; give more digits") as caught:
        find("0a1b2c3d", "thing", THINGS)
    assert all(word in str(caught.value) for word in (ONE, TWO, "web-1", "web-2"))
    assert find("0a1b2c3d-2", "thing", THINGS)["name"] == "web-2"


def test_many_candidates_are_counted() -> None:
    """An error shows ten of the things that fit."""
    many = [{"id": f"{ONE[:-2]}{number:02}", "name": "same"} for number in range(25)]
    with pytest.raises(InputError, match=r"25 things are named 'same'.* and 15 more$"):
        find("same", "thing", many)


@pytest.mark.parametrize("text", ["0a1b2c3", "0a1b2c3g", ONE, f"{ONE}0", "web-1", "", "a" * 33])
def test_what_is_no_short_id(text: str) -> None:
    """Names, whole ids and what is longer are not the beginning of one."""
    assert not is_short_id(text)


def test_near_names(dc: DataCenter) -> None:
    """Names that are like the one that nobody has are told, three at most."""
    with pytest.raises(
        ResourceNotFound, match=r"no image named 'base-64-ltss'; did you mean 'base-64-lts' or"
    ) as image:
        dc.image("base-64-ltss")
    assert str(image.value).count("'") <= 8
    with pytest.raises(ResourceNotFound, match=r"'base-64-lts@24.4.2'; did you mean 'base-64-lts@24.4.1'"):
        dc.image("base-64-lts@24.4.2")
    with pytest.raises(ResourceNotFound, match=r"no network named 'extrenal'; did you mean 'external"):
        dc.network("extrenal")


def test_short_ids_in_requests(dc: DataCenter, cloud: Emulator, machine: Machine) -> None:
    """What a create, a resize and the like are given may be shortened too."""
    image, package, network = dc.image(machine.image), package_id(cloud, "g1-small"), network_id(cloud, "internal")
    made = dc.create_machine(
        "web-9",
        package[:8],
        image=image.id[:8],
        networks=[network[:8]],
        locality={"far": [machine.name]},
        wait=True,
    )
    assert (made.package, made.image, made.networks) == ("g1-small", image.id, [network])
    made.resize(package_id(cloud, "g1-medium")[:10], wait=True)
    assert made.package == "g1-medium"
    assert dc.update_config(network[:9])["default_network"] == network


def test_short_ids_of_members_and_policies(dc: DataCenter) -> None:
    """A role's users and policies may be given by the beginnings of their ids."""
    user = dc.create_user("bob", "bob@example.com", "secret123")
    policy = dc.create_policy("read", "CAN listmachines")
    role = dc.create_role("ops", members=[user.id[:8]], policies=[policy.id[:8]])
    assert ([each["login"] for each in role.members], [each["name"] for each in role.policies]) == (["bob"], ["read"])


def test_whole_ids_ask_for_no_listing(dc: DataCenter, cloud: Emulator, machine: Machine) -> None:
    """An id or a package's name is sent as it is."""
    before = len(cloud.trace)
    dc.machine(machine.id)
    dc.image(machine.image)
    dc.package("g1-small")
    assert cloud.trace.operations()[before:] == ["GetMachine", "GetImage", "GetPackage"]


@pytest.mark.parametrize(("text", "is_told"), [("a8b8", True), ("deadbee", True), ("web-1", False), ("ab", False)])
def test_how_short_an_id_may_be_is_told(text: str, is_told: bool) -> None:
    """Where a text looks like the beginning of an id, and is too short for one."""
    told = " (an id may be shortened to its first 8 digits, and no further)"
    assert str(not_found(text, "machine")) == f"no machine named {text!r}{told if is_told else ''}"
