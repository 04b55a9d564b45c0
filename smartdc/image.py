"""List and delete images: what machines are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from warnings import warn

from smartdc import wire
from smartdc.dates import parse_date
from smartdc.resource import Addressable, Field, Resource, id_of, is_uuid, only
from smartdc.search import search as matching

__all__ = ["HasImages", "Image"]


class Image(Resource):
    """A file system or a disk with an operating system on it."""

    kind = "images"

    id = Field[str]("its UUID")
    name = Field[str]("its name")
    version = Field[str]("its version")
    os = Field[str]("the operating system's family, such as ``smartos`` or ``linux``")
    type = Field[str]("how it is made, such as ``zone-dataset``, ``lx-dataset`` or ``zvol``")
    state = Field[str]("``active`` when machines can be made from it; also unactivated, disabled, creating, failed")
    description = Field[str]("what it is")
    homepage = Field[str | None]("where to read more")
    owner = Field[str]("the UUID of the account it belongs to")
    public = Field[bool]("whether every account may use it")
    published_at = Field[datetime | None]("when it was published", read=parse_date)
    requirements = Field[dict[str, Any]]("what a machine must have to run it; sizes in MiB")
    tags = Field[dict[str, Any]]("its tags")
    origin = Field[str | None]("the UUID of the image it was made from")
    image_size = Field[int | None]("the size of its disk in MiB, where it has one")
    files = Field[list[dict[str, Any]]]("its files: compression, sha1 and size in bytes")
    eula = Field[str | None]("the licence to be agreed to")
    acl = Field[list[str] | None]("the UUIDs of the accounts it is shared with")
    error = Field[dict[str, str] | None]("why it failed: code and message")

    def delete(self) -> None:
        """Delete the image: ``DeleteImage``."""
        self._delete()

    def _summary(self) -> list[str]:
        return [f"{self.name}@{self.version}", self.id]


class HasImages(Addressable):
    """What offers images."""

    def images(
        self,
        name: str | None = None,
        os: str | None = None,
        version: str | None = None,
        public: bool | None = None,
        state: str | None = None,
        owner: str | None = None,
        type: str | None = None,  # noqa: A002 (the original's and CloudAPI's word)
        *,
        search: str | None = None,
        fields: Iterable[str] = ("name", "description"),
    ) -> list[Image]:
        """List the images that equal what is given: ``ListImages``.

        Only active ones are listed unless `state` says otherwise; ``all`` lists every state.
        `search` is a regular expression that is tried, here, on `fields`.
        """
        params = wire.given(name=name, os=os, version=version, public=public, state=state, owner=owner, type=type)
        return matching([Image(self, data=entry) for entry in self._list("images", params=params)], search, fields)

    def image(self, identifier: str | Mapping[str, Any]) -> Image:
        """Get an image by its id, or by its name or ``name@version`` where that means only one: ``GetImage``."""
        text = id_of(identifier)
        if is_uuid(text):
            return Image(self, data=self._get("images", text))
        name, _, version = text.partition("@")
        return only(self.images(name=name, version=version or None), text, "image")

    def image_id(self, image: str | Mapping[str, Any]) -> str:
        """Return the id of an image that may be given by its name; only a name asks CloudAPI: ``ListImages``."""
        text = id_of(image)
        return text if is_uuid(text) else self.image(text).id

    def delete_image(self, identifier: str | Mapping[str, Any]) -> None:
        """Delete an image by its id: ``DeleteImage``."""
        self._delete("images", id_of(identifier))

    def datasets(self, search: str | None = None, fields: Iterable[str] = ("description", "name")) -> list[Image]:
        """List images under their former name: ``ListImages``.

        .. deprecated:: 1.0
           CloudAPI 8 calls them images; use `images`.
        """
        warn("datasets are called images now: use images()", DeprecationWarning, stacklevel=2)
        return self.images(search=search, fields=fields)

    def dataset(self, identifier: str | Mapping[str, Any]) -> Image:
        """Get an image under its former name: ``GetImage``.

        .. deprecated:: 1.0
           CloudAPI 8 calls them images; use `image`.
        """
        warn("datasets are called images now: use image()", DeprecationWarning, stacklevel=2)
        return self.image(identifier)
