"""List packages: the available sizes of machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from smartdc.core import arguments
from smartdc.core.answers import PackageDisk
from smartdc.core.cells import in_columns, mebibytes
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import Brand
from smartdc.core.lookup import complete_id, did_you_mean, id_of
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable, Resource
from smartdc.core.search import select
from smartdc.core.size import Size, sizes
from smartdc.errors import InvalidArgument, SmartDCError, printable
from smartdc.resources.role_tag import HasRoleTags

__all__ = ["HasPackages", "Package", "hint_at_packages"]


def _vcpus(package: Any) -> object:
    return "shared" if package.get("vcpus") == 0 else package.get("vcpus")


class Package(HasRoleTags, Resource):
    """The size of a machine: its memory, disk and CPU."""

    __slots__ = ()

    kind = "packages"
    columns = in_columns(
        name="name",
        memory=mebibytes("memory"),
        disk=mebibytes("disk"),
        vcpus=_vcpus,
        swap=mebibytes("swap"),
        group="group",
        brand="brand",
        id="id",
        description="description",
    )

    further = in_columns(vcpus=_vcpus, memory=mebibytes("memory"), disk=mebibytes("disk"), swap=mebibytes("swap"))

    id = Field[str]()
    """its UUID"""
    name = Field[str]()
    """its name"""
    memory = Field[int]()
    """RAM in MiB"""
    disk = Field[int]()
    """disk space in MiB"""
    swap = Field[int]()
    """swap space in MiB"""
    vcpus = Field[int]()
    """virtual CPUs; 0 if they are shared"""
    lwps = Field[int]()
    """the maximum number of processes and threads"""
    version = Field[str]()
    """its version"""
    group = Field[str]()
    """the group it is shown in"""
    description = Field[str]()
    """what it is for"""
    default = Field[bool | None]()
    """whether it is the data centre's default; not sent by current servers"""
    brand = Field[Brand | None]()
    """the only brand that it supports, if there is a restriction"""
    flexible_disk = Field[bool | None]()
    """whether its machines may divide their disk space"""
    disks = Field[list[PackageDisk] | None]()
    """the disks of its machines"""


class HasPackages(Addressable):
    """Mix-in for places with packages."""

    @operation("ListPackages")
    def packages(
        self,
        name: str | None = None,
        memory: Size | None = None,
        disk: Size | None = None,
        swap: Size | None = None,
        version: str | None = None,
        vcpus: int | None = None,
        group: str | None = None,
        *,
        lwps: int | None = None,
        flexible_disk: bool | None = None,
        brand: Brand | None = None,
        search: str | None = None,
        fields: Iterable[str] = ("name",),
    ) -> ResourceList[Package]:
        """List the matching packages: ``ListPackages``.

        `memory`, `disk` and `swap` are in MiB, or texts such as ``2G``; `lwps` is a number of threads. `name` may
        contain ``*`` and ``?``, as in ``g1-*``, and `group` may contain ``*``. `flexible_disk` is True for packages
        whose disk space may be divided, and `brand` is the only brand that a package supports. `search` is a regular
        expression for `fields`; the library applies it.
        """
        params = {
            **arguments.strings(name=name, version=version, group=group, brand=brand),
            **sizes(memory=memory, disk=disk, swap=swap),
            **arguments.integers(vcpus=vcpus, lwps=lwps),
            **arguments.booleans(flexible_disk=flexible_disk),
        }
        if "name" in params:
            params["name"] = params["name"].replace("?", "*")  # which CloudAPI knows alone
        return Package.from_answers(self, select(self._list("packages", params=params), search, fields, name=name))

    @operation("GetPackage", "ListPackages")
    def package(self, name: str | Mapping[str, Any]) -> Package:
        """Get a package by its name or id: ``GetPackage``; the beginning of an id is looked up: ``ListPackages``."""
        return Package.from_answer(self, self._get("packages", self.package_id(name)))

    @operation("ListPackages")
    def package_id(self, package: str | Mapping[str, Any]) -> str:
        """Return the id or name of a package; only the beginning of an id is looked up: ``ListPackages``."""
        return complete_id(id_of(package, "id", "name"), "package", self.packages)

    @operation("ListPackages")
    def default_package(self) -> Package | None:
        """Return the data centre's default package, or None: ``ListPackages``."""
        return next((package for package in self.packages() if package.get("default") in (True, "true")), None)


def hint_at_packages(refusal: InvalidArgument, packages: HasPackages, package: str | Mapping[str, Any] | None) -> None:
    """Add the names of similar packages to the refusal of a package that does not exist."""
    text = "" if package is None else id_of(package, "name", "id")
    if f"{text} is not a valid package" in refusal.message:
        with suppress(SmartDCError):
            names = [str(each.name) for each in packages.packages()]
            refusal.args = (printable(f"{refusal}{did_you_mean(text, names)}"),)
