"""The parameters for creating and changing images, and the bodies of these calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from smartdc.core import arguments
from smartdc.core.lookup import id_of, is_uuid
from smartdc.errors import InputError
from smartdc.http import request as wire
from smartdc.waiting.poll import DEFAULT_TIMEOUT

__all__ = ["Accounts", "ImageChanges", "NewImage", "NewImageOf", "account_ids"]

Accounts = Iterable[str | Mapping[str, Any]]
"""Accounts by their UUIDs, or as dicts or resources that have them."""


@dataclass(frozen=True, kw_only=True)
class ImageDetails:
    """The description of an image, except its name and version."""

    description: str | None = None
    homepage: str | None = None
    eula: str | None = None
    acl: Accounts | None = None
    tags: Mapping[str, Any] | None = None

    def body(self, name: str | None, version: str | None) -> dict[str, Any]:
        """Return the given fields in CloudAPI's form."""
        strings = arguments.strings(
            name=name, version=version, description=self.description, homepage=self.homepage, eula=self.eula
        )
        acl = None if self.acl is None else account_ids(self.acl)
        return {**strings, **arguments.mappings(tags=self.tags), **wire.given(acl=acl)}


@dataclass(frozen=True)
class ImageChanges(ImageDetails):
    """The fields of an image that can be changed."""

    name: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class NewImage(ImageDetails):
    """The parameters of a new image."""

    name: str
    version: str
    _: KW_ONLY
    wait: bool = False
    timeout: float | None = DEFAULT_TIMEOUT


@dataclass(frozen=True)
class Source:
    """The machine from which an image is created."""

    machine: str | Mapping[str, Any]


# The fields of a dataclass's last base class come first.
@dataclass(frozen=True)
class NewImageOf(NewImage, Source):
    """The parameters of a new image, with its machine."""


def account_ids(accounts: Accounts, known: Iterable[str] = ()) -> list[str]:
    """Return the UUIDs of accounts, without those in `known`; CloudAPI does not accept logins here."""
    if isinstance(accounts, (str, bytes, Mapping)) or not isinstance(accounts, Iterable):
        raise InputError(f"acl must be a list of accounts, not {type(accounts).__name__}")
    ids = [id_of(account) for account in accounts]
    if wrong := next((text for text in ids if not is_uuid(text)), None):
        raise InputError(f"each account of an acl must be a UUID, got {wrong!r}")
    return [text for text in dict.fromkeys(ids) if text not in known]
