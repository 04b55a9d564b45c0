"""Packages: the sizes of machines."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from smartdc.emulator.core.reply import Reply, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import PackageRecord

_EXACT: dict[str, Callable[[PackageRecord], Any]] = {
    "brand": lambda package: package.brand,
    "memory": lambda package: package.memory,
    "disk": lambda package: package.disk,
    "swap": lambda package: _swap(package),  # noqa: PLW0108  it is defined below
    "lwps": lambda package: package.lwps,
    "vcpus": lambda package: package.vcpus,
    "version": lambda package: package.version,
}
_BOOLEANS = {"true": True, "false": False}


@operation("ListPackages", "GET", "/:account/packages", head="HeadPackages")
def list_packages(call: Call) -> Reply:
    """Return the active packages that pass the filters; name and group may contain ``*``."""
    account = call.account.id
    seen = [each for each in call.state.packages.values() if each.active and each.visible_to(account)]
    return Reply(200, [view(package) for package in seen if _passes(package, call)])


@operation("GetPackage", "GET", "/:account/packages/:package", head="HeadPackage")
def get_package(call: Call) -> Reply:
    """Return a package by id, or the newest active one by name."""
    if not call.package:
        raise not_found(f"{call.text('package')} not found")
    return Reply(200, view(call.package))


def view(package: PackageRecord) -> dict[str, Any]:
    """Return the JSON of a package."""
    shown: dict[str, Any] = {} if package.brand is None else {"brand": package.brand}
    shown |= {
        "default": package.default,
        "description": package.description,
        "disk": package.disk,
        "group": package.group,
        "id": package.id,
        "lwps": package.lwps,
        "memory": package.memory,
        "name": package.name,
        "swap": _swap(package),
        "vcpus": package.vcpus,
        "version": package.version,
    }
    if package.brand == "bhyve" and package.flexible_disk is not None:
        shown["flexible_disk"] = package.flexible_disk
    if package.brand == "bhyve" and package.disks:
        shown["disks"] = package.disks
    return {name: value for name, value in shown.items() if value is not None}


def _swap(package: PackageRecord) -> int:
    return package.memory * 2 if package.swap is None else package.swap


def _passes(package: PackageRecord, call: Call) -> bool:
    params = call.params
    return (
        all(str(read(package)) == str(params[name]) for name, read in _EXACT.items() if params.get(name))
        and fnmatchcase(package.name, call.text("name") or "*")
        and fnmatchcase(package.group or "", call.text("group") or "*")
        and _BOOLEANS.get(call.text("flexible_disk"), package.flexible_disk) == package.flexible_disk
    )
