"""The volumes that a new machine mounts; those that do not exist yet are created with it."""

import re
from typing import Any

from smartdc.emulator.core.javascript import inspected
from smartdc.emulator.core.reply import ApiError, invalid_argument
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import HVM, MachineRecord, NetworkRecord, VolumeRecord
from smartdc.emulator.state.storage import worker
from smartdc.emulator.state.transitions import JobFailed

DEFAULT_SIZE = 10 * 1024
"""The size of a volume for which none is requested, in MiB."""

_NAME = re.compile(r"[a-z0-9][\w.-]+", re.IGNORECASE | re.ASCII)
_MODES = ("ro", "rw")


def check_volumes(call: Call, brand: str) -> None:
    """Refuse volumes for other brands or data centres, and malformed ones: 409.

    CloudAPI never answers a request with malformed ones: it passes on a list of errors where one error is expected.
    """
    if not call.params.get("volumes"):
        return
    if brand in HVM:
        raise invalid_argument(f'volumes not yet supported with brand "{brand}"')
    if not call.settings.automount_volumes:
        raise invalid_argument("Support for automounting volumes is not enabled")
    for volume in requested(call):
        if reason := _objection(volume):
            raise invalid_argument(reason)


def check_reach(call: Call, networks: list[NetworkRecord]) -> None:
    """Refuse to mount volumes that have none of the machine's networks: 409 VolumesNotReachableError."""
    mine = [network.id for network in networks]
    ready = {volume.name: volume for volume in call.state.volumes.values() if _is_mountable(call, volume)}
    names = [volume.get("name") for volume in requested(call)]
    unreachable = [name for name in names if name in ready and not set(ready[name].networks) & set(mine)]
    if unreachable:
        reasons = [f"Volume {name} not reachable on networks {', '.join(mine)}" for name in unreachable]
        message = f"Volumes not reachable from machine: {', '.join(reasons)}"
        raise ApiError(409, "VolumesNotReachableError", message)


def requested(call: Call) -> list[dict[str, Any]]:
    """Return the volumes of the request."""
    given = call.params.get("volumes")
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def mount(call: Call, machine: MachineRecord) -> None:
    """Register a machine with the volumes that it mounts, and create those that are missing, as its job does."""
    for each in requested(call):
        name = each["name"]
        found = next((volume for volume in call.state.volumes.values() if _is_called(machine, volume, name)), None)
        volume = found or _create(call, machine, name)
        volume.refs.append(machine.id)


def _create(call: Call, machine: MachineRecord, name: str) -> VolumeRecord:
    """Create a volume on the machine's networks of the fabric, or else on the account's default one."""
    state = call.state
    networks = state.networks
    fabrics = [nic.network for nic in machine.nics if networks[nic.network].fabric]
    default = call.account.default_network
    chosen = fabrics or ([default] if default in networks else [])
    if not chosen:
        raise JobFailed("default_network is not configured for account")
    identity = state.ids.uuid("volume")
    keeper = worker(identity, machine.owner, machine.updated)
    keeper.nics = [state.new_nic(networks[network], identity) for network in chosen]
    volume = VolumeRecord(identity, machine.owner, name, DEFAULT_SIZE, chosen, machine.updated, state="ready")
    volume.path = f"{keeper.nics[0].ip}:/exports/data"
    state.workers[identity] = keeper
    state.volumes[identity] = volume
    return volume


def _is_called(machine: MachineRecord, volume: VolumeRecord, name: str) -> bool:
    return volume.owner == machine.owner and volume.name == name and volume.state == "ready"


def _is_mountable(call: Call, volume: VolumeRecord) -> bool:
    return volume.owner == call.account.id and volume.state == "ready"


def _objection(volume: dict[str, Any]) -> str | None:
    kind = volume.get("type", "tritonnfs")
    if kind != "tritonnfs":
        return f'unknown volume type "{kind}"'
    if volume.get("mode", "rw") not in _MODES:
        return f"volume mode for volume {inspected(volume)} must be one of {', '.join(_MODES)}"
    name = volume.get("name", "undefined")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return rf"Invalid volume name: {name}. Volume name should match /^[a-z0-9][\w.-]+$/i"
    return None if _is_path(volume.get("mountpoint")) else f"invalid mount point for volume {inspected(volume)}"


def _is_path(mountpoint: Any) -> bool:
    """Return whether it is an absolute path other than the root."""
    text = mountpoint if isinstance(mountpoint, str) else ""
    return text.startswith("/") and "\0" not in text and bool(text.strip("/"))
