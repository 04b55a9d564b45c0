"""Packages: listing them by what they hold, and getting one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kits.cloud import package_id, query, sent
from smartdc import DataCenter
from smartdc.emulator import Emulator

FILTERS: dict[str, tuple[dict[str, Any], dict[str, str], set[str]]] = {
    "name": ({"name": "g1-small"}, {"name": "g1-small"}, {"g1-small"}),
    "memory": ({"memory": 512}, {"memory": "512"}, {"g1-micro"}),
    "disk": ({"disk": 5120}, {"disk": "5120"}, {"g1-nano"}),
    "swap": ({"swap": 1024}, {"swap": "1024"}, {"g1-micro"}),
    "version": ({"version": "0.10.0"}, {"version": "0.10.0"}, {"g2-trial"}),
    "vcpus": ({"vcpus": 1, "group": "kvm"}, {"vcpus": "1", "group": "kvm"}, {"k1-small"}),
    "vcpus=0": ({"vcpus": 0}, {"vcpus": "0"}, {"g1-nano", "g1-micro"}),
    "group": ({"group": "kvm"}, {"group": "kvm"}, {"k1-small"}),
    "flexible_disk": ({"flexible_disk": True}, {"flexible_disk": "true"}, {"b1-small", "b1-large"}),
    "flexible_disk=False": ({"flexible_disk": False}, {"flexible_disk": "false"}, {"b1-fixed"}),
    "brand": ({"brand": "kvm"}, {"brand": "kvm"}, {"k1-small"}),
    "name with a wildcard": ({"name": "b1-*"}, {"name": "b1-*"}, {"b1-small", "b1-large", "b1-fixed"}),
    "lwps": ({"lwps": 1}, {"lwps": "1"}, set()),
    "none of that name": ({"name": "-highcpu-.+"}, {"name": "-highcpu-.+"}, set()),
}


@pytest.mark.parametrize(("given", "asked", "found"), FILTERS.values(), ids=FILTERS)
def test_packages_by(
    dc: DataCenter, cloud: Emulator, given: dict[str, Any], asked: dict[str, str], found: set[str]
) -> None:
    """``ListPackages`` takes the filter, zero included, and lists what equals it."""
    assert {package.name for package in dc.packages(**given)} == found
    assert query(cloud, "ListPackages") == asked


def test_packages(dc: DataCenter, cloud: Emulator) -> None:
    """``ListPackages`` gives every package that is on offer."""
    found = dc.packages()
    assert sent(cloud, "ListPackages") == ("GET", "packages", {})
    assert {package.id for package in found} == {each.id for each in cloud.state.packages.values() if each.active}


def test_packages_by_position(dc: DataCenter, cloud: Emulator) -> None:
    """The filters of ``ListPackages`` come in the order that they always had."""
    dc.packages("g1-small", 1, 2, 3, "4", 5, "6")
    expected = {"name": "g1-small", "memory": "1", "disk": "2", "swap": "3", "version": "4", "vcpus": "5", "group": "6"}
    assert query(cloud, "ListPackages") == expected


@pytest.mark.parametrize(
    ("pattern", "fields", "names"),
    [
        ("^G1-[MN]", ("name",), {"g1-nano", "g1-micro", "g1-medium"}),
        ("bhyve machines", ("description",), {"b1-small", "b1-large", "b1-fixed"}),
        ("kvm", ("brand", "group"), {"k1-small"}),
        ("kvm", "brand", {"k1-small"}),
        ("^bhyve$", "name", set()),
    ],
)
def test_packages_that_match(dc: DataCenter, cloud: Emulator, pattern: str, fields: Any, names: set[str]) -> None:
    """A regular expression is tried here on what ``ListPackages`` gave, and is not sent."""
    assert {package.name for package in dc.packages(search=pattern, fields=fields)} == names
    assert query(cloud, "ListPackages") == {}


def test_packages_whose_name_matches(dc: DataCenter) -> None:
    """The pattern is tried on the name unless told otherwise."""
    assert {package.name for package in dc.packages(search="micro|KVM machines")} == {"g1-micro"}


@pytest.mark.parametrize("form", ["name", "id", "dict", "dict with a name", "resource"])
def test_package(dc: DataCenter, cloud: Emulator, form: str) -> None:
    """``GetPackage`` gives a package by name or id."""
    identity = package_id(cloud, "g1-small")
    given: Any = {
        "name": "g1-small",
        "id": identity,
        "dict": {"id": identity, "name": "another"},
        "dict with a name": {"name": "g1-small"},
        "resource": dc.packages(name="g1-small")[0],
    }[form]
    found = dc.package(given)
    assert (found.id, found.name, found.memory, found.disk) == (identity, "g1-small", 1024, 25_600)
    method, path, _ = sent(cloud, "GetPackage")
    assert (method, path) in {("GET", "packages/g1-small"), ("GET", f"packages/{identity}")}


def test_package_by_name_is_the_newest(dc: DataCenter) -> None:
    """``GetPackage`` by a name that several versions share gives the newest."""
    assert dc.package("g2-trial").version == "0.10.0"


def test_default_package(dc: DataCenter, cloud: Emulator) -> None:
    """The default is found in ``ListPackages`` where a data centre has one."""
    cloud.state.packages[package_id(cloud, "g1-medium")].default = True
    found = dc.default_package()
    assert sent(cloud, "ListPackages") == ("GET", "packages", {})
    assert found is not None
    assert found.name == "g1-medium"


def test_no_default_package(dc: DataCenter) -> None:
    """Where no package of ``ListPackages`` is the default there is None."""
    assert dc.default_package() is None


def test_attributes(dc: DataCenter) -> None:
    """A package shows what ``GetPackage`` said, and None where it said nothing."""
    package = dc.package("b1-small")
    assert (package.swap, package.vcpus, package.lwps, package.version) == (4096, 2, 4000, "1.0.0")
    assert (package.group, package.brand, package.flexible_disk, package.disks) == ("bhyve", "bhyve", True, None)
    assert (package.default, package.description) == (False, package["description"])


def test_shared_cpus_are_not_shown_as_none(dc: DataCenter) -> None:
    """CloudAPI counts 0 of them."""
    shared = dc.package("g1-nano")

    assert shared.vcpus == 0
    assert re.search(r"^vcpus +shared$", shared.as_text(width=80), re.MULTILINE)
    assert " shared " in dc.packages(name="g1-nano").as_text(width=120)
