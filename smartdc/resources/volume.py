"""Create, rename and delete volumes: file systems that several machines share over the network."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Self, cast

from smartdc.core import arguments
from smartdc.core.answers import VolumeSize
from smartdc.core.cells import age, in_columns, mebibytes
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.literals import VolumeState, VolumeType
from smartdc.core.lookup import find, id_of, is_uuid
from smartdc.core.operation import operation
from smartdc.core.search import select
from smartdc.core.size import Size, sizes
from smartdc.errors import Conflict, InputError
from smartdc.http import request as wire
from smartdc.http.dates import parse_date
from smartdc.waiting.create_once import JOB_SETTLE_SECONDS, CreatesOnce, started_after
from smartdc.waiting.interrupts import noting_interrupts
from smartdc.waiting.poll import DEFAULT_TIMEOUT, checked_timeout, poll
from smartdc.waiting.sending import Sending
from smartdc.waiting.stateful import Stateful, waits_on

__all__ = ["HasVolumes", "Volume"]

_PATTERN = re.compile(r"\*?[^*?]*\*?")
"""Patterns of names by which CloudAPI can filter."""


class Volume(Stateful[VolumeState]):
    """A file system that machines of the account mount over NFS."""

    __slots__ = ()

    kind = "volumes"
    columns = in_columns(
        name="name",
        state="state",
        size=mebibytes("size"),
        age=age(),
        type="type",
        id="id",
        mount="filesystem_path",
    )
    further = in_columns(size=mebibytes("size"))
    states = ("creating", "ready", "failed", "deleting")

    id = Field[str]()
    """its UUID"""
    name = Field[str]()
    """its name, unique among the volumes of the account"""
    type = Field[VolumeType]()
    """``tritonnfs``, the only type there is"""
    size = Field[int]()
    """its size in MiB"""
    state = Field[VolumeState]()
    """``creating``, ``ready``, ``failed`` or ``deleting``"""
    networks = Field[list[str]]()
    """the UUIDs of the fabric networks on which it can be reached"""
    filesystem_path = Field[str | None]()
    """the file system to mount, as ``host:path``; known when the volume is ready"""
    refs = Field[list[str] | None]()
    """the UUIDs of the machines that use it"""
    tags = Field[dict[str, str] | None]()
    """its tags, which affinity rules can name"""
    owner_uuid = Field[str]()
    """the UUID of the account it belongs to"""
    created = Field[datetime](read=parse_date)
    """when it was created"""

    @operation("UpdateVolume")
    def update(self, *, name: str) -> Self:
        """Change the volume and return it: ``UpdateVolume``. Only the name can be changed."""
        data = arguments.strings(name=name)
        try:
            return self._change("POST", data=data, repeatable=True)
        except Conflict as error:
            # If the answer to an earlier attempt was lost, this volume itself may already have the name.
            if error.attempts > 1 and self.refresh().name == name:
                return self
            raise

    @operation("UpdateVolume")
    def rename(self, name: str) -> Self:
        """Give the volume another name and return it: ``UpdateVolume``. It raises `InUse` while machines use it."""
        return self.update(name=id_of(arguments.strings(name=name).get("name")))

    @operation("DeleteVolume")
    def delete(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Begin to delete the volume: ``DeleteVolume``.

        It raises `InUse` while machines use it. With `wait`, it returns when the volume is gone, or raises
        `WaitTimeout` after `timeout` seconds (None waits for ever).
        """
        checked_timeout(timeout)
        sign = (lambda: self.look() in {"deleting", "deleted"}) if wait else None
        hint = "volume.refresh() shows it"
        with Sending(self, "delete", hint, sign=sign, shown_by="its state", timeout=timeout) as sending:
            self._delete()
        if wait:
            is_gone, hint = partial(self._look_for, ("deleted",)), waits_on("volume", ["deleted"])
            poll(self, is_gone, "is not deleted", timeout=timeout, job="delete", hint=hint, since=sending.since)

    def _summary(self) -> list[str]:
        return [repr(self.name), str(self.state), self.id]


class HasVolumes(CreatesOnce):
    """Mix-in for owners of volumes; in a data centre without volumes, every method raises `MethodNotAllowed`."""

    @operation("ListVolumes")
    def volumes(
        self,
        name: str | None = None,
        size: Size | None = None,
        state: VolumeState | None = None,
        type: VolumeType | None = None,  # noqa: A002 (CloudAPI's word)
        *,
        predicate: str | Mapping[str, Any] | None = None,
        search: str | None = None,
        fields: Iterable[str] = ("name",),
    ) -> ResourceList[Volume]:
        """List the matching volumes: ``ListVolumes``.

        Failed volumes are listed only if `state` or `predicate` selects them. `name` may contain ``*`` and ``?``, as in
        ``logs-*``; `size` is in MiB, or a text such as ``10G``. `search` is a regular expression for `fields`; the
        library applies it. `predicate` is a condition on ``id``, ``name``, ``network``, ``size``, ``state`` and
        ``type``, as a dict or as JSON, such as ``{"or": [{"eq": ["state", "failed"]}, {"ge": ["size", 20480]}]}``.
        """
        condition = None if predicate is None else arguments.json_text("predicate", predicate)
        words = arguments.strings(name=name, state=state, type=type, predicate=condition)
        params = {**words, **sizes(size=size)}
        if "name" in params and not _PATTERN.fullmatch(params["name"]):
            del params["name"]
        found = self._list("volumes", params=params)
        return Volume.from_answers(self, select(found, search, fields, name=name))

    @operation("GetVolume", "ListVolumes")
    def volume(self, volume: str | Mapping[str, Any]) -> Volume:
        """Get a volume by its id, the beginning of its id, or its name: ``GetVolume``, ``ListVolumes``."""
        text = id_of(volume)
        if is_uuid(text):
            return Volume.from_answer(self, self._get("volumes", text))
        return find(text, "volume", self.volumes(name=text), everything=self.volumes)

    @operation("CreateVolume")
    def create_volume(
        self,
        name: str | None = None,
        size: Size | None = None,
        *,
        type: VolumeType = "tritonnfs",  # noqa: A002 (CloudAPI's word)
        networks: str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]] | None = None,
        affinity: Iterable[str] | None = None,
        tags: Mapping[str, str] | None = None,
        wait: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> Volume:
        """Begin to create a volume and return it, still ``creating``: ``CreateVolume``.

        It is created once: if the answer is lost, the volume is looked for by its name before the request is sent
        again. With `wait`, it returns when the volume is ``ready``, or raises `WaitFailed` or `WaitTimeout`.

        Args:
            name: letters, digits, '.', '_' and '-'; without it, the library generates a name.
            size: in MiB, or a text such as ``10G``; one of those in `volume_sizes`. The default is the smallest one.
            type: ``tritonnfs``, the only type.
            networks: fabric networks of the account: one or more ids, names, dicts or resources; the default is the
                account's default fabric network.
            affinity: rules such as ``role!=db``: the machines or volumes to be near to, or far from.
            tags: strings by which affinity rules can name it.
            wait: whether to return only when it can be used.
            timeout: the maximum time of the wait in seconds; None waits for ever.
        """
        checked_timeout(timeout)
        body = wire.given(
            **arguments.strings(name=f"volume-{secrets.token_hex(4)}" if name is None else name, type=type),
            **sizes(size=size),
            **arguments.lists(affinity=affinity),
            networks=None if networks is None else self._network_ids(networks),
            tags=None if tags is None else _checked(tags),
        )
        is_new = started_after(self._datacenter.clock, self._datacenter.session.now)
        with noting_interrupts(f"dc.volumes(name={body['name']!r}) shows whether the volume was created"):
            volume = self._create_once(
                lambda: Volume(self, data=self._post("volumes", data=body)),
                lambda: self.volumes(name=body["name"]),
                lambda volume: _matches(volume, body) and is_new(volume.created),
                settle=JOB_SETTLE_SECONDS,
            )
            if wait:
                volume.poll_until("ready", timeout=timeout)
            return volume

    @operation("ListVolumeSizes")
    def volume_sizes(
        self,
        type: VolumeType | None = None,  # noqa: A002 (CloudAPI's word)
    ) -> list[VolumeSize]:
        """List volume sizes, each with ``size`` (MiB) and ``type``: ``ListVolumeSizes``."""
        sizes = self._list("volumesizes", params=arguments.strings(type=type))
        return cast("list[VolumeSize]", sizes)

    def _network_ids(self, networks: str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]]) -> list[str]:
        return [self._datacenter.network_id(network) for network in arguments.as_list("networks", networks)]


def _checked(tags: Mapping[str, str]) -> dict[str, str]:
    """Refuse tags that are not strings: a volume's tags have no other type."""
    arguments.dicts(tags=tags)
    if wrong := next((name for name, value in tags.items() if not isinstance(value, str)), None):
        raise InputError(f"the tag {wrong!r} of a volume must be a string, not {type(tags[wrong]).__name__}")
    return dict(tags)


def _matches(volume: Volume, body: Mapping[str, Any]) -> bool:
    """Return whether a create with this body may have made the volume, and not an older one of its name."""
    given = {key: body[key] for key in ("name", "size", "networks", "tags") if body.get(key)}
    return all(volume.get(key) == value for key, value in given.items())
