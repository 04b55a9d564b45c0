"""List packages: the sizes that machines come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from smartdc.core import arguments
from smartdc.core.cells import in_columns, mebibytes
from smartdc.core.field import Field
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable, Resource, id_of
from smartdc.core.search import search as matching
from smartdc.resources.role_tag import HasRoleTags

__all__ = ["HasPackages", "Package"]


class Package(HasRoleTags, Resource):
    """How much of everything a machine gets."""

    __slots__ = ()

    kind = "packages"
    columns = in_columns(
        name="name",
        memory=mebibytes("memory"),
        disk=mebibytes("disk"),
        vcpus="vcpus",
        swap=mebibytes("swap"),
        group="group",
        brand="brand",
        id="id",
        description="description",
    )

    further = in_columns(memory=mebibytes("memory"), disk=mebibytes("disk"), swap=mebibytes("swap"))

    id = Field[str]("its UUID")
    name = Field[str]("its name")
    memory = Field[int]("RAM in MiB")
    disk = Field[int]("disk space in MiB")
    swap = Field[int]("swap space in MiB")
    vcpus = Field[int]("virtual CPUs; 0 where they are shared")
    lwps = Field[int]("the most processes and threads")
    version = Field[str]("its version")
    group = Field[str]("the group it is shown in")
    description = Field[str]("what it is for")
    default = Field[bool | None]("whether it is the data centre's default; not sent by current servers")
    brand = Field[str | None]("the only brand it is for, if it is for one")
    flexible_disk = Field[bool | None]("whether machines of it may divide their disk space")
    disks = Field[list[dict[str, Any]] | None]("the disks that a machine of it gets")


class HasPackages(Addressable):
    """Mix-in for what offers packages."""

    @operation("ListPackages")
    def packages(
        self,
        name: str | None = None,
        memory: int | None = None,
        disk: int | None = None,
        swap: int | None = None,
        version: str | None = None,
        vcpus: int | None = None,
        group: str | None = None,
        *,
        lwps: int | None = None,
        flexible_disk: bool | None = None,
        brand: str | None = None,
        search: str | None = None,
        fields: Iterable[str] = ("name",),
    ) -> list[Package]:
        """List the packages that equal what is given: ``ListPackages``.

        `memory`, `disk` and `swap` are in MiB, and `lwps` counts threads. `name` and `group` may hold ``*`` for
        whatever stands there. `flexible_disk` is True for packages whose disk space may be divided, and `brand` the
        only one that a package is for. `search` is a regular expression that is tried, here, on `fields`.
        """
        params = {
            **arguments.strings(name=name, version=version, group=group, brand=brand),
            **arguments.integers(memory=memory, disk=disk, swap=swap, vcpus=vcpus, lwps=lwps),
            **arguments.booleans(flexible_disk=flexible_disk),
        }
        return matching(Package.from_answers(self, self._list("packages", params=params)), search, fields)

    @operation("GetPackage")
    def package(self, name: str | Mapping[str, Any]) -> Package:
        """Get a package by its name or id: ``GetPackage``."""
        return Package.from_answer(self, self._get("packages", id_of(name, "id", "name")))

    @operation("ListPackages")
    def default_package(self) -> Package | None:
        """Return the package that the data centre calls its default, or None: ``ListPackages``."""
        return next((package for package in self.packages() if package.get("default") in (True, "true")), None)
