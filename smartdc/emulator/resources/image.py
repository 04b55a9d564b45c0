"""Images: listed, read and deleted."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import ImageRecord

IMAGES = "/:account/images"
IMAGE = f"{IMAGES}/:dataset"
UNFINISHED = ("creating", "failed")
"""States of images that are not made yet, of which CloudAPI shows little."""
STATES = ("active", "unactivated", "disabled", "all", *UNFINISHED)
"""The states that a list can be filtered by."""
_OLD_TYPES = {"smartmachine": "zone-dataset", "virtualmachine": "zvol"}
_SHOWN_REQUIREMENTS = {
    "max_memory": "max_ram",
    "max_ram": "max_ram",
    "min_memory": "min_ram",
    "min_ram": "min_ram",
    "brand": "brand",
    "bootrom": "bootrom",
}


@operation("ListImages", "GET", IMAGES, head="HeadImages")
def list_images(call: Call) -> Reply:
    """Return the images that pass the filters, oldest first; by default only active ones, and no Docker images."""
    kind = _type_filter(call)
    _check_filters(call)
    found = [
        image
        for image in call.state.images.values()
        if image.visible_to(call.account.id) and _fits_type(image, kind) and _passes(image, call)
    ]
    return Reply(200, [_read_view(image, call) for image in sorted(found, key=lambda image: image.published)])


@operation("GetImage", "GET", IMAGE, head="HeadImage")
def get_image(call: Call) -> Reply:
    """Return one image, by its id in lower case only."""
    return Reply(200, _read_view(require_image(call), call))


@operation("DeleteImage", "DELETE", IMAGE)
def delete_image(call: Call) -> Reply:
    """Delete an image of the account that no other is based on."""
    image = require_owner(call)
    if any(other.origin == image.id for other in call.state.images.values()):
        raise ApiError(422, "ImageHasDependentImages", f'image "{image.id}" has dependent images')
    del call.state.images[image.id]
    return Reply(204)


def view(image: ImageRecord, call: Call) -> dict[str, Any]:
    """Return the image as CloudAPI writes it for the caller's version."""
    shown: dict[str, Any] = {"id": image.id, "name": image.name, "version": image.version}
    if image.state in UNFINISHED:
        shown |= {"requirements": {}, **_present(image, "description", "tags", "homepage")}
    else:
        shown |= _finished_view(image, call)
    return {**shown, **_rights(image)} if call.since("7.1.0") else shown


def _finished_view(image: ImageRecord, call: Call) -> dict[str, Any]:
    """Return the fields of an image that is made; types had other names before version 8."""
    requirements = {
        name: image.requirements[source]
        for name, source in _SHOWN_REQUIREMENTS.items()
        if image.requirements.get(source)
    }
    old = "virtualmachine" if image.type == "zvol" else "smartmachine"
    shown: dict[str, Any] = {
        "os": image.os,
        "requirements": requirements,
        "type": image.type if call.since("8.0.0") else old,
    }
    if image.type == "zvol":
        shown["image_size"] = image.size
    shown |= _present(image, "description")
    shown["files"] = [{"compression": "gzip", "sha1": _sha1(image), "size": 100_000_000 + image.size}]
    return {**shown, **_present(image, "tags", "homepage"), "published_at": iso(image.published)}


def _present(image: ImageRecord, *names: str) -> dict[str, Any]:
    """Return those attributes that are not empty."""
    return {name: getattr(image, name) for name in names if getattr(image, name)}


def require_image(call: Call) -> ImageRecord:
    """Return the image that the path names: 404."""
    if not call.image:
        raise not_found(f"{call.text('dataset')} not found")
    return call.image


def require_owner(call: Call) -> ImageRecord:
    """Return the image that the path names, which must be the account's: 404, 422 NotImageOwner."""
    image = require_image(call)
    if image.owner != call.account.id:
        message = f"account {call.account.id} is not the owner of image {image.id}"
        raise ApiError(422, "NotImageOwner", message)
    return image


def _read_view(image: ImageRecord, call: Call) -> dict[str, Any]:
    """Return the image's JSON, and count the read for the job that makes it."""
    if maker := call.state.workers.get(image.id):
        call.transitions.read(maker)
    return view(image, call)


def _rights(image: ImageRecord) -> dict[str, Any]:
    shown = {"owner": image.owner, "public": image.public, "state": image.state}
    return {**shown, **_present(image, "eula", "acl", "origin", "error")}


def _sha1(image: ImageRecord) -> str:
    """Return 40 hexadecimal digits in place of a real checksum."""
    return (image.id.replace("-", "") * 2)[:40]


def _check_filters(call: Call) -> None:
    """Refuse unknown values of the filters: 422 InvalidParameter."""
    state = call.text("state")
    public = call.text("public")
    if state and state not in STATES:
        raise ApiError(422, "InvalidParameter", f'invalid state: "{state}"', [{"field": "state", "code": "Invalid"}])
    if public not in ("", "true", "false"):
        message = f'invalid value for "public" param: "{public}" is not a boolean'
        raise ApiError(422, "InvalidParameter", message, [{"field": "public", "code": "Invalid"}])


def _type_filter(call: Call) -> str:
    given = call.text("type")
    if not given or call.since("8.0.0"):
        return given or "!docker"
    if given not in _OLD_TYPES:
        raise invalid_argument(f"image type {given} is not a valid type")
    return _OLD_TYPES[given]


def _fits_type(image: ImageRecord, kind: str) -> bool:
    return image.type != kind[1:] if kind.startswith("!") else image.type == kind


def _passes(image: ImageRecord, call: Call) -> bool:
    public = call.text("public")
    exact = ((call.text(field), getattr(image, field)) for field in ("os", "owner"))
    return (
        all(not given or given == value for given, value in exact)
        and all(_is_called(getattr(image, field), call.text(field)) for field in ("name", "version"))
        and _fits_state(image, call)
        and (not public or public == ("true" if image.public else "false"))
    )


def _is_called(text: str, given: str) -> bool:
    return not given or (given[1:] in text if given.startswith("~") else given == text)


def _fits_state(image: ImageRecord, call: Call) -> bool:
    """Return whether an image passes the filter on the state; disabled images of other accounts never do."""
    state = call.text("state") or "active"
    if state == "disabled" and image.owner != call.account.id:
        return False
    return state in ("all", image.state) or (state == "unactivated" and image.state in UNFINISHED)
