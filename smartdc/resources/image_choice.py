"""Choose the image that a name means where something is made from it.

Names come back with every version that is published, so the newest is meant. But anybody may share an image of any name
with an account: one that is shared is never chosen. Nor is there a choice between an image of the account's own and a
public one, or between those of two owners.
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
    """Return the newest of a name's active images, which must be the account's own, or one owner's public ones.

    `account_id` is asked for the account's own id only where an image is not public.
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
    # ISO dates of one server sort as texts do.
    return str(image.get("published_at") or "")
