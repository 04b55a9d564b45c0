"""The images, packages and networks of every emulator, with the same ids in each run."""

from ipaddress import IPv4Network
from typing import Any

from smartdc.emulator.core.clock import START
from smartdc.emulator.core.ids import fixed_uuid
from smartdc.emulator.state.records import ImageRecord, NetworkRecord, PackageRecord

ADMIN = fixed_uuid("admin")
"""The id of the operator's account, which owns the public images and cannot log in."""

COMPUTE_NODE = fixed_uuid("compute node")

INTERNAL = fixed_uuid("network internal")
"""The id of the private network that all accounts share."""

VLAN = 2
"""The VLAN id of every new account's fabric."""

_DAY = 86_400.0


def _image(name: str, version: str, system: str, kind: str, description: str, **more: object) -> ImageRecord:
    image = ImageRecord(
        fixed_uuid(f"image {name} {version}"), name, version, system, kind, ADMIN, START - 90 * _DAY, description
    )
    for attribute, value in more.items():
        setattr(image, attribute, value)
    return image


def images() -> dict[str, ImageRecord]:
    """Return new images by id: for zones, Linux containers and virtual machines."""
    found = [
        _image("base-64-lts", "24.4.1", "smartos", "zone-dataset", "A SmartOS image with build tools.",
               homepage="https://docs.tritondatacenter.com/images/smartos/base"),
        _image("minimal-64-lts", "24.4.1", "smartos", "zone-dataset", "A minimal SmartOS image."),
        _image("base-64-lts", "23.4.0", "smartos", "zone-dataset", "An older SmartOS image.",
               published=START - 460 * _DAY),
        _image("debian-12", "20251101", "linux", "lx-dataset", "Debian 12 as a Linux container.",
               requirements={"brand": "lx"}),
        _image("ubuntu-24.04", "20251101", "linux", "lx-dataset", "Ubuntu 24.04 as a Linux container.",
               requirements={"brand": "lx", "min_ram": 512}),
        _image("debian-12-cloud", "20251101", "linux", "zvol", "Debian 12 as a bhyve machine.",
               requirements={"brand": "bhyve", "bootrom": "uefi"}, size=10_240),
        _image("ubuntu-certified-22.04", "20251015", "linux", "zvol", "Ubuntu 22.04 as a KVM machine.",
               requirements={"brand": "kvm"}, size=10_240),
        _image("windows-server-2022", "20251020", "windows", "zvol", "Windows Server 2022; requires a password.",
               requirements={"brand": "bhyve", "password": True, "min_ram": 4096}, size=40_960),
        _image("base-64-lts", "21.4.1", "smartos", "zone-dataset", "Disabled: no longer available for new machines.",
               state="disabled", published=START - 1200 * _DAY),
        _image("alpine", "3.20", "linux", "docker", "A Docker image, listed only by its type."),
        _image("ubuntu-16.04", "20170403", "linux", "lx-dataset", "Ubuntu 16.04, which many test suites ask for.",
               requirements={"brand": "lx"}, published=START - 3000 * _DAY),
        _image("ubuntu-certified-16.04", "20190514", "linux", "zvol", "Ubuntu 16.04 for KVM and bhyve machines.",
               size=10_240, published=START - 2400 * _DAY),
    ]  # fmt: skip
    return {image.id: image for image in found}


def _package(name: str, memory: int, disk: int, vcpus: int = 0, **more: object) -> PackageRecord:
    version = str(more.get("version", "1.0.0"))
    package = PackageRecord(fixed_uuid(f"package {name} {version}"), name, memory, disk, vcpus)
    for attribute, value in more.items():
        setattr(package, attribute, value)
    return package


def packages() -> dict[str, PackageRecord]:
    """Return new packages by id; the ``b1`` ones are for bhyve and have flexible disks."""
    found = [
        _package("g1-nano", 256, 5_120, description="256 MiB of memory, 5 GiB of disk"),
        _package("g1-micro", 512, 10_240, description="512 MiB of memory, 10 GiB of disk"),
        _package("g1-small", 1024, 25_600, 1, description="1 GiB of memory, 25 GiB of disk"),
        _package("g1-medium", 4096, 102_400, 2, description="4 GiB of memory, 100 GiB of disk"),
        _package("g1-large", 8192, 204_800, 4, description="8 GiB of memory, 200 GiB of disk"),
        _package("k1-small", 2048, 51_200, 1, group="kvm", brand="kvm", description="For KVM machines"),
        _package("b1-small", 2048, 51_200, 2, group="bhyve", brand="bhyve", flexible_disk=True,
                 description="For bhyve machines with flexible disks"),
        _package("b1-large", 8192, 204_800, 4, group="bhyve", brand="bhyve", flexible_disk=True,
                 description="For bhyve machines with flexible disks"),
        _package("b1-fixed", 4096, 102_400, 2, group="bhyve", brand="bhyve", flexible_disk=False,
                 description="For bhyve machines with one disk"),
        _package("g2-trial", 1024, 20_480, 1, version="0.9.0", description="On trial, ninth version"),
        _package("g2-trial", 2048, 20_480, 1, version="0.10.0", description="On trial, tenth version"),
        _package("g0-retired", 512, 8_192, active=False, description="No longer sold"),
    ]  # fmt: skip
    return {package.id: package for package in found}


def network(name: str, subnet: str, **more: Any) -> NetworkRecord:
    """Return a new network, whose gateway is the first address of its subnet."""
    range_ = IPv4Network(subnet)
    return NetworkRecord(fixed_uuid(f"network {name}"), name, range_, str(range_[1]), **more)


def networks() -> dict[str, NetworkRecord]:
    """Return new networks by id: two public ones, and a private one that all accounts share.

    The public addresses are those that RFC 2544 reserves for benchmarks, which are never routed.
    """
    found = [
        network("external", "198.18.0.0/16", public=True, description="Reachable from everywhere"),
        network("external-2", "198.19.0.0/16", public=True),
        network("internal", "10.88.0.0/16", description="Shared by all machines here"),
    ]
    return {each.id: each for each in found}


def fabric(login: str, account: str) -> NetworkRecord:
    """Return the first network on the fabric of a new account with this login and id."""
    made = network("My-Fabric-Network", "192.168.128.0/22", fabric=True, vlan_id=VLAN, owners=[account])
    made.id = fixed_uuid(f"network fabric of {login}")
    made.resolvers = ["8.8.8.8", "8.8.4.4"]
    made.start, made.end = "192.168.128.5", "192.168.131.250"
    return made
