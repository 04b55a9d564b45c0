"""CreateMachine: CloudAPI's checks in its order, and the new machine."""

import json
import re
from typing import Any

from smartdc.emulator.core.javascript import truthy, written
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, validation_failed
from smartdc.emulator.machine.action import check_dns_length, check_name, require_package
from smartdc.emulator.machine.brand import choose_brand
from smartdc.emulator.machine.disks import Layout, choose_disks, identify
from smartdc.emulator.machine.limits import check_limits
from smartdc.emulator.machine.machine import MACHINES, refuse_two_images
from smartdc.emulator.machine.metadata import check_metadata
from smartdc.emulator.machine.networks import MAX_PUBLIC, RequestedNetwork, check_networks, choose_networks
from smartdc.emulator.machine.placement import check_locality, choose, requested_rules
from smartdc.emulator.machine.tag import check_triton
from smartdc.emulator.machine.view import first_view
from smartdc.emulator.machine.volumes import check_reach, check_volumes, mount
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.permissions import ADMINISTRATOR
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state import catalogue
from smartdc.emulator.state.records import ImageRecord, MachineRecord, PackageRecord, Person

PARAMETERS = "Invalid VM parameters"


@operation("CreateMachine", "POST", MACHINES)
def create_machine(call: Call) -> Reply:
    """Create a machine; the answer shows it as ``provisioning``, and a job makes it run or fail.

    The order of the checks is CloudAPI's, and decides which of several mistakes is reported. Nothing is changed before
    the last check has passed: addresses are taken last, and given back if there are too few.
    """
    image = _require_image(call)
    package = require_package(call)
    root_keys = _root_keys(call, image)
    if not call.account.approved:
        raise invalid_argument("User is not currently approved for provisioning")
    brand = choose_brand(call, image, package)
    layout = choose_disks(call, image, package, brand)
    _check_switches(call, brand)
    networks = choose_networks(call, package)
    _check_fit(call, image, package)
    identity = call.state.ids.uuid("machine")
    name = _name(call, identity)
    check_dns_length(call, name)
    check_volumes(call, brand)
    check_networks(call, networks, _max_public(image))
    check_limits(call, image, package)
    rules = requested_rules(call)
    metadata = _flat(call, "metadata.")
    tags = _flat(call, "tag.")
    credentials = _take_credentials(metadata)
    if password := call.params.get("password") or call.params.get("administrator_pw"):
        metadata["administrator_pw"] = password
    if root_keys:
        metadata["root_authorized_keys"] = root_keys
    _validate(call, name, metadata, tags)
    _require_network(networks)
    plugged = [each.network for each in networks]
    check_reach(call, plugged)
    machine = _make(call, identity, name, brand, image, package, layout)
    machine.compute_node = choose(call, package, plugged, rules)
    machine.metadata = metadata
    machine.tags = tags
    machine.credentials = credentials
    _plug(call, machine, networks)
    call.state.add_machine(machine)
    call.queue(
        "provision", lambda made: _provisioned(call, made), machine=machine, undo=lambda failed: _fail(call, failed)
    )
    return Reply(201, first_view(machine, call), call.location("machines", identity))


def _require_image(call: Call) -> ImageRecord:
    params = call.params
    refuse_two_images(call)
    name = params.get("image") or params.get("dataset")
    if not name:
        raise missing_parameter("image must be specified")
    if not call.image:
        raise invalid_argument(f"{written(name)} is not a valid image")
    if call.image.state != "active":
        raise invalid_argument(f"image {name} is not active")
    if _is_shared(call, call.image) and params.get("allow_shared_images") is not True:
        raise invalid_argument(
            f"{name} is a shared image - to provision a shared image you can either clone the image or set "
            '"allow_shared_images" to true.'
        )
    return call.image


def _is_shared(call: Call, image: ImageRecord) -> bool:
    foreign = image.owner not in (call.account.id, catalogue.ADMIN)
    return call.range.allows("9.0.0") and foreign and call.account.id in image.acl


def _root_keys(call: Call, image: ImageRecord) -> str:
    """Return root's SSH keys, the account's and its administrators'; none if the image requires a password."""
    if image.requirements.get("password"):
        if not (call.params.get("password") or call.params.get("administrator_pw")):
            raise missing_parameter(f"{image.id} requires a password")
        return ""
    keys = [key for person in (call.account, *_administrators(call)) for key in person.keys.values()]
    if not keys:
        raise ApiError(409, "KeyRequired", "At least one SSH key is required to provision")
    return "".join(f"{key.public.text}\n" for key in keys)


def _administrators(call: Call) -> list[Person]:
    """Return the default members of the role ``administrator``, who may log in to every machine."""
    roles = (role for role in call.account.roles.values() if role.name == ADMINISTRATOR)
    people = (
        call.account.users.get(each) or call.state.account(each) for role in roles for each in role.default_members
    )
    return [person for person in people if person]


def _check_switches(call: Call, brand: str) -> None:
    if call.params.get("bootrom") and brand != "bhyve":
        raise invalid_argument('Only bhyve VMs support "bootrom" option')
    if call.params.get("delegate_dataset") is True and not call.settings.delegate_datasets:
        raise invalid_argument(
            "Support for delegated datasets is not enabled (experimental_cloudapi_delegate_dataset in SAPI)"
        )


def _check_fit(call: Call, image: ImageRecord, package: PackageRecord) -> None:
    if truthy(call.params.get("affinity")) and truthy(call.params.get("locality")):
        raise invalid_argument('cannot specify both "locality" (deprecated) and "affinity"')
    least = image.requirements.get("min_ram", 0)
    if package.memory < least:
        raise invalid_argument(
            f"You must use a package with at least {least} MiB of RAM in order to provision the selected image"
        )
    if package.os and package.os != image.os:
        # CloudAPI's message has the two the wrong way round.
        raise invalid_argument(
            f'The package and image must have the same OS, but package has "{image.os}" while image has "{package.os}"'
        )


def _max_public(image: ImageRecord) -> int:
    """Return how many public networks a machine of an image may have: as many as it requires, or else one."""
    required = image.requirements.get("networks")
    return sum(each.get("description") == "public" for each in required) if required else MAX_PUBLIC


def _name(call: Call, identity: str) -> str:
    short = identity.partition("-")[0]
    return call.text("name").replace("{{shortId}}", short) or short


def _flat(call: Call, prefix: str) -> dict[str, Any]:
    """Return the parameters with a prefix, without it; a nested object of that name is ignored, as in CloudAPI."""
    found = {key[len(prefix) :]: value for key, value in call.params.items() if key[: len(prefix)] == prefix != key}
    if prefix == "tag.":
        return found
    return {key: value for key, value in found.items() if re.match(r"\w", key, re.ASCII) and not key.endswith("_pw")}


def _take_credentials(metadata: dict[str, Any]) -> dict[str, Any]:
    """Remove the passwords, which are JSON text, from the metadata and return them."""
    text = metadata.pop("credentials", None)
    try:
        given = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return {}
    return {name if name.endswith("_pw") else f"{name}_pw": value for name, value in given.items()}


def _validate(call: Call, name: str, metadata: dict[str, Any], tags: dict[str, Any]) -> None:
    """Check what VMAPI checks after CloudAPI."""
    check_name(call, name, f"{PARAMETERS}: Invalid machine name")
    check_metadata(metadata, PARAMETERS, "customer_metadata")
    check_metadata(tags, PARAMETERS, "tags")
    check_triton(tags, f"{PARAMETERS}: Invalid tags")
    check_locality(call.params, PARAMETERS)
    if call.params.get("firewall_enabled") not in (None, True, False, "true", "false"):
        raise validation_failed(
            f"{PARAMETERS}: Invalid firewall_enabled", "firewall_enabled", "Invalid", "Must be a boolean"
        )


def _require_network(networks: list[RequestedNetwork]) -> None:
    """Refuse a machine without networks, as VMAPI does when it fails to find the primary one."""
    if not networks:
        reason = "Cannot set property 'primary' of undefined"
        raise validation_failed(f"{PARAMETERS}: Invalid networks", "networks", "Invalid", reason)


def _make(
    call: Call, identity: str, name: str, brand: str, image: ImageRecord, package: PackageRecord, layout: Layout
) -> MachineRecord:
    now = call.state.clock.time()
    params = call.params
    identify(layout.disks, identity)
    return MachineRecord(
        identity,
        call.account.id,
        name,
        brand,
        image.id,
        package.id,
        package.memory,
        layout.size,
        now,
        now,
        disks=layout.disks,
        flexible=layout.flexible,
        firewall_enabled=params.get("firewall_enabled") in (True, "true"),
        deletion_protection=params.get("deletion_protection") is True,
        delegate_dataset=params.get("delegate_dataset") is True,
        encrypted=params.get("encrypted") is True,
    )


def _plug(call: Call, machine: MachineRecord, networks: list[RequestedNetwork]) -> None:
    primary = next((each for each in networks if each.network.public), networks[0])
    try:
        for each in networks:
            nic = call.state.new_nic(each.network, machine.id, primary=each is primary, ip=each.ip)
            machine.nics.append(nic)
    except ApiError:
        call.state.release(machine.nics)
        raise


def _provisioned(call: Call, machine: MachineRecord) -> None:
    mount(call, machine)
    machine.state = "running"


def _fail(call: Call, machine: MachineRecord) -> None:
    machine.state = "failed"
    call.state.release(machine.nics)
    machine.nics = []
