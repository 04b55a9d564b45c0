"""The audit: what was done to a machine, by whom, and whether it succeeded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from smartdc.core.answers import Caller
from smartdc.core.cells import in_columns, moment
from smartdc.core.listing import ResourceList
from smartdc.core.literals import Action
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable
from smartdc.errors import BadResponse, printable
from smartdc.http.dates import parse_date
from smartdc.http.tracebacks import let_pass

__all__ = ["AuditEntry", "HasAudit", "newer"]


class AuditEntry(dict[str, Any]):
    """One finished action; a dict with ``success`` ('yes' or 'no'), ``time``, ``action`` and ``caller``."""

    columns = in_columns(
        time=moment("time"),
        action="action",
        success="success",
        by=lambda entry: _signer(entry)[0],
        ip=lambda entry: _caller(entry).get("ip"),
        key=lambda entry: _signer(entry)[1],
    )

    def __repr__(self) -> str:
        """Show what was done, when, and whether it succeeded."""
        outcome = "succeeded" if self.succeeded else "failed"
        return printable(f"<AuditEntry {self.action} {self.get('time')} {outcome}>")

    @property
    def action(self) -> Action:
        """What was done: ``provision``, ``start``, ``rename`` and so on; ``unknown`` if CloudAPI has no name for it."""
        return cast("Action", str(self.get("action") or "unknown"))

    def describe(self) -> str:
        """Return what was done in words: whether it succeeded, when, and who requested it if CloudAPI knows that."""
        result = "succeeded" if self.succeeded else "failed"
        by = self.requested_by()
        return f"{self.action} {result} at {self.get('time') or 'an unknown time'}{by and f', requested {by}'}"

    def requested_by(self) -> str:
        """Return the key and the address of the caller in words, or '' if CloudAPI does not know them."""
        return " ".join(
            f"{word} {self['caller'][key]}"
            for word, key in (("with key", "keyId"), ("from", "ip"))
            if isinstance(self.get("caller"), Mapping) and self["caller"].get(key)
        )

    @property
    def succeeded(self) -> bool:
        """Whether it succeeded."""
        return self.get("success") == "yes"

    @property
    def time(self) -> datetime:
        """When it finished."""
        try:
            return parse_date(self["time"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            let_pass(error)
            raise BadResponse(
                f"cannot parse 'time' of the audit entry for {self.action}: {self.get('time')!r}"
            ) from None

    @property
    def caller(self) -> Caller:
        """Who requested it: ``type``, and ``ip`` and ``keyId`` if CloudAPI knows them."""
        return cast("Caller", self.get("caller") or {})


def _caller(entry: AuditEntry) -> Mapping[str, Any]:
    return entry.caller if isinstance(entry.caller, Mapping) else {}


def _signer(entry: AuditEntry) -> tuple[str, str]:
    """Return who signed the request (an account, or an account and its user), and the name or fingerprint of the key."""
    caller = _caller(entry)
    who, _, key = str(caller.get("keyId") or "").rpartition("/keys/")
    return who.strip("/").replace("/users/", "/") or str(caller.get("user") or caller.get("type") or ""), key


def newer(entries: list[AuditEntry], seen: int) -> list[AuditEntry]:
    """Return the entries that an audit has more than when it had `seen` of them; the newest come first."""
    # It may also have fewer, since CloudAPI does not keep old jobs for ever.
    return entries[: max(len(entries) - seen, 0)]


class HasAudit(Addressable):
    """Mix-in for owners of an audit."""

    __slots__ = ()

    @operation("MachineAudit")
    def audit(self) -> ResourceList[AuditEntry]:
        """List the finished actions, newest first: ``MachineAudit``."""
        return ResourceList(AuditEntry(entry) for entry in self._list("audit"))
