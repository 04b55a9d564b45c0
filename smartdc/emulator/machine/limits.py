"""The provisioning limits of an account, as CloudAPI's plugin ``provision_limits`` has them: ``settings.limits``."""

from typing import Any

from smartdc.emulator.core.reply import not_authorized
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import ImageRecord, MachineRecord, PackageRecord

REFUSAL = "Quota exceeded; to have your limits raised please contact Support"

_BRANDS = {"lx-dataset": "lx", "docker": "lx", "zone-dataset": "joyent", "zvol": "kvm"}
"""The brands that the plugin takes machines of an image's type for."""


def used(call: Call, limit: dict[str, Any]) -> int:
    """Return what the machines under a limit use: MiB of memory, GiB of disk, or their number."""
    machines = [machine for machine in call.state.machines_of(call.account) if machine.alive]
    machines = [machine for machine in machines if _counts(call, limit, machine)]
    if limit.get("by") == "ram":
        return sum(machine.memory for machine in machines)
    return sum(machine.disk for machine in machines) // 1024 if limit.get("by") == "quota" else len(machines)


def check_limits(
    call: Call, image: ImageRecord | None, package: PackageRecord, resized: MachineRecord | None = None
) -> None:
    """Refuse a new or resized machine that exceeds a limit: 403. A value of 0 is no limit, a negative one forbids all."""
    limits = [limit for limit in call.settings.limits if limit.get("value")]
    if any(limit["value"] < 0 for limit in limits):
        raise not_authorized(REFUSAL)
    for limit in limits:
        more = _increase(limit, package, resized)
        if _applies(limit, image) and more is not None and used(call, limit) + more > limit["value"]:
            raise not_authorized(REFUSAL)


def _increase(limit: dict[str, Any], package: PackageRecord, resized: MachineRecord | None) -> float | None:
    """Return what the machine adds; None for the number of machines when one is resized, which is not checked."""
    if limit.get("by") == "ram":
        return package.memory - (resized.memory if resized else 0)
    if limit.get("by") == "quota":
        return (package.disk - (resized.disk if resized else 0)) / 1024
    return None if resized else 1


def _applies(limit: dict[str, Any], image: ImageRecord | None) -> bool:
    brand = (image.requirements.get("brand") or _BRANDS.get(image.type)) if image else None
    return _fits(limit, brand, image)


def _counts(call: Call, limit: dict[str, Any], machine: MachineRecord) -> bool:
    return _fits(limit, machine.brand, call.state.images.get(machine.image))


def _fits(limit: dict[str, Any], brand: str | None, image: ImageRecord | None) -> bool:
    check = limit.get("check", "")
    known = {"brand": brand, "os": image.os if image else None, "image": image.name if image else None}
    return check not in known or limit.get(check) in ("any", known[check])
