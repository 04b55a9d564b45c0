"""Read and write tags: names with values, by which machines can be found."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from smartdc.core.literals import Action
from smartdc.core.operation import operation
from smartdc.errors import InputError
from smartdc.http import request as wire
from smartdc.machine.entries import ChangesEntries, Patience, Timeout, Wait, includes, patience
from smartdc.waiting.poll import DEFAULT_TIMEOUT

__all__ = ["TOKEN_TAG", "HasTags"]

TOKEN_TAG = "smartdc_token"  # noqa: S105 (it names a tag, and opens nothing)
"""The tag by which a machine can be found when the answer to its create was lost."""

RESERVED = frozenset({"account", "machine", "uuid", "owner_uuid", "context", "image", "origin", "dataset", "package"})
"""Names that CloudAPI would take for its own parameters, or drop."""

SETS: tuple[Action, ...] = ("set_tags",)
REPLACES: tuple[Action, ...] = ("replace_tags", "set_tags")
REMOVES: tuple[Action, ...] = ("remove_tags",)
"""The audit's names for jobs that change tags; a replacement that removes no tag has the name of an addition."""

Tag = str | int | float | bool


class HasTags(ChangesEntries):
    """Mix-in for owners of tags, whose values are strings, numbers or booleans, and keep their type.

    Changes are jobs: the methods return the tags as they will be, or with `wait` as they are. The tag with the
    machine's `token` is left out everywhere, and stays when others are replaced.
    """

    __slots__ = ()

    @property
    def token(self) -> str | None:
        """The token of its create, as in ``create_machine(token=...)``; None if it has none."""
        token = self._part("tags").get(TOKEN_TAG)
        return None if token is None else str(token)

    @operation("ListMachineTags")
    def get_tags(self) -> dict[str, Tag]:
        """Return the complete set of tags: ``ListMachineTags``."""
        return self._keep_tags(self._get("tags"))

    @operation("GetMachineTag", "ListMachineTags")
    def get_tag(self, tag: str) -> Tag:
        """Return the value of one tag: ``GetMachineTag``; for a number or boolean also ``ListMachineTags``.

        CloudAPI answers with an empty text for tags that are not strings.
        """
        value, _ = self._call("GET", "tags", tag, headers={"Accept": "text/plain"})
        return value or self.get_tags().get(tag, "")

    @operation("AddMachineTags", "ListMachineTags", "MachineAudit")
    def add_tags(
        self,
        mapping: Mapping[str, Tag] | None = None,
        /,
        *,
        wait: Wait = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        **tags: Tag,
    ) -> dict[str, Tag]:
        """Set these tags, keep the others, and return all: ``AddMachineTags``.

        Pass names that are not Python identifiers, or are called wait or timeout, in `mapping`. With ``wait=True``, it
        returns when the tags are visible, and raises `WaitFailed` if the job has failed, or `WaitTimeout` after
        `timeout` seconds: ``ListMachineTags``, ``MachineAudit``.
        """
        waits = patience(wait, timeout, tags, "tag")
        data = _checked(mapping, tags)
        before = self.count_entry_jobs(SETS, waits)
        self._keep_tags(self._post("tags", data=data, repeatable=True))
        self.wait_for_entries(self._read_tags, partial(includes, data), SETS, before, waits)
        return visible(self._part("tags"))

    @operation("ReplaceMachineTags", "ListMachineTags", "MachineAudit")
    def replace_tags(
        self,
        mapping: Mapping[str, Tag] | None = None,
        /,
        *,
        wait: Wait = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        **tags: Tag,
    ) -> dict[str, Tag]:
        """Replace all tags with these, and return them: ``ReplaceMachineTags``.

        The machine's `token` stays; if its tags are not known yet, they are fetched first: ``ListMachineTags``.
        `wait` and `timeout` are those of `add_tags`.
        """
        waits = patience(wait, timeout, tags, "tag")
        data = _checked(mapping, tags)
        if "tags" not in self:
            self.get_tags()
        data = {**wire.given(**{TOKEN_TAG: self.token}), **data}
        before = self.count_entry_jobs(REPLACES, waits)
        self._keep_tags(self._put("tags", data=data))
        self.wait_for_entries(self._read_tags, lambda now: now == data, REPLACES, before, waits)
        return visible(self._part("tags"))

    @operation("DeleteMachineTag", "ListMachineTags", "MachineAudit")
    def delete_tag(self, tag: str, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Delete one tag: ``DeleteMachineTag``. `wait` and `timeout` are those of `add_tags`."""
        waits = Patience.checked(wait, timeout)
        before = self.count_entry_jobs(REMOVES, waits)
        self._delete("tags", tag)
        self._part("tags").pop(tag, None)
        self.wait_for_entries(self._read_tags, lambda now: tag not in now, REMOVES, before, waits)

    @operation("DeleteMachineTags", "ListMachineTags", "MachineAudit")
    def delete_all_tags(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Delete all tags, including the `token`: ``DeleteMachineTags``.

        A later ``create_machine(token=...)`` with that token does not find this machine, and creates a new one.
        `wait` and `timeout` are those of `add_tags`.
        """
        waits = Patience.checked(wait, timeout)
        before = self.count_entry_jobs(REMOVES, waits)
        self._delete("tags")
        self._data["tags"] = {}
        self.wait_for_entries(self._read_tags, lambda now: not now, REMOVES, before, waits)

    def _read_tags(self) -> dict[str, Any]:
        """Fetch the tags, and remember and return all of them."""
        self.get_tags()
        return self._part("tags")

    def _keep_tags(self, tags: dict[str, Any]) -> dict[str, Tag]:
        """Remember the tags, and return all except the token."""
        self._data["tags"] = tags
        return visible(tags)


def _checked(mapping: Mapping[str, Tag] | None, tags: Mapping[str, Tag]) -> dict[str, Any]:
    """Return the given tags; refuse the tag with the token, which callers must not set."""
    data = wire.form_names(mapping, tags, RESERVED, "tag")
    if TOKEN_TAG in data:
        raise InputError(f"the tag {TOKEN_TAG!r} is reserved for create_machine(token=...), which finds machines by it")
    return data


def visible(tags: Mapping[str, Any]) -> dict[str, Tag]:
    """Return the tags without the one with the token."""
    return {name: value for name, value in tags.items() if name != TOKEN_TAG}
