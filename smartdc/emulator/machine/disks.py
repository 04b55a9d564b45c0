"""The disks of a new machine; all sizes in MiB."""

from dataclasses import dataclass, field
from typing import Any

from smartdc.emulator.core.ids import fixed_uuid
from smartdc.emulator.core.reply import ApiError, invalid_argument, missing_parameter, validation_failed
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import HVM, ImageRecord, PackageRecord

MAX_DISKS = 8
BLOCK_SIZES = tuple(2**power for power in range(9, 18))


@dataclass(slots=True)
class Layout:
    """The size of a machine's storage, and its disks."""

    size: int
    disks: list[dict[str, Any]] = field(default_factory=list)
    flexible: bool = False


def choose_disks(call: Call, image: ImageRecord, package: PackageRecord, brand: str) -> Layout:
    """Return the disks that request and package result in: 409 if they do not fit."""
    if brand not in HVM:
        return Layout(package.disk)
    requested = call.params.get("disks")
    flexible = bool(package.flexible_disk) and brand == "bhyve"
    if requested and not flexible:
        raise invalid_argument(
            "The use of `disks` is only supported if the package has the flexible_disk attr set to true"
        )
    if not flexible:
        return _finish(Layout(package.disk, [{}, {"size": package.disk}]), image)
    requested = requested or package.disks
    if not requested:
        rest = package.disk - image.size
        return _finish(Layout(package.disk, [{}, {"size": rest}], flexible=True), image)
    return _finish(Layout(package.disk, _check(requested, image, package), flexible=True), image)


def _check(requested: Any, image: ImageRecord, package: PackageRecord) -> list[dict[str, Any]]:
    if not isinstance(requested, list) or not all(isinstance(disk, dict) for disk in requested):
        raise ApiError(500, "InternalError", "Internal Error")
    if len(requested) > MAX_DISKS:
        raise invalid_argument(f"A maximum of {MAX_DISKS} disks per VM are supported")
    disks = [dict(disk) for disk in requested]
    _check_blocks(disks)
    _fill(disks, image, package)
    if disks[0]["size"] < image.size:
        raise invalid_argument("Size must be greater than or equal to image size for the boot disk")
    if sum(disk["size"] for disk in disks) > package.disk:
        raise _too_large()
    _check_positive(disks)
    return disks


def _check_blocks(disks: list[dict[str, Any]]) -> None:
    for place, disk in enumerate(disks):
        if "block_size" not in disk:
            continue
        if place == 0:
            raise invalid_argument("Cannot set block_size and image_uuid.")
        if disk["block_size"] not in BLOCK_SIZES:
            raise invalid_argument(
                f"Invalid block_size: {disk['block_size']} on disk: {place}. Must be 512-131072 and a power of 2."
            )


def _fill(disks: list[dict[str, Any]], image: ImageRecord, package: PackageRecord) -> None:
    """Compute the sizes that are missing or ``remaining``."""
    disks[0].setdefault("size", image.size)
    if any("size" not in disk for disk in disks):
        raise missing_parameter("disk.size must be set if disk is not the boot disk")
    if not all(disk["size"] == "remaining" or type(disk["size"]) is int for disk in disks):
        raise validation_failed("Invalid VM parameters", "disks", "Invalid", "Must be a number of MiB")
    rest = [disk for disk in disks if disk["size"] == "remaining"]
    if len(rest) > 1:
        raise invalid_argument("Only one disk.size can be set to `remaining`")
    for disk in rest:
        disk["size"] = package.disk - sum(other["size"] for other in disks if other is not disk)
        if disk is disks[0] and disk["size"] < image.size:
            raise _too_large()


def _check_positive(disks: list[dict[str, Any]]) -> None:
    """Refuse disks without a size, as VMAPI does; that includes ``remaining`` if nothing remains."""
    for place, disk in enumerate(disks):
        if disk["size"] <= 0:
            field = f"disks.{place}.size"
            raise validation_failed("Invalid VM parameters", field, "Invalid", "Disk size must be positive")


def _finish(layout: Layout, image: ImageRecord) -> Layout:
    """Complete the disks with all the fields that CloudAPI shows; the first one boots the image."""
    boot, *others = layout.disks
    first = {"size": boot.get("size", image.size), "block_size": 4096, "boot": True, "image": image.id}
    rest = [{"size": disk["size"], "block_size": disk.get("block_size", 4096)} for disk in others]
    ids = [{"id": disk["id"]} if disk.get("id") else {} for disk in layout.disks]
    layout.disks = [{**disk, **known} for disk, known in zip([first, *rest], ids, strict=True)]
    return layout


def identify(disks: list[dict[str, Any]], machine: str) -> None:
    """Assign slots to the disks of a machine, and ids to those without."""
    for place, disk in enumerate(disks):
        disk["pci_slot"] = f"0:4:{place}"
        disk.setdefault("id", disk_id(machine, disk["pci_slot"]))


def disk_id(machine: str, slot: str) -> str:
    """Return the id of a disk, which depends only on the machine and the slot."""
    return fixed_uuid(f"disk {machine}/{slot}")


def _too_large() -> ApiError:
    return invalid_argument("The size of the disks must not be greater than the package quota")
