"""Volumes, if the data centre has them: ``settings.volumes``."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument
from smartdc.emulator.grammar import volume_predicate as predicate
from smartdc.emulator.grammar.affinity import check_affinity
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.volume_check import (
    TYPES,
    check_filters,
    fields_of,
    id_errors,
    name_errors,
    new_errors,
    passes,
    refuse,
    type_errors,
)
from smartdc.emulator.state.records import VolumeRecord
from smartdc.emulator.state.storage import worker
from smartdc.emulator.state.transitions import JobFailed

VOLUMES = "/:account/volumes"
VOLUME = "/:account/volumes/:id"
SIZES = tuple(gib * 1024 for gib in (*range(10, 100, 10), *range(100, 1001, 100)))


@operation("ListVolumes", "GET", VOLUMES)
def list_volumes(call: Call) -> Reply:
    """Return the volumes that pass the filters; failed ones only if state or predicate is given."""
    condition = check_filters(call)
    found = [
        volume
        for volume in call.state.volumes.values()
        if volume.owner == call.account.id
        and passes(volume, call.query)
        and predicate.holds(condition, fields_of(volume))
    ]
    return Reply(200, [_read_view(call, volume) for volume in found], {"x-resource-count": str(len(found))})


@operation("GetVolume", "GET", VOLUME)
def get_volume(call: Call) -> Reply:
    """Return one volume."""
    return Reply(200, _read_view(call, _require(call, "getting")))


@operation("CreateVolume", "POST", VOLUMES)
def create_volume(call: Call) -> Reply:
    """Queue the creation of a volume, with defaults for name, size and network."""
    params = call.params
    refuse(new_errors(params))
    check_affinity(params.get("affinity"))
    networks = _networks(call)
    identity = call.state.ids.uuid("volume")
    name = params.get("name") or _long_name(call, identity)
    size = params.get("size", SIZES[0])
    if _taken(call, name):
        raise _refused("creating", "VolumeAlreadyExists", f"Volume with name {name} already exists")
    if size not in SIZES:
        sizes = ", ".join(map(str, SIZES))
        message = f"Volume size {size} is not available. Available sizes are: {sizes}"
        raise _refused("creating", "VolumeSizeNotAvailable", message)
    volume = VolumeRecord(
        identity, call.account.id, name, size, networks, call.now, tags=dict(params.get("tags") or {})
    )
    call.state.volumes[identity] = volume
    maker = call.state.workers[identity] = worker(identity, call.account.id, call.now)
    call.queue("create_volume", lambda _: _finish(call, volume), machine=maker, undo=lambda _: _fail(volume))
    return Reply(201, view(volume, call))


@operation("UpdateVolume", "POST", VOLUME)
def update_volume(call: Call) -> Reply:
    """Rename an unused volume; the answer is the volume, whatever the documentation says."""
    name = call.params.get("name")
    strange = [
        f"InvalidArgumentError: {key} is an invalid parameter" for key in call.query if key not in ("account", "name")
    ]
    refuse([*([] if name is None else name_errors(name)), *id_errors(call.text("id")), *strange])
    volume = _require(call, "updating")
    if name is not None:
        if _taken(call, name):
            raise _refused("updating", "VolumeAlreadyExists", f"Volume with name {name} already exists")
        _check_unused(call, volume, "updating")
        volume.name = name
    return Reply(200, view(volume, call))


@operation("DeleteVolume", "DELETE", VOLUME)
def delete_volume(call: Call) -> Reply:
    """Queue the deletion of an unused volume."""
    volume = _require(call, "deleting")
    _check_unused(call, volume, "deleting")
    if volume.state != "deleting":
        volume.state = "deleting"
        call.queue("delete_volume", lambda _: _drop(call, volume), machine=call.state.workers[volume.id])
    return Reply(204)


@operation("ListVolumeSizes", "GET", "/:account/volumesizes")
def list_volume_sizes(call: Call) -> Reply:
    """Return the available sizes, smallest first."""
    if "type" in call.params:
        refuse(type_errors(call.params["type"]))
    sizes = [{"size": size, "type": TYPES[0]} for size in SIZES]
    return Reply(200, sizes, {"x-resource-count": str(len(SIZES))})


def view(volume: VolumeRecord, call: Call) -> dict[str, Any]:
    """Return the JSON of a volume."""
    shown: dict[str, Any] = {"name": volume.name, "owner_uuid": volume.owner, "size": volume.size, "type": volume.type}
    shown |= {"state": volume.state, "networks": volume.networks}
    if refs := users_of(volume, call):
        shown["refs"] = refs
    if volume.path:
        shown["filesystem_path"] = volume.path
    shown["id"] = volume.id
    if volume.tags:
        shown["tags"] = volume.tags
    return {**shown, "created": iso(volume.created)}


def users_of(volume: VolumeRecord, call: Call) -> list[str]:
    """Return the ids of living machines that mount a volume."""
    machines = call.state.machines
    return [identity for identity in volume.refs if identity in machines and machines[identity].alive]


def _read_view(call: Call, volume: VolumeRecord) -> dict[str, Any]:
    call.transitions.read(call.state.workers[volume.id])
    return view(volume, call)


def _require(call: Call, doing: str) -> VolumeRecord:
    identity = call.text("id")
    refuse(id_errors(identity))
    volume = call.state.volumes.get(identity)
    if not volume or volume.owner != call.account.id:
        raise _refused(doing, "VolumeNotFound", f"Volume with uuid {identity} could not be found", 404)
    return volume


def _taken(call: Call, name: str) -> bool:
    return any(
        volume.name == name and volume.owner == call.account.id and volume.state in ("ready", "creating")
        for volume in call.state.volumes.values()
    )


def _long_name(call: Call, identity: str) -> str:
    return (identity + call.state.ids.uuid("volume name")).replace("-", "")


def _check_unused(call: Call, volume: VolumeRecord, doing: str) -> None:
    if users := users_of(volume, call):
        raise _refused(doing, "VolumeInUse", f"Volume with name {volume.name} is used by vms: {', '.join(users)}")


def _networks(call: Call) -> list[str]:
    """Return the requested networks, which must be the account's fabric networks, or else its default one."""
    known = call.state.networks.values() if call.settings.fabrics else ()
    fabrics = [network.id for network in known if network.fabric and call.account.id in network.owners]
    requested = call.params.get("networks")
    if requested is None:
        return [_default_network(call, fabrics)]
    if any(network not in fabrics for network in requested):
        raise invalid_argument(f"Invalid networks: {','.join(requested)}")
    if not requested:
        message = "Validation error, causes: Error: networks must be a non-empty array"
        raise _refused("creating", "ValidationError", message)
    return list(requested)


def _default_network(call: Call, fabrics: list[str]) -> str:
    """Return the account's default network; one that is not its own fabric network is VOLAPI's 409 InvalidNetworks."""
    default = call.account.default_network
    if not default:
        message = "default_network is not configured for account"
        raise ApiError(409, "DefaultFabricNetworkNotConfiguredError", message)
    if default not in fabrics:
        network = call.state.networks.get(default)
        reasons = ["missing"]
        if network and not network.fabric:
            owned = call.account.id in network.owners
            reasons = ["non-fabric"] if owned else ["not owned by user", "non-fabric"]
        details = ", ".join(f"{reason}: {default}" for reason in reasons)
        raise _refused("creating", "InvalidNetworks", f"Invalid networks: {details}")
    return default


# Jobs


def _finish(call: Call, volume: VolumeRecord) -> None:
    """Give the volume its address, unless it is being deleted by now."""
    if volume.state != "creating":
        return
    maker = call.state.workers[volume.id]
    networks = call.state.networks
    try:
        maker.nics = [call.state.new_nic(networks[network], volume.id) for network in volume.networks]
    except ApiError as error:
        raise JobFailed(error.message) from error
    volume.state = "ready"
    volume.path = f"{maker.nics[0].ip}:/exports/data"


def _fail(volume: VolumeRecord) -> None:
    if volume.state == "creating":
        volume.state = "failed"


def _drop(call: Call, volume: VolumeRecord) -> None:
    call.state.release(call.state.workers.pop(volume.id).nics)
    del call.state.volumes[volume.id]


def _refused(doing: str, code: str, message: str, status: int = 409) -> ApiError:
    return ApiError(status, code, f"Error when {doing} volume: {message}")
