"""Actions on images: create from a machine, import, update, export and clone, with IMGAPI's messages."""

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.image import IMAGE, IMAGES, require_image, require_owner, view
from smartdc.emulator.state import catalogue
from smartdc.emulator.state.records import ImageRecord, MachineRecord
from smartdc.emulator.state.storage import worker
from smartdc.emulator.state.transitions import JobFailed

CHANGEABLE = ("name", "version", "description", "homepage", "eula", "acl", "tags")
MAX_LENGTHS = {"name": 1024, "version": 512, "description": 10_240, "homepage": 1024, "eula": 1024}
"""The most characters of a text, by IMGAPI's package imgmanifest; IMGAPI's documentation gives lower limits."""
PATTERNS = {"name": re.compile(r"[A-Za-z0-9._/ -]+"), "version": re.compile(r"[A-Za-z0-9._/+-]+")}
MARKS = {"name": '" ", ".", "-", "_" and "/"', "version": '".", "-", "_" and "/"'}
"""The characters besides letters and digits, as the messages list them."""
URLS = {"homepage": "homepage", "eula": "EULA"}
"""The fields that hold a URL, with their names in messages."""
PASSED_ON_CODES = ("PrepareImageDidNotRun", "VmHasNoOrigin", "NotSupported")
"""Codes of failures that CloudAPI passes on; a job's failure message starts with one of them and a colon."""


@operation("CreateImageFromMachine", "POST", IMAGES)
def create_image(call: Call) -> Reply:
    """Queue the creation of an image; the answer has little more than the request.

    For an unknown action CloudAPI never answers; the emulator does.
    """
    params = call.params
    if action := params.get("action"):
        raise invalid_argument(f"action {action} is not a valid argument")
    for name, words in (("machine", "machine"), ("name", "Image name"), ("version", "Image version")):
        if not params.get(name):
            raise missing_parameter(f"{words} is a required argument")
    machine = _require_machine(call)
    manifest = _manifest(call)
    source = call.state.images.get(machine.image) or _substitute_image(call, machine)
    image = ImageRecord(call.state.ids.uuid("image"), "", "", source.os, source.type, call.account.id, call.now)
    image.state = "creating"
    image.public = False
    image.origin = source.id
    image.size = source.size
    image.requirements = dict(source.requirements)
    _change(image, manifest)
    call.state.images[image.id] = image
    maker = call.state.workers[image.id] = worker(image.id, call.account.id, call.now)
    start_again = _prepare(call, machine)
    job = call.queue("create_image", lambda _: _finish(call, image, machine, start_again), machine=maker)
    job.undo = lambda _: _fail(call, image, start_again, job.error or "")
    stub = {"id": image.id, "name": image.name, "version": image.version, "requirements": {}}
    answer = {**stub, **{name: manifest[name] for name in CHANGEABLE[2:] if name in manifest}, "state": "creating"}
    return Reply(201, answer, {"x-joyent-jobid": job.id, **call.location("images", image.id)})


@operation("ImportImageFromDatacenter", "POST", IMAGES, action="import-from-datacenter")
def import_image(call: Call) -> Reply:
    """Copy an image of the account from another data centre: one of ``state.images_elsewhere``."""
    datacenter = call.text("datacenter")
    identity = call.text("id")
    if not datacenter:
        raise missing_parameter("datacenter is a required argument")
    if not UUID.fullmatch(identity):
        raise invalid_argument(f"id {identity} must be a UUID")
    _check_datacenter(call, datacenter)
    image = call.state.images_elsewhere.get(datacenter, {}).get(identity)
    if not image or not image.visible_to(call.account.id):
        raise not_found("image not found")
    if image.state != "active":
        raise ApiError(422, "ValidationFailed", f"Cannot import image {identity} - image is not active.", [])
    if image.owner != call.account.id:
        raise ApiError(401, "UnauthorizedError", f"Cannot import image {identity} - you are not the owner.")
    if identity in call.state.images:
        raise ApiError(409, "ImageUuidAlreadyExists", f'image uuid "{identity}" already exists')
    call.state.images[identity] = deepcopy(image)
    return Reply(200, view(call.state.images[identity], call))


@operation("UpdateImage", "POST", IMAGE, action="update")
def update_image(call: Call) -> Reply:
    """Change the manifest of an image of the account; null clears a field."""
    image = require_owner(call)
    manifest = _manifest(call)
    if not manifest:
        raise ApiError(422, "ValidationFailed", "invalid image update data: no parameters provided", [])
    _change(image, manifest)
    return Reply(200, view(image, call))


@operation("ExportImage", "POST", IMAGE, action="export")
def export_image(call: Call) -> Reply:
    """Return the paths of an exported image, if the data centre has Manta: ``settings.manta_url``."""
    path = call.text("manta_path")
    require_image(call)
    if not path:
        raise missing_parameter("Image destination manta_path is a required argument")
    image = require_owner(call)
    if not call.settings.manta_url:
        raise ApiError(503, "StorageUnsupported", "storage type is unsupported")
    _, user, *below = [*path.split("/"), ""]
    if not user:
        message = "invalid manta_path prefix, not a valid manta path"
        raise ApiError(422, "InvalidParameter", message, [{"field": "manta_path", "code": "Invalid"}])
    if user != call.account.login:
        message = f"account {call.account.id} is not the owner of Manta path {path}"
        raise ApiError(422, "NotMantaPathOwner", message)
    # No files are stored: an account's storage area and paths ending in a slash count as directories.
    is_directory = path.endswith("/") or len(below) < 3
    stem = f"{path.rstrip('/')}/{image.name}-{image.version}" if is_directory else path
    shown = {
        "manta_url": call.settings.manta_url,
        "image_path": f"{stem}.zfs.gz",
        "manifest_path": f"{stem}.imgmanifest",
    }
    return Reply(200, shown)


@operation("CloneImage", "POST", IMAGE, action="clone")
def clone_image(call: Call) -> Reply:
    """Copy a shared image, and those that it is based on, to the account."""
    image = require_image(call)
    account = call.account.id
    if image.state not in ("active", "disabled"):
        raise ApiError(422, "ValidationFailed", "image is not active", [{"field": "active", "code": "Invalid"}])
    if account not in image.acl:
        # IMGAPI's message has the two ids in this order.
        raise ApiError(422, "ImageNotShared", f"Image {account} is not shared with account {image.id}")
    if image.type == "docker":
        message = "docker images cannot be cloned"
        raise ApiError(422, "ValidationFailed", message, [{"field": "type", "code": "Invalid"}])
    return Reply(200, view(_clone(call, image, "active"), call))


def _require_machine(call: Call) -> MachineRecord:
    identity = call.text("machine")
    wrong = [{"field": "vm_uuid", "code": "Invalid"}]
    if not UUID.fullmatch(identity):
        raise ApiError(422, "InvalidParameter", f"invalid 'vm_uuid': not a UUID: '{identity}'", wrong)
    machine = call.state.machines.get(identity)
    if not machine or machine.owner != call.account.id or machine.state == "deleted":
        raise ApiError(422, "InvalidParameter", f'could not get VM "{identity}" details', wrong)
    if machine.docker:
        raise ApiError(422, "InvalidParameter", "cannot create an image from a Docker container", wrong)
    return machine


def _substitute_image(call: Call, machine: MachineRecord) -> ImageRecord:
    """Return a substitute for a machine's deleted image."""
    return ImageRecord(machine.image, "", "", "other", "zvol" if machine.hvm else "zone-dataset", "", call.now)


def _check_datacenter(call: Call, name: str) -> None:
    others = call.settings.elsewhere
    wrong = [{"field": "datacenter", "code": "Invalid"}]
    known = f"valid datacenters names are: {', '.join(others)}"
    if name == call.settings.datacenter:
        raise ApiError(422, "ValidationFailed", f"cannot import into the same datacenter, {known}", wrong)
    if name not in others:
        raise ApiError(422, "ValidationFailed", f'datacenter "{name}" is not supported, {known}', wrong)


def _manifest(call: Call) -> dict[str, Any]:
    """Return the manifest fields of the request; invalid ones are a 422."""
    manifest = {name: call.params[name] for name in CHANGEABLE if name in call.params}
    if errors := [error for name, value in manifest.items() if (error := _fault(name, value))]:
        wrong = ", ".join(error["field"] for error in errors)
        raise ApiError(422, "ValidationFailed", f"invalid image data: {wrong}", errors)
    return manifest


def _fault(name: str, value: Any) -> dict[str, str] | None:
    """Return the error for the value of a field; None if it is valid."""
    if value is None:
        return {"field": name, "code": "MissingParameter"} if name in PATTERNS else None
    if name in MAX_LENGTHS and isinstance(value, str):
        reason = _url_objection(name, value) if name in URLS else _text_objection(name, value)
    else:
        reason = None if _is_collection(name, value) else "invalid value"
    return {"field": name, "code": "Invalid", "message": reason} if reason else None


def _url_objection(name: str, text: str) -> str | None:
    if not re.match(r"\s*https?:", text, re.IGNORECASE):
        return f"invalid image {URLS[name]} URL protocol"
    if len(text) > MAX_LENGTHS[name]:
        return f"image {URLS[name]} URL is too long (max {MAX_LENGTHS[name]} characters)"
    return None


def _text_objection(name: str, text: str) -> str | None:
    if len(text) > MAX_LENGTHS[name]:
        return f"image {name} is too long, max {MAX_LENGTHS[name]} characters"
    if name in PATTERNS and not PATTERNS[name].fullmatch(text):
        return f"image {name} has invalid characters (only alpha-numeric characters and {MARKS[name]} are allowed)"
    return None


def _is_collection(name: str, value: Any) -> bool:
    """Return whether the value is a list of accounts or an object of tags, whichever the field holds."""
    if name == "acl":
        return isinstance(value, list) and all(isinstance(each, str) and UUID.fullmatch(each) for each in value)
    return (
        name == "tags"
        and isinstance(value, dict)
        and all(isinstance(each, str | int | float) for each in value.values())
    )


def _change(image: ImageRecord, manifest: dict[str, Any]) -> None:
    empty: dict[str, Any] = {"acl": [], "tags": {}}
    for name, value in manifest.items():
        setattr(image, name, empty.get(name, "") if value is None else value)


def _prepare(call: Call, machine: MachineRecord) -> Callable[[], None]:
    """Stop a running machine, as IMGAPI's prepare script does, and return what makes it run again."""
    if machine.state != "running":
        return lambda: None
    with call.state.feed.watch(machine):
        machine.state = "stopped"

    def start_again() -> None:
        if machine.state == "stopped":
            with call.state.feed.watch(machine):
                machine.state = "running"

    return start_again


def _finish(call: Call, image: ImageRecord, machine: MachineRecord, start_again: Callable[[], None]) -> None:
    start_again()
    if not machine.alive:
        raise JobFailed("the machine is gone")
    image.state = "active"
    image.published = call.state.workers.pop(image.id).updated


def _fail(call: Call, image: ImageRecord, start_again: Callable[[], None], reason: str) -> None:
    """Record the reason of a failure, as far as CloudAPI passes it on."""
    start_again()
    del call.state.workers[image.id]
    code, _, words = reason.partition(": ")
    image.state = "failed"
    image.error = {"code": "InternalError", "message": "an unexpected error occurred (Contact support for assistance.)"}
    if code in PASSED_ON_CODES:
        image.error = {"code": code, "message": words}


def _clone(call: Call, image: ImageRecord, state: str) -> ImageRecord:
    origin = call.state.images.get(image.origin or "")
    if origin and origin.owner != catalogue.ADMIN:
        origin = _clone(call, origin, "disabled")
    copy = deepcopy(image)
    copy.id = call.state.ids.uuid("image")
    copy.owner = call.account.id
    copy.published = call.now
    copy.state = state
    copy.acl = []
    copy.origin = origin.id if origin else image.origin
    call.state.images[copy.id] = copy
    return copy
