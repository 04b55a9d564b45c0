"""Convert resources to plain data, as dicts or JSON; secrets are left out unless requested."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from functools import partial
from typing import Any

from smartdc.core.resource import Resource

__all__ = ["as_dict", "to_json"]


def as_dict(thing: object, *, secrets: bool = False) -> Any:
    """Return `thing` in a form that `json.dumps` can write: ``json.dumps(things, default=smartdc.as_dict)``.

    A resource becomes the dict of its `to_dict`, any other mapping a dict, a time a string in CloudAPI's form, and any
    other iterable a list. Anything else raises a TypeError.
    """
    if isinstance(thing, Resource):
        return thing.to_dict(secrets=secrets)
    if isinstance(thing, Mapping):
        return dict(thing)
    if isinstance(thing, date):
        return thing.isoformat().replace("+00:00", "Z")
    if isinstance(thing, Iterable) and not isinstance(thing, (str, bytes, bytearray, memoryview)):
        return list(thing)
    raise TypeError(f"{type(thing).__name__} is not JSON serializable")


def to_json(things: object, *, indent: int | None = 2, secrets: bool = False) -> str:
    """Return a resource, a list or an iterator of resources (such as `iter_machines`), or plain data as JSON.

    Passwords, boot scripts, user data and the secrets of access keys are left out, unless `secrets` asks for them.
    """
    return json.dumps(things, default=partial(as_dict, secrets=secrets), indent=indent, ensure_ascii=False)
