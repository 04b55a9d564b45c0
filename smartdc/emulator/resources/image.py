"""Images: what a machine is made from."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import ImageRecord

IMAGES = "/:account/images"
IMAGE = f"{IMAGES}/:dataset"
YOUNG = ("creating", "failed")
"""States of images that are not made, and of which little is known."""
STATES = ("active", "unactivated", "disabled", "all", *YOUNG)
"""The states that a list can be asked for."""
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
    """Return the images that pass the filters, oldest first: active ones, and no Docker images, unless asked for."""
    kind = _kind(call)
    _check_filters(call)
    found = [
        image
        for image in call.state.images.values()
        if image.visible_to(call.account.id) and _fits_type(image, kind) and _passes(image, call)
    ]
    return Reply(200, [_seen(image, call) for image in sorted(found, key=lambda image: image.published)])


@operation("GetImage", "GET", IMAGE, head="HeadImage")
def get_image(call: Call) -> Reply:
    """Return one image; only its id in lower case finds it."""
    return Reply(200, _seen(require_image(call), call))


@operation("DeleteImage", "DELETE", IMAGE)
def delete_image(call: Call) -> Reply:
    """Delete an image of one's own that no other is based on."""
    image = require_owner(call)
    if any(other.origin == image.id for other in call.state.images.values()):
        raise ApiError(422, "ImageHasDependentImages", f'image "{image.id}" has dependent images')
    del call.state.images[image.id]
    return Reply(204)


def view(image: ImageRecord, call: Call) -> dict[str, Any]:
    """Return the image as CloudAPI writes it for the caller's version."""
    made = image.state not in YOUNG
    shown: dict[str, Any] = {"id": image.id, "name": image.name, "version": image.version}
    shown |= {"os": image.os} if made else {}
    shown["requirements"] = {
        name: image.requirements[source]
        for name, source in _SHOWN_REQUIREMENTS.items()
        if image.requirements.get(source) and made
    }
    if made:
        old = "virtualmachine" if image.type == "zvol" else "smartmachine"
        shown["type"] = image.type if call.since("8.0.0") else old
    if image.type == "zvol" and made:
        shown["image_size"] = image.size
    if image.description:
        shown["description"] = image.description
    if made:
        shown["files"] = [{"compression": "gzip", "sha1": _sha1(image), "size": 100_000_000 + image.size}]
    shown |= {name: getattr(image, name) for name in ("tags", "homepage") if getattr(image, name)}
    shown |= {"published_at": iso(image.published)} if made else {}
    return {**shown, **_rights(image)} if call.since("7.1.0") else shown


def require_image(call: Call) -> ImageRecord:
    """Return the image that the call is about: 404."""
    if not call.image:
        raise not_found(f"{call.text('dataset')} not found")
    return call.image


def require_owner(call: Call) -> ImageRecord:
    """Return the image that the call is about, if it is the account's: 404, 422 NotImageOwner."""
    image = require_image(call)
    if image.owner != call.account.id:
        message = f"account {call.account.id} is not the owner of image {image.id}"
        raise ApiError(422, "NotImageOwner", message)
    return image


def _seen(image: ImageRecord, call: Call) -> dict[str, Any]:
    """Return the image, and count that it was looked at while it is being made."""
    if maker := call.state.workers.get(image.id):
        call.transitions.read(maker)
    return view(image, call)


def _rights(image: ImageRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {"owner": image.owner, "public": image.public, "state": image.state}
    return {
        **shown,
        **{name: getattr(image, name) for name in ("eula", "acl", "origin", "error") if getattr(image, name)},
    }


def _sha1(image: ImageRecord) -> str:
    """Return 40 digits that stand for a file nobody will ever fetch."""
    return (image.id.replace("-", "") * 2)[:40]


def _check_filters(call: Call) -> None:
    """Refuse words that IMGAPI does not know: 422 InvalidParameter."""
    state, public = call.text("state"), call.text("public")
    if state and state not in STATES:
        raise ApiError(422, "InvalidParameter", f'invalid state: "{state}"', [{"field": "state", "code": "Invalid"}])
    if public not in ("", "true", "false"):
        message = f'invalid value for "public" param: "{public}" is not a boolean'
        raise ApiError(422, "InvalidParameter", message, [{"field": "public", "code": "Invalid"}])


def _kind(call: Call) -> str:
    asked = call.text("type")
    if not asked or call.since("8.0.0"):
        return asked or "!docker"
    if asked not in _OLD_TYPES:
        raise invalid_argument(f"image type {asked} is not a valid type")
    return _OLD_TYPES[asked]


def _fits_type(image: ImageRecord, kind: str) -> bool:
    return image.type != kind[1:] if kind.startswith("!") else image.type == kind


def _passes(image: ImageRecord, call: Call) -> bool:
    public = call.text("public")
    exact = ((call.text(field), getattr(image, field)) for field in ("os", "owner"))
    return (
        all(not asked or asked == value for asked, value in exact)
        and all(_is_called(getattr(image, field), call.text(field)) for field in ("name", "version"))
        and _fits_state(image, call)
        and (not public or public == ("true" if image.public else "false"))
    )


def _is_called(text: str, asked: str) -> bool:
    return not asked or (asked[1:] in text if asked.startswith("~") else asked == text)


def _fits_state(image: ImageRecord, call: Call) -> bool:
    """Say whether an image is in the state that is asked for; disabled ones of others are not listed by it."""
    state = call.text("state") or "active"
    if state == "disabled" and image.owner != call.account.id:
        return False
    return state in ("all", image.state) or (state == "unactivated" and image.state in YOUNG)
