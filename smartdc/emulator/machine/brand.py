"""The brand of a new machine, from its request, image and package."""

from smartdc.emulator.core.javascript import truthy
from smartdc.emulator.core.reply import ApiError, invalid_argument
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import HVM, ImageRecord, PackageRecord


def choose_brand(call: Call, image: ImageRecord, package: PackageRecord) -> str:
    """Return the brand that request, image and package agree on: 409 InvalidArgument if they do not."""
    requested = call.params.get("brand")
    required = image.requirements.get("brand")
    if truthy(requested) and not isinstance(requested, str):
        # An assertion of CloudAPI's own fails here.
        raise ApiError(500, None, "brandName (string) is required")
    if requested and requested not in HVM:
        raise invalid_argument(f'Unknown brand "{_safe(requested)}". Brand is restricted to one of ["bhyve","kvm"]')
    brand = str(requested or required or package.brand or _default(call, image))
    if package.brand and package.brand != brand:
        raise invalid_argument(f'Package requires brand "{package.brand}", but brand "{brand}" was selected')
    if required and required != brand:
        raise invalid_argument(f'Image requires brand "{required}", but brand "{brand}" was selected')
    if brand in HVM and image.type != "zvol":
        raise invalid_argument(f'Brand "{brand}" requires the image type to be "zvol"')
    if brand not in HVM and image.type == "zvol":
        raise invalid_argument(f'Brand "{brand}" cannot use an image of type "zvol"')
    return brand


def _default(call: Call, image: ImageRecord) -> str:
    settings = call.settings
    return settings.default_hvm_brand if image.type == "zvol" else settings.default_container_brand


def _safe(text: object) -> str:
    """Return what can be echoed to the caller: at most 20 letters, digits and dashes."""
    return "".join(letter for letter in str(text) if letter.isascii() and (letter.isalnum() or letter == "-"))[:20]
