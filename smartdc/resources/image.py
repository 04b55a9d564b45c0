"""Find, create, change and share images, from which machines are created."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Self, cast
from warnings import warn

from smartdc.core import arguments
from smartdc.core.answers import Export, ImageFile
from smartdc.core.cells import age, in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import ImageFilter, ImageState, ImageType
from smartdc.core.lookup import find, id_of, is_uuid, not_found, only
from smartdc.core.operation import operation
from smartdc.core.parameters import parameters_of
from smartdc.core.resource import Resource
from smartdc.core.search import is_pattern, literal_part, select
from smartdc.errors import InputError, ResourceNotFound
from smartdc.http import request as wire
from smartdc.http.dates import parse_date
from smartdc.resources.image_body import ImageChanges, NewImage, NewImageOf, account_ids
from smartdc.resources.image_choice import newest_of_one_owner
from smartdc.resources.role_tag import HasRoleTags
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS, CreatesOnce, create_once
from smartdc.waiting.interrupts import noting_interrupts
from smartdc.waiting.lost_answer import Search
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout
from smartdc.waiting.stateful import Stateful

__all__ = ["HasImages", "HasImaging", "Image"]


class Image(CreatesOnce, HasRoleTags, Stateful[ImageState]):
    """A file system or a disk with an operating system, from which machines are created."""

    __slots__ = ()

    kind = "images"
    columns = in_columns(
        name="name",
        version="version",
        os="os",
        type="type",
        state="state",
        age=age("published_at"),
        public="public",
        id="id",
    )
    states = ("active", "unactivated", "disabled", "creating", "failed")

    id = Field[str]()
    """its UUID"""
    name = Field[str]()
    """its name"""
    version = Field[str]()
    """its version"""
    os = Field[str]()
    """the operating system's family, such as ``smartos`` or ``linux``"""
    type = Field[ImageType]()
    """its type, such as ``zone-dataset``, ``lx-dataset`` or ``zvol``"""
    state = Field[ImageState]()
    """``active`` when machines can be created from it; also unactivated, disabled, creating, failed"""
    description = Field[str]()
    """what it is"""
    homepage = Field[str | None]()
    """where to read more"""
    owner = Field[str]()
    """the UUID of the account it belongs to"""
    public = Field[bool]()
    """whether every account may use it"""
    published_at = Field[datetime | None](read=parse_date)
    """when it was published"""
    requirements = Field[dict[str, Any]]()
    """its requirements for machines; sizes in MiB"""
    tags = Field[dict[str, Any]]()
    """its tags"""
    origin = Field[str | None]()
    """the UUID of the image on which it is based"""
    image_size = Field[int | None]()
    """the size of its disk in MiB, if it has one"""
    files = Field[list[ImageFile]]()
    """its files: compression, sha1 and size in bytes"""
    eula = Field[str | None]()
    """the URL of the licence that users must accept"""
    acl = Field[list[str] | None]()
    """the UUIDs of the accounts it is shared with"""
    error = Field[dict[str, str] | None]()
    """why it failed: code and message"""

    @parameters_of(ImageChanges)
    @operation("UpdateImage")
    def update(self, changes: ImageChanges) -> Self:
        """Change the image's description of itself, and return the image: ``UpdateImage``.

        `acl` (the accounts that it is shared with: UUIDs, dicts or resources) and `tags` replace the current ones.
        """
        body = changes.body(changes.name, changes.version)
        if not body:
            raise InputError("give a name, a version or another entry to change the image to")
        self._change("POST", data=body, params={"action": "update"}, repeatable=True)
        return self

    @operation("GetImage", "UpdateImage")
    def share(self, account: str | Mapping[str, Any]) -> Self:
        """Share the image with another account, and return the image: ``GetImage``, ``UpdateImage``.

        `account` is the account's UUID, or a dict or resource with it. Two callers that share the same image at the
        same time may undo each other's change, since CloudAPI accepts only whole lists.
        """
        shared = self.refresh().acl or []
        return self.update(acl=[*shared, *account_ids([account], shared)])

    @operation("GetImage", "UpdateImage")
    def unshare(self, account: str | Mapping[str, Any]) -> Self:
        """Stop sharing the image with an account, and return the image: ``GetImage``, ``UpdateImage``.

        If the image is not shared with the account, it raises `InputError`.
        """
        [gone], shared = account_ids([account]), self.refresh().acl or []
        if gone not in shared:
            raise InputError(f"image {self.id} is not shared with the account {gone}")
        return self.update(acl=[known for known in shared if known != gone])

    @operation("CloneImage")
    def clone(self, *, timeout: float | None = DEFAULT_TIMEOUT) -> Image:
        """Make the account's own copy of an image that is shared with it, and return the copy: ``CloneImage``.

        CloudAPI answers when the copy is made; the call may take up to `timeout` seconds. If the answer is lost, the
        copy is looked for before the request is sent again.
        """
        checked_timeout(timeout)

        def send() -> Image:
            answer = self.datacenter.request("POST", self.path, params={"action": "clone"}, timeout=timeout)
            return Image.from_answer(self.datacenter, self._expect(dict, *answer))

        with noting_interrupts(_shown_by(self.name, self.version)):
            copy = self._create_once(
                send,
                lambda: self.datacenter.images(name=self.name, version=self.version, state="all"),
                only_new=True,
                # The copy may appear as late as the latest answer.
                settle=max(JOB_SETTLE_SECONDS, DEFAULT_TIMEOUT if timeout is None else timeout),
            )
            return _active(copy, timeout)

    @operation("ExportImage")
    def export(self, manta_path: str, *, timeout: float | None = DEFAULT_TIMEOUT) -> Export:
        """Write the image and its manifest to Manta, and return where they are: ``ExportImage``.

        The result has ``manta_url``, ``image_path`` and ``manifest_path``. `manta_path` is a directory of the account,
        or the beginning of the names of the two files. CloudAPI answers when they are written; the call may take up to
        `timeout` seconds.
        """
        params = {"action": "export", **arguments.strings(manta_path=manta_path)}
        with noting_interrupts(f"the image may have been exported to {manta_path}"):
            answer = self.datacenter.request("POST", self.path, params=params, timeout=timeout, repeatable=True)
        return cast("Export", self._expect(dict, *answer))

    @operation("DeleteImage")
    def delete(self) -> None:
        """Delete the image: ``DeleteImage``. It raises `InUse` if other images are based on it."""
        self._delete()

    def _summary(self) -> list[str]:
        return [f"{self.name}@{self.version}", self.id]


class HasImages(CreatesOnce):
    """Mix-in for places with images."""

    @operation("ListImages")
    def images(
        self,
        name: str | None = None,
        os: str | None = None,
        version: str | None = None,
        public: bool | None = None,
        state: ImageState | Literal["all"] | None = None,
        owner: str | Mapping[str, Any] | None = None,
        type: ImageFilter | None = None,  # noqa: A002 (the original's and CloudAPI's word)
        *,
        search: str | None = None,
        fields: Iterable[str] = ("name", "description"),
    ) -> ResourceList[Image]:
        """List the matching images: ``ListImages``.

        By default only active images are listed; the `state` ``all`` lists every state. `name` may contain ``*`` and
        ``?``, as in ``base-*``. `owner` is an account: its UUID, or a dict or resource with it. `public` is True or
        False. `type` is a type such as ``zone-dataset``, or ``!docker`` for all types except docker. `search` is a
        regular expression for `fields`; the library applies it.
        """
        pattern = arguments.strings(name=name).get("name") if is_pattern(name) else None
        params = wire.given(
            **arguments.strings(name=name, os=os, version=version, state=state, type=type),
            **arguments.booleans(public=public),
            owner=None if owner is None else id_of(owner),
        )
        if pattern is not None:
            # After a tilde, CloudAPI searches for the text within the name.
            part = literal_part(pattern)
            params = {**params, "name": f"~{part}"} if part else wire.given(**{**params, "name": None})
        return Image.from_answers(self, select(self._list("images", params=params), search, fields, name=pattern))

    @operation("GetImage", "ListImages")
    def image(self, identifier: str | Mapping[str, Any]) -> Image:
        """Get an image by its id, or the beginning of its id: ``GetImage``, ``ListImages``.

        Its name or ``name@version`` works too, if only one image has it.
        """
        text = id_of(identifier)
        if is_uuid(text):
            return Image.from_answer(self, self._get("images", text))
        return only(self._images_named(text), text, "image")

    def _images_named(self, text: str, **filters: Any) -> list[Image]:
        """Return the images of a name or ``name@version``, or else the one whose id begins with `text`; it must exist."""
        name, _, version = text.partition("@")
        listed = self.images(name=name, version=version or None, **filters)
        if named := [image for image in listed if image.name == name]:
            return named
        every = self.images(**filters)
        if version:
            raise not_found(text, "image", [f"{image.name}@{image.version}" for image in every])
        return [find(text, "image", every)]

    @operation("ListImages")
    def image_id(self, image: str | Mapping[str, Any]) -> str:
        """Return the id of an image that may be given by its name; only a name is looked up: ``ListImages``."""
        text = id_of(image)
        return text if is_uuid(text) else self.image(text).id

    @operation("ListImages")
    def image_to_use(self, image: str | Mapping[str, Any]) -> str:
        """Return the id of the image to use in a create: ``ListImages``, ``GetAccount``.

        A name means the newest active image of one owner: either the account's own images, or public ones. An image
        that is only shared with the account must be given by its id, or by ``name@version``. The choice is logged.
        """
        text = id_of(image)
        if is_uuid(text):
            return text
        named = self._images_named(text)
        if any(found.name != text for found in named):
            return only(named, text, "image").id
        return newest_of_one_owner(named, text, lambda: self._datacenter.account().id).id

    @parameters_of(NewImageOf)
    @operation("CreateImageFromMachine")
    def create_image_from_machine(self, new: NewImageOf) -> Image:
        """Begin to create an image of a machine's disk and return it, still ``creating``: ``CreateImageFromMachine``.

        The machine should be stopped and prepared for it. If the answer is lost, the image is looked for by its name
        and version before the request is sent again. With `wait`, it returns when the image is ``active``, or raises
        `WaitFailed`, with CloudAPI's reason, or `WaitTimeout`.

        Args:
            machine: its id, name, dict or resource.
            acl: the accounts that it is shared with: UUIDs, dicts or resources.
            tags: strings, numbers and booleans by which it can be found.
            homepage: the URL of a page with more information.
            eula: the URL of the licence.
            wait: whether to return only when machines can be created from it.
            timeout: the maximum time of the wait in seconds; None waits for ever.
        """
        checked_timeout(new.timeout)
        body = {"machine": self._datacenter.machine_id(new.machine), **new.body(new.name, new.version)}
        with noting_interrupts(_shown_by(new.name, new.version)):
            image = self._create_once(
                lambda: Image(self._datacenter, data=self._post("images", data=body)),
                lambda: self.images(name=new.name, version=new.version, state="all"),
                only_new=True,
                settle=JOB_SETTLE_SECONDS,
            )
            if new.wait:
                image.poll_until("active", timeout=new.timeout)
            return image

    @operation("ImportImageFromDatacenter")
    def import_image(
        self, datacenter: str, image: str | Mapping[str, Any], *, timeout: float | None = DEFAULT_TIMEOUT
    ) -> Image:
        """Copy one of your images from another data centre, and return the copy: ``ImportImageFromDatacenter``.

        `datacenter` is a name from `datacenters`, and `image` an id, a dict or a resource; the copy has the same id.
        CloudAPI answers when the copy is made; the call may take up to `timeout` seconds. If the answer is lost, the
        library looks for the copy, and waits until it is ``active``.
        """
        identity = id_of(image)
        params = {"action": "import-from-datacenter", **arguments.strings(datacenter=datacenter), "id": identity}

        def send() -> Image:
            answer = self._datacenter.request("POST", "/images", params=params, timeout=timeout)
            return Image.from_answer(self._datacenter, self._expect(dict, *answer))

        def find() -> list[Image]:
            try:
                return [Image(self._datacenter, identity)]
            except ResourceNotFound:
                return []

        watcher = Search(self._datacenter)
        with noting_interrupts(f"dc.image({identity!r}) gets the image if it was imported"):
            copy = create_once(send, find, self._datacenter.clock, JOB_SETTLE_SECONDS, watcher=watcher)
            return _active(copy, timeout)

    @operation("DeleteImage", "ListImages")
    def delete_image(self, identifier: str | Mapping[str, Any]) -> None:
        """Delete an image by its id, or by its name if only one image has it: ``DeleteImage``, ``ListImages``.

        Images of all states count; the beginning of an id, or ``name@version``, works too.
        """
        text = id_of(identifier)
        found = text if is_uuid(text) else only(self._images_named(text, state="all"), text, "image").id
        self._delete("images", found)

    def datasets(
        self, search: str | None = None, fields: Iterable[str] = ("description", "name")
    ) -> ResourceList[Image]:
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


class HasImaging(Resource):
    """Mix-in for machines of which an image can be created."""

    __slots__ = ()

    @parameters_of(NewImage)
    @operation("CreateImageFromMachine")
    def create_image(self, new: NewImage) -> Image:
        """Begin to create an image of this machine's disk: ``CreateImageFromMachine``.

        The arguments are those of `DataCenter.create_image_from_machine`.
        """
        return self.datacenter.create_image_from_machine(self, **vars(new))


def _shown_by(name: str, version: str) -> str:
    """Return advice how to see whether an image was made."""
    return f"dc.images(name={name!r}, version={version!r}, state='all') shows whether the image was created"


def _active(image: Image, timeout: float | None) -> Image:
    """Wait until an image is active: it is, after CloudAPI's own answer, but after a lost answer it may not be yet."""
    if image.state != "active":
        image.poll_until("active", timeout=timeout)
    return image
