"""Choose the image for a name in a create.

Every published version of an image has the same name, so a name means the newest one. But anybody may share an image of
any name with an account, so a shared image is never chosen. A name that belongs to images of two owners, or to the
account's own and to public ones, is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from smartdc.core.lookup import only
from smartdc.errors import InputError

__all__ = ["newest_of_one_owner"]

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Mapping[str, Any])


def newest_of_one_owner(images: Sequence[M], name: str, account_id: Callable[[], str]) -> M:
    """Return the newest active image of a name; all images must be the account's own, or the public ones of one owner.

    `account_id` returns the account's id; it is called only if an image is not public.
    """
    usable = _usable(images, account_id)
    if not usable:
        shown = ", ".join(map(repr, images))
        raise InputError(f"image {name!r} is only shared with this account; to use it, give the id of {shown}")
    if len({str(image.get("owner")) for image in usable}) > 1:
        return only(usable, name, "image", f"named {name!r} have different owners; give the id")
    newest = max(_published(image) for image in usable)
    image = only([image for image in usable if _published(image) == newest], name, "image")
    log.info("image %r is %s@%s (%s)", name, image.get("name"), image.get("version"), image.get("id"))
    return image


def _usable(images: Sequence[M], account_id: Callable[[], str]) -> list[M]:
    """Return the images that are public or the account's own."""
    if all(image.get("public") for image in images):
        return list(images)
    own = account_id().lower()
    return [image for image in images if image.get("public") or str(image.get("owner")).lower() == own]


def _published(image: Mapping[str, Any]) -> str:
    # ISO dates of one server can be sorted as text.
    return str(image.get("published_at") or "")
