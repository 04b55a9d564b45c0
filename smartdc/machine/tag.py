"""Read and write tags: names and values to find machines by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smartdc.core.resource import Resource
from smartdc.http import request as wire

__all__ = ["HasTags"]

RESERVED = frozenset({"account", "machine", "uuid", "owner_uuid", "context", "image", "origin", "dataset", "package"})
"""Names that CloudAPI would take for parameters of its own, or drop."""

Tag = str | int | float | bool


class HasTags(Resource):
    """Mix-in for owners of tags, whose values are strings, numbers or booleans, and stay what they are.

    Changes are jobs: what the methods return is what the tags will be.
    """

    __slots__ = ()

    def get_tags(self) -> dict[str, Tag]:
        """Return all tags: ``ListMachineTags``."""
        return self._keep_tags(self._get("tags"))

    def get_tag(self, tag: str) -> Tag:
        """Return the value of one tag: ``GetMachineTag``; for a number or boolean ``ListMachineTags`` as well.

        CloudAPI answers with an empty text for tags that are no strings.
        """
        value, _ = self._call("GET", "tags", tag, headers={"Accept": "text/plain"})
        return value or self.get_tags().get(tag, "")

    def add_tags(self, mapping: Mapping[str, Tag] | None = None, /, **tags: Tag) -> dict[str, Tag]:
        """Set tags beside those that are there, and return all: ``AddMachineTags``.

        Names that are no Python identifiers go into `mapping`.
        """
        return self._keep_tags(
            self._post("tags", data=wire.form_names(mapping, tags, RESERVED, "tag"), repeatable=True)
        )

    def replace_tags(self, mapping: Mapping[str, Tag] | None = None, /, **tags: Tag) -> dict[str, Tag]:
        """Set these tags in place of all that are there, and return them: ``ReplaceMachineTags``."""
        return self._keep_tags(self._put("tags", data=wire.form_names(mapping, tags, RESERVED, "tag")))

    def delete_tag(self, tag: str) -> None:
        """Delete one tag: ``DeleteMachineTag``."""
        self._delete("tags", tag)
        self._part("tags").pop(tag, None)

    def delete_all_tags(self) -> None:
        """Delete all tags: ``DeleteMachineTags``."""
        self._delete("tags")
        self._data["tags"] = {}

    def _keep_tags(self, tags: dict[str, Any]) -> dict[str, Tag]:
        """Remember the tags, and return a copy."""
        self._data["tags"] = tags
        return dict(tags)
