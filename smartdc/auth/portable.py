"""Prepare a `DataCenter` for another process, and refuse one that could not work there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartdc.auth.identity import Identity
from smartdc.http.clock import SystemClock

if TYPE_CHECKING:
    from smartdc.http.settings import Settings

__all__ = ["portable"]


def portable(settings: Settings) -> Settings:
    """Return settings without secrets, for a pickle; TypeError if a `DataCenter` with them could not make a call.

    A key that was given by its path, or is in the ssh-agent, is found again after unpickling.
    """
    if reason := _why_not(settings):
        raise TypeError(f"this DataCenter cannot be pickled: {reason}")
    return settings.without_secrets()


def _why_not(settings: Settings) -> str | None:
    auth = settings.auth
    if auth is not None and not isinstance(auth, Identity):
        return (
            "its auth= is not pickled; make the DataCenter in the other process, or give key_id= and the path of a key"
        )
    if auth is not None and not auth.is_found_again:
        return "its key was given as text or as an object; give the path of the key's file as secret=, or use the ssh-agent"
    if settings.adapter is not None:
        return "its adapter= belongs to this process; make the DataCenter in the other process"
    if not isinstance(settings.clock, SystemClock):
        return "its clock= belongs to this process; make the DataCenter in the other process"
    return None
